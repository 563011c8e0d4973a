//! Nights that ask only for what may have changed, and that go on where the last one stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::nights::{Nights, open};
use super::{essence, shares, shares_on, switched};
use crate::harness::{Config, Stage, findings, verdict};

/// What a night may cost: a request for each drive, two units for each site, and five for each item that may have
/// changed and each seventh of the others, and a twentieth more.
fn most(drives: u64, sites: u64, changed: u64, roots: u64) -> u64 {
    (drives + 2 * sites + 5 * (changed + roots.div_ceil(7))) * 21 / 20
}

fn units(report: &Value) -> u64 {
    report["sources"][0]["requests"]["units"].as_u64().unwrap()
}

/// What stands in a report: each finding that has not ended, with the share as it is told. That a protection is gone is
/// known only to who saw it.
fn standing(report: &Value) -> BTreeSet<String> {
    let stands = |finding: &&Value| {
        matches!(finding["status"].as_str().unwrap(), "new" | "open")
            && finding["rule"] != "protection-removed"
    };
    findings(report)
        .iter()
        .filter(stands)
        .map(|finding| {
            let share = Some(&finding["share"])
                .filter(|share| share.is_object())
                .map(essence);
            json!([finding["id"], finding["level"], share]).to_string()
        })
        .collect()
}

/// What a scan finds that remembers nothing.
fn afresh(nights: &Nights) -> BTreeSet<String> {
    let ran = nights
        .stage
        .run_at(&nights.now(), &["--no-state", "scan", "--format", "json"]);
    standing(&ran.ended(0).json())
}

/// The report shows what a scan shows that remembers nothing.
fn is_up_to_date(nights: &Nights, report: &Value, what: &str) {
    let (known, afresh) = (standing(report), afresh(nights));
    let missing: Vec<_> = afresh.difference(&known).collect();
    let stale: Vec<_> = known.difference(&afresh).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{what}: missing {missing:#?}, stale {stale:#?}"
    );
}

/// How many findings ended.
fn resolved(report: &Value) -> usize {
    findings(report)
        .iter()
        .filter(|finding| finding["status"] == "resolved")
        .count()
}

/// How many enumerations were begun since requests were last forgotten.
fn enumerations(stage: &Stage) -> usize {
    let requests = stage.requests();
    let begun = requests
        .iter()
        .filter(|asked| asked.path.contains("/root/delta") && !asked.path.contains("token="));
    begun.count()
}

/// A tenant of invented drives.
fn drives(number: u32, items: u32, roots: u32) -> Value {
    json!({
        "schema": "sharewarden.world/v1",
        "microsoft365": {
            "tenant": {"domain": "example.org"},
            "app": {"client_id": "a0d17000-0000-4000-8000-000000000001", "secret": "an-invented-secret"},
            "limits": {"delta_page": 100},
            "generate": {"drives": number, "items_each": items, "roots_each": roots}
        }
    })
}

/// Nights whose policy classifies nothing: labels cost units of their own.
fn unlabelled(world: &Value) -> Nights {
    let nights = Nights::of(world);
    configure(&nights, "");
    nights
}

fn configure(nights: &Nights, source: &str) {
    nights.stage.configure_tenant(&Config {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\n",
        more: "details = \"all\"",
        source,
        ..Config::default()
    });
}

/// A drive in which much is shared beneath a folder that is not.
fn deep() -> Value {
    let mut items = Vec::new();
    let mut permissions = Vec::new();
    for number in 0..70 {
        let path = format!("/Above/Within/{number}.txt");
        permissions.push(
            json!({"owner": "ada@example.org", "path": path, "link": {"scope": "anonymous", "type": "view"}}),
        );
        items.push(json!({ "path": path }));
    }
    json!({
        "schema": "sharewarden.world/v1",
        "microsoft365": {
            "tenant": {"domain": "example.org"},
            "app": {"client_id": "a0d17000-0000-4000-8000-000000000001", "secret": "an-invented-secret"},
            "users": [{"upn": "ada@example.org", "items": items}],
            "permissions": permissions
        }
    })
}

