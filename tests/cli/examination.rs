//! `doctor`: what works, what is missing, what that costs, and how to grant it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::harness::{Config, Ran, Stage, block_on, small};

/// A server that runs with the real clock, as servers do.
fn living() -> Value {
    let mut world = small();
    world["now"] = Value::Null;
    world
}

fn doctor(stage: &Stage) -> Ran {
    let ran = stage.program().arguments(&["doctor"]).run();
    assert!(!ran.out.contains("small-app-secret") && !ran.err.contains("small-app-secret"));
    ran
}

/// How a thing stands, and all that is said of it.
fn told(ran: &Ran, about: &str) -> (String, String) {
    let is_of = |line: &str| {
        let mut words = line.trim_start().splitn(2, ' ');
        let standing = words.next().unwrap_or_default();
        ["ok", "skipped", "limited", "failed"].contains(&standing)
            && words
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with(&format!("{about} ")))
    };
    let mut lines = ran.out.lines().skip_while(|line| !is_of(line));
    let first = lines
        .next()
        .unwrap_or_else(|| panic!("nothing is said of {about}: {}", ran.out));
    let standing = first.split_whitespace().next().unwrap().to_owned();
    let rest = lines.take_while(|line| line.starts_with("          "));
    let words: Vec<&str> = std::iter::once(first)
        .chain(rest)
        .flat_map(str::split_whitespace)
        .collect();
    (standing, words.join(" "))
}

fn assert_told(ran: &Ran, about: &str, standing: &str, parts: &[&str]) {
    let (stands, words) = told(ran, about);
    assert_eq!(stands, standing, "{about}: {}", ran.out);
    for part in parts {
        assert!(words.contains(part), "{about}, {part}: {words}");
    }
}

#[test]
fn a_good_set_up_is_found_good_with_few_requests() {
    let stage = Stage::of(&living());
    let ran = doctor(&stage);
    ran.ended(0);
    for about in [
        "configuration",
        "network",
        "clock",
        "credential",
        "settings",
        "rights",
        "control totals",
        "length",
    ] {
        assert_told(&ran, about, "ok", &[]);
    }
    assert_told(
        &ran,
        "accounts",
        "limited",
        &["6 accounts, 1 of them disabled", "once a week"],
    );
    assert_told(
        &ran,
        "disabled links",
        "limited",
        &["config:app:set files_sharing hide_disabled_user_shares"],
    );
    assert_told(&ran, "tags", "ok", &[]);
    assert_told(&ran, "mail", "skipped", &["off"]);
    assert_told(&ran, "state file", "ok", &["will be made"]);
    assert!(!stage.path("state.db").exists(), "an examination makes no state");
    let asked = stage.requests();
    let states = asked
        .iter()
        .filter(|request| request.path.contains("ex-app/state"))
        .count();
    assert_eq!(states, 1);
    assert!(asked.len() <= 10, "{asked:#?}");
    assert!(
        asked
            .iter()
            .all(|request| ["GET", "PROPFIND", "SEARCH"].contains(&request.method.as_str()))
    );
    assert!(asked.iter().all(|request| !request.is_listing()));
}

#[test]
fn a_wrong_secret_is_sent_once_and_nothing_after_it() {
    let stage = Stage::of(&living());
    stage.write("secret", "another-secret");
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(
        &ran,
        "credential",
        "failed",
        &["sharewarden enroll cloud", "nothing can be read"],
    );
    let paths: Vec<_> = stage
        .requests()
        .iter()
        .map(|request| request.path.clone())
        .collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert_eq!(paths[0], "/status.php");
}

