//! Links through which anyone may change or delete.

use crate::model::{Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::LinkAllowsEditing,
        level: Level::High,
        title: "A link through which anyone may change or delete",
        fires: "Anyone who has the address can change or delete what is there.",
        reason: "Whoever holds this link can alter or delete your files without signing in, so \
            nobody can tell who did it. Changes can go unnoticed for long, and a changed file can \
            carry harmful content to everybody who opens it afterwards.",
        remedy: "Let the link only show what is there, or share with named people who may edit.",
        guidance: guidance::INTENDED_ONLY,
        needs: "What the share allows. Where the service does not tell it, the rule is not judged.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    if !case.is_open() {
        return Outcome::Quiet;
    }
    if case.share.access.changes() {
        return Outcome::fires(
            Level::High,
            Remedy::ReduceAccess,
            "Anyone who has this link can change or delete what is there.",
        );
    }
    Outcome::Quiet.unless(|| !case.share.access_told())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Access, Right, Share};
    use crate::policy::fixtures::{Bench, Said, bare, link, share};

    #[test]
    fn it_fires_where_anyone_may_change_or_delete() {
        let bench = Bench::of(RuleId::LinkAllowsEditing);
        let with = |rights: &[Right]| Share {
            access: Access::of(rights),
            ..link("/a")
        };
        let protected = Share {
            password: Some(true),
            ..with(&[Right::View, Right::Edit])
        };
        let in_part = Share {
            unknown: vec!["access".into()],
            ..with(&[Right::Edit])
        };
        for (what, share, expected) in [
            (
                "edit",
                with(&[Right::View, Right::Edit]),
                Said::Fires(Level::High),
            ),
            ("delete", with(&[Right::Delete]), Said::Fires(Level::High)),
            ("protected", protected, Said::Fires(Level::High)),
            ("view", link("/a"), Said::Quiet),
            ("file drop", with(&[Right::Create]), Said::Quiet),
            ("untold", bare(), Said::NoInput),
            ("told in part", in_part, Said::Fires(Level::High)),
            (
                "colleague may edit",
                Share {
                    access: Access::of(&[Right::Edit]),
                    ..share()
                },
                Said::Quiet,
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
