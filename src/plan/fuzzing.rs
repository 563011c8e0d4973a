//! What fuzzing holds plan files and decisions to, beside that no bytes make reading them panic.

use super::{Decisions, Plan, PlanFileError, decisions, table};
use crate::report::Style;
use crate::report::text::is_hidden;

/// The file of a plan: such bytes, and with a digest that fits.
pub(crate) fn plan(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = Plan::read(&text) {
        shown(&error);
    }
    let Ok(mut plan) = serde_json::from_str::<Plan>(&text) else {
        return;
    };
    plan.digest = plan.digest_now();
    let read = match Plan::read(&plan.to_json()) {
        Ok(read) => read,
        Err(error) => {
            shown(&error);
            assert_ne!(error, PlanFileError::Edited);
            return;
        }
    };
    assert_eq!(read, plan, "written and read again");
    let mut edited = plan.clone();
    edited.expires_at = edited.created_at;
    edited.actions.truncate(1);
    if edited != plan {
        assert_eq!(Plan::read(&edited.to_json()), Err(PlanFileError::Edited));
    }
    let mut screen = Vec::new();
    let style = Style {
        width: Some(80),
        ..Style::default()
    };
    let drawn = table::write(style, &plan.actions, &[], &mut screen);
    assert!(drawn.is_ok());
    let screen = String::from_utf8_lossy(&screen);
    assert!(!screen.chars().any(|c| c != '\n' && is_hidden(c)), "{screen:?}");
    decided(&plan);
}

/// The decisions that a plan is written as are to do it.
fn decided(plan: &Plan) {
    let mut table = Vec::new();
    assert!(decisions::write(plan, &mut table).is_ok());
    let table = String::from_utf8_lossy(&table);
    let mut rows = 0;
    for row in csv::Reader::from_reader(table.as_bytes()).records().flatten() {
        rows += 1;
        for cell in &row {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']),
                "{cell:?}"
            );
            assert!(!cell.chars().any(is_hidden), "{cell:?}");
        }
    }
    assert_eq!(rows, plan.actions.len(), "a row an action");
    let is_ours = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_ours(&plan.id) && rows > 0 && plan.actions.iter().all(|action| is_ours(&action.id)) {
        let read = Decisions::read(&table);
        let done = read.as_ref().map(|read| read.apply_to(plan));
        assert_eq!(done, Ok(Ok(plan.actions.iter().collect())));
    }
}

/// A list of decisions.
pub(crate) fn decisions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = match Decisions::read(&text) {
        Ok(read) => read,
        Err(error) => return shown(&error),
    };
    // As a spreadsheet writes them.
    let mut table = String::from("\u{feff}plan;ID;Decision;\r\n");
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    for (id, done) in &read.decisions {
        let decision = if *done { "Do" } else { "SKIP" };
        let (plan, id) = (quoted(&read.plan), quoted(id));
        table.extend([&plan, ";", &id, ";", decision, ";\r\n"]);
    }
    let again = Decisions::read(&table).map(|again| (again.plan, again.decisions));
    assert_eq!(again, Ok((read.plan, read.decisions)), "written and read again");
}

/// An error shows little of the file, and nothing that steers.
fn shown(error: &PlanFileError) {
    let words = error.to_string();
    assert!(words.len() <= 2_000, "{} bytes", words.len());
    assert!(!words.chars().any(is_hidden), "{words:?}");
}
