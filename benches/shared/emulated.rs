//! The emulator in a process of its own, with a world invented for the purpose.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::Value;
use wait4::Wait4 as _;

use super::ran::Used;
use super::{Outcome, PROGRAM};

/// A running emulator; it ends with this.
pub(crate) struct Emulator {
    process: Option<Child>,
    folder: tempfile::TempDir,
    /// What it printed when it was ready.
    told: Value,
}

impl Emulator {
    pub(crate) fn start(world: &Value) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("sharewarden-bench-").tempdir()?;
        let path = folder.path().join("world.json");
        fs::write(&path, world.to_string())?;
        let mut emulator = Self {
            process: None,
            folder,
            told: Value::Null,
        };
        let process = emulator.process.insert(
            Command::new(PROGRAM)
                .arg("emulate")
                .arg("--world")
                .arg(&path)
                // Its own folder vanishes with ours, however it ends.
                .env("TMPDIR", emulator.folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let printed = process.stdout.take().ok_or("the emulator has no output")?;
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line)?;
        emulator.told = serde_json::from_str(&line)?;
        Ok(emulator)
    }

    /// Where files may be put that vanish with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its own configuration, with other limits of the source and with a state that is not yet named.
    pub(crate) fn config(&self, limits: &str) -> Outcome<toml::Table> {
        let path: PathBuf = self.told["config"]
            .as_str()
            .ok_or("the emulator told no configuration")?
            .into();
        let mut config: toml::Table = fs::read_to_string(path)?.parse()?;
        let sources = config.get_mut("source").and_then(toml::Value::as_array_mut);
        let source = sources
            .and_then(|sources| sources.first_mut())
            .and_then(toml::Value::as_table_mut)
            .ok_or("the emulator's configuration names no source")?;
        let limits: toml::Table = limits.parse()?;
        source.insert("limits".to_owned(), limits.into());
        Ok(config)
    }

    /// What it answers when it is steered. The answer is read as it comes and only as far as it is asked for, so that this
    /// process stays small: a child's peak begins with what its parent had.
    pub(crate) fn steer<T: DeserializeOwned>(&self, method: &str, place: &str, body: &Value) -> Outcome<T> {
        let url = self.told["nextcloud"].as_str().or(self.told["graph"].as_str());
        let address = url
            .ok_or("the emulator told no address")?
            .trim_start_matches("http://");
        let address = address.split('/').next().unwrap_or_default();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = BufReader::new(TcpStream::connect(address)?);
        write!(
            stream.get_mut(),
            "{method} /__emulator/{place} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if !line.contains(" 200 ") {
            return Err(format!("the emulator answered {method} {place} with {line}").into());
        }
        while !line.trim_end().is_empty() {
            line.clear();
            stream.read_line(&mut line)?;
        }
        Ok(serde_json::from_reader(stream)?)
    }

    /// Ends it and tells in words what it used.
    pub(crate) fn end(mut self) -> Outcome<String> {
        let mut process = self.process.take().ok_or("the emulator has ended")?;
        process.kill()?;
        let used = Used::of(0.0, &process.wait4()?);
        Ok(format!("{:.1} s user, {:.0} MB", used.user, used.peak))
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
