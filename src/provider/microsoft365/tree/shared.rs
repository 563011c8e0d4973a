//! The items of a drive that have sharing of their own: when each was listed, and which are to be listed next.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::beneath::Beneath;
use super::{Tree, Width};
use crate::model::{Classes, ItemKind, Relist};

/// An item that has sharing of its own: its permissions are to be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::provider::microsoft365) struct Root {
    pub(in crate::provider::microsoft365) id: String,
    pub(in crate::provider::microsoft365) width: Width,
    /// The number of the folder, where it is one.
    pub(in crate::provider::microsoft365) folder: Option<usize>,
    pub(super) parent: Option<usize>,
    pub(super) name: String,
    pub(in crate::provider::microsoft365) size: Option<u64>,
    pub(in crate::provider::microsoft365) kind: ItemKind,
    /// Whether its summary says that it is open: else it is listed once more, and forgotten where it shares nothing.
    pub(super) is_open: bool,
    /// The digest of its summary.
    pub(super) summary: u64,
    /// Whether something says that its sharing changed since it was listed.
    pub(super) is_due: bool,
    /// Whether it was deleted.
    pub(super) gone: bool,
    pub(super) past: Option<Past>,
    /// What the shares are known by that were told of it.
    pub(super) told: Box<[u64]>,
}

/// What was so when an item was last listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    /// When that was, in seconds.
    at: i64,
    summary: u64,
    pub(super) parent: Option<usize>,
    /// The digest of the path that was told.
    placed: u64,
    /// The digest of what was told to lie beneath it.
    beneath: u64,
    /// The digest of the labels that its path and those beneath it gave.
    labels: u64,
    /// The digest of the folders above from which it may have permissions.
    above: u64,
}

impl Root {
    /// Whether it is to be listed before the drive was read to its end.
    fn is_waiting(&self) -> bool {
        let changed = |past: &Past| self.is_due || past.summary != self.summary || past.parent != self.parent;
        self.gone || self.past.as_ref().is_none_or(changed)
    }

    /// When it was listed; `None` where it is to be listed before the drive was read to its end.
    fn listed_at(&self) -> Option<i64> {
        self.past.filter(|_| !self.is_waiting()).map(|past| past.at)
    }
}

/// How the listing of an item ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provider::microsoft365) struct Heard {
    /// When.
    pub(in crate::provider::microsoft365) at: i64,
    /// Whether all permissions could be read.
    pub(in crate::provider::microsoft365) whole: bool,
    /// What the shares are known by that were told of it.
    pub(in crate::provider::microsoft365) told: Vec<u64>,
}

/// What became of an item since it was last told, without a change of its sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provider::microsoft365) struct Drifted {
    pub(in crate::provider::microsoft365) id: String,
    /// Its path, and whether it is the whole of it, where that is another.
    pub(in crate::provider::microsoft365) path: Option<(String, bool)>,
    /// Its number, where something else lies beneath it.
    pub(in crate::provider::microsoft365) folder: Option<usize>,
}

impl Tree {
    /// An item that has sharing of its own, by its digest.
    pub(in crate::provider::microsoft365) fn root(&self, digest: u64) -> Option<&Root> {
        self.roots.get(&digest)
    }

    /// How many items are listed one by one, how many of them are to be listed before the drive was read to its end,
    /// and when the one was listed that was not listed for the longest time.
    pub(in crate::provider::microsoft365) fn state(&self) -> (u64, u64, Option<i64>) {
        let waiting = self.roots.values().filter(|root| root.is_waiting()).count();
        let listed = self.roots.values().filter_map(|root| root.past.as_ref());
        (
            self.roots.len() as u64,
            waiting as u64,
            listed.map(|past| past.at).min(),
        )
    }

    /// Forgets the items that were deleted, by themselves or with a folder, and gives back the ids of those of which
    /// something may have been told.
    pub(in crate::provider::microsoft365) fn take_gone(&mut self) -> Vec<String> {
        let any = self.folders.iter().any(|folder| folder.gone);
        let gone = |root: &Root| root.gone || (any && root.past.is_some() && self.is_gone(root.parent));
        let gone: Vec<u64> = self
            .roots
            .iter()
            .filter(|(_, root)| gone(root))
            .map(|(digest, _)| *digest)
            .collect();
        let mut ids = Vec::new();
        for digest in gone {
            ids.extend(self.drop_root(digest).map(|root| root.id));
        }
        ids
    }

