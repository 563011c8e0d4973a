//! What is measured, as the command line has it.

use std::io::Write;
use std::path::PathBuf;

use crate::shared::{Outcome, PROGRAM};
use crate::{changes, letters, start, year};

const USAGE: &str = "\
usage: cargo bench --bench commands -- [start] [letters] [changes] [year] [--program FILE] [--quick]
  without names all are measured
  --quick measures small worlds, and starts few times
  --program measures another build against the same emulator";

/// One of the things to measure.
pub(crate) type Part = fn(&Plan, &mut dyn Write) -> Outcome<()>;

/// What is measured.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// How often a command is started; the median is printed.
    pub(crate) starts: usize,
    /// The numbers of owners that are written to.
    pub(crate) owners: Vec<u32>,
    /// How many shares are changed.
    pub(crate) changes: Vec<u32>,
    /// How many nights there are in the year.
    pub(crate) nights: u32,
    /// The program that is measured.
    pub(crate) program: PathBuf,
}

impl Plan {
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut plan = Self {
            parts: Vec::new(),
            starts: 51,
            owners: vec![5_000, 10_000],
            changes: vec![1_000, 10_000],
            nights: 400,
            program: PROGRAM.into(),
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            match name.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => {
                    plan.starts = 5;
                    plan.owners = vec![250, 500];
                    plan.changes = vec![100];
                    plan.nights = 20;
                }
                "--program" => plan.program = arguments.next().ok_or(USAGE)?.into(),
                "start" => plan.parts.push(start::measure),
                "letters" => plan.parts.push(letters::measure),
                "changes" => plan.parts.push(changes::measure),
                "year" => plan.parts.push(year::measure),
                _ => return Err(USAGE.into()),
            }
        }
        if plan.parts.is_empty() {
            plan.parts = vec![start::measure, letters::measure, changes::measure, year::measure];
        }
        Ok(plan)
    }
}
