//! Nights before a service that lies in memory: read by the scan, changed by what enforces, told by letters that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};
use proptest::test_runner::{Config, TestRunner};
use proptest::{collection::vec, prelude::*};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Kept, Letters, Night, Reach, keep};
use crate::enforce::{Conditions, Journal as _, Who};
use crate::model::{
    Classes, Expiry, Fact, FindingId, KnownScope, Level, PrincipalClass, ProblemCode, Reading, RequestTotals,
    Right, RuleId, Scope, ScopeOutcome, Share, ShareKind, SourceFacts, SourceKind, SourceName, Verdict, Want,
};
use crate::notify::{self, Outcome};
use crate::plan::{Action, Calendar, Caps, Change, EnforceRule, Expects, Freeze, Notices, Plan, Subject};
use crate::policy::fixtures::{days, facts, link, named, waiver};
use crate::policy::{Filter, Policy, Waiver};
use crate::provider::{
    Found, Listed, Lost, Opened, Pace, Place, ReadError, Reader, Sink, Target, Unready, WriteError, Writer,
};
use crate::report::Pages as _;
use crate::report::ndjson::Event as Became;
use crate::run::{Part, Planned, Scan, Scanned, apply, scan, undo};
use crate::store::{Ledger, LetterStart, Release, Run, RunFilter, StoreError, Telling};

/// What was changed through the service's interface: when, which share, and until when it was let live.
type Changed = (Timestamp, String, Option<String>);

#[derive(Default)]
struct World {
    now: Timestamp,
    shares: BTreeMap<String, Share>,
    changed: Vec<Changed>,
    /// What was there before each change.
    before: Vec<Share>,
    /// Nothing can be read.
    down: bool,
    /// Nothing can be changed.
    refuses: bool,
    /// Changes are made, and the answer never comes.
    hangs: bool,
    /// Whoever read all waits for this before saying so.
    waits_for: Option<Arc<Notify>>,
    /// No single share can be looked at: whoever could left.
    blind: bool,
}

/// A service in memory.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<World>>);

impl Service {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn put(&self, share: Share) {
        self.world().shares.insert(share.id.clone(), share);
    }

    fn alter(&self, id: &str, change: impl FnOnce(&mut Share)) {
        if let Some(share) = self.world().shares.get_mut(id) {
            change(share);
        }
    }
}

const OWNERS: [&str; 2] = ["alice", "carol"];

/// Somebody's link to a file.
fn of(owner: &str, id: &str) -> Share {
    let owner = named(owner, &format!("{owner}@example.org"));
    let mut share = link(&format!("/{id}"));
    share.item.id = format!("file-{id}");
    Share {
        id: id.to_owned(),
        shared_by: Some(owner.clone()),
        owner,
        ..share
    }
}

impl Reader for Service {
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>> {
        let down = self.world().down;
        let result = if down {
            Err(ReadError::service(ProblemCode::Unreachable, "nobody answers"))
        } else {
            Ok(facts(&[(Fact::AccountDetailsRead, true)]))
        };
        Box::pin(async { result })
    }

    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>> {
        Box::pin(async { Ok(None) })
    }

    fn discover<'a>(&'a self, _: &'a [String], sink: &'a Sink) -> BoxFuture<'a, Result<Listed, ReadError>> {
        Box::pin(async {
            let mut told = sink.of(None);
            for id in OWNERS {
                let account = named(id, &format!("{id}@example.org"));
                told.push(Reading::Principal(account.clone())).await?;
                let (id, account) = (id.to_owned(), Some(account));
                told.push(Reading::Scope(Scope { id, account })).await?;
            }
            told.flush().await?;
            Ok(Listed {
                accounts: true,
                scopes: true,
            })
        })
    }

    fn read<'a>(&'a self, known: KnownScope, sink: &'a Sink) -> BoxFuture<'a, Pace> {
        Box::pin(async move {
            let scope = known.scope.id;
            let shares: Vec<Share> = self.world().shares.values().cloned().collect();
            let mut told = sink.of(Some(&scope));
            for share in shares.into_iter().filter(|share| share.owner.id == scope) {
                told.push(Reading::Share(Box::new(share))).await.unwrap();
            }
            told.flush().await.unwrap();
            let waits_for = self.world().waits_for.clone();
            if let Some(go) = waits_for {
                go.notified().await;
                go.notify_one();
            }
            let outcome = Reading::Outcome {
                scope: scope.clone(),
                outcome: ScopeOutcome::Scanned,
                searched: false,
            };
            told.push(outcome).await.unwrap();
            told.flush().await.unwrap();
            Pace::Read
        })
    }

    fn looks_up(&self, _: bool) -> &'static [PrincipalClass] {
        &[]
    }

    fn look_up<'a>(
        &'a self,
        _: PrincipalClass,
        _: &'a [String],
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    fn enrich<'a>(
        &'a self,
        _: &'a str,
        _: Vec<Want>,
        _: &'a Arc<Classes>,
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    fn witness<'a>(
        &'a self,
        _: Vec<crate::model::Look>,
        _: Timestamp,
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    fn totals(&self) -> RequestTotals {
        RequestTotals::default()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &[]
    }
}

