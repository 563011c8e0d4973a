//! Shares and people that a command names, and the reviews that are recorded of them.

use jiff::Timestamp;
use rusqlite::params;

use super::sharing::{principal_by_row, share_row};
use super::{Ledger, Result, StoreError, named, storable, within};
use crate::model::{Principal, SourceKind, SourceName};

/// What somebody reviewed.
#[derive(Clone, Copy, Debug)]
pub enum Reviewed<'a> {
    /// These shares, by the services' own ids.
    Shares(&'a [String]),
    /// All shares of an owner, by id or mail address.
    Owner(&'a str),
}

impl Ledger {
    /// Records that shares were reviewed; says how many. Where one of them is not known, none is.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Ambiguous`], or any other of the file.
    pub fn confirm(
        &mut self,
        reviewed: Reviewed<'_>,
        source: Option<&SourceName>,
        (by, at): (&str, Timestamp),
    ) -> Result<u64> {
        let rows = match reviewed {
            Reviewed::Shares(ids) => self.shares_named(ids, source)?,
            Reviewed::Owner(id) => self.shares_of(&self.owner_named(id, source)?.1)?,
        };
        let rows = storable("rows", &rows)?;
        within(&self.connection, |connection| {
            let confirmed = connection.execute(
                "UPDATE share SET confirmed_at = ?2, confirmed_by = ?3 WHERE id IN (SELECT value FROM json_each(?1))",
                params![rows, at.as_second(), by],
            )?;
            Ok(confirmed as u64)
        })
    }

    /// The source of an owner, by id or mail address as `--user` takes them, and the owner's rows there.
    pub(super) fn owner_named(
        &self,
        id: &str,
        source: Option<&SourceName>,
    ) -> Result<((i64, SourceName), Vec<i64>)> {
        let mut found = Vec::new();
        for place in self
            .sources(source)?
            .into_iter()
            .filter(|_| !id.trim().is_empty())
        {
            let mut statement = self.connection.prepare_cached(
                "SELECT id FROM principal WHERE source = ?1 AND class IN ('account', 'site')
                     AND (lower(key) = lower(?2) OR lower(email) = lower(?2))",
            )?;
            let rows = statement
                .query_map(params![place.0, id], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<i64>>>()?;
            if !rows.is_empty() {
                found.push((place, rows));
            }
        }
        only("owner", id, found)
    }

    /// The accounts and sites with an id or mail address, as `--user` takes them, in one source or in all.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] for the source, or any other of the file.
    pub fn accounts_named(
        &self,
        id: &str,
        source: Option<&SourceName>,
    ) -> Result<Vec<(SourceName, SourceKind, Principal)>> {
        let mut found = Vec::new();
        for (row, name) in self.sources(source)? {
            let mut statement = self.connection.prepare_cached(
                "SELECT o.kind, p.id FROM principal p JOIN source o ON o.id = p.source
                 WHERE p.source = ?1 AND p.class IN ('account', 'site') AND (lower(p.key) = lower(?2) OR lower(p.email) = lower(?2))
                 ORDER BY p.id",
            )?;
            let rows = statement
                .query_map(params![row, id], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
            for (kind, row) in rows {
                let kind = named("a kind of source", &kind)?;
                let account = principal_by_row(&self.connection, row)?;
                found.extend(account.map(|account| (name.clone(), kind, account)));
            }
        }
        Ok(found)
    }

    fn shares_named(&self, ids: &[String], source: Option<&SourceName>) -> Result<Vec<i64>> {
        let sources = self.sources(source)?;
        let (mut rows, mut unknown) = (Vec::new(), Vec::new());
        for id in ids {
            let mut found = Vec::new();
            for place in &sources {
                if let Some(row) = share_row(&self.connection, place.0, id)?
                    && self
                        .connection
                        .prepare_cached("SELECT 1 FROM share_version WHERE share = ?1 AND to_run IS NULL")?
                        .exists([row])?
                {
                    found.push((place.clone(), row));
                }
            }
            match only("share", id, found) {
                Ok((_, row)) => rows.push(row),
                Err(StoreError::Unknown { ids, .. }) => unknown.extend(ids),
                Err(error) => return Err(error),
            }
        }
        if unknown.is_empty() {
            Ok(rows)
        } else {
            Err(StoreError::Unknown {
                what: if unknown.len() == 1 { "share" } else { "shares" },
                ids: unknown,
            })
        }
    }

    fn shares_of(&self, owners: &[i64]) -> Result<Vec<i64>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT share FROM share_version WHERE to_run IS NULL AND owner = ?1")?;
        let mut rows = Vec::new();
        for owner in owners {
            for share in statement.query_map([owner], |row| row.get(0))? {
                rows.push(share?);
            }
        }
        Ok(rows)
    }

    /// The source of a name, or all.
    fn sources(&self, source: Option<&SourceName>) -> Result<Vec<(i64, SourceName)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, name FROM source WHERE ?1 IS NULL OR name = ?1 ORDER BY id")?;
        let found = statement
            .query_map([source.map(SourceName::as_str)], |row| {
                Ok((row.get(0)?, SourceName::new(row.get::<_, String>(1)?)))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        match source {
            Some(source) if found.is_empty() => Err(StoreError::Unknown {
                what: "source",
                ids: vec![source.to_string()],
            }),
            _ => Ok(found),
        }
    }
}

/// What was found in one source, where that is one.
fn only<T>(
    what: &'static str,
    id: &str,
    found: Vec<((i64, SourceName), T)>,
) -> Result<((i64, SourceName), T)> {
    let sources = found.iter().map(|((_, name), _)| name.to_string()).collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(StoreError::Unknown {
            what,
            ids: vec![id.to_owned()],
        }),
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(StoreError::Ambiguous {
            what,
            id: id.to_owned(),
            sources,
        }),
    }
}
