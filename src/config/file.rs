//! Files that the configuration names and that hold no secret: certificates, maps, lists of references.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{Diagnostic, secret::read_up_to, text::Place};

/// No file that the configuration names is longer.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A file that the configuration names; what is in it is no secret.
#[derive(Clone, Debug)]
pub struct FileRef {
    path: PathBuf,
    place: Option<Place>,
}

impl FileRef {
    pub(super) fn new(path: PathBuf, place: Option<Place>) -> Self {
        Self { path, place }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    ///
    /// # Errors
    /// It cannot be read; with where it is named.
    pub fn read(&self) -> Result<Vec<u8>, Diagnostic> {
        let bytes = File::open(&self.path).and_then(|file| read_up_to(file, MAX_FILE + 1));
        let trouble = |what: String| {
            Diagnostic::error(what)
                .at(self.place.clone(), "named here")
                .remedy("name a file that the account that runs sharewarden can read")
        };
        match bytes {
            Ok(bytes) if bytes.len() as u64 > MAX_FILE => Err(trouble(format!(
                "`{}` is longer than 16 MiB",
                self.path.display()
            ))),
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(trouble(format!("cannot read `{}`: {error}", self.path.display()))),
        }
    }
}
