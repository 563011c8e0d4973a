//! Forgets people, and what only old runs tell, for good. Of people, what they own goes, and of themselves no more than an id stays, where shares of others name it.
//!
//! What is deleted is overwritten, and the file is written anew, so that nothing remains in pages that are free or in
//! the write-ahead log. What a purge does, it does in one transaction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::sharing::{named_in, principal_by_row};
use super::{Ledger, Remembered, Result, StoreError, storable, stored, within};
use crate::model::{PrincipalClass, SourceName};
use crate::report::view;

/// What stands in stored runs in place of somebody who was forgotten; no account is called so.
const FORGOTTEN: &str = "(forgotten)";

/// What was forgotten of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many shares, as their owner.
    pub shares: u64,
    /// How many findings about them.
    pub findings: u64,
    /// How many files and folders.
    pub items: u64,
    /// Whether the id stays, since shares of others, or of a group, name it.
    pub named: bool,
    /// Whether the file could be written anew; else remains may lie in its free pages.
    pub wiped: bool,
}

impl Ledger {
    /// The source in which somebody is known, by id or mail address.
    ///
    /// # Errors
    /// [`super::StoreError::Unknown`], [`super::StoreError::Ambiguous`], or any other of the file.
    pub fn source_of_owner(&self, id: &str, source: Option<&SourceName>) -> Result<SourceName> {
        let ((_, source), _) = self.owner_named(id, source)?;
        Ok(source)
    }

    /// Forgets somebody: the shares owned, with all that was found of them, and the person.
    ///
    /// # Errors
    /// [`super::StoreError::Unknown`], [`super::StoreError::Ambiguous`], or any other of the file.
    pub fn forget_owner(&mut self, id: &str, source: &SourceName) -> Result<Forgotten> {
        let ((source, _), owners) = self.owner_named(id, Some(source))?;
        let person = Person::of(&self.connection, source, owners)?;
        person.has_no_open_incident(&self.connection)?;
        self.remembered = Remembered::default();
        // Without cascades: their look for children of each row that goes would read the file once a row.
        self.connection.pragma_update(None, "foreign_keys", false)?;
        self.connection.pragma_update(None, "secure_delete", true)?;
        let forgotten = within(&self.connection, |connection| person.forget(connection));
        self.connection.pragma_update(None, "foreign_keys", true)?;
        let mut forgotten = forgotten?;
        forgotten.wiped = self.wipe()?;
        self.connection.pragma_update(None, "secure_delete", false)?;
        Ok(forgotten)
    }

    /// Forgets runs as [`Ledger::forget_before`] does, and leaves no remains of them in the file. Gives how many went,
    /// and whether the file could be written anew.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; what was forgotten until then stays so.
    pub fn erase_before(&mut self, time: Timestamp) -> Result<(usize, bool)> {
        self.connection.pragma_update(None, "secure_delete", true)?;
        // Where an earlier one was interrupted, its runs are gone and not all that only they told.
        let runs = self.forget_before(time);
        let runs = match runs {
            Ok(0) => self.forget_untold().map(|()| 0),
            runs => runs,
        };
        let wiped = self.wipe()?;
        self.connection.pragma_update(None, "secure_delete", false)?;
        Ok((runs?, wiped))
    }

    /// Writes the file anew and empties its log; says whether nobody kept it from that.
    fn wipe(&self) -> Result<bool> {
        if self.connection.execute_batch("VACUUM").is_err() {
            return Ok(false);
        }
        let busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(!busy)
    }
}

/// Somebody who is to be forgotten.
struct Person {
    source: i64,
    /// The rows of their accounts.
    owners: Vec<i64>,
    /// These, and those of their addresses as recipients.
    rows: Vec<i64>,
    /// Their ids, addresses and names, in lower case.
    names: BTreeSet<String>,
}

impl Person {
    fn of(connection: &Connection, source: i64, owners: Vec<i64>) -> Result<Self> {
        let mut names = BTreeSet::new();
        for row in &owners {
            if let Some(who) = principal_by_row(connection, *row)? {
                names.extend(
                    [Some(who.id), who.email, who.name]
                        .into_iter()
                        .flatten()
                        .map(|name| name.to_lowercase()),
                );
            }
        }
        let list = storable("names", &names)?;
        let mut statement = connection.prepare(
            "SELECT id FROM principal WHERE source = ?1 AND class = ?2
                 AND lower(key) IN (SELECT value FROM json_each(?3))",
        )?;
        let addresses = statement
            .query_map(params![source, PrincipalClass::Address.as_str(), list], |row| {
                row.get(0)
            })?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let rows = [owners.clone(), addresses].concat();
        Ok(Self {
            source,
            owners,
            rows,
            names,
        })
    }

