//! What is announced is done when it is due, on emulated services over several nights.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use globset::GlobSet;
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};
use secrecy::SecretString;
use serde_json::{Value, json};
use sharewarden::http;
use sharewarden::model::{Classes, Level, RuleId, Share, SourceKind, SourceName};
use sharewarden::plan::{Action, ActionKind, Calendar, Caps, Change, Draft, EnforceRule};
use sharewarden::policy::{Filter, Policy};
use sharewarden::provider::nextcloud::{Credential, HomeSearch, Nextcloud, Setup};
use sharewarden::provider::{Reader, Writer};
use sharewarden::run::grace::{Accepted, Kept, Letters, Night, Reach, keep};
use sharewarden::run::{Part, Planned, Scan, scan};
use sharewarden::store::{Ledger, Release};
use tokio_util::sync::CancellationToken;

use crate::harness::{NOW, Stage, block_on, list, small, tenant};
use crate::tenant::writer::adapter;

/// A service, and how it is read and changed.
struct Nights {
    stage: Stage,
    kind: SourceKind,
    name: SourceName,
    ledger: Option<Ledger>,
    sent: Vec<Draft>,
}

/// Letters that always arrive.
struct Post<'a>(&'a mut Vec<Draft>, Timestamp);

impl Letters for Post<'_> {
    fn reaches(&self, _: &Share, _: &Action) -> Option<Reach> {
        Some(Reach::Owner)
    }

    fn send<'a>(&'a mut self, draft: &'a Draft) -> BoxFuture<'a, Option<Accepted>> {
        self.0.push(draft.clone());
        let accepted = Accepted {
            by: Reach::Owner,
            letter: format!("letter-{}", self.0.len()),
            at: self.1,
        };
        Box::pin(async { Some(accepted) })
    }

    fn accepted(&self) -> Vec<(Draft, Accepted)> {
        Vec::new()
    }
}

fn night(day: i64) -> Timestamp {
    NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
}

fn rule(rule: RuleId, change: Change) -> EnforceRule {
    EnforceRule {
        rule,
        filter: Filter::default(),
        min_level: None,
        change,
    }
}

fn nextcloud(stage: &Stage, now: Timestamp) -> Nextcloud {
    let setup = Setup {
        source: SourceName::new("cloud"),
        url: stage.url().clone(),
        credential: Credential::AppApi {
            app_id: "sharewarden".to_owned(),
            admin: "admin".to_owned(),
            secret: SecretString::from("small-app-secret".to_owned()),
        },
        statistics_token: None,
        excluded: (GlobSet::empty(), GlobSet::empty()),
        home_search: HomeSearch::Off,
        disabled_links_dead: false,
        classes: Arc::new(Classes::default()),
        evidence: false,
        now,
    };
    let mut settings = http::Settings::new(stage.url().clone());
    settings.limits.requests_per_second = f64::INFINITY;
    Nextcloud::new(setup, settings, CancellationToken::new()).unwrap()
}

impl Nights {
    /// After a first night of which the baseline was released.
    fn of(stage: Stage, kind: SourceKind) -> Self {
        let name = SourceName::new(match kind {
            SourceKind::Nextcloud => "cloud",
            SourceKind::Microsoft365 => "m365",
        });
        let ledger = Ledger::open(&stage.path("state.db")).unwrap();
        let mut nights = Self {
            stage,
            kind,
            name,
            ledger: Some(ledger),
            sent: Vec::new(),
        };
        let kept = nights.pass(0);
        assert_eq!(kept.announced, 0, "of the baseline");
        let release = Release {
            source: &nights.name.clone(),
            rules: &[],
            min_level: Level::Info,
        };
        let released = nights.ledger.as_mut().unwrap().release_baseline(release);
        assert!(released.unwrap().unwrap().released > 0);
        nights
    }

    fn reader(&self, now: Timestamp) -> Box<dyn Reader> {
        match self.kind {
            SourceKind::Nextcloud => Box::new(nextcloud(&self.stage, now)),
            SourceKind::Microsoft365 => Box::new(adapter(&self.stage)),
        }
    }

    fn writer(&self, now: Timestamp) -> Box<dyn Writer> {
        match self.kind {
            SourceKind::Nextcloud => Box::new(nextcloud(&self.stage, now)),
            SourceKind::Microsoft365 => Box::new(adapter(&self.stage)),
        }
    }

