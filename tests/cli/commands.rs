//! The other commands, and how the program behaves among others: pipes, help, versions.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::harness::{Config, NOW, Program, Stage};

fn alone(arguments: &[&str]) -> crate::harness::Ran {
    let folder = tempfile::tempdir().unwrap();
    Program::new(folder.path()).arguments(arguments).run()
}

#[test]
fn help_version_completions_and_manual_need_no_configuration() {
    for command in [
        "scan",
        "report",
        "notify",
        "waive",
        "waivers",
        "confirm",
        "baseline",
        "purge",
        "rules",
        "config",
        "emulate",
        "demo",
        "completions",
        "man",
    ] {
        let help = alone(&[command, "--help"]);
        assert!(help.ended(0).out.contains("Usage: sharewarden"), "{command}");
        let all = alone(&["--help"]);
        assert!(all.ended(0).out.contains(command), "{command}");
    }
    assert!(alone(&["--version"]).ended(0).out.starts_with("sharewarden 0."));
    for shell in ["bash", "zsh", "fish"] {
        let script = alone(&["completions", shell]);
        assert!(script.ended(0).out.contains("sharewarden"), "{shell}");
        assert!(script.out.contains("scan") && script.err.is_empty());
    }
    let manual = alone(&["man"]);
    assert!(manual.ended(0).out.contains(".TH"));
    for word in ["scan", "report", "SYNOPSIS"] {
        assert!(manual.out.contains(word), "{word}");
    }
}

#[test]
fn each_command_has_a_page_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let program = |directory: &str| {
        Program::new(folder.path())
            .arguments(&["man", "--directory", directory])
            .run()
    };
    let ran = program(".");
    assert_eq!(ran.ended(0).out, "");
    for page in [
        "sharewarden.1",
        "sharewarden-scan.1",
        "sharewarden-config-check.1",
    ] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        let name = page.trim_end_matches(".1").replace('-', "\\-");
        assert!(text.contains(&format!(".SH NAME\n{name} \\- ")), "{text}");
    }
    let nowhere = program("nowhere");
    assert!(nowhere.ended(5).err.contains("nowhere: "), "{}", nowhere.err);
}

#[test]
fn every_rule_is_listed_and_explained() {
    let listed = alone(&["rules"]);
    let mut number = 0;
    for rule in listed.ended(0).out.split_whitespace().filter(|word| {
        word.contains('-')
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '-')
    }) {
        let explained = alone(&["rules", rule]);
        if explained.code == Some(0) {
            number += 1;
            assert!(
                explained.out.contains(rule) && explained.out.len() > 200,
                "{rule}: {}",
                explained.out
            );
        }
    }
    assert!(number >= 28, "{number}\n{}", listed.out);
    for rule in [
        "link-without-password",
        "breach-suspected",
        "posture-resharing-by-guests",
        "protection-removed",
    ] {
        alone(&["rules", rule]).ended(0);
    }
}

#[test]
fn a_configuration_is_checked_shown_and_described() {
    let stage = Stage::small();
    let checked = stage.run(&["config", "check"]);
    assert!(checked.ended(0).out.contains("1 source"), "{}", checked.out);
    let shown = stage.run(&["config", "show"]);
    assert!(shown.ended(0).out.contains("internal_domains"));
    assert!(!shown.out.contains("small-app-secret"));
    let schema = alone(&["config", "schema"]);
    let schema: Value = serde_json::from_str(&schema.ended(0).out).unwrap();
    assert!(schema["properties"]["source"].is_object());
    stage.configure(&Config {
        source: "typo = 1",
        ..Config::default()
    });
    let wrong = stage.run(&["config", "check"]);
    wrong.ended(2);
    assert!(
        wrong.err.contains("typo") && wrong.err.contains('^'),
        "{}",
        wrong.err
    );
    stage.configure(&Config::default());
    std::fs::remove_file(stage.path("secret")).unwrap();
    stage.run(&["config", "check"]).ended(2);
    assert!(stage.requests().is_empty());
}

