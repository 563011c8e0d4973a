//! Measures the ledger by itself: a million shares stored, and compared with the run before; beside it a bare rusqlite
//! that keeps the same in plain tables.
//!
//! Each is measured in a process of its own, so that its peak memory is told (`wait4`). Only the time within the store
//! counts, not that of inventing shares. `docs/performance.md` says how to read the tables. Nothing is asserted: this
//! prints, people judge.

mod bare;
mod invented;
mod kept;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wait4::Wait4;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: cargo bench --bench store -- [--shares N] [--runs N] [--keep FOLDER]";
/// How many shares are written in one transaction: as many as a scan writes together.
const TOGETHER: u32 = 512;

/// What one way of storing came to: its steps with their times, and the file.
struct Figures {
    steps: Vec<(&'static str, Duration)>,
    bytes: u64,
}

/// A way of storing so many shares in a new file.
type Way = fn(&Path, u32) -> Outcome<Figures>;

const WAYS: [(&str, Way); 2] = [("bare", bare::measure), ("ledger", kept::measure)];

fn main() -> Outcome<()> {
    let (mut shares, mut runs, mut one, mut keep) = (1_000_000, 1, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match name.as_str() {
            "--bench" => {}
            "--shares" => shares = value()?.parse()?,
            "--runs" => runs = value()?.parse::<u32>()?.max(1),
            "--keep" => keep = Some(value()?),
            "--way" => one = Some(value()?),
            _ => return Err(USAGE.into()),
        }
    }
    if let Some(one) = one {
        let (_, way) = WAYS.iter().find(|(name, _)| *name == one).ok_or(USAGE)?;
        let temporary = tempfile::tempdir()?;
        let folder = keep.as_deref().map_or(temporary.path(), Path::new);
        return print(&one, shares, &way(&folder.join(format!("{one}.db")), shares)?);
    }
    for _ in 0..runs {
        for (name, _) in WAYS {
            let child = Command::new(std::env::current_exe()?)
                .args(["--way", name, "--shares", &shares.to_string()])
                .args(keep.iter().flat_map(|folder| ["--keep", folder]))
                .stdin(Stdio::null())
                .spawn()?
                .wait4()?;
            if !child.status.success() {
                return Err(format!("{name} ended with {}", child.status).into());
            }
            let used = child.rusage;
            writeln!(
                io::stdout().lock(),
                "  {:<28} {:>8.1} MB; {:.1} s user, {:.1} s system, shares invented included\n",
                "peak memory",
                megabytes(used.maxrss),
                used.utime.as_secs_f64(),
                used.stime.as_secs_f64()
            )?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
fn print(name: &str, shares: u32, figures: &Figures) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{name}: {shares} shares, {TOGETHER} a transaction")?;
    for (step, took) in &figures.steps {
        let seconds = took.as_secs_f64();
        writeln!(
            out,
            "  {step:<28} {seconds:>8.2} s {:>10.0} a second {:>7.2} µs each",
            f64::from(shares) / seconds,
            seconds * 1e6 / f64::from(shares)
        )?;
    }
    let each = figures.bytes as f64 / f64::from(shares);
    writeln!(
        out,
        "  {:<28} {:>8.1} MB {each:>8.0} bytes a share",
        "file",
        megabytes(figures.bytes)
    )?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
