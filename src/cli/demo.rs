//! `demo`: starts the emulators with an invented organisation and scans both services over HTTP exactly as `scan` does.

use super::prepared::Prepared;
use super::terminal::say;
use super::{Exit, Global, emulate, scan, unwritten};
use crate::emulator::{Options, World};

pub(super) async fn run(global: &Global) -> Result<Exit, Exit> {
    let world = World::demo();
    let (nextcloud, microsoft) = (world.nextcloud_access(), world.microsoft_access());
    if nextcloud.is_none() && microsoft.is_none() {
        say("error: the demo's world names no auditor");
        return Err(Exit::Usage);
    }
    let emulator = emulate::start(world, Options::default()).await?;
    let prepared = Prepared::write(&emulator, nextcloud.as_ref(), microsoft.as_ref())
        .map_err(|error| unwritten(&error))?;
    let global = Global {
        config: Some(prepared.config()),
        no_state: true,
        ..global.clone()
    };
    let arguments = scan::Arguments {
        source: Vec::new(),
        user: Vec::new(),
        rule: Vec::new(),
        full: true,
        format: "table".to_owned(),
        output: None,
        fail_on: "never".to_owned(),
        all_shares: false,
    };
    let exit = scan::run(&global, arguments).await;
    emulator.shutdown().await;
    exit
}
