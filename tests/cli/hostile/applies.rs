//! An apply at a service that misbehaves: what becomes of the share is what the receipt says, or is found out by the next
//! run, and nothing else is changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use sharewarden::enforce::Outcome;
use sharewarden::plan::Plan;

use super::front::Twist;
use super::table::{Column, Comes, Row};
use super::{Set, watch};
use crate::changes::{Scene, Service, differences, outcomes};
use crate::harness::NOW;

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
";
const MICROSOFT: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
[[enforce.rule]]
rule = \"organization-wide-link\"
action = \"revoke\"
";

/// The share whose change goes wrong comes first, and one that is ended follows.
fn shares(service: Service) -> [&'static str; 2] {
    match service {
        Service::Nextcloud => ["1", "11"],
        Service::Microsoft => [
            "11111111-0000-4000-8000-000000000001",
            "11111111-0000-4000-8000-000000000008",
        ],
    }
}

fn enforce(service: Service) -> &'static str {
    match service {
        Service::Nextcloud => NEXTCLOUD,
        Service::Microsoft => MICROSOFT,
    }
}

/// A state with a plan, and what is stored before it and after it.
struct Planned {
    state: PathBuf,
    plan: Plan,
    before: BTreeMap<String, Value>,
    after: BTreeMap<String, Value>,
    _folder: tempfile::TempDir,
}

impl Planned {
    fn of(service: Service) -> &'static Self {
        static NEXTCLOUD: LazyLock<Planned> = LazyLock::new(|| Planned::made(Service::Nextcloud));
        static MICROSOFT: LazyLock<Planned> = LazyLock::new(|| Planned::made(Service::Microsoft));
        match service {
            Service::Nextcloud => &NEXTCLOUD,
            Service::Microsoft => &MICROSOFT,
        }
    }

    fn made(service: Service) -> Self {
        let scene = Scene::of(service, &service.world(), enforce(service));
        scene.scan();
        let proposed = scene.proposed().actions;
        let actions = shares(service).map(|share| {
            let of_it = proposed
                .iter()
                .find(|action| action.share.rsplit('/').next() == Some(share));
            of_it
                .unwrap_or_else(|| panic!("nothing is planned for {share}: {proposed:#?}"))
                .clone()
        });
        let plan = scene.record(actions.to_vec());
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        std::fs::copy(scene.stage.path("state.db"), &state).unwrap();
        let before = scene.stored();
        let done = scene.apply(&plan, "first");
        let all_done = outcomes(&done)
            .values()
            .all(|outcome| *outcome == Some(Outcome::Applied));
        assert!(all_done, "{done:#?}");
        Self {
            state,
            plan,
            before,
            after: scene.stored(),
            _folder: folder,
        }
    }
}

/// Services in which a plan waits, and nothing was changed yet.
static READY: Mutex<Vec<Set>> = Mutex::new(Vec::new());

/// A service in which a plan waits: one that is ready, or a new one.
fn ready(service: Service, planned: &Planned) -> Set {
    let mut ready = READY.lock().unwrap();
    if let Some(place) = ready.iter().position(|set| set.scene.service == service) {
        return ready.swap_remove(place);
    }
    drop(ready);
    let set = Set::of(Scene::of(service, &service.world(), ""));
    std::fs::copy(&planned.state, set.scene.stage.path("state.db")).unwrap();
    set.scene.stage.write("plan.json", &planned.plan.to_json());
    // Where nothing is to be changed, one share is tried.
    let first = &planned.plan.actions[0].id;
    let decided = format!("decision,id,plan\ndo,{first},{}\n", planned.plan.id);
    set.scene.stage.write("first.csv", &decided);
    set
}

pub(super) fn try_out(row: &Row, column: Column) {
    let service = column.service();
    let planned = Planned::of(service);
    let mut set = ready(service, planned);
    set.reach(row, column, enforce(service));
    set.scene.stage.forget_requests();
    set.misbehave(row, column);
    let mut program = set.scene.stage.program();
    let plan = if column.is_look() {
        "first.csv"
    } else {
        "plan.json"
    };
    program.arguments(&["-vv", "--now", NOW, "apply", plan, "--yes", "--format", "json"]);
    let ran = watch::Watched::run(&program);
    set.check(&ran);
    set.behave(column);
    check_receipts(&set, &ran, row, column);
    check_world(&set, planned, row, column);
    set.plainly();
    if column.is_look() && set.scene.writes().is_empty() {
        set.scene.check_journal(&planned.plan);
        READY.lock().unwrap().push(set);
        return;
    }
    // Once the service behaves, the same plan finds out what became of it, and does the rest.
    let done = set.scene.apply(&planned.plan, "afterwards");
    for receipt in &done.receipts {
        let is_good = matches!(receipt.outcome, Some(Outcome::Applied | Outcome::AlreadyDone));
        assert!(is_good, "afterwards: {receipt:?}");
    }
    let left = differences(&planned.after, &set.scene.stored());
    assert!(left.is_empty(), "afterwards: {left:?}");
    set.scene.check_journal(&planned.plan);
}

/// What the program says has become of the share, and its exit code.
fn check_receipts(set: &Set, ran: &watch::Watched, row: &Row, column: Column) {
    let expected = match row.comes(column) {
        Comes::Nothing => "applied",
        Comes::Receipt(receipt) => receipt,
        Comes::Stopped => {
            assert_eq!(ran.code, Some(4), "{}", ran.last_words());
            return;
        }
        other => panic!("nothing that an apply comes to: {other:?}"),
    };
    let told = ran.json();
    let receipts = told["receipts"].as_array().unwrap();
    let ours = shares(set.scene.service)[0];
    let receipt = receipts
        .iter()
        .find(|receipt| receipt["share"].as_str().unwrap().ends_with(ours));
    let receipt = receipt.unwrap_or_else(|| panic!("no receipt: {told}"));
    assert_eq!(receipt["receipt"], expected, "{receipt}");
    let all_good = receipts
        .iter()
        .all(|receipt| receipt["receipt"] == "applied" || receipt["receipt"] == "already-done");
    assert_eq!(ran.code, Some(if all_good { 0 } else { 4 }), "{told}");
}

/// What is stored differs by no more than was announced, and no change was sent twice but where it was clearly refused.
fn check_world(set: &Set, planned: &Planned, row: &Row, column: Column) {
    let stored = set.scene.stored();
    for (id, fields) in differences(&planned.before, &stored) {
        assert_eq!(
            stored.get(&id),
            planned.after.get(&id),
            "{id} is not as it was announced: {fields:?}"
        );
        assert!(
            planned.plan.actions.iter().any(|action| action.share == id),
            "{id} was not announced: {fields:?}"
        );
    }
    let writes = set.scene.writes();
    let ours: Vec<_> = writes
        .iter()
        .filter(|write| write.path.ends_with(shares(set.scene.service)[0]))
        .collect();
    let is_tried = row.comes(column) == Comes::Nothing;
    if column.is_look() && !is_tried {
        assert!(
            ours.is_empty(),
            "it was changed without having been read: {ours:?}"
        );
    }
    // Only where the token is refused is the same sent with another one.
    let is_renewed = row.what.contains("`401`");
    let most = if is_renewed { 2 } else { 1 };
    assert!(
        ours.len() <= most || matches!(row.twist, Twist::Passing(..)),
        "{ours:?}"
    );
}
