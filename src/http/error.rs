//! What can go wrong between asking and having the answer, in words for the person who runs the tool.
//!
//! An error names the method and the path, never a query, a header or a body; what the network layer says
//! is cleaned and shortened, since a server can put words into it.

use std::{error::Error, fmt, io, time::Duration};

use reqwest::Method;
use url::Url;

use super::Reserve;
use crate::model::ProblemCode;

/// What may be shown of a request: its method and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    method: Method,
    path: String,
}

impl Place {
    const LONGEST: usize = 200;

    pub(super) fn new(method: &Method, url: &Url) -> Self {
        // What a function in a path is given may be a token.
        let path = url.path();
        let plain = path.to_ascii_lowercase();
        let path = ["(token", "%28token"]
            .iter()
            .filter_map(|given| plain.find(given))
            .min()
            .and_then(|at| path.get(..at))
            .unwrap_or(path);
        // A path of a URL is ASCII, so that any place is a boundary.
        let path = match path.get(..Self::LONGEST) {
            Some(start) => format!("{start}..."),
            None => path.to_owned(),
        };
        Self {
            method: method.clone(),
            path,
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, shortened if it is very long.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Why there is no answer to give. A status is never an error: the adapter judges it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The host's name has no address.
    #[error("{at}: the name of {origin} was not found ({cause}); check the address and the name server")]
    Dns {
        /// What was asked.
        at: Place,
        /// Of whom.
        origin: String,
        /// What the system said.
        cause: String,
    },
    /// No connection; the request was not sent.
    #[error("{at}: no connection to {origin} ({cause}); check the address, the proxy and the firewall")]
    Connect {
        /// What was asked.
        at: Place,
        /// Of whom.
        origin: String,
        /// What the system said.
        cause: String,
    },
    /// The server's certificate is not trusted, or TLS failed; the request was not sent.
    #[error("{at}: no secure connection to {origin} ({cause}); {hint}")]
    Tls {
        /// What was asked.
        at: Place,
        /// Of whom.
        origin: String,
        /// What TLS said.
        cause: String,
        /// What to do.
        hint: &'static str,
    },
    /// No answer, or no next piece of it, in time.
    #[error("{at}: {missing} within {seconds:.3} s; the server is overloaded, or its limits here are too tight", seconds = .after.as_secs_f64())]
    Timeout {
        /// What was asked.
        at: Place,
        /// What did not come.
        missing: &'static str,
        /// The time that was allowed.
        after: Duration,
    },
    /// The answer went on coming, and did not end in time.
    #[error("{at}: no end of the answer within {seconds:.3} s; the server is overloaded, or its limits here are too tight", seconds = .after.as_secs_f64())]
    Overlong {
        /// What was asked.
        at: Place,
        /// The time that was allowed.
        after: Duration,
    },
    /// The time in which this may be asked at all is over.
    #[error("{at}: cut off, since the scan has taken as long as `limits.stop_after` lets it")]
    OutOfTime {
        /// What was, or was to be, asked.
        at: Place,
    },
    /// The connection broke before the answer began; the request may have been received.
    #[error("{at}: the connection broke before the answer began ({cause})")]
    Cut {
        /// What was asked.
        at: Place,
        /// What the system said.
        cause: String,
    },
    /// The answer ended before its end.
    #[error("{at}: the answer ended before its end, after {received} bytes ({cause})")]
    Truncated {
        /// What was asked.
        at: Place,
        /// How much of it came, unpacked.
        received: u64,
        /// What the system said.
        cause: String,
    },
    /// The answer could not be unpacked.
    #[error("{at}: the answer cannot be unpacked ({cause})")]
    Garbled {
        /// What was asked.
        at: Place,
        /// What the decoder said.
        cause: String,
    },
    /// The answer is, or says it is, larger than this request allows.
    #[error("{at}: the answer is larger than the {allowed} bytes that are read of it")]
    TooLarge {
        /// What was asked.
        at: Place,
        /// How much was allowed.
        allowed: u64,
    },
    /// The server sent the client elsewhere; credentials do not follow.
    #[error(
        "{at}: the server redirects to {to}; credentials do not follow, so set the source's address to where the service really is"
    )]
    Redirected {
        /// What was asked.
        at: Place,
        /// The target's origin.
        to: String,
    },
    /// The request was for another origin than the source's; it was not sent.
    #[error("{at}: refused to send to {to}, since the credentials belong to {origin}")]
    OtherOrigin {
        /// What was asked.
        at: Place,
        /// Where it would have gone.
        to: String,
        /// Where it may go.
        origin: String,
    },
    /// The server asks to slow down, for longer than this request may wait.
    #[error("{at}: the server asks to slow down{}; try later, or {advice}", told(.wait.as_ref()))]
    Throttled {
        /// What was asked.
        at: Place,
        /// How long it asks to wait, if it said.
        wait: Option<Duration>,
        /// What may help.
        advice: &'static str,
    },
    /// The day's budget of resource units is spent; the request was not sent (again).
    #[error("{at}: not sent, since {} of {per_day} units {}; some come back within {again} h; raise `limits.units_per_day` or `license_count` if the tenant grants more, or go on later", budget(*.reserve), spent(*.reserve))]
    BudgetSpent {
        /// What was to be asked.
        at: Place,
        /// The whole day's budget.
        per_day: u64,
        /// How much of it may be spent here.
        reserve: Reserve,
        /// In how many hours the request could be sent.
        again: u64,
    },
    /// The run was interrupted; the request was not sent (again).
    #[error("{at}: not sent, since the run was interrupted")]
    Interrupted {
        /// What was to be asked.
        at: Place,
    },
}

