//! What WebDAV tells of nodes: which are shared in a home whose list of shares is refused, which carry a tag, which
//! a search finds, and what lies beneath a folder.

use std::time::Duration;

use super::dav::{Multistatus, Resource};
use super::ocs::{Depth, Ocs};
use crate::http::{Method, Request, StatusCode};
use crate::model::{
    Access, Expiry, Item, ItemKind, Principal, PrincipalClass, ProblemCode, Share, ShareKind, SourceName,
};
use crate::provider::ReadError;

/// How many nodes of a tree are looked at before it is called too large.
pub(super) const MAX_NODES: u64 = 1_000_000;
/// How many nodes of one home may carry a tag.
const MAX_TAGGED: usize = 100_000;
/// How long the reading of one tree may take.
const TREE_TIME: Duration = Duration::from_mins(30);
/// How many bytes a tree's answer may have.
const TREE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

const SHARED: &str = r#"<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>
<d:resourcetype/><oc:fileid/><oc:owner-id/><oc:owner-display-name/><oc:size/><oc:share-types/></d:prop></d:propfind>"#;

const NAMES: &str = r#"<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>
<d:resourcetype/><oc:size/></d:prop></d:propfind>"#;

const TAGS: &str = r#"<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>
<oc:id/><oc:display-name/><oc:user-visible/></d:prop></d:propfind>"#;

/// A method of WebDAV that HTTP itself does not have.
fn method(name: &str) -> Result<Method, ReadError> {
    Method::from_bytes(name.as_bytes())
        .map_err(|error| ReadError::service(ProblemCode::Malformed, error.to_string()))
}

/// A tree read node by node.
pub(super) struct Tree {
    answer: Multistatus,
    /// `/remote.php/dav/files/ACCOUNT`, decoded.
    root: String,
    place: String,
    nodes: u64,
}

impl Tree {
    async fn open(ocs: &Ocs, account: &str, folder: &str, properties: &str) -> Result<Self, ReadError> {
        let mut path = vec!["files", account];
        path.extend(folder.split('/').filter(|segment| !segment.is_empty()));
        let request = ocs.dav(method("PROPFIND")?, &path, Depth::Infinity, properties)?;
        Self::read(ocs, account, request).await
    }

    async fn read(ocs: &Ocs, account: &str, request: Request) -> Result<Self, ReadError> {
        let request = ocs
            .signed(request, account)?
            .within(TREE_TIME)
            .max_body(TREE_BYTES);
        let place = request.place().to_string();
        let answer = Multistatus::new(ocs.open(&request, StatusCode::MULTI_STATUS).await?);
        Ok(Self {
            answer,
            root: root(ocs, account),
            place,
            nodes: 0,
        })
    }

    /// The shared nodes of a home, and all others, each with the path from its root.
    pub(super) async fn of_home(ocs: &Ocs, account: &str) -> Result<Self, ReadError> {
        Self::open(ocs, account, "", SHARED).await
    }

    /// The nodes beneath a folder and the folder itself; a folder into which the server has not looked has no size.
    pub(super) async fn of_folder(ocs: &Ocs, account: &str, folder: &str) -> Result<Self, ReadError> {
        Self::open(ocs, account, folder, NAMES).await
    }

    /// The nodes of an account's home that a search finds, in any order.
    pub(super) async fn of_search(ocs: &Ocs, account: &str, search: &str) -> Result<Self, ReadError> {
        let request = ocs.dav(method("SEARCH")?, &[""], Depth::Infinity, search)?;
        Self::read(ocs, account, request).await
    }

    /// The next node with its path; [`ProblemCode::TooManyFiles`] beyond [`MAX_NODES`].
    pub(super) async fn next(&mut self) -> Result<Option<(String, Resource)>, ReadError> {
        if self.nodes >= MAX_NODES {
            return Err(ReadError::service(
                ProblemCode::TooManyFiles,
                format!(
                    "{}: more than {MAX_NODES} files and folders; the rest was not looked at",
                    self.place
                ),
            ));
        }
        let Some(resource) = self
            .answer
            .next()
            .await
            .map_err(|error| placed(error, &self.place))?
        else {
            return Ok(None);
        };
        self.nodes += 1;
        Ok(Some((path(&self.root, &resource.href), resource)))
    }
}

/// Says where an error arose that does not know.
fn placed(error: ReadError, place: &str) -> ReadError {
    match error {
        ReadError::Service { code, message } if !message.starts_with(place) => ReadError::Service {
            code,
            message: format!("{place}: {message}"),
        },
        other => other,
    }
}

fn root(ocs: &Ocs, account: &str) -> String {
    format!(
        "{}/remote.php/dav/files/{account}",
        ocs.base.path().trim_end_matches('/')
    )
}

/// The path from the home's root; a server may write the account in another case.
fn path(root: &str, href: &str) -> String {
    let segments = root.matches('/').count();
    let from = href
        .match_indices('/')
        .nth(segments)
        .map_or(href.len(), |(at, _)| at);
    let path = href.get(from..).unwrap_or_default().trim_end_matches('/');
    if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    }
}

/// Asks for an account's home alone: whether walks may be asked for at all.
pub(super) async fn home(ocs: &Ocs, account: &str) -> Result<(), ReadError> {
    let request = ocs.dav(method("PROPFIND")?, &["files", account, ""], Depth::Zero, NAMES)?;
    let mut tree = Tree::read(ocs, account, request).await?;
    while tree.next().await?.is_some() {}
    Ok(())
}

