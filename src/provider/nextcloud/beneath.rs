//! What lies beneath the shared folders of one account: how many files, and whether a name among them classifies.
//!
//! A walk of a folder tells both, at one request a folder. Searches tell it of all folders of an account together,
//! in two or three requests whatever the number of folders and files, and also of folders that are too large
//! for the server to list. Whichever needs fewer requests is chosen; the other is tried where it fails.

use std::collections::{BTreeMap, BTreeSet};

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
    /// How many folders lie directly in it.
    folders: Option<u64>,
    /// Whether searches find whatever is there: the server has looked into all of it, and tells of all of it.
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
            return tell_unknown(job, unseen(items), collector).await;
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
    tell_unknown(job, unseen(items), collector).await
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

/// Searches; `None` where too much has a sought name. Names come last: what was moved into a shared folder meanwhile
/// is found.
async fn find(job: &Job<'_>, items: &mut Items, names: &[String]) -> Result<Option<Found>, ReadError> {
    let mut folders = locate(job, items).await?;
    let failed = count(job, items, &mut folders).await?;
    let named = search::named(job.ocs, job.account, names).await?;
    Ok(named.map(|named| Found {
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
                folders: if node.folder { node.folders } else { Some(0) },
                // A folder has no size until all in its own storage that lies beneath it was looked into.
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
async fn count(job: &Job<'_>, items: &mut Items, folders: &mut Folders) -> Result<Vec<ReadError>, ReadError> {
    let contained = |path: &str| ancestors(path).skip(1).any(|above| folders.contains_key(above));
    let roots: Vec<String> = folders
        .iter()
        .filter(|(path, folder)| folder.folders != Some(0) && !contained(path))
        .map(|(path, _)| path.clone())
        .collect();
    let mut failed = Vec::new();
    let mut doubtful = Vec::new();
    for roots in roots.chunks(search::MAX_SCOPES) {
        match count_beneath(job, folders, roots).await {
            Ok(more) => doubtful.extend(more),
            Err(error) if error.concerns_source() => return Err(error),
            Err(error) if roots.len() == 1 => {
                doubtful.extend(uncountable(job, folders, roots).await?);
                failed.push(error);
            }
            Err(_) => doubtful.extend(count_each(job, folders, roots, &mut failed).await?),
        }
    }
    if job.classes.has_patterns() {
        // The names of mounts are not found by searching.
        let walks = walk_doubtful(job, items, folders, &doubtful).await?;
        failed.extend(walks);
    } else {
        // What is mounted beneath a folder is found where it is searched alone.
        let again = count_each(job, folders, &doubtful, &mut failed).await?;
        unknown(folders, &again);
    }
    Ok(failed)
}

/// Searches beneath folders one by one; those of which not all was found.
async fn count_each(
    job: &Job<'_>,
    folders: &mut Folders,
    roots: &[String],
    failed: &mut Vec<ReadError>,
) -> Result<Vec<String>, ReadError> {
    let mut doubtful = Vec::new();
    for root in roots.chunks(1) {
        match count_beneath(job, folders, root).await {
            Ok(more) => doubtful.extend(more),
            Err(error) if error.concerns_source() => return Err(error),
            Err(error) => {
                doubtful.extend(uncountable(job, folders, root).await?);
                failed.push(error);
            }
        }
    }
    Ok(doubtful)
}

/// Leaves folders uncounted that cannot be counted; those of them of which searches for names may not find all.
async fn uncountable(
    job: &Job<'_>,
    folders: &mut Folders,
    roots: &[String],
) -> Result<Vec<String>, ReadError> {
    uncounted(folders, roots);
    let mut doubtful = Vec::new();
    for root in roots.iter().filter(|_| job.classes.has_patterns()) {
        match search::transparent(job.ocs, job.account, root).await {
            Ok(true) => {}
            Err(error) if error.concerns_source() => return Err(error),
            Ok(false) | Err(_) => doubtful.push(root.clone()),
        }
    }
    Ok(doubtful)
}

/// Walks folders of which searches do not find all; why those failed that did. What was moved since it was listed is
/// not walked, since another may be in its place.
async fn walk_doubtful(
    job: &Job<'_>,
    items: &mut Items,
    folders: &mut Folders,
    doubtful: &[String],
) -> Result<Vec<ReadError>, ReadError> {
    unknown(folders, doubtful);
    let there = |root: &&String| folders.get(*root).is_some_and(|folder| folder.listed == **root);
    let roots: Vec<String> = doubtful.iter().filter(there).cloned().collect();
    walk(job, items, &roots).await
}

/// Takes back that folders, and those beneath them, were counted.
fn uncounted(folders: &mut Folders, roots: &[String]) {
    for (path, folder) in folders.iter_mut() {
        folder.counted &= !ancestors(path).any(|above| roots.iter().any(|root| root == above));
    }
}

/// Takes back that all is known of folders, and of those beneath them.
fn unknown(folders: &mut Folders, roots: &[String]) {
    uncounted(folders, roots);
    for (path, folder) in folders.iter_mut() {
        folder.indexed &= !ancestors(path).any(|above| roots.iter().any(|root| root == above));
    }
}

/// What a search told of one of its folders.
#[derive(Debug, Default)]
struct Told {
    /// How many folders are there, as these say themselves.
    there: u64,
    /// How many were found.
    found: u64,
    /// Whether something was found that searches may not see into, or whose name they do not know.
    opaque: bool,
}

/// Counts, and gives back the folders of which not all was found: to those nothing is added.
async fn count_beneath(
    job: &Job<'_>,
    folders: &mut Folders,
    roots: &[String],
) -> Result<Vec<String>, ReadError> {
    let mut tries = job.ocs.tries();
    let (added, doubtful) = loop {
        let added = count_once(job, folders, roots).await;
        if !tries.again(&added) {
            break added?;
        }
    };
    for (path, (files, counted)) in added {
        let doubted = ancestors(&path).any(|above| doubtful.iter().any(|root| root == above));
        if let Some(folder) = folders.get_mut(&path).filter(|_| !doubted) {
            folder.files += files;
            folder.counted &= counted;
        }
    }
    Ok(doubtful)
}

/// By wanted folder how many files lie in the folders beneath it, and whether that is all.
type Added = BTreeMap<String, (u64, bool)>;

/// What lies beneath each wanted folder; and the folders of which not all was found. What is mounted beneath a folder
/// is left out where several are searched, and is never found by name, but the folder that holds it counts it.
async fn count_once(
    job: &Job<'_>,
    folders: &Folders,
    roots: &[String],
) -> Result<(Added, Vec<String>), ReadError> {
    let scopes: Vec<&str> = roots.iter().map(String::as_str).collect();
    let mut told: BTreeMap<&str, Told> = scopes.iter().map(|root| (*root, Told::default())).collect();
    for (root, told) in &mut told {
        match folders.get(*root).and_then(|folder| folder.folders) {
            Some(there) => told.there = there,
            None => told.opaque = true,
        }
    }
    let classify = job.classes.has_patterns();
    let mut added = Added::new();
    let mut tree = search::folders(job.ocs, job.account, &scopes).await?;
    while let Some((path, node)) = tree.next().await? {
        // What lies beside the folders asked for is another search's to count.
        let root = ancestors(&path).skip(1).find(|above| told.contains_key(*above));
        let Some(told) = root.and_then(|root| told.get_mut(root)) else {
            continue;
        };
        told.found += 1;
        told.there = told.there.saturating_add(node.folders.unwrap_or(0));
        told.opaque |= node.size.is_none() || node.folders.is_none();
        told.opaque |= classify && node.mount != Some(false);
        for above in ancestors(&path)
            .skip(1)
            .filter(|above| folders.contains_key(*above))
        {
            let (files, counted) = added.entry(above.to_owned()).or_insert((0, true));
            *files += node.files.unwrap_or(0);
            *counted &= node.files.is_some();
        }
    }
    let doubtful = told
        .into_iter()
        .filter(|(_, told)| told.opaque || told.found != told.there)
        .map(|(root, _)| root.to_owned())
        .collect();
    Ok((added, doubtful))
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
    let mut unknown = unseen(items);
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
    tell_unknown(job, unknown, collector).await?;
    for error in found.failed {
        job.tell(collector, error, ProblemCode::NotCounted).await?;
    }
    Ok(())
}

/// How many folders were walked and not met, or hold some into which the server has not looked.
fn unseen(items: &Items) -> u64 {
    let unseen = |looked: &Looked| looked.walked && looked.determined && !looked.complete;
    items.values().map(|looked| u64::from(unseen(looked))).sum()
}

/// Tells of how many folders it is not known what lies in them.
async fn tell_unknown(job: &Job<'_>, number: u64, collector: &mut Collector<'_>) -> Result<(), ReadError> {
    if number == 0 {
        return Ok(());
    }
    let words = format!(
        "what lies in {number} of the shared folders is not known: they have just gone, or hold folders that the \
         server does not tell of or has not looked into yet (`occ files:scan` lets it look)"
    );
    let code = if job.classes.has_patterns() {
        ProblemCode::LabelsUnreadable
    } else {
        ProblemCode::NotCounted
    };
    job.tell(collector, ReadError::service(code, words), code).await
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
            // What was not met has just gone.
            let seen = looked.beneath.is_some()
                && walked
                    .as_ref()
                    .is_ok_and(|unseen| !unseen.contains(&looked.item.path));
            looked.walked = good;
            looked.complete = seen && looked.determined;
            if !seen {
                looked.beneath = None;
            }
        }
        match walked {
            Ok(_) => {}
            Err(error) if error.concerns_source() => return Err(error),
            Err(error) => failed.push(error),
        }
    }
    Ok(failed)
}

/// Walks one folder; which wanted folders have something beneath them into which the server has not looked.
async fn walk_one(job: &Job<'_>, root: &str, items: &mut Items) -> Result<BTreeSet<String>, ReadError> {
    for looked in within(items, root) {
        looked.beneath = None;
    }
    let mut unseen = BTreeSet::new();
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
                if node.folder && node.size.is_none() {
                    unseen.insert(ancestor.to_owned());
                }
            }
        }
    }
    Ok(unseen)
}
