//! What was written for other programs: each run, each line of the journal and each letter once it is known to be on disk.

use std::io;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::events::Telling;
use super::pages::instant;
use super::{Ledger, Result, StoredRun, durably};
use crate::report::view;

impl Ledger {
    /// The runs that ended and were not exported yet, oldest first, by their ids.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn runs_to_export(&self) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM run WHERE finished_at IS NOT NULL AND exported = 0 ORDER BY id",
        )?;
        let runs = statement.query_map([], |row| row.get(0))?;
        Ok(runs.collect::<rusqlite::Result<_>>()?)
    }

    /// Records that a run is exported.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn run_exported(&mut self, run: &str) -> Result<()> {
        durably(self, |connection| {
            connection.execute("UPDATE run SET exported = 1 WHERE key = ?1", [run])?;
            Ok(())
        })
    }

    /// The last line of the journal that is exported.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn journal_exported(&self) -> Result<i64> {
        let seq = self
            .connection
            .prepare_cached("SELECT seq FROM export WHERE what = 'journal'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(seq.unwrap_or_default())
    }

    /// Records that the journal is exported up to a line.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn journal_is_exported(&mut self, seq: i64) -> Result<()> {
        durably(self, |connection| {
            connection.execute(
                "INSERT INTO export (what, seq) VALUES ('journal', ?1)
                 ON CONFLICT (what) DO UPDATE SET seq = excluded.seq",
                [seq],
            )?;
            Ok(())
        })
    }

    /// Visits the letters of which something became that was not exported yet.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; within, what the visitor gave.
    pub fn letters_to_export(
        &self,
        visit: &mut dyn FnMut(view::Letter) -> io::Result<()>,
    ) -> Result<io::Result<()>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.key, r.key, l.ended_at, l.thread, l.told, l.instead, l.address, l.outcome, l.reply,
                 (SELECT count(*) FROM telling t WHERE t.letter = l.id),
                 (SELECT count(*) FROM telling t WHERE t.letter = l.id AND t.offer IS NOT NULL)
             FROM letter l LEFT JOIN run r ON r.id = l.run
             WHERE l.ended_at IS NOT NULL AND l.exported IS NOT l.ended_at ORDER BY l.ended_at, l.id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let count = |column| {
                Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
            };
            let letter = view::Letter {
                key: row.get(0)?,
                run: row.get(1)?,
                time: instant(row.get(2)?),
                thread: row.get(3)?,
                told: row.get(4)?,
                instead: row.get(5)?,
                address: row.get(6)?,
                outcome: row.get(7)?,
                reply: row.get(8)?,
                findings: count(9)?,
                announced: count(10)?,
            };
            if let Err(error) = visit(letter) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Records that letters are exported, by their keys and when they ended.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn letters_exported(&mut self, letters: &[(String, Timestamp)]) -> Result<()> {
        durably(self, |connection| {
            let mut statement = connection
                .prepare_cached("UPDATE letter SET exported = ?2 WHERE key = ?1 AND ended_at = ?2")?;
            for (key, ended) in letters {
                statement.execute(params![key, ended.as_second()])?;
            }
            Ok(())
        })
    }
}

impl StoredRun<'_> {
    /// Visits the run's events as exports have them: those that tell that something changed. Gives how many there are in
    /// all, as [`crate::report::Pages::events`] does.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; within, what the visitor gave.
    pub fn transitions(
        &self,
        visit: &mut dyn FnMut(u64, view::Happening) -> io::Result<()>,
    ) -> Result<io::Result<u64>> {
        self.walk_events(0, Telling::Transitions, visit)
    }
}
