//! The network client beneath: TLS, the proxy, and all that it must not do by itself.
//!
//! It asks nothing again, follows nothing and keeps nothing but open connections; see [`super::Client`].

use std::time::Duration;

use reqwest::{Certificate, header::HeaderValue, redirect, retry};
use url::Url;

use super::{Proxy, Settings, SetupError, error::cause};

/// Servers drop idle connections after 5 s or more. If that happens while a request is on its way, nobody
/// knows whether it was received; so let go first.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Builds the network client of a source.
pub(super) fn client(settings: &Settings) -> Result<reqwest::Client, SetupError> {
    let user_agent = HeaderValue::try_from(&settings.user_agent).map_err(|_invalid| SetupError::UserAgent)?;
    let mut builder = reqwest::Client::builder()
        // Asking again is decided in one place, with pauses and a budget.
        .retry(retry::never())
        // A redirect would carry credentials to where it points.
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(settings.timeouts.connect)
        .pool_idle_timeout(POOL_IDLE)
        .user_agent(user_agent);
    if let Some(pem) = &settings.ca_pem {
        builder = builder.tls_certs_merge(authorities(pem)?);
    }
    match &settings.proxy {
        Proxy::Environment => {}
        Proxy::Direct => builder = builder.no_proxy(),
        Proxy::Through(url) => builder = builder.proxy(proxy(url)?),
    }
    builder.build().map_err(|error| {
        let cause = cause(&error.without_url());
        match settings.ca_pem {
            Some(_) => SetupError::Ca(cause),
            None => SetupError::Tls(cause),
        }
    })
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, SetupError> {
    let found = Certificate::from_pem_bundle(pem).map_err(|error| SetupError::Ca(cause(&error)))?;
    if found.is_empty() {
        return Err(SetupError::Ca("it holds no certificate".to_owned()));
    }
    Ok(found)
}

fn proxy(url: &Url) -> Result<reqwest::Proxy, SetupError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SetupError::proxy(
            url,
            "its address should begin with http:// or https://",
        ));
    }
    reqwest::Proxy::all(url.clone()).map_err(|error| SetupError::proxy(url, cause(&error.without_url())))
}
