//! What owners were told will be done, until it is done or no longer need be.
//!
//! Reports tell of it as it stood at their run, so that a stored run prints the same again: what happens between two runs
//! is told from the next one on.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::pages::instant;
use super::sharing::share_row;
use super::{Ledger, Result, Run, StoreError, named, storable, stored, within};
use crate::enforce::{Deed, Entry, Event, Outcome};
use crate::model::{FindingId, Share, SourceName, Status};
use crate::plan::{Action, Announcement, Ended};

/// When what was announced of `finding f` was due at the run `:run`: of the finding itself, or of any of a share that is to be
/// ended.
macro_rules! due_at_run {
    ($run:literal) => {
        concat!(
            "(SELECT COALESCE((SELECT d.due_at FROM announcement_due d WHERE d.announcement = a.id AND d.to_run > ", $run,
            " ORDER BY d.to_run LIMIT 1), a.due_at)
              FROM announcement a WHERE a.id =
                  (SELECT max(l.id) FROM announcement l WHERE l.share = f.share AND l.announced_run <= ", $run,
            " AND (l.ended_run IS NULL OR l.ended_run > ", $run, ")
                      AND (l.finding = f.key OR l.action ->> '$.action' = 'revoke')))"
        )
    };
}
pub(super) use due_at_run;

const OPEN: &str = "SELECT a.id, a.action, a.announced_at, a.due_at, a.reminded_at FROM announcement a WHERE a.ended_at IS NULL";

impl Ledger {
    /// Records that an owner was told what will be done to a share, and when; `run` is the scan that it belongs to, if any.
    /// Of a share one announcement stands at a time: a second one is refused.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where the share is not known, or any other of the file.
    pub fn announce(
        &mut self,
        run: Option<&Run>,
        action: &Action,
        letter: &str,
        (at, due): (Timestamp, Timestamp),
    ) -> Result<i64> {
        within(&self.connection, |connection| {
            let unknown = || StoreError::Unknown {
                what: "share",
                ids: vec![action.share.clone()],
            };
            let source = super::known_source(connection, &action.source)?.ok_or_else(unknown)?;
            let share = share_row(connection, source, &action.share)?.ok_or_else(unknown)?;
            Ok(connection.query_row(
                "INSERT INTO announcement (source, share, finding, action, letter, announced_at, announced_run, due_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
                params![
                    source,
                    share,
                    action.finding.as_str(),
                    storable("an action", action)?,
                    letter,
                    at.as_second(),
                    told_from(connection, run)?,
                    due.as_second()
                ],
                |row| row.get(0),
            )?)
        })
    }

