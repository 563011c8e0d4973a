//! How shares and principals lie in rows, and how they come back as the model's types.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{Result, StoreError, named, number_of, storable, stored};
use crate::model::{
    Access, Expiry, Item, ItemKind, Labels, Principal, PrincipalClass, Share, ShareKind, SourceName,
    short_digest,
};

/// How many principals a [`Loader`] remembers the details of; beyond, it forgets all and reads again.
const REMEMBERED_DETAILS: usize = 1024;

/// Everything of a share that is neither a column nor a row of its own. It is kept as an array of its values in this
/// order ([`Values`]); with their names, as versions before the fourth kept it, it makes the digest.
#[derive(Debug, Serialize, Deserialize)]
struct Body<'a> {
    #[serde(rename = "a")]
    access: u8,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    password: Option<bool>,
    #[serde(rename = "e")]
    expires: Cow<'a, Expiry>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(rename = "i", default, skip_serializing_if = "std::ops::Not::not")]
    inherited: bool,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    label: Option<Cow<'a, str>>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    link: Option<Cow<'a, str>>,
    #[serde(rename = "n", default, skip_serializing_if = "is_empty")]
    unknown: Cow<'a, [String]>,
    #[serde(rename = "t")]
    path: Cow<'a, str>,
    #[serde(rename = "o")]
    path_is_owners: bool,
    #[serde(rename = "k")]
    item_kind: ItemKind,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<i64>,
    /// No part of the digest: who opens a link changes nothing about it.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    opened_by: Vec<i64>,
}

fn is_empty(names: &[String]) -> bool {
    names.is_empty()
}

/// What is kept of a [`Body`]: its values, without the last ones where these are empty.
struct Values<'b>(&'b Body<'b>);

/// Where the rows of the recipients are among [`Values`], for SQL.
pub(super) const RECIPIENTS: &str = "'$[11]'";
/// Where the rows of those are who opened a link.
pub(super) const OPENED_BY: &str = "'$[12]'";

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Body {
            access,
            password,
            expires,
            created_at,
            inherited,
            label,
            link,
            unknown,
            path,
            path_is_owners,
            item_kind,
            recipients,
            opened_by,
        } = self.0;
        let mut values = serializer.serialize_seq(None)?;
        values.serialize_element(access)?;
        values.serialize_element(password)?;
        values.serialize_element(expires)?;
        values.serialize_element(created_at)?;
        values.serialize_element(inherited)?;
        values.serialize_element(label)?;
        values.serialize_element(link)?;
        values.serialize_element(unknown)?;
        values.serialize_element(path)?;
        values.serialize_element(path_is_owners)?;
        values.serialize_element(item_kind)?;
        if !recipients.is_empty() || !opened_by.is_empty() {
            values.serialize_element(recipients)?;
        }
        if !opened_by.is_empty() {
            values.serialize_element(opened_by)?;
        }
        values.end()
    }
}

/// What is kept of a body that an earlier version kept with names.
pub(super) fn values_of(body: &str) -> Result<String> {
    let body: Body<'_> = stored("a share", body)?;
    storable("a share", &Values(&body))
}

/// The rows of what a share names.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) owner: i64,
    pub(super) shared_by: Option<i64>,
    pub(super) item: i64,
    pub(super) recipients: Vec<i64>,
    pub(super) opened_by: Vec<i64>,
}

/// A share as the rows of one version.
#[derive(Debug)]
pub(super) struct VersionRow {
    pub(super) digest: i64,
    pub(super) kind: ShareKind,
    pub(super) anonymous: bool,
    pub(super) owner: i64,
    pub(super) shared_by: Option<i64>,
    pub(super) item: i64,
    pub(super) body: String,
}

impl VersionRow {
    /// The row of a share; `path` is the item's at its owner's, where it is known and the share tells another.
    pub(super) fn of(share: &Share, path: Option<&str>, rows: Rows) -> Result<Self> {
        let Rows {
            owner,
            shared_by,
            item,
            recipients,
            opened_by,
        } = rows;
        let written = Body {
            access: share.access.bits(),
            password: share.password,
            expires: Cow::Borrowed(&share.expires),
            created_at: share.created_at.map(Timestamp::as_second),
            inherited: share.inherited,
            label: share.label.as_deref().map(Cow::Borrowed),
            link: share.link.as_deref().map(Cow::Borrowed),
            unknown: Cow::Borrowed(&share.unknown),
            path: Cow::Borrowed(path.unwrap_or(&share.item.path)),
            path_is_owners: path.is_some() || share.item.path_is_owners,
            item_kind: share.item.kind,
            recipients,
            opened_by: Vec::new(),
        };
        Self::seal(
            share.kind,
            share.anonymous,
            (owner, shared_by, item),
            written,
            opened_by,
        )
    }

