//! The token endpoint of one tenant, spoken to as RFC 6749 says, over the HTTP client of all adapters.
//!
//! Every request here may be sent twice: Entra keeps no account of what it issued to an application, and a refresh
//! token goes on working after another came in its place. Only a device code can be exchanged once.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse as _,
    TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use url::Url;

use super::entra::Refusal;
use super::issued::{Issued, malformed};
use crate::http::{Client, Effect, HeaderName, Request, StatusCode};
use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// No answer about a token is longer.
const LONGEST_ANSWER: u64 = 256 * 1024;
/// How long one try may take.
const WITHIN: Duration = Duration::from_mins(1);

type OAuth = oauth2::Client<
    Refusal,
    BasicTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Whose tokens are asked for, where, and for what.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The tenant: its id, or one of its domains.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// Where tokens are got; its path ends in a slash.
    pub login_url: Url,
    /// Where the tokens are for.
    pub graph_url: Url,
}

/// Where the tokens of a registration are got.
pub(super) struct Endpoint {
    client: Client,
    pub(super) oauth: OAuth,
    /// The endpoint's address, which an assertion is made out to.
    pub(super) address: String,
    /// The service that tokens are for.
    audience: String,
}

/// A request that was not answered as the protocol needs; the library hands it through.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Unanswered(pub(super) ReadError);

impl Endpoint {
    pub(super) fn new(client: Client, registration: &Registration) -> Self {
        let below = |last: &str| {
            let mut url = registration.login_url.clone();
            // An address of the web always has a path.
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty()
                    .extend([registration.tenant.as_str(), "oauth2", "v2.0", last]);
            }
            url
        };
        let address = below("token");
        Self {
            client,
            oauth: oauth2::Client::new(ClientId::new(registration.client_id.clone()))
                .set_auth_type(AuthType::RequestBody)
                .set_device_authorization_url(DeviceAuthorizationUrl::from_url(below("devicecode")))
                .set_token_uri(TokenUrl::from_url(address.clone())),
            address: address.into(),
            audience: registration.graph_url.origin().ascii_serialization(),
        }
    }

    /// A right of the service that tokens are for.
    pub(super) fn scope(&self, right: &str) -> Scope {
        Scope::new(format!("{}/{right}", self.audience))
    }

    /// What a person is asked to consent to, and no more whenever a token is renewed: what they may read of their own,
    /// and what keeps them signed in.
    pub(super) fn personal(&self) -> [Scope; 3] {
        [
            self.scope("Files.Read"),
            self.scope("User.Read"),
            Scope::new("offline_access".to_owned()),
        ]
    }

    /// Lets the application prove itself by a secret.
    pub(super) fn with_secret(mut self, secret: &SecretString) -> Self {
        let secret = oauth2::ClientSecret::new(secret.expose_secret().to_owned());
        self.oauth = self.oauth.set_client_secret(secret);
        self
    }

    /// Asks for a token of the application itself, which proves itself by its secret or by an assertion: a signed
    /// statement of its own, or of another identity provider.
    pub(super) async fn application(&self, assertion: Option<SecretString>) -> Result<Issued, ReadError> {
        let send = self.sender(Effect::Safe);
        let mut asked = self
            .oauth
            .exchange_client_credentials()
            .add_scope(self.scope(".default"));
        if let Some(assertion) = assertion {
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            asked = asked
                .add_extra_param("client_assertion_type", kind)
                .add_extra_param("client_assertion", assertion.expose_secret().to_owned());
        }
        issued(&asked.request_async(&send).await.map_err(read_error)?)
    }

    /// Asks for another token of the person who signed in.
    pub(super) async fn person(&self, refresh_token: &SecretString) -> Result<Issued, ReadError> {
        let send = self.sender(Effect::Safe);
        let refresh_token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answered = self
            .oauth
            .exchange_refresh_token(&refresh_token)
            .add_scopes(self.personal())
            .request_async(&send)
            .await;
        issued(&answered.map_err(read_error)?)
    }

    /// Sends what the library made.
    pub(super) async fn send(
        &self,
        request: HttpRequest,
        effect: Effect,
    ) -> Result<HttpResponse, Unanswered> {
        send(&self.client, request, effect).await
    }

    /// What sends what the library makes.
    pub(super) fn sender(&self, effect: Effect) -> Sender<'_> {
        Sender {
            client: &self.client,
            effect,
        }
    }
}

