//! Files that are written whole or not at all, those that only their owner may read above all, or locked.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tempfile::NamedTempFile;

/// What the names of unfinished files begin and end with, so that a run that was killed leaves nothing that is taken for
/// anything else, neither by whoever collects what is written there nor by [`sweep`].
const UNFINISHED: (&str, &str) = (".sharewarden-", ".tmp");
/// How old an unfinished file is that may be swept away: who writes it has locked it by then.
const LEFT_FOR: Duration = Duration::from_hours(1);
/// The folders that this process has swept: it leaves nothing itself as long as it lives.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Writes a file for its owner only, in place of the one that is there; its folder is made, for its owner only, where
/// there is none. An administrator often writes for the account that scans: the file gets the owner of the one it
/// replaces, or of its folder, where whoever runs this may give it away.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    let mut file = unfinished_in(folder)?;
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
    let mut file = unfinished_in(folder).map_err(of_folder)?;
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

/// A file that is its owner's only, and is to be renamed when it is whole; what runs left there that were killed before
/// that goes.
fn unfinished_in(folder: &Path) -> io::Result<NamedTempFile> {
    let is_first = SWEPT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(folder.to_owned());
    if is_first {
        sweep(folder);
    }
    let (beginning, end) = UNFINISHED;
    let file = tempfile::Builder::new()
        .prefix(beginning)
        .suffix(end)
        .tempfile_in(folder)?;
    // Where nothing can be locked, nothing is swept either.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes the unfinished files of a folder that nobody writes any more. What cannot be removed stays: it is in nobody's way.
fn sweep(folder: &Path) {
    let (beginning, end) = UNFINISHED;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(beginning) && name.ends_with(end));
        // The entry itself, and not what a link leads to.
        let Some(known) = entry.metadata().ok().filter(|known| is_ours && known.is_file()) else {
            continue;
        };
        let age = known.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_none_or(|age| age < LEFT_FOR) {
            continue;
        }
        let path = entry.path();
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
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

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// An unfinished file, as a run leaves it that is killed some hours ago; it is open as long as it is held.
    fn left(folder: &Path, hours: u64) -> (String, File) {
        let (file, path) = unfinished_in(folder).unwrap().keep().unwrap();
        let made_at = file.metadata().unwrap().modified().unwrap();
        file.set_modified(made_at - Duration::from_hours(hours)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        (name.to_owned(), file)
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (gone, dead) = left(path, 2);
        let (slow, _writer) = left(path, 30);
        let (young, begun) = left(path, 0);
        drop((dead, begun));
        fs::write(path.join(".tmpAbCdEf"), "another program's").unwrap();
        fs::create_dir(path.join(".sharewarden-folder.tmp")).unwrap();
        assert!(gone.starts_with(".sharewarden-"), "{gone}");
        let before = names(path);
        // This process has left nothing, as far as it knows.
        write_private(&path.join("letter.eml"), b"1").unwrap();
        assert_eq!(names(path).len(), before.len() + 1);
        // The next one has not been here.
        SWEPT.lock().unwrap().remove(path);
        replace(&path.join("page.html"), Rights::Group, |out| out.write_all(b"2")).unwrap();
        let mut expected = before;
        expected.remove(&gone);
        expected.extend(["letter.eml".to_owned(), "page.html".to_owned()]);
        assert!(expected.contains(&slow) && expected.contains(&young));
        assert_eq!(names(path), expected);
    }
}
