//! Nextcloud's `occ`, run as the operator says.

use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

use super::super::Exit;
use super::super::terminal::say;
use crate::report::text::visible;

/// How long a command may take; Nextcloud tries to reach the auditor for ten minutes.
const TIME: Duration = Duration::from_mins(11);

/// Runs `occ` and shows what it says; its exit status, where it has one.
pub(super) async fn run(
    occ: &[String],
    arguments: &[&str],
    input: Option<&SecretString>,
) -> Result<Option<i32>, Exit> {
    let Some((program, before)) = occ.split_first() else {
        return Ok(None);
    };
    say(&format!("> occ {}", arguments.join(" ")));
    let failed = |error: &dyn std::fmt::Display| {
        say(&format!(
            "error: `{}` cannot be run: {error}",
            program.escape_debug()
        ));
        Exit::NotKept
    };
    let mut child = tokio::process::Command::new(program)
        .args(before)
        .args(arguments)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // Whoever does not read it says why on its own.
        let _ = pipe.write_all(input.expose_secret().as_bytes()).await;
    }
    let output = tokio::time::timeout(TIME, child.wait_with_output())
        .await
        .map_err(|_elapsed| failed(&format!("it did not end within {} minutes", TIME.as_secs() / 60)))?
        .map_err(|error| failed(&error))?;
    for text in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(text)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(50)
        {
            say(&format!("  {}", visible(line)));
        }
    }
    Ok(output.status.code())
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b':' | b'-' | b'_');
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
