//! A server that gives each request the next reply of a script, byte by byte as written.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// What a server does once it has a request; then it closes the connection.
#[derive(Clone)]
pub(super) struct Reply(Vec<Step>);

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Connects on to this address and passes bytes both ways.
    Tunnel(String),
}

impl Reply {
    pub(super) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self(vec![Step::Send(bytes.as_ref().to_vec())])
    }

    /// A well-formed answer; `headers` are whole lines.
    pub(super) fn new(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
        Self::raw([head.as_bytes(), body].concat())
    }

    pub(super) fn ok(body: &str) -> Self {
        Self::new(200, "", body)
    }

    /// No answer: the connection just ends.
    pub(super) fn nothing() -> Self {
        Self(Vec::new())
    }

    pub(super) fn tunnel(to: &Url) -> Self {
        let to = to.socket_addrs(|| None).unwrap()[0].to_string();
        Self::raw("HTTP/1.1 200 X\r\n\r\n").then(Step::Tunnel(to))
    }

    pub(super) fn after(self, time: Duration) -> Self {
        Self([vec![Step::Wait(time)], self.0].concat())
    }

    pub(super) fn then_wait(self, time: Duration) -> Self {
        self.then(Step::Wait(time))
    }

    pub(super) fn then_send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Send(bytes.as_ref().to_vec()))
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Instant,
    /// Request line and headers.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    open: AtomicUsize,
    most: AtomicUsize,
}

pub(super) struct Server {
    pub(super) url: Url,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves these replies in turn; the last one ever after.
    pub(super) async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(replies, None).await
    }

    pub(super) async fn tls(reply: Reply, acceptor: TlsAcceptor) -> Self {
        Self::start([reply], Some(acceptor)).await
    }

    async fn start(replies: impl IntoIterator<Item = Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let shared = Arc::new(Shared::default());
        let replies: Arc<[Reply]> = replies.into_iter().collect();
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (shared, replies, tls) = (serving.clone(), replies.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(connection, &shared, &replies).await,
                        Some(tls) => serve(tls.accept(connection).await?, &shared, &replies).await,
                    }
                });
            }
        });
        Self { url, shared }
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The most requests that were open at once.
    pub(super) fn most_open(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

async fn serve<S>(mut connection: S, shared: &Shared, replies: &[Reply]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let seen = receive(&mut connection).await?;
    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(open, Ordering::SeqCst);
    let number = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen);
        all.len() - 1
    };
    let reply = &replies[number.min(replies.len() - 1)];
    for step in &reply.0 {
        match step {
            Step::Send(bytes) => {
                connection.write_all(bytes).await?;
                connection.flush().await?;
            }
            Step::Wait(time) => tokio::time::sleep(*time).await,
            Step::Tunnel(to) => {
                let mut onward = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut connection, &mut onward).await?;
            }
        }
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
    connection.shutdown().await
}

async fn receive<S: AsyncRead + Unpin>(connection: &mut S) -> io::Result<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
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
    Ok(Seen {
        at: Instant::now(),
        head,
        body: bytes[end..].to_vec(),
    })
}
