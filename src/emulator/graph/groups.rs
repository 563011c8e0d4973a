//! Groups: who owns them and who is in them, also through other groups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reply::{Call, Outcome, Payload, Refusal, Reply};
use super::users::{self, Filter, absent};
use super::{Graph, route};
use crate::emulator::world::microsoft::GroupFile;

/// A group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) file: GroupFile,
}

/// Who is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    User(usize),
    Group(usize),
}

impl Graph {
    /// A group by id or name.
    pub(super) fn group(&self, key: &str) -> Option<usize> {
        self.groups
            .iter()
            .position(|group| group.id.eq_ignore_ascii_case(key) || group.file.name == key)
    }

    fn members(&self, names: &[String]) -> Vec<Member> {
        let member = |name: &String| {
            let user = self
                .people
                .find(name)
                .filter(|index| self.people.get(*index).is_some_and(|user| !user.file.deleted));
            user.map(Member::User)
                .or_else(|| self.group(name).map(Member::Group))
        };
        names.iter().filter_map(member).collect()
    }

    fn all_members(&self, group: usize) -> Vec<Member> {
        let (mut found, mut waiting) = (BTreeSet::new(), vec![group]);
        while let Some(next) = waiting.pop() {
            let Some(group) = self.groups.get(next) else {
                continue;
            };
            for member in self.members(&group.file.members) {
                if found.insert(member)
                    && let Member::Group(inner) = member
                {
                    waiting.push(inner);
                }
            }
        }
        found.into_iter().collect()
    }

    fn member_card(&self, member: Member) -> Value {
        match member {
            Member::User(index) => {
                let mut card = self.people.get(index).map(users::card).unwrap_or_default();
                card["@odata.type"] = "#microsoft.graph.user".into();
                card
            }
            Member::Group(index) => {
                let mut card = self.groups.get(index).map(card).unwrap_or_default();
                card["@odata.type"] = "#microsoft.graph.group".into();
                card
            }
        }
    }
}

fn card(group: &Group) -> Value {
    let kinds: &[&str] = if group.file.unified { &["Unified"] } else { &[] };
    json!({
        "id": group.id,
        "displayName": group.file.name,
        "description": null,
        "mail": group.file.mail,
        "mailEnabled": group.file.mail.is_some(),
        "securityEnabled": !group.file.unified,
        "groupTypes": kinds,
        "visibility": if group.file.unified { json!("Private") } else { Value::Null },
    })
}

/// The first library of the group's site.
pub(super) fn drive(graph: &Graph, key: &str) -> Result<usize, Refusal> {
    let group = by_id(graph, key)?;
    let name = graph.groups.get(group).map(|group| group.file.name.as_str());
    let site = graph.sites.iter().find(|site| site.group.as_deref() == name);
    let drive = site.and_then(|site| site.drives.first().copied());
    drive.ok_or_else(|| Refusal::new(404, "ResourceNotFound", "The group has no site."))
}

/// The API knows groups by id only; `…_o` is no id of a group.
fn by_id(graph: &Graph, key: &str) -> Result<usize, Refusal> {
    if key.len() != 36 {
        let text = format!("Invalid object identifier '{key}'.");
        return Err(Refusal::new(400, "Request_BadRequest", text));
    }
    graph
        .groups
        .iter()
        .position(|group| group.id.eq_ignore_ascii_case(key))
        .ok_or_else(|| absent(key))
}

/// `GET /groups`.
pub(super) fn list(graph: &Graph, call: &Call<'_>) -> Outcome {
    let size = call.top(999)?.unwrap_or(graph.limits.users_page);
    call.page("groups", graph.groups.len(), size, false, |index| {
        graph.groups.get(index).map(card).unwrap_or_default()
    })
}

/// `GET /groups/{id}` and what belongs to it.
pub(super) fn handle(graph: &Graph, call: &Call<'_>, key: &str, rest: &[&str]) -> Outcome {
    let index = by_id(graph, key)?;
    let Some(group) = graph.groups.get(index) else {
        return Err(absent(key));
    };
    let (members, rest) = match rest {
        [] => return Ok(call.entity("groups", card(group))),
        ["owners", rest @ ..] => (graph.members(&group.file.owners), rest),
        ["members", rest @ ..] => (graph.members(&group.file.members), rest),
        ["transitiveMembers", rest @ ..] => (graph.all_members(index), rest),
        _ => return Err(route::unknown(rest)),
    };
    let (cast, rest) = match rest {
        ["microsoft.graph.user", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let filter = call.query("$filter").unwrap_or_default();
    // What belongs to a group is filtered and cast by advanced queries only.
    let advanced = call.is_eventual();
    if (cast || !filter.is_empty() || rest == ["$count"]) && !advanced {
        return Err(Refusal::new(
            400,
            "Request_UnsupportedQuery",
            "The specified query needs the header ConsistencyLevel: eventual.",
        ));
    }
    let filter = Filter::read(&filter, advanced)?;
    let cards: Vec<Value> = members
        .into_iter()
        .filter(|member| !cast || matches!(member, Member::User(_)))
        .map(|member| graph.member_card(member))
        .filter(|card| filter.holds(card))
        .collect();
    match rest {
        [] => {
            let size = call.top(999)?.unwrap_or(graph.limits.users_page);
            let reply = call.page("directoryObjects", cards.len(), size, false, |index| {
                cards.get(index).cloned().unwrap_or_default()
            })?;
            Ok(if call.counts() {
                reply.counting(cards.len())
            } else {
                reply
            })
        }
        ["$count"] => Ok(Reply::of(200, Payload::Text(cards.len().to_string()))),
        _ => Err(route::unknown(rest)),
    }
}