    fn drop_root(&mut self, digest: u64) -> Option<Root> {
        let root = self.roots.remove(&digest)?;
        if let Some(folder) = root.folder {
            self.granted.remove(&folder);
        }
        Some(root)
    }

    /// Which items are to be listed: first all of which something says that their sharing changed, then of the others those
    /// that were not listed for the longest time. Of those alike the widest first, and each after those above it, since
    /// what comes from there is told apart by them.
    pub(in crate::provider::microsoft365) fn due(&self, relist: &Relist) -> Vec<u64> {
        let mut due = Vec::new();
        let mut others = Vec::new();
        for (digest, root) in self.roots.iter() {
            match root.listed_at() {
                Some(at) => others.push((at, *digest)),
                None => due.push(*digest),
            }
        }
        others.sort_unstable();
        let before = relist.before.as_second();
        let again = (0..).zip(others);
        due.extend(
            again
                .take_while(|(count, (at, _))| *at < before || *count < relist.least)
                .map(|(_, (_, digest))| digest),
        );
        self.in_order(&due)
    }

    fn in_order(&self, due: &[u64]) -> Vec<u64> {
        let roots: Vec<(u64, &Root)> = due
            .iter()
            .filter_map(|digest| Some((*digest, self.roots.get(digest)?)))
            .collect();
        let by_folder: HashMap<usize, usize> = roots
            .iter()
            .enumerate()
            .filter_map(|(place, (_, root))| Some((root.folder?, place)))
            .collect();
        let turn = |root: &Root| (root.listed_at(), root.width);
        let mut turns: Vec<(Option<i64>, Width)> = roots.iter().map(|(_, root)| turn(root)).collect();
        let mut depths = Vec::new();
        for (_, root) in &roots {
            let above = self.folders_above(root);
            for higher in above.iter().filter_map(|folder| by_folder.get(folder)) {
                if let Some(first) = turns.get_mut(*higher) {
                    *first = turn(root).min(*first);
                }
            }
            depths.push(above.len());
        }
        let mut ordered: Vec<_> = roots.into_iter().zip(turns.into_iter().zip(depths)).collect();
        ordered.sort_by(|((_, one), first), ((_, other), second)| (first, &one.id).cmp(&(second, &other.id)));
        ordered.into_iter().map(|((digest, _), _)| digest).collect()
    }

    /// Takes note that an item was listed. One that neither is open nor shares anything is listed no more.
    pub(in crate::provider::microsoft365) fn heard(
        &mut self,
        digest: u64,
        heard: Heard,
        (beneath, classes): (&Beneath, &Classes),
    ) {
        let Some(root) = self.roots.get(&digest) else {
            return;
        };
        let is_top = root.folder.is_some() && root.folder == self.top;
        if heard.whole && heard.told.is_empty() && !root.is_open && !is_top {
            self.drop_root(digest);
            return;
        }
        let past = Past {
            at: heard.at,
            summary: root.summary,
            parent: root.parent,
            placed: self.placed(root),
            beneath: self.beneath_of(root, beneath),
            labels: self.labels_of(root, beneath, classes),
            above: self.sources_of(root),
        };
        if let Some(root) = self.roots.get_mut(&digest) {
            root.past = Some(past);
            root.is_due = !heard.whole;
            root.told = heard.told.into();
        }
    }

    /// Takes note that an item is to be listed, in this run or a later one.
    pub(in crate::provider::microsoft365) fn mark_due(&mut self, digest: u64) {
        if let Some(root) = self.roots.get_mut(&digest) {
            root.is_due = true;
        }
    }

    /// Adds an item that is to be listed because another one's permissions come from it.
    pub(in crate::provider::microsoft365) fn add_root(&mut self, id: &str) -> Option<u64> {
        let digest = self.key.of(id);
        if !self.roots.contains_key(&digest) {
            let root = self.as_root(id)?;
            self.roots.insert(digest, root);
        }
        Some(digest)
    }

    /// How many items are listed one by one.
    pub(in crate::provider::microsoft365) fn parts(&self) -> usize {
        self.roots.len()
    }

    /// The nearest folder above an item that has grants of its own, so that no others come through it.
    pub(in crate::provider::microsoft365) fn granting(&self, root: &Root) -> Option<usize> {
        let mut above = self.folders_above(root).into_iter();
        above.find(|folder| self.granted.contains_key(folder) || self.is_closed(*folder))
    }

