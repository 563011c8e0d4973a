//! What came between a plan, its carrying out and the next scan: links that rest on a share, waivers, scans, the plan's end,
//! and what other names a state has.

use serde_json::{Value, json};
use sharewarden::enforce::Outcome;
use sharewarden::plan::ActionKind;

use super::{Scene, Service, outcomes};
use crate::harness::{NOW, account, add_shares, findings, list, small};

const ENDS_SHARES: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"recipient-never-logged-in\"
action = \"revoke\"
collateral = true
[[enforce.rule]]
rule = \"wide-group-grant\"
action = \"revoke\"
collateral = true
";
const DATES: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
";

/// The small world, in which a folder is shared with somebody who never signed in, and with all students.
fn shared_on() -> Value {
    let mut world = small();
    list(&mut account(&mut world, "alice")["files"]).extend([
        json!({"path": "/Plans/sub/b.md", "size": 7}),
        json!({"path": "/Plans2/a.md", "size": 7}),
    ]);
    let accounts = list(&mut world["nextcloud"]["accounts"]);
    accounts.push(json!({"id": "newcomer", "groups": ["students"]}));
    add_shares(
        &mut world,
        vec![
            json!({"id": 30, "type": "user", "owner": "alice", "path": "/Plans", "recipient": "newcomer", "permissions": 31}),
            json!({"id": 31, "type": "group", "owner": "alice", "path": "/Plans2", "recipient": "students", "permissions": 31}),
        ],
    );
    world
}

/// A plan of the one share with this id, scanned and recorded.
fn plan_of(scene: &Scene, share: &str) -> sharewarden::plan::Plan {
    scene.scan();
    let mut actions = scene.proposed().actions;
    actions.retain(|action| action.share == share);
    assert_eq!(actions.len(), 1, "{share}");
    scene.record(actions)
}

#[test]
fn what_rests_on_a_share_is_announced_or_the_share_stays() {
    for (share, path, member) in [
        ("30", "/Plans/sub/b.md", "newcomer"),
        ("31", "/Plans2/a.md", "zed"),
    ] {
        let scene = Scene::of(Service::Nextcloud, &shared_on(), ENDS_SHARES);
        let plan = plan_of(&scene, share);
        assert!(plan.actions[0].also_ends.is_empty());
        if member == "zed" {
            // Nobody has told the state of this member yet.
            scene
                .stage
                .change(&json!({"do": "add", "account": {"id": "zed", "groups": ["students"]}}));
        }
        let link = json!({"id": 50, "type": "link", "owner": "alice", "path": path, "sharer": member});
        scene.stage.change(&json!({"do": "add", "share": link}));
        let done = scene.apply(&plan, "surprised");
        assert_eq!(
            done.receipts[0].outcome,
            Some(Outcome::Drifted),
            "{share}: {done:?}"
        );
        assert!(scene.writes().is_empty());
        // Once it is known it is announced, and ends with the share.
        let plan = plan_of(&scene, share);
        assert_eq!(plan.actions[0].also_ends, ["50"]);
        let done = scene.apply(&plan, "announced");
        assert_eq!(
            done.receipts[0].outcome,
            Some(Outcome::Applied),
            "{share}: {done:?}"
        );
        assert!(!scene.stored().contains_key("50"));
    }
}

#[test]
fn a_date_is_announced_with_what_will_end_then() {
    let world = {
        let mut world = shared_on();
        let link =
            json!({"id": 50, "type": "link", "owner": "alice", "path": "/Plans/sub", "sharer": "newcomer"});
        add_shares(&mut world, vec![link]);
        world
    };
    let enforce = ENDS_SHARES.replacen("\"revoke\"", "\"set-expiry\"\nafter = \"3d\"", 1);
    let enforce = enforce.replacen("collateral = true\n", "", 1);
    let scene = Scene::of(Service::Nextcloud, &world, &enforce);
    let plan = plan_of(&scene, "30");
    assert_eq!(plan.actions[0].action, ActionKind::SetExpiry);
    assert_eq!(plan.actions[0].also_ends, ["50"]);
    // It has not ended yet, and so does not come back by itself either.
    scene.apply(&plan, "dated");
    let undone = scene.stage.run(&["undo", "dated", "--yes"]);
    undone.ended(0);
    assert!(!undone.err.contains("does not come back"), "{}", undone.err);
}

