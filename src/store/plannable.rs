//! What can be planned: the shares with findings that stand open, as judging would see them, and what would end with them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::sharing::{Loader, RawShare, SHARE_COLUMNS, share_row};
use super::{Ledger, Result, evidence, findings, judging, storable, waivers};
use crate::model::{
    FindingId, ItemKind, Level, PrincipalClass, RuleId, Share, ShareKind, SourceKind, SourceName,
};
use crate::policy::Past;

/// The kinds of shares that a Nextcloud deletes together with the share that let their maker have the item; others it hands
/// to whoever owns that.
const DIE_WITH_WHAT_THEY_REST_ON: &[ShareKind] = &[ShareKind::Link];

/// The shares `v` with a finding that stands open.
const WITH_OPEN_FINDING: &str =
    "EXISTS (SELECT 1 FROM finding f JOIN finding_version t ON t.finding = f.id AND t.to_run IS NULL
     WHERE f.share = v.share AND t.status = 'open')";

/// What is to be planned for; all, where nothing is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Narrowing<'a> {
    /// Whose shares, by account id or mail address.
    pub users: &'a [String],
    /// Findings of which rules.
    pub rules: &'a [RuleId],
    /// Which findings.
    pub findings: &'a [FindingId],
}

impl Narrowing<'_> {
    fn allows(&self, id: &FindingId, rule: RuleId) -> bool {
        (self.rules.is_empty() || self.rules.contains(&rule))
            && (self.findings.is_empty() || self.findings.contains(id))
    }
}

/// A share of which findings stand open.
#[derive(Clone, Debug)]
pub struct Plannable {
    /// The share, with what is known of the people whom it names.
    pub share: Share,
    /// Its past.
    pub past: Past,
    /// Those of its findings that stand open.
    pub findings: Vec<StandsOpen>,
    /// Whether an action on it was announced and is not done yet.
    pub announced: bool,
}

/// A finding that stands open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandsOpen {
    /// Its identity.
    pub id: FindingId,
    /// Its rule.
    pub rule: RuleId,
    /// Its level.
    pub level: Level,
    /// Whether it is of the baseline, and was not released.
    pub held: bool,
    /// When it was last looked for.
    pub checked_at: Timestamp,
}

