//! What a scan spends, and what it does when that is used up.

use std::fs;

use serde_json::{Value, json};

use super::shares;
use crate::harness::{Stage, Tenancy, problems, verdict};

/// A tenant of invented drives.
fn drives(number: u32, items: u32, limits: &Value) -> Value {
    json!({
        "schema": "sharewarden.world/v1",
        "microsoft365": {
            "tenant": {"domain": "example.org"},
            "app": {"client_id": "a0d17000-0000-4000-8000-000000000001", "secret": "an-invented-secret"},
            "limits": limits,
            "generate": {"drives": number, "items_each": items, "roots_each": 10}
        }
    })
}

fn units(report: &Value) -> u64 {
    report["sources"][0]["requests"]["units"].as_u64().unwrap()
}

#[test]
fn the_report_tells_the_units_that_the_service_counted() {
    let stage = Stage::of(&drives(5, 300, &json!({"delta_page": 100})));
    stage.configure_tenant(&Tenancy {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\n",
        ..Tenancy::default()
    });
    let report = stage.report(&[]);
    assert_eq!(
        json!(units(&report)),
        stage.state()["microsoft365"]["units_spent"]
    );
    let delta = |asked: &&crate::harness::Asked| asked.path.contains("/delta");
    let pages = u64::try_from(stage.requests().iter().filter(delta).count()).unwrap();
    assert!(pages >= 5 * 3, "{pages}");
    // The settings 1, the sites 2, the drives of each 2; a drive's first page 2 and each further one 1; 5 for each of
    // its ten shared items and for its top.
    assert_eq!(units(&report), 1 + 2 + 5 * 2 + 5 + pages + 5 * 5 * (10 + 1));
}

#[test]
fn a_throttled_scan_heeds_every_pause() {
    // A minute of the budget lasts six seconds; the scan needs more than one, and believes that it may spend far more.
    let limits =
        json!({"units_per_minute": 100, "units_per_day": 1_000_000, "time_scale": 10.0, "grace_ms": 300});
    let stage = Stage::of(&drives(2, 100, &limits));
    stage.configure_tenant(&Tenancy {
        source: "limits = { units_per_minute = 1000000, units_per_day = 1000000, in_flight = 4 }",
        ..Tenancy::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "complete");
    let state = stage.state();
    let told = &state["microsoft365"];
    assert!(told["throttled"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(told["requests_during_pause"], 0, "{told}");
    assert!(
        report["sources"][0]["requests"]["waited_seconds"]
            .as_f64()
            .unwrap()
            > 0.0
    );
}

#[test]
fn a_day_that_is_spent_ends_the_scan_and_is_remembered_by_the_next() {
    let stage = Stage::of(&drives(6, 100, &json!({})));
    stage.configure_tenant(&Tenancy {
        source: "limits = { units_per_minute = 100000, units_per_day = 200, in_flight = 2 }",
        ..Tenancy::default()
    });
    let report = stage
        .run(&["scan", "--format", "json", "--all-shares"])
        .ended(3)
        .json();
    assert!(
        problems(&report).iter().any(|(_, code)| *code == "budget-spent"),
        "{:?}",
        problems(&report)
    );
    assert!(
        units(&report) <= 180,
        "a tenth is kept for scans of single people: {}",
        units(&report)
    );
    assert!(!shares(&report).is_empty(), "what was read is reported");
    let files: Vec<_> = fs::read_dir(stage.path("units"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(
        files
            .iter()
            .any(|file| file.extension().is_some_and(|it| it == "json")),
        "{files:?}"
    );
    let again = stage.run(&["scan", "--format", "json"]).ended(3).json();
    let both = units(&report) + units(&again);
    assert!(both <= 180, "what the first spent counts: {both}");
    let one = stage.run(&["scan", "--format", "json", "--user", "user00001@example.org"]);
    assert_eq!(one.json()["sources"][0]["accounts"]["found"], 1, "{}", one.err);
}

#[test]
fn without_state_no_count_is_kept() {
    let stage = Stage::of(&drives(1, 20, &json!({})));
    stage.report(&[]);
    assert!(!stage.path("units").exists());
}
