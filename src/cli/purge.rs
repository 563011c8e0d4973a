//! `purge`: forgets somebody, and what belonged to them.

use clap::Args;

use super::terminal::{Output, say};
use super::{Exit, Global, decision, unwritten};
use crate::model::SourceName;
use crate::store::{Forgotten, SourceLock, StoreError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whom to forget (account id or mail address)
    #[arg(long, value_name = "ID")]
    owner: String,
    /// The source, where an id is known in several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let (loaded, mut ledger) = decision::open(global, "purge")?;
    let source = arguments.source.as_ref().map(SourceName::new);
    let source = ledger
        .source_of_owner(&arguments.owner, source.as_ref())
        .map_err(|error| not_forgotten(&error))?;
    // A scan that goes on would write again of whom it has read already.
    let _lock = SourceLock::take(&loaded.settings.state.path, &source, global.finished())
        .map_err(|error| not_forgotten(&error))?;
    let forgotten = ledger
        .forget_owner(&arguments.owner, &source)
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
    if wiped {
        Ok(Exit::Done)
    } else {
        say(
            "error: the state file could not be written anew, since somebody works with it or its disk is full: \
             remains may lie in its unused parts\nhelp: run any `purge` again when no scan runs",
        );
        Ok(Exit::NotKept)
    }
}

fn not_forgotten(error: &StoreError) -> Exit {
    match error {
        StoreError::Unknown { .. } | StoreError::Ambiguous { .. } => {
            say(&format!("error: {error}; nobody was forgotten"));
            Exit::Usage
        }
        StoreError::Locked { source_name, holder } => {
            say(&format!(
                "error: the source `{source_name}` is being scanned by {holder}; wait for it: nobody was forgotten"
            ));
            Exit::Usage
        }
        error => {
            say(&format!("error: nobody was forgotten: {error}"));
            Exit::NotKept
        }
    }
}
