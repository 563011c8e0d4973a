//! Shares that lost their password or expiry date.
//!
//! Judged from what the ledger keeps of a share's past, not here.

use crate::model::{Level, RuleId};
use crate::policy::guidance;
use crate::policy::registry::{EVERY_SOURCE, Judgement, Rule, RuleInfo};

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
        needs: "An earlier reading of the same share; it is judged from what the ledger keeps of it, \
            not from the share alone.",
        settings: &[],
        sources: EVERY_SOURCE,
    },
    judgement: Judgement::Elsewhere,
};
