//! Asks a Nextcloud server in the name of an account and understands its refusals.
//!
//! The Open Collaboration Services interface, version 2, in JSON: `{"ocs": {"meta": …, "data": …}}`. Language is
//! forced to English, since error texts are translated otherwise. One place knows how requests are signed
//! and what a refusal means; nothing here decodes shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::http::{
    Answer, Body, Client, Credential, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
};
use crate::model::ProblemCode;
use crate::provider::checks::date;
use crate::provider::{ReadError, strict};

pub(super) const OCS_API_REQUEST: HeaderName = HeaderName::from_static("ocs-apirequest");
const EX_APP_ID: HeaderName = HeaderName::from_static("ex-app-id");
const EX_APP_VERSION: HeaderName = HeaderName::from_static("ex-app-version");
const APP_API: HeaderName = HeaderName::from_static("authorization-app-api");
const NC_TOKEN: HeaderName = HeaderName::from_static("nc-token");

/// The lowest version that can be: a higher one than was registered would raise the stored version.
const APP_VERSION: HeaderValue = HeaderValue::from_static("0.0.1");

/// How requests are signed.
#[derive(Clone)]
pub(super) enum Auth {
    /// One secret acts as every account (the bundled AppAPI).
    AppApi {
        app_id: HeaderValue,
        secret: SecretString,
    },
    /// Each account's own app password.
    Passwords(Passwords),
}

/// App passwords by the names that they sign in with. Where accounts come from a directory, or people sign in with
/// their address, that name is not the account's id.
#[derive(Clone)]
pub(super) struct Passwords {
    by_name: BTreeMap<String, SecretString>,
    /// Names by account ids, where they differ.
    names: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Passwords {
    pub(super) fn new(by_name: BTreeMap<String, SecretString>) -> Self {
        Self {
            by_name,
            names: Arc::default(),
        }
    }

    /// Remembers which account a name signs in to.
    fn belongs_to(&self, name: &str, account: &str) {
        if name != account {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(account.to_owned(), name.to_owned());
        }
    }

    /// The name and the password for an account.
    fn of(&self, account: &str) -> Option<(String, &SecretString)> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = names.get(account).map_or(account, String::as_str);
        Some((name.to_owned(), self.by_name.get(name)?))
    }
}

/// Where to ask, and how.
#[derive(Clone)]
pub(super) struct Ocs {
    pub(super) http: Client,
    pub(super) base: Url,
    pub(super) auth: Auth,
}

#[derive(Deserialize)]
struct Envelope<T> {
    ocs: Inner<T>,
}

#[derive(Deserialize)]
struct Inner<T> {
    #[serde(default)]
    meta: Option<Meta>,
    data: T,
}

/// How often an answer that is read piece by piece is asked for, where it breaks off.
const STREAM_TRIES: u32 = 3;

#[derive(Deserialize)]
struct Refusal {
    ocs: RefusalInner,
}

#[derive(Deserialize)]
struct RefusalInner {
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    statuscode: i64,
    #[serde(default)]
    message: Option<String>,
}

/// Says of an answer that is read piece by piece when to read it from its beginning again. What was kept of it
/// before is kept again, so that nothing is lost.
pub(super) struct Tries<'a> {
    http: &'a Client,
    left: u32,
}

impl Tries<'_> {
    /// Whether the answer broke off, and may be asked for once more.
    pub(super) fn again<T>(&mut self, read: &Result<T, ReadError>) -> bool {
        let broke_off = matches!(
            read,
            Err(ReadError::Service {
                code: ProblemCode::Truncated,
                ..
            })
        );
        if !broke_off || self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.http.note_repeat();
        true
    }
}

