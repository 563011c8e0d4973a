use proptest::prelude::*;
use serde_json::{Value, json};

use super::{HOSTILE, book::Book, written};
use crate::report::{Format, Style};

fn document(book: &Book) -> (String, Value) {
    let text = written(Format::Json, Style::default(), book);
    let document = serde_json::from_str(&text).unwrap();
    (text, document)
}

/// Fails unless the object has these keys and no other, in this order in the text.
#[track_caller]
fn assert_keys(object: &Value, text: &str, keys: &[&str]) {
    let mut found: Vec<&String> = object.as_object().unwrap().keys().collect();
    let mut expected: Vec<&str> = keys.to_vec();
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let mut from = 0;
    for key in keys {
        let at = text[from..].find(&format!("\"{key}\":"));
        from += at.unwrap_or_else(|| panic!("`{key}` stands before {keys:?}"));
    }
}

/// The text from a key on.
fn after<'a>(text: &'a str, key: &str) -> &'a str {
    text.split_once(&format!("\"{key}\":")).unwrap().1
}

#[test]
fn the_document_is_as_documented() {
    let (text, document) = document(&Book::ordinary());
    insta::assert_snapshot!(text);
    let top = [
        "schema", "tool", "run", "sources", "totals", "notices", "findings", "shares",
    ];
    assert_keys(&document, &text, &top);
    assert_eq!(document["schema"], "sharewarden.report/v1");
    assert_keys(&document["tool"], after(&text, "tool"), &["name", "version"]);
    let run = &document["run"];
    let run_text = after(&text, "run");
    assert_keys(
        run,
        run_text,
        &[
            "id",
            "started_at",
            "finished_at",
            "baseline",
            "scope",
            "verdict",
            "policy",
            "journal_head",
        ],
    );
    assert_keys(&run["scope"], run_text, &["sources", "users", "rules", "full"]);
    let policy = [
        "digest",
        "rules_digest",
        "rules_off",
        "overrides",
        "waivers",
        "exclusions",
        "gaps",
    ];
    assert_keys(&run["policy"], after(run_text, "policy"), &policy);

    let source = &document["sources"][0];
    let source_text = text.split_once("\"sources\": [").unwrap().1;
    let keys = [
        "name",
        "kind",
        "product",
        "verdict",
        "accounts",
        "inventory",
        "rules_not_judged",
        "classification_undetermined",
        "not_covered",
        "items_seen",
        "shares_seen",
        "requests",
        "control",
        "problems",
    ];
    assert_keys(source, source_text, &keys);
    assert_keys(
        &source["accounts"],
        source_text,
        &["found", "scanned", "skipped", "failed", "gone"],
    );
    assert_keys(
        &source["inventory"],
        source_text,
        &["known_percent", "oldest_check", "read_on", "unread"],
    );
    let requests = ["sent", "retried", "throttled", "units", "waited_seconds"];
    assert_keys(&source["requests"], source_text, &requests);
    assert_keys(
        &source["control"]["link"],
        source_text,
        &["expected", "seen", "before", "after"],
    );
    assert_keys(
        &source["problems"][0],
        after(source_text, "problems"),
        &["scope", "code", "message"],
    );
    let totals = ["shares", "findings", "waived", "by_level", "by_rule", "by_status"];
    assert_keys(&document["totals"], after(&text, "totals"), &totals);
    assert_eq!(
        document["totals"]["by_level"],
        json!({"critical": 2, "high": 2, "medium": 3})
    );
    assert_keys(
        &document["notices"][0],
        after(&text, "notices"),
        &["code", "message"],
    );
}

