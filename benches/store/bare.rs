//! Bare rusqlite: the same columns in plain tables, by prepared statements, in transactions of the same size.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sharewarden::model::{Principal, Share};

use crate::invented::{Part, parts};
use crate::{Figures, Outcome, TOGETHER};

const TABLES: &str = "
    CREATE TABLE person (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
    CREATE TABLE item (id INTEGER PRIMARY KEY, drive TEXT NOT NULL, key TEXT NOT NULL, size INTEGER, UNIQUE (drive, key));
    CREATE TABLE share (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, first_run INTEGER NOT NULL, read_run INTEGER NOT NULL,
        read_scope TEXT NOT NULL, kind TEXT NOT NULL, anonymous INTEGER NOT NULL, owner INTEGER NOT NULL, shared_by INTEGER,
        item INTEGER NOT NULL, path TEXT NOT NULL, access INTEGER NOT NULL, password INTEGER, created_at INTEGER,
        link TEXT, recipients TEXT NOT NULL);";

pub(crate) fn measure(path: &Path, shares: u32) -> Outcome<Figures> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(TABLES)?;
    let parts = parts(shares);
    let mut people = HashMap::new();
    let stored = write(&connection, &parts, &mut people, 1)?;
    let compared = write(&connection, &parts, &mut people, 2)?;
    drop(connection);
    Ok(Figures {
        steps: vec![("stored", stored), ("compared with the run before", compared)],
        bytes: path.metadata()?.len(),
    })
}

fn write(
    connection: &Connection,
    parts: &[Part],
    people: &mut HashMap<String, i64>,
    run: i64,
) -> Outcome<Duration> {
    let mut took = Duration::ZERO;
    for part in parts {
        let mut gathered = Vec::new();
        let mut keep = |gathered: &mut Vec<(String, Share)>| -> Outcome<()> {
            let began = Instant::now();
            let transaction = connection.unchecked_transaction()?;
            for (scope, share) in gathered.iter() {
                one(&transaction, people, run, scope, share)?;
            }
            transaction.commit()?;
            took += began.elapsed();
            gathered.clear();
            Ok(())
        };
        for (scope, shares) in part.batches() {
            gathered.extend(shares.into_iter().map(|share| (scope.clone(), share)));
            if gathered.len() >= TOGETHER as usize {
                keep(&mut gathered)?;
            }
        }
        keep(&mut gathered)?;
    }
    Ok(took)
}

fn one(
    transaction: &Transaction<'_>,
    people: &mut HashMap<String, i64>,
    run: i64,
    scope: &str,
    share: &Share,
) -> Outcome<()> {
    let mut person = |person: &Principal| -> Outcome<i64> {
        if let Some(row) = people.get(&person.id) {
            return Ok(*row);
        }
        let row = transaction
            .prepare_cached(
                "INSERT INTO person (key) VALUES (?1) ON CONFLICT DO UPDATE SET key = key RETURNING id",
            )?
            .query_row([&person.id], |row| row.get(0))?;
        people.insert(person.id.clone(), row);
        Ok(row)
    };
    let owner = person(&share.owner)?;
    let shared_by = share.shared_by.as_ref().map(&mut person).transpose()?;
    let recipients: Vec<i64> = share.recipients.iter().map(person).collect::<Outcome<_>>()?;
    let recipients = serde_json::to_string(&recipients)?;
    let drive = share.item.drive.as_deref().unwrap_or_default();
    let size = share.item.size.and_then(|size| i64::try_from(size).ok());
    let created = share.created_at.map(jiff::Timestamp::as_second);
    let known: Option<(i64, bool)> = transaction
        .prepare_cached(
            "SELECT s.id, s.read_scope, s.kind, s.anonymous, s.owner, s.shared_by, s.path, s.access, s.password,
                 s.created_at, s.link, s.recipients, i.drive, i.key, i.size
             FROM share s JOIN item i ON i.id = s.item WHERE s.key = ?1",
        )?
        .query_row([&share.id], |row| {
            let same = row.get_ref(1)?.as_str()? == scope
                && row.get_ref(2)?.as_str()? == share.kind.as_str()
                && row.get::<_, bool>(3)? == share.anonymous
                && row.get::<_, i64>(4)? == owner
                && row.get::<_, Option<i64>>(5)? == shared_by
                && row.get_ref(6)?.as_str()? == share.item.path
                && row.get::<_, u8>(7)? == share.access.bits()
                && row.get::<_, Option<bool>>(8)? == share.password
                && row.get::<_, Option<i64>>(9)? == created
                && row.get_ref(10)?.as_str_or_null()? == share.link.as_deref()
                && row.get_ref(11)?.as_str()? == recipients
                && row.get_ref(12)?.as_str()? == drive
                && row.get_ref(13)?.as_str()? == share.item.id
                && row.get::<_, Option<i64>>(14)? == size;
            Ok((row.get(0)?, same))
        })
        .optional()?;
    if let Some((row, same)) = known {
        if !same {
            return Err(format!("share {} changed", share.id).into());
        }
        transaction
            .prepare_cached("UPDATE share SET read_run = ?2 WHERE id = ?1")?
            .execute([row, run])?;
        return Ok(());
    }
    let item: Option<i64> = transaction
        .prepare_cached("SELECT id FROM item WHERE drive = ?1 AND key = ?2")?
        .query_row([drive, &share.item.id], |row| row.get(0))
        .optional()?;
    let item: i64 = match item {
        Some(row) => row,
        None => transaction
            .prepare_cached("INSERT INTO item (drive, key, size) VALUES (?1, ?2, ?3) RETURNING id")?
            .query_row(params![drive, share.item.id, size], |row| row.get(0))?,
    };
    transaction
        .prepare_cached(
            "INSERT INTO share (key, first_run, read_run, read_scope, kind, anonymous, owner, shared_by, item, path, access,
                 password, created_at, link, recipients)
             VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            share.id,
            run,
            scope,
            share.kind.as_str(),
            share.anonymous,
            owner,
            shared_by,
            item,
            share.item.path,
            share.access.bits(),
            share.password,
            created,
            share.link,
            recipients
        ])?;
    Ok(())
}
