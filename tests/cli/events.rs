//! The events of a run: what changed, told once, and the same whenever and by whatever they are printed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Config, NOW, POLICY, Ran, Stage, add_shares, finding, small, tenant};

/// A server that is scanned night after night, into one state.
struct Nights {
    stage: Stage,
    day: u32,
    /// Each run's id, and what its scan printed.
    told: Vec<(String, String)>,
}

impl Nights {
    fn of(stage: Stage) -> Self {
        Self {
            stage,
            day: 0,
            told: Vec::new(),
        }
    }

    fn now(&self) -> String {
        match 22 + self.day {
            day @ ..=30 => format!("2026-11-{day:02}T12:00:00Z"),
            day => format!("2026-12-{:02}T12:00:00Z", day - 30),
        }
    }

    fn scan(&mut self, arguments: &[&str]) -> Ran {
        let ran = self.stage.run_at(
            &self.now(),
            &[&["scan", "--format", "ndjson"], arguments].concat(),
        );
        self.day += 1;
        let run = events(&ran.out)[0]["run"].as_str().unwrap().to_owned();
        self.told.push((run, ran.out.clone()));
        ran
    }

    /// The events of a night but for what stands as it stood.
    fn night(&mut self, code: i32) -> Vec<Value> {
        let ran = self.scan(&[]);
        transitions(&ran.ended(code).out)
    }

    fn change(&self, change: &Value) -> &Self {
        self.stage.change(change);
        self
    }

    /// Every run is printed once more as its scan printed it, and each event has a name of its own; so is each that is
    /// left when those before it are forgotten, night after night.
    fn are_told_again(&self) {
        self.are_told_since("");
        let nights: BTreeSet<&str> = self.told.iter().map(|(run, _)| &run[..8]).collect();
        for night in nights.into_iter().skip(1) {
            let day = format!("{}-{}-{}", &night[..4], &night[4..6], &night[6..]);
            self.stage.run(&["purge", "--before", &day]).ended(0);
            self.are_told_since(night);
        }
    }

    fn are_told_since(&self, night: &str) {
        for (run, out) in self.told.iter().filter(|(run, _)| run.as_str() >= night) {
            let again = self.stage.run_at(
                "2027-01-01T00:00:00Z",
                &["report", "--run", run, "--format", "ndjson"],
            );
            assert_eq!(&again.out, out, "{run}");
            for (at, event) in events(out).iter().enumerate() {
                assert_eq!(event["event_id"], format!("{run}-{}", at + 1));
            }
        }
    }
}

fn events(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn transitions(out: &str) -> Vec<Value> {
    let mut events = events(out);
    assert_eq!(events.pop().unwrap()["event"], "run_finished");
    events.retain(|event| event["event"] != "still_open");
    events
}

/// The events by name, rule and share.
fn essence(events: &[Value]) -> BTreeSet<(&str, &str, &str)> {
    let essence: BTreeSet<_> = events
        .iter()
        .map(|event| {
            let text = |field: &str| event[field].as_str().unwrap_or_default();
            (text("event"), text("rule"), text("share"))
        })
        .collect();
    assert_eq!(essence.len(), events.len(), "told once: {events:#?}");
    essence
}

fn one<'e>(events: &'e [Value], event: &str, of: &str) -> &'e Value {
    let found: Vec<&Value> = events
        .iter()
        .filter(|each| each["event"] == event && (each["rule"] == of || each["share"] == of))
        .collect();
    assert_eq!(found.len(), 1, "{event} {of}: {events:#?}");
    found[0]
}

fn set(share: u64, fields: &Value) -> Value {
    json!({"do": "update", "share": share, "set": fields})
}

const OPEN: &str = "link-without-password";

