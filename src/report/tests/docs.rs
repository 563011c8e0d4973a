//! `docs/report.md` says what the code does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{book::Book, written};
use crate::model::{ProblemCode, Status, Verdict};
use crate::report::ndjson::{self, Event};
use crate::report::{Format, Style, csv, flat, history::Milestone};

const DOCS: &str = include_str!("../../../docs/report.md");

/// The cells of the table beneath a heading, row by row.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = DOCS
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading || !line.starts_with('#'));
    let rows = section
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| `"));
    let rows: Vec<_> = rows
        .map(|row| row.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    assert!(!rows.is_empty(), "no table beneath `{heading}`");
    rows
}

fn names(heading: &str) -> Vec<&'static str> {
    rows(heading)
        .into_iter()
        .map(|row| row[0].trim_matches('`'))
        .collect()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_key_of_the_document_is_listed() {
    let text = written(Format::Json, Style::default(), &Book::ordinary());
    let document: Value = serde_json::from_str(&text).unwrap();
    for (heading, pointer) in [
        ("Report", ""),
        ("Tool", "/tool"),
        ("Run", "/run"),
        ("Scope", "/run/scope"),
        ("Policy", "/run/policy"),
        ("Source", "/sources/0"),
        ("Accounts", "/sources/0/accounts"),
        ("Inventory", "/sources/0/inventory"),
        ("Requests", "/sources/0/requests"),
        ("Control", "/sources/0/control/link"),
        ("Problem", "/sources/0/problems/0"),
        ("Totals", "/totals"),
        ("Notice", "/notices/0"),
        ("Finding", "/findings/0"),
        ("Waiver", "/findings/5/waiver"),
        ("Remedy", "/findings/0/remedy"),
        ("Share", "/findings/0/share"),
        ("Item", "/findings/0/share/item"),
        ("Principal", "/findings/0/share/owner"),
    ] {
        let object = document.pointer(pointer).unwrap();
        assert_eq!(
            names(heading).into_iter().collect::<BTreeSet<_>>(),
            keys(object),
            "{heading}"
        );
    }
}

#[test]
fn every_problem_code_is_listed_with_its_effect() {
    let rows = rows("Problem codes");
    let listed: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let codes: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, codes);
    for (row, code) in rows.iter().zip(ProblemCode::ALL) {
        assert_eq!(row[1], code.effect().as_str(), "{code}");
        assert!(
            row.len() == 4 && !row[2].is_empty() && !row[3].is_empty(),
            "{code}"
        );
    }
}

#[test]
fn verdicts_statuses_and_events_are_listed() {
    assert_eq!(
        names("Verdicts"),
        Verdict::ALL
            .iter()
            .map(|verdict| verdict.as_str())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        names("Statuses"),
        Status::ALL
            .iter()
            .map(|status| status.as_str())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        names("Events"),
        Event::ALL.iter().map(|event| event.as_str()).collect::<Vec<_>>()
    );
    assert_eq!(
        names("Reports"),
        Format::ALL
            .iter()
            .map(|format| format.as_str())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        names("History"),
        Milestone::ALL
            .iter()
            .map(|milestone| milestone.as_str())
            .collect::<Vec<_>>()
    );
    for row in rows("Statuses") {
        let status: Status = row[0].trim_matches('`').parse().unwrap();
        assert_eq!(row[2].trim_matches('`'), Event::of(status).as_str());
    }
}

#[test]
fn every_column_and_field_is_listed() {
    let columns: Vec<_> = csv::columns().skip(2).collect();
    assert_eq!(names("Flat finding"), columns);
    let text = written(Format::Ndjson, Style::default(), &Book::ordinary());
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let listed = |headings: &[&str]| {
        let listed = headings.iter().flat_map(|heading| names(heading));
        let listed: BTreeSet<_> = listed.filter(|name| !flat::OF_NOW.contains(name)).collect();
        listed
    };
    assert!(
        flat::OF_NOW
            .iter()
            .all(|name| names("Flat finding").contains(name))
    );
    for line in &lines[..lines.len() - 1] {
        assert_eq!(keys(line), listed(&["Event", "Flat finding", "What was before"]));
    }
    assert_eq!(keys(lines.last().unwrap()), listed(&["Event", "Run finished"]));
    let mut line = Vec::new();
    ndjson::write_letter(&super::discretion::letter(), &mut line).unwrap();
    let letter: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(keys(&letter), listed(&["Letter"]));
    line.clear();
    ndjson::write_change(&super::discretion::change(), &mut line).unwrap();
    let change: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(keys(&change), listed(&["Action"]));
}
