//! Whether open links to classified items were used: asked, kept, told, and ended by hand only.

use serde_json::{Value, json};

use crate::harness::{
    Config, POLICY, Stage, add_shares, block_on, finding, problems, small, tenant, verdict,
};

const RULE: &str = "breach-suspected";
const TOKEN: &str = "openHRtoken0001";

fn policy(more: &str) -> String {
    POLICY.replacen("[policy]", &format!("[policy]\nevidence = true\n{more}"), 1)
}

/// A server with an open link to something classified, that was fetched at these times.
fn stage(downloads: &[&str]) -> Stage {
    let mut world = small();
    let link = json!({
        "id": 50, "type": "link", "owner": "alice", "path": "/HR/salaries.xlsx", "created": "-10d", "token": TOKEN,
        "downloads": downloads,
    });
    add_shares(&mut world, vec![link]);
    let stage = Stage::of(&world);
    stage.configure(&Config {
        policy: &policy(""),
        ..Config::default()
    });
    stage
}

fn night(stage: &Stage, now: &str) -> Value {
    stage.clock(now);
    stage.run_at(now, &["scan", "--format", "json"]).ended(0).json()
}

/// Fetches what is behind the link, without signing in.
fn open(stage: &Stage) {
    let url = stage
        .url()
        .join(&format!("index.php/s/{TOKEN}/download"))
        .unwrap();
    let answer = block_on(async { reqwest::get(url).await.unwrap() });
    assert_eq!(answer.status(), 200);
}

fn asked(stage: &Stage) -> Vec<Option<String>> {
    let all = stage.requests().into_iter();
    all.filter(|asked| asked.path.contains("/activity/"))
        .map(|asked| asked.account)
        .collect()
}

fn breach(report: &Value) -> Option<&Value> {
    finding(report, RULE, "50")
}

fn id(report: &Value) -> String {
    breach(report).unwrap()["id"].as_str().unwrap().to_owned()
}

fn not_judged(report: &Value) -> bool {
    let rules = report["sources"][0]["rules_not_judged"].as_array().unwrap();
    rules.iter().any(|rule| rule == RULE)
}

const FIRST: &str = "2026-11-22T12:00:00Z";
const SECOND: &str = "2026-11-23T12:00:00Z";
const THIRD: &str = "2026-11-24T12:00:00Z";
const FOURTH: &str = "2026-11-25T12:00:00Z";

#[test]
fn a_link_that_was_used_is_told_with_times_and_only_owners_of_such_links_are_asked_for() {
    let stage = stage(&["-3d", "-12d", "-1h"]);
    let report = night(&stage, FIRST);
    let found = breach(&report).unwrap();
    assert_eq!(
        (found["level"].as_str(), found["status"].as_str()),
        (Some("high"), Some("new"))
    );
    // What was fetched before the link was made was fetched through another.
    assert_eq!(
        found["message"],
        "This is confidential and opens without a password, and by the service's records a link to it was used at \
         least 2 times, from 2026-11-19 12:00 UTC to 2026-11-22 11:00 UTC: by whom and from where is not known."
    );
    assert!(!not_judged(&report));
    // A protected link to the same file says nothing of its use.
    assert_eq!(finding(&report, RULE, "2"), None);
    assert_eq!(asked(&stage), [Some("alice".to_owned())]);

    open(&stage);
    let report = night(&stage, SECOND);
    let found = breach(&report).unwrap();
    assert_eq!(found["status"], "open");
    assert!(
        found["message"].as_str().unwrap().contains("at least 3 times"),
        "{found}"
    );
    let again = night(&stage, THIRD);
    assert_eq!(
        breach(&again).unwrap()["message"],
        found["message"],
        "nothing is counted twice"
    );
}

