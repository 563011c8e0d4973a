//! The configuration as its users meet it: what is accepted, what is refused and with which words.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail"
)]

mod accepted;
mod files;
mod hostile;
mod refused;
mod refused_values;

use std::path::Path;

use sharewarden::config::{self, Style};

/// A source that nothing is wrong with.
const GOOD: &str = r#"
[[source]]
name = "cloud"
kind = "nextcloud"
url = "https://cloud.example.org"
auth = { method = "login" }
"#;

/// The screen for a configuration with this in it.
fn refused(text: &str) -> String {
    let text = format!("{text}{GOOD}");
    let now = "2026-11-23T02:00:00Z".parse().unwrap();
    let report = config::parse(Path::new("config.toml"), &text, now).expect_err("refused");
    report.render(Style::Plain)
}