    /// A version with its item's path in place of the one it has.
    pub(super) fn placed(self, path: &str, path_is_owners: bool) -> Result<Self> {
        let mut written: Body<'_> = stored("a share", &self.body)?;
        written.path = Cow::Borrowed(path);
        written.path_is_owners = path_is_owners;
        let opened_by = std::mem::take(&mut written.opened_by);
        let rows = (self.owner, self.shared_by, self.item);
        Self::seal(self.kind, self.anonymous, rows, written, opened_by)
    }

    /// Writes what a share says, and the digest of what it is judged by.
    fn seal(
        kind: ShareKind,
        anonymous: bool,
        (owner, shared_by, item): (i64, Option<i64>, i64),
        mut written: Body<'_>,
        opened_by: Vec<i64>,
    ) -> Result<Self> {
        let judged_by = storable("a share", &written)?;
        let columns = format!(
            "{kind} {anonymous} {owner} {} {item}",
            shared_by.unwrap_or_default()
        );
        let digest = number_of(&short_digest([columns.as_str(), judged_by.as_str()]));
        written.opened_by = opened_by;
        let body = storable("a share", &Values(&written))?;
        Ok(Self {
            digest,
            kind,
            anonymous,
            owner,
            shared_by,
            item,
            body,
        })
    }
}

macro_rules! share_id {
    () => {
        "CASE s.follows WHEN 1 THEN (SELECT p.key || '/' || b.key FROM item b JOIN place p ON p.id = b.place
             WHERE b.id = s.item) || '/' || s.key ELSE s.key END"
    };
}
pub(super) use share_id;

/// The id of `share s`.
pub(super) const SHARE_ID: &str = share_id!();

/// The columns that [`Loader::share`] reads, from `share s`, `share_version v` and `item i`.
pub(super) const SHARE_COLUMNS: &str = concat!(
    share_id!(),
    ", v.kind, v.anonymous, v.owner, v.shared_by, v.body, i.key,
     COALESCE((SELECT key FROM place WHERE id = i.place), ''), i.size, i.labels, i.labels_complete, i.labels_policy,
     i.files_beneath"
);

/// Turns rows back into shares; remembers the principals of one page.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    connection: &'a Connection,
    source: SourceName,
    /// Labels looked up under other classes than these do not count.
    classes: String,
    principals: HashMap<i64, Principal>,
}

/// A share's columns before the principals are looked up.
#[derive(Debug)]
pub(super) struct RawShare {
    key: String,
    kind: String,
    anonymous: bool,
    owner: i64,
    shared_by: Option<i64>,
    body: Option<String>,
    item: String,
    drive: String,
    size: Option<i64>,
    labels: Option<String>,
    labels_complete: bool,
    labels_policy: Option<String>,
    files_beneath: Option<i64>,
}

impl RawShare {
    /// The service's own id.
    pub(super) fn id(&self) -> &str {
        &self.key
    }

    /// The service's own id of the item.
    pub(super) fn item(&self) -> &str {
        &self.item
    }

    /// Whether it stands for a node of which is known only that it is shared.
    pub(super) fn is_shared_node(&self) -> bool {
        self.key.starts_with("file/")
    }

    /// The scope that shows it, where that is a drive.
    pub(super) fn drive(&self) -> Option<&str> {
        Some(self.drive.as_str()).filter(|drive| !drive.is_empty())
    }

    /// Reads [`SHARE_COLUMNS`], the first of which is at `at`.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(at)?,
            kind: row.get(at + 1)?,
            anonymous: row.get(at + 2)?,
            owner: row.get(at + 3)?,
            shared_by: row.get(at + 4)?,
            body: row.get(at + 5)?,
            item: row.get(at + 6)?,
            drive: row.get(at + 7)?,
            size: row.get(at + 8)?,
            labels: row.get(at + 9)?,
            labels_complete: row.get(at + 10)?,
            labels_policy: row.get(at + 11)?,
            files_beneath: row.get(at + 12)?,
        })
    }
}

impl<'a> Loader<'a> {
    pub(super) fn new(connection: &'a Connection, source: SourceName, classes: &str) -> Self {
        Self {
            connection,
            source,
            classes: classes.to_owned(),
            principals: HashMap::new(),
        }
    }