/// A link and a grant to a colleague, by alice.
fn two() -> Stage {
    let mut world = small();
    world["nextcloud"]["shares"] = json!([]);
    world["nextcloud"]["settings"] = json!({});
    add_shares(
        &mut world,
        vec![
            json!({"id": 1, "type": "link", "owner": "alice", "path": "/Projects", "expires": "+20d", "label": "press"}),
            json!({"id": 2, "type": "user", "owner": "alice", "path": "/Team/notes.txt", "recipient": "bob"}),
        ],
    );
    let stage = Stage::of(&world);
    stage.configure(&Config {
        policy: &quiet(""),
        ..Config::default()
    });
    stage
}

/// A policy that says nothing of the server's settings.
fn quiet(more: &str) -> String {
    format!(
        "{POLICY}\n[policy.levels]\nposture-password-not-enforced = \"off\"\nposture-expiry-not-enforced = \"off\"\n\
         posture-passwords-mailed = \"off\"\nposture-weak-password-policy = \"off\"\n{more}"
    )
}

fn lists_of_alice() -> Value {
    json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": {"do": "status", "status": 500}})
}

#[test]
fn what_opens_changes_and_is_not_checked_is_told_in_its_night_and_never_again() {
    let mut nights = Nights::of(two());
    let open = OPEN;
    let first = nights.night(0);
    assert_eq!(essence(&first), BTreeSet::from([("opened", open, "1")]));
    assert_eq!(
        (&first[0]["status"], &first[0]["level"]),
        (&json!("new"), &json!("high"))
    );
    assert_eq!(nights.night(0), [] as [Value; 0], "what stands is no event");

    // The level rises, and what may be done through the link with it.
    nights.change(&set(1, &json!({"permissions": 15})));
    let wider = nights.night(0);
    assert_eq!(
        essence(&wider),
        BTreeSet::from([
            ("changed", open, "1"),
            ("opened", "link-allows-editing", "1"),
            ("share_changed", "", "1")
        ])
    );
    let changed = one(&wider, "changed", open);
    assert_eq!(
        (&changed["level"], &changed["was_level"], &changed["changed"]),
        (&json!("critical"), &json!("high"), &json!("level; message"))
    );
    let share = one(&wider, "share_changed", "1");
    assert_eq!(share["changed"], "access");
    assert_eq!(share["was_access"], "view; download");
    assert_eq!(share["access"], "view; download; edit; create; delete");
    assert_eq!(
        (&share["path"], &share["finding"]),
        (&json!("/Projects"), &Value::Null)
    );

    // Nobody knows tonight, nor the night after.
    nights.stage.fault(&lists_of_alice());
    let unread = nights.night(3);
    assert_eq!(
        essence(&unread),
        BTreeSet::from([
            ("not_checked", open, "1"),
            ("not_checked", "link-allows-editing", "1")
        ])
    );
    assert_eq!(unread[0]["last_seen"], "2026-11-24T12:00:00Z");
    assert_eq!(nights.night(3), [] as [Value; 0], "nothing is known still");
    nights.stage.no_faults();
    let read = nights.night(0);
    assert_eq!(
        essence(&read),
        BTreeSet::from([("changed", open, "1"), ("changed", "link-allows-editing", "1")])
    );
    for event in &read {
        assert_eq!(
            (&event["status"], &event["was_status"]),
            (&json!("open"), &json!("not-checked"))
        );
    }

    // Put right, and taken back.
    nights.change(&set(
        1,
        &json!({"permissions": 1, "password": "Now-There-Is-One-7"}),
    ));
    let better = nights.night(0);
    assert_eq!(
        essence(&better),
        BTreeSet::from([
            ("resolved", open, "1"),
            ("resolved", "link-allows-editing", "1"),
            ("share_changed", "", "1")
        ])
    );
    let share = one(&better, "share_changed", "1");
    assert_eq!(share["changed"], "access; password");
    assert_eq!(
        (&share["was_password"], &share["password"]),
        (&json!(false), &json!(true))
    );
    nights.change(&set(1, &json!({"password": null})));
    let back = nights.night(0);
    assert_eq!(
        essence(&back),
        BTreeSet::from([
            ("reopened", open, "1"),
            ("opened", "protection-removed", "1"),
            ("share_changed", "", "1")
        ])
    );
    let reopened = one(&back, "reopened", open);
    assert_eq!(
        (
            &reopened["finding"],
            &reopened["first_seen"],
            &reopened["was_status"]
        ),
        (&first[0]["finding"], &json!(NOW), &json!("resolved"))
    );

    nights.change(&json!({"do": "remove", "share": 1}));
    assert_eq!(
        essence(&nights.night(0)),
        BTreeSet::from([("resolved", open, "1"), ("resolved", "protection-removed", "1")])
    );
    assert_eq!(nights.night(0), [] as [Value; 0]);
    nights.are_told_again();
}

