//! What ends a finding, what leaves it not checked, and what does neither: a test for each clause that no other shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{Config, NOW, POLICY, Stage, finding, findings, small, tenant};

const SECOND: &str = "2026-11-23T12:00:00Z";
const THIRD: &str = "2026-11-24T12:00:00Z";
const FOURTH: &str = "2026-11-25T12:00:00Z";

fn scan(stage: &Stage, now: &str, arguments: &[&str], code: i32) -> Value {
    let scan = ["scan", "--format", "json"];
    stage.run_at(now, &[&scan, arguments].concat()).ended(code).json()
}

/// Where the findings on a share stand, by rule.
fn standing<'r>(report: &'r Value, share: &str) -> BTreeMap<&'r str, &'r str> {
    findings(report)
        .iter()
        .filter(|finding| finding["share"]["id"] == share)
        .map(|finding| {
            (
                finding["rule"].as_str().unwrap(),
                finding["status"].as_str().unwrap(),
            )
        })
        .collect()
}

/// Where the findings on what somebody owns stand.
fn of_owner<'r>(report: &'r Value, owner: &str) -> BTreeSet<&'r str> {
    findings(report)
        .iter()
        .filter(|finding| finding["share"]["owner"]["id"] == owner)
        .map(|finding| finding["status"].as_str().unwrap())
        .collect()
}

/// The findings with a status, by rule and share.
fn with_status<'r>(report: &'r Value, status: &str) -> BTreeSet<(&'r str, &'r str)> {
    findings(report)
        .iter()
        .filter(|finding| finding["status"] == status)
        .map(|finding| {
            let share = finding["share"]["id"].as_str().unwrap_or_default();
            (finding["rule"].as_str().unwrap(), share)
        })
        .collect()
}

/// The first date of each finding that stands.
fn first_dates(report: &Value) -> BTreeMap<String, Value> {
    findings(report)
        .iter()
        .filter(|finding| ["new", "open", "waived"].contains(&finding["status"].as_str().unwrap()))
        .map(|finding| (finding["id"].to_string(), finding["first_seen"].clone()))
        .collect()
}

fn unreadable(account: &str) -> Value {
    json!({"match": {"path_contains": "api/v1/shares", "account": account}, "action": {"do": "status", "status": 500}})
}

fn policy(more: &str) -> Config<'static> {
    Config {
        policy: Box::leak(format!("{POLICY}\n{more}\n").into_boxed_str()),
        ..Config::default()
    }
}

#[test]
fn a_reshare_is_gone_only_if_whoever_shared_it_was_read_too() {
    let stage = Stage::small();
    let first = scan(&stage, NOW, &[], 0);
    // Bob shared it, of what alice owns.
    assert!(!standing(&first, "5").is_empty());
    stage.change(&json!({"do": "remove", "share": 5}));
    for (unread, code, status) in [("bob", 3, "not-checked"), ("frank", 3, "resolved")] {
        stage.fault(&unreadable(unread));
        let report = scan(&stage, SECOND, &[], code);
        let statuses: BTreeSet<_> = standing(&report, "5").into_values().collect();
        assert_eq!(statuses, BTreeSet::from([status]), "{unread} was not read");
        stage.no_faults();
    }
}

