//! What people decide about what is known: reviews, baselines, and who is to be forgotten.

use std::collections::BTreeSet;
use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Config, NOW, Ran, Stage, finding, findings, rules_of, verdict};

const NEXT_DAY: &str = "2026-11-23T12:00:00Z";
const THIRD_DAY: &str = "2026-11-24T12:00:00Z";
const RULE: &str = "unreviewed-share";

fn scan(stage: &Stage, now: &str) -> Value {
    stage.run_at(now, &["scan", "--format", "json"]).ended(0).json()
}

/// A stage whose shares count as old after a day.
fn old() -> Stage {
    let stage = Stage::small();
    stage.configure(&Config {
        policy: &crate::harness::POLICY.replace("[policy]\n", "[policy]\nreview_after = \"30d\"\n"),
        ..Config::default()
    });
    stage
}

/// The shares that nobody reviewed.
fn unreviewed(report: &Value) -> Vec<&str> {
    findings(report)
        .iter()
        .filter(|finding| finding["rule"] == RULE && finding["status"] != "resolved")
        .map(|finding| finding["share"]["id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_share_that_was_confirmed_is_quiet_until_its_next_review() {
    let stage = old();
    let first = scan(&stage, "2026-12-31T12:00:00Z");
    let before = unreviewed(&first);
    assert!(before.contains(&"1") && before.contains(&"9"), "{before:?}");
    let confirmed = stage.run_at(
        "2026-12-31T13:00:00Z",
        &["confirm", "--share", "1", "--share", "9", "--by", "Alice"],
    );
    assert_eq!(
        confirmed.ended(0).out,
        "2 shares are recorded as reviewed; the next scan takes that into account\n"
    );
    let second = scan(&stage, "2027-01-01T12:00:00Z");
    let left: Vec<_> = before
        .iter()
        .copied()
        .filter(|id| !["1", "9"].contains(id))
        .collect();
    assert_eq!(unreviewed(&second), left);
    assert_eq!(finding(&second, RULE, "1").unwrap()["status"], "resolved");
    // To the day on which it was confirmed, and no longer.
    assert!(!unreviewed(&scan(&stage, "2027-01-30T12:00:00Z")).contains(&"1"));
    let due = scan(&stage, "2027-01-31T12:00:00Z");
    assert_eq!(finding(&due, RULE, "1").unwrap()["status"], "open");
    let noted = Connection::open(stage.path("state.db")).unwrap();
    let by: String = noted
        .query_row(
            "SELECT confirmed_by FROM share WHERE confirmed_at IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(by, "Alice");
}

#[test]
fn all_shares_of_an_owner_are_confirmed_by_id_or_mail_address() {
    for owner in ["alice", "ALICE@example.org"] {
        let stage = old();
        let first = scan(&stage, "2026-12-31T12:00:00Z");
        assert!(!unreviewed(&first).is_empty());
        let ran = stage.run_at(
            "2026-12-31T13:00:00Z",
            &["confirm", "--owner", "erin", "--by", "Erin"],
        );
        assert!(ran.ended(0).out.starts_with("1 share is recorded"), "{}", ran.out);
        let second = scan(&stage, "2027-01-01T12:00:00Z");
        assert_eq!(unreviewed(&second), unreviewed(&first));
        let ran = stage.run_at(
            "2027-01-01T13:00:00Z",
            &["confirm", "--owner", owner, "--by", "Alice"],
        );
        assert!(ran.ended(0).out.contains("shares are recorded"), "{}", ran.out);
        assert_eq!(
            unreviewed(&scan(&stage, "2027-01-02T12:00:00Z")),
            Vec::<&str>::new(),
            "{owner}"
        );
    }
}

fn confirmed(stage: &Stage) -> i64 {
    let state = Connection::open(stage.path("state.db")).unwrap();
    state
        .query_row(
            "SELECT count(*) FROM share WHERE confirmed_at IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

#[test]
fn what_is_not_known_is_not_confirmed_and_nothing_else_is() {
    let stage = Stage::small();
    stage.run(&["confirm", "--share", "1", "--by", "Alice"]).ended(2);
    scan(&stage, NOW);
    let long = "x".repeat(10_000);
    for (arguments, told) in [
        (
            vec!["--share", "1", "--share", "99", "--by", "Alice"],
            "share \"99\"",
        ),
        (
            vec!["--share", "1", "--share", "98", "--share", "99", "--by", "Alice"],
            "shares \"98\", \"99\"",
        ),
        (
            vec!["--share", "1' OR '1'='1", "--by", "Alice"],
            "nothing is known",
        ),
        (vec!["--share", "\u{1b}[2J", "--by", "Alice"], "\\u{1b}"),
        (vec!["--share", "", "--by", "Alice"], "nothing is known"),
        (vec!["--owner", "nobody", "--by", "Alice"], "owner \"nobody\""),
        (vec!["--owner", "%", "--by", "Alice"], "nothing is known"),
        (vec!["--owner", " ", "--by", "Alice"], "nothing is known"),
        (
            vec!["--owner", "alice", "--source", "m365", "--by", "Alice"],
            "source \"m365\"",
        ),
        (vec!["--share", "1", "--by", " "], "--by is empty"),
        (vec!["--share", "1", "--by", "a\nb"], "control characters"),
        (vec!["--share", "1", "--by", &long], "longer than 200"),
        (vec!["--by", "Alice"], "required"),
        (
            vec!["--share", "1", "--owner", "alice", "--by", "Alice"],
            "cannot be used with",
        ),
        (vec!["--share", "1"], "--by"),
    ] {
        let ran = stage.run(&[&["confirm"], &arguments[..]].concat());
        assert!(ran.ended(2).err.contains(told), "{told}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{told}");
    }
    let without = stage.run(&["--no-state", "confirm", "--share", "1", "--by", "Alice"]);
    assert!(without.ended(2).err.contains("--no-state"));
    // One that is no longer there.
    stage.change(&json!({"do": "remove", "share": 7}));
    scan(&stage, NEXT_DAY);
    stage
        .run_at(NEXT_DAY, &["confirm", "--share", "7", "--by", "Alice"])
        .ended(2);
    assert_eq!(confirmed(&stage), 0);
}

#[test]
fn an_id_that_two_sources_know_needs_a_source() {
    let stage = Stage::small();
    let second = format!(
        "[[source]]\nname = \"mirror\"\nkind = \"nextcloud\"\nurl = {:?}\nlimits = {{ requests_per_second = 1000 }}\n\
         auth = {{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {{ file = {:?} }} }}",
        stage.url().as_str(),
        stage.path("secret")
    );
    stage.configure(&Config {
        more: &second,
        ..Config::default()
    });
    scan(&stage, NOW);
    for named in [["--share", "1"], ["--owner", "alice"]] {
        let ran = stage.run(&[&["confirm", "--by", "Alice"], &named[..]].concat());
        assert!(ran.ended(2).err.contains("name one with --source"), "{}", ran.err);
        assert!(ran.err.contains("cloud") && ran.err.contains("mirror"));
        let ran = stage.run(&[&["confirm", "--by", "Alice", "--source", "mirror"], &named[..]].concat());
        ran.ended(0);
    }
    assert!(
        stage
            .run(&["purge", "--owner", "alice"])
            .ended(2)
            .err
            .contains("--source")
    );
    stage
        .run(&["purge", "--owner", "alice", "--source", "mirror"])
        .ended(0);
    let left = stage.run(&["report", "--format", "json"]).ended(0).json();
    let of = |source: &str| {
        findings(&left)
            .iter()
            .filter(|finding| finding["source"] == source && finding["share"]["owner"]["id"] == "alice")
            .count()
    };
    assert_eq!((of("cloud") > 0, of("mirror")), (true, 0));
}

fn release(stage: &Stage, more: &[&str]) -> Ran {
    stage.run(&[&["baseline", "release", "--source", "cloud"], more].concat())
}

#[test]
fn a_baseline_is_held_until_it_is_released() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    assert_eq!(first["run"]["baseline"], true);
    let all = findings(&first).len();
    let by = |rule: &str| {
        findings(&first)
            .iter()
            .filter(|finding| finding["rule"] == rule)
            .count()
    };
    stage.change(&json!({"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Drop"}}));
    let second = scan(&stage, NEXT_DAY);
    assert_eq!(second["run"]["baseline"], false);
    assert!(
        findings(&second).len() > all,
        "what is found later is no part of it"
    );
    let none = release(&stage, &["--rule", "breach-suspected"]);
    assert_eq!(
        none.ended(0).out,
        format!("0 findings are released from the baseline of `cloud`, {all} still held\n")
    );
    let mut held = all - by("link-without-expiry");
    let some = release(&stage, &["--rule", "link-without-expiry"]);
    let expected = format!(
        "{} findings are released from the baseline of `cloud`, {held} still held\n",
        by("link-without-expiry")
    );
    assert_eq!(some.ended(0).out, expected);
    let grave = findings(&first)
        .iter()
        .filter(|finding| ["high", "critical"].contains(&finding["level"].as_str().unwrap()))
        .count();
    held -= grave;
    let more = release(&stage, &["--min-level", "high"]);
    assert!(
        more.ended(0)
            .out
            .starts_with(&format!("{grave} findings are released")),
        "{}",
        more.out
    );
    let rest = release(&stage, &[]);
    assert_eq!(
        rest.ended(0).out,
        format!("{held} findings are released from the baseline of `cloud`, 0 still held\n")
    );
    assert!(rest.err.is_empty());
    assert!(release(&stage, &[]).ended(0).out.starts_with("0 findings"));
}

#[test]
fn a_source_that_was_never_read_whole_is_still_in_its_baseline() {
    let stage = Stage::small();
    assert!(release(&stage, &[]).ended(2).err.contains("no run is stored yet"));
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "bob"}, "action": {"do": "status", "status": 500}}));
    let first = stage.run(&["scan", "--format", "json"]).ended(3).json();
    assert_eq!(first["run"]["baseline"], true);
    let early = release(&stage, &[]);
    assert!(
        early.ended(0).err.contains("never read and judged whole"),
        "{}",
        early.err
    );
    assert!(early.out.contains(", 0 still held"), "{}", early.out);
    stage.change(&json!({"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Drop"}}));
    stage.no_faults();
    let second = scan(&stage, NEXT_DAY);
    assert_eq!(
        (verdict(&second), &second["run"]["baseline"]),
        ("limited", &json!(true))
    );
    let fresh = findings(&second)
        .iter()
        .filter(|finding| finding["status"] == "new")
        .count();
    assert!(fresh > 0);
    let late = release(&stage, &[]);
    assert!(
        late.ended(0)
            .out
            .starts_with(&format!("{fresh} findings are released")),
        "{}",
        late.out
    );
    for (arguments, told) in [
        (vec!["--source", "clout"], "no source has the name \"clout\""),
        (vec!["--source", "\u{1b}[2J"], "no source has the name \"\\u{1b}"),
        (
            vec!["--source", "cloud", "--rule", "no-such-rule"],
            "no rule has this name",
        ),
        (
            vec!["--source", "cloud", "--min-level", "never"],
            "possible values",
        ),
        (vec![], "--source"),
    ] {
        let ran = stage.run(&[&["baseline", "release"], &arguments[..]].concat());
        assert!(ran.ended(2).err.contains(told), "{told}: {}", ran.err);
    }
    stage
        .run(&["--no-state", "baseline", "release", "--source", "cloud"])
        .ended(2);
}

