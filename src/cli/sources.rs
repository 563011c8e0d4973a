//! Builds the parts of a scan from the settings: which sources, how each is read, and how a run is interrupted.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::terminal::say;
use super::{Exit, Global};
use crate::config::{
    DisabledAccounts, NextcloudAuth, NextcloudSettings, Report, Settings, SourceDetails, SourceSettings,
};
use crate::http;
use crate::model::SourceName;
use crate::policy::Policy;
use crate::provider::nextcloud::{Credential, HomeSearch, Nextcloud, Setup};
use crate::run::Part;

/// The sources that the command line names, or all.
pub(super) fn choose<'s>(settings: &'s Settings, named: &[String]) -> Result<Vec<&'s SourceSettings>, Exit> {
    if settings.sources.is_empty() {
        return Err(wrong(
            "the configuration names no source",
            "add a [[source]]; config.example.toml shows how",
        ));
    }
    if named.is_empty() {
        return Ok(settings.sources.iter().collect());
    }
    let known = settings
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(name) = named.iter().find(|name| settings.source(name).is_none()) {
        let words = format!("no source has the name `{}`", name.escape_debug());
        return Err(wrong(&words, &format!("configured are: {known}")));
    }
    Ok(settings
        .sources
        .iter()
        .filter(|source| named.iter().any(|name| source.name.as_str() == name))
        .collect())
}

/// Whether a scan heeds what earlier ones remember of what seldom changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// It asks less often where it may.
    Heeded,
    /// It asks for everything (`--full`).
    Ignored,
}

/// The parts that a run is composed of; nothing is sent yet.
pub(super) fn parts(
    global: &Global,
    chosen: &[&SourceSettings],
    policy: &Arc<Policy>,
    memory: Memory,
    cancel: &CancellationToken,
) -> Result<Vec<Part>, Exit> {
    chosen
        .iter()
        .map(|source| part(global, source, policy, memory, cancel))
        .collect()
}

fn part(
    global: &Global,
    source: &SourceSettings,
    policy: &Arc<Policy>,
    memory: Memory,
    cancel: &CancellationToken,
) -> Result<Part, Exit> {
    let name = &source.name;
    match &source.kind {
        SourceDetails::Nextcloud(settings) => {
            let reader = nextcloud(global, name, settings, policy, memory, cancel)?;
            Ok(Part {
                name: name.clone(),
                kind: source.source_kind(),
                reader: Box::new(reader),
                in_flight: settings.limits.in_flight,
                stop_after: settings.limits.stop_after,
                relist_every: settings.limits.relist_every,
            })
        }
        SourceDetails::Microsoft365(_) => Err(wrong(
            &format!("the source `{name}` is a Microsoft 365 tenant, which this version cannot read yet"),
            "name the sources to read with --source",
        )),
    }
}

fn nextcloud(
    global: &Global,
    name: &SourceName,
    settings: &NextcloudSettings,
    policy: &Policy,
    memory: Memory,
    cancel: &CancellationToken,
) -> Result<Nextcloud, Exit> {
    let told = |report: Report| global.wrong(&report);
    let credential = match &settings.auth {
        NextcloudAuth::AppApi {
            app_id,
            admin,
            secret,
        } => Credential::AppApi {
            app_id: app_id.clone(),
            admin: admin.clone(),
            secret: secret.resolve().map_err(|wrong| told(wrong.into()))?,
        },
        NextcloudAuth::AppPassword { user, password } => {
            let password = password.resolve().map_err(|wrong| told(wrong.into()))?;
            Credential::Passwords([(user.clone(), password)].into())
        }
        NextcloudAuth::AppPasswords(file) => {
            let mut passwords = std::collections::BTreeMap::new();
            for (user, password) in file.read().map_err(told)? {
                passwords.insert(user, password.resolve().map_err(|wrong| told(wrong.into()))?);
            }
            Credential::Passwords(passwords)
        }
        NextcloudAuth::Login => {
            return Err(wrong(
                &format!(
                    "the source `{name}` is to be read after an interactive sign-in, which this version cannot do yet"
                ),
                "use `method = \"app-password\"` with an app password from the account's security settings",
            ));
        }
    };
    let statistics_token = match &settings.statistics_token {
        Some(token) => Some(token.resolve().map_err(|wrong| told(wrong.into()))?),
        None => None,
    };
    let ca_pem = match &settings.ca_file {
        Some(file) => Some(file.read().map_err(|wrong| told(wrong.into()))?),
        None => None,
    };
    let setup = Setup {
        source: name.clone(),
        url: settings.url.clone(),
        credential,
        statistics_token,
        excluded: (
            settings.exclude.users.set().clone(),
            settings.exclude.groups.set().clone(),
        ),
        home_search: match (settings.disabled_accounts, memory) {
            (DisabledAccounts::Off, _) => HomeSearch::Off,
            (DisabledAccounts::Weekly, Memory::Heeded) => HomeSearch::Weekly,
            (DisabledAccounts::Weekly, Memory::Ignored) | (DisabledAccounts::Nightly, _) => {
                HomeSearch::Always
            }
        },
        disabled_links_dead: settings.hide_disabled_user_shares,
        classes: Arc::new(policy.classes.clone()),
        now: global.now(),
    };
    let http = http::Settings {
        limits: http::Limits {
            requests_per_second: settings.limits.requests_per_second,
            in_flight: settings.limits.in_flight,
        },
        proxy: settings.proxy.clone().into(),
        ca_pem,
        ..http::Settings::new(settings.url.clone())
    };
    Nextcloud::new(setup, http, cancel.clone()).map_err(|error| {
        wrong(
            &format!("the source `{name}` cannot be set up: {error}"),
            "correct the configuration",
        )
    })
}

fn wrong(what: &str, remedy: &str) -> Exit {
    say(&format!("error: {what}\nhelp: {remedy}; nothing was sent"));
    Exit::Usage
}

/// Waits for SIGINT or SIGTERM and cancels the run; a second one ends the program at once.
pub(super) async fn interrupts(cancel: CancellationToken) {
    interrupted().await;
    say("interrupted: what was read is being kept; once more ends at once");
    cancel.cancel();
    interrupted().await;
    #[expect(clippy::exit, reason = "the second signal asks to end without tidying up")]
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Waits for one signal that asks the program to end.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system ends the program itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
