//! Everything that is done with a service that can be read and changed, from the first scan to the end of an incident.

use serde_json::json;

use super::Tour;
use super::marks::mark;
use crate::changes::on_a_terminal;
use crate::harness::{Config, POLICY, Ran, add_shares, block_on, demo, findings, list, small, tenant};

const FORMATS: [&str; 6] = ["table", "json", "ndjson", "csv", "html", "ocsf"];

const MORE: &str = r#"
details = "all"
[mail]
mode = "on"
min_level = "low"
attach = "csv"
managers = true
from = "Share audit <audit@example.org>"
fallback = "it-security@example.org"
incident_contact = "compliance@example.org"
transport = { kind = "files", directory = "letters" }
[enforce]
mode = "on"
max_changes_percent = 100
[[enforce.rule]]
rule = "link-without-expiry"
action = "set-expiry"
after = "30d"
[[enforce.rule]]
rule = "classified-item-exposed"
action = "revoke"
[[enforce.rule]]
rule = "external-recipient"
action = "revoke"
[export]
ndjson = "events.ndjson"
metrics = "metrics.prom"
html = "report.html"
owners = "pseudonym"
[schedule]
at = "0 2 29 2 *"
jitter = "0s"
health = "127.0.0.1:0"
"#;

fn policy() -> String {
    POLICY.replacen("[policy]", "[policy]\nevidence = true", 1)
}

/// Does everything with a service of which this is a configured tour; `codes` are those with which scans may end.
fn everything(tour: &mut Tour, source: &str, codes: &[i32]) {
    for folder in ["letters", "preview"] {
        std::fs::create_dir(tour.stage.path(folder)).unwrap();
    }
    tour.run(&["config", "check"], &[0]);
    tour.run(&["config", "show"], &[0]);
    tour.run(&["doctor"], &[0]);
    for format in FORMATS {
        tour.run(&["scan", "--all-shares", "--format", format], codes);
    }
    tour.run(
        &[
            "--log-format",
            "json",
            "--no-state",
            "scan",
            "--full",
            "--output",
            "report.txt",
        ],
        codes,
    );
    tour.run(&["baseline", "release", "--source", source], &[0]);
    let report = reports(tour, codes);
    people_and_records(tour, &report);
    tour.run(&["notify", "--preview", "preview"], &[0]);
    changes(tour, codes);
    nights(tour, codes);
    tour.run(&["doctor"], &[0, 5]);
    daemon(tour);
    tour.run(&["purge", "--owner", "bob"], &[0, 2]);
}

fn reports(tour: &mut Tour, codes: &[i32]) -> serde_json::Value {
    for format in FORMATS {
        tour.run(&["--log-format", "json", "report", "--format", format], codes);
    }
    tour.run(&["scan", "--user", "alice@example.org"], codes);
    tour.run(&["scan", "--format", "json"], codes).json()
}

fn people_and_records(tour: &mut Tour, report: &serde_json::Value) {
    let of = |rule: &str| findings(report).iter().find(|finding| finding["rule"] == rule);
    let finding = of("link-without-password").unwrap();
    let (id, share) = (
        finding["id"].as_str().unwrap(),
        finding["share"]["id"].as_str().unwrap(),
    );
    tour.run(&["history", "--finding", id], &[0]);
    tour.run(&["history", "--share", share, "--format", "json"], &[0]);
    tour.run(
        &["history", "--owner", "alice@example.org", "--format", "ndjson"],
        &[0],
    );
    let reason = [
        "--reason",
        "known",
        "--until",
        "2027-03-31",
        "--approved-by",
        "head of IT",
    ];
    tour.run(&[&["waive", id], &reason[..]].concat(), &[0]);
    tour.run(&["waivers"], &[0]);
    tour.run(&["confirm", "--share", share, "--by", "somebody"], &[0]);
    for owner in ["alice@example.org", "bob@example.org"] {
        let shown = tour.may_show(&["the password of the list"], &["mail", "password", owner], &[0]);
        tour.knows("the password of the list", shown.out.trim_end());
    }
    if let Some(breach) = of("breach-suspected") {
        let id = breach["id"].as_str().unwrap();
        tour.run(
            &[
                "incident",
                "close",
                id,
                "--outcome",
                "harmless",
                "--by",
                "somebody",
            ],
            &[0],
        );
    }
}

fn nights(tour: &mut Tour, codes: &[i32]) {
    for day in [1, 2, 12, 16] {
        tour.day(day);
        tour.run(&["nightly"], codes);
    }
    assert!(std::fs::read_dir(tour.stage.path("letters")).unwrap().count() > 2);
    for name in [
        "events.ndjson",
        "metrics.prom",
        "report.html",
        "pseudonyms.key",
        "attachments.key",
    ] {
        assert!(tour.stage.path(name).is_file(), "{name}");
    }
}

