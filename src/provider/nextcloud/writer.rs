//! Changes shares, each with the right of the account that owns or made it.
//!
//! Whoever is asked in whose name is known beforehand: `cloud/user` names the account that the server takes the auditor
//! for. A change is sent once. What the server answers to it is no proof (`404` also means that it refuses a value), so
//! that whoever made it reads the share again.
//!
//! Observed on 32.0.1: a `PUT` with a date alone keeps permissions, attributes, hidden download, label, note and
//! password; a date that is cleared leaves the row as it was. `DELETE` of a share with an account or a group ends the
//! links that its recipients made of it, on the item and beneath it, where it was the first that gave them the item;
//! their shares with accounts, groups and mail addresses live on, and only the item's owner sees them. The same happens
//! when the share's date comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::{Credential, Nextcloud, ocs, people, search, share};
use crate::http::{Answer, HeaderValue, HttpError, Method, Request, StatusCode};
use crate::model::{Fact, Principal, ProblemCode, Right, Share, ShareKind, SourceFacts};
use crate::provider::{ChangeEffect, Found, Lost, Opened, Place, ReadError, Target, WriteError, Writer};

/// How large an account's whole list of shares may be where it is looked into for what may end with a share.
const WHOLE_LIST: u64 = 512 * 1024 * 1024;
const SHARES: [&str; 5] = ["apps", "files_sharing", "api", "v1", "shares"];
/// How the server says that nobody's right lets it fetch a copy.
const NO_DOWNLOAD: &str = r#"[{"scope":"permissions","key":"download","value":false}]"#;

const AWAY: &str = "its item is no longer in this account's home: it was deleted, lies in the trash bin, or is another \
                    account's; from the trash bin the share comes back with it";
const NOT_OURS: &str = "the account does not own the item, so that it may merely not see the share any more";
const OTHER_ITEM: &str = "the server shows it on another item: its own was deleted or lies in the trash bin, or its id \
                          is another share's now";

/// What was learned while changing, so that nothing is asked twice.
#[derive(Default)]
pub(super) struct Acts(Mutex<Learned>);

#[derive(Default)]
struct Learned {
    /// The settings, as they were when the source was opened.
    facts: SourceFacts,
    /// Accounts in whose name changes can be made, as they tell of themselves.
    accounts: BTreeMap<String, Principal>,
    /// Accounts in whose name nothing can be done, and why. All of them, where there is one without a name.
    barred: BTreeMap<String, WriteError>,
    /// Names of passwords that were tried and are good.
    tried: BTreeSet<String>,
    /// Whether an account owns or made a share, by both their ids, as the share said when it was read.
    standing: BTreeMap<(String, String), bool>,
}

