//! What people are told: who is concerned by what in a night, and which letter told what of it.
//!
//! What concerns whom is put aside in temporary tables, which outlast neither the process nor a crash, and read again
//! reader by reader: nothing holds all of it. No letter's words are stored.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use super::pages::instant;
use super::sharing::principal_by_row;
use super::{Ledger, Result, durably, named, storable, stored};
use crate::model::{FindingId, Principal, PrincipalClass, SourceKind, SourceName};
use crate::notify::{Outcome, Reader};
use crate::plan::Notice;

/// Who reads what came of a night.
pub const ADMINISTRATORS: &str = "administrators";

/// A share that concerns somebody.
#[derive(Clone, Copy, Debug)]
pub struct Concerned<'a> {
    /// Whom: a person, whatever accounts they have.
    pub person: &'a str,
    /// The source.
    pub source: &'a SourceName,
    /// The account through which it concerns them; `None` where they are known by an address only.
    pub account: Option<&'a str>,
    /// The share's id.
    pub share: &'a str,
    /// Whether somebody else is told where they cannot be.
    pub by_others: bool,
}

/// Somebody who is concerned.
#[derive(Clone, Debug)]
pub struct Person {
    /// Tells them from others.
    pub key: String,
    /// Their accounts through which they are concerned.
    pub accounts: Vec<(SourceName, SourceKind, Principal)>,
    /// Whether anything concerns them of which somebody else is told where they cannot be.
    pub by_others: bool,
}

/// A letter that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct LetterStart<'a> {
    /// Tells it from all others.
    pub key: &'a str,
    /// Its thread.
    pub thread: &'a str,
    /// Who reads it, whatever address they have.
    pub reader: &'a str,
    /// Where it goes.
    pub address: &'a str,
    /// Whom it tells.
    pub told: Reader,
    /// Why it does not go to the owner.
    pub instead: Option<&'a str>,
    /// The id of the run whose picture it tells.
    pub run: &'a str,
    /// A digest of what it says.
    pub content: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What a letter tells of a finding.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The finding.
    pub finding: FindingId,
    /// Its source.
    pub source: SourceName,
    /// The account that is told of it, or that somebody else is told for.
    pub account: Option<String>,
    /// How it stands, as the teller reads it again.
    pub stood: String,
    /// The day on which something will be done.
    pub due: Option<Date>,
    /// Whether it is told in full, not only as one of a number.
    pub in_full: bool,
    /// What will be done to its share, as the letter says to the owner.
    pub notice: Option<Notice>,
}

/// What a reader last heard of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// How it stood; `None` where an earlier version told of it.
    pub stood: Option<String>,
    /// What was due.
    pub due: Option<Date>,
    /// When.
    pub at: Timestamp,
}

/// A letter of which is not known whether it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its key.
    pub key: String,
    /// Where it was to go.
    pub address: String,
    /// When it was begun.
    pub at: Timestamp,
}

/// What an owner's own letter said will be done to a share, and was accepted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promised {
    /// The letter's key.
    pub letter: String,
    /// The finding that it was said with.
    pub finding: FindingId,
    /// When the letter was accepted.
    pub at: Timestamp,
    /// What it said.
    pub notice: Notice,
}

/// Takes whom a share concerns, through which account, and the body.
type Visit<'v, T> = dyn FnMut(&str, Option<String>, T) -> Result<()> + 'v;

