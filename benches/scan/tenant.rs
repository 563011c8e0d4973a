//! Worlds of a Microsoft 365 tenant: many drives, one with very many items, one with labels, one that throttles.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::Plan;
use crate::scanned::{Nights, Row, nights, scan};
use crate::shared::Outcome;
use crate::shared::emulated::Emulator;

/// As many as are asked for, and as Microsoft's own pages are said to have at most.
const PAGE: u32 = 500;
/// The most questions in one request.
const BATCH: u32 = 20;
/// Of a hundred items so many are shared.
const ROOTS_PERCENT: u32 = 1;
/// More units than any world here costs: no budget in practice.
const NO_BUDGET: u32 = 1_000_000_000;
/// What the largest tenants' scans spend in a minute.
const BUDGET: u32 = 5_000;
/// How many times faster the minutes of the tenant that throttles pass.
const HASTE: u32 = 10;

const HEAD: &str = "world                      items  shares requests    aim   ratio    units  wall s   ratio  user s  system s  us an item  peak MB";

/// A tenant to be invented and scanned.
struct World {
    name: String,
    drives: u32,
    items: u32,
    delay: Duration,
    /// Whether labels classify: then each shared item is asked for its own.
    labels: bool,
    /// The units that may be spent in a minute.
    budget: u32,
}

impl World {
    fn all_items(&self) -> u32 {
        self.drives * (self.items + 1)
    }

    /// The requests that a scan needs at least: the pages of items, the permissions in twenties, two a drive for the rest.
    fn aim(&self) -> f64 {
        let roots = self.items * ROOTS_PERCENT / 100;
        let each = (self.items + 1).div_ceil(PAGE) + roots.div_ceil(BATCH) + 2;
        f64::from(self.drives * each)
    }

    fn written(&self, limits: &Value) -> Outcome<Value> {
        let mut limits = limits.clone();
        limits["answer_delay_ms"] = u64::try_from(self.delay.as_millis())?.into();
        limits["delta_page"] = PAGE.into();
        let mut generate = json!({"roots_percent": ROOTS_PERCENT, "items_each": self.items});
        if self.drives == 1 {
            generate["heavy"] = json!({"hoarder@example.org": self.items});
        } else {
            generate["drives"] = self.drives.into();
        }
        Ok(json!({
            "schema": "sharewarden.world/v1",
            "microsoft365": {
                "app": {"secret": "an-invented-secret"},
                "limits": limits,
                "generate": generate
            }
        }))
    }
}

pub(crate) fn measure(plan: &Plan, out: &mut impl Write) -> Outcome<()> {
    writeln!(out, "{HEAD}")?;
    let many = |drives: u32| World {
        name: format!("{drives} drives"),
        drives,
        items: plan.items,
        delay: plan.delay,
        labels: false,
        budget: NO_BUDGET,
    };
    let mut peaks = Vec::new();
    for drives in &plan.drives {
        let world = many(*drives);
        peaks.push((world.all_items(), one(plan, &world, out)?.used.peak));
    }
    if let Some(drives) = plan.drives.first() {
        let labels = World {
            name: format!("{drives} drives, labels"),
            labels: true,
            ..many(*drives)
        };
        one(plan, &labels, out)?;
        let budgeted = World {
            name: format!("{drives}, {BUDGET} units a min"),
            budget: BUDGET,
            ..many(*drives)
        };
        one(plan, &budgeted, out)?;
    }
    for items in &plan.heavy_items {
        let world = World {
            name: "1 drive, no delay".to_owned(),
            drives: 1,
            items: *items,
            // Its pages come one after the other: only the wait would be measured.
            delay: Duration::ZERO,
            labels: false,
            budget: NO_BUDGET,
        };
        peaks.push((world.all_items(), one(plan, &world, out)?.used.peak));
    }
    writeln!(out)?;
    if let Some((fewest, before)) = peaks.iter().min_by_key(|(items, _)| *items) {
        for (items, after) in peaks.iter().filter(|(items, _)| items > fewest) {
            let ratio = after / before;
            writeln!(out, "peak memory, {items} items over {fewest}: {ratio:.2}")?;
        }
        writeln!(out)?;
    }
    if let Some(drives) = plan.drives.first() {
        throttled(plan, &many(*drives), out)?;
    }
    Ok(())
}

