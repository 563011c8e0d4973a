//! What a source allows and needs: how fast, how long, through which proxy, trusting whom.
//!
//! Values only; [`super::connection`] and [`super::Client`] act on them. `Debug` shows no proxy password.

use std::{fmt, time::Duration};

use url::Url;

use super::{Answer, Units};

/// What the client calls itself; servers show it where they list who has access.
pub const USER_AGENT: &str = concat!("sharewarden/", env!("CARGO_PKG_VERSION"));

/// Everything a [`super::Client`] needs to know of its source.
#[derive(Clone)]
pub struct Settings {
    /// The only origin that requests may go to.
    pub origin: Url,
    /// How much at a time.
    pub limits: Limits,
    /// How many resource units may be spent, where the service counts in them.
    pub units: Option<Units>,
    /// How long to wait for the network.
    pub timeouts: Timeouts,
    /// How long to go on asking.
    pub patience: Patience,
    /// The way out.
    pub proxy: Proxy,
    /// Certificate authorities in PEM, trusted beside those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// What the client calls itself.
    pub user_agent: String,
    /// Says of an answer that asking again cannot help (maintenance, a blocked address), whatever its status.
    ///
    /// It is asked of statuses that would be repeated, with the first 64 KiB of their body.
    pub is_final: fn(&Answer) -> bool,
}

impl Settings {
    /// The defaults for a source at `origin`.
    #[must_use]
    pub fn new(origin: Url) -> Self {
        Self {
            origin,
            limits: Limits::default(),
            units: None,
            timeouts: Timeouts::default(),
            patience: Patience::default(),
            proxy: Proxy::default(),
            ca_pem: None,
            user_agent: USER_AGENT.to_owned(),
            is_final: |_| false,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("origin", &self.origin.origin().ascii_serialization())
            .field("limits", &self.limits)
            .field("units", &self.units)
            .field("timeouts", &self.timeouts)
            .field("patience", &self.patience)
            .field("proxy", &self.proxy)
            .field("ca_pem", &self.ca_pem.as_ref().map(Vec::len))
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// How much of a source is asked for at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests per second, one a day at least; `f64::INFINITY` for no limit.
    pub requests_per_second: f64,
    /// Requests whose answer is not yet read to its end, at least one.
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 10.0,
            in_flight: 4,
        }
    }
}

/// How long the network may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until the answer begins, and from each piece of it to the next.
    pub idle: Duration,
    /// Until the answer ends, where the request does not say so itself.
    pub whole: Duration,
}

impl Timeouts {
    /// Those of a service that may be silent for so long: a whole answer may take five times as long.
    #[must_use]
    pub fn of_silence(idle: Duration) -> Self {
        Self {
            connect: idle.min(Duration::from_secs(10)),
            idle,
            whole: idle.saturating_mul(5),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::of_silence(Duration::from_mins(1))
    }
}

/// How long one request is tried before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries after the first.
    pub retries: u32,
    /// What tries and waits may come to in all: no wait begins that would reach beyond it.
    pub total: Duration,
    /// The longest first wait after a failure; it doubles from try to try.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retries: 5,
            total: Duration::from_mins(5),
            backoff: Duration::from_millis(500),
        }
    }
}

/// The way to the source.
#[derive(Clone, Default)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// Straight, whatever the environment says.
    Direct,
    /// Through this proxy, whatever the environment says. The URL may hold a name and a password.
    Through(Url),
}

impl From<Option<Url>> for Proxy {
    fn from(configured: Option<Url>) -> Self {
        configured.map_or(Self::Environment, Self::Through)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Direct => f.write_str("Direct"),
            Self::Through(url) => f.debug_tuple("Through").field(&server(url)).finish(),
        }
    }
}

/// A URL's scheme, host and port: what may be shown of a proxy.
fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// Why no client could be made; the configuration is to be corrected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The source's address is not one of the web.
    #[error(
        "the address of a source begins with https:// or http:// and names a host; this one begins with `{0}:`"
    )]
    Origin(String),
    /// The rate is no rate.
    #[error("requests per second must be above zero, and one a day at least, not {0}")]
    Rate(String),
    /// Nothing that costs units could ever be sent.
    #[error("at least one resource unit a minute must be allowed")]
    Units,
    /// Nothing could ever be sent.
    #[error("at least one request must be allowed in flight")]
    InFlight,
    /// The certificate authorities could not be read.
    #[error(
        "the certificate authority file cannot be used: {0}; it should hold PEM blocks `BEGIN CERTIFICATE`"
    )]
    Ca(String),
    /// The proxy's address cannot be used.
    #[error("the proxy {proxy} cannot be used: {cause}")]
    Proxy {
        /// Its scheme, host and port.
        proxy: String,
        /// Why not.
        cause: String,
    },
    /// The name the client gives itself does not fit into a header.
    #[error("the user agent holds characters that a header cannot carry")]
    UserAgent,
    /// TLS could not be set up.
    #[error(
        "secure connections cannot be set up: {0}; is the system's list of certificate authorities installed?"
    )]
    Tls(String),
}

impl SetupError {
    pub(super) fn proxy(url: &Url, cause: impl Into<String>) -> Self {
        Self::Proxy {
            proxy: server(url),
            cause: cause.into(),
        }
    }
}
