//! `demo`: starts the emulator with an invented organisation and scans it over HTTP exactly as `scan` does.

use super::prepared::Prepared;
use super::terminal::say;
use super::{Exit, Global, emulate, scan, unwritten};
use crate::emulator::{Options, World};

pub(super) async fn run(global: &Global) -> Result<Exit, Exit> {
    let world = World::demo();
    let Some(auditor) = world.nextcloud_access() else {
        say("error: the demo's world names no auditor");
        return Err(Exit::Usage);
    };
    let emulator = emulate::start(world, Options::default()).await?;
    let prepared = Prepared::write(&emulator, Some(&auditor), None).map_err(|error| unwritten(&error))?;
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
