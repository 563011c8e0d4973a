//! A run as events, one flat JSON object a line, for a SIEM.
//!
//! The first fields say which event it is and of what; fields that do not apply are `null`. A line holds
//! no line end of any alphabet: what could not be seen is written as `\uXXXX`.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Pages, flat, json, view};
use crate::model::{Level, Right, Status, Verdict, names};

names! {
    /// What happened: the closed list of `event`.
    Event {
        /// A finding was seen for the first time.
        Opened = "opened",
        /// A finding stands as it stood before; only in reports, never in exports.
        StillOpen = "still_open",
        /// A finding changed: its level, its words, or that it was not checked or waived before.
        Changed = "changed",
        /// The share was read again and the finding is no longer there.
        Resolved = "resolved",
        /// A finding that had ended is back.
        Reopened = "reopened",
        /// A finding is accepted for a time.
        Waived = "waived",
        /// A finding was ended by a change of the policy.
        ClosedByPolicy = "closed_by_policy",
        /// The share was not read again; nothing is known since.
        NotChecked = "not_checked",
        /// A share changed.
        ShareChanged = "share_changed",
        /// A share was acted upon.
        Action = "action",
        /// A letter was sent to an owner.
        Letter = "letter",
        /// A run ended.
        RunFinished = "run_finished",
    }
}

impl Event {
    /// The event that tells that a finding has come to a status; `open` is what stands still.
    #[must_use]
    pub fn of(status: Status) -> Self {
        match status {
            Status::New => Self::Opened,
            Status::Open => Self::StillOpen,
            Status::Waived => Self::Waived,
            Status::Resolved => Self::Resolved,
            Status::NotChecked => Self::NotChecked,
            Status::ClosedByPolicy => Self::ClosedByPolicy,
        }
    }
}

/// What every event begins with.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The run's id.
    pub run: &'a str,
    /// The event's number in the run, from 1; with the run it names the event.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
    /// When.
    pub time: Timestamp,
}

/// Writes a run as events: one a finding, one for each share that changed, and one for the run itself as the last line.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let header = pages.header();
    let run = header.run.id.as_str();
    let events = pages.events(0, &mut |sequence, happening| {
        let stamp = Stamp {
            run,
            sequence,
            event: happening.event,
            time: happening.time,
        };
        write_event(&stamp, &happening, out)
    })?;
    let last = Stamp {
        run,
        sequence: events + 1,
        event: Event::RunFinished,
        time: header.run.finished_at,
    };
    write_run(&last, header, out)
}

/// Writes an event about a finding or a share.
///
/// # Errors
/// Whatever `out` reports.
pub fn write_event(stamp: &Stamp<'_>, happening: &view::Happening, out: &mut dyn Write) -> io::Result<()> {
    json::compact(&EventLine { stamp, happening }, out)?;
    out.write_all(b"\n")
}

/// Writes the event of a run that ended.
///
/// # Errors
/// Whatever `out` reports.
pub fn write_run(stamp: &Stamp<'_>, header: &view::Header, out: &mut dyn Write) -> io::Result<()> {
    json::compact(&RunLine { stamp, header }, out)?;
    out.write_all(b"\n")
}

/// Writes a line of the journal as an event.
///
/// # Errors
/// Whatever `out` reports.
pub fn write_change(change: &view::Change, out: &mut dyn Write) -> io::Result<()> {
    json::compact(&ChangeLine(change), out)?;
    out.write_all(b"\n")
}

/// Writes what became of a letter as an event.
///
/// # Errors
/// Whatever `out` reports.
pub fn write_letter(letter: &view::Letter, out: &mut dyn Write) -> io::Result<()> {
    json::compact(&LetterLine(letter), out)?;
    out.write_all(b"\n")
}

impl Stamp<'_> {
    fn serialize_into<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        line.serialize_entry("event_id", &format!("{}-{}", self.run, self.sequence))?;
        line.serialize_entry("event", &self.event)?;
        line.serialize_entry("time", &self.time)?;
        line.serialize_entry("run", self.run)
    }
}

struct EventLine<'a> {
    stamp: &'a Stamp<'a>,
    happening: &'a view::Happening,
}

impl Serialize for EventLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        self.stamp.serialize_into(&mut line)?;
        serialize_about(&self.happening.subject, &self.happening.before, &mut line)?;
        line.end()
    }
}

/// What an event says after its stamp.
pub(super) fn serialize_about<M: SerializeMap>(
    subject: &view::Subject,
    before: &view::Before,
    line: &mut M,
) -> Result<(), M::Error> {
    let about = flat::About::subject(subject);
    for (name, value) in flat::FIELDS
        .iter()
        .filter(|(name, _)| !flat::OF_NOW.contains(name))
    {
        line.serialize_entry(name, &value(&about))?;
    }
    for (name, value) in flat::BEFORE {
        line.serialize_entry(name, &value(before))?;
    }
    Ok(())
}

