//! What befalls a run: answers that fail, and an end before its own.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use wait4::Wait4 as _;

use crate::harness::{Asked, Stage};

/// No run may take longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long an answer waits for the program to be killed over it.
const HELD: u64 = 20_000;

/// When a run is ended by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Never.
    Not,
    /// As soon as it asked so often.
    Requests(u64),
    /// As soon as it asked so many changes of a service.
    Changes(u64),
    /// As soon as there are so many more letters.
    Letters(usize),
    /// As soon as one of the exports was written.
    Export(&'static str),
    /// After a while.
    Time(Duration),
}

impl Cut {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Requests(_) => "at a request",
            Self::Changes(_) => "at a change",
            Self::Letters(_) => "at a letter",
            Self::Export(_) => "at an export",
            Self::Time(_) => "at some time",
        }
    }

    /// Some way of ending early; `due` says whether something is to be changed.
    pub(super) fn any(random: &mut Rng, due: bool) -> Self {
        match random.u32(0..100) {
            0..50 if due => Self::Changes(random.u64(1..4)),
            0..45 => Self::Requests(random.u64(1..90)),
            45..65 => Self::Letters(random.usize(1..5)),
            65..75 => {
                let names = ["events.ndjson", "sharewarden.prom", "report.html"];
                Self::Export(names[random.usize(0..3)])
            }
            _ => Self::Time(Duration::from_micros(random.u64(1_000..900_000))),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// The exit code; `None` where it was killed.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
    /// Whether it was killed or asked to stop before its own end.
    pub(super) cut: bool,
    /// The most memory it had, in bytes.
    pub(super) memory: u64,
}

/// Whether a request was to change what is shared.
pub(super) fn is_change(asked: &Asked) -> bool {
    let is_share =
        asked.path.contains("/files_sharing/api/v1/shares/") || asked.path.contains("/permissions/");
    is_share && asked.method != "GET"
}

/// Something that goes wrong with requests: what it is called, and the emulator's rule.
pub(super) fn fault(random: &mut Rng) -> (&'static str, Value) {
    let places = [
        ("", "nextcloud"),
        ("/files_sharing/api/v1/shares", "nextcloud"),
        ("/cloud/users", "nextcloud"),
        ("/capabilities", "nextcloud"),
        ("", "graph"),
        ("/delta", "graph"),
        ("/permissions", "graph"),
        ("/sites", "graph"),
        ("/users", "graph"),
        ("$batch", "graph"),
        ("/token", "graph"),
    ];
    let (part, service) = places[random.usize(0..places.len())];
    let status = |status: u16| json!({"do": "status", "status": status});
    // What answers as if all were well and does nothing would be a lie about changes that no service tells.
    let reads = json!({"method": "GET"});
    let (what, action, matches) = match random.u32(0..14) {
        0 => ("500", status(500), json!({})),
        1 => ("502", status(502), json!({})),
        2 => (
            "503",
            json!({"do": "status", "status": 503, "headers": {"Retry-After": "0"}}),
            json!({}),
        ),
        3 => (
            "429",
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "0"}}),
            json!({}),
        ),
        4 => ("403", status(403), json!({})),
        5 => ("404", status(404), json!({})),
        6 => ("401", status(401), json!({})),
        7 => ("reset", json!({"do": "reset"}), json!({})),
        8 => (
            "cut",
            json!({"do": "cut", "bytes": random.u64(0..400)}),
            json!({}),
        ),
        9 => ("html", json!({"do": "html"}), reads),
        10 => ("malformed", json!({"do": "malformed"}), json!({})),
        11 => (
            "delay",
            json!({"do": "delay", "ms": random.u64(1..200)}),
            json!({}),
        ),
        12 if service == "graph" => ("expire-token", json!({"do": "expire-token"}), json!({})),
        12 => ("maintenance", json!({"do": "maintenance"}), json!({})),
        _ => ("deep", json!({"do": "deep", "levels": 90}), reads),
    };
    let mut matches = matches;
    matches["service"] = json!(service);
    if !part.is_empty() {
        matches["path_contains"] = json!(part);
    }
    let mut rule = json!({"match": matches, "after": random.u64(0..25), "action": action});
    rule["times"] = json!(random.u64(1..4));
    (what, rule)
}

