//! Measures what the program does besides scanning, from outside: how it starts, nights with letters, changes, and a
//! year of nights in one state file.
//!
//! The built program runs against the built-in emulator and a mail server of this process that takes everything. What
//! the tables mean: `docs/performance.md`. Nothing is asserted: this prints, people judge.

mod changes;
mod letters;
mod night;
mod plan;
#[path = "../shared/mod.rs"]
mod shared;
mod start;
mod year;

use std::io;

use self::plan::Plan;
use self::shared::Outcome;

fn main() -> Outcome<()> {
    let plan = Plan::of(std::env::args().skip(1))?;
    let mut out = io::stdout().lock();
    for part in &plan.parts {
        part(&plan, &mut out)?;
    }
    Ok(())
}
