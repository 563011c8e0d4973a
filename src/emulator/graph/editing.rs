//! Changes of permissions through the API, and what the service refuses.

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::drives::{Shown, show as show_item};
use super::inherit::Counting;
use super::permissions::{find, id_of, show};
use super::reply::{Call, Outcome, Payload, Refusal, Reply, Selection};
use super::tree::{Cause, Permission};
use super::{Graph, ids, route};
use crate::emulator::world::microsoft::{LinkFile, PermissionFile, Who};

/// `PATCH …/permissions/{id}`.
pub(super) fn patch(graph: &mut Graph, call: &Call<'_>, index: usize, number: u64, id: &str) -> Outcome {
    let (one, at) = own(graph, call, index, number, id)?;
    let body = call.json_body()?;
    let fields = body.as_object().ok_or_else(Refusal::bad_argument)?;
    let mut changed = one.permission.clone();
    for (name, value) in fields {
        match name.as_str() {
            "roles" => {
                let roles: Vec<String> = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|role| role.as_str().map(str::to_owned))
                    .collect();
                if changed.is_link() || roles.is_empty() {
                    return Err(Refusal::bad_argument());
                }
                let before = changed.file.roles.clone().unwrap_or_else(|| vec!["read".into()]);
                if before == roles {
                    return Err(Refusal::new(
                        400,
                        "invalidRequest",
                        "The permission has this role already.",
                    ));
                }
                changed.file.roles = Some(roles);
            }
            "expirationDateTime" => {
                let scope = changed.file.link.as_ref().map(|link| link.scope.clone());
                let scope = scope.as_deref();
                let may = scope == Some("anonymous") || scope.is_some() && graph.switches.org_link_patch;
                let wanted = value.as_str().filter(|_| may).and_then(|text| text.parse().ok());
                let wanted = wanted.ok_or_else(Refusal::bad_argument)?;
                end(&mut changed, graph.clamped(wanted, scope, call.now)?);
            }
            name if name.starts_with('@') => {}
            _ => return Err(Refusal::bad_argument()),
        }
    }
    let told = !graph.switches.silent_changes;
    if let Some(drive) = graph.drives.get_mut(index) {
        drive.edit_node(number, |node| {
            if let Some(known) = node.permissions.get_mut(at) {
                *known = changed.clone();
            }
        });
        if told {
            drive.note(number, Cause::Sharing, call.now);
        }
    }
    answered(graph, index, number, changed)
}

/// The permission as it is shown now.
fn answered(graph: &Graph, index: usize, number: u64, permission: Permission) -> Outcome {
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let one = Counting {
        permission,
        from: None,
        bare: false,
        constant: false,
    };
    Ok(Reply::json(show(graph, drive, number, &one)))
}

fn end(permission: &mut Permission, at: Timestamp) {
    permission.expires = Some(at);
    permission.file.expires = at.to_string().try_into().ok();
}

/// `DELETE …/permissions/{id}`.
pub(super) fn delete(graph: &mut Graph, call: &Call<'_>, index: usize, number: u64, id: &str) -> Outcome {
    if graph.switches.full_control_to_end && !route::has_role(call, &["Sites.FullControl.All"]) {
        return Err(Refusal::new(403, "notAllowed", "Operation not allowed"));
    }
    let (_, at) = own(graph, call, index, number, id)?;
    graph.take_away(index, number, at, call.now);
    Ok(Reply::of(204, Payload::Empty))
}

/// A permission that may be changed on this item, and its place in the item's own list.
fn own(
    graph: &mut Graph,
    call: &Call<'_>,
    index: usize,
    number: u64,
    id: &str,
) -> Result<(Counting, usize), Refusal> {
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let (one, _) = find(graph, drive, number, id).ok_or_else(Refusal::not_found)?;
    if let Some(tag) = call.request.header("if-match").filter(|tag| *tag != "*") {
        let item = drive.present(number).ok_or_else(Refusal::not_found)?;
        let shown = show_item(graph, drive, &item, Shown::One, &Selection::default());
        if shown["eTag"] != tag && shown["cTag"] != tag {
            let text = "The resource has changed since the caller last read it.";
            return Err(Refusal::new(412, "resourceModified", text));
        }
    }
    if one.constant {
        return Err(Refusal::new(403, "notAllowed", "Operation not allowed"));
    }
    if one.from.is_some() {
        if one.permission.is_link() {
            let text = "Inherited permissions can only be changed where they were given.";
            return Err(Refusal::new(400, "notAllowed", text));
        }
        // Changing what was granted above takes the item out of its folder's permissions.
        graph.leave_folder(index, number, false);
    }
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let wanted = id_of(graph, drive, &one.permission);
    let node = drive.node(number).ok_or_else(Refusal::not_found)?;
    let at = node
        .permissions
        .iter()
        .position(|known| id_of(graph, drive, known) == wanted);
    Ok((one, at.ok_or_else(Refusal::not_found)?))
}

