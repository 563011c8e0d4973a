//! Letters in which everything occurs that may, on which templates are tried out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;

use super::letter::{
    Addressee, Content, Digest, Due, Entry, Instead, Language, Letter, List, Role, Summary, Told,
};
use crate::model::{
    Access, Audience, FindingId, ItemKind, Level, Right, RuleId, ShareKind, SourceKind, SourceName, Verdict,
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
            instead: Some(Instead::OwnerGone),
            meant_for: Some("bob@example.org".into()),
            list: Some(list(Err("it is too long".into()))),
            ..letter(*language, Content::Digest(Digest::default()))
        };
        let quiet = Summary {
            run: summary().run,
            ..Summary::default()
        };
        let full = Letter {
            list: Some(list(Ok(Vec::new()))),
            ..letter(*language, Content::Digest(digest()))
        };
        [
            full,
            bare,
            letter(*language, Content::Summary(Box::new(summary()))),
            letter(*language, Content::Summary(Box::new(quiet))),
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

pub(super) fn summary() -> Summary {
    Summary {
        run: "20261126T020000Z".into(),
        sources: vec![
            (SourceName::new("cloud"), Verdict::Complete),
            (SourceName::new("m365"), Verdict::Incomplete),
        ],
        standing: BTreeMap::from([(Level::Critical, 4), (Level::High, 27), (Level::Medium, 1_205)]),
        new: BTreeMap::from([(Level::Critical, 2), (Level::Medium, 1)]),
        unread: vec![(
            SourceName::new("m365"),
            "drive of Dora Dean".into(),
            "the service refused access (403)".into(),
        )],
        more_unread: 1,
        sent: 41,
        failed: vec![("erin@example.org".into(), "550 5.1.1 no such mailbox".into())],
        unlisted: vec![("grace@example.org".into(), "552 5.3.4 message too big".into())],
        instead: BTreeMap::from([(Instead::NoAddress, 2), (Instead::OwnerGone, 1)]),
        unknown: vec!["frank@example.org".into()],
        too_many: Some(1_731),
        due: BTreeMap::from([(date(2026, 12, 1), 12), (date(2026, 12, 2), 1)]),
    }
}