#[test]
fn what_people_decide_is_told_in_its_night_and_never_again() {
    let mut nights = Nights::of(two());
    let open = OPEN;
    nights.night(0);
    nights.stage.configure(&Config {
        policy: &quiet(""),
        more: "[[waiver]]\nrule = \"link-without-password\"\nshare = \"1\"\nsource = \"cloud\"\nreason = \"printed\"\n\
               approved_by = \"head of communications\"\nuntil = 2027-03-31\n",
        ..Config::default()
    });
    let waived = nights.night(0);
    assert_eq!(essence(&waived), BTreeSet::from([("waived", open, "1")]));
    assert_eq!(
        (&waived[0]["waiver_reason"], &waived[0]["was_status"]),
        (&json!("printed"), &json!("open"))
    );
    assert_eq!(nights.night(0), [] as [Value; 0], "it is waived still");
    nights.stage.configure(&Config {
        policy: &quiet(""),
        ..Config::default()
    });
    let ended = nights.night(0);
    assert_eq!(essence(&ended), BTreeSet::from([("changed", open, "1")]));
    assert_eq!(
        (&ended[0]["was_status"], &ended[0]["changed"]),
        (&json!("waived"), &json!("status; waiver"))
    );

    // Switched off, and on again.
    nights.stage.configure(&Config {
        policy: &quiet("link-without-password = \"off\"\n"),
        ..Config::default()
    });
    assert_eq!(
        essence(&nights.night(0)),
        BTreeSet::from([("closed_by_policy", open, "1")])
    );
    nights.stage.configure(&Config {
        policy: &quiet(""),
        ..Config::default()
    });
    assert_eq!(
        essence(&nights.night(0)),
        BTreeSet::from([("reopened", open, "1")])
    );

    nights.are_told_again();
}

#[test]
fn a_run_is_printed_the_same_whatever_changed_since() {
    let mut nights = Nights::of(Stage::small());
    for change in [
        json!([]),
        json!([
            set(1, &json!({"permissions": 15, "label": "=HYPERLINK(\"x\")\u{202e}"})),
            set(5, &json!({"expires": null})),
            set(8, &json!({"password": "Later-Set-99"})),
            {"do": "update", "owner": "alice", "file": "/Projects/plan.md", "set": {"size": 999_999, "tags": ["confidential"]}},
        ]),
        json!([
            {"do": "update", "owner": "alice", "file": "/Team", "set": {"path": "/Moved/Team"}},
            {"do": "add", "file": {"path": "/Projects/new.txt", "size": 5}, "owner": "alice"},
            {"do": "update", "account": "bob", "set": {"enabled": false}},
        ]),
        json!([{"do": "remove", "share": 3}, set(9, &json!({"permissions": 1})), set(1, &json!({"permissions": 1}))]),
        json!([{"do": "update", "account": "bob", "set": {"enabled": true}}, {"do": "remove", "account": "erin"}]),
    ] {
        nights.change(&change);
        nights.night(0);
        nights.scan(&["--user", "alice"]).ended(0);
        nights.scan(&["--rule", "link-without-expiry"]).ended(0);
    }
    let all: Vec<Value> = nights.told.iter().flat_map(|(_, out)| transitions(out)).collect();
    let kinds: BTreeSet<&str> = all.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["opened", "changed", "resolved", "share_changed"]),
        "something happened"
    );
    nights.are_told_again();
    // Who was asked about is told as it is now, and no secret with it.
    for (_, out) in &nights.told {
        for listed in nights.stage.listing("alice") {
            let token = listed["token"].as_str().unwrap_or("no token");
            assert!(token.is_empty() || !out.contains(token), "{token}");
        }
    }
}

