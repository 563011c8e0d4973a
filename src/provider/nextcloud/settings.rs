//! What a server's settings say about the whole of it: capabilities, and its own counts of shares.
//!
//! Capabilities are read, versions are not: a server is judged by what it says it does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Fact, ShareKind, SourceFacts};

/// The facts in an answer of `cloud/capabilities`, asked while signed in.
pub(super) fn facts(data: &Value) -> SourceFacts {
    let mut facts = SourceFacts {
        product: data
            .pointer("/version/string")
            .and_then(Value::as_str)
            .map(|version| format!("Nextcloud {version}")),
        ..SourceFacts::default()
    };
    let flag = |path: &str| {
        data.pointer(&format!("/capabilities/{path}"))
            .and_then(Value::as_bool)
    };
    if let Some(links) = flag("files_sharing/public/enabled") {
        // That links can be made at all is a finding about tenants; a server is judged by how it guards them.
        if links {
            facts.set(
                Fact::LinkPasswordEnforced,
                flag("files_sharing/public/password/enforced") == Some(true),
            );
            let (enforced, days) = longest(data, "expire_date");
            facts.set(Fact::LinkExpiryEnforced, enforced);
            facts.max_expiry_days = days;
            // The server tells these among the settings of links, and only while there are links.
            facts.max_internal_expiry_days = longest(data, "expire_date_internal").1;
            facts.max_remote_expiry_days = longest(data, "expire_date_remote").1;
        }
    }
    match flag("files_sharing/sharebymail/enabled") {
        Some(true) => {
            facts.set(
                Fact::PasswordsMailed,
                flag("files_sharing/sharebymail/send_password_by_mail") == Some(true),
            );
            facts.set(
                Fact::MailPasswordEnforced,
                flag("files_sharing/sharebymail/password/enforced") == Some(true),
            );
        }
        Some(false) => facts.set(Fact::PasswordsMailed, false),
        None => {}
    }
    if let Some(capabilities) = data.get("capabilities") {
        facts.set(
            Fact::PasswordPolicyStrong,
            capabilities.get("password_policy").is_some_and(is_strong),
        );
    }
    facts
}

/// Whether shares have to end, and after how many days at the latest. It counts only together with the default.
fn longest(data: &Value, which: &str) -> (bool, Option<u32>) {
    let setting = data.pointer(&format!("/capabilities/files_sharing/public/{which}"));
    let told = |name: &str| setting.and_then(|setting| setting.get(name));
    let enforced = ["enabled", "enforced"]
        .into_iter()
        .all(|name| told(name) == Some(&Value::Bool(true)));
    let days = told("days").filter(|_| enforced).and_then(Value::as_u64);
    (enforced, days.and_then(|days| u32::try_from(days).ok()))
}

/// Whether sharing is switched off as a whole.
pub(super) fn sharing_is_off(data: &Value) -> bool {
    data.pointer("/capabilities/files_sharing/api_enabled") == Some(&Value::Bool(false))
}

/// Twelve characters or more and a mix of kinds; since Nextcloud 32 there may be a policy for links of its own.
fn is_strong(policy: &Value) -> bool {
    let strong = |policy: &Value| {
        let kinds = [
            "enforceNumericCharacters",
            "enforceSpecialCharacters",
            "enforceUpperLowerCase",
        ];
        let mixed = kinds
            .iter()
            .any(|kind| policy.get(kind).and_then(Value::as_bool) == Some(true));
        policy
            .get("minLength")
            .and_then(Value::as_u64)
            .is_some_and(|least| least >= 12)
            && mixed
    };
    strong(policy.pointer("/policies/sharing").unwrap_or(policy))
}

/// The counts of the server's statistics, by kind. They count rows of its table: shares of disabled accounts and
/// of files in the trash are among them.
pub(super) fn counts(data: &Value) -> Option<BTreeMap<ShareKind, u64>> {
    let shares = data.pointer("/nextcloud/shares")?;
    let fields = [
        (ShareKind::User, "num_shares_user"),
        (ShareKind::Group, "num_shares_groups"),
        (ShareKind::Link, "num_shares_link"),
        (ShareKind::Mail, "num_shares_mail"),
        (ShareKind::Room, "num_shares_room"),
        (ShareKind::Federated, "num_fed_shares_sent"),
    ];
    let counts: BTreeMap<_, _> = fields
        .iter()
        .filter_map(|(kind, field)| Some((*kind, shares.get(field)?.as_u64()?)))
        .collect();
    (!counts.is_empty()).then_some(counts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_without_links_is_not_judged_by_their_settings() {
        let facts = facts(&json!({"capabilities": {"files_sharing": {"public": {"enabled": false}}}}));
        assert_eq!(facts.get(Fact::LinkPasswordEnforced), None);
    }

    #[test]
    fn expiry_counts_as_enforced_only_together_with_the_default() {
        let told = |enabled: bool, enforced: bool| {
            let expiry = json!({"enabled": enabled, "enforced": enforced, "days": 14});
            let public = json!({"enabled": true, "expire_date": expiry});
            facts(&json!({"capabilities": {"files_sharing": {"public": public}}}))
        };
        assert_eq!(told(true, true).get(Fact::LinkExpiryEnforced), Some(true));
        assert_eq!(told(true, true).max_expiry_days, Some(14));
        assert_eq!(told(false, true).get(Fact::LinkExpiryEnforced), Some(false));
    }

    #[test]
    fn each_kind_of_share_has_its_own_longest_time() {
        let of = |days: u32, enforced: bool| json!({"enabled": true, "days": days, "enforced": enforced});
        let told = |internal: Value| {
            let public = json!({"enabled": true, "expire_date": of(14, true), "expire_date_internal": internal,
                "expire_date_remote": of(3, true)});
            facts(&json!({"capabilities": {"files_sharing": {"public": public}}}))
        };
        let days = |facts: &SourceFacts| {
            [ShareKind::Mail, ShareKind::Group, ShareKind::Federated].map(|kind| facts.most_days(kind))
        };
        assert_eq!(days(&told(of(7, true))), [Some(14), Some(7), Some(3)]);
        assert_eq!(days(&told(of(7, false))), [Some(14), None, Some(3)]);
        assert_eq!(days(&told(json!({"enabled": false}))), [Some(14), None, Some(3)]);
    }

    #[test]
    fn a_password_policy_is_strong_with_length_and_mix() {
        let weak = json!({"minLength": 12, "enforceNumericCharacters": false});
        let strong = json!({"minLength": 12, "enforceNumericCharacters": true});
        assert!(!is_strong(&weak) && is_strong(&strong));
        assert!(!is_strong(
            &json!({"minLength": 10, "enforceUpperLowerCase": true})
        ));
        assert!(is_strong(
            &json!({"minLength": 1, "policies": {"sharing": strong}})
        ));
    }
}
