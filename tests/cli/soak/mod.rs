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
use self::witness::{Announced, Seen, Witness};
use self::world::{Standing, World};
use crate::harness::Stage;

/// What is counted of what should not be.
const WRONG: &str = "WRONG";
const BEGIN: &str = "2026-11-22T12:00:00Z";
/// Nights of a storm: of one of many, and of the only one.
const LONG_STORM: u32 = 25;
const SHORT_STORM: u32 = 12;
/// Quiet nights after each, in which all of a tenant is listed again.
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
    is_stormy: bool,
    sums: BTreeMap<String, u64>,
    log: Option<std::fs::File>,
    /// After which night there were so many shares, in a state of so many bytes.
    sizes: Vec<(u32, u64, u64)>,
    /// How much memory runs took at most, in bytes: those before the first comparison, and later ones.
    memory: [u64; 2],
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
        let log = variable("SHAREWARDEN_SOAK_LOG").map(|path| {
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
            is_stormy: false,
            sums: BTreeMap::new(),
            log,
            sizes: Vec::new(),
            memory: [0; 2],
        };
        soak.say(&format!("seed {seed}"));
        for _ in 0..50 {
            soak.world.happens(&soak.stage, &mut soak.random, soak.now);
        }
        // All of the first night belongs to the baseline, which a source stays in until it was read whole.
        soak.world.calms_down(&soak.stage);
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
        let expected = oracle::expected(&self.world, &self.settings, &before, (self.now, server));
        self.stage.forget_requests();
        let disturbed = arguments[0] == "nightly" && self.is_stormy && self.random.u32(0..8) == 0;
        let after = self.random.u64(1..80);
        let mut said = Vec::new();
        let (stage, world, random, now) = (&self.stage, &mut self.world, &mut self.random, self.now);
        let mut happens = || {
            said.extend(world.happens(stage, random, now));
            said.extend(world.happens(stage, random, now));
        };
        let meanwhile: storm::Meanwhile<'_> = disturbed.then_some((after, &mut happens));
        let ended = storm::run(stage, &now.to_string(), arguments, cut, meanwhile);
        if disturbed {
            self.count("runs during which people changed something");
        }
        for what in said {
            self.say(&format!("meanwhile: {what}"));
        }
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
            disturbed,
        };
        self.witness.look(&self.stage, &seen);
        if arguments[0] == "nightly" {
            let report = self
                .stage
                .run_at(&self.now.to_string(), &["report", "--format", "json"]);
            // Killed in its first night, there is none.
            if report.code != Some(2) {
                self.witness.report(&report.json(), &seen);
            }
        }
        let most = &mut self.memory[usize::from(!self.sizes.is_empty())];
        *most = ended.memory.max(*most);
        let (code, line) = (ended.code, ended.out.trim().to_owned());
        self.say(&format!("{} {cut:?}: {code:?}: {line}", arguments[0]));
        if !ended.err.is_empty() {
            self.say(&ended.err);
        }
        self.tells_what_is_wrong();
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
        for _ in 0..self.random.u32(0..8) {
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
            self.say(&format!("it is {server} at the services"));
        }
        if self.random.u32(0..12) == 0 {
            self.plans(server);
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

    /// Somebody makes a plan and carries it out, and may take it back.
    fn plans(&mut self, server: Timestamp) {
        self.settings.write(&self.stage, &self.base);
        let now = self.now.to_string();
        let plan = self.stage.path("said/plan.json");
        let plan = plan.to_string_lossy().into_owned();
        let made = self.stage.run_at(&now, &["plan", "--out", &plan]);
        self.say(&format!("plan: {:?}: {}", made.code, made.err));
        if made.code != Some(0) {
            return;
        }
        let cut = match self.random.u32(0..3) {
            0 => Cut::Not,
            1 => Cut::Changes(self.random.u64(1..4)),
            _ => Cut::Requests(self.random.u64(1..20)),
        };
        let ended = self.runs(&["apply", &plan, "--yes"], server, (cut, "KILL"));
        if ended.cut {
            self.count(&format!("KILL of apply: {}", cut.word()));
        }
        if self.random.bool() {
            self.runs(&["apply", &plan, "--yes"], server, (Cut::Not, "KILL"));
        }
        self.count("plans carried out");
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
        self.count(if days == 0 {
            "waiver ended"
        } else {
            "waiver granted"
        });
        self.say(&format!("waive {id} until {until}: {:?} {}", ran.code, ran.err));
    }

    /// All is calm again: what is found is what is there.
    fn calms_down(&mut self) {
        self.settings = Settings::calm();
        self.world.calms_down(&self.stage);
        for _ in 0..QUIET {
            self.passes();
        }
        // What is exported is of the last night.
        let now = self.now.to_string();
        let report = self.stage.run_at(&now, &["report", "--format", "json"]).json();
        self.witness.replays(&self.stage, &report);
        self.compares();
    }

    fn compares(&mut self) {
        let before = self.stored();
        let now = self.now.to_string();
        // What was changed this night was changed after it was read.
        let ran = self
            .stage
            .run_at(&now, &["scan", "--format", "json", "--all-shares"]);
        let report = ran.json();
        let expected = oracle::expected(&self.world, &self.settings, &before, (self.now, self.now));
        for source in ["cloud", "m365"] {
            self.witness.compare(&report, &expected, source);
        }
        self.witness.balances();
        let verdict = report["run"]["verdict"].as_str().unwrap();
        self.witness_insists(verdict != "incomplete", &format!("{}", report["sources"]));
        self.witness.exports(&self.stage);
        self.witness.knows_all(&report);
        self.witness
            .shares(&report, &before, |path| self.world.is_there(path));
        let ocsf = self.stage.run_at(&now, &["report", "--format", "ocsf"]);
        let findings = report["findings"].as_array().unwrap().len();
        let whole =
            |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|event| event["class_uid"] == 2003);
        let is_whole = ocsf.out.lines().all(whole) && ocsf.out.lines().count() == findings;
        self.witness_insists(is_whole, "the report as OCSF is not whole");
        self.count("comparisons of all");
        let state: u64 = ["", "-wal", "-shm"]
            .iter()
            .filter_map(|end| self.stage.path(&format!("state/state.db{end}")).metadata().ok())
            .map(|about| about.len())
            .sum();
        let shares = report["totals"]["shares"].as_u64().unwrap();
        self.sizes.push((self.night, shares, state));
        self.say(&format!("{shares} shares, {state} bytes of state"));
        let verified = self.stage.run_at(&now, &["journal", "verify"]);
        self.witness_insists(verified.code == Some(0), &verified.err);
        let doctor = self.stage.run_at(&now, &["doctor"]);
        self.witness_insists(doctor.out.contains("is sound and can be written"), &doctor.out);
        self.tells_what_is_wrong();
    }

    fn tells_what_is_wrong(&mut self) {
        for wrong in std::mem::take(&mut self.witness.wrong) {
            self.say(&format!("WRONG: {wrong}"));
            tell(&format!(
                "seed {}, night {} ({}): {wrong}",
                self.seed, self.night, self.now
            ));
            self.count(WRONG);
        }
    }

    fn witness_insists(&mut self, holds: bool, words: &str) {
        if !holds {
            self.witness.wrong.push(words.to_owned());
        }
    }

    /// Passes quiet nights until all that stands announced is done, but for what lies with disabled accounts: their lists are
    /// refused, and what was not read is neither done nor called off.
    fn keeps_its_word(&mut self) {
        let accounts = &self.world.accounts;
        let is_listed = |one: &Announced| {
            let owner = one.action["owner"].as_str().unwrap();
            one.action["source"] != "cloud" || accounts.get(owner) != Some(&Standing::Disabled)
        };
        let standing = self.witness.announced.iter();
        let standing: Vec<_> = standing
            .filter(|(_, one)| one.ended.is_none() && is_listed(one))
            .map(|(id, _)| id.clone())
            .collect();
        for _ in 0..LONGEST {
            if standing
                .iter()
                .all(|id| self.witness.announced[id].ended.is_some())
            {
                break;
            }
            self.passes();
        }
        for id in standing {
            let one = self.witness.announced[&id].clone();
            // It ended by itself, or its owner left before they could be reminded.
            let need_not_be = one.why.as_deref().is_some_and(|why| {
                why == "it was put right"
                    || why == "its owner can no longer be told"
                    || why.starts_with("the end date that was announced came before")
            });
            let is_done = one.ended.as_deref() == Some("done");
            self.witness_insists(is_done || need_not_be, &format!("not done: {one:?}"));
        }
        self.count("times all that was announced was waited for");
        self.tells_what_is_wrong();
    }

    /// Neither the state nor the memory grows with the nights.
    fn is_bounded(&self) {
        for (night, shares, state) in &self.sizes {
            assert!(
                *state < 2_000_000 + 10_000 * shares,
                "after night {night}: {state} bytes, {shares} shares"
            );
        }
        let [first, last] = self.memory;
        assert!(last < first * 2, "{first} bytes of memory at first, {last} later");
    }
}

