//! A scan of a service that misbehaves: what was not read is named, and nothing that is known is taken back.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;

use super::table::{Column, Comes, Row};
use super::{Set, watch};
use crate::changes::{Scene, Service};
use crate::harness::{NOW, list, problems, verdict};

/// The world of a service in which everything can be read that is there.
fn world(service: Service) -> Value {
    let mut world = service.world();
    if service == Service::Microsoft {
        list(&mut world["microsoft365"]["sites"])
            .retain(|site| site["locked"] != true && site["archived"] != true && site["refused"] != true);
        list(&mut world["microsoft365"]["users"]).retain(|user| user["drive"] != "locked");
    }
    world
}

/// What a report says of where each finding stands.
fn standing(report: &Value) -> BTreeMap<String, String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (text(finding, "id"), text(finding, "status")))
        .collect()
}

/// What a second scan reports where nothing goes wrong: its verdict, and where each finding stands.
fn undisturbed(service: Service) -> &'static (String, BTreeMap<String, String>) {
    type Report = (String, BTreeMap<String, String>);
    fn scanned(service: Service) -> Report {
        let scene = Scene::of(service, &world(service), "");
        scene.scan();
        let report = scene.stage.run(&["scan", "--format", "json"]).ended(0).json();
        (verdict(&report).to_owned(), standing(&report))
    }
    static NEXTCLOUD: LazyLock<Report> = LazyLock::new(|| scanned(Service::Nextcloud));
    static MICROSOFT: LazyLock<Report> = LazyLock::new(|| scanned(Service::Microsoft));
    match service {
        Service::Nextcloud => &NEXTCLOUD,
        Service::Microsoft => &MICROSOFT,
    }
}

/// Services that were read before, and behaved since.
static READY: Mutex<Vec<Set>> = Mutex::new(Vec::new());

/// A service that was read before: one that is ready, or a new one.
fn ready(service: Service, good: &str) -> Set {
    let mut ready = READY.lock().unwrap();
    if let Some(place) = ready.iter().position(|set| set.scene.service == service) {
        return ready.swap_remove(place);
    }
    drop(ready);
    let mut set = Set::of(Scene::of(service, &world(service), ""));
    // In the clear, whatever is tried with secure connections later.
    set.plainly();
    assert_eq!(set.scene.scan().to_string(), good, "before");
    set
}

pub(super) fn try_out(row: &Row, column: Column) {
    let service = column.service();
    let (good, expected) = undisturbed(service);
    let mut set = ready(service, good);
    set.reach(row, column, "");
    set.misbehave(row, column);
    let mut program = set.scene.stage.program();
    program.arguments(&["-vv", "--now", NOW, "scan", "--format", "json"]);
    if column == Column::MicrosoftScan {
        // All that is there is told, not only what changed.
        program.arguments(&["--full"]);
    }
    let ran = watch::Watched::run(&program);
    set.check(&ran);
    set.behave(column);
    let report = ran.json();
    let told = problems(&report);
    let now = standing(&report);
    match row.comes(column) {
        Comes::Told(codes) => {
            assert_eq!(ran.code, Some(3), "{told:?}");
            assert_eq!(verdict(&report), "incomplete", "{told:?}");
            let is_named = told.iter().any(|(_, code)| codes.contains(code));
            assert!(is_named, "{told:?}: {}", report["sources"][0]["problems"]);
            for id in expected.keys() {
                let status = now.get(id).map(String::as_str);
                let stands = matches!(status, Some("open" | "not-checked" | "new" | "waived"));
                let finding = report["findings"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|finding| finding["id"] == **id);
                assert!(stands, "{status:?}: {finding:?}: {told:?}");
            }
        }
        Comes::Nothing => {
            assert_eq!(ran.code, Some(0), "{told:?}");
            assert_eq!((verdict(&report), &now), (good.as_str(), expected), "{told:?}");
        }
        other => panic!("nothing that a scan comes to: {other:?}"),
    }
    // Once the service behaves, everything is read again.
    set.plainly();
    assert_eq!(set.scene.scan().to_string(), *good, "afterwards");
    READY.lock().unwrap().push(set);
}
