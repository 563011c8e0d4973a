//! A call of Graph, what it is answered, and how lists are cut into pages and fields are picked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::entra::Token;
use super::ids;
use crate::emulator::http::{Answer, Request, decode};

const STREAMING: &str = "odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// A request with a good token.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) token: Token,
    pub(super) now: Timestamp,
    /// The path's parts after the version.
    pub(super) parts: Vec<String>,
    /// The request stands inside of a batch.
    pub(super) inner: bool,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Payload,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Json(Value),
    Text(String),
    Empty,
}

/// Why something is not answered.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    inner: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    /// No body at all.
    pub(super) mute: bool,
}

pub(super) type Outcome = Result<Reply, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            inner: None,
            headers: Vec::new(),
            mute: false,
        }
    }

    pub(super) fn inner(mut self, code: &str) -> Self {
        self.inner = Some(code.into());
        self
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "itemNotFound", "Item not found")
    }

    pub(super) fn bad_argument() -> Self {
        Self::new(
            400,
            "badArgument",
            "One of the provided arguments is not acceptable.",
        )
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn denied() -> Self {
        Self::new(403, "accessDenied", "Access denied")
    }

    fn reply(self, request_id: &str, client_id: &str, now: Timestamp) -> Reply {
        let mut inner = json!({
            "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request_id,
            "client-request-id": client_id,
        });
        if let Some(code) = self.inner {
            inner["code"] = code.into();
        }
        let body = json!({"error": {"code": self.code, "message": self.message, "innerError": inner}});
        Reply {
            status: self.status,
            headers: self.headers,
            body: if self.mute {
                Payload::Empty
            } else {
                Payload::Json(body)
            },
        }
    }
}

impl Reply {
    pub(super) fn json(value: Value) -> Self {
        Self::of(200, Payload::Json(value))
    }

    pub(super) fn of(status: u16, body: Payload) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds how many there are in all, as an advanced query asks.
    pub(super) fn counting(mut self, count: usize) -> Self {
        if let Payload::Json(body) = &mut self.body {
            body["@odata.count"] = count.into();
        }
        self
    }

    /// The answer as it is sent.
    pub(super) fn answer(self) -> Answer {
        let bytes = match self.body {
            Payload::Json(value) => value.to_string(),
            Payload::Text(text) => text,
            Payload::Empty => String::new(),
        };
        let mut answer = Answer::new(self.status, "", bytes);
        answer.headers = self.headers;
        answer
    }
}

/// Completes an answer with what every answer has.
pub(super) fn complete(outcome: Outcome, request: &Request, number: u64, now: Timestamp) -> Reply {
    let request_id = ids::guid(&format!("request {number}"));
    let client_id = request
        .header("client-request-id")
        .unwrap_or(&request_id)
        .to_owned();
    let mut reply = outcome.unwrap_or_else(|refusal| refusal.reply(&request_id, &client_id, now));
    let bare = request
        .header("accept")
        .is_some_and(|accept| accept.contains("odata.metadata=none"));
    let metadata = if bare { "none" } else { "minimal" };
    match &mut reply.body {
        Payload::Json(value) => {
            if bare {
                without_metadata(value);
            }
            let kind = format!("application/json;odata.metadata={metadata};{STREAMING}");
            reply.headers.push(("Content-Type".into(), kind));
            reply.headers.push(("OData-Version".into(), "4.0".into()));
        }
        Payload::Text(_) => reply.headers.push(("Content-Type".into(), "text/plain".into())),
        Payload::Empty => {}
    }
    let fixed = [
        ("Cache-Control", "no-store, no-cache".to_owned()),
        ("request-id", request_id),
        ("client-request-id", client_id),
    ];
    reply
        .headers
        .extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    reply
}

fn without_metadata(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| {
                !key.contains("@odata.") || matches!(key.as_str(), "@odata.nextLink" | "@odata.deltaLink")
            });
            fields.values_mut().for_each(without_metadata);
        }
        Value::Array(items) => items.iter_mut().for_each(without_metadata),
        _ => {}
    }
}

