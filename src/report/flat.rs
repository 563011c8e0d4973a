//! A finding without nesting: the same fields, in the same order, for every finding, and for every share that is told
//! without one.
//!
//! The rows of CSV and the events of NDJSON are made of these, so that a column and a field of one
//! name mean the same. Lists are joined by `; `, absence is `null`.

use serde::Serialize;
use serde_json::Value;

use super::view::{Before, Finding, Principal, Share, Subject};
use crate::model::WaiverNote;

/// What a row or an event is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    source: &'a str,
    finding: Option<&'a Finding>,
    share_id: Option<&'a str>,
    share: Option<&'a Share>,
}

impl<'a> About<'a> {
    pub(super) fn finding(finding: &'a Finding) -> Self {
        let share = finding.share.as_ref();
        Self {
            source: &finding.source,
            finding: Some(finding),
            share_id: share.map(|share| share.id.as_str()),
            share,
        }
    }

    pub(super) fn subject(subject: &'a Subject) -> Self {
        match subject {
            Subject::Finding(finding) => Self::finding(finding),
            Subject::Share { source, id, share } => Self {
                source,
                finding: None,
                share_id: Some(id),
                share: share.as_deref(),
            },
        }
    }
}

/// A field's name, and how it is read: a string, number, truth value or `null`.
pub(super) type Field = (&'static str, fn(&About<'_>) -> Value);

/// Fields that tell how something is now, and not how it was at a run: no event has them.
pub(super) const OF_NOW: &[&str] = &["size", "files_beneath", "owner_active"];

/// A field's name, and how it is read from what was before.
pub(super) type FieldBefore = (&'static str, fn(&Before) -> Value);

/// What an event tells of what was before.
pub(super) const BEFORE: &[FieldBefore] = &[
    ("changed", |before| {
        before.changed.as_ref().map_or(Value::Null, joined)
    }),
    ("was_status", |before| plain(&before.status)),
    ("was_level", |before| plain(&before.level)),
    ("was_audience", |before| plain(&before.audience)),
    ("was_access", |before| {
        before.access.map_or(Value::Null, |access| joined(access.iter()))
    }),
    ("was_password", |before| plain(&before.password)),
    ("was_expires", |before| plain(&before.expires)),
    ("was_owner", |before| plain(&before.owner)),
    ("was_path", |before| plain(&before.path)),
    ("was_recipients", |before| {
        before.recipients.as_ref().map_or(Value::Null, joined)
    }),
];

/// The fields: first what tells one finding from another and where it stands, then everything else.
pub(super) const FIELDS: &[Field] = &[
    ("source", |about| plain(&about.source)),
    ("finding", |about| found(about, |finding| plain(&finding.id))),
    ("share", |about| plain(&about.share_id)),
    ("rule", |about| found(about, |finding| plain(&finding.rule))),
    ("level", |about| found(about, |finding| plain(&finding.level))),
    ("status", |about| found(about, |finding| plain(&finding.status))),
    ("kind", |about| shared(about, |share| plain(&share.kind))),
    ("audience", |about| shared(about, |share| plain(&share.audience))),
    ("access", |about| {
        shared(about, |share| joined(share.access.iter()))
    }),
    ("password", |about| shared(about, |share| plain(&share.password))),
    ("expires", |about| shared(about, |share| plain(&share.expires))),
    ("expired", |about| shared(about, |share| plain(&share.expired))),
    ("created_at", |about| {
        shared(about, |share| plain(&share.created_at))
    }),
    ("inherited", |about| {
        shared(about, |share| plain(&share.inherited))
    }),
    ("label", |about| shared(about, |share| plain(&share.label))),
    ("link", |about| shared(about, |share| plain(&share.link))),
    ("path", |about| shared(about, |share| plain(&share.item.path))),
    ("item", |about| shared(about, |share| plain(&share.item.id))),
    ("item_kind", |about| {
        shared(about, |share| plain(&share.item.kind))
    }),
    ("size", |about| shared(about, |share| plain(&share.item.size))),
    ("files_beneath", |about| {
        shared(about, |share| plain(&share.item.files_beneath))
    }),
    ("classified", |about| {
        shared(about, |share| plain(&share.item.classified))
    }),
    ("labels", |about| {
        shared(about, |share| joined(&share.item.labels))
    }),
    ("drive", |about| shared(about, |share| plain(&share.item.drive))),
    ("owner", |about| shared(about, |share| plain(&share.owner.id))),
    ("owner_name", |about| {
        shared(about, |share| plain(&share.owner.name))
    }),
    ("owner_email", |about| {
        shared(about, |share| plain(&share.owner.email))
    }),
    ("owner_kind", |about| {
        shared(about, |share| plain(&share.owner.kind))
    }),
    ("owner_active", |about| {
        shared(about, |share| plain(&share.owner.active))
    }),
    ("shared_by", |about| {
        shared(about, |share| plain(&share.shared_by.as_ref().map(|by| &by.id)))
    }),
    ("recipients", |about| {
        shared(about, |share| joined(share.recipients.iter().map(address)))
    }),
    ("unknown", |about| shared(about, |share| joined(&share.unknown))),
    ("message", |about| found(about, |finding| plain(&finding.message))),
    ("remedy", |about| {
        found(about, |finding| plain(&finding.remedy.action))
    }),
    ("first_seen", |about| {
        found(about, |finding| plain(&finding.first_seen))
    }),
    ("last_seen", |about| {
        found(about, |finding| plain(&finding.last_seen))
    }),
    ("checked_at", |about| {
        found(about, |finding| plain(&finding.checked_at))
    }),
    ("due", |about| found(about, |finding| plain(&finding.due))),
    ("waiver_reason", |about| {
        waived(about, |waiver| plain(&waiver.reason))
    }),
    ("waiver_approved_by", |about| {
        waived(about, |waiver| plain(&waiver.approved_by))
    }),
    ("waiver_until", |about| {
        waived(about, |waiver| plain(&waiver.until))
    }),
];

fn found(about: &About<'_>, field: fn(&Finding) -> Value) -> Value {
    about.finding.map_or(Value::Null, field)
}

fn shared(about: &About<'_>, field: fn(&Share) -> Value) -> Value {
    about.share.map_or(Value::Null, field)
}

fn waived(about: &About<'_>, field: fn(&WaiverNote) -> Value) -> Value {
    let waiver = about.finding.and_then(|finding| finding.waiver.as_ref());
    waiver.map_or(Value::Null, field)
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
