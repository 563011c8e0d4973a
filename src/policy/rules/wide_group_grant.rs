//! Grants to groups as good as everyone.

use crate::model::{Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::WideGroupGrant,
        level: Level::Medium,
        title: "A grant to a group as good as everyone",
        fires: "The share is granted to one of wide_groups, by id or name, or to a group of at least \
            wide_group_size members.",
        reason: "A group this large is as good as everybody: hardly anyone who shares with it knows \
            who is in it, and its members change without you being asked.",
        remedy: "Share with a smaller group, or with the people who need it.",
        guidance: guidance::INTENDED_ONLY,
        needs: "The number of members, where only wide_group_size is configured; a group whose size \
            the service does not tell is then not judged.",
        settings: &["policy.wide_groups", "policy.wide_group_size"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let people = &case.judge.people;
    let wide = case.recipients(|recipient, _| people.is_wide(recipient) == Some(true));
    Outcome::about(
        wide,
        Level::Medium,
        Remedy::Review,
        "A group as good as everybody can open this.",
    )
    .unless(|| case.any_recipient(|recipient, _| people.is_wide(recipient).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, Share};
    use crate::policy::Policy;
    use crate::policy::fixtures::{Bench, Said, globs, group, policy, share};

    fn says(policy: Policy, recipient: Principal) -> Said {
        let bench = Bench {
            policy,
            ..Bench::of(RuleId::WideGroupGrant)
        };
        bench.says(&Share {
            recipients: vec![recipient],
            ..share()
        })
    }

    #[test]
    fn it_fires_by_name_or_by_size() {
        let named = || Policy {
            wide_groups: globs(&["students", "all-*"]),
            ..policy()
        };
        let sized = || Policy {
            wide_group_size: Some(500),
            ..policy()
        };
        let both = || Policy {
            wide_group_size: Some(500),
            ..named()
        };
        let of = |members| Principal {
            members: Some(members),
            ..group("staff")
        };
        let called = |name: &str| Principal {
            name: Some(name.into()),
            ..group("g-1")
        };
        for (what, policy, recipient, expected) in [
            ("by id", named(), group("students"), Said::Fires(Level::Medium)),
            (
                "by id, other case",
                named(),
                group("ALL-staff"),
                Said::Fires(Level::Medium),
            ),
            (
                "by name",
                named(),
                called("all-staff"),
                Said::Fires(Level::Medium),
            ),
            ("not named", named(), group("staff"), Said::Quiet),
            ("large", sized(), of(500), Said::Fires(Level::Medium)),
            ("small", sized(), of(499), Said::Quiet),
            ("size untold", sized(), group("staff"), Said::NoInput),
            (
                "size untold, but names are configured",
                both(),
                group("staff"),
                Said::NoInput,
            ),
            ("nothing configured", policy(), group("students"), Said::Quiet),
        ] {
            assert_eq!(says(policy, recipient), expected, "{what}");
        }
    }
}
