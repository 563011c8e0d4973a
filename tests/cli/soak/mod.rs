//! Nights of an organisation that goes on sharing, before services that fail, with a program that is killed: what was
//! promised holds after each of them, and once all is calm again, just that is found which is there.
//!
//! Everything random comes from one seed; kills come at a number of requests, changes or letters, or, for a part of them, at
//! some time, which alone does not repeat. A short storm of fixed seeds belongs to the gate; a long one is
//! `SHAREWARDEN_SOAK_MINUTES=60 cargo test --test cli soak -- --nocapture`, which takes `SHAREWARDEN_SOAK_SEED` as well and
//! writes its steps to `SHAREWARDEN_SOAK_LOG`.

mod oracle;
mod settings;
mod storm;
mod witness;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::oracle::Stored;
use self::settings::Settings;
use self::storm::{Cut, Ended};
use self::witness::{Seen, Witness};
use self::world::World;
use crate::harness::Stage;

const BEGIN: &str = "2026-11-22T12:00:00Z";
/// Nights of a storm, and quiet ones after it.
const STORM: u32 = 25;
const QUIET: u32 = 3;
/// What was announced is done within so many quiet nights.
const LONGEST: u32 = 60;

struct Soak {
    stage: Stage,
    base: Value,
    world: World,
    settings: Settings,
    witness: Witness,
    random: Rng,
    seed: u64,
    now: Timestamp,
    night: u32,
    sums: BTreeMap<String, u64>,
    log: Option<std::fs::File>,
    sizes: Vec<(u32, u64, u64, u64)>,
}

impl Soak {
    fn begin(seed: u64) -> Self {
        let base = world::begin(BEGIN);
        let stage = Stage::of(&base);
        for folder in ["state", "letters", "exports", "tmp", "said"] {
            std::fs::create_dir(stage.path(folder)).unwrap();
        }
        let secret = base["microsoft365"]["app"]["secret"].as_str().unwrap();
        stage.write("client-secret", secret);
        let log = std::env::var("SHAREWARDEN_SOAK_LOG").ok().map(|path| {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap()
        });
        let mut soak = Self {
            stage,
            base,
            world: World::new(),
            settings: Settings::calm(),
            witness: Witness::default(),
            random: Rng::with_seed(seed),
            seed,
            now: BEGIN.parse().unwrap(),
            night: 0,
            sums: BTreeMap::new(),
            log,
            sizes: Vec::new(),
        };
        soak.say(&format!("seed {seed}"));
        soak.passes();
        for source in ["cloud", "m365"] {
            let now = soak.now.to_string();
            let release = ["baseline", "release", "--source", source];
            soak.stage.run_at(&now, &release).ended(0);
        }
        soak
    }

    fn say(&mut self, words: &str) {
        if let Some(log) = &mut self.log {
            writeln!(log, "{}: night {} ({}): {words}", self.seed, self.night, self.now).unwrap();
        }
    }

    fn count(&mut self, what: &str) {
        *self.sums.entry(what.to_owned()).or_default() += 1;
    }

    fn stored(&self) -> Stored {
        Stored {
            shares: self.stage.stored(),
            permissions: self.stage.permissions(),
        }
    }

    /// The services' clock and the program's agree on a time.
    fn is_at(&mut self, now: Timestamp) {
        self.now = now;
        self.stage.clock(&now.to_string());
    }

    /// A run of the program, with everything looked at after it.
    fn runs(&mut self, arguments: &[&str], server: Timestamp, cut: (Cut, &str)) -> Ended {
        self.settings.write(&self.stage, &self.base);
        self.stage.clock(&server.to_string());
        let before = self.stored();
        let expected = oracle::expected(&self.world, &self.settings, &before, self.now);
        self.stage.forget_requests();
        let ended = storm::run(&self.stage, &self.now.to_string(), arguments, cut);
        let (asked, after) = (self.stage.requests(), self.stored());
        let seen = Seen {
            now: self.now,
            server,
            settings: &self.settings,
            by_plan: arguments[0] != "nightly",
            before: &before,
            after: &after,
            asked: &asked,
            ended: &ended,
            expected: &expected,
            disturbed: false,
        };
        self.witness.look(&self.stage, &seen);
        if ended.code.is_some() && arguments[0] == "nightly" {
            let report = self.stage.run_at(&self.now.to_string(), &["report", "--format", "json"]);
            self.witness.report(&report.json(), &seen);
        }
        let (code, line) = (ended.code, ended.out.trim().to_owned());
        self.say(&format!("{} {cut:?}: {code:?}: {line}", arguments[0]));
        if !ended.err.is_empty() {
            self.say(&ended.err);
        }
        for wrong in std::mem::take(&mut self.witness.wrong) {
            self.say(&format!("WRONG: {wrong}"));
            eprintln!("seed {}, night {} ({}): {wrong}", self.seed, self.night, self.now);
            self.count("WRONG");
        }
        ended
    }

