//! Takes readings in, a few batches at a time: together they are one transaction, so a killed run leaves whole batches.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::sharing::{self, Rows, VersionRow};
use super::{
    Ledger, REMEMBERED_ROWS, Remembered, Result, Run, evidence, known_source, storable, tag_of, within,
};
use crate::model::{
    Batch, Expiry, Labels, Principal, Problem, ProblemCode, Reading, Scope, ScopeOutcome, Share,
};

impl Ledger {
    /// Writes batches of readings in their order, in one transaction.
    ///
    /// A share that two accounts see is one share: the reading of the item's owner counts for its path and
    /// expiry. Two different shares under one id in one listing are told as a problem.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; nothing of the batches is kept then.
    pub fn absorb(&mut self, run: &Run, batches: &[Batch]) -> Result<()> {
        let (remembered, enumerations) = (&mut self.remembered, &mut self.enumerations);
        if remembered.len() > REMEMBERED_ROWS {
            *remembered = Remembered::default();
        }
        let outcome = within(&self.connection, |connection| {
            for batch in batches {
                let Some(source) = known_source(connection, &batch.source)? else {
                    continue;
                };
                let mut writer = Writer {
                    connection,
                    source,
                    run,
                    scope: batch.scope.as_deref(),
                    place: None,
                    remembered,
                    enumerations,
                };
                writer.place = writer.scope.map(|scope| writer.place(scope)).transpose()?;
                for reading in &batch.readings {
                    writer.write(reading)?;
                }
            }
            Ok(())
        });
        if outcome.is_err() {
            self.remembered = Remembered::default();
        }
        outcome
    }

    /// Marks every account that the service's complete list no longer held as gone.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn mark_gone_accounts(&mut self, run: &Run, source: &crate::model::SourceName) -> Result<()> {
        let Some(source) = self.known_source(source)? else {
            return Ok(());
        };
        self.connection.execute(
            "UPDATE principal SET gone = 1, active = 0, changed_run = ?2
             WHERE source = ?1 AND class = 'account' AND gone = 0 AND (told_run IS NULL OR told_run < ?2)",
            params![source, run.id],
        )?;
        Ok(())
    }

    /// Marks every scope that the service's complete list no longer held as gone; but not those of an owner of whom
    /// another scope could not be read: a site that is locked lists no drives, and has them still.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn mark_gone_scopes(&mut self, run: &Run, source: &crate::model::SourceName) -> Result<()> {
        let Some(source) = self.known_source(source)? else {
            return Ok(());
        };
        self.connection.execute(
            "INSERT INTO coverage (scope, run, outcome)
             SELECT id, ?2, ?3 FROM scope WHERE source = ?1 AND listed_run < ?2 AND (account IS NULL OR account NOT IN (
                 SELECT s.account FROM scope s LEFT JOIN coverage c ON c.scope = s.id
                 WHERE s.source = ?1 AND s.listed_run >= ?2 AND s.account IS NOT NULL
                   AND (c.run IS NULL OR c.run < ?2 OR c.outcome IN ('failed', 'skipped', 'excluded'))))
             ON CONFLICT (scope) DO UPDATE SET run = excluded.run, outcome = excluded.outcome",
            params![source, run.id, ScopeOutcome::Gone.as_str()],
        )?;
        Ok(())
    }
}

pub(super) struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) source: i64,
    pub(super) run: &'a Run,
    scope: Option<&'a str>,
    /// The row of the scope, as a place.
    place: Option<i64>,
    remembered: &'a mut Remembered,
    pub(super) enumerations: &'a mut super::Enumerations,
}