#[test]
fn what_was_ended_or_waived_since_is_left_alone() {
    let scene = Scene::of(Service::Nextcloud, &small(), DATES);
    scene.scan();
    let plan = scene.plan();
    scene.stage.write("plan.json", &plan.to_json());
    let ids: Vec<&str> = plan.actions.iter().map(|action| action.share.as_str()).collect();
    assert!(ids.contains(&"1") && ids.contains(&"7"), "{ids:?}");
    scene.stage.change(&json!({"do": "remove", "share": 7}));
    let waived = plan.actions.iter().find(|action| action.share == "1").unwrap();
    let waive = [
        "waive",
        waived.finding.as_str(),
        "--reason",
        "wanted",
        "--until",
        "2027-03-01",
        "--approved-by",
        "IT",
    ];
    scene.stage.run(&waive).ended(0);
    let ran = scene
        .stage
        .run(&["apply", "plan.json", "--yes", "--format", "json"]);
    let told = ran.ended(4).json();
    let receipt = |share: &str| {
        let rows = told["receipts"].as_array().unwrap();
        let row = rows.iter().find(|row| row["share"] == share).unwrap();
        (row["receipt"].clone(), row["detail"].clone())
    };
    assert_eq!(receipt("7").0, "already-done", "somebody was quicker: {told:#}");
    assert_eq!(receipt("1"), (json!("drifted"), json!("it was waived since")));
    assert!(scene.stored()["1"]["expires"].is_null());
}

#[test]
fn what_a_waiver_for_a_path_covers_since_is_left_alone() {
    let scene = Scene::of(Service::Nextcloud, &small(), DATES);
    scene.scan();
    let plan = scene.plan();
    scene.stage.write("plan.json", &plan.to_json());
    let waiver = "[[waiver]]\nrule = \"link-without-expiry\"\nsource = \"cloud\"\nowner = \"alice\"\npath = \"/**\"\n\
                  reason = \"wanted\"\napproved_by = \"IT\"\nuntil = 2027-03-01\n";
    scene.configure(&[DATES, waiver].concat(), "enforce = true");
    let told = scene
        .stage
        .run(&["apply", "plan.json", "--yes", "--format", "json"])
        .ended(4)
        .json();
    for row in told["receipts"].as_array().unwrap() {
        let action = plan
            .actions
            .iter()
            .find(|action| action.share == row["share"])
            .unwrap();
        let is_waived = row["detail"] == "it was waived since";
        assert_eq!(is_waived, action.owner == "alice", "{row}");
    }
}

/// A plan of which a part was done, and of one action only the intent is on record: its answer was lost.
fn cut_short(scene: &Scene) -> sharewarden::plan::Plan {
    scene.scan();
    let plan = scene.plan();
    scene.stage.write("plan.json", &plan.to_json());
    scene
        .stage
        .fault(&json!({"match": {"method": "DELETE"}, "after": 1, "times": 1,
        "action": {"do": "status", "status": 502, "body": ""}}));
    let ran = scene.stage.run(&["apply", "plan.json", "--yes"]);
    ran.ended(4);
    assert!(ran.out.contains("run the same again"), "{}", ran.out);
    scene.stage.no_faults();
    plan
}

#[test]
fn a_run_that_was_cut_short_goes_on_after_a_scan_within_the_same_caps() {
    let world = shared_on();
    let generous = ENDS_SHARES;
    let scene = Scene::of(Service::Nextcloud, &world, generous);
    scene.scan();
    let proposed = scene.proposed().actions;
    let known = scene.ledger().known_shares(&Service::Nextcloud.source()).unwrap();
    // Just as much as the plan needs.
    let percent = (100 * proposed.len() as u64).div_ceil(known);
    let enforce = generous.replace("percent = 100", &format!("percent = {percent}"));
    scene.configure(&enforce, "enforce = true");
    let plan = cut_short(&scene);
    scene.scan();
    scene.stage.run(&["apply", "plan.json", "--yes"]).ended(0);
    for action in &plan.actions {
        assert!(!scene.stored().contains_key(&action.share), "{action:?}");
    }
    scene.check_journal(&plan);
}

