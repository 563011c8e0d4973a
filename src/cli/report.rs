//! `report`: prints a stored run again, without scanning.

use std::path::PathBuf;

use clap::Args;

use super::terminal::{Output, say};
use super::{Exit, Global, scan};
use crate::model::Verdict;
use crate::report::Pages;
use crate::store::{Ledger, RunFilter};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id [default: the latest]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = scan::format())]
    format: String,
    /// Write the report to a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let ledger = kept(global, "report")?;
    let output = Output::of(arguments.output);
    let stored = scan::stored(&ledger, arguments.run.as_deref(), RunFilter::default())?;
    let exit = scan::print(global, &stored, &arguments.format, &output, None);
    // A report of an incomplete run must not pass for a clean one either.
    let incomplete = stored.header().run.verdict == Verdict::Incomplete;
    Ok(if incomplete {
        exit.max(Exit::Incomplete)
    } else {
        exit
    })
}

/// The ledger of earlier runs, for a command that reads it and scans nothing.
pub(super) fn kept(global: &Global, command: &str) -> Result<Ledger, Exit> {
    if global.no_state {
        say(&format!(
            "error: `{command}` prints what the state holds, so --no-state leaves it nothing to print"
        ));
        return Err(Exit::Usage);
    }
    let loaded = global.load()?;
    let path = &loaded.settings.state.path;
    if !path.exists() {
        say(&format!(
            "error: no run is stored yet: there is no state file {}\nhelp: make one with `sharewarden scan`",
            path.display()
        ));
        return Err(Exit::Usage);
    }
    scan::open(global, &loaded.settings)
}
