//! `$batch`: up to twenty requests in one, each charged and answered by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::ids;
use super::reply::{self, Call, Outcome, Payload, Refusal, Reply};
use super::{Graph, Watch, misuse};
use crate::emulator::fault::Service;
use crate::emulator::http::Request;

const MOST: usize = 20;

/// A request of a batch.
struct Part {
    id: String,
    request: Request,
    after: Vec<String>,
}

/// Answers a batch.
pub(super) fn answer(graph: &mut Graph, call: &Call<'_>, arrived: Instant, watch: &mut Watch<'_>) -> Outcome {
    let body = call.json_body()?;
    let list = body["requests"]
        .as_array()
        .ok_or_else(|| malformed("Invalid batch payload format."))?;
    if list.len() > MOST {
        return Err(malformed(&format!(
            "Number of batch request steps exceeds the maximum value of {MOST}."
        )));
    }
    let mut parts = Vec::new();
    let mut known = BTreeSet::new();
    for part in list {
        let part = read(call, part)?;
        if !known.insert(part.id.to_lowercase()) {
            return Err(malformed(&format!(
                "Request Id {} has to be unique in a batch.",
                part.id
            )));
        }
        parts.push(part);
    }
    let missing = |part: &Part| part.after.iter().any(|id| !known.contains(&id.to_lowercase()));
    if parts.iter().any(missing) {
        return Err(malformed(
            "The dependsOn value refers to a request that is not in the batch.",
        ));
    }
    let mut statuses: BTreeMap<String, u16> = BTreeMap::new();
    let mut responses = Vec::new();
    for part in &parts {
        let waits = |id: &String| {
            statuses
                .get(&id.to_lowercase())
                .is_none_or(|status| *status >= 400)
        };
        let reply = if part.after.iter().any(waits) {
            Reply::of(
                424,
                Payload::Json(json!({"error": {
                    "code": "FailedDependency",
                    "message": "Failed Dependency",
                }})),
            )
        } else {
            one(graph, call, part, arrived, watch)
        };
        statuses.insert(part.id.to_lowercase(), reply.status);
        responses.push(shown(&part.id, reply));
    }
    // The order of the answers means nothing.
    responses.sort_by_cached_key(|response| {
        let id = response["id"].as_str().unwrap_or_default();
        ids::mix(ids::hash(id) ^ graph.requests)
    });
    Ok(Reply::json(json!({"responses": responses})))
}

fn malformed(text: &str) -> Refusal {
    Refusal::bad_request(text)
}

fn read(call: &Call<'_>, part: &Value) -> Result<Part, Refusal> {
    let text = |name: &str| part[name].as_str().unwrap_or_default();
    let (id, method, url) = (text("id"), text("method"), text("url"));
    if id.is_empty() || method.is_empty() || url.is_empty() {
        return Err(malformed("A request of the batch lacks its id, method or url."));
    }
    if url.contains("://") {
        return Err(malformed("The url of a request has to be relative."));
    }
    let mut headers = HeaderMap::new();
    for name in ["host", "authorization"] {
        if let Some(value) = call.request.headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    for (name, value) in part["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    let body = match &part["body"] {
        Value::Null => Bytes::new(),
        _ if !headers.contains_key("content-type") => {
            return Err(malformed("A request with a body needs a Content-Type header."));
        }
        Value::String(text) => Bytes::from(text.clone()),
        body => Bytes::from(body.to_string()),
    };
    let after = part["dependsOn"].as_array().into_iter().flatten();
    let url = url.trim_start_matches('/');
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    Ok(Part {
        id: id.to_owned(),
        request: Request {
            method: method.to_ascii_uppercase(),
            path: format!("/v1.0/{path}"),
            raw_query: query.to_owned(),
            headers,
            body,
        },
        after: after.filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn one(graph: &mut Graph, outer: &Call<'_>, part: &Part, arrived: Instant, watch: &mut Watch<'_>) -> Reply {
    graph.requests += 1;
    let number = graph.requests;
    let account = graph.claimed(&part.request, outer.now);
    let action = watch
        .faults
        .decide(&part.request, account.as_deref(), Service::Graph, true);
    let asked = misuse::stripped(&part.request);
    let mut outcome = match action.as_ref().and_then(misuse::instead) {
        Some(reply) => Ok(reply),
        None => graph
            .signed_in(&asked, outer.now, true)
            .and_then(|call| graph.answer(&call, arrived)),
    };
    let scripted = action
        .as_ref()
        .is_some_and(|action| misuse::instead(action).is_some());
    if let (Ok(reply), Some(action)) = (&mut outcome, &action) {
        misuse::apply(action, &part.request, reply, number);
    }
    let reply = if scripted {
        outcome.unwrap_or_else(|_| Reply::of(500, Payload::Empty))
    } else {
        reply::complete(outcome, &part.request, number, outer.now)
    };
    watch
        .log
        .note(&part.request, account, reply.status, Service::Graph, true);
    reply
}

/// An answer as it stands in the batch's own.
fn shown(id: &str, reply: Reply) -> Value {
    let kept = |name: &str| !matches!(name, "request-id" | "client-request-id");
    let headers: Map<String, Value> = reply
        .headers
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let mut shown = json!({"id": id, "status": reply.status, "headers": headers});
    match reply.body {
        Payload::Json(body) => shown["body"] = body,
        // What is no JSON is written as base64.
        Payload::Text(text) => shown["body"] = STANDARD.encode(text).into(),
        Payload::Empty => {}
    }
    shown
}
