//! Finds out what became of changes of which only the intent is on record: a run was killed, or an answer was lost.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::Verdict;
use super::{
    Closed, Deed, EnforceError, Enforcer, Entry, Event, JournalError, Look, LookError, Outcome, There,
    changed,
};
use crate::model::{Expiry, Share, SourceName};
use crate::plan::ends_by;
use crate::provider::Writer;

/// What the receipt says of a share that was found to have been made again.
pub(super) const FOUND: &str = "found";

/// What was found out about an intent.
pub(super) struct Settled {
    /// The run that had it.
    run: String,
    deed: Deed,
    pub(super) outcome: Option<Outcome>,
    /// The share that was made again.
    pub(super) share: Option<String>,
}

impl Settled {
    /// What the action comes to by that; `None` where it is to be tried.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match (self.deed, self.outcome) {
            (Deed::SetExpiry | Deed::Revoke, Some(Outcome::Applied)) => Some(Verdict::because(
                Outcome::Applied,
                format!("done by the run {}, which ended before it could say so", self.run),
            )),
            (_, None) => Some(Verdict {
                said: Some(format!(
                    "what became of it in the run {} could not be found out: run the same again",
                    self.run
                )),
                is_open: true,
                ..Verdict::of(Outcome::Failed)
            }),
            _ => None,
        }
    }
}

impl Enforcer<'_> {
    /// Finds out what became of changes of earlier runs in these sources, as far as that can be found out; sends nothing
    /// that changes anything. Gives where it could not be.
    ///
    /// # Errors
    /// [`EnforceError`].
    pub async fn catch_up(&mut self, sources: &[SourceName]) -> Result<Closed, EnforceError> {
        let needed = sources.iter().map(|source| (source, BTreeSet::new()));
        self.prepare(needed.collect()).await?;
        self.settle(sources).await?;
        Ok(self.closed.clone())
    }

    /// Settles all intents without a receipt in these sources; what was found out, by action. A rehearsal settles none.
    pub(super) async fn settle(
        &mut self,
        sources: &[SourceName],
    ) -> Result<BTreeMap<String, Settled>, JournalError> {
        let mut settled = BTreeMap::new();
        if self.with.rehearsal {
            return Ok(settled);
        }
        for source in sources {
            for intent in self.journal.unsettled(source)? {
                if self.with.cancel.is_cancelled() {
                    return Ok(settled);
                }
                let (Some(action), Some(deed)) = (intent.action.clone(), intent.deed) else {
                    continue;
                };
                let found = self.find_out(source, &intent, deed).await?;
                let mut told = Settled {
                    run: intent.run.clone(),
                    deed,
                    outcome: None,
                    share: None,
                };
                if let Some((verdict, share)) = found {
                    told.outcome = verdict.outcome;
                    told.share.clone_from(&share);
                    let receipt = Entry {
                        at: self.time(),
                        who: self.with.who.clone(),
                        event: Event::Receipt,
                        share: share.or_else(|| intent.share.clone()),
                        before: None,
                        beside: Vec::new(),
                        after: verdict.after,
                        outcome: verdict.outcome,
                        detail: verdict.detail,
                        ..intent
                    };
                    self.journal.append(&receipt)?;
                }
                settled.insert(action, told);
            }
        }
        Ok(settled)
    }

    /// What became of an intent, and the share that it made; `None` where that cannot be found out now.
    async fn find_out(
        &mut self,
        source: &SourceName,
        intent: &Entry,
        deed: Deed,
    ) -> Result<Option<(Verdict, Option<String>)>, JournalError> {
        let Ok(writer) = self.writer(source, intent.act_as.as_deref()) else {
            return Ok(None);
        };
        let Some(target) = intent.target() else {
            return Ok(None);
        };
        if deed == Deed::Recreate {
            return self.find_again(writer, intent).await;
        }
        let look = match self.look(writer, &target).await {
            Ok(look) => look,
            Err(LookError::Journal(error)) => return Err(error),
            Err(LookError::Service(error)) => {
                self.weigh(source, &error);
                // Whoever it was done in the name of may have left, and the share with them: nobody can look any more.
                let known = self.journal.known(source, &target.share)?;
                if !known.is_some_and(|known| known.gone) {
                    return Ok(None);
                }
                Look::Gone
            }
        };
        let verdict = match (deed, look) {
            (Deed::Revoke, Look::Gone | Look::Lost(_)) => Verdict::of(Outcome::Applied),
            (Deed::Revoke, Look::There(there)) => {
                Verdict::because(Outcome::Failed, "it was not done").with(there.state)
            }
            (_, Look::Gone) => Verdict::because(Outcome::Drifted, "it was ended since"),
            (_, Look::Lost(why)) => Verdict::because(Outcome::Drifted, why),
            (Deed::SetPassword | Deed::Recreate, Look::There(there)) => {
                // Nobody was told the password: another one is set.
                Verdict::because(Outcome::Failed, "whether it was done does not show").with(there.state)
            }
            (Deed::SetExpiry | Deed::RestoreExpiry, Look::There(there)) => date_verdict(intent, deed, *there),
        };
        Ok(Some((verdict, None)))
    }

    /// Whether a share ends as an intent asked for; where the service has a maximum, earlier too.
    fn ends_as_asked(&self, share: &Share, intent: &Entry) -> bool {
        let bounded = self
            .open
            .get(&share.source)
            .is_some_and(|facts| facts.most_days(share.kind).is_some());
        match intent.value.as_deref() {
            None => share.expires == Expiry::Never || (bounded && share.expires.stated().is_some()),
            Some(value) => {
                share.expires.stated() == Some(value) || (bounded && ends_by(&share.expires, value))
            }
        }
    }

    /// Looks for a share that was to be made again: one that is like it and was not there before.
    async fn find_again(
        &mut self,
        writer: &dyn Writer,
        intent: &Entry,
    ) -> Result<Option<(Verdict, Option<String>)>, JournalError> {
        let Some(lost) = &intent.before else {
            return Ok(None);
        };
        let act_as = intent.act_as.as_deref();
        let Ok(all) = writer.read_all(&lost.place(), act_as).await else {
            return Ok(None);
        };
        let mut alike = None;
        for share in all {
            if intent.beside.contains(&share.id) || !is_like(&share, intent) {
                continue;
            }
            let id = share.id.clone();
            if share.password != lost.seen.password || !self.ends_as_asked(&share, intent) {
                alike = Some(id);
                continue;
            }
            if let Look::There(there) = self.seen(share)? {
                let verdict = Verdict::because(Outcome::Applied, FOUND);
                return Ok(Some((verdict.with(there.state), Some(id))));
            }
        }
        if let Some(id) = alike {
            let words = format!(
                "a share much like it, without its protection or with another end, is there now: {id}; it may have been \
                 made by the run that ended early: look at it, and end it if nobody made it"
            );
            return Ok(Some((Verdict::because(Outcome::Failed, words), None)));
        }
        Ok(Some((Verdict::because(Outcome::Failed, "it was not done"), None)))
    }
}

