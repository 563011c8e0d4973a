//! The list of all that a reader is told, as CSV for spreadsheets: one finding a row. Pure.
//!
//! No cell becomes a formula, and none holds a link. Names stand in full, where the letter tells them at all. What is due comes
//! first, then what is grave.

use std::cmp::Reverse;

use csv::{StringRecord, Terminator, WriterBuilder};
use jiff::Timestamp;
use jiff::civil::Date;
use minijinja::Value;

use super::View;
use crate::model::Level;
use crate::notify::letter::{Entry, Language, List, Told};
use crate::notify::render::{Facts, RenderError};
use crate::notify::words::{Part, Words};
use crate::report::text::spreadsheet_cell;

/// The longest list, in bytes. Microsoft Graph takes requests of 4 MB: a letter with a list of this length, encrypted, encoded
/// as an attachment and encoded again as a message, has 3 MB.
const LONGEST: usize = 1_500_000;
/// Tells a spreadsheet that it reads UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// The texts that stand above the columns.
const COLUMNS: [&str; 17] = [
    "list.number",
    "summary.level",
    "list.item",
    "list.item_kind",
    "list.product",
    "list.source",
    "list.kind",
    "digest.audience",
    "digest.access",
    "list.password",
    "digest.since",
    "list.since",
    "digest.wrong",
    "digest.todo",
    "list.due_on",
    "digest.due",
    "digest.role",
];

/// What comes first: what is due soonest, then what is gravest.
type Order = (bool, Option<Date>, Reverse<Level>);

/// Writes a list, share by share.
#[derive(Debug)]
pub struct Listing<'a> {
    view: View<'a>,
    language: Language,
    reader: &'a str,
    rows: Vec<(Order, StringRecord)>,
    /// How many bytes they have.
    length: usize,
    failed: Option<String>,
}

impl<'a> Listing<'a> {
    /// Nothing yet.
    pub(in crate::notify) fn new(
        words: &'a Words,
        facts: &'a Facts,
        language: Language,
        at: Timestamp,
        reader: &'a str,
    ) -> Self {
        let view = View {
            voice: words.voice(Part::Text),
            facts,
            today: at.to_zoned(facts.zone.clone()).date(),
        };
        Self {
            view,
            language,
            reader,
            rows: Vec::new(),
            length: 0,
            failed: None,
        }
    }

    /// Adds a share; once the list is too long, nothing is kept of it.
    pub fn add(&mut self, entry: &Entry) {
        for told in &entry.findings {
            if self.failed.is_some() {
                return;
            }
            match self.row(entry, told) {
                Ok(row) => {
                    self.length += row.as_slice().len() + row.len();
                    let due = entry.due.as_ref().map(|due| due.on);
                    self.rows.push(((due.is_none(), due, Reverse(told.level)), row));
                }
                Err(error) => self.failed = Some(error.to_string()),
            }
            if self.length > LONGEST {
                self.failed = Some(too_long());
                self.rows = Vec::new();
            }
        }
    }

    /// The list.
    #[must_use]
    pub fn finish(mut self) -> List {
        let name = format!("shares-{}", self.view.today);
        let reader = self.reader.to_owned();
        let csv = match self.failed.take() {
            Some(why) => Err(why),
            None => self.csv().and_then(|csv| {
                if csv.len() > LONGEST {
                    Err(too_long())
                } else {
                    Ok(csv)
                }
            }),
        };
        List { reader, name, csv }
    }

    fn csv(mut self) -> Result<Vec<u8>, String> {
        self.rows.sort_by_key(|(order, _)| *order);
        // What spreadsheets of these languages expect.
        let delimiter = match self.language {
            Language::En => b',',
            Language::De | Language::Fr => b';',
        };
        let mut table = WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(Terminator::CRLF)
            .from_writer(MARK.to_vec());
        let titles = COLUMNS.iter().map(|key| self.view.voice.say(key, &[]));
        let titles: Vec<_> = titles
            .collect::<Result<_, _>>()
            .map_err(|error: RenderError| error.to_string())?;
        let titles: StringRecord = titles.iter().map(Value::to_string).collect();
        let rows = self.rows.iter().map(|(_, row)| row);
        for row in std::iter::once(&titles).chain(rows) {
            table.write_record(row).map_err(|error| error.to_string())?;
        }
        table.into_inner().map_err(|error| error.to_string())
    }

    /// The cells of a finding, in the order of [`COLUMNS`].
    fn row(&self, entry: &Entry, told: &Told) -> Result<StringRecord, RenderError> {
        let view = &self.view;
        let say = |key: &str| view.voice.say(key, &[]);
        let item = if entry.item.is_empty() {
            say("list.no_name")?
        } else {
            entry.item.as_str().into()
        };
        let password = match entry.password {
            Some(true) => "list.yes",
            Some(false) => "list.no",
            None => "list.unknown",
        };
        let since = if entry.since_made {
            "list.since_made"
        } else {
            "list.since_seen"
        };
        let cells = [
            told.id.as_str().into(),
            view.level(told.level)?,
            item,
            say(&format!("item.{}", entry.item_kind))?,
            view.product(entry.product)?,
            entry.source.as_str().into(),
            say(&format!("kind.{}", entry.kind))?,
            view.audience(entry)?,
            view.access(entry)?,
            say(password)?,
            entry.since.to_string().into(),
            say(since)?,
            view.of_rule("rule", told.rule, entry)?,
            view.of_rule("todo", told.rule, entry)?,
            entry
                .due
                .as_ref()
                .map_or_else(String::new, |due| due.on.to_string())
                .into(),
            view.due(entry.due.as_ref())?,
            view.role(&entry.role)?.unwrap_or_else(|| "".into()),
        ];
        let cells = cells.iter().map(Value::to_string);
        Ok(cells.map(|cell| spreadsheet_cell(&cell).into_owned()).collect())
    }
}

fn too_long() -> String {
    format!("the list is longer than {LONGEST} bytes")
}

#[cfg(test)]
mod tests;
