//! What a scan asks of a server: little, only reading, and again where that may help.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Asked, Config, Stage, findings, list, problems, share, small, verdict};

fn listings(asked: &[Asked]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for each in asked.iter().filter(|each| each.is_listing()) {
        *counted.entry(each.account.clone().unwrap()).or_default() += 1;
    }
    counted
}

/// The small world with so many further accounts that share nothing.
fn with_idle_accounts(number: usize) -> Value {
    let mut world = small();
    for place in 0..number {
        list(&mut world["nextcloud"]["accounts"]).push(json!({"id": format!("idle{place}")}));
    }
    world
}

#[test]
fn a_full_scan_lists_each_account_once_and_asks_a_constant_number_beside() {
    let count = |idle: usize| {
        let stage = Stage::of(&with_idle_accounts(idle));
        let report = stage.report(&[]);
        let asked = stage.requests();
        assert_eq!(report["sources"][0]["requests"]["sent"], asked.len());
        assert_eq!(report["sources"][0]["requests"]["retried"], 0);
        let lists = listings(&asked);
        assert!(lists.values().all(|times| *times == 1), "{lists:?}");
        assert_eq!(lists.len(), 5 + idle, "all but the disabled one");
        asked.len() - lists.len()
    };
    let (few, many) = (count(0), count(40));
    assert_eq!(few, many);
    assert!(few <= 20, "{few}");
}

#[test]
fn shares_cost_no_request_of_their_own() {
    let count = |more: usize| {
        let mut world = small();
        let shares = list(&mut world["nextcloud"]["shares"]);
        for _ in 0..more {
            shares.push(json!({"type": "link", "owner": "alice", "path": "/Projects/plan.md"}));
            shares.push(json!({"type": "user", "owner": "alice", "path": "/Team", "recipient": "bob"}));
        }
        let stage = Stage::of(&world);
        stage.report(&[]);
        stage.requests().len()
    };
    assert_eq!(count(0), count(100));
}

#[test]
fn a_scan_of_one_person_reads_that_persons_list_in_a_handful_of_requests() {
    for name in ["alice", "alice@example.org", "ALICE@Example.org"] {
        let stage = Stage::small();
        let report = stage.report(&["--user", name, "--all-shares"]);
        let asked = stage.requests();
        // Beside that, one search for names that classify, one for the folders that strangers can open, and one for
        // what lies beneath those.
        let searches = asked.iter().filter(|each| each.method == "SEARCH").count();
        assert_eq!(searches, 3, "/Projects, /Drop and /Team");
        assert!(
            asked.len() <= 10 + searches + usize::from(name.contains('@')),
            "{name}: {asked:#?}"
        );
        assert_eq!(
            listings(&asked),
            BTreeMap::from([("alice".to_owned(), 1)]),
            "{name}"
        );
        assert_eq!(report["shares"].as_array().unwrap().len(), 12, "{name}");
        assert_eq!(report["run"]["scope"]["users"], json!([name]));
        assert_eq!(report["sources"][0]["accounts"]["found"], 1);
        // Of the others, what rules need was asked: who is disabled, a guest, or never signed in.
        let fired: Vec<&str> = findings(&report)
            .iter()
            .map(|each| each["rule"].as_str().unwrap())
            .collect();
        for rule in ["orphaned-share", "guest-recipient", "recipient-never-logged-in"] {
            assert!(fired.contains(&rule), "{name}: {rule}");
        }
    }
}

#[test]
fn several_people_are_read_together_and_the_disabled_by_their_homes() {
    let stage = Stage::small();
    let report = stage.report(&["--user", "bob", "--user", "erin", "--all-shares"]);
    assert_eq!(
        report["sources"][0]["accounts"],
        json!({"found": 2, "scanned": 1, "skipped": 1, "failed": 0, "gone": 0})
    );
    let ids: Vec<&str> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(
        ids.contains(&"5") && ids.iter().any(|id| id.starts_with("file/")),
        "{ids:?}"
    );
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
}

#[test]
fn scans_send_only_what_reads() {
    let stage = Stage::small();
    stage.report(&[]);
    stage.report(&["--user", "alice", "--full", "--rule", "link-without-password"]);
    stage.run(&["scan"]).ended(0);
    stage.run(&["report"]).ended(0);
    let before = stage.stored();
    for each in stage.requests() {
        assert!(
            ["GET", "PROPFIND", "REPORT", "SEARCH"].contains(&each.method.as_str()),
            "{each:?}"
        );
        assert!(!each.path.contains("__emulator") && each.status < 400, "{each:?}");
    }
    assert_eq!(stage.stored(), before);
    assert_eq!(before.len(), 14);
}

