//! State, schedule, exports, and who is who.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::Context;
use crate::config::{
    settings::{
        Details, ExportSettings, IdentitySettings, NameDisplay, OwnerDisplay, ScheduleSettings, StateSettings,
    },
    values::{self, Wrong},
    written,
};

/// Who is the same person in several sources.
pub(super) fn identity(it: &Context<'_>, written: &written::Identity) -> IdentitySettings {
    IdentitySettings {
        map: written.map.as_ref().map(|path| it.file(path)),
    }
}

/// What is remembered.
pub(super) fn state(it: &mut Context<'_>, written: &written::State) -> StateSettings {
    StateSettings {
        path: written
            .path
            .as_ref()
            .map_or_else(PathBuf::new, |path| it.path(path)),
        keep: it.time("keep", &written.keep),
        details: match written.details {
            written::Details::Findings => Details::Findings,
            written::Details::All => Details::All,
        },
    }
}

/// When the daemon runs.
pub(super) fn schedule(it: &mut Context<'_>, written: &written::Schedule) -> ScheduleSettings {
    let zone = |name: &str| {
        TimeZone::get(name).map_err(|_| Wrong {
            what: format!("`{name}` is no time zone that this machine knows"),
            remedy: "write its IANA name, such as \"Europe/London\"; they come with the package tzdata"
                .to_owned(),
        })
    };
    let address = |text: &str| {
        text.parse().map_err(|_| Wrong {
            what: format!("`{text}` is no address to listen on"),
            remedy: "write an IP address and a port, such as \"127.0.0.1:9469\"".to_owned(),
        })
    };
    let jitter = it.any_time("jitter", &written.jitter);
    ScheduleSettings {
        at: it.one("at", &written.at, values::cron).unwrap_or_default(),
        time_zone: it
            .one("time_zone", &written.time_zone, zone)
            .unwrap_or(TimeZone::UTC),
        jitter: std::time::Duration::from_secs(values::seconds(&jitter)),
        health: it
            .one("health", &written.health, address)
            .unwrap_or(([127, 0, 0, 1], 0).into()),
    }
}

/// What is written for other programs.
pub(super) fn export(it: &Context<'_>, written: &written::Export) -> ExportSettings {
    let path = |path: &Option<written::At<PathBuf>>| path.as_ref().map(|path| it.path(path));
    ExportSettings {
        ndjson: path(&written.ndjson),
        metrics: path(&written.metrics),
        html: path(&written.html),
        names: names(written.names),
        owners: match written.owners {
            written::Owners::Full => OwnerDisplay::Full,
            written::Owners::Pseudonym => OwnerDisplay::Pseudonym,
        },
    }
}

/// How file names appear.
pub(super) fn names(written: written::Names) -> NameDisplay {
    match written {
        written::Names::Full => NameDisplay::Full,
        written::Names::Folder => NameDisplay::Folder,
        written::Names::Hidden => NameDisplay::Hidden,
    }
}
