//! Builds the parts of a scan from the settings: which sources, how each is read, and how a run is interrupted.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::terminal::{say, unsent};
use super::{Exit, Global, mail};
use crate::config::{
    DisabledAccounts, MicrosoftSettings, NextcloudAuth, NextcloudSettings, SecretRef, Settings,
    SourceDetails, SourceSettings,
};
use crate::http;
use crate::model::{Principal, ProblemCode, SourceName};
use crate::provider::nextcloud::{Credential, HomeSearch, Nextcloud, Setup};
use crate::provider::{Reader, Unready};
use crate::run::{Managed, Part, Progress};

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

/// What readers are made with.
pub(super) struct Making<'a> {
    pub(super) global: &'a Global,
    pub(super) settings: &'a Settings,
    pub(super) memory: Memory,
    /// Whether only the shares of a few people are read.
    pub(super) few: bool,
    pub(super) cancel: &'a CancellationToken,
}

impl<'a> Making<'a> {
    /// Makes readers that heed what earlier scans remember.
    pub(super) fn of(global: &'a Global, settings: &'a Settings, cancel: &'a CancellationToken) -> Self {
        Self {
            global,
            settings,
            memory: Memory::Heeded,
            few: false,
            cancel,
        }
    }

    /// The parts that a run is composed of; nothing is sent yet.
    pub(super) fn parts(&self, chosen: &[&SourceSettings]) -> Result<Vec<Part>, Exit> {
        chosen.iter().map(|source| self.part(source)).collect()
    }

    /// The same, where one source that cannot be read yet is not to keep the others from being read: what is wrong with it
    /// was said, and the run tells that it was not read.
    pub(super) fn parts_that_can_be(&self, chosen: &[&SourceSettings]) -> Vec<Part> {
        let part = |source: &&SourceSettings| {
            let secrets = self.settings.check_secrets(std::slice::from_ref(&source.name));
            let made = secrets
                .map_err(|report| self.global.wrong(&report))
                .and_then(|()| self.part(source));
            made.unwrap_or_else(|_told| {
                let why = "there is no credential to ask with: `sharewarden doctor` says what is wrong";
                self.part_with(
                    source,
                    Box::new(Unready::new(ProblemCode::CredentialMissing, why)),
                )
            })
        };
        chosen.iter().map(part).collect()
    }

    fn part(&self, source: &SourceSettings) -> Result<Part, Exit> {
        let name = &source.name;
        let reader: Box<dyn Reader> = match &source.kind {
            SourceDetails::Nextcloud(nextcloud) => Box::new(self.nextcloud(name, nextcloud)?),
            SourceDetails::Microsoft365(tenant) => Box::new(self.microsoft(name, tenant)?),
        };
        Ok(self.part_with(source, reader))
    }

    fn part_with(&self, source: &SourceSettings, reader: Box<dyn Reader>) -> Part {
        let (in_flight, stop_after, relist_every) = match &source.kind {
            SourceDetails::Nextcloud(it) => {
                (it.limits.in_flight, it.limits.stop_after, it.limits.relist_every)
            }
            SourceDetails::Microsoft365(it) => {
                (it.limits.in_flight, it.limits.stop_after, it.limits.relist_every)
            }
        };
        Part {
            name: source.name.clone(),
            kind: source.source_kind(),
            reader,
            in_flight,
            stop_after,
            relist_every,
            remembers: self.memory == Memory::Heeded,
            managed: match &source.kind {
                SourceDetails::Nextcloud(_) => None,
                SourceDetails::Microsoft365(_) => self.managed(),
            },
            progress: Progress::default(),
        }
    }

    /// Whose manager is asked for: whoever cannot be written to, where their manager is to be told instead.
    fn managed(&self) -> Option<Managed> {
        let rules = mail::rules(self.settings);
        let managed = move |owner: &Principal| {
            let address = owner.email.as_deref();
            owner.active == Some(false) || address.is_none_or(|address| rules.usable(address).is_err())
        };
        self.settings.mail.managers.then(|| Arc::new(managed) as Managed)
    }

    /// What reads a Nextcloud; nothing is sent yet.
    pub(super) fn nextcloud(&self, name: &SourceName, it: &NextcloudSettings) -> Result<Nextcloud, Exit> {
        let statistics_token = match &it.statistics_token {
            Some(token) => Some(self.secret(token)?),
            None => None,
        };
        let setup = Setup {
            source: name.clone(),
            url: it.url.clone(),
            credential: self.credential(name, it)?,
            statistics_token,
            excluded: (it.exclude.users.set().clone(), it.exclude.groups.set().clone()),
            home_search: match (it.disabled_accounts, self.memory) {
                (DisabledAccounts::Off, _) => HomeSearch::Off,
                (DisabledAccounts::Weekly, Memory::Heeded) => HomeSearch::Weekly,
                (DisabledAccounts::Weekly, Memory::Ignored) | (DisabledAccounts::Nightly, _) => {
                    HomeSearch::Always
                }
            },
            disabled_links_dead: it.hide_disabled_user_shares,
            stop_after: it.limits.stop_after,
            classes: Arc::new(self.settings.policy.classes.clone()),
            evidence: self.settings.policy.evidence,
            now: self.global.now(),
        };
        Nextcloud::new(setup, self.http(it)?, self.cancel.clone()).map_err(|error| not_set_up(name, &error))
    }