#[test]
fn it_outlives_the_share_and_ends_by_hand() {
    let stage = stage(&["-3d"]);
    let first = night(&stage, FIRST);
    let id = id(&first);
    let close = |now: &str, id: &str, code| {
        let words = [
            "--outcome",
            "read by the auditors only",
            "--by",
            "head of compliance",
        ];
        stage
            .run_at(now, &[&["incident", "close", id], &words[..]].concat())
            .ended(code)
            .err
            .clone()
    };
    assert!(close(FIRST, "0123456789abcdef", 2).contains("nothing is known of the finding"));
    let other = finding(&first, "link-without-password", "50").unwrap()["id"]
        .as_str()
        .unwrap();
    assert!(close(FIRST, other, 2).contains("only those of breach-suspected are closed"));
    let waived = stage.run_at(
        FIRST,
        &[
            "waive",
            &id,
            "--reason",
            "r",
            "--until",
            "2026-12-31",
            "--approved-by",
            "a",
        ],
    );
    assert!(waived.ended(2).err.contains("incident close"), "{}", waived.err);

    stage.change(&json!({"do": "remove", "share": 50}));
    for now in [SECOND, THIRD] {
        let report = night(&stage, now);
        let found = breach(&report).unwrap();
        assert_eq!(
            (found["status"].as_str(), found["level"].as_str()),
            (Some("open"), Some("high"))
        );
        assert_eq!(found["share"]["item"]["path"], "/HR/salaries.xlsx");
        assert_eq!(
            finding(&report, "link-without-password", "50").is_some(),
            now == SECOND
        );
    }
    assert_eq!(close(THIRD, &id, 0), "");
    assert!(close(THIRD, &id, 2).contains("head of compliance did on 2026-11-24"));
    let report = night(&stage, FOURTH);
    assert_eq!(breach(&report).unwrap()["status"], "resolved");
    let history = stage
        .run_at(FOURTH, &["history", "--finding", &id, "--format", "ndjson"])
        .ended(0)
        .out
        .clone();
    let lines: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let closed = lines
        .iter()
        .find(|line| line["event"] == "incident_closed")
        .unwrap();
    assert_eq!(
        (closed["closed_by"].as_str(), closed["outcome"].as_str()),
        (Some("head of compliance"), Some("read by the auditors only"))
    );
    assert!(lines.iter().any(|line| line["event"] == "resolved"));
    let table = stage
        .run_at(FOURTH, &["history", "--finding", &id])
        .ended(0)
        .out
        .clone();
    assert!(
        table.contains("incident_closed") && table.contains("outcome: read by the auditors only"),
        "{table}"
    );
}

#[test]
fn a_protected_link_stays_a_suspected_breach_and_further_use_opens_it_again() {
    let stage = stage(&["-3d"]);
    let id = id(&night(&stage, FIRST));
    stage.change(&json!({"do": "update", "share": 50, "set": {"password": "Small-World-42"}}));
    assert_eq!(breach(&night(&stage, SECOND)).unwrap()["status"], "open");
    stage
        .run_at(SECOND, &["incident", "close", &id, "--outcome", "o", "--by", "b"])
        .ended(0);
    assert_eq!(breach(&night(&stage, THIRD)).unwrap()["status"], "resolved");
    stage.change(&json!({"do": "update", "share": 50, "set": {"password": null}}));
    open(&stage);
    let report = night(&stage, FOURTH);
    let found = breach(&report).unwrap();
    assert_eq!(
        (found["id"].as_str(), found["status"].as_str()),
        (Some(id.as_str()), Some("open"))
    );
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("at least once, on 2026-11-24"),
        "{found}"
    );
}

#[test]
fn not_asked_not_to_be_had_and_not_answered_are_told_apart() {
    let stage = stage(&["-3d"]);
    // Not asked.
    stage.configure(&Config::default());
    let report = stage.report(&[]);
    assert!(breach(&report).is_none() && !not_judged(&report) && asked(&stage).is_empty());
    assert!(not_judged(&stage.report(&["--rule", RULE])));
    stage.configure(&Config {
        policy: &policy(""),
        ..Config::default()
    });
    // Not answered.
    stage.fault(&json!({"match": {"path_contains": "activity"}, "action": {"do": "status", "status": 500}}));
    let ran = stage.scan(&[]);
    let report = ran.ended(3).json();
    assert!(
        problems(&report).contains(&("alice", "evidence-unreadable")),
        "{:?}",
        problems(&report)
    );
    assert!(not_judged(&report) && breach(&report).is_none());
    stage.no_faults();
    // Not to be had.
    stage.change(&json!({"do": "update", "settings": {"apps": ["files_sharing", "app_api", "systemtags"]}}));
    let report = stage.report(&[]);
    assert!(
        problems(&report).contains(&("alice", "evidence-unavailable")),
        "{:?}",
        problems(&report)
    );
    assert_eq!(verdict(&report), "limited");
    assert!(not_judged(&report) && breach(&report).is_none());
}

