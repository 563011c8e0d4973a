//! What somebody decided about a plan, in a spreadsheet: a row an action, `do` or `skip` before it.
//!
//! Only the decision, the action's id and the plan's are read again; everything else is for people, and an action
//! without a row is skipped.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Action, Plan, PlanFileError,
    file::{bounded, piece},
};
use crate::report::{csv::of_csv, text};

const DECISION: &str = "decision";
const ID: &str = "id";
const PLAN: &str = "plan";

/// The names of the columns, in their order: the decision first, what only programs read last.
pub const COLUMNS: [&str; 13] = [
    DECISION,
    "action",
    "value",
    "owner",
    "item",
    "reason",
    "audience",
    "also_ends",
    "source",
    "share",
    "finding",
    ID,
    PLAN,
];

/// What was decided about the actions of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decisions {
    /// The plan's id.
    pub plan: String,
    /// Which actions are to be done, by their ids.
    pub decisions: BTreeMap<String, bool>,
    /// The lines on which that is written.
    lines: BTreeMap<String, u64>,
}

/// Writes a plan as CSV: every action is to be done, until somebody decides otherwise.
///
/// # Errors
/// Whatever `out` reports.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS).map_err(of_csv)?;
    for action in &plan.actions {
        let cells = [
            "do",
            action.action.as_str(),
            action.value.as_deref().unwrap_or_default(),
            &action.owner,
            &action.item_path,
            &action.reason,
            action.expects.audience.as_str(),
            &action.also_ends.join(" "),
            action.source.as_str(),
            &action.share,
            action.finding.as_str(),
            &action.id,
            &plan.id,
        ];
        table
            .write_record(cells.map(|cell| text::csv_cell(cell).into_owned()))
            .map_err(of_csv)?;
    }
    table.flush()
}

impl Decisions {
    /// Reads decisions: cells separated by commas, or by semicolons as many a spreadsheet writes them, columns in any
    /// order.
    ///
    /// # Errors
    /// Whatever is not as [`write()`] writes it, with its line.
    pub fn read(text: &str) -> Result<Self, PlanFileError> {
        bounded(text)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let header = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        let count = |sign: char| header.matches(sign).count();
        let mut table = csv::ReaderBuilder::new()
            .delimiter(if count(';') > count(',') { b';' } else { b',' })
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = table.headers().map_err(|error| of_row(text, &error))?;
        if header.iter().all(str::is_empty) {
            return Err(PlanFileError::NoDecisions);
        }
        let column = |name: &'static str| {
            let mut places = header
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.trim().eq_ignore_ascii_case(name));
            match (places.next(), places.next()) {
                (Some((place, _)), None) => Ok((name, place)),
                (None, _) => Err(PlanFileError::NoColumn(name)),
                (Some(_), Some(_)) => Err(PlanFileError::TwoColumns(name)),
            }
        };
        let (decision, id, plan) = (column(DECISION)?, column(ID)?, column(PLAN)?);
        let mut read: Option<Self> = None;
        let mut lines = Lines::of(text);
        for row in table.records() {
            let row = row.map_err(|error| of_row(text, &error))?;
            if row.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let line = lines.at(row.position());
            let cell = |(column, place): (&'static str, usize)| match row.get(place).map(str::trim) {
                Some(cell) if !cell.is_empty() => Ok(cell),
                _ => Err(PlanFileError::Empty { line, column }),
            };
            let (given, id, plan) = (cell(decision)?, cell(id)?, cell(plan)?);
            let done = if given.eq_ignore_ascii_case("do") {
                true
            } else if given.eq_ignore_ascii_case("skip") {
                false
            } else {
                let given = piece(given);
                return Err(PlanFileError::Decision { line, given });
            };
            let all = read.get_or_insert_with(|| Self {
                plan: plan.to_owned(),
                decisions: BTreeMap::new(),
                lines: BTreeMap::new(),
            });
            if all.plan != plan {
                return Err(PlanFileError::SeveralPlans { line });
            }
            if let Some(before) = all.lines.insert(id.to_owned(), line) {
                let id = piece(id);
                return Err(PlanFileError::DecidedTwice { line, before, id });
            }
            all.decisions.insert(id.to_owned(), done);
        }
        read.ok_or(PlanFileError::NoDecisions)
    }

    /// The actions of the plan that are to be done, in the plan's order.
    ///
    /// # Errors
    /// They are about another plan, or name an action that it has not.
    pub fn apply_to<'p>(&self, plan: &'p Plan) -> Result<Vec<&'p Action>, PlanFileError> {
        if self.plan != plan.id {
            return Err(PlanFileError::OtherPlan(piece(&self.plan)));
        }
        let mut foreign = self.lines.clone();
        for action in &plan.actions {
            foreign.remove(&action.id);
        }
        if let Some((id, line)) = foreign.into_iter().min_by_key(|(_, line)| *line) {
            let id = piece(&id);
            return Err(PlanFileError::NoAction { line, id });
        }
        let is_done = |action: &&Action| self.decisions.get(&action.id) == Some(&true);
        Ok(plan.actions.iter().filter(is_done).collect())
    }
}

/// The lines of a text, counted once from its start to its end: with the line ends of spreadsheets the reader's own count is
/// one behind.
struct Lines<'t> {
    text: &'t [u8],
    byte: usize,
    /// How many lines end before that byte.
    ended: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text: text.as_bytes(),
            byte: 0,
            ended: 0,
        }
    }

    /// The line on which a row begins, from 1; asked for rows in their order.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let byte = position.map_or(0, |position| {
            usize::try_from(position.byte()).unwrap_or(usize::MAX)
        });
        let byte = byte.clamp(self.byte, self.text.len());
        self.ended += ends_in(self.text.get(self.byte..byte).unwrap_or_default());
        self.byte = byte;
        let begun = self.text.get(byte..).unwrap_or_default();
        let blank = begun.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        (self.ended + ends_in(blank)) as u64 + 1
    }
}

/// How many lines end in a piece of text.
fn ends_in<'b>(piece: impl IntoIterator<Item = &'b u8>) -> usize {
    piece.into_iter().filter(|byte| **byte == b'\n').count()
}

fn of_row(text: &str, error: &csv::Error) -> PlanFileError {
    PlanFileError::Row {
        line: Lines::of(text).at(error.position()),
        what: piece(&error.to_string()),
    }
}