impl Service {
    async fn change(&self, id: &str, value: Option<&str>) -> Result<(), WriteError> {
        let hangs = {
            let mut world = self.world();
            if world.refuses {
                let words = "the service refuses";
                return Err(WriteError::refused(ProblemCode::Forbidden, words));
            }
            let (at, before) = (world.now, world.shares.get(id).cloned());
            world.before.extend(before);
            world.changed.push((at, id.to_owned(), value.map(str::to_owned)));
            match (value, world.shares.get_mut(id)) {
                (Some(day), Some(share)) => share.expires = ends(day),
                _ => drop(world.shares.remove(id)),
            }
            world.hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// A date, as the service states it.
fn ends(day: &str) -> Expiry {
    let date: jiff::civil::Date = day.parse().unwrap();
    Expiry::At {
        stated: day.to_owned(),
        instant: date.to_zoned(TimeZone::UTC).unwrap().timestamp(),
    }
}

impl Writer for Service {
    fn open(&self) -> BoxFuture<'_, Result<Opened, WriteError>> {
        let date = Some(self.world().now);
        let facts = SourceFacts::default();
        Box::pin(async move { Ok(Opened { facts, date }) })
    }

    fn may_act_as<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async { Ok(()) })
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Found, WriteError>> {
        if self.world().blind {
            return Box::pin(async {
                Err(WriteError::refused(ProblemCode::Forbidden, "nobody of that name"))
            });
        }
        let found = self.world().shares.get(&target.share).cloned();
        let found = found.map_or(Found::Gone, |share| Found::Share(Box::new(share)));
        Box::pin(async { Ok(found) })
    }

    fn read_all<'a>(
        &'a self,
        _: &'a Place,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read_links_beneath<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn set_expiry<'a>(
        &'a self,
        target: &'a Target,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(self.change(&target.share, value))
    }

    fn revoke<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(self.change(&target.share, None))
    }

    fn irrecoverable(&self, _: &SourceFacts, _: &Lost) -> Option<&'static str> {
        None
    }

    fn recreate<'a>(
        &'a self,
        _: &'a Lost,
        _: Option<&'a SecretString>,
    ) -> BoxFuture<'a, Result<String, WriteError>> {
        Box::pin(async { Err(WriteError::refused(ProblemCode::Forbidden, "not here")) })
    }

    fn set_password<'a>(
        &'a self,
        _: &'a Target,
        _: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(async { Err(WriteError::refused(ProblemCode::Forbidden, "not here")) })
    }
}

/// What becomes of letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mail {
    #[default]
    Works,
    /// None is accepted.
    Refused,
    /// The owner's address is not known.
    Fallback,
    /// It turns out late that the owner's address does not work.
    Bounces,
    /// The program is killed as soon as a letter was accepted.
    Killed,
}

/// A letter that was accepted.
struct Taken {
    at: Timestamp,
    by: Reach,
    notices: Notices,
}

/// Letters that are kept.
#[derive(Default)]
struct Post {
    mail: Mail,
    now: Timestamp,
    kept: Vec<Taken>,
}

impl Letters for Post {
    fn reaches(&self, _: &Ledger, _: &Share, _: &Action) -> Result<Option<Reach>, StoreError> {
        Ok(Some(if self.mail == Mail::Fallback {
            Reach::Fallback
        } else {
            Reach::Owner
        }))
    }