/// What people do once the program has asked so often.
pub(super) type Meanwhile<'a> = Option<(u64, &'a mut dyn FnMut())>;

/// Runs the program, and ends it as asked, by this signal.
#[expect(
    clippy::zombie_processes,
    reason = "it is waited for, for what it used as well"
)]
pub(super) fn run(
    stage: &Stage,
    now: &str,
    arguments: &[&str],
    (cut, signal): (Cut, &str),
    mut meanwhile: Meanwhile<'_>,
) -> Ended {
    let outputs = ["out", "err"].map(|name| stage.path("said").join(name));
    let mut program = stage.program();
    program
        .arguments(&["--now", now])
        .arguments(arguments)
        .variable("TMPDIR", &stage.path("tmp").to_string_lossy());
    let mut command = program.command();
    let [out, err] = outputs
        .each_ref()
        .map(|path| std::fs::File::create(path).unwrap());
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    match cut {
        Cut::Requests(after) => {
            stage.fault(
                &json!({"match": {}, "after": after, "times": 1, "action": {"do": "delay", "ms": HELD}}),
            );
        }
        Cut::Changes(after) => {
            for method in ["PUT", "DELETE", "PATCH"] {
                stage.fault(
                    &json!({"match": {"method": method}, "after": after - 1, "times": 1, "action": {"do": "delay", "ms": HELD}}),
                );
            }
        }
        _ => {}
    }
    let letters = count(&stage.path("letters"));
    let export = match cut {
        Cut::Export(name) => stage.path("exports").join(name),
        _ => stage.path("exports"),
    };
    let before = written(&export);
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let reached = || match cut {
        Cut::Not => false,
        Cut::Requests(after) => stage.requests().len() as u64 > after,
        Cut::Changes(after) => {
            let asked = stage.requests();
            asked.iter().filter(|asked| is_change(asked)).count() as u64 >= after
        }
        Cut::Letters(more) => count(&stage.path("letters")) >= letters + more,
        Cut::Export(_) => written(&export) != before,
        Cut::Time(after) => begun.elapsed() >= after,
    };
    let mut ended = None;
    let mut was_cut = false;
    while ended.is_none() {
        ended = child.try_wait4().unwrap();
        if ended.is_none() && !was_cut && reached() {
            was_cut = true;
            end(&mut child, signal);
            stage.no_faults();
        }
        if let Some((_, happens)) = meanwhile.take_if(|(after, _)| stage.requests().len() as u64 > *after) {
            happens();
        }
        if ended.is_none() && begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("a run does not end: {arguments:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    stage.no_faults();
    let ended = ended.unwrap();
    let [out, err] = outputs.map(|path| std::fs::read_to_string(path).unwrap());
    Ended {
        code: ended.status.code(),
        cut: was_cut && (ended.status.code().is_none() || ended.status.code() == Some(130)),
        memory: ended.rusage.maxrss,
        out,
        err,
    }
}

fn end(child: &mut Child, signal: &str) {
    if signal == "KILL" {
        child.kill().unwrap();
    } else {
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &id])
            .status();
        assert!(sent.unwrap().success());
    }
}

/// How many letters there are; those that are being written do not count.
pub(super) fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .filter(|entry| is_letter(&entry.as_ref().unwrap().path()))
        .count()
}

/// Whether a file is a letter.
pub(super) fn is_letter(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "eml")
}

/// What tells one writing of a file from another.
fn written(path: &Path) -> Option<(u64, std::time::SystemTime)> {
    let about = path.metadata().ok()?;
    Some((about.len(), about.modified().unwrap()))
}
