//! The whole report as one JSON document, schema `sharewarden.report/v1`.
//!
//! One source, finding and share a line, so that two reports can be compared by `diff`; the keys stand in
//! the documented order. Strings hold exactly what the service told; what could not be seen in them
//! is written as `\uXXXX`, which means the same to a reader of JSON and nothing to a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::{Pages, text, view::Header};

/// Writes a run as JSON.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let Header {
        schema,
        tool,
        run,
        sources,
        totals,
        notices,
    } = pages.header();
    out.write_all(b"{\n")?;
    field(out, "schema", schema)?;
    field(out, "tool", tool)?;
    field(out, "run", run)?;
    list(out, "sources", |visit| sources.iter().try_for_each(visit))?;
    out.write_all(b",\n")?;
    field(out, "totals", totals)?;
    list(out, "notices", |visit| notices.iter().try_for_each(visit))?;
    out.write_all(b",\n")?;
    list(out, "findings", |visit| {
        pages.findings(&mut |finding| visit(&finding))
    })?;
    out.write_all(b",\n")?;
    list(out, "shares", |visit| pages.shares(&mut |share| visit(&share)))?;
    out.write_all(b"\n}\n")
}

fn field(out: &mut dyn Write, name: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "  \"{name}\": ")?;
    compact(value, out)?;
    out.write_all(b",\n")
}

/// Writes a list whose elements `walk` hands over one by one.
fn list<T: Serialize>(
    out: &mut dyn Write,
    name: &str,
    walk: impl FnOnce(&mut dyn FnMut(&T) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<()> {
    write!(out, "  \"{name}\": [")?;
    let mut before: &[u8] = b"\n    ";
    let mut end: &[u8] = b"]";
    walk(&mut |element| {
        out.write_all(before)?;
        (before, end) = (b",\n    ", b"\n  ]");
        compact(element, out)
    })?;
    out.write_all(end)
}

/// Writes a value on one line, whatever is in its strings.
pub(crate) fn compact(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    value
        .serialize(&mut Serializer::with_formatter(out, Visible))
        .map_err(io::Error::from)
}

/// Compact JSON that escapes what a reader could not see.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| text::is_hidden(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escape)
    }
}