#[test]
fn no_credential_is_sent_to_what_is_no_nextcloud_or_not_ready() {
    for (fault, part) in [
        (json!({"do": "html"}), "no Nextcloud"),
        (json!({"do": "status", "status": 404}), "not found"),
        (
            json!({"do": "status", "status": 200, "body": "{\"installed\": true}"}),
            "no Nextcloud",
        ),
        (
            json!({"do": "status", "status": 302, "headers": {"Location": "https://login.example/"}}),
            "redirects to https://login.example",
        ),
        (
            json!({"do": "status", "status": 200, "body":
                "{\"installed\":true,\"maintenance\":false,\"needsDbUpgrade\":true,\"versionstring\":\"32.0.1\"}"}),
            "waits for an upgrade",
        ),
    ] {
        let stage = Stage::of(&living());
        stage.fault(&json!({"match": {"path_contains": "status.php"}, "action": fault}));
        let ran = doctor(&stage);
        ran.ended(5);
        assert_told(&ran, "network", "failed", &[part]);
        assert_eq!(stage.requests().len(), 1);
    }
    let stage = Stage::of(&living());
    stage.change(&json!({"do": "update", "settings": {"maintenance": true}}));
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(
        &ran,
        "network",
        "failed",
        &["maintenance", "occ maintenance:mode --off"],
    );
    let mut stage = Stage::of(&living());
    stage.stop();
    assert_told(
        doctor(&stage).ended(5),
        "network",
        "failed",
        &["no connection", "firewall"],
    );
}

#[test]
fn the_secret_of_a_missing_file_leads_to_enrolment() {
    let stage = Stage::of(&living());
    fs::remove_file(stage.path("secret")).unwrap();
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(
        &ran,
        "configuration",
        "failed",
        &["cannot read", "sharewarden enroll cloud"],
    );
    assert!(stage.requests().is_empty());
}

#[test]
fn a_clock_that_is_off_is_told() {
    // The world stands still in the past.
    let stage = Stage::small();
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(&ran, "clock", "failed", &["s behind this machine", "NTP"]);
    // A rehearsal is of its own time.
    assert_told(stage.run(&["doctor"]).ended(0), "clock", "ok", &["agree"]);
}

#[test]
fn what_the_acting_account_may_not_see_is_told() {
    let auth = |admin: &str, file: &str| {
        format!(
            "{{ method = \"app-api\", app_id = \"sharewarden\", admin = {admin:?}, secret = {{ file = {file:?} }} }}"
        )
    };
    for (admin, standing, part) in [
        ("bob", "limited", "is no administrator"),
        ("nobody", "failed", "no account `nobody`"),
        ("erin", "failed", "or it is disabled"),
    ] {
        let stage = Stage::of(&living());
        let auth = auth(admin, &stage.path("secret").to_string_lossy());
        stage.configure(&Config {
            auth: Some(&auth),
            ..Config::default()
        });
        let ran = doctor(&stage);
        ran.ended(if standing == "failed" { 5 } else { 0 });
        if admin == "bob" {
            assert_told(&ran, "rights", standing, &[part, "occ group:adduser admin"]);
            assert_told(&ran, "control totals", "limited", &["statistics_token"]);
        } else {
            assert_told(
                &ran,
                "rights",
                standing,
                &[part, "administrator's account id in `admin`"],
            );
        }
    }
}

#[test]
fn a_server_without_appapi_or_with_a_disabled_auditor_is_told() {
    let stage = Stage::of(&living());
    stage.change(&json!({"do": "update", "ex_app": "sharewarden", "set": {"enabled": false}}));
    assert_told(
        doctor(&stage).ended(5),
        "credential",
        "failed",
        &["is disabled in AppAPI", "app_api:app:enable"],
    );
    let stage = Stage::of(&living());
    stage.change(&json!({"do": "update", "settings": {"apps": ["files_sharing"]}}));
    assert_told(
        doctor(&stage).ended(5),
        "credential",
        "failed",
        &["occ app:enable app_api"],
    );
}

