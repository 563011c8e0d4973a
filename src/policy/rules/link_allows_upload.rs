//! Links through which anyone may add.

use crate::model::{Level, Remedy, Right, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::LinkAllowsUpload,
        level: Level::Low,
        title: "A link through which anyone may add files",
        fires: "Anyone who has the address can add files but neither change nor delete. Medium where \
            the link also shows what is there.",
        reason: "Anyone with this link can put files into your folder without signing in. That is \
            what a file drop is for, but what arrives there comes from unknown people: open it with \
            care, and close the drop when it is no longer needed. Where the link also shows the \
            folder, strangers can hand files to each other through it.",
        remedy: "End the drop when it has served; let it hide what others uploaded.",
        guidance: guidance::INTENDED_ONLY,
        needs: "What the share allows. Where the service does not tell it, the rule is not judged.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let access = case.share.access;
    if !case.is_open() || access.changes() {
        return Outcome::Quiet;
    }
    if !access.has(Right::Create) {
        return Outcome::Quiet.unless(|| !case.share.access_told());
    }
    if access.shows() {
        Outcome::fires(
            Level::Medium,
            Remedy::ReduceAccess,
            "Anyone who has this link can see what is there and add files to it.",
        )
    } else {
        Outcome::fires(
            Level::Low,
            Remedy::Review,
            "Anyone who has this link can add files to this folder.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Access, Share};
    use crate::policy::fixtures::{Bench, Said, bare, folder, link, share};

    #[test]
    fn it_fires_where_anyone_may_add_but_not_change() {
        let bench = Bench::of(RuleId::LinkAllowsUpload);
        let with = |rights: &[Right]| {
            folder(Share {
                access: Access::of(rights),
                ..link("/a")
            })
        };
        for (what, share, expected) in [
            ("file drop", with(&[Right::Create]), Said::Fires(Level::Low)),
            (
                "adds and shows",
                with(&[Right::View, Right::Create]),
                Said::Fires(Level::Medium),
            ),
            (
                "edits too",
                with(&[Right::View, Right::Create, Right::Edit]),
                Said::Quiet,
            ),
            ("view", link("/a"), Said::Quiet),
            ("untold", bare(), Said::NoInput),
            (
                "colleague may add",
                Share {
                    access: Access::of(&[Right::Create]),
                    ..share()
                },
                Said::Quiet,
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
