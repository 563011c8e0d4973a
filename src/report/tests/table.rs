use proptest::prelude::*;

use super::{HOSTILE, book::Book, written};
use crate::model::Verdict;
use crate::report::{Format, Style};

fn drawn(width: Option<u16>, book: &Book) -> String {
    written(
        Format::Table,
        Style {
            width,
            ..Style::default()
        },
        book,
    )
}

fn last_words(book: &Book) -> String {
    let table = drawn(None, book);
    table.rsplit("\n\n").next().unwrap().to_owned()
}

#[test]
fn on_paper() {
    insta::assert_snapshot!(drawn(None, &Book::ordinary()));
}

#[test]
fn on_a_narrow_terminal() {
    insta::assert_snapshot!(drawn(Some(80), &Book::ordinary()));
}

#[test]
fn in_color() {
    let style = Style {
        color: true,
        width: Some(100),
        ..Style::default()
    };
    insta::assert_snapshot!(written(Format::Table, style, &Book::ordinary()).replace('\u{1b}', "␛"));
}

#[test]
fn with_hostile_names() {
    let tables = HOSTILE
        .iter()
        .take(4)
        .map(|text| drawn(Some(100), &Book::filled(text)));
    insta::assert_snapshot!(tables.collect::<Vec<_>>().join("\n=====\n"));
}

#[test]
fn only_a_complete_run_looks_clean() {
    let mut book = Book::clean();
    assert_eq!(
        last_words(&book),
        "COMPLETE: everything in scope was read; no findings.\n"
    );
    book.header.run.verdict = Verdict::Limited;
    book.header.sources[0].verdict = Verdict::Limited;
    insta::assert_snapshot!(last_words(&book), @"LIMITED: everything within reach was read; what is out of reach in cloud is named above. 0 findings in 60 shares.");
    book.header.run.verdict = Verdict::Incomplete;
    book.header.sources[0].verdict = Verdict::Incomplete;
    let table = drawn(None, &book);
    assert_eq!(table.matches("INCOMPLETE: ").count(), 2, "above and beneath");
    insta::assert_snapshot!(last_words(&book), @"
    INCOMPLETE: cloud could not be read in full; this report does not show everything. What was read has 0 findings in 60
    shares.
    ");
}

#[test]
fn nearly_everything_is_not_everything() {
    let mut book = Book::clean();
    book.header.sources[0].inventory.known_percent = 99.999;
    assert!(drawn(None, &book).contains("99.9 % known"));
}

#[test]
fn every_standing_finding_is_drawn_however_many() {
    let mut book = Book::ordinary();
    let one = book.findings[0].clone();
    book.findings = (0..300)
        .map(|number| {
            let mut finding = one.clone();
            finding.id = format!("{number:016x}");
            finding
        })
        .collect();
    let table = drawn(None, &book);
    assert!(book.findings.iter().all(|finding| table.contains(&finding.id)));
    assert_eq!(table.matches("CRITICAL").count(), 1);
}

proptest! {
    #![proptest_config(super::cases(24))]

    #[test]
    fn nothing_remote_reaches_the_terminal(text in ".{0,60}", hostile in prop::sample::select(HOSTILE), width in 20..200_u16) {
        for text in [text.as_str(), hostile, &format!("{text}{hostile}{text}")] {
            let table = drawn(Some(width), &Book::filled(text));
            prop_assert!(!table.chars().any(|c| c != '\n' && crate::report::text::is_hidden(c)));
            prop_assert!(table.contains("\n\nINCOMPLETE:"));
        }
    }
}
