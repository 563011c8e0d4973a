//! What `login` obtained for a source: kept in a file beside the state, readable by its owner only.
//!
//! The file names the address that the credential belongs to. It is refused for any other, so that a changed
//! configuration cannot send it elsewhere.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Diagnostic,
    secret::{open_to_others, read_up_to},
};
use crate::{files::write_private, model::SourceName};

const SCHEMA: &str = "sharewarden.credentials/v1";
/// No such file is longer.
const MAX_FILE: u64 = 256 * 1024;

/// Where credentials that were obtained by signing in are kept.
#[derive(Clone, Debug)]
pub struct Credentials {
    folder: PathBuf,
}

/// An app password that a person granted by signing in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The server that granted it.
    pub url: Url,
    /// The name to sign in with; not always the account's id.
    pub user: String,
    /// The app password.
    pub password: SecretString,
}

#[derive(Deserialize, Serialize)]
struct Written<'t> {
    schema: std::borrow::Cow<'t, str>,
    url: Url,
    user: std::borrow::Cow<'t, str>,
    password: std::borrow::Cow<'t, str>,
}

impl Credentials {
    /// Those beside a state file.
    #[must_use]
    pub fn beside(state: &Path) -> Self {
        Self {
            folder: state.parent().unwrap_or(Path::new("")).join("credentials"),
        }
    }

    /// The file of a source.
    #[must_use]
    pub fn file(&self, source: &SourceName) -> PathBuf {
        self.folder.join(format!("{source}.json"))
    }

    /// Keeps what was obtained, in place of what was kept before.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn keep(&self, source: &SourceName, signed_in: &SignedIn) -> io::Result<()> {
        let written = Written {
            schema: SCHEMA.into(),
            url: signed_in.url.clone(),
            user: signed_in.user.as_str().into(),
            password: signed_in.password.expose_secret().into(),
        };
        write_private(&self.file(source), &serde_json::to_vec(&written)?)
    }

    /// Tries whether something could be kept, so that nothing is asked for in vain.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn try_to_keep(&self, source: &SourceName) -> io::Result<()> {
        let probe = self.folder.join(format!(".{source}.probe"));
        write_private(&probe, b"")?;
        std::fs::remove_file(probe)
    }

    /// What was obtained for a source at this address.
    ///
    /// # Errors
    /// Nobody signed in yet, the file is not to be trusted or not readable, or belongs to another address.
    pub fn load(&self, source: &SourceName, url: &Url) -> Result<SignedIn, Diagnostic> {
        let path = self.file(source);
        let again = format!("sign in with `sharewarden login {source}`");
        let trouble = |what: String, remedy: &str| Diagnostic::error(what).in_file(&path).remedy(remedy);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(trouble(
                    format!("nobody has signed in to the source `{source}` yet"),
                    &again,
                ));
            }
            Err(error) => return Err(trouble(format!("cannot read the kept sign-in: {error}"), &again)),
        };
        if open_to_others(&metadata) {
            return Err(trouble(
                "the kept sign-in can be read or changed by others than its owner".to_owned(),
                &format!("take their rights away (chmod 600), and {again} if others may have read it"),
            ));
        }
        let bytes = read_up_to(file, MAX_FILE)
            .map_err(|error| trouble(format!("cannot read the kept sign-in: {error}"), &again))?;
        // What the decoder says could quote what the file holds.
        let written: Written<'_> = serde_json::from_slice(&bytes)
            .map_err(|_quotes| trouble("the kept sign-in is damaged".to_owned(), &again))?;
        if written.schema != SCHEMA {
            return Err(trouble(
                "the kept sign-in is of another version".to_owned(),
                &again,
            ));
        }
        if written.url != *url {
            return Err(trouble(
                format!(
                    "the kept sign-in is for another address than the source `{source}` has now; it is not sent there"
                ),
                &again,
            ));
        }
        Ok(SignedIn {
            url: written.url,
            user: written.user.into_owned(),
            password: SecretString::from(written.password.into_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn signed_in() -> SignedIn {
        SignedIn {
            url: Url::parse("https://cloud.example.org/").unwrap(),
            user: "alice".to_owned(),
            password: SecretString::from("hunter2".to_owned()),
        }
    }

    #[test]
    fn what_is_kept_comes_back_for_its_own_address_only() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let (source, kept) = (SourceName::new("cloud"), signed_in());
        let missing = credentials.load(&source, &kept.url).unwrap_err();
        assert!(missing.message().contains("nobody has signed in"), "{missing}");
        credentials.keep(&source, &kept).unwrap();
        let loaded = credentials.load(&source, &kept.url).unwrap();
        assert_eq!(
            (loaded.user.as_str(), loaded.password.expose_secret()),
            ("alice", "hunter2")
        );
        let other = Url::parse("https://elsewhere.example.org/").unwrap();
        let refused = credentials.load(&source, &other).unwrap_err();
        assert!(refused.message().contains("another address"), "{refused}");
        assert!(!format!("{refused}{loaded:?}").contains("hunter2"));
    }

    #[test]
    #[cfg(unix)]
    fn the_file_is_its_owners_and_a_damaged_one_is_not_quoted() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let (source, kept) = (SourceName::new("cloud"), signed_in());
        credentials.keep(&source, &kept).unwrap();
        let path = credentials.file(&source);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let above = path.parent().unwrap();
        assert_eq!(fs::metadata(above).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let open = credentials.load(&source, &kept.url).unwrap_err();
        assert!(open.message().contains("by others than its owner"), "{open}");
        for text in [
            "hunter2",
            "{\"schema\": \"hunter2\"}",
            "{\"password\": [\"hunter2\"]}",
            "",
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let damaged = credentials.load(&source, &kept.url).unwrap_err();
            assert!(!damaged.to_string().contains("hunter2"), "{damaged}");
        }
    }
}
