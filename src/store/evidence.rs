//! Evidence of the use of links: what services have on record, and the incidents that it made until somebody closes them.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::findings::{self, Known};
use super::scopes::Place;
use super::sharing::{Loader, RawShare, SHARE_COLUMNS, share_row};
use super::{Ledger, Result, Run, StoreError, named, pages, storable, within};
use crate::model::{FindingId, LinkUse, Look, Origin, Reading, RuleId, SourceName, Status, Uses};

/// The longest id of a record that is kept as it is.
const RECORD: usize = 200;
/// How wide the origin of a use is, as a number.
const WIDTH: &str = "CASE origin WHEN 'outside' THEN 2 WHEN 'untold' THEN 1 ELSE 0 END";

/// An incident as somebody closes it.
#[derive(Clone, Debug)]
pub struct Closing {
    /// The finding.
    pub finding: FindingId,
    /// What came of it.
    pub outcome: String,
    /// Who closes it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a closing met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// How many records of use it closed.
    pub records: u64,
    /// How many there are that no report told of yet: they stay open.
    pub untold: u64,
}

/// A suspected breach that stands.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The finding.
    pub finding: FindingId,
    /// The source.
    pub source: SourceName,
    /// What is on record.
    pub uses: Uses,
    /// How often an incident of the same link was closed before.
    pub closed_before: u64,
    /// The rows in which it stands.
    place: pages::FindingPlace,
}

impl Ledger {
    /// The links of a source that open without signing in, of some people or, where none is named, of all, in the order of
    /// their owners, with what was asked of them before. Labels count where they were looked up under these classes. Gives where to go on.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn open_links(
        &self,
        source: &SourceName,
        users: &[String],
        (classes, after): (&str, Place),
        limit: usize,
    ) -> Result<(Vec<Look>, Option<Place>)> {
        let Some(row) = self.known_source(source)? else {
            return Ok((Vec::new(), None));
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT v.owner, v.share, l.until, l.pending, {SHARE_COLUMNS}
             FROM share_version v INDEXED BY share_version_owner
             CROSS JOIN share s ON s.id = v.share JOIN item i ON i.id = v.item LEFT JOIN look l ON l.share = v.share
             WHERE v.to_run IS NULL AND (v.owner, v.share) > (?2, ?3) AND s.source = ?1 AND v.anonymous
               AND s.missing_run IS NULL AND (?4 = '[]' OR {})
             ORDER BY v.owner, v.share LIMIT ?5",
            pages::of_users("v", "?4")
        ))?;
        let users = storable("accounts", &users)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![row, after.0, after.1, users, limit], |row| {
                let place = (row.get(0)?, row.get(1)?);
                let before: (Option<i64>, Option<String>) = (row.get(2)?, row.get(3)?);
                Ok((place, before, RawShare::read(row, 4)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let last = rows.last().map(|(place, ..)| *place);
        let mut loader = Loader::new(&self.connection, source.clone(), classes);
        let mut looks = Vec::new();
        for (_, (until, pending), raw) in rows {
            if let Some(share) = loader.share(raw)? {
                looks.push(Look {
                    share,
                    since: until.map(pages::instant),
                    pending,
                });
            }
        }
        Ok((looks, last))
    }

    /// Keeps evidence that was asked for before something is done to a share; the next run tells of it.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn keep_evidence(&mut self, source: &SourceName, readings: &[Reading]) -> Result<()> {
        let Some(source) = self.known_source(source)? else {
            return Ok(());
        };
        super::durably(self, |connection| {
            for reading in readings {
                keep(connection, source, None, reading)?;
            }
            Ok(())
        })
    }

    /// Closes an incident: what is on record of the link's use up to the last report makes none any more. Its finding ends
    /// with the next scan.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where no run found it, [`StoreError::NoIncident`] where the finding is of another rule,
    /// [`StoreError::ClosedBefore`] where it was closed, or any other of the file.
    pub fn close_incident(&mut self, closing: &Closing) -> Result<Closed> {
        const TOLD: &str = "incident IS NULL AND run IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM run r WHERE r.id = link_use.run AND r.finished_at IS NULL)";
        let finding = closing.finding.as_str();
        within(&self.connection, |connection| {
            let found: Option<(String, Option<i64>)> = connection
                .query_row(
                    "SELECT rule, share FROM finding WHERE key = ?1",
                    [finding],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((rule, share)) = found else {
                return Err(StoreError::Unknown {
                    what: "finding",
                    ids: vec![finding.to_owned()],
                });
            };
            let rule: RuleId = named("a rule", &rule)?;
            if !rule.ends_by_hand() {
                return Err(StoreError::NoIncident {
                    finding: finding.to_owned(),
                    rule,
                });
            }
            let count = |condition: &str| -> Result<u64> {
                let query = format!("SELECT count(*) FROM link_use WHERE share = ?1 AND {condition}");
                let count: i64 = connection.query_row(&query, [share], |row| row.get(0))?;
                Ok(u64::try_from(count).unwrap_or_default())
            };
            let records = count(TOLD)?;
            if records == 0 {
                return Err(closed_before(connection, finding)?);
            }
            let row: i64 = connection.query_row(
                "INSERT INTO incident (finding, outcome, closed_by, closed_at) VALUES (?1, ?2, ?3, ?4) RETURNING id",
                params![finding, closing.outcome, closing.by, closing.at.as_second()],
                |row| row.get(0),
            )?;
            connection.execute(
                &format!("UPDATE link_use SET incident = ?2 WHERE share = ?1 AND {TOLD}"),
                params![share, row],
            )?;
            Ok(Closed {
                records,
                untold: count("incident IS NULL")?,
            })
        })
    }

    /// Visits the suspected breaches that stand in the latest picture and are not held back as a baseline, those of shares
    /// that are gone among them; gives how many are held back.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn incidents(&self) -> Result<(Vec<Incident>, u64)> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT f.key, o.name, f.baseline, f.id, v.from_run,
                 (SELECT max(w.from_run) FROM share_version w WHERE w.share = f.share),
                 count(*), min(u.at), max(u.at), max({WIDTH}),
                 (SELECT count(*) FROM incident c WHERE c.finding = f.key)
             FROM finding f JOIN source o ON o.id = f.source
             JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL
             JOIN link_use u ON u.share = f.share AND u.incident IS NULL AND u.run IS NOT NULL
             WHERE f.rule = ?1 AND v.status = ?2 GROUP BY f.id ORDER BY f.id"
        ))?;
        let mut rows = statement.query([RuleId::BreachSuspected.as_str(), Status::Open.as_str()])?;
        let (mut found, mut held) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if row.get(2)? {
                held += 1;
                continue;
            }
            found.push(Incident {
                finding: FindingId::stored(row.get::<_, String>(0)?),
                source: SourceName::new(row.get::<_, String>(1)?),
                uses: uses(row, 6)?,
                closed_before: u64::try_from(row.get::<_, i64>(10)?).unwrap_or_default(),
                place: pages::FindingPlace {
                    finding: row.get(3)?,
                    version: row.get(4)?,
                    share: row.get(5)?,
                    new: false,
                    told: false,
                },
            });
        }
        Ok((found, held))
    }

    /// A suspected breach as a report shows it.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn incident_finding(&self, incident: &Incident) -> Result<crate::report::view::Finding> {
        let mut loaders = pages::Loaders::new(&self.connection);
        let last = incident.uses.last;
        pages::finding_at(&self.connection, incident.place, (None, last), &mut loaders)
    }
}

