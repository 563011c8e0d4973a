//! What is refused before anything is asked, what is refused before anything is changed, and what is left alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sharewarden::enforce::Outcome;
use sharewarden::model::long_digest;
use sharewarden::plan::Plan;
use sharewarden::store::ChangeLock;

use super::{Scene, Service, differences, now, on_a_terminal, outcomes};
use crate::harness::{Config, NOW, Ran};

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
";
const MICROSOFT: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
owner = \"alice@example.org\"
[[enforce.rule]]
rule = \"guest-recipient\"
action = \"revoke\"
collateral = true
";
const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

/// A scanned service, with the plan in `plan.json`, and as decisions in `plan.csv`.
fn planned(service: Service) -> (Scene, Plan) {
    let enforce = match service {
        Service::Nextcloud => NEXTCLOUD,
        Service::Microsoft => MICROSOFT,
    };
    let scene = Scene::of(service, &service.world(), enforce);
    scene.scan();
    let plan = scene.plan();
    scene.stage.write("plan.json", &plan.to_json());
    let mut csv = Vec::new();
    sharewarden::plan::decisions::write(&plan, &mut csv).unwrap();
    scene.stage.write("plan.csv", std::str::from_utf8(&csv).unwrap());
    scene.stage.forget_requests();
    (scene, plan)
}

/// Insists that a run was refused with these words, and that nothing was asked of the service.
#[track_caller]
fn refuses(scene: &Scene, ran: &Ran, words: &str) {
    ran.ended(2);
    assert!(ran.err.contains(words), "{words}: {}", ran.err);
    assert!(ran.err.contains("nothing was sent"), "{}", ran.err);
    assert_eq!(ran.out, "");
    let asked = scene.stage.requests();
    assert!(asked.is_empty(), "{words}: {asked:#?}");
    assert_eq!(scene.ledger().journal_head().unwrap(), None, "{words}");
}

/// Insists that a plan file with this text is refused with these words.
#[track_caller]
fn refuses_file(scene: &Scene, name: &str, text: &str, words: &str) {
    scene.stage.write(name, text);
    refuses(scene, &scene.stage.run(&["apply", name, "--yes"]), words);
}

/// Insists that a run of changes ended with a code, and that nothing was changed.
#[track_caller]
fn leaves(scene: &Scene, before: &BTreeMap<String, Value>, ran: &Ran, code: i32) {
    ran.ended(code);
    assert!(scene.writes().is_empty(), "{:#?}\n{}", scene.writes(), ran.err);
    assert_eq!(differences(before, &scene.stored()), BTreeMap::new());
}

/// The receipts that were printed, by share.
fn receipts(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let told = ran.json();
    let rows = told["receipts"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(row, "share"), (text(row, "receipt"), text(row, "detail"))))
        .collect()
}

