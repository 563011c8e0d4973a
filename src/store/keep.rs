//! Forgets what only old runs tell: `[state] keep`.
//!
//! What stands is never forgotten, nor is what a run that is kept was told, or tells to have been before. Each step is a
//! short transaction that leaves a state as good as before; what a step did not come to is done the next night. Pages
//! that become free are used again.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::sharing::{OPENED_BY, RECIPIENTS};
use super::{Ledger, Remembered, Result, evidence, letters, within};

/// How many findings or shares are looked at in one transaction.
const PAGE: i64 = 10_000;
/// How long a run that was not finished may still be under way.
const UNDER_WAY: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Ledger {
    /// Forgets the runs that began before a time, and what only they refer to. Of each source the latest run that was
    /// finished stays, and so does the latest that read it whole. Gives how many went.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; what was forgotten until then stays so.
    pub fn forget_before(&mut self, time: Timestamp) -> Result<usize> {
        let runs = within(&self.connection, |connection| forget_runs(connection, time))?;
        within(&self.connection, |connection| forget_changes(connection, time))?;
        if runs > 0 {
            self.forget_untold()?;
        }
        // After the findings, of which they told.
        within(&self.connection, |connection| {
            evidence::forget_closed(connection, time)?;
            letters::forget_letters(connection, time)
        })?;
        Ok(runs)
    }

    /// Forgets what no run that is kept tells, and nothing that stands refers to.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; what was forgotten until then stays so.
    pub(super) fn forget_untold(&mut self) -> Result<()> {
        self.pages("finding", forget_findings)?;
        self.pages("share", forget_shares)?;
        self.remembered = Remembered::default();
        // SQLite would look for children of each row that goes, and that without an index; none is left.
        self.connection.pragma_update(None, "foreign_keys", false)?;
        let forgotten = forget_unnamed(&self.connection);
        self.connection.pragma_update(None, "foreign_keys", true)?;
        forgotten
    }

    /// Goes over a table a page at a time.
    fn pages(&self, table: &str, forget: fn(&Connection, i64, i64) -> Result<()>) -> Result<()> {
        let last: i64 =
            self.connection
                .query_row(&format!("SELECT COALESCE(max(id), 0) FROM {table}"), [], |row| {
                    row.get(0)
                })?;
        let mut from = 0;
        while from <= last {
            within(&self.connection, |connection| {
                forget(connection, from, from + PAGE - 1)
            })?;
            from += PAGE;
        }
        Ok(())
    }
}

/// The latest number of all stays too, or the next run would get it again; so does a run that was killed, as long as
/// the one that tells of it.
fn forget_runs(connection: &Connection, time: Timestamp) -> Result<usize> {
    let second = time.as_second();
    Ok(connection.execute(
        "WITH kept AS (
             SELECT id FROM run WHERE started_at >= CASE WHEN finished_at IS NULL THEN ?2 ELSE ?1 END
             UNION SELECT COALESCE(max(id), 0) FROM run
             UNION SELECT max(r.id) FROM run r JOIN run_source o ON o.run = r.id
                 WHERE r.finished_at IS NOT NULL GROUP BY o.source
             UNION SELECT max(run) FROM run_source WHERE complete = 1 GROUP BY source)
         DELETE FROM run WHERE id NOT IN (
             SELECT id FROM kept UNION SELECT run FROM run_source WHERE told_by IN (SELECT id FROM kept))",
        params![second, second.saturating_sub(UNDER_WAY.as_secs())],
    )?)
}

/// Forgets the plans that could not be carried out any more at a time, and the announcements that ended before it and that no
/// run tells of. The journal stays.
fn forget_changes(connection: &Connection, time: Timestamp) -> Result<()> {
    connection.execute("DELETE FROM plan WHERE expires_at < ?1", [time.as_second()])?;
    connection.execute(
        "DELETE FROM announcement WHERE ended_at < ?1 AND NOT EXISTS (
             SELECT 1 FROM run_source r WHERE r.source = announcement.source
                 AND r.run >= announcement.announced_run AND r.run < announcement.ended_run)",
        [time.as_second()],
    )?;
    Ok(())
}

/// Forgets the versions of findings that no run shows or tells to have been before, and findings without any, but for those
/// that a waiver has ceased to cover: it must not cover them again. One that
/// ended is shown by the run in which it did, and stays while a run tells what became of its share since: the
/// particulars of a share are kept for its findings. It stays as long as an older version, too, or the finding would be told
/// as one that still stands when it comes back.
fn forget_findings(connection: &Connection, first: i64, last: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM finding_version WHERE finding BETWEEN ?1 AND ?2 AND to_run IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM finding f JOIN run_source r ON r.source = f.source
                 WHERE f.id = finding_version.finding AND r.run >= finding_version.from_run
                   AND CASE WHEN finding_version.status IN ('resolved', 'closed-by-policy')
                       THEN r.run IN (finding_version.from_run, finding_version.to_run)
                       ELSE r.run <= finding_version.to_run END)",
        )?
        .execute([first, last])?;
    connection
        .prepare_cached(
            "DELETE FROM finding_version WHERE finding BETWEEN ?1 AND ?2
                 AND to_run IS NULL AND status IN ('resolved', 'closed-by-policy') AND NOT EXISTS (
                 SELECT 1 FROM finding f JOIN run_source r ON r.source = f.source AND r.run = finding_version.from_run
                 WHERE f.id = finding_version.finding)
                 AND NOT EXISTS (
                 SELECT 1 FROM finding f JOIN share_version w ON w.share = f.share AND w.from_run > finding_version.from_run
                 JOIN run_source r ON r.source = f.source AND r.run = w.from_run
                 WHERE f.id = finding_version.finding)
                 AND NOT EXISTS (
                 SELECT 1 FROM finding_version o
                 WHERE o.finding = finding_version.finding AND o.from_run < finding_version.from_run)",
        )?
        .execute([first, last])?;
    connection
        .prepare_cached(
            "DELETE FROM finding WHERE id BETWEEN ?1 AND ?2
                 AND NOT EXISTS (SELECT 1 FROM finding_version WHERE finding = finding.id)
                 AND NOT EXISTS (SELECT 1 FROM acceptance a WHERE a.finding = finding.id AND a.ended_at IS NOT NULL)",
        )?
        .execute([first, last])?;
    Ok(())
}

