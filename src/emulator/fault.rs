//! Scripted faults: which requests fail, how often, and how.
//!
//! Only decides; what a decision does to an answer on the wire is done where answers are sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::http::{Answer, Request};

/// Which emulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    Nextcloud,
    Graph,
}

/// A rule: the first that matches and is not used up decides.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default, rename = "match")]
    matches: Match,
    /// So many matching requests pass first.
    #[serde(default)]
    after: u64,
    /// So many matching requests are hit; none = all.
    #[serde(default)]
    times: Option<u64>,
    action: Action,
    /// Matching requests so far, for reading back.
    #[serde(default)]
    seen: u64,
}

/// Which requests; an empty one matches all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Match {
    method: Option<String>,
    path_prefix: Option<String>,
    /// In the path or the query.
    path_contains: Option<String>,
    /// The account the request claims to act as.
    account: Option<String>,
    service: Option<Service>,
    /// True: requests inside of a batch; else all others.
    inner: bool,
}

/// What happens instead of, or to, the right answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Answers this and does nothing.
    Status {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
    /// Answers as during maintenance.
    Maintenance,
    /// Waits, then answers rightly.
    Delay { ms: u64 },
    /// Does what was asked, then resets the connection without an answer.
    Reset,
    /// Does what was asked, announces the whole body and ends after so many bytes.
    Cut { bytes: usize },
    /// Sends the right body in small pieces with pauses.
    Slow { bytes: usize, ms: u64 },
    /// Answers an HTML page with status 200.
    Html,
    /// Sends the first half of the right body as if it were all.
    Malformed,
    /// Sends a well-formed body with a text of so many bytes in it.
    Huge { bytes: u64 },
    /// Answers a page request (`offset`) with the page before.
    DuplicatePage,
    /// Sends XML whose entities unfold into gigabytes.
    EntityBomb,
    /// Sends a body nested so deep.
    Deep { levels: usize },
    /// The page is followed by one at another origin.
    ForeignNextLink { origin: String },
    /// Every page is followed by another.
    Endless {
        #[serde(default)]
        filling: Filling,
    },
    /// All access tokens end now.
    ExpireToken,
}

/// What is on pages that never end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Filling {
    #[default]
    Empty,
    /// The same page again and again.
    Repeat,
}

/// All rules, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    pub(crate) fn add(&mut self, rules: Vec<Rule>) {
        self.rules.extend(rules);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What happens to this request.
    pub(crate) fn decide(
        &mut self,
        request: &Request,
        account: Option<&str>,
        service: Service,
        inner: bool,
    ) -> Option<Action> {
        let rule = self.rules.iter_mut().find(|rule| {
            rule.matches.inner == inner
                && rule.matches.service.is_none_or(|wanted| wanted == service)
                && rule.matches.holds(request, account)
                && rule
                    .times
                    .is_none_or(|times| rule.seen < rule.after.saturating_add(times))
        })?;
        rule.seen += 1;
        (rule.seen > rule.after).then(|| rule.action.clone())
    }
}

impl Match {
    fn holds(&self, request: &Request, account: Option<&str>) -> bool {
        let whole = || format!("{}?{}", request.path, request.raw_query);
        self.method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| request.path.starts_with(prefix))
            && self
                .path_contains
                .as_ref()
                .is_none_or(|part| whole().contains(part))
            && self
                .account
                .as_deref()
                .is_none_or(|wanted| account == Some(wanted))
    }
}

/// The request for the page before: its `offset` lowered by its `limit`.
pub(crate) fn page_before(request: &Request) -> Request {
    let number = |name: &str| request.query(name).and_then(|value| value.parse::<u64>().ok());
    let offset = number("offset")
        .unwrap_or(0)
        .saturating_sub(number("limit").unwrap_or(0));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in
        url::form_urlencoded::parse(request.raw_query.as_bytes()).filter(|(key, _)| key != "offset")
    {
        query.append_pair(&key, &value);
    }
    query.append_pair("offset", &offset.to_string());
    Request {
        raw_query: query.finish(),
        ..request.clone()
    }
}

/// The answers of the actions that need no right answer.
pub(crate) fn standalone(action: &Action, request: &Request, service: Service) -> Option<Answer> {
    let graph = service == Service::Graph;
    let xml = !graph && expects_xml(request);
    Some(match action {
        Action::Status {
            status,
            headers,
            body,
        } => {
            let kind = if graph {
                "application/json"
            } else {
                "text/html; charset=UTF-8"
            };
            let mut answer = Answer::new(*status, kind, body.clone());
            for (name, value) in headers {
                answer
                    .headers
                    .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                answer = answer.with(name, value.clone());
            }
            answer
        }
        Action::Html => Answer::html(
            200,
            "<!DOCTYPE html><html><body><p>Please sign in to this network.</p></body></html>",
        ),
        Action::EntityBomb => Answer::new(
            if xml { 207 } else { 200 },
            "application/xml; charset=utf-8",
            bomb(),
        ),
        Action::Deep { levels } if xml => {
            let body = format!(
                "<?xml version=\"1.0\"?>{}{}",
                "<d>".repeat(*levels),
                "</d>".repeat(*levels)
            );
            Answer::new(207, "application/xml; charset=utf-8", body)
        }
        Action::Deep { levels } if graph => {
            let body = format!("{{\"value\":{}{}}}", "[".repeat(*levels), "]".repeat(*levels));
            Answer::new(200, "application/json", body)
        }
        Action::Deep { levels } => {
            let body = format!(
                "{{\"ocs\":{{\"meta\":{META},\"data\":{}{}}}}}",
                "[".repeat(*levels),
                "]".repeat(*levels)
            );
            Answer::new(200, "application/json; charset=utf-8", body)
        }
        _ => return None,
    })
}

/// What comes before and after the filling of a huge body.
pub(crate) fn huge_frame(
    request: &Request,
    service: Service,
) -> (u16, &'static str, &'static str, &'static str) {
    if service == Service::Graph {
        return (
            200,
            "application/json",
            "{\"value\":[{\"id\":\"01HUGE\",\"name\":\"",
            "\"}]}",
        );
    }
    if expects_xml(request) {
        let before = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/";
        return (
            207,
            "application/xml; charset=utf-8",
            before,
            "</d:href></d:response></d:multistatus>",
        );
    }
    let before = "{\"ocs\":{\"meta\":{\"status\":\"ok\",\"statuscode\":200,\"message\":\"OK\"},\"data\":[{\"id\":\"1\",\"note\":\"";
    (200, "application/json; charset=utf-8", before, "\"}]}}")
}

const META: &str = "{\"status\":\"ok\",\"statuscode\":200,\"message\":\"OK\"}";

fn expects_xml(request: &Request) -> bool {
    !matches!(request.method.as_str(), "GET" | "PUT" | "POST" | "DELETE")
}

fn bomb() -> String {
    let mut body = String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE d [\n <!ENTITY e0 \"ha\">\n");
    for level in 1..=9 {
        let before = level - 1;
        let inside = format!("&e{before};").repeat(10);
        _ = writeln!(body, " <!ENTITY e{level} \"{inside}\">");
    }
    body.push_str("]>\n<d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>&e9;</d:href></d:response></d:multistatus>\n");
    body
}
