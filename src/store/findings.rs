//! Findings as versions: what was found, where it stands, and when that changed.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, Row, ToSql, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::notes::{note, note_text};
use super::{Result, Run, StandsOpen, named, storable};
use crate::model::{Finding, FindingId, Level, PrincipalKind, Remedy, RuleId, Status, WaiverNote};
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
#[derive(Debug, Deserialize)]
pub(super) struct FindingBody {
    pub(super) message: String,
    pub(super) remedy: Remedy,
    #[serde(default)]
    pub(super) waiver: Option<WaiverNote>,
    #[serde(default)]
    pub(super) judged: Option<JudgedNote>,
}

/// What [`FindingBody`] reads, as it is written.
#[derive(Debug, Serialize)]
struct Words<'a> {
    message: &'a str,
    remedy: Remedy,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<&'a WaiverNote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<&'a RawValue>,
}

/// A finding that the ledger has, as it stands before this run's judgement.
#[derive(Debug)]
pub(super) struct Known {
    row: i64,
    key: String,
    pub(super) rule: RuleId,
    last_at: i64,
    from_run: i64,
    status: Status,
    level: Level,
    body: String,
}

impl Known {
    /// Whether it stands, or was not checked.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.status, Status::Open | Status::Waived | Status::NotChecked)
    }

    /// The run since which nothing is known of it.
    pub(super) fn unchecked_since(&self) -> Option<i64> {
        (self.status == Status::NotChecked).then_some(self.from_run)
    }

    /// Whether it is among those that were found now.
    pub(super) fn is_among(&self, found: &[Finding]) -> bool {
        found.iter().any(|finding| finding.id.as_str() == self.key)
    }
}

const KNOWN: &str = concat!(
    "SELECT f.share, f.id, f.key, f.rule, f.last_at, v.from_run, v.status, v.level, ",
    note_text!("v.note"),
    " FROM finding f JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL"
);

/// The findings about a source's settings.
pub(super) fn of_settings(connection: &Connection, source: i64) -> Result<Vec<Known>> {
    that(connection, "f.source = ?1 AND f.share IS NULL", params![source])
}

/// The findings `f` for which a condition holds.
pub(super) fn that(connection: &Connection, only: &str, values: &[&dyn ToSql]) -> Result<Vec<Known>> {
    let mut statement = connection.prepare_cached(&format!("{KNOWN} WHERE {only}"))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(known(row)?);
    }
    Ok(found)
}

/// The findings about the shares whose rows are within a range, by share.
pub(super) fn of_shares(
    connection: &Connection,
    range: RangeInclusive<i64>,
) -> Result<HashMap<i64, Vec<Known>>> {
    let mut statement = connection.prepare_cached(&format!("{KNOWN} WHERE f.share BETWEEN ?1 AND ?2"))?;
    let mut rows = statement.query([range.start(), range.end()])?;
    let mut found: HashMap<i64, Vec<Known>> = HashMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push(known(row)?);
    }
    Ok(found)
}

/// The findings that stand open about the shares whose rows are within a range, by share.
pub(super) fn open_of_shares(
    connection: &Connection,
    range: RangeInclusive<i64>,
) -> Result<HashMap<i64, Vec<StandsOpen>>> {
    let mut statement = connection.prepare_cached(
        "SELECT f.share, f.key, f.rule, v.level, f.baseline, f.checked_at
         FROM finding f JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL
         WHERE f.share BETWEEN ?1 AND ?2 AND v.status = 'open' ORDER BY f.id",
    )?;
    let mut rows = statement.query([range.start(), range.end()])?;
    let mut found: HashMap<i64, Vec<StandsOpen>> = HashMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push(StandsOpen {
            id: FindingId::stored(row.get::<_, String>(1)?),
            rule: named("a rule", text(row, 2)?)?,
            level: named("a level", text(row, 3)?)?,
            held: row.get(4)?,
            checked_at: super::pages::instant(row.get(5)?),
        });
    }
    Ok(found)
}

fn known(row: &Row<'_>) -> Result<Known> {
    Ok(Known {
        row: row.get(1)?,
        key: row.get(2)?,
        rule: named("a rule", text(row, 3)?)?,
        last_at: row.get(4)?,
        from_run: row.get(5)?,
        status: named("a status", text(row, 6)?)?,
        level: named("a level", text(row, 7)?)?,
        body: row.get(8)?,
    })
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(at)?.as_str()?)
}

/// Whom findings are about, and what is known of them already.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) source: i64,
    /// The share's row; `None` for a source's settings.
    pub(super) share: Option<i64>,
    /// How the share was judged, as JSON.
    pub(super) judged: Option<&'a RawValue>,
    pub(super) known: &'a [Known],
    /// Whether what is found now is of the source's baseline: it was never read whole.
    pub(super) baseline: bool,
}

