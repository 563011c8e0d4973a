//! What people and programs read: one writer a format over one source of findings.
//!
//! Writers read a run through [`Pages`], one finding at a time; none holds them all. All text in a
//! finding but `message` is remote: each writer makes it safe for its own format, by [`text`].

use std::io;

use crate::model::names;

#[cfg(any(test, fuzzing))]
#[expect(clippy::unwrap_used, reason = "an invented run, for tests and fuzzing only")]
pub(crate) mod book;
pub mod csv;
pub mod discretion;
mod flat;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod history;
pub mod html;
pub mod json;
pub mod metrics;
pub mod ndjson;
pub mod ocsf;
pub mod table;
pub mod text;
pub mod view;
pub mod words;

pub(crate) use json::compact;
pub(crate) use table::PAGE;

#[cfg(test)]
mod tests;

/// A stored run, read one finding at a time.
pub trait Pages {
    /// Everything but findings and shares.
    fn header(&self) -> &view::Header;

    /// Visits every finding, the worst first; a visitor's error ends the walk and is returned.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn findings(&self, visit: &mut dyn FnMut(view::Finding) -> std::io::Result<()>) -> std::io::Result<()>;

    /// Visits the run's events but for its end, with their numbers in the run, beginning after a number, and gives how
    /// many there are in all. The same run has the same events, in the same order, whenever they are read.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn events(
        &self,
        after: u64,
        visit: &mut dyn FnMut(u64, view::Happening) -> std::io::Result<()>,
    ) -> std::io::Result<u64>;

    /// Visits every share of the run's scope; none unless all shares were asked for.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn shares(&self, visit: &mut dyn FnMut(view::Share) -> std::io::Result<()>) -> std::io::Result<()>;

    /// What the last runs that looked at the same came to, the earliest first; this run is the last of them.
    ///
    /// # Errors
    /// Whatever the underlying store reports.
    fn trend(&self) -> std::io::Result<Vec<view::Point>>;
}

names! {
    /// How a report is written.
    Format {
        /// For people, on a terminal or in a file.
        Table = "table",
        /// The whole report as one document.
        Json = "json",
        /// One event a line.
        Ndjson = "ndjson",
        /// One finding a row.
        Csv = "csv",
        /// One OCSF Compliance Finding a line.
        Ocsf = "ocsf",
        /// A page for a browser, for people.
        Html = "html",
    }
}

/// How what people read looks; the formats for programs always look the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colour and weight.
    pub color: bool,
    /// How many columns there are; `None` where there is no terminal.
    pub width: Option<u16>,
    /// The language of the page; the table is in English.
    pub language: words::Language,
}

/// Writes a run in a format.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports; what was written until then is not complete.
pub fn write(format: Format, style: Style, pages: &dyn Pages, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Table => table::write(style, pages, out),
        Format::Json => json::write(pages, out),
        Format::Ndjson => ndjson::write(pages, out),
        Format::Csv => csv::write(pages, out),
        Format::Ocsf => ocsf::write(pages, out),
        Format::Html => html::write(style.language, pages, out),
    }
}
