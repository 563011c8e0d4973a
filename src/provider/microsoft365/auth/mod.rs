//! Signing in to Microsoft 365: tokens for Microsoft Graph, got and renewed in time.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>. All that asks one source
//! shares one [`Tokens`]. No token, secret or key is in an error, a log event or a `Debug` of this module, and what
//! the service says is quoted in a cleaned sentence at most.

mod assertion;
pub mod device;
mod endpoint;
mod entra;
mod environment;
mod issued;
mod issuer;
mod keys;
mod managed;
mod rights;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use endpoint::Registration;
pub use environment::Environment;
pub use rights::Rights;

use crate::http::SetupError;
use crate::model::ProblemCode;
use crate::provider::ReadError;
use issued::Issued;
use issuer::Issuer;

/// How long before its end a token is renewed, if it lives long enough.
const EARLY: Duration = Duration::from_mins(5);
/// How long a renewal may keep others waiting while there is a token that is still good.
const GRACE: Duration = Duration::from_secs(30);
/// How long a refusal holds for whoever asks next: asking again would not help, and is counted by the service.
const REFUSED: Duration = Duration::from_mins(1);
/// How long another failure holds, for those who waited for what failed.
const FAILED: Duration = Duration::from_secs(5);

/// How the auditor signs in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// As the application, by its certificate.
    Certificate {
        /// The private key and the certificate, as PEM text.
        pem: SecretString,
    },
    /// As the application, by a client secret.
    ClientSecret {
        /// The client secret.
        secret: SecretString,
    },
    /// As the person who signed in with a device code.
    DeviceCode {
        /// What renews the person's tokens.
        refresh_token: SecretString,
        /// Keeps what comes in its place.
        keep: Keep,
    },
    /// As the machine that this runs on.
    ManagedIdentity,
    /// As the workload that this runs in.
    WorkloadIdentity,
}

/// Keeps a refresh token in place of the one before.
#[derive(Clone)]
pub struct Keep(Arc<KeepToken>);

type KeepToken = dyn Fn(&SecretString) -> std::io::Result<()> + Send + Sync;

impl Keep {
    /// Keeps by this.
    pub fn new(keep: impl Fn(&SecretString) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep")
    }
}

/// What signing in needs to know.
#[derive(Clone, Debug)]
pub struct TokenSetup {
    /// The tenant: its id, or one of its domains.
    pub tenant: String,
    /// The application's id; not needed for a managed identity that the system assigned.
    pub client_id: Option<String>,
    /// Where tokens are got; its path ends in a slash.
    pub login_url: Url,
    /// Where the tokens are for.
    pub graph_url: Url,
    /// How to sign in.
    pub credential: Credential,
    /// What the machine tells of its own identity.
    pub environment: Environment,
    /// How `login_url` is reached.
    pub http: crate::http::Settings,
}

/// Why nobody can sign in as configured; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// There is no application to sign in as.
    #[error("the application's id is missing; set `client_id` to the one that its registration shows")]
    NoClientId,
    /// The PEM file is not as it has to be.
    #[error(
        "the PEM file of the certificate cannot be used: {0}; it has to hold the private key (RSA) and its certificate, as \
         blocks `BEGIN PRIVATE KEY` and `BEGIN CERTIFICATE`"
    )]
    Pem(&'static str),
    /// The private key has a passphrase.
    #[error(
        "the private key in the PEM file is encrypted; remove its passphrase with `openssl pkey -in OLD.pem -out KEY.pem`, \
         and put the certificate into the same file"
    )]
    EncryptedKey,
    /// The private key is of another kind.
    #[error(
        "the private key in the PEM file is not of RSA, and Microsoft Entra takes no other; make a new pair"
    )]
    NoRsaKey,
    /// The private key does not sign.
    #[error("the private key in the PEM file cannot sign: RSA keys have 2048 bits or more")]
    UnusableKey,
    /// The certificate is no longer good.
    #[error("the certificate in the PEM file has expired on {}; make a new one, and upload it to the app's registration", .0.strftime("%F"))]
    Expired(Timestamp),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The machine does not tell what the method needs.
    #[error(
        "the environment variable `{0}` is not set; this way of signing in works where Azure sets it only"
    )]
    Missing(&'static str),
    /// A variable cannot be used.
    #[error("what {0} says cannot be used; it is set by Azure, and should not be set by hand")]
    Variable(&'static str),
    /// A variable points beyond the machine.
    #[error(
        "{0} names no http address of this machine or its link; tokens of a managed identity come from nowhere else"
    )]
    Far(&'static str),
}

