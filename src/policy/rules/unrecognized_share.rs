//! Shares of kinds, scopes or principals that are not known.

use crate::model::{Level, PrincipalKind, Remedy, RuleId, ShareKind};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::UnrecognizedShare,
        level: Level::Medium,
        title: "A share of a kind that is not known",
        fires: "The share is of a kind or scope, or has a recipient, that this version does not know.",
        reason: "This share works in a way that the audit does not understand, so it cannot say who \
            can open it. It is never counted as safe.",
        remedy: "Look at the share in the service itself, and decide.",
        guidance: guidance::INTENDED_ONLY,
        needs: "Nothing beyond the share itself.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let scope_unknown = case
        .share
        .unknown
        .iter()
        .any(|field| field == "kind" || field == "audience");
    let unknown_kind = case.share.kind == ShareKind::Other;
    if scope_unknown || unknown_kind || case.any_recipient(|_, kind| kind == PrincipalKind::Unknown) {
        Outcome::fires(
            Level::Medium,
            Remedy::Review,
            "This is shared in a way that the audit does not know: who can open it cannot be told.",
        )
    } else {
        Outcome::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, PrincipalClass, Share};
    use crate::policy::fixtures::{Bench, Said, bare, link, share};

    #[test]
    fn it_fires_on_what_is_not_known() {
        let bench = Bench::of(RuleId::UnrecognizedShare);
        let who = vec![Principal::new(PrincipalClass::Unknown, "?")];
        for (what, share, expected) in [
            (
                "kind",
                Share {
                    kind: ShareKind::Other,
                    ..share()
                },
                Said::Fires(Level::Medium),
            ),
            (
                "scope",
                Share {
                    unknown: vec!["audience".into()],
                    ..link("/a")
                },
                Said::Fires(Level::Medium),
            ),
            (
                "principal",
                Share {
                    recipients: who,
                    ..share()
                },
                Said::Fires(Level::Medium),
            ),
            ("little told", bare(), Said::Quiet),
            ("link", link("/a"), Said::Quiet),
            ("colleague", share(), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
