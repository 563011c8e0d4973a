//! Grants to everyone.

use crate::model::{Level, PrincipalKind, Remedy, RuleId, ShareKind};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{Judgement, MICROSOFT, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::EveryoneGrant,
        level: Level::High,
        title: "A grant to everyone",
        fires: "The share is granted to everyone, or to everyone except external users, other than \
            by a link.",
        reason: "Everybody who can sign in can open this, and finds it by searching, without anybody \
            having sent it. Search and assistants bring such items to people who never looked for \
            them.",
        remedy: "Take the grant back, and share with the people or the group who need it.",
        guidance: guidance::INTENDED_ONLY,
        needs: "Nothing beyond the share itself.",
        settings: &[],
        sources: MICROSOFT,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    if case.share.kind == ShareKind::Link {
        return Outcome::Quiet;
    }
    Outcome::about(
        case.recipients(|_, kind| kind == PrincipalKind::Everyone),
        Level::High,
        Remedy::Revoke,
        "Everybody in the organisation can open this without having been sent it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, PrincipalClass, Share};
    use crate::policy::fixtures::{Bench, Said, group, link, share};

    #[test]
    fn it_fires_on_grants_to_everyone() {
        let bench = Bench::of(RuleId::EveryoneGrant);
        let everyone = || vec![Principal::new(PrincipalClass::Everyone, "everyone")];
        for (what, share, expected) in [
            (
                "everyone",
                Share {
                    recipients: everyone(),
                    ..share()
                },
                Said::Fires(Level::High),
            ),
            (
                "a link",
                Share {
                    recipients: everyone(),
                    anonymous: false,
                    ..link("/a")
                },
                Said::Quiet,
            ),
            (
                "a group",
                Share {
                    recipients: vec![group("all")],
                    ..share()
                },
                Said::Quiet,
            ),
            ("a colleague", share(), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
