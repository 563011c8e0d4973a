//! One person signs in by the browser, and what is obtained is kept for scans on demand.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{Config, POLICY, Program, Stage};

const LOGIN: Config<'_> = Config {
    policy: POLICY,
    more: "",
    source: "",
    auth: Some("{ method = \"login\" }"),
    url: None,
    tenant: None,
    client_id: None,
};

fn login(stage: &Stage) -> Program {
    let mut program = stage.program();
    program.arguments(&["login", "cloud"]);
    program
}

/// Signs in as a person does who grants what is asked.
fn sign_in(stage: &Stage, name: &str) {
    let mut running = login(stage).start();
    running.until("remove it there");
    stage.grant(name);
    running.end().ended(0);
}

fn kept(stage: &Stage) -> Option<Value> {
    let text = fs::read_to_string(stage.path("credentials/cloud.json")).ok()?;
    serde_json::from_str(&text).ok()
}

#[test]
fn what_a_person_grants_is_kept_for_its_owner_and_reads_that_account() {
    // In a directory, or with a mail address, people sign in with another name than the account's id.
    for name in ["alice", "alice@example.org", "ALICE"] {
        let stage = Stage::small();
        stage.configure(&LOGIN);
        let mut running = login(&stage).start();
        let said = running.until("remove it there to end it");
        assert!(
            said.contains(&format!("{}index.php/login/v2/flow/", stage.url())),
            "{said}"
        );
        stage.grant(name);
        let ran = running.end();
        ran.ended(0);
        let kept = kept(&stage).unwrap();
        assert_eq!(kept["user"], name);
        let password = kept["password"].as_str().unwrap();
        assert!(!ran.err.contains(password) && !ran.out.contains(password));
        let mode = |path: &str| fs::metadata(stage.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("credentials"), mode("credentials/cloud.json")),
            (0o700, 0o600)
        );
        let report = stage.report(&[]);
        assert_eq!(report["sources"][0]["accounts"]["found"], 1, "{name}");
        assert_eq!(report["sources"][0]["accounts"]["scanned"], 1, "{name}");
        assert!(report["totals"]["shares"].as_u64() > Some(5), "{name}");
    }
}

#[test]
fn signing_in_again_gives_the_earlier_access_back() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    let mut kept_ones = Vec::new();
    for _ in 0..2 {
        sign_in(&stage, "alice");
        kept_ones.push(kept(&stage).unwrap()["password"].clone());
    }
    assert_ne!(kept_ones[0], kept_ones[1]);
    let given_back: Vec<u16> = stage
        .requests()
        .iter()
        .filter(|asked| asked.method == "DELETE" && asked.path.contains("core/apppassword"))
        .map(|asked| asked.status)
        .collect();
    assert_eq!(given_back, [200]);
    assert_eq!(stage.report(&[])["sources"][0]["accounts"]["scanned"], 1);
}

#[test]
fn access_that_could_not_be_kept_is_not_asked_for() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    fs::write(stage.path("credentials"), "a file where the folder should be").unwrap();
    let ran = login(&stage).run();
    ran.ended(2);
    assert!(ran.err.contains("could not be kept"), "{}", ran.err);
    assert!(stage.requests().is_empty());
}

#[test]
fn nothing_is_scanned_before_somebody_signed_in() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    let ran = stage.scan(&[]);
    ran.ended(2);
    assert!(ran.err.contains("`sharewarden login cloud`"), "{}", ran.err);
    assert!(stage.requests().is_empty());
}

#[test]
fn a_kept_sign_in_is_not_sent_to_another_address() {
    let (stage, other) = (Stage::small(), Stage::small());
    stage.configure(&LOGIN);
    sign_in(&stage, "alice");
    stage.configure(&Config {
        url: Some(other.url().as_str()),
        ..LOGIN
    });
    let ran = stage.scan(&[]);
    ran.ended(2);
    assert!(ran.err.contains("another address"), "{}", ran.err);
    assert!(other.requests().is_empty());
}

#[test]
fn a_source_that_signs_in_otherwise_needs_no_login() {
    let stage = Stage::small();
    let ran = login(&stage).run();
    ran.ended(2);
    assert!(ran.err.contains("method = \"login\""), "{}", ran.err);
    assert!(stage.requests().is_empty());
}

#[test]
fn a_server_that_calls_itself_otherwise_is_not_given_the_token() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    let poll = json!({"token": "CANARY", "endpoint": "http://evil.example/poll"});
    let begun = json!({"poll": poll, "login": stage.url().join("index.php/login/v2/flow/x").unwrap()});
    stage.fault(
        &json!({"match": {"path_contains": "login/v2"}, "action": {"do": "status", "status": 200,
        "headers": {"Content-Type": "application/json"}, "body": begun.to_string()}}),
    );
    let ran = login(&stage).run();
    ran.ended(5);
    assert!(
        ran.err.contains("http://evil.example") && ran.err.contains("overwriteprotocol"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("CANARY"));
    assert_eq!(stage.requests().len(), 1);
}

#[test]
fn answers_that_are_none_are_told_and_not_quoted() {
    for (action, code) in [
        (json!({"do": "html"}), 5),
        (json!({"do": "malformed"}), 5),
        (json!({"do": "maintenance"}), 5),
        (json!({"do": "reset"}), 3),
    ] {
        let stage = Stage::small();
        stage.configure(&LOGIN);
        stage.fault(&json!({"match": {"path_contains": "login/v2"}, "action": action}));
        let ran = login(&stage).run();
        ran.ended(code);
        assert!(ran.err.contains("signing in failed"), "{}", ran.err);
        assert!(kept(&stage).is_none());
    }
}

#[test]
fn a_server_that_fails_for_a_moment_is_asked_again() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    let mut running = login(&stage).start();
    running.until("remove it there");
    stage.fault(&json!({"match": {"path_contains": "v2/poll"}, "times": 1,
        "action": {"do": "status", "status": 500}}));
    running.until("asking again");
    stage.grant("alice");
    running.end().ended(0);
    assert!(kept(&stage).is_some());
}

#[test]
fn an_interrupted_login_keeps_nothing() {
    let stage = Stage::small();
    stage.configure(&LOGIN);
    let mut running = login(&stage).start();
    running.until("remove it there");
    running.interrupt();
    running.end().ended(130);
    assert!(kept(&stage).is_none());
}
