//! What holds for every share, policy and past.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;

use super::worlds::{facts, pasts, policies, shares, waivers};
use crate::model::{Access, Audience, Classes, Finding, Level, Right, RuleId, Share};
use crate::policy::fixtures::{NOW, classes, expiry, globs, policy, waiver};
use crate::policy::{
    Accepted, Filter, Hold, Judge, Judged, Need, Override, Past, Policy, Waiver, judge, wants,
};

static SOME: LazyLock<Classes> = LazyLock::new(|| classes(&["**/HR/**"], &["confidential"]));
static ALL: LazyLock<Classes> = LazyLock::new(|| classes(&["**"], &[]));

/// What does not depend on the order of the recipients.
#[derive(Debug, PartialEq)]
struct Summary {
    audience: Audience,
    classified: Option<bool>,
    findings: Vec<Finding>,
    silent: [Vec<RuleId>; 2],
}

fn summary(judged: Judged) -> Summary {
    Summary {
        audience: judged.audience,
        classified: judged.classified,
        findings: judged.findings,
        silent: [judged.not_judged, judged.untold],
    }
}

fn level(judged: &Judged, rule: RuleId) -> Option<Level> {
    judged
        .findings
        .iter()
        .find(|own| own.rule == rule)
        .map(|own| own.level)
}

/// Whether a share lets more people do more than another, said without the policy's help.
fn is_wider((now, audience): (&Share, Audience), (then, was): (&Share, Audience)) -> bool {
    audience > was
        || now.access.bits() & !then.access.bits() != 0
        || (then.password == Some(true) && now.password != Some(true))
        || now.recipients.iter().any(|who| {
            !then
                .recipients
                .iter()
                .any(|known| (known.class, &known.id) == (who.class, &who.id))
        })
}

/// What the ledger keeps of a judgement.
fn kept(before: &[Accepted], judged: &Judged) -> Vec<Accepted> {
    let mut kept = before.to_vec();
    for turn in &judged.turns {
        match &turn.hold {
            Hold::Begins { level, breadth } => kept.push(Accepted {
                waiver: turn.waiver.clone(),
                finding: turn.finding.clone(),
                level: *level,
                breadth: breadth.clone(),
                ended: false,
            }),
            Hold::Ends(_) => {
                for own in kept.iter_mut().filter(|own| own.finding == turn.finding) {
                    own.ended = true;
                }
            }
            Hold::Over => {}
        }
    }
    kept
}