#[test]
fn a_file_that_was_transferred_keeps_its_findings() {
    for (from, to) in [("alice", "bob"), ("bob", "alice")] {
        let mut world = small();
        let home = json!([{"path": "/Papers/plan.md", "size": 7}]);
        for account in world["nextcloud"]["accounts"].as_array_mut().unwrap() {
            if account["id"] == from {
                account["files"] = home.clone();
            } else {
                account["files"] = json!([]);
            }
        }
        world["nextcloud"]["shares"] = json!([
            {"id": 1, "type": "link", "owner": from, "path": "/Papers"},
            {"id": 2, "type": "user", "owner": from, "path": "/Papers/plan.md", "recipient": "gina"},
        ]);
        let stage = Stage::of(&world);
        let first = scan(&stage, NOW, &[], 0);
        stage.change(&json!({"do": "transfer", "owner": from, "file": "/Papers", "set": {"owner": to}}));
        let ran = stage.run_at(SECOND, &["scan", "--format", "ndjson"]);
        let events: Vec<Value> = ran
            .ended(0)
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let second = stage
            .run_at(SECOND, &["report", "--format", "json"])
            .ended(0)
            .json();
        assert_eq!(first_dates(&first), first_dates(&second), "{from} to {to}");
        for share in ["1", "2"] {
            let told: Vec<&str> = events
                .iter()
                .filter(|event| event["share"] == share)
                .map(|event| event["event"].as_str().unwrap())
                .collect();
            let (last, rest) = told.split_last().unwrap();
            assert_eq!(*last, "share_changed");
            assert!(
                !rest.is_empty() && rest.iter().all(|event| *event == "still_open"),
                "{rest:?}"
            );
            let changed = events
                .iter()
                .find(|event| event["event"] == "share_changed" && event["share"] == share)
                .unwrap();
            assert_eq!(
                (&changed["owner"], &changed["was_owner"]),
                (&json!(to), &json!(from))
            );
            assert_eq!(changed["changed"], "path; owner; shared_by");
            assert!(
                changed["path"].as_str().unwrap().starts_with("/Transferred from"),
                "{changed}"
            );
            assert!(
                changed["was_path"].as_str().unwrap().starts_with("/Papers"),
                "{changed}"
            );
        }
        let third = scan(&stage, THIRD, &[], 0);
        assert_eq!(first_dates(&first), first_dates(&third));
        // The one who had it is deleted: it is another's.
        stage.change(&json!({"do": "remove", "account": from}));
        let fourth = scan(&stage, FOURTH, &[], 0);
        assert_eq!(first_dates(&first), first_dates(&fourth));
    }
}

#[test]
fn dates_tell_when_it_was_seen_and_when_it_was_looked_for() {
    let stage = Stage::small();
    let dates = |report: &Value, rule: &str| {
        let found = finding(report, rule, "1").unwrap();
        ["first_seen", "last_seen", "checked_at"].map(|field| found[field].as_str().unwrap().to_owned())
    };
    let rule = "link-without-password";
    assert_eq!(dates(&scan(&stage, NOW, &[], 0), rule), [NOW, NOW, NOW]);
    assert_eq!(dates(&scan(&stage, SECOND, &[], 0), rule), [NOW, SECOND, SECOND]);
    stage.fault(&unreadable("alice"));
    let unread = scan(&stage, THIRD, &[], 3);
    assert_eq!(dates(&unread, rule), [NOW, SECOND, SECOND]);
    stage.no_faults();
    stage.change(&json!({"do": "update", "share": 1, "set": {"password": "Now-There-Is-One-7"}}));
    let read = scan(&stage, FOURTH, &[], 0);
    assert_eq!(dates(&read, rule), [NOW, SECOND, FOURTH]);
    assert_eq!(dates(&read, "link-without-expiry"), [NOW, FOURTH, FOURTH]);
    // What a run knew is no matter of what later ones learned.
    let run = unread["run"]["id"].as_str().unwrap();
    let again = stage
        .run_at(FOURTH, &["report", "--run", run, "--format", "json"])
        .ended(3)
        .json();
    assert_eq!(again, unread);
}

#[test]
fn a_rule_without_its_input_leaves_its_findings_not_checked() {
    let stage = Stage::small();
    scan(&stage, NOW, &[], 0);
    let (rule, other) = ("link-without-expiry", "link-without-password");
    let told =
        |expiration: Value| json!({"do": "update", "share": 1, "set": {"raw": {"expiration": expiration}}});
    stage.change(&told(json!("some day")));
    let second = scan(&stage, SECOND, &[], 0);
    let of_1 = standing(&second, "1");
    assert_eq!((of_1[rule], of_1[other]), ("not-checked", "open"));
    assert!(
        second["sources"][0]["rules_not_judged"]
            .to_string()
            .contains(rule)
    );
    stage.change(&told(json!("2026-12-01 00:00:00")));
    assert_eq!(standing(&scan(&stage, THIRD, &[], 0), "1")[rule], "resolved");
    stage.change(&told(Value::Null));
    let fourth = scan(&stage, FOURTH, &[], 0);
    assert_eq!(finding(&fourth, rule, "1").unwrap()["first_seen"], NOW);
}

