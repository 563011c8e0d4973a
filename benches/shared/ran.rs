//! One run of the program, and what it used.

use std::process::Command;
use std::time::Instant;

use wait4::{ResUse, Wait4 as _};

use super::Outcome;

/// What a process used, in seconds and megabytes.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) wall: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) peak: f64,
}

impl Used {
    pub(crate) fn of(wall: f64, used: &ResUse) -> Self {
        Self {
            wall,
            user: used.rusage.utime.as_secs_f64(),
            system: used.rusage.stime.as_secs_f64(),
            peak: megabytes(used.rusage.maxrss),
        }
    }
}

/// Runs to the end; each code but those that were expected is a failure.
pub(crate) fn run(command: &mut Command, expected: &[i32]) -> Outcome<Used> {
    let began = Instant::now();
    let ended = command.spawn()?.wait4()?;
    let wall = began.elapsed().as_secs_f64();
    if ended.status.code().is_none_or(|code| !expected.contains(&code)) {
        return Err(format!("{command:?} ended with {}", ended.status).into());
    }
    Ok(Used::of(wall, &ended))
}

/// The middle one of some figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
