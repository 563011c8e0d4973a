//! `purge`: forgets somebody and what belonged to them, or what only runs before a day tell.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};

use super::terminal::{Output, say};
use super::waive::day;
use super::{Exit, Global, decision, password, unwritten};
use crate::config::Settings;
use crate::model::SourceName;
use crate::store::{Forgotten, Ledger, SourceLock, StoreError};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("forgotten").required(true).args(["owner", "before"])))]
pub(super) struct Arguments {
    /// Whom to forget (account id or mail address)
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Forget the runs before this day, as 2027-03-31, and what only they tell
    #[arg(long, value_name = "DATE")]
    before: Option<String>,
    /// The source, where an id is known in several
    #[arg(long, value_name = "NAME", conflicts_with = "before")]
    source: Option<String>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let (loaded, ledger) = decision::open(global, "purge")?;
    // A run of changes looks up what it changes.
    let _lock = super::change::lock(global, &loaded.settings.state.path)?;
    match (&arguments.owner, &arguments.before) {
        (Some(owner), _) => person(
            global,
            (&loaded.settings, ledger),
            owner,
            arguments.source.as_ref(),
        ),
        (None, before) => runs(
            global,
            (&loaded.settings, ledger),
            before.as_deref().unwrap_or_default(),
        ),
    }
}

/// Forgets what only runs before a day tell.
fn runs(global: &Global, (settings, mut ledger): (&Settings, Ledger), before: &str) -> Result<Exit, Exit> {
    let Some(day) = day(before) else {
        say("error: --before is no day of the calendar; nothing was forgotten\nhelp: write it as 2027-03-31");
        return Err(Exit::Usage);
    };
    let start = day
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MIN, |midnight| midnight.timestamp());
    let locks = settings
        .sources
        .iter()
        .map(|source| SourceLock::take(&settings.state.path, &source.name, global.finished()));
    let _locks: Vec<_> = locks
        .collect::<Result<_, _>>()
        .map_err(|error| not_forgotten(&error))?;
    let (runs, wiped) = ledger
        .erase_before(start)
        .map_err(|error| not_forgotten(&error))?;
    let words = if runs == 1 { "run" } else { "runs" };
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "forgotten: {runs} {words} before {day}, with what only they told"
        )
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(ended(wiped))
}

/// Forgets somebody.
fn person(
    global: &Global,
    (settings, mut ledger): (&Settings, Ledger),
    owner: &str,
    source: Option<&String>,
) -> Result<Exit, Exit> {
    let source = source.map(SourceName::new);
    let source = ledger
        .source_of_owner(owner, source.as_ref())
        .map_err(|error| not_forgotten(&error))?;
    // A scan that goes on would write again of whom it has read already.
    let _lock = SourceLock::take(&settings.state.path, &source, global.finished())
        .map_err(|error| not_forgotten(&error))?;
    let addresses = ledger
        .accounts_named(owner, Some(&source))
        .map_err(|error| not_forgotten(&error))?
        .into_iter()
        .filter_map(|(_, _, account)| account.email);
    let rules = super::notify::rules(settings);
    let written_to = |address: String| {
        rules
            .usable(&address)
            .map_or(address, |usable| usable.to_string())
    };
    let addresses = addresses.map(written_to).collect();
    let forgotten = ledger
        .forget_owner(owner, &source)
        .map_err(|error| not_forgotten(&error))?;
    let Forgotten {
        shares,
        findings,
        items,
        named,
        wiped,
    } = forgotten;
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "forgotten in `{source}`: the person, shares: {shares}, findings about them: {findings}, files and folders: {items}"
        )
    });
    if named {
        say("note: shares of others name the person: there the id stays, without name and address");
    }
    say("note: whoever still has an account there is read again by the next scan");
    written.map_err(|error| unwritten(&error))?;
    match password::forget(&settings.state.path, &addresses) {
        Ok(false) => Ok(ended(wiped)),
        Ok(true) => {
            say("note: the password that was set for lists to the person is forgotten, too");
            Ok(ended(wiped))
        }
        Err(error) => {
            say(&format!(
                "error: a password that was set for lists to the person may remain: {error}"
            ));
            Ok(Exit::NotKept)
        }
    }
}

/// How a purge ended, after what it did was said.
fn ended(wiped: bool) -> Exit {
    if wiped {
        Exit::Done
    } else {
        say(
            "error: the state file could not be written anew, since somebody works with it or its disk is full: \
             remains may lie in its unused parts\nhelp: run any `purge` again when no scan runs",
        );
        Exit::NotKept
    }
}

fn not_forgotten(error: &StoreError) -> Exit {
    match error {
        StoreError::Unknown { .. } | StoreError::Ambiguous { .. } => {
            say(&format!("error: {error}; nothing was forgotten"));
            Exit::Usage
        }
        StoreError::Locked { source_name, holder } => {
            say(&format!(
                "error: the source `{source_name}` is being scanned by {holder}; wait for it: nothing was forgotten"
            ));
            Exit::Usage
        }
        error => {
            say(&format!("error: nothing was forgotten: {error}"));
            Exit::NotKept
        }
    }
}