    fn tell<'a>(
        &'a mut self,
        ledger: &'a mut Ledger,
        notices: &'a Notices,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if notices.is_empty() {
                return Ok(());
            }
            let (by, told) = if self.mail == Mail::Bounces {
                (Reach::Fallback, notify::Reader::Fallback)
            } else {
                (Reach::Owner, notify::Reader::Owner)
            };
            let key = format!("letter-{}-{}", self.now, self.kept.len());
            let start = LetterStart {
                key: &key,
                thread: "thread",
                reader: "reader",
                address: "alice@example.org",
                told,
                instead: None,
                run: "",
                content: "",
                at: self.now,
            };
            ledger.letter_begins(&start, |_, tell| {
                notices.iter().try_for_each(|((source, share), notice)| {
                    tell(&Telling {
                        finding: FindingId::of(RuleId::LinkWithoutExpiry, source, Some(share)),
                        source: source.clone(),
                        account: None,
                        stood: "{}".to_owned(),
                        due: None,
                        in_full: true,
                        notice: Some(notice.clone()),
                    })
                })
            })?;
            let outcome = if self.mail == Mail::Refused {
                Outcome::Refused
            } else {
                Outcome::Accepted
            };
            ledger.letter_ended(&key, outcome, self.now, "")?;
            if outcome == Outcome::Accepted {
                let (at, notices) = (self.now, notices.clone());
                self.kept.push(Taken { at, by, notices });
            }
            if self.mail == Mail::Killed {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

/// Night after night.
struct Bench {
    service: Service,
    ledger: Option<Ledger>,
    post: Post,
    policy: Policy,
    rules: Vec<EnforceRule>,
    caps: Caps,
    calendar: Calendar,
    on: bool,
    /// What was waived, and not made wider since: a waiver covers no more than what was accepted.
    accepted: BTreeSet<String>,
    runtime: tokio::runtime::Runtime,
}

fn rule(rule: RuleId, change: Change) -> EnforceRule {
    EnforceRule {
        rule,
        filter: Filter {
            rule: Some(rule),
            ..Filter::default()
        },
        min_level: None,
        change,
    }
}

const REVOKE: Change = Change::Revoke {
    file_drops: true,
    collateral: true,
};

fn expire(days: i64) -> Change {
    Change::SetExpiry {
        after: Span::new().days(days),
    }
}

fn cloud() -> SourceName {
    SourceName::new("cloud")
}

/// What a night came to, in numbers: announced, reminded, cancelled, done.
fn sums(kept: &Kept) -> (u64, u64, usize, u64) {
    (kept.announced, kept.reminded, kept.cancelled.len(), kept.done)
}

/// The source, read in some way.
fn part(reader: Box<dyn Reader>) -> Part {
    Part {
        name: cloud(),
        kind: SourceKind::Nextcloud,
        reader,
        in_flight: 1,
        stop_after: Duration::from_mins(1),
        relist_every: SignedDuration::from_hours(7 * 24),
        remembers: true,
        managed: None,
        progress: crate::run::Progress::default(),
    }
}

/// A scan of everything.
async fn scanned(ledger: Ledger, policy: &Policy, parts: &[Part], now: Timestamp) -> Scanned {
    let request = Scan {
        now,
        users: Vec::new(),
        rules: Vec::new(),
        all_sources: true,
        exclusions: 0,
    };
    let (policy, cancel) = (Arc::new(policy.clone()), CancellationToken::new());
    scan(ledger, &policy, parts, &request, || now, &cancel)
        .await
        .unwrap()
}

impl Bench {
    /// After a first night without any share: nothing that comes is of the baseline.
    fn new() -> Self {
        let mut bench = Self::unread();
        assert_eq!(sums(&bench.night(0)), (0, 0, 0, 0));
        bench
    }

    fn unread() -> Self {
        Self {
            service: Service::default(),
            ledger: Some(Ledger::temporary().unwrap()),
            post: Post::default(),
            policy: crate::policy::fixtures::policy(),
            rules: vec![
                rule(RuleId::LinkWithoutExpiry, expire(30)),
                rule(RuleId::LinkAllowsEditing, REVOKE),
            ],
            caps: Caps {
                changes: 50,
                percent: 100.0,
            },
            calendar: Calendar {
                zone: TimeZone::UTC,
                freeze: Vec::new(),
                grace: Span::new().days(14),
            },
            on: true,
            accepted: BTreeSet::new(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().unwrap()
    }

    fn night(&mut self, day: i64) -> Kept {
        self.night_at(days(day)).unwrap()
    }

    /// Scans and keeps what was promised; `None` where it was killed.
    fn night_at(&mut self, now: Timestamp) -> Option<Kept> {
        let run = self.scan(now);
        self.keep(&run, now)
    }

    fn scan(&mut self, now: Timestamp) -> Run {
        let part = part(Box::new(self.service.clone()));
        self.scan_of(now, &[part])
    }

    fn scan_of(&mut self, now: Timestamp, parts: &[Part]) -> Run {
        self.service.world().now = now;
        let ledger = self.ledger.take().unwrap();
        let scanned = self.runtime.block_on(scanned(ledger, &self.policy, parts, now));
        self.ledger = Some(scanned.ledger);
        scanned.run
    }

    fn writers(&self) -> BTreeMap<SourceName, Box<dyn Writer>> {
        BTreeMap::from([(cloud(), Box::new(self.service.clone()) as Box<dyn Writer>)])
    }

    fn keep(&mut self, run: &Run, now: Timestamp) -> Option<Kept> {
        self.post.now = now;
        let (name, writers, cancel) = (cloud(), self.writers(), CancellationToken::new());
        let clock = || now;
        let night = Night {
            run,
            clock: &clock,
            on: self.on,
            policy: &self.policy,
            rules: &self.rules,
            caps: self.caps,
            calendar: &self.calendar,
            sources: &[Planned {
                name: &name,
                kind: SourceKind::Nextcloud,
                usable: &|_| true,
            }],
            writers: &writers,
            rehearsal: false,
            cancel: &cancel,
        };
        // Nothing here ever waits, but for what is killed.
        let kept = keep(self.ledger.as_mut().unwrap(), &night, &mut self.post).now_or_never();
        kept.map(Result::unwrap)
    }

    fn changed(&self) -> Vec<Changed> {
        self.service.world().changed.clone()
    }

    /// Why what was announced was called off.
    fn whys(kept: &Kept) -> Vec<&str> {
        kept.cancelled.iter().map(|(_, why)| why.as_str()).collect()
    }
}

#[test]
fn what_is_announced_is_reminded_of_and_done_to_the_announced_value() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    assert_eq!(sums(&bench.night(1)), (1, 0, 0, 0));
    let standing = bench.ledger().announced(&cloud()).unwrap();
    assert_eq!(standing[0].due_at, days(15));
    assert_eq!(standing[0].action.value.as_deref(), Some("2027-01-06"));
    for night in 2..10 {
        assert_eq!(sums(&bench.night(night)), (0, 0, 0, 0), "{night}");
    }
    assert_eq!(sums(&bench.night(10)), (0, 1, 0, 0));
    for night in 11..15 {
        assert_eq!(sums(&bench.night(night)), (0, 0, 0, 0), "{night}");
    }
    assert_eq!(bench.changed(), []);
    assert_eq!(sums(&bench.night(15)), (0, 0, 0, 1));
    let done = (days(15), "1".to_owned(), Some("2027-01-06".to_owned()));
    assert_eq!(bench.changed(), [done]);
    assert_eq!(sums(&bench.night(16)), (0, 0, 0, 0));
    assert_eq!(bench.ledger().announced(&cloud()).unwrap(), []);
    assert_eq!(bench.post.kept.len(), 2);
}

#[test]
fn what_is_fixed_waived_changed_or_gone_is_called_off() {
    type Deed = fn(&mut Bench);
    for (deed, why) in [
        (
            (|bench| {
                bench
                    .service
                    .alter("1", |share| share.expires = ends("2026-12-24"));
            }) as Deed,
            "it was put right",
        ),
        (
            |bench| drop(bench.service.world().shares.remove("1")),
            "it was put right",
        ),
        (
            |bench| {
                bench.policy.waivers.push(Waiver {
                    share: Some("1".to_owned()),
                    ..waiver()
                });
            },
            "it was waived",
        ),
        (
            |bench| {
                bench
                    .service
                    .alter("1", |share| share.access = share.access.with(Right::Edit));
            },
            "changed since: access",
        ),
        (
            |bench| bench.service.alter("1", |share| share.password = Some(true)),
            "changed since: password",
        ),
        (
            |bench| bench.service.alter("1", |share| share.inherited = true),
            "it comes from a folder above",
        ),
        (|bench| bench.rules.clear(), "nothing that stands open asks"),
        (
            |bench| bench.rules[0].change = expire(90),
            "the configuration lets it stay longer",
        ),
        (
            |bench| {
                bench.policy.levels.insert(RuleId::LinkWithoutExpiry, None);
                bench.policy.rules_digest = "other".to_owned();
            },
            "the configuration no longer finds fault",
        ),
        (|bench| bench.on = false, "enforcement was switched off"),
    ] {
        for night in [5, 15] {
            let mut bench = Bench::new();
            bench.service.put(of("alice", "1"));
            bench.night(1);
            if night == 15 {
                assert_eq!(bench.night(12).reminded, 1);
            }
            deed(&mut bench);
            let kept = bench.night(night);
            assert_eq!(kept.cancelled.len(), 1, "{why}: {kept:?}");
            assert!(Bench::whys(&kept)[0].contains(why), "{:?}", Bench::whys(&kept));
            assert!(kept.done == 0 && kept.failed.is_empty());
            for night in 16..25 {
                bench.night(night);
            }
            assert_eq!(bench.changed(), [], "{why}");
        }
    }
}

#[test]
fn what_was_not_read_this_night_is_neither_done_nor_called_off() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    assert_eq!(bench.night(12).reminded, 1);
    bench.service.world().down = true;
    bench.service.put(of("carol", "2"));
    for night in [15, 16] {
        let kept = bench.night(night);
        assert_eq!(sums(&kept), (0, 0, 0, 0));
        assert!(kept.failed.is_empty());
    }
    assert_eq!(bench.ledger().announced(&cloud()).unwrap().len(), 1);
    assert_eq!(bench.changed(), []);
    bench.service.world().down = false;
    assert_eq!(
        sums(&bench.night(17)),
        (1, 0, 0, 1),
        "the reminder is not too old"
    );
}

#[test]
fn nothing_is_done_in_a_source_that_was_left_out_this_night() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    bench.service.put(of("alice", "2"));
    let run = bench.scan_of(days(2), &[]);
    assert_eq!(sums(&bench.keep(&run, days(2)).unwrap()), (0, 0, 0, 0));
    let run = bench.scan_of(days(12), &[]);
    assert_eq!(bench.keep(&run, days(12)).unwrap().reminded, 0);
    assert_eq!(bench.night(13).reminded, 1);
    let run = bench.scan_of(days(15), &[]);
    assert_eq!(sums(&bench.keep(&run, days(15)).unwrap()), (0, 0, 0, 0));
    assert_eq!(bench.changed(), []);
    assert_eq!(bench.night(16).done, 1);
}

