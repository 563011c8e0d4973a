//! What lies beneath the shared folders of one account: how many files, and whether a name among them classifies.
//!
//! A walk of a folder tells both, at one request a folder. Searches tell it of all folders of an account together,
//! in two or three requests whatever the number of folders and files, and also of folders that are too large
//! for the server to list. Whichever needs fewer requests is chosen; the other is tried where it fails.

use std::collections::BTreeMap;

use super::labels::{Items, Job, Looked, ancestors, within};
use super::nodes::Tree;
use super::search;
use crate::model::{ItemKind, ProblemCode};
use crate::provider::{Collector, ReadError};

/// Up to how many folders are walked rather than searched: a search for names, one for the folders and one for
/// those beneath them are three requests.
const FEW: usize = 2;

/// A wanted folder, as the server has it now.
#[derive(Debug, Default)]
struct Folder {
    /// The path under which it is wanted: it may have been moved since.
    listed: String,
    /// How many files lie in it, as far as counted.
    files: u64,
    /// Whether it has folders that are to be counted too.
    deeper: bool,
    /// Whether the server has looked into all of it, so that searches find what is there.
    indexed: bool,
    /// Whether all of it was counted.
    counted: bool,
}

/// The wanted folders by their path.
type Folders = BTreeMap<String, Folder>;

/// What searches came to.
struct Found {
    folders: Folders,
    /// The paths in the home that have a sought name.
    named: Vec<String>,
    /// Why some folders could not be counted.
    failed: Vec<ReadError>,
}

/// Counts what lies beneath the wanted folders, and gives labels to those that hold a name that classifies. What
/// cannot be looked at leaves its folder uncounted, and undetermined where names classify.
pub(super) async fn look(
    job: &Job<'_>,
    items: &mut Items,
    collector: &mut Collector<'_>,
) -> Result<(), ReadError> {
    let roots = topmost(items);
    if roots.is_empty() {
        return Ok(());
    }
    let names = names(job);
    let mut failed = Vec::new();
    let few = job.classes.has_patterns() && roots.len() <= FEW;
    if few || names.is_none() {
        failed = walk(job, items, &roots).await?;
        if failed.is_empty() {
            return Ok(());
        }
    }
    if let Some(names) = names {
        match find(job, items, &names).await {
            Ok(Some(found)) => return credit(job, items, found, collector).await,
            Err(error) if error.concerns_source() => return Err(error),
            Ok(None) | Err(_) if few => {}
            Err(error) if !job.classes.has_patterns() => {
                return job.tell(collector, error, ProblemCode::NotCounted).await;
            }
            Ok(None) | Err(_) => failed = walk(job, items, &roots).await?,
        }
    }
    for error in failed {
        job.tell(collector, error, ProblemCode::LabelsUnreadable).await?;
    }
    Ok(())
}

/// The wanted items that may have something beneath them and were not walked, with their paths.
fn wanted(items: &Items) -> impl Iterator<Item = (&str, &Looked)> {
    items
        .iter()
        .filter(|(_, looked)| looked.item.kind != ItemKind::File && !looked.walked)
        .map(|(path, looked)| (path.as_str(), looked))
}

/// The wanted folders that no other wanted folder contains.
fn topmost(items: &Items) -> Vec<String> {
    let folders: Vec<&str> = wanted(items).map(|(path, _)| path).collect();
    folders
        .iter()
        .filter(|path| {
            !ancestors(path)
                .skip(1)
                .any(|above| folders.binary_search(&above).is_ok())
        })
        .map(|&path| path.to_owned())
        .collect()
}

/// What names to search for: none where no path classifies, `None` where that cannot be searched for.
fn names(job: &Job<'_>) -> Option<Vec<String>> {
    if !job.classes.has_patterns() {
        return Some(Vec::new());
    }
    job.classes
        .names()?
        .iter()
        .map(|name| search::like(name))
        .collect()
}

/// Searches; `None` where too much has a sought name.
async fn find(job: &Job<'_>, items: &Items, names: &[String]) -> Result<Option<Found>, ReadError> {
    let Some(named) = search::named(job.ocs, job.account, names).await? else {
        return Ok(None);
    };
    let mut folders = locate(job, items).await?;
    let failed = count(job, &mut folders).await?;
    Ok(Some(Found {
        folders,
        named,
        failed,
    }))
}

/// Where the wanted folders are, with what lies directly in them.
async fn locate(job: &Job<'_>, items: &Items) -> Result<Folders, ReadError> {
    let wanted: BTreeMap<u64, &str> = wanted(items)
        .filter_map(|(path, looked)| Some((looked.item.id.parse().ok()?, path)))
        .collect();
    let ids: Vec<u64> = wanted.keys().copied().collect();
    let mut folders = Folders::new();
    for (path, node) in search::by_id(job.ocs, job.account, &ids).await? {
        let id = node.file_id.as_deref().and_then(|id| id.parse().ok());
        if let Some(listed) = id.and_then(|id: u64| wanted.get(&id)) {
            let folder = Folder {
                listed: (*listed).to_owned(),
                files: node.files.unwrap_or(0),
                deeper: node.folder && node.folders != Some(0),
                // A folder has no size until all that lies beneath it was looked into.
                indexed: node.size.is_some(),
                counted: node.files.is_some() && node.size.is_some(),
            };
            folders.insert(path, folder);
        }
    }
    Ok(folders)
}

