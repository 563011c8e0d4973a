//! Lists the permissions of the items of a drive that have sharing of their own, and tells each share once.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-list-permissions?view=graph-rest-1.0>. What a folder above
//! grants is listed again on everything beneath it, with or without a word that it is inherited: links come from all
//! folders above, grants from the nearest that has permissions of its own. So each is compared with those above it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::RandomState;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::batch::{Inner, MOST};
use super::drives::Drive;
use super::graph::{Graph, Identified, Kind, segment};
use super::permission::wire::Permission;
use super::permission::{Decoded, Decoder, Origin, Sign};
use super::tree::{Beneath, Root, Tree};
use super::wire::Told;
use super::{Microsoft365, errors};
use crate::model::{Item, Labels, Problem, ProblemCode, Reading, Share};
use crate::provider::{Collector, ReadError};

/// How many batches of a drive are asked ahead.
const AHEAD: usize = 4;
/// How many items of one drive are named that could not be read.
const MAX_TOLD: usize = 20;
/// How many groups of a site are named.
const MAX_GROUPS: usize = 12;
/// How many shares are held back because the service says that they come from a folder not listed yet.
const HELD: usize = 10_000;
/// How many permissions of one item are read.
const MAX_PERMISSIONS: usize = 100_000;

/// What listing a drive's permissions came to.
#[derive(Debug, Default)]
struct Outcome {
    site_groups: BTreeSet<String>,
    unread: usize,
    failures: usize,
}

/// A drive while its permissions are listed.
struct Listing<'a> {
    tree: &'a Tree,
    beneath: &'a Beneath,
    decoder: Decoder<'a>,
    /// What was listed at each folder.
    listed: HashMap<usize, Signs>,
    /// The items that are to be listed, or were.
    asked: HashSet<String>,
    /// Those of them whose permissions could not be read.
    failed: HashSet<String>,
    /// Folders that grants come from, and that were not to be listed themselves.
    further: Vec<Root>,
    /// What is told when the folder that it comes from, by its id, turns out not to tell it.
    held: BTreeMap<String, Vec<(Found, Sign)>>,
    holding: usize,
    outcome: Outcome,
}

/// What tells the permissions of a folder from others.
#[derive(Default)]
struct Signs {
    keys: HashSet<(bool, u64)>,
    addresses: HashSet<u64>,
}

impl Signs {
    fn add(&mut self, sign: &Sign) {
        self.keys.insert((sign.is_link, sign.key));
        self.addresses.extend(sign.address.filter(|_| sign.is_link));
    }

    /// Whether one of them is this one, listed at another item.
    fn hold(&self, sign: &Sign) -> bool {
        let address = sign.address.filter(|_| sign.is_link);
        self.keys.contains(&(sign.is_link, sign.key))
            || address.is_some_and(|address| self.addresses.contains(&address))
    }
}

/// A share to tell, and the number of its item where that is a folder.
struct Found {
    share: Box<Share>,
    folder: Option<usize>,
}

/// The permissions of one item, or why they are not known.
type Permissions = Result<Vec<Told<Permission>>, ReadError>;

impl Microsoft365 {
    /// Lists what is shared in a drive; whether all of it could be read.
    pub(super) async fn list_shares(
        &self,
        drive: &Drive,
        tree: &mut Tree,
        collector: &mut Collector<'_>,
    ) -> Result<bool, ReadError> {
        let roots = tree.take_roots();
        let beneath = tree.beneath(&self.setup.classes);
        let hasher = RandomState::new();
        let mut listing = Listing {
            tree,
            beneath: &beneath,
            decoder: Decoder {
                source: &self.setup.source,
                drive,
                people: &self.people,
                hasher: &hasher,
            },
            listed: HashMap::new(),
            asked: roots.iter().map(|root| root.id.clone()).collect(),
            failed: HashSet::new(),
            further: Vec::new(),
            held: BTreeMap::new(),
            holding: 0,
            outcome: Outcome::default(),
        };
        let mut waiting = roots;
        while !waiting.is_empty() {
            self.list_some(drive, &waiting, &mut listing, collector).await?;
            waiting = std::mem::take(&mut listing.further);
        }
        let rest = listing.release_all();
        self.tell_found(&listing, rest, collector).await?;
        self.tell_outcome(drive, listing.outcome, tree.unread, collector)
            .await
    }

