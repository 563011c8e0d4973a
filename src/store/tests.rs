//! The ledger's promises: versions, one share from two readings, what absence means, and what a kill leaves behind.

use jiff::{SignedDuration, Timestamp};

use super::migrations::MIGRATIONS;
use super::*;
use crate::model::{
    Access, Audience, Batch, Checkpoint, Expiry, Finding, FindingId, Item, ItemKind, Level, Principal,
    PrincipalKind, Problem, Reading, Relist, Remedy, Right, RuleId, Scope, ScopeOutcome, Share, ShareKind,
    Status, Verdict,
};
use crate::policy::{Judged, Past};
use crate::report::{Pages, view};

mod changes;
mod earlier;
mod evidence;
mod kept;

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

fn cloud() -> SourceName {
    SourceName::new("cloud")
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + day * 86_400).unwrap()
}

fn account(id: &str) -> Principal {
    Principal::new(PrincipalClass::Account, id)
}

/// A link on alice's file, as one account sees it.
fn link(id: &str, reader: &str, password: bool) -> Share {
    let of_owner = reader == "alice";
    Share {
        source: cloud(),
        id: id.to_owned(),
        kind: ShareKind::Link,
        anonymous: true,
        item: Item {
            id: "5".to_owned(),
            path: if of_owner { "/Projects/plan" } else { "/plan" }.to_owned(),
            path_is_owners: of_owner,
            kind: ItemKind::File,
            size: Some(10),
            files_beneath: None,
            drive: None,
            labels: None,
        },
        owner: account("alice"),
        shared_by: Some(account("bob")),
        recipients: Vec::new(),
        opened_by: Vec::new(),
        access: Access::of(&[Right::View]),
        password: Some(password),
        expires: Expiry::Never,
        created_at: None,
        inherited: false,
        label: None,
        link: None,
        unknown: Vec::new(),
    }
}

fn begin(ledger: &mut Ledger, day: i64, users: &[&str]) -> Run {
    let scope = view::RunScope {
        sources: vec!["cloud".to_owned()],
        users: users.iter().map(|&user| user.to_owned()).collect(),
        rules: Vec::new(),
        full: users.is_empty(),
    };
    let policy = view::PolicyNote {
        digest: "p".to_owned(),
        rules_digest: "r".to_owned(),
        rules_off: Vec::new(),
        overrides: 0,
        waivers: 0,
        exclusions: 0,
        gaps: 0,
    };
    let sources = vec![(cloud(), SourceKind::Nextcloud)];
    ledger
        .begin(RunStart {
            now: at(day),
            scope,
            policy,
            sources,
        })
        .unwrap()
}

fn absorb(ledger: &mut Ledger, run: &Run, scope: &str, readings: Vec<Reading>) {
    let scope = Some(scope.to_owned());
    ledger
        .absorb(
            run,
            &[Batch {
                source: cloud(),
                scope,
                readings,
            }],
        )
        .unwrap();
}

/// Lists alice and bob, and reads each: their shares, or a failure.
fn read(ledger: &mut Ledger, run: &Run, listings: &[(&str, Option<Vec<Share>>)]) {
    for (name, _) in listings {
        let scope = Scope {
            id: (*name).to_owned(),
            account: Some(account(name)),
        };
        absorb(
            ledger,
            run,
            name,
            vec![Reading::Principal(account(name)), Reading::Scope(scope)],
        );
    }
    for (name, shares) in listings {
        let outcome = if shares.is_some() {
            ScopeOutcome::Scanned
        } else {
            ScopeOutcome::Failed
        };
        let mut readings: Vec<Reading> = shares
            .iter()
            .flatten()
            .map(|share| Reading::Share(Box::new(share.clone())))
            .collect();
        readings.push(Reading::Outcome {
            scope: (*name).to_owned(),
            outcome,
            searched: false,
        });
        absorb(ledger, run, name, readings);
    }
}

