//! What is planned, announced and done: the journal's chain, what can be planned, and when what was announced is due.

use rusqlite::Connection;

use super::*;
use crate::enforce::{Deed, Entry, Event, Journal as _, Outcome, Who};
use crate::model::{Fact, SourceFacts};
use crate::plan::{Action, ActionKind, Ended, Expects, Plan};
use crate::report::history::{self, HistoryFormat, Life};
use crate::report::{self, Format};

fn entry(run: &str, action: Option<&str>, event: Event) -> Entry {
    Entry {
        plan: Some("p-1".to_owned()),
        action: action.map(str::to_owned),
        source: Some(cloud()),
        share: Some("17".to_owned()),
        deed: Some(Deed::Revoke),
        outcome: (event == Event::Receipt).then_some(Outcome::Applied),
        ..Entry::of_run(at(0), Who::Schedule, event, run)
    }
}

/// A state in a file with some lines in its journal.
fn with_journal() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("state.db")).unwrap();
    for (run, action, event) in [
        ("r1", None, Event::Begun),
        ("r1", Some("a1"), Event::Intent),
        ("r1", Some("a1"), Event::Receipt),
        ("r1", Some("a2"), Event::Intent),
        ("r2", Some("a2"), Event::Receipt),
        ("r2", Some("a1"), Event::Intent),
    ] {
        ledger.append(&entry(run, action, event)).unwrap();
    }
    (folder, ledger)
}

/// Changes the journal as somebody would who has the file.
fn meddle(ledger: &Ledger, change: &str) {
    ledger
        .connection
        .execute_batch(&format!(
            "DROP TRIGGER journal_update; DROP TRIGGER journal_delete; DROP TRIGGER journal_insert; {change}"
        ))
        .unwrap();
}

#[test]
fn the_journal_is_a_chain_from_its_first_line() {
    let (_folder, ledger) = with_journal();
    let whole = ledger.verify_journal(None).unwrap().unwrap();
    assert_eq!(whole.entries, 6);
    assert_eq!(whole.head, ledger.journal_head().unwrap());
    let mut lines = Vec::new();
    let told = ledger.journal(1, Some("r1"), &mut |line| {
        lines.push(line);
        Ok(())
    });
    told.unwrap().unwrap();
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [2, 3, 4]);
    for line in lines {
        assert!(ledger.verify_journal(Some(&line.hash)).unwrap().is_ok());
    }
    let empty = Ledger::temporary().unwrap();
    let nothing = Verified {
        entries: 0,
        head: None,
    };
    assert_eq!(empty.verify_journal(None).unwrap(), Ok(nothing));
}

#[test]
fn a_changed_byte_anywhere_in_the_journal_is_found() {
    let (_folder, ledger) = with_journal();
    let length: i64 = ledger
        .connection
        .query_row("SELECT length(entry) FROM journal WHERE seq = 3", [], |row| {
            row.get(0)
        })
        .unwrap();
    meddle(&ledger, "");
    let check = |change: &str| {
        ledger.connection.execute_batch("SAVEPOINT here").unwrap();
        ledger.connection.execute_batch(change).unwrap();
        let found = ledger.verify_journal(None).unwrap();
        ledger
            .connection
            .execute_batch("ROLLBACK TO here; RELEASE here")
            .unwrap();
        found.expect_err(change).at
    };
    for (column, length) in [("entry", length), ("hash", 64)] {
        for place in 1..=length {
            let other = format!("CASE substr({column}, {place}, 1) WHEN 'x' THEN 'y' ELSE 'x' END");
            let at = check(&format!(
                "UPDATE journal SET {column} = substr({column}, 1, {place} - 1) || {other} || substr({column}, {place} + 1)
                 WHERE seq = 3"
            ));
            assert_eq!(at, 3, "{column} {place}");
        }
    }
    for (change, at) in [
        ("DELETE FROM journal WHERE seq = 1", 1),
        ("DELETE FROM journal WHERE seq = 4", 4),
        ("UPDATE journal SET seq = 99 WHERE seq = 6", 6),
        (
            "UPDATE journal SET entry = (SELECT entry FROM journal WHERE seq = 2) WHERE seq = 5",
            5,
        ),
        ("UPDATE journal SET entry = CAST(x'ff' AS TEXT) WHERE seq = 2", 2),
    ] {
        assert_eq!(check(change), at, "{change}");
    }
    assert!(ledger.verify_journal(None).unwrap().is_ok());
}

