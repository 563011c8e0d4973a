//! Files that only their owner may read: written whole or not at all.
//!
//! An administrator often writes for the account that scans: what is written belongs to whom its place belongs.

use std::{
    fs::{self, DirBuilder, Metadata},
    io::{self, Write as _},
    path::Path,
};

/// Writes a file for its owner only, in place of the one that is there; its folder is made, for its owner only, where
/// there is none. Both belong to whoever owns what was there before, or the folder above, as far as that can be said.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        owned_like(folder, &fs::metadata(folder_of(folder))?);
    }
    // A temporary file is its owner's only, and is renamed when it is whole.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let model = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    owned_like(file.path(), &model);
    file.persist(path)?;
    Ok(())
}

/// Puts a private file in the place of another, whose owner it gets.
///
/// # Errors
/// What the system says.
pub fn replace_private(from: &Path, to: &Path) -> io::Result<()> {
    if let Ok(model) = fs::metadata(to) {
        owned_like(from, &model);
    }
    fs::rename(from, to)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Gives a path the owner of another, where whoever runs this may.
fn owned_like(path: &Path, model: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        // Nobody but root may; for all others it is theirs anyway.
        let _ = chown(path, Some(model.uid()), Some(model.gid()));
    }
}