/// A tenant with an open link to something classified, that was used so.
fn used_tenant(used: &Value, roles: &[&str]) -> Value {
    let mut world = tenant();
    let all = world["microsoft365"]["app"]["roles"].as_array_mut().unwrap();
    all.extend(roles.iter().map(|role| json!(role)));
    let permissions = world["microsoft365"]["permissions"].as_array_mut().unwrap();
    permissions.push(json!({
        "owner": "alice@example.org", "path": "/HR/salaries.xlsx", "id": "55555555-0000-4000-8000-000000000050",
        "link": {"scope": "anonymous", "type": "view"}, "used": used,
    }));
    world
}

const RIGHTS: &[&str] = &[
    "AuditLogsQuery-OneDrive.Read.All",
    "AuditLogsQuery-SharePoint.Read.All",
];

/// Some sites of the tenant are locked, so that its scans are incomplete anyway.
fn of_tenant(world: &Value, more: &str) -> Stage {
    let stage = Stage::of(world);
    stage.configure_tenant(&Config {
        policy: &policy(more),
        ..Config::default()
    });
    stage
}

fn tenant_breach(report: &Value) -> Option<Value> {
    let found = report["findings"].as_array().unwrap().iter();
    let mut found = found.filter(|finding| finding["rule"] == RULE);
    let one = found.next().cloned();
    assert!(found.next().is_none());
    one
}

fn audits(stage: &Stage, method: &str) -> usize {
    let all = stage.requests().into_iter();
    all.filter(|asked| asked.method == method && asked.path.contains("auditLog"))
        .count()
}

#[test]
fn the_audit_log_tells_whether_a_link_was_used_from_outside() {
    let used = json!([
        {"at": "-3d", "ip": "192.0.2.9"}, {"at": "-2d", "ip": "198.51.100.7:52001"}, {"at": "-1d"},
        {"at": "-300d", "ip": "192.0.2.9"}, {"at": "-1h", "ip": "203.0.113.5", "user": "bob@example.org"},
    ]);
    for (networks, level, words) in [
        (
            "own_networks = [\"192.0.2.0/24\", \"198.51.100.0/24\"]",
            "high",
            "by whom and from where is not known",
        ),
        (
            "own_networks = [\"192.0.2.0/24\"]",
            "critical",
            "but from outside the organisation's networks",
        ),
        ("", "critical", "but from outside the organisation's networks"),
    ] {
        let stage = of_tenant(&used_tenant(&used, RIGHTS), networks);
        let report = stage.scan(&[]).ended(3).json();
        let found = tenant_breach(&report).unwrap();
        assert_eq!(found["level"], level, "{networks}");
        let message = found["message"].as_str().unwrap();
        assert!(
            message.contains("at least 3 times") && message.contains(words),
            "{message}"
        );
        let report = report.to_string();
        assert!(
            !report.contains("198.51.100") && !report.contains("203.0.113"),
            "no address leaves the adapter"
        );
        assert_eq!(audits(&stage, "POST"), 1);
    }
}

#[test]
fn without_the_right_to_the_audit_log_nothing_is_asked_and_that_is_told() {
    // The right to the records of sites is none to those of people's drives.
    for roles in [&[][..], &RIGHTS[1..]] {
        let stage = of_tenant(&used_tenant(&json!([{"at": "-1d"}]), roles), "");
        let report = stage.scan(&[]).ended(3).json();
        assert!(
            problems(&report).contains(&("*", "evidence-unavailable")),
            "{:?}",
            problems(&report)
        );
        assert!(not_judged(&report) && tenant_breach(&report).is_none());
        assert_eq!(audits(&stage, "POST"), 0);
    }
}

