use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::civil::date;
use proptest::prelude::*;

use super::super::fate::Reader;
use super::super::letter::{Digest, Due, Entry, Instead, LastRun, Role, Summary, Told, Unsure};
use super::*;
use crate::model::{
    Access, Audience, FindingId, ItemKind, Level, Origin, ProblemCode, Right, RuleId, ShareKind, Verdict,
};
use crate::plan::ActionKind;
use crate::report::text::is_hidden;

const START: &str = "https://cloud.example.org";

fn facts() -> Facts {
    let place = |product, start: Option<&str>| Place {
        product,
        start: start.map(str::to_owned),
    };
    Facts {
        sender: "Share audit".into(),
        contact: "it-security@example.org".into(),
        zone: TimeZone::UTC,
        sources: BTreeMap::from([
            (
                SourceName::new("cloud"),
                place(SourceKind::Nextcloud, Some(START)),
            ),
            (SourceName::new("m365"), place(SourceKind::Microsoft365, None)),
        ]),
    }
}

fn renderer() -> &'static Renderer {
    static RENDERER: LazyLock<Renderer> = LazyLock::new(|| Renderer::new(&BTreeMap::new(), facts()).unwrap());
    &RENDERER
}

fn words(language: Language) -> Words {
    Words::built_in(language).unwrap()
}

/// The first entry of the sample, alone in a digest.
fn digest(change: impl FnOnce(&mut Entry)) -> Content {
    let mut entry = sample::digest().entries.swap_remove(0);
    change(&mut entry);
    Content::Digest(Digest {
        entries: vec![entry],
        ..Digest::default()
    })
}

fn told(rule: RuleId) -> Told {
    Told {
        id: FindingId::of(rule, &SourceName::new("cloud"), Some("17")),
        rule,
        level: Level::High,
        is_news: false,
    }
}

fn text(language: Language, content: Content) -> String {
    renderer()
        .render(&sample::letter(language, content))
        .unwrap()
        .text
}

#[test]
fn each_letter_looks_like_this() {
    let renderer = renderer();
    for language in Language::ALL {
        for (name, content) in [
            ("digest", Content::Digest(sample::digest())),
            ("summary", Content::Summary(Box::new(sample::summary()))),
            (
                "incident",
                Content::Incident(Box::new(sample::incident(Origin::Outside))),
            ),
        ] {
            let letter = Letter {
                list: (name == "digest").then(|| sample::list(Ok(Vec::new()))),
                ..sample::letter(*language, content)
            };
            let letter = renderer.render(&letter).unwrap();
            let text = format!("{}\n\n{}", letter.subject, letter.text);
            insta::assert_snapshot!(format!("{name}.{language}.txt"), text);
            insta::assert_snapshot!(format!("{name}.{language}.html"), letter.html);
        }
    }
    let letter = Letter {
        told: Reader::Manager,
        instead: Some(Instead::OwnerGone),
        ..sample::letter(Language::En, Content::Digest(sample::digest()))
    };
    let letter = renderer.render(&letter).unwrap();
    insta::assert_snapshot!("manager.en.txt", letter.text);
    insta::assert_snapshot!("manager.en.html", letter.html);
}

#[test]
fn no_language_misses_a_text_or_fills_in_something_else() {
    let english = words(Language::En);
    for language in Language::ALL {
        let words = words(*language);
        assert!(words.texts().keys().eq(english.texts().keys()), "{language}");
        for (key, text) in words.texts() {
            let names = |text: &str| text.split('{').skip(1).map(str::to_owned).collect::<Vec<_>>();
            let names = |text| -> BTreeSet<String> {
                names(text)
                    .iter()
                    .map(|rest| rest.split('}').next().unwrap().to_owned())
                    .collect()
            };
            let english = &english.texts()[key];
            assert_eq!(names(text), names(english), "{language} {key}");
            assert!(
                !text.trim().is_empty() && text.trim() == text && !text.contains("  "),
                "{key}: {text}"
            );
            let ends = [english, text].map(|text| text.ends_with('.'));
            assert_eq!(ends[0], ends[1], "{language} {key}: {text}");
        }
    }
}

