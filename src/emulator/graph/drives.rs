//! Drives and their items, and which part answers what is asked of an item.

use serde_json::{Map, Value, json};

use super::entra::Holder;
use super::inherit::{counting, scope};
use super::reply::{Call, Outcome, Refusal, Selection, seconds};
use super::tree::{Drive, Item};
use super::{Graph, delta, editing, ids, labels, permissions, route};
use crate::emulator::world::microsoft::DriveState;

/// What stands encoded in addresses.
const RESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The drive of an id.
pub(super) fn index(graph: &Graph, id: &str) -> Result<usize, Refusal> {
    graph
        .drive_index
        .get(id)
        .copied()
        .ok_or_else(|| Refusal::new(404, "itemNotFound", "The resource could not be found."))
}

/// Whether the call may look into a drive.
fn check(graph: &Graph, call: &Call<'_>, drive: &Drive) -> Result<(), Refusal> {
    let site = graph.sites.get(drive.site).ok_or_else(Refusal::not_found)?;
    site.check()?;
    match drive.state {
        DriveState::Locked | DriveState::Archived => {
            let text = "Access to this site has been blocked. Please contact the administrator to resolve this problem.";
            return Err(Refusal::new(423, "notAllowed", text).inner("resourceLocked"));
        }
        DriveState::Refused => return Err(Refusal::denied()),
        _ => {}
    }
    if let Holder::User { user, .. } = call.token.holder {
        let own = graph.people.get(user).map(|user| &user.id);
        if drive.owner.as_ref() != own {
            return Err(Refusal::denied());
        }
    }
    Ok(())
}

/// A drive as it is shown.
fn card(graph: &Graph, drive: &Drive) -> Value {
    let mut card = json!({
        "id": drive.id,
        "driveType": drive.kind(),
        "name": drive.name,
        "description": "",
        "webUrl": drive.web_url,
        "createdDateTime": drive.item(0).map(|root| seconds(root.created)),
        "lastModifiedDateTime": drive.item(0).map(|root| seconds(root.modified)),
        "createdBy": {"user": {"displayName": "System Account"}},
        "quota": {"deleted": 0, "remaining": 1_099_217_021_300_u64, "state": "normal",
                  "total": 1_099_511_627_776_u64, "used": 294_606_476},
    });
    if drive.system {
        card["system"] = json!({});
    }
    if let Some(owner) = &drive.owner {
        card["owner"] = json!({"user": person(graph, owner)});
    } else if let Some(site) = graph.sites.get(drive.site) {
        let group = site.group.as_deref().and_then(|name| graph.group(name));
        let group = group.and_then(|index| graph.groups.get(index));
        card["owner"] = group.map_or_else(
            || json!({"user": {"displayName": "System Account"}}),
            |group| json!({"group": {"displayName": group.file.name, "email": group.file.mail, "id": group.id}}),
        );
    }
    card
}

fn person(graph: &Graph, id: &str) -> Value {
    let user = graph.people.named(id);
    let mut shown = json!({"displayName": user.map_or("System Account", |user| user.name.as_str())});
    if let Some(user) = user {
        shown["id"] = user.id.clone().into();
        if let Some(mail) = &user.file.mail {
            shown["email"] = mail.clone().into();
        }
    }
    shown
}

/// Several drives as a list.
pub(super) fn list(graph: &Graph, call: &Call<'_>, drives: &[usize]) -> Outcome {
    let known: Vec<&Drive> = drives.iter().filter_map(|index| graph.drive(*index)).collect();
    for drive in &known {
        check(graph, call, drive)?;
    }
    call.page("drives", known.len(), 200, false, |index| {
        known.get(index).map_or(Value::Null, |drive| card(graph, drive))
    })
}