#[test]
fn what_the_audit_log_answers_later_is_read_by_the_next_scan() {
    let mut world = used_tenant(&json!([{"at": "-1d"}]), RIGHTS);
    world["microsoft365"]["switches"]["audit_polls"] = json!(3);
    let stage = Stage::of(&world);
    let limits = "limits = { units_per_minute = 1000000, units_per_day = 1000000, stop_after = \"6s\" }";
    let source = |limits: &'static str| {
        stage.configure_tenant(&Config {
            policy: &policy(""),
            source: limits,
            ..Config::default()
        })
    };
    source(limits);
    let report = stage.run(&["scan", "--format", "json"]).ended(3).json();
    assert!(
        problems(&report).contains(&("*", "evidence-pending")),
        "{:?}",
        problems(&report)
    );
    assert!(tenant_breach(&report).is_none() && not_judged(&report));
    assert_eq!(audits(&stage, "POST"), 1);
    let report = stage
        .run_at(SECOND, &["scan", "--format", "json"])
        .ended(3)
        .json();
    assert!(tenant_breach(&report).is_some(), "{:?}", problems(&report));
}

#[test]
fn an_answer_that_was_cut_off_is_no_answer() {
    let mut world = used_tenant(&json!([{"at": "-1d"}]), RIGHTS);
    world["microsoft365"]["switches"]["audit_cut"] = json!(true);
    let stage = of_tenant(&world, "");
    let report = stage.scan(&[]).ended(3).json();
    assert!(
        problems(&report).contains(&("*", "evidence-unreadable")),
        "{:?}",
        problems(&report)
    );
    assert!(tenant_breach(&report).is_some(), "what was told counts");
}

const MAIL: &str = r#"[mail]
mode = "on"
from = "Share audit <audit@example.org>"
fallback = "it-security@example.org"
incident_contact = "compliance@example.org"
language = "de"
transport = { kind = "files", directory = "OUTBOX" }
"#;

/// The words of the letters in the stage's folder, to the contact for incidents and to others.
fn letters(stage: &Stage) -> (Vec<String>, Vec<String>) {
    let letters = crate::notify::letters(&stage.path("outbox")).into_iter();
    let (told, others): (Vec<_>, Vec<_>) =
        letters.partition(|(headers, _)| headers["to"].contains("compliance@example.org"));
    let words = |letters: Vec<(_, String)>| letters.into_iter().map(|(_, words)| words).collect();
    (words(told), words(others))
}

fn to_compliance(stage: &Stage) -> Vec<String> {
    letters(stage).0
}

fn mailing(stage: &Stage, mail: &str) {
    let outbox = stage.path("outbox");
    std::fs::create_dir_all(&outbox).unwrap();
    let mail = mail.replace("OUTBOX", &outbox.to_string_lossy());
    stage.configure(&Config {
        policy: &policy(""),
        more: &mail,
        ..Config::default()
    });
}

#[test]
fn the_contact_for_incidents_is_told_once_a_share_and_owners_are_not() {
    let stage = stage(&["-3d"]);
    mailing(&stage, MAIL);
    let id = id(&night(&stage, FIRST));
    let held = stage.run_at(FIRST, &["notify"]).ended(0).out.clone();
    assert!(held.contains("suspected breaches of a baseline: 1"), "{held}");
    assert!(to_compliance(&stage).is_empty());
    stage
        .run_at(FIRST, &["baseline", "release", "--source", "cloud"])
        .ended(0);
    let told = stage.run_at(FIRST, &["notify"]).ended(0).out.clone();
    assert!(told.contains("suspected breaches: 1 letters"), "{told}");
    let told = to_compliance(&stage);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains(&id) && told[0].contains("Verdacht") && !told[0].contains(TOKEN),
        "{}",
        told[0]
    );
    let (_, others) = letters(&stage);
    assert!(others.iter().any(|letter| letter.contains("salaries.xlsx")));
    for letter in others {
        assert!(
            !letter.contains(&id) && !letter.contains("Panne"),
            "an owner is told of it: {letter}"
        );
    }
    // More of the same is no news; what came back after it was closed is.
    open(&stage);
    night(&stage, SECOND);
    stage.run_at(SECOND, &["notify"]).ended(0);
    assert_eq!(to_compliance(&stage).len(), 1);
    stage
        .run_at(SECOND, &["incident", "close", &id, "--outcome", "o", "--by", "b"])
        .ended(0);
    night(&stage, THIRD);
    open(&stage);
    night(&stage, FOURTH);
    stage.run_at(FOURTH, &["notify"]).ended(0);
    assert_eq!(to_compliance(&stage).len(), 2);
}

