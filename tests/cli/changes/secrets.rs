//! What opens a share is in nothing that planning, changing and undoing say or keep.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Scene, Service, on_a_terminal};
use crate::harness::{Ran, list};
use crate::listed;

const ENFORCE: &str = "
[enforce]
max_changes_percent = 100
[[enforce.rule]]
rule = \"link-without-expiry\"
action = \"set-expiry\"
after = \"30d\"
[[enforce.rule]]
rule = \"classified-item-exposed\"
action = \"revoke\"
[[enforce.rule]]
rule = \"external-recipient\"
action = \"revoke\"
";
/// What a link's address ends with, in the tenant.
const ADDRESS: &str = "EfCanaryOfALink0123456789";

/// A service of which a link with a password is to be ended, and its secrets.
fn scene(service: Service) -> (Scene, BTreeSet<String>) {
    let mut world = service.world();
    if service == Service::Microsoft {
        let permissions = list(&mut world["microsoft365"]["permissions"]);
        permissions.push(json!({"owner": "alice@example.org", "path": "/HR/salaries.xlsx",
            "id": "11111111-0000-4000-8000-0000000000aa", "link": {"scope": "anonymous", "type": "view",
            "password": "Canary-Password-9", "web_url": format!("https://example.sharepoint.com/:x:/s/{ADDRESS}")}}));
    }
    let scene = Scene::of(service, &world, ENFORCE);
    let secrets = match service {
        Service::Nextcloud => listed::secrets(&scene.stage, &world),
        Service::Microsoft => [
            "Canary-Password-9",
            ADDRESS,
            "small-client-secret",
            "Small-World-42",
        ]
        .map(str::to_owned)
        .into(),
    };
    (scene, secrets)
}

fn keeps_them(service: Service) {
    let (scene, mut secrets) = scene(service);
    let stage = &scene.stage;
    let mut said: Vec<(String, String)> = Vec::new();
    let mut say = |ran: Ran, code: i32, what: &str| {
        ran.ended(code);
        said.push((what.to_owned(), format!("{}{}", ran.out, ran.err)));
        ran
    };
    scene.scan();
    say(stage.run(&["-vv", "plan", "--out", "plan.json"]), 0, "plan");
    say(stage.run(&["plan", "--out", "plan.csv"]), 0, "plan");
    let rehearsed = ["-vv", "apply", "plan.json", "--dry-run"];
    say(stage.run(&rehearsed), 0, "apply --dry-run");
    let applied = say(
        stage.run(&["-vv", "apply", "plan.json", "--yes", "--format", "json"]),
        0,
        "apply",
    );
    assert!(!applied.err.is_empty(), "-vv says what is done");
    let run = applied.json()["run"].as_str().unwrap().to_owned();
    // Nobody could be shown a password here.
    let undo = ["-vv", "undo", &run, "--yes", "--format", "json"];
    let undone = say(stage.run(&undo), 4, "undo");
    assert!(undone.out.contains("run this on one"), "{}", undone.out);
    let mut passwords = Vec::new();
    if let Some((_, shown)) = on_a_terminal(stage, "", &["-vv", "undo", &run, "--yes"]) {
        let told = shown.split("has the new password ").skip(1);
        passwords.extend(
            told.filter_map(|rest| rest.split_whitespace().next())
                .map(str::to_owned),
        );
        assert_eq!(passwords.len(), 1, "{shown}");
        assert_eq!(shown.matches(passwords[0].as_str()).count(), 1, "{shown}");
        assert!(passwords[0].len() >= 20);
        said.push(("undo on a terminal".to_owned(), shown.replace(&passwords[0], "")));
        let again = on_a_terminal(stage, "", &["undo", &run, "--yes"]).unwrap().1;
        assert!(!again.contains("the new password"), "{again}");
    }
    secrets.extend(passwords);
    if service == Service::Nextcloud {
        // Of those that were made again, too.
        secrets.extend(listed::secrets(stage, &crate::harness::small()));
    }
    let exported = stage.run(&["journal", "export"]);
    assert!(exported.out.lines().count() > 10, "{}", exported.out);
    said.push(("the journal".to_owned(), exported.out));
    for name in ["state.db", "state.db-wal", "plan.json", "plan.csv"] {
        if let Ok(bytes) = std::fs::read(stage.path(name)) {
            said.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    for (what, text) in said {
        for secret in &secrets {
            assert!(!text.contains(secret), "{what} holds {secret}");
        }
    }
}

#[test]
fn no_secret_of_a_nextcloud_is_told_or_kept() {
    keeps_them(Service::Nextcloud);
}

#[test]
fn no_secret_of_a_tenant_is_told_or_kept() {
    keeps_them(Service::Microsoft);
}