    /// The share of a row; `None` where only its digest was kept.
    pub(super) fn share(&mut self, raw: RawShare) -> Result<Option<Share>> {
        let Some(body) = raw.body else { return Ok(None) };
        let body: Body<'_> = stored("a share", &body)?;
        let labels = match raw.labels {
            Some(found) if raw.labels_policy.as_deref() == Some(&self.classes) => {
                let found: BTreeSet<String> = stored("labels", &found)?;
                Some(Labels {
                    found,
                    complete: raw.labels_complete,
                })
            }
            _ => None,
        };
        let mut people = |rows: &[i64]| rows.iter().map(|row| self.principal(*row)).collect::<Result<_>>();
        let (recipients, opened_by) = (people(&body.recipients)?, people(&body.opened_by)?);
        Ok(Some(Share {
            source: self.source.clone(),
            id: raw.key,
            kind: named("a kind of share", &raw.kind)?,
            anonymous: raw.anonymous,
            item: Item {
                id: raw.item,
                path: body.path.into_owned(),
                path_is_owners: body.path_is_owners,
                kind: body.item_kind,
                size: raw.size.and_then(|size| u64::try_from(size).ok()),
                files_beneath: raw.files_beneath.and_then(|count| u64::try_from(count).ok()),
                drive: (!raw.drive.is_empty()).then_some(raw.drive),
                labels,
            },
            owner: self.principal(raw.owner)?,
            shared_by: raw.shared_by.map(|row| self.principal(row)).transpose()?,
            recipients,
            opened_by,
            access: Access::from_bits(body.access),
            password: body.password,
            expires: body.expires.into_owned(),
            created_at: body
                .created_at
                .and_then(|second| Timestamp::from_second(second).ok()),
            inherited: body.inherited,
            label: body.label.map(Cow::into_owned),
            link: body.link.map(Cow::into_owned),
            unknown: body.unknown.into_owned(),
        }))
    }

    fn principal(&mut self, row: i64) -> Result<Principal> {
        if let Some(known) = self.principals.get(&row) {
            return Ok(known.clone());
        }
        let found = principal_by_row(self.connection, row)?
            .ok_or(StoreError::Sqlite(rusqlite::Error::QueryReturnedNoRows))?;
        if self.principals.len() >= REMEMBERED_DETAILS {
            self.principals.clear();
        }
        self.principals.insert(row, found.clone());
        Ok(found)
    }
}

