//! A finding without nesting: the same fields, in the same order, for every finding.
//!
//! The rows of CSV and the events of NDJSON are made of these, so that a column and a field of one
//! name mean the same. Lists are joined by `; `, absence is `null`.

use serde::Serialize;
use serde_json::Value;

use super::view::{Finding, Principal, Share};
use crate::model::WaiverNote;

/// A field's name, and how it is read from a finding: a string, number, truth value or `null`.
pub(super) type Field = (&'static str, fn(&Finding) -> Value);

/// The fields: first what tells one finding from another and where it stands, then everything else.
pub(super) const FIELDS: &[Field] = &[
    ("source", |finding| plain(&finding.source)),
    ("finding", |finding| plain(&finding.id)),
    ("share", |finding| shared(finding, |share| plain(&share.id))),
    ("rule", |finding| plain(&finding.rule)),
    ("level", |finding| plain(&finding.level)),
    ("status", |finding| plain(&finding.status)),
    ("kind", |finding| shared(finding, |share| plain(&share.kind))),
    ("audience", |finding| {
        shared(finding, |share| plain(&share.audience))
    }),
    ("access", |finding| {
        shared(finding, |share| joined(share.access.iter()))
    }),
    ("password", |finding| {
        shared(finding, |share| plain(&share.password))
    }),
    ("expires", |finding| {
        shared(finding, |share| plain(&share.expires))
    }),
    ("expired", |finding| {
        shared(finding, |share| plain(&share.expired))
    }),
    ("created_at", |finding| {
        shared(finding, |share| plain(&share.created_at))
    }),
    ("inherited", |finding| {
        shared(finding, |share| plain(&share.inherited))
    }),
    ("label", |finding| shared(finding, |share| plain(&share.label))),
    ("link", |finding| shared(finding, |share| plain(&share.link))),
    ("path", |finding| shared(finding, |share| plain(&share.item.path))),
    ("item", |finding| shared(finding, |share| plain(&share.item.id))),
    ("item_kind", |finding| {
        shared(finding, |share| plain(&share.item.kind))
    }),
    ("size", |finding| shared(finding, |share| plain(&share.item.size))),
    ("files_beneath", |finding| {
        shared(finding, |share| plain(&share.item.files_beneath))
    }),
    ("classified", |finding| {
        shared(finding, |share| plain(&share.item.classified))
    }),
    ("labels", |finding| {
        shared(finding, |share| joined(&share.item.labels))
    }),
    ("drive", |finding| {
        shared(finding, |share| plain(&share.item.drive))
    }),
    ("owner", |finding| shared(finding, |share| plain(&share.owner.id))),
    ("owner_name", |finding| {
        shared(finding, |share| plain(&share.owner.name))
    }),
    ("owner_email", |finding| {
        shared(finding, |share| plain(&share.owner.email))
    }),
    ("owner_kind", |finding| {
        shared(finding, |share| plain(&share.owner.kind))
    }),
    ("owner_active", |finding| {
        shared(finding, |share| plain(&share.owner.active))
    }),
    ("shared_by", |finding| {
        shared(finding, |share| plain(&share.shared_by.as_ref().map(|by| &by.id)))
    }),
    ("recipients", |finding| {
        shared(finding, |share| joined(share.recipients.iter().map(address)))
    }),
    ("unknown", |finding| {
        shared(finding, |share| joined(&share.unknown))
    }),
    ("message", |finding| plain(&finding.message)),
    ("remedy", |finding| plain(&finding.remedy.action)),
    ("first_seen", |finding| plain(&finding.first_seen)),
    ("last_seen", |finding| plain(&finding.last_seen)),
    ("checked_at", |finding| plain(&finding.checked_at)),
    ("due", |finding| plain(&finding.due)),
    ("waiver_reason", |finding| {
        waived(finding, |waiver| plain(&waiver.reason))
    }),
    ("waiver_approved_by", |finding| {
        waived(finding, |waiver| plain(&waiver.approved_by))
    }),
    ("waiver_until", |finding| {
        waived(finding, |waiver| plain(&waiver.until))
    }),
];

fn shared(finding: &Finding, field: fn(&Share) -> Value) -> Value {
    finding.share.as_ref().map_or(Value::Null, field)
}

fn waived(finding: &Finding, field: fn(&WaiverNote) -> Value) -> Value {
    finding.waiver.as_ref().map_or(Value::Null, field)
}

fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn joined<T: ToString>(parts: impl IntoIterator<Item = T>) -> Value {
    let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    Value::String(parts.join("; "))
}

fn address(principal: &Principal) -> &str {
    principal.email.as_deref().unwrap_or(&principal.id)
}
