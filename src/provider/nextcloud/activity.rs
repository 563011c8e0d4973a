//! What the activity app has on record of the use of links.
//!
//! As observed on a real Nextcloud 32.0.1: whoever fetches a file or a folder through a link leaves an entry of type
//! `public_links` with its maker and its owner, through a mail share one that names the address; who only looks at a list
//! leaves none. The filter `by` leaves out what people did themselves. Entries of one hour and one address are told as one
//! that names all files, a file that was fetched twice once; no entry tells the link, nor an address. An empty list is a 304.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Nextcloud;
use super::ocs::{self, Ocs};
use crate::http::StatusCode;
use crate::model::{ItemKind, LinkUse, Look, Origin, Problem, ProblemCode, Reading, ShareKind};
use crate::provider::{Collector, ReadError, Sink};

/// How many entries are asked for at once; the server gives no more.
const PAGE: &str = "200";
/// How many pages of an account's entries are read.
const PAGES: usize = 50;
/// Entries are read again from so long before the last look: they are written after what they tell of.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

impl Nextcloud {
    /// Asks for the entries of each owner of such links.
    pub(super) async fn witness_all(
        &self,
        looks: Vec<Look>,
        now: Timestamp,
        sink: &Sink,
    ) -> Result<(), ReadError> {
        let mut by_owner: BTreeMap<String, Vec<Look>> = BTreeMap::new();
        for look in looks {
            by_owner
                .entry(look.share.owner.id.clone())
                .or_default()
                .push(look);
        }
        for (owner, looks) in by_owner {
            let mut collector = sink.of(None);
            if self.disabled().contains(&owner) {
                let words = "whether links of a disabled account were used cannot be asked";
                collector
                    .push(problem(&owner, ProblemCode::EvidenceUnavailable, words))
                    .await?;
            } else if let Err(error) = witness(&self.ocs, (&owner, &looks), now, &mut collector).await {
                if error.concerns_source() {
                    return Err(error);
                }
                let ReadError::Service { code, message } = error else {
                    return Err(error);
                };
                let code = if matches!(code, ProblemCode::Forbidden | ProblemCode::Unauthorized) {
                    ProblemCode::EvidenceUnavailable
                } else {
                    ProblemCode::EvidenceUnreadable
                };
                let words = format!("whether its links were used could not be asked: {message}");
                collector.push(problem(&owner, code, &words)).await?;
            }
            collector.flush().await?;
        }
        Ok(())
    }
}

fn problem(scope: &str, code: ProblemCode, words: &str) -> Reading {
    Reading::Problem(Problem::new(scope, code, words))
}

/// Reads the entries of an account back to when all was told of the links given.
async fn witness(
    ocs: &Ocs,
    (owner, looks): (&str, &[Look]),
    now: Timestamp,
    collector: &mut Collector<'_>,
) -> Result<(), ReadError> {
    let from = looks.iter().map(from).min().unwrap_or(now);
    let mut until = None;
    let mut before = String::new();
    for _ in 0..PAGES {
        let query = [("limit", PAGE), ("sort", "desc"), ("since", before.as_str())];
        let query = if before.is_empty() {
            &query[..2]
        } else {
            &query[..]
        };
        let path = ["apps", "activity", "api", "v2", "activity", "by"];
        let request = ocs.signed(ocs.ocs(&path, query)?, owner)?;
        let answer = ocs.http.send(&request).await?;
        until = until.or_else(|| crate::provider::checks::date(&answer));
        let entries: Vec<Value> = match answer.status {
            StatusCode::OK => ocs::decode(&request, &answer.headers, &answer.body)?,
            StatusCode::NOT_MODIFIED => Vec::new(),
            _ => return Err(ocs::refusal(&request, &answer)),
        };
        let mut oldest = None;
        for entry in &entries {
            let at = time(entry).ok_or_else(|| {
                let words = format!("{}: an entry has no time", request.place());
                ReadError::service(ProblemCode::Malformed, words)
            })?;
            oldest = Some(oldest.map_or(at, |oldest: Timestamp| oldest.min(at)));
            let Some(entry) = Entry::of(entry, at) else {
                continue;
            };
            for look in looks.iter().filter(|look| entry.is_about(look)) {
                collector
                    .push(Reading::Used(entry.of_link(&look.share.id)))
                    .await?;
            }
        }
        let next = answer.header("x-activity-last-given").unwrap_or_default();
        if oldest.is_none_or(|oldest| oldest < from) || !has_more(&answer) || next == before {
            let until = until.unwrap_or(now);
            for look in looks {
                let share = look.share.id.clone();
                collector.push(Reading::Looked { share, until }).await?;
            }
            return Ok(());
        }
        next.clone_into(&mut before);
    }
    Err(ReadError::service(
        ProblemCode::TooLarge,
        "there are more entries than are read in one night",
    ))
}

