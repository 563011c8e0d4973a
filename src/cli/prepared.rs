//! A ready configuration for emulated services, in a folder of its own that vanishes with it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::write_private;
use crate::emulator::{Emulator, MicrosoftAccess, NextcloudAccess};

/// What the configuration says of an organisation that is invented: the same for every world.
const POLICY: &str = include_str!("../../fixtures/worlds/policy.toml");

/// What may be spent on a tenant that does not throttle: no budget slows a trial.
const UNLIMITED: &str =
    "limits = { units_per_minute = 1_000_000, units_per_day = 100_000_000, in_flight = 4 }";

/// A configuration file and the secrets that it refers to.
#[derive(Debug)]
pub(super) struct Prepared {
    folder: tempfile::TempDir,
}

impl Prepared {
    /// Writes the configuration of an emulator's auditors.
    pub(super) fn write(
        emulator: &Emulator,
        nextcloud: Option<&NextcloudAccess>,
        microsoft: Option<&MicrosoftAccess>,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sharewarden-").tempdir()?;
        let state = folder.path().join("state.db");
        let mut config = format!("{POLICY}\n[state]\npath = {}\n", text(&state.to_string_lossy()));
        if let Some(access) = nextcloud {
            config.push_str(&nextcloud_source(folder.path(), emulator, access)?);
        }
        if let Some(access) = microsoft {
            config.push_str(&microsoft_source(folder.path(), emulator, access)?);
        }
        write_private(&folder.path().join("config.toml"), config.as_bytes())?;
        Ok(Self { folder })
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }
}

fn nextcloud_source(folder: &Path, emulator: &Emulator, access: &NextcloudAccess) -> io::Result<String> {
    let secret = folder.join("secret");
    write_private(&secret, access.secret.as_bytes())?;
    Ok(format!(
        "\n[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = {}\n\
         auth = {{ method = \"app-api\", app_id = {}, admin = {}, secret = {{ file = {} }} }}\n\
         limits = {{ requests_per_second = 1000, in_flight = 4 }}\n",
        text(emulator.nextcloud_url().as_str()),
        text(&access.app_id),
        text(&access.admin),
        text(&secret.to_string_lossy()),
    ))
}

fn microsoft_source(folder: &Path, emulator: &Emulator, access: &MicrosoftAccess) -> io::Result<String> {
    let secret = folder.join("client-secret");
    write_private(&secret, access.secret.as_bytes())?;
    let mut source = format!(
        "\n[[source]]\nname = \"m365\"\nkind = \"microsoft365\"\ntenant = {}\nclient_id = {}\n\
         auth = {{ method = \"client-secret\", secret = {{ file = {} }} }}\n\
         include = [\"onedrive\", \"sites\"]\n{}\n",
        text(&access.tenant),
        text(&access.client_id),
        text(&secret.to_string_lossy()),
        access.license_count.map_or_else(
            || UNLIMITED.to_owned(),
            |count| format!("license_count = {count}")
        ),
    );
    for (key, url) in [
        ("login_url", emulator.login_url()),
        ("graph_url", emulator.graph_url()),
    ] {
        if let Some(url) = url {
            // Writing into a text does not fail.
            _ = writeln!(source, "{key} = {}", text(url.as_str()));
        }
    }
    Ok(source)
}

/// A text as TOML writes it.
fn text(text: &str) -> String {
    toml::Value::from(text).to_string()
}