#[test]
fn a_share_without_a_finding_is_told_by_its_id_alone() {
    let mut nights = Nights::of(two());
    nights.night(0);
    nights.change(&set(2, &json!({"permissions": 31})));
    let events = nights.night(0);
    assert_eq!(essence(&events), BTreeSet::from([("share_changed", "", "2")]));
    for field in ["path", "owner", "access", "recipients", "changed", "was_access"] {
        assert_eq!(events[0][field], Value::Null, "{field}");
    }
    // Once there is a finding about it, all that is kept from then on is told.
    nights.change(&set(2, &json!({"recipient": "gina", "permissions": 1})));
    let events = nights.night(0);
    let share = one(&events, "share_changed", "2");
    assert_eq!(
        (&share["path"], &share["recipients"]),
        (&json!("/Team/notes.txt"), &json!("gina@partner.example.net"))
    );
    assert_eq!(share["changed"], Value::Null, "what was before is not kept");
    nights.change(&set(2, &json!({"expires": "+9d"})));
    let events = nights.night(0);
    let share = one(&events, "share_changed", "2");
    assert_eq!(
        (&share["changed"], &share["expires"]),
        (&json!("expires"), &json!("2026-12-01"))
    );
    nights.are_told_again();
}

#[test]
fn a_scan_of_one_account_or_one_rule_tells_of_nothing_else() {
    let mut nights = Nights::of(Stage::small());
    nights.night(0);
    nights.change(&json!([{"do": "remove", "share": 8}, set(1, &json!({"expires": "+9d"}))]));
    let frank = nights.scan(&["--user", "frank"]);
    assert_eq!(transitions(&frank.ended(0).out), [] as [Value; 0]);
    let rule = nights.scan(&["--rule", "external-recipient"]);
    let told = transitions(&rule.ended(0).out);
    assert_eq!(
        essence(&told),
        BTreeSet::from([
            ("resolved", "external-recipient", "8"),
            ("share_changed", "", "1")
        ])
    );
    let alice = nights.scan(&["--user", "alice"]);
    let told = transitions(&alice.ended(0).out);
    assert!(
        essence(&told).contains(&("resolved", "link-without-expiry", "1")),
        "{told:#?}"
    );
    assert!(
        !told.iter().any(|event| event["event"] == "share_changed"),
        "told already"
    );
    nights.are_told_again();
}

