//! Files that are written whole or not at all, those that only their owner may read above all, or locked.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Writes a file for its owner only, in place of the one that is there; its folder is made, for its owner only, where
/// there is none. An administrator often writes for the account that scans: the file gets the owner of the one it
/// replaces, or of its folder, where whoever runs this may give it away.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    let mut file = unfinished(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let model = fs::symlink_metadata(path).or_else(|_| fs::metadata(folder))?;
    give(file.as_file(), &model);
    file.persist(path)?;
    Ok(())
}

/// Who may read a file that is made; one that is there keeps its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Its owner.
    Owner,
    /// Its owner and their group.
    Group,
    /// Everybody.
    All,
}

impl Rights {
    /// As the system counts them.
    pub(crate) fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o640,
            Self::All => 0o644,
        }
    }
}

/// Writes beside the target and renames, so that nobody reads half of it; devices and pipes are written to.
///
/// # Errors
/// What the system says, or the writer.
pub(crate) fn replace(
    path: &Path,
    rights: Rights,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let there = path.metadata().ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let mut out = io::BufWriter::new(OpenOptions::new().write(true).open(path)?);
        return write(&mut out).and_then(|()| out.flush());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = unfinished(folder).map_err(of_folder)?;
    {
        let mut out = io::BufWriter::new(file.as_file_mut());
        write(&mut out)?;
        out.flush()?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = match there {
            Some(there) => there.permissions(),
            None => fs::Permissions::from_mode(rights.mode()),
        };
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// How a file is called until it is whole.
const UNFINISHED: (&str, &str) = (".sharewarden-", ".part");
/// The folders that this process has swept: it leaves nothing itself as long as it lives.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file for its owner only that is renamed once it is whole, locked until then. What processes left that were killed over
/// one is removed first.
fn unfinished(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if swept.insert(folder.to_owned()) {
        sweep(folder);
    }
    drop(swept);
    let (prefix, suffix) = UNFINISHED;
    let new = || {
        tempfile::Builder::new()
            .prefix(prefix)
            .suffix(suffix)
            .tempfile_in(folder)
    };
    let mut file = new()?;
    // A file system without locks leaves what is left to people.
    while file.as_file().lock().is_ok() && !file.path().exists() {
        // Another process took it for left before it was locked.
        file = new()?;
    }
    Ok(file)
}

/// Removes the unfinished files of a folder that nobody writes any more.
fn sweep(folder: &Path) {
    let (prefix, suffix) = UNFINISHED;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix));
        if is_ours {
            remove_left(&entry.path());
        }
    }
}

/// Removes an unfinished file that nobody has locked; whoever may not remove it leaves it to those who may.
fn remove_left(path: &Path) {
    let is_file = fs::symlink_metadata(path).is_ok_and(|about| about.is_file());
    // Its lock is held until it is gone, so that whoever made it just now sees that.
    if let Some(file) = is_file.then(|| File::open(path).ok()).flatten()
        && file.try_lock().is_ok()
    {
        let _ = fs::remove_file(path);
    }
}

/// What the system said, without the name of a file that was never there.
fn of_folder(error: io::Error) -> io::Error {
    let inner = std::error::Error::source(&error).and_then(|inner| inner.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

/// Refuses what a file would be written to for ever, or never: folders, pipes that nobody reads, sockets.
///
/// # Errors
/// In words what it is.
pub(crate) fn check_writable_kind(path: &Path) -> io::Result<()> {
    let Ok(there) = path.metadata() else {
        return Ok(());
    };
    let kind = there.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
            return Err(io::Error::other("it is no file"));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (here, [prefix, suffix]) = (folder.path(), [UNFINISHED.0, UNFINISHED.1]);
        let being_written = unfinished(here).unwrap();
        let kept = being_written
            .path()
            .file_name()
            .unwrap()
            .to_owned()
            .into_string()
            .unwrap();
        for name in [
            &format!("{prefix}left{suffix}"),
            ".tmpothers",
            &format!("mine{suffix}"),
        ] {
            fs::write(here.join(name), "half").unwrap();
        }
        fs::create_dir(here.join(format!("{prefix}folder{suffix}"))).unwrap();
        // The next process has not been here.
        SWEPT.lock().unwrap().remove(here);
        write_private(&here.join("a"), b"whole").unwrap();
        replace(&here.join("b"), Rights::All, |out| out.write_all(b"whole")).unwrap();
        let mut expected = vec![
            "a".to_owned(),
            "b".to_owned(),
            kept,
            ".tmpothers".to_owned(),
            format!("mine{suffix}"),
            format!("{prefix}folder{suffix}"),
        ];
        expected.sort();
        assert_eq!(names(here), expected);
        being_written.persist(here.join("c")).unwrap();
        assert!(here.join("c").exists());
    }

    #[test]
    fn files_written_at_the_same_time_do_not_remove_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let here = folder.path();
                scope.spawn(move || {
                    for round in 0..50 {
                        SWEPT.lock().unwrap().remove(here);
                        write_private(&here.join(format!("{writer}-{round}")), b"whole").unwrap();
                    }
                });
            }
        });
        assert_eq!(names(folder.path()).len(), 200);
    }
}
