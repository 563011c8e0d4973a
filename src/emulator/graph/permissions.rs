//! Permissions as the API lists them.

use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Graph;
use super::ids;
use super::inherit::{Counting, counting};
use super::principals::principal;
use super::reply::{Call, Outcome, Refusal, time};
use super::tree::{Drive, Permission};
use crate::emulator::world::microsoft::{InheritedFrom, NoExpiry};

/// The id of links that only point to who has access already.
const EXISTING: &str = "00000000-0000-0000-0000-000000000000";

/// `GET …/permissions`.
pub(super) fn list(graph: &Graph, call: &Call<'_>, drive: &Drive, number: u64) -> Outcome {
    let filter = call.query("$filter").unwrap_or_default();
    let words: Vec<&str> = filter.split_whitespace().collect();
    let (links, anonymous) = match words.join(" ").to_lowercase().as_str() {
        "" => (false, false),
        "link ne null" => (true, false),
        "link ne null and link/scope eq 'anonymous'" => (true, true),
        _ => return Err(Refusal::new(400, "invalidRequest", "Invalid filter clause")),
    };
    let shown: Vec<Value> = ordered(graph, drive, number)
        .into_iter()
        .filter(|one| !links || one.permission.is_link())
        .map(|one| show(graph, drive, number, &one))
        .filter(|shown| !anonymous || shown["link"]["scope"] == "anonymous")
        .collect();
    let context = format!(
        "drives('{}')/items('{}')/permissions",
        drive.id.replace('!', "%21"),
        drive.id_of_number(number)
    );
    let size = graph.switches.permissions_page.unwrap_or(usize::MAX).max(1);
    call.page(&context, shown.len(), size, false, |index| {
        shown.get(index).cloned().unwrap_or_default()
    })
}

/// `GET …/permissions/{id}`.
pub(super) fn one(graph: &Graph, call: &Call<'_>, drive: &Drive, number: u64, id: &str) -> Outcome {
    let (_, shown) = find(graph, drive, number, id).ok_or_else(Refusal::not_found)?;
    let context = format!(
        "drives('{}')/items('{}')/permissions",
        drive.id.replace('!', "%21"),
        drive.id_of_number(number)
    );
    Ok(call.entity(&context, shown))
}

/// What counts on an item under this id, and how it is shown.
pub(super) fn find(graph: &Graph, drive: &Drive, number: u64, id: &str) -> Option<(Counting, Value)> {
    counting(graph, drive, number)
        .into_iter()
        .map(|one| {
            let shown = show(graph, drive, number, &one);
            (one, shown)
        })
        .find(|(_, shown)| shown["id"] == id)
}

/// In an order that means nothing and is always the same.
fn ordered(graph: &Graph, drive: &Drive, number: u64) -> Vec<Counting> {
    let mut all = counting(graph, drive, number);
    all.sort_by_cached_key(|one| {
        let id = id_of(graph, drive, &one.permission);
        ids::mix(ids::hash(&id) ^ ids::mix(number))
    });
    all
}

/// A permission's id: a link's own, or the claim of who was given something.
pub(super) fn id_of(graph: &Graph, drive: &Drive, permission: &Permission) -> String {
    if let Some(id) = permission.file.id.as_ref().filter(|id| !id.is_empty()) {
        return id.clone();
    }
    if permission
        .file
        .link
        .as_ref()
        .is_some_and(|link| link.scope == "existingAccess")
    {
        return EXISTING.into();
    }
    match &permission.file.grant {
        Some(who) => ids::claim_id(&principal(graph, drive, who).claim),
        None => permission.id.clone(),
    }
}

/// The role that a permission gives.
fn roles(permission: &Permission) -> Vec<String> {
    let of_link = |kind: &str| if kind == "edit" { "write" } else { "read" };
    permission.file.roles.clone().unwrap_or_else(|| {
        let role = permission
            .file
            .link
            .as_ref()
            .map_or("read", |link| of_link(&link.kind));
        vec![role.to_owned()]
    })
}

