//! `waive`: records that somebody accepts a finding for a time.

use clap::Args;
use jiff::civil::Date;

use super::decision;
use super::terminal::{Output, say};
use super::{Exit, Global, unwritten};
use crate::model::{FindingId, Status};
use crate::policy;
use crate::store::NewWaiver;

/// The longest reason.
const REASON: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The finding, by its id in a report
    #[arg(value_name = "FINDING")]
    finding: String,
    /// Why it is accepted
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last day on which it is, as 2027-03-31; at most `max_waiver` ahead
    #[arg(long, value_name = "DATE")]
    until: String,
    /// Who answers for that
    #[arg(long, value_name = "NAME")]
    approved_by: String,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let (loaded, mut ledger) = decision::open(global, "waive")?;
    let Some(finding) = FindingId::typed(&arguments.finding) else {
        say("error: this is no finding's id\nhelp: copy the 16 hexadecimal digits from a report");
        return Err(Exit::Usage);
    };
    let made_at = global.now();
    let new = NewWaiver {
        reason: decision::words("--reason", &arguments.reason, REASON)?,
        approved_by: decision::words("--approved-by", &arguments.approved_by, decision::NAME)?,
        until: until(
            &arguments.until,
            policy::day(made_at),
            loaded.settings.policy.max_waiver,
        )?,
        finding,
        made_at,
    };
    let waived = ledger.waive(&new).map_err(|error| decision::refused(&error))?;
    if let Some(day) = waived.replaced {
        say(&format!("note: it replaces the waiver that was to end on {day}"));
    }
    if matches!(waived.status, Status::Resolved | Status::ClosedByPolicy) {
        say(&format!(
            "note: the finding does not stand now ({}): the waiver is for its coming back",
            waived.status
        ));
    }
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "finding {} ({}) is waived from the next scan on, to the end of {}",
            new.finding.as_str(),
            waived.rule,
            new.until
        )
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

/// The last day of a waiver: neither past nor too far ahead.
fn until(text: &str, today: Date, ahead: jiff::Span) -> Result<Date, Exit> {
    let wrong = |what: &str, help: &str| {
        say(&format!("error: {what}; nothing was recorded\nhelp: {help}"));
        Exit::Usage
    };
    let date =
        day(text).ok_or_else(|| wrong("--until is no day of the calendar", "write it as 2027-03-31"))?;
    let last = policy::last_day(today, ahead);
    if date < today {
        Err(wrong(
            "--until has passed",
            &format!("{today} is the earliest: the waiver then ends with this day"),
        ))
    } else if date > last {
        Err(wrong(
            "--until is further ahead than `max_waiver` allows",
            &format!("{last} at most, today; or raise `max_waiver` in [policy]"),
        ))
    } else {
        Ok(date)
    }
}

/// A day as people write it; a time of day is none.
pub(super) fn day(text: &str) -> Option<Date> {
    (text.len() == "2027-03-31".len())
        .then(|| text.parse().ok())
        .flatten()
}
