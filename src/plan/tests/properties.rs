use std::sync::LazyLock;

use jiff::civil::Date;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Bench, expire, rule};
use crate::model::{Expiry, PrincipalClass, RuleId, Share, ShareKind, SourceKind};
use crate::plan::{Action, ActionKind, Change, EnforceRule, Expects, Plan};
use crate::policy::fixtures::{NOW, account, date};
use crate::policy::tests::worlds::{facts, pasts, policies, shares, waivers};
use crate::policy::{Judge, Policy};

/// What findings there can be about a share.
static ABOUT_SHARES: LazyLock<Vec<RuleId>> = LazyLock::new(|| {
    RuleId::ALL
        .iter()
        .copied()
        .filter(|rule| !rule.is_posture())
        .collect()
});

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1_i64..400).prop_map(expire),
        (any::<bool>(), any::<bool>()).prop_map(|(file_drops, collateral)| Change::Revoke {
            file_drops,
            collateral
        }),
    ]
}

fn rules() -> impl Strategy<Value = Vec<EnforceRule>> {
    vec(
        (select(ABOUT_SHARES.clone()), change()).prop_map(|(own, change)| rule(own, change)),
        1..30,
    )
}

prop_compose! {
    fn benches()(
        rules in rules(), policy in policies(), waivers in waivers(), facts in facts(), past in pasts(),
        most in prop::option::of(0_u32..100), kind in select(SourceKind::ALL), also_ends in vec("[0-9]{1,3}", 0..2),
        standing in prop::option::weighted(0.3, vec(select(ABOUT_SHARES.clone()), 0..20)),
    ) -> Bench {
        let mut bench = Bench::of(rules);
        bench.policy = Policy { waivers, ..policy };
        bench.facts = facts;
        bench.facts.max_expiry_days = most;
        bench.facts.max_internal_expiry_days = most;
        bench.past = past;
        bench.kind = kind;
        bench.also_ends = also_ends;
        bench.standing = standing;
        bench
    }
}

/// Any share, more often one that can be changed.
fn candidates() -> impl Strategy<Value = Share> {
    (shares(), 0..4).prop_map(|(mut share, wild)| {
        if wild > 0 {
            share.owner = account("alice");
            share.unknown = Vec::new();
            if share.kind == ShareKind::Other {
                share.kind = ShareKind::Link;
            }
            if share.expires == Expiry::Unknown {
                share.expires = Expiry::Never;
            }
            share
                .recipients
                .retain(|who| who.class != PrincipalClass::Unknown);
        }
        share
    })
}

/// The day on which an action lets a share end.
fn day(action: &Action) -> Option<Date> {
    action.value.as_deref().map(|value| value[..10].parse().unwrap())
}

proptest! {
    #[test]
    fn only_what_may_be_changed_is_proposed(bench in benches(), share in candidates(), inherited in prop::bool::weighted(0.1)) {
        let share = Share { inherited, ..share };
        let Some(Ok(action)) = bench.proposes(&share) else { return Ok(()) };
        let judge = Judge::new(&bench.policy, &bench.facts, NOW);
        let judged = judge.share(&share, &bench.past);
        prop_assert!(!inherited && !judged.expired && share.expires != Expiry::Unknown);
        prop_assert!(judged.findings.iter().all(|own| own.rule != RuleId::UnrecognizedShare));
        let finding = judged.findings.iter().find(|own| own.id == action.finding).unwrap();
        prop_assert!(finding.waiver.is_none());
        prop_assert!(bench.standing.as_ref().is_none_or(|all| all.contains(&finding.rule)));
        prop_assert!(bench.rules.iter().any(|own| own.rule == finding.rule));
        prop_assert_eq!(action.act_as.is_some(), bench.kind == SourceKind::Nextcloud);
        prop_assert_eq!(&action.expects, &Expects::of(&share, judged.audience));
        prop_assert!(action.expects.drift(&Expects::of(&share, judged.audience)).is_empty());
        prop_assert_eq!(action.value.is_some(), action.action == ActionKind::SetExpiry);
        prop_assert!(action.reason.contains(finding.rule.as_str()) && action.reason.ends_with('.'));
        let text = Plan::made(vec![action], NOW);
        prop_assert_eq!(Plan::read(&text.to_json()), Ok(text));
    }

    #[test]
    fn a_date_lies_between_tomorrow_the_maximum_and_the_present_one(bench in benches(), share in candidates()) {
        let share = Share { anonymous: true, ..share };
        let Some(Ok(action)) = bench.proposes(&share) else { return Ok(()) };
        let Some(day) = day(&action) else { return Ok(()) };
        let today = date(2026, 11, 22);
        let tomorrow = today.tomorrow().unwrap();
        prop_assert!(day >= tomorrow);
        if let Some(most) = bench.facts.most_days(share.kind) {
            let latest = today.checked_add(jiff::Span::new().days(i64::from(most))).unwrap();
            prop_assert!(day <= latest.max(tomorrow));
        }
        if let Expiry::At { stated, .. } = &share.expires {
            prop_assert!(day < stated.parse::<Date>().unwrap());
        }
    }

    #[test]
    fn nobody_uninvolved_loses_access_unless_that_is_allowed(bench in benches(), share in candidates()) {
        let mut bench = bench;
        for own in &mut bench.rules {
            if let Change::Revoke { file_drops, collateral } = &mut own.change {
                (*file_drops, *collateral) = (false, false);
            }
        }
        let Some(Ok(action)) = bench.proposes(&share) else { return Ok(()) };
        if action.action == ActionKind::Revoke {
            prop_assert!(bench.also_ends.is_empty());
            prop_assert!(!share.access.is_drop());
            let judge = Judge::new(&bench.policy, &bench.facts, NOW);
            let all = 0..share.recipients.len();
            let involved: Vec<usize> = judge.share(&share, &bench.past).findings.iter()
                .filter(|own| own.waiver.is_none())
                .flat_map(|own| judge.about(&share, &bench.past, own.rule).unwrap_or_else(|| all.clone().collect()))
                .collect();
            prop_assert!(all.clone().all(|place| involved.contains(&place)));
        }
    }
}
