//! The rules, one file each: what a rule says of itself, and when it fires.
//!
//! A new rule needs a name in `RuleId`, a file here with its tests, a line in [`RULES`] at the place of its
//! name, and a section in `docs/rules.md`.

mod breach_suspected;
mod classified_item_exposed;
mod departed_recipient;
mod everyone_grant;
mod external_recipient;
mod guest_recipient;
mod link_allows_editing;
mod link_allows_upload;
mod link_expiry_too_far;
mod link_without_expiry;
mod link_without_password;
mod mailing_list_recipient;
mod organization_wide_link;
mod orphaned_share;
mod password_sent_by_mail;
mod posture_anonymous_links_allowed;
mod posture_expiry_not_enforced;
mod posture_password_not_enforced;
mod posture_passwords_mailed;
mod posture_resharing_by_guests;
mod posture_weak_password_policy;
mod protection_removed;
mod recipient_never_logged_in;
mod reshared_by_other;
mod unread_membership;
mod unrecognized_share;
mod unreviewed_share;
mod wide_group_grant;

use super::registry::Rule;

/// Every rule, in the order of the names.
pub(super) static RULES: [&Rule; 28] = [
    &link_without_password::RULE,
    &link_without_expiry::RULE,
    &link_expiry_too_far::RULE,
    &link_allows_editing::RULE,
    &link_allows_upload::RULE,
    &classified_item_exposed::RULE,
    &organization_wide_link::RULE,
    &everyone_grant::RULE,
    &wide_group_grant::RULE,
    &unread_membership::RULE,
    &external_recipient::RULE,
    &guest_recipient::RULE,
    &mailing_list_recipient::RULE,
    &password_sent_by_mail::RULE,
    &recipient_never_logged_in::RULE,
    &departed_recipient::RULE,
    &orphaned_share::RULE,
    &reshared_by_other::RULE,
    &unreviewed_share::RULE,
    &protection_removed::RULE,
    &breach_suspected::RULE,
    &unrecognized_share::RULE,
    &posture_password_not_enforced::RULE,
    &posture_expiry_not_enforced::RULE,
    &posture_passwords_mailed::RULE,
    &posture_weak_password_policy::RULE,
    &posture_anonymous_links_allowed::RULE,
    &posture_resharing_by_guests::RULE,
];
