//! Links for everybody in the organisation.
//!
//! Such a link is a share of kind link that is not anonymous and whose recipient is everyone.

use crate::model::{Level, PrincipalKind, Remedy, RuleId, ShareKind};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{Judgement, MICROSOFT, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::OrganizationWideLink,
        level: Level::Medium,
        title: "A link that works for the whole organisation",
        fires: "A Microsoft link opens for everybody who can sign in to the organisation.",
        reason: "Everybody in the organisation who gets hold of this link can open it, whether it \
            was meant for them or not, and such links travel easily in mails and chats.",
        remedy: "Share with the people who need it, by name or by a small group.",
        guidance: guidance::INTENDED_ONLY,
        needs: "Nothing beyond the share itself.",
        settings: &[],
        sources: MICROSOFT,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let is_link = case.share.kind == ShareKind::Link && !case.share.anonymous;
    if is_link && case.any_recipient(|_, kind| kind == PrincipalKind::Everyone) {
        Outcome::fires(
            Level::Medium,
            Remedy::Revoke,
            "Everybody in the organisation who has this link can open it.",
        )
    } else {
        Outcome::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, PrincipalClass, Share};
    use crate::policy::fixtures::{Bench, Said, account, link, share};

    #[test]
    fn it_fires_on_links_for_everyone() {
        let bench = Bench::of(RuleId::OrganizationWideLink);
        let everyone = || Principal::new(PrincipalClass::Everyone, "organization");
        let signed_in = |recipients| Share {
            anonymous: false,
            recipients,
            ..link("/a")
        };
        for (what, share, expected) in [
            (
                "organisation",
                signed_in(vec![everyone()]),
                Said::Fires(Level::Medium),
            ),
            (
                "and some by name",
                signed_in(vec![account("bob"), everyone()]),
                Said::Fires(Level::Medium),
            ),
            ("named people", signed_in(vec![account("bob")]), Said::Quiet),
            ("anonymous", link("/a"), Said::Quiet),
            (
                "a grant, no link",
                Share {
                    recipients: vec![everyone()],
                    ..share()
                },
                Said::Quiet,
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
