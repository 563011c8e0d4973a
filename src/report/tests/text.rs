use std::collections::HashMap;

use comfy_table::Table;
use proptest::prelude::*;

use super::HOSTILE;
use crate::report::text::{csv_cell, is_hidden, shorten, visible, width};

/// What a terminal may act upon or a reader cannot see, listed apart from the code under test.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{3164}' | '\u{2800}' | '\u{34f}')
}

/// Reads escapes back.
fn read_back(shown: &str) -> String {
    let mut parts = shown.split("\\u{");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (hex, rest) = part.split_once('}').unwrap();
        text.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap());
        text.push_str(rest);
    }
    text
}

/// How many columns the table takes a text for.
fn drawn(text: &str) -> usize {
    Table::new().add_row([text]).column_max_content_widths()[0].into()
}

/// Text rich in what matters.
fn wild() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        3 => "[ -~]{0,6}",
        3 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["\u{301}", "\\", "u{", "'", ";", "\u{3000}", "=", "é", "漢"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn escapes_are_recognisable() {
    assert_eq!(visible("invoice\u{202e}fdp.exe"), "invoice\\u{202e}fdp.exe");
    assert_eq!(visible("a\r\nb\u{1b}[2J"), "a\\u{d}\\u{a}b\\u{1b}[2J");
    assert_eq!(
        visible("\u{7f}\u{9b}\u{e0041}\u{378}"),
        "\\u{7f}\\u{9b}\\u{e0041}\\u{378}"
    );
    assert_eq!(
        visible("a\u{a0}b"),
        "a\\u{a0}b",
        "a blank that is not the usual one"
    );
    assert_eq!(visible("C:\\users"), "C:\\users", "a backslash stays");
    assert_eq!(
        visible("\\u{202e}"),
        "\\u{5c}u{202e}",
        "unless it looks like an escape"
    );
    assert_eq!(
        visible("\u{301}a\u{301}"),
        "\\u{301}a\u{301}",
        "a mark needs a letter"
    );
}

#[test]
fn formulas_are_guarded() {
    for (text, cell) in [
        ("=1+1", "'=1+1"),
        ("  -x", "'  -x"),
        ("＠x", "'＠x"),
        ("'=x", "''=x"),
        ("a;=x;b", "a;'=x;b"),
        ("\t=x", "\\u{9}=x"),
        ("a=b", "a=b"),
        ("it's; fine", "it's; fine"),
    ] {
        assert_eq!(csv_cell(text), cell);
    }
}

#[test]
fn long_names_lose_their_middle() {
    assert_eq!(shorten("salaries of everybody.xlsx", 15), "salar…body.xlsx");
    assert_eq!(shorten("short", 5), "short");
    assert_eq!(
        shorten("\u{202e}\u{202e}\u{202e}", 18),
        "…\\u{202e}",
        "an escape is not cut"
    );
    assert_eq!(shorten("日本語日本語", 6), "日…語");
    assert_eq!(shorten("long", 0), "…");
}

#[test]
fn every_dangerous_character_is_hidden_and_every_width_is_enough() {
    for c in '\0'..=char::MAX {
        assert!(is_hidden(c) || !is_dangerous(c), "{c:?}");
        assert!(
            !is_hidden(c) || !c.is_alphanumeric() || "\u{115f}\u{1160}\u{3164}\u{ffa0}".contains(c),
            "{c:?}"
        );
        let measured = matches!(c, '\u{7f}'..'\u{3400}' | '\u{a000}'..'\u{ac00}' | '\u{fe00}'..'\u{10000}' | '\u{1f000}'..'\u{20000}');
        if measured && !is_hidden(c) {
            let shown = format!("a{c}");
            assert!(
                drawn(&shown) <= width(&shown),
                "{c:?} is drawn in {} columns",
                drawn(&shown)
            );
        }
    }
}

#[test]
fn hostile_names_stay_different() {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in HOSTILE {
        assert_eq!(seen.insert(csv_cell(name).into_owned(), name), None);
    }
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn nothing_dangerous_is_shown(text in wild()) {
        prop_assert!(!visible(&text).chars().any(is_dangerous));
        prop_assert!(!csv_cell(&text).chars().any(is_dangerous));
        prop_assert!(!shorten(&text, 10).chars().any(is_dangerous));
    }

    #[test]
    fn ordinary_text_is_unchanged(text in "[A-Za-z0-9àéïõüßÆŁžабвгдαβγאבגاب漢字かな한글 _.,!(){}#~'/\\\\-]{0,40}") {
        // What looks like an escape is one.
        prop_assume!(!text.contains("\\u{"));
        prop_assert_eq!(visible(&text), text.as_str());
    }

    #[test]
    fn shown_text_can_be_read_back(text in wild()) {
        prop_assert_eq!(read_back(&visible(&text)), text);
    }

    #[test]
    fn cells_are_no_formulas(text in wild()) {
        let cell = csv_cell(&text);
        for part in cell.split(';') {
            prop_assert!(!part.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']));
        }
    }

    #[test]
    fn different_names_have_different_cells(text in "[=;' a-]{0,6}", other in "[=;' a-]{0,6}") {
        prop_assert_eq!(csv_cell(&text) == csv_cell(&other), text == other);
    }

    #[test]
    fn shortened_text_fits(text in wild(), room in 1..60_usize) {
        let short = shorten(&text, room);
        let drawn = drawn(&short);
        prop_assert!(drawn <= room);
    }
}
