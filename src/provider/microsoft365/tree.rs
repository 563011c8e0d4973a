//! What a delta told of a drive: its folders, and which items have sharing of their own.
//!
//! The service sends items in any order, some more than once (the last counts), and without their paths: those are put
//! together from the folders at the end. Of files it keeps only those that are shared, those whose names may classify,
//! and, up to a number, which folder each lies in. It is kept from night to night, and takes in what has changed.

mod beneath;
mod compact;
mod digests;
mod shared;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

pub(super) use self::beneath::Beneath;
use self::digests::ByDigest;
pub(super) use self::shared::{Drifted, Heard, Root};
use self::told::Sharing;
pub(super) use self::told::{Told, Width};
use super::key::Key;
use super::permission::Signs;
use crate::model::{Classes, ItemKind};

/// Of how many files it is kept where they lie, so that they can be counted: their table doubles a little above that.
const COUNTED: usize = 225_000;
/// How many files whose names may classify are kept.
const CANDIDATES: usize = 100_000;
/// How many folders of a drive are kept, and how many items with sharing of their own (SharePoint grants 50,000).
const MOST_FOLDERS: usize = 5_000_000;
const MOST_ROOTS: usize = 500_000;
/// The deepest path that is put together.
const DEEPEST: usize = 400;
/// The longest name that is kept, in bytes: more than the service lets anybody write.
const LONGEST: usize = 2048;

/// A folder, by its number.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Folder {
    /// Whether the service told of it itself, and not only of something in it.
    told: bool,
    /// Whether it was deleted, and all that lies in it.
    gone: bool,
    /// The number of the folder it lies in. Drives have very many folders: each byte here counts.
    parent: Option<u32>,
    /// Its name; its id, until it is told.
    name: Box<str>,
    /// Files right in it.
    files: u32,
    /// Whether it has permissions of its own and is not shared.
    closed: bool,
}

impl Folder {
    fn parent(&self) -> Option<usize> {
        self.parent.and_then(|parent| usize::try_from(parent).ok())
    }
}

/// A drive's items as far as they matter.
#[derive(Serialize, Deserialize)]
pub(super) struct Tree {
    pub(super) key: Key,
    /// Folders by the digest of their id.
    numbers: ByDigest<usize>,
    folders: Vec<Folder>,
    top: Option<usize>,
    roots: ByDigest<Root>,
    /// Which folder each file lies in, by the file's digest; `None` once there are too many.
    files: Option<ByDigest<usize>>,
    candidates: ByDigest<(usize, Box<str>)>,
    overflowed: bool,
    /// What was listed at each folder.
    pub(super) granted: HashMap<usize, Signs>,
    /// The groups of the site to which something is granted, with when that was last listed.
    pub(super) site_groups: BTreeMap<String, i64>,
    /// Whether something was told since it was last looked at what that does to the other items.
    pub(super) drifts: bool,
    /// Items seen, repeated ones included.
    pub(super) items: u64,
    /// Items that could not be read.
    pub(super) unread: u64,
    /// Whether all was told once, so that what is told now has changed since.
    settled: bool,
    /// Items that share nothing any more as far as is known, and of which a run that was killed may have told something.
    #[serde(skip)]
    ended: Vec<String>,
    /// Of how many files it is kept where they lie, and how many whose names may classify are kept.
    #[serde(skip, default = "most")]
    most: (usize, usize),
    #[serde(skip)]
    names: Option<GlobSet>,
    #[serde(skip)]
    classifies: bool,
}

fn most() -> (usize, usize) {
    (COUNTED, CANDIDATES)
}

impl Tree {
    pub(super) fn new(classes: &Classes) -> Self {
        let mut tree = Self {
            key: Key::random(),
            numbers: ByDigest::default(),
            folders: Vec::new(),
            top: None,
            roots: ByDigest::default(),
            files: Some(ByDigest::default()),
            candidates: ByDigest::default(),
            overflowed: false,
            granted: HashMap::new(),
            site_groups: BTreeMap::new(),
            drifts: false,
            items: 0,
            unread: 0,
            settled: false,
            ended: Vec::new(),
            most: most(),
            names: None,
            classifies: false,
        };
        tree.compile(classes);
        tree
    }

    /// Sets what names classify; always the same for one tree.
    pub(super) fn compile(&mut self, classes: &Classes) {
        self.names = classes.names().and_then(set_of);
        self.classifies = classes.has_patterns();
    }

