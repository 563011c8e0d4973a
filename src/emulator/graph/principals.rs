//! Who somebody is: the claim that `SharePoint` knows, and the identity that Graph shows.

use serde_json::{Map, Value, json};

use super::Graph;
use super::ids;
use super::tree::Drive;
use crate::emulator::world::microsoft::{ClaimsAs, Who};

/// Somebody as permissions show them.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    pub(super) claim: String,
    /// The identity set of today.
    pub(super) set: Value,
    /// Its deprecated twin.
    pub(super) twin: Value,
}

/// Looks somebody up.
pub(super) fn principal(graph: &Graph, drive: &Drive, who: &Who) -> Principal {
    match who {
        Who::User(upn) => user(graph, drive, upn),
        Who::Otp(mail) => otp(drive, mail),
        Who::Group(key) => group(graph, drive, key, false),
        Who::GroupOwners(key) => group(graph, drive, key, true),
        Who::SiteGroup(name) => site_group(drive, name),
        Who::Everyone(_) => claim(graph, drive, "c:0(.s|true", "Everyone"),
        Who::EveryoneExceptExternal(_) => {
            let login = format!("c:0-.f|rolemanager|spo-grid-all-users/{}", graph.tenant.id);
            claim(graph, drive, &login, "Everyone except external users")
        }
        Who::Application(name) => {
            let id = ids::guid(&format!("application {name}"));
            let set = json!({"application": {"id": id, "displayName": name}});
            Principal {
                claim: format!(
                    "i:0i.t|00000003-0000-0ff1-ce00-000000000000|{id}@{}",
                    graph.tenant.id
                ),
                twin: set.clone(),
                set,
            }
        }
        Who::Claim(login) => {
            let name = login.rsplit('|').next().unwrap_or_default();
            claim(graph, drive, login, name)
        }
    }
}

/// The number that a site knows somebody by.
fn number(drive: &Drive, claim: &str) -> String {
    (ids::hash(&format!("{} {claim}", drive.site)) % 990 + 10).to_string()
}

fn user(graph: &Graph, drive: &Drive, upn: &str) -> Principal {
    let claim = format!("i:0#.f|membership|{}", upn.to_lowercase());
    let known = graph.people.named(upn);
    let name = known.map_or(upn, |user| user.name.as_str());
    let mail = known.and_then(|user| user.file.mail.clone());
    let mail = mail.unwrap_or_else(|| upn.to_owned());
    shown(drive, claim, name, &mail, known.map(|user| user.id.as_str()))
}

/// A guest without an account: no id in any directory.
fn otp(drive: &Drive, mail: &str) -> Principal {
    let claim = format!("i:0#.f|membership|urn%3aspo%3aguest#{}", mail.to_lowercase());
    shown(drive, claim, mail, mail, None)
}

/// Somebody as a permission shows a person: to the directory, to the site, and to who knows the older fields only.
fn shown(drive: &Drive, claim: String, name: &str, mail: &str, id: Option<&str>) -> Principal {
    let mut user = json!({"displayName": name, "email": mail});
    if let Some(id) = id {
        user["id"] = id.into();
    }
    let twin = json!({"user": user});
    user["@odata.type"] = "#microsoft.graph.sharePointIdentity".into();
    let site_user = json!({
        "displayName": name,
        "email": mail,
        "id": number(drive, &claim),
        "loginName": claim,
    });
    Principal {
        claim,
        set: json!({"user": user, "siteUser": site_user}),
        twin,
    }
}

fn group(graph: &Graph, drive: &Drive, key: &str, owners: bool) -> Principal {
    let known = graph.group(key).and_then(|index| graph.groups.get(index));
    let id = known.map_or(key, |group| group.id.as_str());
    let name = known.map_or(key, |group| group.file.name.as_str());
    let unified = owners || known.is_some_and(|group| group.file.unified);
    let (claim, shown) = match (unified, owners) {
        (_, true) => (
            format!("c:0o.c|federateddirectoryclaimprovider|{id}_o"),
            format!("{name} Owners"),
        ),
        (true, false) => (
            format!("c:0o.c|federateddirectoryclaimprovider|{id}"),
            format!("{name} Members"),
        ),
        (false, false) => (format!("c:0t.c|tenant|{id}"), name.to_owned()),
    };
    let id = if owners { format!("{id}_o") } else { id.to_owned() };
    let mail = known.and_then(|group| group.file.mail.clone());
    let mut group = json!({"id": id, "displayName": shown});
    if let Some(mail) = &mail {
        group["email"] = mail.clone().into();
    }
    let site_user = json!({"displayName": shown, "id": number(drive, &claim), "loginName": claim});
    Principal {
        claim,
        twin: json!({"group": group}),
        set: json!({"group": group, "siteUser": site_user}),
    }
}

/// A group that only its site knows; the id is a number of the site.
fn site_group(drive: &Drive, name: &str) -> Principal {
    let id = match name.rsplit(' ').next() {
        Some("Owners") => "3".to_owned(),
        Some("Visitors") => "4".to_owned(),
        Some("Members") => "5".to_owned(),
        _ => number(drive, name),
    };
    let set = json!({"siteGroup": {"id": id, "displayName": name, "loginName": name}});
    Principal {
        claim: name.to_owned(),
        twin: json!({"user": {"displayName": name}}),
        set,
    }
}

/// A claim that is no person.
fn claim(graph: &Graph, drive: &Drive, login: &str, name: &str) -> Principal {
    let site_user = json!({"displayName": name, "id": number(drive, login), "loginName": login});
    let set = match graph.switches.claims_as {
        ClaimsAs::SiteUser => json!({"siteUser": site_user}),
        ClaimsAs::Group => json!({"group": {"displayName": name}, "siteUser": site_user}),
        ClaimsAs::User => json!({"user": {"displayName": name}}),
        ClaimsAs::Nothing => Value::Object(Map::new()),
    };
    Principal {
        claim: login.to_owned(),
        twin: json!({"user": {"displayName": name}}),
        set,
    }
}
