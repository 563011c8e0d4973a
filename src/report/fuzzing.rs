//! What fuzzing holds the writers to, beside that no text makes them panic.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::book::Book;
use super::text::{csv_cell, is_hidden, shorten, spreadsheet_cell, visible, width};
use super::{Format, Style};

/// A remote text as it is made safe to show.
pub(crate) fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = visible(&text);
    assert!(!shown.chars().any(is_hidden), "{shown:?}");
    assert_eq!(
        read_back(&shown).as_deref(),
        Some(&*text),
        "no two texts look the same"
    );
    for cell in [csv_cell(&text), spreadsheet_cell(&text)] {
        assert!(!cell.chars().any(is_hidden), "{cell:?}");
        assert!(!is_formula(&cell), "{cell:?}");
        assert!(!cell.split(';').any(is_formula), "{cell:?}");
        let mut file = csv::Writer::from_writer(Vec::new());
        assert!(file.write_record(["", &*cell, ""]).is_ok());
        let file = file.into_inner().unwrap_or_default();
        let mut reader = csv::ReaderBuilder::new();
        let mut rows = reader
            .has_headers(false)
            .from_reader(file.as_slice())
            .into_records();
        let row = rows.next().and_then(Result::ok);
        assert_eq!(row.as_ref().and_then(|row| row.get(1)), Some(&*cell));
        assert!(rows.next().is_none(), "one row");
    }
    assert!(!spreadsheet_cell(&text).split([';', ',']).any(is_formula));
    for room in [0, 1, 7, 40] {
        let short = shorten(&text, room);
        assert!(width(&short) <= room.max(1), "{short:?} in {room}");
        assert!(!short.chars().any(is_hidden), "{short:?}");
    }
}

fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

/// Reads escapes back.
fn read_back(shown: &str) -> Option<String> {
    let mut parts = shown.split("\\u{");
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (hex, rest) = part.split_once('}')?;
        text.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
        text.push_str(rest);
    }
    Some(text)
}

/// What every writer makes of a run in which each remote text is this.
pub(crate) fn formats(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let book = Book::filled(&text);
    for format in Format::ALL {
        let written = written(*format, &book);
        if *format != Format::Html {
            // JSON is written in lines, and nothing else of what cannot be seen.
            assert!(
                !written.chars().any(|c| c != '\n' && is_hidden(c)),
                "{format}: {written:?}"
            );
        }
        match format {
            Format::Csv => csv_is_sound(&written, book.findings.len()),
            Format::Json => assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok()),
            Format::Ndjson | Format::Ocsf => assert!(
                written
                    .lines()
                    .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            ),
            Format::Html => html_is_sound(&written),
            Format::Table => {}
        }
    }
}

fn written(format: Format, book: &Book) -> String {
    let mut out = Vec::new();
    let done = super::write(format, Style::default(), book, &mut out);
    assert!(done.is_ok(), "{format}: {done:?}");
    let text = String::from_utf8(out);
    assert!(text.is_ok(), "{format} is text");
    text.unwrap_or_default()
}

fn csv_is_sound(text: &str, findings: usize) {
    assert_eq!(text.lines().count(), findings + 1, "one line a row");
    for row in csv::Reader::from_reader(text.as_bytes()).records().flatten() {
        assert!(!row.iter().any(is_formula), "{row:?}");
    }
}

/// No text becomes a tag, or an attribute: the page has only those that it has anyway.
fn html_is_sound(page: &str) {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let pages = [Book::filled("x"), Book::filled(""), Book::ordinary()];
        pages
            .iter()
            .flat_map(|book| tags(&written(Format::Html, book)))
            .collect()
    });
    for tag in tags(page) {
        assert!(KNOWN.contains(&tag), "{tag}");
    }
    assert!(!page.chars().any(|c| c != '\n' && is_hidden(c)), "{page:?}");
}

/// The tags with the names of their attributes: what a browser makes of a page, whatever its texts are.
fn tags(page: &str) -> HashSet<String> {
    let mut tags = HashSet::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (mut tag, mut is_quoted) = (String::new(), false);
        let mut length = 0;
        for sign in after.chars() {
            match sign {
                '"' => is_quoted = !is_quoted,
                '>' if !is_quoted => break,
                sign if !is_quoted => tag.push(sign),
                _ => {}
            }
            length += sign.len_utf8();
        }
        rest = after.get(length..).unwrap_or_default();
        if tag == "style" || tag == "script" {
            rest = rest.split_once("</").map_or("", |(_, after)| after);
        }
        tags.insert(tag);
    }
    tags
}