/// How the source fared in a run, how many findings it is said to have, and what changed in it.
fn told_of(ledger: &Ledger, run: &Run) -> (Verdict, u64, Vec<Became>) {
    let stored = ledger.stored_run(Some(&run.key), RunFilter::default()).unwrap();
    let mut events = Vec::new();
    let told = stored.transitions(&mut |_, happening| {
        events.push(happening.event);
        Ok(())
    });
    told.unwrap().unwrap();
    let header = stored.header();
    (header.sources[0].verdict, header.totals.findings, events)
}

#[test]
fn a_source_that_another_scan_reads_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let mut bench = Bench::unread();
    bench.ledger = Some(Ledger::open(&state).unwrap());
    bench.night(0);
    bench.service.put(of("alice", "1"));
    // Too far ahead, by the policy of then.
    let mut far = of("alice", "2");
    far.expires = ends("2027-03-31");
    bench.service.put(far);
    bench.night(1);
    assert_eq!(bench.night(12).reminded, 1);
    let run = bench.scan(days(13));
    assert_eq!(told_of(bench.ledger(), &run), (Verdict::Complete, 4, vec![]));

    // Another scan, by the policy of then, has read half of what is there when the night begins.
    bench
        .service
        .alter("1", |share| share.label = Some("changed".to_owned()));
    bench.service.put(of("alice", "3"));
    let go = Arc::new(Notify::new());
    bench.service.world().waits_for = Some(Arc::clone(&go));
    let theirs = Ledger::open(&state).unwrap();
    let mut ours = bench.ledger.take().unwrap();
    let (then, read) = (bench.policy.clone(), [part(Box::new(bench.service.clone()))]);
    bench.policy.max_expiry = Span::new().days(365);
    bench.policy.rules_digest = "another".to_owned();
    let left = [part(Box::new(Unready::new(
        ProblemCode::BeingScanned,
        "another scan reads it",
    )))];
    let night = async {
        while ours.known_shares(&cloud()).unwrap() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let night = scanned(ours, &bench.policy, &left, days(15)).await;
        let told = told_of(&night.ledger, &night.run);
        go.notify_one();
        (night, told)
    };
    let (theirs, (night, told)) = bench
        .runtime
        .block_on(async { tokio::join!(scanned(theirs, &then, &read, days(14)), night) });
    ours = night.ledger;
    assert_eq!(
        told,
        (Verdict::Incomplete, 4, vec![]),
        "it tells nothing of theirs"
    );
    // The night does nothing there, be it due, and takes nothing for gone; what the other scan found stands.
    bench.ledger = Some(ours);
    let kept = bench.keep(&night.run, days(15)).unwrap();
    assert_eq!(sums(&kept), (0, 0, 0, 0));
    let (verdict, findings, events) = told_of(bench.ledger(), &theirs.run);
    assert_eq!((verdict, findings), (Verdict::Complete, 6));
    assert_eq!(events, [Became::Opened, Became::Opened, Became::ShareChanged]);
    let (verdict, findings, events) = told_of(bench.ledger(), &night.run);
    assert_eq!((verdict, findings, events), (Verdict::Incomplete, 6, vec![]));
    drop(theirs);

    // The next one does, and knows that the policy, and nobody else, put the other share right.
    bench.service.world().waits_for = None;
    let run = bench.scan(days(16));
    let kept = bench.keep(&run, days(16)).unwrap();
    assert_eq!((kept.announced, kept.done), (1, 1));
    let (verdict, _, events) = told_of(bench.ledger(), &run);
    assert_eq!(
        (verdict, events),
        (Verdict::Complete, vec![Became::ClosedByPolicy])
    );
}

