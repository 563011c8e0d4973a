//! Worlds in which each secret is a marked string, and what else is a secret in what goes over the wire.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::search::SHORTEST;
use crate::harness::list;

/// Secrets by what they are called.
pub(super) type Secrets = BTreeMap<String, Vec<u8>>;

/// A secret of this name: letters and digits that are nowhere else.
pub(super) fn mark(name: &str) -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let digest = Sha256::digest(name);
    digest
        .iter()
        .take(20)
        .map(|byte| char::from(LETTERS[usize::from(*byte) % 62]))
        .collect()
}

/// Puts a mark in the place of what a world has there, or has not.
fn put(secrets: &mut Secrets, place: &mut Value, name: String) {
    let mark = mark(&name);
    *place = json!(mark);
    secrets.insert(name, mark.into_bytes());
}

fn put_where_there_is_one(secrets: &mut Secrets, place: &mut Value, name: String) {
    if !place.is_null() {
        put(secrets, place, name);
    }
}

/// Marks every secret of a world.
pub(super) fn marked(world: &mut Value) -> Secrets {
    let mut secrets = Secrets::new();
    if !world["nextcloud"].is_null() {
        mark_nextcloud(&mut world["nextcloud"], &mut secrets);
    }
    if !world["microsoft365"].is_null() {
        mark_tenant(&mut world["microsoft365"], &mut secrets);
    }
    secrets
}

fn mark_nextcloud(cloud: &mut Value, secrets: &mut Secrets) {
    put(
        secrets,
        &mut cloud["settings"]["statistics_token"],
        "the statistics token".to_owned(),
    );
    for app in list(&mut cloud["ex_apps"]) {
        put(secrets, &mut app["secret"], "the AppAPI secret".to_owned());
    }
    for account in list(&mut cloud["accounts"]) {
        let id = account["id"].as_str().unwrap().to_owned();
        put_where_there_is_one(secrets, &mut account["password"], format!("the password of {id}"));
        for password in list(&mut account["app_passwords"]) {
            put(secrets, password, format!("the app password of {id}"));
        }
    }
    for (number, share) in list(&mut cloud["shares"]).iter_mut().enumerate() {
        if share["type"] == "link" || share["type"] == "mail" {
            put(
                secrets,
                &mut share["token"],
                format!("the token of link {number}"),
            );
        }
        put_where_there_is_one(
            secrets,
            &mut share["password"],
            format!("the password of link {number}"),
        );
    }
}

fn mark_tenant(tenant: &mut Value, secrets: &mut Secrets) {
    let app = &mut tenant["app"];
    put(secrets, &mut app["secret"], "the client secret".to_owned());
    put(
        secrets,
        &mut app["identity_header"],
        "the identity header".to_owned(),
    );
    app["federated"] = json!([""]);
    put(
        secrets,
        &mut app["federated"][0],
        "the federated assertion".to_owned(),
    );
    for (number, permission) in list(&mut tenant["permissions"]).iter_mut().enumerate() {
        let link = &mut permission["link"];
        if link.is_null() {
            continue;
        }
        put_where_there_is_one(
            secrets,
            &mut link["password"],
            format!("the password of permission {number}"),
        );
        let name = format!("the address of link {number}");
        let mark = mark(&name);
        link["web_url"] = json!(format!("https://example.sharepoint.com/:x:/s/{mark}"));
        secrets.insert(name, mark.into_bytes());
    }
}

/// What of a value is the secret: of an address its last part, also where that is packed, of a signed token its signature.
fn kernel(value: &str) -> &[u8] {
    let value = value.split('?').next().unwrap_or_default();
    let last = value.rsplit('/').next().unwrap_or_default();
    let last = match last {
        token if token.starts_with("eyJ") => token.rsplit('.').next().unwrap_or_default(),
        packed if packed.starts_with("u!") => &packed[packed.len().saturating_sub(24)..],
        other => other,
    };
    last.as_bytes()
}

/// Notes down a secret, unless it is one that is known already.
pub(super) fn note(secrets: &mut Secrets, name: &str, value: &str) {
    let bytes = kernel(value);
    if bytes.len() >= SHORTEST && !secrets.values().any(|known| known == bytes) {
        let number = secrets.keys().filter(|known| known.starts_with(name)).count();
        secrets.insert(format!("{name} ({})", number + 1), bytes.to_vec());
    }
}

/// The fields of answers and requests that hold a secret, whatever else they may be.
const FIELDS: [&str; 15] = [
    "access_token",
    "appPassword",
    "client_assertion",
    "client_secret",
    "device_code",
    "id_token",
    "identity_header",
    "login",
    "password",
    "refresh_token",
    "secret",
    "shareId",
    "token",
    "url",
    "webUrl",
];

/// Notes down all that opens something in a JSON text of the wire.
pub(super) fn note_json(secrets: &mut Secrets, of: &str, value: &Value) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| note_json(secrets, of, one)),
        Value::Object(fields) => {
            for (field, value) in fields {
                match value.as_str() {
                    // Where something is, which nobody can open who is not signed in: items, sites, other requests.
                    Some(text) if field == "url" && !text.contains("/s/") => {}
                    Some(_) if field == "webUrl" && !fields.contains_key("scope") => {}
                    Some(text) if FIELDS.contains(&field.as_str()) => {
                        note(secrets, &format!("`{field}` of {of}"), text);
                    }
                    // A hash of a link's password.
                    Some(text) if text.contains("|$argon2") || text.contains("$2y$") => {
                        let hash = text.rsplit('$').next().unwrap_or_default();
                        note(secrets, &format!("the hash in `{field}` of {of}"), hash);
                    }
                    Some(text) if field.starts_with("@odata.") => note_place(secrets, text),
                    Some(_) => {}
                    None => note_json(secrets, of, value),
                }
            }
        }
        _ => {}
    }
}

/// Where in a list to go on: nothing that opens anything, but nobody's business either.
pub(super) const PLACE: &str = "the place in a list";

fn note_place(secrets: &mut Secrets, address: &str) {
    let Ok(url) = url::Url::parse(address) else { return };
    for (name, value) in url.query_pairs() {
        if name.to_lowercase().contains("token") {
            note(secrets, PLACE, &value);
        }
    }
}

#[test]
fn each_mark_is_of_its_own_and_long_enough() {
    let mut world = crate::harness::small();
    world["microsoft365"] = crate::harness::tenant()["microsoft365"].clone();
    let secrets = marked(&mut world);
    assert_eq!(secrets.len(), 30);
    let text = world.to_string();
    for (name, mark) in &secrets {
        let mark = std::str::from_utf8(mark).unwrap();
        assert_eq!(text.matches(mark).count(), 1, "{name}");
    }
    for old in [
        "small-app-secret",
        "small-client-secret",
        "small-statistics-token",
        "-password",
        "Small-World-42",
    ] {
        assert!(!text.contains(old), "{old} is not marked");
    }
}
