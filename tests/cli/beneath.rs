//! What is found out about what lies beneath shared folders, by which requests.

use serde_json::{Value, json};

use crate::harness::{Config, Stage, account, add_shares, list, problems, share, small, verdict};

const NO_CLASSES: &str = "[policy]\ninternal_domains = [\"example.org\"]\n";
const BY_NAME: &str = r#"
[policy]
internal_domains = ["example.org"]
[[policy.classify]]
label = "confidential"
paths = ["**/HR/**", "**/*.kdbx", "**/Gehälter?/**", "**/[0-9]*_list.{txt,csv}"]
"#;

/// The small world, in which alice has shared so many further folders, each with a folder in it.
fn with_folders(number: usize) -> Value {
    let mut world = small();
    for place in 0..number {
        let folder = format!("/Many/{place:03}");
        let files = list(&mut account(&mut world, "alice")["files"]);
        files.push(json!({"path": format!("{folder}/a.txt")}));
        files.push(json!({"path": format!("{folder}/in/b.txt")}));
        add_shares(
            &mut world,
            vec![json!({"type": "link", "owner": "alice", "path": folder})],
        );
    }
    world
}

fn stage(world: &Value, policy: &str) -> Stage {
    let stage = Stage::of(world);
    stage.configure(&Config {
        policy,
        ..Config::default()
    });
    stage
}

/// How many searches and walks alice's home was asked for.
fn asked(stage: &Stage) -> (usize, usize) {
    let requests = stage.requests();
    let of = |method: &str| {
        requests
            .iter()
            .filter(|each| each.method == method && each.account.as_deref() == Some("alice"))
            .filter(|each| !each.path.contains("systemtags"))
            .count()
    };
    (of("SEARCH"), of("PROPFIND"))
}

/// Of each share of a folder, by its path: how many files, whether it is classified, and its size.
fn folders(report: &Value) -> Vec<(String, Value, Value)> {
    let mut folders: Vec<_> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| &share["item"])
        .filter(|item| item["kind"] == "folder")
        .map(|item| {
            let path = item["path"].as_str().unwrap().to_owned();
            (path, item["files_beneath"].clone(), item["classified"].clone())
        })
        .collect();
    folders.sort_by(|one, other| one.0.cmp(&other.0));
    folders.dedup();
    folders
}

fn failing(method: &str, times: u64) -> Value {
    json!({"match": {"method": method}, "times": times, "action": {"do": "status", "status": 500}})
}

#[test]
fn open_folders_are_counted_where_nothing_classifies() {
    let stage = stage(&small(), NO_CLASSES);
    let report = stage.report(&["--all-shares"]);
    for (id, files) in [("1", json!(2)), ("5", json!(2)), ("3", json!(0)), ("7", json!(1))] {
        assert_eq!(
            share(&report, id).unwrap()["item"]["files_beneath"],
            files,
            "{id}"
        );
    }
    // Neither for files nor for what only colleagues can open.
    for id in ["2", "10"] {
        assert!(
            share(&report, id).unwrap()["item"]["files_beneath"].is_null(),
            "{id}"
        );
    }
    assert_eq!(asked(&stage), (2, 0));
    let thesis = folders(&report);
    let thesis = thesis.iter().find(|(path, ..)| path == "/Thesis").unwrap();
    assert_eq!(thesis.1, 1, "a disabled account's home tells as much");
}

#[test]
fn folders_without_folders_take_one_search() {
    let mut world = small();
    list(&mut account(&mut world, "bob")["files"]).push(json!({"path": "/Flat/a.txt"}));
    add_shares(
        &mut world,
        vec![json!({"id": 60, "type": "link", "owner": "bob", "path": "/Flat"})],
    );
    let stage = stage(&world, NO_CLASSES);
    let report = stage.report(&["--user", "bob", "--all-shares"]);
    assert_eq!(share(&report, "60").unwrap()["item"]["files_beneath"], 1);
    let searches = stage
        .requests()
        .into_iter()
        .filter(|each| each.method == "SEARCH");
    assert_eq!(
        searches
            .filter(|each| each.account.as_deref() == Some("bob"))
            .count(),
        1
    );
}

