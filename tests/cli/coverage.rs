//! What a scan could read, what not and why, and that nothing is lost in between.

use serde_json::{Value, json};

use crate::harness::{
    Asked, Config, Stage, account, add_shares, demo_report, finding, findings, list, problems, rules_of,
    share, small, verdict,
};

fn accounts(found: u64, scanned: u64, skipped: u64, failed: u64, gone: u64) -> Value {
    json!({"found": found, "scanned": scanned, "skipped": skipped, "failed": failed, "gone": gone})
}

/// A good answer with this data.
fn answer(data: &Value) -> Value {
    let body = json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}});
    json!({"do": "status", "status": 200, "headers": {"Content-Type": "application/json"}, "body": body.to_string()})
}

/// Adds a link of alice's whose fields are shown as told.
fn odd_link(world: &mut Value, id: u64, raw: &Value) {
    let link = json!({"id": id, "type": "link", "owner": "alice", "path": "/Projects/plan.md", "raw": raw});
    add_shares(world, vec![link]);
}

#[test]
fn disabled_accounts_make_a_scan_limited_and_their_links_orphaned() {
    let stage = Stage::small();
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "limited");
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
    assert_eq!(report["sources"][0]["accounts"], accounts(6, 5, 1, 0, 0));
    let nodes: Vec<&Value> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|share| share["id"].as_str().unwrap().starts_with("file/"))
        .collect();
    let [node] = nodes.as_slice() else {
        panic!("{nodes:?}")
    };
    let id = node["id"].as_str().unwrap();
    assert_eq!(id, format!("file/{}", node["item"]["id"].as_str().unwrap()));
    assert_eq!(node["item"]["path"], "/Thesis");
    assert_eq!(node["owner"]["id"], "erin");
    assert_eq!(node["owner"]["active"], false);
    assert_eq!(
        (&node["kind"], &node["audience"]),
        (&json!("link"), &json!("anyone"))
    );
    assert_eq!(
        (&node["password"], &node["expires"]),
        (&Value::Null, &Value::Null)
    );
    for field in ["access", "password", "expires"] {
        assert!(
            node["unknown"].as_array().unwrap().contains(&json!(field)),
            "{node}"
        );
    }
    assert_eq!(finding(&report, "orphaned-share", id).unwrap()["level"], "high");
    // Whether a password protects it is not told, so that it counts less and is not called open.
    assert_eq!(
        finding(&report, "link-without-password", id).unwrap()["level"],
        "medium"
    );
    // The link that erin made of alice's folder is in alice's list, with all that is to be told.
    assert!(rules_of(&report, "7").contains(&"orphaned-share"));
    assert_eq!(share(&report, "7").unwrap()["label"], "by someone since disabled");
}

