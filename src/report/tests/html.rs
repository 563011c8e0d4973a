//! HTML: what a browser is given, and that no name gets out of its place.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{HOSTILE, book::Book, cases, written};
use crate::model::{Audience, ItemKind, Level, Problem, ProblemCode, RuleId, Status, Verdict};
use crate::report::text::is_hidden;
use crate::report::words::{Language, Words};
use crate::report::{Format, Style, view};

/// Names that try to become markup, script or style.
const MARKUP: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "\" style=\"position:fixed",
    "&lt;b&gt;&quot;&#39;",
    "--><!--",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "</bdi></li></ol></main>",
    "javascript:alert(1)",
    "https://cloud.example.org/s/AbCdEfGh",
    "\u{202e}gnp.exe\u{2066}<b>\u{2069}",
];

fn page(language: Language, book: &Book) -> String {
    let style = Style {
        language,
        ..Style::default()
    };
    written(Format::Html, style, book)
}

/// The tags with the names of their attributes, in order: what a browser makes of a page, whatever its texts are.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let mut tag = String::new();
        let mut is_quoted = false;
        for sign in rest[at..].chars() {
            match sign {
                '"' => is_quoted = !is_quoted,
                '>' if !is_quoted => break,
                sign if !is_quoted => tag.push(sign),
                _ => {}
            }
        }
        // Paths are cut into as many pieces as they have folders.
        if !tag.contains("bdi") {
            tags.push(tag.clone());
        }
        rest = match tag.as_str() {
            "<style" | "<script" => &rest[rest[at..].find("</").unwrap() + at..],
            _ => &rest[at + 1..],
        };
    }
    tags
}

fn between<'p>(page: &'p str, start: &str, end: &str) -> &'p str {
    let after = page.split_once(start).unwrap().1;
    after.split_once(end).unwrap().0
}

#[test]
fn a_report_looks_like_this() {
    for language in Language::ALL {
        insta::assert_snapshot!(
            format!("ordinary.{language}.html"),
            page(*language, &Book::ordinary())
        );
    }
    insta::assert_snapshot!("clean.en.html", page(Language::En, &Book::clean()));
    let hostile =
        Book::filled("\u{202e}\"'><script>alert(1)</script>/</bdi>/&lt;img src=x onerror=alert(1)>");
    insta::assert_snapshot!("hostile.en.html", page(Language::En, &hostile));
}

#[test]
fn no_name_gets_out_of_its_place() {
    let ordinary = tags(&page(Language::En, &Book::filled("x")));
    for text in HOSTILE.iter().chain(MARKUP).filter(|text| !text.is_empty()) {
        let page = page(Language::En, &Book::filled(text));
        assert_eq!(tags(&page), ordinary, "{text:?}");
        let hidden = page.chars().find(|sign| *sign != '\n' && is_hidden(*sign));
        assert_eq!(hidden, None, "{text:?}");
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn no_text_gets_out_of_its_place(text in ".{1,40}|[<>&'\"/= a-z]{1,40}") {
        let page = page(Language::De, &Book::filled(&text));
        prop_assert_eq!(tags(&page), tags(&self::page(Language::De, &Book::filled("x"))));
    }
}

#[test]
fn only_its_own_style_and_script_count() {
    for book in [Book::ordinary(), Book::clean()] {
        let page = page(Language::Fr, &book);
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
        let hash = |what: &str| {
            let text = between(&page, &format!("<{what}>"), &format!("</{what}>"));
            format!(
                "{what}-src 'sha256-{}'",
                BASE64_STANDARD.encode(Sha256::digest(text))
            )
        };
        let policy = policy.replace("&#x2f;", "/");
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; {}; {}; base-uri 'none'; form-action 'none'",
                hash("style"),
                hash("script")
            )
        );
        assert!(!page.contains(" style=\""));
    }
}

#[test]
fn links_lead_nowhere_but_within_the_page() {
    let page = page(Language::En, &Book::ordinary());
    let ids: Vec<_> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        ids.len(),
        "an id twice"
    );
    for aim in page
        .split(" href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        let aim = aim.strip_prefix('#').expect(aim);
        assert!(ids.contains(&aim), "{aim}");
    }
}

#[test]
fn an_incomplete_run_looks_incomplete_at_first_sight() {
    let mut book = Book::clean();
    assert!(!page(Language::En, &book).contains("incomplete\""));
    book.header.run.verdict = Verdict::Incomplete;
    let source = &mut book.header.sources[0];
    source.verdict = Verdict::Incomplete;
    source.problems = vec![Problem::new("dave", ProblemCode::Unreachable, "no answer")];
    let page = page(Language::En, &book);
    assert!(page.contains("<body class=\"incomplete\">"));
    let first = between(&page, "<main>", "<nav");
    for words in [
        "This report is incomplete",
        "all numbers are lower limits",
        "No connection, or no answer in time.",
    ] {
        assert!(first.contains(words), "{words}");
    }
    assert!(page.contains("At least 0 findings stand"));
    assert!(page.contains("That says nothing about what was not read."));
}

#[test]
fn what_was_read_comes_before_what_was_found() {
    let page = page(Language::En, &Book::ordinary());
    let places = [
        "\"verdict\"",
        "\"coverage\"",
        "\"totals\"",
        "\"trend\"",
        "\"findings\"",
    ];
    let places = places.map(|id| page.find(&format!("<h2 id={id}")).unwrap());
    assert!(places.is_sorted());
}

