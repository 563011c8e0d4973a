use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::notify::{Content, Digest};

fn addressee(name: Option<&str>, address: &str) -> Addressee {
    Addressee {
        name: name.map(str::to_owned),
        address: address.to_owned(),
    }
}

fn sender() -> Sender {
    let from = addressee(Some("Share audit"), "audit@example.org");
    Sender::new(&from, Some(&addressee(None, "help@example.org"))).unwrap()
}

fn letter(name: &str) -> Letter {
    Letter {
        to: addressee(Some(name), "anna@example.org"),
        language: Language::En,
        thread: "person-7".to_owned(),
        key: "run-1/person-7".to_owned(),
        at: "2026-11-26T02:00:00Z".parse().unwrap(),
        content: Content::Digest(Digest::default()),
        list: None,
        instead: None,
        meant_for: None,
    }
}

fn rendered(subject: &str, text: &str) -> Rendered {
    Rendered {
        subject: subject.to_owned(),
        text: text.to_owned(),
        html: format!("<p>{text}</p>"),
    }
}

/// The message in lines of ASCII, as RFC 5322 has it, and its own headers by their names.
fn read(message: &Message) -> (String, BTreeMap<String, String>) {
    let text = String::from_utf8(message.bytes.clone()).unwrap();
    assert!(text.is_ascii());
    assert!(
        text.split("\r\n")
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0']))
    );
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut headers = BTreeMap::new();
    for line in unfolded.split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
        assert!(
            headers.insert(name.to_owned(), value.trim().to_owned()).is_none(),
            "{name} twice"
        );
    }
    (text, headers)
}

const NAMES: [&str; 14] = [
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "In-Reply-To",
    "List-Id",
    "MIME-Version",
    "Message-ID",
    "References",
    "Reply-To",
    "Sensitivity",
    "Subject",
    "To",
    "X-Auto-Response-Suppress",
];