#[test]
fn no_text_is_the_english_one_by_mistake() {
    // Names, and what holds little but what is filled in.
    let same: BTreeMap<_, _> = [
        (
            Language::De,
            "date.11 date.4 date.8 date.9 digest.how_in item.place letter.part product.name_microsoft365 \
             product.name_nextcloud product.nextcloud summary.failed_line summary.unknown_line summary.unread_line",
        ),
        (
            Language::Fr,
            "date.day letter.contact product.name_microsoft365 product.name_nextcloud product.nextcloud",
        ),
    ]
    .into();
    let english = words(Language::En);
    for (language, same) in same {
        let words = words(language);
        let texts = words.texts().iter();
        let found: Vec<_> = texts
            .filter(|(key, text)| **text == english.texts()[*key])
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(found.join(" "), same);
    }
}

#[test]
fn texts_keep_to_the_signs_of_their_language() {
    for (language, foreign) in [
        (Language::En, ["\"", "„", "«", "'"]),
        (Language::De, ["\"", "”", "«", "'"]),
        (Language::Fr, ["\"", "“", "„", "'"]),
    ] {
        for (key, text) in words(language).texts() {
            assert!(
                !foreign.iter().any(|sign| text.contains(sign)),
                "{language} {key}: {text}"
            );
        }
    }
    for (key, text) in words(Language::Fr).texts() {
        for sign in [':', ';', '?', '!', '»'] {
            for (at, _) in text.match_indices(sign) {
                assert!(text[..at].ends_with('\u{a0}'), "{key}: {text}");
            }
        }
        assert!(!text.contains("« "), "{key}: {text}");
    }
}

#[test]
fn texts_about_rules_are_about_rules_that_there_are() {
    let known: BTreeSet<&str> = RuleId::ALL
        .iter()
        .map(|rule| {
            if rule.is_posture() {
                "posture"
            } else {
                rule.as_str()
            }
        })
        .collect();
    for section in ["rule.", "todo."] {
        let english = words(Language::En);
        let keys = english.texts().keys().filter_map(|key| key.strip_prefix(section));
        let named: BTreeSet<&str> = keys.map(|key| key.split('_').next().unwrap()).collect();
        assert_eq!(named, known);
    }
}

#[test]
fn every_rule_has_its_sentences_in_every_product_and_language() {
    let renderer = renderer();
    for language in Language::ALL {
        let words = words(*language);
        let has = |text: &str, key: &str| text.contains(words.texts()[key].split('{').next().unwrap());
        for (source, product) in [
            ("cloud", SourceKind::Nextcloud),
            ("m365", SourceKind::Microsoft365),
        ] {
            for rule in RuleId::ALL {
                for kind in ShareKind::ALL {
                    let content = digest(|entry| {
                        entry.source = SourceName::new(source);
                        entry.product = product;
                        entry.kind = *kind;
                        entry.audience = Audience::External;
                        entry.access = Access::of(&[Right::Create]);
                        entry.findings = vec![told(*rule)];
                    });
                    let text = renderer.render(&sample::letter(*language, content)).unwrap().text;
                    let name = if rule.is_posture() {
                        "posture"
                    } else {
                        rule.as_str()
                    };
                    let mailed = format!("todo.{name}_mail");
                    let todo = match kind {
                        ShareKind::Mail if words.texts().contains_key(&mailed) => mailed,
                        _ => format!("todo.{name}"),
                    };
                    for key in [format!("rule.{name}"), todo, format!("kind.{kind}")] {
                        assert!(has(&text, &key), "{language} {product} {key}\n{text}");
                    }
                    let has_steps = *rule != RuleId::BreachSuspected && !rule.is_posture();
                    assert_eq!(
                        has(&text, &format!("how.{product}.share")),
                        has_steps,
                        "{rule}\n{text}"
                    );
                    for other in SourceKind::ALL.iter().filter(|other| **other != product) {
                        assert!(!has(&text, &format!("how.{other}.share")), "{rule}\n{text}");
                    }
                }
            }
        }
    }
}

