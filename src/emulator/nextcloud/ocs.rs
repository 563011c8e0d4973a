//! The OCS envelope and its routes: versions 1 and 2, JSON and XML.
//!
//! Handlers return data or a refusal; what status, shape and content type that becomes is decided here only.

use jiff::Timestamp;

use super::auth::{Caller, Refused};
use super::listing::{self, Listing};
use super::messages::Language;
use super::tree::{Tree, map};
use super::{
    Nextcloud, activity, capabilities, creating, editing, groups, not_found_page, server, teams, users,
};
use crate::emulator::http::{Answer, Body, Request};

/// How an answer is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) first_version: bool,
    pub(crate) json: bool,
}

/// What a handler found.
#[derive(Debug)]
pub(crate) enum Found {
    Data(Tree),
    Shares(Box<Listing>),
    Created(Tree),
    /// A part of a longer list, with headers that say how it goes on.
    Page(Tree, Vec<(String, String)>),
    /// 304 without a body: what some lists say that hold nothing.
    Unchanged,
}

/// Why a handler says no.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// An OCS status and message.
    Status(u16, String),
    /// An OCS status with data and no message.
    Data(u16, Tree),
    /// The server's HTML page for a file that is gone.
    NotFoundPage,
    /// 429 without a body.
    RateLimited,
}

pub(crate) type Outcome = Result<Found, Refusal>;

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self::Status(status, message.into())
    }

    pub(crate) fn route() -> Self {
        let text = "Invalid query, please check the syntax. API specifications are here: \
                    http://www.freedesktop.org/wiki/Specifications/open-collaboration-services.\n";
        Self::new(998, text)
    }

    fn logged_out() -> Self {
        Self::new(997, "Current user is not logged in")
    }
}

/// A request on its way to a handler.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) caller: Caller,
    pub(crate) language: Language,
    pub(crate) now: Timestamp,
    pub(crate) format: Format,
}

impl Call<'_> {
    /// The logged-in account, or the refusal that says there is none.
    pub(crate) fn account(&self) -> Result<String, Refusal> {
        self.caller.account.clone().ok_or_else(Refusal::logged_out)
    }

    pub(crate) fn say(&self, english: &str) -> String {
        self.language.say(english)
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.now.as_second()
    }
}

/// Answers any request below `/ocs/`.
pub(crate) fn handle(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    let format = Format {
        first_version: request.path.starts_with("/ocs/v1.php"),
        json: request.query("format").map_or_else(
            || {
                request
                    .header("accept")
                    .is_some_and(|accept| accept.contains("json"))
            },
            |format| format == "json",
        ),
    };
    if server.settings.maintenance {
        let answer = early(format, 503, "Service unavailable");
        return answer.with("X-Nextcloud-Maintenance-Mode", "1");
    }
    let caller = match server.caller(request, false, now) {
        Ok(caller) => caller,
        Err(Refused::Wrong | Refused::Disabled) => {
            let answer = early(format, 997, "Unauthorised");
            return answer.with("WWW-Authenticate", "Basic realm=\"Authorisation Required\"");
        }
        Err(Refused::Blocked | Refused::AppBlocked) => return early(format, 429, "Reached maximum delay"),
        Err(Refused::AppWrong) => Caller::default(),
    };
    let named = caller.named.clone();
    let language = server.language_for(request, named.as_deref());
    let call = Call {
        request,
        caller,
        language,
        now,
        format,
    };
    let answer = if request.header("ocs-apirequest") == Some("true") {
        let outcome = route(server, &call);
        written(format, outcome)
    } else {
        Answer::new(
            412,
            "application/json; charset=utf-8",
            "{\"message\":\"CSRF check failed\"}",
        )
    };
    match named {
        Some(named) => answer.with("X-User-Id", named),
        None => answer,
    }
}

fn route(server: &mut Nextcloud, call: &Call<'_>) -> Outcome {
    let segments = call.request.segments();
    let parts: Vec<&str> = segments.iter().skip(2).map(String::as_str).collect();
    match (call.request.method.as_str(), parts.as_slice()) {
        (method, ["apps", "files_sharing", "api", "v1", "shares", rest @ ..]) => {
            shares(server, call, method, rest)
        }
        // Nothing comes in from other servers, and nothing was put away.
        (
            "GET",
            [
                "apps",
                "files_sharing",
                "api",
                "v1",
                "remote_shares" | "deletedshares",
                ..,
            ],
        ) => call.account().map(|_| Found::Data(Tree::List(Vec::new()))),
        ("GET", ["cloud", "capabilities"]) => Ok(Found::Data(capabilities::answer(server, call))),
        ("GET", ["cloud", "user"]) => users::own(server, call),
        ("GET", ["cloud", "users", rest @ ..]) => users::route(server, call, rest),
        ("GET", ["cloud", "groups", rest @ ..]) => groups::route(server, call, rest),
        (_, ["apps", "app_api", ..]) if !server.has_app("app_api") => Err(Refusal::route()),
        ("GET", ["apps", "app_api", "ex-app", "state"]) => server::app_state(server, call),
        ("GET", ["apps", "app_api", "api", "v1", "users"]) => server::app_users(server, call),
        ("GET", ["apps", "serverinfo", "api", "v1", "info"]) => server::statistics(server, call),
        (
            "GET",
            [
                "apps",
                "provisioning_api",
                "api",
                "v1",
                "config",
                "apps",
                app,
                key,
            ],
        ) => server::app_setting(server, call, app, key),
        ("GET", ["apps", "circles", rest @ ..]) => teams::route(server, call, rest),
        ("GET", ["apps", "activity", "api", "v2", "activity", rest @ ..]) => {
            activity::route(server, call, rest)
        }
        ("GET", ["apps", "files_downloadlimit", "api", "v1", token, "limit"]) => {
            activity::download_limit(server, call, token)
        }
        ("DELETE", ["core", "apppassword"]) => server::forget_app_password(server, call),
        _ if call.caller.account.is_none() => Err(Refusal::logged_out()),
        _ => Err(Refusal::route()),
    }
}

