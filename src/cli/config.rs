//! `config check`, `config show`, `config schema`.

use clap::Subcommand;

use super::terminal::Output;
use super::{Exit, Global, unwritten};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say whether the configuration and its secrets can be used
    Check,
    /// Print the effective configuration, secrets as ***
    Show,
    /// Print the JSON Schema of the configuration
    Schema,
}

pub(super) fn run(global: &Global, command: &Command) -> Result<Exit, Exit> {
    let text = match command {
        Command::Check => {
            let loaded = global.load()?;
            let checks = [
                loaded.settings.check_secrets(&[]),
                loaded.settings.check_mail_secrets(),
            ];
            let wrong = checks
                .into_iter()
                .filter_map(Result::err)
                .map(|report| global.wrong(&report))
                .max();
            if let Some(exit) = wrong {
                return Err(exit);
            }
            loaded.summary()
        }
        Command::Show => global.load()?.show().to_owned(),
        Command::Schema => config::schema(),
    };
    Output::Standard
        .write(|out| writeln!(out, "{}", text.trim_end()))
        .map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}
