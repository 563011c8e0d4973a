//! Lists the permissions of the items of a drive that have sharing of their own, and tells each share once.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-list-permissions?view=graph-rest-1.0>. What a folder above
//! grants is listed again on everything beneath it, with or without a word that it is inherited: links come from all
//! folders above, grants from the nearest that has permissions of its own. So each is compared with those above it.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::batch::{Inner, MOST};
use super::drives::Drive;
use super::graph::{Graph, Identified, Kind, segment};
use super::memory::Memory;
use super::permission::wire::Permission;
use super::permission::{Decoded, Decoder, Origin, Sign, Signs};
use super::scope::Visit;
use super::tree::{Beneath, Drifted, Heard, Root, Tree};
use super::wire::Told;
use super::{Microsoft365, errors};
use crate::model::{Classes, Item, Labels, Problem, ProblemCode, Reading, Share};
use crate::provider::{Closed, ReadError};

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
/// After how many listed items it is remembered how far that went, at least; and after which part of all.
const OFTEN: usize = 200;
const PART: usize = 20;
/// How many items have to be told for it to be remembered that all were, before permissions are listed.
const MANY: u64 = 500;

/// What listing a drive's permissions came to.
#[derive(Debug, Default)]
struct Outcome {
    unread: usize,
    failures: usize,
    /// How many items could not be listed, or not in full.
    unlisted: u64,
}

/// A drive while its permissions are listed.
struct Listing<'a> {
    memory: &'a mut Memory,
    beneath: &'a Beneath,
    classes: &'a Classes,
    decoder: Decoder<'a>,
    /// The time of the run, in seconds.
    now: i64,
    /// The folders that were listed in this run.
    listed: HashSet<usize>,
    /// The items that are to be listed, or were, by their digests.
    asked: HashSet<u64>,
    /// Whether there are others.
    spares: bool,
    /// The folders whose permissions could not be read, by their ids.
    failed: HashSet<String>,
    /// Items that are to be listed, too: folders that grants come from, and what lies beneath folders that lost some.
    further: Vec<u64>,
    /// The items of which shares were told in earlier runs, by what the shares are known by.
    by_told: HashMap<u64, Vec<u64>>,
    /// What is told when the folder that it comes from, by its id, turns out not to tell it.
    held: BTreeMap<String, Vec<(Found, Sign)>>,
    holding: usize,
    /// The items of which something was held back: whether they were listed depends on that.
    unfinished: Vec<(Root, u64, Heard)>,
    outcome: Outcome,
}

/// A share to tell, and the number of its item where that is a folder.
struct Found {
    share: Box<Share>,
    folder: Option<usize>,
}

/// What listing an item came to.
#[derive(Default)]
struct Listed {
    /// What is to be told now: its own, and what was held back until now and it does not tell.
    found: Vec<Found>,
    /// What its own shares are known by, told now or later.
    own: Vec<u64>,
    /// Whether some of its own are held back.
    is_held: bool,
}

/// The permissions of one item, or why they are not known.
type Permissions = Result<Vec<Told<Permission>>, ReadError>;

impl Microsoft365 {
    /// Lists what is shared in a drive of which all was told; whether it was read to its end.
    pub(super) async fn list_shares(
        &self,
        visit: &mut Visit<'_>,
        memory: &mut Memory,
    ) -> Result<bool, ReadError> {
        for item in memory.tree.take_gone() {
            tell_listed(visit, item).await?;
        }
        let classes = &self.setup.classes;
        let mut beneath = None;
        if memory.tree.drifts {
            let told = beneath.insert(memory.tree.beneath(classes));
            let drifted = memory.tree.take_drifted(told, classes);
            self.tell_drifted(drifted, told, visit).await?;
        }
        let mut waiting = memory.tree.due(&visit.relist);
        let beneath = match beneath {
            Some(beneath) => beneath,
            None if waiting.is_empty() => Beneath::default(),
            None => memory.tree.beneath(classes),
        };
        // What few requests tell again is not worth to be written down.
        if !waiting.is_empty() && memory.tree.items.saturating_sub(visit.saved) >= MANY {
            visit.save(memory).await?;
        }
        let decoder = Decoder {
            source: &self.setup.source,
            drive: visit.drive,
            people: &self.people,
            key: memory.tree.key,
        };
        let now = visit.relist.now.as_second();
        let mut listing = Listing::new(memory, decoder, (&beneath, classes), &waiting, now);
        let mut ended = Ok(());
        while ended.is_ok() && !waiting.is_empty() {
            ended = self.list_some(&waiting, &mut listing, visit).await;
            waiting = std::mem::take(&mut listing.further);
        }
        if ended.is_err() {
            memory.tree.note_sources();
            return ended.map(|()| false);
        }
        let rest = listing.release_all();
        self.tell_found(&beneath, rest, visit).await?;
        for (root, digest, heard) in std::mem::take(&mut listing.unfinished) {
            listing.finish(&root, digest, heard, visit).await?;
        }
        let outcome = listing.outcome;
        memory.tree.note_sources();
        memory.tree.compact();
        tell_outcome(&outcome, memory, visit).await
    }

