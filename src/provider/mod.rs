//! What an adapter of one API offers, and the adapters.
//!
//! Only adapters know wire formats. They hand readings to a [`Sink`] in batches and never hold a whole
//! source; they know nothing of policy and ledger. No link token, password or credential leaves them.

mod checks;
pub mod microsoft365;
pub mod nextcloud;
mod strict;
mod unready;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::{
    Batch, Check, Classes, KnownScope, Look, Principal, PrincipalClass, Problem, ProblemCode, Reading,
    RequestTotals, ShareKind, SourceFacts, SourceName, Want,
};

pub use unready::Unready;
pub use writer::{ChangeEffect, Found, Lost, Opened, Place, Target, WriteError, Writer};

/// The longest batch of readings that a sink passes on at once.
const BATCH: usize = 512;

/// Where readings go: a bounded channel, so that reading waits for writing.
#[derive(Clone, Debug)]
pub struct Sink {
    source: SourceName,
    batches: mpsc::Sender<Batch>,
}

/// Nobody takes readings any more: the ledger failed, or the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes readings any more")]
pub struct Closed;

impl Sink {
    /// A sink for a source's readings.
    #[must_use]
    pub fn new(source: SourceName, batches: mpsc::Sender<Batch>) -> Self {
        Self { source, batches }
    }

    /// Collects readings of one scope, or of none.
    #[must_use]
    pub fn of(&self, scope: Option<&str>) -> Collector<'_> {
        Collector {
            sink: self,
            scope: scope.map(str::to_owned),
            readings: Vec::new(),
        }
    }
}

/// Collects readings and passes them on in batches; what is left must be passed on by [`Collector::flush`].
#[derive(Debug)]
pub struct Collector<'a> {
    sink: &'a Sink,
    scope: Option<String>,
    readings: Vec<Reading>,
}

impl Collector<'_> {
    /// Takes a reading.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn push(&mut self, reading: Reading) -> Result<(), Closed> {
        self.readings.push(reading);
        if self.readings.len() < BATCH {
            Ok(())
        } else {
            self.flush().await
        }
    }

    /// Passes on what was collected.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn flush(&mut self) -> Result<(), Closed> {
        if self.readings.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            source: self.sink.source.clone(),
            scope: self.scope.clone(),
            readings: std::mem::take(&mut self.readings),
        };
        self.sink.batches.send(batch).await.map_err(|_returned| Closed)
    }
}

/// Why an adapter could not do what it was asked: a problem for the report, or nobody to report to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The service did not answer as needed.
    #[error("{message}")]
    Service {
        /// Why, as the report calls it.
        code: ProblemCode,
        /// What happened and what to do.
        message: String,
    },
    /// Nobody takes readings any more.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl ReadError {
    /// A failure of the service.
    pub fn service(code: ProblemCode, message: impl Into<String>) -> Self {
        Self::Service {
            code,
            message: message.into(),
        }
    }

    /// The problem to report for a scope; `None` when nobody listens, or the run was interrupted anyway.
    #[must_use]
    pub fn problem(&self, scope: &str) -> Option<Problem> {
        match self {
            Self::Service {
                code: ProblemCode::Interrupted,
                ..
            }
            | Self::Closed(_) => None,
            Self::Service { code, message } => Some(Problem::new(scope, *code, message)),
        }
    }

    /// Whether this is why.
    #[must_use]
    pub fn is_of(&self, why: ProblemCode) -> bool {
        matches!(self, Self::Service { code, .. } if *code == why)
    }

    /// Whether the whole source is out of reach, rather than one scope.
    #[must_use]
    pub fn concerns_source(&self) -> bool {
        match self {
            Self::Closed(_) => true,
            Self::Service { code, .. } => matches!(
                code,
                ProblemCode::AddressBlocked
                    | ProblemCode::Maintenance
                    | ProblemCode::TlsFailed
                    | ProblemCode::SharingDisabled
                    | ProblemCode::Interrupted
                    | ProblemCode::BudgetSpent
            ),
        }
    }
}

