//! Carries out a plan: does exactly what it says, where everything is as it says.

use std::collections::{BTreeMap, BTreeSet};

use super::settle::Settled;
use super::{
    Deed, Done, EnforceError, Enforcer, Entry, Event, JournalError, Look, LookError, Outcome, Receipt, State,
    There, changed, stopped,
};
use crate::model::{ProblemCode, ShareKind, SourceName};
use crate::plan::{Action, ActionKind, Expects, ends_by};
use crate::provider::{ChangeEffect, Target, WriteError, Writer};

/// How often a change is asked for that the service puts off.
const TRIES: u32 = 4;

/// What became of an action, before it is put into words for the journal.
pub(super) struct Verdict {
    pub(super) outcome: Option<Outcome>,
    /// In our own words.
    pub(super) detail: Option<String>,
    /// What is said to people, where that is more: it may quote the service.
    pub(super) said: Option<String>,
    pub(super) after: Option<State>,
    /// Whether what became of the change is not known: its intent stays without a receipt.
    pub(super) is_open: bool,
}

impl Verdict {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self {
            outcome: Some(outcome),
            detail: None,
            said: None,
            after: None,
            is_open: false,
        }
    }

    pub(super) fn because(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::of(outcome)
        }
    }

    /// What the service, or the way to it, had to say.
    pub(super) fn of_error(outcome: Outcome, error: &WriteError) -> Self {
        Self {
            detail: Some(error.code.to_string()),
            said: Some(error.message.clone()),
            ..Self::of(outcome)
        }
    }

    /// It could not be tried.
    pub(super) fn untried(error: &WriteError) -> Self {
        use ProblemCode::{AccountDisabled, Forbidden, SharingDisabled, Unauthorized};
        let is_forbidden = matches!(
            error.code,
            AccountDisabled | Forbidden | SharingDisabled | Unauthorized
        );
        let outcome = if is_forbidden || error.effect == ChangeEffect::Refused {
            Outcome::Refused
        } else {
            Outcome::Failed
        };
        Self::of_error(outcome, error)
    }

    /// A change that was asked for, and not confirmed.
    pub(super) fn unmade(error: &WriteError) -> Self {
        match error.effect {
            ChangeEffect::Refused => Self::of_error(Outcome::Refused, error),
            ChangeEffect::None => Self::of_error(Outcome::Failed, error),
            ChangeEffect::Unknown => Self::open(error),
        }
    }

    /// The same, of which no further line is written.
    pub(super) fn on_record(self) -> Self {
        Self {
            is_open: true,
            ..self
        }
    }

    /// It would be done.
    pub(super) fn rehearsed() -> Self {
        Self {
            outcome: None,
            ..Self::of(Outcome::Applied)
        }
    }

    /// It may have been done, and is found out by the next run.
    pub(super) fn open(error: &WriteError) -> Self {
        Self {
            said: Some(format!(
                "{}; whether it was done is not known: run the same again to find out",
                error.message
            )),
            is_open: true,
            ..Self::of_error(Outcome::Failed, error)
        }
    }

    pub(super) fn with(mut self, after: State) -> Self {
        self.after = Some(after);
        self
    }

    /// The receipt of an action that was to do something to a share.
    pub(super) fn receipt(self, action: &str, source: &SourceName, share: &str, deed: Deed) -> Receipt {
        Receipt {
            action: action.to_owned(),
            source: source.clone(),
            share: share.to_owned(),
            deed,
            outcome: self.outcome,
            detail: self.said.or(self.detail),
            after: self.after,
        }
    }
}

