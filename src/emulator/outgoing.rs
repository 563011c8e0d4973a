//! Calls that the emulated server makes itself, to an external app that is being registered.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Shared;
use super::http::{Answer, Request};
use super::nextcloud::occ::{Call, Command, Step, Target};

/// How often a heartbeat is asked for; the real server tries each second for ten minutes.
const HEARTBEATS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);

/// `POST /__emulator/occ`: runs a command to its end.
pub(super) async fn occ(shared: &Shared, request: &Request) -> Answer {
    let command: Command = match serde_json::from_slice(&request.body) {
        Ok(command) => command,
        Err(error) => return Answer::json(400, &json!({"error": error.to_string()})),
    };
    let mut step = shared.lock().nextcloud.occ(&command);
    loop {
        match step {
            Step::Done(ended) => {
                return Answer::json(200, &json!({"status": ended.status, "output": ended.output}));
            }
            Step::Call(call) => {
                let answered = call_app(&call).await;
                step = shared.lock().nextcloud.occ_goes_on(&call, answered);
            }
        }
    }
}

/// The status of the app's answer; `None` where nobody answers.
async fn call_app(call: &Call) -> Option<u16> {
    let tries = if call.to == Target::Heartbeat {
        HEARTBEATS
    } else {
        1
    };
    for left in (0..tries).rev() {
        if let Ok(Some(status)) = tokio::time::timeout(PATIENCE, exchange(call)).await {
            return Some(status);
        }
        if left > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
    }
    None
}

async fn exchange(call: &Call) -> Option<u16> {
    let host = call.host.trim_matches(['[', ']']);
    let mut stream = TcpStream::connect((host, call.port)).await.ok()?;
    stream.write_all(call.request().as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await.ok()?;
    let line = String::from_utf8_lossy(&answer);
    line.strip_prefix("HTTP/1.1 ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
