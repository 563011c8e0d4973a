//! `completions` and `man`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

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

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// Write a page for each command into this folder, instead of all in one
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// The manual: the command itself, then each of its commands.
pub(super) fn manual(arguments: &Manual, mut command: Command) -> Result<Exit, Exit> {
    command.build();
    let source = format!("sharewarden {}", command.get_version().unwrap_or_default());
    let mut pages = Vec::new();
    collect(command, &source, &mut pages);
    match &arguments.directory {
        None => Output::Standard.write(|out| {
            let mut manual = Vec::new();
            for page in &pages {
                page.render(&mut manual)?;
            }
            out.write_all(&manual)
        }),
        Some(directory) => pages.iter().try_for_each(|page| {
            let of_directory = |error| std::io::Error::other(format!("{}: {error}", directory.display()));
            page.generate_to(directory).map(drop).map_err(of_directory)
        }),
    }
    .map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

/// A page for a command, and one for each command within it.
fn collect(command: Command, source: &str, pages: &mut Vec<Man>) {
    let inner: Vec<_> = command.get_subcommands().cloned().collect();
    // An empty date is not written, and what comes after it would take its place.
    pages.push(Man::new(command).date(" ").source(source).manual("sharewarden"));
    for command in inner {
        collect(command, source, pages);
    }
}