impl Call<'_> {
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.request.query(name).filter(|value| !value.is_empty())
    }

    /// `http://HOST/v1.0`, as the client addressed it.
    pub(super) fn base(&self) -> String {
        format!("{}/v1.0", self.request.base())
    }

    pub(super) fn context(&self, of: &str) -> String {
        format!("{}/$metadata#{of}", self.base())
    }

    pub(super) fn json_body(&self) -> Result<Value, Refusal> {
        let body = &self.request.body;
        let value: Value = serde_json::from_slice(body)
            .map_err(|_| Refusal::bad_request("Unable to read JSON request payload."))?;
        Ok(value)
    }

    /// Directory answers of advanced queries need this header and `$count=true`.
    pub(super) fn is_eventual(&self) -> bool {
        self.request
            .header("consistencylevel")
            .is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
    }

    pub(super) fn prefers(&self, what: &str) -> bool {
        self.request
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(what))
    }

    /// The address of this call with one parameter set anew.
    pub(super) fn again(&self, name: &str, value: &str) -> String {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut query: Vec<String> = self
            .request
            .raw_query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .filter(|pair| decode(pair.split('=').next().unwrap_or_default()) != name)
            .map(str::to_owned)
            .collect();
        query.push(format!("{name}={}", encode(value)));
        format!("{}{}?{}", self.request.base(), self.request.path, query.join("&"))
    }

    /// `$top`, if it is a number that may be asked for.
    pub(super) fn top(&self, most: usize) -> Result<Option<usize>, Refusal> {
        let Some(top) = self.query("$top") else {
            return Ok(None);
        };
        let number = top.parse::<usize>().ok().filter(|top| (1..=most).contains(top));
        number.map(Some).ok_or_else(|| {
            Refusal::new(
                400,
                "Request_BadRequest",
                format!("Invalid page size specified: '{top}'. Must be between 1 and {most} inclusive."),
            )
        })
    }

    /// Where this page begins.
    pub(super) fn offset(&self) -> Result<usize, Refusal> {
        let Some(token) = self.query("$skiptoken") else {
            return Ok(0);
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let number = text.and_then(|text| text.strip_prefix("page;")?.parse().ok());
        number.ok_or_else(|| Refusal::bad_request("Invalid skip token."))
    }

    /// A list's page, in its envelope. With `holes`, every second page is empty though more follow.
    pub(super) fn page(
        &self,
        context: &str,
        total: usize,
        size: usize,
        holes: bool,
        show: impl Fn(usize) -> Value,
    ) -> Outcome {
        let at = self.offset()?;
        // In a list with holes, positions count twice: first an empty page, then the full one.
        let (start, empty) = if holes { (at / 2, at % 2 == 1) } else { (at, false) };
        let end = if empty {
            start
        } else {
            total.min(start.saturating_add(size))
        };
        let select = self.selection();
        let value: Vec<Value> = (start..end).map(|index| select.of(show(index))).collect();
        let mut body = json!({"@odata.context": self.context(context), "value": value});
        if end < total {
            let next = match (holes, empty) {
                (false, _) => end,
                (true, false) => end * 2 + 1,
                (true, true) => end * 2,
            };
            let token = URL_SAFE_NO_PAD.encode(format!("page;{next}"));
            body["@odata.nextLink"] = self.again("$skiptoken", &token).into();
        }
        Ok(Reply::json(body))
    }

    /// Whether an advanced query asks how many there are in all.
    pub(super) fn counts(&self) -> bool {
        self.is_eventual() && self.query("$count").is_some_and(|count| count == "true")
    }

    /// Which fields are asked for.
    pub(super) fn selection(&self) -> Selection {
        Selection(self.query("$select"))
    }

    /// Of a thing, the fields that are asked for.
    pub(super) fn picked(&self, thing: Value) -> Value {
        self.selection().of(thing)
    }

    /// One thing, with its context.
    pub(super) fn entity(&self, context: &str, value: Value) -> Reply {
        let mut value = self.picked(value);
        value["@odata.context"] = self.context(&format!("{context}/$entity")).into();
        Reply::json(value)
    }
}

/// The fields that `$select` names; all where it is missing. Annotations are always among them.
#[derive(Debug, Default)]
pub(super) struct Selection(Option<String>);

impl Selection {
    /// Whether a field is asked for by its name.
    pub(super) fn names(&self, field: &str) -> bool {
        self.0.is_some() && self.has(field)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        let named = |names: &String| {
            names
                .split(',')
                .any(|name| name.trim().eq_ignore_ascii_case(field))
        };
        field.starts_with('@') || self.0.as_ref().is_none_or(named)
    }

    /// A thing with no other fields.
    pub(super) fn of(&self, mut thing: Value) -> Value {
        if let Value::Object(fields) = &mut thing {
            fields.retain(|field, _| self.has(field));
        }
        thing
    }
}

/// A time as Graph writes it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time in seconds as Graph writes it.
pub(super) fn seconds(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| "0001-01-01T00:00:00Z".into(), time)
}