    /// A night on which nothing happens; it ends as it should.
    fn passes(&mut self) -> Ended {
        self.night += 1;
        self.is_at(self.now + SignedDuration::from_hours(24));
        self.count("quiet nights");
        self.runs(&["nightly"], self.now, (Cut::Not, "KILL"))
    }

    /// A night in a storm.
    fn storms(&mut self) {
        self.night += 1;
        let hours = match self.random.u32(0..20) {
            0 => self.random.i64(48..300),
            1 => -self.random.i64(1..60),
            _ => self.random.i64(18..31),
        };
        if hours < 0 {
            self.count("clock put back");
        } else if hours >= 48 {
            self.count("clock put forward");
        }
        self.is_at(self.now + SignedDuration::from_hours(hours));
        for _ in 0..self.random.u32(0..5) {
            if let Some(what) = self.world.happens(&self.stage, &mut self.random, self.now) {
                self.say(&what);
            }
        }
        if self.random.u32(0..6) == 0 {
            let what = self.settings.changes(&mut self.random, self.now);
            self.count(&format!("settings: {what}"));
            let settings = format!("{what}: {:?}", self.settings);
            self.say(&settings);
        }
        if self.random.u32(0..6) == 0 {
            self.waives();
        }
        let mut server = self.now;
        if self.random.u32(0..15) == 0 {
            server = self.now + SignedDuration::from_hours(self.random.i64(-50..50));
            self.count("the services' clock wrong");
        }
        let mut cuts = match self.random.u32(0..10) {
            0..4 => 0,
            4..9 => 1,
            _ => 2,
        };
        loop {
            let cut = if cuts > 0 {
                let now = self.now;
                let due = self.witness.announced.values();
                let due = due.filter(|one| one.ended.is_none()).any(|one| one.due <= now);
                Cut::any(&mut self.random, due)
            } else {
                Cut::Not
            };
            if self.random.u32(0..3) == 0 {
                for _ in 0..self.random.u32(1..4) {
                    let (what, rule) = storm::fault(&mut self.random);
                    self.count(&format!("fault: {what}"));
                    self.say(&rule.to_string());
                    self.stage.fault(&rule);
                }
            }
            let signal = ["KILL", "KILL", "KILL", "TERM", "INT"][self.random.usize(0..5)];
            let ended = self.runs(&["nightly"], server, (cut, signal));
            if ended.cut {
                self.count(&format!("{signal}: {}", cut.word()));
            }
            // It is begun again on the same night, or left for the next one.
            if cuts == 0 || self.random.bool() {
                break;
            }
            cuts -= 1;
            self.now += SignedDuration::from_mins(self.random.i64(0..90));
            server = self.now;
        }
    }

    /// Somebody accepts something, or no longer.
    fn waives(&mut self) {
        let now = self.now.to_string();
        let report = self.stage.run_at(&now, &["report", "--format", "json"]);
        let report = report.json();
        let findings = report["findings"].as_array().unwrap();
        let Some(finding) = self.random.choice(findings) else {
            return;
        };
        let days = if self.random.bool() {
            0
        } else {
            self.random.i64(1..50)
        };
        let until = (self.now + SignedDuration::from_hours(24 * days))
            .strftime("%Y-%m-%d")
            .to_string();
        let id = finding["id"].as_str().unwrap();
        let arguments = [
            "waive",
            id,
            "--reason",
            "soaked",
            "--until",
            &until,
            "--approved-by",
            "nobody",
        ];
        let ran = self.stage.run_at(&now, &arguments);
        assert!(matches!(ran.code, Some(0 | 2)), "{}", ran.err);
        self.count(if days == 0 { "waiver ended" } else { "waiver granted" });
        self.say(&format!("waive {id} until {until}: {:?} {}", ran.code, ran.err));
    }

