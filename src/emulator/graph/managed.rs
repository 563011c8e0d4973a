//! Managed identity: tokens for the machine that something runs on, as App Service and as a virtual machine hand them out.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Graph;
use super::entra::Holder;
use crate::emulator::http::{Answer, Request};

/// The real Graph; this one is known by its own address, too.
const RESOURCE: &str = "https://graph.microsoft.com";

/// `/msi/token`, as App Service has it.
pub(super) fn app_service(graph: &mut Graph, request: &Request, now: Timestamp) -> Answer {
    let secret = request.header("x-identity-header");
    if secret.is_none() || secret != graph.app.identity_header.as_deref() {
        return Answer::json(
            401,
            &json!({"statusCode": 401, "message": "The identity header is missing or wrong."}),
        );
    }
    token(graph, request, now)
}

/// `/metadata/identity/oauth2/token`, as a virtual machine has it.
pub(super) fn machine(graph: &mut Graph, request: &Request, now: Timestamp) -> Answer {
    if request.header("metadata") != Some("true") {
        return refused("Required metadata header not specified");
    }
    token(graph, request, now)
}

fn refused(text: &str) -> Answer {
    Answer::json(
        400,
        &json!({"error": "invalid_request", "error_description": text}),
    )
}

fn token(graph: &mut Graph, request: &Request, now: Timestamp) -> Answer {
    if request.query("api-version").is_none() {
        return refused("Required query variable 'api-version' is missing");
    }
    let resource = request.query("resource").unwrap_or_default();
    let resource_is = |known: &str| resource.trim_end_matches('/') == known;
    if !resource_is(RESOURCE) && !resource_is(&request.base()) {
        return refused("The resource is missing or not known here");
    }
    let wanted = request.query("client_id");
    if wanted.is_some_and(|id| !id.eq_ignore_ascii_case(&graph.app.client_id)) {
        return refused("Identity not found");
    }
    let roles = graph.app.roles.clone();
    let mut body = graph.issue(Holder::App { roles }, now);
    let lasts = graph.limits.token_seconds;
    let expires = now.as_second() + i64::from(lasts);
    let more = json!({
        "refresh_token": "",
        "expires_in": lasts.to_string(),
        "expires_on": expires.to_string(),
        "not_before": now.as_second().to_string(),
        "resource": resource,
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut body, more) {
        fields.remove("ext_expires_in");
        fields.extend(more);
    }
    Answer::json(200, &body)
}
