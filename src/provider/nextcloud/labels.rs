//! Looks for labels on, above and beneath the shared items of one account.
//!
//! One report for each configured tag covers the whole home, so tags cost requests by account, not by share. What
//! lies beneath folders is walked once for each folder that no other wanted folder contains.

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::{self, Tag, Tree};
use super::ocs::Ocs;
use crate::model::{Classes, Item, ItemKind, Labels, Problem, ProblemCode, Reading, Want};
use crate::provider::{ReadError, Sink};

/// The configured tags that the server has.
#[derive(Clone, Debug)]
pub(super) struct KnownTags {
    /// Those whose files can be asked for.
    pub(super) tags: Vec<Tag>,
    /// Whether there are others, or might be.
    pub(super) more: bool,
}

struct Looked {
    item: Item,
    labels: BTreeSet<String>,
    complete: bool,
    beneath: Option<u64>,
}

/// Looks up what is wanted of an account's items and sends the labels found. A tag that cannot be asked for, or a
/// folder that cannot be walked, leaves its items undetermined and is told as a problem.
pub(super) async fn look(
    ocs: &Ocs,
    account: &str,
    wants: Vec<Want>,
    classes: &Classes,
    tags: Option<&KnownTags>,
    sink: &Sink,
) -> Result<(), ReadError> {
    let mut items: BTreeMap<String, Looked> = BTreeMap::new();
    for want in wants.into_iter().filter(|want| want.item.path_is_owners) {
        items.entry(want.item.path.clone()).or_insert(Looked {
            item: want.item,
            labels: BTreeSet::new(),
            complete: true,
            beneath: None,
        });
    }
    let mut collector = sink.of(Some(account));
    if let Some(known) = tags {
        if known.more {
            undetermined(&mut items);
        }
        for tag in &known.tags {
            match nodes::tagged(ocs, account, &tag.id).await {
                Ok(tagged) => mark(&mut items, &tagged, &classes.of_tag(&tag.name)),
                Err(error) => {
                    undetermined(&mut items);
                    tell(&mut collector, account, error, ProblemCode::LabelsUnreadable).await?;
                }
            }
        }
    }
    if classes.has_patterns() {
        walk(ocs, account, &mut items, classes, &mut collector).await?;
    }
    for looked in items.into_values() {
        let reading = Reading::Labels {
            item: looked.item.id,
            drive: looked.item.drive,
            classes: classes.digest().to_owned(),
            labels: Labels {
                found: looked.labels,
                complete: looked.complete,
            },
            files_beneath: looked.beneath,
        };
        collector.push(reading).await?;
    }
    Ok(collector.flush().await?)
}

fn undetermined(items: &mut BTreeMap<String, Looked>) {
    for looked in items.values_mut() {
        looked.complete = false;
    }
}

/// Tells of a failure as a problem, unless it ends the whole source.
async fn tell(
    collector: &mut crate::provider::Collector<'_>,
    account: &str,
    error: ReadError,
    code: ProblemCode,
) -> Result<(), ReadError> {
    if error.concerns_source() {
        return Err(error);
    }
    let ReadError::Service { code: own, message } = error else {
        return Err(error);
    };
    let code = if own == ProblemCode::TooManyFiles {
        own
    } else {
        code
    };
    collector
        .push(Reading::Problem(Problem::new(account, code, message)))
        .await?;
    Ok(())
}

/// Gives labels to the items that are tagged, lie beneath something tagged, or have something tagged beneath.
fn mark(
    items: &mut BTreeMap<String, Looked>,
    tagged: &[(String, Option<String>)],
    labels: &BTreeSet<String>,
) {
    let paths: BTreeSet<&str> = tagged.iter().map(|(path, _)| path.as_str()).collect();
    let ids: BTreeSet<&str> = tagged.iter().filter_map(|(_, id)| id.as_deref()).collect();
    for (path, looked) in items.iter_mut() {
        let above = ancestors(path).any(|ancestor| paths.contains(ancestor));
        let hit = above || ids.contains(looked.item.id.as_str()) || {
            let beneath = format!("{}/", path.trim_end_matches('/'));
            looked.item.kind != ItemKind::File
                && paths
                    .range(beneath.as_str()..)
                    .next()
                    .is_some_and(|next| next.starts_with(&beneath))
        };
        if hit {
            looked.labels.extend(labels.iter().cloned());
        }
    }
}