/// Judges by one rule: a link needs a password.
fn judge(share: &Share, _: &Past) -> Judged {
    let finding = Finding {
        id: FindingId::of(RuleId::LinkWithoutPassword, &share.source, Some(&share.id)),
        rule: RuleId::LinkWithoutPassword,
        level: Level::High,
        message: "open".to_owned(),
        remedy: Remedy::Revoke,
        waiver: None,
    };
    Judged {
        audience: Audience::Anyone,
        classified: Some(false),
        labels: std::collections::BTreeSet::new(),
        expired: false,
        owner: PrincipalKind::Member,
        shared_by: Some(PrincipalKind::Member),
        recipients: Vec::new(),
        findings: if share.password == Some(false) {
            vec![finding]
        } else {
            Vec::new()
        },
        not_judged: Vec::new(),
        untold: Vec::new(),
        waivers_used: Vec::new(),
        turns: Vec::new(),
    }
}

fn judge_all(ledger: &mut Ledger, run: &Run) {
    let name = cloud();
    let judging = Judging {
        source: &name,
        classes: "",
        off: &[],
        left_out: &[],
        relist_every: WEEK,
    };
    ledger.judge_source(run, judging, &mut judge).unwrap();
}

fn finish(ledger: &mut Ledger, run: &Run) {
    judge_all(ledger, run);
    ledger.finish(run, run.now, Verdict::Complete, &[]).unwrap();
    earlier::assert_sound(ledger);
}

/// What a run's report says: share id and status of each finding.
fn told(ledger: &Ledger, run: &Run) -> Vec<(String, Status)> {
    let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
    let mut told = Vec::new();
    stored
        .findings(&mut |finding| {
            told.push((
                finding.share.map(|share| share.id).unwrap_or_default(),
                finding.status,
            ));
            Ok(())
        })
        .unwrap();
    told.sort();
    told
}

