//! `demo`: starts the emulators with an invented organisation and scans both services over HTTP exactly as `scan` does.

use std::path::{Path, PathBuf};

use clap::Args;

use super::prepared::Prepared;
use super::terminal::{Output, say};
use super::{Exit, Global, emulate, scan, unwritten};
use crate::emulator::{Options, World};

/// The page's name where none is asked for.
const PAGE: &str = "sharewarden-demo.html";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the HTML report to this file [default: sharewarden-demo.html in the current folder, or in the one for
    /// temporary files where that cannot be written]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    language: scan::Spoken,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let world = World::demo();
    let (nextcloud, microsoft) = (world.nextcloud_access(), world.microsoft_access());
    if nextcloud.is_none() && microsoft.is_none() {
        say("error: the demo's world names no auditor");
        return Err(Exit::Usage);
    }
    let page = arguments.output.unwrap_or_else(usual_page);
    let emulator = emulate::start(world, Options::default()).await?;
    let prepared = Prepared::write(&emulator, nextcloud.as_ref(), microsoft.as_ref())
        .map_err(|error| unwritten(&error))?;
    let quiet = global.quiet;
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
        language: arguments.language,
        page: Some(Output::File(page.clone())),
    };
    let exit = scan::run(&global, arguments).await;
    emulator.shutdown().await;
    if !quiet && matches!(exit, Ok(Exit::Done)) {
        let page = std::path::absolute(&page).unwrap_or(page);
        say(&format!("The same as a page for a browser: {}", page.display()));
    }
    exit
}

/// Where the page goes unless said otherwise.
fn usual_page() -> PathBuf {
    let here = Path::new(".");
    if tempfile::tempfile_in(here).is_ok() {
        PathBuf::from(PAGE)
    } else {
        std::env::temp_dir().join(PAGE)
    }
}
