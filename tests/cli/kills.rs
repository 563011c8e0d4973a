//! A scan that is killed, wherever it is: the state opens, is sound, and the next scan ends as if nothing had happened.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharewarden::model::Standing;
use sharewarden::report::Pages as _;
use sharewarden::store::{self, Ledger, RunFilter};

use crate::harness::{Config, Stage, findings};

const FIRST: &str = "2026-12-01T02:00:00Z";
const SECOND: &str = "2026-12-02T02:00:00Z";
/// How often a scan of each service is killed.
const KILLS: u32 = 100;

/// A scan of the second night, killed at some moment; whether it had not ended by then.
fn kill(stage: &Stage, after: Duration) -> bool {
    let mut program = stage.program();
    program.arguments(&["--now", SECOND, "scan", "--format", "json"]);
    let mut child = program
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let had_ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    !had_ended
}

/// What a report says, piece by piece, but for what differs between any two scans.
fn essence(report: &Value) -> BTreeSet<String> {
    let mut source = report["sources"][0].clone();
    source["requests"] = Value::Null;
    // What was listed before the kill is not listed again: of what was known, another part is.
    source["inventory"] = source["inventory"]["known_percent"].take();
    // In the order in which they arose.
    let problems = source["problems"].take();
    let told = findings(report)
        .iter()
        .chain(report["shares"].as_array().unwrap());
    told.chain(problems.as_array().unwrap())
        .chain([&source, &report["totals"]])
        .map(ToString::to_string)
        .collect()
}

/// What stands, whether it is news or not.
fn standing(report: &Value) -> BTreeSet<String> {
    let stands = findings(report)
        .iter()
        .filter(|finding| finding["status"] != "resolved");
    stands
        .map(|finding| {
            let mut finding = finding.clone();
            finding["status"] = Value::Null;
            finding.to_string()
        })
        .collect()
}

/// When the latest run was begun that was kept whole.
fn latest(state: &Path) -> String {
    let ledger = Ledger::open(state).unwrap();
    let stored = ledger.stored_run(None, RunFilter::default()).unwrap();
    stored.header().run.started_at.to_string()
}

fn alike(one: &BTreeSet<String>, other: &BTreeSet<String>, what: &str) {
    let differs: Vec<&String> = one.symmetric_difference(other).take(4).collect();
    assert!(differs.is_empty(), "{what}: {differs:#?}");
}

fn restore(stage: &Stage) {
    let _ = std::fs::remove_file(stage.path("state.db-wal"));
    let _ = std::fs::remove_file(stage.path("state.db-shm"));
    std::fs::copy(stage.path("first.db"), stage.path("state.db")).unwrap();
}

fn is_sound(state: &Path) {
    let check = store::examine(state);
    assert_eq!(check.standing, Standing::Good, "{check:?}");
}

/// Kills scans of the night after a change, and compares the scan after each with one that nobody killed.
fn survives(stage: &Stage, change: impl FnOnce(&Stage)) {
    let whole = |now: &str| {
        let ran = stage.run_at(now, &["scan", "--format", "json", "--all-shares"]);
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.err);
        ran.json()
    };
    whole(FIRST);
    std::fs::copy(stage.path("state.db"), stage.path("first.db")).unwrap();
    change(stage);
    let undisturbed = whole(SECOND);
    let statuses = &undisturbed["totals"]["by_status"];
    assert!(
        statuses["new"].as_u64() > Some(0) && statuses["resolved"].as_u64() > Some(0),
        "{statuses}"
    );
    let mut random = fastrand::Rng::with_seed(5);
    let mut killed = 0;
    let mut span = Duration::from_millis(300);
    for round in 0..KILLS {
        restore(stage);
        // Two in a row now and then: what the first one left, the second one met.
        for _ in 0..=u32::from(round % 10 == 0) {
            killed += u32::from(kill(stage, span.mul_f64(random.f64())));
            is_sound(&stage.path("state.db"));
        }
        // Killed between the end of the run and that of the program, it is a run of its own, and no news in the next.
        let kept = latest(&stage.path("state.db")) == SECOND;
        let begun = Instant::now();
        let next = whole(SECOND);
        // As long as scans take just now: other tests run beside this one.
        span = begun.elapsed();
        let what = format!("round {round}");
        if kept {
            alike(&standing(&next), &standing(&undisturbed), &what);
        } else {
            alike(&essence(&next), &essence(&undisturbed), &what);
        }
    }
    assert!(killed > KILLS * 3 / 4, "only {killed} scans were killed in time");
}

#[test]
fn a_scan_of_a_nextcloud_may_be_killed_at_any_moment() {
    survives(&Stage::small(), |stage| {
        stage.change(&json!([
            {"do": "remove", "share": 1},
            {"do": "update", "share": 5, "set": {"label": "another", "expires": null, "password": "Later-Set-99"}},
            {"do": "update", "share": 8, "set": {"permissions": 3}},
            {"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Team"}},
        ]));
    });
}

#[test]
fn a_scan_of_a_tenant_may_be_killed_at_any_moment() {
    let stage = Stage::tenant();
    stage.configure_tenant(&Config {
        more: "details = \"all\"",
        ..Config::default()
    });
    survives(&stage, |stage| {
        stage.change(&json!([
            {"service": "graph", "do": "remove", "owner": "alice@example.org", "path": "/Projects",
             "permission": "11111111-0000-4000-8000-000000000001"},
            {"service": "graph", "do": "add", "permission": {"owner": "bob@example.org", "path": "/Drafts",
             "link": {"scope": "anonymous", "type": "edit"}}},
        ]));
    });
}
