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
