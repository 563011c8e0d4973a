//! An emulated Nextcloud whose nights follow each other, and the program beside it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Outcome;
use crate::plan::Plan;
use crate::shared::emulated::Emulator;
use crate::shared::ran::{Used, megabytes, run};

/// When the first night is.
const BEGINNING: &str = "2026-11-22T02:00:00Z";

/// A world, a configuration and a state, and the time there.
pub(crate) struct Nights<'p> {
    plan: &'p Plan,
    emulator: Emulator,
    config: PathBuf,
    now: Timestamp,
}

#[derive(Deserialize)]
struct Log {
    count: u64,
    dropped: u64,
}

impl<'p> Nights<'p> {
    /// Of so many accounts with five shares each, and with a configuration of which the rest is given.
    pub(crate) fn of(plan: &'p Plan, accounts: u32, delay_ms: u32, more: &str) -> Outcome<Self> {
        Self::of_world(
            plan,
            &json!({
                "schema": "sharewarden.world/v1",
                "now": BEGINNING,
                "nextcloud": {
                    "settings": {"answer_delay_ms": delay_ms},
                    "ex_apps": [{"id": "sharewarden", "secret": "an-invented-secret"}],
                    "accounts": [{"id": "admin", "admin": true}],
                    "generate": {"accounts": accounts, "shares_each": 5}
                }
            }),
            more,
        )
    }

    /// Of a world as it is written.
    pub(crate) fn of_world(plan: &'p Plan, world: &Value, more: &str) -> Outcome<Self> {
        let emulator = Emulator::start(world)?;
        let nights = Self {
            plan,
            config: emulator.folder().join("measured.toml"),
            emulator,
            now: BEGINNING.parse()?,
        };
        nights.configure(more)?;
        Ok(nights)
    }

    /// Writes the emulator's configuration without its limits, with further tables.
    pub(crate) fn configure(&self, more: &str) -> Outcome<()> {
        let mut config = self
            .emulator
            .config("requests_per_second = 1_000_000\nin_flight = 4")?;
        let source = config["source"]
            .as_array_mut()
            .and_then(|sources| sources.first_mut());
        let source = source.and_then(toml::Value::as_table_mut).ok_or("no source")?;
        source.insert("enforce".to_owned(), true.into());
        let mut state = toml::Table::new();
        state.insert(
            "path".to_owned(),
            self.path("state.db").to_string_lossy().as_ref().into(),
        );
        state.insert("keep".to_owned(), "1000d".into());
        config.insert("state".to_owned(), state.into());
        for (name, table) in more.parse::<toml::Table>()? {
            config.insert(name, table);
        }
        fs::write(&self.config, config.to_string())?;
        Ok(())
    }

    /// A file of that name that vanishes with the world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.emulator.folder().join(name)
    }

    /// How large a file is, its log included if it is the state.
    pub(crate) fn size(&self, name: &str) -> Outcome<f64> {
        let log = fs::metadata(self.path(&format!("{name}-wal"))).map_or(0, |log| log.len());
        Ok(megabytes(fs::metadata(self.path(name))?.len() + log))
    }

    /// Runs a command to its end; what it prints goes to a file, and each code that tells of a result is right.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome<Used> {
        let mut command = Command::new(&self.plan.program);
        command
            .args(["--now", &self.now.to_string(), "--config"])
            .arg(&self.config)
            .args(arguments)
            .env("TMPDIR", self.emulator.folder())
            .stdin(Stdio::null())
            .stdout(File::create(self.path("printed"))?);
        run(&mut command, &[0, 1, 5])
    }

    /// Runs it, and says how many requests the server answered.
    pub(crate) fn asked(&self, arguments: &[&str]) -> Outcome<(Used, u64)> {
        self.emulator.steer::<Value>("DELETE", "requests", &Value::Null)?;
        let used = self.run(arguments)?;
        let log: Log = self.emulator.steer("GET", "requests", &Value::Null)?;
        Ok((used, log.count + log.dropped))
    }

    /// A day passes.
    pub(crate) fn pass(&mut self) -> Outcome<()> {
        self.now = self.now.checked_add(24.hours())?;
        let set = json!({"set": self.now.to_string()});
        self.emulator.steer::<Value>("POST", "clock", &set)?;
        Ok(())
    }

    /// The emulator ends; what it used, in words.
    pub(crate) fn end(self) -> Outcome<String> {
        self.emulator.end()
    }

    /// The day that lies so many days from now.
    pub(crate) fn day(&self, days: i64) -> Outcome<String> {
        let day = self.now.checked_add((days * 24).hours())?.to_zoned(TimeZone::UTC);
        Ok(day.date().to_string())
    }

    /// Changes the world; the ids of what was changed.
    pub(crate) fn change(&self, changes: &Value) -> Outcome<Vec<u64>> {
        #[derive(Deserialize)]
        struct Changed {
            ids: Vec<u64>,
        }
        Ok(self.emulator.steer::<Changed>("POST", "change", changes)?.ids)
    }
}
