//! What a delta told of a drive: its folders, and which items have sharing of their own.
//!
//! The service sends items in any order, some more than once (the last counts), and without their paths: those are put
//! together from the folders at the end. Of files it keeps only those that are shared, those whose names may classify,
//! and, up to a number, which folder each lies in.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::graph::Identified;
use super::wire::lower;
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

/// An item as a delta writes it.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/driveitem?view=graph-rest-1.0>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Told {
    pub(super) id: Option<String>,
    name: Option<String>,
    parent_reference: Option<Parent>,
    folder: Option<Present>,
    package: Option<Present>,
    file: Option<Present>,
    root: Option<Present>,
    deleted: Option<Present>,
    shared: Option<Box<RawValue>>,
    size: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parent {
    id: Option<String>,
}

/// A facet of which only counts that it is there.
#[derive(Debug)]
struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Identified for Told {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// How wide an item is open, as its summary says. Ordered, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    Anyone,
    Organization,
    /// Some people, or in a way that is not known.
    People,
}

/// What the summary of an item's sharing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// It has what the folder above it has.
    Inherits,
    /// It has permissions of its own, and is not shared.
    Closed,
    Open(Width),
}

#[derive(Deserialize)]
struct Facet {
    scope: Option<String>,
}

impl Sharing {
    fn of(facet: Option<&RawValue>) -> Self {
        let Some(text) = facet.map(RawValue::get) else {
            return Self::Inherits;
        };
        if text.trim_start_matches('{').trim() == "}" {
            return Self::Closed;
        }
        let scope = serde_json::from_str::<Facet>(text)
            .ok()
            .and_then(|facet| facet.scope);
        Self::Open(match scope.as_deref().map(lower).as_deref() {
            Some("anonymous") => Width::Anyone,
            Some("organization") => Width::Organization,
            _ => Width::People,
        })
    }
}

/// An item that has sharing of its own: its permissions are to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) id: String,
    pub(super) width: Width,
    /// The number of the folder, where it is one.
    pub(super) folder: Option<usize>,
    parent: Option<usize>,
    name: String,
    pub(super) size: Option<u64>,
    pub(super) kind: ItemKind,
}

/// A folder, by its number.
#[derive(Debug, Default)]
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
pub(super) struct Tree {
    /// Folders by the digest of their id.
    numbers: HashMap<u64, usize>,
    folders: Vec<Folder>,
    top: Option<usize>,
    roots: HashMap<u64, Root>,
    /// Which folder each file lies in, by the file's digest; `None` once there are too many.
    files: Option<HashMap<u64, usize>>,
    candidates: HashMap<u64, (usize, Box<str>)>,
    overflowed: bool,
    /// Of how many files it is kept where they lie, and how many whose names may classify are kept.
    most: (usize, usize),
    hasher: RandomState,
    names: Option<GlobSet>,
    classifies: bool,
    /// Items seen, repeated ones included.
    pub(super) items: u64,
    /// Items that could not be read.
    pub(super) unread: u64,
}

impl Tree {
    pub(super) fn new(classes: &Classes) -> Self {
        Self {
            numbers: HashMap::new(),
            folders: Vec::new(),
            top: None,
            roots: HashMap::new(),
            files: Some(HashMap::new()),
            candidates: HashMap::new(),
            overflowed: false,
            most: (COUNTED, CANDIDATES),
            hasher: RandomState::new(),
            names: classes.names().and_then(set_of),
            classifies: classes.has_patterns(),
            items: 0,
            unread: 0,
        }
    }

