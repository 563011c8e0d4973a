//! A scan reports every share that the service can list, as it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::harness::{Stage, demo, demo_report, findings, share, small, verdict};

const SHARE_RULES: [&str; 18] = [
    "link-without-password",
    "link-without-expiry",
    "link-expiry-too-far",
    "link-allows-editing",
    "link-allows-upload",
    "classified-item-exposed",
    "wide-group-grant",
    "unread-membership",
    "external-recipient",
    "guest-recipient",
    "mailing-list-recipient",
    "password-sent-by-mail",
    "recipient-never-logged-in",
    "departed-recipient",
    "orphaned-share",
    "reshared-by-other",
    "unreviewed-share",
    "unrecognized-share",
];

/// A world, and what its own file says of accounts and shares.
struct Truth {
    world: Value,
    accounts: BTreeMap<String, Value>,
    written: BTreeMap<u64, Value>,
}

impl Truth {
    fn of(world: Value) -> Self {
        let by_id = |list: &Value| -> Vec<Value> { list.as_array().unwrap().clone() };
        let accounts = by_id(&world["nextcloud"]["accounts"])
            .into_iter()
            .map(|account| (account["id"].as_str().unwrap().to_owned(), account))
            .collect();
        let written = by_id(&world["nextcloud"]["shares"])
            .into_iter()
            .map(|share| (share["id"].as_u64().unwrap(), share))
            .collect();
        Self {
            world,
            accounts,
            written,
        }
    }

    fn is_enabled(&self, account: &Value) -> bool {
        self.accounts
            .get(account.as_str().unwrap())
            .is_some_and(|account| account["enabled"] != false)
    }

    /// Whether some account's list of shares can show a stored row.
    fn is_listable(&self, row: &Value) -> bool {
        let now: Timestamp = self.world["now"].as_str().unwrap().parse().unwrap();
        let due = row["expires"]
            .as_str()
            .is_some_and(|expires| expires.parse::<Timestamp>().unwrap() <= now);
        let there = row["path"].is_string() && row["trashed"] == false;
        there && !due && (self.is_enabled(&row["owner"]) || self.is_enabled(&row["sharer"]))
    }

    fn is_guest(&self, account: &str) -> bool {
        self.accounts
            .get(account)
            .is_some_and(|account| account["backend"] == "Guests")
    }

    fn audience(&self, row: &Value) -> &'static str {
        let recipient = row["recipient"].as_str().unwrap_or_default();
        match row["type"].as_i64().unwrap() {
            3 | 4 => "anyone",
            0 if self.is_guest(recipient) => "external",
            1 if recipient == "students" || recipient.starts_with("all-") => "organization",
            6 | 9 if !recipient.ends_with("@cloud2.example.org") => "external",
            0 | 1 | 6 | 9 => "internal",
            _ => "unknown",
        }
    }

    /// The day on which a share ends, as its file's owner is told.
    fn expires(&self, row: &Value) -> Value {
        let Some(expires) = row["expires"].as_str() else {
            return Value::Null;
        };
        let zone = self.accounts[row["owner"].as_str().unwrap()]["timezone"]
            .as_str()
            .map_or(TimeZone::UTC, |zone| TimeZone::get(zone).unwrap());
        let moment: Timestamp = expires.parse().unwrap();
        json!(moment.to_zoned(zone).date().to_string())
    }

    fn access(&self, row: &Value) -> BTreeSet<&'static str> {
        let bits = row["permissions"].as_u64().unwrap();
        let written = &self.written[&row["id"].as_u64().unwrap()];
        let shown = written["hide_download"] != true
            && !written["attributes"]
                .as_str()
                .is_some_and(|attributes| attributes.contains("\"download\",\"value\":false"));
        let anonymous = [3, 4].contains(&row["type"].as_u64().unwrap());
        let rights = [
            (bits & 1 != 0, "view"),
            (bits & 1 != 0 && shown, "download"),
            (bits & 2 != 0, "edit"),
            (bits & 4 != 0, "create"),
            (bits & 8 != 0, "delete"),
            (bits & 16 != 0 && !anonymous, "reshare"),
        ];
        rights
            .into_iter()
            .filter_map(|(given, right)| given.then_some(right))
            .collect()
    }
}

fn kind(number: &Value) -> &'static str {
    match number.as_i64().unwrap() {
        0 => "user",
        1 => "group",
        3 => "link",
        4 => "mail",
        6 => "federated",
        7 => "team",
        9 => "federated-group",
        10 => "room",
        _ => "other",
    }
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

