//! What scripted faults do to right answers of Graph: pages that lead elsewhere, or never end.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::reply::{Payload, Reply};
use crate::emulator::fault::{Action, Filling};
use crate::emulator::http::{Request, decode};

/// What marks a page that a fault made up.
const MADE_UP: &str = "$skiptoken=endless";

/// The request without what a fault has put into its address.
pub(super) fn stripped(request: &Request) -> Request {
    let query = &request.raw_query;
    let is_made_up = |pair: &&str| decode(pair).starts_with(MADE_UP);
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_made_up(pair)).collect();
    Request {
        raw_query: kept.join("&"),
        body: Bytes::clone(&request.body),
        ..request.clone()
    }
}

/// Changes a right answer.
pub(super) fn apply(action: &Action, request: &Request, reply: &mut Reply, number: u64) {
    let Payload::Json(body) = &mut reply.body else {
        return;
    };
    let pairs = request.raw_query.split('&').filter(|pair| !pair.is_empty());
    let kept: Vec<&str> = pairs.filter(|pair| !decode(pair).starts_with(MADE_UP)).collect();
    match action {
        Action::ForeignNextLink { origin } => {
            let link = format!("{origin}{}?{}", request.path, request.raw_query);
            body["@odata.nextLink"] = link.into();
        }
        Action::Endless { filling } => {
            let (base, path, query) = (request.base(), &request.path, kept.join("&"));
            body["@odata.nextLink"] = format!("{base}{path}?{query}&{MADE_UP}{number}").into();
            if *filling == Filling::Empty {
                body["value"] = Value::Array(Vec::new());
            }
        }
        _ => return,
    }
    if let Value::Object(fields) = body {
        fields.remove("@odata.deltaLink");
    }
}

/// The answer to a request inside of a batch that a fault gives instead of the right one.
pub(super) fn instead(action: &Action) -> Option<Reply> {
    match action {
        Action::Status {
            status,
            headers,
            body,
        } => {
            let payload = if body.is_empty() {
                Payload::Empty
            } else {
                serde_json::from_str(body).map_or_else(|_| Payload::Text(body.clone()), Payload::Json)
            };
            let mut reply = Reply::of(*status, payload);
            reply.headers = headers.clone().into_iter().collect();
            Some(reply)
        }
        Action::Html => Some(Reply::of(
            200,
            Payload::Text("<!DOCTYPE html><html><body><p>Please sign in.</p></body></html>".into()),
        )),
        Action::Deep { levels } => {
            let nested = (0..(*levels).min(100)).fold(json!([]), |inner, _| json!([inner]));
            Some(Reply::json(json!({"value": nested})))
        }
        _ => None,
    }
}
