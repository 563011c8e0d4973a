//! The Microsoft 365 adapter: reads shares through Microsoft Graph, and changes them.
//!
//! Interfaces are documented at <https://learn.microsoft.com/en-us/graph/api/overview?view=graph-rest-1.0>; nothing here
//! was checked on a tenant. A drive is enumerated by one delta, which tells what has sharing of its own; only the
//! permissions of those items are listed. Requests cost resource units, of which a tenant grants so many a minute and a
//! day, so that they are counted before they are sent.

mod audit;
pub mod auth;
mod batch;
mod crawl;
mod drives;
mod errors;
mod examination;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod graph;
mod groups;
mod inside;
mod key;
mod labels;
mod mail;
#[doc(hidden)]
pub mod measured;
mod memory;
mod onedrives;
mod people;
mod permission;
mod roots;
mod scope;
mod settings;
mod sites;
mod tree;
mod wire;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use globset::GlobSet;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::auth::{SignInError, TokenSetup, Tokens};
use self::drives::Register;
use self::graph::Graph;
pub use self::mail::MAIL_LIMITS;
use self::people::Directory;
pub use self::settings::Stated;
use self::sites::Sites;
pub use self::writer::WRITE_EVERY;
use self::writer::Writing;
use super::{Listed, Pace, ReadError, Reader, Sink};
use crate::http::{Client, SetupError, USER_AGENT};
use crate::model::{
    Classes, KnownScope, Look, Network, Principal, PrincipalClass, Reading, RequestTotals, ShareKind,
    SourceFacts, SourceName, Want,
};

/// What is read of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// The `OneDrive` of every person.
    Onedrive,
    /// The libraries of sites.
    Sites,
}

/// What is left out of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Excluded {
    /// People, by user principal name.
    pub users: GlobSet,
    /// Groups whose members are left out, by name.
    pub groups: GlobSet,
    /// Sites, by their address.
    pub sites: GlobSet,
}

/// What the adapter needs to know of its source.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The source's name.
    pub source: SourceName,
    /// The tenant, as it is configured.
    pub tenant: String,
    /// Where Graph is; its path ends in a slash.
    pub url: Url,
    /// What is read.
    pub include: Vec<Include>,
    /// What is left out.
    pub excluded: Excluded,
    /// The groups that the configuration speaks of: whoever is in them has to be known.
    pub groups_named: Vec<GlobSet>,
    /// Who answers for sites, by their addresses; the first that fits counts.
    pub answers: Vec<(GlobSet, String)>,
    /// What the service does not tell.
    pub stated: Stated,
    /// What classifies.
    pub classes: Arc<Classes>,
    /// Whether it is asked if links were used.
    pub evidence: bool,
    /// From where links are expected to be used.
    pub own_networks: Vec<Network>,
    /// Names of sensitivity labels by their ids, in lower case.
    pub label_names: BTreeMap<String, String>,
    /// How long reading may take.
    pub stop_after: Duration,
    /// How long it is at least from one change to the next.
    pub write_every: Duration,
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MicrosoftSetupError {
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// The credential cannot be used.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// Reads one tenant.
pub struct Microsoft365 {
    graph: Graph,
    setup: Setup,
    /// Whether one person signed in, rather than the application.
    delegated: bool,
    people: Directory,
    register: Register,
    /// How many files of open folders may still be asked for their labels.
    allowance: inside::Allowance,
    /// Why the tenant's settings could not be read.
    settings_untold: Mutex<Option<String>>,
    /// What is remembered while the tenant is changed.
    writing: Writing,
}

impl std::fmt::Debug for Microsoft365 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Microsoft365")
            .field("source", &self.setup.source)
            .finish_non_exhaustive()
    }
}

impl Microsoft365 {
    /// Prepares the adapter; nothing is sent.
    ///
    /// # Errors
    /// [`MicrosoftSetupError`], for the operator to correct.
    pub fn new(
        setup: Setup,
        tokens: TokenSetup,
        http: crate::http::Settings,
        cancel: CancellationToken,
    ) -> Result<Self, MicrosoftSetupError> {
        let http = crate::http::Settings {
            // The form that Microsoft asks for; traffic without it is slowed down first.
            user_agent: format!("NONISV|sharewarden|{USER_AGENT}"),
            ..http
        };
        let delegated = matches!(tokens.credential, auth::Credential::DeviceCode { .. });
        Ok(Self {
            graph: Graph {
                tokens: Tokens::new(tokens, cancel.clone())?,
                http: Client::new(http, cancel)?,
                base: setup.url.clone(),
                deadline: OnceLock::new(),
            },
            setup,
            delegated,
            people: Directory::default(),
            register: Register::default(),
            allowance: inside::Allowance::default(),
            settings_untold: Mutex::default(),
            writing: Writing::default(),
        })
    }

    fn is_delegated(&self) -> bool {
        self.delegated
    }