    /// Refuses to forget what somebody still has to look into.
    fn has_no_open_incident(&self, connection: &Connection) -> Result<()> {
        let open: i64 = connection.query_row(
            "SELECT count(DISTINCT u.share) FROM link_use u JOIN share_version v ON v.share = u.share
             WHERE u.incident IS NULL AND v.owner IN (SELECT value FROM json_each(?1))",
            [storable("rows", &self.owners)?],
            |row| row.get(0),
        )?;
        match u64::try_from(open) {
            Ok(0) | Err(_) => Ok(()),
            Ok(shares) => Err(StoreError::OpenIncidents { shares }),
        }
    }

    fn forget(&self, connection: &Connection) -> Result<Forgotten> {
        let mut forgotten = self.shares(connection)?;
        self.scopes(connection)?;
        self.changes(connection)?;
        super::letters::forget_told(connection, self.source, &storable("rows", &self.owners)?)?;
        self.mentions(connection)?;
        // Teams and rooms are told by names that name whose they are; the next scan reads them again.
        connection.execute(
            "UPDATE principal SET name = NULL WHERE source = ?1 AND class IN ('team', 'room')",
            [self.source],
        )?;
        let named = self.named(connection)?;
        let last: i64 = connection.query_row("SELECT max(id) FROM principal", [], |row| row.get(0))?;
        for row in &self.rows {
            if named.contains(row) {
                connection.execute(
                    "UPDATE principal SET name = NULL, email = NULL, groups = NULL, zone = NULL, language = NULL,
                         answered_by = NULL, manager = NULL, signed_in = NULL WHERE id = ?1",
                    [row],
                )?;
            } else if *row == last {
                // Its number must not become another's: digests of shares whose particulars are not kept hold it.
                connection.execute(
                    "UPDATE principal SET key = ?2 || id, name = NULL, email = NULL, groups = NULL, zone = NULL,
                         language = NULL, answered_by = NULL, manager = NULL, signed_in = NULL, gone = 1
                     WHERE id = ?1",
                    params![row, FORGOTTEN],
                )?;
            } else {
                connection.execute("DELETE FROM principal WHERE id = ?1", [row])?;
            }
        }
        // What was said of findings that are gone, and by whom they were accepted.
        connection.execute(
            "DELETE FROM note WHERE id NOT IN (SELECT note FROM finding_version WHERE note IS NOT NULL
                 UNION SELECT judged FROM share_version WHERE judged IS NOT NULL)",
            [],
        )?;
        forgotten.named = !named.is_empty();
        Ok(forgotten)
    }

    /// Forgets what was proposed and announced to be done to what they own: it names their files. What was done stays in the
    /// journal, which names nobody but by ids.
    fn changes(&self, connection: &Connection) -> Result<()> {
        const THEIRS: &str = "SELECT 1 FROM principal p JOIN source o ON o.id = p.source
             WHERE p.id IN (SELECT value FROM json_each(?1))";
        let owners = storable("rows", &self.owners)?;
        connection.execute(
            &format!(
                "DELETE FROM plan WHERE EXISTS (SELECT 1 FROM json_each(plan.body, '$.actions') a WHERE EXISTS (
                     {THEIRS} AND o.name = a.value ->> '$.source' AND p.key = a.value ->> '$.owner'))"
            ),
            [&owners],
        )?;
        // Those of shares that are gone went with them, but for what the cascades would have taken.
        let gone = format!(
            "SELECT id FROM announcement WHERE share NOT IN (SELECT id FROM share) OR EXISTS (
                 {THEIRS} AND p.source = announcement.source AND p.key = announcement.action ->> '$.owner')"
        );
        connection.execute(
            &format!("DELETE FROM announcement_due WHERE announcement IN ({gone})"),
            [&owners],
        )?;
        connection.execute(
            &format!("DELETE FROM announcement WHERE id IN ({gone})"),
            [&owners],
        )?;
        Ok(())
    }

    /// Forgets the shares owned. One that was handed on, or came to them from somebody else, is forgotten for the time
    /// in which they owned it.
    fn shares(&self, connection: &Connection) -> Result<Forgotten> {
        let owners = storable("rows", &self.owners)?;
        let list = |query: &str, of: &str| -> Result<Vec<i64>> {
            let mut statement = connection.prepare(query)?;
            let rows = statement.query_map([of], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        let run = |query: &str, of: &str| -> Result<u64> { Ok(connection.execute(query, [of])? as u64) };
        let items = list(
            "SELECT DISTINCT item FROM share_version WHERE owner IN (SELECT value FROM json_each(?1))",
            &owners,
        )?;
        let whole = list(
            "SELECT v.share FROM share_version v WHERE v.owner IN (SELECT value FROM json_each(?1))
                 AND NOT EXISTS (SELECT 1 FROM share_version w WHERE w.share = v.share AND w.from_run > v.from_run)",
            &owners,
        )?;
        let whole = storable("rows", &whole)?;
        for table in ["acceptance", "finding_version"] {
            run(
                &format!(
                    "DELETE FROM {table} WHERE finding IN (
                         SELECT id FROM finding WHERE share IN (SELECT value FROM json_each(?1)))"
                ),
                &whole,
            )?;
        }
        // What was found of their use, and what became of that; incidents last, which uses name.
        for table in ["look", "link_use"] {
            run(
                &format!("DELETE FROM {table} WHERE share IN (SELECT value FROM json_each(?1))"),
                &whole,
            )?;
        }
        run(
            "DELETE FROM incident WHERE finding IN (
                 SELECT key FROM finding WHERE share IN (SELECT value FROM json_each(?1)))",
            &whole,
        )?;
        let findings = run(
            "DELETE FROM finding WHERE share IN (SELECT value FROM json_each(?1))",
            &whole,
        )?;
        run(
            "DELETE FROM share_version WHERE share IN (SELECT value FROM json_each(?1))",
            &whole,
        )?;
        let shares = run(
            "DELETE FROM share WHERE id IN (SELECT value FROM json_each(?1))",
            &whole,
        )?;
        let handed_on = list(
            "SELECT DISTINCT share FROM share_version WHERE owner IN (SELECT value FROM json_each(?1))",
            &owners,
        )?;
        run(
            "DELETE FROM share_version WHERE owner IN (SELECT value FROM json_each(?1))",
            &owners,
        )?;
        for share in &handed_on {
            begin_findings_with_share(connection, *share)?;
        }
        let items = run(
            "DELETE FROM item WHERE id IN (SELECT value FROM json_each(?1))
                 AND id NOT IN (SELECT item FROM share_version)
                 AND id NOT IN (SELECT item FROM share WHERE item IS NOT NULL)",
            &storable("rows", &items)?,
        )?;
        Ok(Forgotten {
            shares: shares + handed_on.len() as u64,
            findings,
            items,
            ..Forgotten::default()
        })
    }

    /// Forgets what was read through their accounts and drives, and what went wrong there.
    fn scopes(&self, connection: &Connection) -> Result<()> {
        let owners = storable("rows", &self.owners)?;
        let mut statement = connection.prepare(
            "SELECT id, key FROM scope WHERE source = ?1 AND account IN (SELECT value FROM json_each(?2))",
        )?;
        let scopes = statement
            .query_map(params![self.source, owners], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        for (row, key) in &scopes {
            for table in ["checkpoint_piece", "checkpoint", "coverage"] {
                connection.execute(&format!("DELETE FROM {table} WHERE scope = ?1"), [row])?;
            }
            connection.execute("DELETE FROM scope WHERE id = ?1", [row])?;
            connection.execute(
                "UPDATE share SET read_place = NULL WHERE source = ?1
                     AND read_place = (SELECT id FROM place WHERE source = ?1 AND key = ?2)",
                params![self.source, key],
            )?;
            connection.execute(
                "DELETE FROM place WHERE source = ?1 AND key = ?2
                     AND id NOT IN (SELECT place FROM item WHERE place IS NOT NULL)",
                params![self.source, key],
            )?;
        }
        let keys: BTreeSet<_> = scopes.into_iter().map(|(_, key)| key.to_lowercase()).collect();
        let mut problems = connection.prepare("SELECT id, scope, message FROM problem WHERE source = ?1")?;
        let mut rows = problems.query([self.source])?;
        let mut theirs = Vec::new();
        while let Some(row) = rows.next()? {
            let scope = row.get_ref(1)?.as_str().unwrap_or_default().to_lowercase();
            let message = row.get_ref(2)?.as_str().unwrap_or_default().to_lowercase();
            if keys.contains(&scope)
                || self.names.contains(&scope)
                || self.is_in(&scope)
                || self.is_in(&message)
            {
                theirs.push(row.get::<_, i64>(0)?);
            }
        }
        for row in theirs {
            connection.execute(
                "UPDATE problem SET scope = ?2, message = ?3 WHERE id = ?1",
                params![row, FORGOTTEN, "of somebody who was forgotten since"],
            )?;
        }
        Ok(())
    }

    /// Whether a text in lower case holds one of their addresses, also as a `OneDrive` is named by it.
    fn is_in(&self, text: &str) -> bool {
        self.names
            .iter()
            .filter(|name| name.contains('@'))
            .any(|address| {
                text.contains(address.as_str())
                    || text.contains(&address.replace(|sign: char| !sign.is_alphanumeric(), "_"))
            })
    }

    /// Takes them out of what runs were asked to read, of the lists of those who answer for sites, and of reviews.
    fn mentions(&self, connection: &Connection) -> Result<()> {
        let is_theirs = |name: &String| self.names.contains(&name.to_lowercase());
        let mut statement =
            connection.prepare("SELECT id, scope FROM run WHERE json_array_length(scope, '$.users') > 0")?;
        let runs = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        for (run, scope) in runs {
            let mut scope: view::RunScope = stored("a run's scope", &scope)?;
            if scope.users.iter().any(is_theirs) {
                for user in scope.users.iter_mut().filter(|user| is_theirs(user)) {
                    FORGOTTEN.clone_into(user);
                }
                connection.execute(
                    "UPDATE run SET scope = ?2 WHERE id = ?1",
                    params![run, storable("a run's scope", &scope)?],
                )?;
            }
        }
        for (table, column) in [("share", "confirmed_by"), ("waiver", "approved_by")] {
            let mut statement = connection.prepare(&format!(
                "SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"
            ))?;
            let deciders = statement
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()?;
            for name in deciders.iter().filter(|name| is_theirs(name)) {
                connection.execute(
                    &format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1"),
                    [name.as_str(), FORGOTTEN],
                )?;
            }
        }
        let mut statement = connection
            .prepare("SELECT id, answered_by FROM principal WHERE source = ?1 AND answered_by IS NOT NULL")?;
        let sites = statement
            .query_map([self.source], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        for (site, answered_by) in sites {
            let mut names: Vec<String> = stored("a list of names", &answered_by)?;
            let before = names.len();
            names.retain(|name| !is_theirs(name));
            if names.len() < before {
                let left = (!names.is_empty()).then(|| storable("a list of names", &names));
                connection.execute(
                    "UPDATE principal SET answered_by = ?2 WHERE id = ?1",
                    params![site, left.transpose()?],
                )?;
            }
        }
        // The next scan asks who it is.
        connection.execute(
            "UPDATE principal SET manager = NULL
             WHERE source = ?1 AND lower(manager) IN (SELECT value FROM json_each(?2))",
            params![self.source, storable("names", &self.names)?],
        )?;
        Ok(())
    }

    /// Which of their rows shares of others still name.
    fn named(&self, connection: &Connection) -> Result<BTreeSet<i64>> {
        let mut named = BTreeSet::new();
        let mut statement = connection.prepare(
            "SELECT v.shared_by, v.body FROM share_version v JOIN share s ON s.id = v.share WHERE s.source = ?1",
        )?;
        let mut rows = statement.query([self.source])?;
        while let Some(row) = rows.next()? {
            let sharer: Option<i64> = row.get(0)?;
            let people = match row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)? {
                Some(body) => named_in(body)?,
                None => Vec::new(),
            };
            named.extend(
                sharer
                    .into_iter()
                    .chain(people)
                    .filter(|row| self.rows.contains(row)),
            );
        }
        Ok(named)
    }
}

/// Lets the findings about a share begin no earlier than what is left of it.
fn begin_findings_with_share(connection: &Connection, share: i64) -> Result<()> {
    connection.execute(
        "DELETE FROM finding_version WHERE finding IN (SELECT id FROM finding WHERE share = ?1)
             AND to_run <= (SELECT min(from_run) FROM share_version WHERE share = ?1)",
        [share],
    )?;
    connection.execute(
        "UPDATE finding_version SET from_run = (SELECT min(from_run) FROM share_version WHERE share = ?1)
         WHERE finding IN (SELECT id FROM finding WHERE share = ?1)
             AND from_run < (SELECT min(from_run) FROM share_version WHERE share = ?1)",
        [share],
    )?;
    Ok(())
}
