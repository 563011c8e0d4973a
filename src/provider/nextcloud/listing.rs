//! Reads one account: its list of shares entry by entry, and what a refused list means.
//!
//! Whatever happens, the account has an outcome afterwards, and a problem says why it is not `scanned`.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::splitter::Splitter;
use super::{Credential, Nextcloud, ocs, people, share};
use crate::http::{Request, StatusCode};
use crate::model::{
    KnownScope, Principal, PrincipalClass, Problem, ProblemCode, Reading, Scope, ScopeOutcome,
};
use crate::provider::{Pace, ReadError, Sink};

/// How many bytes a listing may have in all; it is read piece by piece.
const LISTING_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// How long a listing may take.
const LISTING_TIME: Duration = Duration::from_hours(1);
/// How many entries of one list are named that could not be read.
const MAX_TOLD: u64 = 20;

/// How much of a list could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entries {
    /// Every entry.
    All,
    /// Not every one.
    Some,
}

impl Nextcloud {
    pub(super) async fn read_scope(&self, known: &KnownScope, sink: &Sink) -> Result<Pace, ReadError> {
        let account = known.scope.id.as_str();
        let mut collector = sink.of(Some(account));
        let details = known.scope.account.as_ref();
        if details.is_some_and(|details| self.is_excluded(details)) {
            let problem = Problem::new(
                account,
                ProblemCode::Excluded,
                "left out by `exclude` in the configuration",
            );
            collector.push(Reading::Problem(problem)).await?;
            collector
                .push(outcome(account, ScopeOutcome::Excluded, false))
                .await?;
            collector.flush().await?;
            return Ok(Pace::Read);
        }
        let result = if details.and_then(|details| details.active) == Some(false) {
            self.search_disabled(known, sink).await
        } else {
            let zone = details
                .and_then(|details| details.zone.as_deref())
                .and_then(|zone| TimeZone::get(zone).ok());
            match self.list(account, &zone.unwrap_or(TimeZone::UTC), sink).await {
                // What could not be read of a list may be any of the shares that it lacks.
                Ok(Entries::All) => Ok((ScopeOutcome::Scanned, false)),
                Ok(Entries::Some) => Ok((ScopeOutcome::Failed, false)),
                Err(ReadError::Service {
                    code: ProblemCode::Unauthorized,
                    message,
                }) => self.weigh_refusal(known, message, sink).await,
                Err(error) => Err(error),
            }
        };
        match result {
            Ok((became, searched)) => {
                collector.push(outcome(account, became, searched)).await?;
                collector.flush().await?;
                Ok(Pace::Read)
            }
            Err(error) => {
                let Some(problem) = error.problem(account) else {
                    return Err(error);
                };
                collector.push(Reading::Problem(problem)).await?;
                collector
                    .push(outcome(account, ScopeOutcome::Failed, false))
                    .await?;
                collector.flush().await?;
                Ok(if error.concerns_source() {
                    Pace::Stop
                } else {
                    Pace::Failed
                })
            }
        }
    }

    /// One account's list of shares, entry by entry.
    async fn list(&self, account: &str, zone: &TimeZone, sink: &Sink) -> Result<Entries, ReadError> {
        if self.refused().contains(account) {
            return Err(ReadError::service(
                ProblemCode::Unauthorized,
                "the server refused this account's app password; it was not tried again, since a dozen wrong ones \
                 block the address",
            ));
        }
        let request = self.ocs.ocs(
            &["apps", "files_sharing", "api", "v1", "shares"],
            &[("reshares", "true")],
        )?;
        let request = self
            .ocs
            .signed(request, account)?
            .max_body(LISTING_BYTES)
            .within(LISTING_TIME);
        let mut tries = self.ocs.tries();
        loop {
            let read = self.list_once(&request, account, zone, sink).await;
            if !tries.again(&read) {
                return read;
            }
        }
    }