#[test]
fn a_cut_off_end_is_found_by_a_head_that_was_told_before() {
    let (_folder, ledger) = with_journal();
    let head = ledger.journal_head().unwrap().unwrap();
    meddle(&ledger, "DELETE FROM journal WHERE seq > 4");
    assert_eq!(ledger.verify_journal(None).unwrap().unwrap().entries, 4);
    let broken = ledger.verify_journal(Some(&head)).unwrap().unwrap_err();
    assert!(
        broken.at == 5 && broken.to_string().contains("missing"),
        "{broken}"
    );
}

#[test]
fn lines_can_be_neither_changed_nor_taken_out_nor_replaced() {
    let (folder, mut ledger) = with_journal();
    let other = Connection::open(folder.path().join("state.db")).unwrap();
    for change in [
        "UPDATE journal SET entry = '{}' WHERE seq = 2",
        "UPDATE journal SET hash = ''",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal (seq, entry, hash) VALUES (2, '{}', '')",
        "INSERT INTO journal (seq, entry, hash) VALUES (0, '{}', '')",
    ] {
        let refused = other.execute_batch(change).unwrap_err().to_string();
        assert!(refused.contains("only ever added to"), "{change}: {refused}");
    }
    ledger.append(&entry("r3", None, Event::Begun)).unwrap();
    assert_eq!(ledger.verify_journal(None).unwrap().unwrap().entries, 7);
    let durable: i64 = ledger
        .connection
        .query_row("PRAGMA synchronous", [], |row| row.get(0))
        .unwrap();
    assert_eq!(durable, 1, "what follows is as quick as before");
}

#[test]
fn a_damaged_journal_is_told_by_the_examination_of_the_state() {
    let (folder, ledger) = with_journal();
    let path = folder.path().join("state.db");
    let sound = examine(&path);
    assert_eq!(sound.standing, crate::model::Standing::Good, "{sound:?}");
    meddle(&ledger, "DELETE FROM journal WHERE seq = 2");
    let check = examine(&path);
    assert!(
        check.found.contains("the journal is broken at line 2"),
        "{check:?}"
    );
}

#[test]
fn what_was_meant_and_has_no_receipt_of_its_run_is_unsettled() {
    let (_folder, mut ledger) = with_journal();
    let unsettled = |ledger: &Ledger| -> Vec<(String, String)> {
        let entries = ledger.unsettled(&cloud()).unwrap();
        entries
            .into_iter()
            .map(|entry| (entry.run, entry.action.unwrap()))
            .collect()
    };
    let pair = |run: &str, action: &str| (run.to_owned(), action.to_owned());
    // The receipt of `a2` is of another run, the one of `a1` came before.
    assert_eq!(unsettled(&ledger), [pair("r1", "a2"), pair("r2", "a1")]);
    ledger.append(&entry("r1", Some("a2"), Event::Receipt)).unwrap();
    assert_eq!(unsettled(&ledger), [pair("r2", "a1")]);
    assert_eq!(ledger.unsettled(&SourceName::new("other")).unwrap(), []);
    assert_eq!(ledger.of_action("a1").unwrap().len(), 3);
    assert_eq!(ledger.of_run("r2").unwrap().len(), 2);
    assert_eq!(ledger.of_run("r9").unwrap(), []);
}

#[test]
fn a_share_is_filled_in_with_what_is_known_of_its_people() {
    let mut ledger = Ledger::temporary().unwrap();
    let run = begin(&mut ledger, 0, &[]);
    let mut staff = Principal::new(PrincipalClass::Group, "staff");
    staff.members = Some(800);
    let mut guest = account("guest");
    guest.guest = Some(true);
    let told = vec![Reading::Principal(staff), Reading::Principal(guest)];
    absorb(&mut ledger, &run, "alice", told);
    let mut share = link("1", "alice", false);
    share.recipients = vec![
        Principal::new(PrincipalClass::Group, "staff").named(Some("Staff".to_owned())),
        account("guest"),
        account("nobody"),
    ];
    ledger.fill(&mut share).unwrap();
    assert_eq!(share.recipients[0].members, Some(800));
    assert_eq!(share.recipients[0].name.as_deref(), Some("Staff"));
    assert_eq!(share.recipients[1].guest, Some(true));
    assert_eq!(share.recipients[2], account("nobody"));
}