/// Everything below a drive.
pub(super) fn handle(graph: &mut Graph, call: &Call<'_>, index: usize, rest: &[&str]) -> Outcome {
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    check(graph, call, drive)?;
    let reads = call.request.method == "GET";
    match rest {
        [] if reads => Ok(call.entity("drives", card(graph, drive))),
        ["root"] if reads => item(graph, call, drive, 0),
        ["root", what] if reads && (*what == "delta" || what.starts_with("delta(")) => {
            delta::answer(graph, call, index, what)
        }
        ["root", rest @ ..] => of_item(graph, call, index, 0, rest),
        ["items", id, rest @ ..] => {
            let number = drive
                .number_of(id)
                .filter(|number| drive.present(*number).is_some());
            let number = number.ok_or_else(Refusal::not_found)?;
            of_item(graph, call, index, number, rest)
        }
        _ => Err(route::unknown(rest)),
    }
}

fn of_item(graph: &mut Graph, call: &Call<'_>, index: usize, number: u64, rest: &[&str]) -> Outcome {
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    match (call.request.method.as_str(), rest) {
        ("GET", []) => item(graph, call, drive, number),
        ("GET", ["permissions"]) => permissions::list(graph, call, drive, number),
        ("GET", ["permissions", id]) => permissions::one(graph, call, drive, number, id),
        ("PATCH", ["permissions", id]) => editing::patch(graph, call, index, number, id),
        ("DELETE", ["permissions", id]) => editing::delete(graph, call, index, number, id),
        ("POST", ["createLink"]) => editing::create_link(graph, call, index, number),
        ("POST", ["invite"]) => editing::invite(graph, call, index, number),
        ("POST", ["extractSensitivityLabels"]) => labels::sensitivity(graph, call, drive, number),
        ("GET", ["retentionLabel"]) => labels::retention(call, drive, number),
        ("GET", ["children"]) => {
            let all = drive.children(number);
            let select = call.selection();
            call.page("Collection(driveItem)", all.len(), 200, false, |at| {
                let child = all.get(at).and_then(|child| drive.item(*child));
                child.map_or(Value::Null, |child| {
                    show(graph, drive, &child, Shown::One, &select)
                })
            })
        }
        ("GET", [what]) if what.starts_with("delta") => Err(Refusal::new(
            400,
            "notSupported",
            "view.delta can only be called on the root.",
        )),
        _ => Err(route::unknown(rest)),
    }
}

fn item(graph: &Graph, call: &Call<'_>, drive: &Drive, number: u64) -> Outcome {
    let item = drive.present(number).ok_or_else(Refusal::not_found)?;
    let mut shown = show(graph, drive, &item, Shown::One, &call.selection());
    if call
        .query("$expand")
        .is_some_and(|expand| expand.contains("retentionLabel"))
        && let Some(label) = labels::retention_card(&item)
    {
        shown["retentionLabel"] = label;
    }
    Ok(call.entity(
        &format!("drives('{}')/items", drive.id.replace('!', "%21")),
        shown,
    ))
}

/// Where an item is shown: its fields differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    One,
    /// In delta; with `shared` only where a hierarchy of permissions begins, or on everything shared.
    Delta {
        hierarchical: bool,
    },
}

