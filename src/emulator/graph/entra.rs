//! Signing in: the token endpoint with its grants, device codes, and the errors of each.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::device::{self, Device};
use super::{Graph, assertion, ids};
use crate::emulator::http::{Answer, Request};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Who holds a token, and what it is good for.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) expires: i64,
    pub(super) holder: Holder,
}

/// Whom a token speaks for.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    /// The application, with the roles it had when the token was issued.
    App { roles: Vec<String> },
    /// A person, by index, through the application.
    User { user: usize, scopes: Vec<String> },
}

/// What was issued so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Entra {
    tokens: HashMap<String, Token>,
    /// Users by refresh token, with the scopes.
    refresh: HashMap<String, (usize, String)>,
    pub(super) devices: Vec<Device>,
    pub(super) issued: u64,
}

/// An error of the token endpoint.
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) error: &'static str,
    pub(super) code: u32,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            status,
            error,
            code,
            text,
        }
    }

    fn answer(&self, number: u64, now: Timestamp) -> Answer {
        let trace = ids::guid(&format!("trace {number}"));
        let correlation = ids::guid(&format!("correlation {number}"));
        let at = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let text = format!(
            "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {at}",
            self.code, self.text
        );
        let body = json!({
            "error": self.error,
            "error_description": text,
            "error_codes": [self.code],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        sealed(Answer::new(
            self.status,
            "application/json; charset=utf-8",
            body.to_string(),
        ))
    }
}

fn sealed(answer: Answer) -> Answer {
    answer
        .with("Cache-Control", "no-store")
        .with("Pragma", "no-cache")
}

pub(super) type Form = BTreeMap<String, String>;

/// Answers `/{tenant}/oauth2/v2.0/…`.
pub(super) fn handle(
    graph: &mut Graph,
    request: &Request,
    tenant: &str,
    what: &str,
    now: Timestamp,
) -> Answer {
    graph.entra.issued += 1;
    let number = graph.entra.issued;
    let form = read_form(request);
    let done = form.and_then(|form| {
        if request.method != "POST" {
            return Err(Failure::new(
                400,
                "invalid_request",
                900_561,
                "The endpoint only accepts POST requests.",
            ));
        }
        match what {
            "devicecode" => device::start(graph, request, tenant, &form, now),
            _ => token(graph, request, tenant, &form, now),
        }
    });
    match done {
        Ok(body) => sealed(Answer::new(
            200,
            "application/json; charset=utf-8",
            body.to_string(),
        )),
        Err(failure) => failure.answer(number, now),
    }
}

fn read_form(request: &Request) -> Result<Form, Failure> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(missing("grant_type"));
    }
    let pairs = url::form_urlencoded::parse(&request.body).into_owned();
    Ok(pairs.filter(|(_, value)| !value.is_empty()).collect())
}

pub(super) fn missing(name: &str) -> Failure {
    let text = format!("The request body must contain the following parameter: '{name}'.");
    Failure::new(400, "invalid_request", 900_144, text)
}

fn token(
    graph: &mut Graph,
    request: &Request,
    tenant: &str,
    form: &Form,
    now: Timestamp,
) -> Result<Value, Failure> {
    let grant = form.get("grant_type").ok_or_else(|| missing("grant_type"))?;
    let common = ["common", "organizations", "consumers"].contains(&tenant);
    if !(graph.is_tenant(tenant) || common && grant == DEVICE) {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        );
        return Err(Failure::new(400, "invalid_request", 90_002, text));
    }
    let (basic_id, basic_secret) = basic(request).unzip();
    let client = form
        .get("client_id")
        .or(basic_id.as_ref())
        .ok_or_else(|| missing("client_id"))?;
    graph.known_client(client)?;
    match grant.as_str() {
        "client_credentials" => {
            let scope = form.get("scope").ok_or_else(|| missing("scope"))?;
            if !scope.ends_with("/.default") || scope.contains(' ') {
                let text = format!(
                    "The provided request must include a 'scope' input parameter. The provided value for the input \
                     parameter 'scope' is not valid. The scope {scope} is not valid."
                );
                return Err(Failure::new(400, "invalid_scope", 70_011, text));
            }
            prove(graph, tenant, form, basic_secret.as_deref(), now)?;
            let roles = graph.app.roles.clone();
            Ok(graph.issue(Holder::App { roles }, now))
        }
        "refresh_token" => {
            let token = form
                .get("refresh_token")
                .ok_or_else(|| missing("refresh_token"))?;
            let known = graph.entra.refresh.remove(token);
            let (user, scope) = known.ok_or_else(|| {
                let text = "The provided value for the input parameter 'refresh_token' is not valid.";
                Failure::new(400, "invalid_grant", 9_002_313, text)
            })?;
            let scope = form.get("scope").cloned().unwrap_or(scope);
            issue_delegated(graph, user, &scope, now)
        }
        DEVICE => device::poll(graph, form, now),
        other => {
            let text = format!("The app requested an unsupported grant type '{other}'.");
            Err(Failure::new(400, "unsupported_grant_type", 70_003, text))
        }
    }
}

/// Client id and secret of the Basic header.
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((super::form_decoded(id), super::form_decoded(secret)))
}