/// How many findings a report has about what somebody owns.
fn of_owner(report: &Value, id: &str) -> usize {
    let theirs = findings(report)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] == id);
    theirs.count()
}

/// Whether any file of the state holds a text.
fn remembers(stage: &Stage, text: &str) -> bool {
    let entries = fs::read_dir(stage.path(".")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("state.db")
        })
        .any(|path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
}

fn sound(stage: &Stage) {
    let state = Connection::open(stage.path("state.db")).unwrap();
    let found: String = state
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
    let mut orphans = state.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!orphans.exists([]).unwrap());
    let examined = stage.run(&["doctor"]);
    assert!(
        examined.out.contains("is sound and can be written"),
        "{}",
        examined.out
    );
}

#[test]
fn somebody_who_is_purged_is_nowhere_in_the_state() {
    for named in ["alice", "Alice@Example.org"] {
        let stage = Stage::small();
        let first = scan(&stage, NOW);
        // Names change, and what was is history; she was asked for alone, too.
        stage.change(&json!({"do": "update", "account": "alice", "set": {"name": "Alice Before"}}));
        stage
            .run_at(NEXT_DAY, &["scan", "--user", "alice@example.org"])
            .ended(0);
        scan(&stage, NEXT_DAY);
        let theirs = of_owner(&first, "alice");
        // And she looked at what somebody else shares.
        let of_erin = of_owner(&first, "erin");
        stage
            .run_at(NEXT_DAY, &["confirm", "--owner", "erin", "--by", "Alice Before"])
            .ended(0);
        for text in ["Alice Archer", "alice@example.org", "salaries.xlsx"] {
            assert!(remembers(&stage, text), "{text}");
        }
        let ran = stage.run_at(NEXT_DAY, &["purge", "--owner", named]);
        let told = format!("findings about them: {theirs}");
        assert!(ran.ended(0).out.contains(&told), "{told}: {}", ran.out);
        assert!(ran.err.contains("read again by the next scan"), "{}", ran.err);
        for text in [
            "Alice Archer",
            "Alice Before",
            "alice@example.org",
            "salaries.xlsx",
            "plan.md",
            "Q4 Budget",
            "open for ever",
        ] {
            assert!(!remembers(&stage, text), "{named}: {text}");
        }
        sound(&stage);
        // Every run can be printed still, without her; its sums are those that it came to.
        let id = first["run"]["id"].as_str().unwrap();
        for format in ["table", "json", "csv", "ndjson"] {
            let printed = stage.run(&["report", "--run", id, "--format", format]);
            assert!(printed.ended(0).out.contains("erin"), "{format}");
            assert!(!printed.out.contains("alice"), "{format}: {}", printed.out);
        }
        let again = stage
            .run(&["report", "--run", id, "--format", "json"])
            .ended(0)
            .json();
        assert_eq!(again["totals"], first["totals"]);
        assert!(of_erin > 0 && of_owner(&first, "alice") == theirs);
        assert_eq!(
            (of_owner(&again, "alice"), of_owner(&again, "erin")),
            (0, of_erin)
        );
        let unknown = stage.run_at(NEXT_DAY, &["purge", "--owner", named]);
        assert!(
            unknown.ended(2).err.contains("nothing was forgotten"),
            "{}",
            unknown.err
        );
        // She is there still, and so is what she shares.
        let next = scan(&stage, THIRD_DAY);
        assert_eq!(
            finding(&next, "link-without-expiry", "1").unwrap()["status"],
            "new"
        );
        assert_eq!(findings(&next).len(), findings(&first).len());
        assert!(
            remembers(&stage, "Team owned by"),
            "a team's name is read again, too"
        );
    }
}

