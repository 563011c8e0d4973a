//! What is said while a scan goes on: to people at a terminal how far it is, in the log each step with its run and source,
//! and nothing else anywhere.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Stage, list, small};

/// A small world in which a listing takes its time, and somebody has a name that tries to look like something else.
fn stage() -> Stage {
    let mut world = small();
    list(&mut world["nextcloud"]["accounts"]).push(json!({
        "id": "eve\u{202e}\u{1b}[2J", "email": "eve@example.org", "password": "eve-password-1", "last_login": "-1d"
    }));
    Stage::of(&world)
}

fn slowly(stage: &Stage) {
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares"}, "action": {"do": "delay", "ms": 300}}));
}

#[test]
fn each_line_of_a_scan_tells_its_run_and_source() {
    let stage = stage();
    let text = stage
        .run(&["-v", "scan", "--format", "json"])
        .ended(0)
        .err
        .clone();
    let run = stage.run(&["report", "--format", "json"]).ended(0).json()["run"]["id"].to_string();
    let run = run.trim_matches('"').to_owned();
    assert!(text.lines().count() >= 8, "{text}");
    for line in text.lines() {
        assert!(
            line.contains(&format!("scan{{run={run} source=cloud}}: ")),
            "{line}"
        );
    }
    for step in [
        "opening",
        "opened product=",
        "listing",
        "accounts listed count=",
        "reading",
        "judging",
        "judged verdict=",
    ] {
        assert!(text.contains(&format!(": {step}")), "{step}: {text}");
    }
    let ran = stage.run(&[
        "--no-state",
        "-vv",
        "--log-format",
        "json",
        "scan",
        "--format",
        "json",
    ]);
    let mut requests = 0;
    for line in ran.ended(0).err.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["span"]["source"], "cloud", "{line}");
        assert!(
            line["span"]["run"].as_str().is_some_and(|run| run.len() > 16),
            "{line}"
        );
        requests += usize::from(line["fields"]["message"] == "answered");
    }
    assert!(requests > 5, "each request is told");
}

#[test]
fn no_name_can_pass_for_a_line_or_move_the_cursor() {
    let stage = stage();
    for format in ["text", "json"] {
        let ran = stage.run(&[
            "--no-state",
            "-vv",
            "--log-format",
            format,
            "scan",
            "--format",
            "json",
        ]);
        let log = &ran.ended(0).err;
        assert!(log.contains("eve"), "{log}");
        let hidden: Vec<_> = log
            .chars()
            .filter(|sign| *sign != '\n' && sharewarden::report::text::is_hidden(*sign))
            .collect();
        assert!(hidden.is_empty(), "{format}: {hidden:?}");
    }
}

/// What the program writes to a terminal, results and all else.
fn on_a_terminal(stage: &Stage, arguments: &str) -> String {
    let program = format!(
        "{} --config {} {arguments}",
        env!("CARGO_BIN_EXE_sharewarden"),
        stage.path("config.toml").display()
    );
    let log = stage.path("typescript");
    let ran = Command::new("script")
        .args(["-q", "-e", "-c", &program])
        .arg(&log)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(ran.success(), "{arguments}");
    std::fs::read_to_string(Path::new(&log)).unwrap()
}

#[test]
fn a_terminal_shows_how_far_a_scan_is() {
    let stage = stage();
    slowly(&stage);
    let out = stage.path("report.json").display().to_string();
    let shown = on_a_terminal(&stage, &format!("--no-state scan --format json --output {out}"));
    assert!(
        shown.contains("cloud: reading · ") && shown.contains(" accounts · "),
        "{shown:?}"
    );
    // What was drawn is cleared at the end.
    let last = shown.rfind("cloud: ").unwrap();
    assert!(shown[last..].contains("\u{1b}[2K"), "{:?}", &shown[last..]);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(report["run"]["verdict"], "limited");
    // A log line stands by itself.
    let logged = on_a_terminal(
        &stage,
        &format!("--no-state --color never -v scan --format json --output {out}"),
    );
    let judging = logged.lines().find(|line| line.contains("}: judging")).unwrap();
    let line = judging
        .rsplit('\r')
        .next()
        .unwrap()
        .trim_start_matches("\u{1b}[2K");
    let line = line.trim_start_matches(['\u{1b}', '[', '1', 'A', 'B', '2', 'K']);
    assert!(
        !line.contains("accounts") && line.ends_with("judging"),
        "{judging:?}"
    );
}

#[test]
fn nothing_is_drawn_where_nobody_looks() {
    let stage = stage();
    slowly(&stage);
    let out = stage.path("report.json").display().to_string();
    for quiet in ["-q", "--log-format json"] {
        let shown = on_a_terminal(
            &stage,
            &format!("--no-state {quiet} scan --format json --output {out}"),
        );
        assert!(!shown.contains("reading"), "{quiet}: {shown:?}");
    }
    let ran = stage.run(&["--no-state", "scan", "--format", "json"]);
    assert_eq!(ran.ended(0).err, "", "no terminal");
}
