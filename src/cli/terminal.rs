//! The terminal: colour, width, where results and messages go, and the log.
//!
//! Results go to standard output or a file, everything else to standard error. A closed pipe is no error.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{config, report};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Color {
    fn is_on(self, terminal: bool) -> bool {
        let set = |name: &str| config::variable(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal && !set("NO_COLOR") && config::variable("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// How diagnostics are drawn on standard error.
    pub(super) fn of_diagnostics(self) -> config::Style {
        if self.is_on(io::stderr().is_terminal()) {
            config::Style::Coloured
        } else {
            config::Style::Plain
        }
    }
}

/// Where a result goes.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Standard,
    /// A file, replaced when the result is whole.
    File(PathBuf),
}

impl Output {
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        file.map_or(Self::Standard, Self::File)
    }

    /// How a report is drawn there.
    pub(super) fn style(&self, color: Color) -> report::Style {
        let terminal = matches!(self, Self::Standard) && io::stdout().is_terminal();
        let width = terminal
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| width.0);
        report::Style {
            color: color.is_on(terminal),
            width,
            ..report::Style::default()
        }
    }

    /// Writes a result; a closed pipe is no error.
    pub(super) fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let written = match self {
            Self::Standard => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                write(&mut out).and_then(|()| out.flush())
            }
            Self::File(path) => write_file(path, write),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Writes beside the target and renames, so that nobody reads half a report; devices and pipes are written to.
fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        let mut out = io::BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        return write(&mut out).and_then(|()| out.flush());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut out = io::BufWriter::new(file.as_file_mut());
        write(&mut out)?;
        out.flush()?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Says something to people on standard error; where that is closed there is nobody to tell.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// Asks a question on the terminal; anything but a clear yes is no.
pub(super) fn ask(question: &str) -> bool {
    let mut error = io::stderr().lock();
    if write!(error, "{question} [y/N] ")
        .and_then(|()| error.flush())
        .is_err()
    {
        return false;
    }
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Standard error for the log; where it is closed there is nobody to tell, and the work goes on.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().lock().flush();
        Ok(())
    }
}

/// Starts the log on standard error: what this program does, not what its libraries do.
pub(super) fn start_log(level: LevelFilter, format: LogFormat, color: Color) {
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(|| Log)
        .with_target(false)
        .with_ansi(color.is_on(io::stderr().is_terminal()));
    let registry = tracing_subscriber::registry();
    let started = match format {
        LogFormat::Text => registry.with(log.with_filter(ours)).try_init(),
        LogFormat::Json => registry.with(log.json().with_filter(ours)).try_init(),
    };
    // A second start, as in tests of the library, keeps the first.
    drop(started);
}
