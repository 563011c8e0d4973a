//! Every way in which the program ends tells by its exit code what the result is worth.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Config, POLICY, Program, Ran, Stage, add_shares, findings, problems, share, small, verdict,
};

/// An answer of another account's list, empty at that.
const OF_ANOTHER: &str = r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":[]}}"#;

#[test]
fn findings_end_with_1_only_where_they_reach_the_level_asked_for() {
    let stage = Stage::small();
    for (rule, level, code) in [
        ("unread-membership", "info", 1),
        ("unread-membership", "low", 0),
        ("unread-membership", "never", 0),
        ("classified-item-exposed", "critical", 1),
        ("classified-item-exposed", "info", 1),
        ("external-recipient", "medium", 1),
        ("external-recipient", "high", 0),
        ("mailing-list-recipient", "info", 0),
    ] {
        stage.scan(&["--rule", rule, "--fail-on", level]).ended(code);
    }
    stage.scan(&[]).ended(0);
}

#[test]
fn waived_findings_do_not_fail_a_scan() {
    let stage = Stage::small();
    stage.configure(&Config {
        more: "[[waiver]]\nrule = \"unread-membership\"\nshare = \"14\"\nsource = \"cloud\"\nreason = \"r\"\n\
               approved_by = \"a\"\nuntil = 2027-03-31\n",
        ..Config::default()
    });
    stage
        .scan(&["--rule", "unread-membership", "--fail-on", "info"])
        .ended(0);
}

#[test]
fn wrong_usage_ends_with_2_and_nothing_is_sent() {
    let stage = Stage::small();
    for arguments in [
        &["scan", "--source", "elsewhere"][..],
        &["scan", "--rule", "link-without-passwort"],
        &["scan", "--fail-on", "worst"],
        &["scan", "--format", "pdf"],
        &["scan", "--no-such-option"],
        &["no-such-command"],
        &[],
        &["--now", "yesterday", "scan"],
        &["rules", "no-such-rule"],
        &["report"],
        &["report", "--run", "20200101T000000Z-aaaaaa"],
        &["--no-state", "report"],
        &["emulate", "--world", "no-such-file.json"],
        &["completions", "cobol"],
    ] {
        let ran = stage.run(arguments);
        ran.ended(2);
        assert!(!ran.err.is_empty(), "{arguments:?} says why");
        assert_eq!(ran.out, "", "{arguments:?}");
    }
    assert!(stage.requests().is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_configuration_ends_with_2_and_nothing_is_sent() {
    let stage = Stage::small();
    let url = stage.url().to_string();
    let auth = |secret: &str| {
        format!("{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {secret} }}")
    };
    let open = stage.write("open-secret", "small-app-secret");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let empty = stage.write("empty-secret", "");
    let file = |path: &std::path::Path| auth(&format!("{{ file = {:?} }}", path.to_string_lossy()));
    let policy = |extra: &str| POLICY.replace("[policy]", &format!("[policy]\n{extra}"));
    let cases: Vec<(&str, Config<'_>)> = vec![
        (
            "unknown key",
            Config {
                source: "urll = \"x\"",
                ..Config::default()
            },
        ),
        (
            "not TOML",
            Config {
                more: "[[[",
                ..Config::default()
            },
        ),
        (
            "unknown rule",
            Config {
                more: "[policy.levels]\nlink-without-pasword = \"low\"",
                ..Config::default()
            },
        ),
        (
            "unset variable",
            Config {
                auth: Some("VARIABLE"),
                ..Config::default()
            },
        ),
        (
            "secret for all to read",
            Config {
                auth: Some("OPEN"),
                ..Config::default()
            },
        ),
        (
            "no secret in the file",
            Config {
                auth: Some("EMPTY"),
                ..Config::default()
            },
        ),
        (
            "no such secret file",
            Config {
                auth: Some("MISSING"),
                ..Config::default()
            },
        ),
        (
            "a failing command",
            Config {
                auth: Some("COMMAND"),
                ..Config::default()
            },
        ),
        (
            "a secret's value",
            Config {
                auth: Some("VALUE"),
                ..Config::default()
            },
        ),
        (
            "another scheme",
            Config {
                url: Some("ftp://127.0.0.1/"),
                ..Config::default()
            },
        ),
        (
            "bad number",
            Config {
                source: "limits = { requests_per_second = 0 }",
                ..Config::default()
            },
        ),
        (
            "bad duration",
            Config {
                policy: "MAX",
                ..Config::default()
            },
        ),
        (
            "a waiver too long",
            Config {
                more: "[[waiver]]\nowner = \"alice\"\nreason = \"r\"\napproved_by = \"a\"\nuntil = 2030-01-01",
                ..Config::default()
            },
        ),
        (
            "a waiver without an end",
            Config {
                more: "[[waiver]]\nowner = \"alice\"\nreason = \"r\"\napproved_by = \"a\"",
                ..Config::default()
            },
        ),
        (
            "a waiver of everybody's",
            Config {
                more: "[[waiver]]\npath = \"/x\"\nreason = \"r\"\napproved_by = \"a\"\nuntil = 2027-03-31",
                ..Config::default()
            },
        ),
    ];
    let secrets = [
        ("VARIABLE", auth("{ env = \"SHAREWARDEN_TEST_UNSET\" }")),
        ("OPEN", file(&open)),
        ("EMPTY", file(&empty)),
        ("MISSING", file(&stage.path("missing"))),
        ("COMMAND", auth("{ command = [\"false\"] }")),
        ("VALUE", auth("\"small-app-secret\"")),
    ];
    let long = policy("max_expiry = \"soon\"");
    for (what, mut config) in cases {
        config.auth = config.auth.map(|name| {
            secrets
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap()
                .1
                .as_str()
        });
        if config.policy == "MAX" {
            config.policy = &long;
        }
        stage.configure(&config);
        let ran = stage.scan(&[]);
        assert_eq!(ran.code, Some(2), "{what}: {}", ran.err);
        ran.ended(2);
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{what}");
        assert!(!ran.err.contains("small-app-secret"), "{what}: {}", ran.err);
    }
    let missing = Program::new(&stage.path("."))
        .arguments(&["--config", "missing.toml", "scan"])
        .run();
    missing.ended(2);
    let folder = Program::new(&stage.path("."))
        .arguments(&["--config", "/", "scan"])
        .run();
    folder.ended(2);
    let none = Program::new(&stage.path(".")).arguments(&["scan"]).run();
    none.ended(2);
    assert!(stage.requests().is_empty(), "{url}");
}

#[test]
fn plain_http_beyond_loopback_is_refused_before_anything_is_sent() {
    let stage = Stage::small();
    for url in [
        "http://cloud.example.org/",
        "http://192.0.2.1/",
        "http://127.0.0.1.example.org/",
    ] {
        stage.configure(&Config {
            url: Some(url),
            ..Config::default()
        });
        // Had the program sent something, the proxy would have seen it.
        let mut program = stage.program();
        program
            .variable("http_proxy", stage.url().as_str())
            .variable("HTTP_PROXY", stage.url().as_str())
            .arguments(&["--no-state", "scan"]);
        let ran = program.run();
        ran.ended(2);
        assert!(ran.err.contains("http"), "{}", ran.err);
    }
    assert!(stage.requests().is_empty());
}

#[test]
fn a_refused_secret_is_sent_once_only() {
    let stage = Stage::small();
    stage.write("secret", "not-the-secret");
    let ran = stage.scan(&[]);
    let report = ran.ended(3).json();
    assert_eq!(problems(&report), [("*", "unauthorized")]);
    let asked = stage.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].status, 401);
}