    async fn list_once(
        &self,
        request: &Request,
        account: &str,
        zone: &TimeZone,
        sink: &Sink,
    ) -> Result<Entries, ReadError> {
        let mut body = self.ocs.open(request, StatusCode::OK).await?;
        if ocs::answered_as(body.headers()).is_some_and(|id| !id.eq_ignore_ascii_case(account)) {
            return Err(ocs::other_account(account));
        }
        let headers = body.headers().clone();
        let reading = share::Reading {
            source: &self.setup.source,
            base: &self.setup.url,
            account,
            zone,
        };
        let mut splitter = Splitter::default();
        let mut collector = sink.of(Some(account));
        let mut entry = 0_u64;
        let mut unread = 0_u64;
        while let Some(chunk) = body.chunk().await? {
            let mut rest = &*chunk;
            while let Some(element) = splitter
                .next(&mut rest)
                .map_err(|error| ReadError::service(ProblemCode::Malformed, error.to_string()))?
            {
                entry += 1;
                match share::decode(element, &reading) {
                    Ok(share) => collector.push(Reading::Share(Box::new(share))).await?,
                    Err(error) => {
                        unread += 1;
                        if unread <= MAX_TOLD {
                            let words = format!("entry {entry} of the list: {error}");
                            collector.push(malformed(account, words)).await?;
                        }
                    }
                }
            }
        }
        drop(body);
        if unread > MAX_TOLD {
            let words =
                format!("{unread} entries of the list could not be read; the first {MAX_TOLD} are named");
            collector.push(malformed(account, words)).await?;
        }
        collector.flush().await?;
        match ocs::decode::<Value>(request, &headers, &splitter.envelope())? {
            // The splitter took the entries out; what it left there was written in a way that it does not know.
            Value::Array(rest) if rest.is_empty() => {
                Ok(if unread == 0 { Entries::All } else { Entries::Some })
            }
            _ => Err(ReadError::service(
                ProblemCode::Malformed,
                format!("{}: the answer holds no list of shares", request.place()),
            )),
        }
    }

    /// An account whose list was refused although the credential is good: disabled or gone since it was listed, or the
    /// credential was changed.
    async fn weigh_refusal(
        &self,
        known: &KnownScope,
        message: String,
        sink: &Sink,
    ) -> Result<(ScopeOutcome, bool), ReadError> {
        let account = known.scope.id.as_str();
        let refused = ReadError::service(ProblemCode::Unauthorized, message);
        let Credential::AppApi { admin, .. } = &self.setup.credential else {
            return Err(refused);
        };
        self.check_app().await?;
        let details = match people::details(&self.ocs, admin, account).await? {
            Some(details) => details,
            // An auditor that is no administrator is not told of it. The secret was just found good for every account,
            // so that a refused list means a disabled one.
            None if people::ids(&self.ocs).await?.iter().any(|id| id == account) => Principal {
                active: Some(false),
                ..Principal::new(PrincipalClass::Account, account)
            },
            None => {
                let mut collector = sink.of(Some(account));
                let problem = Problem::new(
                    account,
                    ProblemCode::AccountGone,
                    "the account vanished between listing and reading",
                );
                collector.push(Reading::Problem(problem)).await?;
                collector.flush().await?;
                return Ok((ScopeOutcome::Gone, false));
            }
        };
        if details.active != Some(false) {
            return Err(refused);
        }
        let mut collector = sink.of(None);
        collector.push(Reading::Principal(details.clone())).await?;
        collector.flush().await?;
        self.disabled().insert(account.to_owned());
        let scope = Scope {
            id: account.to_owned(),
            account: Some(details),
        };
        self.search_disabled(
            &KnownScope {
                scope,
                ..known.clone()
            },
            sink,
        )
        .await
    }

    fn is_excluded(&self, account: &Principal) -> bool {
        let (users, groups) = &self.setup.excluded;
        users.is_match(&account.id) || account.groups.iter().any(|group| groups.is_match(group))
    }

    pub(super) fn is_disabled(&self, account: &str) -> bool {
        self.disabled().contains(account)
    }
}

fn malformed(account: &str, words: String) -> Reading {
    Reading::Problem(Problem::new(account, ProblemCode::MalformedShare, words))
}

fn outcome(scope: &str, outcome: ScopeOutcome, searched: bool) -> Reading {
    Reading::Outcome {
        scope: scope.to_owned(),
        outcome,
        searched,
    }
}
