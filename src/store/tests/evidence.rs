//! Records of use stay with their finding until somebody closes the incident, whatever becomes of the share.

use super::earlier::assert_sound;
use super::*;
use crate::model::{LinkUse, Origin, SourceFacts};
use crate::policy::{Judge, Policy, fixtures};

fn used(record: &str, day: i64) -> Reading {
    Reading::Used(LinkUse {
        share: "1".to_owned(),
        record: record.to_owned(),
        at: at(day),
        origin: Origin::Untold,
    })
}

/// A night in which alice has these links, and these records are told.
fn begun(ledger: &mut Ledger, day: i64, shares: &[&str], records: &[Reading]) -> Run {
    let run = begin(ledger, day, &[]);
    let shares = shares.iter().map(|id| link(id, "alice", false)).collect();
    read(
        ledger,
        &run,
        &[("alice", Some(shares)), ("bob", Some(Vec::new()))],
    );
    absorb(ledger, &run, "alice", records.to_vec());
    run
}

/// Judges by what is on record.
fn ended(ledger: &mut Ledger, run: &Run) {
    let policy = Policy {
        evidence: true,
        ..fixtures::policy()
    };
    let (facts, name) = (SourceFacts::default(), cloud());
    let judge = Judge::new(&policy, &facts, run.now).only(&[RuleId::BreachSuspected]);
    let judging = Judging {
        source: &name,
        classes: "",
        off: &[],
        left_out: &[],
        relist_every: WEEK,
    };
    ledger
        .judge_source(run, judging, &mut |share, past| judge.share(share, past))
        .unwrap();
    ledger.finish(run, run.now, Verdict::Complete, &[]).unwrap();
    assert_sound(ledger);
}

fn night(ledger: &mut Ledger, day: i64, shares: &[&str], records: &[Reading]) -> Vec<(String, Status)> {
    let run = begun(ledger, day, shares, records);
    ended(ledger, &run);
    told(ledger, &run)
}

fn close(ledger: &mut Ledger, day: i64) -> Result<Closed> {
    ledger.close_incident(&Closing {
        finding: FindingId::of(RuleId::BreachSuspected, &cloud(), Some("1")),
        outcome: "nothing to report".to_owned(),
        by: "head of compliance".to_owned(),
        at: at(day),
    })
}

fn is(status: Status) -> Vec<(String, Status)> {
    vec![("1".to_owned(), status)]
}

fn count(ledger: &Ledger, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    ledger.connection.query_row(&query, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_no_report_told_of_is_not_closed() {
    let mut ledger = Ledger::temporary().unwrap();
    assert!(matches!(close(&mut ledger, 0), Err(StoreError::Unknown { .. })));
    assert_eq!(night(&mut ledger, 0, &["1"], &[used("a", 0)]), is(Status::New));
    // A scan is under way, and has found more.
    let run = begun(&mut ledger, 1, &["1"], &[used("b", 1)]);
    let closed = close(&mut ledger, 1).unwrap();
    assert_eq!((closed.records, closed.untold), (1, 1));
    ended(&mut ledger, &run);
    assert_eq!(told(&ledger, &run), is(Status::Open));
    // Found before a change, and told by no run yet.
    ledger.keep_evidence(&cloud(), &[used("c", 1)]).unwrap();
    let closed = close(&mut ledger, 1).unwrap();
    assert_eq!((closed.records, closed.untold), (1, 1));
    assert_eq!(night(&mut ledger, 2, &["1"], &[]), is(Status::Open));
    assert_eq!(close(&mut ledger, 2).unwrap().untold, 0);
    assert!(matches!(
        close(&mut ledger, 2),
        Err(StoreError::ClosedBefore { .. })
    ));
    assert_eq!(
        night(&mut ledger, 3, &["1"], &[used("c", 1)]),
        is(Status::Resolved)
    );
    // The same record tells of a later use.
    assert_eq!(night(&mut ledger, 4, &["1"], &[used("c", 4)]), is(Status::Open));
}

#[test]
fn an_open_incident_outlives_its_share_and_the_runs_that_told_of_it() {
    let mut ledger = Ledger::temporary().unwrap();
    night(&mut ledger, 0, &["1", "2"], &[used("a", 0)]);
    night(&mut ledger, 1, &["2"], &[]);
    assert_eq!(night(&mut ledger, 30, &["2"], &[]), is(Status::Open));
    ledger.forget_before(at(30)).unwrap();
    assert_sound(&ledger);
    let (standing, held) = ledger.incidents().unwrap();
    assert_eq!((standing.len(), held), (0, 1), "it is of the baseline");
    assert_eq!(night(&mut ledger, 31, &["2"], &[]), is(Status::Open));
    close(&mut ledger, 31).unwrap();
    assert_eq!(night(&mut ledger, 32, &["2"], &[]), is(Status::Resolved));
    assert_eq!(night(&mut ledger, 33, &["2"], &[]), []);
    ledger.forget_before(at(33)).unwrap();
    assert_sound(&ledger);
    for table in ["link_use", "incident", "finding"] {
        assert_eq!(count(&ledger, table), 0, "{table}");
    }
}
