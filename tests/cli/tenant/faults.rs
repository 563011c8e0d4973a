//! A service that answers badly: the scan ends with what could be read and names what could not.

use serde_json::{Value, json};

use super::{shares, shares_on};
use crate::harness::{Config, Stage, list, problems, tenant, verdict};

fn open() -> Value {
    let mut world = tenant();
    list(&mut world["microsoft365"]["sites"])
        .retain(|site| site["locked"] != true && site["archived"] != true && site["refused"] != true);
    list(&mut world["microsoft365"]["users"]).retain(|user| user["drive"] != "locked");
    world
}

/// What can go wrong for good with an answer, and the codes by which that may be told.
fn misbehaviours() -> Vec<(&'static str, Value, &'static [&'static str])> {
    vec![
        ("html", json!({"do": "html"}), &["malformed"]),
        ("half", json!({"do": "malformed"}), &["malformed"]),
        (
            "deep",
            json!({"do": "deep", "levels": 10_000}),
            &["malformed", "truncated"],
        ),
        ("huge", json!({"do": "huge", "bytes": 80_000_000}), &["too-large"]),
        (
            "teapot",
            json!({"do": "status", "status": 418}),
            &["server-error"],
        ),
        ("empty", json!({"do": "status", "status": 200}), &["malformed"]),
        (
            "not found",
            json!({"do": "status", "status": 404}),
            &["server-error"],
        ),
        (
            "elsewhere",
            json!({"do": "foreign-next-link", "origin": "https://evil.example.net"}),
            &["redirected"],
        ),
        ("endless", json!({"do": "endless"}), &["malformed"]),
        (
            "repeating",
            json!({"do": "endless", "filling": "repeat"}),
            &["malformed"],
        ),
        (
            "redirect",
            json!({"do": "status", "status": 302, "headers": {"Location": "https://evil.example.net/"}}),
            &["redirected"],
        ),
    ]
}

#[test]
fn a_drive_that_answers_badly_is_named_and_the_others_are_read() {
    let stage = Stage::of(&open());
    let drives = stage.report(&[])["sources"][0]["accounts"]["found"]
        .as_u64()
        .unwrap();
    for (what, action, codes) in misbehaviours() {
        stage.no_faults();
        stage.fault(&json!({"match": {"service": "graph", "path_contains": "/delta"}, "action": action.clone(), "times": 1}));
        if what == "endless" || what == "repeating" {
            // Whoever follows the pages meets the fault again.
            stage.no_faults();
            let drive = first_drive(&stage);
            stage.fault(&json!({"match": {"service": "graph", "path_contains": drive}, "action": action}));
        }
        let ran = stage.scan(&["--all-shares"]);
        let report = ran.json();
        let told = problems(&report);
        let accounts = &report["sources"][0]["accounts"];
        ran.ended(3);
        assert_eq!(accounts["failed"], 1, "{what}: {told:?}");
        assert_eq!(accounts["scanned"], drives - 1, "{what}: {told:?}");
        assert!(
            told.iter()
                .any(|(scope, code)| codes.contains(code) && scope.contains("sharepoint.com")),
            "{what}: {told:?}"
        );
        assert_eq!(verdict(&report), "incomplete");
    }
}

/// The path of a drive that has items.
fn first_drive(stage: &Stage) -> String {
    let drive = stage.permissions()[0]["drive"].as_str().unwrap().to_owned();
    format!("{drive}/root/delta")
}

#[test]
fn lists_that_answer_badly_make_the_scan_incomplete_and_hide_nothing_else() {
    for list in ["/users", "getAllSites"] {
        for (what, action, codes) in misbehaviours() {
            let stage = Stage::of(&open());
            stage.fault(&json!({"match": {"service": "graph", "path_contains": list}, "action": action}));
            let ran = stage.scan(&["--all-shares"]);
            ran.ended(3);
            let report = ran.json();
            let told = problems(&report);
            assert!(
                told.iter().any(|(_, code)| codes.contains(code)),
                "{list}, {what}: {told:?}"
            );
            assert!(!stage.requests().iter().any(|asked| asked.path.contains("evil")));
            // Drives are found by sites, whoever their people are; sites that came before the end of the list are read.
            let reads_drives = list == "/users" || ["elsewhere", "repeating"].contains(&what);
            assert_eq!(
                !shares_on(&report, "/Projects").is_empty(),
                reads_drives,
                "{list}, {what}"
            );
        }
    }
}

#[test]
fn an_unanswered_permission_makes_its_drive_incomplete_and_hides_no_other() {
    let stage = Stage::of(&open());
    let all = shares(&stage.report(&["--all-shares"])).len();
    for (what, status, body, code) in [
        (
            "refused",
            403,
            "{\"error\":{\"code\":\"accessDenied\",\"message\":\"no\"}}",
            "forbidden",
        ),
        ("failing", 500, "", "server-error"),
        ("no JSON", 200, "<html>", "malformed"),
        ("locked", 423, "{\"error\":{\"code\":\"notAllowed\"}}", "locked"),
        // A gateway says nothing of what lies behind it.
        ("not there, without a reason", 404, "", "server-error"),
    ] {
        stage.no_faults();
        let times = if status == 500 { 10 } else { 1 };
        stage.fault(&json!({
            "match": {"service": "graph", "inner": true, "path_contains": "/permissions"}, "times": times,
            "action": {"do": "status", "status": status, "body": body}
        }));
        let ran = stage.scan(&["--all-shares"]);
        ran.ended(if status == 500 { ran.code.unwrap() } else { 3 });
        let report = ran.json();
        if status != 500 {
            assert!(
                problems(&report).iter().any(|(_, told)| *told == code),
                "{what}: {:?}",
                problems(&report)
            );
            assert!(shares(&report).len() >= all - 3, "{what}");
        }
    }
    // One that was deleted in between is no error.
    stage.no_faults();
    stage.fault(&json!({
        "match": {"service": "graph", "inner": true, "path_contains": "/permissions"}, "times": 1,
        "action": {"do": "status", "status": 404,
                   "body": "{\"error\":{\"code\":\"itemNotFound\",\"message\":\"Item not found\"}}"}
    }));
    assert_eq!(verdict(&stage.report(&[])), "complete");
}

#[test]
fn managers_who_are_not_told_limit_the_scan_and_end_nothing() {
    let stage = Stage::of(&open());
    let managers = "[mail]\nmanagers = true\nallowed_domains = [\"example.org\"]\n";
    stage.configure_tenant(&Config {
        more: managers,
        ..Config::default()
    });
    let before = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&before), "complete");
    stage.fault(&json!({
        "match": {"service": "graph", "inner": true, "path_contains": "/manager"}, "times": 1,
        "action": {"do": "status", "status": 403,
                   "body": "{\"error\":{\"code\":\"Authorization_RequestDenied\",\"message\":\"Insufficient privileges\"}}"}
    }));
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "limited");
    assert!(
        problems(&report).contains(&("*", "people-unreadable")),
        "{:?}",
        problems(&report)
    );
    assert_eq!(shares(&report).len(), shares(&before).len());
}