/// The row of a share, by the service's own id of it.
pub(super) fn share_row(connection: &Connection, source: i64, id: &str) -> Result<Option<i64>> {
    let mut classes = vec![source];
    for (end, _) in id.match_indices('/') {
        let drive = id.get(..end);
        classes.extend(
            connection
                .prepare_cached("SELECT id FROM place WHERE source = ?1 AND key = ?2")?
                .query_row(params![source, drive], |row| row.get::<_, i64>(0))
                .optional()?,
        );
    }
    for class in classes {
        let found = connection
            .prepare_cached(&format!(
                "SELECT s.id FROM share s WHERE s.tag = ?1 AND s.source = ?2 AND {SHARE_ID} = ?3"
            ))?
            .query_row(params![super::tag_of(class, id), source, id], |row| row.get(0))
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The rows of the principals whom the body of a version names: recipients, and those who opened it.
pub(super) fn named_in(body: &str) -> Result<Vec<i64>> {
    let body: Body<'_> = stored("a share", body)?;
    Ok([body.recipients, body.opened_by].concat())
}

/// The shares that have an id, in whichever source: their rows and their sources'.
pub(super) fn find_shares(connection: &Connection, id: &str) -> Result<Vec<(i64, i64)>> {
    let sources = connection
        .prepare_cached("SELECT id FROM source ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut found = Vec::new();
    for source in sources {
        found.extend(share_row(connection, source, id)?.map(|row| (row, source)));
    }
    Ok(found)
}

/// The path that an item has at its owner's, where the current version of a share tells it.
pub(super) fn owners_path(
    connection: &Connection,
    share: i64,
    owner: i64,
    item: i64,
) -> Result<Option<String>> {
    let body: Option<String> = connection
        .prepare_cached(
            "SELECT body FROM share_version
             WHERE share = ?1 AND to_run IS NULL AND owner = ?2 AND item = ?3 AND body IS NOT NULL",
        )?
        .query_row(params![share, owner, item], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    let body: Body<'_> = stored("a share", &body)?;
    Ok(body.path_is_owners.then(|| body.path.into_owned()))
}

/// The principal in a row.
pub(super) fn principal_by_row(connection: &Connection, row: i64) -> Result<Option<Principal>> {
    type Columns = (
        String,
        String,
        Option<String>,
        Option<String>,
        [Option<bool>; 3],
        bool,
    );
    type More = (
        Option<String>,
        [Option<i64>; 2],
        Option<String>,
        Option<String>,
        [Option<String>; 2],
    );
    let found: Option<(Columns, More)> = connection
        .prepare_cached(
            "SELECT class, key, name, email, guest, active, signed_in, gone, groups, members, outsiders, zone, language,
                 answered_by, manager FROM principal WHERE id = ?1",
        )?
        .query_row([row], |row| {
            Ok((
                (
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    [row.get(4)?, row.get(5)?, row.get(6)?],
                    row.get(7)?,
                ),
                (
                    row.get(8)?,
                    [row.get(9)?, row.get(10)?],
                    row.get(11)?,
                    row.get(12)?,
                    [row.get(13)?, row.get(14)?],
                ),
            ))
        })
        .optional()?;
    let Some((who, (groups, [members, outsiders], zone, language, [answered_by, manager]))) = found else {
        return Ok(None);
    };
    let (class, id, name, email, [guest, active, signed_in], gone) = who;
    let list =
        |list: Option<String>| list.map_or_else(|| Ok(Vec::new()), |list| stored("a list of names", &list));
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    Ok(Some(Principal {
        class: named("a class of principal", &class)?,
        id,
        name,
        email,
        guest,
        active,
        gone,
        signed_in,
        groups: list(groups)?,
        members: count(members),
        outsiders: count(outsiders),
        answered_by: list(answered_by)?,
        zone,
        language,
        manager,
    }))
}

/// Writes what the service itself told of a principal; everything told before is replaced.
pub(super) fn tell_principal(
    connection: &Connection,
    source: i64,
    run: i64,
    told: &Principal,
) -> Result<i64> {
    let list = |names: &Vec<String>| {
        let some = (!names.is_empty()).then(|| storable("a list of names", names));
        some.transpose()
    };
    let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    connection
        .prepare_cached(
            "INSERT INTO principal (source, class, key, name, email, guest, active, gone, signed_in, groups, members,
                                    zone, language, told_run, outsiders, answered_by, manager)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             ON CONFLICT (source, class, key) DO UPDATE SET name = excluded.name, email = excluded.email,
                 guest = excluded.guest, active = excluded.active, gone = excluded.gone,
                 signed_in = excluded.signed_in, groups = excluded.groups,
                 members = COALESCE(excluded.members, members), zone = excluded.zone, language = excluded.language,
                 outsiders = COALESCE(excluded.outsiders, outsiders), answered_by = excluded.answered_by,
                 manager = COALESCE(excluded.manager, manager),
                 told_run = max(COALESCE(told_run, 0), excluded.told_run),
                 changed_run = CASE WHEN active <> excluded.active OR gone <> excluded.gone THEN excluded.told_run
                     ELSE changed_run END",
        )?
        .execute(params![
            source,
            told.class.as_str(),
            told.id,
            told.name,
            told.email,
            told.guest,
            told.active,
            told.gone,
            told.signed_in,
            list(&told.groups)?,
            count(told.members),
            told.zone,
            told.language,
            run,
            count(told.outsiders),
            list(&told.answered_by)?,
            told.manager
        ])?;
    Ok(connection
        .prepare_cached("SELECT id FROM principal WHERE source = ?1 AND class = ?2 AND key = ?3")?
        .query_row(params![source, told.class.as_str(), told.id], |row| row.get(0))?)
}

/// The row of a principal that a share names in a run; fills in a name or address that was not known.
pub(super) fn mention_principal(
    connection: &Connection,
    source: i64,
    run: i64,
    named: &Principal,
) -> Result<i64> {
    let class: PrincipalClass = named.class;
    let known: Option<(i64, bool, bool, bool)> = connection
        .prepare_cached(
            "SELECT id, name IS NULL, email IS NULL, COALESCE(named_run, 0) < ?4 FROM principal
             WHERE source = ?1 AND class = ?2 AND key = ?3",
        )?
        .query_row(params![source, class.as_str(), named.id, run], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    match known {
        Some((row, nameless, addressless, anew)) => {
            if anew || (nameless && named.name.is_some()) || (addressless && named.email.is_some()) {
                connection
                    .prepare_cached(
                        "UPDATE principal SET name = COALESCE(name, ?2), email = COALESCE(email, ?3),
                             named_run = max(COALESCE(named_run, 0), ?4) WHERE id = ?1",
                    )?
                    .execute(params![row, named.name, named.email, run])?;
            }
            Ok(row)
        }
        None => Ok(connection
            .prepare_cached(
                "INSERT INTO principal (source, class, key, name, email, guest, active, gone, named_run)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .insert(params![
                source,
                class.as_str(),
                named.id,
                named.name,
                named.email,
                named.guest,
                named.active,
                named.gone,
                run
            ])?),
    }
}
