//! What others on the machine can see of the program: command lines, environments, open files, and its children's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Tour;
use super::marks::mark;
use crate::harness::{Config, small};

/// Writes a program that notes down all that it and its parent show, and then says a secret.
fn telling(tour: &Tour, name: &str, secret: &str) -> PathBuf {
    // The secret lies in a file, so that it is in no command line of the program itself either.
    let kept = tour.stage.write(&format!("{name}.value"), secret);
    let seen = tour.stage.path(&format!("{name}.seen"));
    let script = format!(
        "#!/bin/sh\ncat /proc/self/cmdline /proc/self/environ /proc/$PPID/cmdline /proc/$$/cmdline >> {seen}\n\
         env >> {seen}\nls -l /proc/$$/fd >> {seen}\ncat {kept}\necho a secret was said >&2\n",
        seen = seen.display(),
        kept = kept.display(),
    );
    let path = tour.stage.write(name, &script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn commands_that_tell_a_secret_see_no_other() {
    let mut tour = Tour::of(small());
    let app = String::from_utf8(tour.secrets["the AppAPI secret"].clone()).unwrap();
    let statistics = String::from_utf8(tour.secrets["the statistics token"].clone()).unwrap();
    let smtp = mark("the password of the mail account");
    tour.knows("the password of the mail account", &smtp);
    let command = telling(&tour, "teller", &app);
    let source = "statistics_token = { env = \"NC_STATISTICS\" }";
    let auth = format!(
        "{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {{ command = [{:?}, \"an argument\"] }} }}",
        command.to_string_lossy()
    );
    let more = "[mail]\nmode = \"on\"\nfrom = \"a@example.org\"\nfallback = \"a@example.org\"\n\
        transport = { kind = \"smtp\", host = \"localhost\", port = 9, tls = \"none\", user = \"u\", password = { env = \"SMTP_PASSWORD\" } }\n";
    tour.stage.configure(&Config {
        auth: Some(&auth),
        source,
        more,
        ..Config::default()
    });
    tour.tapped();
    for arguments in [
        &["scan", "--format", "json"][..],
        &["doctor"],
        &["config", "check"],
        &["notify"],
        &["nightly"],
    ] {
        let mut program = tour.program(arguments);
        program
            .variable("NC_STATISTICS", &statistics)
            .variable("SMTP_PASSWORD", &smtp);
        program
            .variable("PATH", "/usr/bin:/bin")
            .variable("KEPT_FOR_COMMANDS", "something else");
        let ran = program.run();
        tour.ran(&ran, &[], arguments, &[0, 5]);
    }
    let seen = fs::read_to_string(tour.stage.path("teller.seen")).unwrap();
    assert!(
        seen.contains("config.toml")
            && seen.contains("an argument")
            && seen.contains("KEPT_FOR_COMMANDS=something else")
    );
    fs::remove_file(tour.stage.path("teller.value")).unwrap();
    let heard = tour.end();
    assert!(
        heard.contains("the AppAPI secret") && heard.contains("the statistics token"),
        "{heard:?}"
    );
}

#[test]
fn a_command_that_registers_the_auditor_sees_no_secret() {
    let mut tour = Tour::unregistered();
    let statistics = String::from_utf8(tour.secrets["the statistics token"].clone()).unwrap();
    tour.stage.configure(&Config {
        source: "statistics_token = { env = \"NC_STATISTICS\" }",
        ..Config::default()
    });
    tour.tapped();
    let occ = tour.stage.occ_program();
    let seen = tour.stage.path("occ.seen");
    let script = format!(
        "#!/bin/bash\ncat /proc/self/environ /proc/$PPID/cmdline /proc/$$/cmdline >> {}\nexec {occ} \"$@\"\n",
        seen.display()
    );
    let wrapped = tour.stage.write("wrapped", &script);
    fs::set_permissions(&wrapped, fs::Permissions::from_mode(0o700)).unwrap();
    let mut program = tour.program(&[
        "enroll",
        "cloud",
        "--listen",
        "127.0.0.1:0",
        "--",
        &wrapped.to_string_lossy(),
    ]);
    program
        .variable("NC_STATISTICS", &statistics)
        .variable("PATH", "/usr/bin:/bin");
    let ran = program.run();
    tour.ran(&ran, &[], &["enroll"], &[0]);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("app_api:app:register"), "{seen}");
    tour.end();
}

#[test]
fn a_running_program_shows_no_secret_and_its_temporary_files_hold_none() {
    let mut tour = Tour::nextcloud(&Config::default());
    for state in [&["--no-state"][..], &[]] {
        tour.stage.no_faults();
        let late = json!({"match": {"path_contains": "/shares", "account": "gina"}, "action": {"do": "delay", "ms": 20_000}});
        tour.stage.fault(&late);
        tour.stage.forget_requests();
        let mut command = tour
            .program(&[state, &["scan", "--all-shares", "--format", "json"]].concat())
            .command();
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        let read = |tour: &Tour| {
            tour.stage
                .requests()
                .iter()
                .filter(|asked| asked.is_listing())
                .count()
        };
        while read(&tour) < 5 {
            assert!(Instant::now() < patience && child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(20));
        }
        // What was read is written within a fifth of a second.
        std::thread::sleep(Duration::from_millis(300));
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        for name in ["cmdline", "environ", "comm"] {
            let bytes = fs::read(process.join(name)).unwrap();
            tour.said(&format!("/proc/PID/{name}"), &bytes, &[]);
        }
        let mut read = 0;
        for entry in fs::read_dir(process.join("fd")).unwrap() {
            let path = entry.unwrap().path();
            let target = fs::read_link(&path).unwrap();
            if target.starts_with(tour.stage.path("")) {
                let bytes = fs::read(&path).unwrap();
                read += bytes.len();
                tour.said(&format!("the open file {}", target.display()), &bytes, &[]);
            }
        }
        assert!(read > 50_000, "a state is open: {read}");
        child.kill().unwrap();
        child.wait().unwrap();
        tour.look();
    }
    tour.end();
}
