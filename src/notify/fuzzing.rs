//! What fuzzing holds letters and addresses to, beside that no text makes them panic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use globset::GlobSet;
use jiff::tz::TimeZone;

use super::address::{Address, Rules};
use super::{Addressee, Content, Facts, Language, Letter, Renderer, Sender, compose, sample};
use crate::report::text::is_hidden;

static RENDERER: LazyLock<Option<Renderer>> = LazyLock::new(|| {
    let facts = Facts {
        sender: "Share audit".to_owned(),
        contact: "it-security@example.org".to_owned(),
        zone: TimeZone::UTC,
        sources: BTreeMap::new(),
    };
    Renderer::new(&BTreeMap::new(), facts).ok()
});

/// A letter that speaks of an item of this name, to somebody of this name.
pub(crate) fn letter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut digest = sample::digest();
    for entry in &mut digest.entries {
        entry.item.clone_from(&text.clone().into_owned());
    }
    let letter = sample::letter(Language::En, Content::Digest(digest));
    let letter = Letter {
        to: Addressee {
            name: Some(text.clone().into_owned()),
            address: "anna@example.org".to_owned(),
        },
        ..letter
    };
    let from = Addressee {
        name: None,
        address: "audit@example.org".to_owned(),
    };
    let (Some(renderer), Ok(sender)) = (&*RENDERER, Sender::new(&from, None)) else {
        return assert!(data.is_empty(), "no letter can be written");
    };
    let rendered = renderer.render(&letter);
    assert!(rendered.is_ok(), "{rendered:?}");
    let Ok(rendered) = rendered else { return };
    for words in [&rendered.subject, &rendered.text] {
        assert!(!words.chars().any(|c| c != '\n' && is_hidden(c)), "{words:?}");
    }
    assert!(!rendered.html.chars().any(|c| c != '\n' && is_hidden(c)));
    let message = compose(&sender, &letter, &rendered, None);
    assert!(message.is_ok());
    let bytes = message.map(|message| message.bytes).unwrap_or_default();
    assert!(bytes.is_ascii(), "all of it travels as ASCII");
    let message = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = message.split("\r\n").collect();
    assert!(
        lines
            .iter()
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0']))
    );
    let head = lines.iter().take_while(|line| !line.is_empty());
    let names: BTreeSet<&str> = head
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    let known = "Auto-Submitted Content-Type Date From In-Reply-To List-Id MIME-Version Message-ID References \
                 Sensitivity Subject To X-Auto-Response-Suppress";
    assert!(names.iter().copied().eq(known.split(' ')), "{names:?}");
}

/// What a directory holds as a mail address.
pub(crate) fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(address) = Address::parse(&text) else {
        return;
    };
    let written = address.to_string();
    assert_eq!(Address::parse(&written).as_ref(), Ok(&address), "{written}");
    assert!(written.is_ascii() && written.len() <= 254);
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(
        !written.contains(['<', '>', '(', ')', ',', ';', ':', '\\', '"', '%', '!']),
        "{written}"
    );
    assert_eq!(written.matches('@').count(), 1, "{written}");
    let rules = Rules {
        allowed_domains: vec!["example.org".to_owned(), "nhs.net".to_owned()],
        mailing_lists: GlobSet::empty(),
        secure_routes: vec![("nhs.net".to_owned(), "nhs.net.cjsm.net".to_owned())],
    };
    if let Ok(used) = rules.usable(&text) {
        let domain = format!(".{}", used.domain());
        assert!(
            domain.ends_with(".example.org") || domain.ends_with(".nhs.net.cjsm.net"),
            "{domain}"
        );
    }
}
