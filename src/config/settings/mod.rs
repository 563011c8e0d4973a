//! What the configuration means: validated, complete, in the types that the other parts work with.
//!
//! Nothing here can be wrong any more, except what the world may have changed since: whether a secret is
//! there and a file can be read is found out when it is asked for.

mod enforce;
mod mail;
mod microsoft;
mod nextcloud;
mod source;
mod system;

use std::collections::BTreeMap;

pub use enforce::EnforceSettings;
pub use mail::{
    Attachment, MailMode, MailOwner, MailSettings, Mailbox, SecureRoute, SmtpLogin, Tls, Transport,
};
pub use microsoft::{
    Cloud, Include, MicrosoftAuth, MicrosoftExclude, MicrosoftLimits, MicrosoftSettings, StatedSettings,
};
pub use nextcloud::{
    DisabledAccounts, NextcloudAuth, NextcloudExclude, NextcloudLimits, NextcloudSettings, UsersFile,
};
pub use source::{Patterns, SourceDetails, SourceSettings};
pub use system::{
    Details, ExportSettings, IdentitySettings, NameDisplay, Network, OwnerDisplay, ScheduleSettings,
    StateSettings,
};

use super::{Report, secret::gather};
use crate::{model::SourceName, policy::Policy};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the organisation accepts.
    pub policy: Policy,
    /// Networks from which use is expected.
    pub own_networks: Vec<Network>,
    /// Names for Microsoft's sensitivity label ids, by id in lower case.
    pub label_names: BTreeMap<String, String>,
    /// The systems that are audited, in the order of the files.
    pub sources: Vec<SourceSettings>,
    /// What may be changed, and when.
    pub enforce: EnforceSettings,
    /// Who is the same person in several sources.
    pub identity: IdentitySettings,
    /// What is remembered from run to run.
    pub state: StateSettings,
    /// What owners are told.
    pub mail: MailSettings,
    /// When the daemon runs the nightly job.
    pub schedule: ScheduleSettings,
    /// What the nightly job writes for other programs.
    pub export: ExportSettings,
}

impl Settings {
    /// A source by its name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&SourceSettings> {
        self.sources.iter().find(|source| source.name.as_str() == name)
    }

    /// Reads every secret and file that a scan of these sources needs (of all, if none is named), so that
    /// what is missing is known before anything is sent. Credentials for changes are not looked at.
    ///
    /// # Errors
    /// Everything that is missing or cannot be used.
    pub fn check_secrets(&self, only: &[SourceName]) -> Result<(), Report> {
        let credentials = self.state.credentials();
        let wanted = |source: &&SourceSettings| only.is_empty() || only.contains(&source.name);
        gather(
            self.sources
                .iter()
                .filter(wanted)
                .flat_map(|source| source.check_reading(&credentials)),
        )
    }

    /// Reads every secret that sending mail needs.
    ///
    /// # Errors
    /// Everything that is missing or cannot be used.
    pub fn check_mail_secrets(&self) -> Result<(), Report> {
        let login = match &self.mail.transport {
            Some(Transport::Smtp { login, .. }) => login.as_ref(),
            _ => None,
        };
        gather(login.map(|login| login.password.resolve().map(drop).map_err(Report::from)))
    }
}
