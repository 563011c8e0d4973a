//! Nextcloud's `occ`, run as the operator says.

use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Exit;
use super::super::terminal::say;
use crate::config;
use crate::report::text::shorten;

/// How long a command may take; Nextcloud tries to reach the auditor for ten minutes.
const TIME: Duration = Duration::from_mins(11);
/// How much is kept of what a command says; it may run on another machine.
const MAX_SAID: u64 = 64 * 1024;
/// How many lines are shown, and how wide.
const LINES: usize = 50;
const WIDTH: usize = 300;

/// How a command ended.
pub(super) struct Ended {
    /// Its exit status; none where a signal ended it.
    pub(super) status: Option<i32>,
    said: String,
}

impl Ended {
    pub(super) fn is_good(&self) -> bool {
        self.status == Some(0)
    }

    /// Whether it said this.
    pub(super) fn says(&self, words: &str) -> bool {
        self.said.contains(words)
    }
}

/// Runs `occ` and shows what it says.
pub(super) async fn run(
    occ: &[String],
    arguments: &[&str],
    input: Option<&SecretString>,
) -> Result<Ended, Exit> {
    let (program, before) = occ.split_first().ok_or(Exit::Usage)?;
    say(&format!("> occ {}", arguments.join(" ")));
    let failed = |error: &dyn std::fmt::Display| {
        say(&format!(
            "error: `{}` cannot be run: {error}",
            program.escape_debug()
        ));
        Exit::NotKept
    };
    let mut command = tokio::process::Command::new(program);
    config::withhold_secrets(command.as_std_mut());
    let mut child = command
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
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let told = async {
        if let (Some(input), Some(mut pipe)) = (input, stdin) {
            // Whoever does not read it says why on its own.
            let _ = pipe.write_all(input.expose_secret().as_bytes()).await;
        }
    };
    let running = async { tokio::join!(told, heard(stdout), heard(stderr), child.wait()) };
    let (out, errors, status) = match tokio::time::timeout(TIME, running).await {
        Ok(((), out, errors, status)) => (out, errors, status.map_err(|error| failed(&error))?),
        Err(_elapsed) => {
            return Err(failed(&format!(
                "it did not end within {} minutes",
                TIME.as_secs() / 60
            )));
        }
    };
    let said = format!("{out}\n{errors}");
    for line in said.lines().filter(|line| !line.trim().is_empty()).take(LINES) {
        say(&format!("  {}", shorten(line, WIDTH)));
    }
    Ok(Ended {
        status: status.code(),
        said,
    })
}

/// The beginning of what a command says; the rest is passed over, so that it is not kept waiting.
async fn heard(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(pipe) = pipe else { return String::new() };
    let mut begun = Vec::new();
    let mut limited = pipe.take(MAX_SAID);
    // A pipe that breaks has said what it said.
    if limited.read_to_end(&mut begun).await.is_ok() {
        let _ = tokio::io::copy(&mut limited.into_inner(), &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&begun).into_owned()
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
