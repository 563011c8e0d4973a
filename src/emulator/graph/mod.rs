//! The emulated Microsoft 365: the token endpoint and Microsoft Graph, and which part answers a request.
//!
//! Written from Microsoft's documentation and from recorded answers. It must never import the rest of the crate: a
//! mistake made in both could not be seen.

mod assertion;
mod audit;
mod batch;
mod build;
mod change;
mod delta;
mod device;
mod drives;
mod editing;
mod entra;
mod filling;
mod generate;
mod groups;
mod ids;
mod inherit;
mod labels;
mod mail;
mod managed;
mod mark;
mod misuse;
mod permissions;
mod principals;
mod reply;
mod route;
mod sites;
mod stock;
mod stored;
mod tenant;
mod throttle;
mod tree;
mod users;

use std::collections::HashMap;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use self::build::Tenant;
pub(crate) use self::change::is_ours;
use self::entra::Entra;
use self::groups::Group;
use self::reply::{Call, Outcome, Refusal};
use self::sites::Site;
use self::throttle::Throttle;
use self::tree::Drive;
use self::users::People;
use super::fault::{Action, Faults};
use super::http::{Answer, Request, decode};
use super::steering::Log;
use super::world::microsoft::{AppFile, Limits, Switches, TenantSettings};

/// A whole tenant.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    tenant: Tenant,
    app: AppFile,
    settings: TenantSettings,
    switches: Switches,
    limits: Limits,
    people: People,
    groups: Vec<Group>,
    sites: Vec<Site>,
    drives: Vec<Drive>,
    /// Drives by id.
    drive_index: HashMap<String, usize>,
    entra: Entra,
    throttle: Throttle,
    mails: Vec<Value>,
    /// What is on record of links that were opened.
    uses: Vec<audit::Use>,
    queries: Vec<audit::Query>,
    /// Until when mail that was taken is being answered.
    mailing: Vec<Instant>,
    /// How many permissions were made so far.
    orders: u64,
    /// How many requests were answered so far.
    requests: u64,
}

/// What requests inside of a batch are held against.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) faults: &'a mut Faults,
    pub(crate) log: &'a mut Log,
}

impl Graph {
    /// Answers any request, unless a fault has another way of answering it.
    pub(crate) fn handle(
        &mut self,
        request: &Request,
        now: Timestamp,
        watch: &mut Watch<'_>,
        action: Option<&Action>,
    ) -> Answer {
        let parts = request.segments();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["v1.0", ..] => self.graph(request, now, watch, action),
            ["msi", "token"] => managed::app_service(self, request, now),
            ["metadata", "identity", "oauth2", "token"] => managed::machine(self, request, now),
            [tenant, "oauth2", "v2.0", what @ ("token" | "devicecode")] => {
                entra::handle(self, request, tenant, what, now)
            }
            ["device"] => device::page(self, request, now),
            _ => Answer::html(404, "<!DOCTYPE html><html><body><p>Not found.</p></body></html>"),
        }
    }

    fn graph(
        &mut self,
        request: &Request,
        now: Timestamp,
        watch: &mut Watch<'_>,
        action: Option<&Action>,
    ) -> Answer {
        self.requests += 1;
        let number = self.requests;
        let asked = misuse::stripped(request);
        let arrived = Instant::now();
        let mut outcome = self.signed_in(&asked, now, false).and_then(|call| {
            if call.request.method == "POST" && call.parts == ["$batch"] {
                batch::answer(self, &call, arrived, watch)
            } else {
                self.answer(&call, arrived)
            }
        });
        if let (Ok(reply), Some(action)) = (&mut outcome, action) {
            misuse::apply(action, request, reply, number);
        }
        reply::complete(outcome, &asked, number, now).answer()
    }

    /// Whose token a request carries.
    fn signed_in<'a>(&self, request: &'a Request, now: Timestamp, inner: bool) -> Result<Call<'a>, Refusal> {
        let Some(token) = self.token(request, now) else {
            let text = if request.header("authorization").is_some() {
                "Lifetime validation failed, the token is expired."
            } else {
                "Access token is empty."
            };
            let challenge = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                 error=\"invalid_token\", error_description=\"The access token has expired: expired_token\"";
            return Err(
                Refusal::new(401, "InvalidAuthenticationToken", text).with("WWW-Authenticate", challenge)
            );
        };
        let parts = request.segments().into_iter().skip(1).collect();
        Ok(Call {
            request,
            token,
            now,
            parts,
            inner,
        })
    }

    /// Charges a call and answers it.
    fn answer(&mut self, call: &Call<'_>, arrived: Instant) -> Outcome {
        let kind = throttle::kind(call);
        let headers = self
            .throttle
            .charge(&self.limits, &self.switches, kind, arrived, call.inner)?;
        let outcome = route::dispatch(self, call);
        self.throttle.note(&self.limits, &outcome);
        outcome.map(|mut reply| {
            reply.headers.extend(headers);
            reply
        })
    }

    pub(crate) fn answer_delay_ms(&self) -> u64 {
        self.limits.answer_delay_ms
    }

    /// Whom a request claims to act for: the application's id, or a person's name.
    pub(crate) fn claimed(&self, request: &Request, now: Timestamp) -> Option<String> {
        let token = self.token(request, now)?;
        Some(match token.holder {
            entra::Holder::App { .. } => self.app.client_id.clone(),
            entra::Holder::User { user, .. } => self.people.get(user)?.file.upn.clone(),
        })
    }

    fn drive(&self, index: usize) -> Option<&Drive> {
        self.drives.get(index)
    }

    fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }
}

/// Decodes what a form or a Basic header encodes.
fn form_decoded(text: &str) -> String {
    decode(&text.replace('+', " "))
}
