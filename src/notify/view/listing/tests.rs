use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::notify::letter::{Content, Digest, Language};
use crate::notify::{Attached, IN_FULL, Renderer, Role, Sender, compose, sample};

fn renderer() -> &'static Renderer {
    static RENDERER: LazyLock<Renderer> = LazyLock::new(|| {
        let facts = Facts {
            sender: "Share audit".into(),
            contact: "it-security@example.org".into(),
            zone: TimeZone::UTC,
            sources: BTreeMap::new(),
        };
        Renderer::new(&BTreeMap::new(), facts).unwrap()
    });
    &RENDERER
}

fn listed(language: Language, entries: &[Entry]) -> List {
    let at = "2026-11-26T02:00:00Z".parse().unwrap();
    let mut listing = renderer().list(language, at, "alice@example.org");
    for entry in entries {
        listing.add(entry);
    }
    listing.finish()
}

/// The rows of a list, as a spreadsheet that separates by this sees them.
fn rows(csv: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let text = csv.strip_prefix(MARK).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn poster(item: &str) -> Entry {
    Entry {
        item: item.to_owned(),
        ..sample::digest().entries.swap_remove(2)
    }
}

#[test]
fn each_finding_has_a_row_and_what_is_due_comes_first() {
    for language in Language::ALL {
        let list = listed(*language, &sample::digest().entries);
        assert_eq!(
            (list.reader.as_str(), list.name.as_str()),
            ("alice@example.org", "shares-2026-11-26")
        );
        let text = String::from_utf8(list.csv.unwrap()).unwrap();
        insta::assert_snapshot!(format!("list.{language}"), text.replace('\r', ""));
    }
}

#[test]
fn a_name_that_is_not_told_is_in_no_list() {
    let list = listed(Language::En, &[poster("")]);
    let rows = rows(&list.csv.unwrap(), b',');
    assert_eq!(rows[1][2], "(name not shown; ask us with the number)");
}

#[test]
fn a_list_that_is_too_long_is_none_and_keeps_nothing() {
    let mut listing = renderer().list(Language::De, Timestamp::UNIX_EPOCH, "alice@example.org");
    let entry = poster(&"x".repeat(10_000));
    for _ in 0..140 {
        listing.add(&entry);
    }
    assert!(listing.failed.is_none() && listing.length > LONGEST / 2);
    for _ in 0..10_000 {
        listing.add(&entry);
    }
    assert!(listing.rows.is_empty());
    assert!(
        listing
            .finish()
            .csv
            .unwrap_err()
            .contains("longer than 1500000 bytes")
    );
    // Quotation marks count twice.
    let quotes = poster(&"\"".repeat(1_000_000));
    assert!(listed(Language::De, &[quotes]).csv.is_err());
}

/// Names that mean something to a spreadsheet.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "=",
            "+",
            "-",
            "@",
            "＝",
            ",",
            ";",
            "\"",
            "'",
            " ",
            "\t",
            "\r",
            "\n",
            "\u{202e}",
            "\u{feff}",
            "cmd|' /C calc'!A0",
            "a",
            "\u{a0}",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The cells that a spreadsheet would take for formulas, whichever of the two separators it expects.
fn formulas(csv: &[u8]) -> Vec<String> {
    let cells = [b',', b';']
        .into_iter()
        .flat_map(|delimiter| rows(csv, delimiter).concat());
    let is_formula = |cell: &String| {
        cell.trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
    };
    cells.filter(is_formula).collect()
}

#[test]
fn what_a_spreadsheet_cuts_elsewhere_is_no_formula_either() {
    for name in [
        "=1",
        "a;=1",
        "a,=1",
        "a,\"=1+1\"",
        "a;\"=1+1\"",
        "a,\"\"@x",
        "\"\",=1",
    ] {
        for language in Language::ALL {
            let csv = listed(*language, &[poster(name)]).csv.unwrap();
            assert!(
                formulas(&csv).is_empty(),
                "{language} {name} {:?}",
                formulas(&csv)
            );
        }
    }
}

proptest! {
    #[test]
    fn no_cell_is_a_formula_however_it_is_opened(name in hostile(), who in hostile()) {
        let entry = Entry { role: Role::Sharer(who), ..poster(&name) };
        for language in Language::ALL {
            let csv = listed(*language, std::slice::from_ref(&entry)).csv.unwrap();
            let own = if *language == Language::En { b',' } else { b';' };
            let read = rows(&csv, own);
            prop_assert_eq!(read.len(), 2);
            prop_assert!(read.iter().all(|row| row.len() == COLUMNS.len()));
            prop_assert!(formulas(&csv).is_empty(), "{:?}", formulas(&csv));
        }
    }
}

#[test]
fn microsoft_graph_takes_a_letter_with_the_longest_list() {
    let sender = crate::notify::Addressee {
        name: None,
        address: "audit@example.org".into(),
    };
    let entries = sample::digest()
        .entries
        .into_iter()
        .cycle()
        .take(IN_FULL)
        .collect();
    let letter = sample::letter(
        Language::Fr,
        Content::Digest(Digest {
            entries,
            ..Digest::default()
        }),
    );
    let rendered = renderer().render(&letter).unwrap();
    let attached = Attached {
        name: "list.zip".into(),
        content_type: "application/zip",
        bytes: vec![0xff; LONGEST + 1_000],
    };
    let message = compose(
        &Sender::new(&sender, None).unwrap(),
        &letter,
        &rendered,
        Some(&attached),
    );
    // It travels as a text in base64.
    let length = message.unwrap().bytes.len().div_ceil(3) * 4;
    assert!((2_500_000..3_500_000).contains(&length), "{length}");
}
