//! One night after the other, with changes in between: what was not read resolves nothing, and nothing is told twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{shares, shares_on, switched};
use crate::harness::{Config, Ran, Stage, findings, list, problems, tenant, verdict};

const PROJECTS: &str = "11111111-0000-4000-8000-000000000001";
const EXAMS_TIMETABLE: &str = "/Timetable.pdf";

/// A tenant of which everything can be read.
pub(super) fn open() -> Value {
    let mut world = tenant();
    list(&mut world["microsoft365"]["sites"])
        .retain(|site| site["locked"] != true && site["refused"] != true);
    list(&mut world["microsoft365"]["users"]).retain(|user| user["drive"] != "locked");
    world
}

/// A tenant that is scanned night after night, into one state.
pub(super) struct Nights {
    pub(super) stage: Stage,
    pub(super) day: u32,
}

impl Nights {
    pub(super) fn of(world: &Value) -> Self {
        let nights = Self {
            stage: Stage::of(world),
            day: 0,
        };
        nights.configure("");
        nights
    }

    pub(super) fn scan(&mut self, arguments: &[&str]) -> Ran {
        self.day += 1;
        let now = self.now();
        self.stage.clock(&now);
        let scan = ["scan", "--format", "json", "--all-shares"];
        self.stage.run_at(&now, &[&scan, arguments].concat())
    }

    /// The time of this night.
    pub(super) fn now(&self) -> String {
        format!("2026-12-{:02}T02:00:00Z", self.day)
    }

    /// A night in which everything can be read.
    pub(super) fn whole(&mut self) -> Value {
        let ran = self.scan(&[]);
        let report = ran.json();
        assert_eq!(ran.code, Some(0), "{:?}\n{}", problems(&report), ran.err);
        told_once(&report);
        report
    }

    /// A night in which something cannot be read.
    fn partial(&mut self) -> Value {
        let ran = self.scan(&[]);
        let report = ran.ended(3).json();
        told_once(&report);
        report
    }

    /// Changes the world, and fails where the emulator does not know the change.
    pub(super) fn change(&self, change: &Value) -> &Self {
        self.stage.change(change);
        self
    }

    fn fault(&self, fault: &Value) -> &Self {
        self.stage.fault(fault);
        self
    }

    pub(super) fn configure(&self, source: &str) {
        self.stage.configure_tenant(&Config {
            source,
            // What is not listed again is in the report all the same.
            more: "details = \"all\"",
            ..Config::default()
        });
    }
}

/// Nothing stands in a report twice.
fn told_once(report: &Value) {
    let ids: Vec<&str> = findings(report)
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{ids:?}");
    let told: Vec<&str> = shares(report)
        .iter()
        .map(|share| share["id"].as_str().unwrap())
        .collect();
    assert_eq!(told.len(), told.iter().collect::<BTreeSet<_>>().len(), "{told:?}");
}

/// Where each finding stands, by its id.
fn standing(report: &Value) -> BTreeMap<&str, &str> {
    findings(report)
        .iter()
        .map(|finding| {
            (
                finding["id"].as_str().unwrap(),
                finding["status"].as_str().unwrap(),
            )
        })
        .collect()
}

/// The rules that stand, or ended, with a status.
fn rules_with<'r>(report: &'r Value, status: &str) -> BTreeSet<(&'r str, &'r str)> {
    findings(report)
        .iter()
        .filter(|finding| finding["status"] == status)
        .map(|finding| {
            let path = finding["share"]["item"]["path"].as_str().unwrap_or_default();
            (path, finding["rule"].as_str().unwrap())
        })
        .collect()
}

/// The findings whose share's owner is this one, by status.
fn of_owner<'r>(report: &'r Value, owner: &str) -> BTreeSet<&'r str> {
    let found: BTreeSet<&str> = findings(report)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] == owner)
        .map(|finding| finding["status"].as_str().unwrap())
        .collect();
    assert!(!found.is_empty(), "{owner} has no finding");
    found
}

/// Everything of the night before is open still, but for what the test names.
fn all_open_but(before: &Value, after: &Value, ended: &[&str]) {
    let (before, after) = (standing(before), standing(after));
    for (id, status) in &before {
        if !matches!(*status, "new" | "open") || ended.contains(id) {
            continue;
        }
        assert_eq!(after.get(id), Some(&"open"), "{id}");
    }
}

/// The findings on a path.
fn ids_on<'r>(report: &'r Value, path: &str) -> Vec<&'r str> {
    findings(report)
        .iter()
        .filter(|finding| finding["share"]["item"]["path"] == path)
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

