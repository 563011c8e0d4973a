//! Named recipients outside the organisation.

use crate::model::{Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::ExternalRecipient,
        level: Level::Medium,
        title: "A recipient outside the organisation",
        fires: "A named recipient is outside internal_domains and internal_servers: a mail share, a \
            person on another server, an invited address, or a person of another organisation. A \
            guest account yields guest-recipient only. Info where all such recipients belong to \
            partner_domains and the item is known not to be classified.",
        reason: "Somebody outside the organisation can open this. That may well be intended, but the \
            organisation's rules do not bind them, and nobody tells you when they change jobs or \
            lose their mailbox.",
        remedy: "Check that the address is right and that they still need it; give the share an end \
            date.",
        guidance: guidance::OUTSIDE_ADDRESSES,
        needs: "Nothing beyond the share itself.",
        settings: &[
            "policy.internal_domains",
            "policy.internal_servers",
            "policy.partner_domains",
        ],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    Outcome::about(
        case.recipients(|recipient, kind| case.judge.people.is_outsider(recipient, kind)),
        Level::Medium,
        Remedy::Review,
        "Somebody outside the organisation is among the recipients.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Principal, Share};
    use crate::policy::fixtures::{
        Bench, Said, account, address, classes, federated, guest, link, mail, policy, share,
    };
    use crate::policy::{Filter, Override, Policy};

    fn to(recipients: Vec<Principal>) -> Share {
        Share {
            recipients,
            ..share()
        }
    }

    #[test]
    fn it_fires_on_named_outsiders() {
        let bench = Bench::of(RuleId::ExternalRecipient);
        let inside = Share {
            recipients: vec![address("x@maths.EXAMPLE.org")],
            ..mail(None)
        };
        for (what, share, expected) in [
            ("mail share", mail(None), Said::Fires(Level::Medium)),
            ("mail share inside", inside, Said::Quiet),
            (
                "address",
                to(vec![address("x@evil.net")]),
                Said::Fires(Level::Medium),
            ),
            (
                "look-alike",
                to(vec![address("x@badexample.org")]),
                Said::Fires(Level::Medium),
            ),
            (
                "federated",
                to(vec![federated("x@cloud.evil.net")]),
                Said::Fires(Level::Medium),
            ),
            (
                "federated inside",
                to(vec![federated("x@cloud2.example.org")]),
                Said::Quiet,
            ),
            ("guest account", to(vec![guest("gus@evil.net")]), Said::Quiet),
            ("colleague", to(vec![account("bob")]), Said::Quiet),
            ("link", link("/a"), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }

    #[test]
    fn partners_are_expected_unless_the_item_may_be_classified() {
        let policy = Policy {
            classes: classes(&["**/HR/**"], &["confidential"]),
            ..policy()
        };
        let bench = Bench {
            policy,
            ..Bench::of(RuleId::ExternalRecipient)
        };
        let partner = || address("x@maths.partner.example.net");
        let item = |recipients, found: &[&str], complete| {
            let mut share = to(recipients);
            let found = found.iter().map(|label| (*label).to_owned()).collect();
            share.item.labels = Some(Labels { found, complete });
            share
        };
        let server = federated("x@cloud.partner.example.net");
        for (what, share, expected) in [
            (
                "partner",
                item(vec![partner()], &[], true),
                Said::Fires(Level::Info),
            ),
            (
                "partner's server",
                item(vec![server], &[], true),
                Said::Fires(Level::Info),
            ),
            (
                "and a colleague",
                item(vec![partner(), account("bob")], &[], true),
                Said::Fires(Level::Info),
            ),
            (
                "and another",
                item(vec![partner(), address("x@evil.net")], &[], true),
                Said::Fires(Level::Medium),
            ),
            (
                "classified",
                item(vec![partner()], &["confidential"], true),
                Said::Fires(Level::Medium),
            ),
            (
                "not looked at",
                item(vec![partner()], &[], false),
                Said::Fires(Level::Medium),
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }

    #[test]
    fn an_override_for_a_domain_does_not_hide_other_outsiders() {
        let overrides = vec![Override {
            filter: Filter {
                recipient_domain: Some("friend.example".into()),
                ..Filter::default()
            },
            level: Some(None),
            ..Override::default()
        }];
        let bench = Bench {
            policy: Policy {
                overrides,
                ..policy()
            },
            ..Bench::of(RuleId::ExternalRecipient)
        };
        let friend = || address("x@friend.example");
        assert_eq!(bench.says(&to(vec![friend(), account("bob")])), Said::Quiet);
        assert_eq!(
            bench.says(&to(vec![friend(), address("x@evil.net")])),
            Said::Fires(Level::Medium)
        );
    }
}
