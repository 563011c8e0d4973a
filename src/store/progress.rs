//! How far scopes were read: what lasts of that from run to run, and what it means for what was not told again.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::absorb::Writer;
use super::sharing::{VersionRow, share_row};
use super::{Ledger, Result, Run, ScopeRow, named, tags_of};
use crate::model::{Checkpoint, ScopeOutcome, SourceName};
use crate::report::view;

impl Ledger {
    /// How many items of each scope are to be listed again in one of so many nights, although nothing says that they
    /// changed: over all scopes, and over all nights, no more and no fewer than there are.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn relist_quotas(
        &self,
        source: &SourceName,
        nights: u64,
        night: u64,
    ) -> Result<HashMap<ScopeRow, u64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT s.id, k.parts FROM checkpoint k JOIN scope s ON s.id = k.scope JOIN source o ON o.id = s.source
             WHERE o.name = ?1 ORDER BY s.id",
        )?;
        let mut rows = statement.query([source.as_str()])?;
        let mut quotas = HashMap::new();
        let nights = nights.max(1);
        let mut sum = night % nights;
        while let Some(row) = rows.next()? {
            let parts = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            let before = sum;
            sum = sum.saturating_add(parts);
            quotas.insert(ScopeRow(row.get(0)?), sum / nights - before / nights);
        }
        Ok(quotas)
    }

    /// The items, by their scopes, whose sharing `enforce` changed, or found to be otherwise than it was read, since the
    /// scope was read to its end.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn changed_items(&self, source: &SourceName) -> Result<HashMap<ScopeRow, Vec<String>>> {
        type Line = (String, Option<String>, Option<String>, i64);
        let mut changed: HashMap<ScopeRow, Vec<String>> = HashMap::new();
        let Some(row) = self.known_source(source)? else {
            return Ok(changed);
        };
        let lines = self
            .connection
            .prepare_cached(
                "SELECT entry ->> '$.share', COALESCE(entry ->> '$.after.item', entry ->> '$.before.item'),
                     COALESCE(entry ->> '$.after.drive', entry ->> '$.before.drive'), max(unixepoch(entry ->> '$.at'))
                 FROM journal WHERE source = ?1 AND event IN ('intent', 'receipt') AND entry ->> '$.share' IS NOT NULL
                   AND unixepoch(entry ->> '$.at') >= (
                       SELECT COALESCE(min(COALESCE(c.read_at, 0)), 0)
                       FROM scope s LEFT JOIN coverage c ON c.scope = s.id WHERE s.source = ?2)
                 GROUP BY 1, 2, 3",
            )?
            .query_map(params![source.as_str(), row], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<rusqlite::Result<Vec<Line>>>()?;
        for (share, item, drive, at) in lines {
            let place = match item.zip(drive) {
                Some(place) => Some(place),
                None => self.place_of(row, &share)?,
            };
            let Some((item, drive)) = place else { continue };
            let scope = self
                .connection
                .prepare_cached(
                    "SELECT s.id FROM scope s LEFT JOIN coverage c ON c.scope = s.id
                     WHERE s.source = ?1 AND s.key = ?2 AND ?3 >= COALESCE(c.read_at, 0)",
                )?
                .query_row(params![row, drive, at], |row| row.get(0))
                .optional()?;
            if let Some(scope) = scope {
                changed.entry(ScopeRow(scope)).or_default().push(item);
            }
        }
        Ok(changed)
    }

    /// The item of a share, and the drive that it lies in.
    fn place_of(&self, source: i64, share: &str) -> Result<Option<(String, String)>> {
        let Some(share) = share_row(&self.connection, source, share)? else {
            return Ok(None);
        };
        Ok(self
            .connection
            .prepare_cached(
                "SELECT i.key, p.key FROM share s JOIN item i ON i.id = s.item JOIN place p ON p.id = i.place
                 WHERE s.id = ?1",
            )?
            .query_row([share], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    /// The scopes of owners who were found to be gone or back, disabled or enabled since they were read: of their shares
    /// without a finding nothing may be kept that could be judged.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn scopes_of_changed_owners(&self, source: &SourceName) -> Result<HashSet<ScopeRow>> {
        let mut statement = self.connection.prepare_cached(
            // Who is gone is known only after what is there was read.
            "SELECT DISTINCT s.id FROM principal c JOIN source o ON o.id = c.source AND o.name = ?1
             CROSS JOIN share_version v ON v.owner = c.id AND v.to_run IS NULL AND v.body IS NULL
             CROSS JOIN item i ON i.id = v.item CROSS JOIN place l ON l.id = i.place
             CROSS JOIN scope s ON s.source = c.source AND s.key = l.key CROSS JOIN coverage k ON k.scope = s.id
             WHERE c.changed_run IS NOT NULL AND (c.changed_run > k.run OR (c.gone AND c.changed_run = k.run))",
        )?;
        let rows = statement.query_map([source.as_str()], |row| row.get(0).map(ScopeRow))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Since when a source is judged by these rules, told by their digest; from now on, where they are others than
    /// before.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn judged_since(&mut self, run: &Run, source: &SourceName, rules: &str) -> Result<Timestamp> {
        let since: i64 = self.connection.query_row(
            "UPDATE source SET rules_since = CASE WHEN rules IS ?2 THEN rules_since ELSE ?3 END, rules = ?2
             WHERE name = ?1 RETURNING rules_since",
            params![source.as_str(), rules, run.now.as_second()],
            |row| row.get(0),
        )?;
        Ok(Timestamp::from_second(since).unwrap_or(run.now))
    }

    /// How many items and shares of a source count as seen in a run: those that it read, and those of drives that it
    /// read to their end, or but for some items, which nothing says have changed, as long as they were last read at `stale_before` or later.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn seen(&self, run: &Run, source: &SourceName, stale_before: Timestamp) -> Result<(u64, u64)> {
        let Some(source) = self.known_source(source)? else {
            return Ok((0, 0));
        };
        let (items, shares): (i64, i64) = self.connection.query_row(
            "SELECT count(DISTINCT v.item), count(*) FROM share s
             CROSS JOIN share_version v ON v.share = s.id AND v.to_run IS NULL JOIN item i ON i.id = v.item
             WHERE s.source = ?1 AND (s.read_run >= ?2 OR (s.missing_run IS NULL AND s.doubted_run IS NOT ?2 AND s.read_at >= ?3 AND i.place IN (
                 SELECT d.id FROM scope p JOIN coverage c ON c.scope = p.id JOIN place d ON d.source = ?1 AND d.key = p.key
                 WHERE p.source = ?1 AND c.run >= ?2 AND (c.outcome = ?4 OR c.followed_run = ?2))))",
            params![source, run.id, stale_before.as_second(), ScopeOutcome::Scanned.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok((count(items), count(shares)))
    }

    /// How far the scopes are known that a run listed, or the last one that could, and how old that is.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn inventory(&self, run: &Run, source: &SourceName) -> Result<view::Inventory> {
        let mut inventory = view::Inventory::default();
        let Some(source) = self.known_source(source)? else {
            return Ok(inventory);
        };
        // Of a scope that was never read to its end some parts may be known; of others the part that was read longest
        // ago tells how old it is.
        let mut statement = self.connection.prepare_cached(
            "SELECT min(c.read_at, COALESCE(k.oldest, c.read_at)), COALESCE(c.outcome, '') NOT IN ('skipped', 'excluded', 'gone'),
                 COALESCE(k.parts, 0), COALESCE(k.waiting, 0)
             FROM scope s LEFT JOIN coverage c ON c.scope = s.id LEFT JOIN checkpoint k ON k.scope = s.id
             WHERE s.source = ?1 AND s.listed_run >= min(?2, (SELECT max(listed_run) FROM scope WHERE source = ?1))",
        )?;
        let mut rows = statement.query([source, run.id])?;
        let (mut listed, mut all, mut known) = (0_u64, 0.0_f64, 0.0_f64);
        while let Some(row) = rows.next()? {
            listed += 1;
            if !row.get::<_, bool>(1)? {
                continue;
            }
            all += 1.0;
            let oldest = row.get::<_, Option<i64>>(0)?;
            let Some(oldest) = oldest.and_then(|second| Timestamp::from_second(second).ok()) else {
                inventory.unread += 1;
                let (parts, waiting): (u32, u32) = (row.get(2)?, row.get(3)?);
                known += f64::from(parts.saturating_sub(waiting)) / f64::from(parts.max(1));
                continue;
            };
            known += 1.0;
            let day = oldest.to_zoned(TimeZone::UTC).date();
            *inventory.read_on.entry(day).or_default() += 1;
            inventory.oldest_check = Some(inventory.oldest_check.map_or(oldest, |other| other.min(oldest)));
        }
        inventory.known_percent = if listed == 0 {
            // Nobody was ever listed: of a source that was never reached nothing is known.
            0.0
        } else if all == 0.0 {
            100.0
        } else {
            (known * 1000.0 / all).floor() / 10.0
        };
        Ok(inventory)
    }
}

impl Writer<'_> {
    /// A scope is enumerated anew from here on.
    pub(super) fn begun(&mut self, scope: &str) {
        self.enumerations
            .insert((self.source, scope.to_owned()), self.run.id);
    }

    /// A scope was read to its end. If that was an enumeration, what it did not tell is no longer there.
    pub(super) fn ended(&mut self, scope: &str) -> Result<()> {
        let Some(begun) = self.enumerations.remove(&(self.source, scope.to_owned())) else {
            return Ok(());
        };
        let place = self.place(scope)?;
        let tags = tags_of(place);
        self.connection
            .prepare_cached(
                "UPDATE share SET missing_run = ?2 WHERE read_run < ?1 AND missing_run IS NULL AND doubted_run IS NOT ?2 AND id IN (
                     SELECT s.id FROM item i JOIN share s ON s.item = i.id
                     WHERE i.tag BETWEEN ?3 AND ?4 AND i.place = ?5)",
            )?
            .execute(params![begun, self.run.id, tags.start(), tags.end(), place])?;
        self.connection
            .prepare_cached(
                "UPDATE checkpoint SET begun_run = NULL
                 WHERE scope = (SELECT id FROM scope WHERE source = ?1 AND key = ?2) AND run <= ?3",
            )?
            .execute(params![self.source, scope, self.run.id])?;
        Ok(())
    }

    /// All that is shared of an item was told.
    pub(super) fn listed(&mut self, drive: &str, item: &str) -> Result<()> {
        let Some((item, _)) = self.known_item(Some(drive), item)? else {
            return Ok(());
        };
        self.connection
            .prepare_cached(
                "UPDATE share SET missing_run = ?2 WHERE item = ?1 AND read_run < ?2 AND missing_run IS NULL",
            )?
            .execute([item, self.run.id])?;
        Ok(())
    }

    /// Not all that is shared of an item could be told.
    pub(super) fn unlisted(&mut self, drive: &str, item: &str) -> Result<()> {
        let Some((item, _)) = self.known_item(Some(drive), item)? else {
            return Ok(());
        };
        self.connection
            .prepare_cached("UPDATE share SET doubted_run = ?2 WHERE item = ?1 AND read_run < ?2")?
            .execute([item, self.run.id])?;
        Ok(())
    }

    /// A scope was read, but for the items that could not be listed.
    pub(super) fn followed(&mut self, scope: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO coverage (scope, run, outcome, followed_run)
                 SELECT id, ?3, ?4, ?3 FROM scope WHERE source = ?1 AND key = ?2
                 ON CONFLICT (scope) DO UPDATE SET followed_run = excluded.followed_run",
            )?
            .execute(params![
                self.source,
                scope,
                self.run.id,
                ScopeOutcome::Failed.as_str()
            ])?;
        self.ended(scope)
    }

    /// An item lies elsewhere: so do its shares, as far as they are kept.
    pub(super) fn placed(&mut self, drive: &str, item: &str, path: &str, path_is_owners: bool) -> Result<()> {
        let Some((item, _)) = self.known_item(Some(drive), item)? else {
            return Ok(());
        };
        for (share, version) in shares_of(self.connection, item)? {
            let version = version.placed(path, path_is_owners)?;
            self.replace_current(share, &version)?;
        }
        Ok(())
    }

    /// Keeps how far a scope was read, unless a scan that was begun later, and runs beside this one, has kept it since: what
    /// that one knows is told to it again.
    pub(super) fn checkpoint(&self, scope: &str, checkpoint: Option<&Checkpoint>) -> Result<()> {
        let later = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM checkpoint k JOIN scope s ON s.id = k.scope
                 WHERE s.source = ?1 AND s.key = ?2 AND k.run > ?3",
            )?
            .exists(params![self.source, scope, self.run.id])?;
        if later {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "DELETE FROM checkpoint WHERE scope = (SELECT id FROM scope WHERE source = ?1 AND key = ?2)",
            )?
            .execute(params![self.source, scope])?;
        let Some(checkpoint) = checkpoint else {
            return Ok(());
        };
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "INSERT INTO checkpoint (scope, run, parts, waiting, oldest, begun_run)
                 SELECT id, ?3, ?4, ?5, ?6, ?7 FROM scope WHERE source = ?1 AND key = ?2",
            )?
            .execute(params![
                self.source,
                scope,
                self.run.id,
                count(checkpoint.parts),
                count(checkpoint.waiting),
                checkpoint.oldest.map(Timestamp::as_second),
                self.enumerations.get(&(self.source, scope.to_owned()))
            ])?;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO checkpoint_piece (scope, place, data)
             SELECT id, ?3, ?4 FROM scope WHERE source = ?1 AND key = ?2",
        )?;
        for (place, piece) in (0_i64..).zip(&checkpoint.data) {
            statement.execute(params![self.source, scope, place, piece])?;
        }
        Ok(())
    }
}

