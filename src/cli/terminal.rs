//! The terminal: colour, width, where results and messages go, and the log.
//!
//! Results go to standard output or a file, everything else to standard error. A closed pipe is no error.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::files::{self, Rights};
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
            Self::File(path) => files::replace(path, Rights::Owner, write),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Whether the command goes on, whatever is told to be wrong.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// From now on what is told to be wrong ends a step, and not the command.
pub(super) fn goes_on() {
    GOES_ON.store(true, Ordering::Relaxed);
}

/// What came of the command where something is wrong: words to be added, since nothing is sent before all is right.
pub(super) fn consequence() -> &'static str {
    if GOES_ON.load(Ordering::Relaxed) {
        ""
    } else {
        "nothing was sent"
    }
}

/// The same, after what is wrong or what to do.
pub(super) fn unsent(words: &str) -> String {
    match consequence() {
        "" => words.to_owned(),
        consequence => format!("{words}; {consequence}"),
    }
}

/// What is drawn on standard error for a while, and steps aside for whatever else is written there.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Has something drawn on standard error until this is dropped.
#[derive(Debug)]
pub(super) struct Drawing(MultiProgress);

impl Drawing {
    /// What is drawn by this steps aside for all that is said and logged.
    pub(super) fn begin() -> Self {
        let drawn = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(drawn.clone());
        Self(drawn)
    }

    /// Adds a line.
    pub(super) fn line(&self) -> ProgressBar {
        self.0.add(ProgressBar::no_length())
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Where the terminal is gone there is nothing to clear.
        let _ = self.0.clear();
    }
}

/// Writes to standard error; where that is closed there is nobody to tell.
fn write_error(bytes: &[u8]) {
    let write = || {
        let _ = io::stderr().lock().write_all(bytes);
    };
    match &*DRAWN.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(drawn) => drawn.suspend(write),
        None => write(),
    }
}

/// Whether something may be drawn on standard error: it is a terminal that can move its cursor.
pub(super) fn can_draw() -> bool {
    io::stderr().is_terminal() && config::variable("TERM").is_none_or(|term| term != "dumb")
}

/// Says something to people on standard error.
pub(super) fn say(text: &str) {
    write_error(format!("{}\n", text.trim_end()).as_bytes());
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

/// Standard error for the log.
struct Log(LogFormat);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0 {
            LogFormat::Text => write_error(bytes),
            LogFormat::Json => write_error(in_ascii(&String::from_utf8_lossy(bytes)).as_bytes()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().lock().flush();
        Ok(())
    }
}

/// JSON in which nothing is hidden from whoever looks at it: that means the same to a reader of JSON.
fn in_ascii(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for sign in json.chars() {
        if sign != '\n' && report::text::is_hidden(sign) {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                let _ = std::fmt::Write::write_fmt(&mut shown, format_args!("\\u{unit:04x}"));
            }
        } else {
            shown.push(sign);
        }
    }
    shown
}

/// Starts the log on standard error: what this program does, not what its libraries do. What comes from a service is
/// escaped, for no name may look like another line, or move the cursor.
pub(super) fn start_log(level: LevelFilter, form: LogFormat, color: Color) {
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    let fields = format::debug_fn(|out, field, value| {
        let value = format!("{value:?}");
        let value = report::text::visible(&value);
        match field.name() {
            "message" => write!(out, "{value}"),
            name => write!(out, "{name}={value}"),
        }
    });
    let log = tracing_subscriber::fmt::layer()
        .with_writer(move || Log(form))
        .with_target(false)
        .with_ansi(color.is_on(io::stderr().is_terminal()));
    let registry = tracing_subscriber::registry();
    let started = match form {
        LogFormat::Text => registry
            .with(log.fmt_fields(fields.delimited(" ")).with_filter(ours))
            .try_init(),
        LogFormat::Json => registry.with(log.json().with_filter(ours)).try_init(),
    };
    // A second start, as in tests of the library, keeps the first.
    drop(started);
}

#[cfg(test)]
mod tests {
    use super::in_ascii;

    #[test]
    fn json_in_a_log_hides_nothing_and_says_the_same() {
        let value = serde_json::json!({"path": "a\u{202e}b\u{1b}[2J\u{e0041}ü\u{85}\u{2028}"});
        let line = format!("{value}\n");
        let shown = in_ascii(&line);
        assert!(
            shown
                .trim_end()
                .chars()
                .all(|sign| !crate::report::text::is_hidden(sign)),
            "{shown}"
        );
        assert!(shown.ends_with('\n') && shown.contains('ü'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
