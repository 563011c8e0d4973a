//! Letters, from the program that writes them: looked at, into a folder, and one run at a time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Config, NOW, Stage, demo, demo_report, findings};

const MAIL: &str =
    "[mail]\nfrom = \"Share audit <audit@example.org>\"\nfallback = \"it-security@example.org\"\n";

/// The demo's Nextcloud, scanned, with nothing held back.
fn scanned(mail: &str) -> Stage {
    let stage = Stage::of(&demo());
    configured(&stage, mail);
    stage.run(&["scan", "-q"]).ended(0);
    stage.run(&["baseline", "release", "--source", "cloud"]).ended(0);
    stage
}

fn configured(stage: &Stage, mail: &str) {
    stage.configure(&Config {
        more: mail,
        ..Config::default()
    });
}

/// The letters of a folder: their headers by name, and their words as plain text.
fn letters(folder: &Path) -> Vec<(BTreeMap<String, String>, String)> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| parsed(&fs::read_to_string(path).unwrap()))
        .collect()
}

/// A message as RFC 5322 and 2045 have it.
fn parsed(text: &str) -> (BTreeMap<String, String>, String) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers: BTreeMap<_, _> = head
        .split("\r\n")
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let boundary = headers["content-type"].split("boundary=\"").nth(1).unwrap();
    let boundary = boundary.split('"').next().unwrap();
    let plain = body
        .split(&format!("--{boundary}"))
        .find(|part| part.to_lowercase().contains("content-type: text/plain"))
        .unwrap();
    let (head, words) = plain.split_once("\r\n\r\n").unwrap();
    let words = if head.to_lowercase().contains("base64") {
        use base64::Engine as _;
        let joined: String = words.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(joined).unwrap()
    } else if head.to_lowercase().contains("quoted-printable") {
        let joined = words.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'=' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        bytes
    } else {
        words.as_bytes().to_vec()
    };
    (headers, String::from_utf8(words).unwrap())
}

/// The owners of findings that they are to hear of, by address.
fn owners_with_findings(report: &Value) -> BTreeMap<String, Vec<String>> {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in findings(report) {
        let share = &finding["share"];
        let is_told = !matches!(finding["level"].as_str(), Some("info" | "low"));
        if let (true, Some(address), Some(true)) = (
            is_told,
            share["owner"]["email"].as_str(),
            share["owner"]["active"].as_bool(),
        ) {
            let path = share["item"]["path"].as_str().unwrap().to_owned();
            owners.entry(address.to_owned()).or_default().push(path);
        }
    }
    owners
}

#[test]
fn letters_are_looked_at_before_any_is_sent() {
    let stage = scanned(MAIL);
    let folder = stage.path("letters");
    let preview = ["notify", "--preview", &folder.to_string_lossy()];
    stage.run(&preview).ended(0);
    let written = letters(&folder);
    let owners = owners_with_findings(demo_report());
    assert!(owners.len() > 10, "{owners:?}");
    for (address, paths) in &owners {
        let theirs: Vec<_> = written
            .iter()
            .filter(|(headers, _)| headers["to"].contains(address.as_str()))
            .collect();
        assert!(!theirs.is_empty(), "{address}");
        // Hidden signs and right-to-left marks are made visible, and very long names are cut.
        for path in paths
            .iter()
            .filter(|path| path.is_ascii() && path.len() < 60 && !path.contains("Open data"))
        {
            assert!(
                theirs.iter().any(|(_, words)| words.contains(path.as_str())),
                "{address}: {path}"
            );
        }
    }
    for (headers, words) in &written {
        assert_eq!(headers["sensitivity"], "Company-Confidential");
        assert!(
            headers["to"].contains("@example.org") && !headers["to"].contains(','),
            "{headers:?}"
        );
        assert!(!words.contains("/s/") && !words.contains("password="), "{words}");
    }
    // It is no letter: the next one writes the same.
    let before = written.len();
    stage.run(&preview).ended(0);
    assert_eq!(letters(&folder).len(), before);
}

#[test]
fn what_a_baseline_holds_back_is_counted() {
    let stage = Stage::of(&demo());
    configured(&stage, MAIL);
    stage.run(&["scan", "-q"]).ended(0);
    let folder = stage.path("letters").to_string_lossy().into_owned();
    let preview = ["notify", "--preview", &folder];
    let ran = stage.run(&preview);
    ran.ended(0);
    assert!(ran.out.contains("shares are of a baseline"), "{}", ran.out);
    let release = ["baseline", "release", "--source", "cloud"];
    stage.run(&release).ended(0);
    let ran = stage.run(&preview);
    assert!(!ran.out.contains("baseline"), "{}", ran.out);
}

