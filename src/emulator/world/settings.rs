//! A server's settings as a world file writes them, with the defaults of a fresh server.

use serde::{Deserialize, Serialize};

/// Server settings, from which the capabilities answer and every refusal follow.
#[expect(clippy::struct_excessive_bools, reason = "a server's settings are switches")]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) version: String,
    pub(crate) build: String,
    pub(crate) apps: Vec<String>,
    pub(crate) maintenance: bool,
    pub(crate) sharing_enabled: bool,
    pub(crate) links_allowed: bool,
    pub(crate) resharing: bool,
    pub(crate) group_sharing: bool,
    pub(crate) public_upload: bool,
    pub(crate) custom_tokens: bool,
    pub(crate) password_enforced: bool,
    pub(crate) ask_for_password: bool,
    /// The default expiry of links in days; none = no default.
    pub(crate) default_expiry_days: Option<u32>,
    /// Makes the default expiry the maximum.
    pub(crate) expiry_enforced: bool,
    /// The same for shares with accounts and groups.
    pub(crate) default_internal_expiry_days: Option<u32>,
    pub(crate) internal_expiry_enforced: bool,
    /// The same for shares with other servers.
    pub(crate) default_remote_expiry_days: Option<u32>,
    pub(crate) remote_expiry_enforced: bool,
    pub(crate) passwords_by_mail: bool,
    pub(crate) password_policy: PasswordPolicy,
    pub(crate) federation_outgoing: bool,
    pub(crate) federation_incoming: bool,
    /// Adds the reshare bit to every link that can be read.
    pub(crate) federation_on_links: bool,
    pub(crate) excluded_groups: Vec<String>,
    pub(crate) hide_disabled_user_shares: bool,
    pub(crate) trusted_domains: Vec<String>,
    pub(crate) timezone: String,
    pub(crate) language: String,
    pub(crate) statistics_token: Option<String>,
    /// Bad logins that are still answered with 401; the next is 429.
    pub(crate) brute_force_attempts: usize,
    /// Shares that one account may create in ten minutes.
    pub(crate) create_limit: usize,
    /// Added before every answer.
    pub(crate) answer_delay_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let apps = [
            "activity",
            "app_api",
            "circles",
            "files_downloadlimit",
            "password_policy",
            "serverinfo",
        ];
        let more = ["sharebymail", "systemtags"];
        Self {
            version: "32.0.1".into(),
            build: "32.0.1.2".into(),
            apps: apps.iter().chain(&more).map(ToString::to_string).collect(),
            maintenance: false,
            sharing_enabled: true,
            links_allowed: true,
            resharing: true,
            group_sharing: true,
            public_upload: true,
            custom_tokens: false,
            password_enforced: false,
            ask_for_password: false,
            default_expiry_days: None,
            expiry_enforced: false,
            default_internal_expiry_days: None,
            internal_expiry_enforced: false,
            default_remote_expiry_days: None,
            remote_expiry_enforced: false,
            passwords_by_mail: true,
            password_policy: PasswordPolicy::default(),
            federation_outgoing: true,
            federation_incoming: true,
            federation_on_links: true,
            excluded_groups: Vec::new(),
            hide_disabled_user_shares: false,
            trusted_domains: Vec::new(),
            timezone: "UTC".into(),
            language: "en".into(),
            statistics_token: None,
            brute_force_attempts: 11,
            create_limit: 20,
            answer_delay_ms: 0,
        }
    }
}

/// What the password policy app demands.
#[expect(clippy::struct_excessive_bools, reason = "mirrors the app's switches")]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PasswordPolicy {
    pub(crate) min_length: usize,
    pub(crate) not_common: bool,
    pub(crate) numeric: bool,
    pub(crate) special: bool,
    pub(crate) upper_lower: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: 10,
            not_common: true,
            numeric: false,
            special: false,
            upper_lower: false,
        }
    }
}