fn alices(path: &str) -> Value {
    json!({"owner": "alice@example.org", "path": path})
}

#[test]
fn a_quiet_night_changes_nothing_however_the_service_shows_things() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    for (name, value) in [
        ("shuffle", json!(false)),
        ("inherited_from", json!("absent")),
        ("inherited_from", json!("filled")),
        ("no_expiry", json!("zero")),
        ("low_privilege", json!(true)),
        ("deprecated_twins", json!(false)),
        ("empty_pages", json!(true)),
    ] {
        nights.change(&json!({"do": "update", "switches": {name: value}}));
        let next = nights.whole();
        all_open_but(&first, &next, &[]);
        assert_eq!(findings(&first).len(), findings(&next).len(), "{name}");
        assert_eq!(shares(&first).len(), shares(&next).len(), "{name}");
        assert_eq!(
            next["sources"][0]["accounts"], first["sources"][0]["accounts"],
            "{name}"
        );
    }
}

#[test]
fn a_renamed_folder_keeps_its_findings_and_those_beneath_it() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.change(&json!({"do": "update", "owner": "alice@example.org", "item": "/Projects", "set": {"path": "/Plans"}}));
    let second = nights.whole();
    all_open_but(&first, &second, &[]);
    assert_eq!(findings(&first).len(), findings(&second).len());
    assert!(ids_on(&second, "/Projects").is_empty());
    assert_eq!(ids_on(&first, "/Projects").len(), ids_on(&second, "/Plans").len());
    assert!(!ids_on(&second, "/Plans/plan.docx").is_empty());
}

#[test]
fn an_item_that_moves_takes_its_own_shares_along() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.change(
        &json!({"do": "update", "owner": "alice@example.org", "item": "/Projects/plan.docx",
        "set": {"path": "/Team/plan.docx"}}),
    );
    let second = nights.whole();
    all_open_but(&first, &second, &[]);
    assert_eq!(
        ids_on(&first, "/Projects/plan.docx").len(),
        ids_on(&second, "/Team/plan.docx").len()
    );
}

#[test]
fn a_folder_that_comes_to_lie_among_classified_ones_is_classified() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.change(
        &json!({"do": "update", "owner": "alice@example.org", "item": "/Projects",
        "set": {"path": "/HR/Projects"}}),
    );
    let second = nights.whole();
    all_open_but(&first, &second, &[]);
    assert!(rules_with(&second, "new").contains(&("/HR/Projects", "classified-item-exposed")));
}

