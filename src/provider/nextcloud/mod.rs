//! The Nextcloud adapter: reads shares through OCS and WebDAV, and changes them through OCS.
//!
//! Facts were observed on a real Nextcloud 32.0.1; interfaces are documented at
//! <https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/>. One check that the credential
//! works comes before anything else, since a dozen wrong secrets block the address; then settings, accounts, and
//! one listing an account with `reshares=true`, the only view that shows what others shared of it.

mod accounts;
mod activity;
mod beneath;
mod dav;
mod disabled;
pub mod enrolment;
mod examination;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod labels;
mod listing;
pub mod login;
#[doc(hidden)]
pub mod measured;
mod nodes;
mod ocs;
mod people;
mod search;
mod server;
mod settings;
mod share;
mod splitter;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use globset::GlobSet;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Listed, Pace, ReadError, Reader, Sink};
use crate::http::{Client, HeaderValue, SetupError};
use crate::model::{
    Classes, KnownScope, Look, Principal, PrincipalClass, Reading, RequestTotals, ShareKind, SourceFacts,
    SourceName, Want,
};
use labels::{Job, KnownTags};
use ocs::{Auth, Ocs, Passwords};

/// How the auditor signs in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// One secret for every account, through the bundled AppAPI.
    AppApi {
        /// The id the auditor was registered under.
        app_id: String,
        /// The account to act as for what only administrators may ask.
        admin: String,
        /// The secret it was registered with.
        secret: SecretString,
    },
    /// App passwords by the names that they sign in with.
    Passwords(BTreeMap<String, SecretString>),
}

/// How many refused passwords a scan risks: eleven within half an hour block the address.
const REFUSALS: usize = 3;

/// How often the homes of disabled accounts are searched for shared nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeSearch {
    /// In every scan.
    Always,
    /// When the last search is about a week old.
    Weekly,
    /// Never.
    Off,
}

/// What the adapter needs to know of its source.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The source's name.
    pub source: SourceName,
    /// Where the server is; its path ends in a slash.
    pub url: Url,
    /// How to sign in.
    pub credential: Credential,
    /// A token for the server's statistics, where no administrator can be asked.
    pub statistics_token: Option<SecretString>,
    /// Accounts to leave out, by id and by group.
    pub excluded: (GlobSet, GlobSet),
    /// How often homes of disabled accounts are searched.
    pub home_search: HomeSearch,
    /// Whether the operator stated that links of disabled accounts are dead.
    pub disabled_links_dead: bool,
    /// How long reading may take.
    pub stop_after: Duration,
    /// The tags that classify, as configured.
    pub classes: Arc<Classes>,
    /// Whether it is asked if links were used.
    pub evidence: bool,
    /// The time at which the scan judges.
    pub now: Timestamp,
}

/// Why the adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NextcloudSetupError {
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// The application id cannot be sent.
    #[error("the app_id {0:?} holds characters that a header cannot carry")]
    AppId(String),
}

/// Reads one Nextcloud server.
pub struct Nextcloud {
    ocs: Ocs,
    setup: Setup,
    /// Accounts known to be disabled: their own lists are refused, so their nodes are told elsewhere.
    disabled: Mutex<BTreeSet<String>>,
    /// Accounts whose own password was refused: asking again would count towards blocking the address.
    refused: Mutex<BTreeSet<String>>,
    tags: tokio::sync::OnceCell<KnownTags>,
    /// What was learned while changing.
    acts: writer::Acts,
}

impl std::fmt::Debug for Nextcloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nextcloud")
            .field("source", &self.setup.source)
            .finish_non_exhaustive()
    }
}

