//! Signs one person in by login flow v2: the person grants an app password in the browser, the program fetches it.
//!
//! <https://docs.nextcloud.com/server/latest/developer_manual/client_apis/LoginFlow/index.html#login-flow-v2>.
//! The server gives the password once, to whoever has the flow's polling token, so that the token goes to the
//! source's own origin only. On 32.0.1 a flow lasts 20 minutes, and polling answers 404 until it is granted.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::ocs;
use crate::http::{Answer, Client, Credential, HeaderName, HeaderValue, Method, Request, StatusCode};
use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// How long a flow can be granted; the server forgets it afterwards.
pub const FLOW_LASTS: Duration = Duration::from_mins(20);

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");

/// A flow that waits to be granted.
pub struct Flow {
    client: Client,
    page: Url,
    endpoint: Url,
    token: SecretString,
}

/// What the person granted.
#[derive(Debug)]
pub struct Granted {
    /// The name to sign in with; not always the account's id.
    pub user: String,
    /// The app password.
    pub password: SecretString,
}

#[derive(Deserialize)]
struct Begun {
    poll: Poll,
    login: String,
}

#[derive(Deserialize)]
struct Poll {
    token: SecretString,
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    login_name: String,
    app_password: SecretString,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").finish_non_exhaustive()
    }
}

impl Flow {
    /// Begins a flow at a server whose address ends in a slash. The app password will be called what the client calls
    /// itself.
    ///
    /// # Errors
    /// The server cannot be reached, has no such flow, or calls itself by another address.
    pub async fn begin(client: Client, base: &Url) -> Result<Self, ReadError> {
        let start = base
            .join("index.php/login/v2")
            .map_err(|error| malformed(&error.to_string()))?;
        let request = Request::new(Method::POST, start);
        let answer = client.send(&request).await?;
        if answer.status != StatusCode::OK {
            return Err(ocs::refusal(&request, &answer));
        }
        let begun: Begun = decode(&answer)?;
        Ok(Self {
            page: own(base, &begun.login)?,
            endpoint: own(base, &begun.poll.endpoint)?,
            token: begun.poll.token,
            client,
        })
    }

    /// The page on which a person signs in and grants access.
    #[must_use]
    pub fn page(&self) -> &Url {
        &self.page
    }

    /// Asks once whether it was granted; `None` while it was not.
    ///
    /// # Errors
    /// The server cannot be asked. The password is given once only: where its answer is lost, it is lost too.
    pub async fn ask(&self) -> Result<Option<Granted>, ReadError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", self.token.expose_secret())
            .finish();
        let request = Request::new(Method::POST, self.endpoint.clone()).body(
            HeaderValue::from_static("application/x-www-form-urlencoded"),
            body,
        );
        let answer = self.client.send(&request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let told: Told = decode(&answer)?;
                Ok(Some(Granted {
                    user: told.login_name,
                    password: told.app_password,
                }))
            }
            _ => Err(ocs::refusal(&request, &answer)),
        }
    }
}

/// Gives an app password back: the server forgets it.
///
/// # Errors
/// The server cannot be asked, or does not know it any more.
pub async fn give_back(client: &Client, base: &Url, granted: &Granted) -> Result<(), ReadError> {
    let address = base
        .join("ocs/v2.php/core/apppassword?format=json")
        .map_err(|error| malformed(&error.to_string()))?;
    let credential = Credential::basic(&granted.user, &granted.password)
        .map_err(|error| ReadError::service(ProblemCode::Unauthorized, error.to_string()))?;
    let request = Request::new(Method::DELETE, address)
        .header(ocs::OCS_API_REQUEST, HeaderValue::from_static("true"))
        .credential(AUTHORIZATION, &credential);
    let answer = client.send(&request).await?;
    if answer.status == StatusCode::OK {
        Ok(())
    } else {
        Err(ocs::refusal(&request, &answer))
    }
}

/// Decodes an answer; what the decoder says could quote a secret.
fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, ReadError> {
    strict::from_slice(&answer.body).map_err(|_quotes| {
        malformed("is its address Nextcloud's own, and does no login page stand before it?")
    })
}

fn malformed(what: &str) -> ReadError {
    ReadError::service(
        ProblemCode::Malformed,
        format!("the server's answer about signing in is not as documented: {what}"),
    )
}

/// An address that the server named, if it is one of its own as configured.
fn own(base: &Url, named: &str) -> Result<Url, ReadError> {
    let url = Url::parse(named).map_err(|error| malformed(&error.to_string()))?;
    if url.origin() == base.origin() {
        return Ok(url);
    }
    Err(ReadError::service(
        ProblemCode::Redirected,
        format!(
            "the server calls itself {}, and the source's `url` is {}: correct `url`, or `overwrite.cli.url`, \
             `overwritehost` and `overwriteprotocol` in Nextcloud's config.php",
            url.origin().ascii_serialization(),
            base.origin().ascii_serialization()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_origin_is_refused() {
        let base = Url::parse("https://cloud.example.org/nc/").unwrap();
        assert!(own(&base, "https://cloud.example.org/nc/index.php/login/v2/poll").is_ok());
        for other in [
            "http://cloud.example.org/nc/index.php/login/v2/poll",
            "https://cloud.example.org:444/",
            "https://evil.example/",
            "javascript:alert(1)",
            "",
        ] {
            assert!(own(&base, other).is_err(), "{other}");
        }
    }
}
