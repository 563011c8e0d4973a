//! Which drives are found and read, and what is said of those that are not.

use serde_json::{Value, json};

use super::{shares, shares_on};
use crate::harness::{NOW, Stage, Tenancy, list, problems, tenant, verdict};

fn without_closed_places() -> Value {
    let mut world = tenant();
    list(&mut world["microsoft365"]["sites"])
        .retain(|site| site["locked"] != true && site["archived"] != true && site["refused"] != true);
    list(&mut world["microsoft365"]["users"]).retain(|user| user["drive"] != "locked");
    world
}

fn codes(report: &Value) -> Vec<&str> {
    problems(report).into_iter().map(|(_, code)| code).collect()
}

#[test]
fn people_without_a_drive_are_no_error_and_those_who_left_have_theirs_read() {
    let report = Stage::of(&without_closed_places()).report(&["--all-shares"]);
    assert_eq!(verdict(&report), "complete");
    assert_eq!(shares_on(&report, "/Handover/contacts.xlsx").len(), 1);
    let owner = &shares_on(&report, "/Handover/contacts.xlsx")[0]["owner"];
    assert_eq!(
        (&owner["id"], &owner["active"]),
        (&json!("carol@example.org"), &json!(false))
    );
    assert_eq!(report["sources"][0]["accounts"]["failed"], 0);
}

#[test]
fn closed_places_are_named_and_a_gap_accepts_them() {
    let stage = Stage::tenant();
    let report = stage.scan(&[]).ended(3).json();
    let mut closed: Vec<(&str, &str)> = problems(&report)
        .into_iter()
        .filter(|(_, code)| matches!(*code, "locked" | "forbidden"))
        .collect();
    closed.sort_unstable();
    let told = report["sources"][0]["problems"].as_array().unwrap().iter();
    let without_remedy = told
        .filter(|problem| problem["code"] == "locked" || problem["code"] == "forbidden")
        .find(|problem| !problem["message"].as_str().unwrap().contains("[[gap]]"));
    assert_eq!(without_remedy, None);
    assert_eq!(
        closed,
        [
            (
                "https://example-my.sharepoint.com/personal/harald_example_org",
                "locked"
            ),
            ("https://example.sharepoint.com/sites/board", "forbidden"),
            ("https://example.sharepoint.com/sites/vault", "locked"),
        ]
    );
    let gap = |scope: &str, code: &str| {
        format!(
            "[[gap]]\nsource = \"m365\"\nscope = \"{scope}\"\ncode = \"{code}\"\nreason = \"known\"\napproved_by = \"head of IT\"\n\
             until = 2027-03-31\n"
        )
    };
    stage.configure_tenant(&Tenancy {
        more: &[
            gap("*/sites/vault", "locked"),
            gap("*/personal/harald*", "locked"),
            gap("*/sites/board", "forbidden"),
        ]
        .concat(),
        ..Tenancy::default()
    });
    assert_eq!(verdict(&stage.report(&[])), "limited");
}

#[test]
fn include_chooses_and_what_is_left_out_is_no_gap() {
    for (include, paths, absent) in [
        ("[\"onedrive\"]", "/Projects", "/Winter"),
        ("[\"sites\"]", "/Winter", "/Projects"),
    ] {
        let stage = Stage::of(&without_closed_places());
        stage.configure_tenant(&Tenancy {
            source: &format!("include = {include}"),
            ..Tenancy::default()
        });
        let report = stage.report(&["--all-shares"]);
        assert_eq!(verdict(&report), "complete", "{include}");
        assert!(
            !shares_on(&report, paths).is_empty() && shares_on(&report, absent).is_empty(),
            "{include}"
        );
    }
}

