//! What one scan remembers for the next, and that absence is knowledge only where everything was read.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use sharewarden::model::{Fact, SourceName};
use sharewarden::store::Ledger;

use crate::harness::{
    Asked, Config, NOW, Stage, account, add_shares, finding, findings, list, problems, rules_of, share,
    small, verdict,
};

const LATER: &str = "2026-11-22T13:00:00Z";
const NEXT_DAY: &str = "2026-11-23T12:00:00Z";

/// Scans with the state at a time.
fn scan(stage: &Stage, now: &str, arguments: &[&str], code: i32) -> Value {
    let ran = stage.run_at(now, &[&["scan", "--format", "json"], arguments].concat());
    ran.ended(code).json()
}

/// Where the findings on a share stand.
fn statuses<'r>(report: &'r Value, id: &str) -> BTreeSet<&'r str> {
    findings(report)
        .iter()
        .filter(|finding| finding["share"]["id"] == id)
        .map(|finding| finding["status"].as_str().unwrap())
        .collect()
}

/// Does something beside a scan, once that has asked for what it then waits for; what both came to.
fn beside<S: Send, T>(
    stage: &Stage,
    scan: impl FnOnce() -> S + Send,
    waits: impl Fn(&Asked) -> bool,
    then: impl FnOnce() -> T,
) -> (S, T) {
    std::thread::scope(|scope| {
        let scanning = scope.spawn(scan);
        while !stage.requests().iter().any(&waits) && !scanning.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let done = then();
        (scanning.join().unwrap(), done)
    })
}

/// Whether an account's list was asked for.
fn lists(account: &str) -> impl Fn(&Asked) -> bool {
    move |asked| asked.is_listing() && asked.account.as_deref() == Some(account)
}

/// Has scans ask for one account after the other, and wait so many milliseconds for this one's list, once.
fn waits_once(stage: &Stage, account: &str, ms: u32) {
    stage.configure(&Config {
        source: "limits = { requests_per_second = 1000, in_flight = 1 }",
        ..Config::default()
    });
    stage.fault(
        &json!({"match": {"path_contains": "api/v1/shares", "account": account}, "times": 1,
                        "action": {"do": "delay", "ms": ms}}),
    );
}

fn unreadable(account: &str) -> Value {
    json!({"match": {"path_contains": "api/v1/shares", "account": account}, "action": {"do": "status", "status": 500}})
}

/// Totals count what stands, and nothing else.
fn totals_agree(report: &Value) {
    let count = |wanted: &[&str]| {
        findings(report)
            .iter()
            .filter(|finding| wanted.contains(&finding["status"].as_str().unwrap()))
            .count() as u64
    };
    let sum = |totals: &Value| -> u64 {
        totals
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum()
    };
    let totals = &report["totals"];
    let standing = count(&["new", "open", "not-checked"]);
    assert_eq!(totals["findings"], standing);
    assert_eq!(sum(&totals["by_level"]), standing);
    assert_eq!(sum(&totals["by_rule"]), standing);
    assert_eq!(totals["waived"], count(&["waived"]));
    for (status, number) in totals["by_status"].as_object().unwrap() {
        assert_eq!(number, count(&[status]), "{status}");
    }
    assert_eq!(sum(&totals["by_status"]), findings(report).len() as u64);
}

#[test]
fn a_finding_is_new_once_then_open_then_resolved_once_and_then_gone() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &[], 0);
    assert_eq!(statuses(&first, "1"), BTreeSet::from(["new"]));
    assert_eq!(first["run"]["baseline"], true);
    let second = scan(&stage, LATER, &[], 0);
    assert_eq!(statuses(&second, "1"), BTreeSet::from(["open"]));
    assert_eq!(second["run"]["baseline"], false);
    assert_eq!(findings(&first).len(), findings(&second).len());
    for (before, after) in findings(&first).iter().zip(findings(&second)) {
        for field in ["id", "rule", "level", "first_seen", "message", "share"] {
            assert_eq!(before[field], after[field], "{field}");
        }
        assert_eq!(after["last_seen"], LATER);
    }
    totals_agree(&second);
    stage.change(&json!({"do": "remove", "share": 1}));
    let third = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(statuses(&third, "1"), BTreeSet::from(["resolved"]));
    assert_eq!(
        finding(&third, "link-without-password", "1").unwrap()["last_seen"],
        LATER
    );
    totals_agree(&third);
    let fourth = scan(&stage, "2026-11-24T12:00:00Z", &[], 0);
    assert_eq!(statuses(&fourth, "1"), BTreeSet::new());
    totals_agree(&fourth);
}

