//! Links that open without a password.
//!
//! What is not known is not safe: a password of which the service does not tell counts as none, but at
//! medium, and is to be looked at rather than acted upon.

use crate::model::{Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::LinkWithoutPassword,
        level: Level::High,
        title: "A link that opens without a password",
        fires: "Anyone who has the address can open the share, no password protects it, and it shows \
            or changes what is there (a pure file drop does not). Critical where it lets people \
            change or delete, or where the item is classified. Medium where the service does not say \
            whether there is a password.",
        reason: "A link without a password opens for whoever holds its address: the person it was \
            meant for, everybody they forward it to, and whoever finds it in a mailbox, a chat or a \
            browser's history. That the address is hard to guess protects nothing once it was sent, \
            and a link sent to the wrong person is the same as a file sent to the wrong person.",
        remedy: "Share with named people instead of by link. Where a recipient has no account, set a \
            password and tell it by another way than the link.",
        guidance: guidance::NAMED_USERS,
        needs: "Nothing: where the service does not tell of a password, the finding says so.",
        settings: &["policy.classify"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let access = case.share.access;
    if !case.is_open() || case.share.is_drop() {
        return Outcome::Quiet;
    }
    match case.share.password {
        Some(true) => Outcome::Quiet,
        None => Outcome::fires(
            Level::Medium,
            Remedy::Review,
            "Anyone who has this link may be able to open it: the service does not tell whether a \
             password protects it.",
        ),
        Some(false) if access.changes() => Outcome::fires(
            Level::Critical,
            Remedy::Revoke,
            "Anyone who has this link can open it and change what is there: no password protects it.",
        ),
        Some(false) if case.classified == Some(true) => Outcome::fires(
            Level::Critical,
            Remedy::Revoke,
            "Anyone who has this link can open it, and what is there is confidential: no password \
             protects it.",
        ),
        Some(false) => Outcome::fires(
            Level::High,
            Remedy::Revoke,
            "Anyone who has this link can open it: no password protects it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Access, Right, Share};
    use crate::policy::Policy;
    use crate::policy::fixtures::{Bench, Said, bare, classes, folder, link, mail, policy, share};

    #[test]
    fn it_fires_on_open_links_that_show_or_change() {
        let bench = Bench {
            policy: Policy {
                classes: classes(&["**/HR/**"], &[]),
                ..policy()
            },
            ..Bench::of(RuleId::LinkWithoutPassword)
        };
        let with = |password, rights: &[Right]| Share {
            password,
            access: Access::of(rights),
            ..link("/a")
        };
        for (what, share, expected) in [
            ("plain", link("/a"), Said::Fires(Level::High)),
            ("protected", with(Some(true), &[Right::View]), Said::Quiet),
            (
                "editable",
                with(Some(false), &[Right::View, Right::Edit]),
                Said::Fires(Level::Critical),
            ),
            (
                "deletable",
                with(Some(false), &[Right::Delete]),
                Said::Fires(Level::Critical),
            ),
            (
                "file drop",
                folder(with(Some(false), &[Right::Create])),
                Said::Quiet,
            ),
            (
                "file drop, password untold",
                with(None, &[Right::Create]),
                Said::Quiet,
            ),
            ("classified", link("/HR/a"), Said::Fires(Level::Critical)),
            ("perhaps classified", folder(link("/a")), Said::Fires(Level::High)),
            ("untold", with(None, &[Right::View]), Said::Fires(Level::Medium)),
            (
                "untold and editable",
                with(None, &[Right::View, Right::Edit]),
                Said::Fires(Level::Medium),
            ),
            ("nothing told", bare(), Said::Fires(Level::Medium)),
            ("mail share", mail(Some(false)), Said::Fires(Level::High)),
            ("with a colleague", share(), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }

    #[test]
    fn what_is_not_known_is_to_be_looked_at() {
        let judged = crate::policy::fixtures::judged(&policy(), &bare());
        let finding = judged
            .findings
            .iter()
            .find(|own| own.rule == RuleId::LinkWithoutPassword);
        assert_eq!(finding.unwrap().remedy, Remedy::Review);
    }
}