    /// Takes an item in, in place of what was told of it before.
    pub(super) fn take(&mut self, told: Told) {
        self.items += 1;
        self.drifts = true;
        let Some(id) = told.id.filter(|id| !id.is_empty() && id.len() <= LONGEST) else {
            self.unread += 1;
            return;
        };
        let digest = self.key.of(&id);
        let former = self.roots.remove(&digest);
        if told.deleted.is_some() {
            self.forget(&id, told.folder.is_some() || told.package.is_some());
            match former.filter(|former| former.past.is_some()) {
                Some(former) => {
                    self.roots.insert(digest, Root { gone: true, ..former });
                }
                None => self.end(id),
            }
            return;
        }
        let is_top = told.root.is_some();
        let parent = told
            .parent_reference
            .and_then(|parent| parent.id)
            .filter(|id| !is_top && id.len() <= LONGEST)
            .map(|parent| self.number(&parent));
        let mut name = told.name.unwrap_or_default();
        if !is_top && (name.is_empty() || name.len() > LONGEST || parent.is_none()) {
            self.unread += 1;
        }
        name.truncate(name.floor_char_boundary(LONGEST));
        let sharing = Sharing::of(told.shared.as_deref());
        // What a package holds (the sections of a notebook) is told as lying in it.
        let kind = if told.folder.is_some() || told.package.is_some() || is_top {
            ItemKind::Folder
        } else if told.file.is_some() {
            ItemKind::File
        } else {
            ItemKind::Other
        };
        let folder = if kind == ItemKind::Folder {
            let number = self.number(&id);
            self.drop_file(digest);
            if let Some(folder) = self.folders.get_mut(number) {
                folder.told = true;
                folder.gone = false;
                folder.parent = parent.and_then(|parent| u32::try_from(parent).ok());
                folder.name = name.as_str().into();
                folder.closed = sharing == Sharing::Closed;
            }
            Some(number)
        } else {
            self.file(digest, parent, &name);
            None
        };
        if is_top {
            self.top = folder;
        }
        let (was_due, past, own) = former.map_or_else(Default::default, |former| {
            (former.is_due, former.past, former.told)
        });
        let changed = told.shared_changed.is_some();
        // What is granted on the drive as a whole stands on its top, whatever the summary says.
        if !(sharing.is_open() || is_top || changed || past.is_some()) {
            self.end(id);
            return;
        }
        // Of a folder the service does not say that its sharing changed.
        let may_have_changed =
            folder.is_some() && (sharing.is_open() || (is_top && sharing == Sharing::Closed));
        let root = Root {
            id,
            width: match sharing {
                Sharing::Open(width) => width,
                _ => Width::People,
            },
            folder,
            parent,
            name,
            size: told.size,
            kind,
            is_open: sharing.is_open(),
            summary: sharing.digest(told.shared.as_deref(), self.key),
            is_due: changed || may_have_changed || was_due,
            gone: false,
            past,
            told: own,
        };
        self.roots.insert(digest, root);
    }

    /// Takes note that an item shares nothing that is remembered: what a run told of it that was killed before it remembered
    /// that has ended. A first enumeration ends all that it does not tell.
    fn end(&mut self, id: String) {
        if self.settled {
            self.ended.push(id);
        }
    }

