//! Who issues a source's tokens, and what is shown to them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::assertion::Certificate;
use super::endpoint::{Endpoint, Registration};
use super::issued::Issued;
use super::managed::Managed;
use super::{Credential, Keep, SignInError, TokenSetup};
use crate::http::Client;
use crate::model::ProblemCode;
use crate::provider::ReadError;

/// No token of a workload is longer.
const LONGEST_TOKEN: u64 = 64 * 1024;

/// What issues tokens.
pub(super) enum Issuer {
    Certificate(Endpoint, String, Box<Certificate>),
    Secret(Endpoint),
    Workload(Endpoint, PathBuf),
    Person(Endpoint, Mutex<SecretString>, Keep),
    Machine(Box<Managed>),
}

impl Issuer {
    /// Checks what is shown to the issuer; nothing is sent.
    pub(super) fn new(setup: TokenSetup, cancel: CancellationToken) -> Result<Self, SignInError> {
        let TokenSetup {
            tenant,
            client_id,
            login_url,
            graph_url,
            credential,
            environment,
            http,
        } = setup;
        if let Credential::ManagedIdentity = credential {
            let managed = Managed::new(&environment, &graph_url, client_id.as_deref(), http, cancel)?;
            return Ok(Self::Machine(Box::new(managed)));
        }
        let registration = Registration {
            tenant,
            client_id: client_id.ok_or(SignInError::NoClientId)?,
            login_url,
            graph_url,
        };
        let endpoint = Endpoint::new(Client::new(http, cancel)?, &registration);
        Ok(match credential {
            Credential::Certificate { pem } => {
                let certificate = Certificate::read(pem.expose_secret(), clock())?;
                Self::Certificate(endpoint, registration.client_id, Box::new(certificate))
            }
            Credential::ClientSecret { secret } => Self::Secret(endpoint.with_secret(&secret)),
            Credential::DeviceCode { refresh_token, keep } => {
                Self::Person(endpoint, Mutex::new(refresh_token), keep)
            }
            Credential::WorkloadIdentity | Credential::ManagedIdentity => {
                let file = environment.federated_token_file;
                Self::Workload(
                    endpoint,
                    file.ok_or(SignInError::Missing("AZURE_FEDERATED_TOKEN_FILE"))?,
                )
            }
        })
    }

    /// Asks for a token.
    pub(super) async fn issue(&self) -> Result<Issued, ReadError> {
        match self {
            Self::Certificate(endpoint, client_id, certificate) => {
                let assertion = certificate
                    .sign(client_id, &endpoint.address, clock())
                    .map_err(|error| unusable(&error.to_string()))?;
                endpoint.application(Some(assertion.into())).await
            }
            Self::Secret(endpoint) => endpoint.application(None).await,
            Self::Workload(endpoint, file) => endpoint.application(Some(workload_token(file)?)).await,
            Self::Person(endpoint, refresh_token, keep) => {
                let before = refresh_token
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let issued = endpoint.person(&before).await?;
                if let Some(after) = &issued.refresh
                    && after.expose_secret() != before.expose_secret()
                {
                    *refresh_token.lock().unwrap_or_else(PoisonError::into_inner) = after.clone();
                    if let Err(error) = (keep.0)(after) {
                        tracing::warn!(
                            %error,
                            "the renewed sign-in could not be kept; the one that is kept will end at its time"
                        );
                    }
                }
                Ok(issued)
            }
            Self::Machine(managed) => managed.issue(clock()).await,
        }
    }
}

/// The workload's token, which its platform writes anew from time to time.
fn workload_token(path: &Path) -> Result<SecretString, ReadError> {
    let trouble = |what: &str| {
        unusable(&format!(
            "the file {} that `AZURE_FEDERATED_TOKEN_FILE` names {what}; is the workload's service account labelled for \
             workload identity?",
            path.display()
        ))
    };
    let read = || {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mut text = String::new();
        file.take(LONGEST_TOKEN + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let text = read().map_err(|error| trouble(&format!("cannot be read ({error})")))?;
    let token = text.trim();
    if token.is_empty() || text.len() as u64 > LONGEST_TOKEN {
        return Err(trouble("holds no token"));
    }
    Ok(token.into())
}

fn unusable(what: &str) -> ReadError {
    ReadError::service(ProblemCode::Unauthorized, what)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge: a certificate and an assertion are good by the wall clock, which Microsoft compares with its own"
)]
pub(super) fn clock() -> Timestamp {
    Timestamp::now()
}
