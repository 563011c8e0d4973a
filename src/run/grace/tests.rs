//! Nights before a service that lies in memory: read by the scan, changed by what enforces, told by letters that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};
use proptest::test_runner::{Config, TestRunner};
use proptest::{collection::vec, prelude::*};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{Accepted, Kept, Letters, Night, Reach, keep};
use crate::model::{
    Access, Classes, Expiry, Fact, ItemKind, KnownScope, Level, PrincipalClass, ProblemCode, Reading,
    RequestTotals, Right, RuleId, Scope, ScopeOutcome, Share, ShareKind, SourceFacts, SourceKind, SourceName,
    Want,
};
use crate::plan::{Action, Calendar, Caps, Change, Draft, EnforceRule, Freeze};
use crate::policy::fixtures::{NOW, days, facts, link, named, waiver};
use crate::policy::{Filter, Policy};
use crate::provider::{
    ChangeEffect, Found, Listed, Lost, Opened, Pace, Place, ReadError, Reader, Sink, Target, WriteError,
    Writer,
};
use crate::run::{Part, Planned, Scan, apply, scan};
use crate::store::{Ledger, Release, Run};

/// What was changed through the service's interface: when, which share, and until when it was let live.
type Changed = (Timestamp, String, Option<String>);

#[derive(Default)]
struct World {
    now: Timestamp,
    shares: BTreeMap<String, Share>,
    changed: Vec<Changed>,
    /// Nothing can be read.
    down: bool,
    /// Nothing can be changed.
    refuses: bool,
    /// Changes are made, and the answer never comes.
    hangs: bool,
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
            let at = world.now;
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

/// Letters that are kept.
#[derive(Default)]
struct Post {
    mail: Mail,
    now: Timestamp,
    kept: Vec<(Draft, Accepted)>,
}

impl Letters for Post {
    fn reaches(&self, _: &Share, _: &Action) -> Option<Reach> {
        Some(if self.mail == Mail::Fallback {
            Reach::Fallback
        } else {
            Reach::Owner
        })
    }

    fn send<'a>(&'a mut self, draft: &'a Draft) -> BoxFuture<'a, Option<Accepted>> {
        Box::pin(async move {
            if self.mail == Mail::Refused {
                return None;
            }
            let by = if self.mail == Mail::Bounces {
                Reach::Fallback
            } else {
                Reach::Owner
            };
            let accepted = Accepted {
                by,
                letter: format!("letter-{}", self.kept.len()),
                at: self.now,
            };
            self.kept.push((draft.clone(), accepted.clone()));
            if self.mail == Mail::Killed {
                std::future::pending::<()>().await;
            }
            Some(accepted)
        })
    }

    fn accepted(&self) -> Vec<(Draft, Accepted)> {
        self.kept.clone()
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
        self.service.world().now = now;
        let part = Part {
            name: cloud(),
            kind: SourceKind::Nextcloud,
            reader: Box::new(self.service.clone()),
            in_flight: 1,
            stop_after: Duration::from_secs(60),
            relist_every: SignedDuration::from_hours(7 * 24),
            remembers: true,
        };
        let request = Scan {
            now,
            users: Vec::new(),
            rules: Vec::new(),
            all_sources: true,
            exclusions: 0,
        };
        let (policy, cancel) = (Arc::new(self.policy.clone()), CancellationToken::new());
        let scanned = self.runtime.block_on(scan(
            self.ledger.take().unwrap(),
            &policy,
            &[part],
            &request,
            || now,
            &cancel,
        ));
        let scanned = scanned.unwrap();
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
