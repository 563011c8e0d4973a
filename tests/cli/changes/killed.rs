//! The program itself, killed at any moment while it changes something, and run again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use sharewarden::plan::Plan;

use super::{Scene, Service, Write, differences};
use crate::harness::Program;

/// How often it is killed.
const KILLS: u32 = 20;

const NEXTCLOUD: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
[[enforce.rule]]
rule = \"guest-recipient\"
action = \"revoke\"
[[enforce.rule]]
rule = \"recipient-never-logged-in\"
action = \"revoke\"
[[enforce.rule]]
rule = \"external-recipient\"
action = \"revoke\"
";
/// Few: a second lies between changes.
const MICROSOFT: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
owner = \"erin@example.org\"
[[enforce.rule]]
rule = \"organization-wide-link\"
action = \"revoke\"
owner = \"carol@example.org\"
";

/// The program with these arguments, at the time of the worlds.
fn program(scene: &Scene, arguments: &[&str]) -> Program {
    let mut program = scene.stage.program();
    program
        .arguments(&["--now", crate::harness::NOW])
        .arguments(arguments);
    program
}

/// Runs something that is killed after a while; whether it had not ended by then.
fn kill(scene: &Scene, arguments: &[&str], after: Duration) -> bool {
    let null = std::process::Stdio::null;
    let mut command = program(scene, arguments).command();
    let mut child = command
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let had_ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    !had_ended
}

/// The methods and paths of the changes that were made, sorted.
fn made(scene: &Scene) -> Vec<(String, String)> {
    let writes = scene.writes().into_iter().filter(Write::is_done);
    let mut made: Vec<_> = writes.map(|write| (write.method, write.path)).collect();
    made.sort();
    made
}

/// What is stored of shares, but for what one that was made again has of its own.
fn essences(stored: &BTreeMap<String, Value>) -> Vec<String> {
    let rows = stored.values().map(|row| {
        let mut row = row.clone();
        for own in ["id", "token", "created", "created_at"] {
            row.as_object_mut().unwrap().remove(own);
        }
        row.to_string()
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

/// A stage on which a plan is recorded, in the file `plan.json`.
fn planned(service: Service) -> (Scene, Plan) {
    let enforce = match service {
        Service::Nextcloud => NEXTCLOUD,
        Service::Microsoft => MICROSOFT,
    };
    let scene = Scene::of(service, &service.world(), enforce);
    scene.scan();
    scene.stage.run(&["plan", "--out", "plan.json"]).ended(0);
    let plan = std::fs::read_to_string(scene.stage.path("plan.json")).unwrap();
    (scene, Plan::read(&plan).unwrap())
}

/// The id of the first run of changes that applied something of the plan.
fn runs(scene: &Scene, plan: &Plan) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for line in scene.lines(plan).iter().filter(|line| super::is_applied(line)) {
        if line.undoes.is_none() && !runs.contains(&line.run) {
            runs.push(line.run.clone());
        }
    }
    runs
}

fn survives(service: Service) {
    let (scene, plan) = planned(service);
    assert!(plan.actions.len() >= 2, "{plan:#?}");
    let before = scene.stored();
    drop(scene);
    let apply = ["apply", "plan.json", "--yes"];
    // Undisturbed, for what it comes to and how long it takes.
    let (scene, undisturbed_plan) = planned(service);
    let begun = Instant::now();
    scene.stage.run(&apply).ended(0);
    let span = begun.elapsed();
    let (applied, writes) = (scene.stored(), made(&scene));
    assert_eq!(writes.len(), undisturbed_plan.actions.len());
    assert_eq!(differences(&before, &applied).len(), writes.len());
    drop(scene);

    let mut random = fastrand::Rng::with_seed(7);
    let mut killed = 0;
    for round in 0..KILLS {
        let (scene, plan) = planned(service);
        let was_killed = kill(&scene, &apply, span.mul_f64(random.f64()));
        killed += u32::from(was_killed);
        scene.stage.run(&apply).ended(0);
        let what = format!("round {round}");
        assert_eq!(made(&scene), writes, "{what}");
        assert_eq!(differences(&applied, &scene.stored()), BTreeMap::new(), "{what}");
        scene.check_journal(&plan);
        scene.stage.run(&["journal", "verify"]).ended(0);
        if round % 4 != 0 {
            continue;
        }
        // What it did, in however many runs, is taken back, killed as well.
        let runs = runs(&scene, &plan);
        for run in &runs {
            let undo = ["undo", run.as_str(), "--yes"];
            kill(&scene, &undo, span.mul_f64(random.f64()));
            let undone = scene.stage.run(&undo);
            assert!(matches!(undone.code, Some(0 | 4)), "{what}: {}", undone.err);
        }
        let sent = made(&scene).len();
        for run in &runs {
            scene.stage.run(&["undo", run.as_str(), "--yes"]);
        }
        assert_eq!(made(&scene).len(), sent, "{what}: nothing is taken back twice");
        let all = essences(&before);
        let back = essences(&scene.stored());
        assert_eq!(back.len(), all.len(), "{what}");
        if service == Service::Nextcloud {
            assert_eq!(back, all, "{what}");
        }
        scene.check_journal(&plan);
    }
    assert!(killed > KILLS / 2, "only {killed} were killed in time");
}

#[test]
fn changes_of_a_nextcloud_may_be_killed_at_any_moment() {
    survives(Service::Nextcloud);
}

#[test]
fn changes_of_a_tenant_may_be_killed_at_any_moment() {
    survives(Service::Microsoft);
}
