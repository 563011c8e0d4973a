//! What `apply` and `undo` have in common: what changes the sources, who does it, the question before, and the receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use comfy_table::Row;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sources::{self, Making, wrong};
use super::terminal::{self, Color, Output, say, unsent};
use super::{Exit, Global, scan, unwritten};
use crate::config::{
    MicrosoftSettings, NextcloudSettings, Settings, SourceDetails, SourceSettings, variable,
};
use crate::enforce::{Deed, Done, EnforceError, Outcome, Receipt, Who, run_id};
use crate::model::SourceName;
use crate::policy::Policy;
use crate::provider::Writer;
use crate::report::table::screen::Screen;
use crate::report::text::visible;
use crate::report::{Style, compact};
use crate::store::{ChangeLock, Ledger, StoreError};

/// The form of the receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[default]
    Table,
    /// For programs: one document.
    Json,
}

/// What changes sources.
pub(super) type Writers = BTreeMap<SourceName, Box<dyn Writer>>;

/// Makes what changes these sources, with the credentials that are for changes; nothing is sent yet.
pub(super) fn writers(
    global: &Global,
    settings: &Settings,
    names: &BTreeSet<SourceName>,
) -> Result<Writers, Exit> {
    // A change that was begun is finished: nothing cuts its requests off.
    let never = CancellationToken::new();
    let making = Making::of(global, settings, &never);
    let mut writers = Writers::new();
    for name in names {
        let Some(source) = settings.source(name.as_str()) else {
            return Err(wrong(
                &format!("the source `{}` is not configured", name.as_str().escape_debug()),
                "give its [[source]] back, or make a new plan",
            ));
        };
        check_time(global, source)?;
        writers.insert(name.clone(), writer(&making, source)?);
    }
    Ok(writers)
}

fn writer(making: &Making<'_>, source: &SourceSettings) -> Result<Box<dyn Writer>, Exit> {
    let name = &source.name;
    let closed = || {
        wrong(
            &format!("nothing may be changed in the source `{name}`"),
            "give it `enforce_auth` for changes, or `enforce = true` to use `auth`",
        )
    };
    match &source.kind {
        SourceDetails::Nextcloud(it) => {
            let auth = it.change_auth().ok_or_else(closed)?.clone();
            let it = NextcloudSettings {
                auth,
                ..(**it).clone()
            };
            Ok(Box::new(making.nextcloud(name, &it)?))
        }
        SourceDetails::Microsoft365(it) => {
            let auth = it.change_auth().ok_or_else(closed)?.clone();
            let it = MicrosoftSettings {
                auth,
                ..(**it).clone()
            };
            Ok(Box::new(making.microsoft(name, &it)?))
        }
    }
}

/// Another time than the clock's is for rehearsals on this machine.
fn check_time(global: &Global, source: &SourceSettings) -> Result<(), Exit> {
    if global.now.is_some() && !source.is_local() {
        return Err(wrong(
            &format!(
                "--now is for rehearsals, and the source `{}` is on another machine",
                source.name
            ),
            "leave --now out",
        ));
    }
    Ok(())
}

/// Who runs the program, as the operating system says.
fn who() -> Who {
    let name = uzers::get_current_username().map_or_else(
        || format!("uid {}", uzers::get_current_uid()),
        |name| name.to_string_lossy().into_owned(),
    );
    let plain = |name: &String| !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control);
    Who::User {
        name,
        sudo: variable("SUDO_USER").filter(plain),
    }
}

/// A run of changes that has begun.
pub(super) struct Underway {
    /// Its id.
    pub(super) id: String,
    /// Who runs it.
    pub(super) who: Who,
    /// The policy, with the waivers that were made by command.
    pub(super) policy: Policy,
    /// Whether somebody interrupted it.
    pub(super) cancel: CancellationToken,
    watch: JoinHandle<()>,
    _lock: ChangeLock,
}

impl Underway {
    /// Begins: no other run changes anything meanwhile, and interrupts wait for the change under way.
    pub(super) fn begin(
        global: &Global,
        settings: &Settings,
        ledger: &Ledger,
        is_rehearsal: bool,
    ) -> Result<Self, Exit> {
        let lock = lock(global, &settings.state.path)?;
        let cancel = CancellationToken::new();
        let watch = sources::interrupts(
            cancel.clone(),
            "the change under way is being finished; once more ends at once",
        );
        let underway = Self {
            id: run_id(global.now()),
            who: who(),
            policy: scan::with_made_waivers(global, settings, ledger)?,
            cancel,
            watch,
            _lock: lock,
        };
        if !is_rehearsal && !global.quiet {
            say(&format!("run {}", underway.id));
        }
        Ok(underway)
    }

    /// What came of it, once nothing more is changed.
    pub(super) fn ended(&self, done: Result<Done, EnforceError>) -> Result<Done, Exit> {
        self.watch.abort();
        done.map_err(|error| ended_early(&error))
    }
}

/// Asks once whether to go on, where nobody said so before.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Exit> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(wrong(
            "nobody can be asked: standard input is no terminal",
            "add --yes to go on without a question, or --dry-run to see what would be done",
        ));
    }
    if terminal::ask(question) {
        return Ok(());
    }
    say("nothing was changed");
    Err(Exit::Done)
}

/// Keeps two runs of changes from working on one state at the same time.
pub(super) fn lock(global: &Global, state: &Path) -> Result<ChangeLock, Exit> {
    ChangeLock::take(state, global.finished()).map_err(|error| match error {
        StoreError::Changing { .. } => {
            say(&format!("error: {}", unsent(&error.to_string())));
            Exit::Usage
        }
        error => super::scan::unusable(state, &error),
    })
}

