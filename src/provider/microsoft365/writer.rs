//! Changes what is shared in a tenant, one share after the other.
//!
//! <https://learn.microsoft.com/en-us/graph/api/permission-update?view=graph-rest-1.0> and `permission-delete`. A change
//! is sent once: where its answer is lost, reading the share again tells. Graph takes 300 calls of sharing in five minutes
//! from an application in a tenant, so that changes keep a distance. What comes from a folder above is never changed at an
//! item: the service refuses that of links, and of grants it would take the item out of its folder's permissions.

mod remaking;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::auth::Rights;
use super::drives::{self, Drive};
use super::errors::Refusal;
use super::graph::Kind;
use super::key::Key;
use super::permission::wire::Permission;
use super::permission::{Decoded, Decoder, Origin, Sign, Signs, told_by_id};
use super::wire::{self, Told};
use super::{Microsoft365, errors, settings};
use crate::http::{Answer, HeaderValue, HttpError, Method, Request, StatusCode};
use crate::model::{Item, ItemKind, Principal, PrincipalClass, ProblemCode, Share, SourceFacts};
use crate::provider::checks;
use crate::provider::{ChangeEffect, Found, Lost, Opened, Place, ReadError, Target, WriteError, Writer};

/// How long it is from one change to the next, unless something else is wanted.
pub const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The rights of an application of which it needs one to change what is shared; the first is the least.
const APPLICATION: &[&str] = &[
    "Files.ReadWrite.All",
    "Sites.ReadWrite.All",
    "Sites.FullControl.All",
];
/// The same of a person who signed in.
const PERSON: &[&str] = &[
    "Files.ReadWrite",
    "Files.ReadWrite.All",
    "Sites.ReadWrite.All",
    "Sites.Manage.All",
    "Sites.FullControl.All",
];

const NO_END_TAKEN_AWAY: &str =
    "Microsoft Graph does not say how a link's date is taken away; its owner can, where the link was made";

/// What is remembered while a tenant is changed.
#[derive(Default)]
pub(super) struct Writing {
    turns: Turns,
    /// Whether the next change was paid for when it waited for its turn.
    is_paid: AtomicBool,
    /// The drives that were asked for, by their ids.
    drives: Mutex<HashMap<String, Drive>>,
    /// The shares that were read as their items' own, and not changed since.
    own: Mutex<HashSet<String>>,
}

/// Lets one change be made after the other, and keeps them apart.
#[derive(Default)]
struct Turns {
    /// When the last one ended; held while one is made.
    last: tokio::sync::Mutex<Option<Instant>>,
}

impl Turns {
    /// Waits until a change could be made at once.
    async fn wait(&self, every: Duration) {
        let last = *self.last.lock().await;
        if let Some(next) = last.and_then(|last| last.checked_add(every)) {
            sleep_until(next).await;
        }
    }

    /// Makes a change when so much time has passed since the last one; the first at once.
    async fn take<T>(&self, every: Duration, change: impl Future<Output = T>) -> T {
        let mut last = self.last.lock().await;
        if let Some(next) = last.and_then(|last| last.checked_add(every)) {
            sleep_until(next).await;
        }
        let made = change.await;
        *last = Some(Instant::now());
        made
    }
}

/// Where a share is, by the parts of its id.
struct Spot<'a> {
    drive: &'a str,
    item: &'a str,
    permission: &'a str,
}

impl<'a> Spot<'a> {
    fn of(target: &'a Target) -> Result<Self, WriteError> {
        let mut parts = target.share.split('/').filter(|part| !part.is_empty());
        let slashes = target.share.matches('/').count();
        let Place {
            id, drive: in_drive, ..
        } = &target.item;
        match (parts.next(), parts.next(), parts.next(), slashes) {
            (Some(drive), Some(item), Some(permission), 2)
                if item == id && in_drive.as_deref().is_none_or(|it| it == drive) =>
            {
                Ok(Self {
                    drive,
                    item,
                    permission,
                })
            }
            _ => Err(WriteError::refused(
                ProblemCode::MalformedShare,
                "this is no id of a share in Microsoft 365, or not of this item: nothing was asked",
            )),
        }
    }
}

/// An item as far as it is asked for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Facets {
    id: Option<String>,
    root: Option<Value>,
    deleted: Option<Value>,
    parent_reference: Option<Reference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    id: Option<String>,
}

