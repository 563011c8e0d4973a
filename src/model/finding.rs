//! A rule's verdict on a share or on a source's settings.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Level, RuleId, SourceName, names, short_digest};

names! {
    /// Where a finding stands.
    Status {
        /// Seen for the first time.
        New = "new",
        /// Seen before and still there.
        Open = "open",
        /// Accepted for a time by somebody who answers for it.
        Waived = "waived",
        /// Read again, and no longer there.
        Resolved = "resolved",
        /// Not read again; nothing is known since.
        NotChecked = "not-checked",
        /// Ended by a change of the policy, not of the share.
        ClosedByPolicy = "closed-by-policy",
    }
}

/// The identity of a finding: the same for the same rule, source and share on every machine in every run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FindingId(String);

impl FindingId {
    /// The identity of a rule's finding about a share, or about a source's settings (`share` is `None`).
    #[must_use]
    pub fn of(rule: RuleId, source: &SourceName, share: Option<&str>) -> Self {
        Self(short_digest([
            rule.as_str(),
            source.as_str(),
            share.unwrap_or_default(),
        ]))
    }

    /// An identity as it was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identity that somebody typed; `None` where it is no finding's.
    #[must_use]
    pub fn typed(text: &str) -> Option<Self> {
        let id = text.trim().to_ascii_lowercase();
        (id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(Self(id))
    }

    /// Sixteen hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

names! {
    /// What would put a finding right.
    Remedy {
        /// End the share.
        Revoke = "revoke",
        /// Give it an end date.
        SetExpiry = "set-expiry",
        /// Protect it with a password.
        SetPassword = "set-password",
        /// Allow less.
        ReduceAccess = "reduce-access",
        /// Look at it and decide.
        Review = "review",
        /// Change a setting of the service.
        ChangeSetting = "change-setting",
    }
}

/// The waiver under which a finding stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverNote {
    /// Why it was accepted.
    pub reason: String,
    /// Who answers for that.
    pub approved_by: String,
    /// The last day on which it holds.
    pub until: Date,
}

/// A rule's verdict, without its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its identity.
    pub id: FindingId,
    /// The rule that fired.
    pub rule: RuleId,
    /// How much it matters here.
    pub level: Level,
    /// One sentence for the owner; contains no remote text.
    pub message: String,
    /// What would put it right.
    pub remedy: Remedy,
    /// The waiver under which it stands.
    pub waiver: Option<WaiverNote>,
}