/// Refuses to work without a state.
pub(super) fn needs_state(global: &Global, what: &str) -> Result<(), Exit> {
    if global.no_state {
        return Err(wrong(
            &format!("`{what}` keeps a journal in the state, so it does not go with --no-state"),
            "leave --no-state out",
        ));
    }
    Ok(())
}

/// Says why a run of changes ended early.
pub(super) fn ended_early(error: &EnforceError) -> Exit {
    say(&format!("error: {error}"));
    match error {
        EnforceError::Clock { .. } => Exit::ActionsFailed,
        EnforceError::Journal(_) => {
            say("help: what was begun and is not on record is found out by the same command, run again");
            Exit::NotKept
        }
        EnforceError::NoSuchRun(_) | EnforceError::NoUndo(_) => Exit::Usage,
    }
}

/// The room for what became of an action, for what was to be done, and for the source's name.
const RECEIPT: u16 = 15;
const DEED: u16 = 16;
const SOURCE: u16 = 12;
/// How many rows are laid out at once.
const BLOCK: usize = 400;

/// A receipt as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    action: &'a str,
    source: &'a SourceName,
    share: &'a str,
    item_path: Option<&'a str>,
    deed: &'a str,
    receipt: Option<&'a str>,
    detail: Option<&'a str>,
    expires: Option<&'a str>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    run: Option<&'a str>,
    dry_run: bool,
    receipts: Vec<Line<'a>>,
    left: usize,
}

/// What receipts are printed with.
pub(super) struct Printed<'a> {
    /// The run's id; `None` in a rehearsal.
    pub(super) run: Option<&'a str>,
    /// The paths of the items, by action.
    pub(super) paths: &'a BTreeMap<String, String>,
    pub(super) form: Form,
    pub(super) color: Color,
}

/// Prints what became of each action; the exit code tells the worst.
pub(super) fn print(done: &Done, with: &Printed<'_>, cancel: &CancellationToken) -> Result<Exit, Exit> {
    let style = Output::Standard.style(with.color);
    let written = Output::Standard.write(|out| match with.form {
        Form::Json => {
            compact(&document(done, with), out)?;
            writeln!(out)
        }
        Form::Table => draw(done, with, style, out),
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(if cancel.is_cancelled() {
        Exit::Interrupted
    } else if done.is_clean() {
        Exit::Done
    } else {
        Exit::ActionsFailed
    })
}

fn document<'a>(done: &'a Done, with: &'a Printed<'_>) -> Document<'a> {
    let row = |receipt: &'a Receipt| Line {
        action: &receipt.action,
        source: &receipt.source,
        share: &receipt.share,
        item_path: with.paths.get(&receipt.action).map(String::as_str),
        deed: receipt.deed.as_str(),
        receipt: receipt.outcome.map(Outcome::as_str),
        detail: receipt.detail.as_deref(),
        expires: receipt
            .after
            .as_ref()
            .and_then(|after| after.seen.expires.as_deref()),
    };
    Document {
        schema: "sharewarden.receipts/v1",
        run: with.run,
        dry_run: with.run.is_none(),
        receipts: done.receipts.iter().map(row).collect(),
        left: done.left,
    }
}

fn draw(done: &Done, with: &Printed<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen::new(style, &mut *out);
    let rest = screen.width().saturating_sub(RECEIPT + DEED + SOURCE);
    let widths = [RECEIPT, DEED, rest / 2, SOURCE, rest - rest / 2];
    for block in done.receipts.chunks(BLOCK) {
        let rows = block.iter().map(|receipt| {
            let path = with.paths.get(&receipt.action);
            Row::from([
                receipt
                    .outcome
                    .map_or("would be done", Outcome::as_str)
                    .to_owned(),
                receipt.deed.to_string(),
                visible(path.unwrap_or(&receipt.share)).into_owned(),
                visible(receipt.source.as_str()).into_owned(),
                visible(&detail(receipt)).into_owned(),
            ])
        });
        screen.rows_beneath(
            &["RECEIPT", "ACTION", "ITEM", "SOURCE", "DETAIL"],
            &widths,
            rows.collect(),
        )?;
        screen.gap()?;
    }
    let count = |outcome| {
        done.receipts
            .iter()
            .filter(|receipt| receipt.outcome == outcome)
            .count()
    };
    let mut sums = Vec::new();
    for outcome in Outcome::ALL {
        let of_it = count(Some(*outcome));
        if of_it > 0 {
            sums.push(format!("{of_it} {outcome}"));
        }
    }
    if count(None) > 0 {
        sums.push(format!("{} would be done", count(None)));
    }
    if done.left > 0 {
        sums.push(format!("{} not come to", done.left));
    }
    let sums = if sums.is_empty() {
        "nothing to do".to_owned()
    } else {
        sums.join(", ")
    };
    match with.run {
        Some(run) => writeln!(out, "run {run}: {sums}"),
        None => writeln!(out, "rehearsal: {sums}; nothing was changed"),
    }
}

fn detail(receipt: &Receipt) -> String {
    let ends = || {
        let after = receipt.outcome.and(receipt.after.as_ref())?;
        match &after.seen.expires {
            Some(day) => Some(format!("ends {day}")),
            None => (receipt.deed == Deed::RestoreExpiry).then(|| "has no end date".to_owned()),
        }
    };
    receipt.detail.clone().or_else(ends).unwrap_or_default()
}