#[test]
fn many_folders_are_searched_and_few_are_walked() {
    // alice's own three folders come to those.
    for (number, expected) in [(0, (3, 0)), (20, (3, 0)), (60, (5, 0))] {
        let stage = stage(&with_folders(number), BY_NAME);
        let report = stage.report(&["--all-shares"]);
        assert_eq!(asked(&stage), expected, "{number}");
        let many = folders(&report);
        let many = many.iter().filter(|(path, ..)| path.starts_with("/Many/"));
        assert!(
            many.clone()
                .all(|(_, files, classified)| files == 2 && classified == false)
        );
        assert_eq!(many.count(), number);
    }
    let mut world = small();
    list(&mut world["nextcloud"]["shares"]).retain(|share| share["path"] != "/Drop");
    let stage = stage(&world, BY_NAME);
    stage.report(&[]);
    assert_eq!(asked(&stage), (0, 2), "/Projects and /Team");
}

/// What lies in folders that are shared, and whether that makes them confidential: patterns take only the letters of
/// ASCII without regard to case.
const NAMES: [(&str, bool); 15] = [
    ("deep/er/Passwords.KDBX", true),
    ("passwords.kdbx.txt", false),
    ("x/hr/a", true),
    ("x/HRx/a", false),
    ("x/_HR/a", false),
    ("GEHäLTER1/a", true),
    ("gehälter/a", false),
    ("GEHÄLTER1/a", false),
    ("Gehalter1/a", false),
    ("1_list.txt", true),
    ("1xlist.txt", false),
    ("12_LIST.csv", true),
    ("a_list.txt", false),
    ("100% & <odd>'s/HR/ü", true),
    ("100% & <odd>'s/other", false),
];

#[test]
fn names_are_found_by_searching_as_by_walking() {
    let mut world = small();
    for (place, (path, _)) in NAMES.iter().enumerate() {
        let top = format!("/50% off_{place} & <more>");
        list(&mut account(&mut world, "alice")["files"]).push(json!({"path": format!("{top}/{path}")}));
        add_shares(
            &mut world,
            vec![json!({"type": "link", "owner": "alice", "path": top})],
        );
    }
    let classified = |policy: &str, fault: Option<Value>| {
        let stage = stage(&world, policy);
        if let Some(fault) = fault {
            stage.fault(&fault);
        }
        let report = stage.report(&["--all-shares"]);
        let found = folders(&report);
        for (place, (path, expected)) in NAMES.iter().enumerate() {
            let top = format!("/50% off_{place} & <more>");
            let (_, files, classified) = found.iter().find(|(path, ..)| *path == top).unwrap();
            assert_eq!((files, classified), (&json!(1), &json!(expected)), "{path}");
        }
        asked(&stage)
    };
    let walks = 3 + NAMES.len();
    assert_eq!(classified(BY_NAME, None), (3, 0));
    // A pattern that ends in no name of its own is looked for by walking, and so is everything if searches fail.
    let everything = BY_NAME.replace("\"**/HR/**\"", "\"**/HR/**\", \"/Nowhere/*\"");
    assert_eq!(classified(&everything, None), (0, walks));
    assert_eq!(classified(BY_NAME, Some(failing("SEARCH", 1000))).1, walks);
}

#[test]
fn what_fails_one_way_is_tried_the_other_way() {
    let mut world = small();
    list(&mut world["nextcloud"]["shares"]).retain(|share| share["path"] != "/Drop");
    let stage = stage(&world, BY_NAME);
    stage.fault(
        &json!({"match": {"method": "PROPFIND", "account": "alice", "path_contains": "/files/"},
        "action": {"do": "status", "status": 500}}),
    );
    let report = stage.report(&["--all-shares"]);
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
    let item = &share(&report, "1").unwrap()["item"];
    assert_eq!(
        (&item["files_beneath"], &item["classified"]),
        (&json!(2), &json!(false))
    );
}

