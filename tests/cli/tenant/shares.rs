//! What is reported of the permissions of a tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{essence, fired, share_of, shares, shares_on, switched};
use crate::harness::{Stage, Tenancy, list, problems, tenant, verdict};

/// The number of a link in the small world.
fn link(number: &str) -> String {
    format!("11111111-0000-4000-8000-0000000000{number}")
}

fn all(stage: &Stage) -> Value {
    // Three of its places are locked or refused, so that the scan is incomplete.
    stage.scan(&["--all-shares"]).ended(3).json()
}

#[test]
fn every_kind_of_permission_is_reported_as_what_it_is() {
    let report = all(&Stage::tenant());
    for (number, kind, audience, access, password) in [
        (
            "01",
            "link",
            "anyone",
            json!(["view", "download", "edit", "create", "delete"]),
            json!(false),
        ),
        ("02", "link", "anyone", json!(["view", "download"]), json!(true)),
        (
            "03",
            "link",
            "organization",
            json!(["view", "download", "edit"]),
            json!(false),
        ),
        ("04", "link", "external", json!(["view"]), json!(false)),
        (
            "09",
            "link",
            "external",
            json!(["view", "download", "edit", "create", "delete"]),
            json!(false),
        ),
    ] {
        let share = share_of(&report, &link(number)).unwrap();
        let told = (
            &share["kind"],
            &share["audience"],
            &share["access"],
            &share["password"],
        );
        assert_eq!(
            told,
            (&json!(kind), &json!(audience), &access, &password),
            "{number}"
        );
        assert_eq!(
            share["item"]["drive"],
            share["id"].as_str().unwrap().split('/').next().unwrap()
        );
    }
    assert!(
        share_of(&report, &link("0b")).is_none(),
        "a link for those who have access grants nothing"
    );
    let organization = share_of(&report, &link("03")).unwrap();
    assert_eq!(
        organization["opened_by"][0]["id"], "bob@example.org",
        "who was sent it is no recipient"
    );
    assert_eq!(organization["recipients"][0]["kind"], "everyone");
}

#[test]
fn rules_fire_on_what_they_are_about() {
    let report = all(&Stage::tenant());
    for (path, rules) in [
        (
            "/Projects",
            vec![
                ("link-allows-editing", "high"),
                ("link-without-expiry", "medium"),
                ("link-without-password", "critical"),
            ],
        ),
        ("/Projects/plan.docx", vec![("organization-wide-link", "medium")]),
        ("/Projects/Budget/numbers.xlsx", vec![("guest-recipient", "info")]),
        (
            "/HR/salaries.xlsx",
            vec![("classified-item-exposed", "high"), ("guest-recipient", "medium")],
        ),
        ("/Team/notes.txt", vec![("external-recipient", "info")]),
        ("/Notebook", vec![("everyone-grant", "high")]),
        ("/Odd/=1+1 #2 100% 'n' 日本.txt", vec![("everyone-grant", "high")]),
        ("/Drafts/letter.docx", vec![("external-recipient", "medium")]),
        (
            "/Thesis",
            vec![
                ("link-without-expiry", "medium"),
                ("link-without-password", "high"),
                ("orphaned-share", "high"),
            ],
        ),
        (
            "/Handover/contacts.xlsx",
            vec![("organization-wide-link", "medium"), ("orphaned-share", "high")],
        ),
        ("/batch-1.pdf", vec![("unrecognized-share", "medium")]),
        ("/Old/report.pdf", vec![("everyone-grant", "high")]),
        ("/", vec![("departed-recipient", "low")]),
        ("/Drafts", vec![]),
        ("/Winter/marks.xlsx", vec![]),
    ] {
        assert_eq!(fired(&report, path), rules.into_iter().collect(), "{path}");
    }
    let posture: BTreeSet<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["share"].is_null())
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    assert_eq!(
        posture,
        BTreeSet::from(["posture-anonymous-links-allowed", "posture-resharing-by-guests"])
    );
    let not_judged = list(&mut report["sources"][0]["rules_not_judged"].clone()).clone();
    for rule in [
        "posture-expiry-not-enforced",
        "posture-password-not-enforced",
        "reshared-by-other",
    ] {
        assert!(not_judged.contains(&json!(rule)), "{rule}: {not_judged:?}");
    }
}

#[test]
fn every_permission_is_told_once_at_its_root() {
    let stage = Stage::tenant();
    tells_what_was_given(&stage, &all(&stage));
}

