//! Plans: what is proposed, the file, decisions, and the table.

use jiff::{Span, Timestamp};

use super::{Action, ActionKind, Candidate, Change, EnforceRule, Proposer, Unproposed};
use crate::model::{Principal, RuleId, Share, SourceFacts, SourceKind};
use crate::policy::fixtures::{NOW, facts};
use crate::policy::{Filter, Judge, Past, Policy};

mod decisions;
mod file;
mod grace;
mod properties;
mod propose;
mod table;

/// A share before a configuration.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) policy: Policy,
    pub(super) facts: SourceFacts,
    pub(super) past: Past,
    pub(super) kind: SourceKind,
    pub(super) rules: Vec<EnforceRule>,
    /// `None`: whatever fires stands.
    pub(super) standing: Option<Vec<RuleId>>,
    pub(super) also_ends: Vec<String>,
    pub(super) usable: fn(&Principal) -> bool,
    pub(super) now: Timestamp,
}

impl Bench {
    pub(super) fn of(rules: Vec<EnforceRule>) -> Self {
        Self {
            policy: crate::policy::fixtures::policy(),
            facts: facts(&[(crate::model::Fact::AccountDetailsRead, true)]),
            past: Past::default(),
            kind: SourceKind::Nextcloud,
            rules,
            standing: None,
            also_ends: Vec::new(),
            usable: |_| true,
            now: NOW,
        }
    }

    pub(super) fn proposes(&self, share: &Share) -> Option<Result<Action, Unproposed>> {
        let judge = Judge::new(&self.policy, &self.facts, NOW);
        let judged = judge.share(share, &self.past);
        let all: Vec<RuleId> = judged.findings.iter().map(|own| own.rule).collect();
        Proposer::new(&self.rules, self.now).propose(&Candidate {
            share,
            kind: self.kind,
            judged: &judged,
            standing: self.standing.as_deref().unwrap_or(&all),
            facts: &self.facts,
            about: &|rule| judge.about(share, &self.past, rule),
            also_ends: &self.also_ends,
            usable: &self.usable,
        })
    }

    /// `revoke`, `set-expiry 2026-12-22`, `no revoke: file-drop`, or nothing.
    pub(super) fn says(&self, share: &Share) -> String {
        match self.proposes(share) {
            None => String::new(),
            Some(Ok(Action {
                action: ActionKind::Revoke,
                ..
            })) => "revoke".to_owned(),
            Some(Ok(action)) => format!("{} {}", action.action, action.value.unwrap()),
            Some(Err(not)) => format!("no {}: {}", not.action, not.why),
        }
    }
}

pub(super) fn rule(rule: RuleId, change: Change) -> EnforceRule {
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

pub(super) fn expire(days: i64) -> Change {
    Change::SetExpiry {
        after: Span::new().days(days),
    }
}

pub(super) const REVOKE: Change = Change::Revoke {
    file_drops: false,
    collateral: false,
};
pub(super) const REVOKE_ALL: Change = Change::Revoke {
    file_drops: true,
    collateral: true,
};

/// An action about a share with this id, without an id of its own.
pub(super) fn action(share: &str) -> Action {
    let share = Share {
        id: share.to_owned(),
        ..crate::policy::fixtures::link("/a")
    };
    Bench::of(vec![rule(RuleId::LinkWithoutExpiry, expire(30))])
        .proposes(&share)
        .unwrap()
        .unwrap()
}