    /// Tells where the items lie now that were listed in other nights, and what lies beneath them.
    async fn tell_drifted(
        &self,
        drifted: Vec<Drifted>,
        beneath: &Beneath,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        let drive = &visit.drive.id;
        for drifted in drifted {
            if let Some((path, path_is_owners)) = drifted.path {
                let placed = Reading::Placed {
                    item: drifted.id.clone(),
                    drive: drive.clone(),
                    path,
                    path_is_owners,
                };
                visit.collector.push(placed).await?;
            }
            if let Some(folder) = drifted.folder {
                let labels = self.labels_of(beneath, folder, drifted.id, Some(drive.clone()));
                visit.collector.push(labels).await?;
            }
        }
        Ok(())
    }

    /// Lists the permissions of items, in their order.
    async fn list_some(
        &self,
        waiting: &[u64],
        listing: &mut Listing<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        let some: Vec<_> = waiting
            .chunks(MOST)
            .map(|some| {
                let ids = some.iter().filter_map(|digest| listing.tree().root(*digest));
                let ids = ids.map(|root| root.id.clone()).collect();
                self.graph.permissions(visit.drive, ids).boxed()
            })
            .collect();
        let mut answered = std::pin::pin!(stream::iter(some).buffered(AHEAD));
        let known = waiting
            .iter()
            .filter(|digest| listing.tree().root(**digest).is_some());
        let mut waiting = known.copied().collect::<Vec<_>>().into_iter();
        let often = OFTEN.max(waiting.len() / PART);
        let mut listed = 0;
        while let Some(lists) = answered.try_next().await? {
            // In this order: the other way round an item would be lost at the end of each list.
            for (permissions, digest) in lists.into_iter().zip(waiting.by_ref()) {
                self.tell(listing, digest, permissions, visit).await?;
                listed += 1;
            }
            if listed >= often && visit.save_now_and_then(listing.memory).await? {
                listed = 0;
            }
        }
        Ok(())
    }

    /// Tells the shares of one item.
    async fn tell(
        &self,
        listing: &mut Listing<'_>,
        digest: u64,
        permissions: Permissions,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        let Some(root) = listing.tree().root(digest).cloned() else {
            return Ok(());
        };
        visit.is_ahead = true;
        let permissions = match permissions {
            Ok(permissions) => permissions,
            Err(error) if errors::ends_source(&error) => return Err(error),
            // It was deleted since it was told.
            Err(error) if errors::is_missing(&error) => Vec::new(),
            Err(error) => {
                listing.outcome.failures += 1;
                if listing.outcome.failures <= MAX_TOLD
                    && let Some(mut problem) = error.problem(&visit.drive.address)
                {
                    let path = listing.tree().path_of(&root).0;
                    problem.message = format!("who can open {path} is not known: {}", problem.message);
                    visit.collector.push(Reading::Problem(problem)).await?;
                }
                listing.doubt(&root, visit).await?;
                let held = listing.fail(&root, digest);
                return self.tell_found(listing.beneath, held, visit).await;
            }
        };
        let item = listing.item(&root);
        let unread = listing.outcome.unread;
        let listed = listing.shares(&root, &item, permissions);
        let heard = Heard {
            at: listing.now,
            whole: listing.outcome.unread == unread,
            told: listed.own,
        };
        self.tell_found(listing.beneath, listed.found, visit).await?;
        if listed.is_held {
            listing.unfinished.push((root, digest, heard));
            return Ok(());
        }
        Ok(listing.finish(&root, digest, heard, visit).await?)
    }

