//! Looks for labels on, above and beneath the shared items of one account.
//!
//! One report for each configured tag covers the whole home, so tags cost requests by account, not by share. What
//! lies beneath folders is another part's to find out.

use std::collections::{BTreeMap, BTreeSet};

use super::beneath;
use super::nodes::{self, Tag};
use super::ocs::Ocs;
use crate::model::{Classes, Item, ItemKind, Labels, Problem, ProblemCode, Reading, Want};
use crate::provider::{Collector, ReadError, Sink};

/// The configured tags that the server has.
#[derive(Clone, Debug)]
pub(super) struct KnownTags {
    /// Those whose files can be asked for.
    pub(super) tags: Vec<Tag>,
    /// Whether there are others, or might be.
    pub(super) more: bool,
}

/// A wanted item, and what was found out about it.
pub(super) struct Looked {
    pub(super) item: Item,
    pub(super) labels: BTreeSet<String>,
    /// Whether all tags could be asked for.
    pub(super) determined: bool,
    /// Whether all was looked at.
    pub(super) complete: bool,
    /// Whether what lies beneath it was walked.
    pub(super) walked: bool,
    /// How many files lie beneath it.
    pub(super) beneath: Option<u64>,
}

/// The wanted items of an account by their paths.
pub(super) type Items = BTreeMap<String, Looked>;

/// Whom to ask about whose items, and what classifies.
pub(super) struct Job<'a> {
    pub(super) ocs: &'a Ocs,
    pub(super) account: &'a str,
    pub(super) classes: &'a Classes,
}

/// Looks up what is wanted of an account's items and sends the labels found. A tag that cannot be asked for, or a
/// folder that cannot be looked into, leaves its items undetermined and is told as a problem.
pub(super) async fn look(
    job: &Job<'_>,
    wants: Vec<Want>,
    tags: Option<&KnownTags>,
    sink: &Sink,
) -> Result<(), ReadError> {
    let mut items = Items::new();
    for want in wants.into_iter().filter(|want| want.item.path_is_owners) {
        items.entry(want.item.path.clone()).or_insert(Looked {
            item: want.item,
            labels: BTreeSet::new(),
            determined: true,
            complete: true,
            walked: false,
            beneath: None,
        });
    }
    let mut collector = sink.of(Some(job.account));
    if let Some(known) = tags {
        if known.more {
            undetermined(&mut items);
        }
        for tag in &known.tags {
            match nodes::tagged(job.ocs, job.account, &tag.id).await {
                Ok(tagged) => mark(&mut items, &tagged, &job.classes.of_tag(&tag.name)),
                Err(error) => {
                    undetermined(&mut items);
                    job.tell(&mut collector, error, ProblemCode::LabelsUnreadable)
                        .await?;
                }
            }
        }
    }
    beneath::look(job, &mut items, &mut collector).await?;
    for looked in items.into_values() {
        let reading = Reading::Labels {
            item: looked.item.id,
            drive: looked.item.drive,
            classes: job.classes.digest().to_owned(),
            labels: Labels {
                found: looked.labels,
                complete: looked.complete,
            },
            more: false,
            files_beneath: looked.beneath,
        };
        collector.push(reading).await?;
    }
    Ok(collector.flush().await?)
}

fn undetermined(items: &mut Items) {
    for looked in items.values_mut() {
        looked.determined = false;
        looked.complete = false;
    }
}

impl Job<'_> {
    /// Tells of a failure as a problem, unless it ends the whole source.
    pub(super) async fn tell(
        &self,
        collector: &mut Collector<'_>,
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
            .push(Reading::Problem(Problem::new(self.account, code, message)))
            .await?;
        Ok(())
    }
}

/// Gives labels to the items that are tagged, lie beneath something tagged, or have something tagged beneath.
fn mark(items: &mut Items, tagged: &[(String, Option<String>)], labels: &BTreeSet<String>) {
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
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
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

/// A folder and the items beneath it.
pub(super) fn within<'a>(items: &'a mut Items, root: &'a str) -> impl Iterator<Item = &'a mut Looked> {
    items
        .range_mut(root.to_owned()..)
        .take_while(move |(path, _)| path.starts_with(root))
        .filter(move |(path, _)| ancestors(path).any(|above| above == root))
        .map(|(_, looked)| looked)
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
                determined: true,
                complete: true,
                walked: false,
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