#[test]
fn what_became_of_a_change_is_found_out_after_the_plan_has_expired() {
    let scene = Scene::of(Service::Nextcloud, &shared_on(), ENDS_SHARES);
    let plan = cut_short(&scene);
    let source = Service::Nextcloud.source();
    let unsettled = || {
        use sharewarden::enforce::Journal as _;
        scene.ledger().unsettled(&source).unwrap().len()
    };
    assert_eq!(unsettled(), 1);
    let later = "2026-12-20T12:00:00Z";
    scene.stage.clock(later);
    let ran = scene.stage.run_at(later, &["apply", "plan.json", "--yes"]);
    assert!(
        ran.err.contains("expired") && ran.err.contains("is found out"),
        "{}",
        ran.err
    );
    assert_eq!(unsettled(), 0, "{}", ran.out);
    // Then there is nothing left to find out.
    let ran = scene.stage.run_at(later, &["apply", "plan.json", "--yes"]);
    ran.ended(2);
    assert!(ran.err.contains("expired"), "{}", ran.err);
    drop(plan);
}

#[test]
fn a_state_by_another_name_is_the_same_state() {
    let scene = Scene::of(Service::Nextcloud, &small(), DATES);
    scene.scan();
    scene.stage.write("plan.json", &scene.plan().to_json());
    let other = scene.stage.path("other.db");
    std::os::unix::fs::symlink(scene.stage.path("state.db"), &other).unwrap();
    let _lock = sharewarden::store::ChangeLock::take(&other, NOW.parse().unwrap()).unwrap();
    let ran = scene.stage.run(&["apply", "plan.json", "--yes"]);
    ran.ended(2);
    assert!(ran.err.contains("are being changed by process"), "{}", ran.err);
}

#[test]
fn what_a_delta_does_not_tell_is_known_to_the_next_scan_of_a_tenant() {
    let world = crate::harness::tenant();
    let scene = Scene::of(Service::Microsoft, &world, DATES);
    scene.scan();
    let plan = scene.plan();
    assert!(plan.actions.len() > 1);
    // The owner was quicker with one of them, which the delta does not tell.
    let theirs = "11111111-0000-4000-8000-000000000005";
    scene.stage.change(
        &json!({"do": "update", "owner": "alice@example.org", "path": "/virus.exe", "permission": theirs,
        "set": {"expires": "+200d"}}),
    );
    let first = plan
        .actions
        .iter()
        .find(|action| action.share.ends_with(theirs))
        .unwrap();
    let done = scene.apply(&plan, "dated");
    assert_eq!(
        outcomes(&done)[first.id.as_str()],
        Some(Outcome::Drifted),
        "{done:?}"
    );
    scene.scan();
    let report = scene.stage.run(&["report", "--format", "json"]).json();
    for action in &plan.actions {
        let found = findings(&report)
            .iter()
            .find(|finding| finding["id"] == action.finding.as_str())
            .unwrap();
        // Where the service has a date now, whoever set it, the finding is gone.
        assert_eq!(found["status"], "resolved", "{found:#}");
    }
}

#[test]
fn a_link_that_came_back_without_its_password_is_not_called_restored() {
    let mut world = crate::harness::tenant();
    world["microsoft365"]["switches"]["link_passwords"] = json!(false);
    let enforce = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"classified-item-exposed\"
action = \"revoke\"
collateral = true
";
    let link = json!({"owner": "alice@example.org", "path": "/HR/salaries.xlsx", "id": "99999999-0000-4000-8000-000000000009",
        "link": {"scope": "anonymous", "type": "view", "password": "Small-World-42"}});
    list(&mut world["microsoft365"]["permissions"]).push(link);
    let scene = Scene::of(Service::Microsoft, &world, enforce);
    scene.scan();
    let mut actions = scene.proposed().actions;
    actions.retain(|action| action.share.ends_with("99999999-0000-4000-8000-000000000009"));
    assert_eq!(actions.len(), 1);
    let plan = scene.record(actions);
    scene.apply(&plan, "ended");
    // It is made, without the password that was asked for, and nobody hears of it.
    scene
        .stage
        .fault(&json!({"match": {"path_contains": "createLink"}, "times": 1, "action": {"do": "reset"}}));
    let cut = scene.undo("ended", "undoing");
    assert_eq!(cut.receipts[0].outcome, Some(Outcome::Failed), "{cut:?}");
    scene.stage.no_faults();
    let again = scene.undo("ended", "undoing-again");
    let receipt = &again.receipts[0];
    assert_ne!(receipt.outcome, Some(Outcome::AlreadyDone), "{again:?}");
    assert_ne!(receipt.outcome, Some(Outcome::Applied), "{again:?}");
}
