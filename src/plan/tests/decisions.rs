use proptest::prelude::*;

use super::{action, file::plan};
use crate::plan::{Decisions, Plan, PlanFileError, decisions};
use crate::policy::fixtures::NOW;

fn csv(plan: &Plan) -> String {
    let mut out = Vec::new();
    decisions::write(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a spreadsheet makes of a CSV where cells are separated by semicolons.
fn resaved(text: &str, delimiter: u8) -> String {
    let mut out = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .from_writer(vec![0xef, 0xbb, 0xbf]);
    for row in csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes())
        .records()
    {
        out.write_record(&row.unwrap()).unwrap();
    }
    String::from_utf8(out.into_inner().unwrap()).unwrap()
}

fn done(text: &str, plan: &Plan) -> Result<Vec<String>, PlanFileError> {
    let decisions = Decisions::read(text)?;
    Ok(decisions
        .apply_to(plan)?
        .iter()
        .map(|own| own.share.clone())
        .collect())
}

#[test]
fn everything_is_done_until_somebody_decides() {
    let plan = plan();
    let text = csv(&plan);
    let head = "decision,action,value,owner,item,reason,audience,also_ends,source,share,finding,id,plan\n\
                do,set-expiry,2026-12-22,alice,/a,\"link-without-expiry";
    assert!(text.starts_with("decision,action,value,owner,item,reason,audience,also_ends,source,share,finding,id,plan\ndo,set-expiry,2026-12-22,alice,/a,"), "{head}\n{text}");
    assert_eq!(done(&text, &plan).unwrap(), ["17", "18", "17", "19"]);
    let skipped = text.replacen("\ndo,", "\n SKIP ,", 1);
    assert_eq!(done(&skipped, &plan).unwrap(), ["18", "17", "19"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        done(&[lines[0], lines[2]].join("\n"), &plan).unwrap(),
        ["18"],
        "unlisted ones are skipped"
    );
}

#[test]
fn columns_may_move_and_others_be_there() {
    let plan = plan();
    let (one, two) = (&plan.actions[0].id, &plan.actions[1].id);
    for text in [
        format!(
            "ID;Plan;note;Decision\n{one};{0};so, so;do\n{two};{0};;skip\n;;;\n",
            plan.id
        ),
        format!(
            "\u{feff}plan,decision,id\r\n{0},Do,{one}\r\n\r\n{0}, skip,{two}\r\n",
            plan.id
        ),
        format!("decision;id;plan\n\"do\";\"{one}\";\"{}\"", plan.id),
    ] {
        assert_eq!(done(&text, &plan).unwrap(), ["17"], "{text}");
    }
}

/// Whoever counts the lines above each row anew is not done in this hour.
#[test]
fn a_long_list_is_gone_through_once() {
    let rows: Vec<String> = (0..50_000).map(|row| format!("do,a-{row},plan-1\r\n")).collect();
    let text = format!("decision,id,plan\r\n{}do,a-7,plan-1\r\n", rows.concat());
    let error = Decisions::read(&text).unwrap_err();
    let (line, before, id) = (50_002, 9, "a-7".to_owned());
    assert_eq!(error, PlanFileError::DecidedTwice { line, before, id });
}

#[test]
fn whatever_is_unclear_is_refused_with_its_line() {
    let plan = plan();
    let (one, id) = (&plan.actions[0].id, &plan.id);
    for (text, expected) in [
        (String::new(), PlanFileError::NoDecisions),
        ("\n\n".into(), PlanFileError::NoDecisions),
        ("decision,id,plan\n".into(), PlanFileError::NoDecisions),
        ("decision,id,plan\n,,\n".into(), PlanFileError::NoDecisions),
        ("decision,id\ndo,a".into(), PlanFileError::NoColumn("plan")),
        ("id,plan\n".into(), PlanFileError::NoColumn("decision")),
        ("decision,id,plan, ID\n".into(), PlanFileError::TwoColumns("id")),
        (
            format!("decision,id,plan\nperhaps,{one},{id}"),
            PlanFileError::Decision {
                line: 2,
                given: "perhaps".into(),
            },
        ),
        (
            format!("decision,id,plan\n=x\u{1b},{one},{id}"),
            PlanFileError::Decision {
                line: 2,
                given: "=x\\u{1b}".into(),
            },
        ),
        (
            format!("decision,id,plan\n,{one},{id}"),
            PlanFileError::Empty {
                line: 2,
                column: "decision",
            },
        ),
        (
            format!("decision,id,plan\ndo,{one}"),
            PlanFileError::Empty {
                line: 2,
                column: "plan",
            },
        ),
        (
            format!("decision,id,plan\ndo,,{id}"),
            PlanFileError::Empty {
                line: 2,
                column: "id",
            },
        ),
        (
            format!("decision,id,plan\ndo,{one},{id}\nskip,{one},{id}"),
            PlanFileError::DecidedTwice {
                line: 3,
                before: 2,
                id: one.clone(),
            },
        ),
        (
            format!("decision,id,plan\ndo,{one},{id}\nskip,a-1,plan-x"),
            PlanFileError::SeveralPlans { line: 3 },
        ),
        (
            format!("decision,id,plan\ndo,{one},plan-x"),
            PlanFileError::OtherPlan("plan-x".into()),
        ),
        (
            format!("decision,id,plan\nskip,a-000000000g,{id}\ndo,a-zzzz,{id}"),
            PlanFileError::NoAction {
                line: 2,
                id: "a-000000000g".into(),
            },
        ),
    ] {
        assert_eq!(done(&text, &plan).unwrap_err(), expected, "{text:?}");
    }
}

const HOSTILE: &[&str] = &[
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "a;=1",
    "x\ny",
    "\u{202e}fdp.exe",
    "a\r\n=1",
    "\"",
    "'=1",
    "＝1",
];

proptest! {
    #[test]
    fn hostile_names_stay_text_and_decisions_survive(
        text in ".{0,40}", hostile in prop::sample::select(HOSTILE), skipped in prop::collection::vec(any::<bool>(), 3),
    ) {
        let actions = ["1", "2", "3"].map(|share| {
            let mut own = action(share);
            own.item_path = hostile.to_owned();
            own.owner = format!("{hostile}{text}");
            own.also_ends = vec![hostile.to_owned(), text.clone()];
            own.share = format!("{share}{hostile}");
            own
        });
        let plan = Plan::made(actions.to_vec(), NOW);
        prop_assert_eq!(Plan::read(&plan.to_json()), Ok(plan.clone()));
        let mut text = csv(&plan);
        prop_assert_eq!(text.lines().count(), 4);
        for row in csv::Reader::from_reader(text.as_bytes()).records() {
            for cell in row.unwrap().iter().flat_map(|cell| cell.split(';').map(str::to_owned).collect::<Vec<_>>()) {
                prop_assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{cell}");
                prop_assert!(!cell.chars().any(crate::report::text::is_hidden));
            }
        }
        for (own, skip) in plan.actions.iter().zip(&skipped) {
            if *skip {
                let line = text.lines().find(|line| line.contains(&own.id)).unwrap().to_owned();
                text = text.replace(&line, &line.replacen("do", "skip", 1));
            }
        }
        let expected: Vec<&str> = plan.actions.iter().zip(&skipped).filter(|(_, skip)| !**skip).map(|(own, _)| own.id.as_str()).collect();
        for text in [text.clone(), resaved(&text, b','), resaved(&text, b';')] {
            let read = Decisions::read(&text).unwrap();
            let done: Vec<&str> = read.apply_to(&plan).unwrap().iter().map(|own| own.id.as_str()).collect();
            prop_assert_eq!(&done, &expected);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\",;\n\r\u{feff}a-z\u{1b}]{0,60}", wild in ".{0,40}") {
        let plan = plan();
        for text in [text.clone(), wild.clone(), format!("decision,id,plan\n{text}"), format!("decision;id;plan\ndo;{wild};{text}")] {
            if let Err(error) = done(&text, &plan) {
                let said = error.to_string();
                prop_assert!(said.len() < 900 && !said.chars().any(crate::report::text::is_hidden), "{said}");
            }
        }
    }
}