#[test]
fn what_was_read_of_a_source_as_a_whole_is_kept_for_planning() {
    let stage = Stage::small();
    let facts = || {
        let ledger = Ledger::open(&stage.path("state.db")).unwrap();
        ledger.facts(&SourceName::new("cloud")).unwrap()
    };
    assert_eq!(facts(), None);
    scan(&stage, NOW, &[], 0);
    let read = facts().unwrap();
    assert!(read.product.is_some());
    assert_eq!(read.get(Fact::AccountDetailsRead), Some(true));
    stage.fault(
        &json!({"match": {"path_contains": "capabilities"}, "action": {"do": "status", "status": 500}}),
    );
    scan(&stage, LATER, &[], 3);
    assert_eq!(facts().unwrap(), read, "what could not be read again stays");
}

#[test]
fn what_comes_back_keeps_its_id_and_its_first_date() {
    let stage = Stage::small();
    let set =
        |password: Value| stage.change(&json!({"do": "update", "share": 1, "set": {"password": password}}));
    let first = scan(&stage, NOW, &[], 0);
    set(json!("Now-There-Is-One-7"));
    let second = scan(&stage, LATER, &[], 0);
    let ended = finding(&second, "link-without-password", "1").unwrap();
    assert_eq!(ended["status"], "resolved");
    assert_eq!(
        finding(&second, "link-without-expiry", "1").unwrap()["status"],
        "open"
    );
    set(Value::Null);
    let third = scan(&stage, NEXT_DAY, &[], 0);
    let back = finding(&third, "link-without-password", "1").unwrap();
    let before = finding(&first, "link-without-password", "1").unwrap();
    assert_eq!(
        (&back["id"], &back["first_seen"]),
        (&before["id"], &before["first_seen"])
    );
    assert_eq!(back["status"], "open");
}

#[test]
fn what_was_not_read_is_not_checked_and_never_resolved() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &[], 0);
    stage.fault(&unreadable("alice"));
    // Nobody can know of this while alice's list cannot be read.
    stage.change(&json!({"do": "remove", "share": 1}));
    for now in [LATER, NEXT_DAY] {
        let report = scan(&stage, now, &[], 3);
        assert_eq!(statuses(&report, "1"), BTreeSet::from(["not-checked"]));
        assert_eq!(statuses(&report, "9"), BTreeSet::from(["not-checked"]));
        // bob still shows what he shared of hers.
        assert_eq!(statuses(&report, "5"), BTreeSet::from(["open"]));
        assert_eq!(report["totals"]["findings"], first["totals"]["findings"]);
        assert_eq!(
            finding(&report, "link-without-expiry", "1").unwrap()["last_seen"],
            NOW
        );
        totals_agree(&report);
    }
    stage.no_faults();
    let report = scan(&stage, "2026-11-24T12:00:00Z", &[], 0);
    assert_eq!(statuses(&report, "1"), BTreeSet::from(["resolved"]));
    assert_eq!(statuses(&report, "9"), BTreeSet::from(["open"]));
}

#[test]
fn a_server_that_cannot_be_reached_resolves_nothing() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &[], 0);
    stage.fault(&json!({"action": {"do": "maintenance"}}));
    let second = scan(&stage, LATER, &[], 3);
    assert_eq!(second["totals"]["findings"], first["totals"]["findings"]);
    for finding in findings(&second) {
        assert_eq!(finding["status"], "not-checked", "{finding}");
    }
    assert_eq!(second["totals"]["shares"], first["totals"]["shares"]);
}

#[test]
fn a_scan_of_one_account_or_one_rule_leaves_the_rest_as_it_was() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    stage.change(&json!([{"do": "remove", "share": 1}, {"do": "remove", "share": 8}]));
    let narrow = scan(&stage, LATER, &["--user", "frank"], 0);
    assert_eq!(findings(&narrow), &[] as &[Value]);
    let narrow = scan(&stage, LATER, &["--rule", "external-recipient"], 0);
    let rules: BTreeSet<&str> = findings(&narrow)
        .iter()
        .map(|each| each["rule"].as_str().unwrap())
        .collect();
    assert_eq!(rules, BTreeSet::from(["external-recipient"]));
    assert_eq!(
        finding(&narrow, "external-recipient", "8").unwrap()["status"],
        "resolved"
    );
    totals_agree(&narrow);
    let user = scan(&stage, LATER, &["--user", "alice"], 0);
    assert_eq!(statuses(&user, "1"), BTreeSet::from(["resolved"]));
    let full = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(statuses(&full, "7"), BTreeSet::from(["open"]));
    assert!(
        findings(&full)
            .iter()
            .any(|each| each["rule"] == "posture-password-not-enforced" && each["status"] == "open")
    );
    totals_agree(&full);
}

