use proptest::prelude::*;

use super::{book::Book, written};
use crate::model::{NameDisplay, PrincipalKind};
use crate::report::discretion::{Discreet, Discretion, Pseudonyms};
use crate::report::{Format, Pages, Style, ndjson, view};

fn nobody() -> Discretion {
    Discretion {
        names: NameDisplay::Hidden,
        pseudonyms: Some(Pseudonyms::new(b"a secret of thirty-two bytes, so")),
    }
}

/// What every format makes of a run.
fn exports(book: &Book, discretion: &Discretion) -> String {
    let pages = Discreet::new(book, discretion);
    let formats = Format::ALL.iter();
    let mut all: String = formats
        .map(|format| written(*format, Style::default(), &pages))
        .collect();
    let mut lines = Vec::new();
    ndjson::write_change(&discretion.change(change()), &mut lines).unwrap();
    ndjson::write_letter(&discretion.letter(letter()), &mut lines).unwrap();
    all.push_str(&String::from_utf8(lines).unwrap());
    all
}

pub(super) fn change() -> view::Change {
    let seen = view::Seen {
        kind: crate::model::ShareKind::User,
        audience: crate::model::Audience::External,
        access: crate::model::Access::of(&[]),
        password: None,
        expires: None,
        recipients: vec!["carol@example.org".to_owned()],
    };
    view::Change {
        seq: 7,
        hash: "5c".repeat(32),
        time: "2026-11-22T02:00:00Z".parse().unwrap(),
        run: "20261122T020000Z-77aa".to_owned(),
        phase: "receipt",
        who: "operator".to_owned(),
        sudo: None,
        plan: None,
        undoes: None,
        action: None,
        deed: Some("revoke"),
        source: Some("cloud".to_owned()),
        finding: None,
        share: Some("drive/item/aTowaS5mfGFsaWNl".to_owned()),
        act_as: Some("alice".to_owned()),
        value: None,
        also_ends: vec!["drive/item/Y2Fyb2w".to_owned()],
        receipt: Some("applied"),
        detail: None,
        before: Some(seen.clone()),
        after: Some(seen),
    }
}

pub(super) fn letter() -> view::Letter {
    view::Letter {
        key: "00aa11bb22cc33dd".to_owned(),
        run: None,
        time: "2026-11-22T02:00:00Z".parse().unwrap(),
        thread: "99aa11bb22cc33dd".to_owned(),
        told: "owner".to_owned(),
        instead: None,
        address: "alice@example.org".to_owned(),
        outcome: "refused".to_owned(),
        reply: Some("550 alice@example.org: no such user".to_owned()),
        findings: 3,
        announced: 1,
    }
}

/// What names somebody or something in the invented run.
fn names(book: &Book) -> Vec<String> {
    let mut names: Vec<String> = ["alice", "carol", "aTowaS5mfGFsaWNl", "Y2Fyb2w", "550 "]
        .map(str::to_owned)
        .into();
    let mut share = |share: &view::Share| {
        names.extend(
            share
                .item
                .path
                .split('/')
                .filter(|part| part.len() > 4)
                .map(str::to_owned),
        );
        names.extend(share.label.as_ref().map(|label| format!("\"{label}\"")));
        let people = [&share.owner]
            .into_iter()
            .chain(&share.shared_by)
            .chain(&share.recipients);
        for person in people {
            names.push(person.id.clone());
            names.extend(person.name.clone());
            names.extend(person.email.clone());
        }
    };
    book.findings
        .iter()
        .filter_map(|finding| finding.share.as_ref())
        .for_each(&mut share);
    book.shares.iter().for_each(&mut share);
    let problems = book.header.sources.iter().flat_map(|source| &source.problems);
    names.extend(
        problems
            .filter(|problem| problem.scope != "*")
            .map(|problem| problem.scope.clone()),
    );
    names.extend(
        [
            "comms-office",
            "Prospectus",
            "prospectus",
            "head of communications",
        ]
        .map(str::to_owned),
    );
    names
}