/// A path, and each folder above it up to the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        let (above, _) = path.rsplit_once('/')?;
        if path == &"/" {
            None
        } else if above.is_empty() {
            Some("/")
        } else {
            Some(above)
        }
    })
}

async fn walk(
    ocs: &Ocs,
    account: &str,
    items: &mut BTreeMap<String, Looked>,
    classes: &Classes,
    collector: &mut crate::provider::Collector<'_>,
) -> Result<(), ReadError> {
    let folders: BTreeSet<&str> = items
        .iter()
        .filter(|(_, looked)| looked.item.kind != ItemKind::File)
        .map(|(path, _)| path.as_str())
        .collect();
    let roots: Vec<String> = folders
        .iter()
        .filter(|path| !ancestors(path).skip(1).any(|above| folders.contains(above)))
        .map(|&path| path.to_owned())
        .collect();
    for root in &roots {
        let mut tries = ocs.tries();
        let walked = loop {
            let walked = walk_one(ocs, account, root, items, classes).await;
            if !tries.again(&walked) {
                break walked;
            }
        };
        if let Err(error) = walked {
            for looked in within(items, root).filter(|looked| looked.item.kind != ItemKind::File) {
                looked.complete = false;
                looked.beneath = None;
            }
            tell(collector, account, error, ProblemCode::LabelsUnreadable).await?;
        }
    }
    Ok(())
}

/// A folder and the items beneath it.
fn within<'a>(
    items: &'a mut BTreeMap<String, Looked>,
    root: &'a str,
) -> impl Iterator<Item = &'a mut Looked> {
    items
        .range_mut(root.to_owned()..)
        .take_while(move |(path, _)| path.starts_with(root))
        .filter(move |(path, _)| ancestors(path).any(|above| above == root))
        .map(|(_, looked)| looked)
}

async fn walk_one(
    ocs: &Ocs,
    account: &str,
    root: &str,
    items: &mut BTreeMap<String, Looked>,
    classes: &Classes,
) -> Result<(), ReadError> {
    for looked in within(items, root) {
        looked.beneath = None;
    }
    let mut tree = Tree::of_folder(ocs, account, root).await?;
    while let Some((path, node)) = tree.next().await? {
        let labels = classes.of_path(&path);
        for ancestor in ancestors(&path).skip(usize::from(!node.folder)) {
            if let Some(looked) = items.get_mut(ancestor)
                && looked.item.kind != ItemKind::File
            {
                let beneath = looked.beneath.get_or_insert(0);
                *beneath += u64::from(!node.folder);
                looked.labels.extend(labels.iter().cloned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(path: &str, id: &str, kind: ItemKind) -> (String, Looked) {
        let item = Item {
            id: id.to_owned(),
            path: path.to_owned(),
            path_is_owners: true,
            kind,
            size: None,
            files_beneath: None,
            drive: None,
            labels: None,
        };
        (
            path.to_owned(),
            Looked {
                item,
                labels: BTreeSet::new(),
                complete: true,
                beneath: None,
            },
        )
    }

    #[test]
    fn a_tag_reaches_up_and_down() {
        let mut items = BTreeMap::from([
            looked("/a", "1", ItemKind::Folder),
            looked("/a/b/file", "2", ItemKind::File),
            looked("/a/bc", "3", ItemKind::Folder),
            looked("/moved", "9", ItemKind::File),
        ]);
        let labels = BTreeSet::from(["secret".to_owned()]);
        mark(
            &mut items,
            &[
                ("/a/b".to_owned(), Some("5".to_owned())),
                ("/old".to_owned(), Some("9".to_owned())),
            ],
            &labels,
        );
        let hit: Vec<_> = items
            .iter()
            .filter(|(_, looked)| !looked.labels.is_empty())
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(hit, ["/a", "/a/b/file", "/moved"]);
    }

    #[test]
    fn ancestors_end_at_the_root() {
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!(ancestors("x").collect::<Vec<_>>(), ["x"]);
    }
}