#[test]
fn a_quiet_night_costs_a_request_a_drive_and_a_seventh_of_what_is_shared() {
    let mut nights = unlabelled(&drives(40, 120, 10));
    let first = nights.whole();
    // The top of each drive is listed as what is shared in it is.
    let roots = 40 * 11;
    assert!(units(&first) > 5 * roots);
    let mut listed = 0;
    for _ in 0..7 {
        nights.stage.forget_requests();
        let night = nights.whole();
        let spent = units(&night);
        assert!(spent <= most(40, 40, 0, roots), "night {}: {spent}", nights.day);
        assert_eq!(enumerations(&nights.stage), 0);
        assert_eq!(standing(&night), standing(&first));
        assert_eq!(shares(&night).len(), shares(&first).len());
        listed += spent - (1 + 2 + 2 * 40 + 40);
    }
    assert_eq!(listed, 5 * roots, "each was listed once");
}

#[test]
fn what_is_told_is_known_in_the_same_night() {
    for (text, folders) in [(false, false), (true, true)] {
        let world = switched(&open(), "shared_changed_as_text", json!(text));
        let world = switched(&world, "shared_changed_on_folders", json!(folders));
        let mut nights = Nights::of(&world);
        nights.whole();
        let link = json!({"scope": "anonymous", "type": "edit"});
        let alice = "alice@example.org";
        nights.change(&json!([
            // Of a file and of a folder that were not shared, of those that were, and of the drive as a whole.
            {"do": "add", "permission": {"owner": alice, "path": "/HR", "link": link}},
            {"do": "add", "permission": {"owner": "bob@example.org", "path": "/Drafts", "link": link}},
            {"do": "add", "permission": {"owner": alice, "path": "/virus.exe", "grant": {"everyone": true}}},
            {"do": "add", "permission": {"owner": "erin@example.org", "path": "/Thesis/thesis.pdf", "link": link}},
            {"do": "add", "permission": {"owner": "erin@example.org", "path": "/", "grant": {"user": "bob@example.org"}}},
            {"do": "add", "permission": {"site": "/sites/archive", "path": "/Old", "link": link}},
            {"do": "add", "owner": alice, "item": {"path": "/New/file.txt"}},
        ]));
        nights.change(&json!([
            {"do": "add", "permission": {"owner": alice, "path": "/New/file.txt", "link": link}},
            {"do": "remove", "owner": alice, "path": "/Projects/plan.docx",
             "permission": "11111111-0000-4000-8000-000000000002"},
            {"do": "remove", "owner": "erin@example.org", "path": "/Thesis",
             "permission": "11111111-0000-4000-8000-000000000007"},
            {"do": "remove", "owner": alice, "item": "/Team"},
            {"do": "update", "owner": alice, "item": "/Odd", "set": {"path": "/Notebook/Odd"}},
        ]));
        let second = nights.whole();
        is_up_to_date(&nights, &second, "the night after");
        assert!(!shares_on(&second, "/New/file.txt").is_empty());
        let third = nights.whole();
        is_up_to_date(&nights, &third, "the night after that");
    }
}