impl From<crate::http::HttpError> for ReadError {
    fn from(error: crate::http::HttpError) -> Self {
        Self::service(error.problem_code(), error.to_string())
    }
}

/// How a scope's reading went, for the run's decision to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It was read, or skipped as it should be.
    Read,
    /// It failed; others may not.
    Failed,
    /// Nothing more can be read from this source.
    Stop,
}

/// Which lists of a source were read to their end, so that what they do not hold does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// All people.
    pub accounts: bool,
    /// All scopes, of every kind that there is.
    pub scopes: bool,
}

/// Reads a source. Sends nothing that changes anything.
pub trait Reader: Send + Sync {
    /// Checks the credential with one request, then reads the settings.
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>>;

    /// The service's own counts of shares by kind; `None` where this credential cannot ask.
    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>>;

    /// Lists the people and the scopes (or of `users`, only theirs), and tells which of the lists are complete.
    fn discover<'a>(
        &'a self,
        users: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<Listed, ReadError>>;

    /// Reads one scope into the sink, its outcome and its problems included.
    fn read<'a>(&'a self, known: KnownScope, sink: &'a Sink) -> BoxFuture<'a, Pace>;

    /// Which principals that shares name [`Reader::look_up`] can tell more of than the lists did; of `whole` scans, or
    /// those of a few accounts.
    fn looks_up(&self, whole: bool) -> &'static [PrincipalClass];

    /// Asks for the details of principals that shares name.
    fn look_up<'a>(
        &'a self,
        class: PrincipalClass,
        ids: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>>;

    /// Asks who the managers of accounts are, and tells the accounts again with that; nothing where the lists tell it.
    fn ask_managers<'a>(
        &'a self,
        _accounts: Vec<Principal>,
        _sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Looks for labels on, above and beneath items of one account.
    fn enrich<'a>(
        &'a self,
        owner: &'a str,
        wants: Vec<Want>,
        classes: &'a Arc<Classes>,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>>;

    /// Asks what is on record of the use of links, of each since it was told last: tells the records, and of each link up to
    /// when all was told, or what was asked and is answered later. What this credential or service cannot tell is a
    /// problem, and no error.
    fn witness<'a>(
        &'a self,
        looks: Vec<Look>,
        now: Timestamp,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>>;

    /// What the requests came to so far.
    fn totals(&self) -> RequestTotals;

    /// What this version does not look at in such a source.
    fn not_covered(&self) -> &'static [&'static str];

    /// Whose scopes the configuration leaves out altogether, by the class of their owner: they are not even listed.
    fn left_out(&self) -> &'static [PrincipalClass] {
        &[]
    }
}

/// The time here, as whoever reads the clock lends it.
pub type Clock<'a> = &'a (dyn Fn() -> Timestamp + Sync);

/// Finds out whether a source can be read, and what is missing. Sends nothing that changes anything.
pub trait Access: Send + Sync {
    /// Examines network, trust, clock, credential, rights and settings, in this order, and no further than makes
    /// sense: a credential that is refused is tried once.
    fn examine<'a>(&'a self, clock: Clock<'a>) -> BoxFuture<'a, Examination>;
}

/// What an examination came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examination {
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// What a full scan will ask; `None` where that cannot be told.
    pub load: Option<Load>,
}

/// What a full scan will ask of a source, as far as can be told beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests at least: what is certain.
    pub least: u64,
    /// Requests at most: if every share that may need it has to be looked into. `None` where shares are not counted.
    pub most: Option<u64>,
    /// How long a request took, on average, during the examination.
    pub each: Duration,
}

impl Load {
    /// How long so many requests take at a rate a second, so many at the same time.
    #[must_use]
    pub fn time(&self, requests: u64, per_second: f64, in_flight: usize) -> Duration {
        let requests = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
        let at_once = f64::from(u32::try_from(in_flight.max(1)).unwrap_or(u32::MAX));
        let seconds = (requests / per_second).max(requests * self.each.as_secs_f64() / at_once);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}