/// Sends what the library makes through the client of the source. A type of its own, since the future of a closure could
/// not move between threads.
pub(super) struct Sender<'e> {
    client: &'e Client,
    effect: Effect,
}

impl<'s> AsyncHttpClient<'s> for Sender<'_> {
    type Error = Unanswered;
    type Future = BoxFuture<'s, Result<HttpResponse, Unanswered>>;

    fn call(&'s self, request: HttpRequest) -> Self::Future {
        send(self.client, request, self.effect).boxed()
    }
}

/// Takes the token out of a good answer.
pub(super) fn issued(answer: &BasicTokenResponse) -> Result<Issued, ReadError> {
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(malformed("the token is of another kind than `Bearer`"));
    }
    let secret = |text: &String| SecretString::from(text.clone());
    let refresh = answer.refresh_token().map(|token| secret(token.secret()));
    Issued::new(
        &secret(answer.access_token().secret()),
        answer.expires_in(),
        refresh,
    )
}

/// What the library says went wrong; nothing of an answer is quoted but what a refusal may say.
pub(super) fn read_error(error: RequestTokenError<Unanswered, Refusal>) -> ReadError {
    match error {
        RequestTokenError::ServerResponse(refusal) => refusal.into_error(StatusCode::BAD_REQUEST),
        RequestTokenError::Request(Unanswered(error)) => error,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            malformed("it is not the JSON of a token")
        }
    }
}

/// Sends what the library made, and gives what it can judge: a good answer, or a refusal that will not pass.
async fn send(client: &Client, asked: HttpRequest, effect: Effect) -> Result<HttpResponse, Unanswered> {
    let (head, body) = asked.into_parts();
    let url =
        Url::parse(&head.uri.to_string()).map_err(|_own| Unanswered(malformed("its address is none")))?;
    let mut request = Request::new(head.method, url)
        .effect(effect)
        .max_body(LONGEST_ANSWER)
        .within(WITHIN);
    for (name, value) in &head.headers {
        request = request.header(name.clone(), value.clone());
    }
    let proofs = proofs(&body);
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        request = request.body(kind.clone(), body);
    }
    let mut answer = client
        .send(&request)
        .await
        .map_err(|error| Unanswered(error.into()))?;
    if answer.status != StatusCode::OK {
        // All that there is are words, which may repeat what was shown.
        let mut words = String::from_utf8_lossy(&answer.body).into_owned();
        for proof in &proofs {
            words = words.replace(proof, "***");
        }
        answer.body = words.into();
        let refusal = strict::from_slice::<Refusal>(&answer.body).ok();
        refusal
            .map_or_else(
                || Err(unexplained(answer.status)),
                |it| it.unless_passing(answer.status),
            )
            .map_err(Unanswered)?;
    }
    let mut response = HttpResponse::new(answer.body.into());
    *response.status_mut() = answer.status;
    if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    Ok(response)
}

/// What a form shows to prove who asks.
fn proofs(form: &[u8]) -> Vec<String> {
    let fields = url::form_urlencoded::parse(form);
    let is_proof = |name: &str| {
        [
            "client_secret",
            "client_assertion",
            "refresh_token",
            "device_code",
        ]
        .contains(&name)
    };
    fields
        .filter(|(name, value)| is_proof(name) && !value.is_empty())
        .map(|(_, value)| value.into_owned())
        .collect()
}

const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");

/// A failure that the service gives no reason for.
fn unexplained(status: StatusCode) -> ReadError {
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return ReadError::service(
            ProblemCode::ServerError,
            format!(
                "the sign-in service cannot answer now (status {}); try again later",
                status.as_u16()
            ),
        );
    }
    malformed(&format!("status {} without a reason", status.as_u16()))
}