#[test]
fn what_is_not_told_is_known_within_a_week() {
    let alice = "alice@example.org";
    let anonymous = json!({"scope": "anonymous", "type": "edit"});
    let plan = |permission: &str, set: Value| {
        json!({"do": "update", "owner": alice, "path": "/Projects/plan.docx",
            "permission": format!("11111111-0000-4000-8000-00000000000{permission}"), "set": set})
    };
    let people = json!({"scope": "users", "type": "view", "prevents_download": true,
        "people": [{"user": "bob@example.org"}, {"otp": "stranger@elsewhere.example"}]});
    for (what, switch, change) in [
        (
            "somebody comes to an existing link",
            "silent_changes",
            json!({"do": "update", "owner": alice, "path": "/Projects/Budget/numbers.xlsx",
                "permission": "11111111-0000-4000-8000-000000000004", "set": {"link": people}}),
        ),
        (
            "a link never ends any more",
            "silent_changes",
            plan("3", json!({"expires": null})),
        ),
        (
            "a link opens without its password",
            "silent_changes",
            plan("2", json!({"link": {"scope": "anonymous", "type": "view"}})),
        ),
        (
            "one of two links is removed, and the summary is the same",
            "silent_changes",
            json!({"do": "remove", "owner": alice, "path": "/Projects/plan.docx",
                "permission": "11111111-0000-4000-8000-000000000003"}),
        ),
        (
            "the only link is removed without an entry",
            "silent_removals",
            json!({"do": "remove", "owner": alice, "path": "/virus.exe",
                "permission": "11111111-0000-4000-8000-000000000005"}),
        ),
        (
            "the link of a folder is removed without an entry",
            "silent_removals",
            json!({"do": "remove", "owner": alice, "path": "/Projects",
                "permission": "11111111-0000-4000-8000-000000000001"}),
        ),
        (
            "a link comes to a library without an entry",
            "silent_additions",
            json!({"do": "add", "permission": {"site": "/sites/exams", "path": "/Timetable.pdf", "link": anonymous}}),
        ),
        (
            "a link comes to a folder above what is shared, without an entry",
            "silent_additions",
            json!({"do": "add", "permission": {"owner": alice, "path": "/Projects", "link": anonymous}}),
        ),
    ] {
        let mut nights = Nights::of(&switched(&open(), switch, json!(true)));
        let first = nights.whole();
        nights.change(&change);
        let mut last = Value::Null;
        for _ in 0..7 {
            last = nights.whole();
        }
        assert_ne!(standing(&first), standing(&last), "{what}");
        is_up_to_date(&nights, &last, what);
    }
}

#[test]
fn a_service_that_lost_its_place_is_asked_for_everything_again() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    let change = json!({"do": "add", "permission": {"owner": "alice@example.org", "path": "/virus.exe",
        "grant": {"everyone": true}}});
    for owner in ["alice@example.org", "bob@example.org"] {
        nights.change(&json!({"service": "graph", "do": "reset", "drive": true, "owner": owner}));
    }
    nights.change(&change);
    let second = nights.whole();
    is_up_to_date(&nights, &second, "after a reset");
    assert_eq!(resolved(&second), 0);
    assert!(standing(&second).len() > standing(&first).len());
    nights.change(&json!({"do": "update", "limits": {"delta_token_seconds": 3600}}));
    for _ in 0..2 {
        let spent = units(&second);
        let night = nights.whole();
        assert_eq!(standing(&night), standing(&second));
        assert_eq!(resolved(&night), 0);
        assert!(units(&night) > spent, "{} after {spent}", units(&night));
    }
}

#[test]
fn other_classes_or_a_wish_for_everything_begin_anew() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.stage.forget_requests();
    let second = nights.whole();
    assert_eq!(enumerations(&nights.stage), 0);
    let full = nights.scan(&["--full"]).ended(0).json();
    let begun = enumerations(&nights.stage);
    assert!(begun >= 5, "{begun}");
    assert_eq!(units(&full), units(&first));
    assert_eq!((standing(&full), resolved(&full)), (standing(&second), 0));
    nights.stage.forget_requests();
    nights.stage.configure_tenant(&Config {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\n[[policy.classify]]\nlabel = \"confidential\"\n\
                 paths = [\"**/Projects/**\"]\n",
        ..Config::default()
    });
    let other = nights.scan(&[]).ended(0).json();
    assert_eq!(enumerations(&nights.stage), begun);
    is_up_to_date(&nights, &other, "other classes");
    assert_ne!(standing(&other), standing(&full));
}