#[test]
fn after_missed_nights_the_owner_is_reminded_again_first() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    assert_eq!(bench.night(10).reminded, 1);
    let kept = bench.night(20);
    assert_eq!(sums(&kept), (0, 1, 0, 0));
    assert_eq!(kept.postponed, 1);
    let due = bench.ledger().announced(&cloud()).unwrap()[0].due_at;
    assert_eq!(due, days(21));
    assert_eq!(sums(&bench.night(21)), (0, 0, 0, 1));
    assert_eq!(
        bench.changed()[0].2.as_deref(),
        Some("2027-01-06"),
        "as announced"
    );
    // A reminder that nobody took is none.
    bench.service.put(of("carol", "2"));
    bench.night(22);
    bench.post.mail = Mail::Refused;
    for night in [33, 36, 40] {
        let kept = bench.night(night);
        assert_eq!((kept.reminded, kept.untold, kept.done), (0, 1, 0));
    }
    bench.post.mail = Mail::Bounces;
    assert_eq!(bench.night(41).reminded, 0);
    assert_eq!(bench.changed().len(), 1);
}

#[test]
fn nothing_is_done_on_days_that_are_frozen() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    assert_eq!(bench.night(13).reminded, 1);
    let day = |night| days(night).to_zoned(TimeZone::UTC).date();
    bench.calendar.freeze.push(Freeze {
        first: day(15),
        last: day(17),
    });
    let kept = bench.night(14);
    assert_eq!((kept.postponed, sums(&kept)), (1, (0, 0, 0, 0)));
    bench.calendar.freeze.push(Freeze {
        first: day(18),
        last: day(18),
    });
    let kept = bench.night(18);
    assert_eq!((kept.postponed, kept.done), (1, 0));
    // The reminder is too old by then.
    assert_eq!(bench.night(19).reminded, 1);
    assert_eq!(bench.night(20).done, 1);
    // It falls due on the first day that is free.
    bench.service.put(of("alice", "2"));
    bench.calendar.freeze.push(Freeze {
        first: day(30),
        last: day(40),
    });
    bench.night(21);
    let standing = bench.ledger().announced(&cloud()).unwrap();
    assert_eq!(standing[0].due_at, days(41));
    // And its date counts from there.
    assert_eq!(
        standing[0].action.value.as_deref(),
        Some(days(71).to_zoned(TimeZone::UTC).date().to_string().as_str())
    );
}

#[test]
fn what_is_of_the_baseline_waits_for_its_release() {
    let mut bench = Bench::unread();
    bench.service.put(of("alice", "1"));
    for night in 0..3 {
        let kept = bench.night(night);
        assert_eq!((sums(&kept), kept.waiting), ((0, 0, 0, 0), 0));
    }
    let release = Release {
        source: &cloud(),
        rules: &[],
        min_level: Level::Info,
    };
    bench.ledger.as_mut().unwrap().release_baseline(release).unwrap();
    assert_eq!(bench.night(3).announced, 1);
}

