//! The client of one source: what is asked passes one gate, one count in flight, one rate and one budget.
//!
//! Clones share all of that. It judges no status beyond whether to ask again, and after the run was
//! interrupted it sends nothing new, while answers on their way are still read.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::DefaultDirectRateLimiter;
use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{HeaderMap, LOCATION},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use url::{Origin, Url};

use super::{
    Answer, Body, Effect, HttpError, Place, Request, Settings, SetupError,
    body::Bounds,
    connection,
    day::Charge,
    gate::{Gate, TooLong},
    rate,
    retry::{
        LONGEST_PAUSE, Outcome, Spent, Step, decide, is_passing, is_put_off, rate_limit, retry_after,
        untold_pause,
    },
    units::Budget,
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
    budget: Option<Budget>,
    cancel: CancellationToken,
    /// When the time is over in which anything is asked.
    end: OnceLock<Instant>,
    sent: AtomicU64,
    retried: AtomicU64,
    throttled: AtomicU64,
    units: AtomicU64,
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
            budget: settings.units.as_ref().map(Budget::new).transpose()?,
            cancel,
            end: OnceLock::new(),
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            units: AtomicU64::new(0),
            settings,
        })))
    }

    /// Lets nothing be asked, and no answer be waited for, once so much time has passed; the first who says it counts.
    pub fn end_after(&self, time: Duration) {
        if let Some(end) = Instant::now().checked_add(time) {
            let _said_before = self.0.end.set(end);
        }
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

    /// Waits until a request could be sent at once, and pays the units that it costs: it is sent later, without any.
    pub async fn prepay(&self, request: &Request) -> Result<(), HttpError> {
        let inner = &*self.0;
        let permit = inner
            .admit(&request.place(), request.units, &mut Spent::default())
            .await?;
        drop(permit);
        inner.units.fetch_add(request.units.into(), Ordering::Relaxed);
        Ok(())
    }

    /// What the requests came to so far.
    #[must_use]
    pub fn totals(&self) -> RequestTotals {
        let Inner {
            sent,
            retried,
            throttled,
            units,
            gate,
            ..
        } = &*self.0;
        RequestTotals {
            sent: sent.load(Ordering::Relaxed),
            retried: retried.load(Ordering::Relaxed),
            throttled: throttled.load(Ordering::Relaxed),
            units: units.load(Ordering::Relaxed),
            waited_seconds: gate.waited().as_secs_f64(),
        }
    }

    /// Counts a request that is sent again because its answer broke off while it was read piece by piece.
    pub fn note_repeat(&self) {
        self.0.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets nothing be sent for this long, a day at most: for an answer within an answer that asks to slow down.
    pub fn pause(&self, time: Duration) {
        self.0.throttled.fetch_add(1, Ordering::Relaxed);
        self.0.gate.close_for(time.min(LONGEST_PAUSE));
    }

    /// Waits, unless the run is interrupted: says whether it waited to the end.
    pub async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.0.cancel.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    async fn exchange(&self, request: &Request, extent: Extent) -> Result<Body, HttpError> {
        let inner = &*self.0;
        let at = request.place();
        inner.guard(&at, &request.url)?;
        let mut spent = Spent::default();
        loop {
            // Made before, so that nothing lies between the gate and the network.
            let wire = wire(request);
            let permit = inner.admit(&at, request.units, &mut spent).await?;
            let began = Instant::now();
            inner.count(request.units, spent.tries);
            let tried = inner.attempt(&at, request, wire, extent, permit).await;
            spent.tries = spent.tries.saturating_add(1);
            spent.time += began.elapsed();
            let outcome = inner.outcome(&tried, request.effect);
            log(&at, spent.tries, began.elapsed(), &tried);
            match decide(&inner.settings.patience, spent, outcome, request.effect) {
                Step::Done => return tried,
                Step::Throttled(wait) => return Err(inner.too_long(&at, wait)),
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
    /// the rate and the budget come last, so that what passes them is sent at once. Whoever finds the gate closed
    /// then keeps the units: they are spent once. From the last look at the gate nothing waits until the
    /// request is with the network; only a connection may have to be made there.
    async fn admit(
        &self,
        at: &Place,
        units: u32,
        spent: &mut Spent,
    ) -> Result<OwnedSemaphorePermit, HttpError> {
        let mut charge = None;
        let mut owed = units;
        loop {
            let most = self.settings.patience.total.saturating_sub(spent.time);
            match self.unless_interrupted(at, self.gate.pass(most)).await? {
                Ok(waited) => spent.time += waited,
                Err(TooLong(wait)) => {
                    return Err(self.too_long(at, Some(wait)));
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
            if let Some(budget) = self.budget.as_ref().filter(|_| owed > 0) {
                charge = self.charge(at, budget, owed).await?;
                self.unless_interrupted(at, self.gate.during(budget.wait(owed)))
                    .await?;
                owed = 0;
            }
            if !self.gate.is_closed() {
                if let Some(charge) = charge {
                    charge.spend();
                }
                return Ok(permit);
            }
        }
    }

    /// Takes units of the day, where there is a count of them; given back if they are not spent.
    async fn charge(&self, at: &Place, budget: &Budget, units: u32) -> Result<Option<Charge>, HttpError> {
        let Some(day) = &budget.day else {
            return Ok(None);
        };
        match self.unless_interrupted(at, day.take(units.into())).await? {
            Ok(charge) => Ok(Some(charge)),
            Err(spent) => Err(HttpError::BudgetSpent {
                at: at.clone(),
                per_day: spent.per_day,
                reserve: spent.reserve,
                again: spent.again,
            }),
        }
    }

    /// Counts a try.
    fn count(&self, units: u32, earlier: u32) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.units.fetch_add(units.into(), Ordering::Relaxed);
        if earlier > 0 {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn attempt(
        &self,
        at: &Place,
        request: &Request,
        wire: reqwest::Request,
        extent: Extent,
        permit: OwnedSemaphorePermit,
    ) -> Result<Body, HttpError> {
        let timeouts = &self.settings.timeouts;
        let within = request.within.unwrap_or(timeouts.whole);
        let bounds = Bounds::new(request.max_body, timeouts.idle, within, self.end.get().copied());
        let (until, overdue) = bounds.next();
        let response = match timeout_at(until, self.http.execute(wire)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let origin = self.origin.ascii_serialization();
                return Err(HttpError::before_answer(at.clone(), &origin, error));
            }
            Err(_elapsed) => return Err(overdue.error(at.clone(), "no answer")),
        };
        self.heed(response.status(), response.headers());
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
    fn outcome(&self, tried: &Result<Body, HttpError>, effect: Effect) -> Outcome {
        let body = match tried {
            Ok(body) => body,
            Err(HttpError::Dns { .. } | HttpError::Connect { .. }) => return Outcome::NotSent,
            Err(HttpError::Timeout { .. } | HttpError::Cut { .. } | HttpError::Truncated { .. }) => {
                return Outcome::Lost;
            }
            Err(HttpError::Overlong { .. }) => return Outcome::Endless,
            Err(_) => return Outcome::Hopeless,
        };
        let status = body.status();
        if !is_passing(status) {
            return Outcome::Answered(status, None);
        }
        let told = self.told(status, body.headers());
        if status == StatusCode::TOO_MANY_REQUESTS || told.is_some() {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if (self.settings.is_final)(&body.seen()) {
            return Outcome::Hopeless;
        }
        // Who was refused to change something now may ask again: not at once, though, for want of a time.
        let untold = (effect == Effect::Unsafe && is_put_off(status, told))
            .then(|| untold_pause(&self.settings.patience));
        if let Some(pause) = told.or(untold).filter(|_| self.budget.is_none()) {
            self.gate.close_for(pause);
        }
        Outcome::Answered(status, told)
    }

    /// Closes the gate for what the head of an answer says, where units are counted. There the rest of the answer
    /// is not waited for: until the gate is closed, others still send, and each of them costs.
    fn heed(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(budget) = &self.budget else { return };
        let told = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let untold = untold_pause(&self.settings.patience);
                Some(self.told(status, headers).unwrap_or(untold))
            }
            _ if is_passing(status) => self.told(status, headers),
            _ => None,
        };
        let limit = rate_limit(headers);
        let scarce = limit.remaining.is_some_and(|left| left < budget.scarce());
        if let Some(pause) = told.max(limit.reset.filter(|_| scarce)) {
            self.gate.close_for(pause);
        }
    }

    /// How long a failure's headers ask to wait.
    fn told(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let reset = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if self.budget.is_some() => {
                rate_limit(headers).reset
            }
            _ => None,
        };
        retry_after(headers, local_now).max(reset)
    }

    /// Why a request was given up that was asked to wait.
    fn too_long(&self, at: &Place, wait: Option<Duration>) -> HttpError {
        HttpError::Throttled {
            at: at.clone(),
            wait,
            advice: if self.budget.is_some() {
                "correct `license_count` or lower `limits.units_per_minute`"
            } else {
                "lower the requests per second"
            },
        }
    }

    async fn back_off(&self, wait: Duration, asked_to: bool) {
        if asked_to {
            self.gate.wait(wait).await;
        } else {
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits for something, unless the run is interrupted or its time is over.
    async fn unless_interrupted<T>(&self, at: &Place, wait: impl Future<Output = T>) -> Result<T, HttpError> {
        let end = async {
            match self.end.get() {
                Some(end) => sleep_until(*end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(HttpError::Interrupted { at: at.clone() }),
            () = end => Err(HttpError::OutOfTime { at: at.clone() }),
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

/// A request as the network client takes it.
fn wire(request: &Request) -> reqwest::Request {
    let mut wire = reqwest::Request::new(request.method.clone(), request.url.clone());
    wire.headers_mut().clone_from(&request.headers);
    *wire.body_mut() = request.body.clone().map(Into::into);
    wire
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
pub(super) fn local_now() -> Timestamp {
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
