//! What is to be changed, and what a change expects to find: pure, no I/O, no clock.
//!
//! A plan is made of open findings by the rules of `[enforce]`, recorded in the state, written to a file for people, and
//! does nothing by itself: only `enforce` carries it out.

mod announcement;
pub mod decisions;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod grace;
mod propose;
pub mod table;
#[cfg(test)]
mod tests;

use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{Access, Audience, Expiry, FindingId, Level, RuleId, Share, ShareKind, SourceName, names};
use crate::policy::Filter;

pub use announcement::{Announcement, Ended, Notice, Notices, Subject};
pub use decisions::Decisions;
pub use file::PlanFileError;
pub use grace::{Calendar, Freeze, Room, Step};
pub use propose::{Candidate, End, Proposer, Unproposed, Why, end};

/// The schema's name and version.
pub const SCHEMA: &str = "sharewarden.plan/v1";

/// Which findings are put right, and how.
#[derive(Clone, Debug)]
pub struct EnforceRule {
    /// The rule whose findings are put right; the same as in the filter.
    pub rule: RuleId,
    /// What else narrows it.
    pub filter: Filter,
    /// The least level.
    pub min_level: Option<Level>,
    /// What is done.
    pub change: Change,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The share gets an end date.
    SetExpiry {
        /// How far ahead.
        after: Span,
    },
    /// The share is ended.
    Revoke {
        /// Even a file drop.
        file_drops: bool,
        /// Even where uninvolved recipients lose access.
        collateral: bool,
    },
}

/// How much may be changed at once.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// The most changes in a run.
    pub changes: u64,
    /// The most changes in a run, as a percentage (0 to 100) of the shares known in the source.
    pub percent: f64,
}

impl Caps {
    /// The most changes in a source of which so many shares are known.
    #[must_use]
    pub fn most(&self, known: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count, rounded down; a product that is no number is none"
        )]
        let part = (known as f64 * self.percent / 100.0).floor().max(0.0) as u64;
        part.min(self.changes)
    }
}

names! {
    /// What an action does to a share. Ordered by strength.
    ActionKind {
        /// Gives it an end date, or an earlier one.
        SetExpiry = "set-expiry",
        /// Ends it.
        Revoke = "revoke",
    }
}

/// Proposed changes, as the state recorded them and the file holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// A digest of everything else: whoever edits the file changes it.
    pub digest: String,
    /// What is to be done, one action a share.
    pub actions: Vec<Action>,
}

/// A proposed change to a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its id, unique among all plans. Begins with a letter, so that no spreadsheet takes it for a number.
    pub id: String,
    /// The finding that it puts right; of several the one whose rule asks for the most.
    pub finding: FindingId,
    /// The source.
    pub source: SourceName,
    /// The service's own id of the share.
    pub share: String,
    /// The item's path, for people; remote text.
    pub item_path: String,
    /// The id of the item's owner.
    pub owner: String,
    /// What is done.
    pub action: ActionKind,
    /// For `set-expiry`, when the share is to end: for Nextcloud a date, at whose start it ends, for Microsoft an instant.
    pub value: Option<String>,
    /// Why: the rules that fired, and the one of the configuration that asks for it. No remote text.
    pub reason: String,
    /// The account whose right is used; `None` where the application has the right itself.
    pub act_as: Option<String>,
    /// The shares known to end with this one.
    pub also_ends: Vec<String>,
    /// What the share has to be like for the change to be made.
    pub expects: Expects,
}

/// What was seen of a share, as far as a change depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expects {
    /// How it is shared.
    pub kind: ShareKind,
    /// Who can open it.
    pub audience: Audience,
    /// What it allows.
    pub access: Access,
    /// Whether a password protects it; `None` where the service does not tell.
    pub password: Option<bool>,
    /// When it ends, as the service states it.
    pub expires: Option<String>,
    /// Whom it was granted to: their ids, sorted.
    pub recipients: Vec<String>,
}

impl Expects {
    /// What there is to be seen of a share that this audience can open.
    #[must_use]
    pub fn of(share: &Share, audience: Audience) -> Self {
        let mut recipients: Vec<String> = share.recipients.iter().map(|who| who.id.clone()).collect();
        recipients.sort_unstable();
        recipients.dedup();
        Self {
            kind: share.kind,
            audience,
            access: share.access,
            password: share.password,
            expires: share.expires.stated().map(str::to_owned),
            recipients,
        }
    }

    /// What is not as it was expected, by the names of the fields; empty where nothing has changed.
    #[must_use]
    pub fn drift(&self, now: &Self) -> Vec<&'static str> {
        [
            ("kind", self.kind != now.kind),
            ("audience", self.audience != now.audience),
            ("access", self.access != now.access),
            ("password", self.password != now.password),
            ("expires", self.expires != now.expires),
            ("recipients", self.recipients != now.recipients),
        ]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect()
    }
}

/// Whether a share ends when an action wants it to, or earlier.
#[must_use]
pub fn ends_by(expires: &Expiry, value: &str) -> bool {
    let Expiry::At { stated, instant } = expires else {
        return false;
    };
    match (value.parse::<Timestamp>(), value.parse::<jiff::civil::Date>()) {
        (Ok(wanted), _) => *instant <= wanted,
        (_, Ok(wanted)) => stated.parse::<jiff::civil::Date>().is_ok_and(|day| day <= wanted),
        _ => false,
    }
}