struct RunLine<'a> {
    stamp: &'a Stamp<'a>,
    header: &'a view::Header,
}

impl Serialize for RunLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view::Header {
            run, sources, totals, ..
        } = self.header;
        let incomplete: Vec<&str> = sources
            .iter()
            .filter(|source| source.verdict == Verdict::Incomplete)
            .map(|source| source.name.as_str())
            .collect();
        let mut line = serializer.serialize_map(None)?;
        self.stamp.serialize_into(&mut line)?;
        line.serialize_entry("verdict", &run.verdict)?;
        line.serialize_entry("incomplete_sources", &incomplete.join("; "))?;
        line.serialize_entry("baseline", &run.baseline)?;
        line.serialize_entry("started_at", &run.started_at)?;
        line.serialize_entry("shares", &totals.shares)?;
        line.serialize_entry("findings", &totals.findings)?;
        line.serialize_entry("waived", &totals.waived)?;
        for level in Level::ALL.iter().rev() {
            line.serialize_entry(level, totals.by_level.get(level).unwrap_or(&0))?;
        }
        line.serialize_entry("policy_digest", &run.policy.digest)?;
        line.serialize_entry("journal_head", &run.journal_head)?;
        line.end()
    }
}

struct ChangeLine<'a>(&'a view::Change);

impl Serialize for ChangeLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let change = self.0;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("event_id", &format!("journal-{}", change.seq))?;
        line.serialize_entry("event", &Event::Action)?;
        line.serialize_entry("time", &change.time)?;
        line.serialize_entry("run", &change.run)?;
        line.serialize_entry("source", &change.source)?;
        line.serialize_entry("finding", &change.finding)?;
        line.serialize_entry("share", &change.share)?;
        line.serialize_entry("phase", change.phase)?;
        line.serialize_entry("action", &change.action)?;
        line.serialize_entry("deed", &change.deed)?;
        line.serialize_entry("value", &change.value)?;
        line.serialize_entry("receipt", &change.receipt)?;
        line.serialize_entry("detail", &change.detail)?;
        line.serialize_entry("who", &change.who)?;
        line.serialize_entry("sudo", &change.sudo)?;
        line.serialize_entry("act_as", &change.act_as)?;
        line.serialize_entry("plan", &change.plan)?;
        line.serialize_entry("undoes", &change.undoes)?;
        line.serialize_entry("also_ends", &change.also_ends.join("; "))?;
        seen(&mut line, "", change.after.as_ref())?;
        seen(&mut line, "was_", change.before.as_ref())?;
        line.serialize_entry("hash", &change.hash)?;
        line.end()
    }
}

struct LetterLine<'a>(&'a view::Letter);

impl Serialize for LetterLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let letter = self.0;
        let mut line = serializer.serialize_map(None)?;
        // A letter that was refused may be tried again, which is another event.
        line.serialize_entry(
            "event_id",
            &format!("letter-{}-{}", letter.key, letter.time.as_second()),
        )?;
        line.serialize_entry("event", &Event::Letter)?;
        line.serialize_entry("time", &letter.time)?;
        line.serialize_entry("run", &letter.run)?;
        line.serialize_entry("letter", &letter.key)?;
        line.serialize_entry("thread", &letter.thread)?;
        line.serialize_entry("told", &letter.told)?;
        line.serialize_entry("instead", &letter.instead)?;
        line.serialize_entry("address", &letter.address)?;
        line.serialize_entry("outcome", &letter.outcome)?;
        line.serialize_entry("reply", &letter.reply)?;
        line.serialize_entry("findings", &letter.findings)?;
        line.serialize_entry("announced", &letter.announced)?;
        line.end()
    }
}

fn seen<M: SerializeMap>(line: &mut M, prefix: &str, seen: Option<&view::Seen>) -> Result<(), M::Error> {
    let access = |seen: &view::Seen| {
        seen.access
            .iter()
            .map(Right::as_str)
            .collect::<Vec<_>>()
            .join("; ")
    };
    line.serialize_entry(&format!("{prefix}kind"), &seen.map(|seen| seen.kind))?;
    line.serialize_entry(&format!("{prefix}audience"), &seen.map(|seen| seen.audience))?;
    line.serialize_entry(&format!("{prefix}access"), &seen.map(access))?;
    line.serialize_entry(&format!("{prefix}password"), &seen.and_then(|seen| seen.password))?;
    line.serialize_entry(
        &format!("{prefix}expires"),
        &seen.and_then(|seen| seen.expires.as_deref()),
    )?;
    line.serialize_entry(
        &format!("{prefix}recipients"),
        &seen.map(|seen| seen.recipients.join("; ")),
    )
}
