use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Bench, REVOKE, action, rule};
use crate::model::{RuleId, SourceName};
use crate::plan::{Plan, PlanFileError};
use crate::policy::fixtures::{NOW, link};

pub(super) fn plan() -> Plan {
    let mut other = action("17");
    other.source = SourceName::new("m365");
    other.item_path = "/Übung \"x\"\u{202e}.pdf".into();
    let revoke = Bench::of(vec![rule(RuleId::LinkWithoutPassword, REVOKE)]);
    let mut ended = revoke.proposes(&link("/b")).unwrap().unwrap();
    ended.share = "19".into();
    Plan::made(vec![action("17"), action("18"), other, ended], NOW)
}

/// A plan in whose file something was replaced, and whose digest is right again.
fn forged(from: &str, to: &str) -> Result<Plan, PlanFileError> {
    let mut plan = plan();
    plan.digest = String::new();
    let text = plan.to_json().replacen(from, to, 1);
    assert_ne!(text, plan.to_json(), "{from}");
    Plan::read(&text)
}

#[test]
fn a_plan_has_ids_and_an_end() {
    let plan = plan();
    assert!(
        plan.id.starts_with("plan-20261122T020000Z-") && plan.id.len() == 28,
        "{}",
        plan.id
    );
    for own in &plan.actions {
        let digits = own.id.strip_prefix("a-").unwrap();
        assert!(digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let again = self::plan();
    assert_ne!((&plan.id, &plan.actions[0].id), (&again.id, &again.actions[0].id));
    assert_eq!(plan.digest.len(), 64);
    assert_eq!(plan.expires_at, NOW + SignedDuration::from_hours(24 * 7));
    let ends = |value: &str, now: &str| {
        let mut own = action("1");
        own.value = Some(value.into());
        Plan::made(vec![own, action("2")], now.parse().unwrap())
            .expires_at
            .to_string()
    };
    assert_eq!(ends("2026-11-23", "2026-11-22T02:00:00Z"), "2026-11-23T00:00:00Z");
    assert_eq!(
        ends("2026-11-23T05:00:00Z", "2026-11-22T02:00:00Z"),
        "2026-11-23T05:00:00Z"
    );
    assert_eq!(
        ends("2026-11-23", "2026-11-23T07:00:00Z"),
        "2026-11-23T08:00:00Z",
        "an hour is left in the west"
    );
    let first = Plan::made(vec![action("1"), action("2")], NOW);
    assert_eq!(
        first.check(first.expires_at),
        Err(PlanFileError::Expired(first.expires_at))
    );
    assert_eq!(
        first.check(first.expires_at - SignedDuration::from_secs(1)),
        Ok(())
    );
    assert_eq!(first.check(NOW), Ok(()));
    assert_eq!(
        first.check(NOW - SignedDuration::from_secs(1)),
        Err(PlanFileError::FromTheFuture(NOW))
    );
    assert!(Plan::made(Vec::new(), Timestamp::MAX).actions.is_empty());
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let plan = plan();
    assert_eq!(Plan::read(&plan.to_json()).as_ref(), Ok(&plan));
    let flat = serde_json::to_string(&plan).unwrap();
    assert_eq!(Plan::read(&flat), Ok(plan), "blanks do not matter");
}

#[test]
fn what_is_no_plan_is_refused_with_its_place() {
    let said = |text: &str| Plan::read(text).unwrap_err();
    for (text, line, column) in [
        ("", 1, 0),
        ("decision,action\n", 1, 1),
        ("{\n\"schema\": ", 2, 10),
        ("\u{0}", 1, 1),
    ] {
        assert_eq!(said(text), PlanFileError::NotJson { line, column }, "{text:?}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(
        said(&deep),
        PlanFileError::NotJson { .. } | PlanFileError::Shape { .. }
    ));
    for text in [
        "{}",
        "{\"schema\": 7}",
        "{\"schema\": \"sharewarden.report/v1\"}",
        "{\"schema\": null}",
    ] {
        assert_eq!(said(text), PlanFileError::OtherSchema, "{text}");
    }
    let newer = said("{\"schema\": \"sharewarden.plan/v2\", \"steps\": []}");
    assert_eq!(newer, PlanFileError::OtherVersion("sharewarden.plan/v2".into()));
    let long = format!(
        "{{\"schema\": \"sharewarden.plan/v\u{1b}[2J{}\"}}",
        "9".repeat(9_000)
    )
    .replace('\u{1b}', "\\u001b");
    let long = said(&long).to_string();
    assert!(long.len() < 300 && !long.contains('\u{1b}'), "{long}");
    assert_eq!(said(&" ".repeat(64 * 1024 * 1024 + 1)), PlanFileError::TooLarge);
}

#[test]
fn an_edited_plan_is_refused() {
    let text = plan().to_json();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Plan::read(&text.replacen(from, to, 1)).unwrap_err()
    };
    assert_eq!(edited("2026-12-22", "2026-12-23"), PlanFileError::Edited);
    assert_eq!(edited("\"revoke\"", "\"set-expiry\""), PlanFileError::Edited);
    assert_eq!(
        edited(
            "\"created_at\": \"2026-11-22T02",
            "\"created_at\": \"2026-11-22T03"
        ),
        PlanFileError::Edited
    );
    for (from, to, what) in [
        ("\"owner\"", "\"ow\\u001bner\"", "unknown field `ow\\u{1b}ner`"),
        ("\"item_path\": \"/a\",", "", "missing field `item_path`"),
        ("\"set-expiry\"", "\"explode\"", "unknown variant `explode`"),
    ] {
        match edited(from, to) {
            PlanFileError::Shape {
                line,
                column,
                what: said,
            } => {
                assert!(line > 5 && column > 0 && said.starts_with(what), "{said}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        forged("\"share\": \"18\"", "\"share\": \"17\"").unwrap_err(),
        PlanFileError::SameShare { first: 1, second: 2 }
    );
    let ids: Vec<String> = plan().actions.iter().map(|own| own.id.clone()).collect();
    assert_eq!(
        ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
        ids.len()
    );
    let mut twice = plan();
    twice.actions[3].id = twice.actions[1].id.clone();
    assert_eq!(
        Plan::read(&twice.to_json()).unwrap_err(),
        PlanFileError::SameId { first: 2, second: 4 }
    );
}

proptest! {
    #[test]
    fn an_edit_of_one_character_is_refused_or_changes_nothing(at in any::<prop::sample::Index>(), sign in any::<char>(), insert in any::<bool>()) {
        let plan = plan();
        let mut signs: Vec<char> = plan.to_json().chars().collect();
        let at = at.index(signs.len());
        if insert { signs.insert(at, sign) } else { signs[at] = sign }
        if let Ok(read) = Plan::read(&signs.into_iter().collect::<String>()) {
            prop_assert_eq!(read, plan);
        }
    }

    #[test]
    fn a_digit_or_letter_more_or_less_is_no_other_plan(at in any::<prop::sample::Index>(), sign in "[0-9a-z\"{}:, ]") {
        let plan = plan();
        let mut text = plan.to_json();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[at.index(places.len())];
        let end = at + text[at..].chars().next().unwrap().len_utf8();
        text.replace_range(at..end, &sign);
        if let Ok(read) = Plan::read(&text) {
            prop_assert_eq!(read, plan);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for text in [text.clone(), String::from_utf8_lossy(&bytes).into_owned(), format!("{{\"schema\":\"sharewarden.plan/v1\",\"id\":{text:?}}}")] {
            let said = Plan::read(&text).unwrap_err().to_string();
            prop_assert!(said.len() < 600 && !said.chars().any(crate::report::text::is_hidden), "{said}");
        }
    }
}
