//! A front between the program and an emulated service: passes on what it is asked, and misbehaves where it is told to.
//!
//! It works on bytes and knows of HTTP what it needs to. It shares no code with the program's client.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use super::tls::Tls;
use crate::harness::block_on;

/// No head of a request is longer.
const LONGEST_HEAD: usize = 64 * 1024;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// Whether it has a header.
    pub(super) fn has(&self, name: &str) -> bool {
        self.header(name).is_some()
    }

    /// The account that it says it is from, at a Nextcloud.
    pub(super) fn account(&self) -> Option<String> {
        let pair = STANDARD.decode(self.header("authorization-app-api")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        Some(pair.split(':').next()?.to_owned())
    }
}

/// An answer, read whole and unwrapped.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Sets a header, whatever there was of it.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a header away.
    pub(super) fn unset(&mut self, name: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The first lines, with a length that is right.
    pub(super) fn head(&self) -> String {
        format!("{}content-length: {}\r\n\r\n", self.open_head(), self.body.len())
    }

    /// The first lines, without a length and without their end.
    pub(super) fn open_head(&self) -> String {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        format!(
            "HTTP/1.1 {} Some reason\r\n{}",
            self.status,
            headers.collect::<String>()
        )
    }

    /// All of it as it should be.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), &self.body].concat()
    }
}

/// Where something went wrong, and how often before.
pub(super) struct Hit<'a> {
    /// This front's own origin.
    pub(super) own: &'a str,
    /// An origin that is none of the program's business.
    pub(super) foreign: &'a str,
    /// How often it happened before.
    pub(super) nth: usize,
    pub(super) asked: &'a Asked,
}

/// How a front misbehaves.
#[derive(Clone, Copy)]
pub(super) enum Twist {
    /// Another answer than the right one, well formed on the wire.
    Answer(fn(&mut Answer, &Hit<'_>)),
    /// The same for so many times, then the right one.
    Passing(usize, fn(&mut Answer, &Hit<'_>)),
    /// These bytes in place of the right answer, then the end of the connection.
    Wire(fn(&Answer, &Hit<'_>) -> Vec<u8>),
    /// Bytes, and then others again and again, with this many milliseconds between them.
    Endless(fn(&Answer) -> Vec<u8>, fn() -> Vec<u8>, u64),
    /// Bytes, and then nothing, with the connection open.
    Stalls(fn(&Answer) -> Vec<u8>),
    /// The end of the connection at once.
    Closes,
    /// A reset of the connection.
    Resets,
    /// Something is wrong before a word of HTTP is said.
    Tls(Tls),
    /// These bytes within a good secure connection, then its end without a farewell.
    Secured(fn(&Answer, &Hit<'_>) -> Vec<u8>),
}

/// Where a front misbehaves.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Whether a request is one of those.
    pub(super) place: fn(&Asked) -> bool,
    /// Whether what was asked is kept from the service.
    pub(super) kept_back: bool,
    pub(super) twist: Twist,
}

#[derive(Default)]
struct State {
    rule: Option<Rule>,
    hits: usize,
    asked: Vec<Asked>,
    secrets: BTreeSet<String>,
}

/// A front, for as long as the tests run.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) port: u16,
    behind: u16,
    state: Arc<Mutex<State>>,
}

/// Listens where nothing should ever come: what came there, and its port.
pub(super) struct Foreign {
    pub(super) port: u16,
    came: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Foreign {
    /// The one of all tests.
    pub(super) fn listener() -> &'static Self {
        static FOREIGN: LazyLock<Foreign> = LazyLock::new(|| {
            let came: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
            let noted = came.clone();
            let port = listen(move |mut stream| {
                let noted = noted.clone();
                async move {
                    let mut bytes = vec![0; 4096];
                    let wait = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut bytes));
                    let read = wait.await.map_or(0, Result::unwrap_or_default);
                    bytes.truncate(read);
                    noted.lock().unwrap().push(bytes);
                }
            });
            Foreign { port, came }
        });
        &FOREIGN
    }

    /// Insists that nothing came.
    pub(super) fn is_untouched(&self) -> Result<(), String> {
        let came = self.came.lock().unwrap();
        let told: Vec<_> = came.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(format!("another origin was asked: {told:?}"))
        }
    }
}

/// Serves each connection on a port of its own.
fn listen<F: Future<Output = ()> + Send + 'static>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(each(stream));
            }
        });
        port
    })
}