fn versions(ledger: &Ledger) -> i64 {
    ledger
        .connection
        .query_row("SELECT count(*) FROM share_version", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_share_that_did_not_change_costs_no_row() {
    let mut ledger = Ledger::temporary().unwrap();
    for day in 0..3 {
        let run = begin(&mut ledger, day, &[]);
        read(
            &mut ledger,
            &run,
            &[("alice", Some(vec![link("1", "alice", false)]))],
        );
        finish(&mut ledger, &run);
    }
    assert_eq!(versions(&ledger), 1);
}

#[test]
fn two_readings_of_one_share_are_one_and_the_owners_counts() {
    for order in [["bob", "alice"], ["alice", "bob"]] {
        let mut ledger = Ledger::temporary().unwrap();
        for day in 0..2 {
            let run = begin(&mut ledger, day, &[]);
            let listings = order.map(|name| (name, Some(vec![link("1", name, false)])));
            read(&mut ledger, &run, &listings);
            finish(&mut ledger, &run);
        }
        let paths: Vec<String> = ledger
            .connection
            .prepare("SELECT body ->> '$[8]' FROM share_version")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert_eq!(paths, ["/Projects/plan"], "read in the order {order:?}");
    }
}

#[test]
fn one_id_with_two_meanings_in_one_listing_is_told() {
    let mut ledger = Ledger::temporary().unwrap();
    let run = begin(&mut ledger, 0, &[]);
    let twice = vec![
        link("1", "alice", true),
        link("1", "alice", true),
        link("1", "alice", false),
    ];
    read(&mut ledger, &run, &[("alice", Some(twice))]);
    let problems: Vec<Problem> = ledger.problems(&run, &cloud()).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .message
            .contains("two different shares under the id 1")
    );
}

#[test]
fn one_id_with_two_meanings_resolves_nothing_that_is_missing() {
    let mut ledger = Ledger::temporary().unwrap();
    let first = begin(&mut ledger, 0, &[]);
    let both = vec![link("1", "alice", true), link("2", "alice", false)];
    read(&mut ledger, &first, &[("alice", Some(both))]);
    finish(&mut ledger, &first);
    // The second share comes under the id of the first.
    let second = begin(&mut ledger, 1, &[]);
    let doubled = vec![link("1", "alice", true), link("1", "alice", false)];
    read(&mut ledger, &second, &[("alice", Some(doubled))]);
    finish(&mut ledger, &second);
    assert_eq!(told(&ledger, &second), [("2".to_owned(), Status::NotChecked)]);
}

#[test]
fn what_was_not_read_resolves_nothing() {
    let mut ledger = Ledger::temporary().unwrap();
    let both = |alice: Option<Vec<Share>>| [("alice", alice), ("bob", Some(Vec::new()))];
    let first = begin(&mut ledger, 0, &[]);
    read(&mut ledger, &first, &both(Some(vec![link("1", "alice", false)])));
    finish(&mut ledger, &first);
    assert_eq!(told(&ledger, &first), [("1".to_owned(), Status::New)]);

    let failed = begin(&mut ledger, 1, &[]);
    read(&mut ledger, &failed, &both(None));
    finish(&mut ledger, &failed);
    assert_eq!(told(&ledger, &failed), [("1".to_owned(), Status::NotChecked)]);

    let again = begin(&mut ledger, 2, &[]);
    read(&mut ledger, &again, &both(Some(vec![link("1", "alice", false)])));
    finish(&mut ledger, &again);
    assert_eq!(told(&ledger, &again), [("1".to_owned(), Status::Open)]);

    let gone = begin(&mut ledger, 3, &[]);
    read(&mut ledger, &gone, &both(Some(Vec::new())));
    finish(&mut ledger, &gone);
    assert_eq!(told(&ledger, &gone), [("1".to_owned(), Status::Resolved)]);

    let after = begin(&mut ledger, 4, &[]);
    read(&mut ledger, &after, &both(Some(Vec::new())));
    finish(&mut ledger, &after);
    assert_eq!(told(&ledger, &after), []);

    assert_eq!(
        told(&ledger, &first),
        [("1".to_owned(), Status::New)],
        "a stored run keeps its picture"
    );
    assert_eq!(told(&ledger, &failed), [("1".to_owned(), Status::NotChecked)]);
}

#[test]
fn a_scan_of_one_account_leaves_the_others_alone() {
    let mut ledger = Ledger::temporary().unwrap();
    let full = begin(&mut ledger, 0, &[]);
    read(
        &mut ledger,
        &full,
        &[
            ("alice", Some(vec![link("1", "alice", false)])),
            ("bob", Some(Vec::new())),
        ],
    );
    finish(&mut ledger, &full);

    let bob = begin(&mut ledger, 1, &["bob"]);
    read(&mut ledger, &bob, &[("bob", Some(Vec::new()))]);
    finish(&mut ledger, &bob);
    assert_eq!(
        told(&ledger, &bob),
        [("1".to_owned(), Status::Open)],
        "its owner was not asked"
    );

    let stale = begin(&mut ledger, 30, &["bob"]);
    read(&mut ledger, &stale, &[("bob", Some(Vec::new()))]);
    finish(&mut ledger, &stale);
    assert_eq!(
        told(&ledger, &stale),
        [("1".to_owned(), Status::NotChecked)],
        "too long ago to know"
    );
}

#[test]
fn a_scan_of_one_account_beside_a_full_one_takes_nothing_from_it() {
    let mut ledger = Ledger::temporary().unwrap();
    let alice = || vec![link("1", "alice", false)];
    let full = begin(&mut ledger, 0, &[]);
    for name in ["alice", "bob"] {
        let scope = Scope {
            id: name.to_owned(),
            account: Some(account(name)),
        };
        absorb(
            &mut ledger,
            &full,
            name,
            vec![Reading::Principal(account(name)), Reading::Scope(scope)],
        );
    }
    let one = begin(&mut ledger, 0, &["alice"]);
    read(&mut ledger, &one, &[("alice", Some(alice()))]);
    finish(&mut ledger, &one);
    read(
        &mut ledger,
        &full,
        &[("alice", Some(alice())), ("bob", Some(Vec::new()))],
    );
    finish(&mut ledger, &full);
    let totals = ledger.account_totals(&full, &cloud()).unwrap();
    assert_eq!((totals.found, totals.scanned), (2, 2));
    assert_eq!(ledger.account_totals(&one, &cloud()).unwrap().found, 1);
    let listed = ledger.scopes_to_read(&one, &cloud()).unwrap();
    assert_eq!(listed.len(), 1, "a full scan beside it adds no accounts to it");
    assert_ne!(told(&ledger, &full)[0].1, Status::NotChecked);
}

#[test]
fn what_a_deleted_account_shared_is_gone() {
    let mut ledger = Ledger::temporary().unwrap();
    let first = begin(&mut ledger, 0, &[]);
    read(
        &mut ledger,
        &first,
        &[("alice", Some(vec![link("1", "alice", false)]))],
    );
    ledger.mark_gone_accounts(&first, &cloud()).unwrap();
    finish(&mut ledger, &first);

    let second = begin(&mut ledger, 1, &[]);
    read(&mut ledger, &second, &[("bob", Some(Vec::new()))]);
    ledger.mark_gone_accounts(&second, &cloud()).unwrap();
    finish(&mut ledger, &second);
    assert_eq!(told(&ledger, &second), [("1".to_owned(), Status::Resolved)]);
}

#[test]
fn shares_without_a_finding_keep_only_their_digest_and_come_back_whole() {
    let mut ledger = Ledger::temporary().unwrap();
    for day in 0..2 {
        let run = begin(&mut ledger, day, &[]);
        read(
            &mut ledger,
            &run,
            &[("alice", Some(vec![link("1", "alice", true)]))],
        );
        finish(&mut ledger, &run);
        ledger.forget_details(&run).unwrap();
        let bare: bool = ledger
            .connection
            .query_row("SELECT body IS NULL FROM share_version", [], |row| row.get(0))
            .unwrap();
        assert!(bare);
    }
    let run = begin(&mut ledger, 2, &[]);
    read(
        &mut ledger,
        &run,
        &[("alice", Some(vec![link("1", "alice", true)]))],
    );
    let mut seen = 0;
    let name = cloud();
    let judging = Judging {
        source: &name,
        classes: "",
        off: &[],
        left_out: &[],
        relist_every: WEEK,
    };
    ledger
        .judge_source(&run, judging, &mut |share, past| {
            seen += 1;
            judge(share, past)
        })
        .unwrap();
    assert_eq!((seen, versions(&ledger)), (1, 1));
}

#[test]
fn a_run_that_was_killed_is_not_the_latest() {
    let mut ledger = Ledger::temporary().unwrap();
    assert!(matches!(
        ledger.stored_run(None, RunFilter::default()),
        Err(StoreError::NoRun)
    ));
    let whole = begin(&mut ledger, 0, &[]);
    finish(&mut ledger, &whole);
    let _killed = begin(&mut ledger, 1, &[]);
    let latest = ledger.stored_run(None, RunFilter::default()).unwrap();
    assert_eq!(latest.header().run.id, whole.key);
    assert!(matches!(
        ledger.stored_run(Some("x"), RunFilter::default()),
        Err(StoreError::NoSuchRun(_))
    ));
}

#[test]
fn the_file_is_its_owners_alone_and_a_newer_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/state.db");
    drop(Ledger::open(&path).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        Ledger::open(&path),
        Err(StoreError::Newer { found: 99, .. })
    ));
    std::fs::write(&path, b"this is no database, however long it may be".repeat(100)).unwrap();
    assert!(matches!(Ledger::open(&path), Err(StoreError::Open { .. })));
}