/// Letters in which every text is said.
fn various() -> Vec<Letter> {
    let letter = |content| sample::letter(Language::En, content);
    let mut letters: Vec<Letter> = sample::letters()
        .filter(|letter| letter.language == Language::En)
        .collect();
    for product in SourceKind::ALL {
        for rule in RuleId::ALL {
            for (at, kind) in ShareKind::ALL.iter().enumerate() {
                letters.push(letter(digest(|entry| {
                    entry.product = *product;
                    entry.kind = *kind;
                    entry.audience = Audience::ALL[(at + *rule as usize) % Audience::ALL.len()];
                    entry.item_kind = ItemKind::ALL[at % ItemKind::ALL.len()];
                    entry.access = Access::from_bits(u8::try_from(at * 13 % 64).unwrap());
                    entry.password = (at % 2 == 0).then_some(false);
                    let level = Level::ALL[at % Level::ALL.len()];
                    entry.findings = vec![Told { level, ..told(*rule) }];
                })));
            }
        }
    }
    for month in 1..=12 {
        for action in ActionKind::ALL {
            let due = Due {
                on: date(2026, month, 26),
                action: *action,
                value: None,
            };
            letters.push(letter(digest(|entry| entry.due = Some(due))));
        }
    }
    letters.push(letter(digest(|entry| entry.item = "x".repeat(1_000))));
    letters.push(letter(digest(|entry| entry.password = Some(true))));
    letters.push(letter(Content::Digest(Digest {
        entries: Vec::new(),
        more: BTreeMap::from([(Level::Low, 1)]),
    })));
    letters.push(letter(Content::Summary(Box::new(Summary {
        sources: Verdict::ALL
            .iter()
            .map(|verdict| {
                let last = LastRun {
                    id: "r".into(),
                    on: date(2026, 11, 26),
                    verdict: *verdict,
                };
                (SourceName::new("cloud"), Some(last))
            })
            .collect(),
        unread: ProblemCode::ALL
            .iter()
            .map(|code| (SourceName::new("cloud"), "dave".to_owned(), *code))
            .collect(),
        new: BTreeMap::from([(Level::Critical, 1)]),
        instead: Instead::ALL.iter().map(|why| (*why, 1)).collect(),
        more_unread: 2,
        sent: 1,
        too_many: Some(1),
        ..Summary::default()
    }))));
    for told in [Reader::Manager, Reader::Fallback] {
        letters.extend(Instead::ALL.iter().map(|why| Letter {
            told,
            instead: Some(*why),
            ..letter(digest(|_| {}))
        }));
    }
    letters
}

/// The list that goes with a letter.
fn listed(renderer: &Renderer, letter: &Letter) -> String {
    let Content::Digest(digest) = &letter.content else {
        return String::new();
    };
    let mut listing = renderer.list(letter.language, letter.at, "alice@example.org");
    for entry in &digest.entries {
        listing.add(entry);
    }
    String::from_utf8(listing.finish().csv.unwrap()).unwrap()
}

#[test]
fn no_text_is_there_for_nothing() {
    let english = words(Language::En);
    let marked = |key: &str| format!("<{key}>");
    let mut own = String::new();
    for (key, text) in english.texts() {
        let quoted: Vec<_> = key.split('.').map(|name| format!("{name:?}")).collect();
        let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let names: Vec<_> = names.map(|(name, _)| format!("{{{name}}}")).collect();
        let text = marked(key) + &names.concat();
        writeln!(own, "{} = {text:?}", quoted.join(".")).unwrap();
    }
    let own = BTreeMap::from([("words.en.toml".to_owned(), own)]);
    let letters = various();
    let nowhere = Facts {
        sources: BTreeMap::new(),
        ..facts()
    };
    let mut said = String::new();
    for (facts, letters) in [(facts(), &letters[..]), (nowhere, &letters[..1])] {
        let renderer = Renderer::new(&own, facts).unwrap();
        for letter in letters {
            let rendered = renderer.render(letter).unwrap();
            let html = rendered.html.replace("&lt;", "<").replace("&gt;", ">");
            said.extend([rendered.subject, rendered.text, html, listed(&renderer, letter)]);
        }
    }
    // What stands above in capitals is found too.
    let said = said.to_lowercase();
    let unused: Vec<_> = english
        .texts()
        .keys()
        .filter(|key| !said.contains(&marked(key)))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn what_is_wrong_is_told_as_it_is() {
    let wrong = |rule: RuleId, (audience, password), rights: &[Right]| {
        let text = text(
            Language::En,
            digest(|entry| {
                entry.findings = vec![told(rule)];
                entry.audience = audience;
                entry.password = password;
                entry.access = Access::of(rights);
            }),
        );
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("- High: "))
            .unwrap();
        line.split(" (number").next().unwrap().to_owned()
    };
    let anyone = (Audience::Anyone, Some(false));
    for (rule, open_to, rights, expected) in [
        (
            RuleId::LinkWithoutPassword,
            anyone,
            &[Right::View][..],
            "can open it. As far",
        ),
        (
            RuleId::LinkWithoutPassword,
            anyone,
            &[Right::View, Right::Edit],
            "can open and change what is there.",
        ),
        (
            RuleId::LinkWithoutPassword,
            (Audience::Anyone, None),
            &[Right::View],
            "may be able to use it. We cannot see whether a password protects it.",
        ),
        (
            RuleId::LinkWithoutPassword,
            (Audience::Anyone, None),
            &[Right::View, Right::Edit],
            "may be able to use it. We cannot see whether a password protects it.",
        ),
        (
            RuleId::LinkAllowsUpload,
            anyone,
            &[Right::Create],
            "can add files.",
        ),
        (
            RuleId::LinkAllowsUpload,
            anyone,
            &[Right::View, Right::Create],
            "can see what is there and add files.",
        ),
        (
            RuleId::ClassifiedItemExposed,
            anyone,
            &[Right::View],
            "anyone who has the link can reach it.",
        ),
        (
            RuleId::ClassifiedItemExposed,
            (Audience::Organization, Some(false)),
            &[Right::View],
            "everybody in the organisation",
        ),
        (
            RuleId::ClassifiedItemExposed,
            (Audience::External, None),
            &[Right::View],
            "too many people have access to it.",
        ),
    ] {
        let wrong = wrong(rule, open_to, rights);
        assert!(wrong.contains(expected), "{rule}: {wrong}");
    }
}

