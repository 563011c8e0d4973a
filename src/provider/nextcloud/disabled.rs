//! Disabled accounts: their lists are refused while their links go on serving files, so their homes are searched.

use super::{Credential, HomeSearch, Nextcloud, nodes};
use crate::model::{KnownScope, Problem, ProblemCode, Reading, ScopeOutcome};
use crate::provider::{ReadError, Sink};

/// How much time lies between two searches of a home, where they are weekly: a night less than a week is enough.
const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24 - 12);

impl Nextcloud {
    /// A disabled account: its list is refused, but its home still tells which nodes are shared.
    pub(super) async fn search_disabled(
        &self,
        known: &KnownScope,
        sink: &Sink,
    ) -> Result<(ScopeOutcome, bool), ReadError> {
        let account = known.scope.id.as_str();
        let mut collector = sink.of(Some(account));
        let due = match self.setup.home_search {
            HomeSearch::Always => true,
            HomeSearch::Weekly => known
                .searched_at
                .is_none_or(|searched| self.setup.now.duration_since(searched) >= WEEK),
            HomeSearch::Off => false,
        };
        let possible = matches!(self.setup.credential, Credential::AppApi { .. });
        let message = match (possible, due) {
            (true, true) => {
                "the account is disabled: the server refuses its list of shares; the shared files and folders in its \
                 home are reported, without passwords and dates"
            }
            (true, false) => {
                "the account is disabled: the server refuses its list of shares, and its home was not searched in this \
                 scan"
            }
            (false, _) => "the account is disabled: nothing of it can be read with its own password",
        };
        collector
            .push(Reading::Problem(Problem::new(
                account,
                ProblemCode::AccountDisabled,
                message,
            )))
            .await?;
        if !possible || !due {
            if possible {
                let problem = Problem::new(
                    account,
                    ProblemCode::HomeNotSearched,
                    "homes of disabled accounts are searched as often as `disabled_accounts` says",
                );
                collector.push(Reading::Problem(problem)).await?;
            }
            collector.flush().await?;
            return Ok((ScopeOutcome::Skipped, false));
        }
        collector.flush().await?;
        let mut tries = self.ocs.tries();
        loop {
            let searched = self.search_home(account, sink).await;
            if !tries.again(&searched) {
                return searched.map(|whole| (ScopeOutcome::Skipped, whole));
            }
        }
    }

    /// The shared nodes of a home; whether all of it was looked at.
    async fn search_home(&self, account: &str, sink: &Sink) -> Result<bool, ReadError> {
        let mut collector = sink.of(Some(account));
        let mut tree = nodes::Tree::of_home(&self.ocs, account).await?;
        let mut whole = true;
        loop {
            let (path, node) = match tree.next().await {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(ReadError::Service {
                    code: ProblemCode::TooManyFiles,
                    message,
                }) => {
                    let problem = Problem::new(account, ProblemCode::TooManyFiles, message);
                    collector.push(Reading::Problem(problem)).await?;
                    whole = false;
                    break;
                }
                Err(error) => return Err(error),
            };
            // A node of somebody else who is not disabled is in that account's own list, with all details.
            let owner = node.owner.as_deref().unwrap_or(account);
            if (owner == account || self.is_disabled(owner))
                && let Some(share) = nodes::shared_node(&self.setup.source, account, path, node)
            {
                collector.push(Reading::Share(Box::new(share))).await?;
            }
        }
        collector.flush().await?;
        Ok(whole)
    }
}