impl Writer<'_> {
    fn write(&mut self, reading: &Reading) -> Result<()> {
        match reading {
            Reading::Principal(told) => {
                sharing::tell_principal(self.connection, self.source, self.run.id, told)?;
                Ok(())
            }
            Reading::Scope(scope) => self.scope(scope),
            Reading::Share(share) => self.share(share),
            Reading::Outcome {
                scope,
                outcome,
                searched,
            } => self.outcome(scope, *outcome, *searched),
            Reading::Problem(problem) => self.problem(problem),
            Reading::Labels {
                item,
                drive,
                labels,
                more,
                files_beneath,
                classes,
            } => self.labels((item, drive.as_deref()), (labels, *more), *files_beneath, classes),
            Reading::Begun { scope } => {
                self.begun(scope);
                Ok(())
            }
            Reading::Listed { item, drive } => self.listed(drive, item),
            Reading::Unlisted { item, drive } => self.unlisted(drive, item),
            Reading::Followed { scope } => self.followed(scope),
            Reading::Placed {
                item,
                drive,
                path,
                path_is_owners,
            } => self.placed(drive, item, path, *path_is_owners),
            Reading::Checkpoint { scope, checkpoint } => self.checkpoint(scope, checkpoint.as_ref()),
            Reading::Used(_) | Reading::Looked { .. } | Reading::Asked { .. } => {
                evidence::keep(self.connection, self.source, Some(self.run.id), reading)
            }
        }
    }

    fn scope(&mut self, scope: &Scope) -> Result<()> {
        let account = match &scope.account {
            Some(account) => Some(sharing::mention_principal(
                self.connection,
                self.source,
                self.run.id,
                account,
            )?),
            None => None,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO scope (source, key, account, listed_run) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (source, key) DO UPDATE SET account = excluded.account, listed_run = max(listed_run, excluded.listed_run)",
            )?
            .execute(params![self.source, scope.id, account, self.run.id])?;
        Ok(())
    }

    fn outcome(&mut self, scope: &str, outcome: ScopeOutcome, searched: bool) -> Result<()> {
        // What was doubtful may be any of the shares that it lacks, however well it was read.
        let outcome = match outcome {
            ScopeOutcome::Scanned if self.has_failed(scope)? => ScopeOutcome::Failed,
            other => other,
        };
        let read = (outcome == ScopeOutcome::Scanned).then(|| self.run.now.as_second());
        let searched = searched.then(|| self.run.now.as_second());
        self.connection
            .prepare_cached(
                "INSERT INTO coverage (scope, run, outcome, read_at, searched_at, searched_run)
                 SELECT id, ?3, ?4, ?5, ?6, CASE WHEN ?6 IS NOT NULL THEN ?3 END FROM scope WHERE source = ?1 AND key = ?2
                 ON CONFLICT (scope) DO UPDATE SET run = max(run, excluded.run), outcome = excluded.outcome,
                     read_at = COALESCE(excluded.read_at, read_at),
                     searched_at = COALESCE(excluded.searched_at, searched_at),
                     searched_run = COALESCE(excluded.searched_run, searched_run)",
            )?
            .execute(params![
                self.source,
                scope,
                self.run.id,
                outcome.as_str(),
                read,
                searched
            ])?;
        if outcome == ScopeOutcome::Scanned {
            self.ended(scope)?;
        }
        Ok(())
    }

    fn problem(&mut self, problem: &Problem) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO problem (run, source, scope, code, message) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                self.run.id,
                self.source,
                problem.scope,
                problem.code.as_str(),
                problem.message
            ])?;
        Ok(())
    }

    fn labels(
        &mut self,
        (item, drive): (&str, Option<&str>),
        (labels, more): (&Labels, bool),
        files_beneath: Option<u64>,
        classes: &str,
    ) -> Result<()> {
        let Some((item, _)) = self.known_item(drive, item)? else {
            return Ok(());
        };
        self.connection
            .prepare_cached(
                "UPDATE item SET labels = ?2, labels_complete = ?3, labels_policy = ?4,
                     files_beneath = ?5, labels_run = ?6, labels_due = ?7 WHERE id = ?1",
            )?
            .execute(params![
                item,
                storable("labels", &labels.found)?,
                labels.complete,
                classes,
                files_beneath.and_then(|count| i64::try_from(count).ok()),
                self.run.id,
                more
            ])?;
        Ok(())
    }

    fn principal(&mut self, principal: &Principal) -> Result<i64> {
        let key = (self.source, principal.class, principal.id.clone());
        if let Some(row) = self.remembered.principals.get(&key) {
            return Ok(*row);
        }
        let row = sharing::mention_principal(self.connection, self.source, self.run.id, principal)?;
        self.remembered.principals.insert(key, row);
        Ok(row)
    }

    /// The row of a drive or another scope, made if need be.
    pub(super) fn place(&mut self, place: &str) -> Result<i64> {
        let key = (self.source, place.to_owned());
        if let Some(row) = self.remembered.places.get(&key) {
            return Ok(*row);
        }
        let known = self
            .connection
            .prepare_cached("SELECT id FROM place WHERE source = ?1 AND key = ?2")?
            .query_row(params![self.source, place], |row| row.get(0))
            .optional()?;
        let row = match known {
            Some(row) => row,
            None => self
                .connection
                .prepare_cached("INSERT INTO place (source, key) VALUES (?1, ?2)")?
                .insert(params![self.source, place])?,
        };
        self.remembered.places.insert(key, row);
        Ok(row)
    }

    /// The row and the size of an item.
    pub(super) fn known_item(
        &mut self,
        drive: Option<&str>,
        key: &str,
    ) -> Result<Option<(i64, Option<i64>)>> {
        let place = drive.map(|drive| self.place(drive)).transpose()?;
        Ok(self
            .connection
            .prepare_cached(
                "SELECT id, size FROM item WHERE tag = ?1 AND source = ?2 AND place IS ?3 AND key = ?4",
            )?
            .query_row(
                params![tag_of(place.unwrap_or(self.source), key), self.source, place, key],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?)
    }

    fn item(&mut self, share: &Share, place: Option<i64>) -> Result<i64> {
        let size = size_of(share);
        let known = self.known_item(share.item.drive.as_deref(), &share.item.id)?;
        match known {
            Some((row, known)) => {
                if size.is_some() && known != size {
                    self.connection
                        .prepare_cached("UPDATE item SET size = ?2 WHERE id = ?1")?
                        .execute(params![row, size])?;
                }
                Ok(row)
            }
            None => Ok(self
                .connection
                .prepare_cached(
                    "INSERT INTO item (source, place, tag, key, size) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .insert(params![
                    self.source,
                    place,
                    tag_of(place.unwrap_or(self.source), &share.item.id),
                    share.item.id,
                    size
                ])?),
        }
    }

    fn share(&mut self, share: &Share) -> Result<()> {
        let owner = self.principal(&share.owner)?;
        let shared_by = share
            .shared_by
            .as_ref()
            .map(|sharer| self.principal(sharer))
            .transpose()?;
        let mut people = |people: &[Principal]| {
            people
                .iter()
                .map(|each| self.principal(each))
                .collect::<Result<Vec<_>>>()
        };
        let (recipients, opened_by) = (people(&share.recipients)?, people(&share.opened_by)?);
        let drive = share.item.drive.as_deref();
        let place = drive.map(|drive| self.place(drive)).transpose()?;
        let id = Id::of(share);
        let known = self.find(share, &id, place)?;
        let item = match known.as_ref().and_then(|known| known.item) {
            Some(row) => row,
            None => self.item(share, place)?,
        };
        // Where the owner's list is not read, a resharer's name for the folder does not replace the owner's.
        let path = match &known {
            Some(known) if !share.item.path_is_owners => {
                sharing::owners_path(self.connection, known.row, owner, item)?
            }
            _ => None,
        };
        let rows = Rows {
            owner,
            shared_by,
            item,
            recipients,
            opened_by,
        };
        let version = VersionRow::of(share, path.as_deref(), rows)?;
        let now = self.run.now.as_second();
        let protected = Protected::of(share);
        let Some(known) = known else {
            let row = self
                .connection
                .prepare_cached(
                    "INSERT INTO share (source, item, follows, tag, key, first_at, read_run, read_at, read_place,
                         had_password, had_expiry)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, ?9, ?10)",
                )?
                .insert(params![
                    self.source,
                    place.map(|_| item),
                    id.follows,
                    self.tag(share, &id, place),
                    id.key,
                    now,
                    self.run.id,
                    self.place,
                    protected.password,
                    protected.expiry
                ])?;
            return self.insert_version(row, &version);
        };
        if known.read_run == self.run.id {
            if known.read_here {
                return self.repeated(share, &known, &version);
            }
            if known.is_another(share, &version) {
                return self.doubtful(share);
            }
            if !share.item.path_is_owners {
                return Ok(());
            }
        }
        self.touch(&known, place.map(|_| item), protected)?;
        self.replace_version(known.row, known.current.as_ref(), &version)
    }

    /// The same id twice in one listing: harmless where both say the same.
    fn repeated(&mut self, share: &Share, known: &Known, version: &VersionRow) -> Result<()> {
        match &known.current {
            Some(current) if current.digest == version.digest => Ok(()),
            _ => self.doubtful(share),
        }
    }

    fn doubtful(&mut self, share: &Share) -> Result<()> {
        self.problem(&Problem::new(
            self.scope.unwrap_or("*"),
            ProblemCode::MalformedShare,
            format!(
                "the service listed two different shares under the id {}; the first one is reported",
                share.id.escape_debug()
            ),
        ))?;
        match self.scope {
            Some(scope) => self.outcome(scope, ScopeOutcome::Failed, false),
            None => Ok(()),
        }
    }

    /// Whether a scope has failed in this run already.
    fn has_failed(&self, scope: &str) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM scope s JOIN coverage c ON c.scope = s.id
                 WHERE s.source = ?1 AND s.key = ?2 AND c.run = ?3 AND c.outcome = ?4)",
            )?
            .query_row(
                params![self.source, scope, self.run.id, ScopeOutcome::Failed.as_str()],
                |row| row.get(0),
            )?)
    }

    fn touch(&mut self, known: &Known, item: Option<i64>, protected: Protected) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE share SET read_run = max(read_run, ?2), read_at = ?3, read_place = ?4, missing_run = NULL,
                     had_password = max(had_password, ?5), had_expiry = max(had_expiry, ?6) WHERE id = ?1",
            )?
            .execute(params![
                known.row,
                self.run.id,
                self.run.now.as_second(),
                self.place,
                protected.password,
                protected.expiry
            ])?;
        if known.lies_at != item {
            self.connection
                .prepare_cached("UPDATE share SET item = ?2 WHERE id = ?1")?
                .execute(params![known.row, item])?;
        }
        Ok(())
    }

    /// By what the id of a share is looked up.
    fn tag(&self, share: &Share, id: &Id<'_>, place: Option<i64>) -> i64 {
        let class = place.filter(|_| id.follows).unwrap_or(self.source);
        tag_of(class, &share.id)
    }

    fn find(&self, share: &Share, id: &Id<'_>, place: Option<i64>) -> Result<Option<Known>> {
        let size = size_of(share);
        Ok(self
            .connection
            .prepare_cached(
                "SELECT s.id, s.read_run, s.read_place, v.from_run, v.digest, v.body IS NULL, v.owner, v.item,
                     i.key, i.place, i.size, s.item
                 FROM share s LEFT JOIN share_version v ON v.share = s.id AND v.to_run IS NULL
                 LEFT JOIN item i ON i.id = v.item
                 WHERE s.tag = ?1 AND s.source = ?2 AND s.follows = ?3 AND s.key = ?4
                   AND (?3 = 0 OR EXISTS (SELECT 1 FROM item b WHERE b.id = s.item AND b.place = ?5 AND b.key = ?6))",
            )?
            .query_row(
                params![self.tag(share, id, place), self.source, id.follows, id.key, place, share.item.id],
                |row| {
                    let current = match row.get(3)? {
                        Some::<i64>(_) => Some(Current::read(row, 3)?),
                        None => None,
                    };
                    let same_item = row.get_ref(8)?.as_str_or_null()? == Some(&share.item.id)
                        && row.get::<_, Option<i64>>(9)? == place
                        && (size.is_none() || row.get::<_, Option<i64>>(10)? == size);
                    Ok(Known {
                        row: row.get(0)?,
                        read_run: row.get(1)?,
                        read_here: row.get::<_, Option<i64>>(2)? == self.place,
                        item: current.as_ref().filter(|_| same_item).map(|current| current.item),
                        lies_at: row.get(11)?,
                        current,
                    })
                },
            )
            .optional()?)
    }

    /// Makes a reading the current version, unless it says what the current one says.
    ///
    /// Where a resharer's reading came before the owner's in this run, and the owner's says what stood
    /// before, that older version goes on as if nothing had happened.
    fn replace_version(&self, row: i64, current: Option<&Current>, version: &VersionRow) -> Result<()> {
        match current {
            // A scan that was begun later, and runs beside this one, has told it since: this one's picture keeps
            // what was known before, or what it says itself.
            Some(current) if current.from_run > self.run.id => self.insert_earlier(row, version),
            Some(current) if current.digest == version.digest => {
                if current.bare {
                    self.fill_body(row, version)?;
                }
                Ok(())
            }
            Some(current) if current.from_run == self.run.id => {
                let reopened = self
                    .connection
                    .prepare_cached(
                        "UPDATE share_version SET to_run = NULL WHERE share = ?1 AND to_run = ?2 AND digest = ?3",
                    )?
                    .execute(params![row, self.run.id, version.digest])?;
                if reopened == 0 {
                    return self.insert_version(row, version);
                }
                self.connection
                    .prepare_cached("DELETE FROM share_version WHERE share = ?1 AND from_run = ?2")?
                    .execute(params![row, self.run.id])?;
                self.fill_body(row, version)
            }
            Some(_) => {
                self.connection
                    .prepare_cached(
                        "UPDATE share_version SET to_run = ?2 WHERE share = ?1 AND to_run IS NULL",
                    )?
                    .execute(params![row, self.run.id])?;
                self.insert_version(row, version)
            }
            None => {
                // One that a later scan beside this one found gone is there again.
                self.connection
                    .prepare_cached(
                        "UPDATE share_version SET to_run = ?2 WHERE share = ?1 AND from_run < ?2 AND to_run > ?2",
                    )?
                    .execute(params![row, self.run.id])?;
                self.insert_version(row, version)
            }
        }
    }

    /// Makes another reading of what stands the current version.
    pub(super) fn replace_current(&self, row: i64, version: &VersionRow) -> Result<()> {
        let current = self
            .connection
            .prepare_cached(
                "SELECT from_run, digest, body IS NULL, owner, item FROM share_version WHERE share = ?1 AND to_run IS NULL",
            )?
            .query_row([row], |row| Current::read(row, 0))
            .optional()?;
        self.replace_version(row, current.as_ref(), version)
    }

    fn insert_earlier(&self, row: i64, version: &VersionRow) -> Result<()> {
        let covered = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM share_version WHERE share = ?1 AND from_run <= ?2 AND to_run > ?2",
            )?
            .exists(params![row, self.run.id])?;
        if covered {
            return Ok(());
        }
        self.insert_version(row, version)?;
        self.connection
            .prepare_cached("UPDATE share_version SET to_run = ?3 WHERE share = ?1 AND from_run = ?2")?
            .execute(params![row, self.run.id, self.run.id + 1])?;
        Ok(())
    }

    fn fill_body(&self, row: i64, version: &VersionRow) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE share_version SET body = ?2 WHERE share = ?1 AND to_run IS NULL")?
            .execute(params![row, version.body])?;
        Ok(())
    }

    fn insert_version(&self, row: i64, version: &VersionRow) -> Result<()> {
        let insert = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO share_version (share, from_run, digest, kind, anonymous, owner, shared_by, item, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (share, from_run) DO NOTHING",
                )?
                .execute(params![
                    row,
                    self.run.id,
                    version.digest,
                    version.kind.as_str(),
                    version.anonymous,
                    version.owner,
                    version.shared_by,
                    version.item,
                    version.body
                ])
        };
        if insert()? == 0 {
            // It replaces what this run said before.
            self.connection
                .prepare_cached("DELETE FROM share_version WHERE share = ?1 AND from_run = ?2")?
                .execute(params![row, self.run.id])?;
            insert()?;
        }
        Ok(())
    }
}

