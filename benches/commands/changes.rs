//! Plans, and what becomes of them: how long it takes and how many requests an action costs.

use std::io::Write;

use crate::Outcome;
use crate::night::Nights;
use crate::plan::Plan;

/// Each account of the invented worlds has one link that never ends, and more that are open.
const RULES: &str = "
[enforce]
mode = \"on\"
max_changes = 1_000_000
max_changes_percent = 100

[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
";

/// What is held back by, so that what waits for answers shows.
const DELAYS_MS: [u32; 2] = [0, 10];

pub(crate) fn measure(plan: &Plan, out: &mut dyn Write) -> Outcome<()> {
    writeln!(
        out,
        "changes                        actions  requests  each  wall s  ms each  user s  system s  peak MB"
    )?;
    for shares in &plan.changes {
        for delay in DELAYS_MS {
            one(plan, *shares, delay, out)?;
        }
    }
    writeln!(out)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn one(plan: &Plan, accounts: u32, delay: u32, out: &mut dyn Write) -> Outcome<()> {
    let nights = Nights::of(plan, accounts, delay, RULES)?;
    nights.run(&["scan", "--quiet"])?;
    nights.run(&["baseline", "release", "--source", "cloud"])?;
    let file = nights.path("plan.json");
    let file = file.to_string_lossy();
    let mut actions = 0;
    for (name, arguments) in [
        ("plan", vec!["plan", "--out", &file]),
        (
            "apply --dry-run",
            vec!["apply", "--dry-run", "--format", "json", &file],
        ),
        ("apply", vec!["apply", "--yes", "--format", "json", &file]),
        (
            "apply, once more",
            vec!["apply", "--yes", "--format", "json", &file],
        ),
        ("journal verify", vec!["journal", "verify"]),
    ] {
        let (used, requests) = nights.asked(&arguments)?;
        if name == "plan" {
            let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&*file)?)?;
            actions = written["actions"].as_array().map_or(0, Vec::len);
        }
        let each = actions.max(1) as f64;
        writeln!(
            out,
            "{:<30} {actions:>7} {requests:>9} {:>5.2} {:>7.2} {:>8.2} {:>7.2} {:>9.2} {:>8.1}",
            format!("{name}, {delay} ms"),
            requests as f64 / each,
            used.wall,
            used.wall * 1e3 / each,
            used.user,
            used.system,
            used.peak
        )?;
    }
    writeln!(out, "  (the emulator: {})", nights.end()?)?;
    Ok(())
}