#[test]
fn a_file_of_the_first_version_is_taken_over_with_what_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(MIGRATIONS[0]).unwrap();
    old.execute_batch(
        r#"INSERT INTO source (id, name, kind) VALUES (1, 'cloud', 'nextcloud');
           INSERT INTO principal (id, source, class, key, active, gone, told_run) VALUES (1, 1, 'account', 'alice', 1, 0, 1);
           INSERT INTO principal (id, source, class, key, active, gone, told_run) VALUES (2, 1, 'account', 'bob', 1, 0, 1);
           INSERT INTO item (id, source, drive, key, size, labels, labels_complete, labels_policy)
               VALUES (1, 1, '', '5', 10, '["confidential"]', 1, '');"#,
    )
    .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    for day in 0..2 {
        let mut ledger = Ledger::open(&path).unwrap();
        let run = begin(&mut ledger, day, &[]);
        read(
            &mut ledger,
            &run,
            &[
                ("alice", Some(vec![link("1", "alice", false)])),
                ("bob", Some(vec![link("1", "bob", false)])),
            ],
        );
        finish(&mut ledger, &run);
        let status = if day == 0 { Status::New } else { Status::Open };
        assert_eq!(told(&ledger, &run), [("1".to_owned(), status)]);
        ledger.forget_labels(&run, &cloud()).unwrap();
        assert_eq!(versions(&ledger), 1);
    }
    let labels: Option<String> = Ledger::open(&path)
        .unwrap()
        .connection
        .query_row("SELECT labels FROM item", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        labels, None,
        "what an earlier version looked up is looked up again"
    );
    let version: u32 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version as usize, MIGRATIONS.len());
}

