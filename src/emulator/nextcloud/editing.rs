//! Changing and deleting shares.
//!
//! A change is all or nothing: it is worked out on a copy and stored only when nothing refused it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::account::password_hash;
use super::dates;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::shares::{GROUP, LINK, Share, USER};
use super::{Nextcloud, tree};
use crate::emulator::world::when::midnight;

const FIELDS: [&str; 11] = [
    "permissions",
    "password",
    "sendPasswordByTalk",
    "publicUpload",
    "expireDate",
    "note",
    "label",
    "hideDownload",
    "attributes",
    "sendMail",
    "token",
];

pub(crate) type Parameters = BTreeMap<String, Value>;

/// `PUT /shares/{id}`.
pub(crate) fn update(server: &mut Nextcloud, call: &Call<'_>, account: &str, id: &str) -> Outcome {
    let given = call.request.parameters();
    check_types(&given)?;
    let missing = || Refusal::new(404, call.say("Wrong share ID, share does not exist"));
    let old = server.existing(id, call.seconds()).ok_or_else(missing)?;
    server.file_is_there(&old)?;
    let viewer = server.viewer(call, account);
    if !server.may_read(&old, &viewer) {
        return Err(missing());
    }
    if !old.belongs_to(account) {
        return Err(Refusal::new(
            403,
            call.say("You are not allowed to edit incoming shares"),
        ));
    }
    if !FIELDS
        .iter()
        .any(|field| given.get(*field).is_some_and(|value| !value.is_null()))
    {
        return Err(Refusal::new(400, call.say("Wrong or no update parameter given")));
    }
    let mut share = old.clone();
    apply_texts(server, call, &given, &mut share)?;
    if share.is_public() {
        apply_link(server, call, &given, &mut share)?;
    } else if let Some(bits) = number(&given, "permissions") {
        share.permissions = bits;
    }
    apply_date(server, call, &given, account, &old, &mut share)?;
    server.check_rules(call, account, &viewer, &share)?;
    server.shares.insert(share.clone());
    let tree = server.share_tree(&share, &viewer).ok_or_else(missing)?;
    Ok(Found::Data(tree))
}

/// `DELETE /shares/{id}`.
pub(crate) fn delete(server: &mut Nextcloud, call: &Call<'_>, account: &str, id: &str) -> Outcome {
    let missing = || Refusal::new(404, call.say("Wrong share ID, share does not exist"));
    let share = server.existing(id, call.seconds()).ok_or_else(missing)?;
    server.file_is_there(&share)?;
    let viewer = server.viewer(call, account);
    if !server.may_read(&share, &viewer) {
        return Err(missing());
    }
    let recipient = share.recipient.as_deref();
    let mine = share.belongs_to(account);
    if mine || (share.kind == USER && recipient == Some(account)) {
        server.delete_share(share.id, call.seconds());
    } else if share.kind == GROUP && recipient.is_some_and(|group| server.in_group(account, group)) {
        let mut hidden = share.clone();
        hidden.hidden_for.insert(account.to_owned());
        server.shares.insert(hidden);
    } else {
        return Err(Refusal::new(403, call.say("Could not delete share")));
    }
    Ok(Found::Data(tree::Tree::List(Vec::new())))
}

/// A real boolean where the API declares text ends in the server's error 500.
fn check_types(given: &Parameters) -> Result<(), Refusal> {
    let texts = [
        "hideDownload",
        "sendMail",
        "sendPasswordByTalk",
        "publicUpload",
        "expireDate",
        "note",
        "label",
    ];
    if texts
        .iter()
        .any(|field| given.get(*field).is_some_and(Value::is_boolean))
    {
        return Err(Refusal::new(996, "Internal Server Error\n"));
    }
    Ok(())
}