/// Why there is nothing to close.
fn closed_before(connection: &Connection, finding: &str) -> Result<StoreError> {
    let last: Option<(String, i64)> = connection
        .query_row(
            "SELECT closed_by, closed_at FROM incident WHERE finding = ?1 ORDER BY id DESC LIMIT 1",
            [finding],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(StoreError::ClosedBefore {
        finding: finding.to_owned(),
        last: last.map(|(by, at)| (by, pages::instant(at))),
    })
}

/// Keeps what a reading tells of a link's use; of shares that are not known it tells nothing.
pub(super) fn keep(connection: &Connection, source: i64, run: Option<i64>, reading: &Reading) -> Result<()> {
    let (Reading::Used(LinkUse { share, .. }) | Reading::Looked { share, .. } | Reading::Asked { share, .. }) =
        reading
    else {
        return Ok(());
    };
    let Some(row) = share_row(connection, source, share)? else {
        return Ok(());
    };
    match reading {
        Reading::Used(used) => {
            // A record that grew is news, whatever became of what it told before.
            connection
                .prepare_cached(
                    "INSERT INTO link_use (share, record, at, origin, run) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (share, record) DO UPDATE SET at = excluded.at, origin = excluded.origin,
                         run = excluded.run, incident = NULL WHERE excluded.at > link_use.at",
                )?
                .execute(params![
                    row,
                    record(&used.record),
                    used.at.as_second(),
                    used.origin.as_str(),
                    run
                ])?;
        }
        Reading::Looked { until, .. } => {
            connection
                .prepare_cached(
                    "INSERT INTO look (share, until, run) VALUES (?1, ?2, ?3)
                     ON CONFLICT (share) DO UPDATE SET until = max(COALESCE(until, ?2), ?2),
                         run = COALESCE(?3, run), pending = NULL",
                )?
                .execute(params![row, until.as_second(), run])?;
        }
        Reading::Asked { pending, .. } => {
            connection
                .prepare_cached(
                    "INSERT INTO look (share, pending) VALUES (?1, ?2)
                     ON CONFLICT (share) DO UPDATE SET pending = ?2",
                )?
                .execute(params![row, pending])?;
        }
        _ => {}
    }
    Ok(())
}

/// The id of a record, in bounds.
fn record(id: &str) -> String {
    if id.len() <= RECORD {
        id.to_owned()
    } else {
        crate::model::short_digest([id])
    }
}

/// What is known of the use of shares: whether all on record was told in a run, and what of it belongs to no incident that
/// was closed.
pub(super) fn of_shares(
    connection: &Connection,
    run: &Run,
    range: RangeInclusive<i64>,
) -> Result<HashMap<i64, (bool, Option<Uses>)>> {
    let mut known: HashMap<i64, (bool, Option<Uses>)> = HashMap::new();
    let mut statement =
        connection.prepare_cached("SELECT share FROM look WHERE share BETWEEN ?1 AND ?2 AND run >= ?3")?;
    let mut rows = statement.query(params![range.start(), range.end(), run.id])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, (true, None));
    }
    for (share, uses) in open_uses(connection, range)? {
        known.entry(share).or_default().1 = Some(uses);
    }
    Ok(known)
}

