//! What a rule sees: one share, its past, the facts of its source, and what was already worked out.

use std::{cell::OnceCell, collections::BTreeSet};

use jiff::Timestamp;

use crate::model::{Audience, Fact, Principal, PrincipalKind, RuleId, Share};

use super::{Judge, Past, filter::Subject, judge::Ruling};

/// One share before the rules.
pub(super) struct Case<'a> {
    pub(super) judge: &'a Judge<'a>,
    pub(super) share: &'a Share,
    pub(super) past: &'a Past,
    pub(super) audience: Audience,
    pub(super) classified: Option<bool>,
    pub(super) labels: &'a BTreeSet<String>,
    pub(super) kinds: &'a [PrincipalKind],
    pub(super) rulings: OnceCell<Vec<&'a Ruling<'a>>>,
}

impl<'a> Case<'a> {
    /// Whether anyone who has its address can open it.
    pub(super) fn is_open(&self) -> bool {
        self.audience == Audience::Anyone
    }

    /// A fact of the source.
    pub(super) fn fact(&self, fact: Fact) -> Option<bool> {
        self.judge.facts.get(fact)
    }

    /// The places of the recipients for which the predicate holds.
    pub(super) fn recipients(&self, holds: impl Fn(&Principal, PrincipalKind) -> bool) -> Vec<usize> {
        let people = self.share.recipients.iter().zip(self.kinds);
        people
            .enumerate()
            .filter(|(_, (recipient, kind))| holds(recipient, **kind))
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether the predicate holds for any recipient.
    pub(super) fn any_recipient(&self, holds: impl Fn(&Principal, PrincipalKind) -> bool) -> bool {
        self.share
            .recipients
            .iter()
            .zip(self.kinds)
            .any(|(recipient, kind)| holds(recipient, *kind))
    }

    /// The overrides that speak of this share, whatever they say of rules and recipients.
    pub(super) fn rulings(&self) -> &[&'a Ruling<'a>] {
        self.rulings.get_or_init(|| {
            let subject = Subject {
                source: &self.share.source,
                share: Some((self.share, self.labels)),
            };
            self.judge
                .rulings
                .iter()
                .filter(|ruling| ruling.exception.filter.is_about(subject))
                .collect()
        })
    }

    /// The instant beyond which an expiry date is too far ahead.
    pub(super) fn latest_expiry(&self) -> Timestamp {
        self.rulings()
            .iter()
            .rev()
            .filter(|ruling| ruling.exception.filter.allows(RuleId::LinkExpiryTooFar))
            .filter(|ruling| ruling.exception.filter.covers_recipients(self.share, None))
            .find_map(|ruling| ruling.latest_expiry)
            .unwrap_or(self.judge.latest_expiry)
    }
}