/// From when on entries are of interest.
fn from(look: &Look) -> Timestamp {
    let since = look.since.and_then(|since| since.checked_sub(OVERLAP).ok());
    since.max(look.share.created_at).unwrap_or(Timestamp::MIN)
}

fn has_more(answer: &crate::http::Answer) -> bool {
    answer
        .header("link")
        .is_some_and(|link| link.contains("rel=\"next\""))
}

pub(super) fn time(entry: &Value) -> Option<Timestamp> {
    entry.get("datetime")?.as_str()?.parse().ok()
}

/// An entry that tells of files that were fetched.
pub(super) struct Entry {
    id: String,
    at: Timestamp,
    /// The files and folders, by id, with their paths at their owner's.
    objects: BTreeMap<String, String>,
    /// Whom the link was mailed to.
    address: Option<String>,
}

impl Entry {
    pub(super) fn of(entry: &Value, at: Timestamp) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        if text("type") != Some("public_links") {
            return None;
        }
        let number = |name: &str| entry.get(name).and_then(Value::as_u64).map(|id| id.to_string());
        let mut objects: BTreeMap<String, String> = entry
            .get("objects")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(id, path)| Some((id.clone(), path.as_str()?.to_owned())))
            .collect();
        if let Some(id) = number("object_id") {
            objects
                .entry(id)
                .or_insert_with(|| text("object_name").unwrap_or_default().to_owned());
        }
        let address = entry.pointer("/subject_rich/1/email/id").and_then(Value::as_str);
        Some(Self {
            id: number("activity_id")?,
            at,
            objects,
            address: address.map(str::to_lowercase),
        })
    }

    /// Whether it may tell of the use of a link: of its item, or of something beneath it, in the way that it is shared.
    pub(super) fn is_about(&self, look: &Look) -> bool {
        let share = &look.share;
        let way = match (&self.address, share.kind) {
            (Some(address), ShareKind::Mail) => share
                .recipients
                .iter()
                .any(|whom| whom.id.to_lowercase() == *address),
            (None, kind) => kind == ShareKind::Link,
            (Some(_), _) => false,
        };
        let since = look.since.and_then(|since| since.checked_sub(OVERLAP).ok());
        let in_time =
            since.is_none_or(|since| self.at >= since) && share.created_at.is_none_or(|made| self.at >= made);
        way && in_time
            && self.objects.iter().any(|(id, path)| {
                *id == share.item.id
                    || (share.item.kind != ItemKind::File
                        && share.item.path_is_owners
                        && path
                            .strip_prefix(share.item.path.trim_end_matches('/'))
                            .is_some_and(|rest| rest.starts_with('/')))
            })
    }

    fn of_link(&self, share: &str) -> LinkUse {
        LinkUse {
            share: share.to_owned(),
            record: self.id.clone(),
            at: self.at,
            origin: Origin::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Access, Expiry, Item, Principal, PrincipalClass, Right, Share, SourceName};

    /// An open link to a file of alice's.
    fn link(path: &str) -> Share {
        Share {
            source: SourceName::new("cloud"),
            id: "17".to_owned(),
            kind: ShareKind::Link,
            anonymous: true,
            item: Item {
                id: "1".to_owned(),
                path: path.to_owned(),
                path_is_owners: true,
                kind: ItemKind::File,
                size: None,
                files_beneath: None,
                drive: None,
                labels: None,
            },
            owner: Principal::new(PrincipalClass::Account, "alice"),
            shared_by: None,
            recipients: Vec::new(),
            opened_by: Vec::new(),
            access: Access::of(&[Right::View]),
            password: Some(false),
            expires: Expiry::Never,
            created_at: None,
            inherited: false,
            label: None,
            link: None,
            unknown: Vec::new(),
        }
    }

    fn folder(mut share: Share) -> Share {
        share.item.kind = ItemKind::Folder;
        share
    }

    /// The entry of a recorded answer.
    fn recorded(answer: &str) -> (Value, Entry) {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let entry = answer.pointer("/ocs/data/0").unwrap().clone();
        let read = Entry::of(&entry, time(&entry).unwrap()).unwrap();
        (entry, read)
    }

    fn look(id: &str, mut share: Share) -> Look {
        share.item.id = id.to_owned();
        Look {
            share,
            since: None,
            pending: None,
        }
    }

    #[test]
    fn an_entry_counts_for_what_is_shared_in_the_way_that_was_used() {
        let of_link = recorded(include_str!(
            "../../../fixtures/wire/nextcloud/m02_activity_by_link.json"
        ))
        .1;
        let of_mail = recorded(include_str!(
            "../../../fixtures/wire/nextcloud/m01_activity_by_mail.json"
        ))
        .1;
        let mailed = |to: &str| Share {
            kind: ShareKind::Mail,
            recipients: vec![Principal::new(PrincipalClass::Address, to)],
            ..link("/HR/two.txt")
        };
        let younger = |mut look: Look, by: i64| {
            look.share.created_at = Some(of_link.at + SignedDuration::from_secs(by));
            look
        };
        for (what, entry, look, expected) in [
            (
                "the folder itself",
                &of_link,
                look("363342", folder(link("/HR"))),
                true,
            ),
            (
                "another, renamed",
                &of_link,
                look("363342", folder(link("/Else"))),
                true,
            ),
            ("a file in it", &of_link, look("9", link("/HR/one.txt")), false),
            (
                "mailed",
                &of_link,
                look("363342", mailed("someone@example.net")),
                false,
            ),
            (
                "a file, mailed",
                &of_mail,
                look("363346", mailed("Someone@example.net")),
                true,
            ),
            (
                "mailed to another",
                &of_mail,
                look("363346", mailed("other@example.net")),
                false,
            ),
            (
                "a link to the mailed file",
                &of_mail,
                look("363346", link("/HR/two.txt")),
                false,
            ),
            (
                "made later",
                &of_link,
                younger(look("363342", folder(link("/HR"))), 1),
                false,
            ),
            (
                "made before",
                &of_link,
                younger(look("363342", folder(link("/HR"))), -1),
                true,
            ),
        ] {
            assert_eq!(entry.is_about(&look), expected, "{what}");
        }
    }

    #[test]
    fn what_lies_beneath_a_folder_counts_for_it_and_what_only_begins_alike_does_not() {
        let (mut entry, read) = recorded(include_str!(
            "../../../fixtures/wire/nextcloud/m02_activity_by_link.json"
        ));
        entry["objects"] = serde_json::json!({"7": "/HR/sub/pay.ods", "8": "/HRx/a"});
        let entry = Entry::of(&entry, read.at).unwrap();
        for (path, expected) in [("/HR/sub", true), ("/", true), ("/HR/su", false), ("/H", false)] {
            assert_eq!(entry.is_about(&look("1", folder(link(path)))), expected, "{path}");
        }
        let mut of_others = folder(link("/HR/sub"));
        of_others.item.path_is_owners = false;
        assert!(
            !entry.is_about(&look("1", of_others)),
            "a path elsewhere says nothing"
        );
    }

    #[test]
    fn any_entry_is_read_or_left() {
        for (entry, expected) in [
            (serde_json::json!({}), false),
            (serde_json::json!({"type": "public_links"}), false),
            (serde_json::json!({"type": "shared", "activity_id": 1}), false),
            (
                serde_json::json!({"type": "public_links", "activity_id": 1, "objects": []}),
                true,
            ),
            (
                serde_json::json!({"type": "public_links", "activity_id": 1, "objects": {"a": 7}, "subject_rich": 9}),
                true,
            ),
        ] {
            assert_eq!(
                Entry::of(&entry, Timestamp::UNIX_EPOCH).is_some(),
                expected,
                "{entry}"
            );
        }
        for entry in [
            serde_json::json!({}),
            serde_json::json!({"datetime": "yesterday"}),
        ] {
            assert_eq!(time(&entry), None);
        }
    }
}
