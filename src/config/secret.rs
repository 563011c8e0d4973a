//! References to secrets, and getting what they refer to.
//!
//! A secret is read when it is needed and never kept here. What is said of a secret names its reference,
//! never its value, and never what a command said.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;

use super::{Diagnostic, Report, command::run, environment, text::Place, written};

/// No secret is longer.
pub(super) const MAX_SECRET: u64 = 64 * 1024;
/// How long a command may take.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Where a secret is found. Shows itself as the reference that it is.
#[derive(Clone)]
pub struct SecretRef {
    reference: Reference,
    place: Option<Place>,
}

#[derive(Clone)]
enum Reference {
    Env(String),
    File(PathBuf),
    Credential(String),
    Command(Vec<String>),
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Env(name) => write!(f, "the environment variable {name}"),
            Reference::File(path) => write!(f, "the file {}", path.display()),
            Reference::Credential(name) => write!(f, "the credential {name}"),
            // Arguments can hold what should not be shown.
            Reference::Command(words) => {
                write!(f, "the command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}

impl SecretRef {
    /// Takes a reference as written; a relative path is one beside the file that wrote it.
    pub(super) fn new(written: &written::Secret, folder: &Path, place: Option<Place>) -> Self {
        let reference = match written {
            written::Secret::Env(name) => {
                environment::holds_a_secret(name);
                Reference::Env(name.clone())
            }
            written::Secret::File(path) => Reference::File(folder.join(path)),
            written::Secret::Credential(name) => Reference::Credential(name.clone()),
            written::Secret::Command(words) => Reference::Command(words.clone()),
        };
        Self { reference, place }
    }

    /// The secret in a file.
    pub(super) fn file(path: PathBuf, place: Option<Place>) -> Self {
        Self {
            reference: Reference::File(path),
            place,
        }
    }

    /// The file it is in, where it is in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.reference {
            Reference::File(path) => Some(path),
            _ => None,
        }
    }

    /// Gets the secret.
    ///
    /// # Errors
    /// It is not there, empty, too long, not to be trusted, or could not be got; with where the reference
    /// stands and what to do.
    pub fn resolve(&self) -> Result<SecretString, Diagnostic> {
        let bytes = match &self.reference {
            Reference::Env(name) => self.environment(name),
            Reference::File(path) => self.content(path, handed_over().as_deref()),
            Reference::Credential(name) => self.credential(name),
            Reference::Command(words) => self.output(words),
        }?;
        if bytes.len() as u64 > MAX_SECRET {
            return Err(self.trouble("the secret is longer than 64 KiB", "is this what was meant?"));
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(self.trouble("the secret is no UTF-8 text", "is this what was meant?"));
        };
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret
            .strip_suffix('\r')
            .filter(|_| text.ends_with('\n'))
            .unwrap_or(secret);
        if secret.trim().is_empty() {
            return Err(self.trouble("the secret is empty", format!("put the secret into {self}")));
        }
        Ok(SecretString::from(secret.to_owned()))
    }

    fn environment(&self, name: &str) -> Result<Vec<u8>, Diagnostic> {
        environment::variable(name)
            .map(String::into_bytes)
            .ok_or_else(|| {
                self.trouble(
                    format!("the environment variable `{name}` is not set or empty"),
                    format!(
                        "set `{name}` where sharewarden is started, or refer to a file: `{{ file = \"…\" }}`"
                    ),
                )
            })
    }

    /// What is in a file. Those in the folder that the program was handed are for it alone, whatever their mode says: their
    /// owner may be root, and the program let in by a list of access rights or as the group of a volume.
    fn content(&self, path: &Path, handed_over: Option<&Path>) -> Result<Vec<u8>, Diagnostic> {
        let shown = path.display();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| {
            self.trouble(
                format!("cannot read `{shown}`: {error}"),
                "create it with the secret in it, readable by the account that runs sharewarden only",
            )
        })?;
        if !metadata.is_file() {
            return Err(self.trouble(
                format!("`{shown}` is no file"),
                "name a file with the secret in it",
            ));
        }
        let is_handed_over = handed_over.is_some_and(|folder| path.starts_with(folder));
        if open_to_others(&metadata) && !is_handed_over {
            return Err(self.trouble(
                format!("`{shown}` can be read or changed by others than its owner"),
                format!("take their rights away: chmod 600 {shown}"),
            ));
        }
        read_up_to(file, MAX_SECRET + 1)
            .map_err(|error| self.trouble(format!("cannot read `{shown}`: {error}"), "look at the file"))
    }