#[test]
fn the_configuration_is_found_where_it_is_looked_for() {
    let stage = Stage::small();
    let config = std::fs::read_to_string(stage.path("config.toml")).unwrap();
    let scan = |program: &mut Program| {
        program.arguments(&["--no-state", "--now", NOW, "scan", "--format", "json"]);
        program.run()
    };
    let mut named = Program::new(&stage.path("."));
    named.variable("SHAREWARDEN_CONFIG", &stage.path("config.toml").to_string_lossy());
    scan(&mut named).ended(0);
    scan(&mut Program::new(&stage.path("."))).ended(2);
    stage.write("sharewarden.toml", &config);
    scan(&mut Program::new(&stage.path("."))).ended(0);
    std::fs::remove_file(stage.path("sharewarden.toml")).unwrap();
    std::fs::create_dir_all(stage.path("xdg/sharewarden")).unwrap();
    stage.write("xdg/sharewarden/config.toml", &config);
    let mut xdg = Program::new(&stage.path("."));
    xdg.variable("XDG_CONFIG_HOME", &stage.path("xdg").to_string_lossy());
    scan(&mut xdg).ended(0);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let stage = Stage::small();
    for format in ["table", "json", "ndjson", "csv", "html"] {
        let mut program = stage.program();
        program.arguments(&[
            "--no-state",
            "--now",
            NOW,
            "scan",
            "--all-shares",
            "--format",
            format,
        ]);
        let mut child = program
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}: {said}");
        assert!(
            !said.contains("panicked") && !said.to_lowercase().contains("broken pipe"),
            "{format}: {said}"
        );
    }
    for arguments in [
        &["man"][..],
        &["completions", "bash"],
        &["rules"],
        &["config", "schema"],
        &["--help"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Program::new(folder.path()).arguments(arguments).command();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
}

/// Starts an emulator of a world, and waits for what it tells of itself.
fn emulating(folder: &tempfile::TempDir, world: &str) -> (Child, Value) {
    let mut child = Program::new(folder.path())
        .arguments(&["emulate", "--world", world])
        .command()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    (child, told)
}

#[test]
fn an_emulator_serves_a_world_with_a_ready_configuration_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world.json");
    std::fs::write(&world, crate::harness::small().to_string()).unwrap();
    let (mut child, told) = emulating(&folder, &world.to_string_lossy());
    for key in ["nextcloud", "graph", "login", "config"] {
        assert!(told.get(key).is_some(), "{key}: {told}");
    }
    let config = told["config"].as_str().unwrap().to_owned();
    let ran = Program::new(folder.path())
        .arguments(&["-c", &config, "--now", NOW, "scan", "--format", "json"])
        .run();
    assert_eq!(ran.ended(0).json()["totals"]["shares"], 13);
    let stopped = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(
        !std::path::Path::new(&config).exists(),
        "its folder vanishes with it"
    );
}

#[test]
fn an_emulated_tenant_has_addresses_and_a_configuration_without_a_nextcloud() {
    let folder = tempfile::tempdir().unwrap();
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/worlds/m365-small.json");
    let (mut child, told) = emulating(&folder, world);
    assert!(told["nextcloud"].is_null(), "{told}");
    let login = told["login"].as_str().unwrap();
    assert_eq!(told["graph"].as_str(), Some(format!("{login}v1.0/").as_str()));
    let config = told["config"].as_str().unwrap();
    let ran = Program::new(folder.path())
        .arguments(&["-c", config, "config", "check"])
        .run();
    assert!(ran.ended(0).out.contains("1 source,"), "{}", ran.out);
    let stopped = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_demonstration_needs_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("tmp");
    std::fs::create_dir(&scratch).unwrap();
    let mut program = Program::new(folder.path());
    program
        .variable("TMPDIR", &scratch.to_string_lossy())
        .arguments(&["demo"]);
    let ran = program.run();
    assert!(ran.ended(0).out.contains("classified-item-exposed"));
    for source in ["COVERAGE OF cloud · limited", "COVERAGE OF m365 · complete"] {
        assert!(ran.out.contains(source), "one report over both systems: {source}");
    }
    assert!(
        ran.out
            .trim_end()
            .rsplit("\n\n")
            .next()
            .unwrap()
            .starts_with("LIMITED: ")
    );
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    let page = folder.path().join("sharewarden-demo.html");
    assert!(ran.err.contains(&*page.to_string_lossy()), "{}", ran.err);
    assert!(
        std::fs::read_to_string(&page)
            .unwrap()
            .contains("Merger options.pptx")
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing but the page and the folder for temporary files"
    );
}

#[test]
fn a_quiet_scan_says_nothing_but_its_report() {
    let stage = Stage::small();
    let ran = stage.run(&["-q", "--no-state", "scan", "--format", "json"]);
    assert_eq!(ran.ended(0).err, "");
    let ran = stage.run(&["--no-state", "-vv", "--log-format", "json", "scan"]);
    for line in ran.ended(0).err.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(
        ran.err.lines().count() >= stage.requests().len() / 2,
        "each request is told"
    );
}

#[test]
fn what_is_not_for_a_terminal_has_no_colour() {
    let stage = Stage::small();
    assert!(!stage.run(&["--no-state", "scan"]).ended(0).out.contains('\u{1b}'));
    let mut program = stage.program();
    program
        .variable("NO_COLOR", "1")
        .arguments(&["--no-state", "scan"]);
    assert!(!program.run().ended(0).out.contains('\u{1b}'));
    assert!(
        stage
            .run(&["--no-state", "--color", "always", "scan"])
            .ended(0)
            .out
            .contains('\u{1b}')
    );
}
