//! The report for people: findings by level, what was read and what was not, sums, and the verdict last,
//! where a reader's eye ends.
//!
//! Written as it is read: the columns have the same widths whatever comes, so that nothing is kept and
//! nothing is left out. An incomplete run says so above and beneath.

use std::io::{self, Write};

use super::{Pages, Style};

mod coverage;
mod findings;
pub(crate) mod screen;
mod totals;
pub(crate) mod words;

pub(crate) use screen::PAGE;

/// Writes a run as a table.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(style: Style, pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let header = pages.header();
    let mut screen = screen::Screen::new(style, out);
    totals::opening(header, &mut screen)?;
    findings::write(pages, &mut screen)?;
    coverage::write(&header.sources, &mut screen)?;
    totals::write(header, &mut screen)
}
