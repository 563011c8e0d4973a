//! Leak canaries: every secret is a marked string, everything is done, and whatever was said, sent or kept is searched.
//!
//! Nothing of a link token, password or credential may be found, in any form that [`search`] knows, in results, messages,
//! logs, letters, the state, plans, exports, what the daemon answers, temporary files, command lines, and environments.
//! What is meant to show a secret is named where it is run, by [`Tour::may_show`]. That the search finds what is there is shown
//! each time: every secret that the listener learned has to be found in what went over the wire.

pub(crate) mod letters;
mod marks;
mod mistakes;
mod processes;
mod search;
mod services;
mod shown;
mod sign_ins;
mod tap;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::harness::{Config, NOW, Program, Ran, Stage, small};
use marks::Secrets;
use search::Search;
use tap::Tap;

/// What all runs are told: to say as much as they can.
const LOUD: [(&str, &str); 3] = [
    ("RUST_LOG", "trace"),
    ("SHAREWARDEN_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
];

/// Files that are there to hold a secret.
const KEPT: [&str; 10] = [
    "secret",
    "client-secret",
    "smtp-password",
    "m365.pem",
    "federated",
    "attachments.key",
    "attachments.json",
    "pseudonyms.key",
    "credentials/cloud.json",
    "credentials/m365.json",
];

/// Something that was said, sent or kept.
struct Piece {
    what: String,
    bytes: Vec<u8>,
    /// Which secrets it is meant to show, by the beginning of their names.
    shows: Vec<&'static str>,
}

/// A service with marked secrets behind a listener, and all that the program leaves when it is used.
struct Tour {
    stage: Stage,
    tap: Tap,
    secrets: Secrets,
    pieces: Vec<Piece>,
    runs: usize,
    now: String,
}

impl Tour {
    /// One of a server to which the auditor is not registered yet.
    fn unregistered() -> Self {
        let mut world = small();
        world["now"] = json!(null);
        let tour = Self::of(world);
        tour.stage
            .occ(&["app_api:app:unregister", "sharewarden", "--force"], "");
        fs::remove_file(tour.stage.path("secret")).unwrap();
        tour
    }

    fn of(mut world: Value) -> Self {
        let secrets = marks::marked(&mut world);
        let stage = Stage::of(&world);
        let service = if world["nextcloud"].is_null() {
            stage.places().0.clone()
        } else {
            stage.url().clone()
        };
        fs::create_dir(stage.path("tmp")).unwrap();
        let tour = Self {
            tap: Tap::before(&service),
            stage,
            secrets,
            pieces: Vec::new(),
            runs: 0,
            now: NOW.to_owned(),
        };
        tour.tapped();
        tour
    }

    /// The small world of a Nextcloud, with the configuration that this says.
    fn nextcloud(config: &Config<'_>) -> Self {
        let tour = Self::of(crate::harness::small());
        tour.stage.configure(config);
        tour.tapped();
        tour
    }

    /// The small tenant.
    fn tenant(config: &Config<'_>) -> Self {
        let tour = Self::of(crate::harness::tenant());
        tour.stage.configure_tenant(config);
        tour.tapped();
        tour
    }

    /// Leads the configuration to the listener.
    fn tapped(&self) {
        let path = self.stage.path("config.toml");
        let text = fs::read_to_string(path).unwrap();
        let tenant = self.stage.has_tenant().then(|| self.stage.places().0);
        let text = [Some(self.stage.url()), tenant]
            .into_iter()
            .flatten()
            .fold(text, |text, url| {
                text.replace(
                    &format!(":{}/", url.port().unwrap()),
                    &format!(":{}/", self.tap.url.port().unwrap()),
                )
            });
        self.stage.write("config.toml", &text);
    }

    /// The program, to say as much as it can.
    fn program(&self, arguments: &[&str]) -> Program {
        let mut program = self.stage.program();
        program.arguments(&["-vvv"]).arguments(arguments);
        program.variable("TMPDIR", &self.stage.path("tmp").to_string_lossy());
        for (name, value) in LOUD {
            program.variable(name, value);
        }
        program
    }

    /// Runs a command at the tour's time; its exit code is one of these.
    fn run(&mut self, arguments: &[&str], codes: &[i32]) -> Ran {
        self.may_show(&[], arguments, codes)
    }

    /// Runs a command that is meant to show some secrets, by the beginning of their names.
    fn may_show(&mut self, shows: &[&'static str], arguments: &[&str], codes: &[i32]) -> Ran {
        let now = self.now.clone();
        let ran = self.program(&[&["--now", &now], arguments].concat()).run();
        self.ran(&ran, shows, arguments, codes);
        ran
    }

    fn ran(&mut self, ran: &Ran, shows: &[&'static str], arguments: &[&str], codes: &[i32]) {
        let code = ran.code.unwrap_or(-1);
        let codes = if codes.contains(&code) { &[code] } else { codes };
        ran.ended(codes[0]);
        self.runs += 1;
        let what = arguments.join(" ");
        self.said(&format!("standard output of `{what}`"), ran.out.as_bytes(), shows);
        self.said(&format!("standard error of `{what}`"), ran.err.as_bytes(), &[]);
    }

    fn said(&mut self, what: &str, bytes: &[u8], shows: &[&'static str]) {
        self.pieces.push(Piece {
            what: what.to_owned(),
            bytes: bytes.to_vec(),
            shows: shows.to_vec(),
        });
    }

    /// A secret that was obtained otherwise than over the wire.
    fn knows(&mut self, name: &str, secret: &str) {
        marks::note(&mut self.secrets, name, secret);
    }

    /// Goes to another day.
    fn day(&mut self, day: i64) {
        let now: jiff::Timestamp = NOW.parse().unwrap();
        self.now = (now + jiff::SignedDuration::from_hours(24 * day)).to_string();
        self.stage.clock(&self.now);
    }

    /// Takes every file of the stage, but those that are there to hold a secret, and every cell of the state.
    fn look(&mut self) {
        let root = self.stage.path("");
        let kept: BTreeSet<PathBuf> = KEPT.iter().map(|name| root.join(name)).collect();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() && !kept.contains(&path) {
                    let name = path.strip_prefix(&root).unwrap().display().to_string();
                    let bytes = fs::read(&path).unwrap();
                    if path.extension().is_some_and(|ending| ending == "eml") {
                        let (words, archives) = letters::unpacked(&bytes);
                        self.said(&format!("{name}, unpacked"), &words, &[]);
                        for archive in archives {
                            self.said(&format!("what is attached to {name}"), &archive, &[]);
                        }
                    }
                    // Where in a drive the next night goes on is kept.
                    let shows: &[&'static str] = if name.starts_with("state.db") {
                        &[marks::PLACE]
                    } else {
                        &[]
                    };
                    self.said(&name, &bytes, shows);
                }
            }
        }
        let state = root.join("state.db");
        if state.exists() {
            self.said("the cells of the state", &cells(&state), &[marks::PLACE]);
        }
    }

    /// Searches all of it; the secrets that went over the wire.
    fn end(self) -> BTreeSet<String> {
        let heard = self.end_unheard();
        assert!(heard.len() > 1, "{heard:?}");
        heard
    }

    /// The same, where hardly anything goes over the wire.
    fn end_unheard(mut self) -> BTreeSet<String> {
        self.look();
        for name in KEPT {
            if let Ok(bytes) = fs::read(self.stage.path(name)) {
                keep(&mut self.secrets, name, &bytes);
            }
        }
        let marks = self.secrets.len();
        for (name, secret) in self.tap.secrets() {
            if !self.secrets.values().any(|known| *known == secret) {
                self.secrets.insert(name, secret);
            }
        }
        let search = Search::new(&self.secrets);
        let heard: BTreeSet<String> = search
            .of(&self.tap.wire())
            .into_iter()
            .map(|found| found.secret)
            .collect();
        for name in self
            .tap
            .secrets()
            .keys()
            .filter(|name| self.secrets.contains_key(*name))
        {
            assert!(
                heard.contains(name),
                "{name} was heard, and is not found in what was heard"
            );
        }
        let mut leaks = Vec::new();
        let mut bytes = 0;
        for piece in &self.pieces {
            bytes += piece.bytes.len();
            for found in search.of(&piece.bytes) {
                if !piece.shows.iter().any(|name| found.secret.starts_with(name)) {
                    leaks.push(format!("{}: {found}", piece.what));
                }
            }
        }
        told(&format!(
            "{} marks and {} secrets in {} forms, {} of them heard on the wire; {} runs, {} pieces, {bytes} bytes",
            marks,
            self.secrets.len(),
            search.forms(),
            heard.len(),
            self.runs,
            self.pieces.len(),
        ));
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
        heard
    }
}

/// Says how much was searched to whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the figures of docs/reliability.md")]
fn told(words: &str) {
    println!("canaries: {words}");
}

/// Notes down what a file that is there to hold a secret holds.
fn keep(secrets: &mut Secrets, name: &str, bytes: &[u8]) {
    let ending = Path::new(name).extension().unwrap_or_default();
    if ending == "key" {
        secrets.insert(format!("the key in {name}"), bytes.to_vec());
    } else if ending == "pem" {
        let text = String::from_utf8_lossy(bytes);
        let body: String = text
            .split("-----")
            .nth(2)
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        secrets.insert("the private key of the certificate".to_owned(), body.into_bytes());
    } else if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        marks::note_json(secrets, name, &value);
    } else {
        marks::note(
            secrets,
            &format!("what is in {name}"),
            String::from_utf8_lossy(bytes).trim_end(),
        );
    }
}

/// Every cell of a state, one after the other.
fn cells(path: &Path) -> Vec<u8> {
    let state =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = state
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let mut all = Vec::new();
    for name in names {
        let mut statement = state.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => all.extend_from_slice(bytes),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
                }
                all.push(b'\n');
            }
        }
    }
    all
}
