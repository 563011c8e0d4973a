//! What may be changed, and when.

use jiff::Span;

use crate::plan::{Caps, EnforceRule, Freeze};

/// What may be changed, and when.
#[derive(Clone, Debug)]
pub struct EnforceSettings {
    /// Whether the nightly job announces and makes changes; `plan` and `apply` do not look at it.
    pub on: bool,
    /// Days on which nothing falls due.
    pub freeze: Vec<Freeze>,
    /// The time from the mail that announced an action to the action.
    pub grace: Span,
    /// How much may be changed at once.
    pub caps: Caps,
    /// Which findings are put right, and how; the first that fits counts.
    pub rules: Vec<EnforceRule>,
}
