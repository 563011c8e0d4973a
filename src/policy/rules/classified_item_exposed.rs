//! Confidential items that are open wide.

use crate::model::{Audience, Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::ClassifiedItemExposed,
        level: Level::Critical,
        title: "Something confidential that is open wide",
        fires: "The item, a folder above it or something beneath it is classified, and anyone or the \
            whole organisation can open it, with a password or without. High where outsiders can, or \
            people who are not known.",
        reason: "Your organisation counts this item, or something in it, as confidential. Such \
            material is for named people of the organisation only: behind a link, even one with a \
            password, nobody knows who opens it.",
        remedy: "End the link or the wide grant, and share with the people who need it, by name.",
        guidance: guidance::LOGIN_BEFORE_PASSWORD,
        needs: "Whether the item is classified. Where its tags, or what lies beneath a folder, were \
            not looked at, the rule is not judged.",
        settings: &["policy.classify"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    match (case.audience, case.classified) {
        (Audience::Internal, _) | (_, Some(false)) => Outcome::Quiet,
        (_, None) => Outcome::NoInput,
        (Audience::Anyone, Some(true)) => Outcome::fires(
            Level::Critical,
            Remedy::Revoke,
            "This is confidential, and anyone who has the link can reach it.",
        ),
        (Audience::Organization, Some(true)) => Outcome::fires(
            Level::Critical,
            Remedy::Revoke,
            "This is confidential, and everybody in the organisation can open it.",
        ),
        (Audience::External, Some(true)) => Outcome::fires(
            Level::High,
            Remedy::Review,
            "This is confidential, and somebody outside the organisation can open it.",
        ),
        (Audience::Unknown, Some(true)) => Outcome::fires(
            Level::High,
            Remedy::Review,
            "This is confidential, and it is not known who can open it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Principal, PrincipalClass, Share};
    use crate::policy::Policy;
    use crate::policy::fixtures::{Bench, Said, address, classes, folder, link, mail, policy, share};

    #[test]
    fn it_fires_by_how_wide_a_classified_item_is_open() {
        let bench = Bench {
            policy: Policy {
                classes: classes(&["**/HR/**"], &[]),
                ..policy()
            },
            ..Bench::of(RuleId::ClassifiedItemExposed)
        };
        let to = |class, id: &str| {
            let mut share = Share {
                recipients: vec![Principal::new(class, id)],
                ..share()
            };
            share.item.path = "/HR/a".into();
            share
        };
        let beneath = |found: &[&str], complete| {
            let mut share = folder(link("/a"));
            let found = found.iter().map(|label| (*label).to_owned()).collect();
            share.item.labels = Some(Labels { found, complete });
            share
        };
        let mut outsider = to(PrincipalClass::Account, "bob");
        outsider.recipients.push(address("x@evil.net"));
        for (what, share, expected) in [
            ("anyone", link("/HR/a"), Said::Fires(Level::Critical)),
            (
                "protected",
                Share {
                    password: Some(true),
                    ..link("/HR/a")
                },
                Said::Fires(Level::Critical),
            ),
            (
                "everyone",
                to(PrincipalClass::Everyone, "everyone"),
                Said::Fires(Level::Critical),
            ),
            ("outsider", outsider, Said::Fires(Level::High)),
            ("team", to(PrincipalClass::Team, "t"), Said::Fires(Level::High)),
            ("colleague", to(PrincipalClass::Account, "bob"), Said::Quiet),
            ("not classified", link("/a"), Said::Quiet),
            ("mail share, not classified", mail(Some(true)), Said::Quiet),
            ("folder, not looked at", folder(link("/a")), Said::NoInput),
            ("folder, looked at in part", beneath(&[], false), Said::NoInput),
            ("folder, looked at", beneath(&[], true), Said::Quiet),
            (
                "something beneath",
                beneath(&["confidential"], true),
                Said::Fires(Level::Critical),
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