/// A permission as it is shown on an item.
pub(super) fn show(graph: &Graph, drive: &Drive, number: u64, one: &Counting) -> Value {
    let permission = &one.permission;
    let switches = &graph.switches;
    let id = id_of(graph, drive, permission);
    let mut shown = json!({"id": id, "roles": roles(permission)});
    match (permission.expires, switches.no_expiry) {
        (Some(at), _) => shown["expirationDateTime"] = time(at).into(),
        (None, NoExpiry::Null) => shown["expirationDateTime"] = Value::Null,
        (None, NoExpiry::Zero) => shown["expirationDateTime"] = "0001-01-01T00:00:00Z".into(),
        (None, NoExpiry::Absent) => {}
    }
    if permission.is_link() {
        show_link(graph, drive, one, &id, &mut shown);
        if switches.link_ids_per_item && one.from.is_some() {
            shown["id"] = ids::guid(&format!("{id} on {number}")).into();
        }
    }
    if let Some(who) = &permission.file.grant {
        let somebody = principal(graph, drive, who);
        shown["grantedToV2"] = somebody.set;
        if switches.deprecated_twins {
            shown["grantedTo"] = somebody.twin;
        }
    }
    if let Some(invitation) = &permission.file.invitation {
        let name = |upn: &String| {
            let user = graph.people.named(upn);
            json!({"user": {"displayName": user.map_or(upn.as_str(), |user| user.name.as_str()), "email": upn,
                            "id": user.map(|user| user.id.clone())}})
        };
        shown["invitation"] = json!({
            "email": invitation.email,
            "signInRequired": invitation.sign_in_required,
        });
        if let Some(by) = &invitation.invited_by {
            shown["invitation"]["invitedBy"] = name(by);
        }
        if let Some(by) = &invitation.redeemed_by {
            shown["invitation"]["redeemedBy"] = by.clone().into();
        }
    }
    if let Some(from) = one.from {
        show_inheritance(graph, drive, permission, from, &mut shown);
    }
    if let Value::Object(fields) = &mut shown {
        fields.extend(permission.file.raw.clone());
    }
    shown
}

fn show_inheritance(graph: &Graph, drive: &Drive, permission: &Permission, from: u64, shown: &mut Value) {
    let filled = || {
        json!({
            "driveId": drive.id,
            "id": drive.id_of_number(from),
            "path": format!("/drives/{}/root:{}", drive.id, drive.path(from).trim_end_matches('/')),
        })
    };
    match graph.switches.inherited_from {
        InheritedFrom::Empty => shown["inheritedFrom"] = json!({}),
        InheritedFrom::Filled => shown["inheritedFrom"] = filled(),
        InheritedFrom::LinksOnly if permission.is_link() => shown["inheritedFrom"] = filled(),
        InheritedFrom::LinksOnly | InheritedFrom::Absent => {}
    }
}

fn show_link(graph: &Graph, drive: &Drive, one: &Counting, id: &str, shown: &mut Value) {
    let permission = &one.permission;
    let Some(link) = &permission.file.link else { return };
    let url = link
        .web_url
        .clone()
        .unwrap_or_else(|| address(graph, drive, permission, id));
    let mut facet = json!({"type": link.kind, "preventsDownload": link.prevents_download});
    if !link.scope.is_empty() {
        facet["scope"] = link.scope.clone().into();
    }
    if !graph.switches.low_privilege {
        facet["webUrl"] = url.clone().into();
        if graph.switches.share_ids {
            shown["shareId"] = format!("u!{}", URL_SAFE_NO_PAD.encode(url)).into();
        }
    }
    if let Some(name) = &link.application {
        let id = ids::guid(&format!("application {name}"));
        facet["application"] = json!({"id": id, "displayName": name});
    }
    shown["link"] = facet;
    shown["hasPassword"] = link.password.is_some().into();
    let people = if one.bare { &[] } else { link.people.as_slice() };
    let people: Vec<_> = people.iter().map(|who| principal(graph, drive, who)).collect();
    let sets: Vec<&Value> = people.iter().map(|somebody| &somebody.set).collect();
    shown["grantedToIdentitiesV2"] = json!(sets);
    if graph.switches.deprecated_twins {
        let twins: Vec<&Value> = people.iter().map(|somebody| &somebody.twin).collect();
        shown["grantedToIdentities"] = json!(twins);
    }
}

/// The address of a link: the same wherever the link is shown.
fn address(graph: &Graph, drive: &Drive, permission: &Permission, id: &str) -> String {
    let site = graph.sites.get(drive.site);
    let host = site.map(|site| site.host.as_str()).unwrap_or_default();
    let path = site.map(|site| site.path.as_str()).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let place = if drive.is_personal() {
        format!("g/personal/{last}")
    } else {
        format!("s/{last}")
    };
    let secret = ids::hash(&format!("{} {id} {}", drive.seed, permission.order));
    let bytes: Vec<u8> = (0..4)
        .flat_map(|step| ids::mix(secret ^ step).to_be_bytes())
        .collect();
    let folder = permission.file.path.ends_with('/');
    let kind = if folder { "f" } else { "b" };
    format!(
        "https://{host}/:{kind}:/{place}/E{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )
}
