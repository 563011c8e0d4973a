//! The list of all that an owner is told: attached to a letter, taken by a real mail server, and opened with an ordinary tool.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::attached::opened;
use super::real::{Real, alone, python};
use super::skipped;
use crate::harness::{Config, Stage, demo, findings, tenant};

const MAIL: &str = "[mail]\nmode = \"on\"\nfrom = \"Share audit <audit@example.org>\"\nfallback = \"it-security@example.org\"\n\
                    attach = \"csv\"\n";

const AGREED: &str = "correct horse, battery";
const MAIL_OFF: &str = "[mail]\nallowed_domains = [\"example.org\"]\n";

/// The demo's Nextcloud, scanned, with nothing held back.
fn scanned(mail: &str) -> Stage {
    let stage = Stage::of(&demo());
    stage.configure(&Config {
        more: mail,
        ..Config::default()
    });
    stage.run(&["scan", "-q"]).ended(0);
    stage.run(&["baseline", "release", "--source", "cloud"]).ended(0);
    stage
}

fn into(folder: &Path) -> String {
    let folder = toml::Value::from(folder.to_string_lossy().into_owned());
    format!("{MAIL}transport = {{ kind = \"files\", directory = {folder} }}\n")
}

/// What `mail password` says, and nothing else.
fn password(stage: &Stage, owner: &[&str]) -> String {
    let ran = stage.run(&[&["mail", "password"], owner].concat());
    ran.ended(0);
    let password = ran.out.trim_end().to_owned();
    assert!(
        !password.contains(char::is_whitespace) && !ran.err.contains(&password),
        "{}",
        ran.err
    );
    password
}

/// The rows of a list by their titles; nothing where 7-Zip is not installed.
fn rows(archive: &Path, password: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let (is_whole, bytes) = opened(archive, password)?;
    assert!(is_whole, "{}", archive.display());
    let text = String::from_utf8(bytes).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    let delimiter = if text.starts_with("Number,") { b',' } else { b';' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    Some(reader.deserialize().map(Result::unwrap).collect())
}

/// The findings of the latest report that owners hear of: those of each address, as far as letters go there; and all.
fn told(stage: &Stage) -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let report = stage.run(&["report", "--format", "json"]).ended(0).json();
    let (mut by_address, mut all) = (BTreeMap::<_, BTreeSet<_>>::new(), BTreeSet::new());
    for finding in findings(&report) {
        let is_told = !matches!(finding["level"].as_str(), Some("info" | "low"));
        if is_told && finding["status"] != "waived" && !finding["share"].is_null() {
            let id = finding["id"].as_str().unwrap().to_owned();
            let owner = &finding["share"]["owner"];
            if let (Some(address), Some(true)) = (owner["email"].as_str(), owner["active"].as_bool()) {
                by_address
                    .entry(address.to_lowercase())
                    .or_default()
                    .insert(id.clone());
            }
            all.insert(id);
        }
    }
    (by_address, all)
}

