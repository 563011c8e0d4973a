//! What only old runs tell is forgotten, and nothing else.

use super::earlier::{assert_sound, printed};
use super::*;

fn count(ledger: &Ledger, table: &str) -> i64 {
    ledger
        .connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

/// A link of alice's on a file of its own.
fn own(id: &str, password: bool) -> Share {
    let mut share = link(id, "alice", password);
    share.item.id = format!("file-{id}");
    share.recipients = vec![account(&format!("reader-of-{id}"))];
    share
}

fn night(ledger: &mut Ledger, day: i64, shares: Vec<Share>) -> Run {
    let run = begin(ledger, day, &[]);
    read(
        ledger,
        &run,
        &[("alice", Some(shares)), ("bob", Some(Vec::new()))],
    );
    let problem = Problem::new("*", crate::model::ProblemCode::ControlUnavailable, "words");
    ledger.problem(&run, &cloud(), &problem).unwrap();
    finish(ledger, &run);
    run
}

#[test]
fn old_runs_go_with_what_only_they_tell_and_kept_ones_print_as_before() {
    let mut ledger = Ledger::temporary().unwrap();
    let first = night(
        &mut ledger,
        0,
        vec![own("1", false), own("2", false), own("3", false)],
    );
    // 2 gets a password and 3 vanishes; 1 changes on the way to what it is.
    let second = night(&mut ledger, 1, vec![own("1", true), own("2", true)]);
    let third = night(&mut ledger, 2, vec![own("1", false), own("2", true)]);
    let killed = begin(&mut ledger, 30, &["bob"]);
    let fourth = night(&mut ledger, 30, vec![own("1", false), own("2", true)]);
    let before = [&second, &third, &fourth].map(|run| printed(&ledger, &run.key));
    assert_eq!(ledger.forget_before(at(0)).unwrap(), 0, "nothing is as old");

    assert_eq!(ledger.forget_before(at(1)).unwrap(), 1, "the first run");
    let after = [&second, &third, &fourth].map(|run| printed(&ledger, &run.key));
    assert!(before == after);
    assert!(matches!(
        ledger.stored_run(Some(&first.key), RunFilter::default()),
        Err(StoreError::NoSuchRun(_))
    ));
    assert_eq!(count(&ledger, "problem"), 3);
    assert_sound(&ledger);

    // The run that was killed stays as long as the one that tells of it.
    assert_eq!(ledger.forget_before(at(8)).unwrap(), 2, "second and third");
    assert_eq!(ledger.forget_before(at(38)).unwrap(), 0, "{}", killed.key);
    assert!(printed(&ledger, &fourth.key) == before[2]);
    for (table, left) in [
        ("run", 2),
        ("run_source", 2),
        ("problem", 1),
        ("share", 2),
        ("share_version", 2),
        ("item", 2),
        ("finding", 1),
        ("finding_version", 1),
        // alice, bob, and who reads 1 and 2.
        ("principal", 4),
        // Those through which shares are read still.
        ("place", 2),
    ] {
        assert_eq!(count(&ledger, table), left, "{table}");
    }
    assert_sound(&ledger);
    assert_eq!(ledger.forget_before(at(1000)).unwrap(), 0, "the latest run stays");

    let next = night(&mut ledger, 31, vec![own("1", false), own("2", true)]);
    assert_eq!(told(&ledger, &next), [("1".to_owned(), Status::Open)]);
    assert_eq!(count(&ledger, "share_version"), 2);
    assert_eq!(ledger.forget_before(at(31)).unwrap(), 1, "the fourth");
    assert_eq!(ledger.forget_before(at(38)).unwrap(), 1, "{}", killed.key);
}

#[test]
fn what_stands_outlasts_the_run_that_told_it() {
    let mut ledger = Ledger::temporary().unwrap();
    let shares = || vec![own("1", false), own("2", true)];
    let first = night(&mut ledger, 0, shares());
    ledger.forget_details(&first).unwrap();
    let failed = begin(&mut ledger, 20, &[]);
    read(
        &mut ledger,
        &failed,
        &[("alice", None), ("bob", Some(Vec::new()))],
    );
    finish(&mut ledger, &failed);
    let before = printed(&ledger, &failed.key);
    assert_eq!(ledger.forget_before(at(20)).unwrap(), 1);
    assert!(printed(&ledger, &failed.key) == before);
    assert_eq!(told(&ledger, &failed), [("1".to_owned(), Status::NotChecked)]);
    let again = night(&mut ledger, 21, shares());
    assert_eq!(told(&ledger, &again), [("1".to_owned(), Status::Open)]);
    // Whom a share names of which only a digest is kept is not forgotten: it would count as changed.
    assert_eq!(versions(&ledger), 2);
}

#[test]
fn what_ended_long_ago_and_comes_back_is_told_while_an_older_run_says_that_it_stood() {
    let mut ledger = Ledger::temporary().unwrap();
    let whole = night(&mut ledger, 0, vec![own("1", false)]);
    // It stays, as the latest that read the source whole.
    ledger
        .connection
        .execute("UPDATE run_source SET complete = 1", [])
        .unwrap();
    night(&mut ledger, 1, vec![own("1", true)]);
    night(&mut ledger, 20, vec![own("1", true)]);
    assert_eq!(ledger.forget_before(at(20)).unwrap(), 1, "the second");
    assert!(printed(&ledger, &whole.key).contains("link-without-password"));
    let back = night(&mut ledger, 21, vec![own("1", false)]);
    let told = happenings(&ledger, &back);
    assert!(told.iter().any(|(_, event, _)| *event == "reopened"), "{told:?}");
    assert_sound(&ledger);
}

#[test]
fn that_a_source_was_read_whole_is_not_forgotten() {
    let mut ledger = Ledger::temporary().unwrap();
    let whole = night(&mut ledger, 0, vec![own("1", false)]);
    ledger
        .connection
        .execute("UPDATE run_source SET complete = 1", [])
        .unwrap();
    night(&mut ledger, 20, vec![own("1", false)]);
    let third = night(&mut ledger, 40, vec![own("1", false)]);
    assert_eq!(ledger.forget_before(at(100)).unwrap(), 1, "the second");
    for run in [&whole, &third] {
        assert!(printed(&ledger, &run.key).contains("link-without-password"));
    }
    let next = begin(&mut ledger, 41, &[]);
    finish(&mut ledger, &next);
    assert!(printed(&ledger, &next.key).contains("\"baseline\":false"));
}

/// What a run's events say, as a SIEM reads them.
fn events(ledger: &Ledger, run: &Run) -> String {
    let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
    let mut out = Vec::new();
    let style = crate::report::Style::default();
    crate::report::write(crate::report::Format::Ndjson, style, &stored, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_a_killed_run_found_is_told_as_long_as_the_run_that_tells_it_is_kept() {
    let mut ledger = Ledger::temporary().unwrap();
    night(&mut ledger, 0, vec![own("1", false), own("2", true)]);
    // Killed after it judged.
    let killed = begin(&mut ledger, 1, &[]);
    let changed = || vec![own("1", true), own("2", false)];
    read(&mut ledger, &killed, &[("alice", Some(changed()))]);
    judge_all(&mut ledger, &killed);
    let next = night(&mut ledger, 30, changed());
    let before = events(&ledger, &next);
    for event in ["opened", "resolved", "share_changed"] {
        assert!(before.contains(&format!("\"event\":\"{event}\"")), "{before}");
    }
    assert_eq!(ledger.forget_before(at(30)).unwrap(), 1, "the first");
    assert_eq!(events(&ledger, &next), before);
    assert_sound(&ledger);
}

#[test]
fn what_a_share_became_is_told_in_full_although_its_finding_ended_before() {
    let mut ledger = Ledger::temporary().unwrap();
    let labelled = |label: &str| {
        let mut share = own("1", true);
        share.label = Some(label.to_owned());
        vec![share]
    };
    night(&mut ledger, 0, vec![own("1", false)]);
    night(&mut ledger, 1, labelled("one"));
    let third = night(&mut ledger, 2, labelled("two"));
    let before = events(&ledger, &third);
    assert!(before.contains("\"changed\":\"label\""), "{before}");
    assert_eq!(ledger.forget_before(at(2)).unwrap(), 2);
    ledger.forget_details(&third).unwrap();
    assert_eq!(events(&ledger, &third), before);
    // With the run that told it, it is forgotten.
    let fourth = night(&mut ledger, 3, labelled("two"));
    assert_eq!(ledger.forget_before(at(3)).unwrap(), 1);
    ledger.forget_details(&fourth).unwrap();
    assert_eq!(count(&ledger, "finding"), 0);
    assert_eq!((count(&ledger, "share"), versions(&ledger)), (1, 1));
}

#[test]
fn what_began_before_what_is_kept_is_never_told_to_open() {
    let mut ledger = Ledger::temporary().unwrap();
    night(&mut ledger, 0, vec![own("1", false)]);
    let second = begin(&mut ledger, 1, &[]);
    let mut handed_on = own("1", false);
    handed_on.owner = account("bob");
    read(
        &mut ledger,
        &second,
        &[("alice", Some(Vec::new())), ("bob", Some(vec![handed_on]))],
    );
    finish(&mut ledger, &second);
    let before = events(&ledger, &second);
    assert!(before.contains("\"event\":\"share_changed\""), "{before}");
    ledger.forget_owner("alice", &cloud()).unwrap();
    let after = events(&ledger, &second);
    assert!(
        after.contains("\"event\":\"changed\"") && !after.contains("\"event\":\"opened\""),
        "{after}"
    );
}
