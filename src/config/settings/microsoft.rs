//! What a Microsoft 365 tenant has to be told.

use std::time::Duration;

use jiff::SignedDuration;
use url::Url;

use super::Patterns;
use crate::config::{FileRef, Grantor, SecretRef};

/// A Microsoft 365 tenant.
#[derive(Clone, Debug)]
pub struct MicrosoftSettings {
    /// The tenant: its id, or one of its domains.
    pub tenant: String,
    /// The application's id; `None` only for a managed identity that the system assigned.
    pub client_id: Option<String>,
    /// How to sign in for reading.
    pub auth: MicrosoftAuth,
    /// How to sign in for changing; never opened by a scan. See [`MicrosoftSettings::change_auth`].
    pub enforce_auth: Option<MicrosoftAuth>,
    /// Whether changes may be made with `auth` where there is no `enforce_auth`.
    pub enforce: bool,
    /// Which of Microsoft's clouds the tenant is in.
    pub cloud: Cloud,
    /// What is read; never empty.
    pub include: Vec<Include>,
    /// How many licences the tenant has, where stated.
    pub license_count: Option<u64>,
    /// How hard the service may be pressed.
    pub limits: MicrosoftLimits,
    /// Where tokens are got. Its path ends in a slash.
    pub login_url: Url,
    /// Where Microsoft Graph is, version included. Its path ends in a slash.
    pub graph_url: Url,
    /// The proxy; without it the usual environment variables count.
    pub proxy: Option<Url>,
    /// What is left out.
    pub exclude: MicrosoftExclude,
    /// Certificates (PEM) to trust besides the machine's own.
    pub ca_file: Option<FileRef>,
    /// What the service does not tell, as the operator states it.
    pub stated: StatedSettings,
}

/// What Microsoft 365 does not tell of a tenant, as its operator states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedSettings {
    /// After how many days the tenant ends anonymous links.
    pub anonymous_link_expiry_days: Option<u32>,
    /// Which types of anonymous links people may make: `view`, `edit`, `upload`.
    pub anonymous_link_types: Option<Vec<&'static str>>,
}

impl MicrosoftSettings {
    /// How to sign in for changing; `None` where nothing may be changed.
    #[must_use]
    pub fn change_auth(&self) -> Option<&MicrosoftAuth> {
        self.enforce_auth.as_ref().or(self.enforce.then_some(&self.auth))
    }

    /// Who grants what `login` obtains.
    #[must_use]
    pub fn grantor(&self) -> Grantor {
        Grantor::Tenant {
            login_url: self.login_url.clone(),
            tenant: self.tenant.clone(),
            // Only a managed identity goes without one, and nobody signs in as that.
            client_id: self.client_id.clone().unwrap_or_default(),
        }
    }
}

/// How to sign in to Microsoft 365.
#[derive(Clone, Debug)]
pub enum MicrosoftAuth {
    /// As the application, with a certificate.
    Certificate {
        /// The private key and the certificate, as PEM text.
        pem: SecretRef,
    },
    /// As the application, with a client secret.
    ClientSecret {
        /// The client secret.
        secret: SecretRef,
    },
    /// As the person who signed in with `sharewarden login`.
    DeviceCode,
    /// As the machine that this runs on.
    ManagedIdentity,
    /// As the workload that this runs in, by its federated token.
    WorkloadIdentity,
}

/// Which of Microsoft's clouds a tenant is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The worldwide service.
    Global,
    /// US government, GCC High.
    UsGovHigh,
    /// US government, Department of Defense.
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Where tokens are got.
    #[must_use]
    pub fn login_url(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com/",
            Self::UsGovHigh | Self::UsGovDod => "https://login.microsoftonline.us/",
            Self::China => "https://login.chinacloudapi.cn/",
        }
    }

    /// Where Microsoft Graph is.
    #[must_use]
    pub fn graph_url(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com/v1.0/",
            Self::UsGovHigh => "https://graph.microsoft.us/v1.0/",
            Self::UsGovDod => "https://dod-graph.microsoft.us/v1.0/",
            Self::China => "https://microsoftgraph.chinacloudapi.cn/v1.0/",
        }
    }
}

/// What is read of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Include {
    /// The `OneDrive` of every person.
    Onedrive,
    /// The libraries of `SharePoint` sites and teams.
    Sites,
}

/// How hard Microsoft 365 may be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicrosoftLimits {
    /// Resource units a minute.
    pub units_per_minute: u64,
    /// Resource units a day.
    pub units_per_day: u64,
    /// Requests at the same time, at least 1.
    pub in_flight: usize,
    /// The time after which a scan of this source ends, wherever it is.
    pub stop_after: Duration,
    /// How long the service may be silent before and within an answer; a whole one may take five times as long.
    pub idle_timeout: Duration,
    /// The age from which what was read is read again.
    pub relist_every: SignedDuration,
}

impl MicrosoftLimits {
    /// Four fifths of what Microsoft grants an application in a tenant of so many licences, a minute and a
    /// day: the rest is left to other runs of the same application.
    #[must_use]
    pub fn units_for(licenses: u64) -> (u64, u64) {
        let tier = match licenses {
            0..=1_000 => 1,
            1_001..=5_000 => 2,
            5_001..=15_000 => 3,
            15_001..=50_000 => 4,
            _ => 5,
        };
        (tier * 1_000, tier * 960_000)
    }
}

/// What is left out of a tenant.
#[derive(Clone, Debug, Default)]
pub struct MicrosoftExclude {
    /// People, by user principal name.
    pub users: Patterns,
    /// Groups whose members are left out.
    pub groups: Patterns,
    /// Sites, by their address.
    pub sites: Patterns,
}