/// What whoever runs the tests asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "a long storm is asked for when the tests are run"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::print_stderr, reason = "whoever runs a long storm follows it")]
fn tell(words: &str) {
    eprintln!("{words}");
}

#[test]
fn nights_survive_faults_and_kills() {
    let long =
        variable("SHAREWARDEN_SOAK_MINUTES").map(|minutes| Duration::from_mins(minutes.parse().unwrap()));
    let seed = variable("SHAREWARDEN_SOAK_SEED").map_or(1, |seed| seed.parse().unwrap());
    let begun = Instant::now();
    let mut soak = Soak::begin(seed);
    for storm in 0.. {
        soak.is_stormy = true;
        for _ in 0..if long.is_some() { LONG_STORM } else { SHORT_STORM } {
            soak.storms();
        }
        soak.is_stormy = false;
        soak.calms_down();
        if storm % 4 == 0 {
            soak.keeps_its_word();
        }
        if long.is_none_or(|long| begun.elapsed() > long) {
            break;
        }
    }
    let Soak {
        witness,
        world,
        sums,
        sizes,
        memory,
        ..
    } = &soak;
    tell(&format!(
        "{sums:#?}\n{:#?}\n{:#?}\n{sizes:?}\n{memory:?}\n{} nights in {:?}",
        witness.sums,
        world.happened,
        soak.night,
        begun.elapsed()
    ));
    assert_eq!(sums.get(WRONG), None, "seed {seed}");
    // It was a storm.
    let kills = sums.iter().filter(|(what, _)| what.starts_with("KILL"));
    assert!(kills.map(|(_, count)| count).sum::<u64>() > 2, "{sums:?}");
    for what in ["announced and done", "called off", "letters", "receipts: applied"] {
        assert!(witness.sums.contains_key(what), "{what}: {:?}", witness.sums);
    }
    soak.is_bounded();
}
