//! Links that somebody else than the owner made.
//!
//! In a library that no person owns every link is made by somebody, so that says nothing.

use crate::model::{Level, Principal, PrincipalClass, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::ResharedByOther,
        level: Level::Low,
        title: "A link that somebody else than the owner made",
        fires: "Anyone who has the address can open the share, and it was made by somebody who is \
            not the item's owner.",
        reason: "Somebody with whom this was shared made a link to it that opens for anyone. The \
            owner may not know that their item left the circle it was shared with.",
        remedy: "The owner decides whether the link may stay; if not, the owner can end it.",
        guidance: guidance::INTENDED_ONLY,
        needs: "Who shared it. Where the service does not tell, the rule is not judged.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let owner = &case.share.owner;
    if !case.is_open() || owner.class == PrincipalClass::Site {
        return Outcome::Quiet;
    }
    match &case.share.shared_by {
        None => Outcome::NoInput,
        Some(sharer) if is_same(owner, sharer) => Outcome::Quiet,
        Some(_) => Outcome::fires(
            Level::Low,
            Remedy::Review,
            "Somebody else than the owner made this link, and anyone who has it can open it.",
        ),
    }
}

fn is_same(one: &Principal, other: &Principal) -> bool {
    let same_address = match (&one.email, &other.email) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    one.id == other.id || one.id.to_lowercase() == other.id.to_lowercase() || same_address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, Said, account, bare, link, named, share};

    #[test]
    fn it_fires_on_links_that_others_made() {
        let bench = Bench::of(RuleId::ResharedByOther);
        let by = |sharer| Share {
            shared_by: sharer,
            ..link("/a")
        };
        let mut site = by(Some(account("bob")));
        site.owner = Principal::new(PrincipalClass::Site, "library");
        for (what, share, expected) in [
            ("owner", link("/a"), Said::Quiet),
            ("other", by(Some(account("bob"))), Said::Fires(Level::Low)),
            (
                "owner under another id",
                by(Some(named("a-1", "Alice@example.org"))),
                Said::Quiet,
            ),
            ("owner in another case", by(Some(account("Alice"))), Said::Quiet),
            ("untold", by(None), Said::NoInput),
            ("nothing told", bare(), Said::NoInput),
            ("a site's", site, Said::Quiet),
            (
                "with a colleague",
                Share {
                    shared_by: Some(account("bob")),
                    ..share()
                },
                Said::Quiet,
            ),
        ] {
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