/// More than fit into one request: what is asked together is told apart.
#[test]
fn many_permissions_and_many_sites_are_not_mixed_up() {
    let shared = |site: usize, path: String| json!({"site": format!("/sites/s{site:02}"), "path": path, "link": {"scope": "organization", "type": "view"}});
    // Two in each of many sites, and many in one of them.
    let spread = (0..90).map(|number| shared(number % 45, format!("/f{number:02}/a.txt")));
    let heap = (0..95).map(|number| shared(0, format!("/g{number:02}.txt")));
    let permissions: Vec<Value> = spread.chain(heap).collect();
    let sites: Vec<Value> = (0..45)
        .map(|site| {
            let path = format!("/sites/s{site:02}");
            let own = permissions.iter().filter(|permission| permission["site"] == path);
            let items: Vec<Value> = own.map(|permission| json!({"path": permission["path"]})).collect();
            json!({"path": path, "name": format!("Site {site:02}"), "drives": [{"name": "Documents", "items": items}]})
        })
        .collect();
    let mut world = tenant();
    for (key, value) in [
        ("users", json!([])),
        ("sites", json!(sites)),
        ("permissions", json!(permissions)),
    ] {
        world["microsoft365"][key] = value;
    }
    // Its group is of people who are not here.
    world["microsoft365"]["groups"] = json!([]);
    let stage = Stage::of(&world);
    let report = stage.report(&["--all-shares"]);
    tells_what_was_given(&stage, &report);
    for share in shares(&report) {
        let path = share["item"]["path"].as_str().unwrap();
        let number = path
            .strip_prefix("/f")
            .and_then(|rest| rest.get(..2)?.parse::<usize>().ok());
        let site = format!(
            "https://example.sharepoint.com/sites/s{:02}",
            number.unwrap_or(0) % 45
        );
        assert_eq!(share["owner"]["id"], site, "{path}");
    }
}

/// Every permission that was given is reported at the item it was given on, under its path, and nowhere else.
fn tells_what_was_given(stage: &Stage, report: &Value) {
    let part = |share: &Value, key: &str| share[key].as_str().unwrap().to_owned();
    let told: BTreeSet<(String, String)> = shares(report)
        .iter()
        .map(|share| (part(share, "id"), part(&share["item"], "path")))
        .collect();
    assert_eq!(told.len(), shares(report).len(), "none is told twice");
    let stored = stage.permissions();
    // What a folder granted when its child got permissions of its own was copied to the child.
    let is_copy = |permission: &Value| {
        let path = permission["path"].as_str().unwrap();
        stored.iter().any(|above| {
            let higher = above["path"].as_str().unwrap();
            let is_above = path != higher
                && path
                    .strip_prefix(higher)
                    .is_some_and(|rest| rest.starts_with('/'));
            is_above && above["drive"] == permission["drive"] && above["id"] == permission["id"]
        })
    };
    let given: BTreeSet<(String, String)> = stored
        .iter()
        .filter(|permission| permission["link"]["scope"] != "existingAccess")
        // How people of a site come in, and what is behind its links.
        .filter(|permission| permission["grant"]["site_group"].is_null())
        .filter(|permission| !is_copy(permission))
        .map(|permission| {
            let id = ["drive", "item", "id"].map(|key| part(permission, key)).join("/");
            (id, part(permission, "path"))
        })
        .collect();
    let missing: Vec<_> = given.difference(&told).collect();
    let invented: Vec<_> = told.difference(&given).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:#?}, invented {invented:#?}"
    );
}

#[test]
fn however_the_service_shows_it_the_same_is_reported() {
    let world = tenant();
    let told = |world: &Value| -> BTreeMap<String, Value> {
        let report = all(&Stage::of(world));
        shares(&report)
            .iter()
            .map(|share| (share["id"].as_str().unwrap().to_owned(), essence(share)))
            .collect()
    };
    let usual = told(&world);
    assert!(usual.len() > 20, "{}", usual.len());
    for (name, value) in [
        ("inherited_from", json!("absent")),
        ("inherited_from", json!("filled")),
        ("inherited_from", json!("links-only")),
        ("no_expiry", json!("null")),
        ("no_expiry", json!("zero")),
        ("low_privilege", json!(true)),
        ("share_ids", json!(false)),
        ("permissions_page", json!(2)),
        ("deprecated_twins", json!(false)),
        ("claims_as", json!("group")),
        ("claims_as", json!("user")),
        ("claims_as", json!("nothing")),
        ("shuffle", json!(false)),
        ("duplicates", json!(false)),
        ("empty_pages", json!(true)),
        ("settings_wrapped", json!(false)),
        ("personal_site_flag", json!(false)),
    ] {
        let mut world = switched(&world, name, value.clone());
        // Pages of two show what is said across pages.
        world["microsoft365"]["limits"] = json!({"delta_page": 2, "users_page": 3, "sites_page": 2});
        let other = told(&world);
        for (id, share) in &usual {
            assert_eq!(other.get(id), Some(share), "{name} = {value}");
        }
        assert_eq!(other.len(), usual.len(), "{name} = {value}");
    }
}