fn size_of(share: &Share) -> Option<i64> {
    share.item.size.and_then(|size| i64::try_from(size).ok())
}

/// The id of a share, as it is kept.
struct Id<'a> {
    /// Whether it begins with the ids of its drive and its item.
    follows: bool,
    /// What comes after these, or all of it.
    key: &'a str,
}

impl<'a> Id<'a> {
    fn of(share: &'a Share) -> Self {
        let after = |text: &'a str, part: &str| text.strip_prefix(part)?.strip_prefix('/');
        let rest = share
            .item
            .drive
            .as_deref()
            .and_then(|drive| after(after(&share.id, drive)?, &share.item.id));
        Self {
            follows: rest.is_some(),
            key: rest.unwrap_or(&share.id),
        }
    }
}

/// What certainly protects a share: it is remembered for ever.
#[derive(Clone, Copy)]
struct Protected {
    password: bool,
    expiry: bool,
}

impl Protected {
    fn of(share: &Share) -> Self {
        Self {
            password: share.password == Some(true),
            expiry: matches!(share.expires, Expiry::At { .. }),
        }
    }
}

/// A share that the ledger has, as it stands before a reading.
struct Known {
    row: i64,
    read_run: i64,
    /// Whether it was last read through the scope that is read now.
    read_here: bool,
    /// The row of its item, where that lies in a drive.
    lies_at: Option<i64>,
    /// The row of its item, where that is the one that the reading names, of the same size.
    item: Option<i64>,
    current: Option<Current>,
}

/// The version of a share that stands.
struct Current {
    from_run: i64,
    digest: i64,
    /// Whether only its digest was kept.
    bare: bool,
    owner: i64,
    item: i64,
}

impl Current {
    /// Reads a version's first run, digest, whether it is bare, owner and item, the first of which is at `at`.
    fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            from_run: row.get(at)?,
            digest: row.get(at + 1)?,
            bare: row.get(at + 2)?,
            owner: row.get(at + 3)?,
            item: row.get(at + 4)?,
        })
    }
}

impl Known {
    /// Whether the same id means something else in another account's listing: another owner's, or another item.
    /// Whoever sees a share, these are the same.
    fn is_another(&self, share: &Share, version: &VersionRow) -> bool {
        let told = !share
            .unknown
            .iter()
            .any(|field| field == "owner" || field == "item.id");
        let current = self.current.as_ref();
        told && current.is_some_and(|current| current.owner != version.owner || current.item != version.item)
    }
}
