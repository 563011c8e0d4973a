//! The baseline of a source: what was found before it was once read whole, held back until it is released.

use rusqlite::params;

use super::runs::was_read_whole;
use super::{Ledger, Result, storable, within};
use crate::model::{Level, RuleId, SourceName};

/// Which findings of a source's baseline are to be released.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The source.
    pub source: &'a SourceName,
    /// Those of these rules; of all, where none is named.
    pub rules: &'a [RuleId],
    /// Those of this level and above.
    pub min_level: Level,
}

/// What was released, and what was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// How many findings that stand were released now.
    pub released: u64,
    /// How many that stand are still held.
    pub held: u64,
    /// Whether the source was once read whole; until it is, what is found is held, too.
    pub read_whole: bool,
}

impl Ledger {
    /// Releases findings of a source's baseline; `None` where the source was never scanned.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn release_baseline(&mut self, release: Release<'_>) -> Result<Option<Released>> {
        let Some(source) = self.known_source(release.source)? else {
            return Ok(None);
        };
        let levels: Vec<_> = Level::ALL
            .iter()
            .filter(|level| **level >= release.min_level)
            .collect();
        let levels = storable("levels", &levels)?;
        let rules = storable("rules", &release.rules)?;
        within(&self.connection, |connection| {
            let held = || -> Result<u64> {
                let held: i64 = connection.query_row(
                    "SELECT count(*) FROM finding f JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL
                     WHERE f.source = ?1 AND f.baseline = 1 AND v.status IN ('open', 'waived', 'not-checked')",
                    [source],
                    |row| row.get(0),
                )?;
                Ok(u64::try_from(held).unwrap_or_default())
            };
            let before = held()?;
            // Those that ended are released, too: they may come back.
            connection.execute(
                "UPDATE finding SET baseline = 0 WHERE source = ?1 AND baseline = 1
                     AND (?2 = '[]' OR rule IN (SELECT value FROM json_each(?2)))
                     AND id IN (SELECT finding FROM finding_version
                                WHERE to_run IS NULL AND level IN (SELECT value FROM json_each(?3)))",
                params![source, rules, levels],
            )?;
            let after = held()?;
            Ok(Some(Released {
                released: before.saturating_sub(after),
                held: after,
                read_whole: was_read_whole(connection, source)?,
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrations::MIGRATIONS;

    #[test]
    fn what_an_older_version_found_is_held_if_its_source_was_not_read_whole_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let older = rusqlite::Connection::open(&path).unwrap();
        for migration in &MIGRATIONS[..2] {
            older.execute_batch(migration).unwrap();
        }
        older
            .execute_batch(
                "INSERT INTO source VALUES (1, 'cloud', 'nextcloud'), (2, 'other', 'nextcloud');
                 INSERT INTO run (id, key, started_at, scope, policy) VALUES (1, 'a', 0, '{}', '{}'), (2, 'b', 0, '{}', '{}'),
                     (3, 'c', 0, '{}', '{}');
                 INSERT INTO run_source (run, source, complete) VALUES (1, 1, 0), (2, 1, 1), (3, 1, 1), (3, 2, 0);
                 INSERT INTO finding VALUES (1, 'early', 1, NULL, 'posture-passwords-mailed', 1, 0, 0, 0),
                     (2, 'whole', 1, NULL, 'posture-passwords-mailed', 2, 0, 0, 0),
                     (3, 'later', 1, NULL, 'posture-passwords-mailed', 3, 0, 0, 0),
                     (4, 'never', 2, NULL, 'posture-passwords-mailed', 3, 0, 0, 0);
                 INSERT INTO finding_version SELECT id, first_run, NULL, 'open', 'medium', '{}' FROM finding;
                 PRAGMA user_version = 2;",
            )
            .unwrap();
        drop(older);
        let mut ledger = Ledger::open(&path).unwrap();
        let mut release = |source: &str, min_level| {
            let source = SourceName::new(source);
            let release = Release {
                source: &source,
                rules: &[],
                min_level,
            };
            let released = ledger.release_baseline(release).unwrap().unwrap();
            (released.released, released.held, released.read_whole)
        };
        assert_eq!(release("cloud", Level::High), (0, 2, true));
        assert_eq!(release("cloud", Level::Medium), (2, 0, true));
        assert_eq!(release("other", Level::Info), (1, 0, false));
    }
}