#[test]
fn a_finding_is_as_documented() {
    let (text, document) = document(&Book::ordinary());
    let finding = &document["findings"][0];
    let text = after(&text, "findings");
    let text = text.split_once("\"findings\": [").map_or(text, |(_, rest)| rest);
    let keys = [
        "id",
        "rule",
        "level",
        "status",
        "first_seen",
        "last_seen",
        "checked_at",
        "source",
        "due",
        "waiver",
        "message",
        "remedy",
        "share",
    ];
    assert_keys(finding, text, &keys);
    assert_eq!(finding["remedy"], json!({"action": "revoke"}));
    let share = &finding["share"];
    let text = after(text, "share");
    let keys = [
        "id",
        "kind",
        "audience",
        "access",
        "password",
        "expires",
        "expired",
        "created_at",
        "inherited",
        "label",
        "link",
        "item",
        "owner",
        "shared_by",
        "recipients",
        "opened_by",
        "unknown",
    ];
    assert_keys(share, text, &keys);
    assert_eq!(share["access"], json!(["view", "download"]));
    let item = [
        "id",
        "path",
        "name",
        "kind",
        "size",
        "files_beneath",
        "classified",
        "labels",
        "drive",
    ];
    assert_keys(&share["item"], after(text, "item"), &item);
    assert_keys(
        &share["owner"],
        after(text, "owner"),
        &["id", "name", "email", "kind", "active"],
    );
    assert_eq!(document["shares"][0], *share, "the same object");
    let waived = &document["findings"][5]["waiver"];
    assert_eq!(waived["until"], "2027-03-31");
    assert_eq!(document["findings"][6]["share"], Value::Null, "about settings");
}

#[test]
fn findings_stand_on_lines_of_their_own() {
    let book = Book::ordinary();
    let (text, _) = document(&book);
    for finding in &book.findings {
        let line = text.lines().find(|line| line.contains(&finding.id)).unwrap();
        assert!(line.starts_with("    {") && line.trim_end_matches(',').ends_with('}'));
    }
}

#[test]
fn an_empty_report_is_a_whole_document() {
    let mut book = Book::clean();
    book.header.sources.clear();
    let (_, document) = document(&book);
    for list in ["sources", "notices", "findings", "shares"] {
        assert_eq!(document[list], json!([]));
    }
}

#[test]
fn a_failing_store_fails_the_report() {
    struct Torn(Book);
    impl crate::report::Pages for Torn {
        fn header(&self) -> &crate::report::view::Header {
            &self.0.header
        }
        fn findings(
            &self,
            visit: &mut dyn FnMut(crate::report::view::Finding) -> std::io::Result<()>,
        ) -> std::io::Result<()> {
            visit(self.0.findings[0].clone())?;
            Err(std::io::Error::other("torn"))
        }
        fn events(
            &self,
            after: u64,
            visit: &mut dyn FnMut(u64, crate::report::view::Happening) -> std::io::Result<()>,
        ) -> std::io::Result<u64> {
            self.0.events(after, visit)?;
            Err(std::io::Error::other("torn"))
        }
        fn shares(
            &self,
            _: &mut dyn FnMut(crate::report::view::Share) -> std::io::Result<()>,
        ) -> std::io::Result<()> {
            Ok(())
        }
        fn trend(&self) -> std::io::Result<Vec<crate::report::view::Point>> {
            self.0.trend()
        }
    }
    for format in Format::ALL {
        let result = crate::report::write(
            *format,
            Style::default(),
            &Torn(Book::ordinary()),
            &mut Vec::new(),
        );
        assert_eq!(result.unwrap_err().to_string(), "torn");
    }
}

#[test]
fn a_closed_pipe_is_told_as_one() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let result = crate::report::write(*format, Style::default(), &Book::ordinary(), &mut Closed);
        assert_eq!(
            result.unwrap_err().kind(),
            std::io::ErrorKind::BrokenPipe,
            "{format}"
        );
    }
}

proptest! {
    #![proptest_config(super::cases(24))]

    #[test]
    fn whatever_the_names_the_document_holds_them(text in ".{0,60}", hostile in prop::sample::select(HOSTILE)) {
        for text in [text.as_str(), hostile, &format!("{text}{hostile}{text}")] {
            let (json, document) = document(&Book::filled(text));
            prop_assert!(!json.chars().any(|c| c != '\n' && crate::report::text::is_hidden(c)));
            prop_assert_eq!(&document["findings"][0]["share"]["item"]["path"], text);
            prop_assert_eq!(&document["findings"][0]["share"]["owner"]["name"], text);
        }
    }
}
