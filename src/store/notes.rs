//! Texts that many rows have in common, kept once.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Result, tag_of};

/// The text of a row that a version of a share or a finding, `v`, names in such a column.
macro_rules! note_text {
    ($column:literal) => {
        concat!("(SELECT text FROM note WHERE id = ", $column, ")")
    };
}
pub(super) use note_text;

/// The row of a text, made if need be.
pub(super) fn note(connection: &Connection, text: &str) -> Result<i64> {
    let tag = tag_of(0, text);
    let known = connection
        .prepare_cached("SELECT id FROM note WHERE tag = ?1 AND text = ?2")?
        .query_row(params![tag, text], |row| row.get(0))
        .optional()?;
    if let Some(row) = known {
        return Ok(row);
    }
    Ok(connection
        .prepare_cached("INSERT INTO note (tag, text) VALUES (?1, ?2)")?
        .insert(params![tag, text])?)
}