impl Ledger {
    /// Begins to put aside what concerns whom; what was put aside before is gone.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn gather(&mut self) -> Result<()> {
        Ok(self.connection.execute_batch(
            "DROP TABLE IF EXISTS temp.concern;
             DROP TABLE IF EXISTS temp.reader;
             CREATE TEMP TABLE concern (
                 person TEXT NOT NULL, source INTEGER NOT NULL, share TEXT NOT NULL, account TEXT,
                 by_others INTEGER NOT NULL, body TEXT NOT NULL, reader TEXT,
                 PRIMARY KEY (person, source, share)) WITHOUT ROWID;
             CREATE INDEX temp.concern_reader ON concern (reader) WHERE reader IS NOT NULL;
             CREATE TEMP TABLE reader (last INTEGER NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
                 PRIMARY KEY (last, key)) WITHOUT ROWID;",
        )?)
    }

    /// Puts aside that a share concerns somebody. The same share concerns the same person once: as it was put aside first.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn put_aside(&self, concerned: Concerned<'_>, body: &impl Serialize) -> Result<()> {
        let Concerned {
            person,
            source,
            account,
            share,
            by_others,
        } = concerned;
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO temp.concern (person, source, share, account, by_others, body)
                 SELECT ?1, id, ?3, ?4, ?5, ?6 FROM source WHERE name = ?2",
            )?
            .execute(params![
                person,
                source.as_str(),
                share,
                account,
                by_others,
                storable("what concerns somebody", body)?
            ])?;
        Ok(())
    }

    /// The next person in the order of their keys whom something concerns.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn next_person(&self, after: &str) -> Result<Option<Person>> {
        let connection = &self.connection;
        let found: Option<(String, bool)> = connection
            .prepare_cached(
                "SELECT person, max(by_others) FROM temp.concern
                 WHERE person = (SELECT min(person) FROM temp.concern WHERE person > ?1) GROUP BY person",
            )?
            .query_row([after], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((key, by_others)) = found else {
            return Ok(None);
        };
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT o.name, o.kind, p.id FROM temp.concern c CROSS JOIN source o ON o.id = c.source
             CROSS JOIN principal p ON p.source = c.source AND p.class IN ('account', 'site') AND p.key = c.account
             WHERE c.person = ?1 ORDER BY o.id, p.id",
        )?;
        let rows = statement
            .query_map([&key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(String, String, i64)>>>()?;
        let mut accounts = Vec::new();
        for (source, kind, row) in rows {
            if let Some(principal) = principal_by_row(connection, row)? {
                accounts.push((
                    SourceName::new(source),
                    named("a kind of source", &kind)?,
                    principal,
                ));
            }
        }
        Ok(Some(Person {
            key,
            accounts,
            by_others,
        }))
    }

    /// An account, as far as it is known, by its id, which Microsoft 365 has in lower case.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn account(&self, source: &SourceName, id: &str) -> Result<Option<(SourceKind, Principal)>> {
        let found: Option<(String, i64)> = self
            .connection
            .prepare_cached(
                "SELECT o.kind, p.id FROM source o JOIN principal p ON p.source = o.id
                 WHERE o.name = ?1 AND p.class = ?2 AND p.key IN (?3, lower(?3)) ORDER BY p.key = ?3 DESC LIMIT 1",
            )?
            .query_row(params![source.as_str(), PrincipalClass::Account.as_str(), id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((kind, row)) = found else {
            return Ok(None);
        };
        let principal = principal_by_row(&self.connection, row)?;
        let kind = named("a kind of source", &kind)?;
        Ok(principal.map(|principal| (kind, principal)))
    }

    /// The accounts of the directories with an address.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn accounts_at(&self, address: &str) -> Result<Vec<(SourceKind, Principal)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.id FROM principal p JOIN source o ON o.id = p.source
             WHERE o.kind = ?1 AND p.class = ?2 AND lower(p.email) = lower(?3) ORDER BY p.id",
        )?;
        let kind = SourceKind::Microsoft365;
        let rows = statement
            .query_map(
                params![kind.as_str(), PrincipalClass::Account.as_str(), address],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let mut accounts = Vec::new();
        for row in rows {
            accounts.extend(principal_by_row(&self.connection, row)?.map(|principal| (kind, principal)));
        }
        Ok(accounts)
    }

    /// Has what concerns a person be told to a reader, who is known by this body; of all, or of what others are told where
    /// the person cannot be. Readers who are `last` come after all others.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn direct(
        &self,
        person: &str,
        (reader, last): (&str, bool),
        body: &impl Serialize,
        all: bool,
    ) -> Result<()> {
        self.add_reader(reader, last, body)?;
        self.connection
            .prepare_cached("UPDATE temp.concern SET reader = ?2 WHERE person = ?1 AND (?3 OR by_others)")?
            .execute(params![person, reader, all])?;
        Ok(())
    }

    /// Has what one reader was to be told be told to another one, as far as others are told.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn redirect(&self, from: &str, (reader, last): (&str, bool), body: &impl Serialize) -> Result<()> {
        self.add_reader(reader, last, body)?;
        self.connection
            .prepare_cached("UPDATE temp.concern SET reader = ?2 WHERE reader = ?1 AND by_others")?
            .execute([from, reader])?;
        Ok(())
    }

    fn add_reader(&self, reader: &str, last: bool, body: &impl Serialize) -> Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO temp.reader (key, last, body) VALUES (?1, ?2, ?3)")?
            .execute(params![reader, last, storable("a reader", body)?])?;
        Ok(())
    }

    /// Leaves out a reader who is told nothing, unless something more is to be told to them.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn spare(&self, reader: &str) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM temp.reader WHERE key = ?1")?
            .execute([reader])?;
        Ok(())
    }

    /// The next reader, in the order of their keys.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn next_reader<T: DeserializeOwned>(
        &self,
        after: Option<(bool, &str)>,
    ) -> Result<Option<(bool, String, T)>> {
        let (last, key) = after.map_or((-1, ""), |(last, key)| (i64::from(last), key));
        let found: Option<(bool, String, String)> = self
            .connection
            .prepare_cached("SELECT last, key, body FROM temp.reader WHERE (last, key) > (?1, ?2) ORDER BY last, key LIMIT 1")?
            .query_row(params![last, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((last, key, body)) = found else {
            return Ok(None);
        };
        Ok(Some((last, key, stored("a reader", &body)?)))
    }

    /// Visits what is to be told to a reader: whom each share concerns, through which account, and the body.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file, or the visitor's.
    pub fn read_by<T: DeserializeOwned>(&self, reader: &str, visit: &mut Visit<'_, T>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT person, account, body FROM temp.concern WHERE reader = ?1 ORDER BY person, source, share",
        )?;
        let mut rows = statement.query([reader])?;
        while let Some(row) = rows.next()? {
            let (person, body): (String, String) = (row.get(0)?, row.get(2)?);
            visit(&person, row.get(1)?, stored("what concerns somebody", &body)?)?;
        }
        Ok(())
    }

    /// What was last told of a finding in a thread, as far as it is known to have left or may have; nothing where the
    /// finding ended since.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn heard(&self, thread: &str, finding: &FindingId) -> Result<Option<Heard>> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT t.stood, t.due, l.began_at FROM telling t JOIN letter l ON l.id = t.letter
                 WHERE t.finding = ?2 AND l.thread = ?1 AND COALESCE(l.outcome, 'unknown') IN ('accepted', 'unknown')
                   AND NOT EXISTS (
                     SELECT 1 FROM finding f JOIN finding_version v ON v.finding = f.id
                     WHERE f.key = t.finding AND v.from_run > l.run AND v.status IN ('resolved', 'closed-by-policy'))
                 ORDER BY l.id DESC LIMIT 1",
            )?
            .query_row([thread, finding.as_str()], |row| {
                let due: Option<String> = row.get(1)?;
                Ok(Heard {
                    stood: row.get(0)?,
                    due: due.and_then(|day| day.parse().ok()),
                    at: instant(row.get(2)?),
                })
            })
            .optional()?)
    }

    /// When the last letter of a thread was sent, and the digest of what it said.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn last_letter(&self, thread: &str) -> Result<Option<(Timestamp, String)>> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT began_at, content FROM letter
                 WHERE thread = ?1 AND COALESCE(outcome, 'unknown') IN ('accepted', 'unknown')
                 ORDER BY began_at DESC, id DESC LIMIT 1",
            )?
            .query_row([thread], |row| Ok((instant(row.get(0)?), row.get(1)?)))
            .optional()?)
    }

    /// When an address was refused for good, if nothing was accepted there since.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn refused_at(&self, address: &str) -> Result<Option<Timestamp>> {
        let last: Option<(Option<String>, i64)> = self
            .connection
            .prepare_cached(
                "SELECT outcome, began_at FROM letter WHERE address = ?1 AND outcome IN ('accepted', 'refused')
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row([address], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(last
            .filter(|(outcome, _)| outcome.as_deref() == Some(Outcome::Refused.as_str()))
            .map(|(_, at)| instant(at)))
    }

    /// Whether a letter ever went to an address, or may have.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn was_written_to(&self, address: &str) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT 1 FROM letter WHERE address = ?1 COLLATE NOCASE AND COALESCE(outcome, 'unknown') IN ('accepted', 'unknown')",
            )?
            .exists([address])?)
    }

    /// Records that a letter is about to be sent, and what it tells: it outlasts a crash once this returns. False, and
    /// nothing is recorded, where the same letter was accepted, or may have left.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn letter_begins(
        &mut self,
        letter: &LetterStart<'_>,
        tell: impl FnOnce(&Self, &mut dyn FnMut(&Telling) -> Result<()>) -> Result<()>,
    ) -> Result<bool> {
        let this = &*self;
        durably(this, |connection| {
            let row: Option<i64> = connection
                .prepare_cached(
                    "INSERT INTO letter (key, thread, reader, address, told, instead, run, content, began_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, COALESCE((SELECT id FROM run WHERE key = ?7), 0), ?8, ?9)
                     ON CONFLICT (key) DO UPDATE SET address = excluded.address, began_at = excluded.began_at,
                         outcome = NULL, ended_at = NULL, reply = NULL
                         WHERE outcome IN ('refused', 'failed')
                     RETURNING id",
                )?
                .query_row(
                    params![
                        letter.key,
                        letter.thread,
                        letter.reader,
                        letter.address,
                        letter.told.as_str(),
                        letter.instead,
                        letter.run,
                        letter.content,
                        letter.at.as_second()
                    ],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(row) = row else {
                return Ok(false);
            };
            tell(this, &mut |telling| add_telling(connection, row, telling))?;
            Ok(true)
        })
    }

    /// Records what became of a letter, and what the mail server said.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn letter_ended(&mut self, key: &str, outcome: Outcome, at: Timestamp, reply: &str) -> Result<()> {
        durably(self, |connection| {
            connection.execute(
                "UPDATE letter SET outcome = ?2, ended_at = ?3, reply = ?4 WHERE key = ?1 AND outcome IS NULL",
                params![key, outcome.as_str(), at.as_second(), reply],
            )?;
            Ok(())
        })
    }

    /// The letters that a run was killed over, until somebody was told: of them is not known whether they left, and they are
    /// not sent again.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn lost_letters(&self) -> Result<Vec<Lost>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, address, began_at FROM letter WHERE outcome IS NULL ORDER BY id")?;
        let lost = statement
            .query_map([], |row| {
                Ok(Lost {
                    key: row.get(0)?,
                    address: row.get(1)?,
                    at: instant(row.get(2)?),
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(lost)
    }

    /// Records of lost letters that somebody was told of them.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn give_up_letters(&mut self, lost: &[Lost], at: Timestamp) -> Result<()> {
        durably(self, |connection| {
            let mut statement = connection.prepare_cached(
                "UPDATE letter SET outcome = ?1, ended_at = ?2 WHERE key = ?3 AND outcome IS NULL",
            )?;
            for letter in lost {
                statement.execute(params![Outcome::Unknown.as_str(), at.as_second(), letter.key])?;
            }
            Ok(())
        })
    }

    /// What owners' own letters said will be done and were accepted for, until it is [settled](Self::settle_promise).
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn promised(&self) -> Result<Vec<Promised>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.key, t.finding, l.ended_at, t.offer FROM telling t JOIN letter l ON l.id = t.letter
             WHERE t.offer IS NOT NULL AND t.in_full AND l.outcome = 'accepted' AND l.told = 'owner'
             ORDER BY l.id, t.finding",
        )?;
        let mut rows = statement.query([])?;
        let mut promised = Vec::new();
        while let Some(row) = rows.next()? {
            let (finding, notice): (String, String) = (row.get(1)?, row.get(3)?);
            promised.push(Promised {
                letter: row.get(0)?,
                finding: FindingId::stored(finding),
                at: instant(row.get(2)?),
                notice: stored("what was announced", &notice)?,
            });
        }
        Ok(promised)
    }

    /// Records that what a letter said is on record as announced, or that its owner was reminded, or that it no longer
    /// matters.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn settle_promise(&mut self, promised: &Promised) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE telling SET offer = NULL
                 WHERE letter = (SELECT id FROM letter WHERE key = ?1) AND finding = ?2",
            )?
            .execute(params![promised.letter, promised.finding.as_str()])?;
        Ok(())
    }
}