impl Front {
    /// A front before a service on this port; it behaves until it is told otherwise.
    pub(super) fn before(behind: u16) -> Self {
        // It is begun by nobody whom the runtime serves.
        Foreign::listener();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let port = listen(move |stream| {
            let state = shared.clone();
            async move {
                let port = stream.local_addr().map_or(0, |address| address.port());
                let front = Front { port, behind, state };
                // Whoever goes away in the midst of it may.
                let _ = front.connection(stream).await;
            }
        });
        Self { port, behind, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Misbehaves from now on, and forgets what it was asked.
    pub(super) fn misbehave(&self, rule: Rule) {
        let mut state = self.state();
        state.rule = Some(rule);
        state.hits = 0;
        state.asked.clear();
    }

    /// Behaves from now on; how often it misbehaved.
    pub(super) fn behave(&self) -> usize {
        let mut state = self.state();
        state.rule = None;
        state.hits
    }

    /// What it was asked since it began to misbehave.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The credentials and the tokens of links that came by.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        self.state().secrets.clone()
    }

    /// Notes a request; how to misbehave at it, and for the how manyth time.
    fn note(&self, asked: &Asked) -> Option<(Rule, usize)> {
        let mut state = self.state();
        state.asked.push(asked.clone());
        for (name, value) in &asked.headers {
            if name.to_ascii_lowercase().contains("authorization") {
                let secret = value.trim_start_matches("Bearer ").trim_start_matches("Basic ");
                state.secrets.insert(secret.to_owned());
            }
        }
        let rule = state.rule.filter(|rule| (rule.place)(asked))?;
        if matches!(rule.twist, Twist::Passing(times, _) if state.hits >= times) {
            return None;
        }
        state.hits += 1;
        Some((rule, state.hits - 1))
    }

    async fn connection(&self, stream: TcpStream) -> io::Result<()> {
        let twist = self.state().rule.map(|rule| rule.twist);
        let tls = match twist {
            Some(Twist::Tls(tls)) => {
                self.state().hits += 1;
                tls
            }
            Some(Twist::Secured(_)) => Tls::Good,
            _ => return self.serve(stream).await,
        };
        match tls.accept(stream).await? {
            Some(stream) => self.serve(stream).await,
            None => Ok(()),
        }
    }

    async fn serve(&self, mut stream: impl Stream) -> io::Result<()> {
        while let Some(asked) = read_request(&mut stream).await? {
            let Some((rule, nth)) = self.note(&asked) else {
                let answer = self.pass_on(&asked).await?;
                stream.write_all(&answer.bytes()).await?;
                continue;
            };
            let mut answer = if rule.kept_back {
                Answer {
                    status: 200,
                    headers: Vec::new(),
                    body: Vec::new(),
                }
            } else {
                self.pass_on(&asked).await?
            };
            let own = format!("http://127.0.0.1:{}", self.port);
            let foreign = format!("http://127.0.0.1:{}", Foreign::listener().port);
            let hit = Hit {
                own: &own,
                foreign: &foreign,
                nth,
                asked: &asked,
            };
            match rule.twist {
                Twist::Answer(change) | Twist::Passing(_, change) => {
                    change(&mut answer, &hit);
                    stream.write_all(&answer.bytes()).await?;
                }
                Twist::Wire(bytes) | Twist::Secured(bytes) => {
                    stream.write_all(&bytes(&answer, &hit)).await?;
                    stream.flush().await?;
                    // Without a farewell, in TLS.
                    return stream.drop_line().await;
                }
                Twist::Endless(begin, again, every) => {
                    stream.write_all(&begin(&answer)).await?;
                    let again = again();
                    loop {
                        stream.write_all(&again).await?;
                        stream.flush().await?;
                        if every > 0 {
                            tokio::time::sleep(Duration::from_millis(every)).await;
                        }
                    }
                }
                Twist::Stalls(begin) => {
                    stream.write_all(&begin(&answer)).await?;
                    stream.flush().await?;
                    // Until the other side has enough.
                    while stream.read_u8().await.is_ok() {}
                    return Ok(());
                }
                Twist::Closes => return stream.drop_line().await,
                Twist::Resets => return stream.beneath().set_zero_linger(),
                Twist::Tls(_) => {
                    stream.write_all(&answer.bytes()).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks the service itself.
    async fn pass_on(&self, asked: &Asked) -> io::Result<Answer> {
        let mut service = TcpStream::connect(("127.0.0.1", self.behind)).await?;
        let mut head = format!(
            "{} {}{} HTTP/1.1\r\nconnection: close\r\n",
            asked.method, asked.path, asked.query
        );
        for (name, value) in &asked.headers {
            if !name.eq_ignore_ascii_case("connection") {
                _ = write!(head, "{name}: {value}\r\n");
            }
        }
        head.push_str("\r\n");
        service.write_all(head.as_bytes()).await?;
        service.write_all(&asked.body).await?;
        let mut bytes = Vec::new();
        service.read_to_end(&mut bytes).await?;
        let answer = parse(&bytes).ok_or_else(|| io::Error::other("the emulator answers strangely"))?;
        self.learn(&answer.body);
        Ok(answer)
    }

    /// Notes tokens that an answer holds.
    fn learn(&self, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let mut state = self.state();
        for key in ["\"token\":\"", "\"access_token\":\""] {
            let told = text.split(key).skip(1).filter_map(|rest| rest.split('"').next());
            state
                .secrets
                .extend(told.filter(|token| token.len() >= 8).map(str::to_owned));
        }
        let links = text
            .split("\"webUrl\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let links = links
            .filter(|url| url.contains("/:"))
            .filter_map(|url| url.rsplit('/').next());
        state
            .secrets
            .extend(links.filter(|token| token.len() >= 12).map(str::to_owned));
    }
}

/// What a connection is to a front.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// The connection beneath.
    fn beneath(&mut self) -> &mut TcpStream;

    /// Ends the connection beneath, without a farewell of what lies above.
    fn drop_line(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        async {
            let line = self.beneath();
            line.shutdown().await?;
            // What was sent is to arrive.
            let _ = tokio::time::timeout(Duration::from_secs(1), line.read_u8()).await;
            Ok(())
        }
    }
}

impl Stream for TcpStream {
    fn beneath(&mut self) -> &mut TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn beneath(&mut self) -> &mut TcpStream {
        self.get_mut().0
    }
}

/// The next request of a connection; nothing at its end.
async fn read_request(stream: &mut impl Stream) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < LONGEST_HEAD => head.push(byte),
            Ok(_) => return Err(io::Error::other("the request has no end")),
            Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut asked = Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers(lines),
        body: Vec::new(),
    };
    let length = asked
        .header("content-length")
        .and_then(|length| length.parse().ok());
    asked.body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut asked.body).await?;
    Ok(Some(asked))
}

fn headers<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, String)> {
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// An answer that was read to its end.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer {
        status,
        headers: headers(lines),
        body: bytes.get(end + 4..)?.to_vec(),
    };
    let is_chunked = answer
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    if is_chunked {
        answer.body = unchunk(&answer.body)?;
    }
    for name in ["transfer-encoding", "content-length", "connection"] {
        answer.unset(name);
    }
    Some(answer)
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let length = usize::from_str_radix(length.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(bytes.get(end + 2..end + 2 + length)?);
        bytes = bytes.get(end + 4 + length..)?;
    }
}
