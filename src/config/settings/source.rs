//! A source: what all kinds have in common.

use std::time::Duration;

use globset::GlobSet;
use url::Url;

use super::{MicrosoftAuth, MicrosoftSettings, NextcloudAuth, NextcloudSettings};
use crate::{
    config::{Credentials, FileRef, Report, SecretRef, addresses::is_loopback},
    model::{SourceKind, SourceName},
};

/// A system that is audited.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Its name; part of every finding's identity.
    pub name: SourceName,
    /// Which system it is, and what that kind has to be told.
    pub kind: SourceDetails,
}

/// What a source has to be told, by its kind.
#[derive(Clone, Debug)]
pub enum SourceDetails {
    /// A Nextcloud server.
    Nextcloud(Box<NextcloudSettings>),
    /// A Microsoft 365 tenant.
    Microsoft365(Box<MicrosoftSettings>),
}

impl SourceSettings {
    /// The model's name of its kind.
    #[must_use]
    pub fn source_kind(&self) -> SourceKind {
        match self.kind {
            SourceDetails::Nextcloud(_) => SourceKind::Nextcloud,
            SourceDetails::Microsoft365(_) => SourceKind::Microsoft365,
        }
    }

    /// How many patterns leave something out.
    #[must_use]
    pub fn exclusions(&self) -> usize {
        match &self.kind {
            SourceDetails::Nextcloud(it) => it.exclude.users.len() + it.exclude.groups.len(),
            SourceDetails::Microsoft365(it) => {
                it.exclude.users.len() + it.exclude.groups.len() + it.exclude.sites.len()
            }
        }
    }

    /// How long it may be read in one scan.
    #[must_use]
    pub fn stop_after(&self) -> Duration {
        match &self.kind {
            SourceDetails::Nextcloud(it) => it.limits.stop_after,
            SourceDetails::Microsoft365(it) => it.limits.stop_after,
        }
    }

    /// Whether changes may be made here at all: there are credentials for them, or those for reading may be
    /// used.
    #[must_use]
    pub fn may_change(&self) -> bool {
        match &self.kind {
            SourceDetails::Nextcloud(it) => it.change_auth().is_some(),
            SourceDetails::Microsoft365(it) => it.change_auth().is_some(),
        }
    }

    /// Whether all that is asked of it goes to this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let local = |url: &Url| url.host().is_some_and(|host| is_loopback(&host));
        match &self.kind {
            SourceDetails::Nextcloud(it) => local(&it.url),
            SourceDetails::Microsoft365(it) => local(&it.login_url) && local(&it.graph_url),
        }
    }

    /// Reads what a scan needs, and forgets it.
    pub(super) fn check_reading(&self, credentials: &Credentials) -> Vec<Result<(), Report>> {
        let mut results = Vec::new();
        let secret = |it: &SecretRef| it.resolve().map(drop).map_err(Report::from);
        let file = |it: &FileRef| it.read().map(drop).map_err(Report::from);
        let kept = |grantor| {
            credentials
                .load(&self.name, &grantor)
                .map(drop)
                .map_err(Report::from)
        };
        match &self.kind {
            SourceDetails::Nextcloud(it) => {
                match &it.auth {
                    NextcloudAuth::AppApi { secret, .. } => results.push(self.check_enrolled(secret)),
                    NextcloudAuth::AppPassword { password, .. } => results.push(secret(password)),
                    NextcloudAuth::AppPasswords(users) => match users.read() {
                        Ok(users) => results.extend(users.values().map(secret)),
                        Err(report) => results.push(Err(report)),
                    },
                    NextcloudAuth::Login => results.push(kept(it.grantor())),
                }
                results.extend(it.statistics_token.as_ref().map(secret));
                results.extend(it.ca_file.as_ref().map(file));
            }
            SourceDetails::Microsoft365(it) => {
                match &it.auth {
                    MicrosoftAuth::Certificate { pem: shown }
                    | MicrosoftAuth::ClientSecret { secret: shown } => {
                        results.push(secret(shown));
                    }
                    MicrosoftAuth::DeviceCode => results.push(kept(it.grantor())),
                    MicrosoftAuth::ManagedIdentity | MicrosoftAuth::WorkloadIdentity => {}
                }
                results.extend(it.ca_file.as_ref().map(file));
            }
        }
        results
    }
}

impl SourceSettings {
    /// Reads the secret of a registration, which may not have been made yet.
    fn check_enrolled(&self, secret: &SecretRef) -> Result<(), Report> {
        let missing = secret.path().is_some_and(|path| !path.exists());
        let resolved = secret.resolve().map(drop);
        Ok(resolved.map_err(|wrong| {
            if missing {
                let name = &self.name;
                wrong.remedy(format!(
                    "or let `sharewarden enroll {name}` choose one and register it"
                ))
            } else {
                wrong
            }
        })?)
    }
}

/// Patterns over names, compared without regard to case, and how they were written.
#[derive(Clone, Default)]
pub struct Patterns {
    pub(in crate::config) written: Vec<String>,
    pub(in crate::config) set: GlobSet,
}

impl Patterns {
    /// Whether a name matches one of them.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// As they were written.
    #[must_use]
    pub fn written(&self) -> &[String] {
        &self.written
    }

    /// The patterns, compiled; they compare names without regard to case.
    #[must_use]
    pub fn set(&self) -> &GlobSet {
        &self.set
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.written).finish()
    }
}
