//! Recipients who left.

use crate::model::{Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::people::departed;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::DepartedRecipient,
        level: Level::Low,
        title: "A recipient who left",
        fires: "A recipient's account is disabled or deleted.",
        reason: "This is shared with somebody who can no longer sign in. The share is of no use to \
            them, and it would work again should the account be enabled, or given to somebody else.",
        remedy: "Take the share back.",
        guidance: guidance::LEAVERS,
        needs: "Whether accounts can sign in. Where that was not told, the rule is not judged.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    Outcome::about(
        case.recipients(|recipient, _| departed(recipient) == Some(true)),
        Level::Low,
        Remedy::Revoke,
        "A recipient's account is disabled or deleted.",
    )
    .unless(|| case.any_recipient(|recipient, _| departed(recipient).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, Share};
    use crate::policy::fixtures::{Bench, Said, account, address, disabled, group, link, share};

    #[test]
    fn it_fires_on_accounts_that_are_disabled_or_gone() {
        let bench = Bench::of(RuleId::DepartedRecipient);
        let to = |recipients| Share {
            recipients,
            ..share()
        };
        let untold = || Principal {
            active: None,
            ..account("bob")
        };
        let deleted = Principal {
            gone: true,
            ..untold()
        };
        for (what, share, expected) in [
            ("disabled", to(vec![disabled("dave")]), Said::Fires(Level::Low)),
            ("deleted", to(vec![deleted]), Said::Fires(Level::Low)),
            (
                "one of two",
                to(vec![account("bob"), disabled("dave")]),
                Said::Fires(Level::Low),
            ),
            ("untold", to(vec![untold()]), Said::NoInput),
            ("active", share(), Said::Quiet),
            ("address", to(vec![address("x@evil.net")]), Said::Quiet),
            ("group", to(vec![group("staff")]), Said::Quiet),
            ("link", link("/a"), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
