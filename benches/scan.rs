//! Measures whole scans from outside: the built program scans the built-in emulator, each a process of its own.
//!
//! A scan's user CPU and peak memory are those that the system tells of its process when it ends (`wait4`). What it
//! means, and how to read the table: `docs/performance.md`. Nothing is asserted: this prints, people judge.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use wait4::{ResUse, Wait4};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sharewarden");
const USAGE: &str = "\
usage: cargo bench --bench scan -- [--accounts N,N…] [--heavy SHARES] [--shares-each N] [--delay-ms MS]
                                   [--in-flight N] [--runs N] [--program FILE] [--quick]
  --accounts 0 or --heavy 0 leaves those worlds out; --quick measures small ones once
  --program measures another build against the same emulator";

/// What is measured.
struct Plan {
    /// The worlds of many accounts, by their number.
    accounts: Vec<u32>,
    /// The shares of the single large account.
    heavy: u32,
    shares_each: u32,
    delay: Duration,
    in_flight: u32,
    /// How often each world is scanned anew; the median is printed.
    runs: usize,
    /// The program that scans.
    program: PathBuf,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            accounts: vec![1_000, 10_000],
            heavy: 200_000,
            shares_each: 5,
            delay: Duration::from_millis(50),
            in_flight: 4,
            runs: 3,
            program: PROGRAM.into(),
        }
    }
}

impl Plan {
    fn of(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut plan = Self::default();
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match name.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => (plan.accounts, plan.heavy, plan.runs) = (vec![100, 1_000], 10_000, 1),
                "--accounts" => {
                    plan.accounts = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                    plan.accounts.retain(|accounts| *accounts > 0);
                }
                "--heavy" => plan.heavy = value()?.parse()?,
                "--shares-each" => plan.shares_each = value()?.parse()?,
                "--delay-ms" => plan.delay = Duration::from_millis(value()?.parse()?),
                "--in-flight" => plan.in_flight = value()?.parse()?,
                "--runs" => plan.runs = value()?.parse::<usize>()?.max(1),
                "--program" => plan.program = value()?.into(),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(plan)
    }

    /// How long the answer to each account's listing keeps a scan waiting, in seconds.
    fn answer(&self) -> f64 {
        self.delay.as_secs_f64() / f64::from(self.in_flight.max(1))
    }
}

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
    writeln!(out, "{}", Row::HEAD)?;
    let mut peaks = Vec::new();
    for accounts in &plan.accounts {
        let generate = json!({"accounts": accounts, "shares_each": plan.shares_each});
        let nights = measure(&plan, &generate)?;
        nights.print(&mut out, &format!("{accounts} accounts"), Some(plan.answer()))?;
        peaks.push((*accounts, nights.first.peak));
    }
    if let Some(accounts) = plan.accounts.first() {
        // Each second account shares a folder, too: what lies beneath it is asked for after all lists.
        let open = accounts / 2;
        let generate = json!({"accounts": accounts, "shares_each": plan.shares_each, "open_folders": open});
        let name = format!("{accounts}, {open} open folders");
        measure(&plan, &generate)?.print(&mut out, &name, Some(plan.answer()))?;
    }
    if plan.heavy > 0 {
        let nights = measure(&plan, &json!({"heavy": {"hoarder": plan.heavy}}))?;
        let name = format!("1 account, {} shares", plan.heavy);
        nights.print(&mut out, &name, None)?;
    }
    writeln!(out)?;
    for pair in peaks.windows(2) {
        if let [(few, before), (many, after)] = pair {
            let ratio = after / before;
            writeln!(out, "peak memory, {many} accounts over {few}: {ratio:.2}")?;
        }
    }
    Ok(())
}

/// A first scan and one in which nothing had changed.
struct Nights {
    first: Row,
    second: Row,
    emulator: ResUse,
}

impl Nights {
    /// `answer`: how long each account's listing takes at least, where there are enough for that to matter.
    fn print(&self, out: &mut impl Write, world: &str, answer: Option<f64>) -> io::Result<()> {
        writeln!(out, "{}", self.first.line(world, answer))?;
        writeln!(out, "{}", self.second.line("  again, unchanged", answer))?;
        let used = self.emulator.rusage;
        writeln!(
            out,
            "  (the emulator: {:.1} s user, {:.0} MB)",
            used.utime.as_secs_f64(),
            megabytes(used.maxrss)
        )
    }
}

/// What a scan cost.
#[derive(Clone, Copy)]
struct Row {
    requests: f64,
    accounts: f64,
    shares: f64,
    wall: f64,
    user: f64,
    system: f64,
    peak: f64,
}

impl Row {
    const HEAD: &str = "world                     shares   requests  an account  wall s   ratio  user s  system s  us a share  peak MB";

    fn line(&self, world: &str, answer: Option<f64>) -> String {
        let ratio = answer.map_or_else(
            || "–".to_owned(),
            |answer| format!("{:.3}", self.wall / (self.accounts * answer)),
        );
        format!(
            "{world:<24} {:>8} {:>9} {:>11.3} {:>7.2} {ratio:>7} {:>7.2} {:>9.2} {:>11.1} {:>8.1}",
            self.shares,
            self.requests,
            self.requests / self.accounts,
            self.wall,
            self.user,
            self.system,
            self.user * 1e6 / self.shares,
            self.peak
        )
    }

