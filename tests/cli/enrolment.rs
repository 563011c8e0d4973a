//! From a fresh Nextcloud to a registered auditor, by one command and by hand.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{Config, Program, Stage, small};

/// A server that runs with the real clock and knows no auditor.
fn fresh() -> Stage {
    let mut world = small();
    world["now"] = Value::Null;
    world["nextcloud"]["ex_apps"] = json!([]);
    let stage = Stage::of(&world);
    fs::remove_file(stage.path("secret")).unwrap();
    stage
}

fn enroll(stage: &Stage, arguments: &[&str]) -> Program {
    let mut program = stage.program();
    program
        .arguments(&["enroll", "cloud", "--listen", "127.0.0.1:0"])
        .arguments(arguments);
    program
}

fn secret(stage: &Stage) -> String {
    fs::read_to_string(stage.path("secret"))
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn one_command_registers_the_auditor_and_says_how_to_undo_it() {
    let stage = fresh();
    let ran = enroll(&stage, &["--", &stage.occ_program()]).run();
    ran.ended(0);
    let chosen = secret(&stage);
    assert!(
        chosen.len() == 64 && chosen.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{chosen}"
    );
    assert_eq!(
        fs::metadata(stage.path("secret")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!ran.err.contains(&chosen) && !ran.out.contains(&chosen));
    for part in [
        "acts as every account",
        "app_api:app:unregister sharewarden --force",
        "exapp_impersonation.log",
    ] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    assert!(ran.out.contains("the AppAPI secret is accepted"), "{}", ran.out);
    let ran = stage
        .program()
        .arguments(&["--no-state", "scan", "--format", "json"])
        .run();
    assert_eq!(ran.ended(0).json()["sources"][0]["accounts"]["found"], 6);
    // Again: it is found registered, and nothing is changed.
    stage.forget_requests();
    let again = enroll(&stage, &["--", "/nonexistent"]).run();
    again.ended(0);
    assert!(
        again.err.contains("registered with cloud already"),
        "{}",
        again.err
    );
    assert_eq!(secret(&stage), chosen);
    // What it says undoes it.
    assert_eq!(
        stage
            .occ(&["app_api:app:unregister", "sharewarden", "--force"], "")
            .0,
        0
    );
    let ended = stage
        .program()
        .arguments(&["--no-state", "scan", "--format", "json"])
        .run();
    ended.ended(3);
}

#[test]
fn without_occ_the_commands_are_shown_and_nextcloud_is_waited_for() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    let said = running.until("Waiting for Nextcloud");
    let chosen = secret(&stage);
    assert!(
        !said.contains(&chosen),
        "a secret in a terminal is one in its history"
    );
    let commands: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("php occ "))
        .collect();
    let [daemon, register] = commands.as_slice() else {
        panic!("{said}")
    };
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let run = |line: &str, stdin: &str| {
        let words = words(line);
        stage.occ(&words.iter().map(String::as_str).collect::<Vec<_>>(), stdin)
    };
    assert_eq!(
        run(daemon, ""),
        (0, "Daemon successfully registered.\n".to_owned())
    );
    let printf = said.lines().find(|line| line.contains("printf")).unwrap();
    assert!(
        printf.contains(&format!("\"$(cat {})\"", stage.path("secret").display())),
        "{printf}"
    );
    let info = printf.split('\'').nth(1).unwrap().replace("%s", &chosen);
    assert_eq!(run(register, &info).0, 0);
    let ran = running.end();
    ran.ended(0);
    assert!(
        ran.err.contains("Nextcloud says that it is enabled"),
        "{}",
        ran.err
    );
}

#[test]
fn another_secret_is_told_and_rotating_makes_a_new_registration() {
    let stage = Stage::of(&{
        let mut world = small();
        world["now"] = Value::Null;
        world
    });
    let occ = stage.occ_program();
    fs::remove_file(stage.path("secret")).unwrap();
    let ran = enroll(&stage, &["--", &occ]).run();
    ran.ended(5);
    assert!(ran.err.contains("--rotate"), "{}", ran.err);
    let before = secret(&stage);
    let ran = enroll(&stage, &["--rotate", "--", &occ]).run();
    ran.ended(0);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    assert_ne!(secret(&stage), before);
    stage
        .program()
        .arguments(&["--no-state", "scan", "--format", "json"])
        .run()
        .ended(0);
}

#[test]
fn a_nextcloud_that_cannot_reach_the_auditor_is_told() {
    let stage = fresh();
    let ran = enroll(&stage, &["--host", "host.invalid", "--", &stage.occ_program()]).run();
    ran.ended(5);
    assert!(
        ran.err.contains("heartbeat check failed") && ran.err.contains("has to reach host.invalid"),
        "{}",
        ran.err
    );
}

#[test]
fn a_program_that_is_no_occ_is_told() {
    let stage = fresh();
    let ran = enroll(&stage, &["--", "/nonexistent/occ"]).run();
    ran.ended(5);
    assert!(
        ran.err.contains("`/nonexistent/occ` cannot be run"),
        "{}",
        ran.err
    );
    let ran = enroll(&stage, &["--", "false"]).run();
    ran.ended(5);
    assert!(ran.err.contains("the auditor is not registered"), "{}", ran.err);
}

#[test]
fn what_cannot_be_enrolled_is_refused_before_anything_is_sent() {
    let stage = fresh();
    let refused = |arguments: &[&str], part: &str| {
        let ran = enroll(&stage, arguments).run();
        ran.ended(2);
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    };
    stage.write("secret", "short");
    refused(&[], "is no good one");
    stage.write("secret", "a secret with blanks and <brackets>");
    refused(&[], "is no good one");
    let blocked = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = blocked.local_addr().unwrap().to_string();
    stage.write("secret", "0123456789abcdef0123456789abcdef");
    let mut program = stage.program();
    let ran = program.arguments(&["enroll", "cloud", "--listen", &taken]).run();
    ran.ended(2);
    assert!(ran.err.contains("cannot listen"), "{}", ran.err);
    drop(blocked);
    refused(&["--host", "a b"], "no host name");
    let mut program = stage.program();
    let ran = program
        .arguments(&["enroll", "cloud", "--listen", "0.0.0.0:0"])
        .run();
    ran.ended(2);
    assert!(
        ran.err.contains("--host") && ran.err.contains("without encryption"),
        "{}",
        ran.err
    );
    let auth = |text: &str| {
        stage.configure(&Config {
            auth: Some(text),
            ..Config::default()
        });
    };
    auth("{ method = \"app-password\", user = \"alice\", password = { env = \"NC_PASSWORD\" } }");
    refused(&[], "does not sign in through AppAPI");
    auth(
        "{ method = \"app-api\", app_id = \"share warden\", admin = \"admin\", secret = { file = \"secret\" } }",
    );
    refused(&[], "cannot be an app's id");
    auth(
        "{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = { env = \"NC_SECRET\" } }",
    );
    refused(&[], "`NC_SECRET` is not set");
    refused(&["--rotate"], "cannot be written into the environment variable");
    auth(
        "{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = { file = \"config.toml/x\" } }",
    );
    refused(&["--rotate"], "cannot be written");
    assert!(stage.requests().is_empty());
}

#[test]
fn an_interrupted_enrolment_ends_at_once() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    running.until("Waiting for Nextcloud");
    running.interrupt();
    running.end().ended(130);
}