/// Every place in a document where a single value stands.
fn leaves_of(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves_of(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (place, value) in list.iter().enumerate() {
                leaves_of(value, &format!("{at}/{place}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn a_plan_that_was_edited_anywhere_is_refused() {
    let (scene, plan) = planned(Service::Nextcloud);
    let whole: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let mut places = Vec::new();
    leaves_of(&whole, "", &mut places);
    assert!(places.len() > 60, "{places:?}");
    let mut tried = 0;
    for (number, place) in places.iter().enumerate() {
        let mut edited = whole.clone();
        let value = edited.pointer_mut(place).unwrap();
        *value = match &*value {
            Value::String(text) => {
                // One digit or letter is another one.
                let at = text.rfind(|c: char| c.is_ascii_alphanumeric()).unwrap();
                let other = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
                json!(format!("{}{other}{}", &text[..at], &text[at + 1..]))
            }
            Value::Null => json!("1"),
            Value::Bool(is) => json!(!is),
            Value::Array(_) => json!(["1"]),
            other => panic!("{place}: {other}"),
        };
        let text = serde_json::to_string_pretty(&edited).unwrap();
        assert!(Plan::read(&text).is_err(), "{place}");
        // The program says the same of all; a few show it.
        if place == "/id" || place == "/digest" || place == "/expires_at" || number % 12 == 0 {
            scene.stage.write("edited.json", &text);
            let ran = scene.stage.run(&["apply", "edited.json", "--yes"]);
            refuses(&scene, &ran, "edited.json: ");
            tried += 1;
        }
    }
    assert!(tried >= 8);
}

#[test]
fn a_plan_that_was_edited_with_its_digest_is_not_the_one_that_was_recorded() {
    let (scene, plan) = planned(Service::Nextcloud);
    let edits: [fn(&mut Plan); 5] = [
        |plan| plan.actions[0].share = "4".to_owned(),
        |plan| plan.actions[0].expects.recipients.push("bob".to_owned()),
        |plan| plan.expires_at = "2026-12-24T00:00:00Z".parse().unwrap(),
        |plan| drop(plan.actions.pop()),
        |plan| plan.actions.swap(0, 1),
    ];
    for edit in edits {
        let mut edited = plan.clone();
        edit(&mut edited);
        edited.digest.clear();
        edited.digest = long_digest(&serde_json::to_string(&edited).unwrap());
        assert!(Plan::read(&edited.to_json()).is_ok(), "the digest is right");
        refuses_file(&scene, "edited.json", &edited.to_json(), "as it was recorded");
    }
    // Of its own making, and with an id of its own.
    let foreign = Plan::made(plan.actions.clone(), now());
    refuses_file(
        &scene,
        "foreign.json",
        &foreign.to_json(),
        "was not made with this state",
    );
    let other = planned(Service::Nextcloud).1;
    refuses_file(
        &scene,
        "foreign.json",
        &other.to_json(),
        "was not made with this state",
    );
}

#[test]
fn what_is_no_plan_is_refused() {
    let (scene, plan) = planned(Service::Nextcloud);
    let text = plan.to_json();
    for (given, words) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a plan"),
        ("null", "not as a plan is written"),
        ("{\"schema\": \"sharewarden.report/v1\"}", "not a plan"),
        ("decision,id,plan\n", "not JSON"),
    ] {
        refuses_file(&scene, "other.json", given, words);
    }
    let newer = text.replace("sharewarden.plan/v1", "sharewarden.plan/v2");
    refuses_file(&scene, "other.json", &newer, "sharewarden.plan/v2");
    let more = text.replacen('{', "{\"more\": 1,", 1);
    refuses_file(&scene, "other.json", &more, "more");
    let mut twice = plan.clone();
    twice.actions[1].id = twice.actions[0].id.clone();
    refuses_file(&scene, "other.json", &twice.to_json(), "the same id");
    let mut twice = plan.clone();
    twice.actions[1].share = twice.actions[0].share.clone();
    refuses_file(&scene, "other.json", &twice.to_json(), "the same share");
    let deep = "[".repeat(100_000);
    refuses_file(&scene, "other.json", &deep, "not JSON");
    std::fs::write(scene.stage.path("bytes.json"), [0xff, 0xfe, 0]).unwrap();
    let path = scene.stage.path("folder.json");
    std::fs::create_dir(&path).unwrap();
    let huge = std::fs::File::create(scene.stage.path("huge.json")).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    for (name, words) in [
        ("bytes.json", "no UTF-8"),
        ("folder.json", "cannot be read"),
        ("huge.json", "larger than 64 MiB"),
        ("missing.json", "cannot be read"),
    ] {
        refuses(&scene, &scene.stage.run(&["apply", name, "--yes"]), words);
    }
}

#[test]
fn decisions_that_say_something_else_are_refused() {
    let (scene, _) = planned(Service::Nextcloud);
    let csv = std::fs::read_to_string(scene.stage.path("plan.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    let (header, first) = (lines[0], lines[1]);
    let rows = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    let maybe = first.replacen("do", "maybe", 1);
    let empty = first.replacen("do", "", 1);
    let (head, plan) = first.rsplit_once(',').unwrap();
    let other = format!("{head},plan-20261122T120000Z-000000");
    let unknown = {
        let (head, _) = head.rsplit_once(',').unwrap();
        format!("{head},a0123456789abcde,{plan}")
    };
    for (text, words) in [
        (String::new(), "no decisions"),
        (header.to_owned(), "no decisions"),
        ("\u{feff}".to_owned(), "no decisions"),
        (rows(&[&maybe]), "the decision is `maybe`"),
        (rows(&[&empty]), "nothing in the column `decision`"),
        (rows(&[first, &other]), "another plan"),
        (rows(&[&other]), "was not made with this state"),
        (rows(&[&unknown]), "no action `a0123456789abcde`"),
        (rows(&[first, first]), "decided before"),
        (rows(&[&maybe]).replace(',', ";"), "the decision is `maybe`"),
        (format!("\u{feff}{}", rows(&[&maybe])), "the decision is `maybe`"),
        (csv.replacen("decision", "verdict", 1), "no column `decision`"),
        (csv.replacen("reason", "decision", 1), "two columns `decision`"),
        ("{}".to_owned(), "no column"),
    ] {
        refuses_file(&scene, "other.csv", &text, words);
    }
}

#[test]
fn decisions_as_spreadsheets_save_them_are_heeded() {
    for spreadsheet in [
        |text: String| text,
        // As one does whose language writes decimals with a comma.
        |text: String| {
            let mut table = csv::WriterBuilder::new()
                .delimiter(b';')
                .terminator(csv::Terminator::CRLF)
                .from_writer("\u{feff}".as_bytes().to_vec());
            for row in csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(text.as_bytes())
                .records()
            {
                table.write_record(&row.unwrap()).unwrap();
            }
            String::from_utf8(table.into_inner().unwrap()).unwrap()
        },
    ] {
        let (scene, plan) = planned(Service::Nextcloud);
        let before = scene.stored();
        let csv = std::fs::read_to_string(scene.stage.path("plan.csv")).unwrap();
        // Only the revoked ones, and one row is left out.
        let mut rows: Vec<String> = csv.lines().map(str::to_owned).collect();
        rows.pop();
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| {
                if row.contains("set-expiry") {
                    row.replacen("do", "skip", 1)
                } else {
                    row
                }
            })
            .collect();
        let wanted: Vec<&str> = plan
            .actions
            .iter()
            .take(plan.actions.len() - 1)
            .filter(|action| action.value.is_none())
            .map(|action| action.share.as_str())
            .collect();
        assert!(!wanted.is_empty());
        scene
            .stage
            .write("plan.csv", &spreadsheet(rows.join("\n") + "\n"));
        scene.stage.run(&["apply", "plan.csv", "--yes"]).ended(0);
        let changed = differences(&before, &scene.stored());
        assert_eq!(changed.keys().map(String::as_str).collect::<Vec<_>>(), {
            let mut wanted = wanted;
            wanted.sort_unstable();
            wanted
        });
    }
}

#[test]
fn a_plan_is_refused_where_it_does_not_fit_time_or_configuration() {
    let (scene, plan) = planned(Service::Nextcloud);
    let at = |now: &str| scene.stage.run_at(now, &APPLY);
    refuses(&scene, &at("2026-11-29T12:00:01Z"), "expired");
    refuses(&scene, &at("2026-11-22T11:59:59Z"), "yet to come");
    refuses(
        &scene,
        &scene.stage.run(&["--no-state", "apply", "plan.json", "--yes"]),
        "--no-state",
    );
    refuses(
        &scene,
        &scene.stage.run(&["--no-state", "undo", "change-1", "--yes"]),
        "--no-state",
    );
    refuses(
        &scene,
        &scene.stage.run(&["undo", "change-1", "--yes"]),
        "no run of changes",
    );
    // Nobody can be asked.
    refuses(&scene, &scene.stage.run(&["apply", "plan.json"]), "--yes");

    scene.configure(NEXTCLOUD, "");
    refuses(
        &scene,
        &scene.stage.run(&APPLY),
        "nothing may be changed in the source `cloud`",
    );
    scene.configure(NEXTCLOUD, "enforce = false");
    refuses(
        &scene,
        &scene.stage.run(&APPLY),
        "nothing may be changed in the source `cloud`",
    );

    let shares = plan.actions.len();
    for (caps, words) in [
        (format!("max_changes = {}", shares - 1), "max_changes"),
        ("max_changes = 0".to_owned(), "max_changes"),
        ("max_changes_percent = 5".to_owned(), "max_changes_percent"),
    ] {
        let rules = NEXTCLOUD.replacen("max_changes_percent = 100", &caps, 1);
        let rules = if caps.contains("percent") {
            rules
        } else {
            rules.replacen("[enforce]", "[enforce]\nmax_changes_percent = 100", 1)
        };
        scene.configure(&rules, "enforce = true");
        refuses(&scene, &scene.stage.run(&APPLY), words);
        refuses(
            &scene,
            &scene.stage.run(&["apply", "plan.json", "--dry-run"]),
            words,
        );
    }

    // A rehearsed time is for this machine.
    scene.stage.configure(&Config {
        more: NEXTCLOUD,
        source: "enforce = true",
        url: Some("https://cloud.example.org"),
        ..Config::default()
    });
    refuses(&scene, &scene.stage.run(&APPLY), "--now");

    // The source is gone.
    let config = std::fs::read_to_string(scene.stage.path("config.toml")).unwrap();
    scene
        .stage
        .write("config.toml", &config.replace("\"cloud\"", "\"elsewhere\""));
    refuses(
        &scene,
        &scene.stage.run(&APPLY),
        "the source `cloud` is not configured",
    );
}

#[test]
fn two_runs_of_changes_do_not_work_beside_each_other() {
    let (scene, _) = planned(Service::Nextcloud);
    let held = ChangeLock::take(&scene.stage.path("state.db"), now()).unwrap();
    let words = format!("process {} since 2026-11-22T12:00:00Z", std::process::id());
    refuses(&scene, &scene.stage.run(&APPLY), &words);
    drop(held);
    scene.stage.run(&APPLY).ended(0);
    let writes = scene.writes().len();
    let again = scene.stage.run(&[&APPLY[..], &["--format", "json"]].concat());
    again.ended(0);
    assert!(
        receipts(&again)
            .values()
            .all(|(receipt, _)| receipt == "already-done")
    );
    assert_eq!(scene.writes().len(), writes);
}

#[test]
fn whoever_interrupts_finds_the_change_under_way_finished_and_the_rest_untouched() {
    let (scene, plan) = planned(Service::Nextcloud);
    let before = scene.stored();
    scene.stage.fault(
        &json!({"match": {"path_contains": "files_sharing/api/v1/shares/", "method": "PUT"},
        "action": {"do": "delay", "ms": 700}}),
    );
    let mut program = scene.stage.program();
    program.arguments(&["--now", NOW]).arguments(&APPLY);
    let mut running = program.start();
    while scene.writes().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let begun = scene.writes().len();
    running.interrupt();
    running.until("interrupted");
    let beside = scene.stage.run(&APPLY);
    beside.ended(2);
    assert!(beside.err.contains("process "), "{}", beside.err);
    let ran = running.end();
    ran.ended(130);
    let writes = scene.writes();
    assert_eq!(writes.len(), begun, "{writes:#?}");
    assert_eq!(differences(&before, &scene.stored()).len(), begun);
    assert!(plan.actions.len() > begun);
    scene.check_journal(&plan);
    // The rest is done when it is run again.
    scene.stage.no_faults();
    scene.stage.run(&APPLY).ended(0);
    assert_eq!(scene.writes().len(), plan.actions.len());
    assert_eq!(differences(&before, &scene.stored()).len(), plan.actions.len());
    scene.check_journal(&plan);
}

#[test]
fn clocks_that_are_apart_stop_everything_before_the_first_change() {
    for service in [Service::Nextcloud, Service::Microsoft] {
        let (scene, _) = planned(service);
        let before = scene.stored();
        for at in ["2026-11-22T12:06:00Z", "2026-11-22T11:54:00Z"] {
            scene.stage.clock(at);
            let ran = scene.stage.run(&APPLY);
            leaves(&scene, &before, &ran, 4);
            assert!(ran.err.contains("differ by 360 seconds"), "{}", ran.err);
        }
        scene.stage.clock("2026-11-22T12:04:00Z");
        scene.stage.run(&["apply", "plan.json", "--dry-run"]).ended(0);
        assert!(scene.writes().is_empty());
        assert_eq!(scene.ledger().journal_head().unwrap(), None, "{service:?}");
    }
}

#[test]
fn a_rehearsal_changes_and_records_nothing() {
    for service in [Service::Nextcloud, Service::Microsoft] {
        let (scene, plan) = planned(service);
        let before = scene.stored();
        let ran = scene
            .stage
            .run(&["apply", "plan.json", "--dry-run", "--format", "json"]);
        leaves(&scene, &before, &ran, 0);
        assert_eq!(ran.json()["dry_run"], true);
        assert_eq!(
            ran.json()["receipts"].as_array().unwrap().len(),
            plan.actions.len()
        );
        assert!(receipts(&ran).values().all(|(receipt, _)| receipt.is_empty()));
        assert_eq!(scene.ledger().journal_head().unwrap(), None);
    }
}

/// Applies a plan of one share after a change behind its back: it is told as drifted, by this field.
#[track_caller]
fn drifts(service: Service, share: &str, change: &Value, field: &str) {
    let (scene, plan) = planned(service);
    let mut actions = plan.actions;
    actions.retain(|action| action.share.rsplit('/').next() == Some(share));
    assert_eq!(actions.len(), 1, "{share}");
    let plan = scene.record(actions);
    scene.stage.change(change);
    let before = scene.stored();
    let done = scene.apply(&plan, "drifting");
    assert_eq!(
        outcomes(&done).into_values().collect::<Vec<_>>(),
        [Some(Outcome::Drifted)],
        "{change}: {done:?}"
    );
    let detail = done.receipts[0].detail.as_deref().unwrap_or_default();
    assert!(detail.contains(field), "{change}: {detail}");
    assert!(scene.writes().is_empty());
    assert_eq!(differences(&before, &scene.stored()), BTreeMap::new());
    // The program says the same, and tells so by its exit code.
    if field == "password" {
        scene.stage.write("plan.json", &plan.to_json());
        let ran = scene.stage.run(&[&APPLY[..], &["--format", "json"]].concat());
        leaves(&scene, &before, &ran, 4);
        assert!(
            receipts(&ran)
                .values()
                .all(|(receipt, why)| receipt == "drifted" && why.contains(field))
        );
    }
    scene.check_journal(&plan);
}

#[test]
fn a_share_that_changed_in_any_way_is_left_alone() {
    for (share, set, field) in [
        ("1", json!({"permissions": 15}), "access"),
        ("1", json!({"password": "Later-Set-99"}), "password"),
        ("1", json!({"expires": "+300d"}), "expires"),
        ("11", json!({"recipient": "bob"}), "recipients"),
        ("11", json!({"recipient": "bob"}), "audience"),
        ("11", json!({"type": "group", "recipient": "staff"}), "kind"),
    ] {
        let number: u64 = share.parse().unwrap();
        drifts(
            Service::Nextcloud,
            share,
            &json!({"do": "update", "share": number, "set": set}),
            field,
        );
    }
    let permission = "11111111-0000-4000-8000-000000000001";
    let changed = |set: Value| {
        json!({"service": "graph", "do": "update", "permission": permission, "owner": "alice@example.org",
            "path": "/Projects", "set": set})
    };
    for (set, field) in [
        (json!({"link": {"scope": "anonymous", "type": "view"}}), "access"),
        (
            json!({"link": {"scope": "anonymous", "type": "edit", "password": "Later-Set-99"}}),
            "password",
        ),
        (
            json!({"link": {"scope": "organization", "type": "edit"}}),
            "audience",
        ),
        (json!({"expires": "+300d"}), "expires"),
    ] {
        drifts(Service::Microsoft, permission, &changed(set), field);
    }
}

#[test]
fn a_credential_or_right_that_is_missing_is_known_before_the_first_change() {
    // Of the whole source.
    for service in [Service::Nextcloud, Service::Microsoft] {
        let (scene, plan) = planned(service);
        let before = scene.stored();
        let file = match service {
            Service::Nextcloud => "secret",
            Service::Microsoft => "client-secret",
        };
        scene.stage.write(file, "another-secret");
        let ran = scene.stage.run(&[&APPLY[..], &["--format", "json"]].concat());
        leaves(&scene, &before, &ran, 4);
        let told = receipts(&ran);
        assert_eq!(told.len(), plan.actions.len());
        assert!(
            told.values()
                .all(|(receipt, why)| receipt == "refused" && !why.is_empty()),
            "{told:#?}"
        );
        scene.check_journal(&plan);
    }
    // Of the application.
    let (scene, plan) = planned(Service::Microsoft);
    let before = scene.stored();
    scene
        .stage
        .change(&json!({"service": "graph", "do": "update", "app": {"roles":
        ["User.Read.All", "GroupMember.Read.All", "Files.Read.All", "Sites.Read.All"]}}));
    let ran = scene.stage.run(&[&APPLY[..], &["--format", "json"]].concat());
    leaves(&scene, &before, &ran, 4);
    let told = receipts(&ran);
    assert_eq!(told.len(), plan.actions.len());
    assert!(
        told.values()
            .all(|(receipt, why)| receipt == "refused" && why.contains("ReadWrite.All")),
        "{told:#?}"
    );
    // Of an account that was disabled since.
    let (scene, plan) = planned(Service::Nextcloud);
    let before = scene.stored();
    assert!(
        plan.actions
            .iter()
            .all(|action| action.act_as.as_deref() == Some("alice"))
    );
    scene
        .stage
        .change(&json!({"do": "update", "account": "alice", "set": {"enabled": false}}));
    let ran = scene.stage.run(&[&APPLY[..], &["--format", "json"]].concat());
    leaves(&scene, &before, &ran, 4);
    let told = receipts(&ran);
    assert!(
        !told.is_empty()
            && told
                .values()
                .all(|(receipt, why)| receipt == "refused" && why.contains("disabled")),
        "{told:#?}{}",
        ran.err
    );
}

#[test]
fn somebody_at_a_terminal_is_asked_once() {
    let (scene, plan) = planned(Service::Nextcloud);
    let before = scene.stored();
    for answer in ["n\n", "\n", "maybe\n"] {
        let Some((code, said)) = on_a_terminal(&scene.stage, answer, &["apply", "plan.json"]) else {
            return;
        };
        assert_eq!(code, 0, "{said}");
        assert!(
            said.contains("Go on? [y/N]") && said.contains("nothing was changed"),
            "{said}"
        );
        assert!(scene.stage.requests().is_empty());
    }
    let (code, said) = on_a_terminal(&scene.stage, "y\n", &["apply", "plan.json"]).unwrap();
    assert_eq!(code, 0, "{said}");
    assert_eq!(differences(&before, &scene.stored()).len(), plan.actions.len());
}
