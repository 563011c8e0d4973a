//! Tokens of the identity that Azure gives a machine or an app: from the metadata service, or from App Service.
//!
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>. What is asked
//! never leaves the machine: it goes without a proxy, to loopback and link-local addresses only.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use super::environment::Environment;
use super::issued::{Issued, malformed};
use super::{SignInError, entra};
use crate::http::{
    Answer, Client, Credential, HeaderName, HeaderValue, Patience, Proxy, Request, Settings, StatusCode,
};
use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// Where a machine's metadata service is.
const METADATA_SERVICE: &str = "http://169.254.169.254/";
/// It answers at once, or it is not there.
const PATIENCE: Patience = Patience {
    retries: 3,
    total: Duration::from_mins(1),
    backoff: Duration::from_millis(500),
};
const LONGEST_ANSWER: u64 = 256 * 1024;

/// Who gives this machine's tokens.
pub(super) struct Managed {
    client: Client,
    request: Request,
}

#[derive(Deserialize)]
struct Told {
    access_token: SecretString,
    expires_in: Option<Value>,
    expires_on: Option<Value>,
}

impl Managed {
    /// Finds out who gives tokens for a service here; nothing is sent.
    pub(super) fn new(
        environment: &Environment,
        graph_url: &Url,
        client_id: Option<&str>,
        http: Settings,
        cancel: CancellationToken,
    ) -> Result<Self, SignInError> {
        let (mut url, version, header) = giver(environment)?;
        let resource = format!("{}/", graph_url.origin().ascii_serialization());
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", &resource)
            .extend_pairs(client_id.map(|id| ("client_id", id)));
        let settings = Settings {
            origin: url.clone(),
            proxy: Proxy::Direct,
            ca_pem: None,
            patience: Patience {
                retries: PATIENCE.retries.min(http.patience.retries),
                total: PATIENCE.total.min(http.patience.total),
                backoff: PATIENCE.backoff.min(http.patience.backoff),
            },
            ..http
        };
        let request = Request::get(url).max_body(LONGEST_ANSWER);
        let request = match header {
            Some(header) => request.credential(HeaderName::from_static("x-identity-header"), &header),
            None => request.header(
                HeaderName::from_static("metadata"),
                HeaderValue::from_static("true"),
            ),
        };
        Ok(Self {
            client: Client::new(settings, cancel)?,
            request,
        })
    }

    /// Asks for a token.
    pub(super) async fn issue(&self, now: Timestamp) -> Result<Issued, ReadError> {
        let answer = self.client.send(&self.request).await.map_err(|error| {
            let code = error.problem_code();
            ReadError::service(
                code,
                format!(
                    "no managed identity answers here: {error}; `managed-identity` is for Azure's machines and apps"
                ),
            )
        })?;
        if answer.status != StatusCode::OK {
            return Err(refusal(&answer));
        }
        // What the decoder says could quote the token.
        let told: Told = strict::from_slice(&answer.body)
            .map_err(|_quotes| malformed("the managed identity's answer is not the JSON of a token"))?;
        let until = |end: u64| i64::try_from(end).ok()?.checked_sub(now.as_second());
        let life = match (
            seconds(told.expires_in.as_ref()),
            seconds(told.expires_on.as_ref()),
        ) {
            (Some(life), _) => Some(life),
            (None, Some(end)) => until(end).and_then(|life| u64::try_from(life).ok()),
            (None, None) => None,
        };
        Issued::new(&told.access_token, life.map(Duration::from_secs), None)
    }
}

/// Where tokens are given here, by which version of the interface, and what has to be shown.
fn giver(environment: &Environment) -> Result<(Url, &'static str, Option<Credential>), SignInError> {
    if let Some(endpoint) = &environment.identity_endpoint {
        let name = "IDENTITY_HEADER";
        let secret = environment
            .identity_header
            .as_ref()
            .ok_or(SignInError::Missing(name))?;
        let header = Credential::verbatim(secret).map_err(|_invalid| SignInError::Variable(name))?;
        return Ok((near("IDENTITY_ENDPOINT", endpoint)?, "2019-08-01", Some(header)));
    }
    let host = environment.metadata_host.as_deref().unwrap_or(METADATA_SERVICE);
    let mut url = near("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)?;
    url.set_path("/metadata/identity/oauth2/token");
    Ok((url, "2018-02-01", None))
}

/// A number of seconds, as a number or as text.
fn seconds(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn refusal(answer: &Answer) -> ReadError {
    let status = answer.status;
    let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::GONE) || status.is_server_error();
    if busy {
        return ReadError::service(
            ProblemCode::ServerError,
            format!(
                "the managed identity cannot answer now (status {}); try again later",
                status.as_u16()
            ),
        );
    }
    let why = entra::reason(&answer.body).map_or_else(String::new, |why| format!(", \"{why}\""));
    ReadError::service(
        ProblemCode::Unauthorized,
        format!(
            "the managed identity gave no token (status {}{why}): assign this machine or app an identity, and name it \
             by `client_id` where it is one that a user assigned",
            status.as_u16()
        ),
    )
}

/// An address of this machine or its link; no other is asked.
fn near(variable: &'static str, address: &str) -> Result<Url, SignInError> {
    let url = Url::parse(address.trim()).map_err(|_quotes| SignInError::Variable(variable))?;
    let near = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if near && plain && url.scheme() == "http" {
        Ok(url)
    } else {
        Err(SignInError::Far(variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_link_are_asked() {
        for good in [
            METADATA_SERVICE,
            "http://127.0.0.1:41741/msi/token",
            "http://localhost:42356/msi/token/",
            "http://[::1]:80/",
            "http://169.254.129.3:8081/msi/token",
        ] {
            assert!(near("X", good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.4/",
            "http://169.253.1.1/",
            "http://localhost.evil.example/",
            "http://evil.example/?http://127.0.0.1/",
            "http://127.0.0.1@evil.example/",
            "http://user:password@127.0.0.1/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "no address",
            "",
        ] {
            assert!(near("X", bad).is_err(), "{bad}");
        }
    }
}
