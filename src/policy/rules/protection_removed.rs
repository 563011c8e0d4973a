//! Shares that lost their password or expiry date.
//!
//! Any kind of share: what once ended on a date and does no more counts with a colleague, too.

use crate::model::{Expiry, Level, Remedy, RuleId};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::ProtectionRemoved,
        level: Level::High,
        title: "A share that lost its protection",
        fires: "The share had a password or an expiry date in an earlier run and has it no more. It \
            lasts until the protection is back or it is waived.",
        reason: "Somebody took away the password or the end date of a share that had one. People who \
            were kept out may now be let in, and those who use it may not have noticed.",
        remedy: "Put the password or the expiry date back, or end the share.",
        guidance: guidance::NAMED_USERS,
        needs: "What earlier readings of the same share told, and whether it has a password and an \
            expiry date now. Where it had one and the service does not tell whether it has it still, the \
            rule is not judged; nor is it without the state, which remembers what was.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    let (past, share) = (case.past, case.share);
    let password = past.had_password && share.password == Some(false);
    let expiry = past.had_expiry && share.expires == Expiry::Never;
    let fires = |remedy, message| Outcome::fires(Level::High, remedy, message);
    match (password, expiry) {
        (true, true) => fires(
            Remedy::SetPassword,
            "This share had a password and an expiry date, and has neither any more.",
        ),
        (true, false) => fires(
            Remedy::SetPassword,
            "This share had a password, and has none any more.",
        ),
        (false, true) => fires(
            Remedy::SetExpiry,
            "This share had an expiry date, and has none any more.",
        ),
        (false, false) => Outcome::Quiet.unless(|| {
            (past.had_password && share.password.is_none())
                || (past.had_expiry && share.expires == Expiry::Unknown)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::Past;
    use crate::policy::fixtures::{Bench, Said, bare, expiry, link, share};

    #[test]
    fn it_fires_where_what_protected_is_certainly_gone() {
        let with = |password: Option<bool>, expires: Expiry| Share {
            password,
            expires,
            ..link("/a")
        };
        let had = |had_password, had_expiry| Past {
            had_password,
            had_expiry,
            ..Past::default()
        };
        let (neither, both) = (had(false, false), had(true, true));
        let (password, date) = (had(true, false), had(false, true));
        for (what, past, share, expected) in [
            (
                "never had any",
                &neither,
                with(Some(false), Expiry::Never),
                Said::Quiet,
            ),
            ("never told of any", &neither, bare(), Said::Quiet),
            ("both are there", &both, with(Some(true), expiry(3)), Said::Quiet),
            ("another date", &date, with(Some(false), expiry(400)), Said::Quiet),
            (
                "no password any more",
                &password,
                with(Some(false), expiry(3)),
                Said::Fires(Level::High),
            ),
            (
                "no date any more",
                &date,
                with(Some(true), Expiry::Never),
                Said::Fires(Level::High),
            ),
            (
                "neither any more",
                &both,
                with(Some(false), Expiry::Never),
                Said::Fires(Level::High),
            ),
            (
                "the date alone is gone",
                &both,
                with(Some(true), Expiry::Never),
                Said::Fires(Level::High),
            ),
            (
                "password untold",
                &password,
                with(None, Expiry::Never),
                Said::NoInput,
            ),
            (
                "date untold",
                &date,
                with(Some(false), Expiry::Unknown),
                Said::NoInput,
            ),
            ("untold now", &both, bare(), Said::NoInput),
            (
                "one gone, one untold",
                &both,
                with(Some(false), Expiry::Unknown),
                Said::Fires(Level::High),
            ),
            ("with a colleague", &date, self::share(), Said::Fires(Level::High)),
            (
                "and it has ended",
                &both,
                with(Some(false), expiry(-1)),
                Said::Quiet,
            ),
        ] {
            let bench = Bench {
                past: past.clone(),
                ..Bench::of(RuleId::ProtectionRemoved)
            };
            assert_eq!(bench.says(&share), expected, "{what}");
        }
    }
}