#[test]
fn settings_that_limit_the_audit_are_told() {
    let stage = Stage::of(&living());
    stage.change(&json!({"do": "update", "settings": {"sharing_enabled": false}}));
    assert_told(
        doctor(&stage).ended(5),
        "settings",
        "failed",
        &["shareapi_enabled", "sharing-disabled"],
    );
    stage.change(&json!({"do": "update", "settings": {"sharing_enabled": true, "links_allowed": false}}));
    assert_told(
        doctor(&stage).ended(0),
        "settings",
        "ok",
        &["links are switched off"],
    );

    let stage = Stage::of(&living());
    stage.configure(&Config {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\n[[policy.classify]]\nlabel = \"x\"\n\
                 tags = [\"internal-review\", \"unheard-of\", \"confidential\"]\n",
        ..Config::default()
    });
    let parts = [
        "not known to the server: `unheard-of`",
        "administrators only: `internal-review`",
    ];
    assert_told(doctor(&stage).ended(0), "tags", "limited", &parts);

    // A few wrong secrets from here, and it is known before the address is blocked.
    let stage = Stage::of(&living());
    stage.write("secret", "wrong");
    for _ in 0..3 {
        doctor(&stage).ended(5);
    }
    stage.write("secret", "small-app-secret");
    assert_told(
        doctor(&stage).ended(0),
        "address",
        "limited",
        &["security:bruteforce:reset"],
    );
}

#[test]
fn what_is_stated_of_dead_links_is_compared_with_the_server() {
    let mut stated = Config::default();
    for (stated_dead, dead, standing, code) in [
        (false, false, "limited", 0),
        (false, true, "limited", 0),
        (true, true, "ok", 0),
        (true, false, "failed", 5),
    ] {
        let stage = Stage::of(&living());
        stage.change(&json!({"do": "update", "settings": {"hide_disabled_user_shares": dead}}));
        if stated_dead {
            stated.source = "hide_disabled_user_shares = true";
        }
        stage.configure(&stated);
        assert_told(doctor(&stage).ended(code), "disabled links", standing, &[]);
    }
}

