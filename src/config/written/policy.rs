//! `[policy]`, `[[waiver]]` and `[[gap]]` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Date, RuleLevel, RuleName};

/// What the organisation accepts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Policy {
    /// The organisation's own mail domains; sub-domains are included.
    #[schemars(extend("default" = []))]
    pub(in crate::config) internal_domains: Vec<At<String>>,
    /// How far ahead a link may expire.
    #[schemars(extend("default" = "90d"))]
    pub(in crate::config) max_expiry: At<String>,
    /// The age from which a share wants a review.
    #[schemars(extend("default" = "365d"))]
    pub(in crate::config) review_after: At<String>,
    /// How far ahead a waiver or gap may end.
    #[schemars(extend("default" = "365d"))]
    pub(in crate::config) max_waiver: At<String>,
    /// Addresses that are lists (globs).
    #[schemars(extend("default" = []))]
    pub(in crate::config) mailing_lists: Vec<At<String>>,
    /// Domains of expected outsiders: reported at info, but never for classified items.
    #[schemars(extend("default" = []))]
    pub(in crate::config) partner_domains: Vec<At<String>>,
    /// Servers towards which federated shares are internal.
    #[schemars(extend("default" = []))]
    pub(in crate::config) internal_servers: Vec<At<String>>,
    /// Groups as good as everybody (globs).
    #[schemars(extend("default" = []))]
    pub(in crate::config) wide_groups: Vec<At<String>>,
    /// The size from which a group is as good as everybody, where the service tells it.
    #[schemars(range(min = 1), extend("default" = 500))]
    pub(in crate::config) wide_group_size: u64,
    /// Whether to ask the services if open links to classified items were used.
    #[schemars(extend("default" = false))]
    pub(in crate::config) evidence: bool,
    /// Networks from which use is expected, such as `192.0.2.0/24`.
    #[schemars(extend("default" = []))]
    pub(in crate::config) own_networks: Vec<At<String>>,
    /// Names for Microsoft's sensitivity label ids, which tags accept too.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) label_names: BTreeMap<String, At<String>>,
    /// Levels that differ from a rule's own.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) levels: BTreeMap<RuleName, RuleLevel>,
    /// Exceptions for what their filters match; later ones win.
    #[serde(rename = "override")]
    #[schemars(extend("default" = []))]
    pub(in crate::config) overrides: Vec<At<Override>>,
    /// What counts as confidential.
    #[schemars(extend("default" = []))]
    pub(in crate::config) classify: Vec<At<Classify>>,
}

/// An exception to the policy for what its filter matches; what is not given matches all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Override {
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
    /// The rule.
    pub(in crate::config) rule: Option<At<RuleName>>,
    /// The level instead; `off` silences the rule.
    pub(in crate::config) level: Option<At<RuleLevel>>,
    /// Another limit for expiry dates.
    pub(in crate::config) max_expiry: Option<At<String>>,
    /// Whether owners are told.
    pub(in crate::config) mail: Option<bool>,
}

/// What counts as confidential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Classify {
    /// The label that it gives.
    pub(in crate::config) label: At<String>,
    /// Paths as the file's owner sees them (globs, case-insensitive; `**/X/**` matches `X` itself).
    #[schemars(extend("default" = []))]
    pub(in crate::config) paths: Vec<At<String>>,
    /// Nextcloud system tags, Microsoft sensitivity or retention labels.
    #[schemars(extend("default" = []))]
    pub(in crate::config) tags: Vec<At<String>>,
}

/// Findings that somebody accepts for a time. It names a finding, a share, or an owner or site; a path
/// alone needs `all_owners = true`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Waiver {
    /// One finding, by its id.
    pub(in crate::config) finding: Option<At<String>>,
    /// One share, by the service's own id.
    pub(in crate::config) share: Option<At<String>>,
    /// The rule.
    pub(in crate::config) rule: Option<At<RuleName>>,
    /// The source's name.
    pub(in crate::config) source: Option<At<String>>,
    /// The owner's account id or mail address (glob).
    pub(in crate::config) owner: Option<At<String>>,
    /// A Microsoft site (glob).
    pub(in crate::config) site: Option<At<String>>,
    /// The item's path as its owner sees it (glob).
    pub(in crate::config) path: Option<At<String>>,
    /// Whether a path alone is meant, whoever owns it.
    #[schemars(extend("default" = false))]
    pub(in crate::config) all_owners: bool,
    /// Why.
    pub(in crate::config) reason: At<String>,
    /// Who answers for it.
    pub(in crate::config) approved_by: At<String>,
    /// The last day on which it holds, at most `max_waiver` ahead.
    pub(in crate::config) until: At<Date>,
}

/// A gap in coverage that somebody accepts for a time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Gap {
    /// The source's name.
    pub(in crate::config) source: At<String>,
    /// The scopes: accounts, sites or drives (glob).
    pub(in crate::config) scope: At<String>,
    /// The problem's code; without it every problem of these scopes is accepted.
    pub(in crate::config) code: Option<At<String>>,
    /// Why.
    pub(in crate::config) reason: At<String>,
    /// Who answers for it.
    pub(in crate::config) approved_by: At<String>,
    /// The last day on which it holds, at most `max_waiver` ahead.
    pub(in crate::config) until: At<Date>,
}
