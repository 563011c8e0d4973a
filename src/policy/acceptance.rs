//! What somebody accepted when a waiver first covered a finding, and whether the finding has outgrown it.
//!
//! A waiver is for what its author saw. Where the level is higher, or more people can do more, it no longer
//! covers the finding, and does not again when the share narrows: somebody has to look at it anew.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Access, Audience, FindingId, Level, Principal, Right, Share};

/// Who can do what with a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breadth {
    /// Who can open it.
    pub audience: Audience,
    /// What it lets them do.
    pub access: Access,
    /// Whether a password protects it; `None` where the service does not tell.
    pub password: Option<bool>,
    /// Whom it was granted to: class and id.
    pub recipients: BTreeSet<String>,
}

impl Breadth {
    /// How wide a share is.
    #[must_use]
    pub fn of(share: &Share, audience: Audience) -> Self {
        let named = |who: &Principal| format!("{} {}", who.class, who.id);
        Self {
            audience,
            access: share.access,
            password: share.password,
            recipients: share.recipients.iter().map(named).collect(),
        }
    }

    /// Whether more people can do more, or without a password, than with another.
    #[must_use]
    pub fn is_wider_than(&self, other: &Self) -> bool {
        !self.beyond(other).is_empty()
    }

    /// What of it goes beyond another, in words.
    fn beyond(&self, other: &Self) -> Vec<String> {
        let mut grown = Vec::new();
        if self.audience > other.audience {
            grown.push(format!(
                "its audience widened from {} to {}",
                other.audience, self.audience
            ));
        }
        let gained: Vec<_> = self
            .access
            .iter()
            .filter(|right| !other.access.has(*right))
            .map(Right::as_str)
            .collect();
        if !gained.is_empty() {
            grown.push(format!("it came to allow {}", gained.join(", ")));
        }
        if other.password == Some(true) && self.password != Some(true) {
            grown.push("its password is gone".to_owned());
        }
        match self.recipients.difference(&other.recipients).count() {
            0 => {}
            1 => grown.push("a recipient was added".to_owned()),
            more => grown.push(format!("{more} recipients were added")),
        }
        grown
    }
}

/// How a finding stood when a waiver first covered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The waiver's key.
    pub waiver: String,
    /// The finding.
    pub finding: FindingId,
    /// Its level then.
    pub level: Level,
    /// How wide its share was then; `None` for a finding about a source's settings.
    pub breadth: Option<Breadth>,
    /// Whether the waiver has ceased to cover it since.
    pub ended: bool,
}

impl Accepted {
    /// What has grown since, in words that name nothing remote; `None` where nothing has.
    pub(super) fn outgrown(&self, level: Level, breadth: Option<&Breadth>) -> Option<String> {
        let mut grown = Vec::new();
        if level > self.level {
            grown.push(format!("its level rose from {} to {level}", self.level));
        }
        if let (Some(now), Some(then)) = (breadth, &self.breadth) {
            grown.extend(now.beyond(then));
        }
        (!grown.is_empty()).then(|| grown.join(", "))
    }
}

/// What becomes of a waiver's hold on a finding that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The waiver's place in the policy.
    pub place: usize,
    /// Its key.
    pub waiver: String,
    /// The finding.
    pub finding: FindingId,
    /// What becomes of it.
    pub hold: Hold,
}

/// How a waiver holds a finding, where that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It covers it for the first time, as it stands.
    Begins {
        /// The finding's level.
        level: Level,
        /// How wide its share is.
        breadth: Option<Breadth>,
    },
    /// It covers it no longer: what has grown.
    Ends(String),
    /// It ceased to cover it in an earlier run.
    Over,
}

/// The findings that a waiver has ceased to cover, as far as they are told by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgrown {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<FindingId>,
}

/// How many outgrown findings are told by name.
const NAMED: usize = 5;

