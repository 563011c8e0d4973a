//! `sendMail`: mail is taken, kept and never sent.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Graph;
use super::reply::{Call, Outcome, Payload, Refusal, Reply};
use super::users;

/// Custom headers that are taken.
const HEADERS: usize = 5;
/// Mail that is taken at the same time.
const AT_ONCE: usize = 4;

/// `POST /users/{sender}/sendMail`.
pub(super) fn send(graph: &mut Graph, call: &Call<'_>, sender: &str) -> Outcome {
    let user = users::known(graph, sender).map_err(|_| {
        Refusal::new(
            404,
            "ErrorInvalidUser",
            format!("The requested user '{sender}' is invalid."),
        )
    })?;
    let Some(user) = graph.people.get(user) else {
        return Err(Refusal::not_found());
    };
    if user.file.mail.is_none() {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Refusal::new(404, "MailboxNotEnabledForRESTAPI", text));
    }
    let allowed = |all: &Vec<String>| all.iter().any(|known| known.eq_ignore_ascii_case(&user.file.upn));
    if !graph.switches.senders.as_ref().is_none_or(allowed) {
        return Err(Refusal::new(
            403,
            "ErrorAccessDenied",
            "Access to OData is disabled.",
        ));
    }
    let upn = user.file.upn.clone();
    let kept = if call
        .request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/plain"))
    {
        let text = STANDARD.decode(&call.request.body).map_err(|_| {
            Refusal::new(
                400,
                "ErrorMimeContentInvalidBase64String",
                "Invalid base64 string for MIME content.",
            )
        })?;
        json!({"sender": upn, "mime": String::from_utf8_lossy(&text)})
    } else {
        let body = call.json_body()?;
        check(&body["message"])?;
        json!({"sender": upn, "message": body["message"], "saveToSentItems": body["saveToSentItems"]})
    };
    let now = Instant::now();
    graph.mailing.retain(|until| *until > now);
    if graph.mailing.len() >= AT_ONCE {
        let text = "Application is over its MailboxConcurrency limit.";
        return Err(Refusal::new(429, "ApplicationThrottled", text).with("Retry-After", "1"));
    }
    graph
        .mailing
        .push(now + Duration::from_millis(graph.limits.answer_delay_ms));
    graph.mails.push(kept);
    Ok(Reply::of(202, Payload::Empty))
}

fn check(message: &Value) -> Result<(), Refusal> {
    let recipients = ["toRecipients", "ccRecipients", "bccRecipients"];
    let all: Vec<&Value> = recipients
        .iter()
        .filter_map(|kind| message[kind].as_array())
        .flatten()
        .collect();
    let good = |one: &&Value| {
        one["emailAddress"]["address"]
            .as_str()
            .is_some_and(|address| address.contains('@') && !address.contains(char::is_whitespace))
    };
    if all.is_empty() || !all.iter().all(good) {
        let text = "At least one recipient isn't valid.";
        return Err(Refusal::new(400, "ErrorInvalidRecipients", text));
    }
    let headers = message["internetMessageHeaders"].as_array();
    let custom = |header: &Value| {
        header["name"]
            .as_str()
            .is_some_and(|name| name.to_ascii_lowercase().starts_with("x-"))
    };
    if headers.is_some_and(|all| !all.iter().all(custom) || all.len() > HEADERS) {
        let text = "The internet message header name should start with 'x-' or 'X-'.";
        return Err(Refusal::new(400, "InvalidInternetMessageHeader", text));
    }
    Ok(())
}