/// `POST …/createLink`.
pub(super) fn create_link(graph: &mut Graph, call: &Call<'_>, index: usize, number: u64) -> Outcome {
    let body = call.json_body()?;
    let kind = body["type"].as_str().unwrap_or("view").to_owned();
    if !matches!(kind.as_str(), "view" | "edit") {
        return Err(Refusal::bad_argument());
    }
    let open = graph.settings.sharing_capability == "externalUserAndGuestSharing";
    let usual = if open { "anonymous" } else { "organization" };
    let scope = body["scope"].as_str().unwrap_or(usual).to_owned();
    if !matches!(scope.as_str(), "anonymous" | "organization" | "users") {
        return Err(Refusal::bad_argument());
    }
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let closed = graph
        .sites
        .get(drive.site)
        .is_some_and(|site| site.sharing_disabled);
    if closed || scope == "anonymous" && !open {
        return Err(disabled());
    }
    let same = |known: &&Permission| {
        known
            .file
            .link
            .as_ref()
            .is_some_and(|link| link.kind == kind && link.scope == scope)
    };
    let node = drive.node(number);
    if let Some(known) = node.and_then(|node| node.permissions.iter().find(same).cloned()) {
        return answered(graph, index, number, known);
    }
    let wanted = body["expirationDateTime"].as_str().map(str::parse::<Timestamp>);
    let wanted = wanted.transpose().map_err(|_| Refusal::bad_argument())?;
    let expires = match (wanted, graph.settings.link_expiry_days) {
        (Some(at), _) => Some(graph.clamped(at, Some(&scope), call.now)?),
        // The policy fills in what was left out.
        (None, Some(days)) if scope == "anonymous" => Some(later(call.now, days)),
        _ => None,
    };
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let folder = drive.present(number).is_some_and(|item| item.folder);
    let path = format!("{}{}", drive.path(number), if folder { "/" } else { "" });
    let seed = format!("link {} {number} {}", drive.seed, graph.orders);
    let file = PermissionFile {
        path,
        link: Some(LinkFile {
            scope,
            kind,
            password: body["password"]
                .as_str()
                .filter(|_| graph.switches.link_passwords)
                .map(str::to_owned),
            application: Some(graph.app.name.clone()),
            ..LinkFile::default()
        }),
        expires: expires.and_then(|at| at.to_string().try_into().ok()),
        unique: body["retainInheritedPermissions"] == false,
        ..PermissionFile::default()
    };
    let made = graph.give(index, number, file, ids::guid(&seed), call.now);
    if let Some(drive) = graph.drives.get_mut(index) {
        drive.note(number, Cause::Sharing, call.now);
    }
    let id = made.id.clone();
    let mut reply = answered(graph, index, number, made)?;
    reply.status = 201;
    let place = call.request.path.trim_end_matches("createLink");
    Ok(reply.with(
        "Location",
        format!("{}{place}permissions/{id}", call.request.base()),
    ))
}

fn disabled() -> Refusal {
    Refusal::new(403, "accessDenied", "Sharing has been disabled on this site.")
        .inner("sharingDisabled")
        .with(
            "SharePoint-CreateSharingLink-Error",
            "Sharing by link is not enabled on the web, site, or tenant.",
        )
}

