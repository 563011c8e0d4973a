//! Who is told what, over nights, with a way out that can be closed and a program that can be killed.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::model::{
    Access, Batch, Expiry, Item, ItemKind, Reading, Right, RuleId, Scope, ScopeOutcome, ShareKind,
    SourceFacts, Verdict,
};
use crate::plan::{ActionKind, Expects};
use crate::policy::Override;
use crate::policy::fixtures::{account, disabled, named, policy};
use crate::report::view;
use crate::store::{Judging, Release, Run, RunStart};

const IT: &str = "it@example.org";

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + day * 86_400).unwrap()
}

fn cloud() -> SourceName {
    SourceName::new("cloud")
}

fn m365() -> SourceName {
    SourceName::new("m365")
}

/// A link of an owner's that is open to anyone; it has a finding of level high, and one of level medium.
fn link(source: SourceName, id: &str, owner: Principal) -> Share {
    Share {
        source,
        id: id.to_owned(),
        kind: ShareKind::Link,
        anonymous: true,
        item: Item {
            id: format!("item-{id}"),
            path: format!("/Projects/{id}.txt"),
            path_is_owners: true,
            kind: ItemKind::File,
            size: None,
            files_beneath: None,
            drive: None,
            labels: None,
        },
        owner,
        shared_by: None,
        recipients: Vec::new(),
        opened_by: Vec::new(),
        access: Access::of(&[Right::View]),
        password: Some(false),
        expires: Expiry::Never,
        created_at: None,
        inherited: false,
        label: None,
        link: None,
        unknown: Vec::new(),
    }
}

/// A mail server in this process.
#[derive(Clone, Default)]
struct Server {
    taken: Arc<Mutex<Vec<Letter>>>,
    /// What it says to an address instead of taking a letter.
    says: BTreeMap<String, Sent>,
    /// At which letter the program is killed, and whether that was taken.
    dies: Option<(usize, bool)>,
    asked: usize,
}

impl Server {
    fn saying(address: &str, sent: Sent) -> Self {
        Self {
            says: [(address.to_owned(), sent)].into(),
            ..Self::default()
        }
    }

    fn taken(&self) -> Vec<Letter> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }
}

impl Carrier for Server {
    fn carry<'a>(&'a mut self, letter: &'a Letter) -> BoxFuture<'a, Sent> {
        async move {
            self.asked += 1;
            let dies = self.dies.filter(|(number, _)| *number == self.asked);
            if let Some(sent) = self.says.get(&letter.to.address) {
                return sent.clone();
            }
            if dies.is_none_or(|(_, taken)| taken) {
                self.taken.lock().unwrap().push(letter.clone());
            }
            if dies.is_some() {
                futures::future::pending::<()>().await;
            }
            Sent::Accepted {
                reply: "250".to_owned(),
            }
        }
        .boxed()
    }
}

/// A state, and how it is mailed from.
struct Stage {
    ledger: Ledger,
    policy: Policy,
    identities: Identities,
    routing: Routing,
    answers: BTreeMap<String, String>,
    redirect_to: Option<String>,
    min_level: Level,
    max_letters: u64,
    names: NameDisplay,
    notices: Notices,
    lists: Option<Renderer>,
    rehearsal: bool,
    /// Whose shares are read; empty: everybody's.
    users: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        Self {
            ledger: Ledger::temporary().unwrap(),
            policy: policy(),
            identities: Identities::default(),
            routing: Routing {
                fallback: Some(IT.to_owned()),
                managers: false,
            },
            answers: BTreeMap::new(),
            redirect_to: None,
            min_level: Level::High,
            max_letters: 100,
            names: NameDisplay::Full,
            notices: Notices::new(),
            lists: None,
            rehearsal: false,
            users: Vec::new(),
        }
    }

    /// Reads and judges everything; what is found is held in no baseline.
    fn night(&mut self, day: i64, shares: &[Share]) -> Run {
        self.begin(day, shares);
        for source in [cloud(), m365()] {
            let release = Release {
                source: &source,
                rules: &[],
                min_level: Level::Info,
            };
            self.ledger.release_baseline(release).unwrap();
        }
        self.begin(day, shares)
    }

    fn begin(&mut self, day: i64, shares: &[Share]) -> Run {
        let ledger = &mut self.ledger;
        let kinds = [
            (cloud(), SourceKind::Nextcloud),
            (m365(), SourceKind::Microsoft365),
        ];
        let scope = view::RunScope {
            sources: vec!["cloud".to_owned(), "m365".to_owned()],
            users: self.users.clone(),
            rules: Vec::new(),
            full: self.users.is_empty(),
        };
        let note = view::PolicyNote {
            digest: "p".to_owned(),
            rules_digest: "r".to_owned(),
            rules_off: Vec::new(),
            overrides: 0,
            waivers: 0,
            exclusions: 0,
            gaps: 0,
        };
        let run = ledger
            .begin(RunStart {
                now: at(day),
                scope,
                policy: note,
                sources: kinds.to_vec(),
            })
            .unwrap();
        for (source, _) in kinds {
            let facts = SourceFacts::default();
            ledger.keep_facts(&source, &facts).unwrap();
            let mut people = BTreeMap::new();
            for share in shares.iter().filter(|share| share.source == source) {
                for who in std::iter::once(&share.owner).chain(&share.shared_by) {
                    people.insert(who.id.clone(), who.clone());
                }
            }
            // Whoever is known once is listed for ever, with or without shares.
            for id in ["alice", "bob", "carol"] {
                people.entry(id.to_owned()).or_insert_with(|| account(id));
            }
            for (id, who) in people {
                let scope = Scope {
                    id: id.clone(),
                    account: Some(who.clone()),
                };
                let mut readings = vec![Reading::Principal(who.clone()), Reading::Scope(scope)];
                let theirs = shares
                    .iter()
                    .filter(|share| share.source == source && share.owner.id == id);
                readings.extend(theirs.map(|share| Reading::Share(Box::new(share.clone()))));
                readings.push(Reading::Outcome {
                    scope: id.clone(),
                    outcome: ScopeOutcome::Scanned,
                    searched: false,
                });
                let batch = Batch {
                    source: source.clone(),
                    scope: Some(id),
                    readings,
                };
                ledger.absorb(&run, &[batch]).unwrap();
            }
            let judge = Judge::new(&self.policy, &facts, at(day));
            let judging = Judging {
                source: &source,
                classes: self.policy.classes.digest(),
                off: &[],
                left_out: &[],
                relist_every: SignedDuration::from_hours(7 * 24),
            };
            ledger
                .judge_source(&run, judging, &mut |share, past| judge.share(share, past))
                .unwrap();
        }
        ledger.finish(&run, run.now, Verdict::Complete, &[]).unwrap();
        run
    }

    /// Whether the state file holds a text.
    fn holds(&self, text: &str) -> bool {
        let log = self.ledger.path().with_extension("db-wal");
        [self.ledger.path(), &log].iter().any(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        })
    }

    /// Mails on a day; `None` where the program was killed.
    fn try_mail(&mut self, day: i64, carrier: &mut dyn Carrier) -> Option<Mailed> {
        let sources = [
            (cloud(), SourceKind::Nextcloud),
            (m365(), SourceKind::Microsoft365),
        ];
        let answers = &self.answers;
        let mailing = Mailing {
            policy: &self.policy,
            sources: &sources,
            identities: &self.identities,
            routing: &self.routing,
            usable: &|address| match address.split_once('@') {
                Some((_, "example.org")) => Ok(address.to_owned()),
                Some(_) => Err(Instead::DomainNotAllowed),
                None => Err(Instead::Malformed),
            },
            answers: &|_, site| answers.get(site).cloned(),
            redirect_to: self.redirect_to.as_deref(),
            incident_contact: Some("compliance@example.org"),
            min_level: self.min_level,
            max_letters: self.max_letters,
            names: self.names,
            language: Language::En,
            lists: self.lists.as_ref(),
            every: Span::new().days(7),
            zone: &TimeZone::UTC,
            notices: &self.notices,
            clock: &|| at(day),
            rehearsal: self.rehearsal,
        };
        let cancel = CancellationToken::new();
        let mailed = notify(&mut self.ledger, mailing, carrier, &cancel).now_or_never();
        mailed.map(|mailed| mailed.unwrap())
    }

    /// Mails on a day, and gives the administrators' summary, where one was sent.
    fn summary(&mut self, day: i64, server: &mut Server) -> Option<Summary> {
        self.try_mail(day, server).unwrap();
        let mut summaries = server
            .taken()
            .into_iter()
            .filter_map(|letter| match letter.content {
                Content::Summary(summary) => Some(*summary),
                Content::Digest(_) | Content::Incident(_) => None,
            });
        let summary = summaries.next();
        assert!(summaries.next().is_none());
        summary
    }

    /// Mails on a day, and gives what was taken, but for the administrators' summary.
    fn mail(&mut self, day: i64, server: &mut Server) -> (Mailed, Vec<Letter>) {
        let mailed = self.try_mail(day, server).unwrap();
        let taken = server.taken().into_iter();
        (
            mailed,
            taken
                .filter(|letter| matches!(letter.content, Content::Digest(_)))
                .collect(),
        )
    }
}

