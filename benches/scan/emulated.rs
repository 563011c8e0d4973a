//! The emulator in a process of its own, with a world invented for the purpose.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use wait4::{ResUse, Wait4};

use crate::{Outcome, PROGRAM};

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

    /// What the emulated tenant counted.
    pub(crate) fn tenant(&self) -> Outcome<Value> {
        let url = self.told["graph"].as_str().unwrap_or_default();
        let address = url
            .trim_start_matches("http://")
            .split('/')
            .next()
            .unwrap_or_default();
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET /__emulator/state HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .ok_or("the emulator told no state")?;
        let mut state: Value = serde_json::from_str(body)?;
        Ok(state["microsoft365"].take())
    }

    /// Ends it and tells what it used.
    pub(crate) fn end(mut self) -> Outcome<ResUse> {
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