impl Writer for Nextcloud {
    fn open(&self) -> BoxFuture<'_, Result<Opened, WriteError>> {
        async move {
            let opened = self.open_source().await?;
            self.learned().facts = opened.facts.clone();
            Ok(opened)
        }
        .boxed()
    }

    fn may_act_as<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<(), WriteError>> {
        async move { self.acting(Some(account)).await.map(drop) }.boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Result<(), WriteError>> {
        async move {
            let free = self.ocs.http.prepay(&self.ocs.ocs(&SHARES, &[])?).await;
            Ok(free.map_err(ReadError::from)?)
        }
        .boxed()
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Found, WriteError>> {
        async move {
            let own = self.acting_on(target).await?;
            self.read_as(&own, target).await
        }
        .boxed()
    }

    fn read_all<'a>(
        &'a self,
        item: &'a Place,
        act_as: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        async move {
            let own = self.acting(act_as).await?;
            let path = self.path(&own, item).await?;
            let query = [("reshares", "true"), ("path", path.as_str())];
            let request = self.ocs.signed(self.ocs.ocs(&SHARES, &query)?, &own.id)?;
            let answer = self.ask(&own, &request).await?;
            if answer.status != StatusCode::OK {
                return Err(self.heard(&own, ocs::refusal(&request, &answer)));
            }
            let entries: Vec<Box<RawValue>> = ocs::decode(&request, &answer.headers, &answer.body)?;
            let mut shares = Vec::new();
            for entry in entries {
                let share = self.decode(&own, &request, &entry)?;
                if share.item.id != item.id {
                    let words = "the item was moved while its shares were listed";
                    return Err(ReadError::service(ProblemCode::Malformed, words).into());
                }
                shares.push(share);
            }
            Ok(shares)
        }
        .boxed()
    }

    /// No list of the server reaches beneath a folder: what lies there is picked from all that the account is shown.
    fn read_links_beneath<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        async move {
            let own = self.acting(target.act_as.as_deref()).await?;
            let request = self.ocs.ocs(&SHARES, &[("reshares", "true")])?;
            let request = self.ocs.signed(request, &own.id)?.max_body(WHOLE_LIST);
            let answer = self.ask(&own, &request).await?;
            if answer.status != StatusCode::OK {
                return Err(self.heard(&own, ocs::refusal(&request, &answer)));
            }
            let entries: Vec<Box<RawValue>> = ocs::decode(&request, &answer.headers, &answer.body)?;
            let mut shares = Vec::new();
            for entry in entries {
                shares.push(self.decode(&own, &request, &entry)?);
            }
            let top = shares.iter().find(|share| share.id == target.share);
            let Some(top) = top.map(|share| share.item.path.clone()) else {
                let words = "the share vanished from its account's list while it was looked into";
                return Err(ReadError::service(ProblemCode::Malformed, words).into());
            };
            let beneath = |path: &str| {
                path.strip_prefix(top.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            shares.retain(|share| share.kind == ShareKind::Link && beneath(&share.item.path));
            Ok(shares)
        }
        .boxed()
    }

    fn set_expiry<'a>(
        &'a self,
        target: &'a Target,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        async move {
            // The server takes whatever PHP's parser of dates takes, and makes another day of some.
            if value.is_some_and(|value| !is_date(value)) {
                return Err(WriteError::refused(
                    ProblemCode::Malformed,
                    "not sent: the end is no date as YYYY-MM-DD, the only form that Nextcloud's shares have",
                ));
            }
            let own = self.acting_on(target).await?;
            self.put(&own, target, &[("expireDate", value.unwrap_or_default())])
                .await
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), WriteError>> {
        async move {
            let own = self.acting_on(target).await?;
            // A recipient who deletes a share ends it for himself only, or hides it.
            let may = match self.standing(&own, target) {
                Some(may) => may,
                None => match self.read_as(&own, target).await? {
                    Found::Share(_) => self.standing(&own, target) == Some(true),
                    Found::Gone => return Err(gone()),
                    Found::Lost(why) => return Err(WriteError::refused(ProblemCode::Forbidden, why)),
                },
            };
            if !may {
                return Err(WriteError::refused(
                    ProblemCode::Forbidden,
                    "not sent: the account neither owns the item nor made the share, and could only leave it",
                ));
            }
            let request = self.on_share(Method::DELETE, &own, target)?;
            self.change(&own, &request).await.map(drop)
        }
        .boxed()
    }

    /// A share with a mail address is mailed to it once more, under a new link: that is what it was.
    fn irrecoverable(&self, facts: &SourceFacts, lost: &Lost) -> Option<&'static str> {
        match lost.kind {
            ShareKind::Room => return Some("sharing with a Talk room is for its members to do"),
            ShareKind::Other => return Some("it was shared in a way that this version does not know"),
            ShareKind::Mail if lost.password && facts.get(Fact::PasswordsMailed) != Some(false) => {
                return Some("the server would mail the new password to the recipient, or may");
            }
            ShareKind::Link if !lost.password && facts.get(Fact::LinkPasswordEnforced) == Some(true) => {
                return Some("the server insists on a password now, and it had none");
            }
            ShareKind::Mail if !lost.password && facts.get(Fact::MailPasswordEnforced) == Some(true) => {
                return Some("the server insists on a password now, and it had none");
            }
            _ => {}
        }
        if lost.act_as.is_none() {
            return Some("no account is known that may share the item");
        }
        if !lost.access.shows() && !lost.access.has(Right::Create) {
            return Some("what it allowed is not known");
        }
        let known = |id: &String| !id.is_empty() && id != share::HIDDEN;
        let granted = match lost.recipients.as_slice() {
            [] => lost.kind == ShareKind::Link,
            [one] => lost.kind != ShareKind::Link && known(one),
            _ => false,
        };
        if !granted {
            return Some("whom it was granted to is not known");
        }
        (lost.expires.as_deref().is_some_and(|day| !is_date(day)))
            .then_some("the day of its end is not known")
    }

    /// Where downloading was hidden or forbidden, it is forbidden. The link, the note and, where the sharer was another
    /// account, the sharer are not those that were.
    fn recreate<'a>(
        &'a self,
        lost: &'a Lost,
        password: Option<&'a SecretString>,
    ) -> BoxFuture<'a, Result<String, WriteError>> {
        async move {
            let facts = self.learned().facts.clone();
            if let Some(why) = self.irrecoverable(&facts, lost) {
                return Err(WriteError::refused(ProblemCode::Forbidden, why));
            }
            if lost.password && password.is_none_or(is_empty) {
                return Err(WriteError::refused(
                    ProblemCode::Forbidden,
                    "not sent: a password protected it, and none was given for it",
                ));
            }
            let own = self.acting(lost.act_as.as_deref()).await?;
            let path = self.path(&own, &lost.item).await?;
            let form = form(lost, &path, password)
                .ok_or_else(|| WriteError::refused(ProblemCode::Forbidden, "no share of this kind can be made"))?;
            let request = with_form(self.ocs.ocs_as(Method::POST, &SHARES, &[])?, &form);
            let request = self.ocs.signed(request, &own.id)?;
            let answer = self.change(&own, &request).await.map_err(|error| match error.code {
                ProblemCode::Throttled => WriteError {
                    message: "the server takes no more new shares from this account now (20 in ten minutes, as it \
                              is set up by default); try again in ten minutes"
                        .to_owned(),
                    ..error
                },
                _ => error,
            })?;
            let made = ocs::decode::<Box<RawValue>>(&request, &answer.headers, &answer.body)
                .map_err(WriteError::from)
                .and_then(|entry| self.decode(&own, &request, &entry))
                .map_err(unknown)?;
            if made.item.id != lost.item.id {
                return Err(self.made_elsewhere(&own, lost, made.id).await);
            }
            Ok(made.id)
        }
        .boxed()
    }

    /// Of a link only: the server mails the new password of a mail share to its recipient.
    fn set_password<'a>(
        &'a self,
        target: &'a Target,
        password: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        async move {
            if is_empty(password) {
                return Err(WriteError::refused(
                    ProblemCode::Forbidden,
                    "not sent: an empty password would take the protection away",
                ));
            }
            let own = self.acting_on(target).await?;
            match self.read_as(&own, target).await? {
                Found::Share(share) if share.kind == ShareKind::Link => {}
                Found::Share(_) => {
                    return Err(WriteError::refused(
                        ProblemCode::Forbidden,
                        "not sent: only a link can be given another password without anybody being mailed it",
                    ));
                }
                Found::Gone => return Err(gone()),
                Found::Lost(why) => return Err(WriteError::refused(ProblemCode::Forbidden, why)),
            }
            self.put(&own, target, &[("password", password.expose_secret())])
                .await
        }
        .boxed()
    }
}