impl Outgrown {
    /// Notes, by the waiver's place, which of these waivers have ceased to cover a finding.
    pub fn note(all: &mut BTreeMap<usize, Self>, turns: &[Turn]) {
        for turn in turns {
            if matches!(turn.hold, Hold::Begins { .. }) {
                continue;
            }
            let own = all.entry(turn.place).or_default();
            own.count += 1;
            if own.first.len() < NAMED {
                own.first.push(turn.finding.clone());
            }
        }
    }

    /// Adds those of another source.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first.extend(other.first);
        self.first.truncate(NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RuleId, SourceName};
    use crate::policy::fixtures::{account, link, share};

    fn id() -> FindingId {
        FindingId::of(RuleId::LinkWithoutExpiry, &SourceName::new("cloud"), Some("17"))
    }

    #[test]
    fn what_grew_is_said_in_words_and_what_shrank_is_not() {
        let then = Share {
            password: Some(true),
            access: Access::of(&[Right::View]),
            ..share()
        };
        let with = |change: &dyn Fn(&mut Share)| {
            let mut now = then.clone();
            change(&mut now);
            now
        };
        let accepted = Accepted {
            waiver: "first".into(),
            finding: id(),
            level: Level::Medium,
            breadth: Some(Breadth::of(&then, Audience::External)),
            ended: false,
        };
        for (now, audience, level, expected) in [
            (then.clone(), Audience::External, Level::Medium, None),
            (then.clone(), Audience::Internal, Level::Low, None),
            (
                with(&|own| own.access = Access::NONE),
                Audience::External,
                Level::Medium,
                None,
            ),
            (
                with(&|own| own.recipients.clear()),
                Audience::External,
                Level::Medium,
                None,
            ),
            (
                then.clone(),
                Audience::Anyone,
                Level::Medium,
                Some("its audience widened from external to anyone"),
            ),
            (
                then.clone(),
                Audience::External,
                Level::High,
                Some("its level rose from medium to high"),
            ),
            (
                with(&|own| own.access = Access::of(&[Right::View, Right::Edit, Right::Create])),
                Audience::External,
                Level::Medium,
                Some("it came to allow edit, create"),
            ),
            (
                with(&|own| own.password = Some(false)),
                Audience::External,
                Level::Medium,
                Some("its password is gone"),
            ),
            // What is not told any more is not taken for there.
            (
                with(&|own| own.password = None),
                Audience::External,
                Level::Medium,
                Some("its password is gone"),
            ),
            (
                with(&|own| own.recipients = vec![account("eve")]),
                Audience::External,
                Level::Medium,
                Some("a recipient was added"),
            ),
            (
                with(&|own| own.recipients.extend([account("eve"), account("mallory")])),
                Audience::Anyone,
                Level::Critical,
                Some(
                    "its level rose from medium to critical, its audience widened from external to anyone, \
                      2 recipients were added",
                ),
            ),
        ] {
            let breadth = Breadth::of(&now, audience);
            assert_eq!(accepted.outgrown(level, Some(&breadth)).as_deref(), expected);
        }
        let settings = Accepted {
            breadth: None,
            ..accepted
        };
        assert_eq!(settings.outgrown(Level::Medium, None), None);
        assert!(settings.outgrown(Level::High, None).is_some());
    }

    #[test]
    fn many_outgrown_findings_are_counted_and_few_are_named() {
        let turn = |hold: Hold| Turn {
            place: 3,
            waiver: "first".into(),
            finding: id(),
            hold,
        };
        let begins = Hold::Begins {
            level: Level::Low,
            breadth: Some(Breadth::of(&link("/a"), Audience::Anyone)),
        };
        let mut all = BTreeMap::new();
        Outgrown::note(&mut all, &[turn(begins)]);
        assert!(all.is_empty(), "what is covered has not outgrown");
        Outgrown::note(&mut all, &[turn(Hold::Over), turn(Hold::Ends("it grew".into()))]);
        let other = Outgrown {
            count: 10,
            first: vec![id(); 5],
        };
        let mut own = all.remove(&3).unwrap();
        assert_eq!((own.count, own.first.len()), (2, 2));
        own.add(other);
        assert_eq!((own.count, own.first.len()), (12, 5));
    }
}
