//! Traces of use: the activity entries of link downloads, and download limits.
//!
//! Entries stay when their share is gone. Those of the same hour that follow one another are told as one, as the server does
//! for what one address fetched: it names each file once, has the id of the oldest and the time of the newest.

use std::sync::Arc;

use super::Nextcloud;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::shares::{MAIL, Share};
use super::tree::{Tree, map};

/// The most entries of one answer, and the most files of one entry.
const MOST: usize = 200;
const FILES: usize = 5;
/// The id of the first entry.
const FIRST: u64 = 1;

/// That somebody fetched a file or folder through a link.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    at: i64,
    share: u64,
    file: u64,
    owner: Arc<str>,
    initiator: Arc<str>,
    /// Whom the link was mailed to.
    address: Option<String>,
}

impl Use {
    /// Whether the server would tell it together with the one before.
    fn goes_with(&self, other: &Self) -> bool {
        self.at / 3600 == other.at / 3600 && self.address == other.address
    }
}

/// `GET /apps/activity/api/v2/activity/{all,by,filter}`.
pub(crate) fn route(server: &Nextcloud, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    if !server.has_app("activity") {
        return Err(Refusal::route());
    }
    let number = |name: &str| {
        call.request
            .query(name)
            .and_then(|value| value.parse::<u64>().ok())
    };
    let file = match rest {
        ["all" | "by"] => None,
        ["filter"] => number("object_id"),
        _ => return Err(Refusal::Status(404, String::new())),
    };
    let is_theirs = |one: &Use| *one.owner == *account || *one.initiator == *account;
    let mut known: Vec<(u64, &Use)> = server
        .uses
        .iter()
        .enumerate()
        .map(|(place, one)| (FIRST + place as u64, one))
        .collect();
    let since = number("since").filter(|since| *since > 0);
    if let Some((_, last)) = known.iter().find(|(id, _)| Some(*id) == since) {
        if !is_theirs(last) {
            return Err(Refusal::Status(403, String::new()));
        }
        let at = last.at;
        known.retain(|(id, one)| one.at <= at && Some(*id) < since);
    }
    known.retain(|(_, one)| is_theirs(one) && file.is_none_or(|file| one.file == file));
    known.sort_by_key(|(id, one)| std::cmp::Reverse((one.at, *id)));
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(50).min(MOST);
    let more = known.len() > limit;
    known.truncate(limit);
    let Some((oldest, _)) = known.last() else {
        return Ok(Found::Unchanged);
    };
    let mut headers = vec![("X-Activity-Last-Given".to_owned(), oldest.to_string())];
    if more {
        let path = &call.request.path;
        let next = format!(
            "<{}{path}?since={oldest}&limit={limit}&sort=desc&format=json>; rel=\"next\"",
            call.request.base()
        );
        headers.push(("Link".to_owned(), next));
    }
    let entries = merged(&known)
        .into_iter()
        .map(|group| server.entry(group, &account));
    Ok(Found::Page(Tree::List(entries.collect()), headers))
}

