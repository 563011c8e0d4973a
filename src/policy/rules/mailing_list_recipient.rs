//! Mailing lists among the recipients.

use crate::model::{Level, Principal, PrincipalClass, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::MailingListRecipient,
        level: Level::Medium,
        title: "A mailing list among the recipients",
        fires: "A recipient's mail address is one of mailing_lists, or a recipient is a group that has a \
            mail address and members from outside.",
        reason: "A mailing list hides who receives: everybody on it gets the link, its members \
            change without you being asked, and there may be outside addresses among them.",
        remedy: "Share with named people, or with a group of accounts.",
        guidance: guidance::OUTSIDE_ADDRESSES,
        needs: "The outside members of a group that has a mail address; where the service does not tell \
            them, the rule is listed as not judged.",
        settings: &["policy.mailing_lists"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let lists = &case.judge.policy.mailing_lists;
    let listed = case.recipients(|recipient, _| {
        let is_list = |address: &str| lists.is_match(address.trim().to_lowercase());
        let own = Some(recipient.id.as_str()).filter(|_| is_mailed(recipient.class));
        let named = || own.is_some_and(is_list) || recipient.email.as_deref().is_some_and(is_list);
        let mixed = is_mailed_group(recipient) && recipient.outsiders.is_some_and(|count| count > 0);
        mixed || (!lists.is_empty() && named())
    });
    let message = "A mailing list is among the recipients: who receives is not known.";
    Outcome::about(listed, Level::Medium, Remedy::Review, message).unless(|| {
        case.any_recipient(|recipient, _| is_mailed_group(recipient) && recipient.outsiders.is_none())
    })
}

fn is_mailed_group(recipient: &Principal) -> bool {
    recipient.class == PrincipalClass::Group && recipient.email.is_some()
}

/// Whether the id of such a principal can be a mail address.
fn is_mailed(class: PrincipalClass) -> bool {
    matches!(
        class,
        PrincipalClass::Address | PrincipalClass::Account | PrincipalClass::Group
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, Share};
    use crate::policy::fixtures::{Bench, Said, account, address, federated, group, mail, named, share};

    #[test]
    fn it_fires_on_addresses_that_are_lists() {
        let bench = Bench::of(RuleId::MailingListRecipient);
        let to = |recipient| Share {
            recipients: vec![recipient],
            ..share()
        };
        let mailed = |email: &str| Principal {
            email: Some(email.into()),
            ..group("g")
        };
        let share_by_mail = Share {
            recipients: vec![address("Maths-All@Example.ORG")],
            ..mail(None)
        };
        for (what, share, expected) in [
            (
                "address",
                to(address("staff@example.org")),
                Said::Fires(Level::Medium),
            ),
            (
                "mail share, other case",
                share_by_mail,
                Said::Fires(Level::Medium),
            ),
            (
                "account's address",
                to(named("bob", "staff@example.org")),
                Said::Fires(Level::Medium),
            ),
            (
                "group's address",
                to(mailed("maths-all@example.org")),
                Said::Fires(Level::Medium),
            ),
            (
                "group with another address",
                to(mailed("maths@example.org")),
                Said::NoInput,
            ),
            ("group without address", to(group("staff@example")), Said::Quiet),
            ("federated id", to(federated("staff@example.org")), Said::Quiet),
            ("person", to(account("bob")), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