#[test]
fn nobody_to_tell_is_told_and_a_share_that_is_gone_is_told_of_all_the_same() {
    let stage = stage(&["-3d"]);
    let nobody = MAIL.replace("incident_contact = \"compliance@example.org\"\n", "");
    mailing(&stage, &nobody);
    night(&stage, FIRST);
    stage
        .run_at(FIRST, &["baseline", "release", "--source", "cloud"])
        .ended(0);
    stage.change(&json!({"do": "remove", "share": 50}));
    night(&stage, SECOND);
    let ran = stage.run_at(SECOND, &["notify"]);
    assert!(
        ran.ended(5).out.contains("of which nobody was told: 1"),
        "{}",
        ran.out
    );
    mailing(&stage, MAIL);
    stage.run_at(SECOND, &["notify"]).ended(0);
    let told = to_compliance(&stage);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("salaries.xlsx"), "{}", told[0]);
}

#[test]
fn nothing_is_done_to_a_link_before_what_is_on_record_is_kept() {
    let stage = stage(&[]);
    stage.configure(&Config {
        policy: &policy(""),
        more: "[enforce]\n[[enforce.rule]]\nrule = \"classified-item-exposed\"\naction = \"revoke\"\n",
        source: "enforce = true",
        ..Config::default()
    });
    assert!(breach(&night(&stage, FIRST)).is_none());
    let plan = stage.path("plan.json");
    let plan = plan.to_string_lossy();
    let open_link = finding(
        &stage.run_at(FIRST, &["report", "--format", "json"]).json(),
        "classified-item-exposed",
        "50",
    )
    .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    stage
        .run_at(FIRST, &["plan", "--finding", &open_link, "--out", &plan])
        .ended(0);
    // Used after the scan, and before the link is ended.
    open(&stage);
    let there = |stage: &Stage| stage.stored().iter().any(|share| share["id"] == 50);
    stage.fault(&json!({"match": {"path_contains": "activity"}, "action": {"do": "status", "status": 500}}));
    let ran = stage.run_at(FIRST, &["apply", &plan, "--yes"]);
    assert!(
        ran.ended(4).out.contains("whether it was used could not be"),
        "{}",
        ran.out
    );
    assert!(there(&stage), "it is left as it was");
    stage.no_faults();
    stage.run_at(FIRST, &["apply", &plan, "--yes"]).ended(0);
    assert!(!there(&stage));
    let report = night(&stage, SECOND);
    let found = breach(&report).unwrap();
    assert_eq!(
        (found["status"].as_str(), found["level"].as_str()),
        (Some("new"), Some("high"))
    );
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("at least once, on 2026-11-22 12:00"),
        "{found}"
    );
}

#[test]
fn nobody_is_forgotten_before_the_incident_is_closed() {
    let stage = stage(&["-3d"]);
    let id = id(&night(&stage, FIRST));
    let purge = ["purge", "--owner", "alice"];
    let refused = stage.run_at(FIRST, &purge).ended(2).err.clone();
    assert!(
        refused.contains("1 links of this owner are suspected breaches"),
        "{refused}"
    );
    stage
        .run_at(FIRST, &["incident", "close", &id, "--outcome", "o", "--by", "b"])
        .ended(0);
    stage.run_at(FIRST, &purge).ended(0);
    stage.run_at(FIRST, &["history", "--finding", &id]).ended(2);
    assert!(stage.run_at(FIRST, &["doctor"]).out.contains("is sound"));
}

#[test]
fn doctor_says_what_evidence_lacks() {
    let stage = stage(&[]);
    assert!(
        stage
            .run(&["doctor"])
            .out
            .contains("keeps records of the use of links")
    );
    stage.change(&json!({"do": "update", "settings": {"apps": ["files_sharing", "app_api", "systemtags"]}}));
    assert!(
        stage
            .run(&["doctor"])
            .out
            .contains("the activity app is not enabled")
    );
    let tenant = of_tenant(&used_tenant(&json!([]), &RIGHTS[..1]), "");
    let said = tenant.run(&["doctor"]).out.clone();
    assert!(
        said.contains("AuditLogsQuery-SharePoint.Read.All is not granted"),
        "{said}"
    );
}
