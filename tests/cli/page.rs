//! The report as a page, in its languages, and what one owner should see of a stored run.

use serde_json::{Value, json};

use crate::harness::{Config, Program, Ran, Stage, account, add_shares, findings, list, small, verdict};

const NEXT_DAY: &str = "2026-11-23T12:00:00Z";

/// A stored run as one person should see it.
fn own(stage: &Stage, who: &str, code: i32) -> Value {
    let ran = stage.run(&["report", "--user", who, "--format", "json"]);
    ran.ended(code).json()
}

/// Whether a page says that a run is incomplete before it says anything else.
fn looks_incomplete(ran: &Ran) -> bool {
    let first = ran.out.split_once("<nav").unwrap().0;
    first.contains("<body class=\"incomplete\">") && first.contains("This report is incomplete")
}

#[test]
fn a_page_holds_what_the_document_holds() {
    let stage = Stage::small();
    let page = stage.run(&["scan", "--format", "html"]);
    let report = stage.run(&["report", "--format", "json"]).ended(0).json();
    assert!(page.ended(0).out.starts_with("<!DOCTYPE html>") && page.out.ends_with("</html>"));
    for finding in findings(&report) {
        let id = finding["id"].as_str().unwrap();
        assert_eq!(page.out.matches(&format!("id=\"f-{id}\"")).count(), 1, "{id}");
    }
    assert!(!looks_incomplete(&page));
    assert!(page.out.contains("There is no earlier run to compare with."));
    assert!(!page.out.contains("https:"), "no page is linked to");
    let again = stage.run(&["report", "--format", "html"]);
    assert_eq!(again.ended(0).out, page.out);
}

#[test]
fn every_share_is_on_the_page_where_that_is_asked_for() {
    let stage = Stage::small();
    let report = stage.report(&["--all-shares"]);
    let page = stage.run(&["--no-state", "scan", "--all-shares", "--format", "html"]);
    let shares = page.ended(0).out.split_once("<h2 id=\"shares\">").unwrap().1;
    assert_eq!(
        shares.matches("<li class=\"finding\">").count(),
        report["shares"].as_array().unwrap().len()
    );
}

#[test]
fn a_page_tells_the_course_of_time() {
    let stage = Stage::small();
    stage.run(&["scan"]).ended(0);
    stage.change(&json!({"do": "remove", "share": 1}));
    let page = stage.run_at(NEXT_DAY, &["scan", "--format", "html"]);
    let trend = page.ended(0).out.split_once("<h2 id=\"trend\">").unwrap().1;
    assert!(trend.contains("in the last 2 runs, from 22 November 2026 to 23 November 2026"));
    let first = stage.run(&["report", "--format", "json"]).json()["run"]["id"].clone();
    let again = stage.run(&["report", "--run", first.as_str().unwrap(), "--format", "html"]);
    assert_eq!(again.ended(0).out, page.out);
    let alone = stage.run_at(NEXT_DAY, &["--no-state", "scan", "--format", "html"]);
    assert!(
        alone
            .ended(0)
            .out
            .contains("There is no earlier run to compare with.")
    );
}

#[test]
fn a_page_is_in_the_language_of_letters_or_in_the_one_asked_for() {
    let stage = Stage::small();
    stage.configure(&Config {
        more: "[mail]\nlanguage = \"de-AT\"",
        ..Config::default()
    });
    let scan = |arguments: &[&str]| {
        let ran = stage.run(&[&["--no-state", "scan", "--format", "html"], arguments].concat());
        ran.ended(0).out.clone()
    };
    assert!(scan(&[]).contains("<html lang=\"de\"") && scan(&[]).contains("<h1>Geteilte Dateien</h1>"));
    assert!(scan(&["--language", "fr"]).contains("<h1>Fichiers partagés</h1>"));
    stage.run(&["scan", "--language", "it"]).ended(2);
}

#[test]
fn a_page_of_an_incomplete_run_says_so_first() {
    let stage = Stage::small();
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": {"do": "status", "status": 500}}));
    let page = stage.run(&["scan", "--format", "html"]);
    assert!(looks_incomplete(page.ended(3)), "{}", &page.out[..3000]);
    assert!(looks_incomplete(
        stage.run(&["report", "--format", "html"]).ended(3)
    ));
}