    /// Keeps why the settings could not be read; they are read before there is anybody to tell.
    fn note_settings(&self, words: String) {
        *self
            .settings_untold
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    fn settings_untold(&self) -> Option<String> {
        self.settings_untold
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Reader for Microsoft365 {
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>> {
        async move {
            self.graph
                .deadline
                .get_or_init(|| graph::deadline_of(self.setup.stop_after));
            self.graph.http.end_after(self.setup.stop_after);
            self.graph.bearer().await?;
            self.tenant_facts().await
        }
        .boxed()
    }

    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>> {
        // Graph counts no shares.
        std::future::ready(Ok(None)).boxed()
    }

    fn discover<'a>(
        &'a self,
        users: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<Listed, ReadError>> {
        async move {
            let mut collector = sink.of(None);
            let listed = self.discover_scopes(users, &mut collector).await;
            // What was found before a failure is found all the same.
            collector.flush().await?;
            listed
        }
        .boxed()
    }

    fn read<'a>(&'a self, known: KnownScope, sink: &'a Sink) -> BoxFuture<'a, Pace> {
        async move { self.read_scope(known, sink).await.unwrap_or(Pace::Stop) }.boxed()
    }

    fn looks_up(&self, whole: bool) -> &'static [PrincipalClass] {
        match (self.delegated, whole) {
            // A person may ask for nobody else.
            (true, _) => &[],
            (false, true) => &[PrincipalClass::Group],
            (false, false) => &[PrincipalClass::Account, PrincipalClass::Group],
        }
    }

    fn look_up<'a>(
        &'a self,
        class: PrincipalClass,
        ids: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.look_up_some(class, ids, sink).boxed()
    }

    fn ask_managers<'a>(
        &'a self,
        accounts: Vec<Principal>,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.tell_managers(accounts, sink).boxed()
    }

    fn enrich<'a>(
        &'a self,
        _owner: &'a str,
        wants: Vec<Want>,
        classes: &'a Arc<Classes>,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.look_for_labels(wants, classes, sink).boxed()
    }

    fn witness<'a>(
        &'a self,
        looks: Vec<Look>,
        now: Timestamp,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        self.witness_all(looks, now, sink).boxed()
    }

    fn totals(&self) -> RequestTotals {
        self.graph.http.totals()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &[
            "site-group-members",
            "site-pages-and-lists",
            "sharepoint-embedded",
        ]
    }

    fn left_out(&self) -> &'static [PrincipalClass] {
        let has = |kind| self.setup.include.contains(&kind);
        match (has(Include::Onedrive), has(Include::Sites)) {
            _ if self.delegated => &[],
            (true, false) => &[PrincipalClass::Site],
            (false, true) => &[PrincipalClass::Account],
            (true, true) | (false, false) => &[],
        }
    }
}

/// What is found is told as scopes.
impl Microsoft365 {
    async fn discover_scopes(
        &self,
        users: &[String],
        collector: &mut super::Collector<'_>,
    ) -> Result<Listed, ReadError> {
        use crate::model::{Problem, ProblemCode};
        if let Some(words) = self.settings_untold() {
            let problem = Problem::new("*", ProblemCode::SettingsUnreadable, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        if self.delegated {
            self.drive_only(collector, "the person who signed in").await?;
            self.list_own_drive(collector).await?;
            return Ok(Listed::default());
        }
        if users.is_empty() {
            let accounts = self.list_people(collector).await?;
            let sites = self.list_drives(collector).await?;
            if sites == Sites::Untold && self.setup.include.contains(&Include::Onedrive) {
                let people = self.people.insiders();
                self.list_drives_of(&people, false, collector).await?;
            }
            let whole = [Include::Onedrive, Include::Sites]
                .iter()
                .all(|kind| self.setup.include.contains(kind));
            return Ok(Listed {
                accounts,
                scopes: whole && sites == (Sites::Told { all: true }),
            });
        }
        for user in users {
            let found = self.find_people(user).await?;
            if found.is_empty() {
                let words = "nobody in this tenant has this user principal name or mail address";
                let problem = Problem::new(user, ProblemCode::UserNotFound, words);
                collector.push(Reading::Problem(problem)).await?;
                continue;
            }
            self.drive_only(collector, user).await?;
            for person in &found {
                collector.push(Reading::Principal(person.clone())).await?;
            }
            self.list_drives_of(&found, true, collector).await?;
        }
        Ok(Listed::default())
    }

    /// Says what a scan of one person's drive cannot see.
    async fn drive_only(&self, collector: &mut super::Collector<'_>, whose: &str) -> Result<(), ReadError> {
        use crate::model::{Problem, ProblemCode};
        let words = "only this person's OneDrive is read: what the person shared from libraries of sites, and what others \
                     shared of theirs with the person, is not seen";
        let problem = Problem::new(whose, ProblemCode::DriveOnly, words);
        Ok(collector.push(Reading::Problem(problem)).await?)
    }
}