impl Writer for Microsoft365 {
    fn open(&self) -> BoxFuture<'_, Result<Opened, WriteError>> {
        self.open_for_changes().boxed()
    }

    fn may_act_as<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<(), WriteError>> {
        async move {
            if !self.delegated {
                // The application has the right itself.
                return Ok(());
            }
            let own = self.own_person().await?;
            let is_own = |name: &str| name.eq_ignore_ascii_case(account);
            if is_own(&own.id) || own.email.as_deref().is_some_and(is_own) {
                return Ok(());
            }
            Err(WriteError::refused(
                ProblemCode::Forbidden,
                "only the person who signed in can change what is shared; sign in as the application to change it for \
                 others",
            ))
        }
        .boxed()
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Found, WriteError>> {
        self.read_one(target).boxed()
    }

    /// Nothing ends with a permission.
    fn read_links_beneath<'a>(
        &'a self,
        _target: &'a Target,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn read_all<'a>(
        &'a self,
        item: &'a Place,
        _act_as: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>> {
        self.read_own(item).boxed()
    }

    fn set_expiry<'a>(
        &'a self,
        target: &'a Target,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        self.end_at(target, value).boxed()
    }

    fn revoke<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), WriteError>> {
        self.end(target).boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Result<(), WriteError>> {
        async move {
            self.writing.turns.wait(self.setup.write_every).await;
            if !self.writing.is_paid.load(Ordering::Relaxed) {
                let change = Request::new(Method::PATCH, self.graph.url(&["drives"], &[])?);
                let change = change.units(Kind::Permissions.units());
                let paid = self.graph.http.prepay(&change).await;
                paid.map_err(ReadError::from)?;
                self.writing.is_paid.store(true, Ordering::Relaxed);
            }
            Ok(())
        }
        .boxed()
    }

    fn unrestorable(&self, value: Option<&str>) -> Option<&'static str> {
        value.is_none().then_some(NO_END_TAKEN_AWAY)
    }

    fn sets_passwords(&self) -> bool {
        false
    }

    fn irrecoverable(&self, facts: &SourceFacts, lost: &Lost) -> Option<&'static str> {
        remaking::irrecoverable(facts, lost)
    }

    fn recreate<'a>(
        &'a self,
        lost: &'a Lost,
        password: Option<&'a SecretString>,
    ) -> BoxFuture<'a, Result<String, WriteError>> {
        self.make_again(lost, password).boxed()
    }

    fn set_password<'a>(
        &'a self,
        _target: &'a Target,
        _password: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        let error = WriteError::refused(
            ProblemCode::Forbidden,
            "Microsoft Graph changes no password of a link; its owner can, where the link was made",
        );
        std::future::ready(Err(error)).boxed()
    }
}