#[test]
fn a_run_tells_the_journals_head_as_it_was_when_it_ended() {
    let mut ledger = Ledger::temporary().unwrap();
    let head = |ledger: &Ledger, run: &Run| {
        let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
        stored.header().run.journal_head.clone()
    };
    let before = begin(&mut ledger, 0, &[]);
    finish(&mut ledger, &before);
    ledger.append(&entry("r1", None, Event::Begun)).unwrap();
    let first = ledger.journal_head().unwrap();
    let after = begin(&mut ledger, 1, &[]);
    finish(&mut ledger, &after);
    ledger.append(&entry("r1", None, Event::Ended)).unwrap();
    assert_eq!(head(&ledger, &before), None);
    assert!(first.is_some());
    assert_eq!(head(&ledger, &after), first);
}

#[test]
fn facts_and_plans_come_back_as_they_were_kept() {
    let mut ledger = Ledger::temporary().unwrap();
    assert_eq!(ledger.facts(&cloud()).unwrap(), None);
    begin(&mut ledger, 0, &[]);
    assert_eq!(ledger.facts(&cloud()).unwrap(), None);
    let mut facts = SourceFacts {
        max_expiry_days: Some(30),
        ..SourceFacts::default()
    };
    facts.set(Fact::LinkExpiryEnforced, true);
    ledger.keep_facts(&cloud(), &facts).unwrap();
    assert_eq!(ledger.facts(&cloud()).unwrap(), Some(facts));

    let plan = plan("p-1", vec![action("1", ActionKind::Revoke)]);
    ledger.record_plan(&plan).unwrap();
    assert_eq!(ledger.recorded_plan("p-1").unwrap(), Some(plan));
    assert_eq!(ledger.recorded_plan("p-2").unwrap(), None);
}

fn action(share: &str, kind: ActionKind) -> Action {
    Action {
        id: format!("a-{share}"),
        finding: FindingId::of(RuleId::LinkWithoutPassword, &cloud(), Some(share)),
        source: cloud(),
        share: share.to_owned(),
        item_path: "/Projects/plan".to_owned(),
        owner: "alice".to_owned(),
        action: kind,
        value: (kind == ActionKind::SetExpiry).then(|| "2027-01-31".to_owned()),
        reason: "link-without-password".to_owned(),
        act_as: Some("alice".to_owned()),
        also_ends: vec!["8".to_owned(), "9".to_owned()],
        expects: Expects::of(&link(share, "alice", false), Audience::Anyone),
    }
}

fn plan(id: &str, actions: Vec<Action>) -> Plan {
    Plan {
        schema: crate::plan::SCHEMA.to_owned(),
        id: id.to_owned(),
        created_at: at(0),
        expires_at: at(7),
        digest: "d".to_owned(),
        actions,
    }
}

/// Reads alice's shares and judges them by a rule of the test.
fn judged_night(
    ledger: &mut Ledger,
    day: i64,
    shares: Option<Vec<Share>>,
    judge: &mut dyn FnMut(&Share, &Past) -> Judged,
) -> Run {
    let run = begin(ledger, day, &[]);
    read(ledger, &run, &[("alice", shares), ("bob", Some(Vec::new()))]);
    let name = cloud();
    let judging = Judging {
        source: &name,
        classes: "",
        off: &[],
        left_out: &[],
        relist_every: WEEK,
    };
    ledger.judge_source(&run, judging, judge).unwrap();
    ledger.finish(&run, run.now, Verdict::Complete, &[]).unwrap();
    run
}

/// The ids of the shares that can be planned for.
fn plannable(ledger: &Ledger, narrowing: Narrowing<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let bare = ledger.plannable(&cloud(), narrowing, "", &mut |planned| {
        assert!(!planned.findings.is_empty());
        found.push(planned.share.id);
    });
    assert_eq!(bare.unwrap(), 0);
    found
}

