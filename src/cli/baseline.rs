//! `baseline release`: lets the findings of a source's baseline be mailed and enforced.

use clap::{Args, Subcommand};

use super::terminal::{Output, say};
use super::{Exit, Global, decision, scan, unwritten};
use crate::model::{Level, RuleId, SourceName};
use crate::store::{Release, Released};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let findings that were there from the beginning be mailed and enforced
    Release(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The source
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Only findings of this rule; may be repeated
    #[arg(long, value_name = "RULE", value_parser = scan::rule)]
    rule: Vec<RuleId>,
    /// Only findings of this level and above
    #[arg(long, value_name = "LEVEL", default_value = "info",
          value_parser = ["info", "low", "medium", "high", "critical"])]
    min_level: String,
}

pub(super) fn run(global: &Global, command: &Command) -> Result<Exit, Exit> {
    let Command::Release(arguments) = command;
    let (loaded, mut ledger) = decision::open(global, "baseline release")?;
    let source = SourceName::new(&arguments.source);
    let released = ledger
        .release_baseline(Release {
            source: &source,
            rules: &arguments.rule,
            min_level: arguments.min_level.parse().unwrap_or(Level::Info),
        })
        .map_err(|error| decision::refused(&error))?;
    if released.is_none() && loaded.settings.source(&arguments.source).is_none() {
        let names: Vec<_> = loaded
            .settings
            .sources
            .iter()
            .map(|source| source.name.as_str())
            .collect();
        say(&format!(
            "error: no source has the name {:?}\nhelp: the sources are: {}",
            arguments.source,
            names.join(", ")
        ));
        return Err(Exit::Usage);
    }
    // One that was never scanned has found nothing yet.
    let Released {
        released,
        held,
        read_whole,
    } = released.unwrap_or(Released {
        released: 0,
        held: 0,
        read_whole: false,
    });
    if !read_whole {
        say(&format!(
            "note: `{source}` was never read and judged whole, by a scan without --user and --rule: what is found until \
             it once is belongs to its baseline, too; release that when it was"
        ));
    }
    let findings = if released == 1 {
        "finding is"
    } else {
        "findings are"
    };
    let written = Output::Standard.write(|out| {
        writeln!(
            out,
            "{released} {findings} released from the baseline of `{source}`, {held} still held"
        )
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}
