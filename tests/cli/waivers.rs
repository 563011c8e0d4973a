//! What somebody accepts for a time: by the command or in the configuration, until it lapses or is outgrown.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::harness::{Config, NOW, Ran, Stage, finding, findings};

const NEXT_DAY: &str = "2026-11-23T12:00:00Z";
const THIRD_DAY: &str = "2026-11-24T12:00:00Z";
const FOURTH_DAY: &str = "2026-11-25T12:00:00Z";
const EXPIRY: &str = "link-without-expiry";
const PASSWORD: &str = "link-without-password";

fn scan(stage: &Stage, now: &str) -> Value {
    stage.run_at(now, &["scan", "--format", "json"]).ended(0).json()
}

fn id_of(report: &Value, rule: &str, share: &str) -> String {
    finding(report, rule, share).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn status<'r>(report: &'r Value, rule: &str, share: &str) -> &'r str {
    finding(report, rule, share).unwrap()["status"].as_str().unwrap()
}

fn waive_at(stage: &Stage, now: &str, finding: &str, until: &str) -> Ran {
    let words = ["--reason", "as agreed", "--approved-by", "head of IT", "--until"];
    stage.run_at(now, &[&["waive", finding], &words[..], &[until]].concat())
}

fn waive(stage: &Stage, finding: &str, until: &str) -> Ran {
    waive_at(stage, NOW, finding, until)
}

fn list(stage: &Stage, now: &str) -> Vec<Value> {
    let listed = stage
        .run_at(now, &["waivers", "--format", "json"])
        .ended(0)
        .json();
    assert_eq!(listed["schema"], "sharewarden.waivers/v1");
    listed["waivers"].as_array().unwrap().clone()
}

fn configure(stage: &Stage, waivers: &str) {
    stage.configure(&Config {
        more: waivers,
        ..Config::default()
    });
}

fn written(lines: &str, until: &str) -> String {
    format!("[[waiver]]\n{lines}\nreason = \"as agreed\"\napproved_by = \"head of IT\"\nuntil = {until}\n")
}