fn entries(letter: &Letter) -> &[Entry] {
    match &letter.content {
        Content::Digest(digest) => &digest.entries,
        Content::Summary(_) | Content::Incident(_) => &[],
    }
}

/// To whom each letter went, and of which items it tells.
fn told(letters: &[Letter]) -> Vec<(&str, Vec<&str>)> {
    let items = |letter| entries(letter).iter().map(|entry| entry.item.as_str()).collect();
    letters
        .iter()
        .map(|letter| (letter.to.address.as_str(), items(letter)))
        .collect()
}

fn alice() -> Principal {
    named("alice", "alice@example.org")
}

fn bob() -> Principal {
    named("bob", "bob@example.org")
}

#[test]
fn each_is_told_what_concerns_them_once_and_again_after_a_while() {
    let mut stage = Stage::new();
    let mut shared = link(cloud(), "2", alice());
    shared.shared_by = Some(bob());
    let mut shares = vec![link(cloud(), "1", alice()), shared, link(cloud(), "3", bob())];
    stage.night(0, &shares);
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(
        told(&letters),
        [
            ("alice@example.org", vec!["/Projects/1.txt", "/Projects/2.txt"]),
            // Of what is another's, the name and not where it lies.
            ("bob@example.org", vec!["/Projects/3.txt", "2.txt"]),
        ]
    );
    let roles: Vec<_> = entries(&letters[1])
        .iter()
        .map(|entry| entry.role.clone())
        .collect();
    assert_eq!(roles, [Role::Owner, Role::Sharer("alice".to_owned())]);
    assert!(mailed.is_clean() && mailed.administrators == Some(true));
    let threads: Vec<_> = letters.iter().map(|letter| letter.thread.clone()).collect();

    // The next nights there is nothing to say, until the time has come.
    for day in 0..7 {
        stage.begin(day, &shares);
        let (_, letters) = stage.mail(day, &mut Server::default());
        assert_eq!(told(&letters), [], "{day}");
    }
    stage.begin(7, &shares);
    let (_, letters) = stage.mail(7, &mut Server::default());
    assert_eq!(
        letters
            .iter()
            .map(|letter| letter.thread.clone())
            .collect::<Vec<_>>(),
        threads
    );
    assert!(
        entries(&letters[0])
            .iter()
            .all(|entry| !entry.findings[0].is_news)
    );

    // What widens is news to those whom it concerns, and so is what comes again.
    shares[0].access = Access::of(&[Right::View, Right::Edit]);
    stage.begin(8, &shares);
    let (_, letters) = stage.mail(8, &mut Server::default());
    assert_eq!(told(&letters).len(), 1);
    let third = shares.pop().unwrap();
    stage.begin(9, &shares);
    assert_eq!(told(&stage.mail(9, &mut Server::default()).1), []);
    stage.begin(10, &[shares[0].clone(), shares[1].clone(), third]);
    let (_, letters) = stage.mail(10, &mut Server::default());
    assert_eq!(
        told(&letters),
        [("bob@example.org", vec!["/Projects/3.txt", "2.txt"])]
    );
}