#[test]
fn few_refused_app_passwords_are_risked() {
    let stage = Stage::of(&living());
    let lines: Vec<String> = ["alice", "bob", "dave", "frank", "gina", "mallory"]
        .iter()
        .map(|name| format!("{name:?} = {{ env = \"PASSWORD\" }}"))
        .collect();
    let users = stage.write("users.toml", &lines.join("\n"));
    let auth = format!(
        "{{ method = \"app-passwords\", file = {:?} }}",
        users.to_string_lossy()
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let mut program = stage.program();
    let ran = program.variable("PASSWORD", "wrong").arguments(&["doctor"]).run();
    ran.ended(5);
    assert_told(
        &ran,
        "credential",
        "failed",
        &["`alice`, `bob`, `dave`; 3 more were not tried"],
    );
    let mut program = stage.program();
    let ran = program
        .variable("PASSWORD", "alice-app-password")
        .arguments(&["doctor"])
        .run();
    ran.ended(5);
    assert!(
        ran.out.contains("the app password of `alice` is accepted"),
        "{}",
        ran.out
    );
    assert_told(
        &ran,
        "rights",
        "limited",
        &["its own account only", "sharewarden enroll"],
    );
}

#[test]
fn a_scan_that_would_not_end_in_time_is_foretold() {
    let mut world = living();
    world["nextcloud"]["generate"] = json!({"accounts": 300, "shares_each": 1});
    let stage = Stage::of(&world);
    stage.configure(&Config {
        source: "limits = { requests_per_second = 50, stop_after = \"3s\" }",
        ..Config::default()
    });
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(
        &ran,
        "length",
        "failed",
        &["a full scan takes about", "stop_after"],
    );
}

#[test]
fn a_damaged_state_is_found() {
    let stage = Stage::of(&living());
    fs::write(stage.path("state.db"), "no database").unwrap();
    fs::set_permissions(stage.path("state.db"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_told(
        doctor(&stage).ended(5),
        "state file",
        "failed",
        &["state.db cannot be used"],
    );
    let ran = stage.program().arguments(&["doctor", "--source", "cloud"]).run();
    assert!(
        !ran.ended(0).out.contains("state file"),
        "one source is one source"
    );
}

#[test]
fn hostile_words_of_a_server_stay_words_and_short() {
    let stage = Stage::of(&living());
    let body = json!({"installed": true, "maintenance": false, "needsDbUpgrade": false,
        "versionstring": "32\u{1b}[31m\n\u{202e}", "productname": format!("Next\u{7}cloud{}", "x".repeat(40_000))});
    stage.fault(&json!({"match": {"path_contains": "status.php"}, "action":
        {"do": "status", "status": 200, "body": body.to_string()}}));
    let ran = doctor(&stage);
    ran.ended(0);
    assert!(
        !ran.out.contains(['\u{1b}', '\u{202e}', '\u{7}']),
        "{:?}",
        ran.out
    );
    assert_told(
        &ran,
        "network",
        "ok",
        &["Next\\u{7}cloud", "32\\u{1b}[31m\\u{a}\\u{202e}"],
    );
    assert!(ran.out.len() < 10_000);
    // More than a server needs to say of itself is not read.
    stage.no_faults();
    stage.fault(
        &json!({"match": {"path_contains": "status.php"}, "action": {"do": "huge", "bytes": 5_000_000}}),
    );
    assert_told(
        doctor(&stage).ended(5),
        "network",
        "failed",
        &["larger than the 65536 bytes"],
    );
}

#[test]
fn a_refusal_by_something_else_than_nextcloud_is_no_reason_to_register_anew() {
    let stage = Stage::of(&living());
    stage.fault(
        &json!({"match": {"path_contains": "ex-app/state"}, "action": {"do": "status", "status": 403}}),
    );
    let ran = doctor(&stage);
    ran.ended(5);
    assert_told(&ran, "credential", "failed", &["not Nextcloud", "a fence"]);
    assert!(!ran.out.contains("enroll"), "{}", ran.out);
    let stage = Stage::of(&living());
    let body = "{\"error\":\"Trusted domain error.\",\"code\":15}";
    stage.fault(&json!({"match": {"path_contains": "status.php"}, "action":
        {"do": "status", "status": 400, "body": body}}));
    assert_told(doctor(&stage).ended(5), "network", "failed", &["trusted_domains"]);
}

#[test]
fn webdav_that_is_kept_away_is_told() {
    for method in ["SEARCH", "PROPFIND"] {
        let stage = Stage::of(&living());
        stage.fault(&json!({"match": {"method": method}, "action": {"do": "status", "status": 405}}));
        assert_told(
            doctor(&stage).ended(5),
            "WebDAV",
            "failed",
            &["PROPFIND, REPORT and SEARCH"],
        );
    }
}

#[test]
fn what_is_not_told_is_not_called_good() {
    let stage = Stage::of(&living());
    stage.change(&json!({"do": "update", "settings": {"apps": ["files_sharing", "app_api"]}}));
    let ran = doctor(&stage);
    ran.ended(0);
    assert_told(
        &ran,
        "accounts",
        "limited",
        &["how many of them are disabled is not told"],
    );
    assert_told(&ran, "control totals", "limited", &["app:enable serverinfo"]);
    assert_told(&ran, "length", "skipped", &["at least"]);
    // A token that is configured is tried, whatever the credential.
    let stage = Stage::of(&living());
    let auth = "{ method = \"app-password\", user = \"alice\", password = { env = \"PASSWORD\" } }";
    for (token, standing) in [("small-statistics-token", "ok"), ("wrong", "limited")] {
        stage.configure(&Config {
            auth: Some(auth),
            source: "statistics_token = { env = \"TOKEN\" }",
            ..Config::default()
        });
        let mut program = stage.program();
        let program = program
            .variable("PASSWORD", "alice-app-password")
            .variable("TOKEN", token);
        let ran = program.arguments(&["doctor"]).run();
        ran.ended(0);
        assert_told(&ran, "control totals", standing, &[]);
        assert_told(&ran, "length", "skipped", &["at least"]);
    }
}

#[test]
fn an_interrupted_examination_ends_at_once() {
    let stage = Stage::of(&living());
    stage
        .fault(&json!({"match": {"path_contains": "capabilities"}, "action": {"do": "delay", "ms": 30_000}}));
    let running = {
        let mut program = stage.program();
        program.arguments(&["doctor", "-vv"]);
        let mut running = program.start();
        running.until("ex-app/state");
        running
    };
    running.interrupt();
    running.end().ended(130);
}

/// A mail server without encryption that knows one password; what it was told.
async fn mail_server(listener: TcpListener) -> Vec<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut told = Vec::new();
    write.write_all(b"220 mail.example.org ESMTP\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => b"250-mail.example.org\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "AUTH" if line.ends_with("AGF1ZGl0AHJpZ2h0") => b"235 welcome\r\n",
            "AUTH" => b"535 5.7.8 no\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        told.push(line);
        if write.write_all(answer).await.is_err() {
            break;
        }
    }
    told
}

#[test]
fn the_mail_server_is_tried_up_to_the_sign_in() {
    let stage = Stage::of(&living());
    let mail = |port: u16, more: &str| {
        stage.configure(&Config {
            more: &format!(
                "[mail]\nmode = \"on\"\nfrom = \"audit@example.org\"\nfallback = \"it@example.org\"\n\
                 allowed_domains = [\"example.org\"]\ntransport = {{ kind = \"smtp\", host = \"127.0.0.1\", port = {port}, \
                 tls = \"none\"{more} }}\n"
            ),
            ..Config::default()
        });
    };
    let examined = |password: &str| {
        let mut program = stage.program();
        program
            .variable("SMTP_PASSWORD", password)
            .arguments(&["doctor"])
            .run()
    };
    let login = ", user = \"audit\", password = { env = \"SMTP_PASSWORD\" }";
    for (password, standing, code) in [("right", "ok", 0), ("wrong", "failed", 5)] {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        mail(listener.local_addr().unwrap().port(), login);
        let server = std::thread::spawn(|| block_on(mail_server(listener)));
        let ran = examined(password);
        ran.ended(code);
        assert_told(&ran, "mail", standing, &["127.0.0.1"]);
        assert!(!ran.out.contains(password) || password == "right", "{}", ran.out);
        let told = server.join().unwrap();
        assert!(
            told.iter().all(|line| !line.starts_with("MAIL")),
            "nothing is sent: {told:?}"
        );
    }
    // One that never comes to the end of its line.
    let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    mail(listener.local_addr().unwrap().port(), "");
    let server = std::thread::spawn(|| {
        block_on(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut sent = 0_u64;
            let endless = vec![b'x'; 64 * 1024];
            while stream.write_all(&endless).await.is_ok() {
                sent += 64 * 1024;
            }
            sent
        })
    });
    assert_told(examined("").ended(5), "mail", "failed", &[]);
    assert!(
        server.join().unwrap() < 64 * 1024 * 1024,
        "it was not listened to without end"
    );
    // Nobody there.
    let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    mail(listener.local_addr().unwrap().port(), "");
    drop(listener);
    assert_told(examined("").ended(5), "mail", "failed", &["firewall"]);
}

#[test]
fn a_folder_for_letters_has_to_be_there() {
    let stage = Stage::of(&living());
    let mail = |folder: &str| {
        stage.configure(&Config {
            more: &format!(
                "[mail]\nmode = \"on\"\nfrom = \"audit@example.org\"\nfallback = \"it@example.org\"\n\
                 allowed_domains = [\"example.org\"]\ntransport = {{ kind = \"files\", directory = {folder:?} }}\n"
            ),
            ..Config::default()
        });
    };
    mail(".");
    assert_told(doctor(&stage).ended(0), "mail", "ok", &[]);
    mail("missing");
    assert_told(doctor(&stage).ended(5), "mail", "failed", &["missing"]);
}

#[test]
fn whether_managers_are_told_is_said_where_they_are_asked_for() {
    let stage = Stage::of(&living());
    let mail = "[mail]\nmode = \"on\"\nfrom = \"audit@example.org\"\nallowed_domains = [\"example.org\"]\n\
                transport = { kind = \"files\", directory = \".\" }\n";
    let examined = |managers: &str, auth: Option<&str>| {
        stage.configure(&Config {
            more: &format!("{mail}{managers}"),
            auth,
            ..Config::default()
        });
        doctor(&stage)
    };
    assert!(!examined("", None).out.contains("managers"));
    assert_told(&examined("managers = true\n", None), "managers", "ok", &["cloud"]);
    let own = "{ method = \"app-password\", user = \"alice\", password = { env = \"NONE\" } }";
    assert_told(
        &examined("managers = true\n", Some(own)),
        "managers",
        "limited",
        &["cloud", "AppAPI with an administrator"],
    );
}
