//! What lies beneath the folders of a drive: how many files, and which labels their paths give.

use std::collections::{BTreeSet, HashMap};

use super::{Key, Tree};
use crate::model::Classes;

/// What lies beneath the folders of a drive.
#[derive(Debug, Default)]
pub(in crate::provider::microsoft365) struct Beneath {
    /// Files, by the folder's number; `None` where they are too many to be counted.
    files: Option<Vec<u64>>,
    /// The labels that paths give, by the folder's number.
    labels: HashMap<usize, BTreeSet<String>>,
    /// Whether every item's path was looked at.
    pub(in crate::provider::microsoft365) complete: bool,
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
    pub(in crate::provider::microsoft365) fn files(&self, folder: usize) -> Option<u64> {
        self.files.as_ref()?.get(folder).copied()
    }

    /// The labels of what lies beneath a folder.
    pub(in crate::provider::microsoft365) fn labels(&self, folder: usize) -> BTreeSet<String> {
        self.labels.get(&folder).cloned().unwrap_or_default()
    }

    /// What tells this knowledge of a folder from another.
    pub(super) fn digest(&self, folder: usize, key: Key) -> u64 {
        let files = format!("{:?} {}", self.files(folder), self.complete);
        let labels = self.labels.get(&folder).into_iter().flatten();
        key.of_all(std::iter::once(files.as_str()).chain(labels.map(String::as_str)))
    }
}

impl Tree {
    /// What lies beneath each folder; worked out once, when all was told.
    pub(in crate::provider::microsoft365) fn beneath(&self, classes: &Classes) -> Beneath {
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
}
