//! Letters as files, one each: nothing is sent.

use std::io;
use std::path::Path;

use super::{ABOUT, COSTS, Message, Sent};
use crate::files;
use crate::model::{Check, Standing};

/// Writes a letter, in place of the same one.
pub(super) async fn write(folder: &Path, message: &Message) -> Sent {
    let path = folder.join(&message.file);
    let shown = path.display().to_string();
    let bytes = message.bytes.clone();
    let written = tokio::task::spawn_blocking(move || {
        if path.parent().is_some_and(Path::is_dir) {
            files::write_private(&path, &bytes)
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, "the folder is not there"))
        }
    });
    match written.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => Sent::Accepted { reply: shown },
        Err(error) => Sent::Unreachable {
            words: format!("{shown} cannot be written: {error}"),
        },
    }
}

/// Whether letters can be written.
pub(super) fn examine(folder: &Path) -> Check {
    let shown = folder.display();
    let writable = || -> io::Result<()> { tempfile::tempfile_in(folder).map(drop) };
    match writable() {
        Ok(()) => Check::good(ABOUT, format!("letters are written into {shown}")),
        Err(error) => Check::new(
            ABOUT,
            Standing::Failed,
            format!("letters cannot be written into {shown}: {error}"),
        )
        .costs(COSTS)
        .step("make the folder, and let the account that runs sharewarden write there"),
    }
}