impl Enforcer<'_> {
    /// Carries out these actions of a recorded plan, in their order.
    ///
    /// # Errors
    /// [`EnforceError`]: before the first change, or because the journal cannot be kept.
    pub async fn apply(&mut self, plan: &str, actions: &[&Action]) -> Result<Done, EnforceError> {
        let mut needed: BTreeMap<&SourceName, BTreeSet<&str>> = BTreeMap::new();
        for action in actions {
            let accounts = needed.entry(&action.source).or_default();
            accounts.extend(action.act_as.as_deref());
        }
        let sources: Vec<SourceName> = needed.keys().copied().cloned().collect();
        self.prepare(needed).await?;
        let begun = Entry {
            plan: Some(plan.to_owned()),
            ..self.line(Event::Begun)
        };
        self.record(&begun)?;
        let settled = self.settle(&sources).await?;
        let mut done = Done::default();
        for (place, action) in actions.iter().enumerate() {
            if self.with.cancel.is_cancelled() {
                done.left = actions.len() - place;
                break;
            }
            let receipt = self
                .carry_out(plan, (action, actions), settled.get(&action.id))
                .await?;
            let Some(receipt) = receipt else {
                done.left = actions.len() - place;
                break;
            };
            done.receipts.push(receipt);
        }
        let ended = Entry {
            plan: Some(plan.to_owned()),
            ..self.line(Event::Ended)
        };
        self.record(&ended)?;
        done.closed.clone_from(&self.closed);
        Ok(done)
    }

    /// What became of an action; `None` where the run was asked to stop before it was begun.
    async fn carry_out(
        &mut self,
        plan: &str,
        (action, all): (&Action, &[&Action]),
        settled: Option<&Settled>,
    ) -> Result<Option<Receipt>, EnforceError> {
        let verdict = if let Some(verdict) = settled.and_then(Settled::verdict) {
            verdict
        } else {
            let verdict = self.attempt(plan, action, all).await?;
            if verdict.detail.as_deref() == Some(ProblemCode::Interrupted.as_str()) {
                return Ok(None);
            }
            if !verdict.is_open && verdict.outcome.is_some() {
                let line = self.line_of(plan, action, Event::Receipt);
                self.record(&Entry {
                    after: verdict.after.clone(),
                    outcome: verdict.outcome,
                    detail: verdict.detail.clone(),
                    ..line
                })?;
            }
            verdict
        };
        tracing::info!(
            run = self.with.run, action = action.id, source = %action.source, share = action.share, deed = %action.action,
            outcome = verdict.outcome.map(Outcome::as_str), "action"
        );
        Ok(Some(verdict.receipt(
            &action.id,
            &action.source,
            &action.share,
            deed_of(action.action),
        )))
    }

    /// Does what an action says, if everything is as it expects.
    async fn attempt(
        &mut self,
        plan: &str,
        action: &Action,
        all: &[&Action],
    ) -> Result<Verdict, JournalError> {
        if let Some((outcome, why)) = (self.with.bar)(action) {
            return Ok(Verdict::because(outcome, why));
        }
        let writer = match self.writer(&action.source, action.act_as.as_deref()) {
            Ok(writer) => writer,
            Err(error) => return Ok(Verdict::untried(&error)),
        };
        let Some(known) = self.journal.known(&action.source, &action.share)? else {
            let words = "the state knows nothing of this share any more: scan, and make a new plan";
            return Ok(Verdict::because(Outcome::Refused, words));
        };
        let target = Target {
            share: action.share.clone(),
            act_as: action.act_as.clone(),
            item: known.item,
        };
        if !self.with.rehearsal
            && let Err(error) = self.unless_stopped(writer.turn()).await
        {
            self.weigh(&action.source, &error);
            return Ok(Verdict::untried(&error));
        }
        let there = match self.ready(writer, (action, all), &target).await? {
            Ok(there) => there,
            Err(verdict) => return Ok(verdict),
        };
        if self.with.rehearsal {
            return Ok(Verdict::rehearsed().with(there.state));
        }
        if self.with.cancel.is_cancelled() {
            return Ok(Verdict::untried(&stopped()));
        }
        let line = self.line_of(plan, action, Event::Intent);
        self.journal.append(&Entry {
            before: Some(there.state.clone()),
            ..line
        })?;
        let mut tries = 1;
        let asked = loop {
            let asked = match (action.action, action.value.as_deref()) {
                (ActionKind::Revoke, _) => writer.revoke(&target).await,
                (ActionKind::SetExpiry, value) => writer.set_expiry(&target, value).await,
            };
            // What was clearly refused for now, and nothing else, is asked for again: after the time that the service wants,
            // and where everything still is as it should be.
            let is_put_off = matches!(&asked, Err(error) if error.is_put_off());
            if !is_put_off || tries == TRIES || self.unless_stopped(writer.turn()).await.is_err() {
                break asked;
            }
            tries += 1;
            if let Err(verdict) = self.ready(writer, (action, all), &target).await? {
                return Ok(verdict);
            }
        };
        self.verify(writer, action, &target, asked).await
    }

    /// Reads a share again: what is there, where it is as an action expects it, or what else the action comes to.
    async fn ready(
        &mut self,
        writer: &dyn Writer,
        (action, all): (&Action, &[&Action]),
        target: &Target,
    ) -> Result<Result<Box<There>, Verdict>, JournalError> {
        let there = match self.look(writer, target).await {
            Ok(Look::There(there)) => there,
            Ok(Look::Gone) => return self.absent(action, all, None).map(Err),
            Ok(Look::Lost(why)) => return self.absent(action, all, Some(why)).map(Err),
            Err(LookError::Journal(error)) => return Err(error),
            Err(LookError::Service(error)) => {
                self.weigh(&action.source, &error);
                return Ok(Err(Verdict::untried(&error)));
            }
        };
        let past = self.journal.of_action(&action.id)?;
        if let Some(before) = verdict_of_the_past(action, &there, &past) {
            return Ok(Err(before.with(there.state)));
        }
        if is_met(action, &there) {
            return Ok(Err(Verdict::of(Outcome::AlreadyDone).with(there.state)));
        }
        let drift = there.drift(&action.expects);
        if !drift.is_empty() {
            let drifted = Verdict::because(Outcome::Drifted, changed(&drift));
            return Ok(Err(drifted.with(there.state)));
        }
        Ok(match self.newly_dying(writer, action, target).await? {
            Some(drift) => Err(drift.with(there.state)),
            None => Ok(there),
        })
    }

    /// What an action on a share comes to that is no longer there, or can no longer be seen.
    fn absent(
        &self,
        action: &Action,
        all: &[&Action],
        lost: Option<&'static str>,
    ) -> Result<Verdict, JournalError> {
        if let Some(done) = last_applied(&self.journal.of_action(&action.id)?)
            && done.undoes.is_none()
            && action.action == ActionKind::Revoke
        {
            let words = format!("done by the run {}", done.run);
            return Ok(Verdict::because(Outcome::AlreadyDone, words));
        }
        for other in all {
            let ends_it = other.source == action.source
                && other.action == ActionKind::Revoke
                && other.also_ends.contains(&action.share);
            if ends_it && last_applied(&self.journal.of_action(&other.id)?).is_some() {
                let words = "it ended together with another share of this plan";
                return Ok(Verdict::because(Outcome::AlreadyDone, words));
            }
        }
        Ok(match (action.action, lost) {
            (ActionKind::Revoke, None) => Verdict::of(Outcome::AlreadyDone),
            (ActionKind::SetExpiry, None) => Verdict::because(Outcome::AlreadyDone, "it was ended since"),
            (_, Some(why)) => Verdict::because(Outcome::Drifted, why),
        })
    }

    /// Reads back what was changed, and finds out what became of it.
    async fn verify(
        &mut self,
        writer: &dyn Writer,
        action: &Action,
        target: &Target,
        asked: Result<(), WriteError>,
    ) -> Result<Verdict, JournalError> {
        if let Err(error) = &asked {
            self.weigh(&action.source, error);
            if error.effect == ChangeEffect::None {
                return Ok(Verdict::of_error(Outcome::Failed, error));
            }
        }
        let look = match self.look(writer, target).await {
            Ok(look) => look,
            Err(LookError::Journal(error)) => return Err(error),
            Err(LookError::Service(error)) => {
                self.weigh(&action.source, &error);
                return Ok(Verdict::open(asked.as_ref().err().unwrap_or(&error)));
            }
        };
        Ok(match (look, action.action, asked) {
            (Look::Gone | Look::Lost(_), ActionKind::Revoke, Ok(())) => Verdict::of(Outcome::Applied),
            (Look::Gone | Look::Lost(_), ActionKind::Revoke, Err(error)) => match error.effect {
                // Somebody else was quicker.
                ChangeEffect::Refused => Verdict::of(Outcome::AlreadyDone),
                _ => Verdict::of(Outcome::Applied),
            },
            (Look::Gone | Look::Lost(_), ActionKind::SetExpiry, _) => {
                Verdict::because(Outcome::Drifted, "it was ended at the same time")
            }
            (Look::There(there), kind, asked) => {
                let others = there.drift_but_date(&action.expects);
                let met = kind == ActionKind::SetExpiry
                    && action
                        .value
                        .as_deref()
                        .is_some_and(|value| ends_by(&there.share.expires, value));
                let verdict = match asked {
                    Ok(()) if met && others.is_empty() => Verdict::of(Outcome::Applied),
                    Ok(()) if met => Verdict::because(
                        Outcome::Failed,
                        format!(
                            "the date was set, and at the same time {} changed",
                            others.join(", ")
                        ),
                    ),
                    Ok(()) => Verdict::because(
                        Outcome::Failed,
                        "the service said that it was done, and it was not",
                    ),
                    // Whoever did it: it is as it was to be, and was not before.
                    Err(error) if error.effect == ChangeEffect::Refused && met && others.is_empty() => {
                        Verdict::of(Outcome::AlreadyDone)
                    }
                    Err(error) if error.effect == ChangeEffect::Refused => {
                        Verdict::of_error(Outcome::Refused, &error)
                    }
                    Err(_) if met && others.is_empty() => Verdict::of(Outcome::Applied),
                    // It may still be on its way.
                    Err(error) => Verdict::open(&error),
                };
                verdict.with(there.state)
            }
        })
    }

    /// Whether more would end with a share than was announced: links that its recipients made since.
    async fn newly_dying(
        &self,
        writer: &dyn Writer,
        action: &Action,
        target: &Target,
    ) -> Result<Option<Verdict>, JournalError> {
        let Expects { kind, recipients, .. } = &action.expects;
        // Of whom it is known who is a recipient.
        let named = matches!(kind, ShareKind::User | ShareKind::Group);
        let rests_on_it = named || matches!(kind, ShareKind::Team | ShareKind::Room);
        if action.action != ActionKind::Revoke || !rests_on_it || action.act_as.is_none() {
            return Ok(None);
        }
        let links = match writer.read_links_beneath(target).await {
            Ok(links) => links,
            Err(error) => return Ok(Some(Verdict::untried(&error))),
        };
        for mut link in links {
            if action.also_ends.contains(&link.id) {
                continue;
            }
            self.journal.fill(&mut link)?;
            let maker = link.shared_by.filter(|maker| maker.id != action.owner);
            let may_rest_on_it = maker.is_some_and(|maker| {
                let in_it = |id: &String| maker.id == *id || maker.groups.contains(id);
                // In which groups somebody is of whom no scan has told is not known.
                let unknown = *kind == ShareKind::Group && maker.groups.is_empty();
                !named || unknown || recipients.iter().any(in_it)
            });
            if may_rest_on_it {
                let words = "a recipient shared it on since: another share would end with it";
                return Ok(Some(Verdict::because(Outcome::Drifted, words)));
            }
        }
        Ok(None)
    }

    fn line_of(&self, plan: &str, action: &Action, event: Event) -> Entry {
        Entry {
            plan: Some(plan.to_owned()),
            action: Some(action.id.clone()),
            finding: Some(action.finding.clone()),
            source: Some(action.source.clone()),
            share: Some(action.share.clone()),
            act_as: action.act_as.clone(),
            deed: Some(deed_of(action.action)),
            value: action.value.clone(),
            also_ends: action.also_ends.clone(),
            ..self.line(event)
        }
    }
}

