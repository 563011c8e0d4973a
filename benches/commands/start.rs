//! How long it takes until something is there: commands that ask nothing, and those of a server with few shares.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::night::Nights;
use crate::plan::Plan;
use crate::shared::ran::{Used, median, run};

const SMALL: &str = include_str!("../../fixtures/worlds/small.json");

/// How long each answer is held back in turn.
const DELAYS_MS: [u32; 2] = [0, 50];

pub(crate) fn measure(plan: &Plan, out: &mut dyn Write) -> Outcome<()> {
    writeln!(
        out,
        "started {} times, median            requests  wall ms  cpu ms  peak MB",
        plan.starts
    )?;
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["rules"],
        &["completions", "bash"],
    ] {
        let used = times(plan, || {
            let mut command = Command::new(&plan.program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
            run(&mut command, &[0])
        })?;
        print(out, &arguments.join(" "), 0, used)?;
    }
    for delay in DELAYS_MS {
        let mut world: Value = serde_json::from_str(SMALL)?;
        world["nextcloud"]["settings"]["answer_delay_ms"] = delay.into();
        let nights = Nights::of_world(plan, &world, "")?;
        let fresh = times(plan, || {
            for name in ["state.db", "state.db-wal", "state.db-shm"] {
                // There is none at first, and no log after a clean end.
                let _ = std::fs::remove_file(nights.path(name));
            }
            nights.run(&["scan", "--quiet"])
        })?;
        print(out, &format!("scan, a new state, {delay} ms"), 0, fresh)?;
        for arguments in [
            &["scan", "--quiet"][..],
            &["doctor"],
            &["report"],
            &["config", "check"],
        ] {
            let (_, requests) = nights.asked(arguments)?;
            let used = times(plan, || nights.run(arguments))?;
            print(
                out,
                &format!("{}, {delay} ms", arguments.join(" ")),
                requests,
                used,
            )?;
        }
    }
    writeln!(out)?;
    Ok(())
}

/// The median of each figure by itself.
fn times(plan: &Plan, mut once: impl FnMut() -> Outcome<Used>) -> Outcome<Used> {
    let used: Vec<Used> = (0..plan.starts).map(|_| once()).collect::<Outcome<_>>()?;
    Ok(Used {
        wall: median(used.iter().map(|used| used.wall)),
        user: median(used.iter().map(|used| used.user)),
        system: median(used.iter().map(|used| used.system)),
        peak: median(used.iter().map(|used| used.peak)),
    })
}

fn print(out: &mut dyn Write, name: &str, requests: u64, used: Used) -> Outcome<()> {
    let (wall, processor) = (used.wall * 1e3, (used.user + used.system) * 1e3);
    writeln!(
        out,
        "{name:<36} {requests:>7} {wall:>8.1} {processor:>7.1} {:>8.1}",
        used.peak
    )?;
    Ok(())
}