#[test]
fn only_what_stands_open_can_be_planned() {
    let mut ledger = Ledger::temporary().unwrap();
    let mut by_id = |share: &Share, past: &Past| {
        let mut judged = judge(share, past);
        if share.id == "2" {
            judged.findings[0].waiver = Some(crate::model::WaiverNote {
                reason: "known".to_owned(),
                approved_by: "head".to_owned(),
                until: jiff::civil::date(2027, 1, 31),
            });
        }
        judged
    };
    let own = |id: &str, password| {
        let mut share = link(id, "alice", password);
        share.item.id = format!("file-{id}");
        share
    };
    let shares = |fixed: bool| {
        Some(vec![
            own("1", false),
            own("2", false),
            own("3", fixed),
            own("4", true),
        ])
    };
    judged_night(&mut ledger, 0, shares(false), &mut by_id);
    assert_eq!(plannable(&ledger, Narrowing::default()), ["1", "3"]);
    assert_eq!(ledger.known_shares(&cloud()).unwrap(), 4);
    judged_night(&mut ledger, 1, shares(true), &mut by_id);
    assert_eq!(
        plannable(&ledger, Narrowing::default()),
        ["1"],
        "the third was resolved"
    );
    let mut seen = Vec::new();
    ledger
        .plannable(&cloud(), Narrowing::default(), "", &mut |planned| {
            seen.push(planned);
        })
        .unwrap();
    assert_eq!(seen[0].past.first_seen, Some(at(0)));
    assert_eq!(seen[0].findings[0].checked_at, at(1));
    assert_eq!(seen[0].findings[0].level, Level::High);
    assert!(seen[0].findings[0].held && !seen[0].announced);

    let id = FindingId::of(RuleId::LinkWithoutPassword, &cloud(), Some("1"));
    let other = FindingId::of(RuleId::LinkWithoutPassword, &cloud(), Some("2"));
    for (narrowing, count) in [
        (
            Narrowing {
                users: &["alice".to_owned()],
                ..Narrowing::default()
            },
            1,
        ),
        (
            Narrowing {
                users: &["carol".to_owned()],
                ..Narrowing::default()
            },
            0,
        ),
        (
            Narrowing {
                rules: &[RuleId::LinkWithoutExpiry],
                ..Narrowing::default()
            },
            0,
        ),
        (
            Narrowing {
                rules: &[RuleId::LinkWithoutPassword],
                findings: &[id],
                ..Narrowing::default()
            },
            1,
        ),
        (
            Narrowing {
                findings: &[other],
                ..Narrowing::default()
            },
            0,
        ),
    ] {
        assert_eq!(plannable(&ledger, narrowing).len(), count, "{narrowing:?}");
    }

    judged_night(&mut ledger, 30, None, &mut by_id);
    assert_eq!(plannable(&ledger, Narrowing::default()), [""; 0], "not checked");
}

#[test]
fn findings_about_shares_without_particulars_are_counted() {
    let mut ledger = Ledger::temporary().unwrap();
    judged_night(&mut ledger, 0, Some(vec![link("1", "alice", false)]), &mut judge);
    ledger
        .connection
        .execute_batch("UPDATE share_version SET body = NULL")
        .unwrap();
    let bare = ledger.plannable(&cloud(), Narrowing::default(), "", &mut |planned| {
        panic!("{planned:?}")
    });
    assert_eq!(bare.unwrap(), 1);
}