#[test]
fn each_letter_has_all_of_its_readers_findings_and_only_its_readers_password_opens_it() {
    if python().is_none() {
        return skipped("no Python with aiosmtpd, so that no list was sent to a real mail server");
    }
    let folder = tempfile::tempdir().unwrap();
    alone(folder.path());
    let real = Real::start(folder.path(), "none");
    let port = real.port;
    let stage = scanned(&format!(
        "{MAIL}transport = {{ kind = \"smtp\", host = \"localhost\", port = {port}, tls = \"none\" }}\n"
    ));
    let ran = stage.run(&["-vv", "notify"]);
    ran.ended(0);
    assert!(ran.err.contains("attachments.key was made"), "{}", ran.err);
    let key = stage.path("attachments.key");
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let arrived = real.arrived();
    let (by_address, all) = told(&stage);
    assert!(by_address.len() > 10 && arrived.len() > by_address.len());
    let mut listed = BTreeSet::new();
    let mut passwords = BTreeSet::new();
    for letter in &arrived {
        let parts = letter["parts"].as_array().unwrap();
        let subject = letter["headers"]["Subject"].as_str().unwrap();
        let text = parts[0]["text"].as_str().unwrap();
        if subject.contains("Share audit of") {
            assert_eq!(parts.len(), 2, "administrators have no list");
            continue;
        }
        let address = letter["to"][0].as_str().unwrap().to_lowercase();
        let file = parts[2]["file"].as_str().unwrap();
        assert_eq!((parts.len(), file), (3, "shares-2026-11-22.zip"));
        assert!(
            text.contains(file) && text.contains("audit@example.org"),
            "{text}"
        );
        let archive = folder.path().join("list.zip");
        fs::write(
            &archive,
            STANDARD.decode(parts[2]["content"].as_str().unwrap()).unwrap(),
        )
        .unwrap();
        let password = password(&stage, &[&address]);
        let Some(rows) = rows(&archive, &password) else {
            return skipped("7-Zip is not installed, so that no list was opened with it");
        };
        let numbers: BTreeSet<String> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .find(|(title, _)| title.starts_with("Num"))
                    .unwrap()
                    .1
                    .clone()
            })
            .collect();
        assert_eq!(numbers.len(), rows.len(), "each once");
        assert!(numbers.iter().all(|id| all.contains(id)), "{address}");
        if let Some(theirs) = by_address.get(&address) {
            assert!(theirs.is_subset(&numbers), "{address}");
        }
        // What the letter tells in full is in it.
        assert!(numbers.iter().any(|id| text.contains(id.as_str())), "{text}");
        let letter = letter.to_string();
        assert!(!letter.contains(&password) && !ran.err.contains(&password) && !ran.out.contains(&password));
        listed.extend(numbers);
        passwords.insert((address, password));
    }
    assert_eq!(listed, all, "everything that is told is in somebody's list");
    let different: BTreeSet<_> = passwords.iter().map(|(_, password)| password).collect();
    assert_eq!(different.len(), passwords.len());
    // No stored byte holds one.
    for file in ["state.db", "state.db-wal", "attachments.key"] {
        let stored = fs::read(stage.path(file)).unwrap_or_default();
        for (_, password) in &passwords {
            assert!(
                !stored
                    .windows(password.len())
                    .any(|part| part == password.as_bytes()),
                "{file}"
            );
        }
    }
}

/// Sets a password, as it is read from standard input.
fn set(stage: &Stage, owner: &str, password: &str) -> (Option<i32>, String) {
    let mut program = stage.program();
    program.arguments(&["mail", "password", owner, "--set"]);
    let ran = assert_cmd::Command::from_std(program.command())
        .write_stdin(password)
        .output()
        .unwrap();
    assert!(ran.stdout.is_empty());
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

/// The archives in the letters of a folder: to whom each letter is, for whom it was meant, and the archive.
fn archives(folder: &Path) -> Vec<(String, String, Vec<u8>)> {
    let mut archives = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        let to = to
            .rsplit(' ')
            .next()
            .unwrap()
            .trim_matches(['<', '>'])
            .to_lowercase();
        let Some((_, attached)) = text.split_once("application/zip") else {
            continue;
        };
        let (_, body) = attached.split_once("\r\n\r\n").unwrap();
        let body: String = body.split("--").next().unwrap().split_whitespace().collect();
        let (_, words) = text.split_once("\r\n\r\n").unwrap();
        // A trial says after its own address for whom the letter was meant, in whatever language.
        let words = words.replace("=\r\n", "").to_lowercase();
        let meant = words
            .split(|sign: char| sign.is_whitespace() || matches!(sign, ',' | '(' | ')'))
            .map(|word| word.trim_end_matches('.'))
            .find(|word| word.ends_with("@example.org") && *word != to)
            .unwrap();
        archives.push((to, meant.to_owned(), STANDARD.decode(body).unwrap()));
    }
    archives
}

