//! Lists accounts and their details through the provisioning interface.
//!
//! Fields as observed on 32.0.1; older servers lack the time zone and name the last sign-in in
//! milliseconds only. What is missing or of another type is not known, never assumed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ocs::Ocs;
use crate::model::{Principal, PrincipalClass, ProblemCode};
use crate::provider::ReadError;

/// How many accounts are asked for at once: the server reads quota and groups of each.
const PAGE: usize = 500;

#[derive(Deserialize)]
pub(super) struct Users {
    pub(super) users: Value,
}

/// Pages through the accounts, with details.
#[derive(Debug, Default)]
pub(super) struct Pages {
    offset: usize,
    seen: HashSet<u64>,
    ended: bool,
}

impl Pages {
    /// The next accounts; `None` after the last. `admin` must be an administrator, or sees only some.
    pub(super) async fn next(&mut self, ocs: &Ocs, admin: &str) -> Result<Option<Vec<Principal>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let (limit, offset) = (PAGE.to_string(), self.offset.to_string());
        let request = ocs.ocs(
            &["cloud", "users", "details"],
            &[("limit", &limit), ("offset", &offset)],
        )?;
        let listed = accounts(ocs.data::<Users>(&ocs.signed(request, admin)?).await?.users)?;
        if listed.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        let before = self.seen.len();
        self.seen
            .extend(listed.iter().map(|account| fingerprint(&account.id)));
        if self.seen.len() == before {
            return Err(ReadError::service(
                ProblemCode::Malformed,
                "the server repeats its list of accounts without end",
            ));
        }
        self.offset += PAGE;
        Ok(Some(listed))
    }

    /// Whether an account was among those listed so far.
    pub(super) fn has(&self, id: &str) -> bool {
        self.seen.contains(&fingerprint(id))
    }
}

fn fingerprint(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// The ids of all accounts, as AppAPI tells them without an administrator.
pub(super) async fn ids(ocs: &Ocs) -> Result<Vec<String>, ReadError> {
    let request = ocs.ocs(&["apps", "app_api", "api", "v1", "users"], &[])?;
    ocs.data(&ocs.signed(request, "")?).await
}

/// One account's details; `None` where no account has that id, or `reader` may not see it.
pub(super) async fn details(ocs: &Ocs, reader: &str, id: &str) -> Result<Option<Principal>, ReadError> {
    let request = ocs.ocs(&["cloud", "users", id], &[])?;
    match ocs
        .data::<Map<String, Value>>(&ocs.signed(request, reader)?)
        .await
    {
        Ok(fields) => Ok(Some(account(id, &fields))),
        Err(ReadError::Service {
            code: ProblemCode::Forbidden,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The account that a configured password signs in to.
pub(super) async fn own_details(ocs: &Ocs, name: &str) -> Result<Principal, ReadError> {
    let request = ocs.ocs(&["cloud", "user"], &[])?;
    let fields: Map<String, Value> = ocs.data(&ocs.signed(request, name)?).await?;
    if fields.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(ReadError::service(
            ProblemCode::Malformed,
            "the server does not say which account it signs in",
        ));
    }
    let own = account(name, &fields);
    ocs.signs_in_to(name, &own.id);
    Ok(own)
}

/// The accounts with a mail address.
pub(super) async fn with_address(ocs: &Ocs, admin: &str, address: &str) -> Result<Vec<Principal>, ReadError> {
    let limit = PAGE.to_string();
    let request = ocs.ocs(
        &["cloud", "users", "details"],
        &[("search", address), ("limit", &limit)],
    )?;
    let mut found = accounts(ocs.data::<Users>(&ocs.signed(request, admin)?).await?.users)?;
    found.retain(|account| {
        account
            .email
            .as_deref()
            .is_some_and(|email| email.eq_ignore_ascii_case(address))
    });
    Ok(found)
}

/// A map from id to details; PHP writes an empty one, and one with the ids 0, 1, 2…, as a list.
pub(super) fn accounts(users: Value) -> Result<Vec<Principal>, ReadError> {
    let malformed = || {
        ReadError::service(
            ProblemCode::Malformed,
            "the list of accounts is not as documented",
        )
    };
    match users {
        Value::Object(users) => Ok(users
            .iter()
            .map(|(id, details)| match details {
                Value::Object(fields) => account(id, fields),
                _ => Principal::new(PrincipalClass::Account, id),
            })
            .collect()),
        Value::Array(users) => users
            .iter()
            .map(|details| {
                let fields = details.as_object().ok_or_else(malformed)?;
                let id = fields.get("id").and_then(Value::as_str).ok_or_else(malformed)?;
                Ok(account(id, fields))
            })
            .collect(),
        _ => Err(malformed()),
    }
}

fn account(id: &str, fields: &Map<String, Value>) -> Principal {
    let text = |field: &str| {
        fields
            .get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let mut account = Principal::new(PrincipalClass::Account, text("id").unwrap_or(id));
    account.name = text("displayname")
        .or_else(|| text("display-name"))
        .map(str::to_owned);
    account.email = text("email").map(str::to_owned);
    account.active = fields.get("enabled").and_then(flag);
    account.guest = text("backend").map(|backend| backend.eq_ignore_ascii_case("guests"));
    let seconds = fields.get("lastLoginTimestamp").and_then(Value::as_i64);
    let last = seconds.or_else(|| fields.get("lastLogin").and_then(Value::as_i64));
    account.signed_in = last.map(|last| last > 0);
    account.groups = fields
        .get("groups")
        .and_then(Value::as_array)
        .map(|groups| {
            groups
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    account.zone = text("timezone").map(str::to_owned);
    account.language = text("language").map(str::to_owned);
    // Empty where there is none, and for whoever is no administrator.
    account.manager = fields.get("manager").and_then(Value::as_str).map(str::to_owned);
    account
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_list_and_numeric_ids_are_understood() {
        assert_eq!(accounts(json!([])), Ok(Vec::new()));
        assert_eq!(accounts(json!([{"id": "0"}, {"id": "1"}])).unwrap().len(), 2);
        assert_eq!(accounts(json!({"7": {"id": "7"}, "x": null})).unwrap().len(), 2);
        for wrong in [json!(null), json!("none"), json!([{"no": "id"}]), json!([7])] {
            assert!(
                accounts(wrong).is_err(),
                "half a list must not pass for a short one"
            );
        }
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let bare = &accounts(json!({"zoe": {"id": "zoe"}})).unwrap()[0];
        assert_eq!((bare.active, bare.signed_in, bare.guest), (None, None, None));
        assert_eq!(bare.manager, None);
        let full = &accounts(
            json!({"ann": {"id": "ann", "enabled": false, "lastLogin": 0, "email": null,
            "backend": "Guests", "groups": ["g"], "timezone": "Europe/Berlin", "manager": "bob"}}),
        )
        .unwrap()[0];
        assert_eq!(
            (full.active, full.signed_in, full.guest),
            (Some(false), Some(false), Some(true))
        );
        assert_eq!(
            (full.email.as_ref(), full.manager.as_deref()),
            (None, Some("bob"))
        );
    }
}
