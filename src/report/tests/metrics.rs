use std::collections::BTreeMap;

use super::book::Book;
use crate::model::Status;
use crate::report::metrics::{self, Changes, Findings, METRICS, Night, State};

const DOCS: &str = include_str!("../../../docs/operation.md");

fn state() -> State {
    let book = Book::ordinary();
    let at = |text: &str| text.parse().unwrap();
    let findings = book.findings.iter().map(|finding| Findings {
        source: finding.source.clone(),
        rule: finding.rule,
        level: finding.level,
        status: finding.status,
        count: 3,
    });
    State {
        night: Some(Night {
            started_at: at("2026-11-22T02:00:00Z"),
            ended_at: at("2026-11-22T02:05:00Z"),
            exit: 3,
            exports: BTreeMap::from([("events".to_owned(), true), ("report".to_owned(), false)]),
            succeeded_at: Some(at("2026-11-21T02:05:00Z")),
        }),
        latest: Some(book.header.clone()),
        succeeded: BTreeMap::from([("cloud".to_owned(), at("2026-11-22T02:04:13Z"))]),
        findings: findings.collect(),
        changes: vec![Changes {
            source: "cloud".to_owned(),
            action: "revoke".to_owned(),
            result: "applied".to_owned(),
            count: 4,
        }],
        letters: BTreeMap::from([("accepted".to_owned(), 12), ("refused".to_owned(), 1)]),
        announced: BTreeMap::from([("cloud".to_owned(), 7)]),
    }
}

fn text(state: &State) -> String {
    let mut out = Vec::new();
    metrics::write(state, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn all_that_is_known_is_told() {
    let text = text(&state());
    insta::assert_snapshot!(text);
    for (name, kind, help) in METRICS {
        assert!(
            text.contains(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name}")),
            "{name}"
        );
    }
}

/// The node exporter skips a file with time stamps, and a metric must not come twice.
#[test]
fn each_line_is_a_name_with_labels_and_a_value() {
    let text = text(&state());
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            series.ends_with('}') || !series.contains(' '),
            "no time stamp: {line}"
        );
        assert!(seen.insert(series.to_owned()), "twice: {line}");
    }
    assert!(text.ends_with('\n') && !text.contains("# EOF"));
}

#[test]
fn a_night_that_never_succeeded_has_no_time_of_success() {
    let mut failed = state();
    failed.night.as_mut().unwrap().succeeded_at = None;
    failed.latest = None;
    failed.succeeded.clear();
    let text = text(&failed);
    assert!(!text.contains("last_success_timestamp_seconds"));
    assert!(text.contains("share_audit_nightly_exit_code 3\n"));
    assert_eq!(
        super::metrics::text(&State::default()).lines().count(),
        3,
        "before the first night there is nothing but the version"
    );
}

#[test]
fn a_source_may_have_any_name_and_nobody_is_a_label() {
    let mut state = state();
    let header = state.latest.as_mut().unwrap();
    header.sources[0].name = "a\"b\\c\nd".to_owned();
    state.findings[0].source = "a\"b\\c\nd".to_owned();
    state.findings[0].status = Status::New;
    let text = text(&state);
    assert!(
        text.contains("share_audit_shares{source=\"a\\\"b\\\\c\\\\u{a}d\"} 57\n"),
        "{text}"
    );
    for name in ["alice", "dave", "student01", "salaries", "/HR"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[test]
fn every_metric_is_documented() {
    for (name, _, _) in METRICS {
        assert!(
            DOCS.contains(&format!("| `{name}`")),
            "docs/operation.md does not tell of {name}"
        );
    }
}

#[test]
fn only_findings_are_no_failure() {
    let success: Vec<u8> = (0..=5)
        .chain([130])
        .filter(|exit| Night::is_success(*exit))
        .collect();
    assert_eq!(success, [0, 1]);
}