/// Records that a rule fired: a first time, again, or otherwise than before.
pub(super) fn seen(connection: &Connection, run: &Run, about: About<'_>, finding: &Finding) -> Result<()> {
    let status = if finding.waiver.is_some() {
        Status::Waived
    } else {
        Status::Open
    };
    let words = storable(
        "a finding",
        &Words {
            message: &finding.message,
            remedy: finding.remedy,
            waiver: finding.waiver.as_ref(),
            judged: about.judged,
        },
    )?;
    let now = run.now.as_second();
    let known = about.known.iter().find(|known| known.key == finding.id.as_str());
    let Some(known) = known else {
        connection
            .prepare_cached(
                "INSERT INTO finding (key, source, share, rule, first_run, first_at, last_at, checked_at, baseline)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, ?7)
                 ON CONFLICT (key) DO UPDATE SET last_at = excluded.last_at, checked_at = excluded.checked_at",
            )?
            .execute(params![
                finding.id.as_str(),
                about.source,
                about.share,
                finding.rule.as_str(),
                run.id,
                now,
                about.baseline
            ])?;
        let row = connection
            .prepare_cached("SELECT id FROM finding WHERE key = ?1")?
            .query_row([finding.id.as_str()], |row| row.get(0))?;
        let standing = Standing {
            status,
            level: finding.level,
            words: &words,
            seen_at: None,
        };
        return insert_version(connection, run, row, standing);
    };
    connection
        .prepare_cached(
            "UPDATE finding SET last_at = max(last_at, ?2), checked_at = max(checked_at, ?2) WHERE id = ?1",
        )?
        .execute(params![known.row, now])?;
    let standing = Standing {
        status,
        level: finding.level,
        words: &words,
        seen_at: None,
    };
    write_version(connection, run, known, standing)
}

/// Records that a finding no longer stands, or was not checked; its words stay.
pub(super) fn ended(connection: &Connection, run: &Run, known: &Known, status: Status) -> Result<()> {
    // A scan that was begun later, and runs beside this one, has judged it since.
    if known.from_run > run.id {
        return Ok(());
    }
    if status != Status::NotChecked {
        connection
            .prepare_cached("UPDATE finding SET checked_at = ?2 WHERE id = ?1")?
            .execute(params![known.row, run.now.as_second()])?;
    }
    if known.status == status {
        return Ok(());
    }
    let standing = Standing {
        status,
        level: known.level,
        words: &known.body,
        seen_at: Some(known.last_at),
    };
    write_version(connection, run, known, standing)
}

/// What a version of a finding says.
#[derive(Clone, Copy)]
struct Standing<'a> {
    status: Status,
    level: Level,
    words: &'a str,
    /// When it was last seen; `None` where that was in the version's first run, and has gone on.
    seen_at: Option<i64>,
}

fn write_version(connection: &Connection, run: &Run, known: &Known, standing: Standing<'_>) -> Result<()> {
    // A scan that was begun later, and runs beside this one, was the first to see it, and tells so: this one's picture
    // has it, too. Those of runs in between were printed without.
    if known.from_run > run.id {
        connection
            .prepare_cached(
                "INSERT INTO finding_version (finding, from_run, to_run, status, level, note)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
                     SELECT 1 FROM finding_version WHERE finding = ?1 AND from_run <= ?2 AND to_run > ?2)",
            )?
            .execute(params![
                known.row,
                run.id,
                run.id + 1,
                standing.status.as_str(),
                standing.level.as_str(),
                note(connection, standing.words)?
            ])?;
        return Ok(());
    }
    if known.status == standing.status && known.level == standing.level && known.body == standing.words {
        return Ok(());
    }
    if known.from_run < run.id {
        connection
            .prepare_cached("UPDATE finding_version SET to_run = ?3 WHERE finding = ?1 AND from_run = ?2")?
            .execute(params![known.row, known.from_run, run.id])?;
    }
    insert_version(connection, run, known.row, standing)
}

fn insert_version(connection: &Connection, run: &Run, finding: i64, standing: Standing<'_>) -> Result<()> {
    let note = note(connection, standing.words)?;
    let insert = || {
        connection
            .prepare_cached(
                "INSERT INTO finding_version (finding, from_run, status, level, note, seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (finding, from_run) DO NOTHING",
            )?
            .execute(params![
                finding,
                run.id,
                standing.status.as_str(),
                standing.level.as_str(),
                note,
                standing.seen_at
            ])
    };
    if insert()? == 0 {
        // It replaces what this run said before.
        connection
            .prepare_cached("DELETE FROM finding_version WHERE finding = ?1 AND from_run = ?2")?
            .execute(params![finding, run.id])?;
        insert()?;
    }
    Ok(())
}