#[test]
fn a_folder_that_moves_costs_no_listing_of_what_lies_beneath() {
    let mut nights = unlabelled(&deep());
    let first = nights.whole();
    assert!(units(&first) > 350);
    nights.change(
        &json!({"do": "update", "owner": "ada@example.org", "item": "/Above", "set": {"path": "/Other"}}),
    );
    let second = nights.whole();
    assert!(units(&second) <= most(1, 1, 1, 71) + 3, "{}", units(&second));
    assert_eq!(shares_on(&second, "/Other/Within/33.txt").len(), 1);
    is_up_to_date(&nights, &second, "moved");
    assert_eq!(findings(&first).len(), findings(&second).len());
}

#[test]
fn what_lies_in_a_folder_that_is_deleted_is_resolved_without_asking() {
    let mut nights = unlabelled(&deep());
    let first = nights.whole();
    nights.change(&json!({"do": "remove", "owner": "ada@example.org", "item": "/Above"}));
    let second = nights.whole();
    assert!(units(&second) <= most(1, 1, 1, 0) + 3, "{}", units(&second));
    let shared = findings(&first)
        .iter()
        .filter(|finding| finding["share"].is_object());
    assert_eq!(resolved(&second), shared.count());
    is_up_to_date(&nights, &second, "deleted");
}

/// A drive in which a folder is open to one, and a file deep in it to the same and to another.
fn nested() -> Value {
    let mut world = deep();
    let microsoft365 = &mut world["microsoft365"];
    microsoft365["users"][0]["items"] = json!([{"path": "/T/F/x.txt"}, {"path": "/plain.txt"}]);
    let grant =
        |path: &str, who: &str| json!({"owner": "ada@example.org", "path": path, "grant": {"otp": who}});
    microsoft365["permissions"] = json!([
        grant("/T", "bob@elsewhere.example"),
        grant("/T/F/x.txt", "carol@elsewhere.example"),
    ]);
    world
}

#[test]
fn what_moves_out_of_a_folder_that_grants_something_is_told_at_its_own_place() {
    let mut nights = unlabelled(&nested());
    // So that nothing is listed again only because its turn has come.
    configure(&nights, "limits = { relist_every = \"60d\" }");
    nights.whole();
    nights.change(
        &json!({"do": "update", "owner": "ada@example.org", "item": "/T/F", "set": {"path": "/Other"}}),
    );
    let second = nights.whole();
    assert_eq!(shares_on(&second, "/Other/x.txt").len(), 2);
    is_up_to_date(&nights, &second, "moved");
    nights.change(&json!({"do": "remove", "owner": "ada@example.org", "item": "/T"}));
    let third = nights.whole();
    assert_eq!(shares_on(&third, "/Other/x.txt").len(), 2);
    is_up_to_date(&nights, &third, "what granted it is deleted");
}

/// Puts back what was remembered of the drives when the ledger was copied, as if what was read since had been read by a
/// run that was killed before it remembered that.
fn forget_since(nights: &Nights, copy: &str) {
    let state = rusqlite::Connection::open(nights.stage.path("state.db")).unwrap();
    let copy = nights.stage.path(copy);
    state
        .execute("ATTACH ?1 AS old", [copy.to_str().unwrap()])
        .unwrap();
    let mut tables = state
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'checkpoint%'")
        .unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let tables: Vec<String> = tables.map(Result::unwrap).collect();
    assert!(!tables.is_empty());
    for table in tables {
        let back = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM old.{table}");
        state.execute_batch(&back).unwrap();
    }
}

