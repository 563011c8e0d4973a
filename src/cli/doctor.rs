//! `doctor`: examines configuration, credentials, rights and clock of every source, the state file and the mail, and
//! says what is missing, what that costs, and how to grant it.

use std::io::{self, Write};

use clap::Args;
use comfy_table::{ContentArrangement, Table, TableStyle};
use futures::StreamExt as _;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::sources::{self, Making};
use super::terminal::Output;
use super::{Exit, Global, unwritten};
use crate::config::{Diagnostic, MicrosoftSettings, NextcloudSettings, SourceDetails, SourceSettings};
use crate::model::{Check, Standing};
use crate::provider::{Access as _, Load};
use crate::report::text::visible;
use crate::store;

/// How many sources are examined at the same time.
const AT_ONCE: usize = 8;
/// The room for what was looked at.
const ABOUT: u16 = 14;
/// The room for how it stands.
const STANDING: u16 = 7;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Examine only this source; may be repeated
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let loaded = global.load()?;
    let chosen = sources::choose(&loaded.settings, &arguments.source)?;
    let cancel = CancellationToken::new();
    let making = Making::of(global, &loaded.settings, &cancel);
    let watch = sources::interrupts(cancel.clone(), "nothing was changed");
    let whole = arguments.source.is_empty();
    let sections = tokio::select! {
        sections = examine_all(&making, &chosen, whole) => sections,
        () = cancel.cancelled() => return Err(Exit::Interrupted),
    };
    watch.abort();
    print(global, &sections)
}

/// Examines sources, and this machine where all of them are meant.
async fn examine_all(making: &Making<'_>, chosen: &[&SourceSettings], whole: bool) -> Vec<Section> {
    let mut sections: Vec<Section> = stream::iter(chosen)
        .map(|source| examine(making, source))
        .buffered(AT_ONCE)
        .collect()
        .await;
    if whole {
        let checks = [state(making).await, mail(making).await];
        sections.push(Section {
            title: "this machine".to_owned(),
            checks: checks
                .into_iter()
                .chain(super::password::examine(making.settings))
                .collect(),
        });
    }
    sections
}

/// Examines one source and prints what was found.
pub(super) async fn source(making: &Making<'_>, source: &SourceSettings) -> Result<Exit, Exit> {
    print(making.global, &[examine(making, source).await])
}

struct Section {
    title: String,
    checks: Vec<Check>,
}

async fn examine(making: &Making<'_>, source: &SourceSettings) -> Section {
    let name = &source.name;
    let secrets = making.settings.check_secrets(std::slice::from_ref(name));
    match (&source.kind, secrets) {
        (_, Err(report)) => Section {
            title: name.to_string(),
            checks: report
                .diagnostics()
                .iter()
                .map(|wrong| wrong_check("configuration", wrong).costs("nothing can be read"))
                .collect(),
        },
        (SourceDetails::Nextcloud(settings), Ok(())) => Section {
            title: format!("{name} · nextcloud · {}", settings.url),
            checks: nextcloud(making, source, settings).await,
        },
        (SourceDetails::Microsoft365(settings), Ok(())) => Section {
            title: format!("{name} · microsoft365 · {}", settings.tenant),
            checks: microsoft(making, source, settings).await,
        },
    }
}

/// What is wrong with a configuration, as a thing that was examined.
pub(super) fn wrong_check(about: &'static str, wrong: &Diagnostic) -> Check {
    let mut check = Check::new(about, Standing::Failed, wrong.message());
    check.steps.extend_from_slice(wrong.remedies());
    check
}

async fn nextcloud(making: &Making<'_>, source: &SourceSettings, settings: &NextcloudSettings) -> Vec<Check> {
    let Ok(reader) = making.nextcloud(&source.name, settings) else {
        return not_set_up();
    };
    let mut checks = vec![set_up()];
    let found = reader.examine(&|| making.global.finished()).await;
    checks.extend(found.checks);
    checks.extend(found.load.map(|load| length(&load, settings)));
    checks
}

async fn microsoft(making: &Making<'_>, source: &SourceSettings, settings: &MicrosoftSettings) -> Vec<Check> {
    let Ok(reader) = making.microsoft(&source.name, settings) else {
        return not_set_up();
    };
    let mut checks = vec![set_up()];
    checks.extend(reader.examine(&|| making.global.finished()).await.checks);
    checks.push(budget(settings));
    checks
}

/// What a scan may spend.
fn budget(settings: &MicrosoftSettings) -> Check {
    let limits = &settings.limits;
    let words = format!(
        "at most {} resource units a minute and {} a day, {} requests at a time",
        limits.units_per_minute, limits.units_per_day, limits.in_flight
    );
    if settings.license_count.is_some() {
        return Check::good("budget", words);
    }
    Check::good("budget", words).step("state `license_count`: larger tenants may spend more")
}