#[test]
fn a_refused_app_password_is_sent_once_only() {
    let stage = Stage::small();
    let password = stage.write("password", "not-the-password");
    let auth = format!(
        "{{ method = \"app-password\", user = \"alice\", password = {{ file = {:?} }} }}",
        password.to_string_lossy()
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let report = stage.scan(&[]).ended(3).json();
    assert_eq!(problems(&report), [("*", "unauthorized")]);
    assert_eq!(stage.requests().len(), 1, "{:?}", stage.requests());
}

/// Something that keeps a scan from reading all that it should.
struct Trouble {
    what: &'static str,
    /// Changes the world before it is served.
    world: fn(&mut Value),
    /// Changes the server that serves it.
    stage: fn(&mut Stage),
    arguments: &'static [&'static str],
    /// A problem that has to be told.
    problem: (&'static str, &'static str),
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            what: "",
            world: |_| {},
            stage: |_| {},
            arguments: &[],
            problem: ("*", ""),
        }
    }
}

fn listing_of(account: &str, action: &Value) -> Value {
    json!({"match": {"path_contains": "files_sharing/api/v1/shares", "account": account}, "action": action})
}

fn capabilities(action: &Value) -> Value {
    json!({"match": {"path_contains": "capabilities"}, "action": action})
}

fn dav(part: &str, action: &Value) -> Value {
    json!({"match": {"path_contains": part}, "action": action})
}

