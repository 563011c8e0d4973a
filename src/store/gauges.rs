//! What is known of how the audit itself does: the latest scan of everything, how the last night ended, and counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::pages::instant;
use super::{Ledger, Result, RunFilter, durably, storable, stored};
use crate::report::Pages as _;
use crate::report::metrics::{Changes, Night, State};

/// The runs of everything that ended.
const FULL: &str = "finished_at IS NOT NULL AND json_extract(scope, '$.full')";

impl Ledger {
    /// Records how a run of the unattended job ended. When one last succeeded is found out here.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn night_ended(&mut self, night: &Night) -> Result<()> {
        let (started, ended) = (night.started_at.as_second(), night.ended_at.as_second());
        let succeeded = Night::is_success(night.exit).then_some(ended);
        let exports = storable("exports", &night.exports)?;
        durably(self, |connection| {
            connection.execute(
                "INSERT INTO night (id, started_at, ended_at, exit, exports, succeeded_at) VALUES (1, ?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                     exit = excluded.exit, exports = excluded.exports, succeeded_at = COALESCE(excluded.succeeded_at, succeeded_at)",
                params![started, ended, night.exit, exports, succeeded],
            )?;
            Ok(())
        })
    }

    /// How the unattended job last ended.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn last_night(&self) -> Result<Option<Night>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT started_at, ended_at, exit, exports, succeeded_at FROM night")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let succeeded: Option<i64> = row.get(4)?;
        Ok(Some(Night {
            started_at: instant(row.get(0)?),
            ended_at: instant(row.get(1)?),
            exit: row.get(2)?,
            exports: stored("exports", &row.get::<_, String>(3)?)?,
            succeeded_at: succeeded.map(instant),
        }))
    }

    /// What the metrics tell.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn gauges(&self) -> Result<State> {
        let night = self.last_night()?;
        let latest: Option<String> = self
            .connection
            .prepare_cached(&format!(
                "SELECT key FROM run WHERE {FULL} ORDER BY id DESC LIMIT 1"
            ))?
            .query_row([], |row| row.get(0))
            .optional()?;
        let (latest, findings) = match latest {
            Some(key) => {
                let run = self.stored_run(Some(&key), RunFilter::default())?;
                (Some(run.header().clone()), run.counted()?)
            }
            None => (None, Vec::new()),
        };
        Ok(State {
            letters: self.letters_since(night.as_ref().map_or(Timestamp::MIN, |night| night.started_at))?,
            night,
            latest,
            succeeded: self.last_read()?,
            findings,
            changes: self.receipts()?,
            announced: self.announced_by_source()?,
        })
    }

    /// When each source was last read, all accounts and rules in scope, and not found incomplete.
    fn last_read(&self) -> Result<BTreeMap<String, Timestamp>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT o.name, max(r.finished_at) FROM run_source s JOIN run r ON r.id = s.run JOIN source o ON o.id = s.source
             WHERE s.complete = 1 AND r.finished_at IS NOT NULL GROUP BY o.id",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, instant(row.get(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn letters_since(&self, since: Timestamp) -> Result<BTreeMap<String, u64>> {
        self.counts(
            "SELECT COALESCE(outcome, 'unknown'), count(*) FROM letter WHERE began_at >= ?1 GROUP BY 1",
            [since.as_second()],
        )
    }

    fn announced_by_source(&self) -> Result<BTreeMap<String, u64>> {
        self.counts(
            "SELECT o.name, count(*) FROM announcement a JOIN source o ON o.id = a.source
             WHERE a.ended_at IS NULL GROUP BY 1",
            [],
        )
    }

    fn counts(&self, query: &str, parameters: impl rusqlite::Params) -> Result<BTreeMap<String, u64>> {
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map(parameters, |row| Ok((row.get(0)?, count(row.get(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn receipts(&self) -> Result<Vec<Changes>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT source, entry ->> '$.deed', entry ->> '$.outcome', count(*) FROM journal
             WHERE source IS NOT NULL AND event = 'receipt' GROUP BY 1, 2, 3",
        )?;
        let rows = statement.query_map([], |row| {
            let text =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.unwrap_or_default());
            Ok(Changes {
                source: row.get(0)?,
                action: text(1)?,
                result: text(2)?,
                count: count(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