fn set_up() -> Check {
    Check::good("configuration", "complete, and its secrets are there")
}

/// Why it cannot be set up was said.
fn not_set_up() -> Vec<Check> {
    vec![Check::new(
        "configuration",
        Standing::Failed,
        "the source cannot be set up, as said above",
    )]
}

/// How long a full scan will take.
fn length(load: &Load, settings: &NextcloudSettings) -> Check {
    let limits = &settings.limits;
    let time = |requests| {
        load.time(requests, limits.requests_per_second, limits.in_flight)
            .as_secs()
    };
    let how = format!(
        "{} ms each; at most {} a second, {} at a time",
        load.each.as_millis(),
        limits.requests_per_second,
        limits.in_flight,
    );
    let least = time(load.least);
    let stop = limits.stop_after.as_secs();
    let Some(most) = load.most else {
        let words = format!(
            "a full scan takes {} at least ({} requests, {how}); how many shares there are is not told",
            words_of(least),
            load.least
        );
        return Check::new("length", Standing::Skipped, words);
    };
    let times = match (words_of(least), words_of(time(most))) {
        (least, most) if least == most => least,
        (least, most) => format!("{least} to {most}"),
    };
    let words = format!(
        "a full scan takes about {times} ({} to {most} requests, {how})",
        load.least
    );
    let most = time(most);
    if most <= stop {
        return Check::good("length", words);
    }
    let standing = if least > stop {
        Standing::Failed
    } else {
        Standing::Limited
    };
    Check::new("length", standing, words)
        .costs(format!("`limits.stop_after` ends it after {}", words_of(stop)))
        .step("raise `requests_per_second` and `in_flight` as far as the server allows, or `stop_after`")
}

fn words_of(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

async fn state(making: &Making<'_>) -> Check {
    if making.global.no_state {
        return Check::new("state file", Standing::Skipped, "--no-state does without it");
    }
    // A large file takes a while to be read through.
    let path = making.settings.state.path.clone();
    let examined = tokio::task::spawn_blocking(move || store::examine(&path)).await;
    examined.unwrap_or_else(|error| Check::new("state file", Standing::Failed, error.to_string()))
}

async fn mail(making: &Making<'_>) -> Check {
    match super::mail::outgoing(making) {
        Ok(outgoing) => outgoing.examine().await,
        Err(check) => check,
    }
}

fn print(global: &Global, sections: &[Section]) -> Result<Exit, Exit> {
    let output = Output::Standard;
    let width = output.style(global.color).width;
    output
        .write(|out| write(sections, width, out))
        .map_err(|error| unwritten(&error))?;
    let worst = sections
        .iter()
        .flat_map(|section| &section.checks)
        .map(|check| check.standing)
        .max();
    Ok(if worst == Some(Standing::Failed) {
        Exit::NotKept
    } else {
        Exit::Done
    })
}

fn write(sections: &[Section], width: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
    for section in sections {
        writeln!(out, "{}", visible(&section.title))?;
        let mut table = Table::new();
        table
            .load_style(TableStyle::new())
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width.unwrap_or(crate::report::PAGE));
        for check in &section.checks {
            table.add_row([check.standing.as_str(), check.about, &visible(&check.found)]);
            let further = check.costs.iter().map(|cost| format!("costs: {}", visible(cost)));
            let steps = check.steps.iter().map(|step| format!("do: {}", visible(step)));
            for line in further.chain(steps) {
                table.add_row(["", "", &line]);
            }
        }
        for (column, room) in [(0, STANDING), (1, ABOUT)] {
            if let Some(column) = table.column_mut(column) {
                column.set_constraint(comfy_table::ColumnConstraint::LowerBoundary(
                    comfy_table::Width::Fixed(room),
                ));
            }
        }
        for line in table.lines() {
            writeln!(out, " {}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    let count = |standing| {
        sections
            .iter()
            .flat_map(|section| &section.checks)
            .filter(|check| check.standing == standing)
            .count()
    };
    let (failed, limited) = (count(Standing::Failed), count(Standing::Limited));
    match (failed, limited) {
        (0, 0) => writeln!(out, "All is well."),
        (0, 1) => writeln!(out, "It works; one thing limits what is seen."),
        (0, _) => writeln!(out, "It works; {limited} things limit what is seen."),
        (1, _) => writeln!(out, "One thing does not work."),
        (_, _) => writeln!(out, "{failed} things do not work."),
    }
}