#[test]
fn of_what_only_takes_files_nobody_is_told_that_it_can_be_opened() {
    // Of such a link these two are not said.
    let never = [RuleId::LinkWithoutPassword, RuleId::BreachSuspected];
    for rule in RuleId::ALL.iter().filter(|rule| !never.contains(rule)) {
        for audience in Audience::ALL {
            let letter = |language| {
                let content = digest(|entry| {
                    entry.findings = vec![told(*rule)];
                    entry.audience = *audience;
                    entry.access = Access::of(&[Right::Create]);
                });
                text(language, content)
            };
            for (language, opens) in [
                (Language::En, &["can open", "able to open"][..]),
                (Language::De, &["öffnen kann", "öffnen können"]),
                (Language::Fr, &["ouvrir"]),
            ] {
                let text = letter(language);
                assert!(!opens.iter().any(|opens| text.contains(opens)), "{rule}\n{text}");
            }
        }
    }
}

#[test]
fn a_mailed_link_is_taken_back_and_no_link_is_ended() {
    for rule in [
        RuleId::LinkWithoutPassword,
        RuleId::LinkWithoutExpiry,
        RuleId::LinkAllowsUpload,
        RuleId::ResharedByOther,
    ] {
        for kind in [ShareKind::Mail, ShareKind::Link] {
            let content = digest(|entry| {
                entry.kind = kind;
                entry.findings = vec![told(rule)];
            });
            let text = text(Language::En, content).to_lowercase();
            let is_mailed = kind == ShareKind::Mail;
            for (words, expected) in [
                ("take access back: choose", is_mailed),
                ("take the access back", is_mailed),
                ("end a link: choose", !is_mailed),
            ] {
                assert_eq!(text.contains(words), expected, "{rule} {kind}\n{text}");
            }
        }
    }
}

#[test]
fn whoever_stands_in_is_told_what_they_can_do_and_not_what_owners_can() {
    let renderer = renderer();
    for language in Language::ALL {
        let words = words(*language);
        for told in [Reader::Manager, Reader::Fallback] {
            for why in Instead::ALL {
                let letter = Letter {
                    told,
                    instead: Some(*why),
                    ..sample::letter(*language, Content::Digest(sample::digest()))
                };
                let rendered = renderer.render(&letter).unwrap();
                let is_manager = told == Reader::Manager;
                let is_gone = *why == Instead::OwnerGone;
                for (key, expected) in [
                    ("digest.why_you", false),
                    ("digest.below", false),
                    ("how.nextcloud.share", false),
                    ("how.nextcloud.end_link", false),
                    ("how.microsoft365.share", false),
                    ("instead.manager", is_manager),
                    ("instead_of.account", true),
                    ("instead_of.manager", is_manager),
                    ("instead_of.manager_ask", is_manager),
                    ("instead_of.gone", is_gone && !is_manager),
                    ("instead_of.here", !is_gone && !is_manager),
                    ("instead_of.plan", !is_manager),
                ] {
                    let said = words.texts()[key].split('{').next().unwrap();
                    for part in [&rendered.text, &rendered.html] {
                        assert_eq!(
                            part.contains(said),
                            expected,
                            "{language} {told} {why} {key}\n{part}"
                        );
                    }
                }
                assert!(rendered.text.contains(&words.texts()[&format!("instead.{why}")]));
            }
        }
    }
}

