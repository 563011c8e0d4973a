//! Services where guests may share on.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{Judgement, MICROSOFT, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PostureResharingByGuests,
        level: Level::Medium,
        title: "Guests may share on",
        fires: "The service lets guests share on what was shared with them.",
        reason: "A guest who may share on decides who else outside the organisation sees your items, \
            and the owner is not asked.",
        remedy: "Forbid guests to share what they do not own in the service's settings.",
        guidance: guidance::SAFE_SETTINGS,
        needs: "The service's settings of guests.",
        settings: &[],
        sources: MICROSOFT,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    match facts.get(Fact::GuestsMayReshare) {
        Some(true) => Outcome::fires(
            Level::Medium,
            Remedy::ChangeSetting,
            "The service lets guests share on what was shared with them.",
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
            look(&facts(&[(Fact::GuestsMayReshare, true)])),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&facts(&[(Fact::GuestsMayReshare, false)])),
            Outcome::Quiet
        ));
        assert!(matches!(look(&facts(&[])), Outcome::NoInput));
    }
}