#[test]
fn exclusions_are_counted() {
    let stage = Stage::of(&without_closed_places());
    stage.configure_tenant(&Tenancy {
        source: "exclude = { users = [\"BOB@*\"], groups = [\"exams office\"], sites = [\"*/sites/exams*\"] }",
        ..Tenancy::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "limited");
    assert!(codes(&report).contains(&"excluded"));
    assert!(
        report["sources"][0]["accounts"]["skipped"].as_u64().unwrap() >= 3,
        "{report}"
    );
    assert!(shares_on(&report, "/Drafts").is_empty() && shares_on(&report, "/Winter").is_empty());
}

#[test]
fn one_persons_scan_reads_that_drive_only_and_says_so() {
    let stage = Stage::tenant();
    for user in ["alice@example.org", "ALICE@example.org"] {
        stage.forget_requests();
        let report = stage.report(&["--user", user, "--all-shares"]);
        assert_eq!(verdict(&report), "limited");
        assert!(
            problems(&report).contains(&(user, "drive-only")),
            "{:?}",
            problems(&report)
        );
        assert!(
            shares(&report)
                .iter()
                .all(|share| share["owner"]["id"] == "alice@example.org")
        );
        assert_eq!(report["sources"][0]["accounts"]["scanned"], 1);
        let drives: Vec<String> = stage
            .requests()
            .into_iter()
            .filter(|asked| asked.path.contains("/delta"))
            .map(|asked| asked.path)
            .collect();
        assert_eq!(drives.len(), 1, "{drives:?}");
        assert!(
            !stage
                .requests()
                .iter()
                .any(|asked| asked.path.contains("getAllSites"))
        );
    }
    let guest = stage.report(&["--user", "gina@partner.example.net"]);
    assert!(
        codes(&guest).contains(&"no-drive"),
        "found by mail address: {:?}",
        problems(&guest)
    );
    let nobody = stage.scan(&["--user", "nobody@example.org"]).ended(3).json();
    assert!(codes(&nobody).contains(&"user-not-found"));
}

#[test]
fn fewer_rights_see_less_and_say_what_is_lost() {
    for (roles, lost, code) in [
        (
            json!([
                "Sites.FullControl.All",
                "GroupMember.Read.All",
                "SharePointTenantSettings.Read.All"
            ]),
            "people-unreadable",
            0,
        ),
        (
            json!(["User.Read.All", "Sites.FullControl.All", "GroupMember.Read.All"]),
            "settings-unreadable",
            0,
        ),
        (
            json!([
                "User.Read.All",
                "Sites.FullControl.All",
                "SharePointTenantSettings.Read.All"
            ]),
            "people-unreadable",
            0,
        ),
        (
            json!([
                "User.Read.All",
                "Files.Read.All",
                "GroupMember.Read.All",
                "SharePointTenantSettings.Read.All"
            ]),
            "forbidden",
            3,
        ),
    ] {
        let mut world = without_closed_places();
        world["microsoft365"]["app"]["roles"] = roles.clone();
        let report = Stage::of(&world).scan(&["--all-shares"]).ended(code).json();
        assert!(codes(&report).contains(&lost), "{roles}: {:?}", problems(&report));
        assert!(
            !shares_on(&report, "/Projects").is_empty(),
            "{roles}: what can be read is read"
        );
    }
}

#[test]
fn what_vanished_is_resolved_and_what_was_not_read_is_not() {
    let stage = Stage::of(&without_closed_places());
    stage.run(&["scan"]).ended(0);
    let status = |report: &Value, path: &str| -> Vec<String> {
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["share"]["item"]["path"] == path)
            .map(|finding| finding["status"].as_str().unwrap().to_owned())
            .collect()
    };
    stage.change(&json!({
        "service": "graph", "do": "remove", "owner": "alice@example.org", "path": "/Projects",
        "permission": "11111111-0000-4000-8000-000000000001"
    }));
    // A drive that cannot be read resolves nothing.
    stage.fault(&json!({
        "match": {"service": "graph", "path_contains": "/delta"}, "times": 1,
        "action": {"do": "status", "status": 403, "body": "{\"error\":{\"code\":\"accessDenied\",\"message\":\"no\"}}"}
    }));
    let report = stage.run_at(NOW, &["scan", "--format", "json"]).ended(3).json();
    let resolved = status(&report, "/Projects");
    let unread = report["sources"][0]["accounts"]["failed"].as_u64().unwrap();
    assert_eq!(unread, 1);
    stage.no_faults();
    let report = stage.run_at(NOW, &["scan", "--format", "json"]).ended(0).json();
    let after = status(&report, "/Projects");
    assert!(
        resolved.iter().all(|status| status == "resolved") && after.is_empty()
            || after.iter().all(|status| status == "resolved"),
        "{resolved:?} {after:?}"
    );
    let not_checked = report["totals"]["by_status"]["not-checked"]
        .as_u64()
        .unwrap_or_default();
    assert_eq!(not_checked, 0, "{}", report["totals"]);
}

#[test]
fn who_answers_for_a_library_is_its_groups_owners_or_as_configured() {
    let stage = Stage::of(&without_closed_places());
    let answered = |report: &Value| shares_on(report, "/Winter")[0]["owner"].clone();
    let owner = answered(&stage.report(&["--all-shares"]));
    assert_eq!(
        (&owner["kind"], &owner["id"]),
        (
            &json!("site"),
            &json!("https://example.sharepoint.com/sites/exams")
        )
    );
    assert!(!owner["answered_by"].as_array().unwrap().is_empty(), "{owner}");
    stage.configure_tenant(&Tenancy {
        more: "[mail]\nallowed_domains = [\"example.org\"]\n[[mail.owner]]\nsource = \"m365\"\nsite = \"*/sites/exams\"\naddress = \"exams-office@example.org\"\n",
        ..Tenancy::default()
    });
    let owner = answered(&stage.report(&["--all-shares"]));
    assert_eq!(owner["answered_by"], json!(["exams-office@example.org"]));
}