/// The share that stands for a shared node of a disabled account: the server tells that it is shared, and not how.
pub(super) fn shared_node(source: &SourceName, account: &str, path: String, node: Resource) -> Option<Share> {
    if node.share_types.is_empty() {
        return None;
    }
    let id = node.file_id?;
    let owner = node.owner.unwrap_or_else(|| account.to_owned());
    let by_other = owner != account;
    let kind = widest(&node.share_types);
    let unknown = ["access", "password", "expires", "created_at", "recipients"];
    Some(Share {
        source: source.clone(),
        id: format!("file/{id}"),
        kind,
        anonymous: matches!(kind, ShareKind::Link | ShareKind::Mail),
        item: Item {
            id,
            path,
            path_is_owners: !by_other,
            kind: if node.folder {
                ItemKind::Folder
            } else {
                ItemKind::File
            },
            size: node.size,
            files_beneath: None,
            drive: None,
            labels: None,
        },
        owner: Principal::new(PrincipalClass::Account, owner).named(node.owner_name),
        shared_by: Some(Principal::new(PrincipalClass::Account, account)),
        recipients: Vec::new(),
        opened_by: Vec::new(),
        access: Access::NONE,
        password: None,
        expires: Expiry::Unknown,
        created_at: None,
        inherited: false,
        label: None,
        link: None,
        unknown: unknown.iter().map(|field| (*field).to_owned()).collect(),
    })
}

/// The kind that reaches furthest; one that is not known counts as such only where there is no link.
fn widest(types: &[i64]) -> ShareKind {
    let order = [
        (3, ShareKind::Link),
        (4, ShareKind::Mail),
        (6, ShareKind::Federated),
        (9, ShareKind::FederatedGroup),
        (7, ShareKind::Team),
        (10, ShareKind::Room),
        (1, ShareKind::Group),
        (0, ShareKind::User),
    ];
    let known = |kind: &i64| order.iter().any(|(number, _)| number == kind);
    if !types.contains(&3) && !types.contains(&4) && !types.iter().all(known) {
        return ShareKind::Other;
    }
    order
        .iter()
        .find(|(number, _)| types.contains(number))
        .map_or(ShareKind::Other, |(_, kind)| *kind)
}

/// A system tag.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    /// Its name in lower case; names need not be unique.
    pub(super) name: String,
    pub(super) id: String,
    /// Whether it is visible to administrators only; nobody else can ask for files by it.
    pub(super) hidden: bool,
}

/// The system tags that an account can see.
pub(super) async fn tags(ocs: &Ocs, account: &str) -> Result<Vec<Tag>, ReadError> {
    let propfind = method("PROPFIND")?;
    let request = ocs.signed(ocs.dav(propfind, &["systemtags", ""], Depth::One, TAGS)?, account)?;
    let mut tries = ocs.tries();
    loop {
        let read = tags_once(ocs, &request).await;
        if !tries.again(&read) {
            return read;
        }
    }
}

async fn tags_once(ocs: &Ocs, request: &Request) -> Result<Vec<Tag>, ReadError> {
    let mut answer = Multistatus::new(ocs.open(request, StatusCode::MULTI_STATUS).await?);
    let place = request.place().to_string();
    let mut tags = Vec::new();
    while let Some(tag) = answer.next().await.map_err(|error| placed(error, &place))? {
        if let (Some(id), Some(name)) = (tag.tag_id, tag.name) {
            tags.push(Tag {
                name: name.to_lowercase(),
                id,
                hidden: tag.tag_hidden,
            });
        }
    }
    Ok(tags)
}

/// The paths of the nodes in an account's home that carry a tag; the server covers the whole home.
pub(super) async fn tagged(
    ocs: &Ocs,
    account: &str,
    tag: &str,
) -> Result<Vec<(String, Option<String>)>, ReadError> {
    let report = method("REPORT")?;
    let id: String = tag.chars().filter(char::is_ascii_digit).collect();
    let body = format!(
        r#"<?xml version="1.0"?><oc:filter-files xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:fileid/>
</d:prop><oc:filter-rules><oc:systemtag>{id}</oc:systemtag></oc:filter-rules></oc:filter-files>"#
    );
    let request = ocs
        .signed(
            ocs.dav(report, &["files", account, ""], Depth::One, &body)?,
            account,
        )?
        .within(TREE_TIME)
        .max_body(TREE_BYTES);
    let mut tries = ocs.tries();
    loop {
        let read = tagged_once(ocs, account, &request).await;
        if !tries.again(&read) {
            return read;
        }
    }
}

async fn tagged_once(
    ocs: &Ocs,
    account: &str,
    request: &Request,
) -> Result<Vec<(String, Option<String>)>, ReadError> {
    let mut answer = Multistatus::new(ocs.open(request, StatusCode::MULTI_STATUS).await?);
    let place = request.place().to_string();
    let root = root(ocs, account);
    let mut found = Vec::new();
    while let Some(node) = answer.next().await.map_err(|error| placed(error, &place))? {
        if found.len() >= MAX_TAGGED {
            return Err(ReadError::service(
                ProblemCode::TooManyFiles,
                format!("{place}: more than {MAX_TAGGED} files carry this tag"),
            ));
        }
        found.push((path(&root, &node.href), node.file_id));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_follows_the_home() {
        let root = "/cloud/remote.php/dav/files/erin";
        assert_eq!(path(root, "/cloud/remote.php/dav/files/Erin/a b/"), "/a b");
        assert_eq!(path(root, "/cloud/remote.php/dav/files/erin/"), "/");
        assert_eq!(path(root, "/cloud/remote.php/dav/files/erin"), "/");
    }

    #[test]
    fn a_link_is_the_widest_and_the_unknown_is_never_narrow() {
        assert_eq!(widest(&[0, 3]), ShareKind::Link);
        assert_eq!(widest(&[0, 99]), ShareKind::Other);
        assert_eq!(widest(&[1, 0]), ShareKind::Group);
        assert_eq!(widest(&[99, 3]), ShareKind::Link);
    }
}