#[test]
fn an_operator_may_state_that_links_of_disabled_accounts_are_dead() {
    let stage = Stage::small();
    stage.configure(&Config {
        source: "hide_disabled_user_shares = true",
        ..Config::default()
    });
    let report = stage.report(&[]);
    assert!(
        findings(&report)
            .iter()
            .all(|finding| finding["rule"] != "orphaned-share"),
        "{report:#}"
    );
    stage.configure(&Config {
        source: "disabled_accounts = \"off\"",
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(
        problems(&report),
        [("erin", "account-disabled"), ("erin", "home-not-searched")]
    );
    let nodes = report["shares"].as_array().unwrap();
    assert!(
        nodes
            .iter()
            .all(|share| !share["id"].as_str().unwrap().starts_with("file/"))
    );
}

#[test]
fn an_account_that_vanishes_before_it_is_read_is_gone_and_no_failure() {
    let stage = Stage::small();
    // The list of accounts is answered from before gina was removed.
    stage.change(&json!({"do": "remove", "account": "gina"}));
    stage.fault(
        &json!({"match": {"path_contains": "cloud/users/details"}, "times": 1, "action": answer(&json!(
            {"users": {"gina": {"id": "gina", "enabled": true, "backend": "Guests", "groups": ["guest_app"]}}}
        ))}),
    );
    let report = stage.report(&[]);
    assert_eq!(report["sources"][0]["accounts"], accounts(6, 4, 1, 0, 1));
    assert!(problems(&report).contains(&("gina", "account-gone")));
}

#[test]
fn an_account_that_is_disabled_before_it_is_read_is_searched_as_such() {
    let mut world = small();
    add_shares(
        &mut world,
        vec![json!({"id": 40, "type": "link", "owner": "frank", "path": "/f.txt"})],
    );
    list(&mut account(&mut world, "frank")["files"]).push(json!({"path": "/f.txt"}));
    let stage = Stage::of(&world);
    stage.configure(&Config {
        source: "limits = { requests_per_second = 1000, in_flight = 1 }",
        ..Config::default()
    });
    // The account list is answered from before frank was disabled.
    stage.change(&json!({"do": "update", "account": "frank", "set": {"enabled": false}}));
    stage.fault(
        &json!({"match": {"path_contains": "cloud/users/details"}, "times": 1, "action": answer(&json!(
            {"users": {"frank": {"id": "frank", "enabled": true, "groups": ["staff"], "backend": "Database"}}}
        ))}),
    );
    let report = stage.report(&["--all-shares"]);
    assert!(
        problems(&report).contains(&("frank", "account-disabled")),
        "{:?}",
        problems(&report)
    );
    let shares = report["shares"].as_array().unwrap();
    assert!(
        shares
            .iter()
            .any(|share| share["owner"]["id"] == "frank" && share["item"]["path"] == "/f.txt")
    );
}

#[test]
fn excluded_accounts_and_groups_are_named_and_not_read() {
    let stage = Stage::small();
    stage.configure(&Config {
        source: "exclude = { users = [\"fr*\"], groups = [\"guest_*\"] }",
        ..Config::default()
    });
    let report = stage.report(&[]);
    assert_eq!(verdict(&report), "limited");
    assert_eq!(report["sources"][0]["accounts"], accounts(6, 3, 3, 0, 0));
    assert_eq!(report["run"]["policy"]["exclusions"], 2);
    let inventory = &report["sources"][0]["inventory"];
    assert_eq!(
        (&inventory["known_percent"], &inventory["unread"]),
        (&json!(100.0), &json!(0)),
        "what is left out is no part of what is to be known"
    );
    let told = problems(&report);
    assert!(
        told.contains(&("frank", "excluded")) && told.contains(&("gina", "excluded")),
        "{told:?}"
    );
    let read: Vec<_> = stage.requests().into_iter().filter(Asked::is_listing).collect();
    assert!(
        read.iter()
            .all(|asked| !["frank", "gina"].contains(&asked.account.as_deref().unwrap())),
        "{read:?}"
    );
}

#[test]
fn an_auditor_without_rights_finds_all_shares_and_says_what_it_is_not_told() {
    for (admin, groups) in [("bob", json!([])), ("alice", json!(["staff"]))] {
        let mut world = small();
        account(&mut world, admin)["subadmin"] = groups;
        let stage = Stage::of(&world);
        let full = stage.report(&["--all-shares"]);
        let auth = format!(
            "{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"{admin}\", secret = {{ file = {:?} }} }}",
            stage.path("secret").to_string_lossy()
        );
        stage.configure(&Config {
            auth: Some(&auth),
            ..Config::default()
        });
        let report = stage.report(&["--all-shares"]);
        assert_eq!(verdict(&report), "limited", "{admin}");
        let told = problems(&report);
        assert!(told.contains(&("*", "people-unreadable")), "{admin}: {told:?}");
        let ids = |report: &Value| -> Vec<Value> {
            report["shares"]
                .as_array()
                .unwrap()
                .iter()
                .map(|share| share["id"].clone())
                .collect()
        };
        assert_eq!(
            ids(&report),
            ids(&full),
            "in one order, whatever was read first: {admin}"
        );
        assert_eq!(report["sources"][0]["accounts"]["found"], 6, "{admin}");
        assert_eq!(report["sources"][0]["control"], Value::Null, "{admin}");
        assert!(told.contains(&("*", "control-unavailable")), "{admin}: {told:?}");
    }
}

/// An `auth` with the app passwords of accounts.
fn passwords(stage: &Stage, accounts: &[(&str, &str)]) -> String {
    let lines: Vec<String> = accounts
        .iter()
        .map(|(account, password)| {
            let path = stage.write(&format!("{account}.secret"), password);
            format!("{account:?} = {{ file = {:?} }}", path.to_string_lossy())
        })
        .collect();
    let path = stage.write(
        "users.toml",
        &lines.join(
            "
",
        ),
    );
    format!(
        "{{ method = \"app-passwords\", file = {:?} }}",
        path.to_string_lossy()
    )
}

#[test]
fn one_persons_app_password_reads_that_persons_shares_only() {
    let stage = Stage::small();
    let password = stage.write("password", "bob-app-password");
    let auth = format!(
        "{{ method = \"app-password\", user = \"bob\", password = {{ file = {:?} }} }}",
        password.to_string_lossy()
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "limited");
    assert_eq!(problems(&report), [("*", "people-unreadable")]);
    assert_eq!(report["sources"][0]["accounts"], accounts(1, 1, 0, 0, 0));
    let shares = report["shares"].as_array().unwrap();
    assert_eq!(shares.len(), 1, "{shares:?}");
    assert_eq!(
        (&shares[0]["id"], &shares[0]["shared_by"]["id"]),
        (&json!("5"), &json!("bob"))
    );
    // Whoever cannot be asked about is neither alive nor gone.
    assert!(
        report["sources"][0]["rules_not_judged"]
            .as_array()
            .unwrap()
            .contains(&json!("orphaned-share"))
    );
    let asked = stage.requests();
    assert!(
        asked.iter().all(|asked| asked.account.as_deref() == Some("bob")),
        "{asked:?}"
    );
}

#[test]
fn a_name_that_is_not_the_accounts_id_reads_that_account_all_the_same() {
    // Where people sign in with their address, or with a directory's name, the server knows them by another id.
    let stage = Stage::small();
    let auth = passwords(
        &stage,
        &[
            ("alice@example.org", "alice-app-password"),
            ("bob", "bob-app-password"),
        ],
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(report["sources"][0]["accounts"], accounts(2, 2, 0, 0, 0));
    assert_eq!(share(&report, "1").unwrap()["owner"]["id"], "alice");
    assert_eq!(share(&report, "2").unwrap()["item"]["path"], "/HR/salaries.xlsx");
    let narrow = stage.report(&["--all-shares", "--user", "alice"]);
    assert_eq!(narrow["sources"][0]["accounts"], accounts(1, 1, 0, 0, 0));
}

#[test]
fn app_passwords_read_the_accounts_they_are_for() {
    let stage = Stage::small();
    let auth = passwords(
        &stage,
        &[("alice", "alice-app-password"), ("bob", "bob-app-password")],
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert_eq!(report["sources"][0]["accounts"], accounts(2, 2, 0, 0, 0));
    assert_eq!(report["shares"].as_array().unwrap().len(), 12);
    assert_eq!(share(&report, "5").unwrap()["item"]["path"], "/Projects");
    stage.configure(&Config {
        auth: Some(&auth),
        source: "statistics_token = { env = \"SHAREWARDEN_TEST_STATISTICS\" }",
        ..Config::default()
    });
    let mut program = stage.program();
    program
        .variable("SHAREWARDEN_TEST_STATISTICS", "small-statistics-token")
        .arguments(&[
            "--no-state",
            "--now",
            crate::harness::NOW,
            "scan",
            "--format",
            "json",
        ]);
    let report = program.run().ended(0).json();
    assert_eq!(report["sources"][0]["control"]["link"]["expected"], 7);
}

#[test]
fn one_person_is_read_with_that_persons_password_alone() {
    let stage = Stage::small();
    let auth = passwords(
        &stage,
        &[
            ("alice", "alice-app-password"),
            ("bob", "bob-app-password"),
            ("frank", "wrong"),
        ],
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    stage.scan(&[]).ended(3);
    stage.forget_requests();
    let report = stage.report(&["--user", "bob", "--all-shares"]);
    assert_eq!(report["shares"].as_array().unwrap().len(), 1);
    let bob: Vec<_> = stage
        .requests()
        .into_iter()
        .filter(|asked| asked.path.ends_with("cloud/user?format=json"))
        .collect();
    assert!(
        bob.iter().all(|asked| asked.account.as_deref() == Some("bob")),
        "{bob:?}"
    );
    let report = stage.scan(&["--user", "frank"]).ended(3).json();
    assert!(
        problems(&report).contains(&("frank", "unauthorized")),
        "{:?}",
        problems(&report)
    );
}

#[test]
fn a_wrong_app_password_of_one_account_is_tried_once_and_leaves_the_others_readable() {
    let stage = Stage::small();
    let auth = passwords(
        &stage,
        &[
            ("alice", "alice-app-password"),
            ("bob", "wrong"),
            ("frank", "wrong too"),
        ],
    );
    stage.configure(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    let report = stage.scan(&["--all-shares"]).ended(3).json();
    assert!(share(&report, "1").is_some());
    assert_eq!(report["sources"][0]["accounts"], accounts(3, 1, 0, 2, 0));
    let told = problems(&report);
    assert!(
        told.contains(&("bob", "unauthorized")) && told.contains(&("frank", "unauthorized")),
        "{told:?}"
    );
    for account in ["bob", "frank"] {
        let refused = stage
            .requests()
            .into_iter()
            .filter(|asked| asked.status == 401 && asked.account.as_deref() == Some(account))
            .count();
        assert_eq!(
            refused, 1,
            "each wrong attempt counts towards blocking the address: {account}"
        );
    }
}

#[test]
fn counts_of_the_server_that_are_far_above_what_was_seen_make_a_scan_incomplete() {
    for (trashed, expected, code) in [(18, "limited", 0), (19, "incomplete", 3)] {
        let mut world = small();
        // Shares of files in the trash bin are counted and never listed; the world has two such links already.
        let more = (0..trashed).map(|_| json!({"type": "link", "owner": "alice", "path": "/old.pdf"}));
        add_shares(&mut world, more.collect());
        let stage = Stage::of(&world);
        let report = stage.scan(&[]).ended(code).json();
        assert_eq!(verdict(&report), expected, "{trashed}");
        let link = &report["sources"][0]["control"]["link"];
        assert_eq!(link["expected"], 7 + trashed);
        assert_eq!(link["seen"], 5);
        assert_eq!(problems(&report).contains(&("*", "control-mismatch")), code == 3);
    }
}

#[test]
fn an_accepted_gap_counts_as_limited_until_it_lapses() {
    let stage = Stage::small();
    stage.fault(
        &json!({"match": {"path_contains": "api/v1/shares", "account": "bob"},
                        "action": {"do": "status", "status": 500}}),
    );
    let gap = |scope: &str, code: &str, until: &str| {
        format!(
            "[[gap]]\nsource = \"cloud\"\nscope = \"{scope}\"\n{code}\nreason = \"moving\"\napproved_by = \"it\"\n\
             until = {until}\n"
        )
    };
    for (scope, code, until, expected) in [
        ("bob", "code = \"server-error\"", "2026-11-22", 0),
        ("b*", "", "2027-03-31", 0),
        ("bob", "code = \"server-error\"", "2026-11-21", 3),
        ("bob", "code = \"throttled\"", "2027-03-31", 3),
        ("alice", "code = \"server-error\"", "2027-03-31", 3),
    ] {
        stage.configure(&Config {
            more: &gap(scope, code, until),
            ..Config::default()
        });
        let report = stage.scan(&[]).ended(expected).json();
        let worth = if expected == 0 { "limited" } else { "incomplete" };
        assert_eq!(verdict(&report), worth, "{scope} {code} {until}");
        assert!(
            problems(&report).contains(&("bob", "server-error")),
            "it is told all the same"
        );
        assert_eq!(report["run"]["policy"]["gaps"], 1);
        let lapsed = report["notices"].to_string().contains("gap-lapsed");
        assert_eq!(lapsed, until == "2026-11-21", "{}", report["notices"]);
    }
}

#[test]
fn two_shares_under_one_id_are_told_and_the_same_one_twice_is_not() {
    let mut world = small();
    odd_link(&mut world, 50, &json!({"id": "1", "label": "not the first"}));
    let stage = Stage::of(&world);
    let report = stage.scan(&["--all-shares"]).ended(3).json();
    assert!(
        problems(&report).contains(&("alice", "malformed-share")),
        "{:?}",
        problems(&report)
    );
    assert_eq!(
        share(&report, "1").unwrap()["label"],
        "open for ever",
        "the first one is reported"
    );
    let stage = Stage::small();
    let mut twice = stage.listing("alice");
    twice.extend(twice.clone());
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": answer(&json!(twice))}));
    let report = stage.report(&[]);
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
}

#[test]
fn two_shares_under_one_id_in_two_accounts_are_told() {
    let mut world = small();
    list(&mut account(&mut world, "frank")["files"]).push(json!({"path": "/f.txt"}));
    add_shares(
        &mut world,
        vec![json!({"id": 51, "type": "link", "owner": "frank", "path": "/f.txt", "raw": {"id": "1"}})],
    );
    let report = Stage::of(&world).scan(&["--all-shares"]).ended(3).json();
    let told: Vec<&str> = problems(&report).into_iter().map(|(_, code)| code).collect();
    assert!(told.contains(&"malformed-share"), "{told:?}");
}

#[test]
fn a_kind_of_share_that_is_not_known_is_never_counted_as_safe() {
    let report = demo_report();
    for id in ["90", "91", "92"] {
        let told = share(report, id).unwrap();
        assert_eq!(
            (&told["kind"], &told["audience"]),
            (&json!("other"), &json!("unknown"))
        );
        assert!(rules_of(report, id).contains(&"unrecognized-share"), "{id}");
    }
}

#[test]
fn fields_that_are_missing_or_of_another_type_never_drop_a_share() {
    let odd = [
        json!({"share_type": null}),
        json!({"share_type": "3"}),
        json!({"share_type": {"a": 1}}),
        json!({"permissions": null}),
        json!({"permissions": "31"}),
        json!({"permissions": -1}),
        json!({"permissions": 1e300}),
        json!({"expiration": 17}),
        json!({"expiration": "soon"}),
        json!({"expiration": "2026-13-45 00:00:00"}),
        json!({"password": 5}),
        json!({"password": ""}),
        json!({"password": true}),
        json!({"uid_owner": null}),
        json!({"uid_file_owner": null}),
        json!({"uid_owner": 7, "uid_file_owner": []}),
        json!({"path": null}),
        json!({"path": 5}),
        json!({"path": "x".repeat(20_000)}),
        json!({"item_type": "symlink"}),
        json!({"item_type": null}),
        json!({"item_source": null, "file_source": null}),
        json!({"stime": null}),
        json!({"stime": "yesterday"}),
        json!({"stime": 9_000_000_000_000_000_000_i64}),
        json!({"token": null, "url": null}),
        json!({"url": 5}),
        json!({"label": null}),
        json!({"label": ["a"]}),
        json!({"attributes": 5}),
        json!({"attributes": "not json"}),
        json!({"hide_download": "1"}),
        json!({"hide_download": null}),
        json!({"item_size": -5}),
        json!({"item_size": "many"}),
        json!({"displayname_owner": {}, "displayname_file_owner": 1}),
        json!({"share_with": 5, "share_with_displayname": []}),
        json!({"unknown_field_of_a_later_version": {"a": [1, 2, 3]}}),
        json!({"id": 137}),
    ];
    let mut world = small();
    for (place, raw) in odd.iter().enumerate() {
        odd_link(&mut world, 100 + place as u64, raw);
    }
    let report = Stage::of(&world).scan(&["--all-shares"]).json();
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
    for (place, raw) in odd.iter().enumerate() {
        let id = raw["id"].as_u64().unwrap_or(100 + place as u64).to_string();
        let told = share(&report, &id).unwrap_or_else(|| panic!("dropped: {raw}"));
        assert_ne!(
            rules_of(&report, &id),
            Vec::<&str>::new(),
            "unknown is never safe: {raw} {told}"
        );
        let unknown = told["unknown"].to_string();
        for (field, name) in [
            ("share_type", "kind"),
            ("permissions", "access"),
            ("expiration", "expires"),
            ("uid_file_owner", "owner"),
        ] {
            let number = |text: &str| text.parse::<i64>().is_ok();
            let is_odd = |value: &Value| *value != json!(-1) && !value.as_str().is_some_and(number);
            if raw.get(field).is_some_and(is_odd) {
                assert!(unknown.contains(name), "{raw}: {unknown}");
            }
        }
    }
    let level = |place: usize| finding(&report, "link-without-password", &(100 + place).to_string());
    let protected_or_not = |raw: &Value| odd.iter().position(|each| each == raw).unwrap();
    let unclear = level(protected_or_not(&json!({"password": 5})));
    assert_eq!(
        unclear.unwrap()["level"],
        "medium",
        "not told whether there is a password"
    );
    let open = level(protected_or_not(&json!({"password": ""})));
    assert_eq!(open.unwrap()["level"], "high", "an empty one is none");
    let edits = protected_or_not(&json!({"permissions": "31"}));
    assert!(rules_of(&report, &(100 + edits).to_string()).contains(&"link-allows-editing"));
}

#[test]
fn an_entry_that_is_no_share_is_told_and_the_others_are_kept() {
    let stage = Stage::small();
    let listed = stage.listing("alice");
    let mut data: Vec<Value> = vec![json!(null), json!(5), json!("text"), json!([]), json!({})];
    data.extend(listed);
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": answer(&json!(data))}));
    let report = stage.scan(&["--all-shares"]).ended(3).json();
    let broken = problems(&report)
        .into_iter()
        .filter(|problem| *problem == ("alice", "malformed-share"))
        .count();
    assert_eq!(broken, 5);
    for id in ["1", "2", "3", "4", "8", "9", "14"] {
        assert!(share(&report, id).is_some(), "share {id}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_resolves_nothing() {
    let stage = Stage::small();
    let first = stage.run(&["scan", "--format", "json"]).ended(0).json();
    let rule = rules_of(&first, "1")[0];
    assert_eq!(finding(&first, rule, "1").unwrap()["status"], "new");
    let mut listed = stage.listing("alice");
    for share in &mut listed {
        if share["id"] == "1" {
            share["id"] = Value::Null;
        }
    }
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": answer(&json!(listed))}));
    let second = stage.run(&["scan", "--format", "json"]).ended(3).json();
    assert_eq!(finding(&second, rule, "1").unwrap()["status"], "not-checked");
    assert_eq!(second["sources"][0]["accounts"]["failed"], 1);
}

#[test]
fn a_failure_sent_as_a_success_is_no_empty_list() {
    let stage = Stage::small();
    let body = json!({"ocs": {"meta": {"status": "failure", "statuscode": 997, "message": "x"}, "data": []}});
    let action = json!({"do": "status", "status": 200, "headers": {"Content-Type": "application/json"}, "body": body.to_string()});
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": action}));
    let report = stage.scan(&[]).ended(3).json();
    assert!(problems(&report).contains(&("alice", "malformed")));
}

#[test]
fn half_a_list_of_accounts_calls_nobody_gone() {
    let stage = Stage::small();
    let first = stage.run(&["scan", "--format", "json"]).ended(0).json();
    stage.fault(
        &json!({"match": {"path_contains": "users/details"}, "action": answer(&json!({"users": []}))}),
    );
    stage.fault(&json!({"match": {"path_contains": "app_api/api/v1/users"}, "action": {"do": "malformed"}}));
    let second = stage.run(&["scan", "--format", "json"]).ended(3).json();
    let resolved = |report: &Value| {
        findings(report)
            .iter()
            .filter(|each| each["status"] == "resolved")
            .count()
    };
    assert_eq!(resolved(&second), 0);
    let about_shares = |report: &Value| {
        findings(report)
            .iter()
            .filter(|each| !each["share"].is_null())
            .count()
    };
    assert_eq!(about_shares(&second), about_shares(&first));
}

#[test]
fn an_account_is_found_in_whatever_case_it_is_typed() {
    let report = Stage::small().report(&["--user", "ALICE"]);
    assert_eq!(report["sources"][0]["accounts"]["scanned"], 1);
    assert!(share(&report, "1").is_some() || finding(&report, "link-without-password", "1").is_some());
}

#[test]
fn an_administrators_list_needs_no_confirmation_where_appapi_has_none() {
    let stage = Stage::small();
    let body = json!({"ocs": {"meta": {"status": "failure", "statuscode": 998, "message": "Invalid query"}, "data": []}});
    let action = json!({"do": "status", "status": 404, "headers": {"Content-Type": "application/json"}, "body": body.to_string()});
    stage.fault(&json!({"match": {"path_contains": "app_api/api/v1/users"}, "action": action}));
    assert_eq!(problems(&stage.report(&[])), [("erin", "account-disabled")]);
}