#[test]
fn whom_shares_of_others_name_keeps_the_id_alone() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    assert!(remembers(&stage, "Erin Exit") && remembers(&stage, "Thesis"));
    let ran = stage.run(&["purge", "--owner", "erin"]);
    assert!(
        ran.ended(0).err.contains("shares of others name the person"),
        "{}",
        ran.err
    );
    for text in ["Erin Exit", "erin@example.org", "Thesis"] {
        assert!(!remembers(&stage, text), "{text}");
    }
    sound(&stage);
    let id = first["run"]["id"].as_str().unwrap();
    let again = stage
        .run(&["report", "--run", id, "--format", "json"])
        .ended(0)
        .json();
    assert_eq!(
        (of_owner(&first, "erin") > 0, of_owner(&again, "erin")),
        (true, 0)
    );
    let sharer = &finding(&again, "link-without-expiry", "7").unwrap()["share"]["shared_by"];
    assert_eq!(
        (&sharer["id"], &sharer["name"], &sharer["email"]),
        (&json!("erin"), &Value::Null, &Value::Null)
    );
}

#[test]
fn the_drive_of_somebody_who_is_purged_is_forgotten_and_read_from_its_beginning() {
    let stage = Stage::tenant();
    // Some of its sites are locked.
    let scan = |now: &str| stage.run_at(now, &["scan", "--format", "json"]).ended(3).json();
    let first = scan(NOW);
    let alice = "alice@example.org";
    let theirs = of_owner(&first, alice);
    let paths: BTreeSet<&str> = findings(&first)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] == alice)
        .map(|finding| finding["share"]["item"]["name"].as_str().unwrap())
        .collect();
    let elsewhere = findings(&first)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] != alice);
    let others: BTreeSet<&str> = elsewhere
        .filter_map(|finding| finding["share"]["item"]["name"].as_str())
        .collect();
    let only: Vec<&&str> = paths.difference(&others).collect();
    assert!(theirs > 0 && !only.is_empty());
    let name = findings(&first)
        .iter()
        .find(|finding| finding["share"]["owner"]["id"] == alice)
        .map(|finding| finding["share"]["owner"]["name"].as_str().unwrap());
    let ran = stage.run(&["purge", "--owner", alice]);
    assert!(
        ran.ended(0)
            .out
            .contains(&format!("findings about them: {theirs}")),
        "{}",
        ran.out
    );
    for text in only.iter().map(|name| **name).chain(name) {
        assert!(!remembers(&stage, text), "{text}");
    }
    sound(&stage);
    let id = first["run"]["id"].as_str().unwrap();
    let again = stage
        .run(&["report", "--run", id, "--format", "json"])
        .ended(3)
        .json();
    assert_eq!((of_owner(&again, alice), &again["totals"]), (0, &first["totals"]));
    let next = scan(NEXT_DAY);
    assert_eq!(
        (of_owner(&next, alice), findings(&next).len()),
        (theirs, findings(&first).len())
    );
}

