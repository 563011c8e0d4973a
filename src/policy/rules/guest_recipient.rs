//! Guest accounts among the recipients.

use crate::model::{Fact, Level, PrincipalClass, PrincipalKind, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::GuestRecipient,
        level: Level::Medium,
        title: "A guest account among the recipients",
        fires: "A recipient is a guest account. Info where all guests belong to partner_domains and \
            the item is known not to be classified.",
        reason: "A guest account belongs to somebody outside the organisation who can sign in. \
            Guests tend to stay long after the work with them is done, and nobody looks after their \
            accounts.",
        remedy: "Check that the guest still needs this; give the share an end date.",
        guidance: guidance::OUTSIDE_ADDRESSES,
        needs: "Whether an account is a guest's. Where the details of accounts were not read, the \
            rule is not judged.",
        settings: &["policy.partner_domains"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let guests = case.recipients(|_, kind| kind == PrincipalKind::Guest);
    let message = "A guest account is among the recipients.";
    Outcome::about(guests, Level::Medium, Remedy::Review, message).unless(|| {
        case.fact(Fact::AccountDetailsRead) != Some(true)
            && case.any_recipient(|recipient, _| {
                recipient.class == PrincipalClass::Account && recipient.guest.is_none()
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, Share, SourceFacts};
    use crate::policy::fixtures::{Bench, Said, account, address, guest, share};

    #[test]
    fn it_fires_on_guests() {
        let read = Bench::of(RuleId::GuestRecipient);
        let unread = Bench {
            facts: SourceFacts::default(),
            ..Bench::of(RuleId::GuestRecipient)
        };
        let to = |recipients| Share {
            recipients,
            ..share()
        };
        let untold = || Principal {
            guest: None,
            ..account("bob")
        };
        for (what, bench, share, expected) in [
            (
                "guest",
                &read,
                to(vec![guest("gus@evil.net")]),
                Said::Fires(Level::Medium),
            ),
            (
                "partner's guest",
                &read,
                to(vec![guest("gus@partner.example.net")]),
                Said::Fires(Level::Info),
            ),
            ("colleague", &read, share(), Said::Quiet),
            ("told to be none", &unread, share(), Said::Quiet),
            ("untold", &unread, to(vec![untold()]), Said::NoInput),
            (
                "untold, with an address elsewhere",
                &unread,
                to(vec![Principal {
                    email: Some("gus@evil.net".to_owned()),
                    ..untold()
                }]),
                Said::NoInput,
            ),
            ("untold, details read", &read, to(vec![untold()]), Said::Quiet),
            ("outsider", &unread, to(vec![address("x@evil.net")]), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
