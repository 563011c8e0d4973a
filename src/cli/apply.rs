//! `apply`: does exactly what a recorded plan says, no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::change::{self, Form, Printed, Underway};
use super::sources::wrong;
use super::terminal::say;
use super::{Exit, Global, scan};
use crate::enforce::{Conditions, EnforceError, Journal as _};
use crate::model::SourceName;
use crate::plan::{Action, Decisions, Plan, PlanFileError};
use crate::policy;
use crate::run;
use crate::store::Ledger;

/// How large a plan file may be.
const LARGEST: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The plan: the JSON that `plan` wrote, or its CSV with decisions
    plan: PathBuf,
    /// Read every share again and say what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// The form of the receipts
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Form,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    change::needs_state(global, "apply")?;
    let loaded = global.load()?;
    let settings = &loaded.settings;
    let text = read(&arguments.plan)?;
    let mut ledger = scan::open(global, settings)?;
    let plan = Chosen::of(&arguments.plan, &text, &ledger)?;
    let mut actions = plan.actions();
    // Dates first: whoever sets one may have the right to from a share that is ended by the same plan.
    actions.sort_by_key(|action| action.action);
    let expired = plan.plan.check(global.now()).err();
    if let Some(error) = &expired {
        // What became of changes that were begun is found out all the same.
        actions = begun(&ledger, actions)?;
        if !matches!(error, PlanFileError::Expired(_)) || actions.is_empty() || arguments.dry_run {
            return Err(refused(&arguments.plan, error));
        }
        say(&format!(
            "note: {error}; what became of {} of its changes that were begun is found out",
            actions.len()
        ));
    }
    let names: BTreeSet<SourceName> = actions.iter().map(|action| action.source.clone()).collect();
    let writers = change::writers(global, settings, &names)?;
    if expired.is_none() {
        check_caps(settings, &ledger, &actions)?;
    }
    if !arguments.dry_run && !actions.is_empty() && expired.is_none() {
        change::confirm(&question(&actions), arguments.yes)?;
    }
    let underway = Underway::begin(global, settings, &ledger, arguments.dry_run)?;
    let waived = run::waived(&ledger, &underway.policy, &actions, global.now());
    let waived = waived.map_err(|error| scan::unusable(&settings.state.path, &error))?;
    let conditions = Conditions {
        audience: &|share| policy::audience(&underway.policy, share),
        bar: &|action| {
            if expired.is_some() {
                Some("the plan has expired: make a new one")
            } else {
                waived.contains(&action.finding).then_some("it was waived since")
            }
        },
        clock: &|| global.finished(),
        who: &underway.who,
        run: &underway.id,
        rehearsal: arguments.dry_run,
        cancel: &underway.cancel,
    };
    let done = run::apply(&mut ledger, &writers, conditions, &plan.plan.id, &actions).await;
    let done = underway.ended(done)?;
    let paths: BTreeMap<String, String> = actions
        .iter()
        .map(|action| (action.id.clone(), action.item_path.clone()))
        .collect();
    let printed = Printed {
        run: (!arguments.dry_run).then_some(underway.id.as_str()),
        paths: &paths,
        form: arguments.format,
        color: global.color,
    };
    change::print(&done, &printed, &underway.cancel)
}

/// A recorded plan, and which of its actions are to be done.
struct Chosen {
    plan: Plan,
    decisions: Option<Decisions>,
}