#[test]
fn what_the_policy_ends_is_closed_by_it_and_what_the_share_ends_is_resolved() {
    let too_far = ("link-expiry-too-far", "5");
    let endless = ("link-without-expiry", "1");
    let override_of = |body: &str| format!("[[policy.override]]\nsource = \"cloud\"\n{body}");
    let accepted = "[policy]\nmax_expiry = \"500d\"\ninternal_domains = [\"example.org\"]\n\
                    partner_domains = [\"partner.example.net\"]\ninternal_servers = [\"cloud2.example.org\"]\n\
                    mailing_lists = [\"*-all@example.org\", \"staff@example.org\"]\nwide_groups = [\"students\", \"all-*\"]\n\
                    [[policy.classify]]\nlabel = \"confidential\"\npaths = [\"**/HR/**\", \"**/*.kdbx\"]\ntags = [\"confidential\"]\n";
    for (what, changed, closed) in [
        (
            "a rule",
            policy("[policy.levels]\nlink-without-expiry = \"off\""),
            endless,
        ),
        (
            "an override",
            policy(&override_of(
                "owner = \"alice\"\nrule = \"link-without-expiry\"\nlevel = \"off\"",
            )),
            endless,
        ),
        (
            "another threshold",
            policy(&override_of("max_expiry = \"500d\"")),
            too_far,
        ),
        (
            "the threshold",
            Config {
                policy: accepted,
                ..Config::default()
            },
            too_far,
        ),
    ] {
        let stage = Stage::small();
        let first = scan(&stage, NOW, &[], 0);
        assert!(with_status(&first, "new").is_superset(&BTreeSet::from([too_far, endless])));
        stage.configure(&changed);
        // In the same night one share itself is put right.
        stage.change(&json!({"do": "update", "share": 7, "set": {"password": "Now-There-Is-One-7"}}));
        // A scan of somebody else under the new policy has nothing to do with it.
        scan(&stage, SECOND, &["--user", "frank"], 0);
        let second = scan(&stage, SECOND, &[], 0);
        assert!(
            with_status(&second, "closed-by-policy").contains(&closed),
            "{what}"
        );
        let resolved = with_status(&second, "resolved");
        assert!(
            resolved.contains(&("link-without-password", "7")),
            "{what}: {resolved:?}"
        );
        assert!(!resolved.contains(&closed), "{what}");
        assert!(
            finding(&scan(&stage, THIRD, &[], 0), closed.0, closed.1).is_none(),
            "told once: {what}"
        );
        stage.configure(&Config::default());
        let back = scan(&stage, FOURTH, &[], 0);
        let again = finding(&back, closed.0, closed.1).unwrap();
        assert_eq!(
            (&again["status"], &again["first_seen"]),
            (&json!("open"), &json!(NOW)),
            "{what}"
        );
    }
}

#[test]
fn a_setting_that_was_changed_is_resolved_and_one_that_is_accepted_is_closed_by_policy() {
    let rule = "posture-password-not-enforced";
    let status = |report: &Value| {
        let mut found = findings(report).iter().filter(|finding| finding["rule"] == rule);
        found
            .next()
            .map(|finding| finding["status"].as_str().unwrap().to_owned())
    };
    let enforced = |enforced: bool| json!({"do": "update", "settings": {"password_enforced": enforced}});
    let stage = Stage::small();
    assert_eq!(status(&scan(&stage, NOW, &[], 0)).as_deref(), Some("new"));
    stage.change(&enforced(true));
    assert_eq!(status(&scan(&stage, SECOND, &[], 0)).as_deref(), Some("resolved"));
    stage.change(&enforced(false));
    assert_eq!(status(&scan(&stage, THIRD, &[], 0)).as_deref(), Some("open"));
    stage.configure(&policy(&format!(
        "[[policy.override]]\nrule = \"{rule}\"\nlevel = \"off\""
    )));
    assert_eq!(
        status(&scan(&stage, FOURTH, &[], 0)).as_deref(),
        Some("closed-by-policy")
    );
}

#[test]
fn what_could_not_be_read_when_the_policy_changed_is_closed_by_it_later() {
    for (changed, status) in [
        // Off is off, whether the share is read or not.
        (
            "[policy.levels]\nlink-without-expiry = \"off\"",
            "closed-by-policy",
        ),
        (
            "[[policy.override]]\nsource = \"cloud\"\nrule = \"link-without-expiry\"\nlevel = \"off\"",
            "not-checked",
        ),
    ] {
        let stage = Stage::small();
        scan(&stage, NOW, &[], 0);
        stage.configure(&policy(changed));
        stage.fault(&unreadable("alice"));
        let second = scan(&stage, SECOND, &[], 3);
        assert_eq!(standing(&second, "1")["link-without-expiry"], status);
        stage.no_faults();
        let third = scan(&stage, THIRD, &[], 0);
        assert!(!with_status(&third, "resolved").contains(&("link-without-expiry", "1")));
        let closed = with_status(&third, "closed-by-policy").contains(&("link-without-expiry", "1"));
        assert_eq!(closed, status == "not-checked", "closed once");
    }
}