fn notices(report: &Value) -> BTreeMap<&str, &str> {
    let told = report["notices"].as_array().unwrap().iter();
    told.map(|notice| {
        (
            notice["code"].as_str().unwrap(),
            notice["message"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_waiver_that_was_made_holds_from_the_next_scan_on() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    let id = id_of(&first, EXPIRY, "1");
    let made = waive(&stage, &id, "2027-03-31");
    let words =
        format!("finding {id} ({EXPIRY}) is waived from the next scan on, to the end of 2027-03-31\n");
    assert_eq!(made.ended(0).out, words);
    let stored = stage.run(&["report", "--format", "json"]).ended(0).json();
    assert_eq!(stored["findings"], first["findings"], "a run is history");

    stage.change(&json!({"do": "remove", "share": 7}));
    let second = scan(&stage, NEXT_DAY);
    assert_eq!(status(&second, EXPIRY, "1"), "waived");
    let note = json!({"reason": "as agreed", "approved_by": "head of IT", "until": "2027-03-31"});
    assert_eq!(finding(&second, EXPIRY, "1").unwrap()["waiver"], note);
    assert_eq!(status(&second, PASSWORD, "1"), "open");
    assert_eq!(
        status(&second, EXPIRY, "7"),
        "resolved",
        "no change of the policy"
    );
    assert_eq!(second["totals"]["waived"], 1);
    assert_eq!(second["run"]["policy"]["waivers"], 1);
    assert_eq!(
        second["run"]["policy"]["digest"],
        first["run"]["policy"]["digest"]
    );
    assert!(notices(&second).is_empty(), "{:?}", notices(&second));

    // Where a rule ceases to fire in the night in which its finding was waived, that is the share's doing.
    let password = id_of(&second, PASSWORD, "1");
    waive_at(&stage, NEXT_DAY, &password, "2027-03-31").ended(0);
    stage.change(&json!({"do": "update", "share": 1, "set": {"password": "Now-There-Is-One-7"}}));
    let third = scan(&stage, THIRD_DAY);
    assert_eq!(status(&third, PASSWORD, "1"), "resolved");
    assert_eq!(status(&third, EXPIRY, "1"), "waived");
}

#[test]
fn what_is_no_waiver_is_refused_and_leaves_nothing() {
    let stage = Stage::small();
    let no_state = waive(&stage, "0123456789abcdef", "2027-03-31");
    assert!(
        no_state.ended(2).err.contains("no run is stored yet"),
        "{}",
        no_state.err
    );
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    let long = "x".repeat(10_000);
    let (good, name) = ("as agreed", "head of IT");
    for (finding, until, reason, by, told) in [
        (
            "0123456789abcdef",
            "2027-03-31",
            good,
            name,
            "nothing is known of the finding",
        ),
        ("17", "2027-03-31", good, name, "no finding's id"),
        ("../../etc/passwd", "2027-03-31", good, name, "no finding's id"),
        (
            "\u{1b}[2Jaaaaaaaaaaaa",
            "2027-03-31",
            good,
            name,
            "no finding's id",
        ),
        (&id[..8], "2027-03-31", good, name, "no finding's id"),
        (&id, "2026-11-21", good, name, "has passed"),
        (&id, "2027-11-23", good, name, "`max_waiver` allows"),
        (&id, "9999-12-31", good, name, "`max_waiver` allows"),
        (&id, "2027-02-30", good, name, "no day of the calendar"),
        (&id, "2027-03-31T12:00:00", good, name, "no day of the calendar"),
        (&id, "tomorrow", good, name, "no day of the calendar"),
        (&id, "2027-03-31", " ", name, "--reason is empty"),
        (&id, "2027-03-31", good, "", "--approved-by is empty"),
        (&id, "2027-03-31", &long, name, "--reason is longer than 1000"),
        (&id, "2027-03-31", good, &long, "--approved-by is longer than 200"),
        (&id, "2027-03-31", "a\u{1b}[31mb", name, "control characters"),
        (&id, "2027-03-31", "two\nlines", name, "control characters"),
        (&id, "2027-03-31", good, "head\u{7}", "control characters"),
    ] {
        let options = ["--reason", reason, "--approved-by", by, "--until", until];
        let ran = stage.run(&[&["waive"], &options[..], &["--", finding]].concat());
        assert!(ran.ended(2).err.contains(told), "{told}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}') && ran.out.is_empty(), "{told}");
    }
    stage
        .run(&["waive", &id, "--reason", good, "--until", "2027-03-31"])
        .ended(2);
    let without = stage.run(&[
        "--no-state",
        "waive",
        &id,
        "--reason",
        good,
        "--approved-by",
        name,
        "--until",
        "2027-03-31",
    ]);
    assert!(without.ended(2).err.contains("--no-state"), "{}", without.err);
    assert_eq!(list(&stage, NOW), Vec::<Value>::new());
    let table = stage.run(&["waivers"]);
    assert_eq!(
        table.ended(0).out,
        "no finding is waived; `sharewarden waive` does it\n"
    );
    // The furthest and the nearest day there are.
    waive(&stage, &id, "2027-11-22").ended(0);
    waive(&stage, &id.to_uppercase(), "2026-11-22").ended(0);
}

#[test]
fn the_latest_waiver_of_a_finding_counts_and_an_earlier_day_ends_it() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    assert!(waive(&stage, &id, "2027-03-31").ended(0).err.is_empty());
    assert_eq!(status(&scan(&stage, NOW), EXPIRY, "1"), "waived");
    let again = waive(&stage, &id, "2026-11-22");
    assert!(
        again
            .ended(0)
            .err
            .contains("replaces the waiver that was to end on 2027-03-31")
    );
    let listed = list(&stage, NOW);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(
        (&listed[0]["until"], &listed[0]["standing"]),
        (&json!("2026-11-22"), &json!("lapsing"))
    );
    assert_eq!(
        status(&scan(&stage, "2026-11-22T23:59:59Z"), EXPIRY, "1"),
        "waived"
    );
    let lapsed = scan(&stage, "2026-11-23T00:00:00Z");
    assert_eq!(status(&lapsed, EXPIRY, "1"), "open");
    assert_eq!(finding(&lapsed, EXPIRY, "1").unwrap()["waiver"], Value::Null);
    let told = notices(&lapsed)["waiver-lapsed"];
    assert_eq!(
        told,
        format!("the waiver of finding {id} ended on 2026-11-22 and no longer holds")
    );
    assert_eq!(list(&stage, NEXT_DAY)[0]["standing"], "lapsed");
    // Nobody can take it out of the state, so it is not told of for ever.
    let month = "2026-12-23T12:00:00Z";
    assert_eq!(list(&stage, month), Vec::<Value>::new());
    assert!(!notices(&scan(&stage, month)).contains_key("waiver-lapsed"));
}

#[test]
fn a_finding_that_does_not_stand_is_waived_for_its_coming_back() {
    let stage = Stage::small();
    let set =
        |password: Value| stage.change(&json!({"do": "update", "share": 1, "set": {"password": password}}));
    let id = id_of(&scan(&stage, NOW), PASSWORD, "1");
    set(json!("Now-There-Is-One-7"));
    assert_eq!(status(&scan(&stage, NEXT_DAY), PASSWORD, "1"), "resolved");
    let made = waive_at(&stage, NEXT_DAY, &id, "2027-03-31");
    assert!(
        made.ended(0).err.contains("does not stand now (resolved)"),
        "{}",
        made.err
    );
    assert_eq!(list(&stage, NEXT_DAY)[0]["standing"], "dead");
    set(Value::Null);
    assert_eq!(status(&scan(&stage, THIRD_DAY), PASSWORD, "1"), "waived");
    assert_eq!(list(&stage, THIRD_DAY)[0]["standing"], "in-force");
}

/// How a share grows, and how it was and comes to be again.
const GROWTHS: &[(&str, &str, &str, &str)] = &[
    (
        "2",
        r#"{"permissions": 15}"#,
        r#"{"permissions": 1}"#,
        "it came to allow edit, create, delete",
    ),
    (
        "2",
        r#"{"password": null}"#,
        r#"{"password": "Small-World-42"}"#,
        "its password is gone",
    ),
    (
        "1",
        r#"{"permissions": 15}"#,
        r#"{"permissions": 1}"#,
        "its level rose from high to critical, it came to allow",
    ),
];

/// The rule whose finding on the share is waived.
fn rule_on(share: &str) -> &'static str {
    if share == "2" {
        "classified-item-exposed"
    } else {
        PASSWORD
    }
}

#[test]
fn a_waiver_ends_where_the_share_becomes_wider_and_does_not_come_back() {
    for (share, wider, before, told) in GROWTHS {
        for made in [true, false] {
            let rule = rule_on(share);
            let stage = Stage::small();
            let set = |set: &str| {
                let set: Value = serde_json::from_str(set).unwrap();
                stage.change(&json!({"do": "update", "share": share.parse::<u64>().unwrap(), "set": set}));
            };
            set(before);
            let id = id_of(&scan(&stage, NOW), rule, share);
            let lines = format!("rule = \"{rule}\"\nshare = \"{share}\"");
            if made {
                waive(&stage, &id, "2027-03-31").ended(0);
            } else {
                configure(&stage, &written(&lines, "2027-03-31"));
            }
            assert_eq!(status(&scan(&stage, NOW), rule, share), "waived", "{told} {made}");
            assert_eq!(list(&stage, NOW)[0]["standing"], "in-force");
            set(wider);
            let grown = scan(&stage, NEXT_DAY);
            assert_eq!(status(&grown, rule, share), "open", "{told} {made}");
            assert_eq!(finding(&grown, rule, share).unwrap()["waiver"], Value::Null);
            assert!(
                notices(&grown)["waiver-ended"].contains(&id),
                "{:?}",
                notices(&grown)
            );
            assert!(!notices(&grown).contains_key("waiver-unused"));
            let listed = &list(&stage, NEXT_DAY)[0];
            assert_eq!(
                (&listed["standing"], &listed["covers"]),
                (&json!("ended"), &json!(0))
            );
            let ended = &listed["ended"][0];
            assert_eq!((&ended["finding"], &ended["at"]), (&json!(id), &json!(NEXT_DAY)));
            assert!(ended["change"].as_str().unwrap().starts_with(told), "{ended}");
            let table = stage.run_at(NEXT_DAY, &["waivers"]);
            assert!(
                table.ended(0).out.contains("no longer covers") && table.out.contains(told),
                "{}",
                table.out
            );
            // It was accepted as it was, and nobody has looked at it since.
            set(before);
            if !made {
                // Where it stands in the file makes no other of it.
                let other = written("share = \"9\"", "2027-03-31");
                configure(&stage, &[other, written(&lines, "2027-03-31")].concat());
            }
            let narrow = scan(&stage, THIRD_DAY);
            assert_eq!(status(&narrow, rule, share), "open", "{told} {made}");
            assert!(notices(&narrow).contains_key("waiver-ended"));
            if made {
                waive_at(&stage, THIRD_DAY, &id, "2027-03-31").ended(0);
            } else {
                configure(&stage, &written(&lines, "2027-03-30"));
            }
            let anew = scan(&stage, FOURTH_DAY);
            assert_eq!(status(&anew, rule, share), "waived", "{told} {made}");
            assert!(!notices(&anew).contains_key("waiver-ended"));
        }
    }
}

#[test]
fn a_waiver_accepts_what_its_author_saw() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), PASSWORD, "1");
    waive(&stage, &id, "2027-03-31").ended(0);
    stage.change(&json!({"do": "update", "share": 1, "set": {"permissions": 15}}));
    let grown = scan(&stage, NEXT_DAY);
    assert_eq!(
        status(&grown, PASSWORD, "1"),
        "open",
        "it grew between the report and the next scan"
    );
    // What narrows stays waived.
    let stage = Stage::small();
    stage.change(&json!({"do": "update", "share": 1, "set": {"permissions": 15}}));
    let id = id_of(&scan(&stage, NOW), PASSWORD, "1");
    waive(&stage, &id, "2027-03-31").ended(0);
    stage.change(&json!({"do": "update", "share": 1, "set": {"permissions": 1}}));
    assert_eq!(status(&scan(&stage, NEXT_DAY), PASSWORD, "1"), "waived");
}

