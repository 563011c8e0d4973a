//! Names are chosen by others: whatever they hold, no format is led astray, and each stays recognisable.

use serde_json::{Value, json};

use crate::harness::{Stage, account, add_shares, list, share, small};

const ODD: [&str; 14] = [
    "=HYPERLINK(\"https://attacker.example\",\"click\")",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\u{202e}gpj.exe",
    "zero\u{200b}width\u{feff}",
    "<script>alert(1)</script>",
    "a, b; \"c\" 'd'",
    "日本語 — résumé 😀",
    "\u{ff1d}1+1",
    "a\u{2066}b\u{2069}",
    "| pipe | \u{a0}",
    "${x} {{7*7}} `id`",
    "..",
];

/// What only a share's label can hold, since the server takes any text there.
const LABELS: [&str; 7] = [
    "\u{1b}[2J\u{1b}[31mred",
    "two\nlines",
    "carriage\rreturn",
    "\ttab",
    "bell\u{7}",
    "\u{9b}31m",
    "\u{2028}line",
];

/// A name as a file can have it.
fn file_name(name: &str) -> String {
    name.replace('/', "\u{2215}").replace("..", ".x.")
}

fn world() -> Value {
    let mut world = small();
    for (place, name) in ODD.iter().enumerate() {
        let id = 200 + place as u64;
        let path = format!("/{0}/{0}.txt", file_name(name));
        list(&mut account(&mut world, "alice")["files"]).push(json!({"path": path}));
        add_shares(
            &mut world,
            vec![json!({"id": id, "type": "link", "owner": "alice", "path": path, "label": name})],
        );
    }
    for (place, label) in LABELS.iter().enumerate() {
        let id = 300 + place as u64;
        let raw = json!({"label": label, "displayname_owner": label, "displayname_file_owner": label});
        add_shares(
            &mut world,
            vec![json!({"id": id, "type": "link", "owner": "alice", "path": "/Team", "raw": raw})],
        );
    }
    let raw = json!({"share_with": "=cmd\u{1b}]0;x\u{7}@evil.example", "share_with_displayname": "\u{202e}moc.live"});
    add_shares(
        &mut world,
        vec![
            json!({"id": 400, "type": "mail", "owner": "alice", "path": "/Team", "recipient": "x@y.example", "raw": raw}),
        ],
    );
    account(&mut world, "bob")["name"] = json!("=Bob\u{202e}\u{1b}[31m\nBäcker");
    world
}

/// What no terminal and no spreadsheet is to be given: controls, and what reorders or hides text.
fn is_raw(letter: char) -> bool {
    let hidden = [
        '\u{200b}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{2028}'..='\u{2029}',
    ];
    (letter.is_control() && letter != '\n')
        || letter == '\u{feff}'
        || letter == '\u{a0}'
        || hidden.iter().any(|range| range.contains(&letter))
}

#[test]
fn tables_hold_nothing_that_steers_a_terminal() {
    let stage = Stage::of(&world());
    for arguments in [
        &["scan", "--all-shares"][..],
        &["-vv", "scan"],
        &["--color", "never", "scan"],
    ] {
        let ran = stage.run(&[&["--no-state"], arguments].concat());
        ran.ended(0);
        for (what, text) in [("the table", &ran.out), ("the log", &ran.err)] {
            let raw: Vec<&str> = text.lines().filter(|line| line.chars().any(is_raw)).collect();
            assert!(raw.is_empty(), "{what}: {raw:?}");
        }
    }
    let table = stage.run(&["--no-state", "scan"]).ended(0).out.clone();
    for shown in [
        "\\u{202e}gpj.exe",
        "zero\\u{200b}width",
        "<script>alert(1)",
        "日本語",
        "=HYPERLINK",
    ] {
        assert!(table.contains(shown), "still recognisable: {shown}");
    }
}

#[test]
fn colours_are_the_only_escapes_of_a_coloured_table() {
    let stage = Stage::of(&world());
    let ran = stage.run(&["--no-state", "--color", "always", "scan"]);
    let mut rest = ran.ended(0).out.as_str();
    assert!(rest.contains('\u{1b}'));
    while let Some((_, after)) = rest.split_once('\u{1b}') {
        let sequence = after.strip_prefix('[').unwrap();
        let end = sequence
            .find(|letter: char| !letter.is_ascii_digit() && letter != ';')
            .unwrap();
        assert_eq!(&sequence[end..=end], "m", "{sequence:.40}");
        rest = &sequence[end..];
    }
    assert!(!ran.out.contains("\u{1b}[2J") && !ran.out.contains("\u{1b}]"));
}

#[test]
fn cells_of_a_spreadsheet_begin_no_formula_and_hold_no_line_end() {
    let stage = Stage::of(&world());
    let text = stage
        .run(&["--no-state", "scan", "--format", "csv"])
        .ended(0)
        .out
        .clone();
    assert!(!text.chars().any(is_raw));
    let mut rows = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let columns = rows.headers().unwrap().len();
    let mut number = 0;
    for row in rows.records() {
        let row = row.unwrap();
        number += 1;
        assert_eq!(row.len(), columns);
        for cell in &row {
            assert!(!cell.contains('\n') && !cell.contains('\r'), "{cell:?}");
            for part in cell.split(';') {
                let first = part.trim_start().chars().next();
                let begins =
                    first.is_some_and(|first| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}\t".contains(first));
                assert!(!begins, "{cell:?}");
            }
        }
    }
    assert_eq!(number, text.lines().count() - 1, "one row a line");
    assert!(number > 40);
    assert!(
        text.contains("HYPERLINK") && text.contains("日本語"),
        "still recognisable"
    );
}

#[test]
fn json_holds_exactly_what_was_told_and_ndjson_an_object_a_line() {
    let stage = Stage::of(&world());
    let ran = stage.scan(&["--all-shares"]);
    let report = ran.ended(0).json();
    assert!(!ran.out.chars().any(is_raw), "written as \\uXXXX");
    for (place, label) in LABELS.iter().enumerate() {
        let told = share(&report, &(300 + place).to_string()).unwrap();
        assert_eq!(told["label"], *label);
    }
    for (place, name) in ODD.iter().enumerate() {
        let told = share(&report, &(200 + place).to_string()).unwrap();
        assert_eq!(told["label"], *name);
        let name = file_name(name);
        assert_eq!(told["item"]["name"], format!("{name}.txt"));
        assert_eq!(told["item"]["path"], format!("/{name}/{name}.txt"));
    }
    let events = stage
        .run(&["--no-state", "scan", "--format", "ndjson"])
        .ended(0)
        .out
        .clone();
    assert!(!events.chars().any(is_raw));
    let lines: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, others) = lines.split_last().unwrap();
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["findings"], others.len());
    for event in others {
        assert_eq!(event["event"], "opened");
        let flat = event
            .as_object()
            .unwrap()
            .values()
            .all(|value| !value.is_object() && !value.is_array());
        assert!(flat, "{event}");
    }
    let ids: std::collections::BTreeSet<String> =
        lines.iter().map(|event| event["event_id"].to_string()).collect();
    assert_eq!(ids.len(), lines.len());
}

#[test]
fn pages_hold_names_as_text_only() {
    let stage = Stage::of(&world());
    let page = stage.run(&["--no-state", "scan", "--all-shares", "--format", "html"]);
    let text = &page.ended(0).out;
    assert!(!text.chars().any(is_raw));
    assert_eq!(text.matches("<script").count(), 1);
    assert!(text.contains("&lt;script&gt;alert(1)&lt;") && text.contains("\\u{202e}gpj.exe"));
}