/// What is on record of the use of shares, and belongs to no incident that was closed.
pub(super) fn open_uses(connection: &Connection, range: RangeInclusive<i64>) -> Result<HashMap<i64, Uses>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT share, count(*), min(at), max(at), max({WIDTH}) FROM link_use
         WHERE share BETWEEN ?1 AND ?2 AND incident IS NULL GROUP BY share"
    ))?;
    let mut rows = statement.query([range.start(), range.end()])?;
    let mut known = HashMap::new();
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, uses(row, 1)?);
    }
    Ok(known)
}

/// Counts, times and origin, from a column on.
fn uses(row: &Row<'_>, from: usize) -> rusqlite::Result<Uses> {
    Ok(Uses {
        records: u64::try_from(row.get::<_, i64>(from)?).unwrap_or_default(),
        first: pages::instant(row.get(from + 1)?),
        last: pages::instant(row.get(from + 2)?),
        origin: match row.get(from + 3)? {
            0 => Origin::Own,
            1 => Origin::Untold,
            _ => Origin::Outside,
        },
    })
}

/// What was found since the last run, before a change, is told by this one.
pub(super) fn tell(connection: &Connection, run: &Run, source: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE link_use SET run = ?2 WHERE run IS NULL AND share IN (SELECT id FROM share WHERE source = ?1)",
        )?
        .execute([source, run.id])?;
    Ok(())
}

/// Ends the findings of incidents that somebody closed, whether their shares are there or not.
pub(super) fn settle(connection: &Connection, run: &Run, source: i64) -> Result<()> {
    let rule = RuleId::BreachSuspected;
    if !(run.scope.rules.is_empty() || run.scope.rules.contains(&rule)) {
        return Ok(());
    }
    let users = storable("accounts", &run.scope.users)?;
    let only = format!(
        "f.source = ?1 AND f.rule = ?2 AND EXISTS (SELECT 1 FROM incident c WHERE c.finding = f.key)
         AND NOT EXISTS (SELECT 1 FROM link_use u WHERE u.share = f.share AND u.incident IS NULL)
         AND (?3 = '[]' OR EXISTS (SELECT 1 FROM share_version w WHERE w.share = f.share AND {}))",
        pages::of_users("w", "?3")
    );
    let known: Vec<Known> = findings::that(connection, &only, params![source, rule.as_str(), users])?;
    for live in known.iter().filter(|known| known.is_live()) {
        findings::ended(connection, run, live, Status::Resolved)?;
    }
    Ok(())
}

/// Forgets the incidents that were closed before a time and of whose findings no run tells any more.
pub(super) fn forget_closed(connection: &Connection, time: Timestamp) -> Result<()> {
    const OLD: &str = "SELECT id FROM incident c WHERE closed_at < ?1
         AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.key = c.finding)";
    let time = time.as_second();
    connection.execute(&format!("DELETE FROM link_use WHERE incident IN ({OLD})"), [time])?;
    connection.execute(&format!("DELETE FROM incident WHERE id IN ({OLD})"), [time])?;
    Ok(())
}