    /// All is calm again: what is found is what is there.
    fn calms_down(&mut self) {
        self.settings = Settings::calm();
        self.world.calms_down(&self.stage);
        self.is_at(self.now);
        for _ in 0..QUIET {
            self.passes();
        }
        self.compares();
    }

    fn compares(&mut self) {
        let before = self.stored();
        let now = self.now.to_string();
        // What was changed this night was changed after it was read.
        let ran = self.stage.run_at(&now, &["scan", "--format", "json"]);
        let report = ran.json();
        let expected = oracle::expected(&self.world, &self.settings, &before, self.now);
        for source in ["cloud", "m365"] {
            self.witness.compare(&report, &expected, source);
        }
        let verdict = report["run"]["verdict"].as_str().unwrap();
        self.witness_insists(verdict != "incomplete", &format!("{}", report["sources"]));
        self.count("comparisons of all");
        let state: u64 = ["", "-wal", "-shm"]
            .iter()
            .filter_map(|end| {
                self.stage
                    .path(&format!("state/state.db{end}"))
                    .metadata()
                    .ok()
            })
            .map(|about| about.len())
            .sum();
        let shares = report["totals"]["shares"].as_u64().unwrap();
        self.sizes.push((self.night, shares, state, 0));
        self.say(&format!("{shares} shares, {state} bytes of state"));
        let verified = self.stage.run_at(&now, &["journal", "verify"]);
        self.witness_insists(verified.code == Some(0), &verified.err);
        let doctor = self.stage.run_at(&now, &["doctor"]);
        self.witness_insists(doctor.out.contains("is sound and can be written"), &doctor.out);
        for wrong in std::mem::take(&mut self.witness.wrong) {
            self.say(&format!("WRONG: {wrong}"));
            eprintln!("seed {}, night {} ({}): {wrong}", self.seed, self.night, self.now);
            self.count("WRONG");
        }
    }

    fn witness_insists(&mut self, holds: bool, words: &str) {
        if !holds {
            self.witness.wrong.push(words.to_owned());
        }
    }

    /// Passes quiet nights until all that stands announced is done.
    fn keeps_its_word(&mut self) {
        let standing: Vec<i64> = self
            .witness
            .announced
            .iter()
            .filter(|(_, one)| one.ended.is_none())
            .map(|(id, _)| *id)
            .collect();
        for _ in 0..LONGEST {
            let ended = |id: &i64| self.witness.announced[id].ended.is_some();
            if standing.iter().all(ended) {
                break;
            }
            self.passes();
        }
        for id in standing {
            let one = &self.witness.announced[&id];
            if one.ended.as_deref() != Some("done") {
                let words = format!("announced, and not done: {one:?}");
                self.say(&words);
                self.count("announced and not done in calm nights");
            }
        }
    }
}

#[test]
fn nights_survive_faults_and_kills() {
    let minutes: Option<u64> = std::env::var("SHAREWARDEN_SOAK_MINUTES")
        .ok()
        .and_then(|minutes| minutes.parse().ok());
    let seed: u64 = std::env::var("SHAREWARDEN_SOAK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let begun = Instant::now();
    let mut soak = Soak::begin(seed);
    let mut storms = 0;
    loop {
        for _ in 0..STORM {
            soak.storms();
        }
        soak.calms_down();
        storms += 1;
        if storms % 4 == 1 {
            soak.keeps_its_word();
        }
        let long = minutes.map(|minutes| Duration::from_secs(60 * minutes));
        if long.is_none_or(|long| begun.elapsed() > long) {
            break;
        }
    }
    eprintln!("{:#?}\n{:#?}\n{:#?}", soak.sums, soak.witness.sums, soak.world.happened);
    eprintln!("{} nights, {:?}", soak.night, begun.elapsed());
    assert_eq!(soak.sums.get("WRONG"), None);
}
