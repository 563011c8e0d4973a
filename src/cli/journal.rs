//! `journal`: checks the chain of everything that was changed, and prints it for other programs.

use std::io;

use clap::{Args, Subcommand};

use super::terminal::{Output, say};
use super::{Exit, Global, decision, unwritten};
use crate::enforce::Journal as _;
use crate::report::ndjson;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check that nothing of the journal was changed or left out
    Verify(Verify),
    /// Print the journal, one event a line
    Export(Export),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A head that an earlier export or report told: it has to be part of the chain
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Only this run of changes
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only what comes after this line
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
}

pub(super) fn run(global: &Global, command: &Command) -> Result<Exit, Exit> {
    match command {
        Command::Verify(arguments) => verify(global, arguments),
        Command::Export(arguments) => export(global, arguments),
    }
}

fn verify(global: &Global, arguments: &Verify) -> Result<Exit, Exit> {
    let (_, ledger) = decision::read(global, "journal verify")?;
    let verified = ledger
        .verify_journal(arguments.head.as_deref())
        .map_err(|error| {
            say(&format!("error: the journal cannot be read: {error}"));
            Exit::NotKept
        })?;
    match verified {
        Ok(verified) => {
            let written = Output::Standard.write(|out| match &verified.head {
                Some(head) => writeln!(
                    out,
                    "{} lines, head {head}: nothing was changed or left out",
                    verified.entries
                ),
                None => writeln!(out, "0 lines: nothing was ever changed"),
            });
            written.map_err(|error| unwritten(&error))?;
            Ok(Exit::Done)
        }
        Err(broken) => {
            say(&format!(
                "error: {broken}\nhelp: compare with what was exported, and with a copy of the state from before; plans \
                 are carried out all the same"
            ));
            Err(Exit::NotKept)
        }
    }
}

fn export(global: &Global, arguments: &Export) -> Result<Exit, Exit> {
    let (_, ledger) = decision::read(global, "journal export")?;
    if let Some(run) = &arguments.run
        && ledger.of_run(run).is_ok_and(|lines| lines.is_empty())
    {
        say(&format!(
            "error: no run of changes has the id `{}`",
            run.escape_debug()
        ));
        return Err(Exit::Usage);
    }
    let mut failed = None;
    let written = Output::Standard.write(|out| {
        let walked = ledger.journal(arguments.after, arguments.run.as_deref(), &mut |change| {
            ndjson::write_change(&change, out)
        });
        match walked {
            Ok(written) => written,
            Err(error) => {
                failed = Some(error);
                Ok::<(), io::Error>(())
            }
        }
    });
    written.map_err(|error| unwritten(&error))?;
    match failed {
        None => Ok(Exit::Done),
        Some(error) => {
            say(&format!("error: the journal cannot be read: {error}"));
            Err(Exit::NotKept)
        }
    }
}