#[test]
fn every_finding_and_every_share_is_there() {
    let mut book = Book::ordinary();
    for (at, status) in Status::ALL.iter().enumerate() {
        let finding = view::Finding {
            id: format!("more{at}"),
            status: *status,
            ..book.findings[0].clone()
        };
        book.findings.push(finding);
    }
    let page = page(Language::En, &book);
    for finding in &book.findings {
        assert!(page.contains(&format!("id=\"f-{}\"", finding.id)));
    }
    assert_eq!(
        page.matches("<li class=\"finding").count(),
        book.findings.len() + book.shares.len()
    );
}

#[test]
fn sums_count_what_stands() {
    let mut book = Book::ordinary();
    let finding = book.findings[0].clone();
    let one = |status, level, rule| view::Finding {
        rule,
        level,
        status,
        ..finding.clone()
    };
    book.findings = vec![
        one(Status::New, Level::High, RuleId::LinkWithoutPassword),
        one(Status::Open, Level::Low, RuleId::LinkWithoutPassword),
        one(Status::NotChecked, Level::Low, RuleId::LinkWithoutExpiry),
        one(Status::Waived, Level::Critical, RuleId::LinkWithoutPassword),
        one(Status::Resolved, Level::Critical, RuleId::EveryoneGrant),
    ];
    let page = page(Language::En, &book);
    let row = |id: &str| between(&page, &format!("id=\"rule-{id}\""), "</tr>").to_owned();
    assert!(row("link-without-password").contains("1 high, 1 low"));
    assert!(row("link-without-expiry").contains("1 low"));
    assert!(row("everyone-grant").contains("<td class=\"count\">0</td>"));
    let owners = between(&page, "id=\"by-owners\"", "</section>");
    assert!(owners.contains("1 high, 2 low") && owners.contains("<td class=\"count\">3</td>"));
}

#[test]
fn no_language_misses_a_text_or_fills_in_something_else() {
    let english = Words::of_reports(Language::En).unwrap();
    for language in Language::ALL {
        let words = Words::of_reports(*language).unwrap();
        assert!(words.texts().keys().eq(english.texts().keys()), "{language}");
        for (key, text) in words.texts() {
            let names = |text: &str| -> BTreeSet<String> {
                let names = text.split('{').skip(1);
                names
                    .map(|rest| rest.split('}').next().unwrap().to_owned())
                    .collect()
            };
            let english = &english.texts()[key];
            assert_eq!(names(text), names(english), "{language} {key}");
            assert!(
                !text.trim().is_empty() && text.trim() == text && !text.contains("  "),
                "{key}: {text}"
            );
            assert_eq!(
                text.ends_with('.'),
                english.ends_with('.'),
                "{language} {key}: {text}"
            );
        }
    }
}

#[test]
fn there_are_words_for_whatever_a_report_may_tell() {
    for language in Language::ALL {
        let words = Words::of_reports(*language).unwrap();
        let names = |kind: &str, names: Vec<&str>| {
            for name in names {
                let key = format!("{kind}.{name}");
                assert!(words.texts().contains_key(&key), "{language} {key}");
            }
        };
        names(
            "problem",
            ProblemCode::ALL.iter().map(|code| code.as_str()).collect(),
        );
        names("rule", RuleId::ALL.iter().map(|rule| rule.as_str()).collect());
        names("todo", RuleId::ALL.iter().map(|rule| rule.as_str()).collect());
        names(
            "status",
            Status::ALL.iter().map(|status| status.as_str()).collect(),
        );
        for kind in ["level", "level_of"] {
            names(kind, Level::ALL.iter().map(|level| level.as_str()).collect());
        }
        for kind in ["verdict", "verdict_title", "verdict_text"] {
            names(
                kind,
                Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect(),
            );
        }
    }
}

#[test]
fn what_is_open_for_longest_and_widest_comes_first_and_once() {
    let mut book = Book::ordinary();
    let pattern = book.findings[0].clone();
    let shares = 14;
    book.findings = (0..shares * 2)
        .map(|number| {
            let which = number % shares;
            let mut finding = pattern.clone();
            finding.id = format!("{number}");
            let share = finding.share.as_mut().unwrap();
            share.id = format!("{which}");
            share.item.name = format!("share{which:02}");
            share.item.kind = ItemKind::Folder;
            share.item.files_beneath = Some(100 - which);
            share.audience = if which == 13 {
                Audience::Internal
            } else {
                Audience::Anyone
            };
            let day = 1 + (which * 5) % 13;
            share.created_at = Some(format!("2025-01-{day:02}T00:00:00Z").parse().unwrap());
            finding
        })
        .collect();
    let page = page(Language::En, &book);
    let listed = |id: &str| -> Vec<u64> {
        let section = between(&page, &format!("<h2 id=\"{id}\">"), "</section>");
        let names = section.split("<bdi>share").skip(1);
        names.map(|rest| rest[..2].parse().unwrap()).collect()
    };
    assert_eq!(listed("widest"), (0..10).collect::<Vec<_>>());
    let mut oldest: Vec<u64> = (0..13).collect();
    oldest.sort_by_key(|which| (which * 5) % 13);
    assert_eq!(listed("oldest"), oldest[..10]);
    assert!(!listed("oldest").contains(&13), "colleagues may open it");
}
