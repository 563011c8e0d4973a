//! Makes a share again that was ended: what the service lets be made, and that nothing more open is left than there was.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-createlink?view=graph-rest-1.0> and `driveitem-invite`.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::{Microsoft365, item, no_drive, not_made};
use crate::http::{Answer, Method, StatusCode};
use crate::model::{Expiry, Fact, ItemKind, PrincipalClass, ProblemCode, Share, ShareKind, SourceFacts};
use crate::provider::microsoft365::drives::Drive;
use crate::provider::microsoft365::permission::claim::is_id;
use crate::provider::microsoft365::permission::wire::Permission;
use crate::provider::microsoft365::permission::{
    Decoded, expiry, is_for_the_organization, role_of_access, type_of_access,
};
use crate::provider::microsoft365::wire::{self, Told};
use crate::provider::{ChangeEffect, Lost, Place, WriteError};

/// How a share is made again.
#[derive(Debug, PartialEq, Eq)]
enum Way<'a> {
    /// As a link of a type and scope.
    Link { kind: &'static str, scope: &'static str },
    /// As a grant of a role to an account or group, by what it is called.
    Grant { role: &'static str, to: &'a str },
}

/// How a share can be made again; or why not.
fn way(lost: &Lost) -> Result<Way<'_>, &'static str> {
    let folder = lost.item.kind != ItemKind::File;
    let link = |scope| {
        let kind = type_of_access(lost.access, folder).ok_or(
            "Microsoft Graph makes no link that allows just what this one did; its owner can make one",
        )?;
        Ok(Way::Link { kind, scope })
    };
    let grant = |to| {
        let role = role_of_access(lost.access, folder).ok_or(
            "Microsoft Graph grants nothing that allows just what this did; the owner can share it again",
        )?;
        Ok(Way::Grant { role, to })
    };
    match (lost.kind, lost.recipients.as_slice()) {
        (ShareKind::Link, _) if lost.anonymous => link("anonymous"),
        (ShareKind::Link, named) if is_for_the_organization(named) => link("organization"),
        (ShareKind::Link, _) => Err(
            "a link for certain people cannot be made again with the people in it: each is asked for by mail; its owner can \
             share it again",
        ),
        (ShareKind::User, [to]) if is_id(to) || to.contains('@') => grant(to.as_str()),
        (ShareKind::Group, [to]) if is_id(to) => grant(to.as_str()),
        (ShareKind::Group, [to]) if to.ends_with("_o") => Err(
            "Microsoft Graph grants nothing to the owners of a group alone; the owner can share it again in SharePoint",
        ),
        (ShareKind::Group, _) => Err(
            "Microsoft Graph grants nothing to everyone at once; the owner can share it again in SharePoint",
        ),
        (ShareKind::Mail, _) => Err(
            "an invitation cannot be made again without a mail to the one invited; the owner can share it again",
        ),
        _ => Err(
            "whom it was granted to is nobody whom Microsoft Graph could grant it to; the owner can share it again",
        ),
    }
}

/// Why a share cannot be made again.
pub(super) fn irrecoverable(facts: &SourceFacts, lost: &Lost) -> Option<&'static str> {
    match way(lost) {
        Err(why) => Some(why),
        Ok(Way::Link {
            scope: "anonymous", ..
        }) if facts.get(Fact::AnonymousLinksAllowed) == Some(false) => Some(
            "the tenant no longer lets links for anyone be made: SharePoint admin center, Policies, Sharing",
        ),
        Ok(_) => None,
    }
}

impl Microsoft365 {
    pub(super) async fn make_again(
        &self,
        lost: &Lost,
        password: Option<&SecretString>,
    ) -> Result<String, WriteError> {
        let refused = |why: &str| WriteError::refused(ProblemCode::Forbidden, why);
        let way = way(lost).map_err(refused)?;
        let drive = lost.item.drive.as_deref().ok_or_else(no_drive)?;
        let ends = match expiry(lost.expires.as_deref()) {
            Expiry::Never => None,
            Expiry::At { instant, .. } => Some(instant.to_string()),
            Expiry::Unknown => return Err(refused("when it ended is not known: nothing was made")),
        };
        let drive = self.drive_with(drive).await?;
        let mut body = Map::new();
        if let Some(ends) = ends {
            body.insert("expirationDateTime".to_owned(), ends.into());
        }
        match way {
            Way::Link { kind, scope } => {
                let password = match (lost.password, password) {
                    (true, None) => {
                        return Err(refused(
                            "the link had a password, and none is given: nothing was made",
                        ));
                    }
                    (true, password) => password,
                    (false, _) => None,
                };
                body.extend([
                    ("type".to_owned(), kind.into()),
                    ("scope".to_owned(), scope.into()),
                ]);
                if let Some(password) = password {
                    body.insert("password".to_owned(), password.expose_secret().into());
                }
                self.make_link(lost, &drive, &body.into()).await
            }
            Way::Grant { role, to } => {
                let who = self.recipient(lost, to).await?;
                self.refuse_second(&lost.item, to).await?;
                body.extend([
                    ("requireSignIn".to_owned(), true.into()),
                    ("sendInvitation".to_owned(), false.into()),
                    ("roles".to_owned(), json!([role])),
                    ("recipients".to_owned(), json!([{"objectId": who}])),
                ]);
                self.grant(lost, &drive, &body.into()).await
            }
        }
    }