    /// What stands announced in a source, what is due first first.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn announced(&self, source: &SourceName) -> Result<Vec<Announcement>> {
        let Some(source) = self.known_source(source)? else {
            return Ok(Vec::new());
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!("{OPEN} AND a.source = ?1 ORDER BY a.due_at, a.id"))?;
        let mut rows = statement.query([source])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(announcement(row)?);
        }
        Ok(found)
    }

    /// The sources in which something stands announced, be they configured or not.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn sources_announced(&self) -> Result<Vec<SourceName>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name FROM source WHERE id IN (SELECT source FROM announcement WHERE ended_at IS NULL) ORDER BY name",
        )?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        Ok(names
            .map(|name| Ok(SourceName::new(name?)))
            .collect::<rusqlite::Result<_>>()?)
    }

    /// What stands announced of a share.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn announced_for(&self, share: &Share) -> Result<Option<Announcement>> {
        let Some(row) = row_of(&self.connection, &share.source, &share.id)? else {
            return Ok(None);
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!("{OPEN} AND a.share = ?1"))?;
        let mut rows = statement.query([row])?;
        rows.next()?.map(announcement).transpose()
    }

    /// Records that the owner was reminded.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn reminded(&mut self, id: i64, at: Timestamp) -> Result<()> {
        self.connection.execute(
            "UPDATE announcement SET reminded_at = ?2 WHERE id = ?1",
            params![id, at.as_second()],
        )?;
        Ok(())
    }

    /// Has what was announced fall due at another time.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn postpone(&mut self, id: i64, run: Option<&Run>, due: Timestamp) -> Result<()> {
        within(&self.connection, |connection| {
            connection.execute(
                "INSERT INTO announcement_due (announcement, to_run, due_at)
                 SELECT id, ?2, due_at FROM announcement WHERE id = ?1 AND ended_at IS NULL ON CONFLICT DO NOTHING",
                params![id, told_from(connection, run)?],
            )?;
            connection.execute(
                "UPDATE announcement SET due_at = ?2 WHERE id = ?1 AND ended_at IS NULL",
                params![id, due.as_second()],
            )?;
            Ok(())
        })
    }

    /// Ends an announcement, and says why in words of our own.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn end_announcement(
        &mut self,
        id: i64,
        run: Option<&Run>,
        at: Timestamp,
        (ended, why): (Ended, &str),
    ) -> Result<()> {
        within(&self.connection, |connection| {
            connection.execute(
                "UPDATE announcement SET ended_at = ?2, ended_run = ?3, ended = ?4, why = ?5
                 WHERE id = ?1 AND ended_at IS NULL",
                params![
                    id,
                    at.as_second(),
                    told_from(connection, run)?,
                    ended.as_str(),
                    why
                ],
            )?;
            Ok(())
        })
    }

    /// Whether a share's action was announced by a letter, or another one stands announced of the share.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn is_announced(&self, action: &Action, letter: &str) -> Result<bool> {
        let Some(share) = row_of(&self.connection, &action.source, &action.share)? else {
            return Ok(false);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM announcement WHERE share = ?1 AND (letter = ?2 OR ended_at IS NULL)",
        )?;
        Ok(statement.exists(params![share, letter])?)
    }

    /// Where a finding stands; `None` where nothing is known of it.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn stands(&self, finding: &FindingId) -> Result<Option<Status>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT v.status FROM finding f JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL
             WHERE f.key = ?1",
        )?;
        let mut rows = statement.query([finding.as_str()])?;
        let row = rows.next()?;
        row.map(|row| named("a status", &row.get::<_, String>(0)?))
            .transpose()
    }
}

/// Ends what stands announced of a share that was changed so, or more than so.
pub(super) fn carried_out(connection: &Connection, entry: &Entry) -> Result<()> {
    let (Some(source), Some(share), Some(deed)) = (&entry.source, &entry.share, entry.deed) else {
        return Ok(());
    };
    let is_done = entry.event == Event::Receipt
        && matches!(deed, Deed::SetExpiry | Deed::Revoke)
        && matches!(entry.outcome, Some(Outcome::Applied | Outcome::AlreadyDone));
    if !is_done {
        return Ok(());
    }
    let Some(share) = row_of(connection, source, share)? else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "UPDATE announcement SET ended_at = ?3, ended_run = ?4, ended = ?5, why = ?6
             WHERE share = ?1 AND ended_at IS NULL AND (action ->> '$.action' = ?2 OR ?2 = 'revoke')",
        )?
        .execute(params![
            share,
            deed.as_str(),
            entry.at.as_second(),
            told_from(connection, None)?,
            Ended::Done.as_str(),
            format!("by the run {}", entry.run),
        ])?;
    Ok(())
}

/// The row of a share of a source.
fn row_of(connection: &Connection, source: &SourceName, share: &str) -> Result<Option<i64>> {
    match super::known_source(connection, source)? {
        Some(source) => share_row(connection, source, share),
        None => Ok(None),
    }
}

/// The first run whose report tells of what happens now: the one that it belongs to, or the next.
fn told_from(connection: &Connection, run: Option<&Run>) -> rusqlite::Result<i64> {
    match run {
        Some(run) => Ok(run.id),
        None => connection.query_row("SELECT COALESCE(max(id), 0) + 1 FROM run", [], |row| row.get(0)),
    }
}

fn announcement(row: &Row<'_>) -> Result<Announcement> {
    Ok(Announcement {
        id: row.get(0)?,
        action: stored("an action", &row.get::<_, String>(1)?)?,
        announced_at: instant(row.get(2)?),
        due_at: instant(row.get(3)?),
        reminded_at: row.get::<_, Option<i64>>(4)?.map(instant),
    })
}
