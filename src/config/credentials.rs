//! What `login` obtained for a source: kept in a file beside the state, readable by its owner only.
//!
//! The file names who granted the credential. It is refused for any other, so that a changed configuration cannot send
//! it elsewhere.

use std::{
    borrow::Cow,
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

/// Who granted a credential, and thus the only one it is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantor {
    /// A Nextcloud, which grants app passwords.
    Nextcloud {
        /// The server's address.
        url: Url,
    },
    /// A Microsoft 365 tenant, which grants refresh tokens to one application.
    Tenant {
        /// Where tokens are got.
        login_url: Url,
        /// The tenant, as configured.
        tenant: String,
        /// The application's id.
        client_id: String,
    },
}

/// What a person granted by signing in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who granted it.
    pub grantor: Grantor,
    /// The name to sign in with, or the one that the person is known by; not always the account's id.
    pub user: String,
    /// The app password, or the refresh token.
    pub secret: SecretString,
}

#[derive(Deserialize, Serialize)]
struct Written<'t> {
    schema: Cow<'t, str>,
    url: Url,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Cow<'t, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Cow<'t, str>>,
    user: Cow<'t, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Cow<'t, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Cow<'t, str>>,
}

impl<'t> Written<'t> {
    fn of(signed_in: &'t SignedIn) -> Self {
        let secret = signed_in.secret.expose_secret();
        let written = Self {
            schema: SCHEMA.into(),
            url: signed_in.grantor.address().clone(),
            tenant: None,
            client_id: None,
            user: signed_in.user.as_str().into(),
            password: None,
            refresh_token: None,
        };
        match &signed_in.grantor {
            Grantor::Nextcloud { .. } => Self {
                password: Some(secret.into()),
                ..written
            },
            Grantor::Tenant {
                tenant, client_id, ..
            } => Self {
                tenant: Some(tenant.into()),
                client_id: Some(client_id.into()),
                refresh_token: Some(secret.into()),
                ..written
            },
        }
    }

    /// What was written; `None` where it is of no kind of grantor.
    fn into_signed_in(self) -> Option<SignedIn> {
        let url = self.url;
        let (grantor, secret) = match (self.tenant, self.client_id, self.password, self.refresh_token) {
            (None, None, Some(password), None) => (Grantor::Nextcloud { url }, password),
            (Some(tenant), Some(client_id), None, Some(token)) => {
                let grantor = Grantor::Tenant {
                    login_url: url,
                    tenant: tenant.into_owned(),
                    client_id: client_id.into_owned(),
                };
                (grantor, token)
            }
            _ => return None,
        };
        Some(SignedIn {
            grantor,
            user: self.user.into_owned(),
            secret: SecretString::from(secret.into_owned()),
        })
    }
}

impl Grantor {
    fn address(&self) -> &Url {
        match self {
            Self::Nextcloud { url } => url,
            Self::Tenant { login_url, .. } => login_url,
        }
    }