/// The events of a run: what happened, and to which share.
fn happenings(ledger: &Ledger, run: &Run) -> Vec<(u64, &'static str, String)> {
    let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
    let mut told = Vec::new();
    let number = stored
        .events(0, &mut |number, happening| {
            let share = match happening.subject {
                view::Subject::Finding(finding) => finding.share.unwrap().id,
                view::Subject::Share { id, .. } => id,
            };
            told.push((number, happening.event.as_str(), share));
            Ok(())
        })
        .unwrap();
    assert_eq!(number, told.len() as u64);
    let mut rest = Vec::new();
    stored
        .events(1, &mut |number, happening| {
            rest.push((number, happening.event.as_str()));
            Ok(())
        })
        .unwrap();
    let skipped: Vec<_> = told
        .iter()
        .skip(1)
        .map(|(number, event, _)| (*number, *event))
        .collect();
    assert_eq!(rest, skipped, "after a number");
    told
}

fn alone(ledger: &mut Ledger, run: &Run, shares: Vec<Share>) {
    read(ledger, run, &[("alice", Some(shares))]);
}

#[test]
fn what_a_killed_run_found_is_told_by_the_next_one_that_covers_it() {
    let mut ledger = Ledger::temporary().unwrap();
    let first = begin(&mut ledger, 0, &[]);
    alone(&mut ledger, &first, vec![link("1", "alice", false)]);
    finish(&mut ledger, &first);
    // Killed after it judged: a new one, and one that was put right.
    let killed = begin(&mut ledger, 1, &[]);
    alone(
        &mut ledger,
        &killed,
        vec![link("1", "alice", true), link("2", "alice", false)],
    );
    judge_all(&mut ledger, &killed);
    // One of another account has nothing to do with it.
    let other = begin(&mut ledger, 2, &["carol"]);
    finish(&mut ledger, &other);
    assert_eq!(happenings(&ledger, &other), []);
    let next = begin(&mut ledger, 3, &[]);
    alone(
        &mut ledger,
        &next,
        vec![link("1", "alice", true), link("2", "alice", false)],
    );
    finish(&mut ledger, &next);
    let events = [
        (1, "resolved", "1".to_owned()),
        (2, "opened", "2".to_owned()),
        (3, "share_changed", "1".to_owned()),
    ];
    assert_eq!(happenings(&ledger, &next), events);
    assert_eq!(
        told(&ledger, &next),
        [("1".to_owned(), Status::Resolved), ("2".to_owned(), Status::New)]
    );
    let last = begin(&mut ledger, 4, &[]);
    alone(
        &mut ledger,
        &last,
        vec![link("1", "alice", true), link("2", "alice", false)],
    );
    finish(&mut ledger, &last);
    assert_eq!(happenings(&ledger, &last), [(1, "still_open", "2".to_owned())]);
    assert_eq!(happenings(&ledger, &next), events, "the same for ever");
    assert_eq!(happenings(&ledger, &first), [(1, "opened", "1".to_owned())]);
}

#[test]
fn what_a_killed_run_undid_in_vain_is_no_event() {
    let mut ledger = Ledger::temporary().unwrap();
    let first = begin(&mut ledger, 0, &[]);
    alone(&mut ledger, &first, vec![link("1", "alice", false)]);
    finish(&mut ledger, &first);
    let killed = begin(&mut ledger, 1, &[]);
    read(&mut ledger, &killed, &[("alice", None)]);
    judge_all(&mut ledger, &killed);
    let next = begin(&mut ledger, 2, &[]);
    alone(&mut ledger, &next, vec![link("1", "alice", false)]);
    finish(&mut ledger, &next);
    assert_eq!(happenings(&ledger, &next), [(1, "still_open", "1".to_owned())]);
}

