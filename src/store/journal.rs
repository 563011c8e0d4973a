//! The journal of what was changed: a chain of lines, each with a hash over the one before, so that none can be changed,
//! left out or put in without all after it.

use std::collections::BTreeSet;
use std::io;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::announcements::carried_out;
use super::sharing::{Loader, RawShare, SHARE_COLUMNS, principal_by_row, share_row};
use super::{Ledger, Result, durably, storable, stored};
use crate::enforce::Place;
use crate::enforce::{Deed, Entry, Journal, JournalError, KnownShare, Outcome, State, Who};
use crate::model::{Principal, Share, SourceName, long_digest};
use crate::report::view;

/// What stands for the hash before the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A chain in which everything fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many lines it has.
    pub entries: u64,
    /// The last hash; `None` where nothing was ever changed.
    pub head: Option<String>,
}

/// A chain that was meddled with, or damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal is broken at line {at}: {why}")]
pub struct Broken {
    /// The first line that does not fit.
    pub at: i64,
    /// What is wrong there.
    pub why: String,
}

impl Ledger {
    /// Walks the whole journal: every line is there, in order, and fits the one before. `contains` is a hash that an export
    /// once told; where it is none of the chain's, lines at the end are missing, or the whole was written anew.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn verify_journal(&self, contains: Option<&str>) -> Result<std::result::Result<Verified, Broken>> {
        Ok(verify(&self.connection, contains)?)
    }

    /// The last hash of the journal; `None` where nothing was ever changed.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn journal_head(&self) -> Result<Option<String>> {
        Ok(head(&self.connection)?.map(|(_, hash)| hash))
    }

    /// Visits the lines after one, oldest first; of one run of changes only, if so asked.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file; within, what the visitor gave.
    pub fn journal(
        &self,
        after: i64,
        run: Option<&str>,
        visit: &mut dyn FnMut(view::Change) -> io::Result<()>,
    ) -> Result<io::Result<()>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, hash, entry FROM journal WHERE seq > ?1 AND (?2 IS NULL OR run = ?2) ORDER BY seq",
        )?;
        let mut rows = statement.query(params![after, run])?;
        while let Some(row) = rows.next()? {
            let entry = stored("a line of the journal", &row.get::<_, String>(2)?)?;
            if let Err(error) = visit(change(row.get(0)?, row.get(1)?, entry)) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn entries(&self, query: &str, named: &str) -> Result<Vec<Entry>> {
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query([named])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(stored("a line of the journal", &row.get::<_, String>(0)?)?);
        }
        Ok(entries)
    }

    fn append_entry(&self, entry: &Entry) -> Result<()> {
        let (line, entry) = (entry, storable("a line of the journal", entry)?);
        durably(self, |connection| {
            let (last, before) = head(connection)?.unwrap_or_else(|| (0, NOTHING.to_owned()));
            let seq = last.saturating_add(1);
            connection
                .prepare_cached("INSERT INTO journal (seq, entry, hash) VALUES (?1, ?2, ?3)")?
                .execute(params![seq, entry, link(&before, seq, &entry)])?;
            carried_out(connection, line)
        })
    }

    /// What was last read of a share, whether it is still there or not.
    fn last_known(&self, source: &SourceName, share: &str) -> Result<Option<KnownShare>> {
        let connection = &self.connection;
        let Some(source_row) = self.known_source(source)? else {
            return Ok(None);
        };
        let Some(row) = share_row(connection, source_row, share)? else {
            return Ok(None);
        };
        let raw = connection
            .prepare_cached(&format!(
                "SELECT {SHARE_COLUMNS} FROM share s JOIN share_version v ON v.share = s.id JOIN item i ON i.id = v.item
                 WHERE s.id = ?1 AND v.body IS NOT NULL ORDER BY v.from_run DESC LIMIT 1"
            ))?
            .query_row([row], |row| RawShare::read(row, 0))
            .optional()?;
        let gone = self.gone_among(source, &BTreeSet::from([share]))? > 0;
        let mut loader = Loader::new(connection, source.clone(), "");
        let known = raw.map(|raw| loader.share(raw)).transpose()?.flatten();
        Ok(known.map(|share| KnownShare {
            item: Place {
                id: share.item.id,
                kind: share.item.kind,
                drive: share.item.drive,
            },
            path: share.item.path,
            label: share.label,
            gone,
        }))
    }

    fn fill_people(&self, share: &mut Share) -> Result<()> {
        let Some(source) = self.known_source(&share.source)? else {
            return Ok(());
        };
        let people = std::iter::once(&mut share.owner)
            .chain(&mut share.shared_by)
            .chain(&mut share.recipients)
            .chain(&mut share.opened_by);
        for person in people {
            fill_person(&self.connection, source, person)?;
        }
        Ok(())
    }
}

impl Journal for Ledger {
    fn append(&mut self, entry: &Entry) -> std::result::Result<(), JournalError> {
        self.append_entry(entry).map_err(failed)
    }

    fn of_action(&self, action: &str) -> std::result::Result<Vec<Entry>, JournalError> {
        self.entries("SELECT entry FROM journal WHERE action = ?1 ORDER BY seq", action)
            .map_err(failed)
    }

