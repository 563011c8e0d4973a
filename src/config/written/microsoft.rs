//! A `[[source]]` of kind `microsoft365` as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Secret};

/// A Microsoft 365 tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Microsoft {
    /// The source's name; part of every finding's identity.
    pub(in crate::config) name: At<String>,
    /// The tenant: its id, or one of its domains.
    pub(in crate::config) tenant: Option<At<String>>,
    /// The application's (client) id; for a managed identity, that of a user-assigned one.
    pub(in crate::config) client_id: Option<At<String>>,
    /// How to sign in for reading.
    pub(in crate::config) auth: Option<At<MicrosoftAuth>>,
    /// How to sign in for changing; never opened by a scan.
    pub(in crate::config) enforce_auth: Option<At<MicrosoftAuth>>,
    /// Whether changes may be made with `auth` where there is no `enforce_auth`.
    #[schemars(extend("default" = false))]
    pub(in crate::config) enforce: bool,
    /// Which of Microsoft's clouds the tenant is in.
    #[schemars(extend("default" = "global"))]
    pub(in crate::config) cloud: Cloud,
    /// What is read.
    #[schemars(extend("default" = ["onedrive", "sites"]))]
    pub(in crate::config) include: Vec<Include>,
    /// How many licences the tenant has: sets the budget of resource units, unless `limits` does.
    #[schemars(range(min = 1))]
    pub(in crate::config) license_count: Option<u64>,
    /// How hard the service may be pressed.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) limits: MicrosoftLimits,
    /// Where tokens are got, instead of the cloud's own address.
    pub(in crate::config) login_url: Option<At<String>>,
    /// Where Microsoft Graph is, instead of the cloud's own address; with the version at its end.
    pub(in crate::config) graph_url: Option<At<String>>,
    /// The proxy; without it the usual environment variables count.
    pub(in crate::config) proxy: Option<At<String>>,
    /// What is left out; it is counted in the coverage.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) exclude: ExcludeSites,
    /// Certificates (PEM) to trust besides the machine's own.
    pub(in crate::config) ca_file: Option<At<PathBuf>>,
    /// What the service does not tell, stated by the operator and shown as stated.
    #[schemars(extend("default" = {}))]
    pub(in crate::config) stated: Stated,
}

/// How to sign in to Microsoft 365.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(tag = "method")]
pub(in crate::config) enum MicrosoftAuth {
    /// As the application, with a certificate.
    Certificate {
        /// A PEM file with the private key and the certificate; only its owner can read it.
        file: At<PathBuf>,
    },
    /// As the application, with a client secret.
    ClientSecret {
        /// The client secret.
        secret: At<Secret>,
    },
    /// As the person who signed in with `sharewarden login`.
    DeviceCode {},
    /// As the machine that this runs on.
    ManagedIdentity {},
    /// As the workload that this runs in, by its federated token.
    WorkloadIdentity {},
}

/// Which of Microsoft's clouds a tenant is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Cloud {
    /// The worldwide service.
    Global,
    /// US government, GCC High.
    UsGovHigh,
    /// US government, Department of Defense.
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

/// A type of anonymous links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum LinkType {
    /// Links that show.
    View,
    /// Links that change.
    Edit,
    /// Links to a folder that add to it.
    Upload,
}

/// What is read of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Include {
    /// The `OneDrive` of every person.
    Onedrive,
    /// The libraries of `SharePoint` sites and teams.
    Sites,
}

/// How hard Microsoft 365 may be pressed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct MicrosoftLimits {
    /// Resource units a minute; the default follows from `license_count`.
    #[schemars(range(min = 1))]
    pub(in crate::config) units_per_minute: Option<u64>,
    /// Resource units a day; the default follows from `license_count`.
    #[schemars(range(min = 1))]
    pub(in crate::config) units_per_day: Option<u64>,
    /// Requests at the same time.
    #[schemars(range(min = 1, max = 64), extend("default" = 4))]
    pub(in crate::config) in_flight: usize,
    /// The time after which a scan of this source ends, wherever it is.
    #[schemars(extend("default" = "6h"))]
    pub(in crate::config) stop_after: At<String>,
    /// How long the service may be silent before and within an answer; a whole one may take five times as long.
    #[schemars(extend("default" = "60s"))]
    pub(in crate::config) idle_timeout: At<String>,
    /// The age from which what was read is read again.
    #[schemars(extend("default" = "7d"))]
    pub(in crate::config) relist_every: At<String>,
}

/// What is left out; it is counted in the coverage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ExcludeSites {
    /// User principal names (globs).
    #[schemars(extend("default" = []))]
    pub(in crate::config) users: Vec<At<String>>,
    /// Groups whose members are left out (globs).
    #[schemars(extend("default" = []))]
    pub(in crate::config) groups: Vec<At<String>>,
    /// Sites, by their address (globs).
    #[schemars(extend("default" = []))]
    pub(in crate::config) sites: Vec<At<String>>,
}

/// What the service does not tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Stated {
    /// After how many days the tenant ends anonymous links.
    #[schemars(range(min = 1, max = 36500))]
    pub(in crate::config) anonymous_link_expiry_days: Option<u32>,
    /// Which types of anonymous links the tenant lets people make; an empty list says none.
    pub(in crate::config) anonymous_link_types: Option<Vec<LinkType>>,
}