#[test]
fn what_a_scan_on_its_way_read_is_nobodys_to_accept() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), PASSWORD, "1");
    stage.change(&json!({"do": "update", "share": 1, "set": {"permissions": 15}}));
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "frank"}, "action": {"do": "delay", "ms": 3000}}));
    let mut program = stage.program();
    program.arguments(&["--now", NEXT_DAY, "scan", "--format", "json"]);
    let running = program.start();
    let state = rusqlite::Connection::open(stage.path("state.db")).unwrap();
    let read = "SELECT 1 FROM share_version WHERE from_run = 2";
    while !state.prepare(read).unwrap().exists([]).unwrap() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    waive_at(&stage, NEXT_DAY, &id, "2027-03-31").ended(0);
    assert_eq!(status(&running.end().ended(0).json(), PASSWORD, "1"), "open");
    let third = scan(&stage, THIRD_DAY);
    assert_eq!(status(&third, PASSWORD, "1"), "open");
    assert!(notices(&third)["waiver-ended"].contains(&id));
    // A waiver of what is known by now covers it, and nothing is left to be told of the other.
    configure(&stage, &written("share = \"1\"", "2027-03-30"));
    let fourth = scan(&stage, FOURTH_DAY);
    assert_eq!(status(&fourth, PASSWORD, "1"), "waived");
    assert!(!notices(&fourth).contains_key("waiver-ended"));
}