    /// How a Nextcloud is reached.
    pub(super) fn http(&self, it: &NextcloudSettings) -> Result<http::Settings, Exit> {
        let ca_pem = match &it.ca_file {
            Some(file) => Some(file.read().map_err(|wrong| self.global.wrong(&wrong.into()))?),
            None => None,
        };
        Ok(http::Settings {
            limits: http::Limits {
                requests_per_second: it.limits.requests_per_second,
                in_flight: it.limits.in_flight,
            },
            timeouts: http::Timeouts::of_silence(it.limits.idle_timeout),
            proxy: it.proxy.clone().into(),
            ca_pem,
            ..http::Settings::new(it.url.clone())
        })
    }

    /// How the place is reached where the tokens of a Microsoft 365 tenant are got.
    pub(super) fn sign_in_http(&self, it: &MicrosoftSettings) -> Result<http::Settings, Exit> {
        let ca_pem = match &it.ca_file {
            Some(file) => Some(file.read().map_err(|wrong| self.global.wrong(&wrong.into()))?),
            None => None,
        };
        Ok(http::Settings {
            timeouts: http::Timeouts::of_silence(it.limits.idle_timeout),
            proxy: it.proxy.clone().into(),
            ca_pem,
            ..http::Settings::new(it.login_url.clone())
        })
    }

    fn credential(&self, name: &SourceName, it: &NextcloudSettings) -> Result<Credential, Exit> {
        Ok(match &it.auth {
            NextcloudAuth::AppApi {
                app_id,
                admin,
                secret,
            } => Credential::AppApi {
                app_id: app_id.clone(),
                admin: admin.clone(),
                secret: self.secret(secret)?,
            },
            NextcloudAuth::AppPassword { user, password } => {
                Credential::Passwords([(user.clone(), self.secret(password)?)].into())
            }
            NextcloudAuth::AppPasswords(file) => {
                let users = file.read().map_err(|report| self.global.wrong(&report))?;
                let passwords = users
                    .into_iter()
                    .map(|(user, password)| Ok((user, self.secret(&password)?)));
                Credential::Passwords(passwords.collect::<Result<_, Exit>>()?)
            }
            NextcloudAuth::Login => {
                let kept = self.settings.state.credentials().load(name, &it.grantor());
                let kept = kept.map_err(|wrong| self.global.wrong(&wrong.into()))?;
                Credential::Passwords([(kept.user, kept.secret)].into())
            }
        })
    }

    pub(super) fn secret(&self, reference: &SecretRef) -> Result<SecretString, Exit> {
        reference
            .resolve()
            .map_err(|wrong| self.global.wrong(&wrong.into()))
    }
}

/// Says that a source's settings cannot be used together.
pub(super) fn not_set_up(name: &SourceName, error: &dyn std::error::Error) -> Exit {
    wrong(
        &format!("the source `{name}` cannot be set up: {error}"),
        "correct the configuration",
    )
}

/// Says what is wrong before anything was sent for which it matters, and what to do.
pub(super) fn wrong(what: &str, remedy: &str) -> Exit {
    say(&format!("error: {what}\nhelp: {}", unsent(remedy)));
    Exit::Usage
}

/// Watches, from now on, for SIGINT or SIGTERM: says what becomes of the command, and cancels it; a second one ends the
/// program at once.
pub(super) fn interrupts(cancel: CancellationToken, becomes: &'static str) -> tokio::task::JoinHandle<()> {
    let mut signals = Signals::watch();
    tokio::spawn(async move {
        signals.next().await;
        say(&format!("interrupted: {becomes}"));
        cancel.cancel();
        signals.next().await;
        #[expect(clippy::exit, reason = "the second signal asks to end without tidying up")]
        std::process::exit(i32::from(Exit::Interrupted.code()));
    })
}

/// Watches, from now on, for one signal that asks the program to end.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    let mut signals = Signals::watch();
    async move { signals.next().await }
}

/// The signals that ask the program to end; without handlers the system ends it itself.
pub(super) struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// None that comes after this is missed.
    pub(super) fn watch() -> Self {
        let signals =
            signal(SignalKind::interrupt()).and_then(|first| Ok((first, signal(SignalKind::terminate())?)));
        Self(signals.ok())
    }

    pub(super) async fn next(&mut self) {
        match &mut self.0 {
            Some((interrupt, terminate)) => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            None => std::future::pending().await,
        }
    }
}
