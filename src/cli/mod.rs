//! The command line: parses, builds the parts, prints, and says how it ended.

mod apply;
mod baseline;
mod change;
mod config;
mod confirm;
mod daemon;
mod decision;
mod demo;
mod doctor;
mod emulate;
mod enroll;
mod exit;
mod history;
mod incident;
mod journal;
mod login;
mod mail;
mod nightly;
mod notify;
mod password;
mod plan;
mod prepared;
mod progress;
mod purge;
mod report;
mod rules;
mod scan;
mod shell;
mod sources;
mod tenant;
mod terminal;
mod undo;
mod waive;
mod waivers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

pub use exit::Exit;
use terminal::{Color, LogFormat, say};

use crate::config::{Loaded, Locations, load};

/// Tells who can open which files in Nextcloud and Microsoft 365.
#[derive(Debug, Parser)]
#[command(
    name = "sharewarden",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        help = "The configuration file [default: $SHAREWARDEN_CONFIG, ./sharewarden.toml, \
                $XDG_CONFIG_HOME/sharewarden/config.toml, /etc/sharewarden/config.toml]"
    )]
    config: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say each step; twice, each account or drive and each request
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to colour; auto heeds NO_COLOR
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = false
    )]
    color: Color,
    /// The form of the log on standard error
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Neither read nor write the state
    #[arg(long, global = true)]
    no_state: bool,
    /// The time to judge at, for tests and rehearsals
    #[arg(long, global = true, hide = true, value_name = "RFC3339")]
    now: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the sources, judge every share, record the run and print the report
    Scan(scan::Arguments),
    /// Print a stored run again, without scanning
    Report(report::Arguments),
    /// Propose changes for open findings, by the rules of the configuration
    Plan(plan::Arguments),
    /// Do exactly what a plan says
    Apply(apply::Arguments),
    /// Take a run of changes back, as far as the services allow
    Undo(undo::Arguments),
    /// Mail owners what they should look at
    Notify(notify::Arguments),
    /// The unattended job: scan, mail owners, and change what is due
    Nightly(nightly::Arguments),
    /// Run the nightly job by `[schedule]`, and answer /healthz and /metrics on a loopback address
    Daemon,
    /// What opens the lists that are attached to letters
    #[command(subcommand)]
    Mail(password::Command),
    /// The journal of everything that was changed
    #[command(subcommand)]
    Journal(journal::Command),
    /// Tell the life of a finding, of a share, or of what somebody owns, without scanning
    History(history::Arguments),
    /// Record that a finding is accepted for a time
    Waive(waive::Arguments),
    /// List the waivers, and how each stands
    Waivers(waivers::Arguments),
    /// Record that shares were reviewed and are still wanted
    Confirm(confirm::Arguments),
    /// End a suspected breach, with what came of it
    #[command(subcommand)]
    Incident(incident::Command),
    /// What was found before a source was once read whole
    #[command(subcommand)]
    Baseline(baseline::Command),
    /// Forget somebody and what belonged to them, or what only old runs tell
    Purge(purge::Arguments),
    /// Check every source, the state and the mail, and say what is missing and how to grant it
    Doctor(doctor::Arguments),
    /// Register the auditor with a Nextcloud, to read all accounts with one secret
    Enroll(enroll::Arguments),
    /// Sign in to a source as one person, for scans on demand
    Login(login::Arguments),
    /// List the rules, or explain one
    Rules(rules::Arguments),
    /// Validate, print or describe the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Serve the built-in emulators of Nextcloud and Microsoft 365 on loopback
    Emulate(emulate::Arguments),
    /// Scan an invented organisation and print the report; needs no configuration
    Demo(demo::Arguments),
    /// Print a shell's completion script
    Completions(shell::Completions),
    /// Print the manual
    Man(shell::Manual),
}

impl Global {
    /// The time to judge at, to the second: the clock's, or the one that was given.
    fn now(&self) -> Timestamp {
        let now = self.now.unwrap_or_else(clock);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// The time at this moment: the clock's, or the one that was given.
    fn finished(&self) -> Timestamp {
        self.now.unwrap_or_else(clock)
    }

    fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::INFO,
            (false, _) => LevelFilter::DEBUG,
        }
    }

    /// Reads the configuration; what is wrong with it is said, and ends the command.
    fn load(&self) -> Result<Loaded, Exit> {
        let locations = Locations::from_environment(self.config.as_deref());
        match load(&locations, self.now()) {
            Ok(loaded) => {
                if !loaded.warnings.diagnostics().is_empty() && !self.quiet {
                    for warning in loaded.warnings.diagnostics() {
                        say(&warning.render(self.color.of_diagnostics()));
                    }
                }
                Ok(loaded)
            }
            Err(report) => Err(self.wrong(&report)),
        }
    }

    /// Says what is wrong with the configuration.
    fn wrong(&self, report: &crate::config::Report) -> Exit {
        let consequence = terminal::consequence();
        say(&report.render_with(self.color.of_diagnostics(), consequence));
        Exit::Usage
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
fn clock() -> Timestamp {
    Timestamp::now()
}

/// Runs the command that the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli).into(),
        Err(error) => {
            // Help and version are results; a closed pipe is no error.
            let _ = error.print();
            if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            }
        }
    }
}

fn run(cli: Cli) -> Exit {
    let Cli { global, command } = cli;
    terminal::start_log(global.level(), global.log_format, global.color);
    let result = match command {
        Command::Scan(arguments) => block_on(scan::run(&global, arguments)),
        Command::Report(arguments) => report::run(&global, arguments),
        Command::Plan(arguments) => plan::run(&global, &arguments),
        Command::Apply(arguments) => block_on(apply::run(&global, arguments)),
        Command::Undo(arguments) => block_on(undo::run(&global, arguments)),
        Command::Notify(arguments) => block_on(notify::run(&global, arguments)),
        Command::Nightly(arguments) => block_on(nightly::run(&global, arguments)),
        Command::Daemon => block_on(daemon::run(&global)),
        Command::Mail(command) => password::run(&global, &command),
        Command::Journal(command) => journal::run(&global, &command),
        Command::History(arguments) => history::run(&global, arguments),
        Command::Waive(arguments) => waive::run(&global, &arguments),
        Command::Waivers(arguments) => waivers::run(&global, &arguments),
        Command::Confirm(arguments) => confirm::run(&global, &arguments),
        Command::Incident(command) => incident::run(&global, &command),
        Command::Baseline(command) => baseline::run(&global, &command),
        Command::Purge(arguments) => purge::run(&global, &arguments),
        Command::Doctor(arguments) => block_on(doctor::run(&global, arguments)),
        Command::Enroll(arguments) => block_on(enroll::run(&global, arguments)),
        Command::Login(arguments) => block_on(login::run(&global, arguments)),
        Command::Rules(arguments) => rules::run(&global, &arguments),
        Command::Config(command) => config::run(&global, &command),
        Command::Emulate(arguments) => block_on(emulate::run(&global, arguments)),
        Command::Demo(arguments) => block_on(demo::run(&global, arguments)),
        Command::Completions(arguments) => shell::completions(&arguments, Cli::command()),
        Command::Man(arguments) => shell::manual(&arguments, Cli::command()),
    };
    result.unwrap_or_else(|exit| exit)
}

fn block_on(command: impl Future<Output = Result<Exit, Exit>>) -> Result<Exit, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            say(&format!("error: cannot start: {error}"));
            Exit::NotKept
        })?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}

/// Says that a result could not be written.
fn unwritten(error: &std::io::Error) -> Exit {
    say(&format!("error: the result could not be written: {error}"));
    Exit::NotKept
}