/// Adds what lies in the folders beneath those that have some. A search that fails is tried again for each of its
/// folders, since one that has just gone, or that is too large for the server, fails them all.
async fn count(job: &Job<'_>, folders: &mut Folders) -> Result<Vec<ReadError>, ReadError> {
    let contained = |path: &str| ancestors(path).skip(1).any(|above| folders.contains_key(above));
    let roots: Vec<String> = folders
        .iter()
        .filter(|(path, folder)| folder.deeper && !contained(path))
        .map(|(path, _)| path.clone())
        .collect();
    let mut failed = Vec::new();
    for roots in roots.chunks(search::MAX_SCOPES) {
        let again = match count_beneath(job, folders, roots).await {
            Ok(()) => continue,
            Err(error) if error.concerns_source() => return Err(error),
            Err(error) if roots.len() == 1 => {
                uncounted(folders, roots);
                failed.push(error);
                continue;
            }
            Err(_) => roots.chunks(1),
        };
        for root in again {
            match count_beneath(job, folders, root).await {
                Ok(()) => {}
                Err(error) if error.concerns_source() => return Err(error),
                Err(error) => {
                    uncounted(folders, root);
                    failed.push(error);
                }
            }
        }
    }
    Ok(failed)
}

/// Takes back that folders, and those beneath them, were counted.
fn uncounted(folders: &mut Folders, roots: &[String]) {
    for (path, folder) in folders.iter_mut() {
        folder.counted &= !ancestors(path).any(|above| roots.iter().any(|root| root == above));
    }
}

async fn count_beneath(job: &Job<'_>, folders: &mut Folders, roots: &[String]) -> Result<(), ReadError> {
    let mut tries = job.ocs.tries();
    let added = loop {
        let added = count_once(job, folders, roots).await;
        if !tries.again(&added) {
            break added?;
        }
    };
    for (path, (files, counted)) in added {
        if let Some(folder) = folders.get_mut(&path) {
            folder.files += files;
            folder.counted &= counted;
        }
    }
    Ok(())
}

/// How many files lie in the folders beneath each wanted one, and whether that is all.
async fn count_once(
    job: &Job<'_>,
    folders: &Folders,
    roots: &[String],
) -> Result<BTreeMap<String, (u64, bool)>, ReadError> {
    let scopes: Vec<&str> = roots.iter().map(String::as_str).collect();
    let mut added = BTreeMap::new();
    let mut tree = search::folders(job.ocs, job.account, &scopes).await?;
    while let Some((path, node)) = tree.next().await? {
        // What lies beside the folders asked for is another search's to count.
        if !ancestors(&path).skip(1).any(|above| scopes.contains(&above)) {
            continue;
        }
        for above in ancestors(&path)
            .skip(1)
            .filter(|above| folders.contains_key(*above))
        {
            let (files, counted) = added.entry(above.to_owned()).or_insert((0, true));
            *files += node.files.unwrap_or(0);
            *counted &= node.files.is_some();
        }
    }
    Ok(added)
}

/// Hands what was found to the items, and tells what was not.
async fn credit(
    job: &Job<'_>,
    items: &mut Items,
    found: Found,
    collector: &mut Collector<'_>,
) -> Result<(), ReadError> {
    for path in &found.named {
        let labels = job.classes.of_path(path);
        for above in ancestors(path) {
            if let Some(folder) = found.folders.get(above)
                && let Some(looked) = items.get_mut(&folder.listed)
            {
                looked.labels.extend(labels.iter().cloned());
            }
        }
    }
    let folders: BTreeMap<&str, &Folder> = found
        .folders
        .values()
        .map(|folder| (folder.listed.as_str(), folder))
        .collect();
    let mut unknown = 0_u64;
    for (path, looked) in items.iter_mut() {
        if looked.item.kind == ItemKind::File || looked.walked {
            continue;
        }
        let folder = folders.get(path.as_str());
        let indexed = folder.is_some_and(|folder| folder.indexed);
        unknown += u64::from(!indexed);
        looked.complete = looked.determined && (indexed || !job.classes.has_patterns());
        looked.beneath = folder.filter(|folder| folder.counted).map(|folder| folder.files);
    }
    if unknown > 0 {
        let words = format!(
            "what lies in {unknown} of the shared folders is not known: they have just gone, or hold folders that the \
             server has not looked into yet"
        );
        let code = if job.classes.has_patterns() {
            ProblemCode::LabelsUnreadable
        } else {
            ProblemCode::NotCounted
        };
        job.tell(collector, ReadError::service(code, words), code).await?;
    }
    for error in found.failed {
        job.tell(collector, error, ProblemCode::NotCounted).await?;
    }
    Ok(())
}

/// Walks folders and credits what is found to every wanted folder on the way; why those failed that did.
async fn walk(job: &Job<'_>, items: &mut Items, roots: &[String]) -> Result<Vec<ReadError>, ReadError> {
    let mut failed = Vec::new();
    for root in roots {
        let mut tries = job.ocs.tries();
        let walked = loop {
            let walked = walk_one(job, root, items).await;
            if !tries.again(&walked) {
                break walked;
            }
        };
        let good = walked.is_ok();
        for looked in within(items, root).filter(|looked| looked.item.kind != ItemKind::File) {
            looked.walked = good;
            looked.complete = good && looked.determined;
            if !good {
                looked.beneath = None;
            }
        }
        match walked {
            Ok(()) => {}
            Err(error) if error.concerns_source() => return Err(error),
            Err(error) => failed.push(error),
        }
    }
    Ok(failed)
}

async fn walk_one(job: &Job<'_>, root: &str, items: &mut Items) -> Result<(), ReadError> {
    for looked in within(items, root) {
        looked.beneath = None;
    }
    let mut tree = Tree::of_folder(job.ocs, job.account, root).await?;
    while let Some((path, node)) = tree.next().await? {
        let labels = job.classes.of_path(&path);
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
