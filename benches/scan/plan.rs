//! What is measured, as the command line has it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::shared::{Outcome, PROGRAM};

const USAGE: &str = "\
usage: cargo bench --bench scan -- [--accounts N,N…] [--heavy SHARES] [--shares-each N]
                                   [--drives N,N…] [--items N] [--heavy-items N,N…]
                                   [--delay-ms MS] [--in-flight N] [--runs N] [--program FILE] [--quick]
  --accounts 0, --heavy 0, --drives 0 or --heavy-items 0 leaves those worlds out
  --quick measures small ones once
  --program measures another build against the same emulator";

/// What is measured.
pub(crate) struct Plan {
    /// The worlds of many accounts, by their number.
    pub(crate) accounts: Vec<u32>,
    /// The shares of the single large account.
    pub(crate) heavy: u32,
    pub(crate) shares_each: u32,
    /// The worlds of many drives, by their number.
    pub(crate) drives: Vec<u32>,
    /// The items of each of these drives.
    pub(crate) items: u32,
    /// The worlds of one drive, by its items.
    pub(crate) heavy_items: Vec<u32>,
    pub(crate) delay: Duration,
    pub(crate) in_flight: u32,
    /// How often each world is scanned anew; the median is printed.
    pub(crate) runs: usize,
    /// The program that scans.
    pub(crate) program: PathBuf,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            accounts: vec![1_000, 10_000],
            heavy: 200_000,
            shares_each: 5,
            drives: vec![10, 100],
            items: 10_000,
            heavy_items: vec![100_000, 1_000_000],
            delay: Duration::from_millis(50),
            in_flight: 4,
            runs: 3,
            program: PROGRAM.into(),
        }
    }
}

impl Plan {
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut plan = Self::default();
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match name.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => plan.shrink(),
                "--accounts" => plan.accounts = numbers(&value()?)?,
                "--heavy" => plan.heavy = value()?.parse()?,
                "--shares-each" => plan.shares_each = value()?.parse()?,
                "--drives" => plan.drives = numbers(&value()?)?,
                "--items" => plan.items = value()?.parse()?,
                "--heavy-items" => plan.heavy_items = numbers(&value()?)?,
                "--delay-ms" => plan.delay = Duration::from_millis(value()?.parse()?),
                "--in-flight" => plan.in_flight = value()?.parse()?,
                "--runs" => plan.runs = value()?.parse::<usize>()?.max(1),
                "--program" => plan.program = value()?.into(),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(plan)
    }

    fn shrink(&mut self) {
        self.accounts = vec![100, 1_000];
        self.heavy = 10_000;
        self.drives = vec![5, 20];
        self.items = 2_000;
        self.heavy_items = vec![20_000];
        self.runs = 1;
    }

    pub(crate) fn has_cloud(&self) -> bool {
        !self.accounts.is_empty() || self.heavy > 0
    }

    pub(crate) fn has_tenant(&self) -> bool {
        !self.drives.is_empty() || !self.heavy_items.is_empty()
    }

    /// How long each answer keeps a scan waiting, in seconds.
    pub(crate) fn answer(&self) -> f64 {
        self.delay.as_secs_f64() / f64::from(self.in_flight.max(1))
    }
}

/// Numbers above zero, with commas between them.
fn numbers(text: &str) -> Outcome<Vec<u32>> {
    let mut numbers: Vec<u32> = text.split(',').map(u32::from_str).collect::<Result<_, _>>()?;
    numbers.retain(|number| *number > 0);
    Ok(numbers)
}