/// A token to show to the service.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The header's value.
    pub credential: crate::http::Credential,
    rights: Option<Arc<Rights>>,
    serial: u64,
}

impl Bearer {
    /// What the token says it grants; `None` where it cannot be read.
    #[must_use]
    pub fn rights(&self) -> Option<Rights> {
        self.rights.as_deref().cloned()
    }
}

/// The tokens of one source: one at a time, renewed before it ends.
pub struct Tokens {
    issuer: Issuer,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    current: Option<Current>,
    /// Counts the tokens that were issued.
    serial: u64,
    /// Why there was none, and until when that is the answer.
    failed: Option<(Instant, ReadError)>,
}

struct Current {
    bearer: Bearer,
    renew_at: Instant,
    ends: Instant,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Checks keys, certificate and environment; nothing is sent.
    ///
    /// # Errors
    /// [`SignInError`], for the operator to correct.
    pub fn new(setup: TokenSetup, cancel: CancellationToken) -> Result<Self, SignInError> {
        Ok(Self {
            issuer: Issuer::new(setup, cancel)?,
            held: Mutex::default(),
        })
    }

    /// A token that is good for a while: the one that is there, or a new one. Whoever asks while it is renewed waits.
    ///
    /// # Errors
    /// None was issued, and there is none that is still good.
    pub async fn bearer(&self) -> Result<Bearer, ReadError> {
        let mut held = self.held.lock().await;
        let asked = Instant::now();
        if let Some(current) = held.current.as_ref().filter(|it| asked < it.renew_at) {
            return Ok(current.bearer.clone());
        }
        if let Some((until, error)) = &held.failed
            && asked < *until
        {
            return Err(error.clone());
        }
        let good = held.current.as_ref().filter(|it| asked < it.ends);
        let issued = match good {
            Some(_) => timeout(GRACE, self.issuer.issue())
                .await
                .unwrap_or_else(|_elapsed| Err(late())),
            None => self.issuer.issue().await,
        };
        match issued {
            Ok(issued) => Ok(held.take(issued, asked)),
            Err(error) => held.fail(error),
        }
    }

    /// Forgets a token that the service refused, unless it was replaced already. The service may refuse the next one
    /// too: whoever asks for one after the other has to count.
    pub async fn refused(&self, bearer: &Bearer) {
        let mut held = self.held.lock().await;
        if held
            .current
            .as_ref()
            .is_some_and(|it| it.bearer.serial == bearer.serial)
        {
            held.current = None;
        }
    }
}

impl Held {
    /// Takes a token whose life began, at the earliest, when it was asked for.
    fn take(&mut self, issued: Issued, asked: Instant) -> Bearer {
        self.serial += 1;
        let bearer = Bearer {
            credential: issued.credential,
            rights: issued.rights.map(Arc::new),
            serial: self.serial,
        };
        self.current = Some(Current {
            bearer: bearer.clone(),
            renew_at: asked + issued.life.saturating_sub(margin(issued.life)),
            ends: asked + issued.life,
        });
        self.failed = None;
        bearer
    }

    /// Goes on with what is still good if the failure passes.
    fn fail(&mut self, error: ReadError) -> Result<Bearer, ReadError> {
        let now = Instant::now();
        let passing = is_passing(&error);
        if let Some(current) = self.current.as_mut().filter(|it| passing && now < it.ends) {
            tracing::warn!(%error, "the token could not be renewed yet; the one that is there is still good");
            current.renew_at = current.ends.min(now + GRACE);
            return Ok(current.bearer.clone());
        }
        let holds = if passing { FAILED } else { REFUSED };
        self.failed = Some((now + holds, error.clone()));
        Err(error)
    }
}

/// How long before its end a token that lives so long is renewed.
fn margin(life: Duration) -> Duration {
    (life / 10).max(EARLY).min(life / 2)
}

/// Whether the same request may succeed later.
fn is_passing(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::Service {
            code: ProblemCode::Unreachable
                | ProblemCode::ServerError
                | ProblemCode::Throttled
                | ProblemCode::Truncated
                | ProblemCode::Interrupted,
            ..
        }
    )
}

fn late() -> ReadError {
    ReadError::service(
        ProblemCode::Unreachable,
        "the sign-in service did not answer in time",
    )
}
