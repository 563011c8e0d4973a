//! The life of a finding, of a share, and of what somebody owns.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Config, NOW, Ran, Stage, finding, small};

const NIGHTS: [&str; 6] = [
    NOW,
    "2026-11-23T12:00:00Z",
    "2026-11-24T12:00:00Z",
    "2026-11-25T12:00:00Z",
    "2026-11-26T12:00:00Z",
    "2026-11-27T12:00:00Z",
];

fn history(stage: &Stage, arguments: &[&str]) -> Ran {
    stage.run_at("2027-01-01T00:00:00Z", &[&["history"], arguments].concat())
}

fn entries(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let ran = history(stage, &[arguments, &["--format", "ndjson"]].concat());
    let lines: Vec<Value> = ran
        .ended(0)
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let document = history(stage, &[arguments, &["--format", "json"]].concat())
        .ended(0)
        .json();
    assert_eq!(document["schema"], "sharewarden.history/v1");
    assert_eq!(document["entries"], json!(lines), "the two say the same");
    lines
}

fn told(entries: &[Value]) -> Vec<(&str, &str, &str)> {
    let text = |entry: &'_ Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| {
            let night = NIGHTS.iter().position(|night| *night == text(entry, "time"));
            let night = ["1", "2", "3", "4", "5", "6"][night.unwrap()];
            (
                night,
                entry["event"].as_str().unwrap(),
                entry["rule"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

/// A server on which share 1 changes from night to night; the report of the last one.
fn lived() -> (Stage, Value) {
    let stage = Stage::small();
    let set = |fields: Value| stage.change(&json!({"do": "update", "share": 1, "set": fields}));
    let scan = |night: usize, code: i32| {
        let ran = stage.run_at(NIGHTS[night], &["scan", "--format", "json"]);
        ran.ended(code).json()
    };
    scan(0, 0);
    set(json!({"password": "Now-There-Is-One-7", "label": "=1+1\u{202e}\u{1b}[31m"}));
    scan(1, 0);
    set(json!({"password": null}));
    stage.configure(&Config {
        more: "[[waiver]]\nrule = \"protection-removed\"\nshare = \"1\"\nsource = \"cloud\"\nreason = \"agreed\"\n\
               approved_by = \"head of IT\"\nuntil = 2027-03-31\n",
        ..Config::default()
    });
    scan(2, 0);
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": {"do": "status", "status": 500}}));
    scan(3, 3);
    stage.no_faults();
    let report = scan(4, 0);
    stage.change(&json!({"do": "remove", "share": 1}));
    scan(5, 0);
    (stage, report)
}

#[test]
fn a_share_has_a_life_with_all_that_was_told_of_it_in_order() {
    let (stage, report) = lived();
    let sent = stage.requests().len();
    let share = entries(&stage, &["--share", "1"]);
    let (password, expiry, removed) = (
        "link-without-password",
        "link-without-expiry",
        "protection-removed",
    );
    assert_eq!(
        told(&share),
        [
            ("1", "share_seen", ""),
            ("1", "opened", password),
            ("1", "opened", expiry),
            ("2", "share_changed", ""),
            ("2", "resolved", password),
            ("3", "share_changed", ""),
            ("3", "reopened", password),
            ("3", "waived", removed),
            ("4", "not_checked", password),
            ("4", "not_checked", expiry),
            ("4", "not_checked", removed),
            ("5", "changed", password),
            ("5", "changed", expiry),
            ("5", "waived", removed),
            ("6", "resolved", password),
            ("6", "resolved", expiry),
            ("6", "resolved", removed),
            ("6", "share_gone", ""),
        ]
    );
    let waived = &share[7];
    assert_eq!(
        [
            &waived["waiver_reason"],
            &waived["waiver_approved_by"],
            &waived["waiver_until"]
        ],
        [&json!("agreed"), &json!("head of IT"), &json!("2027-03-31")]
    );
    assert_eq!(
        (&share[3]["changed"], &share[3]["was_password"]),
        (&json!("password; label"), &json!(false))
    );

    // A finding's is that of its share, without the others.
    let id = finding(&report, password, "1").unwrap()["id"].as_str().unwrap();
    let of_finding = entries(&stage, &["--finding", id]);
    let mut expected = share.clone();
    expected.retain(|entry| entry["rule"].is_null() || entry["rule"] == password);
    assert_eq!(of_finding, expected);

    // Somebody's is that of all shares of what he owns.
    for owner in ["alice", "ALICE@example.org"] {
        let of_owner = entries(&stage, &["--owner", owner]);
        assert!(share.iter().all(|entry| of_owner.contains(entry)), "{owner}");
        let shares: BTreeSet<&str> = of_owner
            .iter()
            .filter_map(|entry| entry["share"].as_str())
            .collect();
        assert!(
            shares.contains("5") && !shares.contains("12"),
            "{owner}: {shares:?}"
        );
        assert!(
            of_owner
                .iter()
                .is_sorted_by_key(|entry| entry["time"].as_str().unwrap())
        );
    }
    assert_eq!(stage.requests().len(), sent, "nobody is asked");
}

#[test]
fn what_history_tells_runs_told() {
    let (stage, _) = lived();
    let entries = entries(&stage, &["--owner", "alice"]);
    let mut compared = 0;
    for run in entries
        .iter()
        .filter_map(|entry| entry["run"].as_str())
        .collect::<BTreeSet<_>>()
    {
        let report = stage.run_at(NOW, &["report", "--run", run, "--format", "ndjson"]);
        let mut events: Vec<Value> = report
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        events.retain(|event| event["event"] != "still_open" && event["owner"] == "alice");
        for event in &mut events {
            let event = event.as_object_mut().unwrap();
            event.remove("event_id");
            event.insert("confirmed_by".to_owned(), Value::Null);
            // When the run ended, for what could not be looked for in it.
            event.remove("time");
        }
        let mut told: Vec<Value> = entries
            .iter()
            .filter(|entry| entry["run"] == run)
            .cloned()
            .collect();
        told.retain(|entry| !["share_seen", "share_gone"].contains(&entry["event"].as_str().unwrap()));
        for entry in &mut told {
            entry.as_object_mut().unwrap().remove("time");
        }
        for event in &events {
            assert!(told.contains(event), "{event:#}\n{told:#?}");
            compared += 1;
        }
        told.retain(|entry| entry["owner"] == "alice");
        assert_eq!(told.len(), events.len());
    }
    assert!(compared > 15, "{compared}");
}

#[test]
fn what_began_in_a_run_that_is_forgotten_begins_at_its_first_date() {
    let (stage, _) = lived();
    let whole = entries(&stage, &["--owner", "alice"]);
    let (password, expiry, removed) = (
        "link-without-password",
        "link-without-expiry",
        "protection-removed",
    );
    stage.run(&["purge", "--before", "2026-11-24"]).ended(0);
    let share = entries(&stage, &["--share", "1"]);
    assert_eq!(
        told(&share)[..6],
        [
            ("1", "share_seen", ""),
            ("1", "opened", password),
            ("1", "opened", expiry),
            ("3", "share_changed", ""),
            ("3", "reopened", password),
            ("3", "waived", removed),
        ]
    );
    assert_eq!(
        (&share[1]["run"], &share[1]["status"], &share[1]["first_seen"]),
        (&Value::Null, &json!("resolved"), &json!(NIGHTS[0])),
        "as the earliest version that is kept tells it"
    );

    stage.run(&["purge", "--before", "2026-11-27"]).ended(0);
    let left = entries(&stage, &["--owner", "alice"]);
    let (of_runs, of_none): (Vec<_>, Vec<_>) =
        left.iter().cloned().partition(|entry| entry["run"].is_string());
    let mut last = whole.clone();
    last.retain(|entry| entry["time"] == NIGHTS[5]);
    assert_eq!(of_runs, last, "what the last run told it tells still");
    assert!(
        of_none
            .iter()
            .all(|entry| ["share_seen", "opened"].contains(&entry["event"].as_str().unwrap()))
    );
    let begun = |field: &str, entries: &[Value]| -> BTreeSet<(String, String)> {
        let of = entries.iter().filter(|entry| entry[field].is_string());
        of.map(|entry| (entry[field].to_string(), entry["time"].to_string()))
            .collect()
    };
    let mut first = whole.clone();
    first.retain(|entry| entry["time"] == NIGHTS[0]);
    for field in ["finding", "share"] {
        let first = begun(field, &first);
        assert!(
            first.len() > 3 && begun(field, &of_none).is_superset(&first),
            "{field}"
        );
    }
    let standing = of_none
        .iter()
        .find(|entry| entry["finding"].is_string() && entry["share"] != "1")
        .unwrap();
    let life = history(&stage, &["--finding", standing["finding"].as_str().unwrap()]);
    assert!(
        life.ended(0).out.contains("2026-11-22 12:00 UTC  opened") && !life.out.contains("run 2026"),
        "{}",
        life.out
    );
}

#[test]
fn people_read_it_as_it_was() {
    let (stage, _) = lived();
    let ran = history(&stage, &["--share", "1"]);
    let out = &ran.ended(0).out;
    for part in [
        "2026-11-22 12:00 UTC  opened            high      link-without-password\n    cloud  1  /Projects\n",
        "changed: password from false to true, label",
        "changed: status from resolved to open",
        "waived until 2027-03-31 by head of IT: agreed",
        "not-checked: Anyone",
        "share_gone",
        ", run 20261122T120000Z-",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
    let hostile = "/HR/\u{202e}\u{1b}[31m\u{7}=1+1";
    stage.change(&json!({"do": "update", "share": 2, "set": {"raw": {"path": hostile}}}));
    stage.run_at("2026-11-28T12:00:00Z", &["scan"]).ended(0);
    let moved = history(&stage, &["--share", "2"]);
    assert!(
        moved.ended(0).out.contains("\\u{202e}\\u{1b}[31m\\u{7}=1+1"),
        "{}",
        moved.out
    );
    assert!(
        !moved
            .out
            .chars()
            .any(|c| c == '\u{202e}' || (c.is_control() && c != '\n'))
    );
    let moved = entries(&stage, &["--share", "2"]);
    assert_eq!(
        (&moved.last().unwrap()["path"], &moved.last().unwrap()["was_path"]),
        (&json!(hostile), &json!("/HR/salaries.xlsx"))
    );
    let file = stage.path("life.txt");
    let ran = history(&stage, &["--share", "1", "--output", &file.to_string_lossy()]);
    assert_eq!(ran.ended(0).out, "");
    assert_eq!(&std::fs::read_to_string(file).unwrap(), out);
}

#[test]
fn what_is_not_known_is_said() {
    let stage = Stage::small();
    let none = history(&stage, &["--share", "1"]);
    assert!(none.ended(2).err.contains("no run is stored yet"), "{}", none.err);
    stage.run(&["scan"]).ended(0);
    for (arguments, words) in [
        (&["--share", "999"][..], "nothing is known of the share \"999\""),
        (
            &["--finding", "0123456789abcdef"],
            "nothing is known of the finding",
        ),
        (&["--owner", "frank"], "nothing is known of the owner \"frank\""),
        (
            &["--owner", "no\u{1b}body"],
            "nothing is known of the owner \"no\\u{1b}body\"",
        ),
        (
            &["--share", "1", "--source", "other"],
            "nothing is known of the source \"other\"",
        ),
        (&[], "required"),
        (&["--share", "1", "--owner", "alice"], "cannot be used with"),
        (
            &["--no-state", "--share", "1"],
            "--no-state leaves it nothing to do",
        ),
    ] {
        let ran = history(&stage, arguments);
        assert!(ran.ended(2).err.contains(words), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn an_id_that_two_sources_have_needs_a_source() {
    let stage = Stage::small();
    stage.run(&["scan"]).ended(0);
    let config = std::fs::read_to_string(stage.path("config.toml")).unwrap();
    stage.write(
        "config.toml",
        &config.replace("name = \"cloud\"", "name = \"other\""),
    );
    stage.run(&["scan"]).ended(0);
    let ran = history(&stage, &["--share", "1"]);
    assert!(
        ran.ended(2)
            .err
            .contains("in several sources, cloud, other: name one with --source"),
        "{}",
        ran.err
    );
    let one = entries(&stage, &["--share", "1", "--source", "other"]);
    assert!(!one.is_empty() && one.iter().all(|entry| entry["source"] == "other"));
    let both: BTreeSet<String> = entries(&stage, &["--owner", "alice"])
        .iter()
        .map(|entry| entry["source"].to_string())
        .collect();
    assert_eq!(both.len(), 2);
}

#[test]
fn it_waits_for_no_scan() {
    let stage = Stage::of(&small());
    stage.run(&["scan"]).ended(0);
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "gina"}, "action": {"do": "delay", "ms": 4_000}}));
    let mut program = stage.program();
    program.arguments(&["--now", NIGHTS[1], "-vv", "scan"]);
    let mut running = program.start();
    running.until("api/v1/shares");
    let begun = std::time::Instant::now();
    assert!(!entries(&stage, &["--share", "1"]).is_empty());
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    running.interrupt();
    running.end().ended(130);
}