fn told(wait: Option<&Duration>) -> String {
    wait.map_or_else(String::new, |wait| {
        format!(" and to come back in {} s", wait.as_secs_f64().ceil())
    })
}

fn budget(reserve: Reserve) -> &'static str {
    match reserve {
        Reserve::Usable => "the day's budget",
        Reserve::Kept => "nine tenths of the day's budget",
    }
}

fn spent(reserve: Reserve) -> &'static str {
    match reserve {
        Reserve::Usable => "is spent",
        Reserve::Kept => "are spent and the rest is kept for scans of one person",
    }
}

impl HttpError {
    /// What the report calls it.
    #[must_use]
    pub fn problem_code(&self) -> ProblemCode {
        match self {
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Overlong { .. }
            | Self::Cut { .. } => ProblemCode::Unreachable,
            Self::OutOfTime { .. } => ProblemCode::TimeLimit,
            Self::Tls { .. } => ProblemCode::TlsFailed,
            Self::Truncated { .. } => ProblemCode::Truncated,
            Self::Garbled { .. } => ProblemCode::Malformed,
            Self::TooLarge { .. } => ProblemCode::TooLarge,
            Self::Redirected { .. } | Self::OtherOrigin { .. } => ProblemCode::Redirected,
            Self::Throttled { .. } => ProblemCode::Throttled,
            Self::Interrupted { .. } => ProblemCode::Interrupted,
            Self::BudgetSpent { .. } => ProblemCode::BudgetSpent,
        }
    }

    /// Whether the server may have received, and done, what was asked.
    ///
    /// After `false` the request certainly had no effect.
    #[must_use]
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Overlong { .. }
            | Self::OutOfTime { .. }
            | Self::Cut { .. }
            | Self::Truncated { .. }
            | Self::Garbled { .. }
            | Self::TooLarge { .. }
            | Self::Redirected { .. } => true,
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::OtherOrigin { .. }
            | Self::Throttled { .. }
            | Self::Interrupted { .. }
            | Self::BudgetSpent { .. } => false,
        }
    }

    /// What a failure before the first byte of the answer was.
    pub(super) fn before_answer(at: Place, origin: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let cause = cause(&error);
        let origin = origin.to_owned();
        if !error.is_connect() {
            return Self::Cut { at, cause };
        }
        if error.is_dns() {
            return Self::Dns { at, origin, cause };
        }
        // The TLS layer hands on its errors as invalid data; nothing else does while connecting.
        if io_kinds(&error).contains(&io::ErrorKind::InvalidData) {
            let hint = if cause.contains("certificate") {
                "if its certificate comes from a private authority, name that authority's PEM file as `ca_file`"
            } else {
                "check that the address is one for https"
            };
            return Self::Tls {
                at,
                origin,
                cause,
                hint,
            };
        }
        Self::Connect { at, origin, cause }
    }

    /// What a failure within the body was.
    pub(super) fn within_body(at: Place, received: u64, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let cause = cause(&error);
        let garbled = io_kinds(&error)
            .iter()
            .any(|kind| matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
        if error.is_decode() && garbled {
            Self::Garbled { at, cause }
        } else {
            Self::Truncated { at, received, cause }
        }
    }
}

/// The innermost thing that went wrong, fit to print.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    const LONGEST: usize = 200;
    let innermost = chain(error).last().map_or_else(String::new, ToString::to_string);
    let mut clean: String = innermost
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    if innermost.chars().nth(LONGEST).is_some() {
        clean.push_str("...");
    }
    clean
}

/// The kinds of all I/O errors in an error's chain.
fn io_kinds(error: &(dyn Error + 'static)) -> Vec<io::ErrorKind> {
    chain(error)
        .filter_map(|link| link.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .collect()
}

/// An error and all that caused it. An I/O error's own content counts, which `source` leaves out.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link| {
        let link: &'e (dyn Error + 'static) = *link;
        match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(content) => Some(content),
            None => link.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_shows_no_query_and_no_end_of_a_long_path() {
        let url = Url::parse("https://u:PW@h.example/a/b?token=SECRET#x").unwrap();
        assert_eq!(Place::new(&Method::GET, &url).to_string(), "GET /a/b");
        for given in [
            "(token='a/SECRET')",
            "(TOKEN='x',token='SECRET')",
            "%28token%3D'SECRET')",
        ] {
            let url = Url::parse(&format!("https://h.example/drives/d/root/delta{given}/x")).unwrap();
            assert!(
                !Place::new(&Method::GET, &url).to_string().contains("SECRET"),
                "{url}"
            );
        }
        let long = Url::parse(&format!("https://h.example/{}", "ü".repeat(500))).unwrap();
        assert!(Place::new(&Method::GET, &long).path().len() <= Place::LONGEST + 3);
    }

    #[test]
    fn cause_is_the_innermost_and_harmless() {
        let inner = io::Error::other(format!("a\u{202e}\n{}", "x".repeat(400)));
        let shown = cause(&io::Error::other(inner));
        assert!(shown.starts_with("a??xx"), "{shown}");
        assert!(shown.ends_with("x..."), "{shown}");
    }
}
