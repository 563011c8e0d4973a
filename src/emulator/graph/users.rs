//! The directory's people, and whether they have a `OneDrive`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::reply::{Call, Outcome, Payload, Refusal, Reply};
use super::{Graph, route};
use crate::emulator::world::microsoft::{DriveState, UserFile};

const MOST: usize = 999;
/// What a list shows unless asked for more.
const USUAL: &str = "businessPhones,displayName,givenName,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,\
                     surname,userPrincipalName,id";

/// A person.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) file: UserFile,
    pub(super) name: String,
    /// The person's `OneDrive`, where there is one.
    pub(super) drive: Option<usize>,
}

impl User {
    pub(super) fn state(&self) -> DriveState {
        let usual = if self.file.guest {
            DriveState::None
        } else {
            DriveState::Ready
        };
        self.file.drive.unwrap_or(usual)
    }
}

/// All people, deleted ones too.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    all: Vec<User>,
    /// Indices by id and by lower-case user principal name.
    keys: HashMap<String, usize>,
}

impl People {
    pub(super) fn add(&mut self, user: User) -> usize {
        let index = self.all.len();
        self.keys.insert(user.id.to_ascii_lowercase(), index);
        self.keys.insert(user.file.upn.to_lowercase(), index);
        self.all.push(user);
        index
    }

    pub(super) fn get(&self, index: usize) -> Option<&User> {
        self.all.get(index)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut User> {
        self.all.get_mut(index)
    }

    /// By id or user principal name.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.keys.get(&key.to_lowercase()).copied()
    }

    pub(super) fn named(&self, key: &str) -> Option<&User> {
        self.find(key).and_then(|index| self.get(index))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.all.iter()
    }
}

/// A person of the directory, by id or user principal name.
pub(super) fn known(graph: &Graph, key: &str) -> Result<usize, Refusal> {
    let found = graph.people.find(key);
    let there = |index: &usize| graph.people.get(*index).is_some_and(|user| !user.file.deleted);
    found.filter(there).ok_or_else(|| absent(key))
}

/// What is not in the directory.
pub(super) fn absent(key: &str) -> Refusal {
    let text = format!(
        "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    );
    Refusal::new(404, "Request_ResourceNotFound", text)
}

/// The `OneDrive` of a person, or why there is none.
pub(super) fn drive(graph: &Graph, user: usize) -> Result<usize, Refusal> {
    let user = graph.people.get(user).ok_or_else(Refusal::not_found)?;
    match (user.state(), user.drive) {
        (DriveState::None, _) => Err(Refusal::bad_request("Unable to retrieve user's mysite URL")),
        (DriveState::NoSharepoint, _) => Err(Refusal::bad_request("Tenant does not have a SPO license")),
        (_, Some(drive)) => Ok(drive),
        (_, None) => Err(Refusal::new(404, "ResourceNotFound", "User's mysite not found.")),
    }
}

/// Whether somebody asked for a drive that does not exist.
pub(super) fn is_missing_drive(refusal: &Refusal) -> bool {
    let text = refusal.message();
    text.contains("mysite") || text.contains("SPO license")
}

/// A person as the directory shows it.
pub(super) fn card(user: &User) -> Value {
    let (given, surname) = user.name.split_once(' ').unzip();
    json!({
        "id": user.id,
        "userPrincipalName": user.file.upn,
        "displayName": user.name,
        "givenName": given,
        "surname": surname,
        "mail": user.file.mail,
        "accountEnabled": user.file.enabled,
        "userType": if user.file.guest { "Guest" } else { "Member" },
        "preferredLanguage": user.file.language,
        "businessPhones": [],
        "jobTitle": null,
        "mobilePhone": null,
        "officeLocation": null,
        "externalUserState": if user.file.guest { json!("Accepted") } else { Value::Null },
    })
}

/// The fields that are shown: those asked for, or the usual ones.
fn shown(call: &Call<'_>, user: &User) -> Value {
    let card = card(user);
    if call.query("$select").is_some() {
        return card;
    }
    let usual: Vec<&str> = USUAL.split(',').collect();
    match card {
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter(|(key, _)| usual.contains(&key.as_str()));
            Value::Object(kept.collect())
        }
        other => other,
    }
}

