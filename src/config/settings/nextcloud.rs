//! What a Nextcloud server has to be told.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use url::Url;

use super::Patterns;
use crate::config::{FileRef, Grantor, Report, SecretRef, users};

/// A Nextcloud server.
#[derive(Clone, Debug)]
pub struct NextcloudSettings {
    /// The server's address. Its path ends in a slash, so that paths can be joined to it.
    pub url: Url,
    /// How to sign in for reading.
    pub auth: NextcloudAuth,
    /// The token of the server's own statistics.
    pub statistics_token: Option<SecretRef>,
    /// How to sign in for changing; never opened by a scan. See [`NextcloudSettings::change_auth`].
    pub enforce_auth: Option<NextcloudAuth>,
    /// Whether changes may be made with `auth` where there is no `enforce_auth`.
    pub enforce: bool,
    /// How hard the server may be pressed.
    pub limits: NextcloudLimits,
    /// The proxy; without it the usual environment variables count.
    pub proxy: Option<Url>,
    /// Accounts that are left out.
    pub exclude: NextcloudExclude,
    /// How often the homes of disabled accounts are searched for links.
    pub disabled_accounts: DisabledAccounts,
    /// Whether the operator states that links of disabled accounts are dead.
    pub hide_disabled_user_shares: bool,
    /// Certificates (PEM) to trust besides the machine's own.
    pub ca_file: Option<FileRef>,
}

impl NextcloudSettings {
    /// How to sign in for changing; `None` where nothing may be changed.
    #[must_use]
    pub fn change_auth(&self) -> Option<&NextcloudAuth> {
        self.enforce_auth.as_ref().or(self.enforce.then_some(&self.auth))
    }

    /// Who grants what `login` obtains.
    #[must_use]
    pub fn grantor(&self) -> Grantor {
        Grantor::Nextcloud {
            url: self.url.clone(),
        }
    }
}

/// How to sign in to a Nextcloud.
#[derive(Clone, Debug)]
pub enum NextcloudAuth {
    /// As an external app that acts for every account.
    AppApi {
        /// The app's id on the server.
        app_id: String,
        /// The account to act as for the user list, details, statistics and settings.
        admin: String,
        /// The app's secret.
        secret: SecretRef,
    },
    /// As one account.
    AppPassword {
        /// The account's id.
        user: String,
        /// The app password.
        password: SecretRef,
    },
    /// As several accounts, each with an app password.
    AppPasswords(UsersFile),
    /// As the person who signed in with `sharewarden login`.
    Login,
}

/// The file that names an app password for each of several accounts.
#[derive(Clone, Debug)]
pub struct UsersFile(pub(in crate::config) FileRef);

impl UsersFile {
    /// The accounts and where their app passwords are.
    ///
    /// # Errors
    /// The file cannot be read, or says something else than `account = { reference }`.
    pub fn read(&self) -> Result<BTreeMap<String, SecretRef>, Report> {
        users::read(&self.0)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &FileRef {
        &self.0
    }
}

/// Accounts that are left out; they are counted in the coverage.
#[derive(Clone, Debug, Default)]
pub struct NextcloudExclude {
    /// Accounts, by their id.
    pub users: Patterns,
    /// Groups whose members are left out.
    pub groups: Patterns,
}

/// How hard a Nextcloud may be pressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextcloudLimits {
    /// Requests a second; more than 0, and finite.
    pub requests_per_second: f64,
    /// Requests at the same time, at least 1.
    pub in_flight: usize,
    /// The time after which a scan of this source ends, wherever it is.
    pub stop_after: Duration,
    /// How long the server may be silent before and within an answer; a whole one may take five times as long, a list of shares an hour.
    pub idle_timeout: Duration,
    /// The age from which what was read is read again.
    pub relist_every: SignedDuration,
}

/// How often the homes of disabled accounts are searched for links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledAccounts {
    /// In every run.
    Nightly,
    /// Once a week.
    Weekly,
    /// Never.
    Off,
}
