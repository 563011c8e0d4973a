//! Creating, changing and deleting shares, with every refusal the server knows.
//!
//! A change is all or nothing: it is worked out on a copy and stored only when nothing refused it.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::Value;

use super::Nextcloud;
use super::account::{password_hash, token};
use super::dates;
use super::listing::Viewer;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::shares::{CREATE, DELETE, FEDERATED, GROUP, LINK, MAIL, READ, SHARE, Share, TEAM, UPDATE, USER};
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

type Parameters = BTreeMap<String, Value>;

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
    } else if let Some(bits) = number(&given, "permissions")? {
        share.permissions = bits;
    }
    apply_date(server, call, &given, account, &old, &mut share)?;
    server.check_rules(call, account, &viewer, &share)?;
    server.shares.insert(share.clone());
    let tree = server.share_tree(&share, &viewer).ok_or_else(missing)?;
    Ok(Found::Data(tree))
}

/// `POST /shares`.
pub(crate) fn create(server: &mut Nextcloud, call: &Call<'_>, account: &str) -> Outcome {
    let now = call.seconds();
    let made = server.created.entry(account.to_owned()).or_default();
    made.retain(|at| at + 600 > now);
    if made.len() >= server.settings.create_limit {
        return Err(Refusal::RateLimited);
    }
    made.push(now);
    let given = call.request.parameters();
    let viewer = server.viewer(call, account);
    let path =
        text(&given, "path").ok_or_else(|| Refusal::new(404, "Please specify a file or folder path"))?;
    let file = server
        .locate(account, &path, &viewer.mounts)
        .ok_or_else(|| Refusal::new(404, call.say("Wrong path, file/folder does not exist")))?;
    let kind = number(&given, "shareType")?.map_or(-1, i64::from);
    let with = text(&given, "shareWith");
    if let Some(known) = server.same_share(kind, file, account, with.as_deref()) {
        if kind == MAIL {
            let name = server.files.path(file);
            let name = name.rsplit('/').next().unwrap_or_default();
            let message = format!(
                "Sharing {name} failed, because this item is already shared with the account {}",
                with.unwrap_or_default()
            );
            return Err(Refusal::new(403, message));
        }
        let tree = server.share_tree(&known, &viewer);
        return tree
            .map(Found::Created)
            .ok_or_else(|| Refusal::new(404, "Could not create share"));
    }
    let share = server.new_share(call, account, &given, &viewer, (kind, file, with))?;
    server.shares.insert(share.clone());
    let tree = server.share_tree(&share, &viewer);
    tree.map(Found::Created)
        .ok_or_else(|| Refusal::new(404, "Could not create share"))
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
    Ok(Found::Data(super::tree::Tree::List(Vec::new())))
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

fn text(given: &Parameters, field: &str) -> Option<String> {
    match given.get(field)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn number(given: &Parameters, field: &str) -> Result<Option<u32>, Refusal> {
    let Some(text) = text(given, field) else {
        return Ok(None);
    };
    // What is no number counts as zero, which every check refuses.
    Ok(Some(text.parse().unwrap_or(0)))
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
    if let Some(bits) = number(given, "permissions")? {
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
    let enforced = server.settings.expiry_enforced && server.settings.default_expiry_days.is_some();
    if date.is_empty() {
        if enforced && old.is_public() {
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
    server.check_date(call, account, day, share.is_public())?;
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

    fn check_date(&self, call: &Call<'_>, account: &str, day: Date, public: bool) -> Result<(), Refusal> {
        let today = call.now.to_zoned(self.zone(account)).date();
        if day <= today {
            return Err(Refusal::new(404, call.say("Expiration date is in the past")));
        }
        if let Some(days) = self
            .settings
            .default_expiry_days
            .filter(|_| public && self.settings.expiry_enforced)
        {
            let last = today.checked_add(i64::from(days).days()).unwrap_or(today);
            if day > last {
                let message = format!("Cannot set expiration date more than {days} days in the future");
                return Err(Refusal::new(404, message));
            }
        }
        Ok(())
    }

    fn link_permissions(&self, call: &Call<'_>, bits: u32) -> Result<u32, Refusal> {
        let say = |status, text: &str| Err(Refusal::new(status, call.say(text)));
        if bits & (READ | CREATE) == 0 || bits > 31 {
            return say(400, "Share must at least have READ or CREATE permissions");
        }
        if bits & READ == 0 && bits & (UPDATE | DELETE) != 0 {
            return say(
                400,
                "Share must have READ permission if UPDATE or DELETE permission is set",
            );
        }
        if bits & CREATE != 0 && !self.settings.public_upload {
            return say(403, "Public upload disabled by the administrator");
        }
        Ok(if bits & READ != 0 && self.settings.federation_on_links {
            bits | SHARE
        } else {
            bits
        })
    }

    fn check_password(&self, password: &str) -> Result<(), Refusal> {
        if !self.has_app("password_policy") {
            return Ok(());
        }
        let policy = &self.settings.password_policy;
        let mut wrong: Vec<String> = Vec::new();
        if policy.not_common && COMMON.contains(&password.to_ascii_lowercase().as_str()) {
            wrong.push("Password is among the 1,000,000 most common ones. Please make it unique.".into());
        }
        if password.chars().count() < policy.min_length {
            wrong.push(format!(
                "Password needs to be at least {} characters long.",
                policy.min_length
            ));
        }
        if policy.numeric && !password.contains(|letter: char| letter.is_ascii_digit()) {
            wrong.push("Password needs to contain at least one numeric character.".into());
        }
        if policy.special && !password.contains(|letter: char| !letter.is_alphanumeric()) {
            wrong.push("Password needs to contain at least one special character.".into());
        }
        if policy.upper_lower && (password == password.to_lowercase() || password == password.to_uppercase())
        {
            wrong.push("Password needs to contain at least one lower and one upper case character.".into());
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Refusal::new(400, wrong.join(" ")))
        }
    }

    /// What the server checks of every change, whatever was changed.
    fn check_rules(
        &self,
        call: &Call<'_>,
        account: &str,
        viewer: &Viewer,
        share: &Share,
    ) -> Result<(), Refusal> {
        let failed = || Err(Refusal::new(400, "Failed to update share."));
        let excluded = self
            .settings
            .excluded_groups
            .iter()
            .any(|group| self.in_group(&share.initiator, group));
        if excluded || (share.is_public() && !self.settings.links_allowed) {
            return failed();
        }
        if share.is_public() && share.permissions & CREATE != 0 && !self.settings.public_upload {
            return failed();
        }
        if share.owner != share.initiator {
            // The sharer's own right counts, also where the owner makes the change.
            let mounts = if *share.initiator == *account {
                viewer.mounts.clone()
            } else {
                self.mounts(&share.initiator, call.seconds())
            };
            let may = share
                .file
                .is_some_and(|file| self.may_share(&share.initiator, file, &mounts));
            if !may || !self.settings.resharing {
                return Err(Refusal::new(404, call.say("Cannot increase permissions of ")));
            }
        }
        Ok(())
    }

    fn same_share(&self, kind: i64, file: u64, account: &str, with: Option<&str>) -> Option<Share> {
        if !matches!(kind, USER | GROUP | MAIL) {
            return None;
        }
        let mut on_file = self.shares.on_file(file);
        on_file
            .find(|share| {
                share.kind == kind && &*share.initiator == account && share.recipient.as_deref() == with
            })
            .cloned()
    }

    fn new_share(
        &self,
        call: &Call<'_>,
        account: &str,
        given: &Parameters,
        viewer: &Viewer,
        (kind, file, with): (i64, u64, Option<String>),
    ) -> Result<Share, Refusal> {
        let node = self
            .files
            .get(file)
            .ok_or_else(|| Refusal::new(404, "Could not create share"))?;
        let public = matches!(kind, LINK | MAIL);
        let known = match (kind, with.as_deref()) {
            (USER, Some(id)) => self.accounts.contains_key(id),
            (GROUP, Some(id)) => self.groups.contains_key(id),
            (TEAM, Some(id)) => self.teams.contains_key(id),
            (MAIL, Some(address)) => address.contains('@'),
            (FEDERATED, Some(id)) => id.contains('@'),
            (LINK, _) => true,
            _ => false,
        };
        if !known {
            return Err(Refusal::new(
                if kind < 0 { 400 } else { 404 },
                unknown_recipient(kind),
            ));
        }
        if public && !self.settings.links_allowed {
            return Err(Refusal::new(
                404,
                "Public link sharing is disabled by the administrator",
            ));
        }
        if !self.may_share(account, file, &viewer.mounts) {
            return Err(Refusal::new(404, "You are not allowed to share this item"));
        }
        let asked = number(given, "permissions")?;
        let mut permissions = if public {
            self.link_permissions(call, asked.unwrap_or(READ))?
        } else {
            asked.unwrap_or(31) | READ
        };
        if !node.folder {
            permissions &= !(CREATE | DELETE);
        }
        let id = self.shares.free_id();
        let password = text(given, "password").filter(|password| !password.is_empty());
        if public {
            match password.as_deref() {
                Some(password) => self.check_password(password)?,
                None if self.settings.password_enforced => {
                    return Err(Refusal::new(
                        403,
                        "Passwords are enforced for link and mail shares",
                    ));
                }
                None => {}
            }
        }
        let zone = self.zone(account);
        let default = self.settings.default_expiry_days.filter(|_| public).map(|days| {
            let today = call.now.to_zoned(zone.clone()).date();
            today.checked_add(i64::from(days).days()).unwrap_or(today)
        });
        let day = match text(given, "expireDate").as_deref() {
            None => default,
            Some("") => default.filter(|_| self.settings.expiry_enforced),
            Some(date) => {
                let day = dates::parse(date, call.now, &zone)
                    .ok_or_else(|| Refusal::new(404, call.say("Invalid date. Format must be YYYY-MM-DD")))?;
                self.check_date(call, account, day, public)?;
                Some(day)
            }
        };
        let initiator = self
            .accounts
            .get(account)
            .map_or_else(|| account.into(), |known| known.id.clone());
        Ok(Share {
            id,
            kind,
            file: Some(file),
            owner: node.owner.clone(),
            initiator,
            recipient: with.filter(|_| kind != LINK),
            recipient_name: None,
            permissions,
            password: password
                .filter(|_| public)
                .map(|password| password_hash(&password, id)),
            expires: day.map(|day| midnight(day, &zone).as_second()),
            label: text(given, "label").unwrap_or_default(),
            note: text(given, "note").unwrap_or_default(),
            created: call.seconds(),
            token: matches!(kind, LINK | MAIL | FEDERATED).then(|| token(&format!("share {id}"), 15)),
            hide_download: false,
            attributes: text(given, "attributes"),
            target: format!("/{}", node.name),
            mail_sent: matches!(kind, MAIL | TEAM),
            hidden_for: std::collections::BTreeSet::new(),
            downloads: Vec::new(),
            download_limit: None,
            raw: serde_json::Map::new(),
        })
    }

    /// Deletes a share. Links that its recipients made of the same files die with it, their other shares live on.
    pub(crate) fn delete_share(&mut self, id: u64, now: i64) {
        let Some(share) = self.shares.remove(id) else {
            return;
        };
        let Some(file) = share.file else { return };
        let affected: Vec<String> = match (share.kind, share.recipient.as_deref()) {
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
        for account in affected {
            let mounts = self.mounts(&account, now);
            let orphans: Vec<u64> = self
                .shares
                .made_by(&account)
                .filter(|link| link.kind == LINK && &*link.owner != account.as_str())
                .filter(|link| {
                    link.file.is_some_and(|own| {
                        self.files.upwards(own).any(|above| above.id == file)
                            && self.seen(&account, own, &mounts).is_none()
                    })
                })
                .map(|link| link.id)
                .collect();
            for orphan in orphans {
                self.shares.remove(orphan);
            }
        }
    }
}

fn unknown_recipient(kind: i64) -> &'static str {
    match kind {
        USER => "Please specify a valid account to share with",
        GROUP => "Please specify a valid group",
        MAIL => "Please specify a valid email address",
        FEDERATED => "Please specify a valid federated account ID",
        TEAM => "Please specify a valid team",
        _ => "Unknown share type",
    }
}

const COMMON: [&str; 12] = [
    "abc",
    "abc123",
    "password",
    "password1",
    "passw0rd",
    "123456",
    "12345678",
    "1234567890",
    "qwerty",
    "qwertyuiop",
    "letmein",
    "iloveyou",
];