#[test]
fn somebody_without_shares_is_forgotten_with_the_id() {
    let stage = Stage::small();
    scan(&stage, NOW);
    let zelda = json!({"id": "zelda", "name": "Zelda Zonk", "email": "zelda@example.org"});
    stage.change(&json!({"do": "add", "account": zelda}));
    scan(&stage, NEXT_DAY);
    assert!(remembers(&stage, "zelda") && remembers(&stage, "Zelda Zonk"));
    let ran = stage.run_at(NEXT_DAY, &["purge", "--owner", "zelda@example.org"]);
    let told = "forgotten in `cloud`: the person, shares: 0, findings about them: 0, files and folders: 0\n";
    assert_eq!(ran.ended(0).out, told);
    assert!(!remembers(&stage, "zelda") && !remembers(&stage, "Zelda Zonk"));
    sound(&stage);
    // Nor does the next one who comes take her place.
    let gerda = json!({"id": "gerda", "name": "Gerda", "email": "gerda@example.org"});
    stage.change(&json!({"do": "add", "account": gerda}));
    scan(&stage, THIRD_DAY);
    let state = Connection::open(stage.path("state.db")).unwrap();
    let earlier = "SELECT count(*) FROM principal WHERE id < (SELECT id FROM principal WHERE key = 'gerda')
                       AND key LIKE '(forgotten)%'";
    assert_eq!(
        state.query_row(earlier, [], |row| row.get::<_, i64>(0)).unwrap(),
        1
    );
}