#[test]
fn what_is_held_low_accepted_or_kept_from_owners_is_told_to_nobody() {
    let mut stage = Stage::new();
    let shares = [link(cloud(), "1", alice()), link(cloud(), "2", bob())];
    stage.begin(0, &shares);
    assert_eq!(
        told(&stage.mail(0, &mut Server::default()).1),
        [],
        "held in the baseline"
    );
    stage.night(1, &shares);
    stage.min_level = Level::Critical;
    assert_eq!(
        told(&stage.mail(1, &mut Server::default()).1),
        [],
        "not grave enough"
    );
    stage.min_level = Level::High;
    let untold = Override {
        mail: Some(false),
        ..Override::default()
    };
    stage.policy.overrides = vec![untold];
    assert_eq!(
        told(&stage.mail(1, &mut Server::default()).1),
        [],
        "kept from owners"
    );
    stage.policy.overrides = Vec::new();
    let waiver = crate::policy::Waiver {
        share: Some("1".to_owned()),
        ..crate::policy::fixtures::waiver()
    };
    stage.policy.waivers = vec![waiver];
    stage.begin(2, &shares);
    let (_, letters) = stage.mail(2, &mut Server::default());
    assert_eq!(told(&letters), [("bob@example.org", vec!["/Projects/2.txt"])]);
}