    /// The median of each figure by itself.
    fn median(rows: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = rows.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            requests: of(|row| row.requests),
            accounts: of(|row| row.accounts),
            shares: of(|row| row.shares),
            wall: of(|row| row.wall),
            user: of(|row| row.user),
            system: of(|row| row.system),
            peak: of(|row| row.peak),
        }
    }
}

/// Scans an invented world, twice on each of so many fresh states.
fn measure(plan: &Plan, generate: &Value) -> Outcome<Nights> {
    let folder = tempfile::Builder::new().prefix("sharewarden-bench-").tempdir()?;
    let emulator = Emulator::start(folder.path(), plan, generate)?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for run in 0..plan.runs {
        let state = folder.path().join(format!("state-{run}.db"));
        let config = adapted(&emulator.config, &state, plan.in_flight)?;
        first.push(scan(&plan.program, folder.path(), &config)?);
        second.push(scan(&plan.program, folder.path(), &config)?);
        fs::remove_file(&state)?;
    }
    Ok(Nights {
        first: Row::median(&first),
        second: Row::median(&second),
        emulator: emulator.end()?,
    })
}

/// The emulator's own configuration, without a rate and with a state of ours.
fn adapted(config: &Path, state: &Path, in_flight: u32) -> Outcome<String> {
    let mut config: toml::Table = fs::read_to_string(config)?.parse()?;
    let sources = config.get_mut("source").and_then(toml::Value::as_array_mut);
    let source = sources
        .and_then(|sources| sources.first_mut())
        .and_then(toml::Value::as_table_mut)
        .ok_or("the emulator's configuration names no source")?;
    // The highest rate that can be configured is none in practice.
    let limits: toml::Table = format!("requests_per_second = 1_000_000\nin_flight = {in_flight}").parse()?;
    source.insert("limits".to_owned(), limits.into());
    let mut kept = toml::Table::new();
    kept.insert("path".to_owned(), state.to_string_lossy().as_ref().into());
    config.insert("state".to_owned(), kept.into());
    Ok(config.to_string())
}

/// What is read of a report; the rest is passed over, so that this process stays small: a child's peak
/// begins with what its parent had.
#[derive(Deserialize)]
struct Report {
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    verdict: String,
    accounts: Accounts,
    shares_seen: u32,
    requests: Requests,
}

#[derive(Deserialize)]
struct Accounts {
    scanned: u32,
}

#[derive(Deserialize)]
struct Requests {
    sent: u32,
}

fn scan(program: &Path, folder: &Path, config: &str) -> Outcome<Row> {
    let (configured, report) = (folder.join("config.toml"), folder.join("report.json"));
    fs::write(&configured, config)?;
    let began = Instant::now();
    let child = Command::new(program)
        .args(["scan", "--quiet", "--format", "json", "--config"])
        .arg(&configured)
        .arg("--output")
        .arg(&report)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .spawn()?;
    let ended = child.wait4()?;
    let wall = began.elapsed();
    if !ended.status.success() {
        return Err(format!("the scan ended with {}", ended.status).into());
    }
    let report: Report = serde_json::from_reader(BufReader::new(File::open(&report)?))?;
    let source = report.sources.first().ok_or("the report names no source")?;
    if source.verdict == "incomplete" {
        return Err("the scan was incomplete".into());
    }
    Ok(Row {
        requests: source.requests.sent.into(),
        accounts: source.accounts.scanned.into(),
        shares: source.shares_seen.into(),
        wall: wall.as_secs_f64(),
        user: ended.rusage.utime.as_secs_f64(),
        system: ended.rusage.stime.as_secs_f64(),
        peak: megabytes(ended.rusage.maxrss),
    })
}

/// The emulator in a process of its own; it ends with this.
struct Emulator {
    process: Option<Child>,
    config: PathBuf,
}

impl Emulator {
    fn start(folder: &Path, plan: &Plan, generate: &Value) -> Outcome<Self> {
        let world = json!({
            "schema": "sharewarden.world/v1",
            "nextcloud": {
                "settings": {"answer_delay_ms": u64::try_from(plan.delay.as_millis())?},
                "ex_apps": [{"id": "sharewarden", "secret": "an-invented-secret"}],
                "accounts": [{"id": "admin", "admin": true}],
                "generate": generate
            }
        });
        let path = folder.join("world.json");
        fs::write(&path, world.to_string())?;
        let mut emulator = Self {
            process: None,
            config: PathBuf::new(),
        };
        let process = emulator.process.insert(
            Command::new(PROGRAM)
                .arg("emulate")
                .arg("--world")
                .arg(&path)
                // Its own folder vanishes with ours, however it ends.
                .env("TMPDIR", folder)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let printed = process.stdout.take().ok_or("the emulator has no output")?;
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        emulator.config = told["config"]
            .as_str()
            .ok_or("the emulator told no configuration")?
            .into();
        Ok(emulator)
    }

    /// Ends it and tells what it used.
    fn end(mut self) -> Outcome<ResUse> {
        let mut process = self.process.take().ok_or("the emulator has ended")?;
        process.kill()?;
        Ok(process.wait4()?)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself; then there is nothing to end.
            let _ = process.kill().and_then(|()| process.wait());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