#[test]
fn no_format_names_anybody_or_any_file() {
    let book = Book::ordinary();
    let names = names(&book);
    assert!(names.len() > 50);
    let open = Discretion {
        names: NameDisplay::Full,
        pseudonyms: None,
    };
    let told = exports(&book, &open);
    let discreet = exports(&book, &nobody());
    for name in names {
        assert!(told.contains(&name), "the test looks for what is nowhere: {name}");
        assert!(!discreet.contains(&name), "{name}");
    }
}

#[test]
fn nothing_else_is_lost() {
    let book = Book::ordinary();
    let discretion = nobody();
    let pages = Discreet::new(&book, &discretion);
    let mut findings = Vec::new();
    pages
        .findings(&mut |finding| {
            findings.push(finding);
            Ok(())
        })
        .unwrap();
    assert_eq!(findings.len(), book.findings.len());
    for (discreet, finding) in findings.iter().zip(&book.findings) {
        assert_eq!(
            (&discreet.id, discreet.level, discreet.status),
            (&finding.id, finding.level, finding.status)
        );
        assert_eq!(discreet.message, finding.message);
        if let (Some(discreet), Some(share)) = (&discreet.share, &finding.share) {
            assert_eq!((&discreet.id, &discreet.item.id), (&share.id, &share.item.id));
            assert_eq!(discreet.recipients.len(), share.recipients.len());
        }
    }
    assert_eq!(pages.header().totals.findings, book.header.totals.findings);
}

#[test]
fn a_folder_is_told_without_what_lies_in_it() {
    let discretion = Discretion {
        names: NameDisplay::Folder,
        pseudonyms: None,
    };
    let share = Book::ordinary().findings[0].share.clone().unwrap();
    let discreet = discretion.share(share.clone());
    assert_eq!(
        (discreet.item.path.as_str(), discreet.item.name.as_str()),
        ("/HR/Personnel", "")
    );
    assert_eq!(discreet.owner.email, share.owner.email);
    assert_eq!(discreet.label, None);
    let mut top = share;
    "/salaries.xlsx".clone_into(&mut top.item.path);
    assert_eq!(discretion.share(top).item.path, "/");
}

#[test]
fn a_pseudonym_stays_and_needs_the_secret() {
    let own = Pseudonyms::new(b"one");
    assert_eq!(own.of("Alice@example.org"), own.of("alice@example.org"));
    assert_ne!(own.of("alice"), own.of("bob"));
    assert_ne!(own.of("alice"), Pseudonyms::new(b"two").of("alice"));
    assert_eq!(own.of("alice").len(), 18);
    assert_eq!(format!("{own:?}"), "Pseudonyms");
    // What everybody is called names nobody.
    let discretion = nobody();
    let mut share = Book::ordinary().findings[0].share.clone().unwrap();
    share.recipients = vec![super::book::person(
        "everyone",
        "Everyone",
        PrincipalKind::Everyone,
    )];
    assert_eq!(discretion.share(share).recipients[0].id, "everyone");
}

proptest! {
    #![proptest_config(super::cases(32))]

    #[test]
    fn whatever_people_and_files_are_called(name in "[a-zA-Z]{9,12}@?[a-z./ÄÖ]{0,5}") {
        let needle = format!("Q{name}Q");
        let mut book = Book::filled(&needle);
        // These are no names of people or files, and stay.
        for finding in &mut book.findings {
            "cloud".clone_into(&mut finding.source);
            finding.message.clear();
            if let Some(share) = &mut finding.share {
                kept(share);
            }
        }
        book.shares.iter_mut().for_each(kept);
        for change in &mut book.changes {
            if let view::Subject::Share { source, id, share } = &mut change.subject {
                (*source, *id) = ("cloud".to_owned(), "17".to_owned());
                if let Some(share) = share {
                    kept(share);
                }
            }
            change.before.expires = None;
        }
        for source in &mut book.header.sources {
            "cloud".clone_into(&mut source.name);
            source.product = None;
            source.not_covered.clear();
        }
        book.header.run.scope.sources.clear();
        let discreet = exports(&book, &nobody());
        prop_assert!(!discreet.contains(&needle) && !discreet.contains(&name));
    }
}

/// What an export tells of a share whatever it hides.
fn kept(share: &mut view::Share) {
    "17".clone_into(&mut share.id);
    "5117".clone_into(&mut share.item.id);
    (share.item.drive, share.expires) = (None, None);
    share.item.labels.clear();
    share.unknown.clear();
}