#[test]
fn one_person_gets_one_letter_where_the_map_says_so_and_two_where_not() {
    let shares = [
        link(cloud(), "1", named("alice", "a.private@example.org")),
        link(m365(), "2", named("alice.s@example.org", "alice@example.org")),
        // Somebody who claims to be her.
        link(cloud(), "3", named("mallory", "alice@example.org")),
    ];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let (_, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(letters.len(), 3);

    for person in ["Alice Smith", "alice@example.org"] {
        let mut stage = Stage::new();
        let map = [(cloud(), "Alice"), (m365(), "Alice.S@example.org")];
        let entry = |(source, id): (SourceName, &str)| (source, id.to_owned(), person.to_owned());
        stage.identities = Identities::new(map.map(entry));
        stage.night(0, &shares);
        let (_, mut letters) = stage.mail(0, &mut Server::default());
        letters.sort_by_key(|letter| entries(letter).len());
        assert_eq!(
            told(&letters),
            [
                ("alice@example.org", vec!["/Projects/3.txt"]),
                ("alice@example.org", vec!["/Projects/1.txt", "/Projects/2.txt"]),
            ],
            "{person}"
        );
    }
}

#[test]
fn those_who_cannot_be_told_have_somebody_told_in_their_stead() {
    let gone = Principal {
        name: Some("Dan".to_owned()),
        email: Some("dan@example.org".to_owned()),
        ..disabled("dan")
    };
    let mut of_gone = link(cloud(), "1", gone.clone());
    of_gone.shared_by = Some(bob());
    let shares = [
        of_gone,
        link(cloud(), "2", account("erin")),
        link(cloud(), "3", named("frank", "frank@home.example")),
        link(cloud(), "4", named("grace", "grace")),
        link(cloud(), "5", account("heidi")),
    ];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    let by_reason: BTreeMap<_, _> = letters.iter().map(|letter| (letter.instead, letter)).collect();
    assert_eq!(letters.len(), by_reason.len());
    assert_eq!(entries(by_reason[&None])[0].role, Role::Sharer("Dan".to_owned()));
    for (why, items) in [
        (Instead::OwnerGone, 1),
        (Instead::NoAddress, 2),
        (Instead::DomainNotAllowed, 1),
        (Instead::Malformed, 1),
    ] {
        let letter = by_reason[&Some(why)];
        assert_eq!(
            (letter.to.address.as_str(), entries(letter).len()),
            (IT, items),
            "{why}"
        );
        assert_eq!(mailed.summary.instead[&why], items as u64);
    }
    let erins = &entries(by_reason[&Some(Instead::NoAddress)])[0];
    assert_eq!(erins.role, Role::Responsible("erin".to_owned()));
    assert!(mailed.is_clean());
    assert_eq!(told(&stage.mail(0, &mut Server::default()).1), []);

    let mut stage = Stage::new();
    stage.routing.fallback = None;
    stage.night(0, &shares);
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(told(&letters), [("bob@example.org", vec!["1.txt"])]);
    assert_eq!(mailed.nobody.values().sum::<u64>(), 5);
    assert!(!mailed.is_clean() && mailed.administrators.is_none());
}

#[test]
fn what_narrows_or_becomes_less_grave_is_no_news() {
    type Change = fn(&mut Share);
    let told_first = Share {
        access: Access::of(&[Right::View, Right::Download]),
        recipients: vec![account("bob")],
        ..link(cloud(), "1", alice())
    };
    let cases: [(&str, Change, bool); 7] = [
        ("as it was", |_| {}, false),
        ("a password", |share| share.password = Some(true), false),
        ("less", |share| share.access = Access::of(&[Right::View]), false),
        ("a recipient fewer", |share| share.recipients.clear(), false),
        (
            "a recipient more",
            |share| share.recipients.push(account("carol")),
            true,
        ),
        (
            "another recipient",
            |share| share.recipients = vec![account("carol")],
            true,
        ),
        (
            "more",
            |share| share.access = share.access.with(Right::Reshare),
            true,
        ),
    ];
    for (what, change, is_news) in cases {
        let mut stage = Stage::new();
        stage.night(0, std::slice::from_ref(&told_first));
        assert_eq!(stage.mail(0, &mut Server::default()).1.len(), 1, "{what}");
        let mut share = told_first.clone();
        change(&mut share);
        stage.begin(1, &[share]);
        let letters = stage.mail(1, &mut Server::default()).1;
        assert_eq!(letters.len(), usize::from(is_news), "{what}");
    }
    // As wide again as it was told.
    let mut stage = Stage::new();
    stage.night(0, std::slice::from_ref(&told_first));
    stage.mail(0, &mut Server::default());
    for (day, access) in [(1, Access::of(&[Right::View])), (2, told_first.access)] {
        stage.begin(
            day,
            &[Share {
                access,
                ..told_first.clone()
            }],
        );
        assert_eq!(told(&stage.mail(day, &mut Server::default()).1), [], "{day}");
    }
    // Less grave, as the policy has it now.
    let mut stage = Stage::new();
    stage.min_level = Level::Low;
    let shares = [link(cloud(), "1", alice())];
    stage.night(0, &shares);
    assert_eq!(stage.mail(0, &mut Server::default()).1.len(), 1);
    for (day, level, letters) in [(1, Level::Medium, 0), (2, Level::Critical, 1)] {
        stage.policy.overrides = vec![Override {
            level: Some(Some(level)),
            ..Override::default()
        }];
        stage.begin(day, &shares);
        assert_eq!(
            stage.mail(day, &mut Server::default()).1.len(),
            letters,
            "{level}"
        );
    }
}

/// Somebody whose manager a directory names.
fn managed(who: Principal, manager: &str) -> Principal {
    Principal {
        manager: Some(manager.to_owned()),
        ..who
    }
}

#[test]
fn the_manager_whom_the_directory_names_is_told_before_the_fallback() {
    let gone = |manager: &str| managed(disabled("dan"), manager);
    let french = Principal {
        name: Some("Alice".to_owned()),
        language: Some("fr".to_owned()),
        ..alice()
    };
    // Whom everybody else's shares make known.
    let others = [
        link(cloud(), "a", french),
        link(cloud(), "b", disabled("old")),
        link(cloud(), "c", named("out", "out@home.example")),
        link(cloud(), "d", named("bare", "bare")),
    ];
    let boss = ("alice@example.org", Reader::Manager);
    let it = (IT, Reader::Fallback);
    for (what, owner, managers, expected) in [
        ("gone", gone("alice"), true, boss),
        ("as another writes it", gone("ALICE"), true, boss),
        ("not asked for", gone("alice"), false, it),
        ("no address", managed(account("dan"), "alice"), true, boss),
        (
            "an address outside",
            managed(named("dan", "dan@home.example"), "alice"),
            true,
            boss,
        ),
        ("none is named", gone(""), true, it),
        ("nobody knows them", gone("nobody"), true, it),
        ("themselves", managed(account("dan"), "dan"), true, it),
        ("a manager who is disabled", gone("old"), true, it),
        ("a manager outside", gone("out"), true, it),
        ("a manager without an address", gone("bare"), true, it),
    ] {
        let mut stage = Stage::new();
        stage.routing.managers = managers;
        let mut shares = others.to_vec();
        shares.push(link(cloud(), "1", owner));
        stage.night(0, &shares);
        let (_, letters) = stage.mail(0, &mut Server::default());
        let is_his = |entry: &Entry| entry.item == "/Projects/1.txt";
        let his: Vec<_> = letters
            .iter()
            .filter(|letter| entries(letter).iter().any(is_his))
            .collect();
        assert_eq!(his.len(), 1, "{what}");
        assert_eq!((his[0].to.address.as_str(), his[0].told), expected, "{what}");
        let entry = entries(his[0]).iter().find(|entry| is_his(entry)).unwrap();
        assert_eq!(entry.role, Role::Responsible("dan".to_owned()), "{what}");
        if expected == boss {
            assert_eq!(
                (his[0].language, his[0].to.name.as_deref()),
                (Language::Fr, Some("Alice")),
                "a letter in the manager's own language: {what}"
            );
        }
        stage.begin(1, &shares);
        assert_eq!(told(&stage.mail(1, &mut Server::default()).1), [], "{what}");
    }
}

#[test]
fn a_manager_whom_another_account_of_the_same_person_names_is_told_too() {
    let mut stage = Stage::new();
    stage.routing.managers = true;
    let map = [(cloud(), "dan"), (m365(), "dan@example.org")];
    let entry = |(source, id): (SourceName, &str)| (source, id.to_owned(), "Dan".to_owned());
    stage.identities = Identities::new(map.map(entry));
    let boss = || named("boss@example.org", "boss@example.org");
    let shares = [
        link(cloud(), "1", disabled("dan")),
        link(m365(), "2", boss()),
        // What makes his account in the directory known, and concerns another.
        Share {
            shared_by: Some(managed(disabled("dan@example.org"), "boss@example.org")),
            ..link(m365(), "3", boss())
        },
    ];
    stage.night(0, &shares);
    let (_, letters) = stage.mail(0, &mut Server::default());
    let managers = letters.iter().filter(|letter| letter.told == Reader::Manager);
    let managers: Vec<_> = managers
        .map(|letter| told(std::slice::from_ref(letter)))
        .collect();
    assert_eq!(managers, [[("boss@example.org", vec!["/Projects/1.txt"])]]);
}

#[test]
fn where_the_managers_address_is_refused_the_fallback_is_told_the_same_night() {
    let shares = [
        link(cloud(), "1", managed(disabled("dan"), "alice")),
        link(cloud(), "2", managed(disabled("eve"), "alice")),
    ];
    let refused = Sent::Refused {
        words: "550 no such user".to_owned(),
        permanent: true,
    };
    let mut server = Server::saying("alice@example.org", refused);
    let mut stage = Stage::new();
    stage.routing.managers = true;
    let known = [shares[0].clone(), shares[1].clone(), link(cloud(), "3", alice())];
    stage.night(0, &known);
    let (mailed, letters) = stage.mail(0, &mut server);
    let items: Vec<_> = told(&letters).into_iter().flat_map(|(_, items)| items).collect();
    assert!(letters.iter().all(|letter| letter.to.address == IT));
    assert_eq!(items.len(), 3, "{items:?}");
    assert!(mailed.nobody.is_empty());
    assert_eq!(
        told(&stage.mail(1, &mut server).1),
        [],
        "she is not asked again soon"
    );
}

#[test]
fn a_run_of_one_account_changes_nothing_in_the_summary() {
    let shares = [link(cloud(), "1", alice()), link(cloud(), "2", bob())];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let whole = stage.summary(0, &mut Server::default()).unwrap();
    assert_eq!(whole.standing[&Level::High], 2);
    stage.users = vec!["alice".to_owned()];
    stage.begin(1, &shares);
    let after = stage.summary(1, &mut Server::default()).unwrap();
    assert_eq!((after.standing, after.new), (whole.standing, whole.new));
}

#[test]
fn administrators_are_told_once_a_day_and_again_where_something_changed() {
    let mut shares = vec![link(cloud(), "1", alice())];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let mut server = Server::default();
    assert_eq!(stage.summary(0, &mut server).unwrap().sent, 1);
    assert_eq!(stage.summary(0, &mut server), None);
    let again = stage.try_mail(0, &mut server).unwrap();
    assert_eq!((again.administrators, again.is_clean()), (None, true));
    // What was found since is a reason.
    shares.push(link(cloud(), "2", bob()));
    stage.night(0, &shares);
    assert_eq!(stage.summary(0, &mut server).unwrap().sent, 1);
    // The night's letters that failed are told; the same once more on the same day is not.
    shares.push(link(cloud(), "3", named("carol", "carol@example.org")));
    stage.night(0, &shares);
    let words = "451 4.7.1 greylisted".to_owned();
    let failing = Sent::Refused {
        words,
        permanent: false,
    };
    let mut server = Server::saying("carol@example.org", failing);
    assert_eq!(stage.summary(0, &mut server).unwrap().failed.len(), 1);
    assert_eq!(stage.summary(0, &mut server), None);
    let mut server = Server::default();
    let summary = stage.summary(0, &mut server).unwrap();
    assert_eq!((summary.sent, summary.failed.len()), (1, 0));
    assert!(stage.summary(1, &mut server).is_some(), "another day");
}

#[test]
fn a_refused_address_goes_to_the_fallback_and_is_not_asked_again_soon() {
    let shares = [link(cloud(), "1", alice()), link(cloud(), "2", bob())];
    let refused = Sent::Refused {
        words: "550 no such user".to_owned(),
        permanent: true,
    };
    let mut server = Server::saying("alice@example.org", refused);
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let (mailed, letters) = stage.mail(0, &mut server);
    assert_eq!(
        told(&letters),
        [
            ("bob@example.org", vec!["/Projects/2.txt"]),
            (IT, vec!["/Projects/1.txt"])
        ]
    );
    assert_eq!(letters[1].instead, Some(Instead::Refused));
    assert_eq!(
        mailed.summary.failed,
        [("alice@example.org".to_owned(), "550 no such user".to_owned())]
    );
    let (mailed, letters) = stage.mail(1, &mut server);
    assert!(mailed.is_clean() && letters.is_empty());
    // She is asked again after a while; and the fallback, where that is in vain.
    let (_, letters) = stage.mail(7, &mut server);
    assert_eq!(letters.len(), 2);
    assert_eq!(stage.mail(8, &mut Server::default()).1.len(), 0);
    let (_, letters) = stage.mail(14, &mut Server::default());
    assert_eq!(told(&letters)[0].0, "alice@example.org");
}

#[test]
fn what_did_not_leave_is_tried_again_and_a_closed_way_is_not_tried_for_ever() {
    let shares: Vec<_> = (0..9)
        .map(|number| {
            link(
                cloud(),
                &number.to_string(),
                named(&format!("p{number}"), &format!("p{number}@example.org")),
            )
        })
        .collect();
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let words = "nobody answers".to_owned();
    let closed = Sent::Unreachable { words };
    let mut server = Server::default();
    for number in 0..9 {
        server
            .says
            .insert(format!("p{number}@example.org"), closed.clone());
    }
    let (mailed, _) = stage.mail(0, &mut server);
    assert_eq!(
        (mailed.summary.failed.len(), mailed.left, server.asked),
        (3, 7, 3)
    );
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    assert_eq!((mailed.letters, letters.len()), (9, 9));
    assert!(mailed.is_clean());
}

#[test]
fn too_many_letters_are_none() {
    let shares = [link(cloud(), "1", alice()), link(cloud(), "2", bob())];
    let mut stage = Stage::new();
    stage.max_letters = 1;
    stage.night(0, &shares);
    let mut server = Server::default();
    let mailed = stage.try_mail(0, &mut server).unwrap();
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    let Content::Summary(summary) = &taken[0].content else {
        panic!("{taken:?}");
    };
    assert_eq!((summary.too_many, taken[0].to.address.as_str()), (Some(2), IT));
    assert!(!mailed.is_clean());
    stage.max_letters = 2;
    assert_eq!(stage.mail(0, &mut server).1.len(), 2);
}

#[test]
fn on_trial_all_goes_to_one_and_owners_count_as_not_told() {
    let shares = [link(cloud(), "1", alice()), link(cloud(), "2", account("erin"))];
    let mut stage = Stage::new();
    stage.redirect_to = Some("pilot@example.org".to_owned());
    stage.night(0, &shares);
    let mut server = Server::default();
    stage.try_mail(0, &mut server).unwrap();
    let letters = server.taken();
    assert_eq!(letters.len(), 3);
    assert!(
        letters
            .iter()
            .all(|letter| letter.to.address == "pilot@example.org")
    );
    let meant: BTreeSet<_> = letters
        .iter()
        .filter_map(|letter| letter.meant_for.as_deref())
        .collect();
    assert_eq!(meant, ["alice@example.org", IT].into());
    assert_eq!(told(&stage.mail(1, &mut server).1), [], "the pilot was told");
    stage.redirect_to = None;
    assert_eq!(stage.mail(1, &mut server).1.len(), 2, "the owners were not");
    stage.rehearsal = true;
    assert_eq!(stage.mail(20, &mut server).1.len(), 2);
    stage.rehearsal = false;
    assert_eq!(
        stage.mail(20, &mut server).1.len(),
        2,
        "a rehearsal is not recorded"
    );
}

#[test]
fn those_who_answer_for_a_site_are_told_of_it() {
    let site = |answered_by: &[&str]| Principal {
        name: Some("Exams".to_owned()),
        answered_by: answered_by.iter().map(|text| (*text).to_owned()).collect(),
        ..Principal::new(PrincipalClass::Site, "https://x.example/sites/exams")
    };
    let office = (
        "https://x.example/sites/exams".to_owned(),
        "office@example.org".to_owned(),
    );
    for (what, answered_by, stated, expected) in [
        (
            "its group's owners",
            &["ann@example.org", "ben@example.org"][..],
            None,
            vec!["ann@example.org", "ben@example.org"],
        ),
        (
            "those who can be told",
            &["x@home.example", "ben@example.org"],
            None,
            vec!["ben@example.org"],
        ),
        (
            "whom the operator names",
            &["ann@example.org"],
            Some(office),
            vec!["office@example.org"],
        ),
        (
            "nobody who can be told",
            &["x@home.example", "y@home.example"],
            None,
            vec![IT],
        ),
        ("nobody at all", &[], None, vec![IT]),
    ] {
        let mut stage = Stage::new();
        stage.answers.extend(stated);
        stage.night(0, &[link(m365(), "1", site(answered_by))]);
        let (_, letters) = stage.mail(0, &mut Server::default());
        let to: Vec<_> = letters.iter().map(|letter| letter.to.address.as_str()).collect();
        assert_eq!(to, expected, "{what}");
        assert!(
            letters
                .iter()
                .all(|letter| entries(letter)[0].role == Role::Responsible("Exams".to_owned()))
        );
    }
}

#[test]
fn names_are_told_as_the_configuration_says() {
    let mut shared = link(cloud(), "1", alice());
    shared.shared_by = Some(bob());
    for (names, of_owner, of_sharer) in [
        (NameDisplay::Full, "/Projects/1.txt", "1.txt"),
        (NameDisplay::Folder, "/Projects", ""),
        (NameDisplay::Hidden, "", ""),
    ] {
        let mut stage = Stage::new();
        stage.names = names;
        stage.night(0, &[shared.clone()]);
        let (_, letters) = stage.mail(0, &mut Server::default());
        let items: Vec<_> = letters
            .iter()
            .map(|letter| entries(letter)[0].item.as_str())
            .collect();
        assert_eq!(items, [of_owner, of_sharer], "{names:?}");
    }
}

fn offer(share: &Share, day: i64) -> Notice {
    let action = Action {
        id: format!("a-{}", share.id),
        finding: FindingId::of(RuleId::LinkWithoutPassword, &share.source, Some(&share.id)),
        source: share.source.clone(),
        share: share.id.clone(),
        item_path: share.item.path.clone(),
        owner: share.owner.id.clone(),
        action: ActionKind::Revoke,
        value: None,
        reason: "link-without-password".to_owned(),
        act_as: Some(share.owner.id.clone()),
        also_ends: Vec::new(),
        expects: Expects::of(share, Audience::Anyone),
    };
    Notice {
        subject: Subject::Offer(Box::new(action)),
        due: at(day),
    }
}

#[test]
fn what_an_owners_own_letter_announces_is_promised_once_it_was_accepted() {
    let mut other = link(cloud(), "2", account("erin"));
    other.shared_by = Some(bob());
    let shares = [link(cloud(), "1", alice()), other];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let offered = |share: &Share| ((share.source.clone(), share.id.clone()), offer(share, 14));
    stage.notices = shares.iter().map(offered).collect();
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    let due: BTreeMap<_, _> = letters
        .iter()
        .map(|letter| {
            (
                letter.to.address.as_str(),
                entries(letter)[0].due.as_ref().map(|due| due.on),
            )
        })
        .collect();
    let on = at(14).to_zoned(TimeZone::UTC).date();
    assert_eq!(due["alice@example.org"], Some(on));
    assert_eq!(due[IT], None, "nothing is announced to a fallback");
    assert_eq!(mailed.summary.due, BTreeMap::from([(on, 1)]), "what comes next");
    let promised = stage.ledger.promised().unwrap();
    assert_eq!(promised.len(), 1);
    let own = letters
        .iter()
        .find(|letter| letter.to.address == "alice@example.org")
        .unwrap();
    assert_eq!(promised[0].letter, own.key);
    let Subject::Offer(action) = &promised[0].notice.subject else {
        panic!("{:?}", promised[0]);
    };
    assert_eq!(action.share, "1");
    stage
        .ledger
        .announce(None, action, &promised[0].letter, (at(0), promised[0].notice.due))
        .unwrap();
    stage.ledger.settle_promise(&promised[0]).unwrap();
    assert_eq!(stage.ledger.promised().unwrap(), []);
    stage.notices.clear();
    let (_, letters) = stage.mail(1, &mut Server::default());
    assert_eq!(told(&letters), [], "the day is known");
    let announced = stage.ledger.announced(&cloud()).unwrap();
    stage.ledger.postpone(announced[0].id, None, at(16)).unwrap();
    let (_, letters) = stage.mail(2, &mut Server::default());
    assert_eq!(told(&letters)[0].0, "alice@example.org", "it is another day");
}

#[test]
fn owners_are_reminded_though_nothing_is_new_and_of_what_is_slight_too() {
    let mut shared = link(cloud(), "1", alice());
    shared.shared_by = Some(bob());
    let mut stage = Stage::new();
    stage.min_level = Level::Critical;
    stage.night(0, std::slice::from_ref(&shared));
    let (_, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(told(&letters), []);
    let key = (shared.source.clone(), shared.id.clone());
    stage.notices.insert(key.clone(), offer(&shared, 14));
    let (_, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(letters.len(), 2, "the owner, and who shared it");
    let promised = stage.ledger.promised().unwrap();
    let Subject::Offer(action) = &promised[0].notice.subject else {
        panic!("{promised:?}");
    };
    let id = stage.ledger.announce(None, action, "x", (at(0), at(14))).unwrap();
    stage.ledger.settle_promise(&promised[0]).unwrap();
    let reminder = Notice {
        subject: Subject::Reminder(id),
        due: at(15),
    };
    stage.notices.insert(key, reminder.clone());
    stage.night(10, &[shared]);
    let (_, letters) = stage.mail(10, &mut Server::default());
    let due = entries(&letters[0])[0].due.as_ref().map(|due| due.on);
    assert_eq!(due, Some(at(15).to_zoned(TimeZone::UTC).date()));
    let promised = stage.ledger.promised().unwrap();
    assert_eq!(promised.len(), 1, "only the owner is asked");
    assert_eq!(promised[0].notice, reminder);
}

/// Whatever letter the program is killed over, before it was taken or after: nobody is told the same twice, and of
/// everybody the operator learns what is not known.
#[test]
fn letters_that_are_refused_for_now_cost_nobody_else_theirs() {
    let shares: Vec<_> = (0..9)
        .map(|number| {
            link(
                cloud(),
                &number.to_string(),
                named(&format!("p{number}"), &format!("p{number}@example.org")),
            )
        })
        .collect();
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let mut server = Server::default();
    for number in 0..5 {
        let words = "451 4.7.1 greylisted".to_owned();
        let sent = Sent::Refused {
            words,
            permanent: false,
        };
        server.says.insert(format!("p{number}@example.org"), sent);
    }
    for again in [false, true] {
        let (mailed, letters) = stage.mail(0, &mut server);
        assert_eq!((mailed.summary.failed.len(), mailed.left), (5, 0));
        assert_eq!(letters.len(), if again { 0 } else { 4 });
    }
}

#[test]
fn lost_letters_are_told_until_somebody_was() {
    let mut stage = Stage::new();
    stage.night(0, &[link(cloud(), "1", alice()), link(cloud(), "2", bob())]);
    let dies = |number| Server {
        dies: Some((number, true)),
        ..Server::default()
    };
    assert!(stage.try_mail(0, &mut dies(1)).is_none());
    // This one is killed over the administrators' letter: nobody was told of the first.
    assert!(stage.try_mail(0, &mut dies(2)).is_none());
    let mailed = stage.try_mail(0, &mut Server::default()).unwrap();
    assert_eq!(mailed.summary.unknown.len(), 2, "{:?}", mailed.summary.unknown);
    assert!(stage.try_mail(1, &mut Server::default()).unwrap().is_clean());
}

#[test]
fn a_run_that_is_killed_tells_nobody_twice_and_forgets_nobody() {
    let shares: Vec<_> = (0..4)
        .map(|number| {
            link(
                cloud(),
                &number.to_string(),
                named(&format!("p{number}"), &format!("p{number}@example.org")),
            )
        })
        .chain([link(cloud(), "9", account("erin"))])
        .collect();
    for number in 1..=6 {
        for taken in [false, true] {
            let mut stage = Stage::new();
            stage.night(0, &shares);
            let mut server = Server {
                dies: Some((number, taken)),
                ..Server::default()
            };
            assert!(stage.try_mail(0, &mut server).is_none());
            let mut letters = server.taken();
            let mailed = stage.try_mail(0, &mut server).unwrap();
            assert_eq!(mailed.summary.unknown.len(), 1, "{number} {taken}");
            assert!(!mailed.is_clean());
            letters.extend(server.taken());
            letters.retain(|letter| matches!(letter.content, Content::Digest(_)));
            let mut told = BTreeSet::new();
            for letter in &letters {
                for entry in entries(letter) {
                    assert!(
                        told.insert(entry.item.clone()),
                        "{number} {taken}: {} twice",
                        entry.item
                    );
                }
            }
            let missing = shares.len() - told.len();
            assert_eq!(
                missing,
                usize::from(!taken && number <= shares.len()),
                "{number} {taken}"
            );
            let mailed = stage.try_mail(1, &mut server).unwrap();
            assert!(mailed.is_clean() && mailed.letters == 0);
        }
    }
}

#[test]
fn what_somebody_was_told_goes_with_them_and_is_kept_as_long_as_it_stands() {
    let mut shared = link(cloud(), "2", bob());
    shared.shared_by = Some(alice());
    let shares = [
        link(cloud(), "1", alice()),
        shared,
        link(cloud(), "3", account("erin")),
    ];
    let mut stage = Stage::new();
    stage.night(0, &shares);
    let (_, letters) = stage.mail(0, &mut Server::default());
    assert_eq!(letters.len(), 3);
    let of_bob = letters
        .iter()
        .find(|letter| letter.to.address == "bob@example.org")
        .unwrap();
    stage.begin(30, &shares);
    stage.ledger.forget_before(at(29)).unwrap();
    let heard = |stage: &mut Stage| {
        stage.rehearsal = true;
        let (_, letters) = stage.mail(3, &mut Server::default());
        stage.rehearsal = false;
        letters
            .into_iter()
            .map(|letter| letter.to.address)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        heard(&mut stage),
        Vec::<String>::new(),
        "who was told of what stands is known"
    );
    stage.redirect_to = Some("pilot@example.org".to_owned());
    stage.mail(3, &mut Server::default());
    stage.redirect_to = None;
    assert!(stage.holds("alice@example.org"));
    stage.ledger.forget_owner("alice", &cloud()).unwrap();
    assert!(!stage.holds("alice@example.org") && !stage.holds("account:cloud\u{1f}alice"));
    assert!(stage.holds("bob@example.org"));
    stage.begin(31, &shares);
    let release = Release {
        source: &cloud(),
        rules: &[],
        min_level: Level::Info,
    };
    stage.ledger.release_baseline(release).unwrap();
    // The letters to her are forgotten; what bob and the fallback were told of others is not.
    assert_eq!(heard(&mut stage), ["alice@example.org"]);
    // What ended long ago needs no letter to be kept.
    stage.begin(32, &[]);
    stage.begin(80, &[]);
    stage.ledger.forget_before(at(79)).unwrap();
    assert!(!stage.ledger.was_written_to(&of_bob.to.address).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever owns and shares what: each letter tells its reader of their own and of what they shared, and each share is
    /// told to its owner, or to the fallback, once.
    #[test]
    fn nobody_is_told_of_somebody_elses_findings(
        made in prop::collection::vec((0_usize..5, prop::option::of(0_usize..5), any::<bool>()), 1..30),
    ) {
        let person = |number: usize, source: &SourceName| match number {
            // Without an address, and disabled.
            3 => account("p3"),
            4 => Principal { email: Some("p4@example.org".to_owned()), ..disabled("p4") },
            number if *source == cloud() => named(&format!("p{number}"), &format!("p{number}@example.org")),
            number => named(&format!("p{number}@example.org"), &format!("p{number}@example.org")),
        };
        let mut shares = Vec::new();
        for (number, (owner, sharer, in_cloud)) in made.iter().enumerate() {
            let source = if *in_cloud { cloud() } else { m365() };
            let mut share = link(source.clone(), &number.to_string(), person(*owner, &source));
            share.shared_by = sharer.map(|sharer| person(sharer, &source));
            shares.push(share);
        }
        let mut stage = Stage::new();
        stage.night(0, &shares);
        let (mailed, letters) = stage.mail(0, &mut Server::default());
        prop_assert!(mailed.is_clean());
        let mut owners_told = BTreeMap::new();
        for letter in &letters {
            prop_assert!(matches!(&letter.content, Content::Digest(digest) if digest.more.is_empty() || digest.entries.len() == 20));
            for entry in entries(letter) {
                let name = entry.item.rsplit('/').next().unwrap();
                let number: usize = name.trim_end_matches(".txt").parse().unwrap();
                let (owner, sharer, _) = made[number];
                let own = |number| format!("p{number}@example.org");
                match entry.role {
                    Role::Owner => prop_assert_eq!(&letter.to.address, &own(owner)),
                    Role::Sharer(_) => {
                        prop_assert_eq!(Some(letter.to.address.clone()), sharer.map(own));
                        prop_assert_ne!(Some(owner), sharer);
                    }
                    Role::Responsible(_) => prop_assert!(letter.to.address == IT && owner >= 3),
                }
                if !matches!(entry.role, Role::Sharer(_)) {
                    *owners_told.entry(number).or_insert(0) += 1;
                }
            }
        }
        prop_assert!(owners_told.values().all(|times| *times == 1));
        let in_full = letters.iter().all(|letter| entries(letter).len() < 20);
        prop_assert!(!in_full || owners_told.len() == shares.len());
        prop_assert_eq!(stage.mail(1, &mut Server::default()).1.len(), 0);
    }
}

/// What writes lists.
fn lists() -> Renderer {
    let facts = crate::notify::Facts {
        sender: "Share audit".to_owned(),
        contact: IT.to_owned(),
        zone: TimeZone::UTC,
        sources: BTreeMap::new(),
    };
    Renderer::new(&BTreeMap::new(), facts).unwrap()
}

/// The items of the list that goes with a letter.
fn listed(letter: &Letter) -> Vec<String> {
    let csv = letter.list.as_ref().unwrap().csv.as_ref().unwrap();
    let text = std::str::from_utf8(csv).unwrap();
    let rows = text.lines().skip(1);
    rows.map(|row| row.split(',').nth(2).unwrap().to_owned())
        .collect()
}

#[test]
fn a_list_has_all_that_its_reader_is_told_and_nothing_else() {
    let mut stage = Stage::new();
    stage.lists = Some(lists());
    let mut shares: Vec<_> = (10..40)
        .map(|id| link(cloud(), &id.to_string(), alice()))
        .collect();
    let mut shared = link(cloud(), "1", alice());
    shared.shared_by = Some(bob());
    let mut lost = link(cloud(), "2", disabled("carol"));
    lost.item.path = "/Legacy/=lost.txt".to_owned();
    shares.extend([shared, lost, link(cloud(), "3", bob())]);
    stage.night(0, &shares);
    let (mailed, letters) = stage.mail(0, &mut Server::default());
    assert!(mailed.is_clean());
    let of = |address: &str| {
        letters
            .iter()
            .find(|letter| letter.to.address == address)
            .unwrap()
    };
    let all: Vec<_> = (10..40).map(|id| format!("/Projects/{id}.txt")).collect();
    let theirs = of("alice@example.org");
    assert_eq!(entries(theirs).len(), 20, "the rest as a number");
    let mut told = listed(theirs);
    told.sort();
    assert_eq!(told, [&["/Projects/1.txt".to_owned()], all.as_slice()].concat());
    // Whoever shared it is told its name, and not where it lies.
    let mut told = listed(of("bob@example.org"));
    told.sort();
    assert_eq!(told, ["/Projects/3.txt", "1.txt"]);
    // Whoever reads in another's stead has a password of their own.
    let instead = of(IT);
    assert!(listed(instead).contains(&"/Legacy/=lost.txt".to_owned()));
    assert_eq!(instead.list.as_ref().unwrap().reader, IT);
    assert_eq!(theirs.list.as_ref().unwrap().reader, "alice@example.org");
    stage.redirect_to = Some("trial@example.org".to_owned());
    let (_, letters) = stage.mail(1, &mut Server::default());
    for letter in &letters {
        assert_eq!(letter.to.address, "trial@example.org");
        assert_eq!(
            Some(&letter.list.as_ref().unwrap().reader),
            letter.meant_for.as_ref()
        );
    }
    stage.names = NameDisplay::Hidden;
    stage.redirect_to = Some("second@example.org".to_owned());
    let (_, letters) = stage.mail(1, &mut Server::default());
    assert!(!letters.is_empty());
    for letter in &letters {
        assert!(
            listed(letter)
                .iter()
                .all(|item| item.starts_with("(name not shown"))
        );
    }
}

#[test]
fn administrators_have_no_list() {
    let mut stage = Stage::new();
    stage.lists = Some(lists());
    stage.night(0, &[link(cloud(), "1", alice())]);
    let mut server = Server::default();
    stage.try_mail(0, &mut server).unwrap();
    let taken = server.taken();
    let summary = taken
        .iter()
        .find(|letter| matches!(letter.content, Content::Summary(_)));
    assert_eq!(summary.unwrap().list, None);
}

/// A mail server that takes no attachment.
struct Strict(Vec<Letter>);

impl Carrier for Strict {
    fn carry<'a>(&'a mut self, letter: &'a Letter) -> BoxFuture<'a, Sent> {
        let is_attached = letter.list.as_ref().is_some_and(|list| list.csv.is_ok());
        let sent = if is_attached {
            Sent::Refused {
                words: "552 5.3.4 too big".to_owned(),
                permanent: false,
            }
        } else {
            self.0.push(letter.clone());
            Sent::Accepted {
                reply: "250".to_owned(),
            }
        };
        futures::future::ready(sent).boxed()
    }
}

#[test]
fn a_list_that_is_refused_or_too_long_costs_nobody_the_letter_and_is_told() {
    for (is_strict, why) in [(true, "552 5.3.4 too big"), (false, "longer than")] {
        let mut stage = Stage::new();
        stage.lists = Some(lists());
        let mut share = link(cloud(), "1", alice());
        if !is_strict {
            share.item.path = format!("/{}", "x".repeat(1_600_000));
        }
        stage.night(0, &[share]);
        let (mut strict, mut lenient) = (Strict(Vec::new()), Server::default());
        let (mailed, taken) = if is_strict {
            (stage.try_mail(0, &mut strict).unwrap(), strict.0)
        } else {
            (stage.try_mail(0, &mut lenient).unwrap(), lenient.taken())
        };
        let [(address, told)] = mailed.summary.unlisted.as_slice() else {
            panic!("{:?}", mailed.summary)
        };
        assert!(address == "alice@example.org" && told.contains(why), "{told}");
        assert!(mailed.summary.failed.is_empty() && !mailed.is_clean());
        let letters: Vec<_> = taken.iter().filter(|letter| letter.list.is_some()).collect();
        let [letter] = letters.as_slice() else {
            panic!("{taken:?}")
        };
        let text = stage.lists.as_ref().unwrap().render(letter).unwrap().text;
        assert!(
            text.contains("could not be attached") && !text.contains(".zip"),
            "{text}"
        );
        // The administrators hear of it, and the letter counts as read.
        let summary = taken.iter().find_map(|letter| match &letter.content {
            Content::Summary(summary) => Some(summary),
            Content::Digest(_) | Content::Incident(_) => None,
        });
        assert_eq!(summary.unwrap().unlisted, mailed.summary.unlisted);
        let (again, letters) = stage.mail(0, &mut Server::default());
        assert!(letters.is_empty() && again.is_clean());
    }
}
