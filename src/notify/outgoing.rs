//! The way out for letters: a mail server or a folder, and whether it is open.
//!
//! SMTP is spoken by `lettre` (RFC 5321, STARTTLS by RFC 3207), which reads lines of any length: so it is led through a relay
//! on loopback that passes on so much and no more. Certificates are checked as the system does, for the server's own name.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::model::{Check, Standing};

const ABOUT: &str = "mail";
/// How long a mail server may take to answer.
const TIME: Duration = Duration::from_secs(20);
/// How many bytes a mail server may say before it would take a letter.
const MAX_SAID: u64 = 64 * 1024;

/// How letters leave.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// By a mail server.
    Smtp(Server),
    /// Into a folder.
    Files(PathBuf),
}

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
    /// Not at all.
    None,
}

impl Server {
    /// Speaks with the server up to where a letter would be handed over; whether it goes on with it.
    async fn try_out(&self) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let port = self.relay().await?;
        let parameters = || TlsParameters::new(self.host.clone());
        let tls = match self.protection {
            Protection::Starttls => Tls::Required(parameters()?),
            Protection::Immediate => Tls::Wrapper(parameters()?),
            Protection::None => Tls::None,
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(Ipv4Addr::LOCALHOST.to_string())
                .port(port)
                .tls(tls)
                .timeout(Some(TIME));
        if let Some(login) = &self.login {
            let password = login.password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.user.clone(), password));
        }
        let transport: AsyncSmtpTransport<Tokio1Executor> = builder.build();
        Ok(transport.test_connection().await?)
    }

    /// Connects to the server, and passes one conversation on, up to a bound; the relay's port.
    async fn relay(&self) -> io::Result<u16> {
        let mut server = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            let Ok((mut client, _)) = listener.accept().await else {
                return;
            };
            let (from_server, mut to_server) = server.split();
            let (mut from_client, mut to_client) = client.split();
            let mut bounded = from_server.take(MAX_SAID);
            // Whichever side ends first ends the conversation.
            tokio::select! {
                _ = tokio::io::copy(&mut bounded, &mut to_client) => {}
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
            }
        });
        Ok(port)
    }
}

/// Goes the way of a letter up to where it would be handed over, and sends none.
pub async fn examine(outgoing: Outgoing) -> Check {
    match outgoing {
        Outgoing::Files(folder) => folder_check(&folder),
        Outgoing::Smtp(server) => server_check(&server).await,
    }
}

fn folder_check(folder: &Path) -> Check {
    let shown = folder.display();
    let writable = || -> io::Result<()> { tempfile::tempfile_in(folder).map(drop) };
    match writable() {
        Ok(()) => Check::good(ABOUT, format!("letters are written into {shown}")),
        Err(error) => Check::new(
            ABOUT,
            Standing::Failed,
            format!("letters cannot be written into {shown}: {error}"),
        )
        .costs("owners are told nothing")
        .step("make the folder, and let the account that runs sharewarden write there"),
    }
}

async fn server_check(server: &Server) -> Check {
    let at = format!("{}:{}", server.host, server.port);
    let tried = tokio::time::timeout(TIME, server.try_out()).await;
    let failed = |why: &str| {
        Check::new(
            ABOUT,
            Standing::Failed,
            format!("the mail server {at} does not take letters: {why}"),
        )
        .costs("owners are told nothing")
    };
    match tried {
        Ok(Ok(true)) => {
            let how = match (server.protection, &server.login) {
                (Protection::None, None) => "without encryption or sign-in",
                (Protection::None, Some(_)) => "without encryption, and takes the sign-in",
                (_, None) => "over a trusted connection, without sign-in",
                (_, Some(_)) => "over a trusted connection, and takes the sign-in",
            };
            Check::good(
                ABOUT,
                format!("the mail server {at} answers {how}; nothing was sent"),
            )
        }
        Ok(Ok(false)) => failed("it ends the conversation"),
        Err(_elapsed) => failed("it does not answer in time")
            .step("check `host`, `port` and `tls` of `[mail] transport`, and the firewall"),
        Ok(Err(error)) => {
            let why = cause(&*error);
            let check = failed(&why);
            let error = error.downcast_ref::<Error>();
            if why.contains("certificate") {
                check.step("let this machine trust the authority of the mail server's certificate, or name the host it is for")
            } else if error.is_some_and(Error::is_tls) {
                check.step("check `tls` of `[mail] transport`")
            } else if error.is_some_and(Error::is_permanent) {
                check.step("check `user` and `password` of `[mail] transport`, and whether this machine may relay there")
            } else if error.is_some_and(|error| error.is_timeout() || error.is_transient()) {
                check.step("try again, and look into the mail server's log")
            } else {
                check.step("check `host`, `port` and `tls` of `[mail] transport`, and the firewall")
            }
        }
    }
}

/// What is beneath an error: the mail server's words, or the system's.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    innermost
        .map_or_else(String::new, ToString::to_string)
        .chars()
        .take(400)
        .collect()
}