#[test]
fn an_inherited_link_whose_id_differs_from_item_to_item_is_told_once() {
    let world = switched(&tenant(), "link_ids_per_item", json!(true));
    let report = all(&Stage::of(&world));
    let on_the_folder = shares_on(&report, "/Projects");
    assert_eq!(on_the_folder.len(), 1);
    let on_the_file = shares_on(&report, "/Projects/plan.docx");
    assert_eq!(on_the_file.len(), 2, "{on_the_file:#?}");
}

#[test]
fn unknown_values_are_reported_as_not_recognized() {
    for (what, permission) in [
        ("scope", json!({"link": {"scope": "planet", "type": "view"}})),
        ("no scope", json!({"link": {"scope": "", "type": "view"}})),
        (
            "type",
            json!({"link": {"scope": "users", "type": "hologram", "people": [{"user": "bob@example.org"}]}}),
        ),
        (
            "claim",
            json!({"grant": {"claim": "x:9~.z|newprovider|somebody"}}),
        ),
        (
            "link of another form",
            json!({"link": {"scope": "users", "type": "view"}, "raw": {"link": 7}}),
        ),
        (
            "nobody",
            json!({"grant": {"user": "bob@example.org"}, "id": "odd-1", "raw": {"grantedToV2": 7, "grantedTo": []}}),
        ),
    ] {
        let mut world = tenant();
        let mut permission = permission;
        permission["owner"] = json!("bob@example.org");
        permission["path"] = json!("/Drafts/letter.docx");
        list(&mut world["microsoft365"]["permissions"]).push(permission);
        let report = all(&Stage::of(&world));
        let rules = fired(&report, "/Drafts/letter.docx");
        assert_eq!(
            rules.get("unrecognized-share"),
            Some(&"medium"),
            "{what}: {rules:?}"
        );
    }
}

#[test]
fn labels_classify_and_what_was_not_looked_at_is_not_determined() {
    let label = "3f6e5c1a-0000-4000-8000-000000000001";
    let mut world = tenant();
    for (path, key, value) in [
        ("/Labelled/by-id.docx", "sensitivity_label", label),
        ("/Labelled/retained.docx", "retention_label", "Confidential"),
        (
            "/Labelled/encrypted.docx",
            "sensitivity_label",
            "!fileDoubleKeyEncrypted",
        ),
        ("/Labelled/plain.docx", "retention_label", "Ten years"),
        ("/Labelled/image.png", "retention_label", "Ten years"),
    ] {
        let users = list(&mut world["microsoft365"]["users"]);
        let alice = users
            .iter_mut()
            .find(|user| user["upn"] == "alice@example.org")
            .unwrap();
        list(&mut alice["items"]).push(json!({"path": path, key: value}));
        list(&mut world["microsoft365"]["permissions"]).push(json!({
            "owner": "alice@example.org", "path": path,
            "link": {"scope": "anonymous", "type": "view", "password": "Long-Enough-42"}, "expires": "+20d"
        }));
    }
    let users = list(&mut world["microsoft365"]["users"]);
    let alice = users
        .iter_mut()
        .find(|user| user["upn"] == "alice@example.org")
        .unwrap();
    list(&mut alice["items"]).extend([
        json!({"path": "/Shelf/plain.docx"}),
        json!({"path": "/Shelf/Deep/er/labelled.docx", "sensitivity_label": label}),
        json!({"path": "/Archive/", "holds": 60}),
    ]);
    for path in ["/Shelf", "/Archive"] {
        list(&mut world["microsoft365"]["permissions"]).push(json!({
            "owner": "alice@example.org", "path": path, "link": {"scope": "organization", "type": "view"}
        }));
    }
    let stage = Stage::of(&world);
    let policy = format!(
        "[policy]\ninternal_domains = [\"example.org\"]\nlabel_names = {{ \"{label}\" = \"Secret\" }}\n\
         [[policy.classify]]\nlabel = \"secret\"\ntags = [\"secret\", \"confidential\"]\n"
    );
    stage.configure_tenant(&Tenancy {
        policy: &policy,
        ..Tenancy::default()
    });
    let report = all(&stage);
    for (path, classified) in [
        ("/Labelled/by-id.docx", json!(true)),
        ("/Labelled/retained.docx", json!(true)),
        ("/Labelled/encrypted.docx", json!(null)),
        ("/Labelled/plain.docx", json!(false)),
        ("/Labelled/image.png", json!(false)),
        // A small folder is looked into, a large one is not.
        ("/Projects", json!(false)),
        ("/Shelf", json!(true)),
        ("/Archive", json!(null)),
    ] {
        let share = shares_on(&report, path)[0];
        assert_eq!(share["item"]["classified"], classified, "{path}");
        let exposed = fired(&report, path).get("classified-item-exposed").copied();
        assert_eq!(
            exposed,
            (classified == json!(true)).then_some("critical"),
            "{path}"
        );
    }
}