/// An item as it is shown; what is not selected is not made in the first place.
pub(super) fn show(graph: &Graph, drive: &Drive, item: &Item, how: Shown, select: &Selection) -> Value {
    let guid = || unique(drive, item);
    let created = || seconds(item.created);
    let modified = || seconds(item.modified);
    let by = || match &item.author {
        None => json!({"user": {"displayName": "System Account"}}),
        Some(author) => json!({"user": person(graph, author)}),
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: &dyn Fn() -> Value| {
        if select.has(name) {
            fields.insert(name.to_owned(), value());
        }
    };
    put("@odata.type", &|| "#microsoft.graph.driveItem".into());
    put("id", &|| drive.id_of(item).into());
    put("name", &|| item.name.as_str().into());
    put("eTag", &|| format!("\"{{{}}},{}\"", guid(), item.version).into());
    put("createdDateTime", &|| created().into());
    put("lastModifiedDateTime", &|| modified().into());
    put("createdBy", &by);
    put("lastModifiedBy", &by);
    put("size", &|| item.size.into());
    put("webUrl", &|| web_url(drive, item).into());
    // Told only to who asks for it by name.
    if select.names("webDavUrl") {
        put("webDavUrl", &|| web_url(drive, item).into());
    }
    if select.names("sharepointIds") {
        put(
            "sharepointIds",
            &|| json!({"listItemUniqueId": unique(drive, item).to_lowercase()}),
        );
    }
    put(
        "fileSystemInfo",
        &|| json!({"createdDateTime": created(), "lastModifiedDateTime": modified()}),
    );
    if item.number == 0 {
        put("root", &|| json!({}));
    }
    if how == Shown::One {
        put("cTag", &|| {
            format!("\"c:{{{}}},{}\"", guid(), item.version).into()
        });
    }
    put("parentReference", &|| parent(graph, drive, item, how));
    let mut shown = Value::Object(fields);
    facets(graph, drive, item, how, &mut shown);
    if let Value::Object(fields) = &mut shown {
        fields.extend(item.raw.clone());
    }
    shown
}

/// The id that an item has in the lists of its site.
pub(super) fn unique(drive: &Drive, item: &Item) -> String {
    ids::guid_of(ids::mix(drive.seed ^ item.number), ids::mix(item.number)).to_ascii_uppercase()
}

pub(super) fn web_url(drive: &Drive, item: &Item) -> String {
    let path = drive.path(item.number);
    let encode = |part: &str| percent_encoding::utf8_percent_encode(part, RESERVED).to_string();
    let encoded: Vec<String> = path.split('/').map(encode).collect();
    format!("{}{}", drive.web_url, encoded.join("/").trim_end_matches('/'))
}

fn parent(graph: &Graph, drive: &Drive, item: &Item, how: Shown) -> Value {
    let mut parent = json!({"driveId": drive.id, "driveType": drive.kind()});
    if let Some(site) = graph.sites.get(drive.site) {
        parent["siteId"] = site.collection.clone().into();
    }
    if item.number != 0 {
        parent["id"] = drive.id_of_number(item.parent).into();
        if how == Shown::One {
            let above = drive.path(item.parent);
            parent["path"] = format!("/drives/{}/root:{}", drive.id, above.trim_end_matches('/')).into();
        }
    }
    parent
}

fn facets(graph: &Graph, drive: &Drive, item: &Item, how: Shown, shown: &mut Value) {
    if item.folder {
        shown["folder"] = json!({"childCount": drive.child_count(item.number)});
    } else {
        shown["file"] = json!({
            "mimeType": mime(&item.name),
            "hashes": {"quickXorHash": format!("{:016x}{:04x}", ids::mix(item.number ^ drive.seed), item.version)},
        });
    }
    if let Some(kind) = &item.package {
        shown["package"] = json!({"type": kind});
    }
    if item.malware {
        shown["malware"] = json!({"description": "Malware detected"});
    }
    if let Some(facet) = shared(graph, drive, item.number, how) {
        shown["shared"] = facet;
    }
}

/// The `shared` facet.
fn shared(graph: &Graph, drive: &Drive, number: u64, how: Shown) -> Option<Value> {
    let facet = |scope: Option<&str>| {
        let mut facet = Map::new();
        if let Some(scope) = scope {
            facet.insert("scope".into(), scope.into());
        }
        Value::Object(facet)
    };
    if how == (Shown::Delta { hierarchical: true }) {
        return match drive.node(number) {
            Some(node) => Some(facet(scope(node.permissions.iter()))),
            None => (number == 0).then(|| facet(None)),
        };
    }
    let all = counting(graph, drive, number);
    let given = all.iter().filter(|one| !one.constant).map(|one| &one.permission);
    scope(given).map(|scope| facet(Some(scope)))
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "txt" | "md" => "text/plain",
        "csv" => "text/csv",
        "jpg" => "image/jpeg",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}
