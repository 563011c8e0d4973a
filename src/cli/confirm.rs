//! `confirm`: records that somebody looked at shares and wants them still.

use clap::Args;

use super::terminal::Output;
use super::{Exit, Global, decision, unwritten};
use crate::model::SourceName;
use crate::store::Reviewed;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("reviewed").required(true).args(["share", "owner"])))]
pub(super) struct Arguments {
    /// The share, by the service's id in a report; may be repeated
    #[arg(long, value_name = "ID")]
    share: Vec<String>,
    /// All shares of this owner (account id or mail address)
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Who looked at them
    #[arg(long, value_name = "NAME")]
    by: String,
    /// The source, where an id is known in several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let (_, mut ledger) = decision::open(global, "confirm")?;
    let by = decision::words("--by", &arguments.by, decision::NAME)?;
    let reviewed = match &arguments.owner {
        Some(owner) => Reviewed::Owner(owner),
        None => Reviewed::Shares(&arguments.share),
    };
    let source = arguments.source.as_ref().map(SourceName::new);
    let confirmed = ledger
        .confirm(reviewed, source.as_ref(), (&by, global.now()))
        .map_err(|error| decision::refused(&error))?;
    let shares = if confirmed == 1 { "share is" } else { "shares are" };
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "{confirmed} {shares} recorded as reviewed; the next scan takes that into account"
        )
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}
