//! What puts a share right: which rules' remedies count, and what they take. Pure.

use super::letter::Entry;
use crate::model::{Audience, RuleId, ShareKind};

/// The rules whose remedies count. While the evidence of a breach is not kept, nothing is to be changed; and what is
/// confidential and open wide gets no better by a password or a date.
pub(super) fn rules(entry: &Entry) -> Vec<RuleId> {
    let mut rules: Vec<_> = entry.findings.iter().map(|told| told.rule).collect();
    if rules.contains(&RuleId::BreachSuspected) {
        return vec![RuleId::BreachSuspected];
    }
    if rules.contains(&RuleId::ClassifiedItemExposed) && entry.audience >= Audience::Organization {
        rules.retain(|rule| !keeps(*rule));
    }
    rules
}

/// Whether a rule's remedy lets the share go on.
fn keeps(rule: RuleId) -> bool {
    let keeping = [Step::Password, Step::Expiry, Step::ViewOnly];
    steps(rule, ShareKind::Link)
        .iter()
        .any(|step| keeping.contains(step))
}

/// Something that is done in a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Password,
    Expiry,
    ViewOnly,
    EndLink,
    EndGrant,
    ByName,
}

impl Step {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Expiry => "expiry",
            Self::ViewOnly => "view_only",
            Self::EndLink => "end_link",
            Self::EndGrant => "end_grant",
            Self::ByName => "by_name",
        }
    }
}

/// What a rule's remedy takes, for a share of a kind.
pub(super) fn steps(rule: RuleId, kind: ShareKind) -> Vec<Step> {
    let end = match kind {
        ShareKind::Link => Step::EndLink,
        // A mailed link stands among those with whom it is shared: there is no link to end.
        _ => Step::EndGrant,
    };
    match rule {
        RuleId::LinkWithoutPassword => vec![Step::Password, end],
        RuleId::LinkWithoutExpiry => vec![Step::Expiry, end],
        RuleId::LinkExpiryTooFar => vec![Step::Expiry],
        RuleId::ProtectionRemoved => vec![Step::Password, Step::Expiry, end],
        RuleId::PasswordSentByMail => vec![Step::Password],
        RuleId::LinkAllowsEditing => vec![Step::ViewOnly, Step::ByName],
        RuleId::ClassifiedItemExposed
        | RuleId::OrganizationWideLink
        | RuleId::EveryoneGrant
        | RuleId::WideGroupGrant
        | RuleId::MailingListRecipient => vec![end, Step::ByName],
        RuleId::LinkAllowsUpload
        | RuleId::UnreadMembership
        | RuleId::ExternalRecipient
        | RuleId::GuestRecipient
        | RuleId::RecipientNeverLoggedIn
        | RuleId::DepartedRecipient
        | RuleId::OrphanedShare
        | RuleId::ResharedByOther
        | RuleId::UnreviewedShare
        | RuleId::UnrecognizedShare => vec![end],
        RuleId::BreachSuspected
        | RuleId::PosturePasswordNotEnforced
        | RuleId::PostureExpiryNotEnforced
        | RuleId::PosturePasswordsMailed
        | RuleId::PostureWeakPasswordPolicy
        | RuleId::PostureAnonymousLinksAllowed
        | RuleId::PostureResharingByGuests => Vec::new(),
    }
}
