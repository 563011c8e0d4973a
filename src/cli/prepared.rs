//! A ready configuration for an emulated service, in a folder of its own that vanishes with it.

use std::io;
use std::path::PathBuf;

use crate::config::write_private;
use crate::emulator::{Emulator, NextcloudAccess};

/// What the configuration says of an organisation that is invented: the same for every world.
const POLICY: &str = include_str!("../../fixtures/worlds/policy.toml");

/// A configuration file and the secret that it refers to.
#[derive(Debug)]
pub(super) struct Prepared {
    folder: tempfile::TempDir,
}

impl Prepared {
    /// Writes the configuration of an emulator's auditor.
    pub(super) fn write(emulator: &Emulator, auditor: &NextcloudAccess) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sharewarden-").tempdir()?;
        let secret = folder.path().join("secret");
        write_private(&secret, auditor.secret.as_bytes())?;
        let text = |text: &str| toml::Value::from(text).to_string();
        let config = format!(
            "{POLICY}\n[state]\npath = {}\n\n[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = {}\n\
             auth = {{ method = \"app-api\", app_id = {}, admin = {}, secret = {{ file = {} }} }}\n\
             limits = {{ requests_per_second = 1000, in_flight = 4 }}\n",
            text(&folder.path().join("state.db").to_string_lossy()),
            text(emulator.nextcloud_url().as_str()),
            text(&auditor.app_id),
            text(&auditor.admin),
            text(&secret.to_string_lossy()),
        );
        write_private(&folder.path().join("config.toml"), config.as_bytes())?;
        Ok(Self { folder })
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }
}
