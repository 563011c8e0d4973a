//! Recipients who never signed in.

use crate::model::{Level, Principal, PrincipalClass, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::RecipientNeverLoggedIn,
        level: Level::Low,
        title: "A recipient who never signed in",
        fires: "A recipient's account on this service has never signed in.",
        reason: "Sharing by user name works only for people who have signed in at least once. This \
            recipient has not, so they may not be able to open the share, may not know of it, or may \
            be somebody else of the same name.",
        remedy: "Ask them to sign in once, and check that it is the right account.",
        guidance: guidance::SIGNED_IN_ONCE,
        needs: "Whether accounts ever signed in. Where that was not told, the rule is not judged.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let is_local = |recipient: &Principal| recipient.class == PrincipalClass::Account && !recipient.gone;
    Outcome::about(
        case.recipients(|recipient, _| is_local(recipient) && recipient.signed_in == Some(false)),
        Level::Low,
        Remedy::Review,
        "A recipient has never signed in, and may not be able to open this.",
    )
    .unless(|| case.any_recipient(|recipient, _| is_local(recipient) && recipient.signed_in.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, Said, account, address, group, link, share};

    #[test]
    fn it_fires_on_accounts_that_never_signed_in() {
        let bench = Bench::of(RuleId::RecipientNeverLoggedIn);
        let who = |signed_in| Principal {
            signed_in,
            ..account("bob")
        };
        let to = |recipients| Share {
            recipients,
            ..share()
        };
        let deleted = Principal {
            gone: true,
            ..who(None)
        };
        for (what, share, expected) in [
            ("never", to(vec![who(Some(false))]), Said::Fires(Level::Low)),
            ("signed in", to(vec![who(Some(true))]), Said::Quiet),
            ("untold", to(vec![who(None)]), Said::NoInput),
            (
                "one of two untold",
                to(vec![who(None), who(Some(false))]),
                Said::Fires(Level::Low),
            ),
            ("deleted", to(vec![deleted]), Said::Quiet),
            ("address", to(vec![address("x@evil.net")]), Said::Quiet),
            ("group", to(vec![group("staff")]), Said::Quiet),
            ("link", link("/a"), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
