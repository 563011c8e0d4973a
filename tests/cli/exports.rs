//! What is written for other programs: events once each and in whole lines, metrics that survive a bad night, and nothing
//! of what is to be hidden.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sharewarden::config::{ExportSettings, NameDisplay, OwnerDisplay};
use sharewarden::export::{Ended, Failure, write_all};
use sharewarden::store::{Ledger, RunFilter};

use crate::harness::{Config, NOW, Stage, demo};

const LATER: &str = "2026-11-23T12:00:00Z";

/// Nothing is exported, and nothing hidden.
fn nothing() -> ExportSettings {
    ExportSettings {
        ndjson: None,
        metrics: None,
        html: None,
        names: NameDisplay::Full,
        owners: OwnerDisplay::Full,
    }
}

fn events_to(path: &Path) -> ExportSettings {
    ExportSettings {
        ndjson: Some(path.to_owned()),
        ..nothing()
    }
}

/// Writes the exports of a stage after a night that ended so.
fn export_at(stage: &Stage, exports: &ExportSettings, (at, exit): (&str, u8)) -> Vec<String> {
    let mut ledger = Ledger::open(&stage.path("state.db")).unwrap();
    let scan = ledger.stored_run(None, RunFilter::default());
    let scan = scan
        .ok()
        .map(|run| sharewarden::report::Pages::header(&run).run.id.clone());
    let ended = Ended {
        language: sharewarden::report::words::Language::En,
        started_at: at.parse().unwrap(),
        ended_at: at.parse().unwrap(),
        scan,
    };
    let told = |failures: &[Failure]| if failures.is_empty() { exit } else { 5.max(exit) };
    let failures = write_all(&mut ledger, exports, &ended, &told);
    failures.iter().map(ToString::to_string).collect()
}

fn export(stage: &Stage, exports: &ExportSettings) -> Vec<String> {
    export_at(stage, exports, (NOW, 0))
}

/// The lines of a file of events, each of which is an event.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn named<'l>(lines: &'l [Value], event: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

fn ids(lines: &[Value]) -> BTreeSet<&str> {
    lines
        .iter()
        .map(|line| line["event_id"].as_str().unwrap())
        .collect()
}

/// Two nights, between which a link was opened wider.
fn two_nights() -> Stage {
    let stage = Stage::small();
    stage.run(&["scan", "-q"]).ended(0);
    stage.change(&json!({"do": "update", "share": 1, "set": {"password": "Now-There-Is-One-7"}}));
    stage.run_at(LATER, &["scan", "-q"]).ended(0);
    stage
}

