//! A world: everything the emulated services hold, read from one JSON file.
//!
//! Reading also checks that the parts fit together (an account named in a share exists, a file it shares is there), so
//! that a mistake is told where it was made and not as a strange answer later.

pub(crate) mod file;
mod settings;
pub(crate) mod when;

use file::WorldFile;

use super::clock::Clock;
use super::nextcloud::Nextcloud;

const SCHEMA: &str = "sharewarden.world/v1";

/// A checked world, ready to be served.
#[derive(Debug, Clone)]
pub struct World {
    file: WorldFile,
}

/// How a scanner may sign in to the emulated Nextcloud.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextcloudAccess {
    /// The application registered with `AppAPI`.
    pub app_id: String,
    /// Its secret: an invented one, of no use anywhere else.
    pub secret: String,
    /// An administrator to act as.
    pub admin: String,
}

/// Why a world file cannot be served, told to the person who wrote it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The file is no JSON, or not in the shape of a world.
    #[error("world file, line {line}, column {column}: {message}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// The file is of another schema.
    #[error("world file: `schema` is `{found}`; this version reads `{SCHEMA}`")]
    Schema {
        /// What the file says.
        found: String,
    },
    /// Its parts do not fit together.
    #[error("world file, {at}: {message}")]
    Inconsistent {
        /// Which part, as a path such as `nextcloud.shares[3]`.
        at: String,
        /// What does not fit, and what to do.
        message: String,
    },
}

impl WorldError {
    pub(crate) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Inconsistent {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl World {
    /// Reads a world file and checks it.
    ///
    /// # Errors
    ///
    /// Tells what is wrong, where, and what to write instead.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WorldError> {
        let file: WorldFile = serde_json::from_slice(bytes).map_err(|error| {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or_default().to_owned();
            WorldError::Shape {
                line: error.line(),
                column: error.column(),
                message,
            }
        })?;
        if file.schema != SCHEMA {
            return Err(WorldError::Schema { found: file.schema });
        }
        let mut lean = file.nextcloud.clone();
        lean.generate = None;
        Nextcloud::build(&lean, Clock::new(file.now).now())?;
        Ok(Self { file })
    }

    /// The invented university that `sharewarden demo` shows.
    #[must_use]
    pub fn demo() -> Self {
        let read = Self::from_json(include_bytes!("../../../fixtures/worlds/demo.json"));
        // A test keeps the embedded file readable; an empty world is the harmless answer if it ever were not.
        read.unwrap_or_else(|_| Self::empty())
    }

    /// The first enabled application and administrator of the world's Nextcloud, if it has both.
    #[must_use]
    pub fn nextcloud_access(&self) -> Option<NextcloudAccess> {
        let app = self.file.nextcloud.ex_apps.iter().find(|app| app.enabled)?;
        let is_admin = |account: &&file::AccountFile| {
            account.enabled && (account.admin || account.groups.iter().any(|group| group == "admin"))
        };
        let admin = self.file.nextcloud.accounts.iter().find(is_admin)?;
        Some(NextcloudAccess {
            app_id: app.id.clone(),
            secret: app.secret.clone(),
            admin: admin.id.clone(),
        })
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::new(self.file.now)
    }

    pub(crate) fn nextcloud(&self) -> &file::NextcloudFile {
        &self.file.nextcloud
    }

    fn empty() -> Self {
        let nextcloud = file::NextcloudFile::default();
        Self {
            file: WorldFile {
                schema: SCHEMA.into(),
                description: None,
                now: None,
                nextcloud,
            },
        }
    }
}
