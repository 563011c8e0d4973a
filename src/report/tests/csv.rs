use proptest::prelude::*;

use super::{HOSTILE, book::Book, written};
use crate::report::{Format, Style, csv::columns};

fn rows(book: &Book) -> (String, Vec<csv::StringRecord>) {
    let text = written(Format::Csv, Style::default(), book);
    let rows = csv::Reader::from_reader(text.as_bytes())
        .into_records()
        .map(Result::unwrap)
        .collect();
    (text, rows)
}

fn cell<'a>(row: &'a csv::StringRecord, column: &str) -> &'a str {
    &row[columns().position(|name| name == column).unwrap()]
}

#[test]
fn one_finding_a_row() {
    let book = Book::ordinary();
    let (text, rows) = rows(&book);
    insta::assert_snapshot!(text);
    assert_eq!(rows.len(), book.findings.len());
    for (row, finding) in rows.iter().zip(&book.findings) {
        assert_eq!(cell(row, "finding"), finding.id);
        assert_eq!(cell(row, "rule"), finding.rule.as_str());
        assert_eq!(cell(row, "verdict"), "incomplete");
        let path = finding.share.as_ref().map_or("", |share| &share.item.path);
        assert_eq!(cell(row, "path"), path);
    }
}

#[test]
fn without_findings_the_header_stands_alone() {
    let (text, rows) = rows(&Book::clean());
    assert!(rows.is_empty());
    assert_eq!(text, columns().collect::<Vec<_>>().join(",") + "\n");
}

proptest! {
    #![proptest_config(super::cases(24))]

    #[test]
    fn whatever_the_names_cells_stay_cells(text in ".{0,60}", hostile in prop::sample::select(HOSTILE)) {
        for text in [text.as_str(), hostile, &format!("{text}{hostile}{text}")] {
            let book = Book::filled(text);
            let (csv, rows) = rows(&book);
            prop_assert_eq!(rows.len(), book.findings.len());
            prop_assert_eq!(csv.lines().count(), book.findings.len() + 1, "one line a row");
            for cell in rows.iter().flatten() {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']));
                prop_assert!(!cell.chars().any(crate::report::text::is_hidden));
            }
        }
    }
}
