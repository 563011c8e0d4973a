//! Tenants that allow anonymous links.
//!
//! A Nextcloud server, where links are the usual way, is asked instead whether it demands passwords and dates.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{Judgement, MICROSOFT, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PostureAnonymousLinksAllowed,
        level: Level::Medium,
        title: "The service allows links that open without signing in",
        fires: "The service lets people make links that open for anyone.",
        reason: "As long as links that open for anyone can be made, somebody will make one for the \
            wrong item. Where nobody needs them, switching them off ends the risk; where some do, \
            this is worth knowing and can be accepted.",
        remedy: "Switch off anonymous links in the service's settings, or allow them only to those \
            who need them.",
        guidance: guidance::SAFE_SETTINGS,
        needs: "The service's settings of links.",
        settings: &[],
        sources: MICROSOFT,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    match facts.get(Fact::AnonymousLinksAllowed) {
        Some(true) => Outcome::fires(
            Level::Medium,
            Remedy::ChangeSetting,
            "The service lets people make links that open without signing in.",
        ),
        Some(false) => Outcome::Quiet,
        None => Outcome::NoInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::facts;

    #[test]
    fn it_judges_the_setting() {
        assert!(matches!(
            look(&facts(&[(Fact::AnonymousLinksAllowed, true)])),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&facts(&[(Fact::AnonymousLinksAllowed, false)])),
            Outcome::Quiet
        ));
        assert!(matches!(look(&facts(&[])), Outcome::NoInput));
    }
}
