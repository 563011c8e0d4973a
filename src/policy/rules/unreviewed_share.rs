//! Shares that nobody looked at for too long.

use crate::model::{Audience, Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::UnreviewedShare,
        level: Level::Low,
        title: "A share that nobody looked at for too long",
        fires: "The audience is not internal, and the share was made, or last confirmed, longer than \
            review_after ago. Where the service does not tell when it was made, its age counts from \
            when it was first seen.",
        reason: "Who has access should be looked at once a year. This share is older than that, and \
            nobody has confirmed since that it is still wanted.",
        remedy: "Look at who can open it; end it, or confirm that it is still wanted.",
        guidance: guidance::YEARLY_REVIEW,
        needs: "When the share was made or first seen; without both, it is not judged.",
        settings: &["policy.review_after"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    if case.audience == Audience::Internal {
        return Outcome::Quiet;
    }
    let Some(made) = case.share.created_at.or(case.past.first_seen) else {
        return Outcome::Quiet.unless(|| {
            case.past
                .confirmed_at
                .is_none_or(|at| at < case.judge.review_before)
        });
    };
    let looked_at = case
        .past
        .confirmed_at
        .map_or(made, |confirmed| confirmed.max(made));
    if looked_at < case.judge.review_before {
        Outcome::fires(
            Level::Low,
            Remedy::Review,
            "Nobody has confirmed for a long time that this share is still wanted.",
        )
    } else {
        Outcome::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::Past;
    use crate::policy::fixtures::{Bench, Said, days, link, share};

    #[test]
    fn it_fires_on_shares_that_are_old_and_not_confirmed_since() {
        let says = |share: &Share, first_seen: Option<i64>, confirmed: Option<i64>| {
            let past = Past {
                first_seen: first_seen.map(days),
                confirmed_at: confirmed.map(days),
                ..Past::default()
            };
            Bench {
                past,
                ..Bench::of(RuleId::UnreviewedShare)
            }
            .says(share)
        };
        let made = |at: Option<i64>| Share {
            created_at: at.map(days),
            ..link("/a")
        };
        let colleague = Share {
            created_at: Some(days(-900)),
            ..share()
        };
        for (what, share, first_seen, confirmed, expected) in [
            ("young", made(Some(-364)), None, None, Said::Quiet),
            ("a year", made(Some(-365)), None, None, Said::Quiet),
            ("older", made(Some(-366)), None, None, Said::Fires(Level::Low)),
            (
                "older, seen lately",
                made(Some(-366)),
                Some(-1),
                None,
                Said::Fires(Level::Low),
            ),
            ("confirmed", made(Some(-900)), None, Some(-10), Said::Quiet),
            (
                "confirmed long ago",
                made(Some(-900)),
                None,
                Some(-400),
                Said::Fires(Level::Low),
            ),
            (
                "age untold, seen long ago",
                made(None),
                Some(-366),
                None,
                Said::Fires(Level::Low),
            ),
            ("age untold, seen lately", made(None), Some(0), None, Said::Quiet),
            ("nothing known", made(None), None, None, Said::NoInput),
            (
                "nothing known, confirmed",
                made(None),
                None,
                Some(-1),
                Said::Quiet,
            ),
            ("from the future", made(Some(2)), None, None, Said::Quiet),
            ("internal", colleague, None, None, Said::Quiet),
        ] {
            assert_eq!(says(&share, first_seen, confirmed), expected, "{what}");
        }
    }
}
