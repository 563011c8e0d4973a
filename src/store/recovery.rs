//! Takes over what a run left that was killed: it was told to nobody, so that it is news in the run that comes after it.

use rusqlite::{Connection, params};

use super::{Result, Run};

/// After how many seconds a run of a few accounts that did not end is taken for dead. Nothing else tells: it holds no lock.
const A_DAY: i64 = 24 * 60 * 60;

/// Makes what dead runs found out about a source the findings of a run that begins now, which holds the source's lock.
///
/// What they read keeps its own age: it is read again, or known from then. What changed since they judged it stays as it is.
pub(super) fn adopt(connection: &Connection, run: &Run, source: i64) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT r.id FROM run r JOIN run_source q ON q.run = r.id AND q.source = ?1
         WHERE r.id < ?2 AND r.finished_at IS NULL AND (r.scope ->> '$.users' = '[]' OR r.started_at < ?3)
         ORDER BY r.id",
    )?;
    let old = run.now.as_second().saturating_sub(A_DAY);
    let dead = statement
        .query_map(params![source, run.id, old], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for dead in dead {
        let both = params![dead, run.id, source];
        for (table, of) in [("finding_version", "finding"), ("share_version", "share")] {
            let own = format!("{of} IN (SELECT id FROM {of} WHERE source = ?3)");
            let next = |is: &str| {
                format!("EXISTS (SELECT 1 FROM {table} n WHERE n.{of} = {table}.{of} AND n.from_run {is} ?1)")
            };
            let (superseded, newest) = (next("="), format!("NOT {}", next(">")));
            // What an earlier dead run said was never told.
            connection.execute(
                &format!(
                    "DELETE FROM {table} WHERE from_run = ?2 AND to_run = ?1 AND {own} AND {superseded}"
                ),
                both,
            )?;
            connection.execute(
                &format!("UPDATE {table} SET to_run = ?2 WHERE to_run = ?1 AND {own} AND {newest}"),
                both,
            )?;
            connection.execute(
                &format!("UPDATE {table} SET from_run = ?2 WHERE from_run = ?1 AND to_run IS NULL AND {own}"),
                both,
            )?;
        }
        connection.execute(
            "UPDATE finding SET first_run = ?2 WHERE first_run = ?1 AND source = ?3",
            both,
        )?;
        connection.execute(
            "DELETE FROM problem WHERE run = ?1 AND source = ?2",
            params![dead, source],
        )?;
        connection.execute(
            "DELETE FROM run_source WHERE run = ?1 AND source = ?2",
            params![dead, source],
        )?;
        connection.execute(
            "DELETE FROM run WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM run_source WHERE run = ?1)",
            [dead],
        )?;
    }
    Ok(())
}