#[test]
fn a_share_that_was_handed_on_is_forgotten_for_the_time_before() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    let state = Connection::open(stage.path("state.db")).unwrap();
    // As a transfer leaves it: the same share, of another owner from the next run on.
    stage.change(&json!({"do": "update", "share": 1, "set": {"label": "another"}}));
    scan(&stage, NEXT_DAY);
    let moved = state
        .execute(
            "UPDATE share_version SET owner = (SELECT id FROM principal WHERE key = 'bob' AND class = 'account')
             WHERE from_run = 2",
            [],
        )
        .unwrap();
    assert_eq!(moved, 1);
    drop(state);
    stage.run_at(NEXT_DAY, &["purge", "--owner", "alice"]).ended(0);
    sound(&stage);
    let id = first["run"]["id"].as_str().unwrap();
    let then = stage
        .run(&["report", "--run", id, "--format", "json"])
        .ended(0)
        .json();
    assert!(rules_of(&then, "1").is_empty());
    let now = stage.run(&["report", "--format", "json"]).ended(0).json();
    assert_eq!(rules_of(&now, "1"), rules_of(&first, "1"));
    assert!(!remembers(&stage, "open for ever"));
}

#[test]
fn nobody_is_forgotten_while_a_scan_goes_on() {
    let stage = Stage::small();
    scan(&stage, NOW);
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares"}, "action": {"do": "delay", "ms": 2000}}));
    let mut program = stage.program();
    program.arguments(&["--now", NEXT_DAY, "-v", "scan", "--format", "json"]);
    let mut running = program.start();
    running.until("reading");
    let refused = stage.run_at(NEXT_DAY, &["purge", "--owner", "alice"]);
    assert!(
        refused.ended(2).err.contains("is being scanned by process"),
        "{}",
        refused.err
    );
    stage.no_faults();
    running.end().ended(0);
    for (arguments, told) in [
        (vec!["--owner", "nobody"], "nothing is known of the owner"),
        (vec!["--owner", ""], "nothing is known of the owner"),
        (vec!["--owner", "al%"], "nothing is known of the owner"),
        (vec!["--owner", "staff"], "nothing is known of the owner"),
        (vec![], "required"),
    ] {
        let ran = stage.run_at(NEXT_DAY, &[&["purge"], &arguments[..]].concat());
        assert!(ran.ended(2).err.contains(told), "{told}: {}", ran.err);
    }
    stage.run(&["--no-state", "purge", "--owner", "alice"]).ended(2);
    assert!(remembers(&stage, "Alice Archer"));
}