/// What the checkpoint of a scope holds.
pub(super) fn checkpoint_of(connection: &Connection, scope: i64) -> Result<Option<Vec<u8>>> {
    let length: Option<i64> = connection
        .prepare_cached("SELECT sum(length(data)) FROM checkpoint_piece WHERE scope = ?1")?
        .query_row([scope], |row| row.get(0))?;
    let Some(length) = length else { return Ok(None) };
    let mut data = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    let mut statement =
        connection.prepare_cached("SELECT data FROM checkpoint_piece WHERE scope = ?1 ORDER BY place")?;
    let mut pieces = statement.query([scope])?;
    while let Some(piece) = pieces.next()? {
        data.extend_from_slice(piece.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
    }
    Ok(Some(data))
}

/// The shares of an item as they stand, as far as they are kept.
fn shares_of(connection: &Connection, item: i64) -> Result<Vec<(i64, VersionRow)>> {
    let mut statement = connection.prepare_cached(
        "SELECT v.share, v.digest, v.kind, v.anonymous, v.owner, v.shared_by, v.item, v.body
         FROM share s JOIN share_version v ON v.share = s.id AND v.to_run IS NULL
         WHERE s.item = ?1 AND v.body IS NOT NULL",
    )?;
    let mut rows = statement.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let version = VersionRow {
            digest: row.get(1)?,
            kind: named("a kind of share", row.get_ref(2)?.as_str().unwrap_or_default())?,
            anonymous: row.get(3)?,
            owner: row.get(4)?,
            shared_by: row.get(5)?,
            item: row.get(6)?,
            body: row.get(7)?,
        };
        found.push((row.get(0)?, version));
    }
    Ok(found)
}