/// What an action that was done before, or taken back, comes to now; `None` where it was never done.
fn verdict_of_the_past(action: &Action, there: &There, past: &[Entry]) -> Option<Verdict> {
    let done = last_applied(past)?;
    if done.undoes.is_none() && is_met(action, there) {
        return Some(Verdict::because(
            Outcome::AlreadyDone,
            format!("done by the run {}", done.run),
        ));
    }
    let became = if done.undoes.is_some() {
        "and taken back by the run"
    } else {
        "and changed since the run"
    };
    Some(Verdict::because(
        Outcome::Drifted,
        format!("it was done once, {became} {}: make a new plan", done.run),
    ))
}

/// The last line that says that something was done.
fn last_applied(past: &[Entry]) -> Option<&Entry> {
    past.iter()
        .rfind(|entry| entry.event == Event::Receipt && entry.outcome == Some(Outcome::Applied))
}

/// Whether a share that is there is as an action wants it.
fn is_met(action: &Action, there: &There) -> bool {
    let value = match action.action {
        ActionKind::Revoke => return false,
        ActionKind::SetExpiry => action.value.as_deref(),
    };
    value.is_some_and(|value| ends_by(&there.share.expires, value))
        && there.drift_but_date(&action.expects).is_empty()
}

fn deed_of(kind: ActionKind) -> Deed {
    match kind {
        ActionKind::SetExpiry => Deed::SetExpiry,
        ActionKind::Revoke => Deed::Revoke,
    }
}