#[test]
fn what_a_killed_run_told_and_did_not_remember_ends_when_it_ends() {
    let ada = "ada@example.org";
    let link = json!({"scope": "anonymous", "type": "view"});
    let shared = |path: &str| {
        json!({"do": "add", "permission": {"owner": ada, "path": path, "link": link,
        "id": "11111111-0000-4000-8000-000000000099"}})
    };
    for (what, path, change) in [
        (
            "deleted",
            "/plain.txt",
            json!({"do": "remove", "owner": ada, "item": "/plain.txt"}),
        ),
        (
            "deleted, a folder",
            "/T/F",
            json!({"do": "remove", "owner": ada, "item": "/T/F"}),
        ),
        (
            "no longer shared",
            "/plain.txt",
            json!({"do": "remove", "owner": ada, "path": "/plain.txt",
                "permission": "11111111-0000-4000-8000-000000000099"}),
        ),
    ] {
        let mut nights = unlabelled(&nested());
        nights.whole();
        std::fs::copy(nights.stage.path("state.db"), nights.stage.path("old.db")).unwrap();
        nights.change(&shared(path));
        let second = nights.whole();
        assert_eq!(shares_on(&second, path).len(), 1, "{what}");
        forget_since(&nights, "old.db");
        nights.change(&change);
        nights.stage.forget_requests();
        let third = nights.whole();
        assert_eq!(enumerations(&nights.stage), 0, "{what}: it went on");
        is_up_to_date(&nights, &third, what);
        assert!(resolved(&third) > 0, "{what}");
    }
}

#[test]
fn an_item_that_cannot_be_listed_holds_up_no_other() {
    let mut nights = unlabelled(&deep());
    let path = "/Above/Within/33.txt";
    let first = nights.whole();
    let item = shares_on(&first, path)[0]["item"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    nights
        .stage
        .fault(&json!({"match": {"service": "graph", "inner": true,
        "path_contains": format!("{item}/permissions")}, "action": {"do": "status", "status": 403}}));
    nights.change(
        &json!({"do": "add", "permission": {"owner": "ada@example.org", "path": path,
        "grant": {"otp": "bob@elsewhere.example"}}}),
    );
    nights.change(&json!({"do": "remove", "owner": "ada@example.org", "item": "/Above/Within/34.txt"}));
    let mut spent = 0;
    for _ in 0..9 {
        let night = nights.scan(&[]).ended(3).json();
        // What is open there is not known, and of nothing else.
        for finding in findings(&night)
            .iter()
            .filter(|finding| finding["share"].is_object())
        {
            let expected = match finding["share"]["item"]["path"].as_str().unwrap() {
                "/Above/Within/33.txt" => "not-checked",
                "/Above/Within/34.txt" => "resolved",
                _ => "open",
            };
            assert_eq!(finding["status"], expected, "night {}: {finding}", nights.day);
        }
        assert!(
            units(&night) <= most(1, 1, 2, 71) + 3,
            "night {}: {}",
            nights.day,
            units(&night)
        );
        spent += units(&night);
    }
    assert!(spent > 5 * 71, "each was listed again: {spent}");
}

#[test]
fn an_address_that_answers_nonsense_is_given_up() {
    for action in [
        json!({"do": "html"}),
        json!({"do": "malformed"}),
        json!({"do": "status", "status": 200, "headers": {"Content-Type": "application/json"}, "body": "{\"value\": []}"}),
    ] {
        let mut nights = unlabelled(&nested());
        let first = nights.whole();
        nights
            .stage
            .fault(&json!({"match": {"service": "graph", "path_contains": "token="}, "action": action}));
        let second = nights.scan(&[]).ended(3).json();
        assert_eq!(resolved(&second), 0, "{action}");
        let third = nights.whole();
        assert_eq!(standing(&third), standing(&first), "{action}");
    }
}

/// How a scan is stopped before its end, again and again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Budget,
    Time,
    Signal,
    Kill,
}

