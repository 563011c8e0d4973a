//! Looks into small folders that are open, for labels of what is in them.
//!
//! A folder's files are listed (<https://learn.microsoft.com/en-us/graph/api/driveitem-list-children>), and each is asked
//! for its labels. That costs three units a file: large folders are left out, and so is what is more than a scan's share.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use super::Microsoft365;
use super::batch::{Inner, MOST};
use super::graph::{Graph, Identified, Kind, segment};
use super::labels::{AT_ONCE, Failed, Target, take_in};
use super::wire::Told;
use crate::model::{Classes, Item, Labels};
use crate::provider::ReadError;

/// How many files may lie beneath a folder that is looked into.
const SMALL: u64 = 50;
/// How many folders may.
const FOLDERS: usize = 50;
/// How many children of one folder are listed.
const MAX_CHILDREN: usize = 1_000;
/// How many files of open folders one scan asks for their labels.
const A_SCAN: u64 = 2_000;

/// What is left of a scan's share.
#[derive(Debug)]
pub(super) struct Allowance(AtomicU64);

impl Default for Allowance {
    fn default() -> Self {
        Self(AtomicU64::new(A_SCAN))
    }
}

impl Allowance {
    /// Takes so many files out of it, if there are as many.
    fn take(&self, files: u64) -> bool {
        let less = |left: u64| left.checked_sub(files);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// What lies in a folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Child {
    id: Option<String>,
    name: Option<String>,
    folder: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Identified for Child {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A folder, or a file in it, by its id and path.
type Placed = (String, String);

impl Microsoft365 {
    /// The labels of what lies beneath a folder, by paths and by labels; `None` where it is not looked into.
    pub(super) async fn look_inside(
        &self,
        folder: &Item,
        classes: &Classes,
        failed: &mut Failed,
    ) -> Result<Option<Labels>, ReadError> {
        let (Some(files), Some(drive)) = (folder.files_beneath, folder.drive.as_deref()) else {
            return Ok(None);
        };
        // A folder without files is listed, too: it may have been filled since.
        if files > SMALL || !self.allowance.take(files.max(1)) {
            return Ok(None);
        }
        let mut labels = Labels {
            complete: true,
            ..Labels::default()
        };
        let mut found: Vec<Placed> = Vec::new();
        let mut waiting: Vec<Placed> = vec![(folder.id.clone(), folder.path.clone())];
        let mut folders = 0;
        while !waiting.is_empty() {
            let some: Vec<Placed> = waiting.drain(..waiting.len().min(MOST)).collect();
            folders += some.len();
            if folders > FOLDERS || found.len() as u64 > 2 * SMALL {
                labels.complete = false;
                break;
            }
            let lists = self.graph.children(drive, &some).await?;
            for ((_, path), children) in some.iter().zip(lists) {
                let Some(children) = self.unless_hopeless(children, failed)? else {
                    labels.complete = false;
                    continue;
                };
                for child in children {
                    let (Told::Whole(child) | Told::Partly(child, _)) = child else {
                        labels.complete = false;
                        continue;
                    };
                    let (Some(id), Some(name)) = (child.id, child.name) else {
                        labels.complete = false;
                        continue;
                    };
                    let path = format!("{}/{name}", path.trim_end_matches('/'));
                    labels.found.extend(classes.of_path(&path));
                    if child.folder.is_some() {
                        waiting.push((id, path));
                    } else {
                        found.push((id, path));
                    }
                }
            }
        }
        let targets: Vec<Target> = found.into_iter().map(|(id, _)| Target::file(drive, id)).collect();
        for some in targets.chunks(AT_ONCE) {
            for found in self.ask_labels(some, failed).await? {
                take_in(&mut labels, found, classes);
            }
        }
        Ok(Some(labels))
    }
}

impl Graph {
    /// What lies right in folders, in their order.
    async fn children(
        &self,
        drive: &str,
        folders: &[Placed],
    ) -> Result<Vec<Result<Vec<Told<Child>>, ReadError>>, ReadError> {
        let drive = segment(drive);
        let ask = |(id, _): &Placed| {
            let url = format!(
                "/drives/{drive}/items/{}/children?$select=id,name,folder",
                segment(id)
            );
            Inner::get(url, Kind::Many)
        };
        let answers = self.batch(folders.iter().map(ask).collect()).await?;
        let mut lists = Vec::new();
        for answer in answers {
            lists.push(match answer {
                Ok(answer) => self.collection(&answer, Kind::Many, MAX_CHILDREN).await,
                Err(error) => Err(error),
            });
        }
        Ok(lists)
    }
}