#[test]
fn letters_that_left_do_not_leave_again_before_their_time() {
    let stage = scanned(MAIL);
    stage.run(&["notify"]).ended(2);
    let outbox = stage.path("outbox");
    fs::create_dir(&outbox).unwrap();
    let transport = format!(
        "{MAIL}mode = \"on\"\ntransport = {{ kind = \"files\", directory = {} }}\n",
        toml::Value::from(outbox.to_string_lossy().into_owned())
    );
    configured(&stage, &format!("{transport}max_letters = 3\n"));
    let ran = stage.run(&["notify"]);
    ran.ended(5);
    assert!(ran.out.contains("more than `max_letters`"), "{}", ran.out);
    assert_eq!(letters(&outbox).len(), 1, "the operator is told");
    configured(&stage, &transport);
    let trial = stage.run(&["notify", "--redirect-to", "trial@example.org"]);
    trial.ended(0);
    let on_trial = letters(&outbox).len();
    assert!(
        letters(&outbox)
            .iter()
            .filter(|(headers, _)| headers["to"].contains("trial@example.org"))
            .count()
            > 10
    );
    stage
        .run(&["notify", "--redirect-to", "trial@elsewhere.example"])
        .ended(2);
    stage.run(&["notify"]).ended(0);
    let all = letters(&outbox).len();
    assert!(all > on_trial + 10, "owners were not told by a trial");
    let again = stage.run(&["notify"]);
    again.ended(0);
    assert!(again.out.contains("0 of 0 letters"), "{}", again.out);
    stage.run_at("2026-11-29T12:00:00Z", &["notify"]).ended(0);
    assert!(
        letters(&outbox).len() > all + 10,
        "what stands is told again after a week"
    );
}

#[test]
fn what_is_wrong_is_told_before_anything_is_sent() {
    let stage = scanned(MAIL);
    let folder = stage.path("letters").to_string_lossy().into_owned();
    let refused = |arguments: &[&str], words: &str| {
        let ran = stage.run(arguments);
        ran.ended(2);
        assert!(ran.err.contains(words), "{}", ran.err);
    };
    refused(&["--no-state", "notify"], "--no-state");
    let map = stage.write("people.csv", "source,account,person\ncloud,alice\nlab,bob,Bob\n");
    let mapped = format!(
        "{MAIL}[identity]\nmap = {}\n",
        toml::Value::from(map.to_string_lossy().into_owned())
    );
    configured(&stage, &mapped);
    refused(&["notify", "--preview", &folder], "line 2:");
    refused(&["notify", "--preview", &folder], "line 3:");
    let elsewhere = "mode = \"on\"\ntransport = { kind = \"smtp\", host = \"mail.example.org\" }\n";
    configured(&stage, &format!("{MAIL}{elsewhere}"));
    refused(&["notify"], "--now is for rehearsals");
    configured(&stage, &format!("{MAIL}attach = \"csv\"\n"));
    stage.write("attachments.key", "cut");
    refused(
        &["notify", "--preview", &folder],
        "no key that passwords are derived from",
    );
    fs::set_permissions(stage.path("attachments.key"), fs::Permissions::from_mode(0o640)).unwrap();
    refused(&["notify", "--preview", &folder], "others may read it");
    fs::remove_file(stage.path("attachments.key")).unwrap();
    std::os::unix::fs::symlink(stage.path("missing/key"), stage.path("attachments.key")).unwrap();
    refused(&["notify", "--preview", &folder], "attachments.key: ");
    fs::remove_file(stage.path("attachments.key")).unwrap();
    configured(&stage, MAIL);
    assert!(!stage.path("letters").exists());
    stage.run(&["notify", "--preview", &folder]).ended(0);
    let empty = Stage::of(&demo());
    configured(&empty, MAIL);
    let ran = empty.run_at(NOW, &["notify", "--preview", &folder]);
    ran.ended(2);
    assert!(ran.err.contains("no run is stored yet"), "{}", ran.err);
}

#[test]
fn two_runs_do_not_send_at_once() {
    let stage = scanned(MAIL);
    let outbox = stage.path("outbox");
    fs::create_dir(&outbox).unwrap();
    let transport = format!(
        "{MAIL}mode = \"on\"\ntransport = {{ kind = \"files\", directory = {} }}\n",
        toml::Value::from(outbox.to_string_lossy().into_owned())
    );
    configured(&stage, &transport);
    let lock = fs::File::create(stage.path("state.db-letters.lock")).unwrap();
    lock.lock().unwrap();
    let ran = stage.run(&["notify"]);
    ran.ended(2);
    assert!(ran.err.contains("letters are being sent"), "{}", ran.err);
    let preview = stage.path("letters").to_string_lossy().into_owned();
    stage.run(&["notify", "--preview", &preview]).ended(0);
    drop(lock);
    stage.run(&["notify"]).ended(0);
}