    /// The items that share nothing any more as far as is known, each given back once.
    pub(super) fn take_ended(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ended)
    }

    /// Whether more folders and shared items are kept than any library has.
    pub(super) fn is_overfull(&self) -> bool {
        self.folders.len() > MOST_FOLDERS || self.roots.len() > MOST_ROOTS
    }

    fn number(&mut self, id: &str) -> usize {
        let number = *self.numbers.entry(self.key.of(id)).or_insert(self.folders.len());
        if number == self.folders.len() {
            self.folders.push(Folder {
                name: id.into(),
                ..Folder::default()
            });
        }
        number
    }

    fn file(&mut self, digest: u64, parent: Option<usize>, name: &str) {
        self.drop_file(digest);
        let Some(parent) = parent else { return };
        if let Some(files) = self.files.as_mut().filter(|files| files.len() < self.most.0) {
            files.insert(digest, parent);
            if let Some(folder) = self.folders.get_mut(parent) {
                folder.files += 1;
            }
        } else {
            self.files = None;
        }
        if self.may_classify(name) {
            if self.candidates.len() < self.most.1 {
                self.candidates.insert(digest, (parent, name.into()));
            } else {
                self.overflowed = true;
            }
        }
    }

    fn drop_file(&mut self, digest: u64) {
        self.candidates.remove(&digest);
        let parent = self.files.as_mut().and_then(|files| files.remove(&digest));
        if let Some(folder) = parent.and_then(|parent| self.folders.get_mut(parent)) {
            folder.files = folder.files.saturating_sub(1);
        }
    }

    fn forget(&mut self, id: &str, is_folder: bool) {
        self.drop_file(self.key.of(id));
        let number = if is_folder {
            Some(self.number(id))
        } else {
            self.folder(id)
        };
        // Its number may still be named by others: of what lies in a deleted folder not everything is told to be deleted.
        if let Some(folder) = number.and_then(|number| self.folders.get_mut(number)) {
            *folder = Folder {
                gone: true,
                files: folder.files,
                ..Folder::default()
            };
        }
        if let Some(number) = number {
            self.granted.remove(&number);
        }
    }

    /// Ends the taking in. Where the service left the drive's top out of its own list, it is the one folder that is named
    /// and not told; where there is no such, what is granted on the drive as a whole cannot be read.
    pub(super) fn settle(&mut self) {
        self.settled = true;
        if self.top.is_some() {
            return;
        }
        let mut untold = self
            .folders
            .iter()
            .enumerate()
            .filter(|(_, folder)| !folder.told && !folder.gone);
        let (Some((top, _)), None) = (untold.next(), untold.next()) else {
            self.unread += 1;
            return;
        };
        self.top = Some(top);
        let Some(folder) = self.folders.get_mut(top) else {
            return;
        };
        folder.told = true;
        let id = std::mem::take(&mut folder.name);
        if let Some(root) = self.as_root(&id) {
            // What was told of an item that is neither folder nor file stays told.
            self.roots.entry(self.key.of(&id)).or_insert(root);
        }
    }

    /// The folders above something, the nearest first; `None` where one of them was not told, or they form a circle.
    fn above(&self, parent: Option<usize>) -> Option<Vec<usize>> {
        let mut above = Vec::new();
        let mut next = parent;
        while let Some(number) = next {
            let folder = self.folders.get(number).filter(|folder| folder.told)?;
            if above.len() >= DEEPEST {
                return None;
            }
            above.push(number);
            if Some(number) == self.top {
                return Some(above);
            }
            next = folder.parent();
        }
        None
    }

    /// Whether something lies in a folder that was deleted.
    fn is_gone(&self, parent: Option<usize>) -> bool {
        let above = std::iter::successors(parent, |number| self.folders.get(*number)?.parent());
        above
            .take(DEEPEST)
            .any(|number| self.folders.get(number).is_some_and(|folder| folder.gone))
    }

    /// Puts a path together; `None` where a folder above is not known.
    fn path(&self, parent: Option<usize>, name: &str) -> Option<String> {
        let above = self.above(parent)?;
        let mut path = String::new();
        for number in above.iter().rev().filter(|number| Some(**number) != self.top) {
            path.push('/');
            path.push_str(&self.folders.get(*number)?.name);
        }
        path.push('/');
        path.push_str(name);
        Some(path)
    }

    /// The path of an item that has sharing of its own, and whether it is the whole of it.
    pub(super) fn path_of(&self, root: &Root) -> (String, bool) {
        if root.folder.is_some() && root.folder == self.top {
            return ("/".to_owned(), true);
        }
        match self.path(root.parent, &root.name) {
            Some(path) if !root.name.is_empty() => (path, true),
            Some(_) | None => (format!("/{}", root.name), false),
        }
    }

    /// The folders above an item that has sharing of its own, the nearest first, as far as they are known.
    pub(super) fn folders_above(&self, root: &Root) -> Vec<usize> {
        let mut above = Vec::new();
        let mut next = root.parent;
        while let Some(number) = next.filter(|number| above.len() < DEEPEST && !above.contains(number)) {
            above.push(number);
            next = self.folders.get(number).and_then(Folder::parent);
        }
        above
    }

    /// Whether a folder has permissions of its own and is not shared: nothing comes through it from above but links.
    pub(super) fn is_closed(&self, folder: usize) -> bool {
        self.folders.get(folder).is_some_and(|folder| folder.closed)
    }

    /// The number of a folder, by its id.
    pub(super) fn folder(&self, id: &str) -> Option<usize> {
        self.numbers.get(&self.key.of(id)).copied()
    }

    /// An item that is to be listed because another one's permissions come from it.
    fn as_root(&self, id: &str) -> Option<Root> {
        let number = self.folder(id)?;
        let folder = self.folders.get(number).filter(|folder| folder.told)?;
        Some(Root {
            id: id.to_owned(),
            width: Width::People,
            folder: Some(number),
            parent: folder.parent(),
            name: folder.name.to_string(),
            size: None,
            kind: ItemKind::Folder,
            is_open: false,
            summary: u64::from(folder.closed),
            is_due: false,
            gone: false,
            past: None,
            told: Box::default(),
        })
    }

    /// Whether an item of this name may give a label to what lies above it.
    fn may_classify(&self, name: &str) -> bool {
        self.classifies && self.names.as_ref().is_none_or(|names| names.is_match(name))
    }
}

/// The name patterns as one set; `None` where one cannot be compiled: then every name may match.
fn set_of(names: &BTreeSet<String>) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for name in names {
        let glob = GlobBuilder::new(name)
            .case_insensitive(true)
            .backslash_escape(true)
            .build();
        set.add(glob.ok()?);
    }
    set.build().ok()
}

#[cfg(test)]
mod tests;