#[test]
fn administrators_are_told_in_their_language_why_something_was_not_read() {
    for language in Language::ALL {
        let words = words(*language);
        for code in ProblemCode::ALL {
            let summary = Summary {
                unread: vec![(SourceName::new("cloud"), "dave".into(), *code)],
                ..Summary::default()
            };
            let text = text(*language, Content::Summary(Box::new(summary)));
            let why = &words.texts()[&format!("problem.{code}")];
            assert!(
                text.lines()
                    .any(|line| line.starts_with("- cloud, dave") && line.ends_with(why.as_str()))
            );
        }
    }
}

#[test]
fn letters_of_unknown_fate_are_told_whole_and_with_their_day() {
    let address = format!("{}@{}.example.org", "a".repeat(64), "b".repeat(60));
    let unsure = |why: Option<&str>| Unsure {
        address: address.clone(),
        on: date(2026, 11, 25),
        why: why.map(str::to_owned),
    };
    let summary = Summary {
        unknown: vec![unsure(None), unsure(Some("lost after the letter"))],
        ..Summary::default()
    };
    let text = text(Language::De, Content::Summary(Box::new(summary)));
    let words = words(Language::De);
    for (key, why) in [("unknown_lost", ""), ("unknown_line", "lost after the letter")] {
        let line = words.texts()[&format!("summary.{key}")]
            .replace("{address}", &address)
            .replace("{date}", "25. November 2026")
            .replace("{why}", why);
        assert!(text.lines().any(|found| found == format!("- {line}")), "{text}");
    }
}

#[test]
fn a_summary_says_which_runs_its_figures_are_of() {
    let summary = Summary {
        sources: sample::summary().sources,
        ..Summary::default()
    };
    let letter = sample::letter(Language::En, Content::Summary(Box::new(summary)));
    let rendered = renderer().render(&letter).unwrap();
    for line in [
        "- cloud: complete, read on 26 November 2026 (run 20261126T020000Z)",
        "- lab: not yet read as a whole",
    ] {
        assert!(rendered.text.contains(line), "{}", rendered.text);
    }
    assert!(rendered.subject.ends_with(": incomplete"), "{}", rendered.subject);
}

#[test]
fn what_will_happen_is_told_with_its_day() {
    let due = |due: Option<Due>| {
        let text = text(Language::En, digest(|entry| entry.due = due));
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("What will happen: "))
            .unwrap();
        line.split(" The file").next().unwrap().to_owned()
    };
    let on = |on, action, value| Some(Due { on, action, value });
    let (before, today) = (date(2026, 11, 25), date(2026, 11, 26));
    let end = Some(date(2027, 1, 1));
    for (given, expected) in [
        (None, "No date has been set. Please put it right all the same."),
        (
            on(today, ActionKind::Revoke, None),
            "If nothing is done, this share will be ended on 26 November 2026.",
        ),
        (
            on(today, ActionKind::SetExpiry, end),
            "If nothing is done, this share will be given an end date on 26 November 2026. It then stops working on 1 January 2027.",
        ),
        (
            on(today, ActionKind::SetExpiry, None),
            "If nothing is done, this share will be given an end date on 26 November 2026.",
        ),
        (
            on(before, ActionKind::Revoke, None),
            "This share was to be ended on 25 November 2026. This will be done in one of the coming nights.",
        ),
        (
            on(before, ActionKind::SetExpiry, end),
            "This share was to be given an end date on 25 November 2026. This will be done in one of the coming nights.",
        ),
    ] {
        assert_eq!(due(given), expected);
    }
}

