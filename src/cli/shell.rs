//! `completions` and `man`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::terminal::Output;
use super::{Exit, unwritten};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(arguments: &Completions, mut command: Command) -> Result<Exit, Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "sharewarden", &mut script);
    Output::Standard
        .write(|out| out.write_all(&script))
        .map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

/// The manual page: the command itself, then each of its commands.
pub(super) fn manual(mut command: Command) -> Result<Exit, Exit> {
    command.build();
    Output::Standard
        .write(|out| {
            let mut page = Vec::new();
            clap_mangen::Man::new(command.clone()).render(&mut page)?;
            for each in command.get_subcommands() {
                clap_mangen::Man::new(each.clone()).render(&mut page)?;
            }
            out.write_all(&page)
        })
        .map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}
