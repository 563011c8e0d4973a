//! A server that gives each request the next reply of a script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

#[derive(Clone)]
pub(super) struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    after: Duration,
}

impl Reply {
    pub(super) fn new(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        Self {
            status,
            headers: headers.to_owned(),
            body: body.as_ref().to_vec(),
            after: Duration::ZERO,
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(
            status,
            "content-type: application/json; charset=utf-8\r\n",
            body.to_string(),
        )
    }

    pub(super) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Request line and headers.
    pub(super) head: String,
    /// The fields of its form.
    pub(super) form: BTreeMap<String, String>,
}

pub(super) struct Server {
    pub(super) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves these replies in turn; the last one ever after.
    pub(super) async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let replies: Arc<[Reply]> = replies.into_iter().collect();
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (all, replies) = (all.clone(), replies.clone());
                tokio::spawn(async move { serve(connection, &all, &replies).await });
            }
        });
        Self { url, seen }
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut connection: TcpStream, all: &Mutex<Vec<Seen>>, replies: &[Reply]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        connection.read_buf(&mut bytes).await?;
    }
    let form = url::form_urlencoded::parse(&bytes[end..]).into_owned().collect();
    let number = {
        let mut all = all.lock().unwrap();
        all.push(Seen { head, form });
        all.len() - 1
    };
    let reply = &replies[number.min(replies.len() - 1)];
    tokio::time::sleep(reply.after).await;
    let head = format!(
        "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n",
        reply.status,
        reply.body.len(),
        reply.headers
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&reply.body).await?;
    connection.shutdown().await
}
