//! The Nextcloud adapter: reads shares through OCS and WebDAV.
//!
//! Facts were observed on a real Nextcloud 32.0.1; interfaces are documented at
//! <https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/>. One check that the credential
//! works comes before anything else, since a dozen wrong secrets block the address; then settings, accounts, and
//! one listing an account with `reshares=true`, the only view that shows what others shared of it.

mod dav;
mod labels;
mod nodes;
mod ocs;
mod people;
mod settings;
mod share;
mod splitter;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use globset::GlobSet;
use jiff::{Timestamp, tz::TimeZone};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Pace, ReadError, Reader, Sink};
use crate::http::{Client, HeaderValue, SetupError, StatusCode};
use crate::model::{
    Classes, Fact, KnownScope, Principal, PrincipalClass, Problem, ProblemCode, Reading, RequestTotals,
    Scope, ScopeOutcome, ShareKind, SourceFacts, SourceName, Want,
};
use labels::KnownTags;
use ocs::{Auth, Ocs};
use splitter::Splitter;

/// How many bytes a listing may have in all; it is read piece by piece.
const LISTING_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// How long a listing may take.
const LISTING_TIME: std::time::Duration = std::time::Duration::from_hours(1);
/// How often a listing is asked for again after it broke off.
const LISTING_TRIES: u32 = 3;
/// How many days lie between two searches of a disabled account's home, where that is weekly.
const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24 - 12);

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
    /// App passwords by account.
    Passwords(BTreeMap<String, SecretString>),
}

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
    /// The tags that classify, as configured.
    pub classes: Arc<Classes>,
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
    tags: tokio::sync::OnceCell<KnownTags>,
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
            Credential::Passwords(passwords) => Auth::Passwords(passwords.clone()),
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
            tags: tokio::sync::OnceCell::new(),
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
            Credential::Passwords(passwords) => passwords.keys().next().map_or("", String::as_str),
        }
    }

    async fn open_source(&self) -> Result<SourceFacts, ReadError> {
        if matches!(self.setup.credential, Credential::AppApi { .. }) {
            self.check_app().await?;
        }
        let request = self.ocs.ocs(&["cloud", "capabilities"], &[])?;
        let data: Value = self.ocs.data(&self.ocs.signed(request, self.anybody())?).await?;
        if settings::sharing_is_off(&data) {
            return Err(ReadError::service(
                ProblemCode::SharingDisabled,
                "sharing is switched off on this server: it lists no shares, those that exist included",
            ));
        }
        let mut facts = settings::facts(&data);
        if self.setup.disabled_links_dead {
            facts.set(Fact::DisabledAccountsLinksDead, true);
        }
        Ok(facts)
    }

    /// Asks whether the registration is good: one request, since wrong secrets are counted.
    async fn check_app(&self) -> Result<(), ReadError> {
        let request = self.ocs.ocs(&["apps", "app_api", "ex-app", "state"], &[])?;
        let state: Value = self.ocs.data(&self.ocs.signed(request, "")?).await.map_err(|error| match error {
            ReadError::Service { code: ProblemCode::Unauthorized, .. } => ReadError::service(
                ProblemCode::Unauthorized,
                "the server does not accept the AppAPI secret; check `app_id` and `secret` of this source against what \
                 was registered (`occ app_api:app:list` names the registered apps)",
            ),
            ReadError::Service { code: ProblemCode::Forbidden, message } => ReadError::service(
                ProblemCode::Forbidden,
                format!("{message}; AppAPI seems not to be enabled (`occ app:enable app_api`)"),
            ),
            other => other,
        })?;
        let enabled =
            state.as_i64() == Some(1) || state.as_bool() == Some(true) || state.as_str() == Some("1");
        if enabled {
            return Ok(());
        }
        Err(ReadError::service(
            ProblemCode::Forbidden,
            "the auditor's registration is disabled in AppAPI; enable it with `occ app_api:app:enable`",
        ))
    }

    async fn control_totals(&self) -> Result<Option<BTreeMap<ShareKind, u64>>, ReadError> {
        let request = self.ocs.ocs(&["apps", "serverinfo", "api", "v1", "info"], &[])?;
        let request = match (&self.setup.statistics_token, self.admin()) {
            (Some(token), _) => Ocs::with_token(request, token)?,
            (None, Some(admin)) => self.ocs.signed(request, admin)?,
            (None, None) => return Ok(None),
        };
        let data: Value = self.ocs.data(&request).await?;
        Ok(settings::counts(&data))
    }

    async fn discover_all(&self, sink: &Sink) -> Result<bool, ReadError> {
        let mut collector = sink.of(None);
        match &self.setup.credential {
            Credential::AppApi { admin, .. } => {
                let mut pages = people::Pages::default();
                let refused = loop {
                    match pages.next(&self.ocs, admin).await {
                        Ok(None) => break None,
                        Ok(Some(accounts)) => {
                            for account in accounts {
                                self.found(account, &mut collector).await?;
                            }
                        }
                        Err(ReadError::Service {
                            code: ProblemCode::Forbidden | ProblemCode::Unauthorized,
                            message,
                        }) => break Some(message),
                        Err(error) => return Err(error),
                    }
                };
                // A subadministrator is told of some accounts only: AppAPI's own list tells of all.
                let missing = match people::ids(&self.ocs).await {
                    Ok(ids) => ids.into_iter().filter(|id| !pages.has(id)).collect(),
                    Err(error) if refused.is_some() || error.concerns_source() => return Err(error),
                    Err(_) => Vec::new(),
                };
                if refused.is_some() || !missing.is_empty() {
                    let message = refused.map_or_else(
                        || {
                            format!(
                                "the account `{}` is told the details of some accounts only: make it an administrator",
                                admin.escape_debug()
                            )
                        },
                        |said| {
                            format!(
                                "the account `{}` is not told the details of accounts ({said}); name an administrator \
                                 in `admin`",
                                admin.escape_debug()
                            )
                        },
                    );
                    let problem = Problem::new("*", ProblemCode::PeopleUnreadable, message);
                    collector.push(Reading::Problem(problem)).await?;
                }
                for id in missing {
                    self.found(Principal::new(PrincipalClass::Account, id), &mut collector)
                        .await?;
                }
                collector.flush().await?;
                Ok(true)
            }
            Credential::Passwords(passwords) => {
                self.discover_own(passwords.keys(), &mut collector).await?;
                collector.flush().await?;
                Ok(false)
            }
        }
    }

    /// The accounts whose own passwords are configured.
    async fn discover_own(
        &self,
        names: impl Iterator<Item = &String>,
        collector: &mut super::Collector<'_>,
    ) -> Result<(), ReadError> {
        let problem = Problem::new(
            "*",
            ProblemCode::PeopleUnreadable,
            "an app password reads its own account only; who of the others is disabled, left or never signed in is not \
             told",
        );
        collector.push(Reading::Problem(problem)).await?;
        for name in names {
            match people::own_details(&self.ocs, name).await {
                Ok(account) => self.found(account, collector).await?,
                Err(error) if error.concerns_source() => return Err(error),
                // Reading it will tell why.
                Err(_) => {
                    self.found(Principal::new(PrincipalClass::Account, name), collector)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn found(&self, account: Principal, collector: &mut super::Collector<'_>) -> Result<(), ReadError> {
        if account.active == Some(false) {
            self.disabled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(account.id.clone());
        }
        let scope = Scope {
            id: account.id.clone(),
            account: Some(account.clone()),
        };
        collector.push(Reading::Principal(account)).await?;
        collector.push(Reading::Scope(scope)).await?;
        Ok(())
    }

    async fn discover_some(&self, users: &[String], sink: &Sink) -> Result<bool, ReadError> {
        let mut collector = sink.of(None);
        for user in users {
            let mut accounts = Vec::new();
            match &self.setup.credential {
                Credential::AppApi { admin, .. } => match people::details(&self.ocs, admin, user).await {
                    Ok(Some(account)) => accounts.push(account),
                    Ok(None) if user.contains('@') => {
                        accounts = people::with_address(&self.ocs, admin, user).await?;
                    }
                    Ok(None) => {}
                    Err(error) => return Err(error),
                },
                Credential::Passwords(passwords) => {
                    for name in passwords.keys() {
                        let account = people::own_details(&self.ocs, name).await?;
                        let address = account.email.as_deref();
                        if account.id == *user
                            || address.is_some_and(|email| email.eq_ignore_ascii_case(user))
                        {
                            accounts.push(account);
                        }
                    }
                }
            }
            if accounts.is_empty() {
                let message = match &self.setup.credential {
                    Credential::AppApi { .. } => "no account has this id or mail address on this server",
                    Credential::Passwords(_) => {
                        "no password is configured for an account with this id or address"
                    }
                };
                let problem = Problem::new(user, ProblemCode::UserNotFound, message);
                collector.push(Reading::Problem(problem)).await?;
            }
            for account in accounts {
                self.found(account, &mut collector).await?;
            }
        }
        collector.flush().await?;
        Ok(false)
    }

    fn is_excluded(&self, account: &Principal) -> bool {
        let (users, groups) = &self.setup.excluded;
        users.is_match(&account.id) || account.groups.iter().any(|group| groups.is_match(group))
    }

    fn is_disabled(&self, account: &str) -> bool {
        self.disabled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(account)
    }

    async fn read_scope(&self, known: &KnownScope, sink: &Sink) -> Result<Pace, ReadError> {
        let account = known.scope.id.as_str();
        let mut collector = sink.of(Some(account));
        let details = known.scope.account.as_ref();
        if details.is_some_and(|details| self.is_excluded(details)) {
            let problem = Problem::new(
                account,
                ProblemCode::Excluded,
                "left out by `exclude` in the configuration",
            );
            collector.push(Reading::Problem(problem)).await?;
            collector
                .push(outcome(account, ScopeOutcome::Skipped, false))
                .await?;
            collector.flush().await?;
            return Ok(Pace::Read);
        }
        let result = if details.and_then(|details| details.active) == Some(false) {
            self.search_disabled(known, sink).await
        } else {
            let zone = details
                .and_then(|details| details.zone.as_deref())
                .and_then(|zone| TimeZone::get(zone).ok());
            match self.list(account, &zone.unwrap_or(TimeZone::UTC), sink).await {
                Ok(()) => Ok((ScopeOutcome::Scanned, false)),
                Err(ReadError::Service {
                    code: ProblemCode::Unauthorized,
                    message,
                }) => self.refused(known, message, sink).await,
                Err(error) => Err(error),
            }
        };
        match result {
            Ok((became, searched)) => {
                collector.push(outcome(account, became, searched)).await?;
                collector.flush().await?;
                Ok(Pace::Read)
            }
            Err(error) => {
                let Some(problem) = error.problem(account) else {
                    return Err(error);
                };
                collector.push(Reading::Problem(problem)).await?;
                collector
                    .push(outcome(account, ScopeOutcome::Failed, false))
                    .await?;
                collector.flush().await?;
                Ok(if error.concerns_source() {
                    Pace::Stop
                } else {
                    Pace::Failed
                })
            }
        }
    }

    /// One account's list of shares, entry by entry.
    async fn list(&self, account: &str, zone: &TimeZone, sink: &Sink) -> Result<(), ReadError> {
        let request = self.ocs.ocs(
            &["apps", "files_sharing", "api", "v1", "shares"],
            &[("reshares", "true")],
        )?;
        let request = self
            .ocs
            .signed(request, account)?
            .max_body(LISTING_BYTES)
            .within(LISTING_TIME);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.list_once(&request, account, zone, sink).await {
                // Nothing is lost by reading it again: a share that was kept already is the same share.
                Err(ReadError::Service {
                    code: ProblemCode::Truncated | ProblemCode::Unreachable,
                    ..
                }) if tries < LISTING_TRIES => {}
                result => return result,
            }
        }
    }

    async fn list_once(
        &self,
        request: &crate::http::Request,
        account: &str,
        zone: &TimeZone,
        sink: &Sink,
    ) -> Result<(), ReadError> {
        let mut body = self.ocs.open(request, StatusCode::OK).await?;
        if let Some(other) = ocs::answered_as(body.headers()).filter(|id| !id.eq_ignore_ascii_case(account)) {
            return Err(ReadError::service(
                ProblemCode::Malformed,
                format!(
                    "the server answered for the account `{}` instead",
                    other.escape_debug()
                ),
            ));
        }
        let headers = body.headers().clone();
        let reading = share::Reading {
            source: &self.setup.source,
            base: &self.setup.url,
            account,
            zone,
        };
        let mut splitter = Splitter::default();
        let mut collector = sink.of(Some(account));
        let mut entry = 0_u64;
        while let Some(chunk) = body.chunk().await? {
            splitter
                .push(&chunk)
                .map_err(|error| ReadError::service(ProblemCode::Malformed, error.to_string()))?;
            while let Some(element) = splitter.next_element() {
                entry += 1;
                let read = match share::decode(&element, &reading) {
                    Ok(share) => Reading::Share(Box::new(share)),
                    Err(error) => Reading::Problem(Problem::new(
                        account,
                        ProblemCode::MalformedShare,
                        format!("entry {entry} of the list: {error}"),
                    )),
                };
                collector.push(read).await?;
            }
        }
        drop(body);
        collector.flush().await?;
        match ocs::decode::<Value>(request, &headers, &splitter.envelope())? {
            Value::Array(_) => Ok(()),
            _ => Err(ReadError::service(
                ProblemCode::Malformed,
                format!("{}: the answer holds no list of shares", request.place()),
            )),
        }
    }

    /// An account whose list was refused although the credential is good: disabled or gone since it was listed, or the
    /// credential was changed.
    async fn refused(
        &self,
        known: &KnownScope,
        message: String,
        sink: &Sink,
    ) -> Result<(ScopeOutcome, bool), ReadError> {
        let account = known.scope.id.as_str();
        let refused = ReadError::service(ProblemCode::Unauthorized, message);
        let Credential::AppApi { admin, .. } = &self.setup.credential else {
            return Err(refused);
        };
        self.check_app().await?;
        let Some(details) = people::details(&self.ocs, admin, account).await? else {
            let mut collector = sink.of(Some(account));
            let problem = Problem::new(
                account,
                ProblemCode::AccountGone,
                "the account vanished between listing and reading",
            );
            collector.push(Reading::Problem(problem)).await?;
            collector.flush().await?;
            return Ok((ScopeOutcome::Gone, false));
        };
        if details.active != Some(false) {
            return Err(refused);
        }
        let mut collector = sink.of(None);
        collector.push(Reading::Principal(details.clone())).await?;
        collector.flush().await?;
        self.disabled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned());
        let scope = Scope {
            id: account.to_owned(),
            account: Some(details),
        };
        self.search_disabled(
            &KnownScope {
                scope,
                searched_at: known.searched_at,
            },
            sink,
        )
        .await
    }

    /// A disabled account: its list is refused, but its home still tells which nodes are shared.
    async fn search_disabled(
        &self,
        known: &KnownScope,
        sink: &Sink,
    ) -> Result<(ScopeOutcome, bool), ReadError> {
        let account = known.scope.id.as_str();
        let mut collector = sink.of(Some(account));
        let due = match self.setup.home_search {
            HomeSearch::Always => true,
            HomeSearch::Weekly => known
                .searched_at
                .is_none_or(|searched| self.setup.now.duration_since(searched) >= WEEK),
            HomeSearch::Off => false,
        };
        let possible = matches!(self.setup.credential, Credential::AppApi { .. });
        let message = match (possible, due) {
            (true, true) => {
                "the account is disabled: the server refuses its list of shares; the shared files and folders in its \
                 home are reported, without passwords and dates"
            }
            (true, false) => {
                "the account is disabled: the server refuses its list of shares, and its home was not searched in this \
                 scan"
            }
            (false, _) => "the account is disabled: nothing of it can be read with its own password",
        };
        collector
            .push(Reading::Problem(Problem::new(
                account,
                ProblemCode::AccountDisabled,
                message,
            )))
            .await?;
        if !possible || !due {
            if possible {
                let problem = Problem::new(
                    account,
                    ProblemCode::HomeNotSearched,
                    "homes of disabled accounts are searched as often as `disabled_accounts` says",
                );
                collector.push(Reading::Problem(problem)).await?;
            }
            collector.flush().await?;
            return Ok((ScopeOutcome::Skipped, false));
        }
        let mut tree = nodes::Tree::of_home(&self.ocs, account).await?;
        let mut whole = true;
        loop {
            let (path, node) = match tree.next().await {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(ReadError::Service {
                    code: ProblemCode::TooManyFiles,
                    message,
                }) => {
                    let problem = Problem::new(account, ProblemCode::TooManyFiles, message);
                    collector.push(Reading::Problem(problem)).await?;
                    whole = false;
                    break;
                }
                Err(error) => return Err(error),
            };
            // A node of somebody else who is not disabled is in that account's own list, with all details.
            let owner = node.owner.as_deref().unwrap_or(account);
            if (owner == account || self.is_disabled(owner))
                && let Some(share) = nodes::shared_node(&self.setup.source, account, path, node)
            {
                collector.push(Reading::Share(Box::new(share))).await?;
            }
        }
        collector.flush().await?;
        Ok((ScopeOutcome::Skipped, whole))
    }

    /// The configured tags that the server has; those that it lacks or hides are told once.
    async fn known_tags(&self, sink: &Sink) -> Result<&KnownTags, ReadError> {
        self.tags
            .get_or_try_init(|| async {
                let mut tags = nodes::tags(&self.ocs, self.anybody()).await?;
                tags.retain(|tag| self.setup.classes.tags().any(|name| name == tag.name));
                let missing: Vec<_> =
                    self.setup.classes.tags().filter(|name| tags.iter().all(|tag| tag.name != *name)).collect();
                let hidden: Vec<_> = tags.iter().filter(|tag| tag.hidden).map(|tag| tag.name.as_str()).collect();
                let mut collector = sink.of(None);
                if !missing.is_empty() {
                    let words = format!("the server has no tag {}, or hides it from this account", list(&missing));
                    collector.push(Reading::Problem(Problem::new("*", ProblemCode::TagUnknown, words))).await?;
                }
                if !hidden.is_empty() {
                    let words = format!(
                        "the tag {} is visible to administrators only, and the server tells nobody else which files \
                         carry it; make it visible, or classify by path",
                        list(&hidden)
                    );
                    collector.push(Reading::Problem(Problem::new("*", ProblemCode::TagHidden, words))).await?;
                }
                collector.flush().await?;
                // Without an administrator, a tag that is missing may be one that is hidden.
                let more = !hidden.is_empty() || (!missing.is_empty() && self.admin().is_none());
                tags.retain(|tag| !tag.hidden);
                Ok::<_, ReadError>(KnownTags { tags, more })
            })
            .await
    }
}

/// Names for people, quoted.
fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn outcome(scope: &str, outcome: ScopeOutcome, searched: bool) -> Reading {
    Reading::Outcome {
        scope: scope.to_owned(),
        outcome,
        searched,
    }
}

impl Reader for Nextcloud {
    fn open(&self) -> BoxFuture<'_, Result<SourceFacts, ReadError>> {
        self.open_source().boxed()
    }

    fn control(&self) -> BoxFuture<'_, Result<Option<BTreeMap<ShareKind, u64>>, ReadError>> {
        self.control_totals().boxed()
    }

    fn discover<'a>(&'a self, users: &'a [String], sink: &'a Sink) -> BoxFuture<'a, Result<bool, ReadError>> {
        if users.is_empty() {
            self.discover_all(sink).boxed()
        } else {
            self.discover_some(users, sink).boxed()
        }
    }

    fn read<'a>(&'a self, scope: &'a KnownScope, sink: &'a Sink) -> BoxFuture<'a, Pace> {
        async move { self.read_scope(scope, sink).await.unwrap_or(Pace::Stop) }.boxed()
    }

    fn look_up<'a>(&'a self, accounts: &'a [String], sink: &'a Sink) -> BoxFuture<'a, Result<(), ReadError>> {
        async move {
            let Some(admin) = self.admin() else { return Ok(()) };
            let mut collector = sink.of(None);
            for id in accounts {
                let told = people::details(&self.ocs, admin, id)
                    .await?
                    .unwrap_or_else(|| Principal {
                        active: Some(false),
                        gone: true,
                        ..Principal::new(PrincipalClass::Account, id)
                    });
                collector.push(Reading::Principal(told)).await?;
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
            labels::look(&self.ocs, owner, wants, classes, tags, sink).await
        }
        .boxed()
    }

    fn totals(&self) -> RequestTotals {
        self.ocs.http.totals()
    }

    fn not_covered(&self) -> &'static [&'static str] {
        &["calendars", "talk-rooms"]
    }
}