#[test]
fn throttled_answers_inside_a_batch_are_asked_again_alone() {
    let stage = Stage::of(&open());
    let before = shares(&stage.report(&["--all-shares"])).len();
    stage.forget_requests();
    stage.fault(&json!({
        "match": {"service": "graph", "inner": true, "path_contains": "/permissions"}, "times": 3,
        "action": {"do": "status", "status": 429, "headers": {"Retry-After": "1"},
                   "body": "{\"error\":{\"code\":\"activityLimitReached\",\"message\":\"Application has been throttled.\"}}"}
    }));
    let report = stage.report(&["--all-shares"]);
    assert_eq!(shares(&report).len(), before);
    let requests = &report["sources"][0]["requests"];
    assert!(requests["throttled"].as_u64().unwrap() >= 1, "{requests}");
    assert!(requests["waited_seconds"].as_f64().unwrap() >= 0.9, "{requests}");
    let listed: Vec<String> = stage
        .requests()
        .into_iter()
        .filter(|asked| asked.path.ends_with("/permissions"))
        .map(|asked| asked.path)
        .collect();
    let mut distinct = listed.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(
        listed.len(),
        distinct.len() + 3,
        "only the throttled ones are asked again"
    );
}

#[test]
fn passing_failures_pass() {
    let stage = Stage::of(&open());
    for action in [
        json!({"do": "status", "status": 503}),
        json!({"do": "status", "status": 502, "body": "<html>"}),
        json!({"do": "reset"}),
        json!({"do": "cut", "bytes": 100}),
        json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}}),
    ] {
        stage.no_faults();
        stage.fault(&json!({"match": {"service": "graph", "path_prefix": "/v1.0/"}, "after": 3, "times": 2, "action": action}));
        assert_eq!(verdict(&stage.report(&[])), "complete", "{action}");
    }
}

#[test]
fn a_service_that_lost_its_place_is_begun_anew() {
    let stage = Stage::of(&open());
    let drive = first_drive(&stage);
    let gone = json!({"do": "status", "status": 410,
        "body": "{\"error\":{\"code\":\"resyncRequired\",\"message\":\"Resync required.\",\"innerError\":{\"date\":\"2022-06-07T13:26:02\"}}}"});
    stage.fault(
        &json!({"match": {"service": "graph", "path_contains": drive}, "times": 1, "action": gone.clone()}),
    );
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "complete");
    assert!(!shares_on(&report, "/Projects").is_empty());
    stage.fault(&json!({"match": {"service": "graph", "path_contains": drive}, "action": gone}));
    let report = stage.scan(&[]).ended(3).json();
    assert_eq!(report["sources"][0]["accounts"]["failed"], 1);
}

#[test]
fn every_delta_request_carries_the_four_values() {
    // The emulator answers 410 to a token that is used with another set; a scan that comes through used the same.
    let mut world = open();
    world["microsoft365"]["limits"]["delta_page"] = json!(1);
    let report = Stage::of(&world).report(&["--all-shares"]);
    assert_eq!(verdict(&report), "complete");
    assert!(!shares_on(&report, "/Projects").is_empty());
}