impl Ledger {
    /// Visits the shares of a source that have findings which stand open: neither waived, nor unchecked, nor ended. Labels
    /// count where they were looked up under these classes. Gives how many such shares there are of which the particulars
    /// are not kept, so that nothing can be planned for them before they are read again.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn plannable(
        &self,
        source: &SourceName,
        narrowing: Narrowing<'_>,
        classes: &str,
        visit: &mut dyn FnMut(Plannable),
    ) -> Result<u64> {
        let Some(row) = self.known_source(source)? else {
            return Ok(0);
        };
        let connection = &self.connection;
        let users = storable("accounts", &narrowing.users)?;
        let mut loader = Loader::new(connection, source.clone(), classes);
        let (mut bare, mut after) = (0, 0);
        loop {
            let page = judging::page(connection, (row, 0), (&users, WITH_OPEN_FINDING), after)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else {
                return Ok(bare);
            };
            let range = first.share..=last.share;
            after = last.share;
            let mut standing = findings::open_of_shares(connection, range.clone())?;
            let mut accepted = waivers::accepted_of_shares(connection, range.clone())?;
            let mut uses = evidence::open_uses(connection, range)?;
            for mut row in page.into_iter().filter(|row| !row.missing) {
                let mut findings = standing.remove(&row.share).unwrap_or_default();
                findings.retain(|finding| narrowing.allows(&finding.id, finding.rule));
                if findings.is_empty() {
                    continue;
                }
                let Some(share) = loader.share(row.raw)? else {
                    bare += 1;
                    continue;
                };
                row.past.accepted = accepted.remove(&row.share).unwrap_or_default();
                row.past.uses = uses.remove(&row.share);
                visit(Plannable {
                    share,
                    past: row.past,
                    findings,
                    announced: is_announced(connection, row.share)?,
                });
            }
        }
    }

    /// How many shares of a source are known.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn known_shares(&self, source: &SourceName) -> Result<u64> {
        let count: i64 = self.connection.query_row(
            "SELECT count(*) FROM share s JOIN source o ON o.id = s.source JOIN share_version v ON v.share = s.id
             WHERE o.name = ?1 AND s.missing_run IS NULL AND v.to_run IS NULL",
            [source.as_str()],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// How many of these shares of a source were known once and are not any more.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn gone_among(&self, source: &SourceName, shares: &BTreeSet<&str>) -> Result<u64> {
        let Some(source) = self.known_source(source)? else {
            return Ok(0);
        };
        let mut gone = 0;
        for share in shares {
            if let Some(row) = share_row(&self.connection, source, share)? {
                let stands = self
                    .connection
                    .prepare_cached(
                        "SELECT 1 FROM share s JOIN share_version v ON v.share = s.id
                         WHERE s.id = ?1 AND s.missing_run IS NULL AND v.to_run IS NULL",
                    )?
                    .exists([row])?;
                gone += u64::from(!stands);
            }
        }
        Ok(gone)
    }

    /// The shares that end with one of a Nextcloud, by their ids: those whose makers have the item, or what it lies in, from
    /// this share; also those whose makers have it from an older one, too, on which they rest then. Where it is not known what such a share is of, it counts as one.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn dying_with(&self, share: &Share) -> Result<Vec<String>> {
        let source: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM source WHERE name = ?1 AND kind = ?2")?
            .query_row(
                params![share.source.as_str(), SourceKind::Nextcloud.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        let Some(source) = source else {
            return Ok(Vec::new());
        };
        let makers = self.makers(source, share)?;
        let kinds = storable("kinds", &DIE_WITH_WHAT_THEY_REST_ON)?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {SHARE_COLUMNS} FROM principal p
             CROSS JOIN share_version v ON v.owner = p.id AND v.to_run IS NULL
             CROSS JOIN share s ON s.id = v.share CROSS JOIN item i ON i.id = v.item
             WHERE p.source = ?1 AND p.class = ?2 AND p.key = ?3 AND s.missing_run IS NULL
               AND v.shared_by IN (SELECT value FROM json_each(?4)) AND v.kind IN (SELECT value FROM json_each(?5))
             ORDER BY v.share"
        ))?;
        let mut rows = statement.query(params![
            source,
            share.owner.class.as_str(),
            share.owner.id,
            makers,
            kinds
        ])?;
        let mut loader = Loader::new(&self.connection, share.source.clone(), "");
        let mut dying = Vec::new();
        while let Some(row) = rows.next()? {
            let raw = RawShare::read(row, 0)?;
            let (id, item) = (raw.id().to_owned(), raw.item().to_owned());
            if id != share.id
                && (item == share.item.id || may_lie_beneath(loader.share(raw)?.as_ref(), share))
            {
                dying.push(id);
            }
        }
        Ok(dying)
    }

    /// The rows, as JSON, of the accounts that have an item from a share with people or groups: of anybody but its owner,
    /// where it is with others whose members are not known.
    fn makers(&self, source: i64, share: &Share) -> Result<String> {
        let (mut accounts, mut groups, mut unknown) = (Vec::new(), Vec::new(), false);
        for recipient in &share.recipients {
            match recipient.class {
                PrincipalClass::Account => accounts.push(recipient.id.as_str()),
                PrincipalClass::Group => groups.push(recipient.id.as_str()),
                PrincipalClass::Team | PrincipalClass::Room | PrincipalClass::Everyone => unknown = true,
                // They sign in elsewhere, or not at all.
                _ => {}
            }
        }
        let mut members = self.connection.prepare_cached(
            "SELECT 1 FROM principal p, json_each(p.groups) g
             WHERE p.source = ?1 AND p.class = 'account' AND g.value = ?2
             UNION ALL SELECT 1 FROM principal WHERE source = ?1 AND class = 'group' AND key = ?2 AND members = 0",
        )?;
        for group in &groups {
            unknown = unknown || !members.exists(params![source, group])?;
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT p.id FROM principal p WHERE p.source = ?1 AND p.class = 'account' AND p.key <> ?2 AND (
                 ?3 OR p.key IN (SELECT value FROM json_each(?4))
                 OR EXISTS (SELECT 1 FROM json_each(p.groups) g JOIN json_each(?5) r ON r.value = g.value))",
        )?;
        let makers = statement
            .query_map(
                params![
                    source,
                    share.owner.id,
                    unknown,
                    storable("recipients", &accounts)?,
                    storable("recipients", &groups)?
                ],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        storable("rows", &makers)
    }
}

/// Whether a share is of something beneath what another one is of, as far as is known.
fn may_lie_beneath(inner: Option<&Share>, outer: &Share) -> bool {
    if outer.item.kind == ItemKind::File {
        return false;
    }
    match inner {
        Some(inner) if inner.item.path_is_owners && outer.item.path_is_owners => {
            let folder = outer.item.path.trim_end_matches('/');
            inner
                .item
                .path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        }
        _ => true,
    }
}

fn is_announced(connection: &Connection, share: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM announcement WHERE share = ?1 AND ended_at IS NULL")?
        .exists([share])?)
}
