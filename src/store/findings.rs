//! Findings as versions: what was found, where it stands, and when that changed.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Result, Run, named, storable};
use crate::model::{Finding, FindingId, PrincipalKind, Remedy, RuleId, Status, WaiverNote};
use crate::policy::Judged;

/// How a share was judged, as it is kept beside the share and in each of its findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JudgedNote {
    pub(super) audience: crate::model::Audience,
    pub(super) classified: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) expired: bool,
    pub(super) owner: PrincipalKind,
    pub(super) shared_by: Option<PrincipalKind>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) recipients: Vec<PrincipalKind>,
}

impl JudgedNote {
    pub(super) fn of(judged: &Judged) -> Self {
        Self {
            audience: judged.audience,
            classified: judged.classified,
            labels: judged.labels.iter().cloned().collect(),
            expired: judged.expired,
            owner: judged.owner,
            shared_by: judged.shared_by,
            recipients: judged.recipients.clone(),
        }
    }
}

/// A finding's stored words.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FindingBody {
    pub(super) message: String,
    pub(super) remedy: Remedy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiver: Option<WaiverNote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) judged: Option<JudgedNote>,
}

/// A finding that stands, or was not checked.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) row: i64,
    pub(super) key: String,
    pub(super) rule: RuleId,
    status: Status,
    level: String,
    body: String,
}

const LIVE: &str = "SELECT f.id, f.key, f.rule, v.status, v.level, v.body FROM finding f
     JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL AND v.status IN ('open', 'waived', 'not-checked')";

/// The findings that stand about a share, or about a source's settings where `share` is `None`.
pub(super) fn live(connection: &Connection, source: i64, share: Option<i64>) -> Result<Vec<Live>> {
    let condition = if share.is_some() {
        "f.share = ?2"
    } else {
        "f.source = ?1 AND f.share IS ?2"
    };
    let mut statement = connection.prepare_cached(&format!("{LIVE} WHERE ?1 = ?1 AND {condition}"))?;
    let rows = statement
        .query_map(params![source, share], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter()
        .map(|(row, key, rule, status, level, body)| {
            Ok(Live {
                row,
                key,
                rule: named("a rule", &rule)?,
                status: named("a status", &status)?,
                level,
                body,
            })
        })
        .collect()
}

/// Records that a rule fired: a first time, again, or otherwise than before.
pub(super) fn seen(
    connection: &Connection,
    run: &Run,
    place: (i64, Option<i64>),
    finding: &Finding,
    judged: Option<&JudgedNote>,
) -> Result<()> {
    let (source, share) = place;
    let status = if finding.waiver.is_some() {
        Status::Waived
    } else {
        Status::Open
    };
    let body = storable(
        "a finding",
        &FindingBody {
            message: finding.message.clone(),
            remedy: finding.remedy,
            waiver: finding.waiver.clone(),
            judged: judged.cloned(),
        },
    )?;
    let now = run.now.as_second();
    let row: i64 = connection
        .prepare_cached(
            "INSERT INTO finding (key, source, share, rule, first_run, first_at, last_at, checked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)
             ON CONFLICT (key) DO UPDATE SET first_run = min(first_run, excluded.first_run),
                 last_at = excluded.last_at, checked_at = excluded.checked_at,
                 share = excluded.share
             RETURNING id",
        )?
        .query_row(
            params![
                finding.id.as_str(),
                source,
                share,
                finding.rule.as_str(),
                run.id,
                now
            ],
            |row| row.get(0),
        )?;
    write_version(connection, run, row, status, finding.level.as_str(), &body)
}

/// Records that a finding no longer stands, or was not checked; its words stay.
pub(super) fn ended(connection: &Connection, run: &Run, live: &Live, status: Status) -> Result<()> {
    if status != Status::NotChecked {
        connection
            .prepare_cached("UPDATE finding SET checked_at = ?2 WHERE id = ?1")?
            .execute(params![live.row, run.now.as_second()])?;
    }
    if live.status == status {
        return Ok(());
    }
    write_version(connection, run, live.row, status, &live.level, &live.body)
}

fn write_version(
    connection: &Connection,
    run: &Run,
    finding: i64,
    status: Status,
    level: &str,
    body: &str,
) -> Result<()> {
    let current: Option<(i64, String, String, String)> = connection
        .prepare_cached(
            "SELECT from_run, status, level, body FROM finding_version WHERE finding = ?1 AND to_run IS NULL",
        )?
        .query_row([finding], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    match current {
        // A scan that was begun later, and runs beside this one, has judged it since: this one's picture keeps what
        // was known before, or what it says itself.
        Some((from, ..)) if from > run.id => {
            connection
                .prepare_cached(
                    "INSERT INTO finding_version (finding, from_run, to_run, status, level, body)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
                         SELECT 1 FROM finding_version WHERE finding = ?1 AND from_run <= ?2 AND to_run > ?2)",
                )?
                .execute(params![finding, run.id, from, status.as_str(), level, body])?;
            return Ok(());
        }
        Some((_, known, known_level, known_body))
            if known == status.as_str() && known_level == level && known_body == body =>
        {
            return Ok(());
        }
        Some((from, ..)) if from == run.id => {}
        Some(_) => {
            connection
                .prepare_cached(
                    "UPDATE finding_version SET to_run = ?2 WHERE finding = ?1 AND to_run IS NULL",
                )?
                .execute(params![finding, run.id])?;
        }
        None => {}
    }
    connection
        .prepare_cached(
            "INSERT INTO finding_version (finding, from_run, status, level, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (finding, from_run) DO UPDATE SET to_run = NULL, status = excluded.status,
                 level = excluded.level, body = excluded.body",
        )?
        .execute(params![finding, run.id, status.as_str(), level, body])?;
    Ok(())
}

/// Whether a live finding is among those that were found now.
pub(super) fn is_among(live: &Live, found: &[Finding]) -> bool {
    found
        .iter()
        .any(|finding| finding.id == FindingId::stored(live.key.as_str()))
}