    /// Lists the permissions of items, in their order.
    async fn list_some(
        &self,
        drive: &Drive,
        roots: &[Root],
        listing: &mut Listing<'_>,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let some: Vec<_> = roots
            .chunks(MOST)
            .map(|some| self.graph.permissions(drive, some).boxed())
            .collect();
        let mut answered = std::pin::pin!(stream::iter(some).buffered(AHEAD));
        let mut roots = roots.iter();
        while let Some(lists) = answered.try_next().await? {
            // In this order: the other way round an item would be lost at the end of each list.
            for (permissions, root) in lists.into_iter().zip(roots.by_ref()) {
                self.tell(listing, root, permissions, collector).await?;
            }
        }
        Ok(())
    }

    /// Tells the shares of one item.
    async fn tell(
        &self,
        listing: &mut Listing<'_>,
        root: &Root,
        permissions: Permissions,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let permissions = match permissions {
            Ok(permissions) => permissions,
            Err(error) if errors::ends_source(&error) => return Err(error),
            Err(error) => {
                // One that is missing was deleted since it was listed.
                if !errors::is_missing(&error) {
                    listing.outcome.failures += 1;
                    if listing.outcome.failures <= MAX_TOLD
                        && let Some(mut problem) = error.problem(&listing.decoder.drive.address)
                    {
                        let path = listing.tree.path_of(root).0;
                        problem.message = format!("who can open {path} is not known: {}", problem.message);
                        collector.push(Reading::Problem(problem)).await?;
                    }
                }
                let held = listing.fail(root);
                return self.tell_found(listing, held, collector).await;
            }
        };
        let item = listing.item(root);
        let found = listing.shares(root, &item, permissions);
        self.tell_found(listing, found, collector).await
    }

    /// Tells shares, and what is known of what lies beneath their items.
    async fn tell_found(
        &self,
        listing: &Listing<'_>,
        found: Vec<Found>,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let mut folders = BTreeMap::new();
        for Found { share, folder } in found {
            if let Some(folder) = folder {
                folders.insert(folder, (share.item.id.clone(), share.item.drive.clone()));
            }
            collector.push(Reading::Share(share)).await?;
        }
        for (folder, (item, drive)) in folders {
            let labels = Labels {
                found: listing.beneath.labels(folder),
                complete: listing.beneath.complete && !self.setup.classes.has_tags(),
            };
            collector
                .push(Reading::Labels {
                    item,
                    drive,
                    classes: self.setup.classes.digest().to_owned(),
                    labels,
                    files_beneath: listing.beneath.files(folder),
                })
                .await?;
        }
        Ok(())
    }

