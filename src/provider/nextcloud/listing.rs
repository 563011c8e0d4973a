//! Reads one account: its list of shares entry by entry, and what a refused list means.
//!
//! Whatever happens, the account has an outcome afterwards, and a problem says why it is not `scanned`.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::splitter::Splitter;
use super::{Credential, Nextcloud, ocs, people, share};
use crate::http::{Request, StatusCode};
use crate::model::{KnownScope, Principal, Problem, ProblemCode, Reading, Scope, ScopeOutcome};
use crate::provider::{Pace, ReadError, Sink};

/// How many bytes a listing may have in all; it is read piece by piece.
const LISTING_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// How long a listing may take.
const LISTING_TIME: Duration = Duration::from_hours(1);
/// How often a listing is asked for again after it broke off.
const LISTING_TRIES: u32 = 3;

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
                .push(outcome(account, ScopeOutcome::Skipped, false))
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
                Ok(()) => Ok((ScopeOutcome::Scanned, false)),
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
    async fn list(&self, account: &str, zone: &TimeZone, sink: &Sink) -> Result<(), ReadError> {
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
        let mut tries = 0;
        loop {
            tries += 1;
            match self.list_once(&request, account, zone, sink).await {
                // Nothing is lost by reading it again: a share that was kept already is the same share.
                Err(ReadError::Service {
                    code: ProblemCode::Truncated,
                    ..
                }) if tries < LISTING_TRIES => {}
                result => return result,
            }
        }
    }

    async fn list_once(
        &self,
        request: &Request,
        account: &str,
        zone: &TimeZone,
        sink: &Sink,
    ) -> Result<(), ReadError> {
        let mut body = self.ocs.open(request, StatusCode::OK).await?;
        if let Some(other) = ocs::answered_as(body.headers()).filter(|id| !id.eq_ignore_ascii_case(account)) {
            return Err(ReadError::service(
                ProblemCode::Malformed,
                format!(
                    "the server answered for the account `{}` instead",
                    other.escape_debug()
                ),
            ));
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
        while let Some(chunk) = body.chunk().await? {
            splitter
                .push(&chunk)
                .map_err(|error| ReadError::service(ProblemCode::Malformed, error.to_string()))?;
            while let Some(element) = splitter.next_element() {
                entry += 1;
                let read = match share::decode(&element, &reading) {
                    Ok(share) => Reading::Share(Box::new(share)),
                    Err(error) => Reading::Problem(Problem::new(
                        account,
                        ProblemCode::MalformedShare,
                        format!("entry {entry} of the list: {error}"),
                    )),
                };
                collector.push(read).await?;
            }
        }
        drop(body);
        collector.flush().await?;
        match ocs::decode::<Value>(request, &headers, &splitter.envelope())? {
            Value::Array(_) => Ok(()),
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
        let Some(details) = people::details(&self.ocs, admin, account).await? else {
            let mut collector = sink.of(Some(account));
            let problem = Problem::new(
                account,
                ProblemCode::AccountGone,
                "the account vanished between listing and reading",
            );
            collector.push(Reading::Problem(problem)).await?;
            collector.flush().await?;
            return Ok((ScopeOutcome::Gone, false));
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
                searched_at: known.searched_at,
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

fn outcome(scope: &str, outcome: ScopeOutcome, searched: bool) -> Reading {
    Reading::Outcome {
        scope: scope.to_owned(),
        outcome,
        searched,
    }
}
