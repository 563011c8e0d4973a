//! `waivers`: lists the waivers of the configuration and of the state, and how each stands.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use clap::Args;
use comfy_table::{ContentArrangement, Table, TableStyle};
use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::terminal::{Output, say};
use super::{Exit, Global, unwritten};
use crate::model::FindingId;
use crate::policy::{self, Lapse, Waiver, Waivers};
use crate::report::text::visible;
use crate::report::{PAGE, compact};
use crate::store::{EndedCover, Ledger, Result as Stored};

/// How many findings that a waiver no longer covers are listed for each.
const LISTED: usize = 100;
/// How many of them the table draws.
const DRAWN: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The form of the list
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// How a waiver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    InForce,
    Lapsing,
    Lapsed,
    Dead,
    Ended,
}

impl Standing {
    fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Lapsing => "lapsing",
            Self::Lapsed => "lapsed",
            Self::Dead => "dead",
            Self::Ended => "ended",
        }
    }
}

#[derive(Debug, Serialize)]
struct List {
    schema: &'static str,
    waivers: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    title: String,
    origin: &'static str,
    reason: String,
    approved_by: String,
    until: Date,
    made_at: Option<Timestamp>,
    standing: Standing,
    /// How many findings that stand it covers.
    covers: u64,
    /// How many it named and no longer covers.
    outgrown: u64,
    /// The first of them.
    ended: Vec<Ended>,
}

#[derive(Clone, Debug, Serialize)]
struct Ended {
    finding: FindingId,
    at: Timestamp,
    change: String,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let loaded = global.load()?;
    let state = &loaded.settings.state.path;
    // Where nothing is remembered, there are those of the configuration.
    let ledger = if global.no_state || !state.exists() {
        Ledger::temporary()
    } else {
        Ledger::open_to_read(state)
    };
    let ledger = ledger.map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Usage
    })?;
    let list = list(
        &ledger,
        &loaded.settings.policy.waivers,
        policy::day(global.now()),
    )
    .map_err(|error| {
        say(&format!("error: the state could not be read: {error}"));
        Exit::NotKept
    })?;
    let output = Output::Standard;
    let written = if arguments.format == "json" {
        output.write(|out| {
            compact(&list, out)?;
            writeln!(out)
        })
    } else {
        output.write(|out| draw(&list.waivers, output.style(global.color).width, out))
    };
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

fn list(ledger: &Ledger, configured: &[Waiver], today: Date) -> Stored<List> {
    let made = ledger.waivers(today)?;
    let made_at = configured
        .iter()
        .map(|_| None)
        .chain(made.iter().map(|own| Some(own.made_at)));
    let made_at: Vec<_> = made_at.collect();
    let all: Vec<Waiver> = configured
        .iter()
        .cloned()
        .chain(made.into_iter().map(|own| own.waiver))
        .collect();
    let over = over(ledger.ended_covers()?);
    let mut named: BTreeMap<usize, Named> = BTreeMap::new();
    let waivers = Waivers::of(&all);
    ledger.standing_findings(&mut |finding| {
        let share = finding.share.as_ref().map(|(share, labels)| (share, labels));
        for place in waivers.naming(&finding.source, share, (&finding.id, finding.rule)) {
            let Some(waiver) = all.get(place) else { continue };
            named
                .entry(place)
                .or_default()
                .count(over.get(&waiver.key), &finding.id);
        }
    })?;
    let certain = ledger.knows_everything()?;
    let entries = all
        .iter()
        .zip(made_at)
        .enumerate()
        .map(|(place, (waiver, made_at))| {
            let named = named.remove(&place).unwrap_or_default();
            Entry {
                standing: named.standing(waiver.until, today, certain),
                title: waiver.title.clone(),
                origin: if made_at.is_some() {
                    "state"
                } else {
                    "configuration"
                },
                reason: waiver.reason.clone(),
                approved_by: waiver.approved_by.clone(),
                until: waiver.until,
                made_at,
                covers: if waiver.until < today { 0 } else { named.covers },
                outgrown: named.outgrown,
                ended: named.ended,
            }
        });
    Ok(List {
        schema: "sharewarden.waivers/v1",
        waivers: entries.collect(),
    })
}

/// What waivers have ceased to cover, by their keys and by the findings.
fn over(ended: Vec<EndedCover>) -> HashMap<String, HashMap<FindingId, Ended>> {
    let mut over: HashMap<String, HashMap<FindingId, Ended>> = HashMap::new();
    for one in ended {
        let ended = Ended {
            finding: one.finding.clone(),
            at: one.at,
            change: one.change,
        };
        over.entry(one.waiver).or_default().insert(one.finding, ended);
    }
    over
}

/// The findings that stand and that a waiver names.
#[derive(Debug, Default)]
struct Named {
    covers: u64,
    outgrown: u64,
    ended: Vec<Ended>,
}

impl Named {
    fn count(&mut self, over: Option<&HashMap<FindingId, Ended>>, finding: &FindingId) {
        match over.and_then(|over| over.get(finding)) {
            None => self.covers += 1,
            Some(ended) => {
                self.outgrown += 1;
                if self.ended.len() < LISTED {
                    self.ended.push(ended.clone());
                }
            }
        }
    }

    /// How the waiver stands; one that names nothing is dead only where all there is is known.
    fn standing(&self, until: Date, today: Date, certain: bool) -> Standing {
        let lapse = policy::lapse(until, today);
        match (self.covers, self.outgrown) {
            _ if lapse == Some(Lapse::Lapsed) => Standing::Lapsed,
            (0, 0) if certain => Standing::Dead,
            (0, outgrown) if outgrown > 0 => Standing::Ended,
            _ if lapse == Some(Lapse::Lapsing) => Standing::Lapsing,
            _ => Standing::InForce,
        }
    }
}

fn draw(entries: &[Entry], width: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
    if entries.is_empty() {
        return writeln!(out, "no finding is waived; `sharewarden waive` does it");
    }
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.unwrap_or(PAGE));
    table.set_header(["standing", "until", "covers", "waiver", "reason", "approved by"]);
    for entry in entries {
        table.add_row([
            entry.standing.words().to_owned(),
            entry.until.to_string(),
            entry.covers.to_string(),
            visible(&entry.title).into_owned(),
            visible(&entry.reason).into_owned(),
            visible(&entry.approved_by).into_owned(),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let mut told = HashSet::new();
    for entry in entries.iter().filter(|entry| entry.outgrown > 0) {
        if told.insert(&entry.title) {
            writeln!(out, "\n{} no longer covers", visible(&entry.title))?;
        }
        for ended in entry.ended.iter().take(DRAWN) {
            writeln!(
                out,
                "  {}  since {}: {}",
                ended.finding.as_str(),
                policy::day(ended.at),
                ended.change
            )?;
        }
        let more = entry.outgrown.saturating_sub(DRAWN as u64);
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
    }
    Ok(())
}
