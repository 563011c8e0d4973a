//! Passwords that travel the same way as the link.

use crate::model::{Fact, Level, Remedy, RuleId, ShareKind};
use crate::policy::case::Case;
use crate::policy::guidance;
use crate::policy::registry::{Judgement, NEXTCLOUD, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PasswordSentByMail,
        level: Level::High,
        title: "A password that travels the same way as the link",
        fires: "The share is mailed as a link with a password, on a server that mails passwords.",
        reason: "The server mailed the link and then the password to the same address. Whoever reads \
            that mailbox, now or later, has both: the password protects nothing.",
        remedy: "Set a new password while the server does not mail it, and tell it by telephone or \
            in person.",
        guidance: guidance::OTHER_CHANNEL,
        needs: "Whether the server mails passwords, and whether the share has one; else it is not \
            judged.",
        settings: &[],
        sources: NEXTCLOUD,
    },
    judgement: Judgement::Share(look),
};

fn look(case: &Case<'_>) -> Outcome {
    if case.share.kind != ShareKind::Mail {
        return Outcome::Quiet;
    }
    match (case.share.password, case.fact(Fact::PasswordsMailed)) {
        (Some(false), _) | (_, Some(false)) => Outcome::Quiet,
        (Some(true), Some(true)) => Outcome::fires(
            Level::High,
            Remedy::SetPassword,
            "The server mailed the password of this share to the address that has the link.",
        ),
        _ => Outcome::NoInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;
    use crate::policy::fixtures::{Bench, Said, facts, link, mail, share};

    #[test]
    fn it_fires_where_link_and_password_are_mailed() {
        let with = |mailed: Option<bool>| {
            let known: Vec<_> = mailed
                .map(|value| (Fact::PasswordsMailed, value))
                .into_iter()
                .collect();
            Bench {
                facts: facts(&known),
                ..Bench::of(RuleId::PasswordSentByMail)
            }
        };
        let protected_link = Share {
            password: Some(true),
            ..link("/a")
        };
        for (what, mailed, share, expected) in [
            ("mailed", Some(true), mail(Some(true)), Said::Fires(Level::High)),
            ("not mailed", Some(false), mail(Some(true)), Said::Quiet),
            ("server untold", None, mail(Some(true)), Said::NoInput),
            ("no password", Some(true), mail(Some(false)), Said::Quiet),
            ("password untold", Some(true), mail(None), Said::NoInput),
            ("both untold", None, mail(None), Said::NoInput),
            (
                "password untold, not mailed",
                Some(false),
                mail(None),
                Said::Quiet,
            ),
            ("link", Some(true), protected_link, Said::Quiet),
            ("colleague", None, share(), Said::Quiet),
        ] {
            assert_eq!(with(mailed).says(&share), expected, "{what}");
        }
    }
}