#[test]
fn each_transition_is_told_once_and_the_run_last() {
    let stage = two_nights();
    let path = stage.path("events.ndjson");
    assert_eq!(export(&stage, &events_to(&path)), Vec::<String>::new());
    let told = lines(&path);
    assert!(named(&told, "still_open").is_empty());
    assert!(!named(&told, "opened").is_empty());
    assert_eq!(ids(&told).len(), told.len(), "each once");
    let ended = named(&told, "run_finished");
    assert_eq!(ended.len(), 2, "each run that was never exported");
    for run in ended {
        assert!(
            run["policy_digest"]
                .as_str()
                .is_some_and(|digest| !digest.is_empty())
        );
        assert!(run.as_object().unwrap().contains_key("journal_head"));
        let report = stage.run(&[
            "report",
            "--run",
            run["run"].as_str().unwrap(),
            "--format",
            "ndjson",
        ]);
        let report: Vec<Value> = report
            .ended(0)
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let report: Vec<_> = report
            .iter()
            .filter(|line| line["event"] != "still_open")
            .collect();
        let exported: Vec<_> = told.iter().filter(|line| line["run"] == run["run"]).collect();
        assert_eq!(exported, report, "the same events as the report of the run");
    }
    assert_eq!(told.last().unwrap()["event"], "run_finished");
    // Again: nothing new, nothing twice.
    assert_eq!(export(&stage, &events_to(&path)), Vec::<String>::new());
    assert_eq!(lines(&path), told);
    // A night without a change says that it was, and no more.
    stage.run_at("2026-11-24T12:00:00Z", &["scan", "-q"]).ended(0);
    export(&stage, &events_to(&path));
    let after = lines(&path);
    assert_eq!(after.len(), told.len() + 1);
    assert_eq!(after.last().unwrap()["event"], "run_finished");
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let stage = Stage::small();
    let (path, rotated) = (stage.path("events.ndjson"), stage.path("events.ndjson.1"));
    stage.run(&["scan", "-q"]).ended(0);
    export(&stage, &events_to(&path));
    fs::rename(&path, &rotated).unwrap();
    stage.run_at(LATER, &["scan", "-q"]).ended(0);
    export(&stage, &events_to(&path));
    assert_eq!(named(&lines(&path), "run_finished").len(), 1);
    assert_eq!(named(&lines(&rotated), "run_finished").len(), 1);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn half_a_line_of_a_crash_spoils_no_other() {
    let stage = Stage::small();
    stage.run(&["scan", "-q"]).ended(0);
    let path = stage.path("events.ndjson");
    for half in ["{\"event_id\":\"20261121T0", "{\"even", "{"] {
        export(&stage, &events_to(&path));
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{half}")).unwrap();
        stage.run_at(LATER, &["scan", "-q"]).ended(0);
        assert_eq!(export(&stage, &events_to(&path)), Vec::<String>::new());
        assert!(fs::read_to_string(&path).unwrap().starts_with(&whole));
        assert_eq!(
            named(&lines(&path), "run_finished").len(),
            whole.matches("run_finished").count() + 1
        );
    }
    // What another program wrote is not taken away.
    let other = stage.write("notes.txt", "not ours");
    stage.run_at(LATER, &["scan", "-q"]).ended(0);
    export(&stage, &events_to(&other));
    let text = fs::read_to_string(&other).unwrap();
    assert!(text.starts_with("not ours\n{\"event_id\":"), "{text}");
}

#[test]
fn what_cannot_be_written_is_told_and_comes_the_next_time() {
    let stage = Stage::small();
    stage.run(&["scan", "-q"]).ended(0);
    let folder = stage.path("folder");
    fs::create_dir(&folder).unwrap();
    let pipe = stage.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, why) in [
        (PathBuf::from("/dev/full"), "No space left on device"),
        (folder, "is a directory"),
        (stage.path("nowhere/events.ndjson"), "No such file or directory"),
        (pipe, "it is no file"),
    ] {
        let failed = export(&stage, &events_to(&path));
        assert_eq!(failed.len(), 1, "{}", path.display());
        let words = &failed[0];
        assert!(
            words.contains(why) && words.contains(&path.display().to_string()),
            "{words}"
        );
        assert!(words.contains("appended the next time"), "{words}");
        let metrics = ExportSettings {
            metrics: Some(path.clone()),
            ..nothing()
        };
        let failed = export(&stage, &metrics);
        assert!(
            failed[0].contains(why) && failed[0].contains("metrics"),
            "{failed:?}"
        );
    }
    let path = stage.path("events.ndjson");
    assert_eq!(export(&stage, &events_to(&path)), Vec::<String>::new());
    assert_eq!(named(&lines(&path), "run_finished").len(), 1);
}