#[test]
fn a_run_that_began_earlier_and_ends_later_changes_nothing_of_what_was_told() {
    let mut ledger = Ledger::temporary().unwrap();
    let full = begin(&mut ledger, 0, &[]);
    let one = begin(&mut ledger, 1, &["alice"]);
    alone(&mut ledger, &one, vec![link("1", "alice", false)]);
    finish(&mut ledger, &one);
    let events = [(1, "opened", "1".to_owned())];
    assert_eq!(happenings(&ledger, &one), events);
    alone(&mut ledger, &full, vec![link("1", "alice", false)]);
    finish(&mut ledger, &full);
    assert_eq!(happenings(&ledger, &one), events, "told, and told once");
    assert_eq!(told(&ledger, &one), [("1".to_owned(), Status::New)]);
    assert_eq!(happenings(&ledger, &full), [(1, "still_open", "1".to_owned())]);
}

#[test]
fn what_once_protected_a_share_is_known_of_files_of_earlier_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    for migration in &MIGRATIONS[..2] {
        old.execute_batch(migration).unwrap();
    }
    let body = |protected: &str| format!(r#"{{"a":1,{protected},"t":"/x","o":true,"k":"file"}}"#);
    let date = r#""e":{"At":{"stated":"2026-12-01","instant":"2026-12-01T00:00:00Z"}}"#;
    old.execute_batch(&format!(
        r"INSERT INTO source (id, name, kind) VALUES (1, 'cloud', 'nextcloud');
           INSERT INTO principal (id, source, class, key) VALUES (1, 1, 'account', 'alice');
           INSERT INTO item (id, source, key) VALUES (1, 1, '5');
           INSERT INTO share (id, source, key, first_at, read_run, read_at) VALUES (1, 1, '1', 0, 2, 0), (2, 1, '2', 0, 2, 0);
           INSERT INTO share_version (share, from_run, to_run, digest, kind, anonymous, owner, item, body)
               VALUES (1, 1, 2, 'a', 'link', 1, 1, 1, '{}'), (1, 2, NULL, 'b', 'link', 1, 1, 1, '{}'),
                      (2, 1, NULL, 'c', 'link', 1, 1, 1, '{}');",
        body(&format!(r#""p":true,{date}"#)),
        body(r#""p":false,"e":"Never""#),
        body(r#""p":false,"e":"Never""#),
    ))
    .unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    drop(old);
    let ledger = Ledger::open(&path).unwrap();
    let had: Vec<(bool, bool)> = ledger
        .connection
        .prepare("SELECT had_password, had_expiry FROM share ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(had, [(true, true), (false, false)]);
}

/// What a drive tells in an enumeration that two scans began beside each other.
#[test]
fn an_enumeration_is_ended_by_the_scan_that_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let drive = "drive-1";
    let share = |permission: &str| {
        let mut share = link(&format!("{drive}/item/{permission}"), "alice", false);
        share.item.drive = Some(drive.to_owned());
        Reading::Share(Box::new(share))
    };
    let begun = || Reading::Begun {
        scope: drive.to_owned(),
    };
    let ended = || Reading::Outcome {
        scope: drive.to_owned(),
        outcome: ScopeOutcome::Scanned,
        searched: false,
    };
    let scope = || {
        Reading::Scope(Scope {
            id: drive.to_owned(),
            account: None,
        })
    };
    let checkpoint = || Reading::Checkpoint {
        scope: drive.to_owned(),
        checkpoint: Some(Checkpoint {
            parts: 1,
            waiting: 1,
            oldest: None,
            data: vec![vec![1]],
        }),
    };
    let missing = |ledger: &Ledger| -> i64 {
        let query = "SELECT count(*) FROM share WHERE missing_run IS NOT NULL";
        ledger.connection.query_row(query, [], |row| row.get(0)).unwrap()
    };
    let mut one = Ledger::open(&path).unwrap();
    let mut other = Ledger::open(&path).unwrap();
    let first = begin(&mut one, 0, &[]);
    absorb(
        &mut one,
        &first,
        drive,
        vec![scope(), begun(), share("old"), share("kept"), ended()],
    );
    finish(&mut one, &first);
    let second = begin(&mut one, 1, &[]);
    absorb(&mut one, &second, drive, vec![scope(), begun(), share("kept")]);
    let third = begin(&mut other, 1, &["alice"]);
    absorb(&mut other, &third, drive, vec![scope(), begun(), checkpoint()]);
    absorb(&mut one, &second, drive, vec![share("new"), ended()]);
    assert_eq!(
        missing(&one),
        1,
        "what this scan told itself is there, whatever another one began"
    );
    // The other one is killed; the next goes on with what it remembered.
    drop(other);
    let fourth = begin(&mut one, 2, &[]);
    let rows = one.scopes_to_read(&fourth, &cloud()).unwrap();
    assert!(rows.is_empty(), "it was not listed yet");
    absorb(&mut one, &fourth, drive, vec![scope()]);
    let rows = one.scopes_to_read(&fourth, &cloud()).unwrap();
    let relist = Relist {
        now: at(2),
        before: at(2),
        least: 0,
    };
    assert_eq!(
        one.scope_to_read(rows[0], relist, true).unwrap().checkpoint,
        Some(vec![1])
    );
    absorb(&mut one, &fourth, drive, vec![share("kept"), ended()]);
    assert_eq!(missing(&one), 2, "what neither of them told is gone");
}

#[test]
fn a_checkpoint_takes_the_place_of_the_one_before_it_and_goes_with_its_scope() {
    let mut ledger = Ledger::temporary().unwrap();
    let run = begin(&mut ledger, 0, &[]);
    read(&mut ledger, &run, &[("alice", Some(Vec::new()))]);
    let row = ledger.scopes_to_read(&run, &cloud()).unwrap()[0];
    let relist = Relist {
        now: at(0),
        before: at(0),
        least: 0,
    };
    for length in [200_000, 70_000, 1] {
        let data: Vec<u8> = (0..=250).cycle().take(length).collect();
        let checkpoint = Some(Checkpoint {
            parts: 0,
            waiting: 0,
            oldest: None,
            data: data.chunks(9_000).map(<[u8]>::to_vec).collect(),
        });
        let scope = "alice".to_owned();
        absorb(
            &mut ledger,
            &run,
            "alice",
            vec![Reading::Checkpoint { scope, checkpoint }],
        );
        let mut kept = |remembers| ledger.scope_to_read(row, relist, remembers).unwrap().checkpoint;
        assert!(kept(true) == Some(data), "{length} bytes");
        assert_eq!(kept(false), None);
    }
    ledger.forget_owner("alice", &cloud()).unwrap();
    let pieces = "SELECT count(*) FROM checkpoint_piece";
    let left: i64 = ledger.connection.query_row(pieces, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_manager_is_kept_until_told_otherwise_and_forgotten_with_themselves() {
    let mut ledger = Ledger::temporary().unwrap();
    let manager = |ledger: &Ledger| {
        let (_, account) = ledger.account(&cloud(), "alice").unwrap().unwrap();
        account.manager.filter(|manager| !manager.is_empty())
    };
    for (day, told, kept) in [
        (0, Some("bob"), Some("bob")),
        // It was not asked.
        (1, None, Some("bob")),
        (2, Some(""), None),
        (3, Some("bob"), Some("bob")),
    ] {
        let run = begin(&mut ledger, day, &[]);
        let alice = Principal {
            manager: told.map(str::to_owned),
            ..account("alice")
        };
        let people = vec![Reading::Principal(alice), Reading::Principal(account("bob"))];
        absorb(&mut ledger, &run, "alice", people);
        read(
            &mut ledger,
            &run,
            &[("alice", Some(vec![link("1", "alice", false)]))],
        );
        assert_eq!(manager(&ledger).as_deref(), kept, "{day}");
        let owners = |asked_for: &dyn Fn(&Principal) -> bool| {
            let owners = ledger.owners(&run, &cloud(), asked_for, 10).unwrap();
            owners.into_iter().map(|owner| owner.id).collect::<Vec<_>>()
        };
        assert_eq!(owners(&|_| true), ["alice"], "who shares something");
        assert_eq!(owners(&|owner| owner.id != "alice"), Vec::<String>::new());
    }
    ledger.forget_owner("bob", &cloud()).unwrap();
    assert_eq!(manager(&ledger), None);
}
