//! Speaks with a mail server (RFC 5321; STARTTLS by RFC 3207), by `lettre`.
//!
//! One connection serves for many letters. Until the end of a letter was sent it was not handed over, so that it may be
//! handed over anew; from there on only the server's answer tells, and without one nothing is known. Certificates are
//! checked as the system does, for the server's own name.

use std::net::Ipv4Addr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Response, Severity};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::relay::Relay;
use super::{ABOUT, COSTS, Message, Sent};
use crate::model::{Check, Standing};
use crate::report::text::visible;

/// How much of what a server says is shown, in characters.
const LONGEST: usize = 400;
/// The server gives up the conversation.
const CLOSING: u16 = 421;
/// It wants a sign-in first: nobody's letter is taken without.
const SIGN_IN_FIRST: u16 = 530;
/// It waits for a letter.
const GO_AHEAD: u16 = 354;

const SILENT: &str = "it does not answer in time";

/// A mail server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// How to sign in, where it wants that.
    pub login: Option<Login>,
    /// How long it may take.
    pub times: Times,
}

/// How to sign in to a mail server.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account.
    pub user: String,
    /// Its password.
    pub password: SecretString,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Upgraded before anything is said.
    Starttls,
    /// From the first byte.
    Immediate,
    /// Not at all: towards this machine only.
    None,
}

/// How long a mail server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Until it is ready for letters, sign-in included.
    pub open: Duration,
    /// To answer a command.
    pub answer: Duration,
    /// To take a letter once it has all of it: it may look for viruses first.
    pub take: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(20),
            answer: Duration::from_mins(1),
            take: Duration::from_mins(5),
        }
    }
}

/// A mail server, and the conversation with it.
#[derive(Debug)]
pub(super) struct Smtp {
    server: Server,
    /// The conversation, between two letters; there is none while one is handed over, so that what is given up in the midst
    /// of it is not gone on with.
    idle: Mutex<Option<Line>>,
}

