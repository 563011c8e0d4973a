//! An answer whose body comes in pieces, bounded in bytes, in time from piece to piece, and in time overall.
//!
//! Bytes are counted unpacked, so that a small answer cannot become a large one. After an error there is
//! nothing more to read: what broke once does not end well later.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Answer, HttpError, Place, answer::media_type};

/// An answer that is still coming. It counts as in flight until it is dropped.
pub struct Body {
    status: StatusCode,
    headers: HeaderMap,
    at: Place,
    bounds: Bounds,
    /// Bytes that were read already and are not handed out yet.
    kept: Vec<u8>,
    received: u64,
    rest: Rest,
    _permit: OwnedSemaphorePermit,
}

enum Rest {
    Coming(reqwest::Response),
    Ended,
    Failed(HttpError),
}

/// What an answer may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    bytes: u64,
    idle: Duration,
    /// The time for all of it, and when that ends.
    within: Duration,
    deadline: Instant,
    /// When nothing is waited for any more, whatever it is.
    end: Option<Instant>,
}

/// What an answer was waited for, and too long.
#[derive(Clone, Copy)]
pub(super) enum Overdue {
    /// Its beginning, or a further part.
    Idle(Duration),
    /// Its end.
    Whole(Duration),
    /// Anything at all: the time of the client is over.
    End,
}

impl Overdue {
    /// The error; `missing` is what was waited for if it is silence.
    pub(super) fn error(self, at: Place, missing: &'static str) -> HttpError {
        match self {
            Self::Idle(after) => HttpError::Timeout { at, missing, after },
            Self::Whole(after) => HttpError::Overlong { at, after },
            Self::End => HttpError::OutOfTime { at },
        }
    }
}

impl Bounds {
    /// Bounds of an answer that is asked for now.
    pub(super) fn new(bytes: u64, idle: Duration, within: Duration, end: Option<Instant>) -> Self {
        // More than a day is no bound, and might be more than a clock can hold.
        let within = within.min(Duration::from_hours(24));
        let deadline = Instant::now() + within;
        Self {
            bytes,
            idle,
            within,
            deadline,
            end,
        }
    }

    /// When to stop waiting for what comes next, and how to say so.
    pub(super) fn next(&self) -> (Instant, Overdue) {
        let idle = Instant::now().checked_add(self.idle).unwrap_or(self.deadline);
        let (until, overdue) = if idle < self.deadline {
            (idle, Overdue::Idle(self.idle))
        } else {
            (self.deadline, Overdue::Whole(self.within))
        };
        match self.end {
            Some(end) if end < until => (end, Overdue::End),
            _ => (until, overdue),
        }
    }
}

impl Body {
    pub(super) fn new(
        at: Place,
        mut response: reqwest::Response,
        bounds: Bounds,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            bounds,
            kept: Vec::new(),
            received: 0,
            // Declared beyond the cap: not a byte of it is read.
            rest: if response
                .content_length()
                .is_some_and(|declared| declared > bounds.bytes)
            {
                Rest::Failed(HttpError::TooLarge {
                    at: at.clone(),
                    allowed: bounds.bytes,
                })
            } else {
                Rest::Coming(response)
            },
            at,
            _permit: permit,
        }
    }

    /// Fails if the answer says that it is larger than allowed.
    pub(super) fn refuse_oversize(&self) -> Result<(), HttpError> {
        match &self.rest {
            Rest::Failed(error) => Err(error.clone()),
            Rest::Coming(_) | Rest::Ended => Ok(()),
        }
    }

    /// The status, whatever it says.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The media type without its parameters, in small letters.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        media_type(&self.headers)
    }

    /// The next piece, unpacked; `None` after the last.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        if self.kept.is_empty() {
            self.read().await
        } else {
            Ok(Some(std::mem::take(&mut self.kept).into()))
        }
    }

    /// Reads what is left and gives the whole.
    pub async fn whole(mut self) -> Result<Answer, HttpError> {
        self.fill().await?;
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: self.kept.into(),
        })
    }

    /// Reads to the end and keeps it.
    pub(super) async fn fill(&mut self) -> Result<(), HttpError> {
        while let Some(piece) = self.read().await? {
            self.kept.extend_from_slice(&piece);
        }
        Ok(())
    }

    /// Reads and keeps at least this much, or to the end. A failure is kept too, for whoever reads on.
    pub(super) async fn peek(&mut self, enough: usize) {
        while self.kept.len() < enough
            && let Ok(Some(piece)) = self.read().await
        {
            self.kept.extend_from_slice(&piece);
        }
    }

    /// The answer as far as it is kept.
    pub(super) fn seen(&self) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers.clone(),
            body: Bytes::copy_from_slice(&self.kept),
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, HttpError> {
        let response = match &mut self.rest {
            Rest::Coming(response) => response,
            Rest::Ended => return Ok(None),
            Rest::Failed(error) => return Err(error.clone()),
        };
        let (until, overdue) = self.bounds.next();
        let failed = match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(piece))) => {
                self.received = self.received.saturating_add(piece.len() as u64);
                if self.received <= self.bounds.bytes {
                    return Ok(Some(piece));
                }
                HttpError::TooLarge {
                    at: self.at.clone(),
                    allowed: self.bounds.bytes,
                }
            }
            Ok(Ok(None)) => {
                self.rest = Rest::Ended;
                return Ok(None);
            }
            Ok(Err(error)) => HttpError::within_body(self.at.clone(), self.received, error),
            Err(_elapsed) => overdue.error(self.at.clone(), "no further part of the answer"),
        };
        // Also lets go of the connection.
        self.rest = Rest::Failed(failed.clone());
        Err(failed)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("at", &self.at.to_string())
            .field("status", &self.status.as_u16())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