/// Whether a share is like the one that an intent was to make again.
pub(super) fn is_like(share: &Share, intent: &Entry) -> bool {
    let Some(lost) = &intent.before else { return false };
    let mut recipients: Vec<&str> = share.recipients.iter().map(|who| who.id.as_str()).collect();
    recipients.sort_unstable();
    recipients.dedup();
    share.kind == lost.seen.kind
        && share.anonymous == lost.anonymous
        && share.access == lost.seen.access
        && !share.inherited
        && recipients.iter().eq(lost.seen.recipients.iter())
}

/// What setting a date comes to, by what is there.
pub(super) fn date_verdict(intent: &Entry, deed: Deed, there: There) -> Verdict {
    let met = match (intent.value.as_deref(), deed) {
        (None, _) => there.share.expires == Expiry::Never,
        (Some(value), Deed::RestoreExpiry) => there.share.expires.stated() == Some(value),
        (Some(value), _) => ends_by(&there.share.expires, value),
    };
    let others = match &intent.before {
        Some(before) => there.drift_but_date(&before.seen),
        None => Vec::new(),
    };
    let as_before = intent
        .before
        .as_ref()
        .is_some_and(|before| there.drift(&before.seen).is_empty());
    let verdict = if met && others.is_empty() {
        Verdict::of(Outcome::Applied)
    } else if as_before {
        Verdict::because(Outcome::Failed, "it was not done")
    } else {
        let fields = if others.is_empty() {
            vec!["expires"]
        } else {
            others
        };
        Verdict::because(Outcome::Drifted, changed(&fields))
    };
    verdict.with(there.state)
}
