//! Services that mail passwords.

use crate::model::{Fact, Level, Remedy, RuleId, SourceFacts};
use crate::policy::guidance;
use crate::policy::registry::{Judgement, NEXTCLOUD, Outcome, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::PosturePasswordsMailed,
        level: Level::Medium,
        title: "The service mails passwords",
        fires: "The service mails the password of a mail share to the address that has the link.",
        reason: "A password that follows its link into the same mailbox protects nothing. As long as \
            the service does that, nobody who shares by mail can do it right.",
        remedy: "Switch off the mailing of passwords in the service's settings, and tell people to \
            pass passwords on by telephone or in person.",
        guidance: guidance::OTHER_CHANNEL,
        needs: "The service's settings of mail shares.",
        settings: &[],
        sources: NEXTCLOUD,
    },
    judgement: Judgement::Source(look),
};

fn look(facts: &SourceFacts) -> Outcome {
    match facts.get(Fact::PasswordsMailed) {
        Some(true) => Outcome::fires(
            Level::Medium,
            Remedy::ChangeSetting,
            "The service mails passwords to the address that has the link.",
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
            look(&facts(&[(Fact::PasswordsMailed, true)])),
            Outcome::Fires(_)
        ));
        assert!(matches!(
            look(&facts(&[(Fact::PasswordsMailed, false)])),
            Outcome::Quiet
        ));
        assert!(matches!(look(&facts(&[])), Outcome::NoInput));
    }
}