#[test]
fn one_export_that_fails_hinders_no_other() {
    let stage = Stage::small();
    stage.run(&["scan", "-q"]).ended(0);
    let exports = ExportSettings {
        ndjson: Some(PathBuf::from("/dev/full")),
        metrics: Some(stage.path("sharewarden.prom")),
        ..nothing()
    };
    assert_eq!(export(&stage, &exports).len(), 1);
    let metrics = fs::read_to_string(stage.path("sharewarden.prom")).unwrap();
    assert!(
        metrics.contains("share_audit_export_failed{export=\"events\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("share_audit_nightly_exit_code 5\n"), "{metrics}");
    assert!(!metrics.contains("nightly_last_success"), "{metrics}");
}

/// Asks `promtool`, where there is one.
fn promtool(arguments: &[&str], input: &str) {
    let tool = std::env::var_os("SHAREWARDEN_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let started = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else { return };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !said.contains("error"),
        "{arguments:?}: {said}"
    );
}

#[test]
fn metrics_say_when_all_was_well_last() {
    let stage = two_nights();
    let path = stage.path("sharewarden.prom");
    let exports = ExportSettings {
        metrics: Some(path.clone()),
        ..nothing()
    };
    assert_eq!(export_at(&stage, &exports, (NOW, 1)), Vec::<String>::new());
    let good = fs::read_to_string(&path).unwrap();
    promtool(&["check", "metrics"], &good);
    let success = "share_audit_nightly_last_success_timestamp_seconds 1795348800\n";
    assert!(good.contains(success), "{good}");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o644,
        "the exporter is another user"
    );
    let report: Value = stage.run(&["report", "--format", "json"]).ended(0).json();
    let counted: f64 = good
        .lines()
        .filter(|line| line.starts_with("share_audit_findings{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    let of_report = report["findings"].as_array().unwrap().len();
    assert!(
        (counted - f64::from(u32::try_from(of_report).unwrap())).abs() < 0.5,
        "{counted} {of_report}"
    );
    // A night that failed, without a scan: what was known is known still.
    let failures = export_at(&stage, &exports, (LATER, 3));
    assert_eq!(failures, Vec::<String>::new());
    let bad = fs::read_to_string(&path).unwrap();
    assert!(
        bad.contains(success) && bad.contains("share_audit_nightly_exit_code 3\n"),
        "{bad}"
    );
    assert!(
        bad.contains("share_audit_nightly_last_end_timestamp_seconds 1795435200\n"),
        "{bad}"
    );
    assert!(
        bad.contains("share_audit_last_success_timestamp_seconds{source=\"cloud\"}"),
        "{bad}"
    );
    for hidden in ["alice", "salaries", "/HR"] {
        assert!(!bad.contains(hidden), "{hidden}");
    }
}

#[test]
fn changes_and_letters_are_events_once_each() {
    let stage = Stage::small();
    let folder = stage.path("outbox");
    stage.configure(&Config {
        more: &format!(
            "[mail]\nmode = \"on\"\nfrom = \"audit@example.org\"\nfallback = \"it@example.org\"\n\
             allowed_domains = [\"example.org\"]\ntransport = {{ kind = \"files\", directory = {:?} }}\n\
             [enforce]\nmax_changes_percent = 100\n[[enforce.rule]]\nrule = \"link-without-expiry\"\n\
             action = \"set-expiry\"\nafter = \"30d\"\n",
            folder.display().to_string()
        ),
        source: "enforce = true\n",
        ..Config::default()
    });
    stage.run(&["scan", "-q"]).ended(0);
    stage.run(&["baseline", "release", "--source", "cloud"]).ended(0);
    let path = stage.path("events.ndjson");
    let mut exports = events_to(&path);
    exports.owners = OwnerDisplay::Pseudonym;
    // Nothing is taken at first, for want of a folder.
    stage.run(&["notify", "-q"]).ended(5);
    assert_eq!(export(&stage, &exports), Vec::<String>::new());
    assert!(
        named(&lines(&path), "letter")
            .iter()
            .all(|letter| letter["outcome"] == "failed")
    );
    fs::create_dir(&folder).unwrap();
    stage.run_at(LATER, &["notify", "-q"]).ended(0);
    let plan = stage.path("plan.json").display().to_string();
    stage.run(&["plan", "--out", &plan]).ended(0);
    stage.run(&["apply", &plan, "--yes"]).ended(0);
    assert_eq!(export(&stage, &exports), Vec::<String>::new());
    let told = lines(&path);
    assert_eq!(ids(&told).len(), told.len());
    let (actions, letters) = (named(&told, "action"), named(&told, "letter"));
    let journal = stage.run(&["journal", "export"]).ended(0).out.lines().count();
    assert!(journal > 2);
    assert_eq!(actions.len(), journal);
    let came_to = |outcome| {
        letters
            .iter()
            .filter(|letter| letter["outcome"] == outcome)
            .count()
    };
    assert!(
        came_to("failed") > 0 && came_to("accepted") > 0,
        "tried again: another event"
    );
    for letter in &letters {
        assert!(letter["address"].as_str().unwrap().starts_with("p-"), "{letter}");
    }
    assert_eq!(export(&stage, &exports), Vec::<String>::new());
    assert_eq!(lines(&path), told, "and not again");
}

/// Names of people and files in a world, of some length.
fn names_of(world: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, within: &str, names: &mut BTreeSet<String>) {
        match value {
            Value::String(text)
                if matches!(
                    within,
                    "id" | "name" | "email" | "path" | "label" | "display_name" | "recipient"
                ) =>
            {
                names.extend(text.split('/').map(str::to_owned));
            }
            Value::Array(list) => list.iter().for_each(|one| walk(one, within, names)),
            Value::Object(object) => object.iter().for_each(|(key, one)| walk(one, key, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    for (part, value) in world["nextcloud"].as_object().unwrap() {
        if matches!(part.as_str(), "accounts" | "shares" | "files") {
            walk(value, part, &mut names);
        }
    }
    names
}

#[test]
fn exports_name_nobody_and_no_file_where_they_must_not() {
    let stage = Stage::of(&demo());
    stage.run(&["scan", "-q"]).ended(0);
    let path = stage.path("events.ndjson");
    let open = events_to(&path);
    export(&stage, &open);
    let told = fs::read_to_string(&path).unwrap();
    // Of what the world is called by, what an export would tell.
    let names: Vec<_> = names_of(&demo())
        .into_iter()
        .filter(|name| {
            name.len() > 4 && name.chars().any(char::is_alphabetic) && told.contains(&format!("{name}\""))
        })
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let other = Stage::of(&demo());
    other.run(&["scan", "-q"]).ended(0);
    let hidden = ExportSettings {
        ndjson: Some(other.path("hidden.ndjson")),
        metrics: Some(other.path("hidden.prom")),
        names: NameDisplay::Hidden,
        owners: OwnerDisplay::Pseudonym,
        ..nothing()
    };
    assert_eq!(export(&other, &hidden), Vec::<String>::new());
    let events = lines(&other.path("hidden.ndjson"));
    let discreet = fs::read_to_string(other.path("hidden.ndjson")).unwrap()
        + &fs::read_to_string(other.path("hidden.prom")).unwrap();
    for name in &names {
        let in_words = ["confidential", "cloud", "example"].contains(&name.as_str());
        assert!(in_words || !discreet.contains(&format!("{name}\"")), "{name}");
    }
    assert_eq!(events.len(), told.lines().count(), "nothing is left out");
    // The secret is its owner's, and the same in the next night.
    let secret = other.path("pseudonyms.key");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let owners: BTreeSet<_> = events.iter().filter_map(|line| line["owner"].as_str()).collect();
    assert!(owners.len() > 3 && owners.iter().all(|owner| owner.starts_with("p-")));
    let kept = fs::read(&secret).unwrap();
    other.run_at(LATER, &["scan", "-q"]).ended(0);
    export(&other, &hidden);
    assert_eq!(fs::read(&secret).unwrap(), kept);
    // Without it nothing is told rather than everything.
    fs::write(&secret, "short").unwrap();
    other.run_at(LATER, &["scan", "-q"]).ended(0);
    let before = lines(&other.path("hidden.ndjson")).len();
    let failed = export(&other, &hidden);
    assert!(
        failed.len() == 1 && failed[0].contains("pseudonyms.key"),
        "{failed:?}"
    );
    assert_eq!(lines(&other.path("hidden.ndjson")).len(), before);
}
