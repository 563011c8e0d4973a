use proptest::prelude::*;
use serde_json::{Value, json};

use super::{HOSTILE, book::Book, written};
use crate::model::{Level, RuleId, Status};
use crate::report::{Format, Style, ocsf};

/// The published schema; fixtures/ocsf says how it was derived.
fn schema() -> Value {
    serde_json::from_str(include_str!(
        "../../../fixtures/ocsf/compliance_finding-1.5.0.json"
    ))
    .unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn events(book: &Book) -> Vec<Value> {
    let text = written(Format::Ocsf, Style::default(), book);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the schema finds wrong.
fn wrong(validator: &jsonschema::Validator, event: &Value) -> Vec<String> {
    let errors = validator.iter_errors(event);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn findings_are_as_the_published_schema_wants_them() {
    let validator = validator();
    let mut book = Book::ordinary();
    // Whatever a finding may be: each rule, level and status, with a share and without.
    let template = book.findings[0].clone();
    for rule in RuleId::ALL {
        for level in Level::ALL {
            for status in Status::ALL {
                let mut finding = template.clone();
                (finding.rule, finding.level, finding.status) = (*rule, *level, *status);
                if rule.as_str().starts_with("posture") {
                    finding.share = None;
                }
                book.findings.push(finding);
            }
        }
    }
    let events = events(&book);
    assert_eq!(events.len(), book.findings.len());
    for event in &events {
        assert_eq!(wrong(&validator, event), Vec::<String>::new(), "{event:#}");
        assert_eq!(event["metadata"]["version"], ocsf::VERSION);
        let (class, activity) = (event["class_uid"].as_u64(), event["activity_id"].as_u64());
        assert_eq!(
            event["type_uid"].as_u64(),
            class
                .zip(activity)
                .map(|(class, activity)| class * 100 + activity)
        );
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let validator = validator();
    let event = events(&Book::ordinary()).remove(0);
    for (pointer, value) in [
        ("/severity_id", json!(7)),
        ("/type_uid", json!(200_100)),
        ("/time", json!("2026-11-22T02:00:00Z")),
        ("/compliance/status_id", json!("Fail")),
        ("/finding_info/uid", Value::Null),
        ("/resources/0/owner", json!({"display_name": "nobody"})),
        ("/metadata/product", json!({"url": "x"})),
    ] {
        let mut other = event.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(!wrong(&validator, &other).is_empty(), "{pointer}");
    }
}

#[test]
fn a_finding_keeps_what_it_says() {
    let book = Book::ordinary();
    let events = events(&book);
    insta::assert_json_snapshot!(events[5]);
    let of = |status: Status| {
        let at = book
            .findings
            .iter()
            .position(|finding| finding.status == status)
            .unwrap();
        &events[at]
    };
    assert_eq!(
        (&of(Status::New)["status_id"], &of(Status::New)["activity_id"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(of(Status::Waived)["status_id"], 3);
    let resolved = of(Status::Resolved);
    assert_eq!(
        (
            &resolved["activity_id"],
            &resolved["status_id"],
            &resolved["compliance"]["status_id"]
        ),
        (&json!(3), &json!(4), &json!(1))
    );
    let unread = of(Status::NotChecked);
    assert_eq!(
        unread["compliance"]["status_id"], 2,
        "what was not read has not passed"
    );
    assert_eq!(events[0]["time"], 1_795_312_867_000_i64, "milliseconds");
}

proptest! {
    #![proptest_config(super::cases(16))]

    #[test]
    fn whatever_the_names_lines_stay_lines(text in ".{0,60}", hostile in prop::sample::select(HOSTILE)) {
        let validator = validator();
        for text in [text.as_str(), hostile] {
            let book = Book::filled(text);
            let events = events(&book);
            prop_assert_eq!(events.len(), book.findings.len());
            for event in &events {
                prop_assert_eq!(wrong(&validator, event), Vec::<String>::new());
            }
            prop_assert_eq!(&events[0]["resources"][0]["uid"], text);
        }
    }
}
