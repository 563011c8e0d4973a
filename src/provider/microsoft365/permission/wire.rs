//! A permission as Graph writes it.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/permission?view=graph-rest-1.0>. Which fields come, and in
//! which of two spellings, differs from service to service: all may be missing. A part of another form is left out by
//! itself, so that it does not hide what stands beside it.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One permission.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Permission {
    #[serde(deserialize_with = "id")]
    pub(in super::super) id: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) link: Option<Link>,
    pub(super) expiration_date_time: Option<String>,
    pub(super) has_password: Option<bool>,
    // Boxed, since a permission has few of its fields, and is handed on.
    pub(super) granted_to_v2: Option<Box<Identities>>,
    pub(super) granted_to: Option<Box<Identities>>,
    pub(super) granted_to_identities_v2: Option<Vec<Identities>>,
    pub(super) granted_to_identities: Option<Vec<Identities>>,
    pub(super) invitation: Option<Box<Invitation>>,
    /// Present, even empty, on what comes from above; missing, it says nothing.
    pub(super) inherited_from: Option<Ancestor>,
}

/// A sharing link.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Link {
    #[serde(rename = "type", deserialize_with = "text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) scope: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) web_url: Option<String>,
    #[serde(deserialize_with = "truth")]
    pub(super) prevents_download: Option<bool>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its address is its secret.
        f.debug_struct("Link")
            .field("kind", &self.kind)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// An invitation.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Invitation {
    pub(super) email: Option<String>,
    pub(super) sign_in_required: Option<bool>,
    pub(super) invited_by: Option<Identities>,
}

/// The item that a permission comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ancestor {
    #[serde(deserialize_with = "id")]
    pub(super) id: Option<String>,
}

/// One party, told in up to several ways.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Identities {
    pub(super) user: Option<Identity>,
    pub(super) group: Option<Identity>,
    pub(super) site_user: Option<Identity>,
    pub(super) site_group: Option<Identity>,
    pub(super) share_point_group: Option<Identity>,
    pub(super) application: Option<Identity>,
}

impl Identities {
    /// The id of a person of whom no login name is told.
    pub(super) fn told_by_id(&self) -> Option<&str> {
        let mut ways = [&self.site_user, &self.user].into_iter().flatten();
        if ways.any(|way| way.login_name.is_some()) {
            return None;
        }
        self.user.as_ref()?.id.as_deref()
    }

    /// Whether nobody is told.
    pub(super) fn is_empty(&self) -> bool {
        let ways = [
            &self.user,
            &self.group,
            &self.site_user,
            &self.site_group,
            &self.share_point_group,
            &self.application,
        ];
        ways.into_iter().all(Option::is_none)
    }
}

/// One way of telling a party.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Identity {
    #[serde(deserialize_with = "id")]
    pub(in super::super) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(in super::super) display_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(in super::super) email: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(in super::super) login_name: Option<String>,
}

/// A text; nothing where it is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// An id, which some write as a number.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Yes or no; nothing where it is neither.
fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_bool())
}
