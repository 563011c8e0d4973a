//! Shares whose owner or sharer left.
//!
//! Where the source states that links of disabled accounts are dead, a share that works only by its
//! address, made by or belonging to a disabled account, works for nobody.

use crate::model::{Fact, Level, Principal, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::people::departed;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::OrphanedShare,
        level: Level::High,
        title: "A share whose owner or sharer left",
        fires: "The account of the owner or of the sharer is disabled or deleted, and the share \
            still works. A link or mail share made by or belonging to a disabled account does not \
            count where the source states that such links are dead.",
        reason: "The person who answered for this share has left, and it still works: nobody would \
            notice misuse, and nobody would end it. On Nextcloud, links of disabled accounts go on \
            serving files although their page is gone.",
        remedy: "End the share, or hand the item to somebody who answers for it.",
        guidance: guidance::LEAVERS,
        needs: "Whether the owner and the sharer can sign in. Where one was not told and the other \
            is active, the rule is not judged.",
        settings: &["source.hide_disabled_user_shares"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let dead = case.fact(Fact::DisabledAccountsLinksDead) == Some(true) && case.is_open();
    let people =
        || std::iter::once(Some(&case.share.owner)).chain(std::iter::once(case.share.shared_by.as_ref()));
    if dead && people().flatten().any(is_disabled) {
        return Outcome::Quiet;
    }
    if people().flatten().any(|person| departed(person) == Some(true)) {
        return Outcome::fires(
            Level::High,
            Remedy::Revoke,
            "The account of the owner or of the sharer is disabled or deleted, and the share still works.",
        );
    }
    Outcome::Quiet.unless(|| people().any(|person| person.is_none_or(|person| departed(person).is_none())))
}

fn is_disabled(person: &Principal) -> bool {
    person.active == Some(false) && !person.gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PrincipalClass, Share};
    use crate::policy::fixtures::{Bench, Said, account, bare, disabled, facts, link, share};

    #[test]
    fn it_fires_where_owner_or_sharer_left() {
        let bench = Bench::of(RuleId::OrphanedShare);
        let of = |owner: Principal, sharer: Option<Principal>| Share {
            owner,
            shared_by: sharer,
            ..link("/a")
        };
        let untold = || Principal {
            active: None,
            ..account("eve")
        };
        let deleted = Principal {
            gone: true,
            ..untold()
        };
        let site = Principal::new(PrincipalClass::Site, "library");
        let here = || account("alice");
        let named = Share {
            shared_by: Some(disabled("dave")),
            ..share()
        };
        for (what, share, expected) in [
            ("both here", of(here(), Some(here())), Said::Quiet),
            (
                "owner disabled",
                of(disabled("dave"), Some(here())),
                Said::Fires(Level::High),
            ),
            (
                "sharer disabled",
                of(here(), Some(disabled("dave"))),
                Said::Fires(Level::High),
            ),
            ("with named people", named, Said::Fires(Level::High)),
            (
                "sharer deleted",
                of(here(), Some(deleted)),
                Said::Fires(Level::High),
            ),
            ("sharer untold", of(here(), None), Said::NoInput),
            ("owner's state untold", of(untold(), Some(here())), Said::NoInput),
            ("owner disabled, sharer untold", bare(), Said::Fires(Level::High)),
            ("a site's", of(site, Some(here())), Said::Quiet),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }

    #[test]
    fn dead_links_of_disabled_accounts_are_no_finding() {
        let bench = Bench {
            facts: facts(&[(Fact::DisabledAccountsLinksDead, true)]),
            ..Bench::of(RuleId::OrphanedShare)
        };
        let deleted = Principal {
            gone: true,
            ..disabled("eve")
        };
        let named = Share {
            owner: disabled("dave"),
            ..share()
        };
        assert_eq!(bench.says(&bare()), Said::Quiet);
        assert_eq!(
            bench.says(&Share {
                owner: deleted,
                ..link("/a")
            }),
            Said::Fires(Level::High)
        );
        assert_eq!(
            bench.says(&named),
            Said::Fires(Level::High),
            "works for named people"
        );
    }
}
