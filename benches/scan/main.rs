//! Measures whole scans from outside: the built program scans the built-in emulator, each a process of its own.
//!
//! A scan's user CPU and peak memory are those that the system tells of its process when it ends (`wait4`). What it
//! means, and how to read the tables: `docs/performance.md`. Nothing is asserted: this prints, people judge.

mod cloud;
mod plan;
mod scanned;
#[path = "../shared/mod.rs"]
mod shared;
mod tenant;

use std::io::{self, Write};

use self::plan::Plan;
use self::shared::Outcome;

fn main() -> Outcome<()> {
    let plan = Plan::of(std::env::args().skip(1))?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "every answer after {} ms, {} requests in flight, no rate, state on, release build; median of {}\n",
        plan.delay.as_millis(),
        plan.in_flight,
        plan.runs
    )?;
    if plan.has_cloud() {
        cloud::measure(&plan, &mut out)?;
    }
    if plan.has_tenant() {
        tenant::measure(&plan, &mut out)?;
    }
    Ok(())
}
