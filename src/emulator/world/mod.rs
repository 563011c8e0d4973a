//! A world: everything the emulated services hold, read from one JSON file.
//!
//! Reading also checks that the parts fit together (an account named in a share exists, a file it shares is there), so
//! that a mistake is told where it was made and not as a strange answer later.

pub(crate) mod file;
pub(crate) mod microsoft;
mod settings;
mod switches;
pub(crate) mod when;

use file::WorldFile;

use super::clock::Clock;
use super::graph::Graph;
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

/// How a scanner may sign in to the emulated Microsoft 365.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MicrosoftAccess {
    /// The tenant's domain.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// Its secret: an invented one, of no use anywhere else.
    pub secret: String,
    /// How many licences the tenant has, where the world says it.
    pub license_count: Option<u64>,
    /// The budget of a minute, where the world sets one.
    pub units_per_minute: Option<u64>,
    /// The budget of a day, where the world sets one.
    pub units_per_day: Option<u64>,
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
        let now = Clock::new(file.now).now();
        if let Some(nextcloud) = &file.nextcloud {
            let mut lean = nextcloud.clone();
            lean.generate = None;
            Nextcloud::build(&lean, now)?;
        }
        if let Some(microsoft) = &file.microsoft365 {
            let mut lean = microsoft.clone();
            lean.generate = None;
            Graph::build(&lean, now)?;
        }
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
        let nextcloud = self.file.nextcloud.as_ref()?;
        let app = nextcloud.ex_apps.iter().find(|app| app.enabled)?;
        let is_admin = |account: &&file::AccountFile| {
            account.enabled && (account.admin || account.groups.iter().any(|group| group == "admin"))
        };
        let admin = nextcloud.accounts.iter().find(is_admin)?;
        Some(NextcloudAccess {
            app_id: app.id.clone(),
            secret: app.secret.clone(),
            admin: admin.id.clone(),
        })
    }

    /// The application of the world's tenant, if it signs in with a secret.
    #[must_use]
    pub fn microsoft_access(&self) -> Option<MicrosoftAccess> {
        let file = self.file.microsoft365.as_ref()?;
        Some(MicrosoftAccess {
            tenant: file.tenant.domain.clone(),
            client_id: file.app.client_id.clone(),
            secret: file.app.secret.clone()?,
            license_count: file.limits.licenses,
            units_per_minute: file.limits.units_per_minute,
            units_per_day: file.limits.units_per_day,
        })
    }

    /// Whether the world has a Nextcloud of its own; without one an empty server is served.
    #[must_use]
    pub fn has_nextcloud(&self) -> bool {
        self.file.nextcloud.is_some()
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::new(self.file.now)
    }

    pub(crate) fn nextcloud(&self) -> file::NextcloudFile {
        self.file.nextcloud.clone().unwrap_or_default()
    }

    pub(crate) fn microsoft(&self) -> Option<&microsoft::MicrosoftFile> {
        self.file.microsoft365.as_ref()
    }

    fn empty() -> Self {
        Self {
            file: WorldFile {
                schema: SCHEMA.into(),
                description: None,
                now: None,
                nextcloud: None,
                microsoft365: None,
            },
        }
    }
}