#[test]
fn what_lies_beneath_a_shared_folder_is_told_by_the_delta_alone() {
    let mut world = tenant();
    let users = list(&mut world["microsoft365"]["users"]);
    let alice = users
        .iter_mut()
        .find(|user| user["upn"] == "alice@example.org")
        .unwrap();
    list(&mut alice["items"]).push(json!({"path": "/Open/Deep/HR/pay.xlsx"}));
    list(&mut alice["items"]).push(json!({"path": "/Open/readme.txt"}));
    list(&mut alice["items"]).push(json!({"path": "/Harmless/readme.txt"}));
    for path in ["/Open", "/Harmless"] {
        list(&mut world["microsoft365"]["permissions"]).push(json!({
            "owner": "alice@example.org", "path": path, "link": {"scope": "organization", "type": "view"}
        }));
    }
    let stage = Stage::of(&world);
    stage.configure_tenant(&Tenancy {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\n[[policy.classify]]\nlabel = \"hr\"\npaths = [\"**/HR/**\"]\n",
        ..Tenancy::default()
    });
    let report = all(&stage);
    let folder = |path: &str| &shares_on(&report, path)[0]["item"];
    assert_eq!(folder("/Open")["classified"], true);
    assert_eq!(folder("/Open")["files_beneath"], 2);
    assert_eq!(folder("/Harmless")["classified"], false);
    assert_eq!(folder("/Harmless")["files_beneath"], 1);
    let asked_labels = stage.requests().iter().any(|asked| asked.path.contains("Label"));
    assert!(!asked_labels, "no label classifies, so none is asked for");
}

#[test]
fn what_the_operator_states_is_judged_and_shown_as_stated() {
    let stage = Stage::tenant();
    stage.configure_tenant(&Tenancy {
        source: "license_count = 100000\n[source.stated]\nanonymous_link_expiry_days = 30\nanonymous_link_types = [\"view\"]",
        ..Tenancy::default()
    });
    let report = all(&stage);
    let source = &report["sources"][0];
    assert_eq!(
        source["stated"],
        json!({"anonymous_link_expiry_days": "30", "anonymous_link_types": "view"})
    );
    let not_judged = list(&mut source["rules_not_judged"].clone()).clone();
    assert!(!not_judged.contains(&json!("posture-expiry-not-enforced")));
}

#[test]
fn groups_are_as_wide_as_they_are_and_lists_as_open() {
    let stage = Stage::tenant();
    stage.configure_tenant(&Tenancy {
        policy: "[policy]\ninternal_domains = [\"example.org\"]\nwide_group_size = 2\n",
        ..Tenancy::default()
    });
    let report = all(&stage);
    let not_judged = list(&mut report["sources"][0]["rules_not_judged"].clone()).clone();
    for rule in ["wide-group-grant", "mailing-list-recipient"] {
        assert!(!not_judged.contains(&json!(rule)), "{rule}");
    }
    let rules = fired(&report, "/Team");
    assert!(rules.contains_key("wide-group-grant"), "{rules:?}");
}

#[test]
fn no_address_of_a_link_is_anywhere() {
    let stage = Stage::tenant();
    let addresses: Vec<String> = {
        let report = all(&stage);
        for share in shares(&report).iter().filter(|share| share["kind"] == "link") {
            let link = share["link"].as_str().unwrap();
            assert!(link.ends_with("sharepoint.com/••••"), "{link}");
        }
        vec![report.to_string()]
    };
    let ran = stage.run(&["-v", "-v", "-v", "scan", "--all-shares"]);
    let state = String::from_utf8_lossy(&std::fs::read(stage.path("state.db")).unwrap()).into_owned();
    for text in [&addresses[0], &ran.out, &ran.err, &state] {
        for part in [
            ":f:/",
            ":w:/",
            ":x:/",
            "u!aHR0c",
            "/s/E",
            "small-client-secret",
            "eyJ",
        ] {
            assert!(!text.contains(part), "{part}");
        }
    }
    assert_eq!(verdict(&stage.scan(&[]).json()), "incomplete");
    assert!(!problems(&stage.scan(&[]).json()).is_empty());
}
