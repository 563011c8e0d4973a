//! Signing in on another device: a code that a person types in elsewhere, and a client that asks until that is done.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::entra::{Failure, Form, issue_delegated, missing, secret};
use super::{Graph, ids};
use crate::emulator::http::{Answer, Request};

/// A sign-in on another device.
#[derive(Debug, Clone)]
pub(super) struct Device {
    code: String,
    user_code: String,
    scope: String,
    expires: i64,
    state: Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Pending,
    Declined,
    Granted(usize),
    Used,
}

/// `…/devicecode`: a code to type in, and one to ask with.
pub(super) fn start(
    graph: &mut Graph,
    request: &Request,
    tenant: &str,
    form: &Form,
    now: Timestamp,
) -> Result<Value, Failure> {
    let client = form.get("client_id").ok_or_else(|| missing("client_id"))?;
    graph.known_client(client)?;
    if !graph.is_tenant(tenant) && !["common", "organizations"].contains(&tenant) {
        let text = format!("Tenant '{tenant}' not found.");
        return Err(Failure::new(400, "invalid_request", 90_002, text));
    }
    let scope = form.get("scope").ok_or_else(|| missing("scope"))?.clone();
    let number = graph.entra.issued;
    let code = secret(&format!("device {number}"), now);
    let user_code: String = ids::guid(&format!("user code {number}"))
        .to_ascii_uppercase()
        .chars()
        .filter(|letter| *letter != '-')
        .take(9)
        .collect();
    let lasts = graph.limits.device_seconds;
    let verification = format!("{}/device", request.base());
    let message = format!(
        "To sign in, use a web browser to open the page {verification} and enter the code {user_code} to authenticate."
    );
    graph.entra.devices.push(Device {
        code: code.clone(),
        user_code: user_code.clone(),
        scope,
        expires: now.as_second() + i64::from(lasts),
        state: Waiting::Pending,
    });
    Ok(json!({
        "user_code": user_code,
        "device_code": code,
        "verification_uri": verification,
        "expires_in": lasts,
        "interval": 5,
        "message": message,
    }))
}

/// The device code grant: whether somebody has typed the code in.
pub(super) fn poll(graph: &mut Graph, form: &Form, now: Timestamp) -> Result<Value, Failure> {
    let code = form.get("device_code").ok_or_else(|| missing("device_code"))?;
    let bad = || {
        let text = "The verification code was not recognized. Verify that the client is sending the correct device code.";
        Failure::new(400, "bad_verification_code", 70_019, text)
    };
    let device = graph.entra.devices.iter_mut().find(|device| device.code == *code);
    let device = device.ok_or_else(bad)?;
    if now.as_second() >= device.expires {
        return Err(Failure::new(
            400,
            "expired_token",
            70_020,
            "The provided device code has expired.",
        ));
    }
    match device.state {
        Waiting::Pending => {
            let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
            Err(Failure::new(400, "authorization_pending", 70_016, text))
        }
        Waiting::Declined => {
            let text = "The user denied the authorization request.";
            Err(Failure::new(400, "authorization_declined", 70_018, text))
        }
        Waiting::Used => Err(bad()),
        Waiting::Granted(user) => {
            device.state = Waiting::Used;
            let scope = device.scope.clone();
            issue_delegated(graph, user, &scope, now)
        }
    }
}

/// `/device`, where a person types the code in and says who it is: nobody has a password here.
pub(super) fn page(graph: &mut Graph, request: &Request, now: Timestamp) -> Answer {
    let typed = |name: &str| request.query(name).filter(|value| !value.is_empty());
    let done = match (typed("code"), typed("user")) {
        (Some(code), Some(user)) => graph.grant(&code, Some(&user), now).map_or(
            "No such code is waiting, or nobody is called that.",
            |_| "Signed in. This page can be closed.",
        ),
        _ => "Enter the code, and the user principal name of who signs in.",
    };
    Answer::html(
        200,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in</title></head>\n\
             <body><p>{done}</p>\n<form><input name=\"code\" placeholder=\"Code\">\n\
             <input name=\"user\" placeholder=\"User\"> <button>Sign in</button></form></body></html>\n"
        ),
    )
}

impl Graph {
    /// Lets a waiting sign-in go on, or ends it.
    pub(crate) fn grant(&mut self, code: &str, upn: Option<&str>, now: Timestamp) -> Result<Value, String> {
        let user = match upn {
            Some(upn) => Some(self.people.find(upn).ok_or_else(|| format!("no user {upn}"))?),
            None => None,
        };
        let waits = |device: &&mut Device| {
            device.state == Waiting::Pending
                && now.as_second() < device.expires
                && (code.is_empty() || device.user_code.eq_ignore_ascii_case(code))
        };
        let device = self
            .entra
            .devices
            .iter_mut()
            .find(waits)
            .ok_or("no such sign-in is waiting")?;
        device.state = user.map_or(Waiting::Declined, Waiting::Granted);
        Ok(json!({"device": device.user_code, "granted": upn}))
    }
}