/// What is told together.
fn merged<'a>(known: &'a [(u64, &'a Use)]) -> Vec<&'a [(u64, &'a Use)]> {
    let mut groups = Vec::new();
    for group in known.chunk_by(|(_, one), (_, other)| one.goes_with(other)) {
        let mut rest = group;
        while !rest.is_empty() {
            let mut files = std::collections::BTreeSet::new();
            let end = rest.iter().position(|(_, one)| {
                files.insert(one.file);
                files.len() > FILES
            });
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            groups.push(now);
            rest = later;
        }
    }
    groups
}

/// `GET /apps/files_downloadlimit/api/v1/{token}/limit`.
pub(crate) fn download_limit(server: &Nextcloud, call: &Call<'_>, token: &str) -> Outcome {
    let account = call.account()?;
    let share = server
        .shares
        .by_token(token)
        .filter(|share| share.belongs_to(&account));
    let share = share.ok_or_else(|| Refusal::new(404, ""))?;
    let count = share.download_limit.map(|_| Tree::from(share.downloads.len()));
    Ok(Found::Data(map([
        ("limit", share.download_limit.into()),
        ("count", count.unwrap_or(Tree::Null)),
    ])))
}

impl Nextcloud {
    /// Remembers that a link was used, unless that is known.
    pub(crate) fn note_use(&mut self, share: &Share, file: u64, at: i64) {
        self.uses.push(Use {
            at,
            share: share.id,
            file,
            owner: share.owner.clone(),
            initiator: share.initiator.clone(),
            address: share.recipient.clone().filter(|_| share.kind == MAIL),
        });
    }

    /// Remembers the downloads that a world states of a share.
    pub(crate) fn note_stated(&mut self, share: &Share) {
        let Some(file) = share.file else { return };
        for at in &share.downloads {
            let is_known = self.uses.iter().any(|one| one.share == share.id && one.at == *at);
            if !is_known {
                self.note_use(share, file, *at);
            }
        }
    }

    /// What was fetched in one go, as its owner or sharer is told of it.
    fn entry(&self, group: &[(u64, &Use)], account: &str) -> Tree {
        let path = |file: u64| self.files.path(file);
        let mut files: Vec<u64> = Vec::new();
        for (_, one) in group {
            if !files.contains(&one.file) {
                files.push(one.file);
            }
        }
        let shown = |file: u64| {
            let path = path(file);
            map([
                ("type", "file".into()),
                ("id", file.to_string().into()),
                ("name", path.rsplit('/').next().unwrap_or_default().into()),
                ("path", path.trim_start_matches('/').into()),
                ("link", format!("http://localhost/index.php/f/{file}").into()),
            ])
        };
        let address = group.first().and_then(|(_, one)| one.address.clone());
        let mut rich = Tree::Map(Vec::new());
        if let [file] = files.as_slice() {
            rich.set("file", shown(*file));
        } else {
            for (place, file) in files.iter().rev().enumerate() {
                rich.set(format!("file{}", place + 1), shown(*file));
            }
        }
        let subject = if let Some(address) = &address {
            rich.set(
                "email",
                map([
                    ("type", "email".into()),
                    ("id", address.as_str().into()),
                    ("name", address.as_str().into()),
                ]),
            );
            "{email} downloaded {file}"
        } else {
            rich.set(
                "remote-address-hash",
                map([
                    ("type", "highlight".into()),
                    ("id", "80ce10fa3fcbe62d34e70ab41f0882bf".into()),
                    ("name", "80ce10fa3fcbe62d34e70ab41f0882bf".into()),
                    ("link", "".into()),
                ]),
            );
            "{file} downloaded via public link"
        };
        let (id, first) = group.last().map_or((0, 0), |(id, one)| (*id, one.file));
        let at = group.first().map_or(0, |(_, one)| one.at);
        let time = jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let zoned = time.to_zoned(self.zone(account));
        let mut objects = Tree::Map(Vec::new());
        for file in &files {
            objects.set(file.to_string(), path(*file).as_str().into());
        }
        map([
            ("activity_id", id.into()),
            ("app", "files_sharing".into()),
            ("type", "public_links".into()),
            ("user", "".into()),
            ("subject", "downloaded via public link".into()),
            ("subject_rich", Tree::List(vec![subject.into(), rich])),
            ("message", "".into()),
            (
                "message_rich",
                Tree::List(vec!["".into(), Tree::List(Vec::new())]),
            ),
            ("object_type", "files".into()),
            ("object_id", first.into()),
            ("object_name", path(first).as_str().into()),
            ("objects", objects),
            ("link", "http://localhost/index.php/apps/files/?dir=/".into()),
            ("icon", "http://localhost/core/img/actions/download.svg".into()),
            (
                "datetime",
                zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().into(),
            ),
        ])
    }
}