    /// Tells shares, and what is known of what lies beneath their items.
    async fn tell_found(
        &self,
        beneath: &Beneath,
        found: Vec<Found>,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        let mut folders = BTreeMap::new();
        for Found { share, folder } in found {
            if let Some(folder) = folder {
                folders.insert(folder, (share.item.id.clone(), share.item.drive.clone()));
            }
            visit.collector.push(Reading::Share(share)).await?;
        }
        for (folder, (item, drive)) in folders {
            let labels = self.labels_of(beneath, folder, item, drive);
            visit.collector.push(labels).await?;
        }
        Ok(())
    }

    /// What is known of what lies beneath a folder.
    fn labels_of(&self, beneath: &Beneath, folder: usize, item: String, drive: Option<String>) -> Reading {
        Reading::Labels {
            item,
            drive,
            classes: self.setup.classes.digest().to_owned(),
            labels: Labels {
                found: beneath.labels(folder),
                complete: beneath.complete && !self.setup.classes.has_tags(),
            },
            more: self.setup.classes.has_tags(),
            files_beneath: beneath.files(folder),
        }
    }
}

/// Tells that all that is shared of an item was told.
pub(super) async fn tell_listed(visit: &mut Visit<'_>, item: String) -> Result<(), Closed> {
    let drive = visit.drive.id.clone();
    visit.collector.push(Reading::Listed { item, drive }).await
}

