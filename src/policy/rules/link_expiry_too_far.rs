//! Links that work too long.

use crate::model::{Expiry, Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::LinkExpiryTooFar,
        level: Level::Low,
        title: "A link that ends too late",
        fires: "Anyone who has the address can open the share, and its expiry date is later than \
            max_expiry from now.",
        reason: "An expiry date years ahead is hardly better than none: the link outlives its \
            purpose, and the people who would remember it. A near date can always be extended.",
        remedy: "Set an earlier expiry date; extend it when the time comes and the link is still \
            needed.",
        guidance: guidance::EXPIRY,
        needs: "The expiry date. Where the service does not tell it, the rule is not judged.",
        settings: &["policy.max_expiry", "policy.override.max_expiry"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    match &case.share.expires {
        _ if !case.is_open() => Outcome::Quiet,
        Expiry::Unknown => Outcome::NoInput,
        Expiry::At { instant, .. } if *instant > case.latest_expiry() => Outcome::fires(
            Level::Low,
            Remedy::SetExpiry,
            "This link works for longer than the organisation accepts.",
        ),
        Expiry::At { .. } | Expiry::Never => Outcome::Quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, Said, bare, expiry, globs, link, policy, share};
    use crate::policy::{Filter, Override, Policy};

    fn until(days: i64) -> Share {
        Share {
            expires: expiry(days),
            ..link("/a")
        }
    }

    #[test]
    fn it_fires_beyond_the_limit() {
        let bench = Bench::of(RuleId::LinkExpiryTooFar);
        for (what, share, expected) in [
            ("on the last day", until(90), Said::Quiet),
            ("a day later", until(91), Said::Fires(Level::Low)),
            ("never ends", link("/a"), Said::Quiet),
            ("untold", bare(), Said::NoInput),
            (
                "with a colleague",
                Share {
                    expires: expiry(400),
                    ..share()
                },
                Said::Quiet,
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }

    #[test]
    fn the_last_override_sets_another_limit() {
        let limit = |owner: &str, days: i64| Override {
            filter: Filter {
                owner: Some(globs(&[owner])),
                ..Filter::default()
            },
            max_expiry: Some(jiff::Span::new().days(days)),
            ..Override::default()
        };
        let overrides = vec![limit("alice", 10), limit("alice", 365), limit("bob", 1)];
        let bench = Bench {
            policy: Policy {
                overrides,
                ..policy()
            },
            ..Bench::of(RuleId::LinkExpiryTooFar)
        };
        assert_eq!(bench.says(&until(365)), Said::Quiet);
        assert_eq!(bench.says(&until(366)), Said::Fires(Level::Low));
    }
}
