//! Runs the program and looks at how long it takes and how much memory it has.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Program;

/// The most memory that a run may have, in KiB.
const MEMORY: u64 = 256 * 1024;
/// The longest that a run may take.
const PATIENCE: Duration = Duration::from_secs(58);

/// A run that has ended.
pub(super) struct Watched {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
    /// The most memory that it had, in KiB.
    peak: u64,
    took: Duration,
}

impl Watched {
    /// Runs the program to its end, or to that of patience.
    pub(super) fn run(program: &Program) -> Self {
        let began = Instant::now();
        let mut child = program
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let mut peak = 0;
        let code = loop {
            // What the system says of it is gone with it: the last look is the one before its end.
            peak = peak.max(high_water(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Self {
            code,
            out: out.join().unwrap(),
            err: err.join().unwrap(),
            peak,
            took: began.elapsed(),
        }
    }

    /// Insists on an end in time, within the memory that it may have, and without falling over.
    pub(super) fn check(&self) {
        assert!(
            self.code.is_some(),
            "no end after {:?}, or a signal: {}",
            self.took,
            self.last_words()
        );
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert!(self.peak < MEMORY, "{} KiB of memory", self.peak);
        assert!(
            !self.out.contains('\u{1b}') && !self.err.contains('\u{1b}'),
            "it steers the terminal"
        );
    }

    /// The last of what it said.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<&str> = self.err.lines().collect();
        lines[lines.len().saturating_sub(6)..].join("\n")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", self.code, self.last_words()))
    }
}

fn reader(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    let mut from = from.unwrap();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// The most memory that a process had so far, in KiB.
fn high_water(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