#[test]
fn remedies_do_not_contradict_each_other() {
    let todo = |rules: &[RuleId], audience| {
        let text = text(
            Language::En,
            digest(|entry| {
                entry.findings = rules.iter().copied().map(told).collect();
                entry.audience = audience;
            }),
        );
        let (_, todo) = text.split_once("What to do:").unwrap();
        todo.split("\n\n").next().unwrap().to_owned()
    };
    let link = [RuleId::LinkWithoutPassword, RuleId::LinkWithoutExpiry];
    assert!(todo(&link, Audience::Anyone).contains("Set a password"));
    let with = |rule| [link[0], rule, link[1]];
    let classified = todo(&with(RuleId::ClassifiedItemExposed), Audience::Anyone);
    assert!(
        classified.contains("End the share.") && !classified.contains("Set a"),
        "{classified}"
    );
    let named = todo(&with(RuleId::ClassifiedItemExposed), Audience::External);
    assert!(
        named.contains("Check who needs this") && named.contains("Set a password"),
        "{named}"
    );
    let breach = todo(&with(RuleId::BreachSuspected), Audience::Anyone);
    assert!(
        breach.contains("change nothing") && breach.matches('\n').count() == 1,
        "{breach}"
    );
}

#[test]
fn dates_are_written_out() {
    for (language, day, expected) in [
        (Language::En, date(2026, 11, 30), "30 November 2026"),
        (Language::En, date(2027, 1, 1), "1 January 2027"),
        (Language::De, date(2026, 11, 30), "30. November 2026"),
        (Language::De, date(2027, 3, 1), "1. März 2027"),
        (Language::Fr, date(2026, 11, 30), "30 novembre 2026"),
        (Language::Fr, date(2027, 1, 1), "1er janvier 2027"),
        (Language::Fr, date(2027, 8, 2), "2 août 2027"),
    ] {
        let words = words(language);
        assert_eq!(words.voice(Part::Text).date(day).unwrap().to_string(), expected);
    }
}

#[test]
fn counts_are_told_in_the_right_number() {
    for (language, count, expected) in [
        (Language::En, 0, "0 shares to look at"),
        (Language::En, 1, "1 share to look at"),
        (Language::En, 2, "2 shares to look at"),
        (Language::En, 1_234_567, "1,234,567 shares to look at"),
        (Language::De, 0, "0 Freigaben zu prüfen"),
        (Language::De, 1, "1 Freigabe zu prüfen"),
        (Language::De, 1_000, "1.000 Freigaben zu prüfen"),
        (Language::Fr, 0, "0 partage à vérifier"),
        (Language::Fr, 1, "1 partage à vérifier"),
        (Language::Fr, 2, "2 partages à vérifier"),
        (Language::Fr, 12_345, "12\u{a0}345 partages à vérifier"),
    ] {
        let words = words(language);
        let said = words
            .voice(Part::Text)
            .count("digest.entries", count, &[])
            .unwrap();
        assert_eq!(said.to_string(), expected);
    }
}

#[test]
fn a_letter_to_somebody_else_says_why() {
    let renderer = renderer();
    for language in Language::ALL {
        let words = words(*language);
        for why in Instead::ALL {
            let mut letter = sample::letter(*language, Content::Digest(sample::digest()));
            letter.instead = Some(*why);
            let text = renderer.render(&letter).unwrap().text;
            assert!(text.contains(&words.texts()[&format!("instead.{why}")]), "{text}");
            assert!(!text.contains(&words.texts()["digest.why_you"]), "{text}");
        }
    }
}

#[test]
fn letters_begin_with_whom_they_are_for() {
    let renderer = renderer();
    for letter in sample::letters() {
        let words = words(letter.language);
        let rendered = renderer.render(&letter).unwrap();
        let notice = words.texts()["letter.notice"].replace("{address}", &letter.to.address);
        let mark = &words.texts()["letter.confidential"];
        assert!(
            rendered
                .text
                .starts_with(&format!("{}\n{notice}\n", mark.to_uppercase()))
        );
        let body = rendered
            .html
            .split_once("<main style=\"overflow-wrap: anywhere\">")
            .unwrap()
            .1;
        assert!(
            body.starts_with(&format!("\n<p class=\"notice\"><strong>{mark}</strong><br>")),
            "{body}"
        );
        assert!(rendered.subject.starts_with(&format!("[{mark}] ")) && rendered.subject.lines().count() == 1);
    }
}

#[test]
fn letters_hold_no_link_and_load_nothing() {
    let renderer = renderer();
    for letter in sample::letters() {
        let rendered = renderer.render(&letter).unwrap();
        for part in [&rendered.subject, &rendered.text, &rendered.html] {
            let part = part.replace(START, "");
            for sign in [
                "://", "href", "src=", "<a", "<img", "<script", "<link", "url(", "@import", "www.",
            ] {
                assert!(!part.contains(sign), "{sign}: {part}");
            }
        }
    }
}

