//! `emulate`: serves the built-in emulator on loopback until it is interrupted.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::prepared::Prepared;
use super::terminal::{Output, say};
use super::{Exit, Global, sources, unwritten};
use crate::emulator::{Emulator, Options, World};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The world to serve (sharewarden.world/v1) [default: the demo's]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// The port on 127.0.0.1 of the emulated Nextcloud [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    nextcloud_port: u16,
    /// The port on 127.0.0.1 of the emulated Microsoft 365, where the world has one [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    graph_port: u16,
}

pub(super) async fn run(_global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let world = match &arguments.world {
        Some(path) => read(path)?,
        None => World::demo(),
    };
    let (nextcloud, microsoft) = (world.nextcloud_access(), world.microsoft_access());
    let has_nextcloud = world.has_nextcloud();
    let options = Options {
        nextcloud_port: arguments.nextcloud_port,
        graph_port: arguments.graph_port,
    };
    let emulator = start(world, options).await?;
    let prepared = if nextcloud.is_some() || microsoft.is_some() {
        let written = Prepared::write(&emulator, nextcloud.as_ref(), microsoft.as_ref());
        Some(written.map_err(|error| unwritten(&error))?)
    } else {
        None
    };
    let line = json!({
        "nextcloud": has_nextcloud.then(|| emulator.nextcloud_url()),
        "graph": emulator.graph_url(),
        "login": emulator.login_url(),
        "config": prepared.as_ref().map(Prepared::config),
    });
    let ended = sources::interrupted();
    Output::Standard
        .write(|out| writeln!(out, "{line}"))
        .map_err(|error| unwritten(&error))?;
    ended.await;
    emulator.shutdown().await;
    Ok(Exit::Done)
}

/// Starts an emulator; why it does not start is said.
pub(super) async fn start(world: World, options: Options) -> Result<Emulator, Exit> {
    Emulator::start(world, options).await.map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Usage
    })
}

fn read(path: &Path) -> Result<World, Exit> {
    let wrong = |what: &dyn std::fmt::Display| {
        say(&format!("error: cannot use the world {}: {what}", path.display()));
        Exit::Usage
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    World::from_json(&bytes).map_err(|error| wrong(&error))
}
