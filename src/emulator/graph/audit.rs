//! The audit log: what is on record of links that were opened without signing in, and the queries that look for it.
//!
//! As `security/auditLog/queries` is documented: a query is made, takes its time, and its records are read when it has
//! succeeded. Records stay when their link is gone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::reply::{Call, Outcome, Payload, Refusal, Reply, time};
use super::{Graph, drives, ids};
use crate::emulator::world::microsoft::PermissionFile;

/// That somebody opened a link.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Use {
    drive: usize,
    item: u64,
    at: Timestamp,
    ip: Option<String>,
    user: Option<String>,
}

/// A query, and how often somebody asked whether it was worked off.
#[derive(Debug, Clone)]
pub(super) struct Query {
    id: String,
    start: Timestamp,
    end: Timestamp,
    operations: Vec<String>,
    /// Addresses, in small letters; all, where none is named.
    objects: Vec<String>,
    asked: u32,
}

impl Graph {
    /// Remembers the uses that a world states of a link, but for those that are known.
    pub(super) fn note_uses(&mut self, (drive, item): (usize, u64), file: &PermissionFile, now: Timestamp) {
        for one in &file.used {
            let used = Use {
                drive,
                item,
                at: one.at.at(now),
                ip: one.ip.clone(),
                user: one.user.clone(),
            };
            if !self.uses.contains(&used) {
                self.uses.push(used);
            }
        }
    }
}

/// Everything below `security/auditLog/queries`.
pub(super) fn handle(graph: &mut Graph, call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.request.method.as_str(), rest) {
        ("POST", []) => make(graph, call),
        ("GET", [id]) => {
            let (polls, cut) = (graph.switches.audit_polls, graph.switches.audit_cut);
            let query = find(graph, id)?;
            query.asked = query.asked.saturating_add(1);
            let shown = show(query, polls, cut);
            Ok(call.entity("security/auditLog/queries", shown))
        }
        ("GET", [id, "records"]) => records(graph, call, id),
        _ => Err(super::route::unknown(rest)),
    }
}

fn find<'g>(graph: &'g mut Graph, id: &str) -> Result<&'g mut Query, Refusal> {
    let known = graph.queries.iter_mut().find(|query| query.id == id);
    known.ok_or_else(|| Refusal::new(404, "UnknownError", "The audit log query was not found."))
}

fn make(graph: &mut Graph, call: &Call<'_>) -> Outcome {
    let body = call.json_body()?;
    let moment = |name: &str| {
        let text = body[name].as_str().unwrap_or_default();
        text.parse::<Timestamp>()
            .map_err(|_| Refusal::bad_request(format!("`{name}` is missing or no date.")))
    };
    let texts = |name: &str| -> Vec<String> {
        let all = body[name].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (start, end) = (moment("filterStartDateTime")?, moment("filterEndDateTime")?);
    if start >= end {
        return Err(Refusal::bad_request(
            "The start date must be before the end date.",
        ));
    }
    let query = Query {
        id: ids::guid(&format!("audit query {}", graph.queries.len())),
        start,
        end,
        operations: texts("operationFilters"),
        objects: texts("objectIdFilters")
            .iter()
            .map(|text| text.to_lowercase())
            .collect(),
        asked: 0,
    };
    let shown = show(&query, u32::MAX, false);
    graph.queries.push(query);
    Ok(Reply::of(201, Payload::Json(shown)))
}

fn show(query: &Query, polls: u32, cut: bool) -> Value {
    let status = match query.asked {
        0 => "notStarted",
        asked if asked <= polls => "running",
        _ => "succeeded",
    };
    json!({
        "id": query.id,
        "displayName": "sharewarden",
        "filterStartDateTime": time(query.start),
        "filterEndDateTime": time(query.end),
        "operationFilters": query.operations,
        "objectIdFilters": query.objects,
        "status": status,
        "isRecordCountLimitExceeded": cut,
    })
}

fn records(graph: &mut Graph, call: &Call<'_>, id: &str) -> Outcome {
    let polls = graph.switches.audit_polls;
    let query = find(graph, id)?.clone();
    if query.asked <= polls {
        return Err(Refusal::bad_request("The query has not succeeded yet."));
    }
    let told: Vec<Value> = graph
        .uses
        .iter()
        .enumerate()
        .filter(|(_, used)| used.at >= query.start && used.at <= query.end)
        .filter_map(|(place, used)| record(graph, place, used))
        .filter(|record| {
            let object = record["objectId"].as_str().unwrap_or_default().to_lowercase();
            let is_named = query.objects.is_empty() || query.objects.contains(&object);
            let operation = record["operation"].as_str().unwrap_or_default();
            is_named && (query.operations.is_empty() || query.operations.iter().any(|own| own == operation))
        })
        .collect();
    call.page(
        "security/auditLog/queries/records",
        told.len(),
        2,
        false,
        |index| told.get(index).cloned().unwrap_or_default(),
    )
}

fn record(graph: &Graph, place: usize, used: &Use) -> Option<Value> {
    let drive = graph.drive(used.drive)?;
    let item = drive.item(used.item)?;
    let object = percent_encoding::percent_decode_str(&drives::web_url(drive, &item))
        .decode_utf8_lossy()
        .into_owned();
    let user = used
        .user
        .clone()
        .unwrap_or_else(|| "urn:spo:anon#7f31c2a9".to_owned());
    Some(json!({
        "id": ids::guid(&format!("audit record {place}")),
        "createdDateTime": time(used.at),
        "auditLogRecordType": "SharePointSharingOperation",
        "operation": "AnonymousLinkUsed",
        "organizationId": graph.tenant.id,
        "userType": "Regular",
        "userId": user,
        "userPrincipalName": user,
        "service": if drive.is_personal() { "OneDrive" } else { "SharePoint" },
        "objectId": object,
        "clientIp": used.ip,
        "administrativeUnits": [""],
        "auditData": {
            "Id": ids::guid(&format!("audit record {place}")),
            "CreationTime": used.at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "Operation": "AnonymousLinkUsed",
            "ObjectId": object,
            "ClientIP": used.ip,
            "UserId": user,
            "ListItemUniqueId": drives::unique(drive, &item).to_lowercase(),
            "ItemType": if item.folder { "Folder" } else { "File" },
        },
    }))
}