#[test]
fn an_auditor_that_is_told_less_than_before_resolves_nothing_for_it() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &["--all-shares"], 0);
    let auth = format!(
        "{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"bob\", secret = {{ file = {:?} }} }}",
        stage.path("secret").to_string_lossy()
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let second = scan(&stage, LATER, &["--all-shares"], 0);
    let ids = |report: &Value| -> BTreeSet<String> {
        report["shares"]
            .as_array()
            .unwrap()
            .iter()
            .map(|share| share["id"].to_string())
            .collect()
    };
    assert_eq!(ids(&first), ids(&second));
    let resolved: Vec<&Value> = findings(&second)
        .iter()
        .filter(|each| each["status"] == "resolved")
        .collect();
    assert!(resolved.is_empty(), "{resolved:#?}");
}

#[test]
fn homes_of_disabled_accounts_are_searched_weekly_and_count_as_known_between() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &["--all-shares"], 0);
    let id = first["shares"].as_array().unwrap().iter().find_map(|share| {
        share["id"]
            .as_str()
            .filter(|id| id.starts_with("file/"))
            .map(str::to_owned)
    });
    let id = id.unwrap();
    stage.change(&json!({"do": "remove", "share": 12}));
    let second = scan(&stage, NEXT_DAY, &[], 0);
    assert!(problems(&second).contains(&("erin", "home-not-searched")));
    assert_eq!(statuses(&second, &id), BTreeSet::from(["open"]));
    let third = scan(&stage, "2026-11-29T12:00:00Z", &[], 0);
    assert_eq!(statuses(&third, &id), BTreeSet::from(["resolved"]));
    assert_eq!(problems(&third), [("erin", "account-disabled")]);
}

#[test]
fn homes_of_disabled_accounts_are_searched_as_often_as_is_configured() {
    let searches = |stage: &Stage| {
        let asked = stage.requests().into_iter();
        let home = |path: &str| path.trim_end_matches('/').ends_with("/files/erin");
        let searched = asked.filter(|each| each.method == "PROPFIND" && home(&each.path));
        searched.count()
    };
    for (often, first, next_day, in_full) in [("nightly", 1, 2, 3), ("weekly", 1, 1, 2), ("off", 0, 0, 0)] {
        let stage = Stage::small();
        stage.configure(&Config {
            source: &format!("disabled_accounts = \"{often}\""),
            ..Config::default()
        });
        for (now, arguments, expected) in [
            (NOW, &[][..], first),
            (NEXT_DAY, &[], next_day),
            (NEXT_DAY, &["--full"], in_full),
        ] {
            let report = scan(&stage, now, arguments, 0);
            assert_eq!(searches(&stage), expected, "{often} {now} {arguments:?}");
            assert_eq!(report["sources"][0]["accounts"]["skipped"], 1);
        }
    }
}

#[test]
fn what_a_deleted_account_shared_is_resolved() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    stage.change(&json!({"do": "remove", "account": "alice"}));
    let report = scan(&stage, LATER, &[], 0);
    assert_eq!(statuses(&report, "1"), BTreeSet::from(["resolved"]));
    assert_eq!(report["sources"][0]["accounts"]["found"], 5);
    totals_agree(&report);
}

#[test]
fn a_share_that_has_ended_exposes_nothing() {
    let stage = Stage::small();
    let over = "2026-12-03T12:00:00Z";
    let first = scan(&stage, NOW, &[], 0);
    assert_eq!(statuses(&first, "3"), BTreeSet::from(["new"]));
    // The server's clock is behind: it lists the share still, which has ended all the same.
    let second = scan(&stage, over, &["--all-shares"], 0);
    let told = share(&second, "3").unwrap();
    assert_eq!(
        (&told["expired"], &told["expires"]),
        (&json!(true), &json!("2026-12-02"))
    );
    assert_eq!(statuses(&second, "3"), BTreeSet::from(["resolved"]));
    // On its day it is over from the first moment on.
    let day = scan(&Stage::small(), "2026-12-02T00:00:00Z", &["--all-shares"], 0);
    assert_eq!(share(&day, "3").unwrap()["expired"], true);
    let eve = scan(&Stage::small(), "2026-12-01T23:59:59Z", &["--all-shares"], 0);
    assert_eq!(share(&eve, "3").unwrap()["expired"], false);
    // Looked at after its end, the server itself deletes it.
    stage.clock(over);
    let third = scan(&stage, over, &["--all-shares"], 0);
    assert!(share(&third, "3").is_none());
}