#[test]
fn odd_account_ids_are_asked_for_as_they_are() {
    let mut world = small();
    let odd = ["judy o'neil", "ivan@elsewhere.example", "50%+1 & co", "zoë ü?#"];
    for id in odd {
        let files = json!([{"path": "/a.txt"}]);
        list(&mut world["nextcloud"]["accounts"]).push(json!({"id": id, "files": files}));
        list(&mut world["nextcloud"]["shares"]).push(json!({"type": "link", "owner": id, "path": "/a.txt"}));
    }
    let stage = Stage::of(&world);
    let report = stage.report(&["--all-shares"]);
    for id in odd {
        let owned = report["shares"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|share| share["owner"]["id"] == id)
            .count();
        assert_eq!(owned, 1, "{id}");
        let alone = stage.report(&["--user", id, "--all-shares"]);
        assert_eq!(alone["shares"].as_array().unwrap().len(), 1, "{id}");
    }
}

#[test]
fn what_passes_is_ridden_out_and_counted() {
    let listing = |action: Value| json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "times": 1, "action": action});
    let passing = [
        (
            "429",
            listing(json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}})),
            true,
        ),
        ("503", listing(json!({"do": "status", "status": 503})), false),
        (
            "503 with a time",
            listing(json!({"do": "status", "status": 503, "headers": {"Retry-After": "1"}})),
            true,
        ),
        ("500", listing(json!({"do": "status", "status": 500})), false),
        ("reset", listing(json!({"do": "reset"})), false),
        ("cut", listing(json!({"do": "cut", "bytes": 700})), false),
        (
            "cut in the account list",
            json!({"match": {"path_contains": "users/details"}, "times": 1, "action": {"do": "cut", "bytes": 200}}),
            false,
        ),
        (
            "reset in the check",
            json!({"match": {"path_contains": "ex-app/state"}, "times": 1, "action": {"do": "reset"}}),
            false,
        ),
        (
            "502 in a home",
            json!({"match": {"path_contains": "dav/files/erin"}, "times": 1, "action": {"do": "status", "status": 502}}),
            false,
        ),
        (
            "cut in a home",
            json!({"match": {"path_contains": "dav/files/erin"}, "times": 1, "action": {"do": "cut", "bytes": 300}}),
            false,
        ),
        (
            "cut among tagged files",
            json!({"match": {"method": "REPORT"}, "times": 1, "action": {"do": "cut", "bytes": 100}}),
            false,
        ),
        (
            "cut in a search",
            json!({"match": {"method": "SEARCH"}, "times": 1, "action": {"do": "cut", "bytes": 100}}),
            false,
        ),
        (
            "slow",
            listing(json!({"do": "slow", "bytes": 3000, "ms": 5})),
            false,
        ),
    ];
    std::thread::scope(|scope| {
        let tries: Vec<_> = passing
            .into_iter()
            .map(|(what, fault, throttled)| {
                let ride = move || {
                    let stage = Stage::small();
                    stage.fault(&fault);
                    let ran = stage.scan(&["--all-shares"]);
                    assert_eq!(ran.code, Some(0), "{what}: {}\n{}", ran.err, ran.out);
                    let report = ran.json();
                    assert_eq!(verdict(&report), "limited", "{what}");
                    assert_eq!(problems(&report), [("erin", "account-disabled")], "{what}");
                    assert!(share(&report, "1").is_some(), "{what}");
                    let requests = &report["sources"][0]["requests"];
                    let sent = stage.requests().len();
                    assert_eq!(requests["sent"], sent, "{what}");
                    assert_eq!(requests["throttled"], u64::from(throttled), "{what}: {requests}");
                    let calm = u64::from(what != "slow");
                    assert!(
                        requests["retried"].as_u64().unwrap() >= calm,
                        "{what}: {requests}"
                    );
                    assert_eq!(
                        requests["waited_seconds"].as_f64().unwrap() > 0.0,
                        throttled,
                        "{what}: {requests}"
                    );
                };
                (what, scope.spawn(ride))
            })
            .collect();
        let failed: Vec<&str> = tries
            .into_iter()
            .filter_map(|(what, done)| done.join().is_err().then_some(what))
            .collect();
        assert!(failed.is_empty(), "see above what is wrong with: {failed:?}");
    });
}

#[test]
fn a_long_list_of_accounts_is_read_page_by_page() {
    let mut world = small();
    world["nextcloud"]["generate"] = json!({"accounts": 510});
    let stage = Stage::of(&world);
    stage.configure(&Config {
        source: "exclude = { users = [\"user0*\"] }",
        ..Config::default()
    });
    let report = stage.report(&[]);
    let accounts = &report["sources"][0]["accounts"];
    assert_eq!(
        (&accounts["found"], &accounts["skipped"]),
        (&json!(516), &json!(511))
    );
    let pages = stage
        .requests()
        .into_iter()
        .filter(|asked| asked.path.contains("cloud/users/details"));
    assert!(pages.count() >= 2);
    assert_eq!(listings(&stage.requests()).len(), 5);
}
