//! Who may audit an emulated world: what a ready configuration needs to know of it.

use super::World;

/// The credential with which every account of a world can be read.
#[derive(Clone)]
pub struct Auditor {
    /// The id the auditor is registered under.
    pub app_id: String,
    /// Its secret.
    pub secret: String,
    /// An administrator.
    pub admin: String,
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor")
            .field("app_id", &self.app_id)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

impl World {
    /// The world's first enabled app and first enabled administrator; `None` where it lacks one of them.
    #[must_use]
    pub fn auditor(&self) -> Option<Auditor> {
        let world = self.nextcloud();
        let app = world.ex_apps.iter().find(|app| app.enabled)?;
        let admin = world
            .accounts
            .iter()
            .find(|account| account.admin && account.enabled)?;
        Some(Auditor {
            app_id: app.id.clone(),
            secret: app.secret.clone(),
            admin: admin.id.clone(),
        })
    }
}