#[test]
fn links_of_the_recipient_on_the_item_or_beneath_it_die_with_a_share() {
    let mut ledger = Ledger::temporary().unwrap();
    let run = begin(&mut ledger, 0, &[]);
    let on = |id: &str, path: &str, sharer: &str| {
        let mut share = link(id, "alice", false);
        share.item.id = format!("item {path}");
        share.item.path = path.to_owned();
        share.shared_by = Some(account(sharer));
        share
    };
    let to = |mut share: Share, kind, recipient: Principal| {
        share.kind = kind;
        share.anonymous = false;
        share.item.kind = ItemKind::Folder;
        share.recipients = vec![recipient];
        share
    };
    let staff = || Principal::new(PrincipalClass::Group, "staff");
    let with_bob = to(on("1", "/A", "alice"), ShareKind::User, account("bob"));
    let with_staff = to(on("2", "/A", "alice"), ShareKind::Group, staff());
    let mut carol = account("carol");
    carol.groups = vec!["pupils".to_owned(), "staff".to_owned()];
    absorb(&mut ledger, &run, "carol", vec![Reading::Principal(carol)]);
    let mut of_another = on("17", "/A", "bob");
    of_another.owner = account("dora");
    of_another.item.id = "item of dora's".to_owned();
    let shares = vec![
        with_bob.clone(),
        with_staff.clone(),
        on("10", "/A", "bob"),
        on("11", "/A/deep/er/file", "bob"),
        on("12", "/AB", "bob"),
        on("13", "/AB/file", "bob"),
        on("14", "/a/file", "bob"),
        on("15", "/", "bob"),
        on("16", "/A/file", "alice"),
        of_another,
        to(on("18", "/A/file", "bob"), ShareKind::User, account("erin")),
        on("19", "/A/file", "carol"),
        on("20", "/A%/file", "bob"),
    ];
    read(
        &mut ledger,
        &run,
        &[("alice", Some(shares)), ("bob", Some(Vec::new()))],
    );
    finish(&mut ledger, &run);
    let dying = |ledger: &Ledger, share: &Share| ledger.dying_with(share).unwrap();
    assert_eq!(dying(&ledger, &with_bob), ["10", "11"]);
    assert_eq!(dying(&ledger, &with_staff), ["19"]);
    let root = to(on("3", "/", "alice"), ShareKind::User, account("bob"));
    let all = ["10", "11", "12", "13", "14", "15", "20"];
    assert_eq!(dying(&ledger, &root), all);
    let nobody = to(on("4", "/A", "alice"), ShareKind::User, account("erin"));
    assert_eq!(dying(&ledger, &nobody), [""; 0]);
    let room = Principal::new(PrincipalClass::Room, "r");
    let with_room = to(on("5", "/A", "alice"), ShareKind::Room, room);
    assert_eq!(dying(&ledger, &with_room), ["10", "11", "19"], "whoever is in it");
    let unread = to(
        on("6", "/A", "alice"),
        ShareKind::Group,
        Principal::new(PrincipalClass::Group, "unread"),
    );
    assert_eq!(dying(&ledger, &unread), ["10", "11", "19"]);
    let mut file = with_bob.clone();
    file.item.kind = ItemKind::File;
    assert_eq!(dying(&ledger, &file), ["10"]);
    assert_eq!(
        dying(&ledger, &on("10", "/A", "bob")),
        [""; 0],
        "a link lets nobody share"
    );

    // Where it is not known what a share of theirs is of, it may end.
    ledger
        .connection
        .execute_batch(
            "UPDATE share_version SET body = NULL WHERE share = (SELECT id FROM share WHERE key = '12')",
        )
        .unwrap();
    assert_eq!(dying(&ledger, &with_bob), ["10", "11", "12"]);
    ledger
        .connection
        .execute_batch("UPDATE source SET kind = 'microsoft365'")
        .unwrap();
    assert_eq!(dying(&ledger, &with_bob), [""; 0]);
}

/// The `due` of each finding of a run's report.
fn due(ledger: &Ledger, run: &Run) -> Vec<Option<Timestamp>> {
    let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
    let mut due = Vec::new();
    stored
        .findings(&mut |finding| {
            due.push(finding.due);
            Ok(())
        })
        .unwrap();
    due
}

