//! A source that cannot be read now, as its credential cannot be had or another scan reads it: nothing is asked of it, and
//! why is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use jiff::Timestamp;

use super::{Listed, Pace, ReadError, Reader, Sink};
use crate::model::{
    Classes, KnownScope, Look, PrincipalClass, ProblemCode, RequestTotals, ShareKind, SourceFacts, Want,
};

/// Reads nothing, and says why.
#[derive(Clone, Debug)]
pub struct Unready {
    code: ProblemCode,
    why: String,
}

impl Unready {
    /// A source that cannot be read for this reason, in our own words.
    pub fn new(code: ProblemCode, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
        }
    }

    fn refused<'a, T: Send + 'a>(&self) -> BoxFuture<'a, Result<T, ReadError>> {
        let error = ReadError::service(self.code, self.why.as_str());
        Box::pin(ready(Err(error)))
    }
}

impl Reader for Unready {
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>> {
        self.refused()
    }

    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>> {
        self.refused()
    }

    fn discover<'a>(&'a self, _: &'a [String], _: &'a Sink) -> BoxFuture<'a, Result<Listed, ReadError>> {
        self.refused()
    }

    fn read<'a>(&'a self, _: KnownScope, _: &'a Sink) -> BoxFuture<'a, Pace> {
        Box::pin(ready(Pace::Stop))
    }

    fn looks_up(&self, _: bool) -> &'static [PrincipalClass] {
        &[]
    }

    fn look_up<'a>(
        &'a self,
        _: PrincipalClass,
        _: &'a [String],
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.refused()
    }

    fn enrich<'a>(
        &'a self,
        _: &'a str,
        _: Vec<Want>,
        _: &'a Arc<Classes>,
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.refused()
    }

    fn witness<'a>(
        &'a self,
        _: Vec<Look>,
        _: Timestamp,
        _: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.refused()
    }

    fn totals(&self) -> RequestTotals {
        RequestTotals::default()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &[]
    }
}
