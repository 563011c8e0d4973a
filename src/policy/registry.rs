//! The registry of rules: what each is called, says and needs, and where its judgement lies.
//!
//! One entry a rule, in the order of [`RuleId::ALL`]; the entries themselves stand in `rules/`.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{Level, Remedy, RuleId, SourceFacts, SourceKind};

use super::{Guidance, case::Case, rules::RULES};

/// What there is to say of a rule.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RuleInfo {
    /// Its name.
    pub id: RuleId,
    /// The level that a finding has unless the rule's own conditions or the configuration say otherwise.
    pub level: Level,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// When it fires, exactly, with the levels that differ.
    pub fires: &'static str,
    /// Why it matters, in a paragraph that an owner understands.
    pub reason: &'static str,
    /// What puts it right, in words.
    pub remedy: &'static str,
    /// The guidance it comes from.
    pub guidance: Guidance,
    /// What it must be told to judge; without it, it is listed as not judged.
    pub needs: &'static str,
    /// The configuration keys that change what it does, beside `policy.levels` and `policy.override`.
    pub settings: &'static [&'static str],
    /// The kinds of sources in which it can fire.
    pub sources: &'static [SourceKind],
}

pub(super) const EVERY_SOURCE: &[SourceKind] = SourceKind::ALL;
pub(super) const NEXTCLOUD: &[SourceKind] = &[SourceKind::Nextcloud];
pub(super) const MICROSOFT: &[SourceKind] = &[SourceKind::Microsoft365];

/// A rule: what there is to say of it, and how it judges.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) info: RuleInfo,
    pub(super) judgement: Judgement,
}

/// Where a rule's judgement lies.
#[derive(Debug)]
pub(super) enum Judgement {
    /// It judges one share.
    Share(fn(&Case<'_>) -> Outcome),
    /// It judges a source's settings.
    Source(fn(&SourceFacts) -> Outcome),
}

/// What a rule says.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing to object to.
    Quiet,
    /// It lacks its input.
    NoInput,
    /// It fires.
    Fires(Hit),
}

/// That a rule fired.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) level: Level,
    pub(super) message: Cow<'static, str>,
    pub(super) remedy: Remedy,
    /// The places of the recipients it is about; none means the share as a whole.
    pub(super) about: Option<Vec<usize>>,
}

impl Outcome {
    pub(super) fn fires(level: Level, remedy: Remedy, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Fires(Hit {
            level,
            message: message.into(),
            remedy,
            about: None,
        })
    }

    /// Fires where there are recipients that it is about.
    pub(super) fn about(recipients: Vec<usize>, level: Level, remedy: Remedy, message: &'static str) -> Self {
        if recipients.is_empty() {
            Self::Quiet
        } else {
            Self::Fires(Hit {
                level,
                message: message.into(),
                remedy,
                about: Some(recipients),
            })
        }
    }

    /// The same, but lacking its input where it would say nothing and something was not told.
    pub(super) fn unless(self, untold: impl FnOnce() -> bool) -> Self {
        match self {
            Self::Quiet if untold() => Self::NoInput,
            said => said,
        }
    }
}

/// What there is to say of a rule.
#[must_use]
pub fn rule(id: RuleId) -> &'static RuleInfo {
    &RULES[id as usize].info
}

/// What there is to say of every rule, in the documented order.
#[must_use]
pub fn rules() -> impl ExactSizeIterator<Item = &'static RuleInfo> {
    RULES.iter().map(|rule| &rule.info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_stands_in_the_order_of_the_names() {
        let ids: Vec<_> = rules().map(|info| info.id).collect();
        assert_eq!(ids, RuleId::ALL);
    }

    #[test]
    fn every_rule_explains_itself() {
        for info in rules() {
            assert!(!info.title.ends_with('.'), "{}", info.id);
            for text in [info.fires, info.reason, info.remedy, info.needs] {
                assert!(text.ends_with('.') && text.len() > 12, "{}: {text}", info.id);
            }
            assert!(!info.sources.is_empty(), "{}", info.id);
        }
    }

    #[test]
    fn settings_are_judged_from_facts_and_shares_from_shares() {
        for rule in &RULES {
            assert_eq!(
                rule.info.id.is_posture(),
                matches!(rule.judgement, Judgement::Source(_)),
                "{}",
                rule.info.id
            );
        }
    }
}