fn add_telling(connection: &Connection, letter: i64, telling: &Telling) -> Result<()> {
    let notice = telling.notice.as_ref();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO telling (letter, finding, source, account, stood, due, in_full, offer)
             SELECT ?1, ?2, id, ?4, ?5, ?6, ?7, ?8 FROM source WHERE name = ?3",
        )?
        .execute(params![
            letter,
            telling.finding.as_str(),
            telling.source.as_str(),
            telling.account,
            telling.stood,
            telling.due.map(|day| day.to_string()),
            telling.in_full,
            notice
                .map(|notice| storable("what is announced", notice))
                .transpose()?
        ])?;
    Ok(())
}

/// Forgets the letters from before a time, but for those that still say that somebody was told: the last of each thread
/// that told of a finding which is not forgotten.
pub(super) fn forget_letters(connection: &Connection, time: Timestamp) -> Result<()> {
    connection.execute(
        "DELETE FROM letter WHERE began_at < ?1 AND outcome IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM telling t JOIN finding f ON f.key = t.finding
             WHERE t.letter = letter.id AND letter.outcome IN ('accepted', 'unknown') AND NOT EXISTS (
                 SELECT 1 FROM telling n JOIN letter m ON m.id = n.letter
                 WHERE n.finding = t.finding AND n.letter > t.letter AND m.thread = letter.thread
                   AND m.outcome IN ('accepted', 'unknown')))",
        [time.as_second()],
    )?;
    Ok(())
}