#[test]
fn a_password_that_was_agreed_opens_the_list_until_it_is_taken_back() {
    let outbox = tempfile::tempdir().unwrap();
    let stage = scanned(&into(outbox.path()));
    let (by_address, _) = told(&stage);
    let (address, _) = by_address.first_key_value().unwrap();
    let report = stage.run(&["report", "--format", "json"]).json();
    let owner = findings(&report)
        .iter()
        .map(|finding| &finding["share"]["owner"])
        .find(|owner| {
            owner["email"]
                .as_str()
                .is_some_and(|email| email.eq_ignore_ascii_case(address))
        })
        .unwrap();
    let id = owner["id"].as_str().unwrap();
    let derived = password(&stage, &[id]);
    assert_eq!(
        derived,
        password(&stage, &[address, "--source", "cloud"]),
        "an account is asked for by its id, too"
    );
    for (bad, why) in [
        ("short\n", "12 to 99"),
        ("pässword with an accent\n", "zip programs"),
        (" begins with a space\n", "space"),
        ("two\nlines of them\n", "zip programs"),
        ("", "12 to 99"),
    ] {
        let (code, said) = set(&stage, address, bad);
        assert!(code == Some(2) && said.contains(why), "{bad}: {said}");
    }
    assert_eq!(derived, password(&stage, &[address]));
    let lock = fs::File::create(stage.path("state.db-letters.lock")).unwrap();
    lock.lock().unwrap();
    let (code, said) = set(&stage, id, AGREED);
    assert!(
        code == Some(2) && said.contains("letters are being sent"),
        "{said}"
    );
    drop(lock);
    let (code, said) = set(&stage, id, &format!("{AGREED}\r\n"));
    assert!(code == Some(0) && !said.contains("horse"), "{said}");
    let kept = stage.path("attachments.json");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        stage.run(&["mail", "password", address]).ended(0).out,
        format!("{AGREED}\n")
    );
    stage.run(&["notify"]).ended(0);
    let all = archives(outbox.path());
    let (_, _, theirs) = all.iter().find(|(to, _, _)| to == address).unwrap();
    let archive = stage.path("list.zip");
    fs::write(&archive, theirs).unwrap();
    let Some(rows) = rows(&archive, AGREED) else {
        return skipped("7-Zip is not installed, so that no list was opened with it");
    };
    assert!(!rows.is_empty() && !opened(&archive, &derived).unwrap().0);
    let doctor = stage.run(&["doctor"]);
    assert!(doctor.out.contains("attached lists"), "{}", doctor.out);
    stage.run(&["mail", "password", id, "--unset"]).ended(0);
    assert_eq!(password(&stage, &[id]), derived);
    // Whoever is forgotten has none that was set.
    set(&stage, id, AGREED);
    let ran = stage.run(&["purge", "--owner", id]);
    assert!(ran.err.contains("password that was set"), "{}", ran.err);
    assert!(!fs::read_to_string(kept).unwrap().contains(AGREED));
}

#[test]
fn on_trial_and_in_a_preview_the_password_is_that_of_whom_the_letter_is_meant_for() {
    let outbox = tempfile::tempdir().unwrap();
    let stage = scanned(&into(outbox.path()));
    stage
        .run(&["notify", "--redirect-to", "trial@example.org"])
        .ended(0);
    let archive = stage.path("list.zip");
    let all = archives(outbox.path());
    assert!(all.len() > 10);
    for (to, meant, list) in &all {
        assert_eq!(to, "trial@example.org");
        fs::write(&archive, list).unwrap();
        let Some(rows) = rows(&archive, &password(&stage, &[meant])) else {
            return skipped("7-Zip is not installed, so that no list was opened with it");
        };
        assert!(!rows.is_empty());
    }
    let folder = stage.path("letters");
    stage
        .run(&["notify", "--preview", &folder.to_string_lossy()])
        .ended(0);
    let preview = archives(&folder);
    assert_eq!(preview.len(), all.len());
    for (to, _, list) in preview.iter().take(3) {
        fs::write(&archive, list).unwrap();
        assert!(!rows(&archive, &password(&stage, &[to])).unwrap().is_empty());
    }
}