impl Nextcloud {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.acts.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account in whose name a share is read and changed, as it tells of itself.
    async fn acting_on(&self, target: &Target) -> Result<Principal, WriteError> {
        if !share::is_id(&target.share) {
            return Err(WriteError::refused(
                ProblemCode::Forbidden,
                "the server told only that the item is shared, and no id of the share: its account is disabled",
            ));
        }
        self.acting(target.act_as.as_deref()).await
    }

    /// An account in whose name changes can be made, as it tells of itself; asked once.
    async fn acting(&self, account: Option<&str>) -> Result<Principal, WriteError> {
        // Up to a colon it would be another account's id.
        let account = account
            .filter(|account| !account.is_empty() && !account.contains(':'))
            .ok_or_else(|| {
                WriteError::refused(
                    ProblemCode::Forbidden,
                    "no account is known in whose name it can be done",
                )
            })?;
        {
            let learned = self.learned();
            if let Some(error) = learned.barred.get("").or_else(|| learned.barred.get(account)) {
                return Err(error.clone());
            }
            if let Some(own) = learned.accounts.get(account) {
                return learned
                    .barred
                    .get(&own.id)
                    .cloned()
                    .map_or_else(|| Ok(own.clone()), Err);
            }
        }
        let own = match &self.setup.credential {
            Credential::AppApi { .. } => self.impersonated(account).await?,
            Credential::Passwords(passwords) => {
                self.signed_in(account, passwords.keys(), passwords.contains_key(account))
                    .await?
            }
        };
        if own.active == Some(false) {
            let error = WriteError::refused(ProblemCode::AccountDisabled, "the account is disabled");
            return Err(self.bar(account, error));
        }
        self.learned().accounts.insert(account.to_owned(), own.clone());
        Ok(own)
    }