#[test]
fn a_run_tells_when_what_was_announced_is_due_and_tells_it_again() {
    let mut ledger = Ledger::temporary().unwrap();
    let one = || Some(vec![link("1", "alice", false)]);
    let first = judged_night(&mut ledger, 0, one(), &mut judge);
    let revoke = action("1", ActionKind::Revoke);
    let id = ledger
        .announce(None, &revoke, "announce", (at(0), at(14)))
        .unwrap();
    let again = ledger.announce(None, &revoke, "announce", (at(0), at(14)));
    assert!(again.is_err(), "one at a time");
    assert_eq!(due(&ledger, &first), [None], "it was over before");
    let announced = ledger.announced_for(&link("1", "alice", false)).unwrap().unwrap();
    assert_eq!(
        (announced.id, announced.due_at, announced.reminded_at),
        (id, at(14), None)
    );
    assert_eq!(announced.action, revoke);
    ledger.reminded(id, at(7)).unwrap();
    let standing = ledger.announced(&cloud()).unwrap();
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].reminded_at, Some(at(7)));

    let second = judged_night(&mut ledger, 1, one(), &mut judge);
    assert_eq!(due(&ledger, &second), [Some(at(14))]);
    let third = judged_night(&mut ledger, 2, one(), &mut judge);
    ledger.postpone(id, Some(&third), at(20)).unwrap();
    ledger.postpone(id, Some(&third), at(21)).unwrap();
    let fourth = judged_night(&mut ledger, 3, one(), &mut judge);
    ledger
        .end_announcement(id, Some(&fourth), at(3), (Ended::Cancelled, "waived"))
        .unwrap();
    let fifth = judged_night(&mut ledger, 4, one(), &mut judge);
    let told = [&first, &second, &third, &fourth, &fifth].map(|run| due(&ledger, run)[0]);
    assert_eq!(told, [None, Some(at(14)), Some(at(21)), None, None]);
    let day = at(14).strftime("%Y-%m-%d").to_string();
    for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
        let stored = ledger
            .stored_run(Some(&second.key), RunFilter::default())
            .unwrap();
        let mut out = Vec::new();
        report::write(format, report::Style::default(), &stored, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(&day), "{format}: {text}");
    }
    assert_eq!(ledger.announced(&cloud()).unwrap(), []);
    ledger
        .announce(Some(&fifth), &revoke, "announce", (at(4), at(30)))
        .unwrap();
    assert_eq!(due(&ledger, &fifth), [Some(at(30))]);
}

#[test]
fn a_receipt_ends_what_was_announced_if_as_much_was_done() {
    for (announced, deed, outcome, ends) in [
        (ActionKind::Revoke, Deed::Revoke, Outcome::Applied, true),
        (ActionKind::Revoke, Deed::Revoke, Outcome::AlreadyDone, true),
        (ActionKind::SetExpiry, Deed::SetExpiry, Outcome::Applied, true),
        (ActionKind::SetExpiry, Deed::Revoke, Outcome::Applied, true),
        (ActionKind::Revoke, Deed::SetExpiry, Outcome::Applied, false),
        (ActionKind::Revoke, Deed::Revoke, Outcome::Drifted, false),
        (ActionKind::Revoke, Deed::Revoke, Outcome::Refused, false),
        (ActionKind::Revoke, Deed::Revoke, Outcome::Failed, false),
        (
            ActionKind::SetExpiry,
            Deed::RestoreExpiry,
            Outcome::Applied,
            false,
        ),
        (ActionKind::Revoke, Deed::Recreate, Outcome::Applied, false),
    ] {
        let mut ledger = Ledger::temporary().unwrap();
        judged_night(
            &mut ledger,
            0,
            Some(vec![link("1", "alice", false), link("2", "alice", false)]),
            &mut judge,
        );
        for share in ["1", "2"] {
            assert!(!ledger.is_announced(&action(share, announced), "first").unwrap());
            ledger
                .announce(None, &action(share, announced), "first", (at(0), at(14)))
                .unwrap();
        }
        let receipt = Entry {
            share: Some("1".to_owned()),
            deed: Some(deed),
            outcome: Some(outcome),
            ..entry("r1", Some("a1"), Event::Receipt)
        };
        let intent = Entry {
            event: Event::Intent,
            ..receipt.clone()
        };
        ledger.append(&intent).unwrap();
        assert_eq!(ledger.announced(&cloud()).unwrap().len(), 2);
        ledger.append(&receipt).unwrap();
        let left = ledger.announced(&cloud()).unwrap();
        assert_eq!(
            left.len(),
            if ends { 1 } else { 2 },
            "{announced} {deed} {outcome}"
        );
        // By the same letter it was, and by another one it can be again.
        let one = action("1", announced);
        assert!(ledger.is_announced(&one, "first").unwrap());
        assert_eq!(ledger.is_announced(&one, "second").unwrap(), !ends);
    }
}