#[test]
fn folders_that_cannot_be_counted_together_are_counted_alone() {
    let stage = stage(&with_folders(5), NO_CLASSES);
    // The first search finds where the folders are, the second fails for one of them, with all its tries.
    stage.fault(&json!({"match": {"method": "SEARCH", "account": "alice"}, "times": 1, "action": {"do": "delay", "ms": 0}}));
    stage.fault(
        &json!({"match": {"method": "SEARCH", "account": "alice"}, "times": 1,
        "action": {"do": "status", "status": 404}}),
    );
    let report = stage.report(&["--all-shares"]);
    assert_eq!(problems(&report), [("erin", "account-disabled")]);
    assert_eq!(share(&report, "1").unwrap()["item"]["files_beneath"], 2);
    let (searches, _) = asked(&stage);
    assert_eq!(searches, 2 + 6, "/Projects and five more");
}

#[test]
fn a_number_that_is_missing_is_a_note_and_labels_that_are_missing_are_a_gap() {
    let stage = stage(&small(), NO_CLASSES);
    stage.fault(&failing("SEARCH", 1000));
    let report = stage.report(&["--all-shares"]);
    assert!(
        problems(&report).contains(&("alice", "not-counted")),
        "{report:#}"
    );
    assert_eq!(verdict(&report), "limited");
    assert!(share(&report, "1").unwrap()["item"]["files_beneath"].is_null());
    stage.configure(&Config {
        policy: BY_NAME,
        ..Config::default()
    });
    stage.fault(
        &json!({"match": {"method": "PROPFIND", "account": "alice", "path_contains": "/files/"},
        "action": {"do": "status", "status": 500}}),
    );
    let ran = stage.scan(&["--all-shares"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let report = ran.json();
    assert!(problems(&report).contains(&("alice", "labels-unreadable")));
    assert!(share(&report, "1").unwrap()["item"]["classified"].is_null());
}

#[test]
fn a_folder_that_the_server_has_not_looked_into_is_not_known() {
    let mut world = small();
    for name in ["One", "Two", "Three"] {
        list(&mut account(&mut world, "bob")["files"])
            .push(json!({"path": format!("/{name}/"), "id": 9000 + name.len()}));
        add_shares(
            &mut world,
            vec![json!({"type": "link", "owner": "bob", "path": format!("/{name}")})],
        );
    }
    let stage = stage(&world, BY_NAME);
    // The search for the folders finds one without a size; the one for names finds none, and is the last.
    let empty = r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>"#;
    let one = r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:response><d:href>/remote.php/dav/files/bob/Three/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype><oc:fileid>9005</oc:fileid><oc:size>-1</oc:size><nc:contained-file-count>0</nc:contained-file-count><nc:contained-folder-count>0</nc:contained-folder-count></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"#;
    for body in [one, empty] {
        stage.fault(&json!({"match": {"method": "SEARCH", "account": "bob"}, "times": 1, "action":
            {"do": "status", "status": 207, "headers": {"Content-Type": "application/xml; charset=\"utf-8\""}, "body": body}}));
    }
    let ran = stage.scan(&["--all-shares", "--user", "bob"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let report = ran.json();
    assert_eq!(problems(&report), [("bob", "labels-unreadable")]);
    for (path, files, classified) in folders(&report).iter().filter(|(path, ..)| path != "/Projects") {
        assert!(files.is_null() && classified.is_null(), "{path}");
    }
    let message = report["sources"][0]["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains("3 of the shared folders"), "{message}");
}

/// The small world, in which bob has shared a folder in which another storage is mounted at a place, and others.
fn with_mount(place: &str, unseen: bool) -> Value {
    let mut world = small();
    let files = list(&mut account(&mut world, "bob")["files"]);
    files.push(json!({"path": "/Open/in/x.txt"}));
    files.push(json!({"path": format!("/Open/{place}/"), "mount": true, "unseen": unseen}));
    files.push(json!({"path": format!("/Open/{place}/a.txt")}));
    files.push(json!({"path": format!("/Open/{place}/sub/b.txt")}));
    files.push(json!({"path": "/Other/in/y.txt"}));
    files.push(json!({"path": "/Third/z.txt"}));
    let share = |path: &str| json!({"type": "link", "owner": "bob", "path": path});
    add_shares(&mut world, ["/Open", "/Other", "/Third"].map(share).to_vec());
    world
}

/// What is told of bob's open folders, with the problems of a scan, and how many searches and walks that took.
fn of_bob(stage: &Stage) -> (Value, Vec<String>, (usize, usize)) {
    let before = stage.requests().len();
    let report = stage.scan(&["--all-shares", "--user", "bob"]).json();
    let told = folders(&report)
        .into_iter()
        .filter(|(path, ..)| path != "/Projects");
    let told: serde_json::Map<String, Value> = told
        .map(|(path, files, classified)| (path, json!([files, classified])))
        .collect();
    let problems = problems(&report).into_iter().map(|(_, code)| code.to_owned());
    let requests = stage.requests();
    let of = |method: &str| {
        requests
            .iter()
            .skip(before)
            .filter(|each| each.method == method && !each.path.contains("systemtags"))
            .count()
    };
    (told.into(), problems.collect(), (of("SEARCH"), of("PROPFIND")))
}

#[test]
fn what_is_mounted_beneath_a_folder_is_found() {
    for (place, classified) in [("HR", true), ("in/deep/HR", true), ("Else", false)] {
        let all = |open: Value| {
            let by_name = !open.is_null();
            let rest = if by_name { json!(false) } else { Value::Null };
            json!({"/Open": [3, open], "/Other": [1, rest], "/Third": [1, rest]})
        };
        let world = with_mount(place, false);
        let stage = stage(&world, BY_NAME);
        assert_eq!(
            of_bob(&stage),
            (all(json!(classified)), vec![], (3, 1)),
            "{place}"
        );
        let alone = format!("{place} alone");
        // Where one folder has folders, its search finds the mount, and names it in vain.
        stage.change(&json!({"do": "remove", "owner": "bob", "file": "/Other/in"}));
        let (told, problems, asked) = of_bob(&stage);
        assert_eq!(told["/Open"], json!([3, classified]), "{alone}");
        assert_eq!((problems, asked), (vec![], (3, 1)), "{alone}");
    }
}

#[test]
fn what_is_mounted_is_counted_where_nothing_classifies() {
    let stage = stage(&with_mount("in/HR", false), NO_CLASSES);
    let (told, problems, asked) = of_bob(&stage);
    let files: Vec<_> = ["/Open", "/Other", "/Third"]
        .map(|path| told[path][0].clone())
        .to_vec();
    assert_eq!(files, [json!(3), json!(1), json!(1)]);
    assert_eq!((problems, asked), (vec![], (3, 0)));
}

#[test]
fn a_mount_that_the_server_has_not_looked_into_is_not_known() {
    let stage = stage(&with_mount("Else", true), BY_NAME);
    let (told, problems, asked) = of_bob(&stage);
    let expected = json!({"/Open": [null, null], "/Other": [1, false], "/Third": [1, false]});
    assert_eq!(
        (told, problems, asked),
        (expected, vec!["labels-unreadable".to_owned()], (3, 1))
    );
    stage.configure(&Config {
        policy: NO_CLASSES,
        ..Config::default()
    });
    let (told, problems, _) = of_bob(&stage);
    assert_eq!((&told["/Open"][0], &told["/Other"][0]), (&Value::Null, &json!(1)));
    assert_eq!(problems, ["not-counted"]);
    // Nor is it by walking, where there are few.
    let mut world = with_mount("Else", true);
    list(&mut world["nextcloud"]["shares"])
        .retain(|share| share["path"] != "/Other" && share["path"] != "/Third");
    let stage = self::stage(&world, BY_NAME);
    let (told, problems, asked) = of_bob(&stage);
    assert_eq!(
        (&told["/Open"], problems),
        (&json!([null, null]), vec!["labels-unreadable".to_owned()])
    );
    assert_eq!(asked.0, 0, "walked");
}

const EMPTY: &str = r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>"#;

/// The answer to the search of bob's home that comes after so many.
fn answering(after: u64, times: Option<u64>, body: &str) -> Value {
    json!({"match": {"method": "SEARCH", "account": "bob"}, "after": after, "times": times, "action":
        {"do": "status", "status": 207, "headers": {"Content-Type": "application/xml; charset=\"utf-8\""}, "body": body}})
}

#[test]
fn folders_that_a_search_does_not_tell_of_are_missed() {
    let mut world = with_mount("Else", false);
    list(&mut account(&mut world, "bob")["files"])
        .retain(|file| !file["path"].as_str().unwrap().contains("Else"));
    let whole = json!({"/Open": [1, false], "/Other": [1, false], "/Third": [1, false]});
    let none = json!({"/Open": [null, null], "/Other": [null, null], "/Third": [1, false]});
    let stage = stage(&world, BY_NAME);
    assert_eq!(of_bob(&stage), (whole.clone(), vec![], (3, 0)));
    // The second search finds no folder at all: both are walked.
    stage.fault(&answering(1, Some(1), EMPTY));
    assert_eq!(of_bob(&stage), (whole, vec![], (3, 2)));
    stage.no_faults();
    stage.fault(&answering(1, Some(1), EMPTY));
    stage.fault(
        &json!({"match": {"method": "PROPFIND", "account": "bob", "path_contains": "/files/"},
        "action": {"do": "status", "status": 404}}),
    );
    let (told, problems, _) = of_bob(&stage);
    assert_eq!(told, none);
    assert!(problems.contains(&"labels-unreadable".to_owned()), "{problems:?}");
    // Without classes they are searched one by one.
    stage.configure(&Config {
        policy: NO_CLASSES,
        ..Config::default()
    });
    stage.no_faults();
    stage.fault(&answering(1, Some(1), EMPTY));
    let (told, problems, asked) = of_bob(&stage);
    assert_eq!((&told["/Open"][0], problems, asked), (&json!(1), vec![], (4, 0)));
    stage.no_faults();
    stage.fault(&answering(1, None, EMPTY));
    let (told, problems, _) = of_bob(&stage);
    assert_eq!((&told["/Open"][0], &told["/Third"][0]), (&Value::Null, &json!(1)));
    assert_eq!(problems, ["not-counted"]);
}

#[test]
fn a_folder_that_cannot_be_counted_is_classified_unless_something_is_mounted_there() {
    let refused = json!({"match": {"method": "SEARCH", "account": "bob"}, "after": 1, "times": 1,
        "action": {"do": "status", "status": 404}});
    let mut world = with_mount("HR", false);
    let files = list(&mut account(&mut world, "bob")["files"]);
    files.retain(|file| file["path"] != "/Other/in/y.txt");
    files.push(json!({"path": "/Other/"}));
    let stage = stage(&world, BY_NAME);
    stage.fault(&refused);
    let (told, _, asked) = of_bob(&stage);
    assert_eq!((&told["/Open"], asked), (&json!([3, true]), (4, 1)));
    stage.change(&json!({"do": "remove", "owner": "bob", "file": "/Open/HR"}));
    stage.no_faults();
    stage.fault(&refused);
    let (told, problems, asked) = of_bob(&stage);
    assert_eq!((&told["/Open"], asked), (&json!([null, false]), (4, 0)));
    assert_eq!(problems, ["not-counted"]);
}

#[test]
fn so_many_names_that_some_may_be_missing_are_left_to_walks() {
    let mut world = with_mount("Else", false);
    list(&mut account(&mut world, "bob")["files"])
        .retain(|file| !file["path"].as_str().unwrap().contains("Else"));
    for (number, walks) in [(4_999, 0), (5_000, 3)] {
        let stage = stage(&world, BY_NAME);
        let row = "<d:response><d:href>/remote.php/dav/files/bob/HR</d:href></d:response>";
        let body = format!(
            "<d:multistatus xmlns:d=\"DAV:\">{}</d:multistatus>",
            row.repeat(number)
        );
        stage.fault(&answering(2, Some(1), &body));
        assert_eq!(of_bob(&stage).2, (3, walks), "{number}");
    }
}

#[test]
fn a_number_of_an_earlier_night_is_not_told_as_this_nights() {
    let stage = stage(&small(), NO_CLASSES);
    let night = |now: &str| {
        let report = stage
            .run_at(now, &["scan", "--format", "json", "--all-shares"])
            .ended(0)
            .json();
        share(&report, "1").unwrap()["item"]["files_beneath"].clone()
    };
    assert_eq!(night("2026-11-22T12:00:00Z"), json!(2));
    stage.fault(&failing("SEARCH", 1_000));
    assert_eq!(night("2026-11-23T12:00:00Z"), Value::Null);
    stage.no_faults();
    assert_eq!(night("2026-11-24T12:00:00Z"), json!(2));
}