    /// What makes another one of it.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        match (self, other) {
            _ if self == other => None,
            (
                Self::Tenant { login_url, .. },
                Self::Tenant {
                    login_url: address, ..
                },
            ) if login_url == address => Some("another tenant or application"),
            _ => Some("another address"),
        }
    }
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
        write_private(&self.file(source), &serde_json::to_vec(&Written::of(signed_in))?)
    }

    /// Keeps another secret of the same person in place of the one that is kept. If somebody else has signed in
    /// meanwhile, theirs stays.
    ///
    /// # Errors
    /// Nothing is kept that it could replace, or the file cannot be written.
    pub fn renew(&self, source: &SourceName, renewed: &SignedIn) -> io::Result<()> {
        let kept = self
            .load(source, &renewed.grantor)
            .map_err(|missing| io::Error::other(missing.message().to_owned()))?;
        if kept.user == renewed.user {
            self.keep(source, renewed)
        } else {
            Ok(())
        }
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

    /// What this grantor granted for a source.
    ///
    /// # Errors
    /// Nobody signed in yet, the file is not to be trusted or not readable, or somebody else granted it.
    pub fn load(&self, source: &SourceName, grantor: &Grantor) -> Result<SignedIn, Diagnostic> {
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
        let signed_in = written
            .into_signed_in()
            .ok_or_else(|| trouble("the kept sign-in is damaged".to_owned(), &again))?;
        match signed_in.grantor.difference(grantor) {
            None => Ok(signed_in),
            Some(other) => Err(trouble(
                format!(
                    "the kept sign-in is for {other} than the source `{source}` has now; it is not sent there"
                ),
                &again,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn signed_in() -> SignedIn {
        SignedIn {
            grantor: Grantor::Nextcloud {
                url: Url::parse("https://cloud.example.org/").unwrap(),
            },
            user: "alice".to_owned(),
            secret: SecretString::from("hunter2".to_owned()),
        }
    }

    fn tenant(login_url: &str, tenant: &str, client_id: &str) -> Grantor {
        Grantor::Tenant {
            login_url: Url::parse(login_url).unwrap(),
            tenant: tenant.to_owned(),
            client_id: client_id.to_owned(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_for_its_own_address_only() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let (source, kept) = (SourceName::new("cloud"), signed_in());
        let missing = credentials.load(&source, &kept.grantor).unwrap_err();
        assert!(missing.message().contains("nobody has signed in"), "{missing}");
        credentials.keep(&source, &kept).unwrap();
        let loaded = credentials.load(&source, &kept.grantor).unwrap();
        assert_eq!(
            (loaded.user.as_str(), loaded.secret.expose_secret()),
            ("alice", "hunter2")
        );
        let other = Grantor::Nextcloud {
            url: Url::parse("https://elsewhere.example.org/").unwrap(),
        };
        let refused = credentials.load(&source, &other).unwrap_err();
        assert!(refused.message().contains("another address"), "{refused}");
        assert!(!format!("{refused}{loaded:?}").contains("hunter2"));
    }

    #[test]
    fn a_refresh_token_is_for_its_own_tenant_and_application_only() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let source = SourceName::new("m365");
        let grantor = tenant("https://login.example/", "contoso.example", "app");
        let kept = SignedIn {
            grantor: grantor.clone(),
            ..signed_in()
        };
        credentials.keep(&source, &kept).unwrap();
        let loaded = credentials.load(&source, &grantor).unwrap();
        assert_eq!(
            (loaded.grantor, loaded.secret.expose_secret()),
            (grantor, "hunter2")
        );
        for (other, word) in [
            (
                tenant("https://login.example/", "fabrikam.example", "app"),
                "tenant",
            ),
            (
                tenant("https://login.example/", "contoso.example", "other"),
                "tenant",
            ),
            (
                tenant("https://evil.example/", "contoso.example", "app"),
                "address",
            ),
            (signed_in().grantor, "address"),
        ] {
            let refused = credentials.load(&source, &other).unwrap_err();
            assert!(
                refused.message().contains(&format!("another {word}")),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_renewed_secret_replaces_what_the_same_person_was_granted() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let (source, kept) = (SourceName::new("m365"), signed_in());
        let renewed = SignedIn {
            secret: SecretString::from("renewed".to_owned()),
            ..kept.clone()
        };
        assert!(credentials.renew(&source, &renewed).is_err(), "nothing was kept");
        assert!(!credentials.file(&source).exists());
        credentials.keep(&source, &kept).unwrap();
        let secret = || credentials.load(&source, &kept.grantor).unwrap().secret;
        credentials.renew(&source, &renewed).unwrap();
        assert_eq!(secret().expose_secret(), "renewed");
        let other = SignedIn {
            user: "bob".to_owned(),
            secret: SecretString::from("of bob".to_owned()),
            ..kept.clone()
        };
        credentials.renew(&source, &other).unwrap();
        assert_eq!(secret().expose_secret(), "renewed", "somebody else's stays");
    }

    #[test]
    #[cfg(unix)]
    fn files_of_earlier_versions_are_read_and_mixed_ones_are_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::beside(&folder.path().join("state.db"));
        let (source, kept) = (SourceName::new("cloud"), signed_in());
        credentials.keep(&source, &kept).unwrap();
        let path = credentials.file(&source);
        let write = |more: &str| {
            let text = format!(
                "{{\"schema\":\"{SCHEMA}\",\"url\":\"https://cloud.example.org/\",\"user\":\"alice\"{more}}}"
            );
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(",\"password\":\"hunter2\"");
        assert_eq!(
            credentials
                .load(&source, &kept.grantor)
                .unwrap()
                .secret
                .expose_secret(),
            "hunter2"
        );
        for mixed in [
            "",
            ",\"refresh_token\":\"hunter2\"",
            ",\"password\":\"hunter2\",\"tenant\":\"contoso.example\"",
            ",\"password\":\"hunter2\",\"refresh_token\":\"hunter2\"",
        ] {
            write(mixed);
            let damaged = credentials.load(&source, &kept.grantor).unwrap_err();
            assert!(damaged.message().contains("damaged"), "{damaged}");
        }
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
        let open = credentials.load(&source, &kept.grantor).unwrap_err();
        assert!(open.message().contains("by others than its owner"), "{open}");
        for text in [
            "hunter2",
            "{\"schema\": \"hunter2\"}",
            "{\"password\": [\"hunter2\"]}",
            "",
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let damaged = credentials.load(&source, &kept.grantor).unwrap_err();
            assert!(!damaged.to_string().contains("hunter2"), "{damaged}");
        }
    }
}
