//! `history`: the life of a finding, of a share, or of what somebody owns, without scanning.

use std::path::PathBuf;

use clap::Args;

use super::terminal::{Output, say};
use super::{Exit, Global, decision, unwritten};
use crate::model::SourceName;
use crate::report::history::{self, HistoryFormat, Life};
use crate::store::StoreError;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    of: Of,
    /// The source, where several have the same id
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The form of the history
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = format())]
    format: String,
    /// Write the history to a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Whose life is told.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// The life of a finding, by its id
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// The life of a share, by the service's own id
    #[arg(long, value_name = "ID")]
    share: Option<String>,
    /// That of all shares of what somebody owns (account id, mail address, or address of a site)
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
}

impl Of {
    fn life(self) -> Life {
        match (self.finding, self.share, self.owner) {
            (Some(id), ..) => Life::Finding(id),
            (None, Some(id), _) => Life::Share(id),
            (None, None, id) => Life::Owner(id.unwrap_or_default()),
        }
    }
}

/// The names of the formats, for the command line.
fn format() -> clap::builder::PossibleValuesParser {
    HistoryFormat::ALL
        .iter()
        .map(|format| format.as_str())
        .collect::<Vec<_>>()
        .into()
}

pub(super) fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let (_, ledger) = decision::read(global, "history")?;
    let source = arguments.source.map(SourceName::new);
    let life = ledger
        .life(&arguments.of.life(), source.as_ref())
        .map_err(|error| {
            say(&format!("error: {error}"));
            match error {
                StoreError::Unknown { .. } | StoreError::Ambiguous { .. } => Exit::Usage,
                _ => Exit::NotKept,
            }
        })?;
    let format = arguments.format.parse().unwrap_or(HistoryFormat::Table);
    let output = Output::of(arguments.output);
    match output.write(|out| history::write(format, &life, out)) {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(unwritten(&error)),
    }
}