#[test]
fn runs_before_a_day_are_forgotten_with_what_only_they_told() {
    let stage = Stage::small();
    let first = scan(&stage, NOW);
    let set = json!({"do": "update", "share": 1, "set": {"label": "closed for ever"}});
    stage.change(&set);
    stage.change(&json!({"do": "remove", "account": "erin"}));
    scan(&stage, NEXT_DAY);
    let third = scan(&stage, THIRD_DAY);
    assert!(remembers(&stage, "open for ever"));
    let purge = |day: &str| stage.run_at(THIRD_DAY, &["purge", "--before", day]);
    for day in ["2026-02-30", "yesterday", "", "2026-11-24T00:00:00Z", "\u{1b}"] {
        let ran = purge(day);
        assert!(ran.ended(2).err.contains("no day of the calendar"), "{}", ran.err);
    }
    stage
        .run_at(
            THIRD_DAY,
            &["purge", "--before", "2026-11-24", "--owner", "alice"],
        )
        .ended(2);
    stage
        .run_at(
            THIRD_DAY,
            &["purge", "--before", "2026-11-24", "--source", "cloud"],
        )
        .ended(2);
    let none = purge("2026-11-22");
    assert_eq!(
        none.ended(0).out,
        "forgotten: 0 runs before 2026-11-22, with what only they told\n"
    );
    let two = purge("2026-11-24");
    assert_eq!(
        two.ended(0).out,
        "forgotten: 2 runs before 2026-11-24, with what only they told\n"
    );
    for text in ["open for ever", "Thesis", "Erin Exit"] {
        assert!(!remembers(&stage, text), "{text}");
    }
    sound(&stage);
    let id = first["run"]["id"].as_str().unwrap();
    stage.run(&["report", "--run", id]).ended(2);
    let kept = stage.run(&["report", "--format", "json"]).ended(0).json();
    assert_eq!(kept["findings"], third["findings"]);
    // What stands is kept with its first day, whichever day is named.
    purge("2099-01-01").ended(0);
    let next = scan(&stage, "2026-11-25T12:00:00Z");
    let known = finding(&next, "link-without-expiry", "1").unwrap();
    assert_eq!(
        (&known["status"], &known["first_seen"]),
        (&json!("open"), &json!(NOW))
    );
}

#[test]
fn any_stored_run_is_printed_in_any_format_without_a_request() {
    let mut stage = Stage::small();
    let first = scan(&stage, NOW);
    stage.change(&json!({"do": "remove", "share": 7}));
    let second = scan(&stage, NEXT_DAY);
    stage.forget_requests();
    assert!(stage.requests().is_empty());
    stage.stop();
    for report in [&first, &second] {
        let id = report["run"]["id"].as_str().unwrap();
        let count = findings(report).len();
        let print = |format: &str| stage.run(&["report", "--run", id, "--format", format]);
        assert_eq!(print("json").ended(0).json()["findings"], report["findings"]);
        assert_eq!(print("csv").ended(0).out.lines().count(), 1 + count);
        let lines = print("ndjson");
        let events = lines
            .ended(0)
            .out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(events.filter(|event| event["finding"].is_string()).count(), count);
        assert!(print("table").ended(0).out.contains(id));
        assert_eq!(print("ocsf").ended(0).out.lines().count(), count);
        assert!(print("html").ended(0).out.contains(id));
    }
}
