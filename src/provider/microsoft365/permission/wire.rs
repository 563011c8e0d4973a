//! A permission as Graph writes it.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/permission?view=graph-rest-1.0>. Which fields come, and in
//! which of two spellings, differs from service to service: all may be missing.

use serde::Deserialize;

/// One permission.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Permission {
    pub(in super::super) id: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) link: Option<Link>,
    pub(super) expiration_date_time: Option<String>,
    pub(super) has_password: Option<bool>,
    pub(super) granted_to_v2: Option<Identities>,
    pub(super) granted_to: Option<Identities>,
    pub(super) granted_to_identities_v2: Option<Vec<Identities>>,
    pub(super) granted_to_identities: Option<Vec<Identities>>,
    pub(super) invitation: Option<Invitation>,
    /// Present, even empty, on what comes from above; missing, it says nothing.
    pub(super) inherited_from: Option<Ancestor>,
}

/// A sharing link.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Link {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) web_url: Option<String>,
    pub(super) prevents_download: Option<bool>,
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

/// One way of telling a party.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Identity {
    pub(in super::super) id: Option<String>,
    pub(in super::super) display_name: Option<String>,
    pub(in super::super) email: Option<String>,
    pub(in super::super) login_name: Option<String>,
}