#[test]
fn an_organisations_own_files_stand_in_for_ours() {
    let own = BTreeMap::from(
        [
            ("subject.txt", "[Uni-IT]\n{{ headline }}\n"),
            ("words.de.toml", "[letter]\nno_links = 'Wir verlinken nichts.'\n"),
            ("style.css", "body { color: #123456; }"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned())),
    );
    let renderer = Renderer::new(&own, facts()).unwrap();
    let letter = |language| sample::letter(language, Content::Digest(sample::digest()));
    let german = renderer.render(&letter(Language::De)).unwrap();
    assert!(
        german.subject.starts_with("[Uni-IT] Geteilte Dateien: "),
        "{}",
        german.subject
    );
    assert!(german.text.contains("\nWir verlinken nichts.\n") && german.html.contains("#123456"));
    let french = renderer.render(&letter(Language::Fr)).unwrap();
    assert!(french.text.contains("Pour votre sécurité"));
}

#[test]
fn what_is_wrong_with_an_own_file_is_told_with_its_line() {
    let none = "it stands in for none of the built-in files; those are subject.txt, digest.txt, digest.html, \
                head.html, incident.txt, incident.html, summary.txt, summary.html, style.css, words.en.toml, words.de.toml, words.fr.toml";
    for (file, source, line, expected) in [
        ("digest.htm", "", None, none),
        ("digest.html", "<p>\n{% if %}", Some(2), "syntax error"),
        (
            "digest.txt",
            "\n\n{{ nobody }}",
            Some(3),
            "undefined value `nobody`",
        ),
        (
            "summary.html",
            "{{ title }}\n{{ t('summary.nothing') }}",
            Some(2),
            "there is no text `summary.nothing`",
        ),
        (
            "summary.txt",
            "{{ t('summary.title') }}",
            Some(1),
            "nothing is filled in for {date} in `summary.title`",
        ),
        ("subject.txt", "{{ total }}", Some(1), "undefined value `total`"),
        (
            "digest.html",
            "{% for entry in entries %}\n{{ entry.nothing }}\n{% endfor %}",
            Some(2),
            "undefined value `entry.nothing`",
        ),
        ("words.fr.toml", "[letter]\ncontact = ", Some(2), ""),
        (
            "words.fr.toml",
            "[letter]\ncontacts = 'x'",
            Some(2),
            "there is no text `letter.contacts`",
        ),
        (
            "words.fr.toml",
            "[letter]\n\ncontact = 7",
            Some(3),
            "`letter.contact` is no text",
        ),
        (
            "words.de.toml",
            "letter.contact = '{name}'",
            Some(1),
            "nothing is filled in for {name} in `letter.contact`",
        ),
    ] {
        let own = BTreeMap::from([(file.to_owned(), source.to_owned())]);
        let error = Renderer::new(&own, facts()).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), (file, line), "{error}");
        assert!(error.what.contains(expected), "{error}");
        assert!(
            error.to_string().starts_with(&format!("mail template {file}")),
            "{error}"
        );
    }
}

#[test]
fn long_names_are_cut_and_say_so() {
    let name = format!("/{}/end.xlsx", "x".repeat(10_000));
    for (language, expected) in [
        (Language::En, "(shortened)"),
        (Language::De, "(gekürzt)"),
        (Language::Fr, "(abrégé)"),
    ] {
        let text = text(language, digest(|entry| entry.item = name.clone()));
        let line = text.lines().find(|line| line.starts_with("1. ")).unwrap();
        assert!(
            line.len() < 250 && line.contains("/end.xlsx") && line.contains(expected),
            "{line}"
        );
    }
}

