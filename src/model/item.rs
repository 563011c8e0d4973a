//! A file or folder that is shared.

use serde::{Deserialize, Serialize};

use super::{Labels, names};

names! {
    /// What an item is.
    ItemKind {
        /// A file.
        File = "file",
        /// A folder, with all that lies beneath it.
        Folder = "folder",
        /// Neither, as far as the service told.
        Other = "other",
    }
}

/// How file names appear to others than those who see them in the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameDisplay {
    /// As they are.
    Full,
    /// The folder only.
    Folder,
    /// Not at all.
    Hidden,
}

/// A file or folder that is shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The service's own id of the item.
    pub id: String,
    /// The path from its owner's root, with a leading slash, or as the reading account sees it where
    /// [`Item::path_is_owners`] is `false`. Remote text: escape it before showing it.
    pub path: String,
    /// Whether `path` is the owner's; only then can it be matched against patterns.
    pub path_is_owners: bool,
    /// File, folder or neither.
    pub kind: ItemKind,
    /// Bytes; for a folder all that lies beneath.
    pub size: Option<u64>,
    /// How many files lie beneath a folder, where that was looked at.
    pub files_beneath: Option<u64>,
    /// The drive it lies in, where the service has drives.
    pub drive: Option<String>,
    /// The labels found on it, above it and beneath it; `None` while nobody looked.
    pub labels: Option<Labels>,
}

impl Item {
    /// The last segment of the path; the whole path where there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.path.trim_end_matches('/').rsplit('/').next() {
            Some(name) if !name.is_empty() => name,
            _ => &self.path,
        }
    }

    /// The folder that it lies in; the topmost one where none is told.
    #[must_use]
    pub fn folder(&self) -> &str {
        match self.path.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((folder, _)) => folder,
        }
    }
}
