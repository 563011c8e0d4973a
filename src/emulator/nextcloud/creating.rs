//! Creating shares, with the server's defaults, its rate limit, and its ways with a share that is there already.

use std::collections::BTreeSet;

use jiff::ToSpan as _;

use super::Nextcloud;
use super::account::{password_hash, token};
use super::dates;
use super::editing::{Parameters, number, text};
use super::ocs::{Call, Found, Outcome, Refusal};
use super::shares::{CREATE, DELETE, FEDERATED, GROUP, LINK, MAIL, READ, Share, TEAM, USER};
use super::shown::Viewer;
use crate::emulator::world::when::midnight;

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
    let kind = number(&given, "shareType").map_or(-1, i64::from);
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

impl Nextcloud {
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
        let asked = number(given, "permissions");
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
        let default = self.default_days(kind).map(|days| {
            let today = call.now.to_zoned(zone.clone()).date();
            today.checked_add(i64::from(days).days()).unwrap_or(today)
        });
        let day = match text(given, "expireDate").as_deref() {
            None => default,
            Some("") => default.filter(|_| self.insists_on_end(kind)),
            Some(date) => {
                let day = dates::parse(date, call.now, &zone)
                    .ok_or_else(|| Refusal::new(404, call.say("Invalid date. Format must be YYYY-MM-DD")))?;
                self.check_date(call, account, day, kind)?;
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
            hidden_for: BTreeSet::new(),
            downloads: Vec::new(),
            download_limit: None,
            raw: serde_json::Map::new(),
        })
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
