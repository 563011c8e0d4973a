//! Where the table is drawn: a width, whether there is colour, and titles, lines and columns alike.

use std::io::{self, Write};

use anstyle::Style as Tint;
use comfy_table::{
    Attribute, Cell, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width,
};

use super::super::{Style, text};

/// Without a terminal, the width of a page on its side.
pub(crate) const PAGE: u16 = 120;
/// Narrower terminals wrap; on wider ones the eye would lose the line.
const NARROWEST: u16 = 60;
const WIDEST: u16 = 160;

/// Blanks between columns, and no line but one beneath a header.
const LINES: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Where the table is drawn.
pub(crate) struct Screen<'a> {
    color: bool,
    width: u16,
    out: &'a mut dyn Write,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(style: Style, out: &'a mut dyn Write) -> Self {
        let width = style.width.unwrap_or(PAGE).clamp(NARROWEST, WIDEST);
        Self {
            color: style.color,
            width,
            out,
        }
    }

    pub(crate) fn width(&self) -> u16 {
        self.width
    }

    /// Writes a blank line, and a title with a rule to the right edge.
    pub(crate) fn title(&mut self, tint: Tint, title: &str) -> io::Result<()> {
        let room = usize::from(self.width).saturating_sub(text::width(title) + 1);
        let title = self.paint(tint, title);
        let rule = self.paint(Tint::new().dimmed(), &"─".repeat(room));
        writeln!(self.out, "\n{title} {rule}")
    }

    /// Writes a paragraph from edge to edge.
    pub(crate) fn paragraph(&mut self, tint: Tint, words: &str) -> io::Result<()> {
        let mut table = self.table(&[self.width], vec![Row::from([words])]);
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 0));
        });
        for line in table.trim_fmt().lines() {
            let line = self.paint(tint, line);
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// Writes rows in columns of these widths, the blanks between them included.
    pub(crate) fn rows(&mut self, widths: &[u16], rows: Vec<Row>) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{}", self.table(widths, rows).trim_fmt())
    }

    /// The same beneath a header.
    pub(crate) fn rows_beneath(&mut self, header: &[&str], widths: &[u16], rows: Vec<Row>) -> io::Result<()> {
        let mut table = self.table(widths, rows);
        table.set_header(header.iter().map(faint));
        writeln!(self.out, "{}", table.trim_fmt())
    }

    /// Writes an empty line.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    fn table(&self, widths: &[u16], rows: Vec<Row>) -> Table {
        let mut table = Table::new();
        table
            .force_no_tty()
            .load_style(LINES)
            .set_width(self.width)
            .add_rows(rows);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_constraints(
            widths
                .iter()
                .map(|width| ColumnConstraint::Absolute(Width::Fixed(*width))),
        );
        table.column_iter_mut().for_each(|column| {
            column.set_padding((1, 1));
        });
        if self.color {
            table.enforce_styling().style_text_only();
        }
        table
    }

    fn paint(&self, tint: Tint, words: &str) -> String {
        if self.color {
            format!("{tint}{words}{tint:#}")
        } else {
            words.to_owned()
        }
    }
}

/// A cell that stands out.
pub(crate) fn strong(words: impl ToString) -> Cell {
    Cell::new(words).add_attribute(Attribute::Bold)
}

/// A cell that steps back.
pub(crate) fn faint(words: impl ToString) -> Cell {
    Cell::new(words).add_attribute(Attribute::Dim)
}