#[test]
fn owners_see_what_they_own_or_shared_and_nothing_else() {
    let mut world = small();
    list(&mut account(&mut world, "bob")["files"]).push(json!({"path": "/Bob's own.txt"}));
    add_shares(
        &mut world,
        vec![json!({"id": 90, "type": "link", "owner": "bob", "path": "/Bob's own.txt"})],
    );
    let stage = Stage::of(&world);
    let whole = stage.run(&["scan", "--format", "json"]).ended(0).json();
    let is_of = |finding: &Value, who: &str| {
        [
            &finding["share"]["owner"]["id"],
            &finding["share"]["shared_by"]["id"],
        ]
        .contains(&&json!(who))
    };
    for (who, asked) in [("bob", "bob"), ("alice", "Alice@example.org"), ("gina", "gina")] {
        let report = own(&stage, asked, 0);
        let theirs: Vec<_> = findings(&whole)
            .iter()
            .filter(|finding| is_of(finding, who))
            .collect();
        assert_eq!(findings(&report).iter().collect::<Vec<_>>(), theirs, "{who}");
        assert_eq!(report["totals"]["findings"], theirs.len());
        assert_eq!(report["run"]["scope"]["users"], json!([asked]));
        assert_eq!(report["run"]["scope"]["full"], false);
        assert_eq!(report["run"]["id"], whole["run"]["id"]);
        let source = &report["sources"][0];
        assert_eq!(
            source["accounts"],
            json!({"found": 1, "scanned": 1, "skipped": 0, "failed": 0, "gone": 0})
        );
        assert_eq!(source["control"], Value::Null);
        assert_eq!(source["inventory"]["known_percent"], 100.0);
        assert_eq!(report["notices"], json!([]));
    }
    assert!(!findings(&own(&stage, "bob", 0)).is_empty());
    let page = stage.run(&["report", "--user", "bob", "--format", "html"]);
    assert!(
        page.ended(0)
            .out
            .contains("<h1>Shared files of <bdi>bob</bdi></h1>")
    );
    for others in ["erin", "Erin", "salaries", "Thesis"] {
        assert!(!page.out.contains(others), "{others}");
    }
    for format in ["table", "ndjson", "csv"] {
        let printed = stage.run(&["report", "--user", "bob", "--format", format]);
        assert!(printed.ended(0).out.contains("Bob's own.txt"), "{format}");
        assert!(!printed.out.contains("salaries"), "{format}");
    }
    let nobody = stage.run(&["report", "--user", "nobody"]);
    assert!(
        nobody
            .ended(2)
            .err
            .contains("nothing is known of the account \"nobody\"")
    );
}

#[test]
fn what_was_read_of_others_says_nothing_about_ones_own() {
    let stage = Stage::small();
    stage.fault(&json!({"match": {"path_contains": "api/v1/shares", "account": "alice"}, "action": {"do": "status", "status": 500}}));
    stage.run(&["scan"]).ended(3);
    let bob = own(&stage, "bob", 0);
    assert_ne!(verdict(&bob), "incomplete");
    assert!(!bob.to_string().contains("\"scope\":\"alice\""));
    let alice = own(&stage, "alice", 3);
    assert_eq!(alice["sources"][0]["accounts"]["failed"], 1);
    // A disabled account is out of reach, and says so to its owner only.
    assert_eq!(verdict(&own(&stage, "erin", 0)), "limited");
}

#[test]
fn the_latest_run_that_looked_at_somebody_is_reported() {
    let stage = Stage::small();
    let run = |report: Value| report["run"]["id"].as_str().unwrap().to_owned();
    let whole = run(stage.run(&["scan", "--format", "json"]).ended(0).json());
    let alice = run(stage
        .run(&["scan", "--user", "alice", "--format", "json"])
        .ended(0)
        .json());
    assert_eq!(run(own(&stage, "bob", 0)), whole);
    assert_eq!(run(own(&stage, "ALICE", 0)), alice);
    stage.run(&["report", "--run", &alice, "--user", "bob"]).ended(2);
    let report = stage.run(&["report", "--run", &alice, "--user", "alice", "--format", "json"]);
    assert!(!findings(&report.ended(0).json()).is_empty());
}

#[test]
fn the_demonstration_writes_its_page_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |arguments: &[&str]| {
        let mut program = Program::new(folder.path());
        program.arguments(&["demo"]).arguments(arguments).run()
    };
    let page = folder.path().join("report.html");
    let ran = demo(&["--output", &page.to_string_lossy(), "--language", "de"]);
    assert!(ran.ended(0).err.contains(&*page.to_string_lossy()));
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("<html lang=\"de\"") && text.contains("Merger options.pptx"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    demo(&["--output", "no/such/folder.html"]).ended(5);
}
