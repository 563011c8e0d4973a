//! Asks up to twenty things of Graph in one request.
//!
//! <https://learn.microsoft.com/en-us/graph/json-batching>. It saves round trips, no resource units. The answers come in
//! any order, each with a status of its own; those that the service throttled, or failed at, are asked again alone.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::errors::{self, Refusal};
use super::graph::{Graph, Identified, Kind, shortened};
use super::wire::{self, Page, Told};
use crate::http::{Effect, HeaderValue, Method, Request, StatusCode};
use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// The most requests in one.
pub(super) const MOST: usize = 20;
/// How often one is asked again.
const AGAIN: u32 = 5;
/// How long to wait where the service does not say how long; it doubles from time to time.
const UNTOLD: Duration = Duration::from_secs(5);
/// The longest that a service may ask to wait.
const LONGEST: Duration = Duration::from_hours(24);
/// The longest answer to all of them together.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// One of several things to ask. None changes anything.
#[derive(Clone)]
pub(super) struct Inner {
    method: &'static str,
    url: String,
    units: u32,
    counting: bool,
}

impl Inner {
    /// A `GET` of an address below the base, escaped, with a leading slash.
    pub(super) fn get(url: String, kind: Kind) -> Self {
        Self {
            method: "GET",
            url,
            units: kind.units(),
            counting: false,
        }
    }

    /// A `POST` without a body that only reads.
    pub(super) fn post(url: String, kind: Kind) -> Self {
        Self {
            method: "POST",
            ..Self::get(url, kind)
        }
    }

    /// Asks for a count of the directory's objects, which it keeps apart.
    pub(super) fn counting(mut self) -> Self {
        self.counting = true;
        self
    }

    /// What may be shown of it.
    fn shown(&self) -> String {
        let path = self.url.split('?').next().unwrap_or_default();
        format!("{} {}", self.method, shortened(path))
    }

    fn written(&self, id: usize) -> Value {
        let mut written = json!({"id": id.to_string(), "method": self.method, "url": self.url});
        if self.counting {
            written["headers"] = json!({"ConsistencyLevel": "eventual"});
        }
        written
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// The answer to one of them.
pub(super) struct InnerAnswer {
    at: String,
    pub(super) status: StatusCode,
    /// Its body, JSON; empty where there is none.
    pub(super) body: Bytes,
}

impl fmt::Debug for InnerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may hold links.
        write!(f, "{}: {}", self.at, self.status)
    }
}

impl InnerAnswer {
    /// An answer as if it had come.
    #[cfg(test)]
    pub(super) fn of(status: u16, body: Option<&Value>) -> Self {
        Self {
            at: "GET /x".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            body: body.map_or_else(Bytes::new, |body| body.to_string().into()),
        }
    }

    /// The body's text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The body, read as it should be.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        strict::from_slice(&self.body).map_err(|_quotes| self.refusal())
    }

    /// How many objects a collection has.
    pub(super) fn count(&self) -> Option<u64> {
        if self.status != StatusCode::OK {
            return None;
        }
        self.json::<Value>().ok()?.get("@odata.count")?.as_u64()
    }

    /// What the refusal says.
    pub(super) fn told(&self) -> Refusal {
        Refusal::read(&self.body)
    }

    /// What it means that the status is not the one hoped for.
    pub(super) fn refusal(&self) -> ReadError {
        errors::refusal(&self.at, self.status, &self.body)
    }
}

#[derive(Deserialize)]
struct Answered<T> {
    responses: Vec<T>,
}

/// One of the answers, as Graph writes it. What it holds is looked at only where it matters.
#[derive(Deserialize)]
struct Written<'a> {
    id: Value,
    status: u16,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// One of the answers.
pub(super) struct Response {
    status: u16,
    retry_after: Option<Duration>,
    /// The part of the whole that is its body; empty where there is none.
    pub(super) body: Bytes,
}

/// What was answered, by the places of the questions; nothing where it was answered more than once.
pub(super) struct Responses {
    by_place: HashMap<usize, Option<Response>>,
    /// Whether one of them was refused for the token.
    expired: bool,
}

impl Responses {
    /// Reads the answers to all; `None` where it is nothing of the kind.
    pub(super) fn read(whole: &Bytes) -> Option<Self> {
        let written: Vec<Written<'_>> = match strict::from_slice::<Answered<_>>(whole) {
            Ok(answered) => answered.responses,
            // One of another form hides none of the others.
            Err(_quotes) => {
                let answered: Answered<&RawValue> = strict::from_slice(whole).ok()?;
                let each = answered.responses.into_iter();
                each.filter_map(|written| strict::from_str(written.get()).ok())
                    .collect()
            }
        };
        let mut responses = Self {
            by_place: HashMap::new(),
            expired: false,
        };
        for written in written {
            responses.expired |= written.status == 401;
            if let Some(place) = written.place() {
                // Of two answers neither can be believed more than the other.
                responses
                    .by_place
                    .entry(place)
                    .and_modify(|twice| *twice = None)
                    .or_insert_with(|| Some(written.within(whole)));
            }
        }
        Some(responses)
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Response> {
        self.by_place.remove(&place).flatten()
    }
}