    fn of_run(&self, run: &str) -> std::result::Result<Vec<Entry>, JournalError> {
        self.entries("SELECT entry FROM journal WHERE run = ?1 ORDER BY seq", run)
            .map_err(failed)
    }

    fn unsettled(&self, source: &SourceName) -> std::result::Result<Vec<Entry>, JournalError> {
        self.entries(
            "SELECT entry FROM journal i WHERE source = ?1 AND event = 'intent' AND NOT EXISTS (
                 SELECT 1 FROM journal r WHERE r.run = i.run AND r.action IS i.action AND r.event = 'receipt'
                     AND r.seq > i.seq)
             ORDER BY seq",
            source.as_str(),
        )
        .map_err(failed)
    }

    fn fill(&self, share: &mut Share) -> std::result::Result<(), JournalError> {
        self.fill_people(share).map_err(failed)
    }

    fn known(
        &self,
        source: &SourceName,
        share: &str,
    ) -> std::result::Result<Option<KnownShare>, JournalError> {
        self.last_known(source, share).map_err(failed)
    }
}

/// A line as it is exported.
fn change(seq: i64, hash: String, entry: Entry) -> view::Change {
    let (who, sudo) = match entry.who {
        Who::User { name, sudo } => (name, sudo),
        Who::Schedule => ("schedule".to_owned(), None),
    };
    let seen = |state: State| view::Seen {
        kind: state.seen.kind,
        audience: state.seen.audience,
        access: state.seen.access,
        password: state.seen.password,
        expires: state.seen.expires,
        recipients: state.seen.recipients,
    };
    view::Change {
        seq,
        hash,
        time: entry.at,
        run: entry.run,
        phase: entry.event.as_str(),
        who,
        sudo,
        plan: entry.plan,
        undoes: entry.undoes,
        action: entry.action,
        deed: entry.deed.map(Deed::as_str),
        source: entry.source.map(|source| source.to_string()),
        finding: entry.finding.map(|finding| finding.as_str().to_owned()),
        share: entry.share,
        act_as: entry.act_as,
        value: entry.value,
        also_ends: entry.also_ends,
        receipt: entry.outcome.map(Outcome::as_str),
        detail: entry.detail,
        before: entry.before.map(seen),
        after: entry.after.map(seen),
    }
}

fn failed(error: super::StoreError) -> JournalError {
    JournalError(Box::new(error))
}

/// The last line's number and hash.
fn head(connection: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    connection
        .prepare_cached("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The hash of a line.
fn link(before: &str, seq: i64, entry: &str) -> String {
    long_digest(&format!("{before}\n{seq}\n{entry}"))
}

/// See [`Ledger::verify_journal`].
pub(super) fn verify(
    connection: &Connection,
    contains: Option<&str>,
) -> rusqlite::Result<std::result::Result<Verified, Broken>> {
    let broken = |at: i64, why: &str| {
        Ok(Err(Broken {
            at,
            why: why.to_owned(),
        }))
    };
    let mut statement = connection.prepare("SELECT seq, entry, hash FROM journal ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let (mut entries, mut before, mut found) = (0_i64, NOTHING.to_owned(), contains.is_none());
    while let Some(row) = rows.next()? {
        let expected = entries.saturating_add(1);
        let seq: i64 = row.get(0)?;
        if seq != expected {
            return broken(expected, "it is missing");
        }
        let (Some(entry), Some(hash)) = (text(row.get_ref(1)?), text(row.get_ref(2)?)) else {
            return broken(seq, "it is no text");
        };
        if link(&before, seq, entry) != hash {
            return broken(seq, "it, or its hash, is not what was written");
        }
        if serde_json::from_str::<Entry>(entry).is_err() {
            return broken(seq, "this version cannot read it");
        }
        found = found || contains.is_some_and(|head| head.eq_ignore_ascii_case(hash));
        hash.clone_into(&mut before);
        entries = seq;
    }
    let told: Option<String> = connection
        .prepare_cached(
            "SELECT key FROM run WHERE journal_head IS NOT NULL
             AND journal_head NOT IN (SELECT hash FROM journal) ORDER BY id LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    if let Some(run) = told {
        let why = format!("the scan {run} told of a head that is in no line: lines at its end are missing");
        return broken(entries.saturating_add(1), &why);
    }
    if !found {
        return broken(
            entries.saturating_add(1),
            "the given head is in no line: lines at its end are missing, or all were written anew",
        );
    }
    Ok(Ok(Verified {
        entries: u64::try_from(entries).unwrap_or_default(),
        head: (entries > 0).then_some(before),
    }))
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Adds what is known of a person, group or address; what scans were told counts before what one answer says.
fn fill_person(connection: &Connection, source: i64, person: &mut Principal) -> Result<()> {
    let row: Option<i64> = connection
        .prepare_cached("SELECT id FROM principal WHERE source = ?1 AND class = ?2 AND key = ?3")?
        .query_row(params![source, person.class.as_str(), person.id], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(row) = row else { return Ok(()) };
    if let Some(known) = principal_by_row(connection, row)? {
        let told = std::mem::replace(person, known);
        person.name = person.name.take().or(told.name);
        person.email = person.email.take().or(told.email);
        person.guest = person.guest.or(told.guest);
        person.active = person.active.or(told.active);
        person.members = person.members.or(told.members);
        person.outsiders = person.outsiders.or(told.outsiders);
    }
    Ok(())
}