fn changes(tour: &mut Tour, codes: &[i32]) {
    tour.run(&["nightly", "--dry-run"], codes);
    tour.run(&["plan", "--out", "plan.json"], &[0]);
    tour.run(&["plan", "--out", "plan.csv"], &[0]);
    tour.run(&["apply", "plan.json", "--dry-run"], &[0, 4]);
    let applied = tour.run(&["apply", "plan.json", "--yes", "--format", "json"], &[0, 4]);
    let run = applied.json()["run"].as_str().unwrap().to_owned();
    // Nobody could be shown a new password here.
    let undone: Ran = tour.run(&["undo", &run, "--yes", "--format", "json"], &[4]);
    assert!((undone.out + &undone.err).contains("run this on one"));
    if let Some((_, shown)) = on_a_terminal(&tour.stage, "", &["-vvv", "undo", &run, "--yes"]) {
        let told = shown.split("has the new password ").skip(1);
        let passwords: Vec<String> = told
            .filter_map(|rest| rest.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        assert!(!passwords.is_empty(), "{shown}");
        for password in passwords {
            assert_eq!(shown.matches(password.as_str()).count(), 1, "{shown}");
            tour.knows("the new password of a link", &password);
        }
        tour.said(
            "`undo` on a terminal",
            shown.as_bytes(),
            &["the new password of a link", "`password` of"],
        );
    }
    tour.run(&["journal", "verify"], &[0]);
    let journal = tour.run(&["journal", "export"], &[0]);
    assert!(journal.out.lines().count() > 10, "{}", journal.out);
}

/// The daemon's own words, and what it answers.
fn daemon(tour: &mut Tour) {
    let mut running = tour.program(&["daemon"]).start();
    let said = running.until("/healthz and /metrics are on ");
    let address = said.trim().rsplit("http://").next().unwrap().to_owned();
    for path in ["/healthz", "/metrics"] {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = block_on(async {
            client
                .get(format!("http://{address}{path}"))
                .send()
                .await
                .unwrap()
                .text()
                .await
        });
        tour.said(&format!("the daemon's {path}"), answer.unwrap().as_bytes(), &[]);
    }
    running.signal("TERM");
    let ended = running.end();
    tour.ran(&ended, &[], &["daemon"], &[0]);
}

#[test]
fn nothing_that_is_done_with_a_nextcloud_tells_or_keeps_a_secret() {
    let mut world = small();
    add_shares(
        &mut world,
        vec![
            json!({"id": 50, "type": "link", "owner": "alice", "path": "/HR/salaries.xlsx", "created": "-10d",
                "downloads": ["2026-11-21T08:00:00Z"]}),
            json!({"id": 51, "type": "mail", "owner": "alice", "path": "/HR/salaries.xlsx", "password": "marked",
                "recipient": "client@partner.example.net"}),
            json!({"id": 52, "type": "link", "owner": "alice", "path": "/HR/salaries.xlsx", "password": "marked",
                "label": "kept for later", "expires": "+300d"}),
            // Labels that hold what opens another link, and their own.
            json!({"id": 53, "type": "link", "owner": "alice", "path": "/Team",
                "label": format!("as https://cloud.example.org/index.php/s/{}?x", mark("the token of link 0"))}),
            json!({"id": 54, "type": "link", "owner": "alice", "path": "/Team",
                "label": format!("({})", mark("the token of link 18"))}),
        ],
    );
    let mut tour = Tour::of(world);
    let file = toml::Value::from(
        tour.stage
            .write("statistics", &mark("the statistics token"))
            .to_string_lossy()
            .into_owned(),
    );
    let source = format!("enforce = true\nstatistics_token = {{ file = {file} }}");
    tour.stage.configure(&Config {
        policy: &policy(),
        more: MORE,
        source: &source,
        ..Config::default()
    });
    tour.tapped();
    everything(&mut tour, "cloud", &[0]);
    std::fs::remove_file(tour.stage.path("statistics")).unwrap();
    let heard = tour.end();
    assert!(heard.contains("the AppAPI secret"));
    // Of the links one is on a file in the trash bin, and one on a file whose owner's list cannot be read.
    let links = heard
        .iter()
        .filter(|name| name.starts_with("the token of link"))
        .count();
    assert_eq!(links, 11, "{heard:?}");
}

#[test]
fn no_report_of_the_invented_university_holds_a_secret() {
    let mut tour = Tour::of(demo());
    tour.stage.configure(&Config {
        policy: &policy(),
        more: "details = \"all\"",
        ..Config::default()
    });
    tour.tapped();
    tour.run(&["scan", "--all-shares", "--format", "ndjson"], &[0]);
    for format in ["table", "json", "csv", "html", "ocsf"] {
        tour.run(&["report", "--format", format], &[0]);
    }
    let heard = tour.end();
    assert!(
        heard
            .iter()
            .filter(|name| name.starts_with("the token of link"))
            .count()
            > 20,
        "{heard:?}"
    );
    assert!(
        heard.iter().any(|name| name.starts_with("the hash in")),
        "{heard:?}"
    );
}

#[test]
fn nothing_that_is_done_with_a_tenant_tells_or_keeps_a_secret() {
    let mut world = tenant();
    let permissions = list(&mut world["microsoft365"]["permissions"]);
    permissions.push(json!({"owner": "alice@example.org", "path": "/HR/salaries.xlsx",
        "id": "11111111-0000-4000-8000-0000000000aa",
        "link": {"scope": "anonymous", "type": "view", "password": "marked"}}));
    permissions.push(
        json!({"owner": "alice@example.org", "path": "/HR", "id": "11111111-0000-4000-8000-0000000000ab",
        "link": {"scope": "anonymous", "type": "view"},
        "used": [{"at": "2026-11-21T08:00:00Z", "ip": "198.51.100.7"}]}),
    );
    for role in [
        "AuditLogsQuery.Read.All",
        "Files.ReadWrite.All",
        "Sites.FullControl.All",
        "Mail.Send",
    ] {
        list(&mut world["microsoft365"]["app"]["roles"]).push(json!(role));
    }
    let mut tour = Tour::of(world);
    tour.stage.configure_tenant(&Config {
        policy: &policy(),
        more: MORE,
        source: "enforce = true",
        ..Config::default()
    });
    tour.tapped();
    everything(&mut tour, "m365", &[0, 3]);
    let heard = tour.end();
    assert!(heard.contains("the client secret"));
    for part in [
        "the address of link",
        "`access_token`",
        "`shareId`",
        "the place in a list",
    ] {
        assert!(
            heard.iter().any(|name| name.starts_with(part)),
            "{part}: {heard:?}"
        );
    }
}