fn reports_every_share(truth: &Truth) {
    let stage = Stage::of(&truth.world);
    let report = stage.report(&["--all-shares"]);
    let rows = stage.stored();
    let listable: Vec<&Value> = rows.iter().filter(|row| truth.is_listable(row)).collect();
    assert!(listable.len() > 10);
    for row in &listable {
        let id = row["id"].to_string();
        let told = share(&report, &id).unwrap_or_else(|| panic!("share {id} is not reported: {row}"));
        let number = row["type"].as_u64().unwrap();
        assert_eq!(told["kind"], kind(&row["type"]), "{told}");
        assert_eq!(told["audience"], truth.audience(row), "{told}");
        assert_eq!(told["item"]["path"], row["path"], "{told}");
        assert_eq!(told["owner"]["id"], row["owner"], "{told}");
        assert_eq!(told["shared_by"]["id"], row["sharer"], "{told}");
        assert_eq!(told["expires"], truth.expires(row), "{told}");
        assert_eq!(texts(&told["access"]), truth.access(row), "{told}");
        let written = &truth.written[&row["id"].as_u64().unwrap()];
        let label = written["raw"]["label"].as_str().or(row["label"].as_str());
        let label = label.filter(|label| !label.is_empty());
        assert_eq!(told["label"].as_str(), label, "{told}");
        if kind(&row["type"]) != "other" {
            assert_eq!(told["password"], row["password"], "{told}");
        }
        let recipients: Vec<&Value> = told["recipients"].as_array().unwrap().iter().collect();
        match (number, recipients.as_slice()) {
            (3, none) => assert!(none.is_empty(), "a link is granted to nobody: {told}"),
            (12 | 15 | 99, [one]) => assert_eq!(one["kind"], "unknown", "{told}"),
            (_, [one]) => assert_eq!(one["id"], row["recipient"], "{told}"),
            _ => panic!("one recipient: {told}"),
        }
    }
    let told: BTreeSet<String> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share["id"].as_str().unwrap().to_owned())
        .collect();
    let numbered = told.iter().filter(|id| !id.starts_with("file/")).count();
    assert_eq!(numbered, listable.len(), "nothing is invented: {told:?}");
    // What only disabled accounts could list is reported by its file.
    let place =
        |owner: &Value, path: &Value| format!("{}:{}", owner.as_str().unwrap(), path.as_str().unwrap());
    let orphaned: BTreeSet<String> = rows
        .iter()
        .filter(|row| row["trashed"] == false && row["path"].is_string() && !truth.is_listable(row))
        .filter(|row| !truth.is_enabled(&row["owner"]))
        .map(|row| place(&row["owner"], &row["path"]))
        .collect();
    let nodes: BTreeSet<String> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|share| share["id"].as_str().unwrap().starts_with("file/"))
        .map(|share| place(&share["owner"]["id"], &share["item"]["path"]))
        .collect();
    assert!(!nodes.is_empty());
    assert_eq!(nodes, orphaned);
}

#[test]
fn every_share_that_the_service_can_list_is_reported_once_and_as_it_is() {
    reports_every_share(&Truth::of(small()));
    reports_every_share(&Truth::of(demo()));
}

#[test]
fn totals_agree_with_what_is_listed() {
    for report in [&Stage::small().report(&["--all-shares"]), demo_report()] {
        let sum = |totals: &Value| -> u64 {
            totals
                .as_object()
                .unwrap()
                .values()
                .map(|count| count.as_u64().unwrap())
                .sum()
        };
        let totals = &report["totals"];
        let all = findings(report);
        assert_eq!(sum(&totals["by_level"]), all.len() as u64);
        assert_eq!(sum(&totals["by_rule"]), all.len() as u64);
        assert_eq!(sum(&totals["by_status"]), all.len() as u64);
        assert_eq!(totals["findings"], all.len());
        assert_eq!(totals["by_status"], json!({"new": all.len()}));
        assert_eq!(totals["waived"], 0);
        for (key, field) in [("by_level", "level"), ("by_rule", "rule")] {
            let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
            for finding in all {
                *counted.entry(finding[field].as_str().unwrap()).or_default() += 1;
            }
            assert_eq!(totals[key], json!(counted));
        }
        let shares = report["shares"].as_array().unwrap();
        assert_eq!(totals["shares"], shares.len());
        assert_eq!(report["sources"][0]["shares_seen"], shares.len());
        let ids: BTreeSet<&str> = all
            .iter()
            .map(|finding| finding["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), all.len(), "each finding has an id of its own");
        for finding in all.iter().filter(|finding| !finding["share"].is_null()) {
            assert!(shares.contains(&finding["share"]), "{finding}");
        }
    }
}

#[test]
fn every_rule_about_shares_fires_in_the_demonstration() {
    let report = demo_report();
    let fired: BTreeSet<&str> = findings(report)
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    for rule in SHARE_RULES {
        assert!(fired.contains(rule), "{rule} never fires");
    }
    assert_eq!(verdict(report), "limited");
}