    fn credential(&self, name: &str) -> Result<Vec<u8>, Diagnostic> {
        let Some(folder) = handed_over() else {
            return Err(self.trouble(
                format!("there is no credential `{name}`: `CREDENTIALS_DIRECTORY` is not set"),
                format!("start sharewarden by systemd with `LoadCredential={name}:/path/to/the/secret`"),
            ));
        };
        File::open(folder.join(name))
            .and_then(|file| read_up_to(file, MAX_SECRET + 1))
            .map_err(|error| {
                self.trouble(
                    format!("cannot read the credential `{name}`: {error}"),
                    format!("pass it by `LoadCredential={name}:/path/to/the/secret` in the unit"),
                )
            })
    }

    fn output(&self, words: &[String]) -> Result<Vec<u8>, Diagnostic> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(self.trouble("the command is empty", "name a program and its arguments"));
        };
        run(program, arguments, COMMAND_TIME).map_err(|what| {
            self.trouble(
                format!("the command `{program}` {what}"),
                "run it by hand as the account that runs sharewarden; it is run without a shell",
            )
        })
    }

    fn trouble(&self, message: impl AsRef<str>, remedy: impl AsRef<str>) -> Diagnostic {
        Diagnostic::error(message)
            .at(self.place.clone(), "referred to here")
            .remedy(remedy)
    }
}

/// The folder with the credentials that whoever started the program handed over to it: systemd, or a cluster.
fn handed_over() -> Option<PathBuf> {
    environment::variable("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// All that went wrong, if anything did.
pub(super) fn gather(results: impl IntoIterator<Item = Result<(), Report>>) -> Result<(), Report> {
    let diagnostics: Vec<_> = results
        .into_iter()
        .filter_map(Result::err)
        .flat_map(Report::into_diagnostics)
        .collect();
    if diagnostics.is_empty() {
        Ok(())
    } else {
        Err(Report::new(diagnostics))
    }
}

pub(super) fn read_up_to(file: File, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
pub(super) fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o066 != 0
}

#[cfg(not(unix))]
pub(super) fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn refer(written: &written::Secret) -> SecretRef {
        SecretRef::new(written, Path::new("/"), None)
    }

    fn command(words: &[&str]) -> SecretRef {
        refer(&written::Secret::Command(
            words.iter().map(|&word| word.to_owned()).collect(),
        ))
    }

    #[cfg(unix)]
    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, SecretRef) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, SecretRef::file(path, None))
    }

    #[test]
    #[cfg(unix)]
    fn one_newline_at_the_end_is_no_part_of_the_secret() {
        for (content, secret) in [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")] {
            let (_folder, reference) = file(content.as_bytes(), 0o600);
            assert_eq!(reference.resolve().unwrap().expose_secret(), secret);
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_secret_is_refused() {
        for (content, mode, message) in [
            (&b"hunter2"[..], 0o640, "by others than its owner"),
            (b"hunter2", 0o604, "by others than its owner"),
            (b"\n", 0o600, "the secret is empty"),
            (b"hunter2\xff", 0o600, "no UTF-8"),
            (&vec![b'x'; 70_000], 0o600, "longer than"),
        ] {
            let (_folder, reference) = file(content, mode);
            let error = reference.resolve().unwrap_err();
            assert!(error.message().contains(message), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_was_handed_over_may_have_a_group() {
        let (folder, reference) = file(b"hunter2", 0o640);
        let path = folder.path().join("secret");
        assert_eq!(reference.content(&path, Some(folder.path())).unwrap(), b"hunter2");
        for elsewhere in [None, Some(Path::new("/run/credentials/sharewarden.service"))] {
            assert!(reference.content(&path, elsewhere).is_err());
        }
    }

    #[test]
    fn a_command_is_run_without_a_shell_and_its_output_kept_to_itself() {
        assert_eq!(
            command(&["printf", "%s\n", "$HOME"])
                .resolve()
                .unwrap()
                .expose_secret(),
            "$HOME"
        );
        let error = command(&["sh", "-c", "echo hunter2 >&2; echo hunter2; exit 3"])
            .resolve()
            .unwrap_err();
        assert_eq!(error.message(), "the command `sh` failed with exit status 3");
        assert!(!format!("{error}{:?}", command(&["sh", "hunter2"])).contains("hunter2"));
        assert!(command(&["/nonexistent"]).resolve().is_err());
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = refer(&written::Secret::Env("SHAREWARDEN_NOT_SET".to_owned()))
            .resolve()
            .unwrap_err();
        assert!(error.message().contains("`SHAREWARDEN_NOT_SET` is not set"));
    }
}
