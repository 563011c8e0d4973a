//! The fence at the proxy, as `docs/permissions.md` prints it: it lets pass what is asked, and nothing else.
//!
//! nginx itself is no part of these tests; its map is read here as nginx reads it: the first expression that matches.

use percent_encoding::percent_decode_str;
use regex::Regex;

use crate::harness::{Config, Stage, demo};

const DOCUMENT: &str = include_str!("../../docs/permissions.md");

/// The expressions of the printed map, and whether each refuses.
fn fence() -> Vec<(Regex, bool)> {
    let map = DOCUMENT.split("$appapi_refused {\n").nth(1).unwrap();
    let map = map.split("\n}").next().unwrap();
    let rules = expressions(map);
    assert!(rules.len() > 5 && map.contains("default 1;"));
    rules
}

/// The further expressions for a registration that changes shares.
fn fence_for_changes() -> Vec<(Regex, bool)> {
    let chapter = DOCUMENT
        .split("### A registration of its own for changes")
        .nth(1)
        .unwrap();
    let lines = chapter
        .split("```nginx\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    expressions(lines)
}

fn expressions(lines: &str) -> Vec<(Regex, bool)> {
    let lines = lines.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("\"~"))
        .map(|line| {
            let (expression, decision) = line.split_once("\" ").unwrap();
            (Regex::new(expression).unwrap(), decision == "1;")
        })
        .collect()
}

fn refuses(rules: &[(Regex, bool)], key: &str) -> bool {
    let first = rules.iter().find(|(expression, _)| expression.is_match(key));
    first.is_none_or(|(_, refuses)| *refuses)
}

#[test]
fn whatever_a_scan_and_an_examination_ask_passes() {
    let stage = Stage::of(&demo());
    stage.report(&["--full", "--all-shares"]);
    stage.report(&["--user", "admin"]);
    stage.configure(&Config {
        policy: &crate::harness::POLICY.replacen("[policy]", "[policy]\nevidence = true", 1),
        ..Config::default()
    });
    stage.report(&[]);
    stage.run(&["doctor"]);
    let rules = fence();
    let asked = stage.requests();
    assert!(asked.len() > 50);
    for asked in asked {
        let path = asked.path.split('?').next().unwrap();
        let path = percent_decode_str(path).decode_utf8().unwrap();
        let appapi = if path == "/status.php" { "no" } else { "yes" };
        let key = format!("{appapi}|auditor|{}|sharewarden|{path}", asked.method);
        assert!(!refuses(&rules, &key), "{key}");
    }
}

#[test]
fn whatever_changes_ask_passes_with_the_lines_for_them() {
    let stage = Stage::of(&demo());
    let enforce = "[enforce]\nmax_changes = 500\nmax_changes_percent = 100\n\
                   [[enforce.rule]]\nrule = \"link-without-expiry\"\naction = \"set-expiry\"\nafter = \"30d\"\n\
                   [[enforce.rule]]\nrule = \"classified-item-exposed\"\naction = \"revoke\"\ncollateral = true\n";
    stage.configure(&Config {
        more: enforce,
        source: "enforce = true",
        ..Config::default()
    });
    stage.run(&["scan"]).ended(0);
    stage.run(&["plan", "--out", "plan.json"]).ended(0);
    stage.forget_requests();
    let applied = stage.run(&["apply", "plan.json", "--yes", "--format", "json"]);
    let run = applied.ended(0).json()["run"].as_str().unwrap().to_owned();
    stage.run(&["undo", &run, "--yes"]);
    let (rules, more) = (fence(), fence_for_changes());
    let asked = stage.requests();
    for method in ["GET", "PUT", "DELETE", "POST", "SEARCH"] {
        assert!(asked.iter().any(|asked| asked.method == method), "{method}");
    }
    for asked in asked {
        let path = asked.path.split('?').next().unwrap();
        let key = format!("yes|auditor|{}|sharewarden_enforce|{path}", asked.method);
        assert!(refuses(&rules, &key), "{key}");
        assert!(!refuses(&more, &key), "{key}");
    }
    for key in [
        "yes|auditor|PUT|sharewarden|/ocs/v2.php/apps/files_sharing/api/v1/shares/1",
        "yes|stranger|PUT|sharewarden_enforce|/ocs/v2.php/apps/files_sharing/api/v1/shares/1",
        "yes|auditor|GET|sharewarden_enforce|/remote.php/dav/files/alice/HR/salaries.xlsx",
        "yes|auditor|DELETE|sharewarden_enforce|/remote.php/dav/files/alice/HR",
        "yes|auditor|PUT|sharewarden_enforce|/ocs/v2.php/cloud/users/alice",
        "yes|auditor|GET|sharewarden_enforce|/ocs/v2.php/cloud/users/details",
    ] {
        assert!(refuses(&more, key), "{key}");
    }
}

