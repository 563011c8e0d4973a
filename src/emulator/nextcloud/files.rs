//! The files of all accounts: one tree a home, looked up by id or by path.
//!
//! Knows nothing of shares; how a recipient sees a file that is not his is the business of `view`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A file or folder.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) id: u64,
    pub(crate) owner: Arc<str>,
    /// None for a home folder.
    pub(crate) parent: Option<u64>,
    pub(crate) name: String,
    pub(crate) folder: bool,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) tags: BTreeSet<u64>,
    pub(crate) trashed: bool,
    /// Another storage is mounted here.
    pub(crate) mount: bool,
    /// The server has not looked into it.
    pub(crate) unseen: bool,
    pub(crate) children: BTreeMap<String, u64>,
}

impl File {
    pub(crate) fn mimetype(&self) -> &'static str {
        if self.folder {
            return "httpd/unix-directory";
        }
        match self
            .name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase())
            .as_deref()
        {
            Some("txt" | "log") => "text/plain",
            Some("md") => "text/markdown",
            Some("csv") => "text/csv",
            Some("html") => "text/html",
            Some("pdf") => "application/pdf",
            Some("odt") => "application/vnd.oasis.opendocument.text",
            Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Some("pptx") => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Some("zip") => "application/zip",
            Some("png") => "image/png",
            Some("jpg") => "image/jpeg",
            Some("mp4") => "video/mp4",
            _ => "application/octet-stream",
        }
    }

    /// True where the server could draw a small picture.
    pub(crate) fn previewable(&self) -> bool {
        matches!(
            self.mimetype(),
            "text/plain" | "text/markdown" | "image/png" | "image/jpeg"
        )
    }
}