impl Nextcloud {
    /// Prepares the adapter; nothing is sent.
    ///
    /// # Errors
    /// [`NextcloudSetupError`], for the operator to correct.
    pub fn new(
        setup: Setup,
        http: crate::http::Settings,
        cancel: CancellationToken,
    ) -> Result<Self, NextcloudSetupError> {
        let http = crate::http::Settings {
            is_final: ocs::is_final,
            ..http
        };
        let auth = match &setup.credential {
            Credential::AppApi { app_id, secret, .. } => Auth::AppApi {
                app_id: HeaderValue::from_str(app_id)
                    .map_err(|_invalid| NextcloudSetupError::AppId(app_id.clone()))?,
                secret: secret.clone(),
            },
            Credential::Passwords(passwords) => Auth::Passwords(Passwords::new(passwords.clone())),
        };
        let ocs = Ocs {
            http: Client::new(http, cancel)?,
            base: setup.url.clone(),
            auth,
        };
        Ok(Self {
            ocs,
            setup,
            disabled: Mutex::default(),
            refused: Mutex::default(),
            tags: tokio::sync::OnceCell::new(),
            acts: writer::Acts::default(),
        })
    }

    /// The account to ask what only administrators are told; `None` where there is none.
    fn admin(&self) -> Option<&str> {
        match &self.setup.credential {
            Credential::AppApi { admin, .. } => Some(admin),
            Credential::Passwords(_) => None,
        }
    }

    /// The account to ask for what any account is told.
    fn anybody(&self) -> &str {
        match &self.setup.credential {
            Credential::AppApi { admin, .. } => admin,
            Credential::Passwords(passwords) => {
                let refused = self.refused();
                passwords
                    .keys()
                    .find(|name| !refused.contains(*name))
                    .map_or("", String::as_str)
            }
        }
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disabled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for Nextcloud {
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>> {
        async move {
            self.ocs.http.end_after(self.setup.stop_after);
            Ok(self.open_source().await?.facts)
        }
        .boxed()
    }

    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>> {
        self.control_totals().boxed()
    }

    fn discover<'a>(
        &'a self,
        users: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<Listed, ReadError>> {
        async move {
            let complete = if users.is_empty() {
                self.discover_all(sink).await?
            } else {
                self.discover_some(users, sink).await?
            };
            // Every account is a scope.
            Ok(Listed {
                accounts: complete,
                scopes: complete,
            })
        }
        .boxed()
    }

    fn read<'a>(&'a self, known: KnownScope, sink: &'a Sink) -> BoxFuture<'a, Pace> {
        async move { self.read_scope(&known, sink).await.unwrap_or(Pace::Stop) }.boxed()
    }

    fn looks_up(&self, whole: bool) -> &'static [PrincipalClass] {
        if whole { &[] } else { &[PrincipalClass::Account] }
    }

    fn look_up<'a>(
        &'a self,
        _class: PrincipalClass,
        ids: &'a [String],
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        async move {
            let Some(admin) = self.admin() else { return Ok(()) };
            let mut collector = sink.of(None);
            let mut known = None;
            for id in ids {
                if let Some(told) = people::details(&self.ocs, admin, id).await? {
                    collector.push(Reading::Principal(told)).await?;
                    continue;
                }
                // Gone, or not to be seen by an auditor that is no administrator: only the list of all ids tells.
                if known.is_none() {
                    known = Some(people::ids(&self.ocs).await?);
                }
                if known.iter().flatten().all(|other| other != id) {
                    let gone = Principal {
                        active: Some(false),
                        gone: true,
                        ..Principal::new(PrincipalClass::Account, id)
                    };
                    collector.push(Reading::Principal(gone)).await?;
                }
            }
            Ok(collector.flush().await?)
        }
        .boxed()
    }

    fn enrich<'a>(
        &'a self,
        owner: &'a str,
        wants: Vec<Want>,
        classes: &'a Arc<Classes>,
        sink: &'a Sink,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        async move {
            let tags = if classes.has_tags() {
                Some(self.known_tags(sink).await?)
            } else {
                None
            };
            let job = Job {
                ocs: &self.ocs,
                account: owner,
                classes,
            };
            labels::look(&job, wants, tags, sink).await
        }
        .boxed()
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
        self.ocs.http.totals()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &["calendars", "talk-rooms"]
    }
}
