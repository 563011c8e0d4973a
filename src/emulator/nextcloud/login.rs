//! Login flow v2: a program asks for an app password, a person grants it in the browser, the program fetches it once.
//!
//! There is no password page: whoever opens the flow's page picks an account, or steering grants it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::token;
use super::tree::escaped;
use super::{Nextcloud, not_found_page, page};
use crate::emulator::http::{Answer, Request};

const LIFETIME: i64 = 1200;

/// Flows by their polling token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flows {
    open: BTreeMap<String, Flow>,
    begun: u64,
}

#[derive(Debug, Clone)]
struct Flow {
    /// The token in the page's address.
    page: String,
    at: i64,
    /// Account and app password, once granted.
    granted: Option<(String, String)>,
}

/// `POST /index.php/login/v2`, `…/poll`, and the page `…/flow/TOKEN`.
pub(crate) fn handle(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    let segments = request.segments();
    let parts: Vec<&str> = segments
        .iter()
        .map(String::as_str)
        .filter(|part| *part != "index.php")
        .collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["login", "v2"]) => start(server, request, now),
        ("POST", ["login", "v2", "poll"]) => poll(server, request, now),
        ("GET", ["login", "v2", "flow", flow]) => choose(server, flow),
        ("POST", ["login", "v2", "flow", flow]) => {
            let given = request.parameters();
            let account = given.get("account").and_then(Value::as_str).unwrap_or_default();
            match server.grant(flow, account) {
                Ok(()) => Answer::html(200, page("Account connected", "You can close this window.")),
                Err(_) => not_found_page(),
            }
        }
        _ => not_found_page(),
    }
}

fn start(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    server.flows.begun += 1;
    let poll = token(&format!("poll {}", server.flows.begun), 128);
    let page = token(&format!("flow {}", server.flows.begun), 128);
    let base = request.base();
    let answer = json!({
        "poll": {"token": poll, "endpoint": format!("{base}/index.php/login/v2/poll")},
        "login": format!("{base}/index.php/login/v2/flow/{page}"),
    });
    server.flows.open.insert(
        poll,
        Flow {
            page,
            at: now.as_second(),
            granted: None,
        },
    );
    plain(200, &answer)
}

fn poll(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    let given = request.parameters();
    let token = given.get("token").and_then(Value::as_str).unwrap_or_default();
    let flows = &mut server.flows.open;
    flows.retain(|_, flow| flow.at + LIFETIME > now.as_second());
    let Some((account, password)) = flows.get(token).and_then(|flow| flow.granted.clone()) else {
        return plain(404, &json!([]));
    };
    flows.remove(token);
    plain(
        200,
        &json!({"server": request.base(), "loginName": account, "appPassword": password}),
    )
}

fn plain(status: u16, value: &Value) -> Answer {
    Answer::new(status, "application/json; charset=utf-8", value.to_string())
}

fn choose(server: &Nextcloud, flow: &str) -> Answer {
    if !server.flows.open.values().any(|open| open.page == flow) {
        return not_found_page();
    }
    let mut form = String::from("This is the built-in emulator. Sign in as</p><form method=\"post\">");
    for account in server
        .accounts
        .values()
        .filter(|account| account.enabled)
        .take(100)
    {
        form.push_str("<button name=\"account\" value=\"");
        escaped(&account.id, &mut form);
        form.push_str("\">");
        escaped(&account.name, &mut form);
        form.push_str("</button> ");
    }
    form.push_str("</form><p>");
    Answer::html(200, page("Connect to your account", &form))
}

impl Nextcloud {
    /// Grants a flow (named by its page's token or address, or by its polling token) to an account, which signs in
    /// with its id or its address.
    pub(crate) fn grant(&mut self, flow: &str, account: &str) -> Result<(), String> {
        let flow = flow.rsplit('/').next().unwrap_or_default();
        let count = self.flows.begun;
        let id = self.account_named(account).unwrap_or_default();
        let found = self
            .flows
            .open
            .iter_mut()
            .find(|(poll, open)| *poll == flow || open.page == flow || flow.is_empty());
        let Some((_, open)) = found else {
            return Err("no login is waiting under this name".into());
        };
        let Some(known) = self.accounts.get_mut(&id).filter(|known| known.enabled) else {
            return Err(format!("no enabled account `{account}`"));
        };
        let password = token(&format!("app password {account} {count}"), 72);
        known.app_passwords.push(password.clone());
        self.login_names.insert(password.clone(), account.to_owned());
        open.granted = Some((account.to_owned(), password));
        Ok(())
    }
}
