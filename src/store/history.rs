//! The life of a finding, of a share, or of what somebody owns: what runs told of it, in their order.
//!
//! Read off the same versions as the events of a run, so that the two agree. Asks no service and waits for no scan.

use std::io;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, named_params};

use super::events::{self, SharePlace, TOLD_BEFORE};
use super::pages::{self, FindingPlace, Loaders};
use super::{Ledger, Result, StoreError, sharing, storable};
use crate::model::SourceName;
use crate::report::history::{Entry, Life, Milestone, Pages, What};
use crate::report::ndjson::Event;
use crate::report::view::{Before, Subject};

/// What a life consists of, in the ledger's rows.
#[derive(Debug)]
pub struct StoredLife<'a> {
    ledger: &'a Ledger,
    findings: String,
    shares: String,
}

impl Ledger {
    /// The life of something, in one source or in all.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where nothing has the id, [`StoreError::Ambiguous`] where things of several sources
    /// have it, or any other of the file.
    pub fn life(&self, of: &Life, source: Option<&SourceName>) -> Result<StoredLife<'_>> {
        let only = match source {
            Some(name) => Some(self.known_source(name)?.ok_or_else(|| StoreError::Unknown {
                what: "source",
                ids: vec![name.to_string()],
            })?),
            None => None,
        };
        let unknown = |what| StoreError::Unknown {
            what,
            ids: vec![of.id().to_owned()],
        };
        let (findings, shares) = match of {
            Life::Finding(id) => {
                let found: Option<(i64, Option<i64>)> = self
                    .connection
                    .prepare_cached(
                        "SELECT id, share FROM finding WHERE key = ?1 AND (?2 IS NULL OR source = ?2)",
                    )?
                    .query_row((id, only), |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let (finding, share) = found.ok_or_else(|| unknown("finding"))?;
                (vec![finding], Vec::from_iter(share))
            }
            Life::Share(id) => {
                let mut found = sharing::find_shares(&self.connection, id)?;
                found.retain(|(_, source)| only.is_none_or(|only| only == *source));
                match found.as_slice() {
                    [] => return Err(unknown("share")),
                    [(share, _)] => (self.findings_of(&[*share])?, vec![*share]),
                    _ => return Err(self.ambiguous(id, found.iter().map(|(_, source)| *source))?),
                }
            }
            Life::Owner(id) => {
                let shares = self.shares_owned_by(id, only)?;
                if shares.is_empty() {
                    return Err(unknown("owner"));
                }
                (self.findings_of(&shares)?, shares)
            }
        };
        Ok(StoredLife {
            ledger: self,
            findings: storable("rows", &findings)?,
            shares: storable("rows", &shares)?,
        })
    }

    fn ambiguous(&self, id: &str, sources: impl Iterator<Item = i64>) -> Result<StoreError> {
        let mut name = self
            .connection
            .prepare_cached("SELECT name FROM source WHERE id = ?1")?;
        let names = sources.map(|source| name.query_row([source], |row| row.get::<_, String>(0)));
        Ok(StoreError::Ambiguous {
            what: "share",
            id: id.to_owned(),
            sources: names.collect::<rusqlite::Result<_>>()?,
        })
    }

    fn findings_of(&self, shares: &[i64]) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT f.id FROM json_each(?1) j CROSS JOIN finding f ON f.share = j.value ORDER BY f.id",
        )?;
        let rows = statement.query_map([storable("rows", &shares)?], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The shares of whatever an account or a site owns, or ever owned, by its id or mail address.
    fn shares_owned_by(&self, id: &str, source: Option<i64>) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT share FROM share_version WHERE owner IN (
                 SELECT id FROM principal WHERE (lower(key) = lower(?1) OR lower(email) = lower(?1))
                   AND (?2 IS NULL OR source = ?2)) ORDER BY share",
        )?;
        let rows = statement.query_map((id, source), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Where an entry's particulars lie.
struct Place {
    kind: Kind,
    time: Timestamp,
    /// The run that tells it, by its row and by its id.
    run: Option<(i64, String)>,
    source: String,
    /// The row of the finding or of the share, and the first run of its version.
    row: i64,
    version: i64,
    /// The first run of the version before it, or of a finding's share.
    other: Option<i64>,
    flag: bool,
    by: Option<String>,
    outcome: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Share,
    Finding,
    Gone,
    Confirmed,
    Closed,
}

impl Place {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let run: Option<i64> = row.get(2)?;
        let key: Option<String> = row.get(3)?;
        let by: Option<String> = row.get(9)?;
        // What came of an incident stands in the lines after who closed it: a name has one line.
        let (by, outcome) = match by.as_deref().and_then(|by| by.split_once('\n')) {
            Some((by, outcome)) => (Some(by.to_owned()), Some(outcome.to_owned())),
            None => (by, None),
        };
        Ok(Self {
            kind: match row.get(1)? {
                0 => Kind::Share,
                1 => Kind::Finding,
                2 => Kind::Gone,
                3 => Kind::Confirmed,
                _ => Kind::Closed,
            },
            time: pages::instant(row.get(0)?),
            run: run.zip(key),
            source: row.get(4)?,
            row: row.get(5)?,
            version: row.get(6)?,
            other: row.get(7)?,
            flag: row.get::<_, Option<bool>>(8)?.unwrap_or_default(),
            by,
            outcome,
        })
    }
}

