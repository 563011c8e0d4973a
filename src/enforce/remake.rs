//! Makes shares again that were ended: with the same item, recipients, access and end, as far as the service allows.

use secrecy::SecretString;

use super::apply::Verdict;
use super::settle::{FOUND, is_like};
use super::undo::{INCOMPLETE, Passwords, Revealed};
use super::{Deed, Enforcer, Entry, Event, JournalError, Look, Outcome, State, Target, There};
use crate::model::{Share, ShareKind, SourceFacts, SourceName};
use crate::provider::{Lost, Writer};

/// A share to be made again.
struct Remaking<'e> {
    source: &'e SourceName,
    ended: &'e State,
    lost: Lost,
    /// The item's path, where it is still known.
    path: Option<String>,
}

impl Enforcer<'_> {
    /// Makes a share again that was ended; and the id of the new one.
    pub(super) async fn recreate(
        &mut self,
        line: &Entry,
        intent: &Entry,
        passwords: &mut Passwords<'_, '_>,
    ) -> Result<(Verdict, Option<String>), JournalError> {
        let (Some(source), Some(ended), Some(id)) = (&line.source, &intent.before, &intent.share) else {
            return Ok((Verdict::because(Outcome::Refused, INCOMPLETE), None));
        };
        let writer = match self.writer(source, line.act_as.as_deref()) {
            Ok(writer) => writer,
            Err(error) => return Ok((Verdict::untried(&error), None)),
        };
        let remaking = self.remaking((source, id, ended), line)?;
        if let Some(verdict) = self.speaks_against(writer, &remaking, passwords) {
            return Ok((verdict, None));
        }
        if let Some(stopped) = self.take_turn(writer, source).await {
            return Ok((stopped, None));
        }
        let lost = &remaking.lost;
        let all = match writer.read_all(&lost.item, lost.act_as.as_deref()).await {
            Ok(all) => all,
            Err(error) => {
                self.weigh(source, &error);
                return Ok((Verdict::untried(&error), None));
            }
        };
        // Of several links each is its own; with one person an item is shared once.
        let is_same =
            |share: &&Share| share.id == *id || (share.kind != ShareKind::Link && is_like(share, intent));
        if let Some(same) = all.iter().find(is_same) {
            let verdict = Verdict::because(Outcome::AlreadyDone, "it is shared like that again");
            return Ok((verdict, Some(same.id.clone())));
        }
        if self.with.rehearsal {
            return Ok((Verdict::rehearsed(), None));
        }
        let password = if lost.password { (passwords.make)() } else { None };
        if lost.password && password.is_none() {
            let words = "no new password could be made";
            return Ok((Verdict::because(Outcome::Refused, words), None));
        }
        self.journal.append(&Entry {
            event: Event::Intent,
            before: Some(ended.clone()),
            beside: all.iter().map(|share| share.id.clone()).collect(),
            ..self.now(line)
        })?;
        match writer.recreate(lost, password.as_ref()).await {
            Ok(made) => {
                let verdict = self
                    .look_at(writer, &remaking, &made, (password.as_ref(), passwords))
                    .await?;
                Ok((verdict, Some(made)))
            }
            Err(error) => {
                self.weigh(source, &error);
                Ok((Verdict::unmade(&error), None))
            }
        }
    }

    /// What is to be made again: where the service has a maximum by now, with the latest end that it takes.
    fn remaking<'e>(
        &self,
        (source, id, ended): (&'e SourceName, &str, &'e State),
        line: &Entry,
    ) -> Result<Remaking<'e>, JournalError> {
        let known = self.journal.known(source, id)?;
        let path = known.as_ref().map(|known| known.path.clone());
        let mut lost = Lost {
            kind: ended.seen.kind,
            anonymous: ended.anonymous,
            item: ended.place(),
            act_as: line.act_as.clone(),
            recipients: ended.seen.recipients.clone(),
            access: ended.seen.access,
            expires: ended.seen.expires.clone(),
            label: known.and_then(|known| known.label),
            password: ended.seen.password == Some(true),
        };
        let expires = lost.expires.as_deref();
        if self.beyond_maximum(source, lost.kind, expires).is_some() {
            lost.expires = self.latest(source, lost.kind).map(|day| day.to_string());
        }
        Ok(Remaking {
            source,
            ended,
            lost,
            path,
        })
    }

    /// What speaks against making a share again, before anything is asked.
    fn speaks_against(
        &self,
        writer: &dyn Writer,
        remaking: &Remaking<'_>,
        passwords: &Passwords<'_, '_>,
    ) -> Option<Verdict> {
        let Remaking {
            source, ended, lost, ..
        } = remaking;
        if self.is_past(ended.seen.expires.as_deref()) {
            let words = "it would have ended by itself by now";
            return Some(Verdict::because(Outcome::AlreadyDone, words));
        }
        let untold = SourceFacts::default();
        let facts = self.open.get(source).unwrap_or(&untold);
        if let Some(why) = writer.irrecoverable(facts, lost) {
            return Some(Verdict::because(Outcome::Refused, why));
        }
        let needs_terminal = lost.password && passwords.reveal.is_none();
        needs_terminal.then(|| {
            let words = "it had a password, and a new one can only be shown on a terminal: run this on one";
            Verdict::because(Outcome::Refused, words)
        })
    }

    /// Reads back what was made again, and shows its password.
    async fn look_at(
        &mut self,
        writer: &dyn Writer,
        remaking: &Remaking<'_>,
        made: &str,
        (password, passwords): (Option<&SecretString>, &mut Passwords<'_, '_>),
    ) -> Result<Verdict, JournalError> {
        let target = Target {
            share: made.to_owned(),
            act_as: remaking.lost.act_as.clone(),
            item: remaking.lost.item.clone(),
        };
        let there = match self.look_or_tell(writer, remaking.source, &target).await? {
            Ok(Look::There(there)) => there,
            Ok(_) => return Ok(Verdict::because(Outcome::Failed, "it vanished at once")),
            Err(verdict) => {
                return Ok(Verdict {
                    is_open: true,
                    ..verdict
                });
            }
        };
        if let (Some(password), Some(reveal)) = (password, passwords.reveal.as_deref_mut()) {
            let shown = reveal(&Revealed {
                source: remaking.source,
                share: made,
                path: remaking.path.as_deref(),
                password,
            });
            if !shown {
                // The next run gives it another one.
                let words = "made again, and its new password could not be shown: run the same again";
                let verdict = Verdict {
                    said: Some(words.to_owned()),
                    ..Verdict::because(Outcome::Applied, FOUND)
                };
                return Ok(verdict.with(there.state));
            }
        }
        let differences = remaking.differences(&there);
        let verdict = if differences.is_empty() {
            Verdict::of(Outcome::Applied)
        } else {
            Verdict::because(Outcome::Applied, differences.join("; "))
        };
        Ok(verdict.with(there.state))
    }

    /// Gives a link another password that was found to have been made by a run which could not show the first one; `None`
    /// where it needs none.
    pub(super) async fn finish_password(
        &mut self,
        line: &Entry,
        made: &Entry,
        passwords: &mut Passwords<'_, '_>,
    ) -> Result<Option<Verdict>, JournalError> {
        let (Some(source), Some(share), true) = (&line.source, &made.share, self.lacks_password(line, made)?)
        else {
            return Ok(None);
        };
        let writer = match self.writer(source, line.act_as.as_deref()) {
            Ok(writer) => writer,
            Err(error) => return Ok(Some(Verdict::untried(&error))),
        };
        if !writer.sets_passwords() {
            let words = format!(
                "it was made again by a run that could not show its password, and this service changes none: its owner has \
                 to end the link {share}, and to share anew"
            );
            return Ok(Some(Verdict::because(Outcome::Refused, words).on_record()));
        }
        let Some(reveal) = passwords.reveal.as_deref_mut() else {
            let words =
                "made again by a run that could not show its password: run this on a terminal for a new one";
            return Ok(Some(Verdict::because(Outcome::Refused, words)));
        };
        if self.with.rehearsal {
            return Ok(Some(Verdict::rehearsed()));
        }
        let Some(password) = (passwords.make)() else {
            let words = "no new password could be made";
            return Ok(Some(Verdict::because(Outcome::Failed, words)));
        };
        let meant = Entry {
            event: Event::Intent,
            deed: Some(Deed::SetPassword),
            share: Some(share.clone()),
            before: made.after.clone(),
            value: None,
            ..self.now(line)
        };
        let Some(target) = meant.target() else {
            return Ok(None);
        };
        let lost = line.share.as_deref().unwrap_or_default();
        let path = self.journal.known(source, lost)?.map(|known| known.path);
        self.journal.append(&meant)?;
        let new = Revealed {
            source,
            share,
            path: path.as_deref(),
            password: &password,
        };
        let verdict = match writer.set_password(&target, &password).await {
            Ok(()) if reveal(&new) => {
                let words = "made again by a run that could not show its password: it has another one";
                Verdict::because(Outcome::Applied, words)
            }
            Ok(()) => {
                let words = "its new password could not be shown: run the same again";
                Verdict::because(Outcome::Failed, words)
            }
            Err(error) => {
                self.weigh(source, &error);
                // Nobody was shown it: the next run sets another one.
                Verdict::of_error(Outcome::Failed, &error)
            }
        };
        self.journal.append(&Entry {
            event: Event::Receipt,
            outcome: verdict.outcome,
            detail: verdict.detail.clone(),
            ..meant
        })?;
        Ok(Some(verdict.on_record()))
    }

    /// Whether a link that was made again has a password that nobody was shown.
    fn lacks_password(&self, line: &Entry, made: &Entry) -> Result<bool, JournalError> {
        let after = made.after.as_ref();
        let protected = after.is_some_and(|after| after.seen.password == Some(true));
        if made.detail.as_deref() != Some(FOUND) || !protected {
            return Ok(false);
        }
        let action = line.action.as_deref().unwrap_or_default();
        let past = self.journal.of_action(action)?;
        Ok(!past.iter().any(|past| {
            past.event == Event::Receipt
                && past.deed == Some(Deed::SetPassword)
                && past.outcome == Some(Outcome::Applied)
                && past.share == made.share
        }))
    }
}

impl Remaking<'_> {
    /// What of the share that was made is not as it was.
    fn differences(&self, there: &There) -> Vec<String> {
        let mut differences = Vec::new();
        let mut fields = there.drift(&self.ended.seen);
        fields.retain(|field| *field != "expires");
        if !fields.is_empty() {
            differences.push(format!("not as it was: {}", fields.join(", ")));
        }
        if there.state.seen.expires != self.ended.seen.expires {
            let ends = there.state.seen.expires.as_deref();
            let ends = ends.map_or_else(|| "never".to_owned(), |day| format!("on {day}"));
            differences.push(format!("the service lets it end {ends}"));
        }
        if let (Some(now), Some(before)) = (&there.state.shared_by, &self.ended.shared_by)
            && now != before
        {
            differences.push(format!("in the name of {now} now"));
        }
        if self.path.is_none() {
            differences.push("its label, if it had one, is not known any more".to_owned());
        }
        differences
    }
}