#[test]
fn what_protected_a_share_and_is_gone_is_found_until_it_is_back_or_waived() {
    let mut nights = Nights::of(Stage::small());
    let removed = "protection-removed";
    nights.night(0);
    let report = |nights: &mut Nights| {
        let ran = nights.stage.run_at(&nights.now(), &["scan", "--format", "json"]);
        nights.day += 1;
        ran.ended(0).json()
    };
    let stands = |report: &Value, share: &str| -> Option<(String, String)> {
        let found = finding(report, removed, share)?;
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        Some((text("status"), text("message")))
    };
    // 2 had a password and a date, 5 a date, 1 neither.
    nights.change(&json!([
        set(2, &json!({"password": null})),
        set(5, &json!({"expires": null})),
        set(1, &json!({"label": "x"}))
    ]));
    let both = report(&mut nights);
    for (share, message) in [("2", "had a password,"), ("5", "had an expiry date,")] {
        let (status, words) = stands(&both, share).unwrap();
        assert_eq!(status, "new", "{share}");
        assert!(words.contains(message), "{words}");
        assert_eq!(finding(&both, removed, share).unwrap()["level"], "high");
    }
    assert_eq!(stands(&both, "1"), None);
    nights.change(&json!([
        set(2, &json!({"expires": null})),
        set(5, &json!({"expires": "+3d"}))
    ]));
    let more = report(&mut nights);
    let (status, words) = stands(&more, "2").unwrap();
    assert!(
        status == "open" && words.contains("a password and an expiry date"),
        "{words}"
    );
    assert_eq!(stands(&more, "5").unwrap().0, "resolved");
    // It lasts, also for a scan of its owner alone.
    assert_eq!(stands(&report(&mut nights), "2").unwrap().0, "open");
    nights.stage.configure(&Config {
        more: "[[waiver]]\nrule = \"protection-removed\"\nshare = \"2\"\nsource = \"cloud\"\nreason = \"agreed\"\n\
               approved_by = \"head of IT\"\nuntil = 2027-03-31\n",
        ..Config::default()
    });
    assert_eq!(stands(&report(&mut nights), "2").unwrap().0, "waived");
    nights.stage.configure(&Config::default());
    assert_eq!(stands(&report(&mut nights), "2").unwrap().0, "open");
    nights.change(&set(
        2,
        &json!({"password": "And-There-It-Is-Again-3", "expires": "+30d"}),
    ));
    assert_eq!(stands(&report(&mut nights), "2").unwrap().0, "resolved");
    nights.change(&set(2, &json!({"password": null})));
    let again = report(&mut nights);
    assert_eq!(stands(&again, "2").unwrap().0, "open");
    assert_eq!(
        finding(&again, removed, "2").unwrap()["first_seen"],
        finding(&both, removed, "2").unwrap()["first_seen"]
    );
    // Without the state nothing is known of the nights before, and it says so.
    let forgetful = nights.stage.report(&[]);
    assert_eq!(stands(&forgetful, "2"), None);
    let not_judged = |report: &Value| {
        report["sources"][0]["rules_not_judged"]
            .to_string()
            .contains(removed)
    };
    assert!(not_judged(&forgetful) && !not_judged(&again));
    assert!(!not_judged(
        &nights.stage.report(&["--rule", "link-without-expiry"])
    ));
}

/// A tenant tells its shares in another way, and changes are read in another.
#[test]
fn a_tenants_runs_are_printed_the_same_whatever_changed_since() {
    const PROJECTS: &str = "11111111-0000-4000-8000-000000000001";
    let mut world = tenant();
    world["microsoft365"]["switches"]["silent_changes"] = json!(false);
    let mut nights = Nights::of(Stage::of(&world));
    let permission = |set: Value| json!({"do": "update", "owner": "alice@example.org", "path": "/Projects", "permission": PROJECTS, "set": set});
    nights.night(3);
    let mut kinds = BTreeSet::new();
    for change in [
        permission(json!({"expires": "+5d"})),
        json!({"do": "update", "user": "alice@example.org", "set": {"drive": "locked"}}),
        json!({"do": "update", "user": "alice@example.org", "set": {"drive": true}}),
        json!({"do": "remove", "owner": "alice@example.org", "path": "/Projects", "permission": PROJECTS}),
    ] {
        nights.change(&change);
        let events = nights.night(3);
        kinds.extend(
            events
                .iter()
                .map(|event| event["event"].as_str().unwrap().to_owned()),
        );
        if change["set"]["expires"].is_string() {
            let share = events
                .iter()
                .find(|event| event["event"] == "share_changed")
                .unwrap();
            assert_eq!(share["changed"], "expires");
            assert!(share["share"].as_str().unwrap().ends_with(PROJECTS), "{share}");
            assert!(share["expires"].is_string() && share["was_expires"].is_null());
        }
    }
    assert_eq!(
        kinds,
        BTreeSet::from(["share_changed", "resolved", "not_checked", "changed"].map(str::to_owned))
    );
    nights.are_told_again();
}