/// Everything that was told, in the order in which it was. Where the run that told the earliest version is no longer
/// stored, that version stands for how it began, at the time of the first sight.
fn places() -> String {
    const GONE: &str = "(t.run IS NULL OR t.told_by NOT IN (SELECT id FROM run))";
    format!(
        "SELECT r.started_at, 0, r.id, r.key, o.name, w.share, w.from_run,
             (SELECT p.from_run FROM share_version p WHERE p.share = w.share AND p.from_run = {TOLD_BEFORE}
                AND p.to_run = w.from_run),
             EXISTS (SELECT 1 FROM finding f WHERE f.share = w.share), NULL
         FROM json_each(:shares) j CROSS JOIN share s ON s.id = j.value CROSS JOIN source o ON o.id = s.source
         CROSS JOIN share_version w ON w.share = s.id
         CROSS JOIN run_source t ON t.run = w.from_run AND t.source = s.source
         CROSS JOIN run r ON r.id = t.told_by AND r.finished_at IS NOT NULL
         WHERE w.to_run IS NULL OR w.to_run > r.id
         UNION ALL
         SELECT r.started_at, 1, r.id, r.key, o.name, v.finding, v.from_run,
             (SELECT max(w.from_run) FROM share_version w WHERE w.share = f.share AND w.from_run <= r.id),
             n.told_by = r.id, NULL
         FROM json_each(:findings) j CROSS JOIN finding f ON f.id = j.value CROSS JOIN source o ON o.id = f.source
         CROSS JOIN finding_version v ON v.finding = f.id AND v.from_run >= f.first_run
         CROSS JOIN run_source t ON t.run = v.from_run AND t.source = f.source
         CROSS JOIN run r ON r.id = t.told_by AND r.finished_at IS NOT NULL
         LEFT JOIN run_source n ON n.run = f.first_run AND n.source = f.source
         WHERE v.to_run IS NULL OR v.to_run > r.id
         UNION ALL
         SELECT r.started_at, 2, r.id, r.key, o.name, w.share, w.from_run, NULL, NULL, NULL
         FROM json_each(:shares) j CROSS JOIN share s ON s.id = j.value CROSS JOIN source o ON o.id = s.source
         CROSS JOIN share_version w ON w.share = s.id AND w.to_run IS NOT NULL
         CROSS JOIN run_source t ON t.run = w.to_run AND t.source = s.source
         CROSS JOIN run r ON r.id = t.told_by AND r.finished_at IS NOT NULL
         WHERE NOT EXISTS (SELECT 1 FROM share_version q WHERE q.share = w.share
             AND q.from_run >= w.to_run AND q.from_run <= r.id)
         UNION ALL
         SELECT s.first_at, 0, NULL, NULL, o.name, w.share, w.from_run, NULL, NULL, NULL
         FROM json_each(:shares) j CROSS JOIN share s ON s.id = j.value CROSS JOIN source o ON o.id = s.source
         CROSS JOIN share_version w ON w.share = s.id
             AND w.from_run = (SELECT min(from_run) FROM share_version WHERE share = s.id)
         LEFT JOIN run_source t ON t.run = w.from_run AND t.source = s.source
         WHERE {GONE}
         UNION ALL
         SELECT f.first_at, 1, NULL, NULL, o.name, v.finding, v.from_run,
             (SELECT COALESCE(max(w.from_run) FILTER (WHERE w.from_run <= v.from_run), min(w.from_run))
                FROM share_version w WHERE w.share = f.share), 1, NULL
         FROM json_each(:findings) j CROSS JOIN finding f ON f.id = j.value CROSS JOIN source o ON o.id = f.source
         CROSS JOIN finding_version v ON v.finding = f.id AND v.from_run =
             (SELECT min(from_run) FROM finding_version WHERE finding = f.id AND from_run >= f.first_run)
         LEFT JOIN run_source t ON t.run = v.from_run AND t.source = f.source
         WHERE {GONE}
         UNION ALL
         SELECT s.confirmed_at, 3, NULL, NULL, o.name, s.id,
             (SELECT max(w.from_run) FROM share_version w WHERE w.share = s.id), NULL, NULL, s.confirmed_by
         FROM json_each(:shares) j CROSS JOIN share s ON s.id = j.value CROSS JOIN source o ON o.id = s.source
         WHERE s.confirmed_at IS NOT NULL
         UNION ALL
         SELECT c.closed_at, 4, NULL, NULL, o.name, f.id,
             COALESCE((SELECT max(v.from_run) FROM finding_version v JOIN run r ON r.id = v.from_run
                WHERE v.finding = f.id AND r.started_at <= c.closed_at),
                (SELECT min(v.from_run) FROM finding_version v WHERE v.finding = f.id)),
             (SELECT max(w.from_run) FROM share_version w WHERE w.share = f.share), NULL,
             c.closed_by || char(10) || c.outcome
         FROM json_each(:findings) j CROSS JOIN finding f ON f.id = j.value CROSS JOIN source o ON o.id = f.source
         CROSS JOIN incident c ON c.finding = f.key
         ORDER BY 1, 3, 2, 5, 6"
    )
}