impl Chosen {
    fn of(path: &Path, text: &str, ledger: &Ledger) -> Result<Self, Exit> {
        let is_csv = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let refuse = |error: &PlanFileError| refused(path, error);
        let recorded = |id: &str| {
            let plan = ledger
                .recorded_plan(id)
                .map_err(|error| scan::unusable(ledger.path(), &error))?;
            plan.ok_or_else(|| {
                wrong(
                    &format!(
                        "the plan `{}` was not made with this state, or was forgotten together with somebody whose shares it \
                         was about",
                        id.escape_debug()
                    ),
                    "make it again with `sharewarden plan`, or name the state that it was made with ([state] path)",
                )
            })
        };
        if is_csv {
            let decisions = Decisions::read(text).map_err(|error| refuse(&error))?;
            let plan = recorded(&decisions.plan)?;
            decisions.apply_to(&plan).map_err(|error| refuse(&error))?;
            return Ok(Self {
                plan,
                decisions: Some(decisions),
            });
        }
        let plan = Plan::read(text.trim_start_matches('\u{feff}')).map_err(|error| refuse(&error))?;
        if recorded(&plan.id)? != plan {
            return Err(wrong(
                &format!(
                    "{} is not the plan `{}` as it was recorded",
                    path.display(),
                    plan.id
                ),
                "give the file back as `plan` wrote it; to leave actions out, edit the decisions of its CSV form",
            ));
        }
        Ok(Self {
            plan,
            decisions: None,
        })
    }

    fn actions(&self) -> Vec<&Action> {
        let decided = self.decisions.as_ref();
        let decided = decided.and_then(|decisions| decisions.apply_to(&self.plan).ok());
        decided.unwrap_or_else(|| self.plan.actions.iter().collect())
    }
}

/// The actions of which only the intent is on record.
fn begun<'p>(ledger: &Ledger, actions: Vec<&'p Action>) -> Result<Vec<&'p Action>, Exit> {
    let mut open = BTreeSet::new();
    let sources: BTreeSet<&SourceName> = actions.iter().map(|action| &action.source).collect();
    for source in sources {
        let unsettled = ledger.unsettled(source);
        let unsettled = unsettled.map_err(|error| change::ended_early(&EnforceError::Journal(error)))?;
        open.extend(unsettled.into_iter().filter_map(|line| line.action));
    }
    Ok(actions
        .into_iter()
        .filter(|action| open.contains(&action.id))
        .collect())
}

fn refused(path: &Path, error: &PlanFileError) -> Exit {
    say(&format!("error: {}: {error}; nothing was sent", path.display()));
    Exit::Usage
}

fn read(path: &Path) -> Result<String, Exit> {
    let unreadable = |why: &dyn std::fmt::Display| {
        wrong(
            &format!("the plan {} cannot be read: {why}", path.display()),
            "name the file that `sharewarden plan --out` wrote",
        )
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(&"it is larger than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|_invalid| unreadable(&"it is no UTF-8 text"))
}

/// No more than the configuration lets be changed in one run.
fn check_caps(settings: &crate::config::Settings, ledger: &Ledger, actions: &[&Action]) -> Result<(), Exit> {
    let over = run::over_caps(ledger, settings.enforce.caps, actions)
        .map_err(|error| scan::unusable(&settings.state.path, &error))?;
    match over {
        None => Ok(()),
        Some(words) => Err(wrong(
            &words,
            "do fewer at once (the CSV form of a plan takes decisions; --source, --user and --rule narrow one), or \
             raise `max_changes` or `max_changes_percent` in [enforce]",
        )),
    }
}

fn question(actions: &[&Action]) -> String {
    use crate::plan::ActionKind;
    let count = |kind| actions.iter().filter(|action| action.action == kind).count();
    let mut parts = Vec::new();
    for (kind, one, several) in [
        (ActionKind::Revoke, "end 1 share", "end {} shares"),
        (
            ActionKind::SetExpiry,
            "give 1 share an end date",
            "give {} shares an end date",
        ),
    ] {
        match count(kind) {
            0 => {}
            1 => parts.push(one.to_owned()),
            more => parts.push(several.replace("{}", &more.to_string())),
        }
    }
    let own: BTreeSet<&String> = actions.iter().map(|action| &action.share).collect();
    let also = actions.iter().flat_map(|action| &action.also_ends);
    let also: BTreeSet<&String> = also.filter(|share| !own.contains(share)).collect();
    let also = match also.len() {
        0 => String::new(),
        1 => ", with which 1 other share ends".to_owned(),
        more => format!(", with which {more} other shares end"),
    };
    format!("This will {}{also}. Go on?", parts.join(" and "))
}
