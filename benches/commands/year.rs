//! A year of nights in one state file, a fiftieth of all shares made, changed and ended in each; and what is asked of it
//! at the end.

use std::fs;
use std::io::Write;

use serde_json::{Value, json};

use crate::Outcome;
use crate::night::Nights;
use crate::plan::Plan;
use crate::shared::ran::Used;

const ACCOUNTS: u32 = 1_000;
/// How many shares are made, and end in the next night; as many are changed.
const CHANGES: u32 = 50;
/// After so many nights a line is printed.
const STEP: u32 = 50;

pub(crate) fn measure(plan: &Plan, out: &mut dyn Write) -> Outcome<()> {
    let mut nights = Nights::of(plan, ACCOUNTS, 0, "")?;
    writeln!(
        out,
        "{ACCOUNTS} accounts, 5 shares each; in each night {CHANGES} are made, {CHANGES} are changed, and those made before end\n\
         nights                          wall s  user s  system s  peak MB  state MB"
    )?;
    let mut made = Vec::new();
    for night in 0..plan.nights {
        let used = nights.run(&["nightly"])?;
        if night % STEP < 2 || night + 1 == plan.nights {
            print(out, &format!("night {}", night + 1), used, &nights)?;
        }
        nights.pass()?;
        made = churn(&nights, night, &made)?;
    }
    let size = |nights: &Nights<'_>, name: &str| fs::metadata(nights.path(name)).map_or(0, |file| file.len());
    let told = nights.path("report");
    let told = told.to_string_lossy();
    for (name, arguments) in [
        ("report", vec!["report", "--format", "json", "--output", &told]),
        (
            "report --user",
            vec![
                "report",
                "--user",
                "user00007",
                "--format",
                "json",
                "--output",
                &told,
            ],
        ),
        (
            "report --format html",
            vec!["report", "--format", "html", "--output", &told],
        ),
        ("history --owner", vec!["history", "--owner", "user00007"]),
        ("doctor", vec!["doctor"]),
    ] {
        let used = nights.run(&arguments)?;
        print(out, name, used, &nights)?;
    }
    let events = nights.path("events.ndjson");
    let export = format!(
        "[export]\nndjson = {}\n",
        toml::Value::from(events.to_string_lossy().as_ref())
    );
    nights.configure(&export)?;
    for name in ["the first export", "the next"] {
        let before = size(&nights, "events.ndjson");
        let used = nights.run(&["nightly"])?;
        let bytes = size(&nights, "events.ndjson") - before;
        print(out, &format!("nightly, {name}: {bytes} bytes"), used, &nights)?;
        nights.pass()?;
        made = churn(&nights, plan.nights, &made)?;
    }
    print(
        out,
        "purge --owner",
        nights.run(&["purge", "--owner", "user00008"])?,
        &nights,
    )?;
    // Half of the nights.
    let day = nights.day(-i64::from(plan.nights / 2))?;
    print(
        out,
        "purge --before",
        nights.run(&["purge", "--before", &day])?,
        &nights,
    )?;
    print(out, "nightly afterwards", nights.run(&["nightly"])?, &nights)?;
    writeln!(out, "  (the emulator: {})\n", nights.end()?)?;
    Ok(())
}

/// Makes shares, changes others, and ends those that were made the night before.
fn churn(nights: &Nights<'_>, night: u32, made: &[u64]) -> Outcome<Vec<u64>> {
    let owner = |number: u32| format!("user{:05}", (night * 37 + number * 19) % ACCOUNTS + 1);
    let mut changes: Vec<Value> = made
        .iter()
        .map(|id| json!({"do": "remove", "share": id}))
        .collect();
    // The ids of those that the world began with are below.
    for number in 0..CHANGES {
        let id = (night * 41 + number * 97) % (ACCOUNTS * 5) + 1;
        let end = format!("+{}d", 20 + night % 60);
        changes.push(json!({"do": "update", "share": id, "set": {"expires": end}}));
    }
    nights.change(&Value::Array(changes))?;
    let new: Vec<Value> = (0..CHANGES)
        .map(|number| {
            json!({"do": "add", "share": {"type": "link", "owner": owner(number), "path": "/Work/report-00001.pdf"}})
        })
        .collect();
    nights.change(&Value::Array(new))
}

fn print(out: &mut dyn Write, name: &str, used: Used, nights: &Nights<'_>) -> Outcome<()> {
    let state = nights.size("state.db")?;
    writeln!(
        out,
        "{name:<32} {:>6.2} {:>7.2} {:>9.2} {:>8.1} {state:>9.1}",
        used.wall, used.user, used.system, used.peak
    )?;
    Ok(())
}