proptest! {
    #[test]
    fn judging_is_deterministic_and_does_not_depend_on_the_recipients_order(
        share in shares(), policy in policies(), facts in facts(), past in pasts(),
    ) {
        let mut turned = share.clone();
        turned.recipients.reverse();
        let one = judge(&policy, &facts, &share, &past, NOW);
        let again = judge(&policy, &facts, &share, &past, NOW);
        let other = judge(&policy, &facts, &turned, &past, NOW);
        let one = summary(one);
        prop_assert_eq!(&one, &summary(again));
        prop_assert_eq!(&one, &summary(other));
    }

    #[test]
    fn a_rule_says_one_thing_of_a_share(
        share in shares(), policy in policies(), facts in facts(), past in pasts(),
    ) {
        let judged = judge(&policy, &facts, &share, &past, NOW);
        let said: Vec<_> = judged.findings.iter().map(|own| own.rule).chain(judged.not_judged.iter().copied()).collect();
        let rules: BTreeSet<_> = said.iter().copied().collect();
        prop_assert_eq!(rules.len(), said.len());
        prop_assert!(rules.iter().all(|rule| !rule.is_posture()));
        prop_assert_eq!(judged.recipients.len(), share.recipients.len());
    }

    #[test]
    fn a_share_that_ended_yields_nothing(
        share in shares(), policy in policies(), facts in facts(), past in pasts(), ago in 0_i64..900,
    ) {
        let ended = Share { expires: expiry(-ago), ..share };
        let judged = judge(&policy, &facts, &ended, &past, NOW);
        prop_assert!(judged.expired);
        prop_assert!(judged.findings.is_empty() && judged.not_judged.is_empty());
        prop_assert_eq!(wants(&policy, &ended, &judged), Need::None);
    }

    #[test]
    fn a_rule_that_is_off_is_silent(
        share in shares(), policy in policies(), facts in facts(), past in pasts(), at in 0..RuleId::ALL.len(),
    ) {
        let rule = RuleId::ALL[at];
        let filter = Filter { rule: Some(rule), ..Filter::default() };
        let mut overrides = policy.overrides.clone();
        overrides.push(Override { filter, level: Some(None), ..Override::default() });
        let off = Policy { overrides, ..policy.clone() };
        let with = judge(&policy, &facts, &share, &past, NOW);
        let without = judge(&off, &facts, &share, &past, NOW);
        prop_assert_eq!(level(&without, rule), None);
        prop_assert!(!without.not_judged.contains(&rule));
        let others: Vec<_> = with.findings.into_iter().filter(|own| own.rule != rule).collect();
        prop_assert_eq!(others, without.findings, "the others stay as they are");
    }

    #[test]
    fn a_waiver_marks_findings_and_drops_none(
        share in shares(), policy in policies(), facts in facts(), past in pasts(), waivers in waivers(),
    ) {
        let bare = judge(&policy, &facts, &share, &past, NOW);
        let mut waived = judge(&Policy { waivers, ..policy }, &facts, &share, &past, NOW);
        let covered = waived.findings.iter().any(|own| own.waiver.is_some());
        prop_assert_eq!(covered, !waived.waivers_used.is_empty());
        for finding in &mut waived.findings {
            finding.waiver = None;
        }
        prop_assert_eq!(bare.findings, waived.findings);
    }

    #[test]
    fn a_waiver_never_covers_a_finding_that_is_wider_than_what_was_accepted(
        first in shares(), other in shares(), more in any::<bool>(), policy in policies(), facts in facts(), past in pasts(),
    ) {
        let everything = Filter { owner: Some(globs(&["*"])), ..Filter::default() };
        let policy = Policy { waivers: vec![Waiver { filter: everything, ..waiver() }], ..policy };
        let mut second = Share { id: first.id.clone(), ..other };
        if more {
            second.recipients.extend(first.recipients.iter().cloned());
        }
        let before = judge(&policy, &facts, &first, &past, NOW);
        prop_assert!(before.findings.iter().all(|own| own.waiver.is_some()));
        let mut accepted = kept(&[], &before);
        let mut past = Past { accepted: accepted.clone(), ..past };
        let again = judge(&policy, &facts, &first, &past, NOW);
        prop_assert!(again.turns.is_empty(), "nothing grew");
        prop_assert_eq!(&again.findings, &before.findings);
        let after = judge(&policy, &facts, &second, &past, NOW);
        let mut ended = BTreeSet::new();
        for finding in &after.findings {
            let was = before.findings.iter().find(|own| own.id == finding.id);
            let wider = was.is_some_and(|was| {
                finding.level > was.level || is_wider((&second, after.audience), (&first, before.audience))
            });
            prop_assert_eq!(finding.waiver.is_none(), wider);
            if wider {
                ended.insert(finding.id.clone());
            }
        }
        // Not even where it is as it was again.
        accepted = kept(&accepted, &after);
        past.accepted = accepted;
        for finding in &judge(&policy, &facts, &first, &past, NOW).findings {
            prop_assert!(finding.waiver.is_none() || !ended.contains(&finding.id));
        }
    }

    #[test]
    fn what_was_not_looked_at_is_never_taken_for_harmless(share in shares(), facts in facts(), past in pasts()) {
        let policy = Policy { classes: SOME.clone(), ..policy() };
        let judged = judge(&policy, &facts, &share, &past, NOW);
        let rule = RuleId::ClassifiedItemExposed;
        let open = judged.audience != Audience::Internal && !judged.expired;
        match judged.classified {
            Some(true) => prop_assert_eq!(level(&judged, rule).is_some(), open),
            Some(false) => prop_assert!(!judged.not_judged.contains(&rule)),
            None => {
                prop_assert_eq!(judged.not_judged.contains(&rule), open);
                prop_assert_ne!(level(&judged, RuleId::ExternalRecipient), Some(Level::Info));
                prop_assert_ne!(level(&judged, RuleId::GuestRecipient), Some(Level::Info));
                if open {
                    prop_assert_ne!(wants(&policy, &share, &judged), Need::None);
                }
            }
        }
    }

    #[test]
    fn more_access_and_less_protection_never_lower_a_level(share in shares(), facts in facts(), past in pasts()) {
        let policy = policy();
        let unprotected = Share { password: Some(false), ..share };
        let more = Share { access: unprotected.access.with(Right::View).with(Right::Edit), ..unprotected.clone() };
        let guarded = Share { password: Some(true), ..unprotected.clone() };
        let of = |share: &Share, rule| level(&judge(&policy, &facts, share, &past, NOW), rule);
        for rule in [RuleId::LinkWithoutPassword, RuleId::LinkAllowsEditing] {
            prop_assert!(of(&more, rule) >= of(&unprotected, rule));
            prop_assert!(of(&unprotected, rule) >= of(&guarded, rule) || rule != RuleId::LinkWithoutPassword);
        }
        let drop = Share { access: Access::of(&[Right::Create]), unknown: Vec::new(), ..unprotected };
        prop_assert_eq!(of(&drop, RuleId::LinkWithoutPassword), None);
    }

    #[test]
    fn a_wider_audience_never_lowers_the_exposure_of_something_classified(share in shares(), facts in facts(), past in pasts()) {
        let policy = Policy { classes: ALL.clone(), ..policy() };
        let mut named = Share { anonymous: false, ..share };
        named.item.path_is_owners = true;
        let wider = Share { anonymous: true, ..named.clone() };
        let of = |share: &Share| level(&judge(&policy, &facts, share, &past, NOW), RuleId::ClassifiedItemExposed);
        prop_assert!(of(&wider) >= of(&named));
    }

    #[test]
    fn asking_for_some_rules_gives_what_they_say_among_all(
        share in shares(), policy in policies(), facts in facts(), past in pasts(), at in 0..RuleId::ALL.len(),
    ) {
        let rule = RuleId::ALL[at];
        let all = judge(&policy, &facts, &share, &past, NOW);
        let one = Judge::new(&policy, &facts, NOW).only(&[rule]).share(&share, &past);
        prop_assert_eq!(level(&all, rule), level(&one, rule));
        prop_assert!(one.findings.iter().all(|own| own.rule == rule));
        prop_assert_eq!(all.not_judged.contains(&rule), one.not_judged.contains(&rule));
    }
}
