//! The tenant's settings of sharing, and what the operator states where Graph does not tell.
//!
//! <https://learn.microsoft.com/en-us/graph/api/sharepointsettings-get?view=graph-rest-1.0>, with the application right
//! `SharePointTenantSettings.Read.All`. After how many days links end, and which types of them may be made, is not
//! there.

use serde_json::Value;

use super::graph::Kind;
use super::{Microsoft365, errors};
use crate::model::{Fact, ProblemCode, SourceFacts};
use crate::provider::ReadError;

/// What the operator states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// After how many days the tenant ends anonymous links.
    pub link_expiry_days: Option<u32>,
    /// Which types of anonymous links may be made.
    pub link_types: Option<Vec<&'static str>>,
}

impl Stated {
    /// What follows for the rules.
    fn facts(&self, facts: &mut SourceFacts) {
        if let Some(days) = self.link_expiry_days {
            facts.set(Fact::LinkExpiryEnforced, true);
            facts.max_expiry_days = Some(days);
            facts
                .stated
                .insert("anonymous_link_expiry_days".to_owned(), days.to_string());
        }
        if let Some(types) = &self.link_types {
            facts.set(Fact::AnonymousLinksAllowed, !types.is_empty());
            let types = if types.is_empty() {
                "none".to_owned()
            } else {
                types.join(", ")
            };
            facts.stated.insert("anonymous_link_types".to_owned(), types);
        }
    }
}

impl Microsoft365 {
    /// What is known of the settings before any is read.
    pub(super) fn stated_facts(&self) -> SourceFacts {
        let mut facts = SourceFacts {
            product: Some(format!("Microsoft 365 ({})", self.setup.tenant)),
            ..SourceFacts::default()
        };
        self.setup.stated.facts(&mut facts);
        facts
    }

    /// Reads the settings; why they could not be read is kept for the list of problems.
    pub(super) async fn tenant_facts(&self) -> Result<SourceFacts, ReadError> {
        let mut facts = self.stated_facts();
        if self.is_delegated() {
            return Ok(facts);
        }
        let url = self.graph.url(&["admin", "sharepoint", "settings"], &[])?;
        match self.graph.object::<Value>(url, Kind::One).await {
            Ok(told) => heed(&told, &mut facts),
            Err(error) if errors::ends_source(&error) => return Err(error),
            Err(error) => {
                let words = match &error {
                    ReadError::Service {
                        code: ProblemCode::Forbidden,
                        ..
                    } => format!(
                        "the tenant's settings of sharing are not told: {error}; grant the application \
                         SharePointTenantSettings.Read.All"
                    ),
                    _ => format!("the tenant's settings of sharing could not be read: {error}"),
                };
                self.note_settings(words);
            }
        }
        Ok(facts)
    }
}

/// Takes over what the settings tell; a value that is not known tells nothing.
pub(super) fn heed(told: &Value, facts: &mut SourceFacts) {
    // The documentation shows both forms.
    let told = told
        .get("value")
        .filter(|value| value.is_object())
        .unwrap_or(told);
    let capability = told.get("sharingCapability").and_then(Value::as_str);
    match capability.map(str::to_lowercase).as_deref() {
        Some("externaluserandguestsharing") => facts.set(Fact::AnonymousLinksAllowed, true),
        Some("disabled" | "existingexternalusersharingonly" | "externalusersharingonly") => {
            facts.set(Fact::AnonymousLinksAllowed, false);
        }
        _ => {}
    }
    if let Some(may) = told
        .get("isResharingByExternalUsersEnabled")
        .and_then(Value::as_bool)
    {
        facts.set(Fact::GuestsMayReshare, may);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_tell_in_both_forms_and_unknown_values_nothing() {
        let heeded = |told: Value| {
            let mut facts = SourceFacts::default();
            heed(&told, &mut facts);
            (
                facts.get(Fact::AnonymousLinksAllowed),
                facts.get(Fact::GuestsMayReshare),
            )
        };
        let flat = json!({"sharingCapability": "externalUserAndGuestSharing", "isResharingByExternalUsersEnabled": true});
        assert_eq!(heeded(flat.clone()), (Some(true), Some(true)));
        assert_eq!(heeded(json!({"value": flat})), (Some(true), Some(true)));
        for closed in [
            "disabled",
            "ExistingExternalUserSharingOnly",
            "externalUserSharingOnly",
        ] {
            assert_eq!(heeded(json!({"sharingCapability": closed})), (Some(false), None));
        }
        for odd in [
            json!({"sharingCapability": "newThing"}),
            json!([]),
            json!(null),
            json!({"value": []}),
        ] {
            assert_eq!(heeded(odd), (None, None));
        }
    }
}