#[test]
fn whoever_is_not_one_address_has_no_password() {
    let mut world = demo();
    let accounts = crate::harness::list(&mut world["nextcloud"]["accounts"]);
    let (first, second) = (accounts[2]["id"].clone(), accounts[3]["id"].clone());
    // Somebody calls themselves by another's address.
    accounts[3]["email"] = accounts[2]["email"].clone();
    let address = accounts[2]["email"].as_str().unwrap().to_owned();
    let stage = Stage::of(&world);
    stage.configure(&Config {
        more: MAIL_OFF,
        ..Config::default()
    });
    let ran = stage.run(&["mail", "password", "alice"]);
    ran.ended(2);
    stage.run(&["scan", "-q"]).ended(0);
    let of = |owner: &str| password(&stage, &[owner]);
    assert_eq!(of(&address), of(first.as_str().unwrap()));
    assert_eq!(
        of(&address),
        of(second.as_str().unwrap()),
        "it is the address that letters go to"
    );
    for (owner, part) in [
        ("nobody-of-this-name", "nobody called"),
        ("somebody@elsewhere.example", "nothing is written to"),
        ("", "nobody called"),
    ] {
        let ran = stage.run(&["mail", "password", owner]);
        ran.ended(2);
        assert!(ran.err.contains(part) && ran.out.is_empty(), "{}", ran.err);
    }
    // Nobody was ever written to there, nor is before the next scan.
    let late = "late@example.org";
    let ran = stage.run(&["mail", "password", late]);
    ran.ended(2);
    assert!(
        ran.err.contains("no letter ever went there") && ran.out.is_empty(),
        "{}",
        ran.err
    );
    let letter = "INSERT INTO letter (key, thread, reader, address, told, run, content, began_at, outcome) \
                  VALUES ('k', 't', 'r', 'late@example.org', 'owner', 1, '', 1, 'accepted')";
    rusqlite::Connection::open(stage.path("state.db"))
        .unwrap()
        .execute(letter, [])
        .unwrap();
    assert!(!of(late).is_empty());
    // Without the key, nobody has the password that they were told.
    set(&stage, &address, AGREED);
    fs::remove_file(stage.path("attachments.key")).unwrap();
    let ran = stage.run(&["mail", "password", &address]);
    ran.ended(2);
    assert!(ran.err.contains("is gone") && ran.out.is_empty(), "{}", ran.err);
    assert!(!stage.path("attachments.key").exists());
    fs::set_permissions(stage.path("attachments.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = stage.run(&["mail", "password", &address]);
    ran.ended(2);
    assert!(ran.err.contains("others may read it"), "{}", ran.err);
}

#[test]
fn a_letter_whose_list_graph_does_not_take_leaves_without_it_and_says_so() {
    let stage = Stage::of(&tenant());
    let transport = "transport = { kind = \"graph\", source = \"m365\", sender = \"alice@example.org\" }\n";
    stage.configure_tenant(&Config {
        more: &format!("{MAIL}{transport}"),
        ..Config::default()
    });
    stage.run(&["scan", "-q"]);
    stage.run(&["baseline", "release", "--source", "m365"]).ended(0);
    let too_large = json!({"error": {"code": "ErrorMessageSizeExceeded", "message": "m"}}).to_string();
    stage.fault(&json!({
        "match": {"path_contains": "sendMail"}, "times": 1,
        "action": {"do": "status", "status": 413, "body": too_large}
    }));
    let ran = stage.run(&["notify"]);
    ran.ended(5);
    assert!(
        ran.out.contains("accepted, but without the list: "),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("413") && !ran.out.contains("failed"),
        "{}",
        ran.out
    );
    let mails = stage.mails();
    let mime = |mail: &Value| mail["mime"].as_str().unwrap().replace("=\r\n", "");
    let without: Vec<_> = mails
        .iter()
        .map(mime)
        .filter(|mime| mime.contains("could not be attached"))
        .collect();
    assert_eq!(without.len(), 1);
    assert!(!without[0].contains("application/zip"));
}