fn status(status: u16, headers: &Value, body: &str) -> Value {
    json!({"do": "status", "status": status, "headers": headers, "body": body})
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn troubles() -> Vec<Trouble> {
    vec![
        Trouble {
            what: "nobody answers",
            stage: Stage::stop,
            problem: ("*", "unreachable"),
            ..Trouble::default()
        },
        Trouble {
            what: "the connection is reset again and again",
            stage: |stage| stage.fault(&capabilities(&json!({"do": "reset"}))),
            problem: ("*", "unreachable"),
            ..Trouble::default()
        },
        Trouble {
            what: "the address is blocked",
            world: |world| world["nextcloud"]["settings"]["brute_force_attempts"] = json!(1),
            stage: |stage| {
                stage.write("secret", "wrong");
                stage.scan(&[]).ended(3);
                stage.write("secret", "small-app-secret");
            },
            problem: ("*", "address-blocked"),
            ..Trouble::default()
        },
        Trouble {
            what: "maintenance",
            world: |world| world["nextcloud"]["settings"]["maintenance"] = json!(true),
            problem: ("*", "maintenance"),
            ..Trouble::default()
        },
        Trouble {
            what: "maintenance begins while the scan runs",
            stage: |stage| stage.fault(&listing_of("bob", &json!({"do": "maintenance"}))),
            problem: ("bob", "maintenance"),
            ..Trouble::default()
        },
        Trouble {
            what: "one account's list fails",
            stage: |stage| stage.fault(&listing_of("alice", &status(500, &json!({}), ""))),
            problem: ("alice", "server-error"),
            ..Trouble::default()
        },
        Trouble {
            what: "one account's list breaks off again and again",
            stage: |stage| stage.fault(&listing_of("alice", &json!({"do": "cut", "bytes": 900}))),
            problem: ("alice", "truncated"),
            ..Trouble::default()
        },
        Trouble {
            what: "a web page for the settings",
            stage: |stage| stage.fault(&capabilities(&json!({"do": "html"}))),
            problem: ("*", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "a web page for a list",
            stage: |stage| stage.fault(&listing_of("alice", &json!({"do": "html"}))),
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "half a list, as if it were whole",
            stage: |stage| stage.fault(&listing_of("alice", &json!({"do": "malformed"}))),
            problem: ("alice", "truncated"),
            ..Trouble::default()
        },
        Trouble {
            what: "no JSON",
            stage: |stage| {
                let json = json!({"Content-Type": "application/json"});
                stage.fault(&listing_of(
                    "alice",
                    &status(200, &json, "{\"ocs\":{\"data\":[{]}}"),
                ));
            },
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "nothing at all",
            stage: |stage| {
                let json = json!({"Content-Type": "application/json"});
                stage.fault(&listing_of("alice", &status(200, &json, "")));
            },
            problem: ("alice", "truncated"),
            ..Trouble::default()
        },
        Trouble {
            what: "a list that is none",
            stage: |stage| {
                let body = OF_ANOTHER.replace("[]", "{\"a\":1}");
                stage.fault(&listing_of("alice", &status(200, &json!({}), &body)));
            },
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "another account's list",
            stage: |stage| {
                let headers = json!({"X-User-Id": "frank", "Content-Type": "application/json"});
                stage.fault(&listing_of("alice", &status(200, &headers, OF_ANOTHER)));
            },
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "huge settings",
            stage: |stage| stage.fault(&capabilities(&json!({"do": "huge", "bytes": 80_000_000}))),
            problem: ("*", "too-large"),
            ..Trouble::default()
        },
        Trouble {
            what: "a huge entry of a list",
            stage: |stage| stage.fault(&listing_of("alice", &json!({"do": "huge", "bytes": 20_000_000}))),
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "deep nesting in a list",
            stage: |stage| stage.fault(&listing_of("alice", &json!({"do": "deep", "levels": 100_000}))),
            problem: ("alice", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "deep nesting in the settings",
            stage: |stage| stage.fault(&capabilities(&json!({"do": "deep", "levels": 100_000}))),
            problem: ("*", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "entities that unfold without end in a home",
            stage: |stage| stage.fault(&dav("dav/files/erin", &json!({"do": "entity-bomb"}))),
            problem: ("erin", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "deep nesting in a home",
            stage: |stage| stage.fault(&dav("dav/files/erin", &json!({"do": "deep", "levels": 10_000}))),
            problem: ("erin", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "entities that unfold without end among tagged files",
            stage: |stage| {
                stage.fault(&json!({"match": {"method": "REPORT"}, "action": {"do": "entity-bomb"}}));
            },
            problem: ("alice", "labels-unreadable"),
            ..Trouble::default()
        },
        Trouble {
            what: "a list of tags that is a web page",
            stage: |stage| stage.fault(&dav("dav/systemtags/", &json!({"do": "html"}))),
            problem: ("*", "labels-unreadable"),
            ..Trouble::default()
        },
        Trouble {
            what: "sharing is switched off",
            world: |world| world["nextcloud"]["settings"]["sharing_enabled"] = json!(false),
            problem: ("*", "sharing-disabled"),
            ..Trouble::default()
        },
        Trouble {
            what: "the registration is disabled",
            world: |world| world["nextcloud"]["ex_apps"][0]["enabled"] = json!(false),
            problem: ("*", "forbidden"),
            ..Trouble::default()
        },
        Trouble {
            what: "nobody has this id",
            arguments: &["--user", "nobody"],
            problem: ("nobody", "user-not-found"),
            ..Trouble::default()
        },
        Trouble {
            what: "nobody has this address, others were found",
            arguments: &["--user", "alice", "--user", "nobody@example.org"],
            problem: ("nobody@example.org", "user-not-found"),
            ..Trouble::default()
        },
        Trouble {
            what: "the server asks for a day's pause",
            stage: |stage| {
                stage.fault(&listing_of(
                    "alice",
                    &status(429, &json!({"Retry-After": "86400"}), ""),
                ));
            },
            problem: ("alice", "throttled"),
            ..Trouble::default()
        },
        Trouble {
            what: "the list of accounts repeats itself",
            world: |world| world["nextcloud"]["generate"] = json!({"accounts": 501}),
            stage: |stage| {
                stage.configure(&Config {
                    source: "exclude = { users = [\"user0*\"] }",
                    ..Config::default()
                });
                stage.fault(
                    &json!({"match": {"path_contains": "offset=500"}, "action": {"do": "duplicate-page"}}),
                );
            },
            problem: ("*", "malformed"),
            ..Trouble::default()
        },
        Trouble {
            what: "the details of accounts cannot be read",
            stage: |stage| stage.fault(&dav("cloud/users/details", &status(500, &json!({}), ""))),
            problem: ("*", "server-error"),
            ..Trouble::default()
        },
        Trouble {
            what: "an entry without an id",
            world: |world| {
                let raw = json!({"id": {"no": "id"}});
                add_shares(
                    world,
                    vec![json!({"type": "link", "owner": "alice", "path": "/HR", "raw": raw})],
                );
            },
            problem: ("alice", "malformed-share"),
            ..Trouble::default()
        },
    ]
}

#[test]
fn whatever_keeps_a_scan_from_reading_all_makes_it_incomplete_and_never_clean() {
    std::thread::scope(|scope| {
        let tries: Vec<_> = troubles()
            .into_iter()
            .map(|trouble| (trouble.what, scope.spawn(move || is_incomplete(&trouble))))
            .collect();
        let failed: Vec<&str> = tries
            .into_iter()
            .filter_map(|(what, done)| done.join().is_err().then_some(what))
            .collect();
        assert!(failed.is_empty(), "see above what is wrong with: {failed:?}");
    });
}

fn is_incomplete(trouble: &Trouble) {
    let mut world = small();
    (trouble.world)(&mut world);
    let mut stage = Stage::of(&world);
    (trouble.stage)(&mut stage);
    let what = trouble.what;
    let ran = stage.run(&[&["scan", "--format", "json"], trouble.arguments].concat());
    assert_eq!(ran.code, Some(3), "{what}: {}", ran.err);
    let report = ran.ended(3).json();
    assert_eq!(verdict(&report), "incomplete", "{what}");
    assert_eq!(report["sources"][0]["verdict"], "incomplete", "{what}");
    if report["sources"][0]["accounts"]["found"] == 0 {
        assert_eq!(report["sources"][0]["inventory"]["known_percent"], 0.0, "{what}");
    }
    let told = problems(&report);
    assert!(
        told.contains(&trouble.problem),
        "{what}: {:#}",
        report["sources"][0]["problems"]
    );
    for problem in report["sources"][0]["problems"].as_array().unwrap() {
        let message = problem["message"].as_str().unwrap();
        assert!(
            message.chars().count() < 600 && !message.contains("panicked"),
            "{what}: {message}"
        );
    }
    let table = stage.run(&["report"]);
    never_clean(table.ended(3));
}

/// What is printed for people is not to be taken for a clean result.
fn never_clean(table: &Ran) {
    let last = table.out.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("INCOMPLETE: "), "{last}");
    let words = table.out.replace("INCOMPLETE", "").to_lowercase();
    for clean in [
        "complete:",
        "limited:",
        "everything in scope was read",
        "everything within reach",
        "no finding",
    ] {
        assert!(!words.contains(clean), "`{clean}` in\n{}", table.out);
    }
}

#[test]
fn what_could_be_read_is_reported_although_one_account_failed() {
    let stage = Stage::small();
    stage.fault(&listing_of("bob", &status(500, &json!({}), "")));
    let report = stage.scan(&["--all-shares"]).ended(3).json();
    let accounts = json!({"found": 6, "scanned": 4, "skipped": 1, "failed": 1, "gone": 0});
    assert_eq!(report["sources"][0]["accounts"], accounts);
    for id in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "14"] {
        assert!(share(&report, id).is_some(), "share {id}");
    }
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let (stage, other) = (Stage::small(), Stage::small());
    for code in [301, 302, 307, 308] {
        stage.no_faults();
        let to = other
            .url()
            .join("ocs/v2.php/cloud/capabilities?format=json")
            .unwrap();
        stage.fault(&json!({"action": status(code, &json!({"Location": to.as_str()}), "")}));
        let report = stage.scan(&[]).ended(3).json();
        assert_eq!(problems(&report), [("*", "redirected")], "{code}");
    }
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn an_incomplete_scan_ends_with_3_whatever_else_happened() {
    let stage = Stage::small();
    stage.fault(&listing_of("bob", &status(500, &json!({}), "")));
    stage.scan(&["--fail-on", "info"]).ended(3);
    stage
        .scan(&["--fail-on", "info", "--output", "no/such/folder/report.json"])
        .ended(3);
}

#[test]
fn a_report_that_cannot_be_written_ends_with_5() {
    let stage = Stage::small();
    for output in ["no/such/folder/report.json", ".", "/proc/report.json"] {
        let ran = stage.scan(&["--output", output]);
        ran.ended(5);
        assert!(ran.err.contains("could not be written"), "{output}: {}", ran.err);
        assert!(ran.out.is_empty());
    }
    stage
        .scan(&["--fail-on", "info", "--output", "no/such/folder/report.json"])
        .ended(5);
    // The scan itself was kept: only its printing failed.
    let stage = Stage::small();
    stage
        .run(&["scan", "--output", "no/such/folder/report.json"])
        .ended(5);
    stage.run(&["report"]).ended(0);
}

#[test]
fn a_report_is_written_to_the_file_that_was_named() {
    let stage = Stage::small();
    stage.write("report.json", "what was there before");
    let ran = stage.scan(&["--output", "report.json"]);
    ran.ended(0);
    assert_eq!(ran.out, "");
    let text = std::fs::read_to_string(stage.path("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema"], "sharewarden.report/v1");
}

#[test]
fn an_interrupted_scan_ends_with_130_and_keeps_what_it_read() {
    std::thread::scope(|scope| {
        let both = ["INT", "TERM"].map(|signal| scope.spawn(move || is_interrupted_by(signal)));
        for done in both {
            done.join().unwrap();
        }
    });
}

fn is_interrupted_by(signal: &str) {
    let stage = Stage::small();
    stage.configure(&Config {
        source: "limits = { requests_per_second = 1000, in_flight = 1 }",
        ..Config::default()
    });
    // alice's list is read, the next one waits.
    for account in ["bob", "frank", "gina"] {
        stage.fault(&listing_of(account, &json!({"do": "delay", "ms": 4_000})));
    }
    let mut program = stage.program();
    program.arguments(&["--now", crate::harness::NOW, "scan", "--format", "json"]);
    let child = program
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(|| {
        stage
            .requests()
            .iter()
            .any(|asked| asked.is_listing() && asked.account.as_deref() == Some("bob"))
    });
    let sent = stage.requests().len();
    let killed = std::process::Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let ran = Ran::of(
        &child.wait_with_output().unwrap(),
        format!("scan, interrupted by {signal}"),
    );
    let report = ran.ended(130).json();
    assert_eq!(verdict(&report), "incomplete");
    assert!(
        problems(&report).contains(&("*", "interrupted")),
        "{:?}",
        problems(&report)
    );
    assert!(
        findings(&report)
            .iter()
            .any(|finding| finding["share"]["id"] == "1")
    );
    assert_eq!(stage.requests().len(), sent, "no new request after the signal");
    let again = stage.run(&["report", "--format", "json"]).ended(3).json();
    assert_eq!(again["run"]["id"], report["run"]["id"]);
    assert_eq!(again["run"]["verdict"], "incomplete");
    assert_eq!(findings(&again), findings(&report));
    never_clean(stage.run(&["report"]).ended(3));
}

fn wait_until(reached: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if reached() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("what was waited for did not happen");
}
