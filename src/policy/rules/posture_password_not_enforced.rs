//! Services that do not require passwords on links.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PosturePasswordNotEnforced,
        level: Level::Medium,
        title: "The service does not ask for passwords on links",
        fires: "The service lets people make links, or mail shares, without a password.",
        reason: "Where a password is not required, people forget it, and every such link is open to \
            whoever has its address. A setting that asks for one prevents it for everybody at once.",
        remedy: "Require passwords for links and for mail shares in the service's settings.",
        guidance: guidance::SAFE_SETTINGS,
        needs: "The service's settings of links; where anonymous links cannot be made at all, there \
            is nothing to judge.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    if facts.get(Fact::AnonymousLinksAllowed) == Some(false) {
        return Outcome::Quiet;
    }
    match (
        facts.get(Fact::LinkPasswordEnforced),
        facts.get(Fact::MailPasswordEnforced),
    ) {
        (Some(false), _) => {
            let message = "The service does not require a password on links.";
            Outcome::fires(Level::Medium, Remedy::ChangeSetting, message)
        }
        (_, Some(false)) => {
            let message = "The service does not require a password on mail shares.";
            Outcome::fires(Level::Medium, Remedy::ChangeSetting, message)
        }
        (Some(true), _) => Outcome::Quiet,
        (None, _) => Outcome::NoInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::facts;

    #[test]
    fn it_judges_links_and_mail_shares() {
        use Fact::{AnonymousLinksAllowed, LinkPasswordEnforced, MailPasswordEnforced};
        let look = |known: &[(Fact, bool)]| look(&facts(known));
        assert!(matches!(
            look(&[(LinkPasswordEnforced, false)]),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&[(MailPasswordEnforced, false)]),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&[(LinkPasswordEnforced, true), (MailPasswordEnforced, false)]),
            Outcome::Fires(_)
        ));
        assert!(matches!(look(&[(LinkPasswordEnforced, true)]), Outcome::Quiet));
        assert!(matches!(
            look(&[(LinkPasswordEnforced, false), (AnonymousLinksAllowed, false)]),
            Outcome::Quiet
        ));
        assert!(matches!(look(&[(MailPasswordEnforced, true)]), Outcome::NoInput));
        assert!(matches!(look(&[]), Outcome::NoInput));
    }
}