/// The application proves that it is itself: by secret, certificate, or another provider's word.
fn prove(
    graph: &Graph,
    tenant: &str,
    form: &Form,
    basic: Option<&str>,
    now: Timestamp,
) -> Result<(), Failure> {
    let app = &graph.app;
    if let Some(assertion) = form.get("client_assertion") {
        if form
            .get("client_assertion_type")
            .is_none_or(|kind| kind != ASSERTION)
        {
            return Err(missing("client_assertion_type"));
        }
        if app.federated.iter().any(|known| known == assertion) {
            return Ok(());
        }
        return assertion::check(graph, tenant, assertion, now);
    }
    let Some(secret) = form.get("client_secret").map(String::as_str).or(basic) else {
        let text =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(Failure::new(401, "invalid_client", 7_000_218, text));
    };
    if app.secret.as_deref() != Some(secret) {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
             not the client secret ID, for a secret added to app '{}'.",
            app.client_id
        );
        return Err(Failure::new(401, "invalid_client", 7_000_215, text));
    }
    if app.secret_expired {
        let text = format!(
            "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for \
             your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
             https://aka.ms/certCreds.",
            app.client_id
        );
        return Err(Failure::new(401, "invalid_client", 7_000_222, text));
    }
    Ok(())
}

/// Tokens for a person. Only what is consented to is given; nothing of it is an error.
pub(super) fn issue_delegated(
    graph: &mut Graph,
    user: usize,
    scope: &str,
    now: Timestamp,
) -> Result<Value, Failure> {
    let short = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_owned();
    let asked: Vec<String> = scope.split_whitespace().map(short).collect();
    let all = asked.iter().any(|scope| scope == ".default");
    let plain = |scope: &str| ["openid", "profile", "email", "offline_access"].contains(&scope);
    let consented = |scope: &String| plain(scope) || graph.app.delegated.contains(scope);
    if let Some(scope) = asked
        .iter()
        .find(|scope| *scope != ".default" && !consented(scope))
    {
        let text = format!(
            "The user or administrator has not consented to use the application with ID '{}' named '{}'. Send an \
             interactive authorization request for this user and resource. ({scope})",
            graph.app.client_id, graph.app.name
        );
        return Err(Failure::new(400, "invalid_grant", 65_001, text));
    }
    let mut scopes = if all {
        graph.app.delegated.clone()
    } else {
        asked.clone()
    };
    let stays = asked.iter().any(|scope| scope == "offline_access");
    scopes.retain(|scope| !plain(scope));
    let mut body = graph.issue(
        Holder::User {
            user,
            scopes: scopes.clone(),
        },
        now,
    );
    body["scope"] = scopes.join(" ").into();
    if stays {
        let refresh = secret(&format!("refresh {}", graph.entra.issued), now);
        body["refresh_token"] = refresh.clone().into();
        graph.entra.refresh.insert(refresh, (user, scope.to_owned()));
    }
    Ok(body)
}

/// A text that cannot be guessed from outside of the emulator's process, and need not be.
pub(super) fn secret(seed: &str, now: Timestamp) -> String {
    let first = ids::hash(&format!("{seed} {}", now.as_nanosecond()));
    let bytes: Vec<u8> = (0..6)
        .flat_map(|step| ids::mix(first ^ step).to_be_bytes())
        .collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Graph {
    pub(super) fn is_tenant(&self, named: &str) -> bool {
        named.eq_ignore_ascii_case(&self.tenant.id)
            || self
                .tenant
                .verified
                .iter()
                .any(|domain| domain.eq_ignore_ascii_case(named))
    }

    pub(super) fn known_client(&self, client: &str) -> Result<(), Failure> {
        let app = &self.app;
        if !client.eq_ignore_ascii_case(&app.client_id) {
            let text = format!(
                "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the \
                 application has not been installed by the administrator of the tenant or consented to by any user in \
                 the tenant.",
                self.tenant.name
            );
            return Err(Failure::new(400, "unauthorized_client", 700_016, text));
        }
        if app.disabled {
            let text = format!("Application '{}'({}) is disabled.", app.client_id, app.name);
            return Err(Failure::new(400, "unauthorized_client", 7_000_112, text));
        }
        Ok(())
    }

    /// A new access token, as the body that carries it.
    pub(super) fn issue(&mut self, holder: Holder, now: Timestamp) -> Value {
        self.entra.issued += 1;
        let lasts = self.limits.token_seconds;
        let expires = now.as_second() + i64::from(lasts);
        let mut claims = json!({
            "aud": "https://graph.microsoft.com",
            "iss": format!("https://sts.windows.net/{}/", self.tenant.id),
            "tid": self.tenant.id,
            "appid": self.app.client_id,
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": expires,
            "ver": "1.0",
        });
        match &holder {
            Holder::App { roles } => {
                claims["idtyp"] = "app".into();
                if !roles.is_empty() {
                    claims["roles"] = json!(roles);
                }
            }
            Holder::User { user, scopes } => {
                let user = self.people.get(*user);
                claims["upn"] = user.map(|user| user.file.upn.clone()).into();
                claims["oid"] = user.map(|user| user.id.clone()).into();
                claims["scp"] = scopes.join(" ").into();
            }
        }
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256"}"#);
        let signature = secret(&format!("token {}", self.entra.issued), now);
        let token = format!(
            "{header}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        self.entra.tokens.insert(token.clone(), Token { expires, holder });
        json!({
            "token_type": "Bearer",
            "expires_in": lasts,
            "ext_expires_in": lasts,
            "access_token": token,
        })
    }

    /// The token of a request, if it is known and good still.
    pub(super) fn token(&self, request: &Request, now: Timestamp) -> Option<Token> {
        let text = request.header("authorization")?;
        let (scheme, text) = text.split_once(' ')?;
        let known = self.entra.tokens.get(text.trim())?;
        (scheme.eq_ignore_ascii_case("bearer") && now.as_second() < known.expires).then(|| known.clone())
    }

    /// Makes all access tokens worthless.
    pub(crate) fn expire_tokens(&mut self) {
        self.entra.tokens.clear();
    }
}