#[test]
fn a_level_that_the_policy_raises_ends_a_waiver_too() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    waive(&stage, &id, "2027-03-31").ended(0);
    assert_eq!(status(&scan(&stage, NOW), EXPIRY, "1"), "waived");
    configure(&stage, "[policy.levels]\nlink-without-expiry = \"high\"\n");
    assert_eq!(status(&scan(&stage, NEXT_DAY), EXPIRY, "1"), "open");
    assert_eq!(
        list(&stage, NEXT_DAY)[0]["ended"][0]["change"],
        "its level rose from medium to high"
    );
}

#[test]
fn without_a_state_waivers_of_the_configuration_simply_hold() {
    let stage = Stage::small();
    configure(&stage, &written("share = \"1\"", "2027-03-31"));
    for permissions in [1, 15] {
        stage.change(&json!({"do": "update", "share": 1, "set": {"permissions": permissions}}));
        let report = stage.report(&[]);
        assert_eq!(status(&report, PASSWORD, "1"), "waived", "{permissions}");
        assert!(notices(&report).is_empty());
    }
}

#[test]
fn a_finding_about_settings_is_waived_as_one_about_a_share() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    let setting = findings(&first)
        .iter()
        .find(|finding| finding["share"].is_null())
        .unwrap();
    let id = setting["id"].as_str().unwrap();
    waive(&stage, id, "2027-03-31").ended(0);
    for now in [NEXT_DAY, THIRD_DAY] {
        let report = scan(&stage, now);
        let again = findings(&report)
            .iter()
            .find(|finding| finding["id"] == id)
            .unwrap();
        assert_eq!(again["status"], "waived");
        assert_eq!(list(&stage, now)[0]["covers"], 1);
    }
    let rule = setting["rule"].as_str().unwrap();
    configure(&stage, &format!("[policy.levels]\n{rule} = \"critical\"\n"));
    let raised = scan(&stage, FOURTH_DAY);
    let again = findings(&raised)
        .iter()
        .find(|finding| finding["id"] == id)
        .unwrap();
    assert_eq!(again["status"], "open");
    assert!(notices(&raised)["waiver-ended"].contains(id));
}

