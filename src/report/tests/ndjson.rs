use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{HOSTILE, book::Book, written};
use crate::report::{Format, Style, ndjson::Event};

fn lines(book: &Book) -> (String, Vec<Map<String, Value>>) {
    let text = written(Format::Ndjson, Style::default(), book);
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (text, lines)
}

#[test]
fn one_event_a_line() {
    let book = Book::ordinary();
    let (text, lines) = lines(&book);
    insta::assert_snapshot!(text);
    assert_eq!(lines.len(), book.findings.len() + book.changes.len() + 1);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["event_id"], format!("{}-{}", book.header.run.id, number + 1));
        assert!(
            line.values().all(|value| !value.is_array() && !value.is_object()),
            "flat"
        );
        assert!(line["event"].as_str().unwrap().parse::<Event>().is_ok());
    }
    for (line, finding) in lines.iter().zip(&book.findings) {
        assert_eq!(line["event"], Event::of(finding.status).as_str());
        assert_eq!(line["finding"], finding.id);
        assert_eq!(line["status"], finding.status.as_str());
        assert_eq!(
            line["share"].as_str(),
            finding.share.as_ref().map(|share| share.id.as_str())
        );
    }
    let changed = &lines[book.findings.len()];
    assert_eq!(changed["event"], "share_changed");
    assert!(changed["finding"].is_null() && changed["rule"].is_null() && !changed["share"].is_null());
    assert_eq!(changed["changed"], "access; password; expires; recipients");
    assert_eq!(
        (&changed["was_access"], &changed["was_password"]),
        (&"view".into(), &true.into())
    );
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["verdict"], "incomplete");
    assert_eq!(last["findings"], book.header.totals.findings);
    assert_eq!(last["policy_digest"], book.header.run.policy.digest);
}

#[test]
fn a_run_without_findings_still_says_that_it_ran() {
    let (_, lines) = lines(&Book::clean());
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["verdict"], &lines[0]["findings"]),
        (&"complete".into(), &0.into())
    );
}

proptest! {
    #![proptest_config(super::cases(24))]

    #[test]
    fn whatever_the_names_lines_stay_lines(text in ".{0,60}", hostile in prop::sample::select(HOSTILE)) {
        for text in [text.as_str(), hostile, &format!("{text}{hostile}{text}")] {
            let book = Book::filled(text);
            let (ndjson, lines) = lines(&book);
            prop_assert!(!ndjson.chars().any(|c| c != '\n' && crate::report::text::is_hidden(c)));
            prop_assert_eq!(lines.len(), book.findings.len() + book.changes.len() + 1);
            prop_assert_eq!(&lines[0]["path"], text, "as the service told it");
        }
    }
}
