//! Unprotected links to something confidential that were used.
//!
//! Judged from evidence of use that the service gives, not here.

use crate::model::{Level, RuleId};
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Rule, RuleInfo};

pub(super) static RULE: Rule = Rule {
    info: RuleInfo {
        id: RuleId::BreachSuspected,
        level: Level::High,
        title: "An open link to something confidential was used",
        fires: "With evidence switched on: an open, unprotected link to a classified item was used \
            without signing in. Critical where the service shows an address outside own_networks. It \
            ends only by closing the incident.",
        reason: "Something confidential could be opened by anyone, and somebody did. How often and \
            when is known; who, and mostly from where, is not. If personal data is among it, this \
            may be a data breach that has to be reported without delay.",
        remedy: "Tell the compliance team at once; change nothing about the link before its evidence \
            is kept.",
        guidance: guidance::REPORT_BREACHES,
        needs: "Evidence of use from the service; it is judged from that evidence, not from the \
            share alone.",
        settings: &["policy.evidence", "policy.own_networks", "mail.incident_contact"],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Elsewhere,
};