#[test]
fn no_more_falls_due_on_a_day_than_may_be_changed() {
    let mut bench = Bench::new();
    bench.caps.changes = 2;
    for id in ["1", "2", "3", "4", "5"] {
        bench.service.put(of("alice", id));
    }
    // The most severe first.
    bench
        .service
        .alter("4", |share| share.access = share.access.with(Right::Edit));
    let kept = bench.night(1);
    assert_eq!((kept.announced, kept.waiting), (2, 3));
    let announced = |bench: &Bench| {
        let standing = bench.ledger().announced(&cloud()).unwrap();
        let shares = standing.into_iter().map(|one| one.action.share);
        shares.collect::<BTreeSet<_>>()
    };
    assert!(announced(&bench).contains("4"));
    // A second run on the same day finds no more room on the day when all that would fall due.
    let kept = bench.night_at(days(1) + SignedDuration::from_hours(3)).unwrap();
    assert_eq!((kept.announced, kept.waiting), (0, 3));
    assert_eq!(bench.night(2).announced, 2);
    assert_eq!(bench.night(3).announced, 1);
    for night in 4..14 {
        bench.night(night);
    }
    // Nights were missed: all are reminded of again, and are due at once.
    assert_eq!(bench.night(19).reminded, 5);
    for (night, done, left) in [(20, 2, 3), (21, 2, 1), (22, 1, 0)] {
        let kept = bench.night(night);
        assert_eq!((kept.done, kept.left), (done, left), "{night} {kept:?}");
    }
    assert_eq!(bench.changed()[0].1, "4");
    // Of what is known, only a part may be changed.
    bench.caps.percent = 15.0;
    for id in ["6", "7"] {
        bench.service.put(of("carol", id));
    }
    let kept = bench.night(23);
    assert_eq!((kept.announced, kept.waiting), (0, 2), "15 % of 6");
    bench.service.put(of("carol", "8"));
    assert_eq!(bench.night(24).announced, 1, "15 % of 7");
}

#[test]
fn what_only_somebody_else_was_told_is_never_done() {
    for mail in [Mail::Fallback, Mail::Bounces] {
        let mut bench = Bench::new();
        bench.post.mail = mail;
        bench.service.put(of("alice", "1"));
        for night in 1..40 {
            let kept = bench.night(night);
            assert_eq!(sums(&kept), (0, 0, 0, 0));
            assert_eq!(kept.fallback_only + kept.untold, 1);
        }
        assert_eq!(bench.changed(), []);
        bench.post.mail = Mail::Works;
        assert_eq!(bench.night(40).announced, 1, "once the owner can be told");
    }
}

#[test]
fn what_an_owner_can_no_longer_be_reminded_of_is_called_off_and_told_to_nobody_else_night_after_night() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    assert_eq!(bench.night(1).announced, 1);
    bench.post.mail = Mail::Fallback;
    for night in 2..10 {
        assert_eq!(
            sums(&bench.night(night)),
            (0, 0, 0, 0),
            "there is time for it to change"
        );
    }
    let kept = bench.night(10);
    assert_eq!(Bench::whys(&kept), ["its owner can no longer be told"]);
    assert_eq!((kept.untold, bench.post.kept.len()), (0, 1));
    for night in 11..20 {
        let kept = bench.night(night);
        assert_eq!((kept.fallback_only, sums(&kept)), (1, (0, 0, 0, 0)));
    }
    // Whoever can be told again has the whole time once more; who was reminded is not waited for.
    bench.post.mail = Mail::Works;
    assert_eq!(bench.night(20).announced, 1);
    assert_eq!(bench.night(30).reminded, 1);
    bench.post.mail = Mail::Fallback;
    assert_eq!(bench.night(34).done, 1);
}

#[test]
fn what_only_others_can_be_told_takes_no_room() {
    let mut bench = Bench::new();
    bench.caps.changes = 1;
    bench.post.mail = Mail::Fallback;
    bench.service.put(of("alice", "1"));
    let kept = bench.night(1);
    assert_eq!((kept.fallback_only, kept.waiting), (1, 0));
}

#[test]
fn a_letter_that_was_accepted_before_the_program_was_killed_counts_and_is_not_sent_again() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.post.mail = Mail::Killed;
    assert!(bench.night_at(days(1)).is_none());
    assert_eq!(bench.ledger().announced(&cloud()).unwrap(), []);
    bench.post.mail = Mail::Works;
    assert_eq!(bench.night(3).announced, 1);
    let standing = bench.ledger().announced(&cloud()).unwrap();
    assert_eq!(
        (standing[0].announced_at, standing[0].due_at),
        (days(1), days(15))
    );
    assert_eq!(bench.post.kept.len(), 1);
    // The same for a reminder.
    bench.post.mail = Mail::Killed;
    assert!(bench.night_at(days(12)).is_none());
    bench.post.mail = Mail::Works;
    assert_eq!(sums(&bench.night(13)), (0, 1, 0, 0));
    assert_eq!(bench.post.kept.len(), 2);
    assert_eq!(sums(&bench.night(15)), (0, 0, 0, 1));
    // What was called off since is not announced again by an old letter.
    assert_eq!(sums(&bench.night(16)), (0, 0, 0, 0));
    // Somebody else put it right meanwhile.
    bench.service.put(of("alice", "2"));
    bench.post.mail = Mail::Killed;
    assert!(bench.night_at(days(17)).is_none());
    bench.post.mail = Mail::Works;
    bench.service.world().shares.remove("2");
    let kept = bench.night(18);
    assert_eq!(sums(&kept), (1, 0, 1, 0));
}

#[test]
fn our_own_change_is_not_taken_for_the_owners_after_a_kill() {
    for is_made in [true, false] {
        let mut bench = Bench::new();
        bench.service.put(of("alice", "1"));
        bench.night(1);
        bench.night(12);
        bench.service.world().hangs = true;
        assert!(bench.night_at(days(15)).is_none());
        assert_eq!(bench.changed().len(), 1);
        bench.service.world().hangs = false;
        if !is_made {
            // The change never arrived.
            bench.service.alter("1", |share| share.expires = Expiry::Never);
        }
        let kept = bench.night(16);
        assert_eq!(kept.cancelled, [], "{is_made}");
        assert_eq!(kept.done, u64::from(!is_made));
        assert_eq!(bench.changed().len(), if is_made { 1 } else { 2 });
        assert_eq!(bench.ledger().announced(&cloud()).unwrap(), []);
    }
}

