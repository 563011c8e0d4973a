//! Letters in which everything occurs that may, on which templates are tried out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;

use super::fate::Reader;
use super::letter::{
    Addressee, Content, Digest, Due, Entry, Incident, Instead, Language, LastRun, Letter, List, Role,
    Summary, Told, Unsure,
};
use crate::model::{
    Access, Audience, FindingId, ItemKind, Level, Origin, ProblemCode, Right, RuleId, ShareKind, SourceKind,
    SourceName, Uses, Verdict,
};
use crate::plan::ActionKind;

/// One of each kind, full and empty, in each language.
pub(super) fn letters() -> impl Iterator<Item = Letter> {
    Language::ALL.iter().flat_map(|language| {
        let bare = Letter {
            to: Addressee {
                name: None,
                address: "it-security@example.org".into(),
            },
            told: Reader::Fallback,
            instead: Some(Instead::OwnerGone),
            meant_for: Some("bob@example.org".into()),
            list: Some(list(Err("it is too long".into()))),
            ..letter(*language, Content::Digest(Digest::default()))
        };
        let to_manager = Letter {
            told: Reader::Manager,
            instead: Some(Instead::OwnerGone),
            ..letter(*language, Content::Digest(digest()))
        };
        let full = Letter {
            list: Some(list(Ok(Vec::new()))),
            ..letter(*language, Content::Digest(digest()))
        };
        [
            full,
            bare,
            to_manager,
            letter(*language, Content::Incident(Box::new(incident(Origin::Outside)))),
            letter(*language, Content::Incident(Box::new(incident(Origin::Own)))),
            letter(*language, Content::Incident(Box::new(incident(Origin::Untold)))),
            letter(*language, Content::Summary(Box::new(summary()))),
            letter(*language, Content::Summary(Box::default())),
        ]
    })
}

pub(super) fn letter(language: Language, content: Content) -> Letter {
    Letter {
        to: Addressee {
            name: Some("Alice Adams".into()),
            address: "alice@example.org".into(),
        },
        language,
        thread: "alice".into(),
        key: "2026-11-26/alice".into(),
        at: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(498_794),
        content,
        told: Reader::Owner,
        instead: None,
        meant_for: None,
        list: None,
    }
}

pub(super) fn list(csv: Result<Vec<u8>, String>) -> List {
    List {
        reader: "alice@example.org".into(),
        name: "shares-2026-11-26".into(),
        csv,
    }
}

pub(super) fn digest() -> Digest {
    let cloud = SourceName::new("cloud");
    let m365 = SourceName::new("m365");
    let told = |rule: RuleId, level, is_news| Told {
        id: FindingId::of(rule, &cloud, Some("17")),
        rule,
        level,
        is_news,
    };
    let salaries = Entry {
        source: cloud.clone(),
        product: SourceKind::Nextcloud,
        findings: vec![
            told(RuleId::ClassifiedItemExposed, Level::Critical, true),
            told(RuleId::LinkWithoutPassword, Level::High, false),
        ],
        item: "/HR/salaries.xlsx".into(),
        item_kind: ItemKind::File,
        kind: ShareKind::Link,
        audience: Audience::Anyone,
        access: Access::of(&[Right::View, Right::Download]),
        password: Some(false),
        since: date(2026, 2, 3),
        since_made: true,
        due: Some(Due {
            on: date(2026, 11, 20),
            action: ActionKind::Revoke,
            value: None,
        }),
        role: Role::Owner,
    };
    let minutes = Entry {
        source: m365,
        product: SourceKind::Microsoft365,
        findings: vec![told(RuleId::LinkWithoutExpiry, Level::Medium, true)],
        item: "/sites/board/Minutes".into(),
        item_kind: ItemKind::Folder,
        access: Access::of(&[Right::View, Right::Edit, Right::Delete]),
        password: Some(false),
        since: date(2025, 12, 1),
        since_made: false,
        due: Some(Due {
            on: date(2026, 12, 1),
            action: ActionKind::SetExpiry,
            value: Some(date(2027, 1, 5)),
        }),
        role: Role::Responsible("Board site".into()),
        ..salaries.clone()
    };
    let poster = Entry {
        findings: vec![told(RuleId::ExternalRecipient, Level::Medium, false)],
        item: String::new(),
        kind: ShareKind::User,
        audience: Audience::External,
        access: Access::NONE,
        due: None,
        role: Role::Sharer("Bob Brown".into()),
        ..salaries.clone()
    };
    Digest {
        entries: vec![salaries, minutes, poster],
        more: BTreeMap::from([(Level::Medium, 1_234), (Level::High, 3)]),
    }
}

pub(super) fn incident(origin: Origin) -> Incident {
    let at = |hours| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours);
    let is_first = origin == Origin::Untold;
    Incident {
        finding: FindingId::of(RuleId::BreachSuspected, &SourceName::new("cloud"), Some("17")),
        level: if origin == Origin::Outside {
            Level::Critical
        } else {
            Level::High
        },
        source: SourceName::new("cloud"),
        product: SourceKind::Nextcloud,
        item: "/HR/salaries.xlsx".into(),
        item_kind: ItemKind::File,
        kind: ShareKind::Link,
        access: Access::of(&[Right::View, Right::Download]),
        owner: "Alice Adams".into(),
        labels: if is_first {
            Vec::new()
        } else {
            vec!["confidential".into()]
        },
        since: date(2026, 2, 3),
        since_made: !is_first,
        uses: Uses {
            records: if is_first { 1 } else { 3 },
            first: at(498_700),
            last: at(498_790),
            origin,
        },
    }
}

pub(super) fn summary() -> Summary {
    let last = |verdict| {
        Some(LastRun {
            id: "20261126T020000Z".into(),
            on: date(2026, 11, 26),
            verdict,
        })
    };
    let unsure = |address: &str, why: Option<&str>| Unsure {
        address: address.into(),
        on: date(2026, 11, 25),
        why: why.map(str::to_owned),
    };
    Summary {
        sources: vec![
            (SourceName::new("cloud"), last(Verdict::Complete)),
            (SourceName::new("m365"), last(Verdict::Incomplete)),
            (SourceName::new("lab"), None),
        ],
        standing: BTreeMap::from([(Level::Critical, 4), (Level::High, 27), (Level::Medium, 1_205)]),
        new: BTreeMap::from([(Level::Critical, 2), (Level::Medium, 1)]),
        unread: vec![(
            SourceName::new("m365"),
            "drive of Dora Dean".into(),
            ProblemCode::Forbidden,
        )],
        more_unread: 1,
        sent: 41,
        failed: vec![("erin@example.org".into(), "550 5.1.1 no such mailbox".into())],
        unlisted: vec![("grace@example.org".into(), "552 5.3.4 message too big".into())],
        instead: BTreeMap::from([(Instead::NoAddress, 2), (Instead::OwnerGone, 1)]),
        unknown: vec![
            unsure(
                "frank@example.org",
                Some("the connection was lost after the letter"),
            ),
            unsure("grace@example.org", None),
        ],
        too_many: Some(1_731),
        due: BTreeMap::from([(date(2026, 12, 1), 12), (date(2026, 12, 2), 1)]),
    }
}