impl Pages for StoredLife<'_> {
    fn entries(&self, visit: &mut dyn FnMut(Entry) -> io::Result<()>) -> io::Result<()> {
        self.walk(visit).map_err(io::Error::other)?
    }
}

impl StoredLife<'_> {
    fn walk(&self, visit: &mut dyn FnMut(Entry) -> io::Result<()>) -> Result<io::Result<()>> {
        let mut statement = self.ledger.connection.prepare_cached(&places())?;
        let mut rows = statement.query(named_params! {":findings": self.findings, ":shares": self.shares})?;
        let mut loaders = Loaders::new(&self.ledger.connection);
        while let Some(row) = rows.next()? {
            let place = Place::read(row)?;
            if let Some(entry) = self.entry(place, &mut loaders)?
                && let Err(error) = visit(entry)
            {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn entry(&self, place: Place, loaders: &mut Loaders<'_>) -> Result<Option<Entry>> {
        let connection = &self.ledger.connection;
        let (row, key) = place.run.unzip();
        let entry = |what, subject, before| Entry {
            what,
            time: place.time,
            run: key,
            by: place.by,
            outcome: place.outcome,
            subject,
            before,
        };
        let milestone = match (place.kind, place.other, row) {
            (Kind::Finding, share, run) => {
                let told = FindingPlace {
                    finding: place.row,
                    version: place.version,
                    share,
                    new: place.flag,
                    told: true,
                };
                let finding = pages::finding_at(connection, told, (run, place.time), loaders)?;
                let (event, before) = match run {
                    Some(run) => events::became(connection, told, run, finding.status)?,
                    None => (Event::Opened, Before::default()),
                };
                if event == Event::StillOpen {
                    return Ok(None);
                }
                let subject = Subject::Finding(Box::new(finding));
                return Ok(Some(entry(What::Event(event), subject, before)));
            }
            (Kind::Closed, share, _) => {
                let told = FindingPlace {
                    finding: place.row,
                    version: place.version,
                    share,
                    new: false,
                    told: false,
                };
                let finding = pages::finding_at(connection, told, (None, place.time), loaders)?;
                let subject = Subject::Finding(Box::new(finding));
                let what = What::Milestone(Milestone::IncidentClosed);
                return Ok(Some(entry(what, subject, Before::default())));
            }
            (Kind::Share, Some(was), Some(run)) => {
                let versions = SharePlace {
                    source: place.source,
                    share: place.row,
                    now: place.version,
                    was,
                    kept: place.flag,
                };
                let changed = events::share_changed(connection, &versions, (run, place.time), loaders)?;
                return Ok(changed.map(|told| entry(What::Event(told.event), told.subject, told.before)));
            }
            (Kind::Share, ..) => Milestone::Seen,
            (Kind::Gone, ..) => Milestone::Gone,
            (Kind::Confirmed, ..) => Milestone::Confirmed,
        };
        let subject = events::share_subject(connection, (&place.source, place.row, place.version), loaders)?;
        Ok(Some(entry(
            What::Milestone(milestone),
            subject,
            Before::default(),
        )))
    }
}
