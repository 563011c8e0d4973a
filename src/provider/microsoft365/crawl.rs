//! Enumerates a drive by delta: every item once, with the summary of its sharing.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-delta?view=graph-rest-1.0>. The four values of `Prefer` go with
//! every request: a token belongs to the set it was got with. A service that lost its place (410) is begun anew.

use url::Url;

use super::drives::Drive;
use super::errors::{self, Refusal};
use super::graph::{Graph, Kind, Progress, shown};
use super::tree::{self, Tree};
use super::wire::{Page, Told};
use crate::http::{Answer, StatusCode};
use crate::model::{Classes, ProblemCode};
use crate::provider::ReadError;

/// What is asked of an item.
const FIELDS: &str = "id,name,parentReference,folder,file,package,root,deleted,shared,size";
/// How many items a page should have.
const PAGE: &str = "500";
/// How often a drive is begun anew.
const RESYNCS: u32 = 2;

/// Where the enumeration of a drive begins anew.
enum Resync {
    At(Url),
    Afresh,
}

impl Graph {
    /// Reads all items of a drive.
    pub(super) async fn crawl(&self, drive: &Drive, classes: &Classes) -> Result<Tree, ReadError> {
        let start = self.url(
            &["drives", &drive.id, "root", "delta"],
            &[("$select", FIELDS), ("$top", PAGE)],
        )?;
        let mut from = start.clone();
        for _ in 0..=RESYNCS {
            let mut tree = Tree::new(classes);
            match self.crawl_from(from, &mut tree).await? {
                None => {
                    tree.settle();
                    return Ok(tree);
                }
                // What was taken in may be outdated: the service tells everything again.
                Some(Resync::At(url)) => from = url,
                Some(Resync::Afresh) => from = start.clone(),
            }
        }
        Err(ReadError::service(
            ProblemCode::Malformed,
            "the service loses its place in the list of items again and again (resyncRequired)",
        ))
    }

    /// Reads pages to the last; where the service lost its place, from where to begin.
    async fn crawl_from(&self, from: Url, tree: &mut Tree) -> Result<Option<Resync>, ReadError> {
        let (mut url, mut kind) = (from, Kind::Delta);
        let mut progress = Progress::default();
        loop {
            let answer = self.get(&url, kind).await?;
            if answer.status != StatusCode::OK || !answer.is_json() {
                return lost(&url, &answer).map(Some);
            }
            let Some(page) = Page::<tree::Told>::read(&answer.body) else {
                return Err(errors::refusal(
                    &format!("GET {}", shown(&url)),
                    answer.status,
                    &answer.body,
                ));
            };
            let next = match (&page.next, &page.delta) {
                (Some(next), _) => {
                    progress.note(next, &page)?;
                    Some(Self::link(next)?)
                }
                (None, Some(_)) => None,
                (None, None) => {
                    return Err(ReadError::service(
                        ProblemCode::Truncated,
                        "the list of items ends without saying that it is the end",
                    ));
                }
            };
            take(tree, page.elements);
            if tree.is_overfull() {
                return Err(ReadError::service(
                    ProblemCode::TooLarge,
                    "the drive claims more folders and shared items than any can have",
                ));
            }
            match next {
                Some(next) => (url, kind) = (next, Kind::DeltaNext),
                None => return Ok(None),
            }
        }
    }
}

/// Takes the items of a page in.
pub(super) fn take(tree: &mut Tree, elements: Vec<Told<tree::Told>>) {
    for told in elements {
        match told {
            Told::Whole(item) => tree.take(item),
            Told::Partly(item, _) => {
                tree.unread += 1;
                tree.take(item);
            }
            Told::Unread => tree.unread += 1,
        }
    }
}

/// Whether the service lost its place, or refuses.
fn lost(url: &Url, answer: &Answer) -> Result<Resync, ReadError> {
    let told = Refusal::read(&answer.body);
    let is_lost = answer.status == StatusCode::GONE
        || told.speaks_of("resync")
        || told.is("syncstatenotfound")
        || told.is("syncstateinvalid");
    if !is_lost {
        return Err(errors::refusal(
            &format!("GET {}", shown(url)),
            answer.status,
            &answer.body,
        ));
    }
    match answer.header("location") {
        Some(location) => Ok(Resync::At(Graph::link(location)?)),
        None => Ok(Resync::Afresh),
    }
}