#[test]
fn the_list_tells_how_each_waiver_stands() {
    let stage = Stage::small();
    let waivers = [
        written("owner = \"alice\"\nrule = \"link-without-expiry\"", "2027-03-31"),
        written("share = \"5\"", "2026-12-01"),
        written("share = \"8\"", "2026-11-21"),
        written("share = \"99\"", "2027-03-31"),
    ]
    .concat();
    configure(&stage, &waivers);
    // Before the first scan they are known, and nothing of what they match.
    for options in [&[][..], &["--no-state"]] {
        let listed = stage
            .run(&[options, &["waivers", "--format", "json"]].concat())
            .ended(0)
            .json();
        let standings: Vec<_> = listed["waivers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["standing"])
            .collect();
        assert_eq!(standings, ["in-force", "lapsing", "lapsed", "in-force"]);
    }
    assert!(!stage.path("state.db").exists());
    // As long as not everything was read, nothing is known to match nothing.
    let unread = json!({"match": {"path_contains": "api/v1/shares", "account": "bob"}, "action": {"do": "status", "status": 500}});
    stage.fault(&unread);
    stage.run(&["scan"]).ended(3);
    assert_eq!(list(&stage, NOW)[3]["standing"], "in-force");
    stage.no_faults();
    let report = scan(&stage, NOW);
    let id = findings(&report)
        .iter()
        .find(|finding| finding["rule"] == "guest-recipient")
        .map(|finding| finding["id"].as_str().unwrap())
        .unwrap();
    waive(&stage, id, "2027-03-31").ended(0);
    let listed = list(&stage, NOW);
    let told: Vec<(&str, &str, u64)> = listed
        .iter()
        .map(|one| {
            (
                one["origin"].as_str().unwrap(),
                one["standing"].as_str().unwrap(),
                one["covers"].as_u64().unwrap(),
            )
        })
        .collect();
    let named = |share: &str| {
        let theirs = findings(&report)
            .iter()
            .filter(|finding| finding["share"]["id"] == share);
        theirs.count() as u64
    };
    assert!(named("5") > 0 && named("8") > 0);
    assert_eq!(
        told,
        [
            ("configuration", "in-force", 2),
            ("configuration", "lapsing", named("5")),
            ("configuration", "lapsed", 0),
            ("configuration", "dead", 0),
            ("state", "in-force", 1),
        ]
    );
    assert_eq!(listed[0]["title"], "waiver 1 (link-without-expiry, owner alice)");
    assert_eq!(
        (&listed[0]["made_at"], &listed[4]["made_at"]),
        (&Value::Null, &json!(NOW))
    );
    let table = stage.run(&["waivers"]);
    for word in [
        "standing",
        "in force",
        "lapsing",
        "lapsed",
        "dead",
        "owner alice",
        "as agreed",
        "head of IT",
        id,
    ] {
        assert!(table.ended(0).out.contains(word), "{word}: {}", table.out);
    }
    // Of one that names several findings, those that grew are told, and the others stay covered.
    stage.change(&json!({"do": "update", "share": 7, "set": {"permissions": 15}}));
    let grown = scan(&stage, NEXT_DAY);
    assert_eq!(
        (status(&grown, EXPIRY, "1"), status(&grown, EXPIRY, "7")),
        ("waived", "open")
    );
    let first = &list(&stage, NEXT_DAY)[0];
    assert_eq!(
        (&first["standing"], &first["covers"], &first["outgrown"]),
        (&json!("in-force"), &json!(1), &json!(1))
    );
    assert_eq!(first["ended"][0]["finding"], id_of(&grown, EXPIRY, "7"));
}

#[test]
fn words_of_a_waiver_cannot_move_a_terminals_cursor() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    let reason = "b\u{202e}c, as agreed";
    let options = [
        "--reason",
        reason,
        "--approved-by",
        "=head",
        "--until",
        "2027-03-31",
    ];
    stage.run(&[&["waive", &id], &options[..]].concat()).ended(0);
    let table = stage.run(&["waivers"]);
    assert!(table.ended(0).out.contains("b\\u{202e}c"), "{}", table.out);
    assert!(!table.out.contains(['\u{1b}', '\u{202e}']));
    assert_eq!(list(&stage, NOW)[0]["reason"], reason);
}