/// One night that is stopped, or comes to its end; the report, where there is one.
fn stopped(nights: &mut Nights, stop: Stop, round: u32) -> Option<Value> {
    match stop {
        Stop::Budget => {
            // The day does not end: what was spent in it counts.
            let day = 1200 * (u64::from(round) + 1);
            configure(
                nights,
                &format!("limits = {{ units_per_minute = 1000000, units_per_day = {day} }}"),
            );
            Some(nights.scan(&[]).json())
        }
        Stop::Time => {
            configure(
                nights,
                "limits = { units_per_minute = 1000000, units_per_day = 1000000, stop_after = \"1s\" }",
            );
            Some(nights.scan(&[]).json())
        }
        Stop::Signal | Stop::Kill => {
            nights.day += 1;
            let now = nights.now();
            nights.stage.clock(&now);
            let mut program = nights.stage.program();
            program.arguments(&["--now", &now, "scan", "--format", "json", "--output", "out.json"]);
            let mut child = program
                .command()
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let until = std::time::Instant::now() + Duration::from_millis(900 + 150 * u64::from(round));
            while std::time::Instant::now() < until {
                if let Some(status) = child.try_wait().unwrap() {
                    assert!(status.success(), "{status}");
                    let text = std::fs::read_to_string(nights.stage.path("out.json")).unwrap();
                    return Some(serde_json::from_str(&text).unwrap());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            if stop == Stop::Kill {
                child.kill().unwrap();
                child.wait().unwrap();
                return None;
            }
            let id = child.id().to_string();
            let killed = std::process::Command::new("kill").args(["-INT", &id]).status();
            assert!(killed.unwrap().success());
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(0 | 130)), "{code:?}");
            let text = std::fs::read_to_string(nights.stage.path("out.json")).unwrap();
            Some(serde_json::from_str(&text).unwrap())
        }
    }
}

#[test]
fn a_scan_that_is_stopped_goes_on_where_it_was() {
    let spent = |stage: &Stage| stage.state()["microsoft365"]["units_spent"].as_u64().unwrap();
    let world = drives(3, 900, 260);
    let undisturbed = {
        let mut nights = unlabelled(&world);
        let report = nights.whole();
        (standing(&report), spent(&nights.stage))
    };
    for stop in [Stop::Budget, Stop::Time, Stop::Signal, Stop::Kill] {
        let mut nights = unlabelled(&world);
        if stop != Stop::Budget {
            nights.change(&json!({"do": "update", "limits": {"answer_delay_ms": 60}}));
        }
        let mut rounds = 0;
        let last = loop {
            let report = stopped(&mut nights, stop, rounds);
            rounds += 1;
            assert!(rounds < 40, "{stop:?} makes no progress");
            let Some(report) = report else { continue };
            assert_eq!(resolved(&report), 0, "{stop:?}");
            if verdict(&report) != "incomplete" {
                break report;
            }
        };
        assert!(rounds > 1, "{stop:?} stopped nothing: {rounds}");
        assert_eq!(standing(&last), undisturbed.0, "{stop:?}");
        let (all, once) = (spent(&nights.stage), undisturbed.1);
        // Each run discovers the drives again, and what was on its way when it was stopped is asked again.
        let most = once + u64::from(rounds) * if stop == Stop::Kill { 2500 } else { 1300 };
        assert!(
            all <= most,
            "{stop:?}: {all} units in {rounds} runs, {once} in one"
        );
    }
}

#[test]
fn what_somebody_owns_who_was_disabled_is_judged_in_the_same_night() {
    let mut nights = Nights::of(&open());
    nights.stage.configure_tenant(&Config::default());
    nights.whole();
    nights.change(&json!({"do": "update", "user": "bob@example.org", "set": {"enabled": false}}));
    let second = nights.whole();
    let orphaned = |report: &Value| -> BTreeSet<String> {
        findings(report)
            .iter()
            .filter(|finding| finding["rule"] == "orphaned-share" && finding["status"] != "resolved")
            .map(|finding| finding["id"].to_string())
            .collect()
    };
    let ran = nights
        .stage
        .run_at(&nights.now(), &["--no-state", "scan", "--format", "json"]);
    let afresh = orphaned(&ran.ended(0).json());
    assert!(!afresh.is_empty());
    assert_eq!(orphaned(&second), afresh);
}
