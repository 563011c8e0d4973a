//! What the machine tells a program about its own identity: variables, whose names Azure documents.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

/// What the environment says of the identity of this machine or workload.
#[derive(Clone, Default)]
pub struct Environment {
    /// `IDENTITY_ENDPOINT`: where App Service gives tokens.
    pub identity_endpoint: Option<String>,
    /// `IDENTITY_HEADER`: what App Service wants to see.
    pub identity_header: Option<SecretString>,
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`: who answers in place of the machine's metadata service.
    pub metadata_host: Option<String>,
    /// `AZURE_FEDERATED_TOKEN_FILE`: where the workload's token lies.
    pub federated_token_file: Option<PathBuf>,
}

impl Environment {
    /// Asks for each variable once.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        Self {
            identity_endpoint: variable("IDENTITY_ENDPOINT"),
            identity_header: variable("IDENTITY_HEADER").map(SecretString::from),
            metadata_host: variable("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
            federated_token_file: variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
        }
    }
}

/// Addresses are left out too: they could hold a name and a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("identity_endpoint", &self.identity_endpoint.is_some())
            .field("identity_header", &self.identity_header.is_some())
            .field("metadata_host", &self.metadata_host.is_some())
            .field("federated_token_file", &self.federated_token_file)
            .finish()
    }
}