/// Tells what was not read, and of which groups the members are not shown; whether the drive was read to its end.
async fn tell_outcome(
    outcome: &Outcome,
    memory: &mut Memory,
    visit: &mut Visit<'_>,
) -> Result<bool, ReadError> {
    let (_, waiting, oldest) = memory.tree.state();
    // Where they were listed before everything was listed again, they are no more.
    let groups = &mut memory.tree.site_groups;
    groups.retain(|_, at| oldest.is_none_or(|oldest| *at >= oldest));
    let mut problems = Vec::new();
    if !groups.is_empty() {
        let named: Vec<&str> = groups.keys().take(MAX_GROUPS).map(String::as_str).collect();
        let words = format!(
            "Graph does not show who is in the groups of the site: {}",
            named.join(", ")
        );
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
    let unread = memory.tree.unread;
    if unread > 0 {
        let words = format!("{unread} items could not be read in full");
        problems.push((ProblemCode::Malformed, words));
    }
    for (code, words) in problems {
        let problem = Problem::new(&visit.drive.address, code, words);
        visit.collector.push(Reading::Problem(problem)).await?;
    }
    let is_whole = waiting == 0 && outcome.failures == 0 && outcome.unread == 0 && unread == 0;
    if !is_whole && unread == 0 && waiting == outcome.unlisted {
        let scope = visit.drive.id.clone();
        visit.collector.push(Reading::Followed { scope }).await?;
    }
    Ok(is_whole)
}

impl<'a> Listing<'a> {
    /// A drive of which these items are to be listed.
    fn new(
        memory: &'a mut Memory,
        decoder: Decoder<'a>,
        (beneath, classes): (&'a Beneath, &'a Classes),
        waiting: &[u64],
        now: i64,
    ) -> Self {
        let asked: HashSet<u64> = waiting.iter().copied().collect();
        Self {
            by_told: memory.tree.by_told(),
            // Those that come later are all asked.
            spares: asked.len() < memory.tree.parts(),
            asked,
            memory,
            beneath,
            classes,
            decoder,
            now,
            listed: HashSet::new(),
            failed: HashSet::new(),
            further: Vec::new(),
            held: BTreeMap::new(),
            holding: 0,
            unfinished: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn tree(&self) -> &Tree {
        &self.memory.tree
    }

    fn item(&self, root: &Root) -> Item {
        let (path, path_is_owners) = self.tree().path_of(root);
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
    fn shares(&mut self, root: &Root, item: &Item, permissions: Vec<Told<Permission>>) -> Listed {
        let mut signs = Signs::default();
        let mut listed = Listed::default();
        for told in permissions {
            match self.decoder.decode(told, item) {
                Decoded::Nothing => {}
                Decoded::Unread => self.outcome.unread += 1,
                Decoded::SiteGroup(name) if is_system_group(&name) => {}
                Decoded::SiteGroup(name) => {
                    self.memory.tree.site_groups.insert(name, self.now);
                }
                Decoded::Share(mut share, sign) => {
                    signs.add(&sign);
                    if self.comes_from_above(root, &sign) {
                        continue;
                    }
                    share.inherited = sign.origin != Origin::Untold;
                    listed.own.extend(sign.digests());
                    let folder = root.folder;
                    match self.hold_back(root, Found { share, folder }, sign) {
                        Some(own) => listed.found.push(own),
                        None => listed.is_held = true,
                    }
                }
            }
        }
        let held = self.release(&root.id).into_iter();
        let untold = held.filter_map(|(held, sign)| (!signs.hold(&sign)).then_some(held));
        listed.found.extend(untold);
        if let Some(folder) = root.folder {
            self.grant(root, folder, signs);
        }
        listed
    }

    /// Keeps what was listed at a folder. Items beneath it that were listed in an earlier run are listed again where that
    /// changes what is theirs: what the folder tells now was told of them, or what it tells no longer was not.
    fn grant(&mut self, root: &Root, folder: usize, signs: Signs) {
        self.listed.insert(folder);
        let tree = &mut self.memory.tree;
        let former = tree.granted.get(&folder);
        let mut beneath: Vec<u64> = signs
            .new_since(former)
            .filter_map(|told| self.by_told.get(&told))
            .flatten()
            .copied()
            .filter(|digest| tree.lies_beneath(*digest, folder))
            .collect();
        // Where it had no grants of its own, those of the folder above came through it.
        let came = former.or_else(|| tree.granted.get(&tree.granting(root)?));
        let lost = came.is_some_and(|came| signs.lack_a_grant_of(came));
        tree.granted.insert(folder, signs);
        if lost && self.spares {
            beneath.extend(tree.roots_right_beneath(folder));
        }
        for digest in beneath {
            if self.asked.insert(digest) {
                tree.mark_due(digest);
                self.further.push(digest);
            }
        }
    }

    /// Ends the listing of an item of which everything was told.
    async fn finish(
        &mut self,
        root: &Root,
        digest: u64,
        heard: Heard,
        visit: &mut Visit<'_>,
    ) -> Result<(), Closed> {
        let whole = heard.whole;
        self.memory
            .tree
            .heard(digest, heard, (self.beneath, self.classes));
        if whole {
            return tell_listed(visit, root.id.clone()).await;
        }
        self.doubt(root, visit).await
    }

    /// Tells that not all of an item could be listed.
    async fn doubt(&mut self, root: &Root, visit: &mut Visit<'_>) -> Result<(), Closed> {
        self.outcome.unlisted += 1;
        let (item, drive) = (root.id.clone(), visit.drive.id.clone());
        visit.collector.push(Reading::Unlisted { item, drive }).await
    }

    /// Takes note that an item could not be listed; what was to be told there is told where it was seen.
    fn fail(&mut self, root: &Root, digest: u64) -> Vec<Found> {
        self.memory.tree.mark_due(digest);
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
        for folder in self.tree().folders_above(root) {
            let granted = self.tree().granted.get(&folder);
            if granted.is_some_and(|signs| signs.hold(sign)) {
                return true;
            }
            // No grant comes through a folder that has grants of its own.
            if !sign.is_link && (granted.is_some() || self.tree().is_closed(folder)) {
                return false;
            }
        }
        false
    }

    /// Holds a share back where the service names the folder that it comes from, and that will be listed for it; else
    /// gives it back. One that was listed in another night, and did not tell it, is listed again.
    fn hold_back(&mut self, root: &Root, found: Found, sign: Sign) -> Option<Found> {
        let Origin::Item(ancestor) = &sign.origin else {
            return Some(found);
        };
        let is_listed = self
            .tree()
            .folder(ancestor)
            .is_some_and(|folder| self.listed.contains(&folder));
        if *ancestor == root.id || is_listed || self.failed.contains(ancestor) || self.holding >= HELD {
            return Some(found);
        }
        let Some(above) = self.memory.tree.add_root(ancestor) else {
            return Some(found);
        };
        if self.asked.insert(above) {
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
    pub(super) async fn permissions(
        &self,
        drive: &Drive,
        items: Vec<String>,
    ) -> Result<Vec<Permissions>, ReadError> {
        let drive = segment(&drive.id);
        let ask = |item: &String| {
            let url = format!("/drives/{drive}/items/{}/permissions", segment(item));
            Inner::get(url, Kind::Permissions)
        };
        let answers = self.batch(items.iter().map(ask).collect()).await?;
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
