//! Stands between a mail server and what speaks with it, and passes on so much and no more.
//!
//! `lettre` reads lines of any length, so that a server that comes to no end would fill the memory.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How many bytes a mail server may say until a letter was taken.
const MAX_SAID: usize = 64 * 1024;

/// One conversation that is passed on.
#[derive(Debug)]
pub(super) struct Relay {
    /// Where it is passed on, on loopback.
    pub(super) port: u16,
    left: Arc<AtomicUsize>,
}

impl Relay {
    /// Passes one conversation with a server on.
    pub(super) async fn of(mut server: TcpStream) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let left = Arc::new(AtomicUsize::new(MAX_SAID));
        let allowance = left.clone();
        tokio::spawn(async move {
            let Ok((mut client, _)) = listener.accept().await else {
                return;
            };
            drop(listener);
            let (from_server, mut to_server) = server.split();
            let (mut from_client, mut to_client) = client.split();
            let mut bounded = Bounded {
                inner: from_server,
                left: allowance,
            };
            // Whichever side ends first ends the conversation.
            tokio::select! {
                _ = tokio::io::copy(&mut bounded, &mut to_client) => {}
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
            }
        });
        Ok(Self { port, left })
    }

    /// Lets the server say as much again: for the next letter.
    pub(super) fn go_on(&self) {
        self.left.store(MAX_SAID, Ordering::Relaxed);
    }
}

/// Ends where too much was read.
struct Bounded<R> {
    inner: R,
    left: Arc<AtomicUsize>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(read), Ordering::Relaxed);
        if read > left {
            // As if the server had ended the conversation there.
            buf.set_filled(before);
        }
        polled
    }
}