#[test]
fn a_letter_has_these_headers_and_no_others() {
    let message = compose(&sender(), &letter("Anna"), &rendered("2 shares", "Grüße"), None).unwrap();
    let (text, headers) = read(&message);
    assert_eq!(headers.keys().map(String::as_str).collect::<Vec<_>>(), NAMES);
    for (name, value) in [
        ("From", "\"Share audit\" <audit@example.org>"),
        ("Reply-To", "help@example.org"),
        ("To", "Anna <anna@example.org>"),
        ("Subject", "[Confidential] 2 shares"),
        ("Date", "Thu, 26 Nov 2026 02:00:00 +0000"),
        ("Sensitivity", "Company-Confidential"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Id", "Share audit <sharewarden.example.org>"),
        ("Message-ID", message.id.as_str()),
    ] {
        assert_eq!(headers[name], value);
    }
    let plain = text.find("text/plain").unwrap();
    assert!(plain < text.find("text/html").unwrap(), "plain text first");
    assert!(text.contains("Gr=C3=BC=C3=9Fe") && text.contains("quoted-printable"));
    assert_eq!(
        message.file,
        format!("2026-11-26-person-7-{}.eml", short_digest(["run-1/person-7"]))
    );
}

#[test]
fn the_same_letter_is_the_same_message_and_a_person_has_one_thread() {
    let again = |letter: &Letter| compose(&sender(), letter, &rendered("s", "t"), None).unwrap();
    let first = again(&letter("Anna"));
    assert_eq!(first, again(&letter("Anna")));
    let next = again(&Letter {
        key: "run-2/person-7".to_owned(),
        ..letter("Anna")
    });
    assert!(first.id != next.id && first.file != next.file);
    let (first, next) = (read(&first).1, read(&next).1);
    for name in ["References", "In-Reply-To"] {
        assert_eq!(first[name], next[name]);
        assert!(first[name].starts_with('<') && first[name].ends_with("@example.org>"));
    }
    let another = again(&Letter {
        thread: "person-8".to_owned(),
        ..letter("Anna")
    });
    assert_ne!(read(&another).1["References"], first["References"]);
}

#[test]
fn the_subject_says_in_the_readers_language_that_it_is_confidential() {
    for (language, start) in [
        (Language::En, "[Confidential] "),
        (Language::De, "[Vertraulich] "),
        (Language::Fr, "[Confidentiel] "),
    ] {
        let letter = Letter {
            language,
            ..letter("Anna")
        };
        let message = compose(&sender(), &letter, &rendered("x", ""), None).unwrap();
        assert!(read(&message).1["Subject"].starts_with(start));
    }
}

#[test]
fn addresses_travel_as_dns_has_them_or_not_at_all() {
    let to = |address: &str| Letter {
        to: addressee(Some("Jürgen"), address),
        ..letter("")
    };
    let composed = |address: &str| compose(&sender(), &to(address), &rendered("x", ""), None);
    let headers = read(&composed("anna@münchen.example").unwrap()).1;
    assert_eq!(
        headers["To"],
        "=?utf-8?b?SsO8cmdlbg==?= <anna@xn--mnchen-3ya.example>"
    );
    for address in [
        "jürgen@example.org",
        "a@b@example.org",
        "a@example.org\r\nBcc: eve@evil.example",
        "",
    ] {
        assert_eq!(composed(address).unwrap_err(), Malformed, "{address}");
    }
    assert!(Sender::new(&addressee(None, "nobody"), None).is_err());
    assert!(Sender::new(&addressee(None, "a@b.example"), Some(&addressee(None, "nobody"))).is_err());
}

#[test]
fn extremes_of_time_and_length_are_letters_too() {
    for at in ["1902-01-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        let letter = Letter {
            at: at.parse().unwrap(),
            ..letter("Anna")
        };
        read(&compose(&sender(), &letter, &rendered("x", "x"), None).unwrap());
    }
    let long = "wörd ".repeat(2_000) + &"ü".repeat(10_000);
    let message = compose(&sender(), &letter(&long), &rendered(&long, &long), None).unwrap();
    assert!(read(&message).1["Subject"].len() < 2_000);
    let domain = format!(
        "{}.example",
        "a".repeat(60) + "." + &"b".repeat(60) + "." + &"c".repeat(60)
    );
    let sender = Sender::new(&addressee(None, &format!("audit@{domain}")), None).unwrap();
    let message = compose(&sender, &letter("Anna"), &rendered("x", ""), None).unwrap();
    assert_eq!(read(&message).1["Message-ID"], message.id);
}

#[test]
fn what_is_attached_comes_after_the_words() {
    let attached = Attached {
        name: "list\r\nof \"shares\".zip".to_owned(),
        content_type: "application/zip",
        bytes: vec![0, 255, 13, 10],
    };
    let message = compose(&sender(), &letter("Anna"), &rendered("x", "t"), Some(&attached)).unwrap();
    let (text, headers) = read(&message);
    assert!(headers["Content-Type"].starts_with("multipart/mixed"));
    assert!(text.contains("filename=\"list__of__shares_.zip\""), "{text}");
    assert!(text.contains("AP8NCg=="));
    assert!(text.find("multipart/alternative").unwrap() < text.find("application/zip").unwrap());
}

proptest! {
    #[test]
    fn no_text_becomes_a_header(
        name in "(\\PC|[\r\n\t\0:<>\"]){0,60}",
        subject in "(\\PC|[\r\n\t\0:<>\"=?]){0,300}",
        text in "(\\PC|[\r\n\0.-]|--=_words_){0,300}",
    ) {
        let message = compose(&sender(), &letter(&name), &rendered(&subject, &text), None).unwrap();
        let (raw, headers) = read(&message);
        prop_assert_eq!(headers.keys().map(String::as_str).collect::<Vec<_>>(), NAMES);
        prop_assert!(headers["To"].ends_with("anna@example.org>") || headers["To"] == "anna@example.org");
        // Two parts and the end.
        prop_assert_eq!(raw.matches("\r\n--=_words_").count(), 3);
    }
}