/// Forgets what somebody was told, by the rows of their accounts, which are still there: the letters to them, and what others
/// were told in their stead, or of what was theirs, which is gone already. A letter of which nothing is left goes too.
pub(super) fn forget_told(connection: &Connection, source: i64, accounts: &str) -> Result<()> {
    const THEIRS: &str = "SELECT letter, finding FROM telling WHERE source = ?1 AND (
         account IN (SELECT key FROM principal WHERE id IN (SELECT value FROM json_each(?2)))
         OR finding NOT IN (SELECT key FROM finding))";
    connection.execute(
        "DELETE FROM telling WHERE letter IN (
             SELECT l.id FROM letter l JOIN principal p ON l.reader = 'address:' || lower(p.email)
                 OR (l.told IN ('owner', 'manager') AND lower(l.address) IN (lower(p.email), lower(p.key)))
             WHERE p.id IN (SELECT value FROM json_each(?1)))",
        [accounts],
    )?;
    let mut statement = connection.prepare(THEIRS)?;
    let theirs = statement
        .query_map(params![source, accounts], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
    for (letter, finding) in theirs {
        connection
            .prepare_cached("DELETE FROM telling WHERE letter = ?1 AND finding = ?2")?
            .execute(params![letter, finding])?;
    }
    // Summaries tell of no finding, and of nobody.
    connection.execute(
        "DELETE FROM letter WHERE reader <> ?1 AND id NOT IN (SELECT letter FROM telling)",
        [ADMINISTRATORS],
    )?;
    Ok(())
}
