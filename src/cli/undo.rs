//! `undo`: restores what a run of changes changed, as far as the services allow, and says what it cannot restore.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;
use secrecy::ExposeSecret as _;

use super::change::{self, Form, Printed, Underway};
use super::sources::wrong;
use super::{Exit, Global, scan};
use crate::enforce::{
    Conditions, Deed, EnforceError, Entry, Event, Journal as _, JournalError, Outcome, Reveal, Revealed,
};
use crate::model::SourceName;
use crate::report::text::visible;
use crate::run;
use crate::store::Ledger;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run of changes, as `apply` named it
    run: String,
    /// Say what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// The form of the receipts
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    change::needs_state(global, "undo")?;
    let loaded = global.load()?;
    let settings = &loaded.settings;
    let mut ledger = scan::open(global, settings)?;
    let lines = ledger
        .of_run(&arguments.run)
        .map_err(|error| change::ended_early(&EnforceError::Journal(error)))?;
    if lines.is_empty() {
        return Err(wrong(
            &format!("no run of changes has the id `{}`", arguments.run.escape_debug()),
            "`apply` names its run at the end; `sharewarden journal export` lists them all",
        ));
    }
    let names: BTreeSet<SourceName> = lines.iter().filter_map(|line| line.source.clone()).collect();
    let writers = change::writers(global, settings, &names)?;
    if !arguments.dry_run {
        change::confirm(&question(&lines), arguments.yes)?;
    }
    let underway = Underway::begin(global, settings, &ledger, arguments.dry_run)?;
    let conditions = Conditions {
        audience: &|share| crate::policy::audience(&underway.policy, share),
        bar: &|_| None,
        clock: &|| global.finished(),
        who: &underway.who,
        run: &underway.id,
        rehearsal: arguments.dry_run,
        cancel: &underway.cancel,
    };
    let mut show = |new: &Revealed<'_>| {
        // Once, on the terminal.
        let shown = writeln!(
            io::stdout().lock(),
            "The link to {} in {} (share {}) has the new password  {}\nIt is shown only now. Give it to those who need it, \
             and not by mail.\n",
            visible(new.path.unwrap_or("an item")),
            visible(new.source.as_str()),
            visible(new.share),
            new.password.expose_secret()
        );
        shown.is_ok()
    };
    let reveal: Option<&mut Reveal<'_>> = if io::stdout().is_terminal() {
        Some(&mut show)
    } else {
        None
    };
    let done = run::undo(&mut ledger, &writers, conditions, &arguments.run, reveal).await;
    let done = underway.ended(done)?;
    also_ended(&lines);
    let paths = paths(&ledger, &lines).map_err(|error| change::ended_early(&EnforceError::Journal(error)))?;
    let printed = Printed {
        run: (!arguments.dry_run).then_some(underway.id.as_str()),
        paths: &paths,
        form: arguments.format,
        color: global.color,
    };
    change::print(&done, &printed, &underway.cancel)
}

/// The paths of the items that were acted upon, as far as they are still known, by action.
fn paths(ledger: &Ledger, lines: &[Entry]) -> Result<BTreeMap<String, String>, JournalError> {
    let mut paths = BTreeMap::new();
    for line in lines {
        if let (Some(action), Some(source), Some(share)) = (&line.action, &line.source, &line.share)
            && let Some(known) = ledger.known(source, share)?
        {
            paths.insert(action.clone(), known.path);
        }
    }
    Ok(paths)
}

fn question(lines: &[Entry]) -> String {
    let applied = lines
        .iter()
        .filter(|line| line.event == Event::Receipt && line.outcome == Some(Outcome::Applied))
        .count();
    format!("This will take back what became of {applied} actions, as far as the services allow. Go on?")
}

/// Says which shares ended with others: they are others' to make again.
fn also_ended(lines: &[Entry]) {
    let ended = || {
        lines.iter().filter(|line| {
            line.event == Event::Receipt
                && line.outcome == Some(Outcome::Applied)
                && line.deed == Some(Deed::Revoke)
        })
    };
    // What was ended itself is made again, or said not to be.
    let own: BTreeSet<&String> = ended().filter_map(|line| line.share.as_ref()).collect();
    let also = ended().flat_map(|line| &line.also_ends);
    let also: BTreeSet<&String> = also.filter(|share| !own.contains(share)).collect();
    if !also.is_empty() {
        let ids: Vec<_> = also.iter().map(|id| visible(id).into_owned()).collect();
        super::terminal::say(&format!(
            "note: what ended together with these shares does not come back by itself; who made it has to share it anew: {}",
            ids.join(", ")
        ));
    }
}