/// All files of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    all: HashMap<u64, File>,
    homes: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Files {
    /// Makes the home folder of an account, or returns the one it has.
    pub(crate) fn home(&mut self, owner: &Arc<str>, id: Option<u64>, mtime: i64) -> u64 {
        if let Some(home) = self.homes.get(owner) {
            return *home;
        }
        let id = self.free(id);
        let home = File {
            id,
            owner: owner.clone(),
            parent: None,
            name: String::new(),
            folder: true,
            size: 0,
            mtime,
            tags: BTreeSet::new(),
            trashed: false,
            mount: false,
            unseen: false,
            children: BTreeMap::new(),
        };
        self.all.insert(id, home);
        self.homes.insert(owner.clone(), id);
        id
    }

    pub(crate) fn home_of(&self, owner: &str) -> Option<u64> {
        self.homes.get(owner).copied()
    }

    /// Adds `path` below the home of `owner`, with the folders above it; an existing one is returned as it is.
    pub(crate) fn add(&mut self, owner: &Arc<str>, path: &str, id: Option<u64>, mtime: i64) -> u64 {
        let mut at = self.home(owner, None, mtime);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let known = self
                .all
                .get(&at)
                .and_then(|folder| folder.children.get(*part))
                .copied();
            at = known.unwrap_or_else(|| {
                let folder = !last || path.ends_with('/');
                self.child(at, part, folder, if last { id } else { None }, mtime)
            });
        }
        at
    }

    /// Adds one child to a folder.
    pub(crate) fn child(
        &mut self,
        parent: u64,
        name: &str,
        folder: bool,
        id: Option<u64>,
        mtime: i64,
    ) -> u64 {
        let id = self.free(id);
        let Some(above) = self.all.get_mut(&parent) else {
            return parent;
        };
        above.children.insert(name.to_owned(), id);
        let file = File {
            id,
            owner: above.owner.clone(),
            parent: Some(parent),
            name: name.to_owned(),
            folder,
            size: 0,
            mtime,
            tags: BTreeSet::new(),
            trashed: false,
            mount: false,
            unseen: false,
            children: BTreeMap::new(),
        };
        self.all.insert(id, file);
        id
    }

    fn free(&mut self, wanted: Option<u64>) -> u64 {
        if let Some(id) = wanted.filter(|id| !self.all.contains_key(id)) {
            return id;
        }
        loop {
            self.next += 1;
            if !self.all.contains_key(&self.next) {
                return self.next;
            }
        }
    }

    /// Keeps ids below `first` free for files that name their own.
    pub(crate) fn start_at(&mut self, first: u64) {
        self.next = self.next.max(first);
    }

    pub(crate) fn get(&self, id: u64) -> Option<&File> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut File> {
        self.all.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &File> {
        self.all.values()
    }

    /// The file at `path` of an account's own tree, trashed or not.
    pub(crate) fn find(&self, owner: &str, path: &str) -> Option<u64> {
        let home = self.home_of(owner)?;
        self.below(home, path)
    }

    /// The file at `path` below a folder.
    pub(crate) fn below(&self, folder: u64, path: &str) -> Option<u64> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(folder, |at, part| self.all.get(&at)?.children.get(part).copied())
    }

    /// The file and the folders above it, up to the home.
    pub(crate) fn upwards(&self, id: u64) -> impl Iterator<Item = &File> {
        std::iter::successors(self.all.get(&id), |file| self.all.get(&file.parent?))
    }

    /// True where the file or a folder above it is in the trash bin.
    pub(crate) fn is_trashed(&self, id: u64) -> bool {
        self.upwards(id).any(|file| file.trashed)
    }

    /// The path from the owner's home, with a leading `/`.
    pub(crate) fn path(&self, id: u64) -> String {
        self.path_from(id, None)
    }

    /// The path from `above` (exclusive), or from the home.
    pub(crate) fn path_from(&self, id: u64, above: Option<u64>) -> String {
        let mut names: Vec<&str> = Vec::new();
        for file in self.upwards(id) {
            if Some(file.id) == above || file.parent.is_none() {
                break;
            }
            names.push(&file.name);
        }
        let mut path = String::new();
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        if path.is_empty() { "/".into() } else { path }
    }

    /// A file's size; a folder's is that of all beneath it, mounts included, of which an unseen one counts for -1.
    pub(crate) fn size(&self, id: u64) -> i64 {
        let mounts = self.beneath(id).into_iter().filter_map(|id| self.all.get(&id));
        let mounts = mounts.filter(|file| file.mount);
        self.indexed_size(id) + mounts.map(|mount| self.indexed_size(mount.id)).sum::<i64>()
    }

    /// A file's size as the index has it: without what is mounted beneath a folder, and -1 for a folder that was not
    /// looked into, or has such a one beneath it.
    pub(crate) fn indexed_size(&self, id: u64) -> i64 {
        let Some(file) = self.all.get(&id) else { return 0 };
        if file.unseen {
            return -1;
        }
        if !file.folder {
            return i64::try_from(file.size).unwrap_or(i64::MAX);
        }
        self.visible_children(file)
            .filter(|child| !child.mount)
            .map(|child| self.indexed_size(child.id))
            .try_fold(0, |sum, size| (size >= 0).then_some(sum + size))
            .unwrap_or(-1)
    }

    /// The nearest mount around a file, itself included; none in the home's own storage.
    pub(crate) fn mount_of(&self, id: u64) -> Option<u64> {
        self.upwards(id).find(|file| file.mount).map(|file| file.id)
    }

    /// What lies directly in a folder, without the trash, as far as the server knows.
    pub(crate) fn visible_children<'a>(&'a self, folder: &'a File) -> impl Iterator<Item = &'a File> {
        folder
            .children
            .values()
            .filter_map(|id| self.all.get(id))
            .filter(|file| !file.trashed && !folder.unseen)
    }

    /// Everything beneath a folder, without the trash, parents first.
    pub(crate) fn beneath(&self, folder: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let mut waiting = vec![folder];
        while let Some(id) = waiting.pop() {
            let Some(file) = self.all.get(&id) else { continue };
            for child in self.visible_children(file) {
                found.push(child.id);
                if child.folder {
                    waiting.push(child.id);
                }
            }
        }
        found
    }

    /// Moves a file within its home, making the folders above the new place.
    pub(crate) fn rename(&mut self, id: u64, path: &str) {
        if let Some(file) = self.all.get(&id).cloned() {
            self.place(&file, &file.owner, path);
        }
    }

    /// Moves a file and all beneath it to the home of another account, and returns what was moved.
    pub(crate) fn give(&mut self, id: u64, owner: &Arc<str>, path: &str) -> Vec<u64> {
        let Some(file) = self.all.get(&id).cloned() else {
            return Vec::new();
        };
        self.place(&file, owner, path);
        let (mut given, mut next) = (vec![id], 0);
        while let Some(file) = given.get(next).and_then(|id| self.all.get_mut(id)) {
            file.owner = owner.clone();
            given.extend(file.children.values());
            next += 1;
        }
        given
    }

    fn place(&mut self, file: &File, owner: &Arc<str>, path: &str) {
        let id = file.id;
        let path = path.trim_end_matches('/');
        let Some((folder, name)) = path.rsplit_once('/') else {
            return;
        };
        let above = self.add(owner, &format!("{folder}/"), None, file.mtime);
        if let Some(old) = file.parent.and_then(|parent| self.all.get_mut(&parent)) {
            old.children.remove(&file.name);
        }
        if let Some(new) = self.all.get_mut(&above) {
            new.children.insert(name.to_owned(), id);
        }
        if let Some(moved) = self.all.get_mut(&id) {
            moved.parent = Some(above);
            name.clone_into(&mut moved.name);
        }
    }

    /// Removes a file and all beneath it; returns what was removed.
    pub(crate) fn remove(&mut self, id: u64) -> Vec<u64> {
        let Some(file) = self.all.remove(&id) else {
            return Vec::new();
        };
        if let Some(parent) = file.parent.and_then(|parent| self.all.get_mut(&parent)) {
            parent.children.remove(&file.name);
        } else if file.parent.is_none() {
            self.homes.remove(&file.owner);
        }
        let mut removed = vec![id];
        for child in file.children.values() {
            removed.extend(self.remove(*child));
        }
        removed
    }
}
