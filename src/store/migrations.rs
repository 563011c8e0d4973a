//! Brings a state file up to date: what a file of an earlier version knows, this one knows.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use super::sharing::values_of;
use super::{Result, StoreError, tag_of};

/// The migrations, oldest first; the file's `user_version` counts those it has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_drives.sql"),
    include_str!("migrations/0003_memory.sql"),
    include_str!("migrations/0004_short.sql"),
    include_str!("migrations/0005_changes.sql"),
    include_str!("migrations/0006_letters.sql"),
    include_str!("migrations/0007_managers.sql"),
    include_str!("migrations/0008_exports.sql"),
    include_str!("migrations/0009_evidence.sql"),
];

/// Makes the migrations that a file has not seen, in one transaction: of two processes the second one waits, and finds
/// nothing to do.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    // Tables are rebuilt: what refers to them must not go with the old ones.
    connection.pragma_update(None, "foreign_keys", false)?;
    // A file that is up to date is not waited for, and need not be written.
    if !pending(connection, path)?.is_empty() {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        functions(&transaction)?;
        for migration in pending(&transaction, path)? {
            transaction.execute_batch(migration)?;
        }
        let now = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        transaction.pragma_update(None, "user_version", now)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// The migrations that a file has not seen.
pub(super) fn pending(connection: &Connection, path: &Path) -> Result<&'static [&'static str]> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = version as usize;
    if version == 0 && connection.prepare("SELECT 1 FROM sqlite_schema")?.exists([])? {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
        });
    }
    MIGRATIONS.get(version..).ok_or_else(|| StoreError::Newer {
        path: path.to_owned(),
        found: version,
        known: MIGRATIONS.len(),
    })
}

/// What SQL alone cannot do.
pub(super) fn functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("tag_of", 2, flags, |context: &Context<'_>| {
        let text: Option<String> = context.get(1)?;
        let class: Option<i64> = context.get(0)?;
        Ok(text.map(|text| tag_of(class.unwrap_or_default(), &text)))
    })?;
    connection.create_scalar_function("number_of", 1, flags, |context: &Context<'_>| {
        let digest: String = context.get(0)?;
        // One that is none is no reading's: its share counts as changed.
        Ok(super::number_of(&digest))
    })?;
    connection.create_scalar_function("values_of", 1, flags, |context: &Context<'_>| {
        let body: Option<String> = context.get(0)?;
        let values = body.map(|body| values_of(&body)).transpose();
        values.map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
    })
}