#[test]
fn nothing_else_passes() {
    let rules = fence();
    for key in [
        // Files, changes, other interfaces.
        "yes|auditor|GET|sharewarden|/remote.php/dav/files/alice/HR/salaries.xlsx",
        "yes|auditor|PUT|sharewarden|/remote.php/dav/files/alice/new.txt",
        "yes|auditor|GET|sharewarden|/remote.php/webdav/HR/salaries.xlsx",
        "yes|auditor|DELETE|sharewarden|/ocs/v2.php/apps/files_sharing/api/v1/shares/1",
        "yes|auditor|POST|sharewarden|/ocs/v2.php/apps/files_sharing/api/v1/shares",
        "yes|auditor|PUT|sharewarden|/ocs/v2.php/cloud/users/alice",
        "yes|auditor|GET|sharewarden|/ocs/v2.php/apps/provisioning_api/api/v1/config/apps/core",
        "yes|auditor|GET|sharewarden|/ocs/v2.php/cloud/users/alice/groups",
        "yes|auditor|GET|sharewarden|/index.php/apps/files/",
        "yes|auditor|MOVE|sharewarden|/remote.php/dav/files/alice/a",
        // From elsewhere, and in another's name.
        "yes|stranger|GET|sharewarden|/ocs/v2.php/cloud/user",
        "yes|stranger|GET||/ocs/v2.php/cloud/user",
        "yes|app|GET|sharewarden|/ocs/v2.php/cloud/user",
        "yes|stranger|GET|other|/ocs/v2.php/cloud/user",
        "yes|auditor|GET|other|/ocs/v2.php/cloud/user",
        // What a sender can choose is in the last two places only.
        "yes|stranger|GET|sharewarden|/ocs/v2.php/cloud/user|sharewarden|/ocs/v2.php/cloud/user",
        "yes|stranger|GET|no|/x",
        "yes|stranger|GET|app||/x",
        "",
    ] {
        assert!(refuses(&rules, key), "{key}");
    }
    for key in [
        "no|stranger|GET||/index.php/login",
        "yes|app|PUT|other_app|/ocs/v2.php/anything",
    ] {
        assert!(!refuses(&rules, key), "{key}");
    }
}

/// What Apache's block lets pass from the auditor's address.
fn apache_lets_pass(method: &str, path: &str) -> bool {
    let condition = DOCUMENT
        .split("<If \"")
        .nth(1)
        .unwrap()
        .split("\">")
        .next()
        .unwrap();
    assert!(
        condition
            .starts_with("-n %{HTTP:AUTHORIZATION-APP-API} && ! ( %{HTTP:EX-APP-ID} == 'sharewarden' && -R ")
    );
    let expressions: Vec<Regex> = condition
        .split("m#")
        .skip(1)
        .map(|rest| Regex::new(rest.split('#').next().unwrap()).unwrap())
        .collect();
    let [lists, nodes] = expressions.as_slice() else {
        panic!("{condition}")
    };
    assert!(condition.contains("%{REQUEST_METHOD} =~ /^(PROPFIND|REPORT)$/ &&"));
    match method {
        "GET" => lists.is_match(path),
        "PROPFIND" | "REPORT" => nodes.is_match(path),
        "SEARCH" => condition.contains(&format!("'SEARCH' && %{{REQUEST_URI}} == '{path}'")),
        _ => false,
    }
}

#[test]
fn both_fences_are_alike() {
    let rules = fence();
    let paths = [
        "/ocs/v2.php/cloud/user",
        "/ocs/v2.php/cloud/users/details",
        "/ocs/v2.php/cloud/users/alice/groups",
        "/ocs/v2.php/cloud/capabilities",
        "/ocs/v2.php/apps/app_api/ex-app/state",
        "/ocs/v2.php/apps/app_api/api/v1/users",
        "/ocs/v2.php/apps/files_sharing/api/v1/shares",
        "/ocs/v2.php/apps/files_sharing/api/v1/shares/1",
        "/ocs/v2.php/apps/serverinfo/api/v1/info",
        "/ocs/v2.php/apps/provisioning_api/api/v1/config/apps/files_sharing/hide_disabled_user_shares",
        "/ocs/v2.php/apps/provisioning_api/api/v1/config/apps/core",
        "/remote.php/dav/",
        "/remote.php/dav/files/alice/HR",
        "/remote.php/dav/systemtags/",
        "/remote.php/dav/calendars/alice/",
        "/index.php/apps/files/",
    ];
    for method in ["GET", "PUT", "DELETE", "PROPFIND", "REPORT", "SEARCH", "MOVE"] {
        for path in paths {
            let key = format!("yes|auditor|{method}|sharewarden|{path}");
            assert_eq!(
                apache_lets_pass(method, path),
                !refuses(&rules, &key),
                "{method} {path}"
            );
        }
    }
}