impl Microsoft365 {
    async fn open_for_changes(&self) -> Result<Opened, WriteError> {
        let bearer = self.graph.tokens.bearer().await?;
        may_change(bearer.rights().as_ref(), self.delegated)?;
        let mut facts = self.stated_facts();
        // A person may not ask for the settings; whatever is asked, the answer tells the time.
        let (url, kind) = if self.delegated {
            (self.graph.url(&["me"], &[("$select", "id")])?, Kind::Directory)
        } else {
            (
                self.graph.url(&["admin", "sharepoint", "settings"], &[])?,
                Kind::One,
            )
        };
        let answer = self.graph.get(&url, kind).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(not_made(
                "the service was asked whether it can be changed",
                &answer,
            ));
        }
        let told = (answer.status == StatusCode::OK && answer.is_json() && !self.delegated)
            .then(|| serde_json::from_slice::<Value>(&answer.body).ok())
            .flatten();
        match told {
            Some(told) => settings::heed(&told, &mut facts),
            None if self.delegated => {}
            None => tracing::warn!(
                source = %self.setup.source,
                status = answer.status.as_u16(),
                "the tenant's settings of sharing could not be read; what they are is not heeded"
            ),
        }
        Ok(Opened {
            facts,
            date: checks::date(&answer),
        })
    }

    async fn read_one(&self, target: &Target) -> Result<Found, WriteError> {
        let spot = Spot::of(target)?;
        self.forget(target);
        let path = [
            "drives",
            spot.drive,
            "items",
            spot.item,
            "permissions",
            spot.permission,
        ];
        let answer = self
            .graph
            .get(&self.graph.url(&path, &[])?, Kind::Permissions)
            .await?;
        if answer.status != StatusCode::OK || !answer.is_json() {
            let error = errors::refusal("the share could not be read again", answer.status, &answer.body);
            return if errors::is_missing(&error) {
                self.whether_gone(&spot).await
            } else {
                Err(error.into())
            };
        }
        let told: Told<Permission> = std::str::from_utf8(&answer.body).map_or(Told::Unread, wire::salvage);
        let drive = self.drive_with(spot.drive).await?;
        self.learn(std::slice::from_ref(&told)).await?;
        let decoder = self.decoder(&drive);
        match decoder.decode(told, &item(spot.item, target.item.kind, spot.drive)) {
            Decoded::Share(mut share, sign) if share.id == target.share => {
                share.inherited = sign.origin != Origin::Untold
                    || self.above(&decoder, spot.item).await?.hold(&sign);
                if !share.inherited {
                    self.own().insert(share.id.clone());
                }
                Ok(Found::Share(share))
            }
            Decoded::SiteGroup(_) | Decoded::Nothing => Ok(Found::Lost(
                "what is there under its id now is no share: the owner's own access, or a link that grants nothing",
            )),
            Decoded::Share(..) | Decoded::Unread => Err(ReadError::service(
                ProblemCode::Malformed,
                "the share could not be read again: the answer is no permission of Microsoft Graph, or another one",
            )
            .into()),
        }
    }

    /// What became of a permission that is not there.
    async fn whether_gone(&self, spot: &Spot<'_>) -> Result<Found, WriteError> {
        match self.facets(spot.drive, spot.item).await {
            Ok(Facets { deleted: None, .. }) => Ok(Found::Gone),
            Ok(_) => Ok(Found::Lost(
                "its item was deleted; if it is restored, it may be shared again",
            )),
            Err(error) if errors::is_missing(&error) => Ok(Found::Lost(
                "its item is no longer there: it was deleted, or moved to another drive or site",
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn read_own(&self, place: &Place) -> Result<Vec<Share>, WriteError> {
        let drive = place.drive.as_deref().ok_or_else(no_drive)?;
        let drive = self.drive_with(drive).await?;
        let decoder = self.decoder(&drive);
        let listed = self.decode_all(&decoder, &place.id, place.kind).await?;
        let mut above = None;
        let mut own = Vec::new();
        for (share, sign) in listed {
            if sign.origin != Origin::Untold {
                continue;
            }
            let above = match &above {
                Some(above) => above,
                None => above.insert(self.above(&decoder, &place.id).await?),
            };
            if !above.hold(&sign) {
                own.push(share);
            }
        }
        Ok(own)
    }

    async fn end_at(&self, target: &Target, value: Option<&str>) -> Result<(), WriteError> {
        let Some(value) = value else {
            return Err(WriteError::refused(ProblemCode::Forbidden, NO_END_TAKEN_AWAY));
        };
        let value: Timestamp = value.parse().map_err(|_cause| {
            WriteError::refused(
                ProblemCode::Malformed,
                "when the link is to end is no time such as 2027-01-31T00:00:00Z; nothing was asked",
            )
        })?;
        let body = json!({"expirationDateTime": value.to_string()});
        let answer = self.change(Method::PATCH, target, Some(&body)).await?;
        // What was set is for the caller to read back: the tenant may allow less.
        if answer.status == StatusCode::OK && answer.is_json() {
            return Ok(());
        }
        Err(not_made("the link's end was not changed", &answer))
    }

    async fn end(&self, target: &Target) -> Result<(), WriteError> {
        let answer = self.change(Method::DELETE, target, None).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(not_made("the share was not ended", &answer))
    }

    /// Changes a share that was read as its item's own; one that was not is read first.
    async fn change(
        &self,
        method: Method,
        target: &Target,
        body: Option<&Value>,
    ) -> Result<Answer, WriteError> {
        let Spot {
            drive,
            item,
            permission,
        } = Spot::of(target)?;
        if !self.own().contains(&target.share) {
            match self.read_one(target).await? {
                Found::Share(share) if share.inherited => {
                    return Err(WriteError::refused(
                        ProblemCode::Forbidden,
                        "it comes from a folder above, and has to be changed where it was given",
                    ));
                }
                Found::Share(_) => {}
                Found::Gone => {
                    return Err(WriteError::refused(
                        ProblemCode::AccountGone,
                        "the share is no longer there",
                    ));
                }
                Found::Lost(why) => return Err(WriteError::refused(ProblemCode::AccountGone, why)),
            }
        }
        self.forget(target);
        self.send_once(
            method,
            &["drives", drive, "items", item, "permissions", permission],
            body,
        )
        .await
    }

    /// Sends a change in its turn, and never twice: only where the token was refused, which nothing was done with, it is
    /// sent with another.
    async fn send_once(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, WriteError> {
        let mut request = Request::new(method, self.graph.url(path, &[])?);
        if !self.writing.is_paid.swap(false, Ordering::Relaxed) {
            request = request.units(Kind::Permissions.units());
        }
        if let Some(body) = body {
            request = request.body(HeaderValue::from_static("application/json"), body.to_string());
        }
        let mut is_renewed = false;
        loop {
            let change = async {
                let (signed, bearer) = self.graph.signed(&request).await?;
                let answer = self
                    .graph
                    .http
                    .send(&signed)
                    .await
                    .map_err(|error| unanswered(&error))?;
                Ok::<_, WriteError>((answer, bearer))
            };
            let (answer, bearer) = self.writing.turns.take(self.setup.write_every, change).await?;
            if answer.status != StatusCode::UNAUTHORIZED || is_renewed {
                return Ok(answer);
            }
            is_renewed = true;
            self.graph.tokens.refused(&bearer).await;
        }
    }

    /// What the folder above an item grants, with what comes to it from further above; nothing at the top.
    async fn above(&self, decoder: &Decoder<'_>, item: &str) -> Result<Signs, WriteError> {
        let mut signs = Signs::default();
        let facets = self.facets(&decoder.drive.id, item).await?;
        let parent = facets.parent_reference.and_then(|parent| parent.id);
        let parent = match (facets.root, parent) {
            (Some(_), _) => return Ok(signs),
            (None, Some(parent)) => parent,
            (None, None) => {
                let words = "the service does not tell in which folder the item lies: whether the share comes from there is not \
                             known";
                return Err(ReadError::service(ProblemCode::Malformed, words).into());
            }
        };
        for (_, sign) in self.decode_all(decoder, &parent, ItemKind::Folder).await? {
            signs.add(&sign);
        }
        Ok(signs)
    }

    /// All that is listed as shared of an item.
    async fn decode_all(
        &self,
        decoder: &Decoder<'_>,
        id: &str,
        kind: ItemKind,
    ) -> Result<Vec<(Share, Sign)>, WriteError> {
        let lists = self.graph.permissions(decoder.drive, vec![id.to_owned()]).await?;
        let list = lists.into_iter().next();
        // That nothing was told must never read as that nothing is shared.
        let permissions =
            list.ok_or_else(|| ReadError::service(ProblemCode::Malformed, "no list was told"))??;
        self.learn(&permissions).await?;
        let item = item(id, kind, &decoder.drive.id);
        let mut shares = Vec::new();
        for told in permissions {
            match decoder.decode(told, &item) {
                Decoded::Share(share, sign) => shares.push((*share, sign)),
                Decoded::SiteGroup(_) | Decoded::Nothing => {}
                Decoded::Unread => {
                    let words = "a permission of the item, or of the folder above it, could not be read, or has no id";
                    return Err(ReadError::service(ProblemCode::MalformedShare, words).into());
                }
            }
        }
        Ok(shares)
    }

    async fn facets(&self, drive: &str, item: &str) -> Result<Facets, ReadError> {
        let select = [("$select", "id,root,deleted,parentReference")];
        let url = self.graph.url(&["drives", drive, "items", item], &select)?;
        let facets: Facets = self.graph.object(url, Kind::One).await?;
        let is_it = facets
            .id
            .as_deref()
            .is_some_and(|id| id.eq_ignore_ascii_case(item));
        is_it.then_some(facets).ok_or_else(|| {
            let words = "the service was asked for an item, and answers with none, or with another one";
            ReadError::service(ProblemCode::Malformed, words)
        })
    }

    /// Asks the directory what people are called of whom permissions tell only an id. Where it does not say, they are called
    /// by their addresses, as in a scan that may not ask.
    async fn learn(&self, permissions: &[Told<Permission>]) -> Result<(), WriteError> {
        let ids: HashSet<&str> = permissions.iter().flat_map(told_by_id).collect();
        for id in ids {
            self.learn_of(id).await?;
        }
        Ok(())
    }

    async fn learn_of(&self, id: &str) -> Result<(), WriteError> {
        if self.delegated || self.people.name_of(id).is_some() {
            return Ok(());
        }
        match self.find_people(id).await {
            Err(error) if errors::ends_source(&error) => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A drive, with whose it is as far as it tells.
    async fn drive_with(&self, id: &str) -> Result<Drive, WriteError> {
        let drives = || self.writing.drives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = drives().get(id) {
            return Ok(known.clone());
        }
        let select = [("$select", "id,driveType,webUrl,owner")];
        let url = self.graph.url(&["drives", id], &select)?;
        let mut told: drives::Told = self.graph.object(url, Kind::One).await?;
        let address = told.web_url.take().map_or_else(String::new, wire::cut);
        let owner = told.owner.as_ref();
        let group = owner.and_then(|owner| owner.group.as_ref()?.id.clone());
        let person = owner.and_then(|owner| owner.user.as_ref()?.id.as_deref());
        let owner = match (&group, person) {
            (None, Some(person)) => {
                self.learn_of(person).await?;
                self.person_of(&told, &address)
            }
            _ => Principal::new(PrincipalClass::Site, address.as_str()),
        };
        let drive = Drive {
            id: id.to_owned(),
            address,
            owner,
            group,
            consumer: false,
        };
        drives().insert(id.to_owned(), drive.clone());
        Ok(drive)
    }

    fn decoder<'a>(&'a self, drive: &'a Drive) -> Decoder<'a> {
        Decoder {
            source: &self.setup.source,
            drive,
            people: &self.people,
            key: Key::random(),
        }
    }

    fn own(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.writing.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read of a share no longer counts.
    fn forget(&self, target: &Target) {
        self.own().remove(&target.share);
    }
}

/// Whether a token says that something can be changed with it; one that does not say is tried.
fn may_change(rights: Option<&Rights>, delegated: bool) -> Result<(), WriteError> {
    let needed = if delegated { PERSON } else { APPLICATION };
    let Some(rights) = rights else { return Ok(()) };
    if needed.iter().any(|right| rights.granted.contains(*right)) {
        return Ok(());
    }
    let (who, kind) = if delegated {
        ("the person who signed in", "delegated")
    } else {
        ("the application", "application")
    };
    let least = needed.first().copied().unwrap_or_default();
    Err(WriteError::refused(
        ProblemCode::Forbidden,
        format!(
            "{who} may not change what is shared: the token grants none of {}; add the {kind} permission {least} in the app's \
             registration (Microsoft Entra admin center, App registrations, API permissions), and grant admin consent",
            needed.join(", ")
        ),
    ))
}

/// An item of which only its ids are known.
fn item(id: &str, kind: ItemKind, drive: &str) -> Item {
    Item {
        id: id.to_owned(),
        path: String::new(),
        path_is_owners: false,
        kind,
        size: None,
        files_beneath: None,
        drive: Some(drive.to_owned()),
        labels: None,
    }
}

fn no_drive() -> WriteError {
    WriteError::refused(
        ProblemCode::MalformedShare,
        "the drive that the item lies in is not known: nothing was asked",
    )
}

/// What is known of a change that was not answered.
pub(super) fn unanswered(error: &HttpError) -> WriteError {
    WriteError {
        effect: if error.may_have_been_done() {
            ChangeEffect::Unknown
        } else {
            ChangeEffect::None
        },
        code: error.problem_code(),
        message: error.to_string(),
    }
}

/// What is known of a change that was answered otherwise than it should be.
fn not_made(what: &str, answer: &Answer) -> WriteError {
    let told = Refusal::read(&answer.body);
    let status = answer.status.as_u16();
    // A request that the service gave up waiting for may have been passed on all the same.
    let is_refused = (400..500).contains(&status) && status != 408;
    let (effect, at) = if is_refused {
        (ChangeEffect::Refused, what)
    } else {
        (ChangeEffect::Unknown, "whether the change was made is not known")
    };
    let error = WriteError::from(errors::refusal(at, answer.status, &answer.body));
    let remedy = match status {
        403 if told.is("sharingDisabled") => {
            "sharing is switched off for the site or the tenant: SharePoint admin center, Policies, Sharing"
        }
        403 if told.is("notAllowed") => {
            "grant the application Sites.FullControl.All beside what it has: without it, the service has been seen to refuse \
             this; what comes from a folder above can be changed only there"
        }
        403 => "grant the application Files.ReadWrite.All, or Sites.FullControl.All where that is not enough",
        400 if told.is("notAllowed") => "what comes from a folder above can be changed only there",
        404 => "it was ended meanwhile, or its item is gone",
        412 => "it was changed meanwhile",
        423 => "unlock the site, and try again",
        _ => return WriteError { effect, ..error },
    };
    WriteError {
        effect,
        code: error.code,
        message: format!("{}; {remedy}", error.message),
    }
}

#[cfg(test)]
mod tests;
