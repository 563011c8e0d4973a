//! One finding a line, as a Compliance Finding of the Open Cybersecurity Schema Framework (class 2003).
//!
//! <https://schema.ocsf.io/1.5.0/classes/compliance_finding>. What the class has no place for is in `resources[].data` and
//! `unmapped`, under the names of our own JSON.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Pages, json, view};
use crate::model::{Level, RuleId, Status};

/// The schema's version.
pub const VERSION: &str = "1.5.0";

const CATEGORY: (u32, &str) = (2, "Findings");
const CLASS: (u32, &str) = (2003, "Compliance Finding");

/// Writes a run's findings as OCSF.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let header = pages.header();
    pages.findings(&mut |finding| {
        json::compact(&event(header, &finding), out)?;
        out.write_all(b"\n")
    })
}

fn event(header: &view::Header, finding: &view::Finding) -> Value {
    let (activity_id, activity) = activity(finding.status);
    let (severity_id, severity) = severity(finding.level);
    let (status_id, status) = status(finding.status);
    let (compliance_id, compliance) = compliance(finding.status);
    let time = match finding.status {
        Status::NotChecked | Status::ClosedByPolicy => header.run.finished_at,
        Status::New | Status::Open | Status::Waived | Status::Resolved => finding.checked_at,
    };
    json!({
        "class_uid": CLASS.0,
        "class_name": CLASS.1,
        "category_uid": CATEGORY.0,
        "category_name": CATEGORY.1,
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": CLASS.0 * 100 + activity_id,
        "type_name": format!("{}: {activity}", CLASS.1),
        "time": millisecond(time),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": finding.status.as_str(),
        "message": finding.message,
        "metadata": {
            "version": VERSION,
            "product": {
                "name": header.tool.name,
                "vendor_name": header.tool.name,
                "version": header.tool.version,
            },
            "correlation_uid": header.run.id,
            "uid": format!("{}-{}", header.run.id, finding.id),
        },
        "finding_info": {
            "uid": finding.id,
            "title": title(finding.rule),
            "desc": finding.message,
            "types": [finding.rule.as_str()],
            "data_sources": [finding.source],
            "first_seen_time": millisecond(finding.first_seen),
            "last_seen_time": millisecond(finding.last_seen),
        },
        "compliance": {
            "control": finding.rule.as_str(),
            "status_id": compliance_id,
            "status": compliance,
        },
        "remediation": {"desc": finding.remedy.action.as_str()},
        "resources": [resource(finding)],
        "unmapped": {
            "run_verdict": header.run.verdict,
            "policy_digest": header.run.policy.digest,
            "due": finding.due,
            "waiver": finding.waiver,
        },
    })
}

/// The share, or the source whose settings the finding is about.
fn resource(finding: &view::Finding) -> Value {
    let Some(share) = &finding.share else {
        return json!({"type": "service", "uid": finding.source, "name": finding.source});
    };
    let mut owner = json!({"uid": share.owner.id, "type": share.owner.kind});
    set(&mut owner, "display_name", share.owner.name.as_ref());
    let email = share.owner.email.as_ref().filter(|email| is_address(email));
    set(&mut owner, "email_addr", email);
    let mut resource = json!({
        "type": "share",
        "uid": share.id,
        "namespace": finding.source,
        "labels": share.item.labels,
        "owner": owner,
        "data": share,
    });
    let path = Some(&share.item.path).filter(|path| !path.is_empty());
    set(&mut resource, "name", path);
    set(&mut resource, "created_time", share.created_at.map(millisecond));
    resource
}

/// Whether the schema takes it for a mail address; others are in `data` only.
fn is_address(text: &str) -> bool {
    let Some((local, (first, rest))) = text
        .split_once('@')
        .and_then(|(local, domain)| Some((local, domain.split_once('.')?)))
    else {
        return false;
    };
    let of_domain = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
    let of_local = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+,-./=?^_`{|}~".contains(sign);
    ![local, first, rest].contains(&"")
        && local.chars().all(of_local)
        && first.chars().all(of_domain)
        && rest.chars().all(|sign| of_domain(sign) || sign == '.')
}

/// Sets a key where there is a value: the class knows absence, and no `null`.
fn set(object: &mut Value, key: &str, value: Option<impl Serialize>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_owned(), json!(value));
    }
}

fn activity(status: Status) -> (u32, &'static str) {
    match status {
        Status::New => (1, "Create"),
        Status::Open | Status::NotChecked | Status::Waived => (2, "Update"),
        Status::Resolved | Status::ClosedByPolicy => (3, "Close"),
    }
}

fn severity(level: Level) -> (u32, &'static str) {
    match level {
        Level::Info => (1, "Informational"),
        Level::Low => (2, "Low"),
        Level::Medium => (3, "Medium"),
        Level::High => (4, "High"),
        Level::Critical => (5, "Critical"),
    }
}

fn status(status: Status) -> (u32, &'static str) {
    match status {
        Status::New => (1, "New"),
        Status::Open | Status::NotChecked => (2, "In Progress"),
        Status::Waived => (3, "Suppressed"),
        Status::Resolved => (4, "Resolved"),
        Status::ClosedByPolicy => (5, "Archived"),
    }
}

/// Whether the share is as the policy wants it: not known where it was not read, nor where the policy no longer asks.
fn compliance(status: Status) -> (u32, &'static str) {
    match status {
        Status::New | Status::Open | Status::Waived => (3, "Fail"),
        Status::NotChecked => (2, "Warning"),
        Status::Resolved => (1, "Pass"),
        Status::ClosedByPolicy => (0, "Unknown"),
    }
}

/// A rule's name as a title.
fn title(rule: RuleId) -> String {
    let words = rule.as_str().replace('-', " ");
    let mut signs = words.chars();
    signs
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}

fn millisecond(time: Timestamp) -> i64 {
    time.as_millisecond()
}