#[test]
fn a_stored_run_is_printed_as_the_scan_printed_it() {
    let stage = Stage::small();
    for format in ["json", "ndjson", "csv", "table"] {
        let scanned = stage.run(&["scan", "--format", format]);
        let reported = stage.run(&["report", "--format", format]);
        assert_eq!(scanned.ended(0).out, reported.ended(0).out, "{format}");
        assert!(!scanned.out.is_empty());
    }
    let sent = stage.requests().len();
    stage.run(&["report"]).ended(0);
    assert_eq!(stage.requests().len(), sent, "a report asks nobody");
}

#[test]
fn an_older_run_is_printed_as_it_was_whatever_changed_since() {
    let stage = Stage::small();
    let first = stage.run(&["scan", "--format", "json"]);
    let id = first.ended(0).json()["run"]["id"].as_str().unwrap().to_owned();
    stage.change(&json!([
        {"do": "remove", "share": 1},
        {"do": "update", "share": 5, "set": {"label": "another", "expires": null, "password": "Later-Set-99"}},
        {"do": "update", "share": 8, "set": {"permissions": 3}},
        {"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Team"}},
        {"do": "update", "owner": "alice", "file": "/Projects", "set": {"path": "/Moved/Projects"}},
    ]));
    let second = stage.run_at(NEXT_DAY, &["scan", "--format", "json"]);
    assert_ne!(second.ended(0).out, first.out);
    let again = stage.run_at(NEXT_DAY, &["report", "--format", "json", "--run", &id]);
    let (then, now) = (first.json(), again.ended(0).json());
    for (was, is) in findings(&then).iter().zip(findings(&now)) {
        assert_eq!(was, is);
    }
    assert_eq!(then, now);
    let latest = stage.run_at(NEXT_DAY, &["report", "--format", "json"]);
    assert_eq!(latest.ended(0).out, second.out);
}

#[test]
fn runs_are_kept_as_long_as_is_configured() {
    let stage = Stage::small();
    stage.configure(&Config {
        more: "keep = \"10d\"",
        ..Config::default()
    });
    let first = scan(&stage, NOW, &[], 0);
    let second = scan(&stage, NEXT_DAY, &[], 0);
    stage.change(&json!({"do": "remove", "share": 1}));
    // Ten days and an hour after the first run.
    let third = scan(&stage, "2026-12-02T13:00:00Z", &[], 0);
    let stored = |report: &Value| {
        let id = report["run"]["id"].as_str().unwrap();
        stage.run(&["report", "--format", "json", "--run", id])
    };
    let ran = stored(&first);
    assert!(ran.ended(2).err.contains("no stored run"), "{}", ran.err);
    for kept in [&second, &third] {
        let printed = stored(kept).ended(0).json();
        assert_eq!(findings(&printed).len(), findings(kept).len());
        for (is, was) in findings(&printed).iter().zip(findings(kept)) {
            for field in ["id", "level", "status", "first_seen", "message"] {
                assert_eq!(is[field], was[field], "{field}");
            }
            assert_eq!(is["share"]["id"], was["share"]["id"]);
            assert_eq!(is["share"]["owner"], was["share"]["owner"]);
        }
    }
    // What still stands keeps its first date.
    let fourth = scan(&stage, "2026-12-03T12:00:00Z", &[], 0);
    let standing = |report: &Value| -> Vec<Value> {
        let of = findings(report).iter().filter(|each| each["share"]["id"] == "9");
        of.map(|each| each["first_seen"].clone()).collect()
    };
    assert!(!standing(&fourth).is_empty());
    assert_eq!(standing(&fourth), standing(&first));
    stored(&second).ended(0);
}

