//! Where Microsoft's service is known to answer in more than one way, which way this one answers; and its limits.

use serde::{Deserialize, Serialize};

/// The ways of answering.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Switches {
    /// How inherited entries show `inheritedFrom`.
    pub(crate) inherited_from: InheritedFrom,
    /// How a permission without an end shows `expirationDateTime`.
    pub(crate) no_expiry: NoExpiry,
    /// Secrets (`link.webUrl`, `shareId`) are hidden.
    pub(crate) low_privilege: bool,
    /// Links carry a `shareId`.
    pub(crate) share_ids: bool,
    /// Permissions of one page; none = all on one.
    pub(crate) permissions_page: Option<usize>,
    /// The deprecated twins `grantedTo` and `grantedToIdentities` are shown, too.
    pub(crate) deprecated_twins: bool,
    /// An inherited link has another id on each item; its address stays.
    pub(crate) link_ids_per_item: bool,
    /// How claims such as Everyone are shown.
    pub(crate) claims_as: ClaimsAs,
    /// Pages of delta are in no order.
    pub(crate) shuffle: bool,
    /// Some items appear on an earlier page in an older state.
    pub(crate) duplicates: bool,
    /// Some pages of users and of delta are empty though more follow.
    pub(crate) empty_pages: bool,
    /// `sharedChanged` is set on folders, too.
    pub(crate) shared_changed_on_folders: bool,
    /// `sharedChanged` is the text `True`.
    pub(crate) shared_changed_as_text: bool,
    /// Changes of existing links are not told by delta, and removals only as a plain entry.
    pub(crate) silent_changes: bool,
    /// Removals are not told at all.
    pub(crate) silent_removals: bool,
    /// New permissions are not told at all.
    pub(crate) silent_additions: bool,
    /// The tenant's settings are wrapped in `value`.
    pub(crate) settings_wrapped: bool,
    /// The expiry of organization and people links can be changed.
    pub(crate) org_link_patch: bool,
    /// Links can have a password; else one that is given is left out silently.
    pub(crate) link_passwords: bool,
    /// Ending a permission needs `Sites.FullControl.All`, as was reported.
    pub(crate) full_control_to_end: bool,
    /// Sites tell `isPersonalSite`.
    pub(crate) personal_site_flag: bool,
    /// 429 carries `Retry-After`.
    pub(crate) retry_after: bool,
    /// So does a 429 inside of a batch.
    pub(crate) inner_retry_after: bool,
    /// Whom the application may send mail as; none = everybody.
    pub(crate) senders: Option<Vec<String>>,
    /// How often a query of the audit log is said to be running before it has succeeded.
    pub(crate) audit_polls: u32,
    /// Queries of the audit log have more records than they give.
    pub(crate) audit_cut: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            inherited_from: InheritedFrom::Empty,
            no_expiry: NoExpiry::Absent,
            low_privilege: false,
            share_ids: true,
            permissions_page: None,
            deprecated_twins: true,
            link_ids_per_item: false,
            claims_as: ClaimsAs::SiteUser,
            shuffle: true,
            duplicates: true,
            empty_pages: false,
            shared_changed_on_folders: false,
            shared_changed_as_text: false,
            silent_changes: true,
            silent_removals: false,
            silent_additions: false,
            settings_wrapped: true,
            org_link_patch: false,
            link_passwords: true,
            full_control_to_end: false,
            personal_site_flag: true,
            retry_after: true,
            inner_retry_after: true,
            senders: None,
            audit_polls: 0,
            audit_cut: false,
        }
    }
}

/// How inherited entries show `inheritedFrom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InheritedFrom {
    Absent,
    Empty,
    Filled,
    /// Filled on links, absent on grants.
    LinksOnly,
}

/// How a permission without an end is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NoExpiry {
    Absent,
    Null,
    /// The first moment of the year 1.
    Zero,
}

/// How claims that are no person are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClaimsAs {
    SiteUser,
    Group,
    User,
    /// Only the permission's id tells.
    Nothing,
}

/// How much may be asked, and how fast answers come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Sets the budget by Microsoft's table; none of the three = no throttling.
    pub(crate) licenses: Option<u64>,
    pub(crate) units_per_minute: Option<u64>,
    pub(crate) units_per_day: Option<u64>,
    /// So many times faster than the real clock a minute of the budget passes.
    pub(crate) time_scale: f64,
    /// Changes of permissions in five minutes, where there is throttling.
    pub(crate) sharing_calls: u64,
    /// Each request during a pause makes the pause longer.
    pub(crate) penalty: bool,
    /// Requests so soon after a pause began (real milliseconds) were on their way already.
    pub(crate) grace_ms: u64,
    /// Drives that do not exist which may be asked for in a minute; the next makes every `OneDrive` answer 429.
    pub(crate) misses_per_minute: Option<u64>,
    /// Every so many requests one is answered 503, every other of these without a body.
    pub(crate) unavailable_every: Option<u64>,
    pub(crate) token_seconds: u32,
    pub(crate) device_seconds: u32,
    pub(crate) users_page: usize,
    pub(crate) sites_page: usize,
    /// Items of one page of delta, at most.
    pub(crate) delta_page: usize,
    /// How long a delta token is good, by the emulator's clock; none = for ever.
    pub(crate) delta_token_seconds: Option<i64>,
    /// Added before every answer.
    pub(crate) answer_delay_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            licenses: None,
            units_per_minute: None,
            units_per_day: None,
            time_scale: 1.0,
            sharing_calls: 300,
            penalty: true,
            grace_ms: 50,
            misses_per_minute: None,
            unavailable_every: None,
            token_seconds: 3599,
            device_seconds: 900,
            users_page: 100,
            sites_page: 200,
            delta_page: 200,
            delta_token_seconds: None,
            answer_delay_ms: 0,
        }
    }
}