#[test]
fn what_is_taken_away_is_resolved_and_what_comes_back_keeps_its_first_date() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    let mut gone = alices("/Projects");
    gone["do"] = json!("remove");
    gone["permission"] = json!(PROJECTS);
    nights.change(&gone);
    let second = nights.whole();
    let on: Vec<&str> = ids_on(&first, "/Projects");
    assert_eq!(on.len(), 3);
    all_open_but(&first, &second, &on);
    for id in &on {
        assert_eq!(standing(&second)[id], "resolved");
    }
    assert!(shares_on(&second, "/Projects").is_empty());
    let third = nights.whole();
    assert!(ids_on(&third, "/Projects").is_empty(), "what ended is told once");
    nights.change(
        &json!({"do": "add", "permission": {"owner": "alice@example.org", "path": "/Projects", "id": PROJECTS,
        "link": {"scope": "anonymous", "type": "edit"}}}),
    );
    let fourth = nights.whole();
    let seen = |report: &Value| -> BTreeMap<String, Value> {
        findings(report)
            .iter()
            .filter(|finding| on.contains(&finding["id"].as_str().unwrap()))
            .map(|finding| {
                (
                    finding["id"].as_str().unwrap().to_owned(),
                    finding["first_seen"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(seen(&first), seen(&fourth));
}

#[test]
fn what_is_added_is_new_and_what_is_changed_is_judged_again() {
    let mut nights = Nights::of(&switched(&open(), "silent_changes", json!(false)));
    let first = nights.whole();
    nights.change(&json!([
        {"do": "add", "permission": {"owner": "bob@example.org", "path": "/Drafts", "link": {"scope": "organization", "type": "view"}}},
        {"do": "update", "owner": "alice@example.org", "path": "/Projects", "permission": PROJECTS, "set": {"expires": "+5d"}},
    ]));
    let second = nights.whole();
    assert_eq!(
        rules_with(&second, "new"),
        BTreeSet::from([("/Drafts", "organization-wide-link")])
    );
    assert_eq!(
        rules_with(&second, "resolved"),
        BTreeSet::from([("/Projects", "link-without-expiry")])
    );
    assert_eq!(shares_on(&second, "/Projects").len(), 1);
    assert_eq!(shares(&second).len(), shares(&first).len() + 1);
}

#[test]
fn the_drive_of_somebody_who_left_is_read_on() {
    for mail in ["bob@example.org", "b.baecker@example.org"] {
        let mut world = open();
        for user in list(&mut world["microsoft365"]["users"]) {
            if user["upn"] == "bob@example.org" {
                user["mail"] = json!(mail);
            }
        }
        let mut nights = Nights::of(&world);
        let first = nights.whole();
        nights.change(&json!({"do": "remove", "user": "bob@example.org"}));
        let second = nights.whole();
        all_open_but(&first, &second, &[]);
        assert!(
            rules_with(&second, "new").contains(&("/Drafts/letter.docx", "orphaned-share")),
            "{mail}: {:?}",
            rules_with(&second, "new")
        );
        assert_eq!(shares(&first).len(), shares(&second).len(), "{mail}");
    }
}

#[test]
fn what_cannot_be_read_tonight_is_not_checked_and_is_open_again_afterwards() {
    let people = "alice@example.org";
    let exams = "https://example.sharepoint.com/sites/exams";
    let cases = [
        (
            json!({"do": "update", "user": people, "set": {"drive": "locked"}}),
            json!({"do": "update", "user": people, "set": {"drive": true}}),
            people,
        ),
        (
            json!({"do": "update", "user": people, "set": {"drive": "archived"}}),
            json!({"do": "update", "user": people, "set": {"drive": true}}),
            people,
        ),
        (
            json!({"do": "update", "user": people, "set": {"drive": "refused"}}),
            json!({"do": "update", "user": people, "set": {"drive": true}}),
            people,
        ),
        (
            json!({"do": "update", "site": "/sites/exams", "set": {"locked": true}}),
            json!({"do": "update", "site": "/sites/exams", "set": {"locked": false}}),
            exams,
        ),
        (
            json!({"do": "update", "site": "/sites/exams", "set": {"refused": true}}),
            json!({"do": "update", "site": "/sites/exams", "set": {"refused": false}}),
            exams,
        ),
    ];
    for (close, reopen, owner) in cases {
        let mut nights = Nights::of(&open());
        let first = nights.whole();
        nights.change(&close);
        let second = nights.partial();
        assert_eq!(
            of_owner(&second, owner),
            BTreeSet::from(["not-checked"]),
            "{close}"
        );
        assert!(rules_with(&second, "resolved").is_empty(), "{close}");
        let third = nights.partial();
        assert_eq!(
            of_owner(&third, owner),
            BTreeSet::from(["not-checked"]),
            "{close}"
        );
        nights.change(&reopen);
        let fourth = nights.whole();
        all_open_but(&first, &fourth, &[]);
        assert_eq!(findings(&first).len(), findings(&fourth).len(), "{close}");
        assert_eq!(first["sources"][0]["accounts"], fourth["sources"][0]["accounts"]);
    }
}

#[test]
fn a_drive_that_does_not_answer_keeps_its_findings() {
    let alice = "alice@example.org";
    for action in [
        json!({"do": "status", "status": 404}),
        json!({"do": "status", "status": 404, "body": "{\"error\":{\"code\":\"itemNotFound\",\"message\":\"x\"}}"}),
        json!({"do": "status", "status": 403}),
        json!({"do": "status", "status": 500}),
        json!({"do": "html"}),
        json!({"do": "malformed"}),
        json!({"do": "endless", "filling": "repeat"}),
    ] {
        let mut nights = Nights::of(&open());
        let first = nights.whole();
        let drive = shares_on(&first, "/Projects")[0]["item"]["drive"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut gone = alices("/Projects");
        gone["do"] = json!("remove");
        gone["permission"] = json!(PROJECTS);
        nights.change(&gone);
        nights.fault(&json!({"match": {"service": "graph", "path_contains": format!("{drive}/root/delta")}, "action": action}));
        let ran = nights.scan(&[]);
        let second = ran.json();
        told_once(&second);
        assert_eq!(
            of_owner(&second, alice),
            BTreeSet::from(["not-checked"]),
            "{action}"
        );
        nights.stage.no_faults();
        let third = nights.whole();
        assert_eq!(rules_with(&third, "resolved").len(), 3, "{action}");
        all_open_but(&first, &third, &ids_on(&first, "/Projects"));
    }
}

#[test]
fn a_permission_that_is_not_told_keeps_its_findings() {
    for action in [
        json!({"do": "status", "status": 403}),
        json!({"do": "status", "status": 500}),
        json!({"do": "html"}),
        json!({"do": "endless"}),
        json!({"do": "foreign-next-link", "origin": "https://evil.example.net"}),
    ] {
        let mut nights = Nights::of(&open());
        let first = nights.whole();
        let share = shares_on(&first, "/Projects")[0];
        let item = share["item"]["id"].as_str().unwrap().to_owned();
        for inner in [true, false] {
            nights.fault(&json!({"match": {"service": "graph", "inner": inner, "path_contains": format!("{item}/permissions")}, "action": action}));
        }
        // Nothing says that it changed: it is asked for where all is.
        let ran = nights.scan(&["--full"]);
        let second = ran.ended(3).json();
        told_once(&second);
        for id in ids_on(&first, "/Projects") {
            let status = standing(&second)[id];
            assert!(status == "not-checked" || status == "open", "{action}: {status}");
        }
        assert!(
            rules_with(&second, "resolved").is_empty(),
            "{action}: {:?}",
            rules_with(&second, "resolved")
        );
        nights.stage.no_faults();
        let third = nights.whole();
        all_open_but(&first, &third, &[]);
        let stands = |report: &Value| {
            standing(report)
                .into_iter()
                .filter(|(_, status)| *status != "resolved")
                .count()
        };
        assert_eq!(stands(&first), stands(&third), "{action}");
    }
}

#[test]
fn lists_that_break_off_resolve_nothing() {
    for path in ["/users", "getAllSites", "/drives?", "settings", "/owners"] {
        for action in [
            json!({"do": "status", "status": 403}),
            json!({"do": "status", "status": 404}),
            // What would pass is ridden out elsewhere.
            json!({"do": "status", "status": 501}),
            json!({"do": "html"}),
        ] {
            let mut nights = Nights::of(&open());
            let first = nights.whole();
            for inner in [false, true] {
                nights.fault(&json!({"match": {"service": "graph", "inner": inner, "path_contains": path}, "action": action}));
            }
            let second = nights.scan(&[]).json();
            told_once(&second);
            let resolved: Vec<_> = rules_with(&second, "resolved")
                .into_iter()
                .filter(|(path, _)| !path.is_empty())
                .collect();
            assert!(resolved.is_empty(), "{path} {action}: {resolved:?}");
            // Nobody is called gone because the list of people was not told.
            let odd: Vec<_> = rules_with(&second, "new").into_iter().collect();
            assert!(odd.is_empty(), "{path} {action}: {odd:?}");
            nights.stage.no_faults();
            let third = nights.whole();
            all_open_but(&first, &third, &[]);
            assert_eq!(findings(&first).len(), findings(&third).len(), "{path} {action}");
        }
    }
}

#[test]
fn a_site_that_is_gone_from_the_whole_list_is_resolved() {
    let exams = "https://example.sharepoint.com/sites/exams";
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    assert_eq!(ids_on(&first, EXAMS_TIMETABLE).len(), 1);
    nights.change(&json!({"do": "remove", "site": "/sites/exams"}));
    let second = nights.whole();
    assert_eq!(of_owner(&second, exams), BTreeSet::from(["resolved"]));
    let third = nights.whole();
    assert!(ids_on(&third, EXAMS_TIMETABLE).is_empty());
    assert_eq!(third["sources"][0]["accounts"]["gone"], 0);
}

#[test]
fn what_is_left_out_later_is_never_resolved() {
    let exams = "https://example.sharepoint.com/sites/exams";
    let alice = "alice@example.org";
    for (source, owner) in [
        ("exclude = { sites = [\"*/sites/exams\"] }", exams),
        ("exclude = { users = [\"alice@*\"] }", alice),
        ("exclude = { groups = [\"Exams office\"] }", alice),
        ("include = [\"onedrive\"]", exams),
        ("include = [\"sites\"]", alice),
    ] {
        let mut nights = Nights::of(&open());
        let first = nights.whole();
        nights.configure(source);
        let second = nights.scan(&[]).json();
        told_once(&second);
        let statuses = of_owner(&second, owner);
        assert!(
            !statuses.contains("resolved") && !statuses.contains("open"),
            "{source}: {statuses:?}"
        );
        assert!(
            rules_with(&second, "resolved")
                .iter()
                .all(|(path, _)| path.is_empty()),
            "{source}"
        );
        nights.configure("");
        let third = nights.whole();
        all_open_but(&first, &third, &[]);
        assert_eq!(findings(&first).len(), findings(&third).len(), "{source}");
    }
}

#[test]
fn a_scan_of_one_person_judges_that_drive_only() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    let mut gone = alices("/Projects");
    gone["do"] = json!("remove");
    gone["permission"] = json!(PROJECTS);
    nights.change(&json!([gone, {"do": "remove", "site": "/sites/exams"}]));
    let one = nights.scan(&["--user", "alice@example.org"]).ended(0).json();
    told_once(&one);
    assert_eq!(rules_with(&one, "resolved").len(), 3);
    for finding in findings(&one) {
        assert_eq!(finding["share"]["owner"]["id"], "alice@example.org");
    }
    let third = nights.whole();
    let ended: BTreeSet<_> = rules_with(&third, "resolved")
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert!(
        ended.contains(EXAMS_TIMETABLE) && !ended.contains("/Projects"),
        "{ended:?}"
    );
    let left: Vec<&str> = ids_on(&first, "/Projects");
    let exams: Vec<&str> = findings(&first)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] == "https://example.sharepoint.com/sites/exams")
        .map(|finding| finding["id"].as_str().unwrap())
        .chain(left)
        .collect();
    all_open_but(&first, &third, &exams);
}

#[test]
fn somebody_without_a_drive_tonight_has_not_stopped_sharing() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.fault(
        &json!({"match": {"service": "graph", "inner": true, "path_contains": "/drive?"},
        "action": {"do": "status", "status": 404}}),
    );
    let one = nights.scan(&["--user", "alice@example.org"]).json();
    assert!(
        !rules_with(&one, "resolved").iter().any(|_| true),
        "{:?}",
        rules_with(&one, "resolved")
    );
    nights.stage.no_faults();
    all_open_but(&first, &nights.whole(), &[]);
}

#[test]
fn a_drive_begun_anew_is_read_whole() {
    let mut nights = Nights::of(&switched(&open(), "silent_removals", json!(true)));
    let first = nights.whole();
    nights.change(&json!({"service": "graph", "do": "reset", "drive": true, "owner": "alice@example.org"}));
    let second = nights.whole();
    all_open_but(&first, &second, &[]);
    assert_eq!(verdict(&second), verdict(&first));
}

#[test]
fn an_interrupted_night_resolves_nothing_and_the_next_one_makes_it_good() {
    let mut nights = Nights::of(&open());
    let first = nights.whole();
    nights.fault(&json!({"match": {"service": "graph", "path_contains": "/root/delta"}, "after": 2, "action": {"do": "delay", "ms": 4000}}));
    let mut program = nights.stage.program();
    program.arguments(&[
        "--now",
        "2026-12-02T02:00:00Z",
        "-v",
        "scan",
        "--format",
        "json",
        "--all-shares",
    ]);
    let mut running = program.start();
    running.until("reading");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    running.interrupt();
    let ran = running.end();
    ran.ended(130);
    let second = ran.json();
    told_once(&second);
    assert!(rules_with(&second, "resolved").is_empty());
    assert_eq!(verdict(&second), "incomplete");
    nights.stage.no_faults();
    nights.day = 2;
    all_open_but(&first, &nights.whole(), &[]);
}

#[test]
fn however_many_are_asked_at_once_the_report_is_the_same() {
    let essence = |report: &Value| -> BTreeSet<String> {
        let told = shares(report).iter().chain(findings(report));
        let mut told: BTreeSet<String> = told.map(ToString::to_string).collect();
        told.extend(problems(report).iter().map(|problem| format!("{problem:?}")));
        told.insert(report["sources"][0]["accounts"].to_string());
        told.insert(report["totals"].to_string());
        told
    };
    let stage = Stage::tenant();
    let mut reports = [1, 4, 64].map(|at_once| {
        stage.configure_tenant(&Config {
            source: &format!(
                "limits = {{ units_per_minute = 1000000, units_per_day = 1000000, in_flight = {at_once} }}"
            ),
            ..Config::default()
        });
        essence(&stage.scan(&["--all-shares"]).ended(3).json())
    });
    reports.sort();
    assert!(reports[0].len() > 20);
    assert_eq!(reports[0], reports[2]);
}
