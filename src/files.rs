//! Files that only their owner may read: written whole or not at all, or locked.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Writes a file for its owner only, in place of the one that is there; its folder is made, for its owner only, where
/// there is none. An administrator often writes for the account that scans: the file gets the owner of the one it
/// replaces, or of its folder, where whoever runs this may give it away.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    // A temporary file is its owner's only, and is renamed when it is whole.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let model = fs::symlink_metadata(path).or_else(|_| fs::metadata(folder))?;
    give(file.as_file(), &model);
    file.persist(path)?;
    Ok(())
}

/// Makes a file for its owner only, where there is none; it gets the owner of its folder, where whoever runs this may give
/// it away.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] where there is something.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    give(&file, &fs::metadata(folder_of(path)?)?);
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opens a file for its owner only, to be locked and not written; it and its folder are made where there are none.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let folder = folder_of(path)?;
    let is_new = fs::symlink_metadata(path).is_err();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if is_new {
        give(&file, &fs::metadata(folder)?);
    }
    Ok(file)
}

/// The folder of a file, made for its owner only where there is none.
fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    Ok(folder)
}

/// Gives an open file, and never whatever its path names by then, the owner of another.
fn give(file: &File, model: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Nobody but root may; for all others it is theirs anyway.
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
}
