//! The client of one source: what is asked passes one gate, one count in flight and one rate.
//!
//! Clones share all of that. It judges no status beyond whether to ask again, and after the run was
//! interrupted it sends nothing new, while answers on their way are still read.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::DefaultDirectRateLimiter;
use jiff::Timestamp;
use reqwest::{StatusCode, header::LOCATION};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use url::{Origin, Url};

use super::{
    Answer, Body, HttpError, Place, Request, Settings, SetupError,
    body::Bounds,
    connection,
    gate::{Gate, TooLong},
    rate,
    retry::{Outcome, Spent, Step, decide, is_passing, retry_after},
};
use crate::model::RequestTotals;

/// How much of a failure's body is read to judge it.
const JUDGED: usize = 64 * 1024;

/// Asks one source, within its limits. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    settings: Settings,
    origin: Origin,
    gate: Gate,
    in_flight: Arc<Semaphore>,
    limiter: Option<DefaultDirectRateLimiter>,
    cancel: CancellationToken,
    sent: AtomicU64,
    retried: AtomicU64,
    throttled: AtomicU64,
}

/// How much of an answer has to be there before it is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Head,
    Whole,
}

impl Client {
    /// A client for a source; after `cancel` fires it sends nothing new.
    pub fn new(settings: Settings, cancel: CancellationToken) -> Result<Self, SetupError> {
        if !matches!(settings.origin.scheme(), "http" | "https") || !settings.origin.has_host() {
            return Err(SetupError::Origin(settings.origin.scheme().to_owned()));
        }
        if settings.limits.in_flight == 0 {
            return Err(SetupError::InFlight);
        }
        Ok(Self(Arc::new(Inner {
            http: connection::client(&settings)?,
            origin: settings.origin.origin(),
            gate: Gate::default(),
            in_flight: Arc::new(Semaphore::new(
                settings.limits.in_flight.min(Semaphore::MAX_PERMITS),
            )),
            limiter: rate::limiter(settings.limits)?,
            cancel,
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            settings,
        })))
    }

    /// Asks, as often as is sensible, and gives the whole answer.
    pub async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        self.exchange(request, Extent::Whole).await?.whole().await
    }

    /// Asks, as often as is sensible until an answer begins, and gives it to be read piece by piece.
    ///
    /// The answer counts as in flight until it is dropped: whoever holds one while asking for the next needs
    /// a limit of two or more.
    pub async fn open(&self, request: &Request) -> Result<Body, HttpError> {
        self.exchange(request, Extent::Head).await
    }

    /// What the requests came to so far. Units are not counted here.
    #[must_use]
    pub fn totals(&self) -> RequestTotals {
        let Inner {
            sent,
            retried,
            throttled,
            gate,
            ..
        } = &*self.0;
        RequestTotals {
            sent: sent.load(Ordering::Relaxed),
            retried: retried.load(Ordering::Relaxed),
            throttled: throttled.load(Ordering::Relaxed),
            units: 0,
            waited_seconds: gate.waited().as_secs_f64(),
        }
    }

    /// Counts a request that is sent again because its answer broke off while it was read piece by piece.
    pub fn note_repeat(&self) {
        self.0.retried.fetch_add(1, Ordering::Relaxed);
    }

    async fn exchange(&self, request: &Request, extent: Extent) -> Result<Body, HttpError> {
        let inner = &*self.0;
        let at = request.place();
        inner.guard(&at, &request.url)?;
        let mut spent = Spent::default();
        loop {
            let permit = inner.admit(&at, &mut spent).await?;
            let began = Instant::now();
            let tried = inner.attempt(&at, request, extent, permit, spent.tries).await;
            spent.tries = spent.tries.saturating_add(1);
            spent.time += began.elapsed();
            let outcome = inner.outcome(&tried);
            log(&at, spent.tries, began.elapsed(), &tried);
            match decide(&inner.settings.patience, spent, outcome, request.effect) {
                Step::Done => return tried,
                Step::Throttled(wait) => return Err(HttpError::Throttled { at, wait }),
                // The gate is closed; it is passed, and its time counted, on the way to the next try.
                Step::AfterPause => drop(tried),
                Step::AfterBackoff(most) => {
                    drop(tried);
                    let wait = most.mul_f64(fastrand::f64());
                    debug!(%at, wait_ms = millis(wait), "asking again after a wait");
                    let asked_to = matches!(outcome, Outcome::Answered(StatusCode::TOO_MANY_REQUESTS, _));
                    inner
                        .unless_interrupted(&at, inner.back_off(wait, asked_to))
                        .await?;
                    spent.time += wait;
                }
            }
        }
    }
}

impl Inner {
    /// Refuses what would carry credentials elsewhere.
    fn guard(&self, at: &Place, url: &Url) -> Result<(), HttpError> {
        if url.origin() == self.origin {
            return Ok(());
        }
        Err(HttpError::OtherOrigin {
            at: at.clone(),
            to: url.origin().ascii_serialization(),
            origin: self.origin.ascii_serialization(),
        })
    }