#[test]
fn what_is_to_be_ended_is_due_for_all_its_findings() {
    for (kind, expected) in [(ActionKind::Revoke, 2), (ActionKind::SetExpiry, 1)] {
        let mut ledger = Ledger::temporary().unwrap();
        let mut twice = |share: &Share, past: &Past| {
            let mut judged = judge(share, past);
            let mut other = judged.findings[0].clone();
            other.rule = RuleId::LinkWithoutExpiry;
            other.id = FindingId::of(other.rule, &share.source, Some(&share.id));
            judged.findings.push(other);
            judged
        };
        let shares = Some(vec![link("1", "alice", false)]);
        let run = judged_night(&mut ledger, 0, shares, &mut twice);
        ledger
            .announce(Some(&run), &action("1", kind), "announce", (at(0), at(14)))
            .unwrap();
        let due = due(&ledger, &run);
        assert_eq!(due.iter().flatten().count(), expected, "{kind} {due:?}");
        let life = ledger.life(&Life::Share("1".to_owned()), None).unwrap();
        for format in HistoryFormat::ALL {
            let mut out = Vec::new();
            history::write(*format, &life, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let day = at(14).strftime("%Y-%m-%d").to_string();
            assert_eq!(text.matches(&day).count(), expected, "{format}: {text}");
        }
    }
}

fn count(ledger: &Ledger, table: &str) -> i64 {
    ledger
        .connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

#[test]
fn plans_and_announcements_of_a_forgotten_owner_go_and_the_journal_stays() {
    let (_folder, mut ledger) = with_journal();
    let run = judged_night(&mut ledger, 0, Some(vec![link("1", "alice", false)]), &mut judge);
    let revoke = action("1", ActionKind::Revoke);
    let id = ledger
        .announce(Some(&run), &revoke, "announce", (at(0), at(14)))
        .unwrap();
    ledger.postpone(id, None, at(15)).unwrap();
    ledger.record_plan(&plan("p-1", vec![revoke.clone()])).unwrap();
    let mut of_bob = revoke;
    of_bob.owner = "bob".to_owned();
    ledger.record_plan(&plan("p-2", vec![of_bob])).unwrap();
    ledger.forget_owner("alice", &cloud()).unwrap();
    assert_eq!(ledger.recorded_plan("p-1").unwrap(), None);
    assert!(ledger.recorded_plan("p-2").unwrap().is_some());
    assert_eq!(
        (count(&ledger, "announcement"), count(&ledger, "announcement_due")),
        (0, 0)
    );
    assert_eq!(ledger.verify_journal(None).unwrap().unwrap().entries, 6);
    earlier::assert_sound(&ledger);
}

#[test]
fn old_plans_go_and_announcements_once_no_run_tells_of_them() {
    let mut ledger = Ledger::temporary().unwrap();
    ledger.append(&entry("r1", None, Event::Begun)).unwrap();
    let one = || Some(vec![link("1", "alice", false)]);
    let revoke = action("1", ActionKind::Revoke);
    let first = judged_night(&mut ledger, 0, one(), &mut judge);
    let id = ledger
        .announce(Some(&first), &revoke, "announce", (at(0), at(14)))
        .unwrap();
    let second = judged_night(&mut ledger, 10, one(), &mut judge);
    ledger
        .end_announcement(id, Some(&second), at(10), (Ended::Done, "applied"))
        .unwrap();
    ledger.record_plan(&plan("p-1", vec![revoke.clone()])).unwrap();
    ledger
        .announce(None, &revoke, "announce", (at(11), at(30)))
        .unwrap();
    judged_night(&mut ledger, 20, one(), &mut judge);
    ledger.forget_before(at(0)).unwrap();
    assert_eq!((count(&ledger, "plan"), count(&ledger, "announcement")), (1, 2));
    ledger.forget_before(at(19)).unwrap();
    assert_eq!((count(&ledger, "plan"), count(&ledger, "announcement")), (0, 1));
    assert_eq!(ledger.announced(&cloud()).unwrap()[0].due_at, at(30));
    assert_eq!(ledger.verify_journal(None).unwrap().unwrap().entries, 1);
    earlier::assert_sound(&ledger);
}
