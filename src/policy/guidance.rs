//! The published guidance that the rules enforce, in our own words.

use serde::Serialize;

/// One thing that the guidance asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Guidance {
    /// Its short name.
    pub name: &'static str,
    /// What it asks.
    pub text: &'static str,
}

const fn guidance(name: &'static str, text: &'static str) -> Guidance {
    Guidance { name, text }
}

pub(super) const NAMED_USERS: Guidance = guidance(
    "Guidance 1",
    "Confidential material must be limited to named users. It must never sit behind a link that works \
     without a login or a password; a link that is merely hard to guess counts as no protection.",
);
pub(super) const LOGIN_BEFORE_PASSWORD: Guidance = guidance(
    "Guidance 2",
    "Limiting by user name is best; a password is the fallback, for people without an account.",
);
pub(super) const EXPIRY: Guidance = guidance(
    "Guidance 3",
    "Set an expiry date, so that the share disappears in due course.",
);
pub(super) const OTHER_CHANNEL: Guidance = guidance(
    "Guidance 4",
    "The password must travel by another channel than the link; a second e-mail does not count.",
);
pub(super) const STRONG_PASSWORDS: Guidance = guidance(
    "Guidance 5",
    "Passwords have 12 characters or more, or are a passphrase, with a mix of kinds of characters and \
     no dictionary words.",
);
pub(super) const SIGNED_IN_ONCE: Guidance = guidance(
    "Guidance 6",
    "Restricting by user name works only for people who have an account and have signed in at least \
     once.",
);
pub(super) const OUTSIDE_ADDRESSES: Guidance = guidance(
    "Guidance 7",
    "Lists for internal business hold internal addresses only; recipients on outside addresses need \
     care, and mailing lists hide who receives.",
);
pub(super) const YEARLY_REVIEW: Guidance =
    guidance("Guidance 8", "Review who has access at least once a year.");
pub(super) const LEAVERS: Guidance = guidance("Guidance 9", "When people leave, access must end with them.");
pub(super) const INTENDED_ONLY: Guidance = guidance(
    "Guidance 10",
    "Only the intended recipients: think before sharing wide.",
);
pub(super) const REPORT_BREACHES: Guidance = guidance(
    "Guidance 11",
    "Personal data that reached someone without a right to it is reported as a data breach at once to \
     the compliance team.",
);
pub(super) const SAFE_SETTINGS: Guidance = guidance(
    "Guidance 12",
    "The service should be set so that people cannot get it wrong.",
);