#[test]
fn what_a_killed_run_did_is_found_out_by_the_scan_where_nobody_can_look_any_more() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench
        .service
        .alter("1", |share| share.access = share.access.with(Right::Edit));
    bench.night(1);
    bench.night(12);
    bench.service.world().hangs = true;
    assert!(bench.night_at(days(15)).is_none());
    bench.service.world().hangs = false;
    bench.service.world().blind = true;
    // The night before could not be read: nothing is known.
    bench.service.world().down = true;
    bench.night(16);
    assert_eq!(bench.ledger().unsettled(&cloud()).unwrap().len(), 1);
    bench.service.world().down = false;
    let kept = bench.night(17);
    assert!(kept.cancelled.is_empty(), "{kept:?}");
    assert_eq!(bench.ledger().unsettled(&cloud()).unwrap(), []);
    assert_eq!(bench.ledger().announced(&cloud()).unwrap(), []);
    assert_eq!(bench.changed().len(), 1);
}

#[test]
fn what_a_killed_run_was_to_do_and_was_waived_since_is_called_off() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    bench.night(12);
    bench.service.world().hangs = true;
    assert!(bench.night_at(days(15)).is_none());
    bench.service.world().hangs = false;
    bench.service.alter("1", |share| share.expires = Expiry::Never);
    bench.policy.waivers.push(Waiver {
        share: Some("1".to_owned()),
        ..waiver()
    });
    let kept = bench.night(16);
    assert_eq!(Bench::whys(&kept), ["it was waived"]);
    assert_eq!(bench.changed().len(), 1);
}

#[test]
fn what_cannot_be_done_is_told_and_tried_again() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    bench.night(12);
    bench.service.world().refuses = true;
    for night in [15, 16] {
        let kept = bench.night(night);
        assert_eq!((kept.done, kept.failed.len()), (0, 1));
    }
    bench.service.world().refuses = false;
    assert_eq!(bench.night(17).done, 1);
}

#[test]
fn what_changes_between_scan_and_deed_is_called_off() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.night(1);
    bench.night(12);
    let run = bench.scan(days(15));
    bench.service.alter("1", |share| share.password = Some(true));
    let kept = bench.keep(&run, days(15)).unwrap();
    assert_eq!(Bench::whys(&kept), ["changed since: password"]);
    assert!(kept.failed.is_empty());
    assert_eq!(bench.changed(), []);
}

#[test]
fn a_plan_that_does_what_was_announced_ends_the_announcement() {
    let mut bench = Bench::new();
    bench.service.put(of("alice", "1"));
    bench.service.put(of("alice", "2"));
    bench.night(1);
    let standing = bench.ledger().announced(&cloud()).unwrap();
    let plan = Plan::made(vec![standing[0].action.clone()], days(2));
    let (writers, cancel, policy) = (bench.writers(), CancellationToken::new(), bench.policy.clone());
    bench.service.world().now = days(2);
    let (who, clock) = (Who::Schedule, || days(2));
    let conditions = Conditions {
        audience: &|share| crate::policy::audience(&policy, share),
        bar: &|_| None,
        clock: &clock,
        who: &who,
        run: "change-1",
        rehearsal: true,
        cancel: &cancel,
    };
    let actions: Vec<&Action> = plan.actions.iter().collect();
    let ledger = bench.ledger.as_mut().unwrap();
    ledger.record_plan(&plan).unwrap();
    let mut apply = |rehearsal| {
        let conditions = Conditions {
            rehearsal,
            ..conditions
        };
        let done = bench
            .runtime
            .block_on(apply(ledger, &writers, conditions, &plan.id, &actions));
        assert_eq!(done.unwrap().receipts.len(), 1);
        ledger.announced(&cloud()).unwrap().len()
    };
    assert_eq!(apply(true), 2, "a rehearsal");
    assert_eq!(apply(false), 1);
    assert_eq!(sums(&bench.night(3)), (0, 0, 0, 0), "it was done, not put right");
    bench.service.world().now = days(2);
    let undone = bench.runtime.block_on(undo(
        bench.ledger.as_mut().unwrap(),
        &writers,
        Conditions {
            run: "change-2",
            rehearsal: false,
            ..conditions
        },
        "change-1",
        None,
    ));
    assert_eq!(undone.unwrap().receipts.len(), 1);
    assert_eq!(bench.ledger().announced(&cloud()).unwrap().len(), 1);
}

/// What happens before a night, or to it.
#[derive(Clone, Debug)]
enum Event {
    Share(usize, bool),
    Fix(usize),
    Protect(usize),
    Widen(usize),
    Waive(usize),
    Freeze(i64, i64),
    Mail(Mail),
    Down,
    Refuses,
    Hangs,
    Off,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    use Event::{Down, Fix, Freeze, Hangs, Off, Protect, Refuses, Waive, Widen};
    let share = 0_usize..12;
    let rare = prop_oneof![
        share.clone().prop_map(Fix),
        share.clone().prop_map(Protect),
        share.clone().prop_map(Widen),
        share.clone().prop_map(Waive),
        (0_i64..20, 0_i64..4).prop_map(|(from, more)| Freeze(from, more)),
        prop::sample::select(vec![Mail::Refused, Mail::Fallback, Mail::Bounces, Mail::Killed])
            .prop_map(Event::Mail),
        Just(Down),
        Just(Refuses),
        Just(Hangs),
        Just(Off),
    ];
    let new = (share, any::<bool>()).prop_map(|(share, edits)| Event::Share(share, edits));
    (
        prop::option::weighted(0.5, new),
        prop::option::weighted(0.25, rare),
    )
        .prop_map(|(new, rare)| new.into_iter().chain(rare).collect())
}

