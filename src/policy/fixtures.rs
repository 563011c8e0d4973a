//! Shares, people and policies for the tests of this part.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use crate::model::{
    Access, Classes, Expiry, Fact, Item, ItemKind, Level, Principal, PrincipalClass, Right, RuleId, Share,
    ShareKind, SourceFacts, SourceName,
};

use super::{Filter, Gap, Judge, Judged, Past, Policy, Waiver};

/// 2026-11-22T02:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_795_312_800, 0);

pub(crate) fn date(year: i16, month: i8, day: i8) -> Date {
    jiff::civil::date(year, month, day)
}

pub(crate) fn days(days: i64) -> Timestamp {
    NOW + SignedDuration::from_hours(24 * days)
}

pub(crate) fn expiry(ahead: i64) -> Expiry {
    let instant = days(ahead);
    Expiry::At {
        stated: instant.to_zoned(TimeZone::UTC).date().to_string(),
        instant,
    }
}

pub(crate) fn globs(patterns: &[&str]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).case_insensitive(true).build().unwrap());
    }
    set.build().unwrap()
}

pub(crate) fn classes(patterns: &[&str], tags: &[&str]) -> Classes {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Classes::compile(&[("confidential".to_owned(), own(patterns), own(tags))]).unwrap()
}

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy {
    internal_domains: vec!["example.org".into()],
    partner_domains: vec!["partner.example.net".into()],
    internal_servers: vec!["cloud2.example.org".into()],
    mailing_lists: globs(&["*-all@example.org", "staff@example.org"]),
    ..Policy::default()
});

pub(crate) fn policy() -> Policy {
    POLICY.clone()
}

pub(crate) fn waiver() -> Waiver {
    Waiver {
        finding: None,
        share: None,
        filter: Filter::default(),
        site: None,
        reason: "printed on the prospectus".into(),
        approved_by: "head of communications".into(),
        until: date(2027, 3, 31),
        title: "waiver 1".into(),
        key: "first".into(),
    }
}

pub(crate) fn gap() -> Gap {
    Gap {
        source: SourceName::new("cloud"),
        scope: globs(&["*"]),
        code: None,
        reason: "archived".into(),
        approved_by: "head of IT".into(),
        until: date(2027, 3, 31),
    }
}

/// A member whose details were read.
pub(crate) fn account(id: &str) -> Principal {
    Principal {
        guest: Some(false),
        active: Some(true),
        signed_in: Some(true),
        ..Principal::new(PrincipalClass::Account, id)
    }
}

pub(crate) fn named(id: &str, email: &str) -> Principal {
    Principal {
        email: Some(email.into()),
        ..account(id)
    }
}

pub(crate) fn disabled(id: &str) -> Principal {
    Principal {
        active: Some(false),
        ..account(id)
    }
}

pub(crate) fn guest(address: &str) -> Principal {
    Principal {
        guest: Some(true),
        ..named(address, address)
    }
}

pub(crate) fn group(id: &str) -> Principal {
    Principal::new(PrincipalClass::Group, id)
}

pub(crate) fn address(text: &str) -> Principal {
    Principal::new(PrincipalClass::Address, text)
}

pub(crate) fn federated(id: &str) -> Principal {
    Principal::new(PrincipalClass::Federated, id)
}

/// A file that Alice shared with Bob a day ago.
pub(crate) fn share() -> Share {
    let alice = Principal {
        groups: vec!["press-office".into()],
        ..named("alice", "alice@example.org")
    };
    Share {
        source: SourceName::new("cloud"),
        id: "17".into(),
        kind: ShareKind::User,
        anonymous: false,
        item: Item {
            id: "5123".into(),
            path: "/notes.txt".into(),
            path_is_owners: true,
            kind: ItemKind::File,
            size: Some(10_240),
            files_beneath: None,
            drive: None,
            labels: None,
        },
        owner: alice.clone(),
        shared_by: Some(alice),
        recipients: vec![account("bob")],
        opened_by: Vec::new(),
        access: Access::of(&[Right::View, Right::Download]),
        password: None,
        expires: Expiry::Never,
        created_at: Some(days(-1)),
        inherited: false,
        label: None,
        link: None,
        unknown: Vec::new(),
    }
}

/// Alice's link to a file: no password, no expiry date, to be seen and fetched.
pub(crate) fn link(path: &str) -> Share {
    let mut link = Share {
        kind: ShareKind::Link,
        anonymous: true,
        recipients: Vec::new(),
        password: Some(false),
        ..share()
    };
    link.item.path = path.into();
    link
}

/// The same for a folder.
pub(crate) fn folder(mut share: Share) -> Share {
    share.item.kind = ItemKind::Folder;
    share
}

/// A mail share with an outsider.
pub(crate) fn mail(password: Option<bool>) -> Share {
    Share {
        kind: ShareKind::Mail,
        recipients: vec![address("x@evil.net")],
        password,
        ..link("/a")
    }
}

/// All that is known of a disabled account's shared file.
pub(crate) fn bare() -> Share {
    Share {
        id: "file/5123".into(),
        owner: disabled("dave"),
        shared_by: None,
        access: Access::NONE,
        password: None,
        expires: Expiry::Unknown,
        created_at: None,
        unknown: ["access", "password", "expires", "created_at", "shared_by"]
            .map(str::to_owned)
            .to_vec(),
        ..link("/a")
    }
}

pub(crate) fn facts(known: &[(Fact, bool)]) -> SourceFacts {
    let mut facts = SourceFacts::default();
    for (fact, value) in known {
        facts.set(*fact, *value);
    }
    facts
}

pub(crate) fn judged(policy: &Policy, share: &Share) -> Judged {
    Judge::new(policy, &facts(&[(Fact::AccountDetailsRead, true)]), NOW).share(share, &Past::default())
}

/// What one rule says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Fires(Level),
    Quiet,
    NoInput,
}

/// One rule before a policy, facts and a past.
pub(crate) struct Bench {
    pub(crate) rule: RuleId,
    pub(crate) policy: Policy,
    pub(crate) facts: SourceFacts,
    pub(crate) past: Past,
}

impl Bench {
    pub(crate) fn of(rule: RuleId) -> Self {
        Self {
            rule,
            policy: policy(),
            facts: facts(&[(Fact::AccountDetailsRead, true)]),
            past: Past::default(),
        }
    }

    pub(crate) fn says(&self, share: &Share) -> Said {
        let judged = Judge::new(&self.policy, &self.facts, NOW)
            .only(&[self.rule])
            .share(share, &self.past);
        match (judged.findings.as_slice(), judged.not_judged.as_slice()) {
            ([], []) => Said::Quiet,
            ([finding], []) if finding.rule == self.rule => Said::Fires(finding.level),
            ([], [rule]) if *rule == self.rule => Said::NoInput,
            other => panic!("{other:?}"),
        }
    }
}
