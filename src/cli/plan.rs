//! `plan`: proposes changes for open findings, and records them so that `apply` can carry them out.

use std::path::{Path, PathBuf};

use clap::Args;

use super::sources::{self, wrong};
use super::terminal::{Output, say};
use super::{Exit, Global, decision, scan, unwritten};
use crate::config::{NextcloudAuth, Settings, SourceDetails, SourceSettings};
use crate::model::{FindingId, Principal, RuleId};
use crate::plan::{Plan, Proposer, decisions, table};
use crate::run::{self, Planned, Proposed};
use crate::store::Narrowing;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Record the plan and write it to a file: `.json` for `apply` as it is, `.csv` to decide in a spreadsheet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only this source; may be repeated
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Only this person's shares (account id or mail address); may be repeated
    #[arg(long, value_name = "ID")]
    user: Vec<String>,
    /// Only findings of this rule; may be repeated
    #[arg(long, value_name = "RULE", value_parser = scan::rule)]
    rule: Vec<RuleId>,
    /// Only this finding; may be repeated
    #[arg(long, value_name = "FINDING", value_parser = finding)]
    finding: Vec<FindingId>,
}

fn finding(text: &str) -> Result<FindingId, String> {
    FindingId::typed(text)
        .ok_or_else(|| "a finding's id has 16 hexadecimal digits; reports show it".to_owned())
}

/// The form of a plan's file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Exit, Exit> {
    let (loaded, mut ledger) = decision::open(global, "plan")?;
    let settings = &loaded.settings;
    let form = arguments.out.as_deref().map(form_of).transpose()?;
    if settings.enforce.rules.is_empty() {
        return Err(wrong(
            "no [[enforce.rule]] says what is to be done about which findings",
            "add some to the configuration; config.example.toml shows how",
        ));
    }
    let chosen = sources::choose(settings, &arguments.source)?;
    let policy = scan::with_made_waivers(global, settings, &ledger)?;
    let narrowing = Narrowing {
        users: &arguments.user,
        rules: &arguments.rule,
        findings: &arguments.finding,
    };
    let credentials: Vec<_> = chosen
        .iter()
        .map(|source| usable(global, settings, source))
        .collect::<Result<_, _>>()?;
    let planned: Vec<Planned<'_>> = chosen
        .iter()
        .zip(&credentials)
        .map(|(source, usable)| Planned {
            name: &source.name,
            kind: source.source_kind(),
            usable: usable.as_ref(),
        })
        .collect();
    let proposer = Proposer::new(&settings.enforce.rules, global.now());
    let proposed = run::propose(&ledger, &policy, &proposer, &planned, narrowing, global.now())
        .map_err(|error| decision::refused(&error))?;
    let Proposed { unproposed, bare, .. } = &proposed;
    note(settings, &chosen, arguments, &proposed);
    if *bare > 0 {
        say(&format!(
            "note: {bare} shares with findings could not be looked at, since their particulars are not kept: scan first"
        ));
    }
    let plan = Plan::made(proposed.actions.clone(), global.now());
    let actions: Vec<_> = plan.actions.iter().collect();
    let over = run::over_caps(&ledger, settings.enforce.caps, &actions)
        .map_err(|error| decision::refused(&error))?;
    if let Some(words) = over {
        say(&format!(
            "note: {words}: `apply` will refuse all of it at once; narrow it, decide in its CSV form, or raise the limit"
        ));
    }
    let style = Output::Standard.style(global.color);
    if let (Some(path), Some(form)) = (&arguments.out, form) {
        ledger
            .record_plan(&plan)
            .map_err(|error| decision::refused(&error))?;
        let written = Output::File(path.clone()).write(|out| match form {
            Form::Json => out.write_all(plan.to_json().as_bytes()),
            Form::Csv => decisions::write(&plan, out),
        });
        written.map_err(|error| unwritten(&error))?;
    }
    let written = Output::Standard.write(|out| {
        table::write(style, &plan.actions, unproposed, out)?;
        match &arguments.out {
            Some(path) => writeln!(
                out,
                "plan {} is in {} and can be applied until {}",
                plan.id,
                path.display(),
                plan.expires_at
            ),
            None => writeln!(
                out,
                "nothing was recorded: --out FILE makes a plan that can be applied"
            ),
        }
    });
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

fn form_of(path: &Path) -> Result<Form, Exit> {
    let ending = path
        .extension()
        .and_then(|ending| ending.to_str())
        .map(str::to_ascii_lowercase);
    match ending.as_deref() {
        Some("json") => Ok(Form::Json),
        Some("csv") => Ok(Form::Csv),
        _ => Err(wrong(
            &format!(
                "the name {} does not say which form the plan is to have",
                path.display()
            ),
            "let it end in .json or .csv",
        )),
    }
}

/// What the operator should know about the sources and findings that were named.
fn note(settings: &Settings, chosen: &[&SourceSettings], arguments: &Arguments, proposed: &Proposed) {
    for source in chosen {
        let is_planned = proposed.actions.iter().any(|action| action.source == source.name);
        if is_planned && !source.may_change() {
            say(&format!(
                "note: nothing may be changed in `{}` until it has `enforce_auth`, or `enforce = true`",
                source.name
            ));
        }
    }
    if !arguments.user.is_empty() && proposed.is_empty() {
        let named: Vec<_> = arguments.user.iter().map(|user| format!("{user:?}")).collect();
        say(&format!(
            "note: of what {} owns or shared, as far as the state knows somebody of that name, nothing stands open that an \
             [[enforce.rule]] is about",
            named.join(", ")
        ));
    }
    for finding in arguments
        .finding
        .iter()
        .filter(|finding| !proposed.is_about(finding))
    {
        let rules = settings.enforce.rules.len();
        say(&format!(
            "note: the finding {} does not stand open, another one of its share asks for more, or none of the {rules} \
             [[enforce.rule]] is about it",
            finding.as_str()
        ));
    }
}

pub(super) type Usable = Box<dyn Fn(&Principal) -> bool + Send + Sync>;

/// For which accounts there is a credential to change something with.
pub(super) fn usable(global: &Global, settings: &Settings, source: &SourceSettings) -> Result<Usable, Exit> {
    let SourceDetails::Nextcloud(it) = &source.kind else {
        return Ok(Box::new(|_| true));
    };
    let only = |names: Vec<String>| -> Usable {
        Box::new(move |account: &Principal| {
            // People may sign in with their address.
            let ids = [Some(account.id.as_str()), account.email.as_deref()];
            let is_own = |name: &String| ids.iter().flatten().any(|id| id.eq_ignore_ascii_case(name));
            names.iter().any(is_own)
        })
    };
    Ok(match it.change_auth().unwrap_or(&it.auth) {
        NextcloudAuth::AppApi { .. } => Box::new(|_| true),
        NextcloudAuth::AppPassword { user, .. } => only(vec![user.clone()]),
        // Who may plan need not be able to read what is for changes: `apply` finds out.
        NextcloudAuth::AppPasswords(_) if it.enforce_auth.is_some() => Box::new(|_| true),
        NextcloudAuth::AppPasswords(file) => {
            let users = file.read().map_err(|report| global.wrong(&report))?;
            only(users.into_keys().collect())
        }
        NextcloudAuth::Login => {
            let kept = settings.state.credentials().load(&source.name, &it.grantor());
            only(vec![kept.map_err(|wrong| global.wrong(&wrong.into()))?.user])
        }
    })
}