/// `POST …/invite`.
pub(super) fn invite(graph: &mut Graph, call: &Call<'_>, index: usize, number: u64) -> Outcome {
    let body = call.json_body()?;
    let roles: Vec<String> =
        serde_json::from_value(body["roles"].clone()).map_err(|_| Refusal::bad_argument())?;
    let recipients = body["recipients"].as_array().filter(|all| !all.is_empty());
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    let closed = graph
        .sites
        .get(drive.site)
        .is_some_and(|site| site.sharing_disabled);
    let mut grantees = Vec::new();
    for recipient in recipients.ok_or_else(Refusal::bad_argument)? {
        let named = ["objectId", "email", "alias"]
            .iter()
            .find_map(|key| recipient[key].as_str());
        let who = graph.recipient(named.ok_or_else(Refusal::bad_argument)?)?;
        if closed && matches!(who, Who::Otp(_)) {
            return Err(disabled());
        }
        grantees.push(who);
    }
    let wanted = body["expirationDateTime"].as_str().map(str::parse::<Timestamp>);
    let wanted = wanted.transpose().map_err(|_| Refusal::bad_argument())?;
    let wanted = wanted.map(|at| graph.clamped(at, None, call.now)).transpose()?;
    let expires = wanted.and_then(|at| at.to_string().try_into().ok());
    let mut shown = Vec::new();
    for who in grantees {
        let file = PermissionFile {
            grant: Some(who),
            roles: Some(roles.clone()),
            expires: expires.clone(),
            unique: body["retainInheritedPermissions"] == false,
            ..PermissionFile::default()
        };
        let made = graph.give(index, number, file, String::new(), call.now);
        let reply = answered(graph, index, number, made)?;
        if let Payload::Json(mut permission) = reply.body {
            // Recorded: the role in capitals, and only the deprecated identity.
            permission["roles"] = json!(roles.iter().map(|role| capital(role)).collect::<Vec<_>>());
            if let Value::Object(fields) = &mut permission
                && fields.contains_key("grantedTo")
            {
                fields.remove("grantedToV2");
            }
            shown.push(permission);
        }
    }
    if let Some(drive) = graph.drives.get_mut(index) {
        drive.note(number, Cause::Sharing, call.now);
    }
    Ok(Reply::json(json!({
        "@odata.context": call.context("Collection(permission)"),
        "value": shown,
    })))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn later(now: Timestamp, days: u32) -> Timestamp {
    now.checked_add((i64::from(days) * 24).hours()).unwrap_or(now)
}

impl Graph {
    /// Somebody who is invited: a person, a group, or a stranger.
    fn recipient(&self, named: &str) -> Result<Who, Refusal> {
        let by_mail = |user: &&super::users::User| {
            user.file
                .mail
                .as_deref()
                .is_some_and(|mail| mail.eq_ignore_ascii_case(named))
        };
        let user = self
            .people
            .named(named)
            .or_else(|| self.people.iter().find(by_mail));
        if let Some(user) = user {
            return Ok(Who::User(user.file.upn.clone()));
        }
        let group = self.groups.iter().find(|group| {
            group.id == named
                || group
                    .file
                    .mail
                    .as_deref()
                    .is_some_and(|mail| mail.eq_ignore_ascii_case(named))
        });
        if let Some(group) = group {
            return Ok(Who::Group(group.id.clone()));
        }
        if !named.contains('@') {
            return Err(Refusal::new(
                400,
                "invalidRequest",
                "One or more users could not be resolved.",
            ));
        }
        let strangers = ["externalUserSharingOnly", "externalUserAndGuestSharing"];
        if strangers.contains(&self.settings.sharing_capability.as_str()) {
            Ok(Who::Otp(named.to_owned()))
        } else {
            Err(disabled())
        }
    }

    /// An expiry as the tenant allows it: shortened silently; refused where it is past.
    fn clamped(&self, wanted: Timestamp, scope: Option<&str>, now: Timestamp) -> Result<Timestamp, Refusal> {
        if wanted <= now {
            return Err(Refusal::new(
                400,
                "invalidRequest",
                "The expiration date has to be in the future.",
            ));
        }
        let most = self
            .settings
            .link_expiry_days
            .filter(|_| scope == Some("anonymous"));
        Ok(most.map_or(wanted, |days| wanted.min(later(now, days))))
    }

    /// Removes a permission from an item's own list.
    pub(super) fn take_away(&mut self, index: usize, number: u64, at: usize, now: Timestamp) {
        let (silent, mute) = (self.switches.silent_changes, self.switches.silent_removals);
        let Some(drive) = self.drives.get_mut(index) else {
            return;
        };
        drive.edit_node(number, |node| {
            if at < node.permissions.len() {
                node.permissions.remove(at);
            }
        });
        if !mute {
            drive.note(number, if silent { Cause::Unsaid } else { Cause::Sharing }, now);
        }
    }

    /// Existing links are shortened where the tenant allows less than before.
    pub(super) fn shorten_links(&mut self, days: u32, now: Timestamp) {
        let most = later(now, days);
        for drive in &mut self.drives {
            let numbers: Vec<u64> = drive.nodes().map(|(number, _)| number).collect();
            for number in numbers {
                drive.edit_node(number, |node| {
                    for permission in &mut node.permissions {
                        let open = permission
                            .file
                            .link
                            .as_ref()
                            .is_some_and(|link| link.scope == "anonymous");
                        if open && permission.expires.is_some_and(|at| at > most) {
                            end(permission, most);
                        }
                    }
                });
            }
        }
    }
}
