//! `report`: prints a stored run again, without scanning.

use std::path::PathBuf;

use clap::Args;

use super::terminal::Output;
use super::{Exit, Global, decision, scan};
use crate::model::Verdict;
use crate::report::{self, Pages};
use crate::store::RunFilter;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id [default: the latest]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Report only what this person owns or shared (account id or mail address); may be repeated
    #[arg(long, value_name = "ID")]
    user: Vec<String>,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = scan::format())]
    format: String,
    /// Write the report to a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    language: scan::Spoken,
}

pub(super) fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let (loaded, ledger) = decision::read(global, "report")?;
    let output = Output::of(arguments.output);
    let filter = RunFilter {
        users: arguments.user,
        ..RunFilter::default()
    };
    let stored = scan::stored(&ledger, arguments.run.as_deref(), filter)?;
    let style = report::Style {
        language: arguments.language.within(&loaded.settings),
        ..output.style(global.color)
    };
    let exit = scan::print(style, &stored, &arguments.format, &output, None);
    // A report of an incomplete run must not pass for a clean one either.
    let incomplete = stored.header().run.verdict == Verdict::Incomplete;
    Ok(if incomplete {
        exit.max(Exit::Incomplete)
    } else {
        exit
    })
}
