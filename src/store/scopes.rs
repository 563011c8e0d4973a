//! Scopes and what is wanted of them, a page at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::pages::accounts_named;
use super::progress::checkpoint_of;
use super::sharing::{Loader, RECIPIENTS, RawShare, SHARE_COLUMNS, principal_by_row};
use super::{Ledger, Result, Run, named, storable};
use crate::model::{KnownScope, Principal, PrincipalClass, Relist, Scope, Share, ShareKind, SourceName};

/// Where a share stands among those of its owner: the owner's row, and the share's.
pub type Place = (i64, i64);

/// A scope's row in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeRow(pub(super) i64);

impl Ledger {
    /// The scopes of this run, which it listed (or a later one, beside it): those first that were not read to their end
    /// for the longest time, so that a scan goes on where the last one stopped.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn scopes_to_read(&self, run: &Run, source: &SourceName) -> Result<Vec<ScopeRow>> {
        let Some(source) = self.known_source(source)? else {
            return Ok(Vec::new());
        };
        let users = storable("accounts", &run.scope.users)?;
        let mut statement = self.connection.prepare_cached(&format!(
            // Those that fail night after night come last, in turns: a scan that gives up after many failures in a row has
            // read the others by then.
            "SELECT s.id FROM scope s LEFT JOIN coverage c ON c.scope = s.id LEFT JOIN checkpoint k ON k.scope = s.id
             WHERE s.source = ?1 AND s.listed_run >= ?2 AND (?3 = '[]' OR s.account IN {})
             ORDER BY COALESCE(c.outcome, '') = 'failed' AND k.scope IS NULL, c.read_at, c.run, s.key",
            accounts_named("?3")
        ))?;
        let rows = statement.query_map(params![source, run.id, users], |row| row.get(0).map(ScopeRow))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A scope with what is remembered of it; without its checkpoint, where that is not to count.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn scope_to_read(
        &mut self,
        ScopeRow(row): ScopeRow,
        relist: Relist,
        remembers: bool,
    ) -> Result<KnownScope> {
        let (source, begun, id, account, searched) = self
            .connection
            .prepare_cached(
                "SELECT s.source, k.begun_run, s.key, s.account, c.searched_at
                 FROM scope s LEFT JOIN coverage c ON c.scope = s.id LEFT JOIN checkpoint k ON k.scope = s.id
                 WHERE s.id = ?1",
            )?
            .query_row([row], |row| {
                Ok((
                    row.get(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, Option<i64>>(3)?,
                    row.get::<_, Option<i64>>(4)?,
                ))
            })?;
        let checkpoint = if remembers {
            checkpoint_of(&self.connection, row)?
        } else {
            None
        };
        if let Some(begun) = begun.filter(|_| remembers) {
            self.enumerations.insert((source, id.clone()), begun);
        }
        let account = match account {
            Some(row) => principal_by_row(&self.connection, row)?,
            None => None,
        };
        Ok(KnownScope {
            scope: Scope { id, account },
            searched_at: searched.and_then(|second| Timestamp::from_second(second).ok()),
            checkpoint,
            relist,
            changed: Vec::new(),
        })
    }

    /// The principals of a class that shares read in this run name and of which the service itself has not told:
    /// whose details have to be asked for. Who is in a group changes, so that groups are asked for in each run.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn untold(
        &self,
        run: &Run,
        source: &SourceName,
        class: PrincipalClass,
        limit: usize,
    ) -> Result<Vec<String>> {
        let Some(source) = self.known_source(source)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "WITH seen AS (
                 SELECT v.owner, v.shared_by, v.body FROM share s JOIN share_version v ON v.share = s.id
                 WHERE s.source = ?1 AND s.read_run >= ?2 AND v.to_run IS NULL
             )
             SELECT key FROM principal WHERE class = ?3 AND (told_run IS NULL OR (?3 = 'group' AND told_run < ?2)) AND id IN (
                 SELECT owner FROM seen UNION SELECT shared_by FROM seen
                 UNION SELECT r.value FROM seen, json_each(seen.body, {RECIPIENTS}) r
             ) ORDER BY key LIMIT ?4"
        ))?;
        let rows = statement.query_map(
            params![
                source,
                run.id,
                class.as_str(),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| row.get(0),
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The accounts that own shares and of which this run told, as far as they are asked for.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn owners(
        &self,
        run: &Run,
        source: &SourceName,
        asked_for: &dyn Fn(&Principal) -> bool,
        limit: usize,
    ) -> Result<Vec<Principal>> {
        let Some(source) = self.known_source(source)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM principal p WHERE source = ?1 AND class = ?3 AND gone = 0 AND told_run >= ?2 AND EXISTS (
                 SELECT 1 FROM share_version v WHERE v.to_run IS NULL AND v.owner = p.id) ORDER BY id",
        )?;
        let mut rows = statement.query(params![source, run.id, PrincipalClass::Account.as_str()])?;
        let mut owners = Vec::new();
        while let Some(row) = rows.next()? {
            let owner = principal_by_row(&self.connection, row.get(0)?)?;
            owners.extend(owner.filter(asked_for));
            if owners.len() >= limit {
                break;
            }
        }
        Ok(owners)
    }

    /// Shares read in this run, and those in drives that it read of which labels were never looked up under these classes (a
    /// run that was stopped did not come to that): ordered by the account that owns their item and then by id, after
    /// `(owner's row, share's row)`, with the labels that were found; and the last such place that was looked at, `None`
    /// after the last.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn shares_by_owner(
        &self,
        run: &Run,
        source: &SourceName,
        classes: &str,
        after: Place,
        limit: usize,
    ) -> Result<(Vec<Share>, Option<Place>)> {
        let Some(row) = self.known_source(source)? else {
            return Ok((Vec::new(), None));
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT v.owner, v.share, {SHARE_COLUMNS} FROM share_version v INDEXED BY share_version_owner
             CROSS JOIN share s ON s.id = v.share JOIN item i ON i.id = v.item
             WHERE v.to_run IS NULL AND (v.owner, v.share) > (?3, ?4) AND s.source = ?1
               AND (s.read_run >= ?2 OR (s.missing_run IS NULL AND (i.labels_due OR i.labels_policy IS NOT ?6)
                   AND i.place IN (
                   SELECT l.id FROM place l JOIN scope p ON p.source = ?1 AND p.key = l.key JOIN coverage c ON c.scope = p.id
                   WHERE l.source = ?1 AND c.run >= ?2)))
             ORDER BY v.owner, v.share LIMIT ?5"
        ))?;
        let rows = statement
            .query_map(
                params![
                    row,
                    run.id,
                    after.0,
                    after.1,
                    i64::try_from(limit).unwrap_or(i64::MAX),
                    classes
                ],
                |row| Ok(((row.get(0)?, row.get(1)?), RawShare::read(row, 2)?)),
            )?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let last = rows.last().map(|(place, _)| *place);
        let mut loader = Loader::new(&self.connection, source.clone(), classes);
        let shares = rows
            .into_iter()
            .filter_map(|(_, raw)| loader.share(raw).transpose());
        Ok((shares.collect::<Result<_>>()?, last))
    }

    /// Forgets what earlier runs found on, above and beneath the items of shares that this run read, before it is looked
    /// for again: where that does not come to its end, nothing is known of them.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn forget_labels(&mut self, run: &Run, source: &SourceName) -> Result<()> {
        let Some(source) = self.known_source(source)? else {
            return Ok(());
        };
        self.connection.execute(
            "UPDATE item SET labels = NULL, labels_complete = 0, labels_policy = NULL, files_beneath = NULL
             WHERE source = ?1 AND labels_policy IS NOT NULL AND COALESCE(labels_run, 0) < ?2 AND id IN (
                 SELECT v.item FROM share s JOIN share_version v ON v.share = s.id AND v.to_run IS NULL
                 WHERE s.source = ?1 AND s.read_run = ?2)",
            rusqlite::params![source, run.id],
        )?;
        Ok(())
    }

    /// How many shares of each kind this run saw.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn seen_by_kind(&self, run: &Run, source: &SourceName) -> Result<BTreeMap<ShareKind, u64>> {
        let mut counts = BTreeMap::new();
        let Some(source) = self.known_source(source)? else {
            return Ok(counts);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT v.kind, count(*) FROM share s CROSS JOIN share_version v ON v.share = s.id AND v.to_run IS NULL
             WHERE s.source = ?1 AND s.read_run >= ?2 AND NOT (s.follows = 0 AND s.key LIKE 'file/%') GROUP BY v.kind",
        )?;
        let mut rows = statement.query(params![source, run.id])?;
        while let Some(row) = rows.next()? {
            let kind = named("a kind of share", &row.get::<_, String>(0)?)?;
            counts.insert(kind, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default());
        }
        Ok(counts)
    }

    /// Whether the service told the details of every account that this run listed, and of every account that its
    /// shares name.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn details_told(&self, run: &Run, source: &SourceName) -> Result<bool> {
        let Some(row) = self.known_source(source)? else {
            return Ok(false);
        };
        let bare = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM scope s JOIN principal p ON p.id = s.account
                 WHERE s.source = ?1 AND s.listed_run >= ?2 AND p.active IS NULL AND p.class = 'account'",
            )?
            .exists(params![row, run.id])?;
        Ok(!bare
            && (run.scope.users.is_empty()
                || self.untold(run, source, PrincipalClass::Account, 1)?.is_empty()))
    }

    /// Counts the members of each group by the groups that accounts say they are in; nothing is counted where an
    /// account's details were not told.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn count_members(&mut self, run: &Run, source: &SourceName) -> Result<()> {
        let Some(row) = self.known_source(source)? else {
            return Ok(());
        };
        if !self.details_told(run, source)? {
            return Ok(());
        }
        self.connection.execute(
            "WITH size AS (
                 SELECT g.value AS key, count(*) AS members FROM principal a, json_each(a.groups) g
                 WHERE a.source = ?1 AND a.class = 'account' AND a.gone = 0 GROUP BY 1
             )
             UPDATE principal SET members = COALESCE((SELECT members FROM size WHERE size.key = principal.key), 0)
             WHERE source = ?1 AND class = 'group'",
            [row],
        )?;
        Ok(())
    }
}
