//! The daemon: it catches up what was missed, tells how it is, reads its configuration again, and stops when asked.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Config, Running, Stage, block_on};

/// Never at a time at which tests run.
const SCHEDULE: &str = "[schedule]\nat = \"0 2 29 2 *\"\njitter = \"0s\"\nhealth = \"127.0.0.1:0\"\n";
/// Missed since the time of the worlds, and next in some hours at the soonest.
const NIGHTLY: &str = "[schedule]\nat = \"0 0 1,20 * *\"\njitter = \"0s\"\nhealth = \"127.0.0.1:0\"\n";

struct Daemon {
    running: Running,
    address: String,
}

impl Daemon {
    fn start(stage: &Stage) -> Self {
        let mut program = stage.program();
        program.arguments(&["daemon"]);
        let mut running = program.start();
        let said = running.until("/healthz and /metrics are on ");
        let address = said.trim().rsplit("http://").next().unwrap().to_owned();
        Self { running, address }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer = client.get(url).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    fn pulse(&self) -> Value {
        let (status, body) = self.get("/healthz");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn configure(stage: &Stage, schedule: &str) {
    stage.configure(&Config {
        more: schedule,
        ..Config::default()
    });
}

#[test]
fn a_missed_run_is_caught_up_once() {
    let stage = Stage::small();
    configure(&stage, &NIGHTLY.replace("\"0s\"", "\"12h\""));
    // On the day of the worlds, long before the clock that the daemon looks at; a scan since then is no night.
    stage.run_at("2026-10-22T12:00:00Z", &["nightly", "-q"]).ended(0);
    stage.program().arguments(&["scan", "-q"]).run().ended(0);
    let mut daemon = Daemon::start(&stage);
    daemon.running.until("a run was missed");
    // At once, whatever the jitter.
    daemon.running.until("the run ended with 0");
    daemon.running.until("the next run is due at");
    let pulse = daemon.pulse();
    assert_eq!(pulse["last_run"]["exit_code"], 0);
    assert_eq!(pulse["running_since"], Value::Null);
    let (status, metrics) = daemon.get("/metrics");
    assert_eq!(status, 200);
    assert!(
        metrics.contains("\nsharewarden_daemon_last_run_exit_code 0\n"),
        "{metrics}"
    );
    daemon.running.signal("TERM");
    let ran = daemon.running.end();
    ran.ended(0);
    assert_eq!(ran.out.lines().count(), 1, "one run: {}", ran.out);
    // Another start finds nothing missed.
    let mut daemon = Daemon::start(&stage);
    let said = daemon.running.until("the next run is due at");
    assert!(!said.contains("missed"), "{said}");
    daemon.running.interrupt();
    assert_eq!(daemon.running.end().ended(0).out, "");
}

#[test]
fn a_run_is_finished_before_the_daemon_stops() {
    let stage = Stage::small();
    configure(&stage, NIGHTLY);
    stage.run_at("2026-10-22T12:00:00Z", &["nightly", "-q"]).ended(0);
    stage.fault(
        &json!({"match": {"path_contains": "/shares"}, "times": 1, "action": {"do": "delay", "ms": 3_000}}),
    );
    stage.forget_requests();
    let mut daemon = Daemon::start(&stage);
    daemon.running.until("a run was missed");
    while stage.requests().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pulse = daemon.pulse();
    assert_ne!(pulse["running_since"], Value::Null);
    // The source may be read for six hours, and the rest may take as long.
    let at = |key: &str| pulse[key].as_str().unwrap().parse::<Timestamp>().unwrap();
    let most = at("overdue_at").duration_since(at("running_since"));
    assert_eq!(most, SignedDuration::from_hours(12));
    daemon.running.signal("TERM");
    daemon.running.until("what was begun is being finished");
    let ran = daemon.running.end();
    ran.ended(0);
    assert!(ran.err.contains("the run ended with 130"), "{}", ran.err);
    // What was read is there, and passes for what it is.
    let report = stage.run(&["report", "--format", "json"]);
    report.ended(3);
    // The night did not come to its end: the next daemon makes up for it.
    let mut daemon = Daemon::start(&stage);
    daemon.running.until("a run was missed");
    daemon.running.until("the run ended with 0");
    daemon.running.signal("TERM");
    daemon.running.end().ended(0);
}

#[test]
fn a_night_that_is_dated_in_the_future_hides_none_that_is_missed() {
    let stage = Stage::small();
    configure(&stage, NIGHTLY);
    stage.run_at("2037-01-01T12:00:00Z", &["nightly", "-q"]).ended(0);
    let mut daemon = Daemon::start(&stage);
    daemon.running.until("a run was missed");
    daemon.running.until("the run ended with");
    daemon.running.signal("TERM");
    daemon.running.end().ended(0);
}

#[test]
fn the_configuration_is_read_again_and_a_broken_one_changes_nothing() {
    let stage = Stage::small();
    configure(&stage, &SCHEDULE.replace("\"0s\"", "\"12h\""));
    let mut daemon = Daemon::start(&stage);
    let said = daemon.running.until("the next run is due at");
    // However often it is read, the start is not drawn anew.
    for _ in 0..3 {
        daemon.running.signal("HUP");
        let again = daemon.running.until("the next run is due at");
        assert_eq!(again.lines().last(), said.lines().last());
    }
    configure(&stage, SCHEDULE);
    daemon.running.signal("HUP");
    let said = daemon.running.until("the next run is due at");
    assert!(said.contains("-02-29T02:00:00Z"), "{said}");
    stage.write("config.toml", "[schedule]\nat = \"60 2 * * *\"\n");
    daemon.running.signal("HUP");
    let said = daemon.running.until("the next run is due at");
    assert!(
        said.contains("60 2 * * *") && said.contains("as it was read before"),
        "{said}"
    );
    assert!(said.contains("-02-29T02:00:00Z"), "{said}");
    assert_eq!(daemon.pulse()["configuration_is_old"], true);
    configure(&stage, &SCHEDULE.replace("0 2 29 2 *", "30 3 29 2 *"));
    daemon.running.signal("HUP");
    let said = daemon.running.until("the next run is due at");
    assert!(
        said.contains("read again") && said.contains("-02-29T03:30:00Z"),
        "{said}"
    );
    assert_eq!(daemon.pulse()["configuration_is_old"], false);
    daemon.running.signal("TERM");
    daemon.running.end().ended(0);
}

#[test]
fn what_the_daemon_cannot_live_with_is_told_before_it_begins() {
    let stage = Stage::small();
    configure(&stage, SCHEDULE);
    stage.run(&["daemon"]).ended(2);
    stage.run(&["--no-state", "daemon"]).ended(2);
    let mut first = Daemon::start(&stage);
    configure(&stage, &SCHEDULE.replace("127.0.0.1:0", &first.address));
    let mut program = stage.program();
    let second = program.arguments(&["daemon"]).run();
    second.ended(2);
    assert!(second.err.contains(&first.address), "{}", second.err);
    first.running.signal("TERM");
    first.running.until("daemon: the next run");
    first.running.end().ended(0);
}
