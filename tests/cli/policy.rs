//! What the organisation's policy makes of shares: exceptions, levels, outsiders, wide groups and classes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{
    Config, NOW, POLICY, Stage, account, add_shares, demo_report, finding, findings, list, problems,
    rules_of, share, small,
};

const LATER: &str = "2026-11-23T12:00:00Z";

fn waiver(lines: &str, until: &str) -> String {
    format!("[[waiver]]\n{lines}\nreason = \"as agreed\"\napproved_by = \"head of IT\"\nuntil = {until}\n")
}

/// The policy with other values for some keys.
fn policy(lines: &str) -> String {
    POLICY.replace("[policy]\n", &format!("[policy]\n{lines}\n"))
}

fn level<'r>(report: &'r Value, rule: &str, share: &str) -> Option<&'r str> {
    finding(report, rule, share).map(|finding| finding["level"].as_str().unwrap())
}

fn notices(report: &Value) -> BTreeSet<&str> {
    report["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| notice["code"].as_str().unwrap())
        .collect()
}

/// What each waived finding is about.
fn waived(report: &Value) -> BTreeSet<(&str, &str)> {
    findings(report)
        .iter()
        .filter(|finding| finding["status"] == "waived")
        .map(|finding| {
            (
                finding["rule"].as_str().unwrap(),
                finding["share"]["id"].as_str().unwrap_or(""),
            )
        })
        .collect()
}

#[test]
fn a_waiver_covers_what_it_names_and_says_who_answers_for_it() {
    let stage = Stage::small();
    let full = stage.report(&[]);
    let id = finding(&full, "link-without-expiry", "1").unwrap()["id"]
        .as_str()
        .unwrap();
    let one = BTreeSet::from([("link-without-expiry", "1")]);
    let both = BTreeSet::from([("link-without-expiry", "1"), ("link-without-expiry", "7")]);
    let cases = [
        (format!("finding = \"{id}\""), one.clone()),
        (
            "rule = \"link-without-expiry\"\nshare = \"1\"".to_owned(),
            one.clone(),
        ),
        (
            "rule = \"link-without-expiry\"\nowner = \"alice\"".to_owned(),
            both.clone(),
        ),
        (
            "rule = \"link-without-expiry\"\nowner = \"alice@example.org\"".to_owned(),
            both.clone(),
        ),
        (
            "rule = \"link-without-expiry\"\nowner = \"al*\"\npath = \"/Projects\"".to_owned(),
            one.clone(),
        ),
        (
            "rule = \"link-without-expiry\"\npath = \"**/team/**\"\nall_owners = true".to_owned(),
            BTreeSet::from([("link-without-expiry", "7")]),
        ),
        (
            "rule = \"link-without-expiry\"\nsource = \"cloud\"\nshare = \"7\"".to_owned(),
            BTreeSet::from([("link-without-expiry", "7")]),
        ),
        (
            "share = \"1\"".to_owned(),
            BTreeSet::from([("link-without-expiry", "1"), ("link-without-password", "1")]),
        ),
        (
            "rule = \"link-without-expiry\"\nowner = \"bob\"".to_owned(),
            BTreeSet::new(),
        ),
    ];
    for (lines, expected) in cases {
        stage.configure(&Config {
            more: &waiver(&lines, "2027-03-31"),
            ..Config::default()
        });
        let report = stage.report(&[]);
        assert_eq!(waived(&report), expected, "{lines}");
        assert_eq!(report["totals"]["waived"], expected.len(), "{lines}");
        let standing = full["totals"]["findings"].as_u64().unwrap() - expected.len() as u64;
        assert_eq!(report["totals"]["findings"], standing, "{lines}");
        for each in findings(&report).iter().filter(|each| each["status"] == "waived") {
            let note = json!({"reason": "as agreed", "approved_by": "head of IT", "until": "2027-03-31"});
            assert_eq!(each["waiver"], note);
        }
        let unused = notices(&report).contains("waiver-unused");
        assert_eq!(unused, expected.is_empty(), "{lines}");
    }
}

#[test]
fn waivers_lapse_and_are_announced_before() {
    let stage = Stage::small();
    for (until, holds, told) in [
        ("2026-11-22", true, vec!["waiver-lapsing"]),
        ("2026-11-21", false, vec!["waiver-lapsed"]),
        ("2026-12-05", true, vec!["waiver-lapsing"]),
        ("2027-01-31", true, vec![]),
    ] {
        let lines = waiver("rule = \"link-without-expiry\"\nshare = \"1\"", until);
        stage.configure(&Config {
            more: &lines,
            ..Config::default()
        });
        let report = stage.report(&[]);
        assert_eq!(waived(&report).len(), usize::from(holds), "{until}");
        assert_eq!(
            notices(&report),
            told.into_iter().collect::<BTreeSet<_>>(),
            "{until}"
        );
        let table = stage.run(&["--no-state", "scan"]);
        assert_eq!(
            table.ended(0).out.contains("NOTICES"),
            until != "2027-01-31",
            "{until}"
        );
    }
    // A scan that did not judge everything cannot know what matches nothing.
    let lines = waiver("rule = \"mailing-list-recipient\"\nshare = \"999\"", "2027-01-31");
    stage.configure(&Config {
        more: &lines,
        ..Config::default()
    });
    assert_eq!(notices(&stage.report(&[])), BTreeSet::from(["waiver-unused"]));
    assert_eq!(notices(&stage.report(&["--user", "alice"])), BTreeSet::new());
}

#[test]
fn a_waiver_that_came_or_went_changes_the_status_and_not_the_finding() {
    let stage = Stage::small();
    let scan = |now: &str| stage.run_at(now, &["scan", "--format", "json"]).ended(0).json();
    let first = scan(NOW);
    let lines = waiver("rule = \"link-without-expiry\"\nshare = \"1\"", "2027-01-31");
    stage.configure(&Config {
        more: &lines,
        ..Config::default()
    });
    let second = scan(LATER);
    stage.configure(&Config::default());
    let third = scan("2026-11-24T12:00:00Z");
    let each = [first, second, third];
    let told: Vec<&Value> = each
        .iter()
        .map(|report| finding(report, "link-without-expiry", "1").unwrap())
        .collect();
    let statuses: Vec<&str> = told
        .iter()
        .map(|finding| finding["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["new", "waived", "open"]);
    assert!(
        told.iter()
            .all(|finding| finding["id"] == told[0]["id"] && finding["first_seen"] == NOW)
    );
    assert_eq!(told[2]["waiver"], Value::Null);
}

#[test]
fn overrides_change_levels_of_what_they_match_and_later_ones_win() {
    let stage = Stage::small();
    let rule = "link-without-expiry";
    let over = |lines: &str| format!("[[policy.override]]\nrule = \"{rule}\"\n{lines}\n");
    for (lines, first, seventh) in [
        (String::new(), Some("medium"), Some("medium")),
        (over("level = \"info\""), Some("info"), Some("info")),
        (
            over("level = \"critical\"\npath = \"/Projects/**\""),
            Some("critical"),
            Some("medium"),
        ),
        (
            over("level = \"off\"\nowner = \"alice\"\npath = \"/Team\""),
            Some("medium"),
            None,
        ),
        (
            over("level = \"low\"\ngroup = \"staff\""),
            Some("low"),
            Some("low"),
        ),
        (
            over("level = \"low\"\ngroup = \"students\""),
            Some("medium"),
            Some("medium"),
        ),
        (
            over("level = \"low\"\nsource = \"cloud\""),
            Some("low"),
            Some("low"),
        ),
        (
            [
                over("level = \"off\""),
                over("level = \"high\"\npath = \"/Team\""),
            ]
            .concat(),
            None,
            Some("high"),
        ),
        (
            [
                over("level = \"high\"\npath = \"/Team\""),
                over("level = \"off\""),
            ]
            .concat(),
            None,
            None,
        ),
    ] {
        stage.configure(&Config {
            more: &lines,
            ..Config::default()
        });
        let report = stage.report(&[]);
        assert_eq!(level(&report, rule, "1"), first, "{lines}");
        assert_eq!(level(&report, rule, "7"), seventh, "{lines}");
        assert_eq!(report["run"]["policy"]["overrides"], lines.matches("[[").count());
    }
    let far = "[[policy.override]]\nowner = \"alice\"\nmax_expiry = \"500d\"\n";
    stage.configure(&Config {
        more: far,
        ..Config::default()
    });
    assert_eq!(level(&stage.report(&[]), "link-expiry-too-far", "5"), None);
    let near = "[[policy.override]]\npath = \"/Drop\"\nmax_expiry = \"5d\"\n";
    stage.configure(&Config {
        more: near,
        ..Config::default()
    });
    let report = stage.report(&[]);
    assert_eq!(level(&report, "link-expiry-too-far", "3"), Some("low"));
    assert_eq!(level(&report, "link-expiry-too-far", "5"), Some("low"));
    let label = "[[policy.override]]\nlabel = \"confidential\"\nrule = \"classified-item-exposed\"\nlevel = \"low\"\n";
    stage.configure(&Config {
        more: label,
        ..Config::default()
    });
    assert_eq!(
        level(&stage.report(&[]), "classified-item-exposed", "2"),
        Some("low")
    );
}

#[test]
fn a_rule_that_is_switched_off_closes_its_findings_by_policy_and_says_so() {
    let stage = Stage::small();
    let scan = |now: &str| stage.run_at(now, &["scan", "--format", "json"]).ended(0).json();
    scan(NOW);
    stage.configure(&Config {
        more: "[policy.levels]\nlink-without-expiry = \"off\"\nreshared-by-other = \"high\"\n",
        ..Config::default()
    });
    let second = scan(LATER);
    assert_eq!(
        second["run"]["policy"]["rules_off"],
        json!(["link-without-expiry"])
    );
    assert_eq!(
        finding(&second, "link-without-expiry", "1").unwrap()["status"],
        "closed-by-policy"
    );
    assert_eq!(level(&second, "reshared-by-other", "5"), Some("high"));
    let third = scan("2026-11-24T12:00:00Z");
    assert!(finding(&third, "link-without-expiry", "1").is_none());
    stage.configure(&Config::default());
    let fourth = scan("2026-11-25T12:00:00Z");
    assert_eq!(
        finding(&fourth, "link-without-expiry", "1").unwrap()["first_seen"],
        NOW
    );
}

#[test]
fn a_scan_by_one_rule_reports_that_rule_only() {
    let report = Stage::small().report(&["--rule", "external-recipient", "--rule", "link-without-expiry"]);
    let rules: BTreeSet<&str> = findings(&report)
        .iter()
        .map(|each| each["rule"].as_str().unwrap())
        .collect();
    assert_eq!(
        rules,
        BTreeSet::from(["external-recipient", "link-without-expiry"])
    );
    assert_eq!(report["run"]["scope"]["full"], false);
    assert_eq!(report["totals"]["findings"], findings(&report).len());
}

#[test]
fn expected_outsiders_are_reported_at_info_but_never_for_classified_items() {
    let mut world = small();
    add_shares(
        &mut world,
        vec![
            json!({"id": 60, "type": "mail", "owner": "alice", "path": "/HR/salaries.xlsx", "expires": "+9d",
                   "recipient": "client@partner.example.net"}),
            json!({"id": 61, "type": "mail", "owner": "alice", "path": "/Projects/plan.md", "expires": "+9d",
                   "recipient": "client@sub.partner.example.net"}),
            json!({"id": 62, "type": "mail", "owner": "alice", "path": "/Projects/plan.md", "expires": "+9d",
                   "recipient": "client@notpartner.example.net"}),
            json!({"id": 63, "type": "mail", "owner": "alice", "path": "/Projects/plan.md", "expires": "+9d",
                   "recipient": "colleague@sub.example.org"}),
            json!({"id": 64, "type": "mail", "owner": "alice", "path": "/Projects/plan.md", "expires": "+9d",
                   "recipient": "x@example.org.evil.example"}),
        ],
    );
    let stage = Stage::of(&world);
    let report = stage.report(&[]);
    let rule = "external-recipient";
    let expected = [
        ("8", Some("info")),
        ("60", Some("medium")),
        ("61", Some("info")),
        ("62", Some("medium")),
        ("63", None),
        ("64", Some("medium")),
    ];
    for (id, expected) in expected {
        assert_eq!(level(&report, rule, id), expected, "share {id}");
    }
    assert_eq!(level(&report, "guest-recipient", "11"), Some("info"));
    let none = POLICY.replace("partner_domains = [\"partner.example.net\"]", "");
    stage.configure(&Config {
        policy: &none,
        ..Config::default()
    });
    let report = stage.report(&[]);
    assert_eq!(level(&report, rule, "8"), Some("medium"));
    assert_eq!(level(&report, "guest-recipient", "11"), Some("medium"));
}

#[test]
fn groups_are_wide_by_their_name_or_by_their_size() {
    let stage = Stage::small();
    let rule = "wide-group-grant";
    // staff has four members, of whom one is disabled.
    for (lines, wide) in [
        ("wide_groups = [\"staff\"]", true),
        ("wide_groups = [\"st*\"]", true),
        ("wide_groups = [\"students\"]\nwide_group_size = 4", true),
        ("wide_groups = []\nwide_group_size = 5", false),
        ("wide_groups = []", false),
    ] {
        let text = POLICY.replace("wide_groups = [\"students\", \"all-*\"]", lines);
        assert_ne!(text, POLICY);
        stage.configure(&Config {
            policy: &text,
            ..Config::default()
        });
        let report = stage.report(&["--all-shares"]);
        assert_eq!(level(&report, rule, "6").is_some(), wide, "{lines}");
        let audience = if wide { "organization" } else { "internal" };
        assert_eq!(share(&report, "6").unwrap()["audience"], audience, "{lines}");
    }
}

/// A policy that classifies by these paths and tags.
fn classes(paths: &str, tags: &str) -> String {
    let (head, _) = POLICY.split_once("[[policy.classify]]").unwrap();
    format!("{head}[[policy.classify]]\nlabel = \"secret\"\npaths = {paths}\ntags = {tags}\n")
}

#[test]
fn items_are_classified_by_path_and_tag_on_them_above_them_and_beneath_them() {
    // Shares 1 and 5: /Projects. 2: /HR/salaries.xlsx. 3: /Drop. 7: /Team. 8: /Projects/plan.md.
    for (paths, tags, tagged, expected) in [
        ("[\"**/HR/**\"]", "[]", "", vec!["2"]),
        ("[\"**/hr\"]", "[]", "", vec!["2"]),
        ("[\"**/*.XLSX\"]", "[]", "", vec!["2"]),
        ("[\"/Team/**\"]", "[]", "", vec!["7"]),
        // Beneath a shared folder.
        ("[\"**/Q4*/**\"]", "[]", "", vec!["1", "5"]),
        ("[\"**/notes.txt\"]", "[]", "", vec!["7"]),
        ("[\"**/nothing-of-the-kind/**\"]", "[]", "", vec![]),
        ("[]", "[\"Confidential\"]", "", vec!["2"]),
        // On the item, on an ancestor, on what lies beneath.
        (
            "[]",
            "[\"confidential\"]",
            "/Projects/plan.md",
            vec!["1", "2", "5", "8"],
        ),
        ("[]", "[\"confidential\"]", "/Projects", vec!["1", "2", "5", "8"]),
        (
            "[]",
            "[\"confidential\"]",
            "/Projects/Q4 Budget/numbers.csv",
            vec!["1", "2", "5"],
        ),
        ("[]", "[\"confidential\"]", "/Drop", vec!["2", "3"]),
    ] {
        let stage = Stage::small();
        stage.configure(&Config {
            policy: &classes(paths, tags),
            ..Config::default()
        });
        if !tagged.is_empty() {
            stage.change(
                &json!({"do": "update", "owner": "alice", "file": tagged, "set": {"tags": ["confidential"]}}),
            );
        }
        let report = stage.report(&["--all-shares"]);
        let what = format!("{paths} {tags} {tagged}");
        let found: BTreeSet<&str> = ["1", "2", "3", "5", "7", "8"]
            .into_iter()
            .filter(|id| share(&report, id).unwrap()["item"]["classified"] == true)
            .collect();
        assert_eq!(found, expected.iter().copied().collect::<BTreeSet<_>>(), "{what}");
        for id in ["1", "2", "3", "5", "7", "8"] {
            let fired = level(&report, "classified-item-exposed", id);
            assert_eq!(
                fired,
                expected.contains(&id).then_some("critical"),
                "{what}, share {id}"
            );
            let classified = &share(&report, id).unwrap()["item"]["classified"];
            assert!(
                classified.is_boolean(),
                "everything was looked at: {what}, share {id}"
            );
        }
        if expected.contains(&"1") {
            assert_eq!(
                level(&report, "link-without-password", "1"),
                Some("critical"),
                "{what}"
            );
        }
        assert_eq!(report["sources"][0]["classification_undetermined"], 0, "{what}");
        if expected.contains(&"2") {
            assert_eq!(share(&report, "2").unwrap()["item"]["labels"], json!(["secret"]));
        }
    }
}

#[test]
fn what_could_not_be_looked_at_is_counted_and_never_taken_for_harmless() {
    let stage = Stage::small();
    stage.fault(&json!({"match": {"method": "REPORT"}, "action": {"do": "status", "status": 500}}));
    let report = stage.scan(&["--all-shares"]).ended(3).json();
    assert!(
        problems(&report).contains(&("alice", "labels-unreadable")),
        "{:?}",
        problems(&report)
    );
    // Links: /Projects twice, /Drop, /Team, /Projects/plan.md by mail, erin's folder; the path tells of /HR.
    assert_eq!(report["sources"][0]["classification_undetermined"], 6);
    assert_eq!(share(&report, "1").unwrap()["item"]["classified"], Value::Null);
    assert_eq!(share(&report, "2").unwrap()["item"]["classified"], true);
    let table = stage.run(&["--no-state", "scan"]).ended(3).out.clone();
    assert!(table.contains("6 shares open to anyone"), "{table}");
    // A tag that only administrators see cannot be asked for.
    stage.no_faults();
    stage.configure(&Config {
        policy: &classes("[]", "[\"internal-review\"]"),
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert!(
        problems(&report).contains(&("*", "tag-hidden")),
        "{:?}",
        problems(&report)
    );
    assert_eq!(share(&report, "1").unwrap()["item"]["classified"], Value::Null);
    // One that does not exist is worth a word.
    stage.configure(&Config {
        policy: &classes("[]", "[\"no-such-tag\"]"),
        ..Config::default()
    });
    let report = stage.report(&["--all-shares"]);
    assert!(
        problems(&report).contains(&("*", "tag-unknown")),
        "{:?}",
        problems(&report)
    );
    assert_eq!(share(&report, "1").unwrap()["item"]["classified"], false);
}

#[test]
fn labels_are_not_looked_up_for_what_was_looked_up_before_but_a_new_tag_is_seen() {
    let stage = Stage::small();
    let scan = |now: &str| {
        stage
            .run_at(now, &["scan", "--format", "json", "--all-shares"])
            .ended(0)
            .json()
    };
    assert_eq!(share(&scan(NOW), "1").unwrap()["item"]["classified"], false);
    let tag = json!({"do": "update", "owner": "alice", "file": "/Projects/plan.md", "set": {"tags": ["confidential"]}});
    stage.change(&tag);
    let second = scan(LATER);
    assert_eq!(share(&second, "1").unwrap()["item"]["classified"], true);
    assert_eq!(level(&second, "classified-item-exposed", "1"), Some("critical"));
}

#[test]
fn the_demonstration_shows_the_levels_that_the_rules_promise() {
    let report = demo_report();
    let expected = BTreeMap::from([
        (("link-without-password", "8"), "critical"),
        (("link-without-password", "40"), "critical"),
        (("link-without-password", "4"), "high"),
        (("link-without-expiry", "1"), "medium"),
        (("link-expiry-too-far", "10"), "low"),
        (("link-allows-editing", "14"), "high"),
        (("link-allows-upload", "34"), "low"),
        (("link-allows-upload", "13"), "medium"),
        (("classified-item-exposed", "9"), "critical"),
        (("classified-item-exposed", "71"), "critical"),
        (("classified-item-exposed", "67"), "high"),
        (("wide-group-grant", "72"), "medium"),
        (("unread-membership", "86"), "info"),
        (("external-recipient", "76"), "medium"),
        (("external-recipient", "74"), "info"),
        (("external-recipient", "83"), "medium"),
        (("guest-recipient", "66"), "info"),
        (("guest-recipient", "67"), "medium"),
        (("mailing-list-recipient", "77"), "medium"),
        (("password-sent-by-mail", "75"), "high"),
        (("recipient-never-logged-in", "61"), "low"),
        (("departed-recipient", "54"), "low"),
        (("departed-recipient", "56"), "low"),
        (("orphaned-share", "52"), "high"),
        (("reshared-by-other", "64"), "low"),
        (("unreviewed-share", "19"), "low"),
        (("unrecognized-share", "92"), "medium"),
    ]);
    for ((rule, id), expected) in expected {
        assert_eq!(level(report, rule, id), Some(expected), "{rule} on share {id}");
    }
    // A pure file drop shows nothing; a protected, dated link to an ordinary file is as it should be.
    assert!(!rules_of(report, "34").contains(&"link-without-password"));
    assert_eq!(rules_of(report, "41"), Vec::<&str>::new());
    // Ended this morning: it exposes nothing.
    assert_eq!(rules_of(report, "20"), Vec::<&str>::new());
    assert!(
        !rules_of(report, "84").contains(&"external-recipient"),
        "an internal server"
    );
}

#[test]
fn posture_tells_what_the_server_allows() {
    let posture = |settings: &Value| -> BTreeSet<String> {
        let mut world = small();
        for (name, value) in settings.as_object().unwrap() {
            world["nextcloud"]["settings"][name] = value.clone();
        }
        let report = Stage::of(&world).report(&[]);
        findings(&report)
            .iter()
            .filter(|finding| finding["share"].is_null())
            .map(|finding| finding["rule"].as_str().unwrap().to_owned())
            .collect()
    };
    let strict = json!({
        "password_enforced": true, "default_expiry_days": 30, "expiry_enforced": true, "passwords_by_mail": false,
        "password_policy": {"min_length": 14, "not_common": true, "numeric": true, "special": true, "upper_lower": true},
    });
    assert_eq!(posture(&strict), BTreeSet::new());
    for (name, value, rule) in [
        ("password_enforced", json!(false), "posture-password-not-enforced"),
        ("expiry_enforced", json!(false), "posture-expiry-not-enforced"),
        ("passwords_by_mail", json!(true), "posture-passwords-mailed"),
        (
            "password_policy",
            json!({"min_length": 8, "numeric": true, "special": true, "upper_lower": true}),
            "posture-weak-password-policy",
        ),
    ] {
        let mut settings = strict.clone();
        settings[name] = value;
        assert_eq!(posture(&settings), BTreeSet::from([rule.to_owned()]), "{name}");
    }
}

#[test]
fn a_review_is_asked_for_after_the_time_set() {
    let mut world = small();
    list(&mut account(&mut world, "frank")["files"]).push(json!({"path": "/f.txt"}));
    for (id, created) in [(70, "-366d"), (71, "-364d")] {
        let link = json!({"id": id, "type": "link", "owner": "frank", "path": "/f.txt", "created": created});
        add_shares(&mut world, vec![link]);
    }
    let stage = Stage::of(&world);
    let report = stage.report(&[]);
    assert_eq!(level(&report, "unreviewed-share", "70"), Some("low"));
    assert_eq!(level(&report, "unreviewed-share", "71"), None);
    stage.configure(&Config {
        policy: &policy("review_after = \"400d\""),
        ..Config::default()
    });
    assert_eq!(level(&stage.report(&[]), "unreviewed-share", "70"), None);
}
