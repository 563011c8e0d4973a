//! Services that do not require expiry dates on links.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PostureExpiryNotEnforced,
        level: Level::Medium,
        title: "The service does not ask for expiry dates on links",
        fires: "The service lets people make links without an expiry date.",
        reason: "Where an end date is not required, most links have none and stay open for years. A \
            setting that asks for one makes forgotten links end by themselves.",
        remedy: "Require an expiry date for links in the service's settings.",
        guidance: guidance::SAFE_SETTINGS,
        needs: "The service's settings of links; where anonymous links cannot be made at all, there \
            is nothing to judge.",
        settings: &["source.stated.anonymous_link_expiry_days"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    if facts.get(Fact::AnonymousLinksAllowed) == Some(false) {
        return Outcome::Quiet;
    }
    match facts.get(Fact::LinkExpiryEnforced) {
        Some(false) => {
            let message = "The service does not require an expiry date on links.";
            Outcome::fires(Level::Medium, Remedy::ChangeSetting, message)
        }
        Some(true) => Outcome::Quiet,
        None => Outcome::NoInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::facts;

    #[test]
    fn it_judges_the_setting() {
        use Fact::{AnonymousLinksAllowed, LinkExpiryEnforced};
        let look = |known: &[(Fact, bool)]| look(&facts(known));
        assert!(matches!(look(&[(LinkExpiryEnforced, false)]), Outcome::Fires(_)));
        assert!(matches!(look(&[(LinkExpiryEnforced, true)]), Outcome::Quiet));
        assert!(matches!(
            look(&[(LinkExpiryEnforced, false), (AnonymousLinksAllowed, false)]),
            Outcome::Quiet
        ));
        assert!(matches!(look(&[]), Outcome::NoInput));
    }
}