fn shares(server: &mut Nextcloud, call: &Call<'_>, method: &str, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    if !server.settings.sharing_enabled {
        return Err(Refusal::new(404, "Share API is disabled"));
    }
    match (method, rest) {
        ("GET", []) => listing::list(server, call, &account),
        ("POST", []) => creating::create(server, call, &account),
        ("GET", ["inherited"]) => listing::inherited(server, call, &account),
        ("GET", ["pending"]) => Ok(Found::Data(Tree::List(Vec::new()))),
        ("GET", [id]) => listing::one(server, call, &account, id),
        ("PUT", [id]) => editing::update(server, call, &account, id),
        ("DELETE", [id]) => editing::delete(server, call, &account, id),
        _ => Err(Refusal::route()),
    }
}

fn written(format: Format, outcome: Outcome) -> Answer {
    match outcome {
        Ok(Found::Data(data) | Found::Created(data)) => envelope(format, 200, "OK", &data),
        Ok(Found::Page(data, headers)) => {
            let mut answer = envelope(format, 200, "OK", &data);
            answer.headers.extend(headers);
            answer
        }
        Ok(Found::Unchanged) => Answer::new(304, content_type(format), Vec::new()),
        Ok(Found::Shares(listing)) => {
            let answer = Answer::new(200, content_type(format), Vec::new());
            Answer {
                body: Body::Shares(listing),
                ..answer
            }
        }
        Err(Refusal::Status(status, message)) => envelope(format, status, &message, &Tree::List(Vec::new())),
        Err(Refusal::Data(status, data)) => envelope(format, status, "", &data),
        Err(Refusal::NotFoundPage) => not_found_page(),
        Err(Refusal::RateLimited) => Answer::html(429, Vec::new()),
    }
}

/// An answer given before the application runs: its XML is labelled differently.
fn early(format: Format, status: u16, message: &str) -> Answer {
    let mut answer = envelope(format, status, message, &Tree::List(Vec::new()));
    if !format.json {
        answer.headers = vec![("Content-Type".into(), "text/xml; charset=UTF-8".into())];
    }
    answer
}

fn envelope(format: Format, status: u16, message: &str, data: &Tree) -> Answer {
    let mut body = head(format, status, message);
    if format.json {
        data.json(&mut body);
    } else {
        data.xml("data", 1, &mut body);
    }
    body.push_str(tail(format));
    let http = match status {
        997 => 401,
        503 | 429 => status,
        _ if format.first_version => 200,
        998 => 404,
        996 => 500,
        other => other,
    };
    Answer::new(http, content_type(format), body)
}

pub(crate) fn content_type(format: Format) -> &'static str {
    if format.json {
        "application/json; charset=utf-8"
    } else {
        "application/xml; charset=utf-8"
    }
}

/// Everything before the data.
pub(crate) fn head(format: Format, status: u16, message: &str) -> String {
    let failed = status != 200;
    let code = if format.first_version && !failed {
        100
    } else {
        i64::from(status)
    };
    let word = if failed { "failure" } else { "ok" };
    let mut meta = map([
        ("status", word.into()),
        ("statuscode", Tree::Int(code)),
        ("message", message.into()),
    ]);
    if format.first_version {
        meta.set("totalitems", "".into());
        meta.set("itemsperpage", "".into());
    }
    let mut out = String::new();
    if format.json {
        out.push_str("{\"ocs\":{\"meta\":");
        meta.json(&mut out);
        out.push_str(",\"data\":");
    } else {
        out.push_str("<?xml version=\"1.0\"?>\n<ocs>\n");
        meta.xml("meta", 1, &mut out);
    }
    out
}

/// Everything after the data.
pub(crate) fn tail(format: Format) -> &'static str {
    if format.json { "}}" } else { "</ocs>\n" }
}

impl Nextcloud {
    /// `forceLanguage`, else the account's own language, else what the client accepts.
    pub(crate) fn language_for(&self, request: &Request, account: Option<&str>) -> Language {
        let own = account
            .and_then(|id| self.accounts.get(id))
            .map(|account| account.language.clone());
        let code = request
            .query("forceLanguage")
            .or_else(|| own.filter(|code| !code.is_empty()))
            .or_else(|| request.header("accept-language").map(str::to_owned))
            .unwrap_or_else(|| self.settings.language.clone());
        Language::of(&code)
    }
}