    /// The items beneath a folder whose grants it is that they would inherit.
    pub(in crate::provider::microsoft365) fn roots_right_beneath(&self, folder: usize) -> Vec<u64> {
        let beneath = self.roots.iter();
        let beneath = beneath.filter(|(_, root)| self.granting(root) == Some(folder));
        beneath.map(|(digest, _)| *digest).collect()
    }

    /// Whether an item lies beneath a folder.
    pub(in crate::provider::microsoft365) fn lies_beneath(&self, digest: u64, folder: usize) -> bool {
        let root = self.roots.get(&digest);
        root.is_some_and(|root| self.folders_above(root).contains(&folder))
    }

    /// The items of which shares were told in earlier runs, by what the shares are known by.
    pub(in crate::provider::microsoft365) fn by_told(&self) -> HashMap<u64, Vec<u64>> {
        let mut by_told: HashMap<u64, Vec<u64>> = HashMap::new();
        for (digest, root) in self.roots.iter() {
            for told in &root.told {
                by_told.entry(*told).or_default().push(*digest);
            }
        }
        by_told
    }

    /// Of the items that share something, those that lie elsewhere, or have something else beneath them than was told;
    /// they count as told. Those that are classified otherwise now are to be listed: of shares without a finding
    /// nothing may be kept that could be judged. So are those that now lie beneath other folders that grant something:
    /// what was told there is told at them, or the other way round.
    pub(in crate::provider::microsoft365) fn take_drifted(
        &mut self,
        beneath: &Beneath,
        classes: &Classes,
    ) -> Vec<Drifted> {
        let mut drifted = Vec::new();
        let mut pasts = Vec::new();
        let mut due = Vec::new();
        for (digest, root) in self.roots.iter() {
            let Some(past) = root.past else { continue };
            let mut now = Past {
                above: self.sources_of(root),
                ..past
            };
            if !root.told.is_empty() {
                now.placed = self.placed(root);
                now.beneath = self.beneath_of(root, beneath);
                now.labels = self.labels_of(root, beneath, classes);
            }
            if now.labels != past.labels || now.above != past.above {
                due.push(*digest);
            }
            if (now.placed, now.beneath) != (past.placed, past.beneath) {
                drifted.push(Drifted {
                    id: root.id.clone(),
                    path: (now.placed != past.placed).then(|| self.path_of(root)),
                    folder: root.folder.filter(|_| now.beneath != past.beneath),
                });
            }
            if now != past {
                pasts.push((*digest, now));
            }
        }
        for (digest, past) in pasts {
            if let Some(root) = self.roots.get_mut(&digest) {
                root.past = Some(past);
            }
        }
        for digest in due {
            self.mark_due(digest);
        }
        self.drifts = false;
        drifted
    }

    /// Takes note from which folders the items may have permissions now. What was listed of those folders was compared with
    /// what was told of the items: none is to be listed for it.
    pub(in crate::provider::microsoft365) fn note_sources(&mut self) {
        let listed = self.roots.iter().filter(|(_, root)| root.past.is_some());
        let above: Vec<(u64, u64)> = listed
            .map(|(digest, root)| (*digest, self.sources_of(root)))
            .collect();
        for (digest, above) in above {
            if let Some(past) = self.roots.get_mut(&digest).and_then(|root| root.past.as_mut()) {
                past.above = above;
            }
        }
    }

    /// The digest of the folders above an item from which it may have permissions, and of whether the nearest closed one
    /// keeps their grants away.
    fn sources_of(&self, root: &Root) -> u64 {
        let mut sources = Vec::new();
        for folder in self.folders_above(root) {
            if self.granted.contains_key(&folder) {
                sources.push(folder.to_string());
            } else if sources.is_empty() && self.is_closed(folder) {
                sources.push("closed".to_owned());
            }
        }
        self.key.of_all(sources.iter().map(String::as_str))
    }

    fn labels_of(&self, root: &Root, beneath: &Beneath, classes: &Classes) -> u64 {
        let mut labels = classes.of_path(&self.path_of(root).0);
        labels.extend(root.folder.into_iter().flat_map(|folder| beneath.labels(folder)));
        self.key.of_all(labels.iter().map(String::as_str))
    }

    fn placed(&self, root: &Root) -> u64 {
        let (path, whole) = self.path_of(root);
        self.key.of_all([&*path, if whole { "whole" } else { "" }])
    }

    fn beneath_of(&self, root: &Root, beneath: &Beneath) -> u64 {
        root.folder.map_or(0, |folder| beneath.digest(folder, self.key))
    }
}
