//! One finding a row, for spreadsheets (RFC 4180, UTF-8; lines end with LF).
//!
//! No cell can become a formula, and none holds a line end: see [`text::csv_cell`]. What could not be
//! read has no row; each row says what the run's result is worth, and the exit code does without rows.

use std::io::{self, Write};

use serde_json::Value;

use super::{Pages, flat, text};

/// The names of the columns, in their order.
pub fn columns() -> impl Iterator<Item = &'static str> {
    ["run", "verdict"]
        .into_iter()
        .chain(flat::FIELDS.iter().map(|(name, _)| *name))
}

/// Writes a run's findings as CSV.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let run = &pages.header().run;
    let mut table = csv::Writer::from_writer(out);
    table.write_record(columns())?;
    pages.findings(&mut |finding| {
        table.write_field(&*text::csv_cell(&run.id))?;
        table.write_field(run.verdict.as_str())?;
        for (_, value) in flat::FIELDS {
            table.write_field(cell(&value(&finding)))?;
        }
        Ok(table.write_record(None::<&[u8]>)?)
    })?;
    table.flush()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text::csv_cell(text).into_owned(),
        other => other.to_string(),
    }
}
