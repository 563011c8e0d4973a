//! Links that work for ever.

use crate::model::{Expiry, Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::LinkWithoutExpiry,
        level: Level::Medium,
        title: "A link that never ends",
        fires: "Anyone who has the address can open the share, and the service says that it has no \
            expiry date.",
        reason: "A link without an expiry date stays open after its purpose is over: for years, \
            after the people involved have moved on, and when nobody remembers that it exists. A \
            date makes forgetting harmless.",
        remedy: "Set an expiry date, or end the link when it is no longer needed.",
        guidance: guidance::EXPIRY,
        needs: "The expiry date. Where the service does not tell it, the rule is not judged: that a \
            link never ends would be a guess.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    match case.share.expires {
        _ if !case.is_open() => Outcome::Quiet,
        Expiry::Never => Outcome::fires(
            Level::Medium,
            Remedy::SetExpiry,
            "This link works for ever: it has no expiry date.",
        ),
        Expiry::At { .. } => Outcome::Quiet,
        Expiry::Unknown => Outcome::NoInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, Said, bare, expiry, link, mail, share};

    #[test]
    fn it_fires_on_open_links_without_a_date() {
        let bench = Bench::of(RuleId::LinkWithoutExpiry);
        for (what, share, expected) in [
            ("never ends", link("/a"), Said::Fires(Level::Medium)),
            ("mail share", mail(Some(true)), Said::Fires(Level::Medium)),
            (
                "ends",
                Share {
                    expires: expiry(400),
                    ..link("/a")
                },
                Said::Quiet,
            ),
            (
                "ended",
                Share {
                    expires: expiry(-1),
                    ..link("/a")
                },
                Said::Quiet,
            ),
            ("untold", bare(), Said::NoInput),
            ("with a colleague", share(), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
