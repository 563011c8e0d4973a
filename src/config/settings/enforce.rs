//! What may be changed, and when.

use jiff::{Span, civil::Date};

use crate::{
    model::{Level, RuleId},
    policy::Filter,
};

/// What may be changed, and when.
#[derive(Clone, Debug)]
pub struct EnforceSettings {
    /// Whether the nightly job announces and makes changes; `plan` and `apply` do not look at it.
    pub on: bool,
    /// Days on which nothing falls due.
    pub freeze: Vec<Freeze>,
    /// The time from the mail that announced an action to the action.
    pub grace: Span,
    /// The most changes in a run.
    pub max_changes: u64,
    /// The most changes in a run, as a percentage (0 to 100) of the shares seen in the source.
    pub max_changes_percent: f64,
    /// Which findings are put right, and how; the first that fits counts.
    pub rules: Vec<EnforceRule>,
}

/// Days on which nothing falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The first day.
    pub first: Date,
    /// The last day; not before the first.
    pub last: Date,
}

impl Freeze {
    /// Whether a day is one of them.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

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