impl Ocs {
    /// The tries of an answer that is read piece by piece.
    pub(super) fn tries(&self) -> Tries<'_> {
        Tries {
            http: &self.http,
            left: STREAM_TRIES - 1,
        }
    }

    /// The address of an interface path; segments are percent-encoded.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, ReadError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| {
                ReadError::service(ProblemCode::Malformed, "the source's address cannot have a path")
            })?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// A question to the OCS interface; the query of every one asks for JSON in English.
    pub(super) fn ocs(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Request, ReadError> {
        self.ocs_as(Method::GET, path, query)
    }

    /// A request of the OCS interface with another method than `GET`.
    pub(super) fn ocs_as(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Request, ReadError> {
        let segments: Vec<&str> = ["ocs", "v2.php"]
            .into_iter()
            .chain(path.iter().copied())
            .collect();
        let query: Vec<(&str, &str)> = query
            .iter()
            .copied()
            .chain([("format", "json"), ("forceLanguage", "en")])
            .collect();
        Ok(Request::new(method, self.url(&segments, &query)?)
            .header(OCS_API_REQUEST, HeaderValue::from_static("true")))
    }

    /// A WebDAV request on a path under `remote.php/dav`.
    pub(super) fn dav(
        &self,
        method: Method,
        path: &[&str],
        depth: Depth,
        body: &str,
    ) -> Result<Request, ReadError> {
        let segments: Vec<&str> = ["remote.php", "dav"]
            .into_iter()
            .chain(path.iter().copied())
            .collect();
        Ok(Request::new(method, self.url(&segments, &[])?)
            .header(HeaderName::from_static("depth"), depth.value())
            .body(
                HeaderValue::from_static("application/xml; charset=utf-8"),
                body.to_owned(),
            )
            .effect(crate::http::Effect::Safe))
    }

    /// The same request in the name of an account.
    pub(super) fn signed(&self, request: Request, account: &str) -> Result<Request, ReadError> {
        let (name, credential) = match &self.auth {
            Auth::AppApi { secret, .. } => {
                let pair = SecretString::from(format!("{account}:{}", secret.expose_secret()));
                let encoded = base64::engine::general_purpose::STANDARD.encode(pair.expose_secret());
                (APP_API, Credential::verbatim(&SecretString::from(encoded)))
            }
            Auth::Passwords(passwords) => {
                let (name, password) = passwords.of(account).ok_or_else(|| {
                    ReadError::service(
                        ProblemCode::Forbidden,
                        "no password is configured for this account",
                    )
                })?;
                (
                    HeaderName::from_static("authorization"),
                    Credential::basic(&name, password),
                )
            }
        };
        let credential =
            credential.map_err(|error| ReadError::service(ProblemCode::Unauthorized, error.to_string()))?;
        let request = match &self.auth {
            Auth::AppApi { app_id, .. } => request
                .header(EX_APP_ID, app_id.clone())
                .header(EX_APP_VERSION, APP_VERSION),
            Auth::Passwords(_) => request,
        };
        Ok(request.credential(name, &credential))
    }

    /// Remembers which account the name of a configured password signs in to.
    pub(super) fn signs_in_to(&self, name: &str, account: &str) {
        if let Auth::Passwords(passwords) = &self.auth {
            passwords.belongs_to(name, account);
        }
    }

    /// The request with the statistics token instead of an account.
    pub(super) fn with_token(request: Request, token: &SecretString) -> Result<Request, ReadError> {
        let credential = Credential::verbatim(token)
            .map_err(|error| ReadError::service(ProblemCode::Unauthorized, error.to_string()))?;
        Ok(request.credential(NC_TOKEN, &credential))
    }

    /// Sends a request and decodes the `data` of its answer.
    pub(super) async fn data<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ReadError> {
        Ok(self.dated(request).await?.0)
    }

    /// The same, with the time that the server has.
    pub(super) async fn dated<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<(T, Option<Timestamp>), ReadError> {
        let answer = self.http.send(request).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(request, &answer));
        }
        let data = decode(request, &answer.headers, &answer.body)?;
        Ok((data, date(&answer)))
    }

    /// Opens an answer that is read piece by piece, after its status was found good.
    pub(super) async fn open(&self, request: &Request, good: StatusCode) -> Result<Body, ReadError> {
        let body = self.http.open(request).await?;
        if body.status() == good {
            return Ok(body);
        }
        Err(refusal(request, &body.whole().await?))
    }
}

/// How far below a resource a WebDAV request reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The resource alone.
    Zero,
    /// The resource and its children.
    One,
    /// All that lies beneath.
    Infinity,
}

impl Depth {
    fn value(self) -> HeaderValue {
        match self {
            Self::Zero => HeaderValue::from_static("0"),
            Self::One => HeaderValue::from_static("1"),
            Self::Infinity => HeaderValue::from_static("infinity"),
        }
    }
}

/// Decodes the `data` of an answer that was good.
pub(super) fn decode<T: DeserializeOwned>(
    request: &Request,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, ReadError> {
    let inner = strict::from_slice::<Envelope<T>>(body)
        .map(|envelope| envelope.ocs)
        .map_err(|error| {
            let place = request.place();
            if looks_like_html(headers, body) {
                return web_page(&place.to_string());
            }
            if error.is_eof() {
                return ReadError::service(
                    ProblemCode::Truncated,
                    format!(
                        "{place}: the answer ended before its end, after {} bytes",
                        body.len()
                    ),
                );
            }
            ReadError::service(
                ProblemCode::Malformed,
                // The error itself may quote what the answer holds.
                format!(
                    "{place}: the answer is not as documented ({:?} error in line {}, column {})",
                    error.classify(),
                    error.line(),
                    error.column()
                ),
            )
        })?;
    match inner.meta {
        Some(Meta { statuscode, .. }) if !matches!(statuscode, 0 | 100 | 200) => Err(ReadError::service(
            ProblemCode::Malformed,
            format!(
                "{}: the answer says that it failed, with status {statuscode}",
                request.place()
            ),
        )),
        _ => Ok(inner.data),
    }
}

/// What is wrong where a server took a request for another account's; whose, it may say in any words.
pub(super) fn other_account(account: &str) -> ReadError {
    let account = account.escape_debug();
    let words = format!("the server answered for another account than `{account}`");
    ReadError::service(ProblemCode::Malformed, words)
}

/// Whom the server took the request for, where it says so.
pub(super) fn answered_as(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-user-id")?.to_str().ok()
}

pub(super) fn looks_like_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let typed = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"));
    let start = body.trim_ascii_start();
    typed
        || start
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype"))
        || start
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"<html"))
}