fn one(plan: &Plan, world: &World, out: &mut impl Write) -> Outcome<Row> {
    let emulator = Emulator::start(&world.written(&json!({}))?)?;
    let nights = nights(plan, &emulator, &config(&emulator, plan, world)?)?;
    print(&nights, plan, world, out)?;
    writeln!(out, "  (the emulator: {})", emulator.end()?)?;
    Ok(nights.first)
}

/// The emulator's configuration, with the world's budget; without tags, unless labels are to be asked for.
fn config(emulator: &Emulator, plan: &Plan, world: &World) -> Outcome<toml::Table> {
    let mut config = emulator.config(&format!(
        "units_per_minute = {}\nunits_per_day = {NO_BUDGET}\nin_flight = {}",
        world.budget, plan.in_flight
    ))?;
    if !world.labels {
        let classes = config
            .get_mut("policy")
            .and_then(|policy| policy.get_mut("classify")?.as_array_mut());
        for class in classes.into_iter().flatten() {
            if let Some(class) = class.as_table_mut() {
                class.remove("tags");
            }
        }
    }
    Ok(config)
}

fn print(nights: &Nights, plan: &Plan, world: &World, out: &mut impl Write) -> io::Result<()> {
    let items = f64::from(world.all_items());
    let aim = world.aim();
    for (row, name) in [
        (&nights.first, world.name.as_str()),
        (&nights.second, "  again, unchanged"),
    ] {
        let least = f64::max(
            row.requests * plan.answer(),
            row.units * 60.0 / f64::from(world.budget),
        );
        let ratio = if world.delay.is_zero() {
            "–".to_owned()
        } else {
            format!("{:.3}", row.used.wall / least)
        };
        writeln!(
            out,
            "{name:<24} {items:>7} {:>7} {:>8} {aim:>6} {:>7.3} {:>8} {:>7.2} {ratio:>7} {:>7.2} {:>9.2} {:>11.1} {:>8.1}",
            row.shares,
            row.requests,
            row.requests / aim,
            row.units,
            row.used.wall,
            row.used.user,
            row.used.system,
            row.used.user * 1e6 / items,
            row.used.peak
        )?;
    }
    Ok(())
}

/// Scans a tenant that grants less than the scan believes, and prints what the tenant counted.
fn throttled(plan: &Plan, world: &World, out: &mut impl Write) -> Outcome<()> {
    // What is shared costs five times as much: enough for some pauses.
    let units = world.all_items() / 100;
    let in_the_dark = u64::try_from(plan.delay.as_millis())? + 50;
    let emulator = Emulator::start(&world.written(&json!({
        "units_per_minute": units,
        "time_scale": HASTE,
        // Until the refusal has arrived nobody can know of it.
        "grace_ms": in_the_dark,
    }))?)?;
    let config = config(&emulator, plan, world)?;
    let row = scan(&plan.program, emulator.folder(), &config)?;
    let state: Value = emulator.steer("GET", "state", &Value::Null)?;
    let counted = &state["microsoft365"];
    writeln!(
        out,
        "{} throttled at {units} units in {} s, {} in flight: {} requests, {} units, {:.2} s; {} answers asked to wait\n\
         the tenant counted: {} pauses, {} refusals (those within batches by themselves), {} requests during a pause",
        world.name,
        60 / HASTE,
        plan.in_flight,
        row.requests,
        row.units,
        row.used.wall,
        row.throttled,
        counted["pauses"],
        counted["throttled"],
        counted["requests_during_pause"],
    )?;
    emulator.end()?;
    Ok(())
}
