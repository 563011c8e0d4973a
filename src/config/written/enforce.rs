//! `[enforce]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, LevelName, RuleName};

/// Off or on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Switch {
    /// Nothing is done.
    Off,
    /// It is done.
    On,
}

/// What may be changed, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Enforce {
    /// Whether the nightly job announces and makes changes; `plan` and `apply` do not look at it.
    #[schemars(extend("default" = "off"))]
    pub(in crate::config) mode: At<Switch>,
    /// Days on which nothing falls due: a day, or first and last day with a slash between.
    #[schemars(extend("default" = []))]
    pub(in crate::config) freeze: Vec<At<String>>,
    /// The time from the mail that announced an action to the action.
    #[schemars(extend("default" = "14d"))]
    pub(in crate::config) grace: At<String>,
    /// The most changes in a run.
    #[schemars(extend("default" = 50))]
    pub(in crate::config) max_changes: u64,
    /// The most changes in a run, as a percentage of the shares seen in the source.
    #[schemars(range(min = 0, max = 100), extend("default" = 10))]
    pub(in crate::config) max_changes_percent: f64,
    /// Which findings are put right, and how.
    #[schemars(extend("default" = []))]
    pub(in crate::config) rule: Vec<At<EnforceRule>>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Action {
    /// Gives the share an end date.
    SetExpiry,
    /// Ends the share.
    Revoke,
}

/// Which findings are put right, and how; what is not given matches all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct EnforceRule {
    /// The rule whose findings are put right.
    pub(in crate::config) rule: At<RuleName>,
    /// The least level.
    pub(in crate::config) min_level: Option<At<LevelName>>,
    /// What is done.
    pub(in crate::config) action: At<Action>,
    /// For `set-expiry`: the end date is today and this, cut to the service's own maximum.
    pub(in crate::config) after: Option<At<String>>,
    /// For `revoke`: whether file drops are ended too.
    #[schemars(extend("default" = false))]
    pub(in crate::config) file_drops: bool,
    /// For `revoke`: whether shares are ended where uninvolved recipients would lose access.
    #[schemars(extend("default" = false))]
    pub(in crate::config) collateral: bool,
    /// The source's name.
    pub(in crate::config) source: Option<At<String>>,
    /// The owner's account id or mail address (glob).
    pub(in crate::config) owner: Option<At<String>>,
    /// A group that the owner is in (glob).
    pub(in crate::config) group: Option<At<String>>,
    /// The item's path as its owner sees it (glob).
    pub(in crate::config) path: Option<At<String>>,
    /// A label that the item is classified with.
    pub(in crate::config) label: Option<At<String>>,
    /// A recipient's mail domain; sub-domains are included.
    pub(in crate::config) recipient_domain: Option<At<String>>,
}
