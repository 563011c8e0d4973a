//! Worlds of a Nextcloud: many accounts, and one with very many shares.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::plan::Plan;
use crate::scanned::{Nights, Row, nights};
use crate::shared::Outcome;
use crate::shared::emulated::Emulator;

const HEAD: &str = "world                     shares   requests  an account  wall s   ratio  user s  system s  us a share  peak MB";

pub(crate) fn measure(plan: &Plan, out: &mut impl Write) -> Outcome<()> {
    writeln!(out, "{HEAD}")?;
    let mut peaks = Vec::new();
    for accounts in &plan.accounts {
        let generate = json!({"accounts": accounts, "shares_each": plan.shares_each});
        let first = one(
            plan,
            &generate,
            &format!("{accounts} accounts"),
            Some(plan.answer()),
            out,
        )?;
        peaks.push((*accounts, first.used.peak));
    }
    if let Some(accounts) = plan.accounts.first() {
        // Each second account shares a folder, too: what lies beneath it is asked for after all lists.
        let open = accounts / 2;
        let generate = json!({"accounts": accounts, "shares_each": plan.shares_each, "open_folders": open});
        let name = format!("{accounts}, {open} open folders");
        one(plan, &generate, &name, Some(plan.answer()), out)?;
    }
    if plan.heavy > 0 {
        let name = format!("1 account, {} shares", plan.heavy);
        one(plan, &json!({"heavy": {"hoarder": plan.heavy}}), &name, None, out)?;
    }
    writeln!(out)?;
    for pair in peaks.windows(2) {
        if let [(few, before), (many, after)] = pair {
            let ratio = after / before;
            writeln!(out, "peak memory, {many} accounts over {few}: {ratio:.2}\n")?;
        }
    }
    Ok(())
}

/// Measures one world. `answer`: how long each account's listing takes at least, where there are enough for that to
/// matter.
fn one(plan: &Plan, generate: &Value, name: &str, answer: Option<f64>, out: &mut impl Write) -> Outcome<Row> {
    let emulator = Emulator::start(&json!({
        "schema": "sharewarden.world/v1",
        "nextcloud": {
            "settings": {"answer_delay_ms": u64::try_from(plan.delay.as_millis())?},
            "ex_apps": [{"id": "sharewarden", "secret": "an-invented-secret"}],
            "accounts": [{"id": "admin", "admin": true}],
            "generate": generate
        }
    }))?;
    // The highest rate that can be configured is none in practice.
    let limits = format!("requests_per_second = 1_000_000\nin_flight = {}", plan.in_flight);
    let nights = nights(plan, &emulator, &emulator.config(&limits)?)?;
    print(&nights, name, answer, out)?;
    writeln!(out, "  (the emulator: {})", emulator.end()?)?;
    Ok(nights.first)
}

fn print(nights: &Nights, name: &str, answer: Option<f64>, out: &mut impl Write) -> io::Result<()> {
    for (row, name) in [(&nights.first, name), (&nights.second, "  again, unchanged")] {
        let ratio = answer.map_or_else(
            || "–".to_owned(),
            |answer| format!("{:.3}", row.used.wall / (row.accounts * answer)),
        );
        writeln!(
            out,
            "{name:<24} {:>8} {:>9} {:>11.3} {:>7.2} {ratio:>7} {:>7.2} {:>9.2} {:>11.1} {:>8.1}",
            row.shares,
            row.requests,
            row.requests / row.accounts,
            row.used.wall,
            row.used.user,
            row.used.system,
            row.used.user * 1e6 / row.shares,
            row.used.peak
        )?;
    }
    Ok(())
}
