//! Signs one person in with a device code: the person enters it on Microsoft's page, the program waits.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>. A code is exchanged once: where that
//! answer is lost, the person has to sign in again.

use std::fmt;
use std::time::Duration;

use oauth2::basic::BasicTokenResponse;
use oauth2::{
    DeviceCodeErrorResponse, DeviceCodeErrorResponseType, HttpRequest, HttpResponse, RequestTokenError,
    StandardDeviceAuthorizationResponse,
};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::endpoint::{Endpoint, Registration, Unanswered, issued, read_error};
use super::entra::{Refusal, declined_or_late};
use super::is_passing;
use super::issued::malformed;
use crate::http::{Client, Effect, StatusCode};
use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// No code can be entered for longer.
const LONGEST: Duration = Duration::from_hours(1);
/// The shortest and the longest time between two questions.
const BETWEEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// No code is longer.
const LONGEST_CODE: usize = 32;

/// A code that waits to be entered.
pub struct Flow {
    endpoint: Endpoint,
    told: StandardDeviceAuthorizationResponse,
    page: Url,
    lasts: Duration,
}

/// Who signed in, and what renews their tokens.
#[derive(Debug)]
pub struct Granted {
    /// The person's user principal name, where the token tells it.
    pub user: Option<String>,
    /// What renews the person's tokens.
    pub refresh_token: SecretString,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").finish_non_exhaustive()
    }
}

impl Flow {
    /// Asks for a code, through a client of the login address.
    ///
    /// # Errors
    /// The service cannot be reached, knows no such tenant or application, or gives no code that can be entered.
    pub async fn begin(client: Client, registration: &Registration) -> Result<Self, ReadError> {
        let endpoint = Endpoint::new(client, registration);
        let send = endpoint.sender(Effect::Safe);
        let asked = endpoint
            .oauth
            .exchange_device_code()
            .add_scopes(endpoint.personal());
        let told: StandardDeviceAuthorizationResponse =
            asked.request_async(&send).await.map_err(read_error)?;
        let page = page(told.verification_uri().as_str(), &registration.login_url)?;
        let code = told.user_code().secret();
        if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(malformed("the code is none that a person could enter"));
        }
        if told.expires_in().is_zero() || told.interval() > LONGEST {
            return Err(malformed("the code cannot be entered in time"));
        }
        Ok(Self {
            page,
            lasts: told.expires_in().min(LONGEST),
            told,
            endpoint,
        })
    }

    /// The page on which the code is entered.
    #[must_use]
    pub fn page(&self) -> &Url {
        &self.page
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.told.user_code().secret()
    }

    /// How long it can be entered.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Waits until the code was entered and the person consented.
    ///
    /// # Errors
    /// The person declined, the time is over, the service refuses, or the run was interrupted.
    pub async fn wait(&self, cancel: &CancellationToken) -> Result<Granted, ReadError> {
        self.wait_by(cancel, |time| {
            tokio::time::sleep(time.clamp(BETWEEN.0, BETWEEN.1))
        })
        .await
    }

    pub(super) async fn wait_by<S: Future<Output = ()>>(
        &self,
        cancel: &CancellationToken,
        sleep: impl Fn(Duration) -> S,
    ) -> Result<Granted, ReadError> {
        // The library asks again after whatever failed; what cannot pass ends the wait from here.
        let (hopeless, mut ended) = mpsc::unbounded_channel();
        let send = |request| self.ask(request, hopeless.clone());
        let asked = self.endpoint.oauth.exchange_device_access_token(&self.told);
        let answered = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(interrupted()),
            Some(error) = ended.recv() => return Err(error),
            answered = asked.request_async(&send, sleep, Some(self.lasts)) => answered,
        };
        granted(&answered.map_err(|error| unanswered(&error))?)
    }

    async fn ask(
        &self,
        request: HttpRequest,
        hopeless: mpsc::UnboundedSender<ReadError>,
    ) -> Result<HttpResponse, Unanswered> {
        let answer = match self.endpoint.send(request, Effect::Unsafe).await {
            Ok(answer) => answer,
            Err(Unanswered(error)) if is_passing(&error) => return Err(Unanswered(error)),
            Err(Unanswered(error)) => return ended(&hopeless, error).await,
        };
        if answer.status() != StatusCode::OK
            && let Ok(refusal) = strict::from_slice::<Refusal>(answer.body())
            && !refusal.is_pending()
        {
            return ended(&hopeless, refusal.into_error(StatusCode::BAD_REQUEST)).await;
        }
        Ok(answer)
    }
}

/// Tells whoever waits that waiting is over, and leaves the rest to them.
async fn ended<T>(hopeless: &mpsc::UnboundedSender<ReadError>, error: ReadError) -> T {
    // Whoever waits holds the other end until they are told.
    let _ = hopeless.send(error);
    std::future::pending().await
}

fn granted(answer: &BasicTokenResponse) -> Result<Granted, ReadError> {
    let issued = issued(answer)?;
    let refresh_token = issued
        .refresh
        .ok_or_else(|| malformed("it gives nothing that keeps the person signed in"))?;
    Ok(Granted {
        user: issued.rights.and_then(|rights| rights.person),
        refresh_token,
    })
}

fn unanswered(error: &RequestTokenError<Unanswered, DeviceCodeErrorResponse>) -> ReadError {
    match error {
        RequestTokenError::Request(Unanswered(error)) => error.clone(),
        RequestTokenError::ServerResponse(it) if *it.error() == DeviceCodeErrorResponseType::ExpiredToken => {
            declined_or_late("expired_token")
        }
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            malformed("it is not the JSON of a token")
        }
    }
}

fn interrupted() -> ReadError {
    ReadError::service(ProblemCode::Interrupted, "signing in was interrupted")
}

/// The page where the code is entered: a secure one, or one of the login address itself.
fn page(named: &str, login_url: &Url) -> Result<Url, ReadError> {
    Url::parse(named)
        .ok()
        .filter(|url| url.scheme() == "https" && url.has_host() || url.origin() == login_url.origin())
        .filter(|url| url.username().is_empty() && url.password().is_none() && url.as_str().len() <= 300)
        .ok_or_else(|| malformed("the page to enter the code on is no secure address"))
}