pub(crate) fn text(given: &Parameters, field: &str) -> Option<String> {
    match given.get(field)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

pub(crate) fn number(given: &Parameters, field: &str) -> Option<u32> {
    // What is no number counts as zero, which every check refuses.
    text(given, field).map(|text| text.parse().unwrap_or(0))
}

fn apply_texts(
    server: &Nextcloud,
    call: &Call<'_>,
    given: &Parameters,
    share: &mut Share,
) -> Result<(), Refusal> {
    if let Some(note) = text(given, "note") {
        share.note = note;
    }
    if let Some(attributes) = text(given, "attributes") {
        let parsed: Result<Value, _> = serde_json::from_str(&attributes);
        if parsed.is_err() {
            return Err(Refusal::new(
                400,
                call.say("Invalid share attributes provided: \"%s\"")
                    .replace("%s", &attributes),
            ));
        }
        share.attributes = (attributes != "[]").then_some(attributes);
    }
    if text(given, "sendPasswordByTalk").as_deref() == Some("true")
        && share.is_public()
        && !server.has_app("spreed")
    {
        let message = "\"Sending the password by Nextcloud Talk\" for sharing a file or folder failed because \
                       Nextcloud Talk is not enabled.";
        return Err(Refusal::new(403, message));
    }
    Ok(())
}

/// What only links and mail shares have.
fn apply_link(
    server: &Nextcloud,
    call: &Call<'_>,
    given: &Parameters,
    share: &mut Share,
) -> Result<(), Refusal> {
    match text(given, "hideDownload").as_deref() {
        Some("true") => share.hide_download = true,
        Some("false") => share.hide_download = false,
        _ => {}
    }
    if let Some(bits) = number(given, "permissions") {
        share.permissions = server.link_permissions(call, bits)?;
    }
    if let Some(label) = text(given, "label") {
        if label.len() > 255 {
            return Err(Refusal::new(400, "Maximum label length is 255"));
        }
        share.label = label;
    }
    if let Some(token) = text(given, "token") {
        if !server.settings.custom_tokens {
            let message = "Custom share link tokens have been disabled by the administrator";
            return Err(Refusal::new(403, message));
        }
        share.token = Some(token);
    }
    match text(given, "password").as_deref() {
        None => {}
        Some("") if server.settings.password_enforced => {
            return Err(Refusal::new(400, "Failed to update share."));
        }
        Some("") => share.password = None,
        Some(password) => {
            if share.password.as_deref() != Some(&password_hash(password, share.id)) {
                server.check_password(password)?;
            }
            share.password = Some(password_hash(password, share.id));
        }
    }
    Ok(())
}

fn apply_date(
    server: &Nextcloud,
    call: &Call<'_>,
    given: &Parameters,
    account: &str,
    old: &Share,
    share: &mut Share,
) -> Result<(), Refusal> {
    let Some(date) = text(given, "expireDate") else {
        return Ok(());
    };
    if date.is_empty() {
        if server.insists_on_end(old.kind) {
            return Err(Refusal::new(400, "Failed to update share."));
        }
        share.expires = None;
        return Ok(());
    }
    let zone = server.zone(account);
    let day = dates::parse(&date, call.now, &zone)
        .ok_or_else(|| Refusal::new(400, call.say("Invalid date. Format must be YYYY-MM-DD")))?;
    let at = midnight(day, &zone).as_second();
    if share.expires == Some(at) {
        return Ok(());
    }
    server.check_date(call, account, day, share.kind)?;
    share.expires = Some(at);
    Ok(())
}

impl Nextcloud {
    /// The server shows its error page for shares whose file is in the trash bin or gone.
    fn file_is_there(&self, share: &Share) -> Result<(), Refusal> {
        if share.file.is_none_or(|file| self.files.is_trashed(file)) {
            return Err(Refusal::NotFoundPage);
        }
        Ok(())
    }

    /// Deletes a share, and the links that hang on it: a link hangs on the share that gave its maker the file, the oldest
    /// where several did. Whatever else a recipient made of the file lives on.
    pub(crate) fn delete_share(&mut self, id: u64, now: i64) {
        let Some(share) = self.shares.get(id).cloned() else {
            return;
        };
        // As it was while the share still gave the file.
        let then = share.expires.map_or(now, |at| now.min(at - 1));
        let recipients: Vec<String> = match (share.kind, share.recipient.as_deref()) {
            (USER, Some(account)) => vec![account.to_owned()],
            (GROUP, Some(group)) => {
                let members = self
                    .accounts
                    .values()
                    .filter(|account| account.groups.iter().any(|own| own == group));
                members.map(|account| account.id.to_string()).collect()
            }
            _ => Vec::new(),
        };
        let hanging: Vec<u64> = recipients
            .iter()
            .flat_map(|account| {
                let received = self.received(account, then);
                let links = self.shares.made_by(account).filter(|link| link.kind == LINK);
                links
                    .filter(|link| self.giver(link, &received) == Some(id))
                    .map(|link| link.id)
                    .collect::<Vec<u64>>()
            })
            .collect();
        for gone in hanging.into_iter().chain([id]) {
            self.shares.remove(gone);
        }
    }

    /// The share, of those that its maker received, that a link hangs on.
    fn giver(&self, link: &Share, received: &[&Share]) -> Option<u64> {
        if link.owner == link.initiator {
            return None;
        }
        self.files.upwards(link.file?).find_map(|above| {
            let givers = received.iter().filter(|share| share.file == Some(above.id));
            givers
                .min_by_key(|share| (share.created, share.id))
                .map(|share| share.id)
        })
    }
}