#[test]
fn names_become_no_links() {
    for (item, expected) in [
        ("/http://evil.example/x", "“/http:/ /evil.example/x”"),
        ("/www.evil.example", "“/www .evil.example”"),
        ("/WwW.evil.example", "“/WwW .evil.example”"),
        ("/a/b/c.txt", "“/a/b/c.txt”"),
    ] {
        let text = text(Language::En, digest(|entry| entry.item = item.into()));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn hostile_names_look_like_this() {
    let name = format!(
        "{}/שכר/مرتبات/<b onclick=\"x\">\u{202e}xslx.exe\r\n\u{0}https://evil.example",
        "long".repeat(500)
    );
    let content = digest(|entry| {
        entry.item = name.clone();
        entry.role = Role::Sharer(name.clone());
    });
    let mut letter = sample::letter(Language::En, content);
    letter.to.name = Some("מרים <i>Miriam</i>".into());
    let letter = renderer().render(&letter).unwrap();
    insta::assert_snapshot!("hostile.en.txt", letter.text);
    insta::assert_snapshot!("hostile.en.html", letter.html);
}

/// Letters in which remote text stands wherever it may.
fn letters_about(remote: &str) -> [Letter; 2] {
    let mut digest = sample::digest();
    for (at, entry) in digest.entries.iter_mut().enumerate() {
        entry.item = format!("/{remote}");
        entry.role = match at {
            0 => Role::Sharer(remote.to_owned()),
            _ => Role::Responsible(remote.to_owned()),
        };
    }
    let summary = Summary {
        unread: vec![(
            SourceName::new("cloud"),
            remote.to_owned(),
            ProblemCode::Forbidden,
        )],
        failed: vec![(remote.to_owned(), remote.to_owned())],
        unknown: vec![Unsure {
            address: remote.to_owned(),
            on: date(2026, 11, 26),
            why: Some(remote.to_owned()),
        }],
        ..sample::summary()
    };
    [Content::Digest(digest), Content::Summary(Box::new(summary))].map(|content| {
        let mut letter = sample::letter(Language::Fr, content);
        letter.to.name = Some(remote.to_owned());
        letter.to.address = remote.to_owned();
        letter
    })
}

/// The tags of a page, but those that isolate.
fn tags(html: &str) -> Vec<&str> {
    html.match_indices('<')
        .map(|(at, _)| html[at..].split_inclusive('>').next().unwrap())
        .filter(|tag| !["<bdi>", "</bdi>"].contains(tag))
        .collect()
}

fn hostile() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "</bdi></p>",
        "\" onclick=\"x",
        "'",
        "&lt;",
        "{{ t('x') }}",
        "{% if %}",
        "{name}",
        "\r\nBcc: x@evil.example",
        "\u{202e}",
        "\u{2066}",
        "\u{200f}",
        "\u{0}",
        "\u{1b}[31m",
        "\u{85}",
        "\u{2028}",
        "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "שלום",
        "مرحبا",
        "http://evil.example",
        "www.evil.example",
        "www",
        "<!--",
        "]]>",
        "\\u{202e}",
        "…",
        "😀",
    ]);
    let piece = prop_oneof![
        nasty.prop_map(str::to_owned),
        ".{0,40}",
        any::<char>().prop_map(|c| c.to_string())
    ];
    (
        prop::collection::vec(piece, 1..12),
        prop_oneof![Just(1_usize), Just(80)],
    )
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn remote_text_stays_inert(remote in hostile()) {
        let renderer = renderer();
        for (letter, tame) in letters_about(&remote).iter().zip(letters_about("tame")) {
            let rendered = renderer.render(letter).unwrap();
            let tame = renderer.render(&tame).unwrap();
            prop_assert_eq!(tags(&rendered.html), tags(&tame.html));
            prop_assert_eq!(rendered.html.matches('<').count(), rendered.html.matches('>').count());
            let isolated = ["<bdi>", "</bdi>"].map(|tag| rendered.html.matches(tag).count());
            prop_assert_eq!(isolated[0], isolated[1]);
            prop_assert_eq!(rendered.text.lines().count(), tame.text.lines().count());
            prop_assert_eq!(rendered.html.lines().count(), tame.html.lines().count());
            prop_assert!(rendered.text.len() < 40_000 && rendered.html.len() < 60_000);
            for part in [&rendered.subject, &rendered.text, &rendered.html] {
                let odd = part.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\u{a0}'));
                prop_assert_eq!(odd, None);
                let part = part.replace(START, "").to_ascii_lowercase();
                prop_assert!(!part.contains("://") && !part.contains("www."));
            }
            for (at, _) in rendered.html.match_indices('&') {
                let entity = rendered.html[at..].split_inclusive(';').next().unwrap();
                prop_assert!(
                    ["&amp;", "&lt;", "&gt;", "&quot;", "&#x27;", "&#x2f;"].contains(&entity), "{}", entity
                );
            }
        }
    }
}
