//! `/__emulator/…`: changing the world, scripting faults, moving the clock, and reading what was asked.
//!
//! No part of any emulated service; a client under test never calls it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Stage;
use super::fault::{Rule, Service};
use super::graph;
use super::http::{Answer, Request};
use super::world::when::distance;

const LONGEST: usize = 1_000_000;

/// Every request so far, without steering.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    dropped: usize,
}

#[derive(Debug, Clone, Serialize)]
struct Entry {
    method: String,
    /// With the query.
    path: String,
    /// Whom the request claimed to act as.
    account: Option<String>,
    /// 0 where the connection was reset.
    status: u16,
    service: Service,
    /// It stood inside of a batch.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inner: bool,
    /// Headers that change what is answered, and who asks; never secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, String>,
}

/// Which headers the log keeps of requests to Graph.
const KEPT: [&str; 6] = [
    "accept",
    "consistencylevel",
    "deltaexcludeparent",
    "if-match",
    "prefer",
    "user-agent",
];

impl Log {
    pub(crate) fn note(
        &mut self,
        request: &Request,
        account: Option<String>,
        status: u16,
        service: Service,
        inner: bool,
    ) {
        if self.entries.len() >= LONGEST {
            self.dropped += 1;
            return;
        }
        let query = if request.raw_query.is_empty() {
            String::new()
        } else {
            format!("?{}", request.raw_query)
        };
        let path = format!("{}{query}", request.path);
        let kept = KEPT.iter().filter(|_| service == Service::Graph);
        let headers = kept.filter_map(|name| Some((*name, request.header(name)?.to_owned())));
        self.entries.push(Entry {
            method: request.method.clone(),
            path,
            account,
            status,
            service,
            inner,
            headers: headers.collect(),
        });
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum ClockChange {
    Set(Timestamp),
    Advance(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    login: String,
    /// The code that a person would type in; empty: any that waits.
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    deny: bool,
}

/// Answers a steering request.
pub(crate) fn handle(stage: &mut Stage, rest: &str, request: &Request) -> Answer {
    let done = match (request.method.as_str(), rest) {
        ("POST", "change") => change(stage, request),
        ("POST", "fault") => read_many::<Rule>(&request.body).map(|rules| {
            stage.faults.add(rules);
            json!({"faults": stage.faults.rules().len()})
        }),
        ("GET", "fault") => Ok(json!(stage.faults.rules())),
        ("DELETE", "fault") => {
            stage.faults.clear();
            Ok(json!({"faults": 0}))
        }
        ("POST", "clock") => clock(stage, request),
        ("GET", "clock") => Ok(json!({"now": stage.clock.now().to_string()})),
        ("POST", "grant") => read::<Grant>(&request.body).and_then(|asked| grant(stage, &asked)),
        ("GET", "requests") => Ok(
            json!({"count": stage.log.entries.len(), "dropped": stage.log.dropped, "requests": stage.log.entries}),
        ),
        ("DELETE", "requests") => {
            stage.log = Log::default();
            Ok(json!({"count": 0}))
        }
        ("GET", "shares") => Ok(stage.nextcloud.stored_shares()),
        ("GET", "state") => Ok(state(stage)),
        ("GET", "mails") => tenant(stage).map(|graph| graph.mails()),
        ("GET", "permissions") => tenant(stage).map(|graph| graph.stored_permissions()),
        _ => Err(format!(
            "no such steering request: {} /__emulator/{rest}; there are POST change, POST|GET|DELETE fault, \
             POST|GET clock, POST grant, POST occ, GET|DELETE requests, GET shares, GET permissions, GET mails, \
             GET state",
            request.method
        )),
    };
    match done {
        Ok(value) => Answer::json(200, &value),
        Err(message) => Answer::json(400, &json!({"error": message})),
    }
}

fn tenant(stage: &mut Stage) -> Result<&mut graph::Graph, String> {
    let missing = "the world has no `microsoft365` section";
    stage.graph.as_mut().ok_or_else(|| missing.to_owned())
}

fn state(stage: &Stage) -> Value {
    let mut told = stage.nextcloud.summary();
    if let Some(graph) = &stage.graph {
        told["microsoft365"] = graph.summary();
    }
    told
}

fn grant(stage: &mut Stage, asked: &Grant) -> Result<Value, String> {
    let now = stage.clock.now();
    if let Some(device) = &asked.device {
        let user = asked.user.as_deref().filter(|_| !asked.deny);
        if user.is_none() && !asked.deny {
            return Err("name the `user` who signs in, or write `\"deny\": true`".into());
        }
        return tenant(stage)?.grant(device, user, now);
    }
    let account = asked.account.as_ref().ok_or("name the `account` that signs in")?;
    stage.nextcloud.grant(&asked.login, account)?;
    Ok(json!({"granted": account}))
}

fn change(stage: &mut Stage, request: &Request) -> Result<Value, String> {
    let now = stage.clock.now();
    let mut ids = Vec::new();
    for (index, change) in read_many::<Value>(&request.body)?.into_iter().enumerate() {
        let id = if graph::is_ours(&change) {
            tenant(stage).and_then(|graph| graph.change(&change, now))
        } else {
            stage.nextcloud.change(&change, now)
        };
        ids.push(id.map_err(|message| format!("change {index}: {message}"))?);
    }
    Ok(json!({"changed": ids.len(), "ids": ids}))
}

fn clock(stage: &mut Stage, request: &Request) -> Result<Value, String> {
    let at = match read::<ClockChange>(&request.body)? {
        ClockChange::Set(at) => at,
        ClockChange::Advance(by) => {
            let span =
                distance(&by).ok_or_else(|| format!("`{by}` is no distance: write `+30d` or `-12h`"))?;
            let zoned = stage.clock.now().to_zoned(TimeZone::UTC).checked_add(span);
            zoned.map_err(|error| error.to_string())?.timestamp()
        }
    };
    stage.clock.set(at);
    Ok(json!({"now": stage.clock.now().to_string()}))
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Reads one thing, or a list of them.
fn read_many<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Vec<T>, String> {
    let value: Value = read(body)?;
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    items
        .into_iter()
        .map(|item| serde_json::from_value(item).map_err(|error| error.to_string()))
        .collect()
}
