//! A `[[source]]` of kind `nextcloud` as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Exclude, Secret};

/// A Nextcloud server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Nextcloud {
    /// The source's name; part of every finding's identity.
    pub(in crate::config) name: At<String>,
    /// The server's address, with the path that Nextcloud is installed under. `https`, except towards loopback.
    pub(in crate::config) url: Option<At<String>>,
    /// How to sign in for reading.
    pub(in crate::config) auth: Option<At<NextcloudAuth>>,
    /// The token of the server's own statistics, as a control total where `admin` is no administrator.
    pub(in crate::config) statistics_token: Option<At<Secret>>,
    /// How to sign in for changing; never opened by a scan.
    pub(in crate::config) enforce_auth: Option<At<NextcloudAuth>>,
    /// Whether changes may be made with `auth` where there is no `enforce_auth`.
    #[schemars(extend("default" = false))]
    pub(in crate::config) enforce: bool,
    /// How hard the server may be pressed.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) limits: NextcloudLimits,
    /// The proxy; without it the usual environment variables count.
    pub(in crate::config) proxy: Option<At<String>>,
    /// Accounts that are left out; they are counted in the coverage.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) exclude: Exclude,
    /// How often the homes of disabled accounts are searched for links.
    #[schemars(extend("default" = "weekly"))]
    pub(in crate::config) disabled_accounts: DisabledAccounts,
    /// True where the Nextcloud setting of that name is on: links of disabled accounts are dead.
    #[schemars(extend("default" = false))]
    pub(in crate::config) hide_disabled_user_shares: bool,
    /// Certificates (PEM) to trust besides the machine's own.
    pub(in crate::config) ca_file: Option<At<PathBuf>>,
}

/// How to sign in to a Nextcloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(tag = "method")]
pub(in crate::config) enum NextcloudAuth {
    /// As an external app (`AppAPI`) that acts for every account.
    AppApi {
        /// The app's id on the server.
        app_id: At<String>,
        /// The account to act as for the user list, details, statistics and settings.
        admin: At<String>,
        /// The app's secret.
        secret: At<Secret>,
    },
    /// As one account, with an app password.
    AppPassword {
        /// The account's id.
        user: At<String>,
        /// The app password.
        password: At<Secret>,
    },
    /// As several accounts, each with an app password.
    AppPasswords {
        /// A TOML file with one secret an account: `alice = { file = "…" }`.
        file: At<PathBuf>,
    },
    /// As the person who signed in with `sharewarden login`.
    Login {},
}

/// How hard a Nextcloud may be pressed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct NextcloudLimits {
    /// Requests a second.
    #[schemars(range(min = 0.01, max = 1_000_000), extend("default" = 10))]
    pub(in crate::config) requests_per_second: f64,
    /// Requests at the same time.
    #[schemars(range(min = 1, max = 64), extend("default" = 4))]
    pub(in crate::config) in_flight: usize,
    /// The time after which a scan of this source ends, wherever it is.
    #[schemars(extend("default" = "6h"))]
    pub(in crate::config) stop_after: At<String>,
    /// How long the server may be silent before and within an answer; a whole one may take five times as long, a list of shares an hour.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) idle_timeout: At<String>,
    /// The age from which what was read is read again.
    #[schemars(extend("default" = "7d"))]
    pub(in crate::config) relist_every: At<String>,
}

/// How often the homes of disabled accounts are searched for links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum DisabledAccounts {
    /// In every run.
    Nightly,
    /// Once a week.
    Weekly,
    /// Never.
    Off,
}