    async fn impersonated(&self, account: &str) -> Result<Principal, WriteError> {
        match people::own_details(&self.ocs, account).await {
            Ok(own) if same(&own.id, account) => Ok(own),
            Ok(_) => Err(self.bar(account, ocs::other_account(account).into())),
            Err(ReadError::Service {
                code: ProblemCode::Unauthorized,
                ..
            }) => Err(self.weigh(account).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Why an account's name was refused: of the secret the server says the same.
    async fn weigh(&self, account: &str) -> WriteError {
        match self.check_app().await {
            Ok(()) => {
                let words =
                    "the server does not let the auditor act in this account's name: it is disabled or gone";
                self.bar(account, WriteError::refused(ProblemCode::AccountDisabled, words))
            }
            Err(error) => {
                let all = matches!(
                    error,
                    ReadError::Service {
                        code: ProblemCode::Unauthorized | ProblemCode::Forbidden,
                        ..
                    }
                );
                self.bar(if all { "" } else { account }, error.into())
            }
        }
    }

    /// The account by one of the configured passwords. Each is a request, and a wrong one a risk: none is tried twice, and
    /// those of other names only where the account's id is not among the names.
    async fn signed_in(
        &self,
        account: &str,
        names: impl Iterator<Item = &String>,
        named: bool,
    ) -> Result<Principal, WriteError> {
        let mut wrong = false;
        for name in names.filter(|name| !named || *name == account) {
            if self.learned().tried.contains(name) {
                continue;
            }
            if self.refused().contains(name) {
                wrong = true;
                continue;
            }
            if self.risks_no_more() {
                let words =
                    "too many app passwords of this source are wrong; a dozen of them block the address";
                return Err(WriteError::refused(ProblemCode::Unauthorized, words));
            }
            match people::own_details(&self.ocs, name).await {
                Ok(own) => {
                    let mut learned = self.learned();
                    learned.tried.insert(name.clone());
                    if same(&own.id, account) {
                        return Ok(own);
                    }
                    if own.active != Some(false) {
                        learned.accounts.insert(own.id.clone(), own);
                    }
                }
                Err(
                    refusal @ ReadError::Service {
                        code: ProblemCode::Unauthorized,
                        ..
                    },
                ) => {
                    wrong = true;
                    self.give_up(name, refusal)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(if wrong && named {
            WriteError::refused(
                ProblemCode::Unauthorized,
                "the server refused this account's app password; it is not tried again, since a dozen wrong ones block \
                 the address",
            )
        } else if wrong {
            WriteError::refused(
                ProblemCode::Unauthorized,
                "no app password is configured under this account's id, and of the others one was refused",
            )
        } else {
            WriteError::refused(
                ProblemCode::Forbidden,
                "no password is configured for this account",
            )
        })
    }

    /// Remembers that nothing can be done in an account's name.
    fn bar(&self, account: &str, error: WriteError) -> WriteError {
        let mut learned = self.learned();
        learned.accounts.remove(account);
        learned.barred.insert(account.to_owned(), error.clone());
        error
    }

    /// A failure while acting; one that is about the credential is not tried again.
    fn heard(&self, own: &Principal, error: ReadError) -> WriteError {
        let error = WriteError::from(error);
        if error.code == ProblemCode::Unauthorized {
            self.bar(&own.id, error)
        } else {
            error
        }
    }

    fn standing(&self, own: &Principal, target: &Target) -> Option<bool> {
        let key = (own.id.clone(), target.share.clone());
        self.learned().standing.get(&key).copied()
    }

    fn on_share(&self, method: Method, own: &Principal, target: &Target) -> Result<Request, ReadError> {
        let path = [SHARES.as_slice(), &[&target.share]].concat();
        self.ocs.signed(self.ocs.ocs_as(method, &path, &[])?, &own.id)
    }

    /// Asks, and insists that the answer is for who was to ask.
    async fn ask(&self, own: &Principal, request: &Request) -> Result<Answer, WriteError> {
        let answer = self.ocs.http.send(request).await.map_err(ReadError::from)?;
        match ocs::answered_as(&answer.headers) {
            Some(other) if !same(other, &own.id) => Err(ocs::other_account(&own.id).into()),
            _ => Ok(answer),
        }
    }

    fn decode(&self, own: &Principal, request: &Request, entry: &RawValue) -> Result<Share, WriteError> {
        let zone = own.zone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
        let reading = share::Reading {
            source: &self.setup.source,
            base: &self.setup.url,
            account: &own.id,
            zone: &zone.unwrap_or(TimeZone::UTC),
        };
        share::decode(entry.get().as_bytes(), &reading).map_err(|error| {
            let words = format!(
                "{}: the answer's entry is not as documented: {error}",
                request.place()
            );
            ReadError::service(ProblemCode::Malformed, words).into()
        })
    }

    async fn read_as(&self, own: &Principal, target: &Target) -> Result<Found, WriteError> {
        let request = self.on_share(Method::GET, own, target)?;
        let answer = self.ask(own, &request).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR => {
                return self.missing(own, target, &request, &answer).await;
            }
            _ => return Err(self.heard(own, ocs::refusal(&request, &answer))),
        }
        let entries: Vec<Box<RawValue>> = ocs::decode(&request, &answer.headers, &answer.body)?;
        let share = match entries.as_slice() {
            [entry] => self.decode(own, &request, entry)?,
            _ => return Err(malformed(&request, "holds not one share")),
        };
        if share.id != target.share {
            return Err(malformed(&request, "is of another share"));
        }
        // Of a share whose item is not there the server may show one of the same name.
        if share.item.id != target.item.id {
            return Ok(Found::Lost(OTHER_ITEM));
        }
        let made = share.shared_by.as_ref().is_some_and(|by| same(&by.id, &own.id));
        let key = (own.id.clone(), share.id.clone());
        self.learned()
            .standing
            .insert(key, made || same(&share.owner.id, &own.id));
        Ok(Found::Share(Box::new(share)))
    }

    /// What it means that a share is not shown. Of one whose item is in the trash bin the server says the same as of one
    /// that is gone, and it keeps that one: so the item has to be where it was, and its owner, who sees every share of
    /// it, has to ask. One that a disabled account made counts as gone where the server hides those.
    async fn missing(
        &self,
        own: &Principal,
        target: &Target,
        request: &Request,
        answer: &Answer,
    ) -> Result<Found, WriteError> {
        let said = ocs::objection(request, answer).is_some_and(|said| said.contains("Wrong share ID"));
        // Where the item is in the trash bin the server fails over a share with a mail address, and answers changes with
        // a page.
        let failed = answer.status == StatusCode::INTERNAL_SERVER_ERROR;
        if !said && !failed && !ocs::looks_like_html(&answer.headers, &answer.body) {
            return Err(self.heard(own, ocs::refusal(request, answer)));
        }
        Ok(match self.node(own, &target.item).await? {
            None => Found::Lost(AWAY),
            Some(_) if !said => return Err(ocs::refusal(request, answer).into()),
            Some((_, owner)) if owner.as_deref().is_some_and(|owner| same(owner, &own.id)) => Found::Gone,
            // It was seen in this account's hands, and the item still is.
            Some(_) if self.standing(own, target) == Some(true) => Found::Gone,
            Some(_) => Found::Lost(NOT_OURS),
        })
    }

    /// Where an item lies in an account's home, and whose it is.
    async fn node(
        &self,
        own: &Principal,
        item: &Place,
    ) -> Result<Option<(String, Option<String>)>, WriteError> {
        let id: u64 = item.id.parse().map_err(|_none| {
            WriteError::refused(
                ProblemCode::Malformed,
                "the id of the item is none of Nextcloud's",
            )
        })?;
        let found = search::one(&self.ocs, &own.id, id).await;
        Ok(found
            .map_err(|error| self.heard(own, error))?
            .map(|(path, node)| (path, node.owner)))
    }

    async fn path(&self, own: &Principal, item: &Place) -> Result<String, WriteError> {
        match self.node(own, item).await? {
            Some((path, _)) => Ok(path),
            None => Err(WriteError::refused(
                ProblemCode::Forbidden,
                "the item is not in this account's home: it was deleted, lies in the trash bin, or is another account's",
            )),
        }
    }

    /// Ends a share at once that was made of another item than the one that was meant.
    async fn made_elsewhere(&self, own: &Principal, lost: &Lost, made: String) -> WriteError {
        let target = Target {
            share: made,
            act_as: lost.act_as.clone(),
            item: lost.item.clone(),
        };
        let ended = match self.on_share(Method::DELETE, own, &target) {
            Ok(request) => self.change(own, &request).await.map(drop),
            Err(error) => Err(error.into()),
        };
        let what = "where the item was, the account has another one";
        match ended {
            Ok(()) => WriteError::refused(
                ProblemCode::Malformed,
                format!("{what}: what was made of that was ended at once; share it again by hand"),
            ),
            Err(error) => unknown(WriteError::refused(
                ProblemCode::Malformed,
                format!(
                    "{what}: the share {} is of that, and could not be ended: end it by hand, now ({})",
                    target.share, error.message
                ),
            )),
        }
    }

    async fn put(&self, own: &Principal, target: &Target, form: &[(&str, &str)]) -> Result<(), WriteError> {
        let request = with_form(self.on_share(Method::PUT, own, target)?, form);
        self.change(own, &request).await.map(drop)
    }

    /// Sends a change, once, and gives the answer of one that was made.
    async fn change(&self, own: &Principal, request: &Request) -> Result<Answer, WriteError> {
        let answer = self
            .ocs
            .http
            .send(request)
            .await
            .map_err(|error| unheard(&error))?;
        if answer.status != StatusCode::OK {
            let error = declined(request, &answer);
            return Err(if error.code == ProblemCode::Unauthorized {
                self.bar(&own.id, error)
            } else {
                error
            });
        }
        // A page of something that stands before the server is no answer of its own.
        ocs::decode::<IgnoredAny>(request, &answer.headers, &answer.body)
            .map_err(|error| unknown(error.into()))?;
        Ok(answer)
    }
}

/// Whether two ids are the same account's; the server takes them in any case.
fn same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

fn is_empty(password: &SecretString) -> bool {
    password.expose_secret().is_empty()
}

fn is_date(text: &str) -> bool {
    text.parse::<Date>()
        .is_ok_and(|date| date.year() >= 0 && date.to_string() == text)
}

/// What makes a share again; `None` where no such share can be made.
fn form<'a>(
    lost: &'a Lost,
    path: &'a str,
    password: Option<&'a SecretString>,
) -> Option<Vec<(&'static str, String)>> {
    let mut form = vec![
        ("path", path.to_owned()),
        ("shareType", share::number(lost.kind)?.to_string()),
        ("permissions", share::bits(lost.access).to_string()),
        // An empty one is none, unless the server insists on one; without the field it takes its default.
        ("expireDate", lost.expires.clone().unwrap_or_default()),
    ];
    if let Some(recipient) = lost.recipients.first() {
        form.push(("shareWith", recipient.clone()));
    }
    if lost.access.has(Right::View) && !lost.access.has(Right::Download) {
        form.push(("attributes", NO_DOWNLOAD.to_owned()));
    }
    if let Some(label) = &lost.label {
        form.push(("label", label.clone()));
    }
    if let Some(password) = password.filter(|_| lost.password) {
        form.push(("password", password.expose_secret().to_owned()));
    }
    Some(form)
}

fn with_form<V: AsRef<str>>(request: Request, form: &[(&str, V)]) -> Request {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (field, value) in form {
        body.append_pair(field, value.as_ref());
    }
    request.body(
        HeaderValue::from_static("application/x-www-form-urlencoded"),
        body.finish(),
    )
}

fn gone() -> WriteError {
    WriteError::refused(ProblemCode::Forbidden, "not sent: the share is gone")
}

fn malformed(request: &Request, what: &str) -> WriteError {
    ReadError::service(
        ProblemCode::Malformed,
        format!("{}: the answer {what}", request.place()),
    )
    .into()
}

/// The same failure, of a change that may have been made.
fn unknown(mut error: WriteError) -> WriteError {
    error.effect = ChangeEffect::Unknown;
    error.message.push_str("; the change may have been made");
    error
}

/// What is known of a change to which there is no answer.
fn unheard(error: &HttpError) -> WriteError {
    let told = WriteError::from(ReadError::from(error.clone()));
    if error.may_have_been_done() {
        unknown(told)
    } else {
        told
    }
}

/// What is known of a change that was answered with another status than the good one.
fn declined(request: &Request, answer: &Answer) -> WriteError {
    let error = WriteError::from(ocs::refusal(request, answer));
    match (error.code, answer.status.as_u16()) {
        // Such answers come before anything is done.
        (ProblemCode::Maintenance | ProblemCode::AddressBlocked | ProblemCode::Throttled, _) => error,
        (_, 408) => unknown(error),
        (code, 400..=499) => {
            if code == ProblemCode::SharingDisabled {
                return WriteError::refused(code, error.message);
            }
            if let Some(said) = ocs::objection(request, answer) {
                let words = format!(
                    "{}: the server refuses the change and says: {said}",
                    request.place()
                );
                return WriteError::refused(ProblemCode::Forbidden, words);
            }
            let page = ocs::looks_like_html(&answer.headers, &answer.body);
            if page && answer.status == StatusCode::NOT_FOUND {
                let words = format!(
                    "{}: the server shows no such share now; its item may be in the trash bin, or gone",
                    request.place()
                );
                return WriteError::refused(code, words);
            }
            WriteError::refused(code, error.message)
        }
        _ => unknown(error),
    }
}

#[cfg(test)]
mod tests;