/// A conversation that is ready for a letter.
struct Line {
    connection: AsyncSmtpConnection,
    relay: Relay,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

/// Why a mail server is not ready for letters.
struct Closed {
    why: Why,
    words: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Unreachable,
    Tls,
    SignIn,
    NotNow,
}

/// What a step of handing over failed with.
enum Failed {
    /// The server said no.
    Told(u16, Error),
    /// There is no conversation any more.
    Lost(String),
}

/// Why nothing was handed over, and the conversation has to end.
struct Broken {
    words: String,
    /// Whether it came so far that this letter alone may be the reason.
    at_recipient: bool,
}

/// What became of handing over.
type HandedOver = Result<Sent, Broken>;

impl Smtp {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            idle: Mutex::default(),
        }
    }

    pub(super) async fn send(&self, message: &Message) -> Sent {
        let mut idle = self.idle.lock().await;
        // Servers end conversations after so many letters or so much time: that is noticed only now.
        if let Some(line) = idle.take()
            && let (Ok(sent), line) = self.hand_over(line, message).await
        {
            *idle = line;
            return sent;
        }
        let words = match self.open().await {
            Ok(line) => match self.hand_over(line, message).await {
                (Ok(sent), line) => {
                    *idle = line;
                    return sent;
                }
                // The same again in a conversation of its own: others may fare better.
                (
                    Err(Broken {
                        words,
                        at_recipient: true,
                    }),
                    _,
                ) => {
                    return Sent::Refused {
                        words,
                        permanent: false,
                    };
                }
                (Err(broken), _) => broken.words,
            },
            Err(closed) => closed.words,
        };
        Sent::Unreachable {
            words: format!("the mail server {} does not take letters: {words}", self.at()),
        }
    }

    pub(super) async fn close(&self) {
        if let Some(mut line) = self.idle.lock().await.take() {
            let _ = timeout(Duration::from_secs(5), line.connection.quit()).await;
        }
    }

    /// Hands a letter over; the conversation, where it can go on.
    async fn hand_over(&self, mut line: Line, message: &Message) -> (HandedOver, Option<Line>) {
        line.relay.go_on();
        match self.say(&mut line.connection, message).await {
            Ok((sent @ Sent::Accepted { .. }, _)) => (Ok(sent), Some(line)),
            Ok((sent @ Sent::Refused { .. }, true)) => {
                let begun_anew = self
                    .step(line.connection.command(Rset), self.server.times.answer)
                    .await;
                (Ok(sent), begun_anew.is_ok().then_some(line))
            }
            Ok((sent, _)) => (Ok(sent), None),
            Err(broken) => (Err(broken), None),
        }
    }

    /// All that is said for a letter; its fate, and whether the conversation can go on.
    async fn say(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(Sent, bool), Broken> {
        let broken = |words: String, at_recipient| Broken { words, at_recipient };
        let times = self.server.times;
        let address = |address: &super::super::address::Address| address.to_string().parse().ok();
        let (Some(from), Some(to)) = (address(&message.from), address(&message.to)) else {
            let words = "its address cannot be written to".to_owned();
            return Ok((
                Sent::Refused {
                    words,
                    permanent: true,
                },
                true,
            ));
        };
        let from = Mail::new(Some(from), Vec::new());
        match self.step(connection.command(from), times.answer).await {
            Ok(_) => {}
            // It would be no better with another recipient.
            Err(Failed::Told(_, error)) => {
                return Err(broken(
                    format!("it refuses the sender: {}", self.words(&error)),
                    false,
                ));
            }
            Err(Failed::Lost(words)) => return Err(broken(words, false)),
        }
        let to = Rcpt::new(to, Vec::new());
        for step in [to.to_string(), Data.to_string()] {
            match self.step(connection.command(&step), times.answer).await {
                Ok(response) if step == Data.to_string() && !response.has_code(GO_AHEAD) => {
                    return Err(broken(
                        "it does not wait for the letter, as SMTP has it".to_owned(),
                        false,
                    ));
                }
                Ok(_) => {}
                Err(Failed::Told(CLOSING | SIGN_IN_FIRST, error)) => {
                    return Err(broken(self.words(&error), false));
                }
                Err(Failed::Told(_, error)) => return Ok((self.refused(&error), true)),
                Err(Failed::Lost(words)) => return Err(broken(words, true)),
            }
        }
        let sent = match self.step(connection.message(&message.bytes), times.take).await {
            Ok(response) if response.code().severity == Severity::PositiveCompletion => Sent::Accepted {
                reply: self.shown(&told(&response)),
            },
            Ok(response) => Sent::Unknown {
                words: format!(
                    "the mail server answered a whole letter with: {}",
                    self.shown(&told(&response))
                ),
            },
            // It is what the letter holds that is refused, and not its address, which may be written to again.
            Err(Failed::Told(code, error)) => {
                let sent = Sent::Refused {
                    words: self.words(&error),
                    permanent: false,
                };
                return Ok((sent, code != CLOSING));
            }
            Err(Failed::Lost(words)) => Sent::Unknown {
                words: format!(
                    "the conversation with the mail server {} ended before it said whether it took the letter: {words}",
                    self.at()
                ),
            },
        };
        Ok((sent, true))
    }

    /// Waits for an answer, for so long.
    async fn step(
        &self,
        asked: impl Future<Output = Result<Response, Error>>,
        time: Duration,
    ) -> Result<Response, Failed> {
        match timeout(time, asked).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match error.status() {
                Some(code) => Failed::Told(code.into(), error),
                None => Failed::Lost(self.words(&error)),
            }),
            Err(_elapsed) => Err(Failed::Lost(SILENT.to_owned())),
        }
    }

    fn refused(&self, error: &Error) -> Sent {
        Sent::Refused {
            words: self.words(error),
            permanent: error.is_permanent(),
        }
    }

    /// Begins a conversation.
    async fn open(&self) -> Result<Line, Closed> {
        let opened = timeout(self.server.times.open, self.connect()).await;
        opened.unwrap_or_else(|_elapsed| Err(closed(Why::Unreachable, SILENT)))
    }

    async fn connect(&self) -> Result<Line, Closed> {
        let Server {
            host,
            port,
            protection,
            login,
            ..
        } = &self.server;
        let unreachable = |error: std::io::Error| closed(Why::Unreachable, &error.to_string());
        let server = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(unreachable)?;
        let peer = server.peer_addr().map_err(unreachable)?;
        if *protection == Protection::None && !peer.ip().to_canonical().is_loopback() {
            let words = "it is not on this machine, and letters would travel in the clear";
            return Err(closed(Why::Tls, words));
        }
        let relay = Relay::of(server).await.map_err(unreachable)?;
        let parameters = || TlsParameters::new(host.clone()).map_err(|error| self.closed(&error));
        let immediate = match protection {
            Protection::Immediate => Some(parameters()?),
            Protection::Starttls | Protection::None => None,
        };
        let hello = ClientId::default();
        let at = (Ipv4Addr::LOCALHOST, relay.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(at, None, &hello, immediate, None)
            .await
            .map_err(|error| self.closed(&error))?;
        if *protection == Protection::Starttls {
            if !connection.can_starttls() {
                let words = "it offers no STARTTLS, and nothing is sent in the clear";
                return Err(closed(Why::Tls, words));
            }
            let upgraded = connection.starttls(parameters()?, &hello).await;
            upgraded.map_err(|error| self.closed(&error))?;
        }
        if let Some(login) = login {
            let password = login.password.expose_secret().to_owned();
            let credentials = Credentials::new(login.user.clone(), password);
            let signed_in = connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await;
            signed_in.map_err(|error| match self.closed(&error) {
                Closed {
                    words,
                    why: Why::NotNow,
                } => closed(Why::NotNow, &words),
                Closed { words, .. } => {
                    closed(Why::SignIn, &format!("it does not accept the sign-in: {words}"))
                }
            })?;
        }
        Ok(Line { connection, relay })
    }

    fn closed(&self, error: &Error) -> Closed {
        let words = self.words(error);
        let why = if error.is_tls() || words.contains("certificate") {
            Why::Tls
        } else if error.is_permanent() {
            Why::SignIn
        } else if error.is_transient() || error.is_timeout() {
            Why::NotNow
        } else {
            Why::Unreachable
        };
        Closed { why, words }
    }

    fn at(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    /// What is beneath an error: the mail server's words, with its code, or the system's.
    fn words(&self, error: &Error) -> String {
        let innermost =
            std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source()).last();
        let words = innermost.map_or_else(String::new, ToString::to_string);
        match error.status() {
            Some(code) => self.shown(&format!("{code} {words}")),
            None => self.shown(&words),
        }
    }

    /// What a server said, as it may be shown: it may repeat the password that it was told, as it was told it.
    fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(login) = &self.server.login {
            let password = login.password.expose_secret();
            let told = [
                STANDARD.encode(format!("\0{}\0{password}", login.user)),
                STANDARD.encode(password),
                password.to_owned(),
            ];
            for secret in told.iter().filter(|secret| !secret.is_empty()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        let short: String = text.chars().take(LONGEST).collect();
        visible(&short).trim().to_owned()
    }

    /// Goes the way of a letter up to where it would be handed over.
    pub(super) async fn examine(&self) -> Check {
        let at = self.at();
        let closed = match self.open().await {
            Err(closed) => closed,
            Ok(line) => {
                *self.idle.lock().await = Some(line);
                self.close().await;
                let how = match (self.server.protection, &self.server.login) {
                    (Protection::None, None) => "without encryption or sign-in",
                    (Protection::None, Some(_)) => "without encryption, and takes the sign-in",
                    (_, None) => "over a trusted connection, without sign-in",
                    (_, Some(_)) => "over a trusted connection, and takes the sign-in",
                };
                let words = format!("the mail server {at} answers {how}; nothing was sent");
                return Check::good(ABOUT, words);
            }
        };
        let found = format!("the mail server {at} does not take letters: {}", closed.words);
        let step = match closed.why {
            Why::Tls if closed.words.contains("certificate") => {
                "let this machine trust the authority of the mail server's certificate, or name the host it is for"
            }
            Why::Tls => "check `tls` of `[mail] transport`",
            Why::SignIn => {
                "check `user` and `password` of `[mail] transport`, and whether this machine may relay there"
            }
            Why::NotNow => "try again, and look into the mail server's log",
            Why::Unreachable => "check `host`, `port` and `tls` of `[mail] transport`, and the firewall",
        };
        Check::new(ABOUT, Standing::Failed, found).costs(COSTS).step(step)
    }
}

fn closed(why: Why, words: &str) -> Closed {
    Closed {
        why,
        words: words.to_owned(),
    }
}

/// An answer as one text.
fn told(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}
