//! `incident close`: ends a suspected breach, with what came of it.

use clap::{Args, Subcommand};

use super::decision;
use super::terminal::{Output, say};
use super::{Exit, Global, unwritten};
use crate::model::FindingId;
use crate::store::Closing;

/// The longest outcome.
const OUTCOME: usize = 2000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Record what came of a suspected breach, and end it
    Close(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The finding of `breach-suspected`, by its id in a report
    #[arg(value_name = "FINDING")]
    finding: String,
    /// What was found out and decided
    #[arg(long, value_name = "TEXT")]
    outcome: String,
    /// Who answers for that
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(super) fn run(global: &Global, command: &Command) -> Result<Exit, Exit> {
    let Command::Close(arguments) = command;
    let (_, mut ledger) = decision::open(global, "incident close")?;
    let Some(finding) = FindingId::typed(&arguments.finding) else {
        say("error: this is no finding's id\nhelp: copy the 16 hexadecimal digits from a report");
        return Err(Exit::Usage);
    };
    let closing = Closing {
        outcome: decision::words("--outcome", &arguments.outcome, OUTCOME)?,
        by: decision::words("--by", &arguments.by, decision::NAME)?,
        at: global.now(),
        finding,
    };
    let closed = ledger
        .close_incident(&closing)
        .map_err(|error| decision::refused(&error))?;
    if closed.untold > 0 {
        say(&format!(
            "note: {} further records of use were found since the last report: the finding stays open for them",
            closed.untold
        ));
    }
    let records = if closed.records == 1 {
        "1 record of use".to_owned()
    } else {
        format!("{} records of use", closed.records)
    };
    let ends = if closed.untold > 0 {
        ""
    } else {
        ": the finding ends with the next scan"
    };
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "incident {} is closed, with {records}{ends}",
            closing.finding.as_str()
        )
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}
