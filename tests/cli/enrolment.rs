//! From a fresh Nextcloud to a registered auditor, by one command and by hand.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{Config, Program, Ran, Stage, small};

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

fn scan(stage: &Stage) -> Ran {
    let mut program = stage.program();
    program
        .arguments(&["--no-state", "scan", "--format", "json"])
        .run()
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
    let ran = scan(&stage);
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
    let ended = scan(&stage);
    ended.ended(3);
}

#[test]
fn without_occ_the_commands_are_shown_and_nextcloud_is_waited_for() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    let said = running.until("Waiting for Nextcloud");
    let chosen = fs::read_to_string(stage.path("secret.new")).unwrap();
    assert!(
        !said.contains(chosen.trim()),
        "a secret in a terminal is one in its history"
    );
    assert!(typed(&stage, &said), "{said}");
    let ran = running.end();
    ran.ended(0);
    assert!(
        ran.err.contains("Nextcloud says that it is enabled"),
        "{}",
        ran.err
    );
    assert_eq!(secret(&stage), chosen.trim());
    assert!(!stage.path("secret.new").exists());
}

#[test]
fn whoever_cannot_read_the_secret_registers_nothing() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    let said = running.until("Waiting for Nextcloud");
    fs::write(stage.path("secret.new"), "").unwrap();
    assert!(!typed(&stage, &said));
    fs::remove_file(stage.path("secret.new")).unwrap();
    assert!(!typed(&stage, &said));
    assert_eq!(stage.occ(&["app_api:app:list"], "").1, "ExApps:\n");
    running.interrupt();
    running.end().ended(130);
}

#[test]
fn an_app_that_was_registered_with_another_secret_is_told_and_not_taken_for_ours() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    let said = running.until("Waiting for Nextcloud");
    let port = said.split("<port>").nth(1).unwrap().split('<').next().unwrap();
    let url = stage.url().as_str();
    let name = ["sharewarden", "sharewarden"];
    let daemon = [
        &["app_api:daemon:register"],
        name.as_slice(),
        &["manual-install", "http", "127.0.0.1", url],
    ]
    .concat();
    stage.occ(&daemon, "");
    // What the server makes of an element with nothing in it is a word that everybody can guess.
    let info = format!(
        "<info><id>sharewarden</id><version>1.0.0</version><secret></secret><port>{port}</port></info>"
    );
    let register = [
        &["app_api:app:register"],
        name.as_slice(),
        &["--wait-finish", "--info-xml", "php://stdin"],
    ]
    .concat();
    assert_ne!(stage.occ(&register, &info).0, 0);
    running.until("remove it at once");
    running.interrupt();
    let ran = running.end();
    ran.ended(130);
    assert!(
        ran.err.contains("app_api:app:unregister sharewarden --force"),
        "{}",
        ran.err
    );
    assert!(!stage.path("secret").exists() && !stage.path("secret.new").exists());
}

#[test]
fn two_enrolments_do_not_take_each_others_secret_and_strangers_end_nothing() {
    let stage = fresh();
    let mut running = enroll(&stage, &[]).start();
    let said = running.until("Waiting for Nextcloud");
    let chosen = fs::read_to_string(stage.path("secret.new")).unwrap();
    let port = said.split("<port>").nth(1).unwrap().split('<').next().unwrap();
    let listen = format!("127.0.0.1:{port}");
    stage
        .program()
        .arguments(&["enroll", "cloud", "--listen", &listen])
        .run()
        .ended(2);
    let second = enroll(&stage, &[]).run();
    second.ended(2);
    assert!(
        second.err.contains("the `enroll` that is under way"),
        "{}",
        second.err
    );
    assert_eq!(fs::read_to_string(stage.path("secret.new")).unwrap(), chosen);
    // Anybody on the machine may knock.
    let mut knock = std::net::TcpStream::connect(&listen).unwrap();
    std::io::Write::write_all(
        &mut knock,
        b"POST /init HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    )
    .unwrap();
    assert!(typed(&stage, &said), "{said}");
    running.end().ended(0);
    assert_eq!(secret(&stage), chosen.trim());
}

#[test]
fn a_link_in_the_secrets_place_is_replaced_and_not_followed() {
    let stage = fresh();
    let elsewhere = stage.write("elsewhere", "not a secret, and nobody's to change");
    std::os::unix::fs::symlink(&elsewhere, stage.path("secret")).unwrap();
    enroll(&stage, &["--rotate", "--", &stage.occ_program()])
        .run()
        .ended(0);
    assert!(fs::symlink_metadata(stage.path("secret")).unwrap().is_file());
    assert_eq!(secret(&stage).len(), 64);
    assert!(
        fs::read_to_string(&elsewhere)
            .unwrap()
            .starts_with("not a secret")
    );
}

/// Types the commands that were shown into a shell; whether all went well.
fn typed(stage: &Stage, said: &str) -> bool {
    let occ = stage.occ_program();
    // Stands for `sudo -u www-data php occ …`.
    let sudo = stage.write("sudo", &format!("#!/bin/bash\nshift 4\nexec {occ} \"$@\"\n"));
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o700)).unwrap();
    let commands: Vec<&str> = said.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(commands.len() >= 3, "{said}");
    let path = format!("{}:/usr/bin:/bin", sudo.parent().unwrap().display());
    let script = format!("set -e\n{}\n", commands.join("\n"));
    let shell = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .env("PATH", path)
        .stdin(std::process::Stdio::null())
        .output();
    shell.unwrap().status.success()
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
    assert!(
        ran.err.contains("app_api:app:unregister sharewarden --force"),
        "{}",
        ran.err
    );
    assert!(
        !stage.path("secret").exists(),
        "a secret that is not registered is none"
    );
    let before = "small-app-secret";
    stage.write("secret", before);
    let ran = enroll(&stage, &["--rotate", "--", &occ]).run();
    ran.ended(0);
    assert!(
        !ran.err.contains("warning") && !ran.err.contains("error"),
        "{}",
        ran.err
    );
    assert_ne!(secret(&stage), before);
    scan(&stage).ended(0);
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

#[test]
fn a_rotation_that_fails_leaves_the_secret_that_is_registered() {
    let stage = fresh();
    let occ = stage.occ_program();
    enroll(&stage, &["--", &occ]).run().ended(0);
    let registered = secret(&stage);
    let blocked = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = blocked.local_addr().unwrap().to_string();
    let busy = ["enroll", "cloud", "--listen", &taken, "--rotate", "--", &occ];
    stage.program().arguments(&busy).run().ended(2);
    assert_eq!(secret(&stage), registered);
    enroll(&stage, &["--rotate", "--", "/nonexistent/occ"])
        .run()
        .ended(5);
    assert_eq!(secret(&stage), registered);
    assert!(!stage.path("secret.new").exists());
    scan(&stage).ended(0);
}

#[test]
fn what_occ_says_is_shown_harmless_and_not_without_end() {
    let stage = fresh();
    let script =
        "#!/bin/bash\nprintf '\\033[31mred\\007\\n'\nhead -c 300000 /dev/zero | tr '\\0' x\nexit 7\n";
    let path = stage.write("loud", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let ran = enroll(&stage, &["--", &path.to_string_lossy()]).run();
    ran.ended(5);
    assert!(ran.err.contains("ended with 7"), "{}", ran.err);
    assert!(ran.err.len() < 5_000 && !ran.err.contains(['\u{1b}', '\u{7}']));
}