/// Hours to the night, and what happens until then.
fn nights() -> impl Strategy<Value = Vec<(i64, Vec<Event>)>> {
    let hours = prop_oneof![8 => Just(24_i64), 2 => 20_i64..30, 1 => 30_i64..200];
    vec((hours, events()), 30..60)
}

impl Bench {
    /// Lets it happen, until after the night.
    fn happens(&mut self, event: &Event, now: Timestamp) {
        let id = |share: &usize| format!("s{share}");
        match event {
            Event::Share(share, edits) => {
                let mut new = of(OWNERS[share % 2], &id(share));
                if *edits {
                    new.access = new.access.with(Right::Edit);
                    self.accepted.remove(&new.id);
                }
                self.service.world().shares.entry(new.id.clone()).or_insert(new);
            }
            Event::Fix(share) => drop(self.service.world().shares.remove(&id(share))),
            Event::Protect(share) => self
                .service
                .alter(&id(share), |share| share.password = Some(true)),
            Event::Widen(share) => {
                self.accepted.remove(&id(share));
                self.service.alter(&id(share), |share| {
                    share.access = share.access.with(Right::Create);
                });
            }
            Event::Waive(share) => {
                self.accepted.insert(id(share));
                self.policy.waivers.push(Waiver {
                    share: Some(id(share)),
                    ..waiver()
                });
            }
            Event::Freeze(from, more) => {
                let day = |ahead| self.calendar.day(now + SignedDuration::from_hours(24 * ahead));
                let (first, last) = (day(*from), day(from + more));
                self.calendar.freeze.push(Freeze { first, last });
            }
            Event::Mail(mail) => self.post.mail = *mail,
            Event::Down => self.service.world().down = true,
            Event::Refuses => self.service.world().refuses = true,
            Event::Hangs => self.service.world().hangs = true,
            Event::Off => self.on = false,
        }
    }

    fn goes_well_again(&mut self) {
        self.post.mail = Mail::Works;
        self.on = true;
        let mut world = self.service.world();
        (world.down, world.refuses, world.hangs) = (false, false, false);
    }

    /// Whether a change was announced long enough before, reminded of, and is just what was announced.
    fn was_promised(&self, (at, share, value): &Changed, before: &Share) -> bool {
        let told = self.post.kept.iter().filter(|letter| letter.by == Reach::Owner);
        let told: Vec<_> = told
            .filter_map(|letter| {
                let notice = letter.notices.get(&(cloud(), share.clone()))?;
                Some((letter.at, notice))
            })
            .collect();
        let announced = told.iter().any(|(told, notice)| {
            let Subject::Offer(action) = &notice.subject else {
                return false;
            };
            action.value == *value
                && notice.due <= *at
                && told.to_zoned(TimeZone::UTC) + self.calendar.grace <= at.to_zoned(TimeZone::UTC)
                && action.expects == Expects::of(before, crate::policy::audience(&self.policy, before))
        });
        let window = SignedDuration::from_hours(24)..=SignedDuration::from_hours(5 * 24);
        let reminded = told.iter().any(|(told, notice)| {
            matches!(notice.subject, Subject::Reminder(_)) && window.contains(&at.duration_since(*told))
        });
        announced && reminded
    }
}

#[test]
fn nothing_is_ever_changed_that_was_not_announced_and_reminded_of_in_time() {
    let mut runner = TestRunner::new(Config::with_cases(12));
    let (changes, ends) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cases = (nights(), 1_i64..20, 1_u64..5);
    runner
        .run(&cases, |(nights, grace, most)| {
            let mut bench = Bench::new();
            bench.calendar.grace = Span::new().days(grace);
            bench.caps.changes = most;
            let mut now = days(0);
            for (hours, events) in nights {
                now += SignedDuration::from_hours(hours);
                for event in &events {
                    bench.happens(event, now);
                }
                let so_far = bench.changed().len();
                let kept = bench.night_at(now);
                let changed = bench.changed().split_off(so_far);
                let there = bench.service.world().before.split_off(so_far);
                prop_assert!(changed.len() as u64 <= most, "{changed:?}");
                let idle = bench.service.world().down || bench.service.world().refuses || !bench.on;
                prop_assert!(!idle || changed.is_empty());
                for (change, before) in changed.iter().zip(&there) {
                    let day = bench.calendar.day(change.0);
                    prop_assert!(!bench.calendar.freeze.iter().any(|freeze| freeze.contains(day)));
                    prop_assert!(!bench.accepted.contains(&change.1), "{change:?} {kept:?}");
                    prop_assert!(bench.was_promised(change, before), "{change:?} {kept:?}");
                    ends.fetch_add(usize::from(change.2.is_none()), Ordering::Relaxed);
                }
                changes.fetch_add(changed.len(), Ordering::Relaxed);
                bench.service.world().before.extend(there);
                bench.goes_well_again();
            }
            Ok(())
        })
        .unwrap();
    let (changes, ends) = (changes.into_inner(), ends.into_inner());
    assert!(
        ends > 10 && changes - ends > 10,
        "{changes} changes, {ends} of them ends"
    );
}