    /// Waits until the request may be sent.
    ///
    /// The place in flight is taken after the pause, or those who wait would keep out those who need not;
    /// the rate comes last, so that what passes it is sent at once.
    async fn admit(&self, at: &Place, spent: &mut Spent) -> Result<OwnedSemaphorePermit, HttpError> {
        loop {
            let most = self.settings.patience.total.saturating_sub(spent.time);
            match self.unless_interrupted(at, self.gate.pass(most)).await? {
                Ok(waited) => spent.time += waited,
                Err(TooLong(wait)) => {
                    return Err(HttpError::Throttled {
                        at: at.clone(),
                        wait: Some(wait),
                    });
                }
            }
            let permit = self
                .unless_interrupted(at, self.in_flight.clone().acquire_owned())
                .await?;
            // The semaphore is never closed.
            let permit = permit.map_err(|_closed| HttpError::Interrupted { at: at.clone() })?;
            if let Some(limiter) = &self.limiter {
                self.unless_interrupted(at, limiter.until_ready()).await?;
            }
            if !self.gate.is_closed() {
                return Ok(permit);
            }
        }
    }

    async fn attempt(
        &self,
        at: &Place,
        request: &Request,
        extent: Extent,
        permit: OwnedSemaphorePermit,
        earlier: u32,
    ) -> Result<Body, HttpError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if earlier > 0 {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
        let mut wire = reqwest::Request::new(request.method.clone(), request.url.clone());
        wire.headers_mut().clone_from(&request.headers);
        *wire.body_mut() = request.body.clone().map(Into::into);

        let bounds = Bounds::new(request.max_body, self.settings.timeouts.idle, request.within);
        let (until, after) = bounds.next();
        let response = match timeout_at(until, self.http.execute(wire)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let origin = self.origin.ascii_serialization();
                return Err(HttpError::before_answer(at.clone(), &origin, error));
            }
            Err(_elapsed) => {
                return Err(HttpError::Timeout {
                    at: at.clone(),
                    missing: "no answer",
                    after,
                });
            }
        };
        if let Some(to) = redirect(&request.url, &response) {
            return Err(HttpError::Redirected { at: at.clone(), to });
        }
        let mut body = Body::new(at.clone(), response, bounds, permit);
        if is_passing(body.status()) {
            // Whether to ask again is for the status to say, however its page comes to an end.
            body.peek(JUDGED).await;
            return Ok(body);
        }
        body.refuse_oversize()?;
        if extent == Extent::Whole {
            body.fill().await?;
        }
        Ok(body)
    }

    /// What a try came to; closes the gate if the server asked to wait.
    fn outcome(&self, tried: &Result<Body, HttpError>) -> Outcome {
        let body = match tried {
            Ok(body) => body,
            Err(HttpError::Dns { .. } | HttpError::Connect { .. }) => return Outcome::NotSent,
            Err(HttpError::Timeout { .. } | HttpError::Cut { .. } | HttpError::Truncated { .. }) => {
                return Outcome::Lost;
            }
            Err(_) => return Outcome::Hopeless,
        };
        let status = body.status();
        if !is_passing(status) {
            return Outcome::Answered(status, None);
        }
        let told = retry_after(body.headers(), local_now);
        if status == StatusCode::TOO_MANY_REQUESTS || told.is_some() {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if (self.settings.is_final)(&body.seen()) {
            return Outcome::Hopeless;
        }
        if let Some(pause) = told {
            self.gate.close_for(pause);
        }
        Outcome::Answered(status, told)
    }

    async fn back_off(&self, wait: Duration, asked_to: bool) {
        if asked_to {
            self.gate.wait(wait).await;
        } else {
            tokio::time::sleep(wait).await;
        }
    }

    async fn unless_interrupted<T>(&self, at: &Place, wait: impl Future<Output = T>) -> Result<T, HttpError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(HttpError::Interrupted { at: at.clone() }),
            done = wait => Ok(done),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.0.settings)
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

/// Where an answer sends the client, if it does: an origin only, since the rest may hold a token.
fn redirect(asked: &Url, response: &reqwest::Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 300..=303 | 305 | 307 | 308) {
        return None;
    }
    let target = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
    match target.map(|to| asked.join(to)) {
        Some(Ok(url)) if url.has_host() => Some(url.origin().ascii_serialization()),
        _ => Some("nowhere it names".to_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge: a date to come back at is of the wall clock's time"
)]
fn local_now() -> Timestamp {
    Timestamp::now()
}

fn log(at: &Place, attempt: u32, took: Duration, tried: &Result<Body, HttpError>) {
    let ms = millis(took);
    match tried {
        Ok(body) => {
            debug!(method = %at.method(), path = at.path(), status = body.status().as_u16(), ms, attempt, "answered");
        }
        Err(error) => debug!(method = %at.method(), path = at.path(), %error, ms, attempt, "failed"),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