impl Written<'_> {
    fn place(&self) -> Option<usize> {
        match &self.id {
            Value::String(id) => id.parse().ok(),
            Value::Number(id) => id.as_u64().and_then(|id| usize::try_from(id).ok()),
            _ => None,
        }
    }

    /// It by itself, its body a part of the whole.
    fn within(&self, whole: &Bytes) -> Response {
        Response {
            status: self.status,
            retry_after: is_passing(self.status).then(|| self.retry_after()).flatten(),
            body: self
                .body
                .map_or_else(Bytes::new, |body| whole.slice_ref(body.get().as_bytes())),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let headers: Map<String, Value> = serde_json::from_str(self.headers?.get()).ok()?;
        let told = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        let seconds = match told.1 {
            Value::String(text) => text.trim().parse::<u64>().ok()?,
            Value::Number(number) => number.as_u64()?,
            _ => return None,
        };
        Some(Duration::from_secs(seconds).min(LONGEST))
    }
}

/// Whether it makes sense to ask again.
fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

impl Graph {
    /// Asks up to [`MOST`] things; the answers stand in the order of the questions.
    ///
    /// # Errors
    /// The whole could not be asked; what concerns one of them is its own.
    pub(super) async fn batch(
        &self,
        asked: Vec<Inner>,
    ) -> Result<Vec<Result<InnerAnswer, ReadError>>, ReadError> {
        let mut answers: Vec<Option<Result<InnerAnswer, ReadError>>> = asked.iter().map(|_| None).collect();
        let mut pending: Vec<usize> = (0..asked.len()).collect();
        for round in 0..=AGAIN {
            if pending.is_empty() {
                break;
            }
            let mut told = self.ask_together(&asked, &pending).await?;
            let mut wait = None;
            let mut again = Vec::new();
            for place in &pending {
                let (Some(inner), Some(slot)) = (asked.get(*place), answers.get_mut(*place)) else {
                    continue;
                };
                let Some(response) = told.take(*place) else {
                    *slot = Some(Err(unanswered(inner)));
                    continue;
                };
                // The token ended on the way: the outer request will get another.
                let renewed = response.status == 401 && round == 0;
                if renewed || (is_passing(response.status) && round < AGAIN) {
                    if matches!(response.status, 429 | 503) {
                        let untold = UNTOLD.saturating_mul(1 << round.min(5));
                        wait = wait.max(Some(response.retry_after.unwrap_or(untold)));
                    }
                    again.push(*place);
                    continue;
                }
                *slot = Some(Ok(InnerAnswer {
                    at: inner.shown(),
                    status: StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY),
                    body: response.body,
                }));
            }
            match wait {
                Some(pause) => self.http.pause(pause),
                None if !again.is_empty() => tokio::time::sleep(Duration::from_millis(200 << round)).await,
                None => {}
            }
            pending = again;
        }
        let answers = asked.iter().zip(answers);
        Ok(answers
            .map(|(inner, answer)| answer.unwrap_or_else(|| Err(unanswered(inner))))
            .collect())
    }

    /// All of a collection whose first page is an answer; one with more than `most` elements is not read.
    pub(super) async fn collection<T: DeserializeOwned + Identified>(
        &self,
        answer: &InnerAnswer,
        kind: Kind,
        most: usize,
    ) -> Result<Vec<Told<T>>, ReadError> {
        if answer.status != StatusCode::OK {
            return Err(answer.refusal());
        }
        let page = Page::read(&answer.body).ok_or_else(|| answer.refusal())?;
        let mut held = page.bytes;
        let mut elements = page.elements;
        if let Some(next) = &page.next {
            let mut pages = std::pin::pin!(self.pages::<T>(self.link(next)?, kind));
            while let Some(page) = pages.try_next().await? {
                held = wire::hold(held, page.bytes)?;
                elements.extend(page.elements);
                if elements.len() > most {
                    let words = format!("{}: there are more than {most}, which are not read", answer.at);
                    return Err(ReadError::service(ProblemCode::TooLarge, words));
                }
            }
        }
        Ok(elements)
    }

    async fn ask_together(&self, asked: &[Inner], pending: &[usize]) -> Result<Responses, ReadError> {
        let chosen = || {
            pending
                .iter()
                .filter_map(|place| Some((*place, asked.get(*place)?)))
        };
        let requests: Vec<Value> = chosen().map(|(place, inner)| inner.written(place)).collect();
        let units = chosen().map(|(_, inner)| inner.units).sum();
        let url = self.url(&["$batch"], &[])?;
        let request = Request::new(Method::POST, url)
            .body(
                HeaderValue::from_static("application/json"),
                json!({"requests": requests}).to_string(),
            )
            // All of them only read.
            .effect(Effect::Safe)
            .max_body(ANSWER_BYTES)
            .units(units);
        let (answer, bearer) = self.send(request).await?;
        let refused = || errors::of_a_list(errors::refusal("POST $batch", answer.status, &answer.body));
        if answer.status != StatusCode::OK || !answer.is_json() {
            return Err(refused());
        }
        let told = Responses::read(&answer.body).ok_or_else(refused)?;
        if told.expired {
            self.tokens.refused(&bearer).await;
        }
        Ok(told)
    }
}

fn unanswered(inner: &Inner) -> ReadError {
    ReadError::service(
        ProblemCode::Malformed,
        format!(
            "{}: the service did not answer it, or more than once",
            inner.shown()
        ),
    )
}

#[cfg(test)]
mod tests;