    /// Takes an item in, in place of what was told of it before.
    pub(super) fn take(&mut self, told: Told) {
        self.items += 1;
        let Some(id) = told.id.filter(|id| !id.is_empty() && id.len() <= LONGEST) else {
            self.unread += 1;
            return;
        };
        let digest = self.hasher.hash_one(&*id);
        self.roots.remove(&digest);
        if told.deleted.is_some() {
            self.forget(&id, told.folder.is_some() || told.package.is_some());
            return;
        }
        let parent = told
            .parent_reference
            .and_then(|parent| parent.id)
            .filter(|id| told.root.is_none() && id.len() <= LONGEST)
            .map(|parent| self.number(&parent));
        let mut name = told.name.unwrap_or_default();
        if told.root.is_none() && (name.is_empty() || name.len() > LONGEST || parent.is_none()) {
            self.unread += 1;
        }
        name.truncate(name.floor_char_boundary(LONGEST));
        let sharing = Sharing::of(told.shared.as_deref());
        // What a package holds (the sections of a notebook) is told as lying in it.
        let kind = if told.folder.is_some() || told.package.is_some() || told.root.is_some() {
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
        if told.root.is_some() {
            self.top = folder;
        }
        // What is granted on the drive as a whole stands on its top, whatever the summary says.
        let width = match sharing {
            Sharing::Open(width) => Some(width),
            _ => told.root.is_some().then_some(Width::People),
        };
        if let Some(width) = width {
            let root = Root {
                id,
                width,
                folder,
                parent,
                name,
                size: told.size,
                kind,
            };
            self.roots.insert(digest, root);
        }
    }

    /// Whether more folders and shared items are kept than any library has.
    pub(super) fn is_overfull(&self) -> bool {
        self.folders.len() > MOST_FOLDERS || self.roots.len() > MOST_ROOTS
    }

    fn number(&mut self, id: &str) -> usize {
        let number = *self
            .numbers
            .entry(self.hasher.hash_one(id))
            .or_insert(self.folders.len());
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
        self.drop_file(self.hasher.hash_one(id));
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
    }

    /// Ends the taking in. Where the service left the drive's top out of its own list, it is the one folder that is named
    /// and not told; where there is no such, what is granted on the drive as a whole cannot be read.
    pub(super) fn settle(&mut self) {
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
            self.roots.insert(self.hasher.hash_one(&*id), root);
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
        self.numbers.get(&self.hasher.hash_one(id)).copied()
    }

    /// An item that is to be listed because another one's permissions come from it.
    pub(super) fn as_root(&self, id: &str) -> Option<Root> {
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
        })
    }

    /// Takes the items that have sharing of their own: the widest first, and each after those above it, since what comes
    /// from there is told apart by them.
    pub(super) fn take_roots(&mut self) -> Vec<Root> {
        let roots: Vec<Root> = std::mem::take(&mut self.roots).into_values().collect();
        let by_folder: HashMap<usize, usize> = roots
            .iter()
            .enumerate()
            .filter_map(|(place, root)| Some((root.folder?, place)))
            .collect();
        let mut widest: Vec<Width> = roots.iter().map(|root| root.width).collect();
        let mut order = Vec::new();
        for (place, root) in roots.iter().enumerate() {
            let above = self.folders_above(root);
            for higher in above.iter().filter_map(|folder| by_folder.get(folder)) {
                if let Some(width) = widest.get_mut(*higher) {
                    *width = root.width.min(*width);
                }
            }
            order.push((place, above.len()));
        }
        let mut ordered: Vec<_> = roots
            .into_iter()
            .zip(order)
            .map(|(root, (place, depth))| (widest.get(place).copied().unwrap_or(root.width), depth, root))
            .collect();
        ordered.sort_by(|one, other| (one.0, one.1, &one.2.id).cmp(&(other.0, other.1, &other.2.id)));
        ordered.into_iter().map(|(_, _, root)| root).collect()
    }

    /// What lies beneath each folder; worked out once, when all was told.
    pub(super) fn beneath(&self, classes: &Classes) -> Beneath {
        let mut beneath = Beneath {
            files: self.files.is_some().then(|| vec![0; self.folders.len()]),
            labels: HashMap::new(),
            complete: !self.overflowed && self.unread == 0,
        };
        let mut astray = false;
        for (number, folder) in self.folders.iter().enumerate() {
            let is_top = Some(number) == self.top;
            let above = if is_top {
                Some(Vec::new())
            } else {
                self.above(folder.parent())
            };
            let Some(above) = above.filter(|_| folder.told) else {
                // Where it belongs is not known, nor what lies in it; unless it was deleted with it.
                let matters = folder.told || folder.files > 0;
                astray |= matters && !self.is_gone(Some(number));
                continue;
            };
            if let Some(files) = &mut beneath.files {
                for higher in above.iter().copied().chain([number]) {
                    if let Some(count) = files.get_mut(higher) {
                        *count += u64::from(folder.files);
                    }
                }
            }
            if !is_top
                && self.may_classify(&folder.name)
                && let Some(path) = self.path(folder.parent(), &folder.name)
            {
                beneath.label(&classes.of_path(&path), &above);
            }
        }
        for (parent, name) in self.candidates.values() {
            match (self.path(Some(*parent), name), self.above(Some(*parent))) {
                (Some(path), Some(above)) => beneath.label(&classes.of_path(&path), &above),
                _ => astray |= !self.is_gone(Some(*parent)),
            }
        }
        if astray {
            beneath.complete = false;
            beneath.files = None;
        }
        beneath
    }

    /// Whether an item of this name may give a label to what lies above it.
    fn may_classify(&self, name: &str) -> bool {
        self.classifies && self.names.as_ref().is_none_or(|names| names.is_match(name))
    }
}

/// What lies beneath the folders of a drive.
#[derive(Debug)]
pub(super) struct Beneath {
    /// Files, by the folder's number; `None` where they are too many to be counted.
    files: Option<Vec<u64>>,
    /// The labels that paths give, by the folder's number.
    labels: HashMap<usize, BTreeSet<String>>,
    /// Whether every item's path was looked at.
    pub(super) complete: bool,
}

impl Beneath {
    fn label(&mut self, labels: &BTreeSet<String>, above: &[usize]) {
        if labels.is_empty() {
            return;
        }
        for folder in above {
            self.labels
                .entry(*folder)
                .or_default()
                .extend(labels.iter().cloned());
        }
    }

    /// How many files lie beneath a folder.
    pub(super) fn files(&self, folder: usize) -> Option<u64> {
        self.files.as_ref()?.get(folder).copied()
    }

    /// The labels of what lies beneath a folder.
    pub(super) fn labels(&self, folder: usize) -> BTreeSet<String> {
        self.labels.get(&folder).cloned().unwrap_or_default()
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
