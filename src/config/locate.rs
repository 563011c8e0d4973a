//! Where the configuration lies.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Diagnostic, environment};

/// Where to look for the configuration, and where state goes that no file gives a place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    /// The file that the command line or the environment names: it, or none.
    pub named: Option<PathBuf>,
    /// Where to look otherwise: the first file that is there.
    pub usual: Vec<PathBuf>,
    /// The folder of the state.
    pub state: PathBuf,
}

impl Locations {
    /// The places that the command line (`-c`) and the environment give.
    #[must_use]
    pub fn from_environment(command_line: Option<&Path>) -> Self {
        let named = command_line
            .map(Path::to_owned)
            .or_else(|| environment::variable("SHAREWARDEN_CONFIG").map(PathBuf::from));
        let of_person = environment::folder("XDG_CONFIG_HOME", ".config");
        let state = environment::folder("XDG_STATE_HOME", ".local/state");
        let usual = [
            Some(PathBuf::from("sharewarden.toml")),
            of_person.map(|folder| folder.join("sharewarden/config.toml")),
            Some(PathBuf::from("/etc/sharewarden/config.toml")),
        ];
        Self {
            named,
            usual: usual.into_iter().flatten().collect(),
            state: state
                .unwrap_or_else(|| PathBuf::from("/var/lib"))
                .join("sharewarden"),
        }
    }

    /// The main file.
    pub(super) fn main_file(&self) -> Result<PathBuf, Diagnostic> {
        if let Some(named) = &self.named {
            return Ok(named.clone());
        }
        // A file that is there and cannot be read is an error later, not a reason to take the next one.
        let there = |path: &&PathBuf| fs::symlink_metadata(path).is_ok();
        self.usual.iter().find(there).cloned().ok_or_else(|| {
            let places: Vec<_> = self
                .usual
                .iter()
                .map(|path| format!("`{}`", path.display()))
                .collect();
            Diagnostic::error("there is no configuration")
                .remedy(format!("looked for {}", places.join(", ")))
                .remedy(
                    "name one with `-c FILE` or SHAREWARDEN_CONFIG; config.example.toml is one to start from",
                )
        })
    }
}

/// The files of `conf.d` beside the main file, by name.
pub(super) fn further_files(main: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let folder = main.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(folder: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot look into the folder: {error}"))
        .in_file(folder)
        .remedy("give the account that runs sharewarden the right to read it")
}