#[test]
fn an_account_that_is_left_out_is_closed_by_policy_and_open_when_it_is_taken_back() {
    for exclude in ["users = [\"alice\"]", "groups = [\"staff\"]"] {
        let stage = Stage::small();
        let first = scan(&stage, NOW, &[], 0);
        stage.configure(&Config {
            source: &format!("exclude = {{ {exclude} }}"),
            ..Config::default()
        });
        // Nobody looks, so that nobody knows that it was put right.
        stage.change(&json!({"do": "remove", "share": 9}));
        let second = scan(&stage, SECOND, &[], 0);
        let of_alice: BTreeSet<_> = ["1", "2", "3", "9"]
            .iter()
            .flat_map(|share| standing(&second, share).into_values())
            .collect();
        assert_eq!(of_alice, BTreeSet::from(["closed-by-policy"]), "{exclude}");
        assert!(with_status(&second, "resolved").is_empty(), "{exclude}");
        let accounts = &second["sources"][0]["accounts"];
        assert!(
            accounts["skipped"].as_u64() >= Some(2),
            "erin is disabled, and alice left out: {accounts}"
        );
        assert_eq!(accounts["failed"], 0);
        let third = scan(&stage, THIRD, &[], 0);
        assert!(standing(&third, "1").is_empty(), "told once");
        stage.configure(&Config::default());
        let back = scan(&stage, FOURTH, &[], 0);
        // All that is there still, and with its first date.
        let mut expected = first_dates(&first);
        for gone in findings(&first).iter().filter(|each| each["share"]["id"] == "9") {
            expected.remove(&gone["id"].to_string());
        }
        assert_eq!(first_dates(&back), expected, "{exclude}");
    }
}

#[test]
fn drives_that_are_left_out_are_closed_by_policy_and_open_when_they_are_taken_back() {
    let mut world = tenant();
    let of =
        |world: &mut Value, what: &str| std::mem::take(world["microsoft365"][what].as_array_mut().unwrap());
    let mut sites = of(&mut world, "sites");
    sites.retain(|site| site["locked"] != true && site["refused"] != true);
    let mut users = of(&mut world, "users");
    users.retain(|user| user["drive"] != "locked");
    (world["microsoft365"]["sites"], world["microsoft365"]["users"]) = (json!(sites), json!(users));
    let exams = "https://example.sharepoint.com/sites/exams";
    let alice = "alice@example.org";
    for (source, out, stays) in [
        ("exclude = { sites = [\"*/sites/exams\"] }", exams, alice),
        ("exclude = { users = [\"alice@*\"] }", alice, exams),
        ("exclude = { groups = [\"Exams office\"] }", alice, exams),
        ("include = [\"onedrive\"]", exams, alice),
        ("include = [\"sites\"]", alice, exams),
    ] {
        let stage = Stage::of(&world);
        let configure = |source: &str| {
            stage.configure_tenant(&Config {
                source,
                ..Config::default()
            });
        };
        let first = scan(&stage, NOW, &[], 0);
        assert_eq!(of_owner(&first, out), BTreeSet::from(["new"]));
        configure(source);
        let second = scan(&stage, SECOND, &[], 0);
        assert_eq!(
            of_owner(&second, out),
            BTreeSet::from(["closed-by-policy"]),
            "{source}"
        );
        assert_eq!(of_owner(&second, stays), BTreeSet::from(["open"]), "{source}");
        assert_eq!(second["sources"][0]["accounts"]["gone"], 0, "{source}");
        let third = scan(&stage, THIRD, &[], 0);
        assert!(of_owner(&third, out).is_empty(), "told once: {source}");
        configure("");
        assert_eq!(
            first_dates(&scan(&stage, FOURTH, &[], 0)),
            first_dates(&first),
            "{source}"
        );
    }
}
