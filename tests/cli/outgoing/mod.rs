//! Letters leave: to a real mail server, to ones that misbehave, and into a folder.

pub(crate) mod attached;
mod listed;
mod misbehaving;
pub(crate) mod real;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use sharewarden::notify::{
    Addressee, Attached, Content, Digest, Language, Letter, Message, Outgoing, Rendered, Sender, Sent, Times,
    compose,
};

use crate::harness::block_on;

const TEXT: &str =
    "Grüße!\n.\nA line that begins with a dot is one, and this one is long: xxxxxxxxxxxxxxxxxxxxxxxxx\n";

/// No server of these tests may take long.
const TIMES: Times = Times {
    open: Duration::from_secs(5),
    answer: Duration::from_millis(400),
    take: Duration::from_millis(400),
};

/// A letter to somebody, as it is sent.
pub(crate) fn message(to: &str, key: &str) -> Message {
    with(to, key, None)
}

fn with(to: &str, key: &str, attached: Option<&Attached>) -> Message {
    let whom = |name: &str, address: &str| Addressee {
        name: Some(name.to_owned()),
        address: address.to_owned(),
    };
    let sender = Sender::new(
        &whom("Share audit", "alice@example.org"),
        Some(&whom("Help, desk", "help@example.org")),
    );
    let letter = Letter {
        told: sharewarden::notify::Reader::Owner,
        to: whom("Jürgen \"J\"\r\nBcc: eve@evil.example", to),
        language: Language::De,
        thread: "person".to_owned(),
        key: key.to_owned(),
        at: "2026-11-26T02:00:00Z".parse().unwrap(),
        content: Content::Digest(Digest::default()),
        meant_for: None,
        list: None,
        instead: None,
    };
    let rendered = Rendered {
        subject: "Ihre Freigaben: 2 neu\r\nX-Injected: yes".to_owned(),
        text: TEXT.to_owned(),
        html: format!("<!doctype html>\n<html lang=\"de\"><body><p>{TEXT}</p></body></html>\n"),
    };
    compose(&sender.unwrap(), &letter, &rendered, attached).unwrap()
}

/// Says that something was not tried, for want of a tool that the gate has.
#[expect(clippy::print_stdout, reason = "whoever runs the tests has to know")]
pub(crate) fn skipped(words: &str) {
    println!("SKIPPED: {words}");
}

#[test]
fn a_folder_takes_each_letter_once() {
    let folder = tempfile::tempdir().unwrap();
    let outgoing = Outgoing::files(folder.path().to_owned());
    for key in ["one", "two", "one"] {
        let message = message("bob@example.org", key);
        let sent = block_on(outgoing.send(&message));
        let path = folder.path().join(format!("2026-11-26-person-{key}.eml"));
        assert_eq!(
            sent,
            Sent::Accepted {
                reply: path.display().to_string()
            }
        );
        assert_eq!(fs::read(&path).unwrap(), message.bytes);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let outgoing = Outgoing::files(folder.path().join("missing"));
    let sent = block_on(outgoing.send(&message("bob@example.org", "one")));
    assert!(matches!(sent, Sent::Unreachable { words } if words.contains("missing")));
}