fn web_page(place: &str) -> ReadError {
    ReadError::service(
        ProblemCode::Malformed,
        format!(
            "{place}: the server answered with a web page where data was expected; check that the source's address is \
             Nextcloud's own and that no login page or proxy stands before it"
        ),
    )
}

/// Whether asking again cannot help: maintenance, a blocked address, a disabled account.
pub(super) fn is_final(answer: &Answer) -> bool {
    is_maintenance(answer) || is_blocked(answer) || contains(&answer.body, b"Account disabled")
}

fn is_maintenance(answer: &Answer) -> bool {
    answer.status == StatusCode::SERVICE_UNAVAILABLE
        && (answer
            .header("x-nextcloud-maintenance-mode")
            .is_some_and(|value| value == "1")
            || contains(&answer.body, b"MaintenanceMode")
            || contains(&answer.body, b"maintenance mode"))
}

fn is_blocked(answer: &Answer) -> bool {
    contains(&answer.body, b"Reached maximum delay") || contains(&answer.body, b"MaxDelayReached")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).take(65_536).any(|window| window == part)
}

/// What is said of an interface that is not there, or not for the one who asks.
pub(super) const NO_INTERFACE: &str = "the server has no such interface, or this account has no right to it";

fn meta(answer: &Answer) -> Meta {
    strict::from_slice::<Refusal>(&answer.body)
        .map(|refusal| refusal.ocs.meta)
        .unwrap_or_default()
}

/// The server's own words, fit to be shown.
fn said(request: &Request, meta: &Meta) -> Option<String> {
    let message = request.without_credentials(meta.message.as_deref()?.trim());
    let shown = message.chars().take(200).flat_map(char::escape_debug).collect();
    (!message.is_empty()).then_some(shown)
}

/// Why Nextcloud itself would not do what it was asked for a share, in its words: that the share is not there, or that
/// a value cannot be. `None` where the answer says something else, or is not of the interface for shares.
pub(super) fn objection(request: &Request, answer: &Answer) -> Option<String> {
    let meta = meta(answer);
    let status = i64::from(answer.status.as_u16());
    said(request, &meta).filter(|_| meta.statuscode == status && matches!(status, 400 | 403 | 404))
}

/// What an answer with another status than the good one means, in words.
pub(super) fn refusal(request: &Request, answer: &Answer) -> ReadError {
    let place = request.place().to_string();
    let status = answer.status.as_u16();
    let meta = meta(answer);
    let said = said(request, &meta).map_or_else(String::new, |said| format!(" (it says: {said})"));
    let (code, words) = match status {
        _ if is_maintenance(answer) => (
            ProblemCode::Maintenance,
            "the server is in maintenance mode; scan again when `occ maintenance:mode` says it is off".to_owned(),
        ),
        _ if is_blocked(answer) => (
            ProblemCode::AddressBlocked,
            "the server blocks this address after failed sign-ins; wait 30 minutes, or run `occ \
             security:bruteforce:reset ADDRESS` there, and check the credential before the next scan"
                .to_owned(),
        ),
        401 => (
            ProblemCode::Unauthorized,
            format!("the server does not accept the credential, or the account is disabled or unknown{said}"),
        ),
        // Nextcloud says why in its own form.
        403 if meta.statuscode == 0 && !contains(&answer.body, b"<d:error") => (
            ProblemCode::Forbidden,
            "something refuses this that is not Nextcloud: a proxy before it, perhaps".to_owned(),
        ),
        403 => (ProblemCode::Forbidden, format!("the server accepts the credential but refuses this{said}")),
        404 if said.contains("Share API is disabled") => (
            ProblemCode::SharingDisabled,
            "sharing is switched off on this server: it lists no shares, those that exist included".to_owned(),
        ),
        404 if meta.statuscode == 998 => (ProblemCode::Forbidden, format!("{NO_INTERFACE}{said}")),
        404 | 410 => (ProblemCode::Forbidden, format!("not found, or not for this account{said}")),
        429 => (
            ProblemCode::Throttled,
            "the server asks to slow down; lower `limits.requests_per_second` of this source".to_owned(),
        ),
        400 if looks_like_html(&answer.headers, &answer.body)
            || contains(&answer.body, b"Trusted domain error") =>
        (
            ProblemCode::Forbidden,
            "the server refuses this host name; add it to `trusted_domains` in Nextcloud's config.php, or use the \
             name that is there"
                .to_owned(),
        ),
        412 => (
            ProblemCode::Malformed,
            "the server did not see the header OCS-APIRequest; a proxy may have removed it".to_owned(),
        ),
        500..=599 => (ProblemCode::ServerError, format!("the server failed with status {status}{said}")),
        _ => (ProblemCode::Malformed, format!("the server answered with the unexpected status {status}{said}")),
    };
    ReadError::service(code, format!("{place}: {words}"))
}