#[test]
fn waivers_are_made_and_listed_while_a_full_scan_runs() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares"}, "action": {"do": "delay", "ms": 3000}}));
    let mut program = stage.program();
    program.arguments(&["--now", NEXT_DAY, "-v", "scan", "--format", "json"]);
    let mut running = program.start();
    running.until("reading");
    let locked = stage.run_at(NEXT_DAY, &["scan"]);
    assert!(locked.ended(2).err.contains("is being scanned"), "{}", locked.err);
    waive_at(&stage, NEXT_DAY, &id, "2027-03-31").ended(0);
    assert_eq!(list(&stage, NEXT_DAY).len(), 1);
    stage.no_faults();
    let report = running.end().ended(0).json();
    assert_eq!(status(&report, EXPIRY, "1"), "open", "it had begun before");
    assert_eq!(status(&scan(&stage, THIRD_DAY), EXPIRY, "1"), "waived");
}

#[test]
fn a_state_that_cannot_be_written_is_said_and_keeps_nothing() {
    let stage = Stage::small();
    let id = id_of(&scan(&stage, NOW), EXPIRY, "1");
    fs::write(stage.path("state.db"), "no database").unwrap();
    let _ = fs::remove_file(stage.path("state.db-wal"));
    let ran = waive(&stage, &id, "2027-03-31");
    assert!(ran.ended(2).err.contains("state file"), "{}", ran.err);
}