    async fn make_link(&self, lost: &Lost, drive: &Drive, body: &Value) -> Result<String, WriteError> {
        let path = ["drives", &drive.id, "items", &lost.item.id, "createLink"];
        let answer = self.send_once(Method::POST, &path, Some(body)).await?;
        match answer.status {
            StatusCode::CREATED => {
                let made = std::str::from_utf8(&answer.body).map_or(Told::Unread, wire::salvage);
                self.made(lost, drive, made).await
            }
            StatusCode::OK if answer.is_json() => Err(WriteError::refused(
                ProblemCode::Forbidden,
                "the item has a link of this type already, which was given back as it is: no link was made",
            )),
            _ => Err(not_made("no link was made", &answer)),
        }
    }

    async fn grant(&self, lost: &Lost, drive: &Drive, body: &Value) -> Result<String, WriteError> {
        let path = ["drives", &drive.id, "items", &lost.item.id, "invite"];
        let answer = self.send_once(Method::POST, &path, Some(body)).await?;
        if answer.status != StatusCode::OK || !answer.is_json() {
            return Err(not_made("nothing was granted", &answer));
        }
        self.made(lost, drive, granted(&answer)).await
    }

    /// The id of what was made. Where it is more open than what was lost, it is ended at once.
    async fn made(&self, lost: &Lost, drive: &Drive, told: Told<Permission>) -> Result<String, WriteError> {
        let unknown = |message: String| WriteError {
            effect: ChangeEffect::Unknown,
            code: ProblemCode::Malformed,
            message,
        };
        let decoded = self
            .decoder(drive)
            .decode(told, &item(&lost.item.id, lost.item.kind, &drive.id));
        let Decoded::Share(share, _) = decoded else {
            let words =
                "the service says that it shared the item again, and not as what: look at who can open it";
            return Err(unknown(words.to_owned()));
        };
        let Some(more) = more_open(&share, lost) else {
            return Ok(share.id);
        };
        let permission = share.id.rsplit('/').next().unwrap_or_default();
        let path = [
            "drives",
            &drive.id,
            "items",
            &lost.item.id,
            "permissions",
            permission,
        ];
        let taken_back = self.send_once(Method::DELETE, &path, None).await;
        let why = match taken_back {
            Ok(answer) if matches!(answer.status.as_u16(), 204 | 404) => {
                let words =
                    format!("{more}: it was ended again at once, and is to be shared again by its owner");
                return Err(WriteError::refused(ProblemCode::Forbidden, words));
            }
            Ok(answer) => not_made("it was not ended", &answer),
            Err(error) => error,
        };
        Err(unknown(format!(
            "{more}, and could not be ended again: end it by hand, now ({})",
            why.message
        )))
    }

    /// The directory's id of whom something is granted to.
    async fn recipient(&self, lost: &Lost, to: &str) -> Result<String, WriteError> {
        if lost.kind == ShareKind::Group || is_id(to) {
            return Ok(to.to_owned());
        }
        self.object_id_of(to).await?.ok_or_else(|| {
            WriteError::refused(
                ProblemCode::UserNotFound,
                "nobody in the directory is called so: somebody who left, or has no account, can only be invited again by the owner",
            )
        })
    }

    /// Refuses to grant something to those who were granted something since: that would be changed, and not made.
    async fn refuse_second(&self, item: &Place, to: &str) -> Result<(), WriteError> {
        let is_granted = |share: &Share| {
            share.kind != ShareKind::Link
                && share.recipients.iter().any(|who| {
                    matches!(who.class, PrincipalClass::Account | PrincipalClass::Group)
                        && who.id.eq_ignore_ascii_case(to)
                })
        };
        if self.read_own(item).await?.iter().any(is_granted) {
            return Err(WriteError::refused(
                ProblemCode::Forbidden,
                "the item is shared with them already: nothing was granted",
            ));
        }
        Ok(())
    }
}

/// The permission that an invitation made. It may hold a failure instead.
fn granted(answer: &Answer) -> Told<Permission> {
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let one = told
        .get("value")
        .and_then(Value::as_array)
        .and_then(|all| all.first());
    one.map_or(Told::Unread, |one| wire::salvage(&one.to_string()))
}

/// What makes a share more open than the one that was lost.
fn more_open(made: &Share, lost: &Lost) -> Option<&'static str> {
    let asked = expiry(lost.expires.as_deref());
    let ends_later = match (&asked, &made.expires) {
        (Expiry::At { instant: asked, .. }, Expiry::At { instant: made, .. }) => made > asked,
        (Expiry::At { .. }, _) => true,
        _ => false,
    };
    if lost.password && made.password != Some(true) {
        Some("the service made the link without its password")
    } else if ends_later {
        Some("the service made it without the end that was asked for")
    } else if made.anonymous != lost.anonymous || made.access.iter().any(|right| !lost.access.has(right)) {
        Some("the service made something that allows more than was asked for")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
