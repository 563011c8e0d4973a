//! A request as an adapter describes it, and the credentials it carries.
//!
//! Nothing here sends. Credentials are a type of their own, so that none can be logged by mistake.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Place;

/// What an adapter asks of its source.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) effect: Effect,
    pub(super) max_body: u64,
    pub(super) within: Option<Duration>,
    pub(super) units: u32,
}

/// Whether doing a request twice is the same as doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is: the request may be sent again although it may have been received.
    Safe,
    /// It is not: the request is sent again only if it certainly was not sent.
    Unsafe,
}

impl Effect {
    /// What HTTP and `WebDAV` promise of a method; what they do not name is unsafe.
    fn of(method: &Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" | "SEARCH" => Self::Safe,
            _ => Self::Unsafe,
        }
    }
}

impl Request {
    /// A request with an answer of up to 16 MiB, within the time of its client; its effect is what the method promises.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            effect: Effect::of(&method),
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            max_body: 16 * 1024 * 1024,
            within: None,
            units: 0,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Sets a header that is no secret.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        // A second fence, for a credential that did not come as one.
        if [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(&name) {
            value.set_sensitive(true);
        }
        self.headers.insert(name, value);
        self
    }

    /// Sets a header that is a secret.
    #[must_use]
    pub fn credential(mut self, name: HeaderName, credential: &Credential) -> Self {
        self.headers.insert(name, credential.0.clone());
        self
    }

    /// Sets the body and what it is.
    #[must_use]
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, content_type);
        self.body = Some(body.into());
        self
    }

    /// Says whether the request may be done twice, where the method alone does not tell.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets how many bytes the answer may have, unpacked.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long one try may take, from sending to the answer's last byte.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Sets how many of the service's resource units one try costs; none without this.
    #[must_use]
    pub fn units(mut self, units: u32) -> Self {
        self.units = units;
        self
    }

    /// What may be shown of the request.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::new(&self.method, &self.url)
    }

    /// Words of an answer as they may be shown: a service, or what stands before it, may repeat the credentials that it was
    /// shown.
    #[must_use]
    pub fn without_credentials(&self, words: &str) -> String {
        let values = self.headers.values().filter(|value| value.is_sensitive());
        let mut shown = words.to_owned();
        for value in values.filter_map(|value| value.to_str().ok()) {
            let bare = value.split(' ').next_back().unwrap_or(value);
            // A name and a secret are sent as one, in Base64.
            let pair = STANDARD
                .decode(bare)
                .ok()
                .and_then(|pair| String::from_utf8(pair).ok());
            let secret = pair
                .as_deref()
                .and_then(|pair| pair.split_once(':'))
                .map(|(_, secret)| secret);
            for repeated in [Some(bare), Some(bare.trim_end_matches('=')), secret] {
                if let Some(repeated) = repeated.filter(|repeated| !repeated.is_empty()) {
                    shown = shown.replace(repeated, "***");
                }
            }
        }
        shown
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("place", &self.place().to_string())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &self.body.as_ref().map(Bytes::len))
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}

/// A header's value that nobody may read.
#[derive(Clone)]
pub struct Credential(HeaderValue);

/// A credential holds characters that a header cannot carry. Says nothing of the credential itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential holds a line break or another character that a header cannot carry")]
pub struct InvalidCredential;

impl Credential {
    /// `Basic`: a name and a password.
    pub fn basic(name: &str, password: &SecretString) -> Result<Self, InvalidCredential> {
        let pair = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
        Self::prefixed("Basic ", &pair)
    }

    /// `Bearer`: a token.
    pub fn bearer(token: &SecretString) -> Result<Self, InvalidCredential> {
        Self::prefixed("Bearer ", token.expose_secret())
    }

    /// Any other form: the header's value as it is.
    pub fn verbatim(value: &SecretString) -> Result<Self, InvalidCredential> {
        Self::prefixed("", value.expose_secret())
    }

    fn prefixed(scheme: &str, secret: &str) -> Result<Self, InvalidCredential> {
        // The cause would quote nothing today; it is dropped so that it never will.
        let mut value =
            HeaderValue::try_from(format!("{scheme}{secret}")).map_err(|_invalid| InvalidCredential)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_repeat_a_credential_are_shown_without_it() {
        let url = Url::parse("https://h.example/").unwrap();
        let secret = SecretString::from("s3cret/s3cret".to_owned());
        let name = HeaderName::from_static("authorization-app-api");
        for credential in [
            Credential::basic("ann", &secret),
            Credential::bearer(&secret),
            Credential::verbatim(&secret),
        ] {
            let request = Request::get(url.clone()).credential(name.clone(), &credential.unwrap());
            let sent = request.headers[&name].to_str().unwrap();
            for words in [
                sent.to_owned(),
                format!("({})", sent.trim_end_matches('=')),
                "it was s3cret/s3cret.".to_owned(),
            ] {
                let is_pair = sent.starts_with("Basic") || !words.contains("YW5u");
                let shown = request.without_credentials(&words);
                assert!(
                    is_pair && shown.contains("***") && !shown.contains("YW5u") && !shown.contains("s3cret"),
                    "{shown}"
                );
            }
            assert_eq!(
                request.without_credentials("ann is not known"),
                "ann is not known"
            );
        }
    }

    #[test]
    fn what_may_hold_a_credential_is_marked_as_sensitive() {
        let url = Url::parse("https://h.example/").unwrap();
        let mut request =
            Request::get(url).header(HeaderName::from_static("accept"), HeaderValue::from_static("*/*"));
        for name in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
            request = request.header(name, HeaderValue::from_static("x"));
        }
        let own = HeaderName::from_static("authorization-app-api");
        let secret = SecretString::from("x".to_owned());
        request = request.credential(own, &Credential::verbatim(&secret).unwrap());
        for (name, value) in &request.headers {
            assert_eq!(value.is_sensitive(), name != "accept", "{name}");
        }
    }

    #[test]
    fn methods_that_change_nothing_are_safe() {
        for (method, effect) in [
            ("GET", Effect::Safe),
            ("PROPFIND", Effect::Safe),
            ("REPORT", Effect::Safe),
            ("POST", Effect::Unsafe),
            ("PUT", Effect::Unsafe),
            ("DELETE", Effect::Unsafe),
            ("get", Effect::Unsafe),
        ] {
            assert_eq!(
                Effect::of(&Method::from_bytes(method.as_bytes()).unwrap()),
                effect,
                "{method}"
            );
        }
    }
}