/// `GET /users`.
pub(super) fn list(graph: &Graph, call: &Call<'_>) -> Outcome {
    let select = call.query("$select").unwrap_or_default();
    let of_site = ["mysite", "aboutme", "skills", "interests", "responsibilities"];
    if select
        .split(',')
        .any(|field| of_site.contains(&field.trim().to_ascii_lowercase().as_str()))
    {
        return Err(Refusal::new(501, "NotImplemented", "Not Implemented"));
    }
    if call.query("$skip").is_some() {
        return Err(Refusal::new(
            400,
            "Request_UnsupportedQuery",
            "'$skip' is not supported by the service.",
        ));
    }
    let matching = matching(graph, call)?;
    let size = call.top(MOST)?.unwrap_or(graph.limits.users_page);
    let context = if select.is_empty() {
        "users".to_owned()
    } else {
        format!("users({select})")
    };
    let holes = graph.switches.empty_pages;
    let reply = call.page(&context, matching.len(), size, holes, |index| {
        matching.get(index).map_or(Value::Null, |user| shown(call, user))
    })?;
    let reply = if call.counts() {
        reply.counting(matching.len())
    } else {
        reply
    };
    let units = if select.is_empty() { "2" } else { "1" };
    Ok(reply.with("x-ms-resource-unit", units))
}

/// `GET /users/$count`.
pub(super) fn count(graph: &Graph, call: &Call<'_>) -> Outcome {
    if !call.is_eventual() {
        return Err(Refusal::new(
            400,
            "Request_BadRequest",
            "$count is not currently supported.",
        ));
    }
    let count = matching(graph, call)?.len();
    Ok(Reply::of(200, Payload::Text(count.to_string())))
}

fn matching<'g>(graph: &'g Graph, call: &Call<'_>) -> Result<Vec<&'g User>, Refusal> {
    let filter = call.query("$filter").unwrap_or_default();
    let conditions = Filter::read(&filter, call.is_eventual() && call.query("$count").is_some())?;
    let there = graph.people.iter().filter(|user| !user.file.deleted);
    Ok(there.filter(|user| conditions.holds(&card(user))).collect())
}

/// Comparisons joined by `and`, or by `or`.
pub(super) struct Filter {
    any: bool,
    comparisons: Vec<(String, bool, Value)>,
}

impl Filter {
    /// Reads `FIELD eq VALUE and …`; `ne` only where advanced queries are allowed.
    pub(super) fn read(text: &str, advanced: bool) -> Result<Self, Refusal> {
        let any = text.contains(" or ");
        let parts = text.split(if any { " or " } else { " and " });
        let mut comparisons = Vec::new();
        for part in parts.filter(|part| !part.trim().is_empty()) {
            let comparison = comparison(part.trim()).ok_or_else(|| {
                Refusal::new(
                    400,
                    "Request_UnsupportedQuery",
                    format!("Unsupported Query: {part}"),
                )
            })?;
            if !comparison.1 && !advanced {
                let text = "Unsupported or invalid query filter clause specified: `ne` needs ConsistencyLevel: eventual \
                            and $count=true.";
                return Err(Refusal::new(400, "Request_UnsupportedQuery", text));
            }
            comparisons.push(comparison);
        }
        Ok(Self { any, comparisons })
    }

    pub(super) fn holds(&self, card: &Value) -> bool {
        let one =
            |(field, equal, value): &(String, bool, Value)| (same(&card[field.as_str()], value)) == *equal;
        if self.any && !self.comparisons.is_empty() {
            self.comparisons.iter().any(one)
        } else {
            self.comparisons.iter().all(one)
        }
    }
}

fn comparison(text: &str) -> Option<(String, bool, Value)> {
    let mut words = text.splitn(3, ' ');
    let (field, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    let known = [
        "id",
        "mail",
        "userPrincipalName",
        "accountEnabled",
        "userType",
        "displayName",
    ];
    let equal = match operator {
        "eq" => true,
        "ne" => false,
        _ => return None,
    };
    if !known.contains(&field) {
        return None;
    }
    let value = match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        text => Value::String(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'")),
    };
    Some((field.to_owned(), equal, value))
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) => one.to_lowercase() == other.to_lowercase(),
        _ => one == other,
    }
}

/// `GET /users/{id}` and what belongs to it.
pub(super) fn one(graph: &Graph, call: &Call<'_>, key: &str, rest: &[&str]) -> Outcome {
    let user = known(graph, key)?;
    match rest {
        [] => show(graph, call, user, "users"),
        ["manager"] => {
            let manager = graph
                .people
                .get(user)
                .and_then(|user| user.file.manager.as_deref());
            let manager = manager.and_then(|upn| graph.people.find(upn));
            let there =
                manager.filter(|index| graph.people.get(*index).is_some_and(|user| !user.file.deleted));
            let manager = there.ok_or_else(|| absent("manager"))?;
            show(graph, call, manager, "directoryObjects")
        }
        _ => Err(route::unknown(rest)),
    }
}

/// One person.
pub(super) fn show(graph: &Graph, call: &Call<'_>, user: usize, context: &str) -> Outcome {
    let user = graph.people.get(user).ok_or_else(Refusal::not_found)?;
    let mut card = shown(call, user);
    if context == "directoryObjects" {
        card["@odata.type"] = "#microsoft.graph.user".into();
    }
    Ok(call.entity(context, card))
}