#[test]
fn without_a_state_nothing_is_left_behind() {
    let stage = Stage::small();
    let files = || -> BTreeSet<String> {
        std::fs::read_dir(stage.path("."))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    let before = files();
    stage.report(&[]);
    assert_eq!(files(), before);
    // What an earlier scan kept is neither read nor touched.
    scan(&stage, NOW, &[], 0);
    let kept = std::fs::read(stage.path("state.db")).unwrap();
    let report = stage
        .run_at(LATER, &["--no-state", "scan", "--format", "json"])
        .ended(0)
        .json();
    assert_eq!(statuses(&report, "1"), BTreeSet::from(["new"]));
    assert_eq!(std::fs::read(stage.path("state.db")).unwrap(), kept);
}

#[test]
fn the_state_is_its_owners_alone() {
    let stage = Stage::small();
    let config = std::fs::read_to_string(stage.path("config.toml")).unwrap();
    let without: Vec<&str> = config
        .lines()
        .filter(|line| !line.contains("state.db") && *line != "[state]")
        .collect();
    stage.write("config.toml", &without.join("\n"));
    let home = stage.path("state-home");
    let mut program = stage.program();
    program
        .variable("XDG_STATE_HOME", &home.to_string_lossy())
        .arguments(&["--now", NOW, "scan"]);
    program.run().ended(0);
    let folder = home.join("sharewarden");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.join("state.db")), 0o600);
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_file_that_is_no_state_is_left_alone() {
    let stage = Stage::small();
    let text = "this is somebody's diary, and no database\n".repeat(200);
    stage.write("state.db", &text);
    let ran = stage.run(&["scan"]);
    ran.ended(2);
    assert!(ran.err.contains("state.db"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(stage.path("state.db")).unwrap(), text);
    assert!(stage.requests().is_empty());
    stage.report(&[]);
}

/// Alice's folder under another name at bob's, who shares a link of it; in which order their lists are read differs.
fn reshared(owner: &str, sharer: &str) -> Value {
    let mut world = small();
    world["nextcloud"]["shares"] = json!([]);
    list(&mut account(&mut world, owner)["files"]).push(json!({"path": "/Papers/HR/list.txt"}));
    add_shares(
        &mut world,
        vec![
            json!({"id": 1, "type": "user", "owner": owner, "path": "/Papers", "recipient": sharer, "permissions": 31,
                   "target": "/Got this"}),
            json!({"id": 2, "type": "link", "owner": owner, "path": "/Papers", "sharer": sharer, "expires": "+9d"}),
            json!({"id": 3, "type": "link", "owner": owner, "path": "/Papers/HR", "sharer": sharer, "expires": "+9d"}),
        ],
    );
    world
}

#[test]
fn a_reshare_is_one_share_with_its_owners_path_whoever_is_read_first() {
    for (owner, sharer) in [("alice", "bob"), ("bob", "alice")] {
        let stage = Stage::of(&reshared(owner, sharer));
        stage.configure(&Config {
            source: "limits = { requests_per_second = 1000, in_flight = 1 }",
            ..Config::default()
        });
        assert_eq!(stage.listing(sharer)[0]["path"], "/Got this");
        let first = scan(&stage, NOW, &["--all-shares"], 0);
        for (id, path) in [("2", "/Papers"), ("3", "/Papers/HR")] {
            let told = share(&first, id).unwrap();
            assert_eq!(told["item"]["path"], path, "{owner}");
            assert_eq!(told["owner"]["id"], owner);
            assert_eq!(told["shared_by"]["id"], sharer);
            assert_eq!(told["item"]["classified"], true, "{owner}: {told}");
            assert!(rules_of(&first, id).contains(&"reshared-by-other"));
        }
        let second = scan(&stage, LATER, &["--all-shares"], 0);
        assert_eq!(first["shares"], second["shares"]);
        // What the sharer alone tells does not make its owner's words forgotten.
        let narrow = scan(&stage, LATER, &["--user", sharer, "--all-shares"], 0);
        assert_eq!(
            share(&narrow, "2").unwrap()["item"]["path"],
            "/Papers",
            "{sharer} read alone"
        );
        let third = scan(&stage, NEXT_DAY, &["--all-shares"], 0);
        assert_eq!(first["shares"], third["shares"]);
    }
}

#[test]
fn runs_of_the_same_second_do_not_overwrite_each_other() {
    let stage = Stage::small();
    let ids: BTreeSet<String> = (0..3)
        .map(|_| scan(&stage, NOW, &[], 0)["run"]["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_scan_of_one_account_takes_nothing_from_a_full_scan_that_runs_meanwhile() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &[], 0);
    // The full scan has listed the accounts and waits for bob's shares while alice's are read beside it.
    waits_once(&stage, "bob", 1500);
    stage.forget_requests();
    let (full, narrow) = beside(
        &stage,
        || scan(&stage, LATER, &[], 0),
        lists("bob"),
        || {
            let two = ["--user", "frank", "--user", "alice"];
            scan(&stage, "2026-11-22T13:00:01Z", &two, 0)
        },
    );
    assert_eq!(statuses(&narrow, "1"), BTreeSet::from(["open"]));
    assert_eq!(verdict(&full), "limited");
    assert_eq!(full["sources"][0]["accounts"], first["sources"][0]["accounts"]);
    assert_eq!(full["totals"]["by_rule"], first["totals"]["by_rule"]);
    assert_eq!(
        full["totals"]["by_status"],
        json!({"open": findings(&first).len()})
    );
    let after = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(after["totals"]["by_rule"], first["totals"]["by_rule"]);
    totals_agree(&after);
}

#[test]
fn what_a_scan_beside_a_full_one_sees_first_is_told_by_that_one() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    waits_once(&stage, "bob", 2500);
    stage.forget_requests();
    let (full, narrow) = beside(
        &stage,
        || scan(&stage, LATER, &[], 0),
        lists("bob"),
        || {
            // Alice's list was read: what she shares now is seen by the scans of her alone.
            stage.change(&json!({"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Team"}}));
            let seen = scan(&stage, "2026-11-22T13:00:01Z", &["--user", "alice"], 0);
            stage.change(&json!({"do": "update", "share": 1, "set": {"label": "another", "permissions": 1}}));
            [
                seen,
                scan(&stage, "2026-11-22T13:00:02Z", &["--user", "alice"], 0),
            ]
        },
    );
    let of_new = |report: &Value| {
        findings(report)
            .iter()
            .filter(|found| found["share"]["id"] == "15")
            .count()
    };
    assert!(of_new(&narrow[0]) > 0, "{narrow:?}");
    assert_eq!(of_new(&full), 0);
    totals_agree(&full);
    let after = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(of_new(&after), of_new(&narrow[0]));
    // Whatever ended when: each run is printed as it was.
    for told in [&full, &narrow[0], &narrow[1]] {
        let run = told["run"]["id"].as_str().unwrap();
        let again = stage
            .run_at(NEXT_DAY, &["report", "--run", run, "--format", "json"])
            .ended(0)
            .json();
        assert_eq!(again["findings"], told["findings"]);
    }
}

#[test]
fn a_second_full_scan_says_who_holds_the_first() {
    let stage = Stage::small();
    stage.fault(
        &json!({"match": {"path_contains": "api/v1/shares", "account": "bob"}, "times": 1,
                        "action": {"do": "delay", "ms": 1500}}),
    );
    let (_, second) = beside(
        &stage,
        || scan(&stage, LATER, &[], 0),
        Asked::is_listing,
        || stage.run(&["scan"]),
    );
    second.ended(2);
    assert!(
        second.err.contains("is being scanned by process"),
        "{}",
        second.err
    );
    stage.run(&["scan"]).ended(0);
}

#[test]
fn findings_have_the_same_ids_on_every_machine() {
    let ids = |report: &Value| -> BTreeSet<String> {
        findings(report)
            .iter()
            .map(|each| each["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = Stage::small().report(&[]);
    let second = Stage::small().report(&[]);
    assert_eq!(ids(&first), ids(&second));
}

#[test]
fn a_scan_that_ends_beside_another_takes_nothing_from_it() {
    let stage = Stage::small();
    let alone = stage.report(&[]);
    let slow = json!({"match": {"path_contains": "api/v1/shares", "account": "gina"}, "action": {"do": "delay", "ms": 4_000}});
    stage.fault(&slow);
    let mut program = stage.program();
    program.arguments(&["--now", NOW, "-vv", "scan", "--format", "json"]);
    let mut running = program.start();
    // The lists of all others are there; gina's is waited for.
    for _ in 0..4 {
        running.until("api/v1/shares");
    }
    // What was read is in the state by then.
    std::thread::sleep(std::time::Duration::from_secs(1));
    scan(&stage, LATER, &["--user", "frank"], 0);
    let ran = running.end();
    let report = ran.ended(0).json();
    assert_eq!(report["totals"]["findings"], alone["totals"]["findings"]);
    assert_eq!(report["totals"]["by_rule"], alone["totals"]["by_rule"]);
}

#[test]
fn labels_of_an_earlier_night_are_no_knowledge_of_this_one() {
    let stage = Stage::small();
    let classified = |report: &Value| share(report, "1").unwrap()["item"]["classified"].clone();
    let night = |now: &str, code: i32| scan(&stage, now, &["--all-shares"], code);
    assert_eq!(classified(&night(NOW, 0)), json!(false));
    let tagged = json!({"do": "update", "owner": "alice", "file": "/Projects/plan.md", "set": {"tags": ["confidential"]}});
    stage.change(&tagged);
    stage.fault(&json!({"match": {"method": "REPORT"}, "action": {"do": "maintenance"}}));
    let report = night(LATER, 3);
    assert_eq!(
        classified(&report),
        Value::Null,
        "{:#}",
        report["sources"][0]["problems"]
    );
    assert_ne!(report["sources"][0]["classification_undetermined"], 0);
    stage.no_faults();
    assert_eq!(classified(&night(NEXT_DAY, 0)), json!(true));
}

#[test]
fn a_scan_ends_where_its_time_does() {
    let stage = Stage::small();
    stage.fault(&json!({"action": {"do": "delay", "ms": 300}}));
    stage.configure(&Config {
        source: "limits = { requests_per_second = 1000, in_flight = 1, stop_after = \"1s\" }",
        ..Config::default()
    });
    let report = stage.scan(&[]).ended(3).json();
    assert_eq!(problems(&report), [("*", "time-limit")]);
    // Four of 300 ms fit into it, and what was on its way is cut off.
    assert!(stage.requests().len() <= 6, "{:#?}", stage.requests());
    // Nor is a server asked for more once it said that it is in maintenance.
    stage.no_faults();
    stage.configure(&Config::default());
    stage.forget_requests();
    stage.fault(
        &json!({"match": {"path_contains": "api/v1/shares"}, "after": 1, "action": {"do": "maintenance"}}),
    );
    stage.scan(&[]).ended(3);
    let after = stage.requests();
    let first = after.iter().position(|asked| asked.status == 503).unwrap();
    let more = |asked: &&Asked| {
        ["SEARCH", "REPORT"].contains(&asked.method.as_str()) || asked.path.contains("serverinfo")
    };
    assert_eq!(after[first..].iter().filter(more).count(), 0, "{after:#?}");
}

#[test]
fn a_scan_goes_on_where_the_last_one_ran_out_of_time() {
    let mut world = small();
    let people: Vec<String> = (0..8).map(|number| format!("person{number}")).collect();
    for person in &people {
        list(&mut world["nextcloud"]["accounts"]).push(json!({"id": person, "files": [{"path": "/a.txt"}]}));
    }
    let shares = people
        .iter()
        .map(|person| json!({"type": "link", "owner": person, "path": "/a.txt"}));
    add_shares(&mut world, shares.collect());
    let stage = Stage::of(&world);
    let listed = |stage: &Stage| -> Vec<String> {
        let asked = stage.requests();
        let mut accounts: Vec<String> = asked
            .iter()
            .filter(|asked| asked.is_listing())
            .filter_map(|asked| asked.account.clone())
            .collect();
        accounts.dedup();
        accounts
    };
    let short = "limits = { requests_per_second = 1000, in_flight = 1, stop_after = \"2s\" }";
    stage.configure(&Config {
        source: short,
        ..Config::default()
    });
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares"}, "action": {"do": "delay", "ms": 400}}));
    let first = scan(&stage, NOW, &[], 3);
    let read = listed(&stage);
    let inventory = &first["sources"][0]["inventory"];
    assert!(
        inventory["known_percent"].as_f64().unwrap() < 100.0,
        "{inventory}"
    );
    assert!(inventory["unread"].as_u64() > Some(0), "{inventory}");
    stage.forget_requests();
    let second = scan(&stage, LATER, &[], 3);
    let next = listed(&stage);
    assert!(!read.is_empty() && !next.is_empty());
    assert!(
        next.iter().all(|account| !read.contains(account)),
        "{read:?} were read, and now {next:?}"
    );
    assert!(
        second["totals"]["by_status"].get("resolved").is_none(),
        "{}",
        second["totals"]
    );
    // What was read first is a night older than what was read now.
    stage.no_faults();
    stage.configure(&Config::default());
    let third = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(third["sources"][0]["inventory"]["known_percent"], 100.0);
    assert_eq!(
        third["sources"][0]["inventory"]["read_on"],
        json!({"2026-11-23": 13})
    );
    assert!(
        third["totals"]["by_status"].get("resolved").is_none(),
        "{}",
        third["totals"]
    );
}

#[test]
fn accounts_that_fail_night_after_night_keep_no_other_from_being_read() {
    let mut world = small();
    let failing: Vec<String> = (0..22).map(|number| format!("aa{number:02}")).collect();
    for account in &failing {
        list(&mut world["nextcloud"]["accounts"]).push(json!({"id": account}));
    }
    let stage = Stage::of(&world);
    for account in &failing {
        stage.fault(&unreadable(account));
    }
    scan(&stage, NOW, &[], 3);
    for now in [LATER, NEXT_DAY] {
        let report = scan(&stage, now, &[], 3);
        assert!(
            !statuses(&report, "1").contains("not-checked"),
            "{}",
            report["totals"]
        );
        let read = report["sources"][0]["accounts"]["scanned"].as_u64().unwrap();
        assert_eq!(read, 5, "{}", report["sources"][0]["accounts"]);
    }
}

#[test]
fn a_server_that_does_not_answer_says_nothing_of_the_account_asked_for() {
    let stage = Stage::small();
    stage.configure(&Config {
        source: "hide_disabled_user_shares = true",
        ..Config::default()
    });
    let first = scan(&stage, NOW, &[], 0);
    stage.fault(&json!({"action": {"do": "status", "status": 503}}));
    let alone = scan(&stage, LATER, &["--user", "alice"], 3);
    assert!(
        alone["totals"]["by_status"].get("new").is_none(),
        "{}",
        alone["totals"]
    );
    stage.no_faults();
    let next = scan(&stage, NEXT_DAY, &[], 0);
    assert_eq!(
        next["totals"]["by_status"],
        json!({"open": findings(&first).len()})
    );
}

#[test]
fn what_is_accepted_is_no_change_of_rules() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    let never = "recipient-never-logged-in";
    let theirs = |report: &Value| -> Vec<String> {
        findings(report)
            .iter()
            .filter(|finding| finding["rule"] == never)
            .map(|finding| finding["status"].as_str().unwrap().to_owned())
            .collect()
    };
    stage.configure(&Config {
        more: "[[waiver]]\nrule = \"link-without-expiry\"\nsource = \"cloud\"\nowner = \"nobody\"\nreason = \"r\"\napproved_by = \"a\"\nuntil = 2027-03-31\n",
        ..Config::default()
    });
    stage.change(&json!({"do": "update", "account": "frank", "set": {"last_login": "-1d"}}));
    assert_eq!(theirs(&scan(&stage, LATER, &[], 0)), ["resolved"]);
}

#[test]
fn a_scan_of_one_account_hides_nothing_of_how_far_the_others_are_known() {
    let stage = Stage::small();
    stage.fault(&unreadable("frank"));
    waits_once(&stage, "gina", 2000);
    let (full, _) = beside(
        &stage,
        || scan(&stage, NOW, &[], 3),
        lists("gina"),
        || scan(&stage, LATER, &["--user", "alice"], 0),
    );
    let inventory = &full["sources"][0]["inventory"];
    assert_eq!(
        (&inventory["unread"], &inventory["known_percent"]),
        (&json!(1), &json!(80.0)),
        "{inventory}"
    );
}

#[test]
fn a_run_that_goes_on_tells_itself_what_it_saw() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    stage.change(&json!([
        {"do": "update", "share": 5, "set": {"label": "another"}},
        {"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Team"}},
    ]));
    stage.fault(&json!({"match": {"method": "REPORT"}, "times": 1, "action": {"do": "delay", "ms": 3000}}));
    stage.forget_requests();
    // Alice's shares are in the state, and that scan goes on while another one ends.
    let (narrow, full) = beside(
        &stage,
        || stage.run_at(LATER, &["scan", "--user", "alice", "--format", "ndjson"]),
        |asked| asked.method == "REPORT",
        || stage.run_at("2026-11-22T13:00:01Z", &["scan", "--format", "ndjson"]),
    );
    let runs = [full, narrow];
    let changed = runs.iter().map(|ran| ran.out.contains("\"share_changed\""));
    assert_eq!(
        changed.collect::<Vec<_>>(),
        [false, true],
        "who saw it first tells it"
    );
    for ran in runs {
        let told = ran.ended(0).out.clone();
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        let again = stage.run_at(
            NEXT_DAY,
            &[
                "report",
                "--run",
                last["run"].as_str().unwrap(),
                "--format",
                "ndjson",
            ],
        );
        assert_eq!(again.ended(0).out, told);
    }
    let left = std::fs::read_dir(stage.path("")).unwrap();
    let locks = left.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".lock")
    });
    assert_eq!(locks.count(), 1, "the signs of runs that ended are gone");
}