    /// A night, from its scan to its letters.
    fn pass(&mut self, day: i64) -> Kept {
        let now = night(day);
        self.stage.clock(&now.to_string());
        let part = Part {
            name: self.name.clone(),
            kind: self.kind,
            reader: self.reader(now),
            in_flight: 4,
            stop_after: Duration::from_secs(50),
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
        let policy = Arc::new(Policy {
            internal_domains: vec!["example.org".to_owned()],
            ..Policy::default()
        });
        let cancel = CancellationToken::new();
        let rules = [
            rule(
                RuleId::LinkWithoutExpiry,
                Change::SetExpiry {
                    after: Span::new().days(30),
                },
            ),
            rule(
                RuleId::LinkAllowsEditing,
                Change::Revoke {
                    file_drops: false,
                    collateral: false,
                },
            ),
        ];
        let calendar = Calendar {
            zone: TimeZone::UTC,
            freeze: Vec::new(),
            grace: Span::new().days(14),
        };
        let writers = BTreeMap::from([(self.name.clone(), self.writer(now))]);
        let ledger = self.ledger.take().unwrap();
        let (sent, name, kind) = (&mut self.sent, &self.name, self.kind);
        let (ledger, kept) = block_on(async {
            let scanned = scan(ledger, &policy, &[part], &request, || now, &cancel).await;
            let mut scanned = scanned.unwrap();
            let clock = || now;
            let night = Night {
                run: &scanned.run,
                clock: &clock,
                on: true,
                policy: &policy,
                rules: &rules,
                caps: Caps {
                    changes: 50,
                    percent: 100.0,
                },
                calendar: &calendar,
                sources: &[Planned {
                    name,
                    kind,
                    usable: &|_| true,
                }],
                writers: &writers,
                cancel: &cancel,
            };
            let kept = keep(&mut scanned.ledger, &night, &mut Post(sent, now)).await;
            (scanned.ledger, kept.unwrap())
        });
        self.ledger = Some(ledger);
        assert!(kept.failed.is_empty(), "{:?}", kept.failed);
        kept
    }

    /// What the service stores, by the ids of shares, or permissions.
    fn stored(&self) -> BTreeMap<String, Value> {
        let all = match self.kind {
            SourceKind::Nextcloud => self.stage.stored(),
            SourceKind::Microsoft365 => self.stage.permissions(),
        };
        let id = |one: &Value| one["id"].to_string().trim_matches('"').to_owned();
        all.into_iter().map(|one| (id(&one), one)).collect()
    }

    /// Passes the nights until all is done, with something happening before it is due; gives what was
    /// announced, what was stored before the last night, and what that came to.
    fn pass_all(&mut self, happens: impl FnOnce(&Stage)) -> (Vec<Action>, BTreeMap<String, Value>, Kept) {
        let before = self.stored();
        let kept = self.pass(1);
        let announced: Vec<Action> = self
            .sent
            .iter()
            .flat_map(|draft| &draft.offers)
            .map(|offer| {
                assert_eq!(offer.due, night(15));
                offer.action.clone()
            })
            .collect();
        assert_eq!(kept.announced, announced.len() as u64);
        assert_eq!(self.pass(9).reminded, 0);
        assert_eq!(self.pass(11).reminded, kept.announced);
        assert_eq!(self.pass(14).done, 0);
        for (id, share) in self.stored() {
            assert_eq!(share, before[&id], "nothing is changed before it is due");
        }
        happens(&self.stage);
        let left = self.stored();
        let kept = self.pass(15);
        (announced, left, kept)
    }
}

/// The end of a share's id that tells it from all others.
fn last(share: &str) -> String {
    share.rsplit('/').next().unwrap_or(share).to_owned()
}

/// What became of the shares that were stored before, where anything did.
fn differences(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (id, old) in before {
        let Some(new) = now.get(id) else {
            found.insert(id.clone(), "ended".to_owned());
            continue;
        };
        let fields = old.as_object().unwrap().iter();
        let changed = fields
            .filter(|(field, old)| new[field] != **old)
            .map(|(field, _)| {
                let text = new[field].as_str().unwrap_or_default();
                // A Nextcloud stores the start of the day.
                format!("{field} {}", text.trim_end_matches("T00:00:00Z"))
            });
        let changed: Vec<String> = changed.collect();
        if !changed.is_empty() {
            found.insert(id.clone(), changed.join(", "));
        }
    }
    found
}

/// What actions do to which shares.
fn promised(actions: &[Action]) -> BTreeMap<String, String> {
    let said = actions.iter().map(|action| match (action.action, &action.value) {
        (ActionKind::SetExpiry, Some(value)) => (last(&action.share), format!("expires {value}")),
        _ => (last(&action.share), "ended".to_owned()),
    });
    said.collect()
}

/// The small world with a link that allows editing, and without those that end by themselves meanwhile.
fn with_editing() -> Value {
    let mut world = small();
    let shares = list(&mut world["nextcloud"]["shares"]);
    shares.retain(|share| share.get("expires").is_none());
    shares.push(json!({"id": 20, "type": "link", "owner": "alice", "path": "/Team", "permissions": 15}));
    world
}

/// The tenant without what ends by itself meanwhile.
fn lasting() -> Value {
    let mut world = tenant();
    list(&mut world["microsoft365"]["permissions"]).retain(|share| share.get("expires").is_none());
    world
}

#[test]
fn services_are_changed_as_it_was_announced() {
    for (world, kind, expected) in [
        (
            with_editing(),
            SourceKind::Nextcloud,
            vec![
                ("1", "expires 2027-01-06"),
                ("20", "ended"),
                ("7", "expires 2027-01-06"),
            ],
        ),
        (
            lasting(),
            SourceKind::Microsoft365,
            vec![
                ("11111111-0000-4000-8000-000000000001", "ended"),
                (
                    "11111111-0000-4000-8000-000000000005",
                    "expires 2027-01-06T12:00:00Z",
                ),
                (
                    "11111111-0000-4000-8000-000000000007",
                    "expires 2027-01-06T12:00:00Z",
                ),
            ],
        ),
    ] {
        let mut nights = Nights::of(Stage::of(&world), kind);
        let before = nights.stored();
        let (announced, _, kept) = nights.pass_all(|_| ());
        let said = |(id, what): (&str, &str)| (id.to_owned(), what.to_owned());
        let expected: BTreeMap<String, String> = expected.into_iter().map(said).collect();
        assert_eq!(promised(&announced), expected);
        assert_eq!(kept.done, expected.len() as u64, "{kept:?}");
        assert_eq!(differences(&before, &nights.stored()), expected);
        let kept = nights.pass(16);
        assert_eq!(
            (kept.announced, kept.done, kept.cancelled.len()),
            (0, 0, 0),
            "{kept:?}"
        );
        let journal = nights.ledger.unwrap().verify_journal(None).unwrap().unwrap();
        // The begin, an intent and a receipt each, the end.
        assert_eq!(journal.entries, 2 + 2 * expected.len() as u64);
    }
}

#[test]
fn what_was_put_right_or_changed_before_it_is_due_is_called_off() {
    let of_alice = |id: &str, what: &str, path: &str, set: Value| {
        json!({"do": what, "owner": "alice@example.org", "path": path,
               "permission": format!("11111111-0000-4000-8000-{id}"), "set": set})
    };
    for (world, kind, changed, changes) in [
        (
            with_editing(),
            SourceKind::Nextcloud,
            "changed since: access",
            json!([
                {"do": "update", "share": 1, "set": {"expires": "+15d"}},
                {"do": "update", "share": 7, "set": {"permissions": 31}},
                {"do": "remove", "share": 20},
            ]),
        ),
        (
            lasting(),
            SourceKind::Microsoft365,
            "changed since: password",
            json!([
                of_alice("000000000005", "update", "/virus.exe", json!({"expires": "+15d"})),
                {"do": "remove", "owner": "alice@example.org", "path": "/Projects",
                 "permission": "11111111-0000-4000-8000-000000000001"},
                {"do": "update", "owner": "erin@example.org", "path": "/Thesis",
                 "permission": "11111111-0000-4000-8000-000000000007", "set": {
                     "link": {"scope": "anonymous", "type": "view", "password": "Small-World-42"}}},
            ]),
        ),
    ] {
        let mut nights = Nights::of(Stage::of(&world), kind);
        let (_, left, kept) = nights.pass_all(|stage| stage.change(&changes));
        let whys: Vec<&str> = kept.cancelled.iter().map(|(_, why)| why.as_str()).collect();
        // What a service does not tell of is found when it is looked at again, before it would be changed.
        assert_eq!(whys.len() as u64 + kept.done, 3, "{kept:?}");
        let (ours, others): (Vec<&str>, Vec<&str>) = whys.into_iter().partition(|why| *why == changed);
        assert_eq!(ours.len(), 1);
        assert!(others.iter().all(|why| *why == "it was put right"), "{others:?}");
        nights.pass(16);
        assert_eq!(nights.stored(), left);
    }
}
