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
    table.write_record(columns()).map_err(of_csv)?;
    pages.findings(&mut |finding| {
        table.write_field(&*text::csv_cell(&run.id)).map_err(of_csv)?;
        table.write_field(run.verdict.as_str()).map_err(of_csv)?;
        for (_, value) in flat::FIELDS {
            table
                .write_field(cell(&value(&flat::About::finding(&finding))))
                .map_err(of_csv)?;
        }
        table.write_record(None::<&[u8]>).map_err(of_csv)
    })?;
    table.flush()
}

/// Keeps the kind of what went wrong beneath, a closed pipe above all; the crate's own conversion drops it.
pub(crate) fn of_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text::csv_cell(text).into_owned(),
        other => other.to_string(),
    }
}
