//! Programs that print a secret.
//!
//! They are run without a shell, may take a limited time and print a limited amount; what they say besides
//! is not looked at, because it could hold the secret.

use std::{
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{environment, secret::MAX_SECRET};

/// Runs a program and takes what it prints; says in words what went wrong.
pub(super) fn run(program: &str, arguments: &[String], time: Duration) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    environment::withhold_secrets(&mut command);
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let Some(output) = child.stdout.take() else {
        return Err("has no output".to_owned());
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(MAX_SECRET + 1).read_to_end(&mut bytes);
        // Nobody listens any more after the time has passed.
        let _ = sender.send(read.map(|_| bytes));
    });
    let end = Instant::now() + time;
    let read = receiver.recv_timeout(time);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) if read.is_ok() => break status,
            Ok(None) if read.is_ok() && Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            _ => {
                // It may be gone already, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} seconds", time.as_secs()));
            }
        }
    };
    match read {
        Ok(Ok(bytes)) if status.success() => Ok(bytes),
        Ok(Err(error)) => Err(format!("could not be listened to: {error}")),
        _ => Err(match status.code() {
            Some(code) => format!("failed with exit status {code}"),
            None => "was ended by a signal".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let begun = Instant::now();
        let error = run("sleep", &["60".to_owned()], Duration::from_millis(50)).unwrap_err();
        assert!(error.starts_with("did not end"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
