//! Services that accept weak passwords.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{Judgement, NEXTCLOUD, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PostureWeakPasswordPolicy,
        level: Level::Medium,
        title: "The service accepts weak passwords",
        fires: "The service accepts passwords that are shorter than 12 characters or have no mix of \
            kinds of characters.",
        reason: "Short or simple passwords are guessed by machines in little time, and a link's \
            password can be tried from anywhere. Long ones, or passphrases, cannot.",
        remedy: "Ask for 12 characters or more and a mix of kinds of characters in the service's \
            password policy.",
        guidance: guidance::STRONG_PASSWORDS,
        needs: "The service's password policy.",
        settings: &[],
        sources: NEXTCLOUD,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    match facts.get(Fact::PasswordPolicyStrong) {
        Some(false) => Outcome::fires(
            Level::Medium,
            Remedy::ChangeSetting,
            "The service accepts passwords that are short or have no mix of characters.",
        ),
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
        assert!(matches!(
            look(&facts(&[(Fact::PasswordPolicyStrong, false)])),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&facts(&[(Fact::PasswordPolicyStrong, true)])),
            Outcome::Quiet
        ));
        assert!(matches!(look(&facts(&[])), Outcome::NoInput));
    }
}