/// Forgets the versions of shares that no run shows or tells to have been before, and shares without any. The last version
/// of a share is shown after its end by the findings that ended with it.
fn forget_shares(connection: &Connection, first: i64, last: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM share_version AS v WHERE share BETWEEN ?1 AND ?2 AND to_run IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM share s JOIN run_source r ON r.source = s.source
                 WHERE s.id = v.share AND r.run >= v.from_run AND r.run <= COALESCE(
                     (SELECT min(n.from_run) FROM share_version n WHERE n.share = v.share AND n.from_run > v.from_run),
                     v.to_run))
             AND (EXISTS (SELECT 1 FROM share_version n WHERE n.share = v.share AND n.from_run > v.from_run)
                  OR NOT EXISTS (SELECT 1 FROM finding f WHERE f.share = v.share))",
        )?
        .execute([first, last])?;
    connection
        .prepare_cached(
            "DELETE FROM share WHERE id BETWEEN ?1 AND ?2
                 AND NOT EXISTS (SELECT 1 FROM share_version v WHERE v.share = share.id)
                 AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.share = share.id)",
        )?
        .execute([first, last])?;
    Ok(())
}

/// Forgets items, scopes, people and words that nothing refers to any more.
fn forget_unnamed(connection: &Connection) -> Result<()> {
    let forget = |statement: &str| within(connection, |connection| Ok(connection.execute(statement, [])?));
    forget(
        "DELETE FROM item WHERE id NOT IN (SELECT item FROM share_version)
             AND id NOT IN (SELECT item FROM share WHERE item IS NOT NULL)",
    )?;
    forget(
        "DELETE FROM note WHERE id NOT IN (
             SELECT note FROM finding_version UNION SELECT judged FROM share_version WHERE judged IS NOT NULL)",
    )?;
    let old = "SELECT id FROM scope WHERE listed_run < (SELECT min(run) FROM run_source r WHERE r.source = scope.source)";
    within(connection, |connection| {
        for table in ["coverage", "checkpoint_piece", "checkpoint"] {
            connection.execute(&format!("DELETE FROM {table} WHERE scope IN ({old})"), [])?;
        }
        Ok(connection.execute(&format!("DELETE FROM scope WHERE id IN ({old})"), [])?)
    })?;
    // A scan beside this one may be about to read through the place of a scope that is listed.
    forget(
        "DELETE FROM place WHERE id NOT IN (SELECT place FROM item WHERE place IS NOT NULL)
             AND id NOT IN (SELECT read_place FROM share WHERE read_place IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM scope s WHERE s.source = place.source AND s.key = place.key)",
    )?;
    forget_people(connection)
}

/// Forgets the people and groups of whom no kept run was told, and whom no version names.
///
/// Of a share without its particulars is not known whom it names: those that such a share named in a kept run are told
/// by their `named_run`, and where one was not read since, all of its source stay.
fn forget_people(connection: &Connection) -> Result<()> {
    const OLD: &str = "max(COALESCE(named_run, 0), COALESCE(told_run, 0))
         < (SELECT min(run) FROM run_source r WHERE r.source = principal.source)";
    let mut statement = connection.prepare(&format!("SELECT DISTINCT source FROM principal WHERE {OLD}"))?;
    let sources = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for source in sources {
        // Read through without keeping others waiting: whoever is named meanwhile is no longer old.
        let mut statement = connection.prepare(&format!(
            "SELECT id FROM principal WHERE source = ?1 AND {OLD}
                 AND NOT EXISTS (
                     SELECT 1 FROM share s JOIN share_version v ON v.share = s.id
                     WHERE s.source = ?1 AND v.body IS NULL
                       AND s.read_run < (SELECT min(run) FROM run_source WHERE source = ?1))
                 AND id NOT IN (
                     SELECT owner FROM share_version
                     UNION SELECT shared_by FROM share_version WHERE shared_by IS NOT NULL
                     UNION SELECT account FROM scope WHERE account IS NOT NULL
                     UNION SELECT r.value FROM share_version v, json_each(v.body, {RECIPIENTS}) r
                     UNION SELECT r.value FROM share_version v, json_each(v.body, {OPENED_BY}) r)"
        ))?;
        let people = statement
            .query_map([source], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        for page in people.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            within(connection, |connection| {
                let mut forget =
                    connection.prepare_cached(&format!("DELETE FROM principal WHERE id = ?1 AND {OLD}"))?;
                for row in page {
                    forget.execute([row])?;
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}