    /// Tells what was not read, and of which groups the members are not shown.
    async fn tell_outcome(
        &self,
        drive: &Drive,
        outcome: Outcome,
        unread_items: u64,
        collector: &mut Collector<'_>,
    ) -> Result<bool, ReadError> {
        let mut problems = Vec::new();
        let groups: Vec<&str> = outcome
            .site_groups
            .iter()
            .map(String::as_str)
            .filter(|name| !is_system_group(name))
            .collect();
        if !groups.is_empty() {
            let named = groups
                .iter()
                .take(MAX_GROUPS)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            let words = format!("Graph does not show who is in the groups of the site: {named}");
            problems.push((ProblemCode::MembershipUnread, words));
        }
        if outcome.failures > MAX_TOLD {
            let words = format!(
                "the permissions of {} more items could not be read",
                outcome.failures - MAX_TOLD
            );
            problems.push((ProblemCode::ServerError, words));
        }
        if outcome.unread > 0 {
            let words = format!("{} permissions could not be read, or have no id", outcome.unread);
            problems.push((ProblemCode::MalformedShare, words));
        }
        if unread_items > 0 {
            let words = format!("{unread_items} items could not be read in full");
            problems.push((ProblemCode::Malformed, words));
        }
        for (code, words) in problems {
            let problem = Problem::new(&drive.address, code, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(outcome.failures == 0 && outcome.unread == 0 && unread_items == 0)
    }
}

impl Listing<'_> {
    fn item(&self, root: &Root) -> Item {
        let (path, path_is_owners) = self.tree.path_of(root);
        Item {
            id: root.id.clone(),
            path,
            path_is_owners,
            kind: root.kind,
            size: root.size,
            files_beneath: None,
            drive: Some(self.decoder.drive.id.clone()),
            labels: None,
        }
    }

    /// The shares of an item that come from nowhere above it, and those that were held back until now and that it does
    /// not tell.
    fn shares(&mut self, root: &Root, item: &Item, permissions: Vec<Told<Permission>>) -> Vec<Found> {
        let mut signs = Signs::default();
        let mut found = Vec::new();
        for told in permissions {
            match self.decoder.decode(told, item) {
                Decoded::Nothing => {}
                Decoded::Unread => self.outcome.unread += 1,
                Decoded::SiteGroup(name) => {
                    self.outcome.site_groups.insert(name);
                }
                Decoded::Share(mut share, sign) => {
                    signs.add(&sign);
                    if self.comes_from_above(root, &sign) {
                        continue;
                    }
                    share.inherited = sign.origin != Origin::Untold;
                    let folder = root.folder;
                    found.extend(self.hold_back(root, Found { share, folder }, sign));
                }
            }
        }
        let held = self.release(&root.id).into_iter();
        found.extend(held.filter_map(|(held, sign)| (!signs.hold(&sign)).then_some(held)));
        if let Some(folder) = root.folder {
            self.listed.insert(folder, signs);
        }
        found
    }

    /// Takes note that an item could not be listed; what was to be told there is told where it was seen.
    fn fail(&mut self, root: &Root) -> Vec<Found> {
        self.failed.insert(root.id.clone());
        let held = self.release(&root.id).into_iter();
        held.map(|(found, _)| found).collect()
    }

    fn release(&mut self, ancestor: &str) -> Vec<(Found, Sign)> {
        let held = self.held.remove(ancestor).unwrap_or_default();
        self.holding -= held.len();
        held
    }

    /// What is still held back when everything was listed.
    fn release_all(&mut self) -> Vec<Found> {
        let held = std::mem::take(&mut self.held);
        held.into_values().flatten().map(|(found, _)| found).collect()
    }

    /// Whether a permission is one of those of a folder above, which tells it.
    fn comes_from_above(&self, root: &Root, sign: &Sign) -> bool {
        for folder in self.tree.folders_above(root) {
            let listed = self.listed.get(&folder);
            if listed.is_some_and(|signs| signs.hold(sign)) {
                return true;
            }
            // No grant comes through a folder that has grants of its own.
            if !sign.is_link && (listed.is_some() || self.tree.is_closed(folder)) {
                return false;
            }
        }
        false
    }

    /// Holds a share back where the service names the folder that it comes from, and that will be listed for it; else
    /// gives it back.
    fn hold_back(&mut self, root: &Root, found: Found, sign: Sign) -> Option<Found> {
        let Origin::Item(ancestor) = &sign.origin else {
            return Some(found);
        };
        let is_listed = self
            .tree
            .folder(ancestor)
            .is_some_and(|folder| self.listed.contains_key(&folder));
        if *ancestor == root.id || is_listed || self.failed.contains(ancestor) || self.holding >= HELD {
            return Some(found);
        }
        if !self.asked.contains(ancestor) {
            let Some(above) = self.tree.as_root(ancestor) else {
                return Some(found);
            };
            self.asked.insert(ancestor.clone());
            self.further.push(above);
        }
        self.holding += 1;
        self.held.entry(ancestor.clone()).or_default().push((found, sign));
        None
    }
}

impl Identified for Permission {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Graph {
    /// The permissions of up to [`MOST`] items, in their order.
    async fn permissions(&self, drive: &Drive, roots: &[Root]) -> Result<Vec<Permissions>, ReadError> {
        let drive = segment(&drive.id);
        let ask = |root: &Root| {
            let url = format!("/drives/{drive}/items/{}/permissions", segment(&root.id));
            Inner::get(url, Kind::Permissions)
        };
        let answers = self.batch(roots.iter().map(ask).collect()).await?;
        let mut lists = Vec::new();
        for answer in answers {
            lists.push(match answer {
                Ok(answer) => self.collection(&answer, Kind::Permissions, MAX_PERMISSIONS).await,
                Err(error) => Err(error),
            });
        }
        Ok(lists)
    }
}

/// Groups that SharePoint keeps behind its links and for its own use.
fn is_system_group(name: &str) -> bool {
    name.starts_with("SharingLinks.") || name.starts_with("Limited Access System Group")
}

#[cfg(test)]
mod tests;
