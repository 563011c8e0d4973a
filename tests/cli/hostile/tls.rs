//! Servers that are not to be trusted, or that speak nothing that is still safe.

use std::io;
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// What is wrong with a secure connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Nothing.
    Good,
    /// The certificate is for another name.
    WrongHost,
    /// It has ended.
    Expired,
    /// It begins in the future.
    NotYet,
    /// It is signed by its own key.
    SelfSigned,
    /// It is signed by an authority that nobody named.
    Stranger,
    /// The server picks TLS 1.1.
    Old,
    /// The server refuses every version that is still safe.
    OnlyOlder,
    /// Somebody in between makes TLS 1.2 of TLS 1.3.
    Downgrade,
    /// The server speaks HTTP without TLS.
    Plain,
    /// The server speaks nothing known.
    Noise,
    /// The server ends the connection after the first words.
    Closes,
    /// The server says nothing.
    Silent,
}

/// The authority that the program is told to trust, and what it signed.
struct Trust {
    pem: String,
    good: TlsAcceptor,
    wrong_host: TlsAcceptor,
    expired: TlsAcceptor,
    not_yet: TlsAcceptor,
    self_signed: TlsAcceptor,
    stranger: TlsAcceptor,
}

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, other) = (authority(), authority());
    let leaf = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let signed = |params: CertificateParams, by: &CertifiedIssuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        acceptor(params.signed_by(&key, by).unwrap().der().to_vec(), &key)
    };
    let mut expired = leaf("localhost");
    expired.not_after = date_time_ymd(2026, 1, 1);
    expired.not_before = date_time_ymd(2025, 1, 1);
    let mut not_yet = leaf("localhost");
    not_yet.not_before = date_time_ymd(2096, 1, 1);
    not_yet.not_after = date_time_ymd(2097, 1, 1);
    let own = KeyPair::generate().unwrap();
    let self_signed = leaf("localhost").self_signed(&own).unwrap();
    Trust {
        pem: ours.pem(),
        good: signed(leaf("localhost"), &ours),
        wrong_host: signed(leaf("cloud.example.org"), &ours),
        expired: signed(expired, &ours),
        not_yet: signed(not_yet, &ours),
        self_signed: acceptor(self_signed.der().to_vec(), &own),
        stranger: signed(leaf("localhost"), &other),
    }
});

fn acceptor(certificate: Vec<u8>, key: &KeyPair) -> TlsAcceptor {
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], private)
        .unwrap();
    TlsAcceptor::from(Arc::new(server))
}

/// The certificate of the authority that the program is told to trust.
pub(super) fn authority() -> &'static str {
    &TRUST.pem
}

impl Tls {
    /// Meets a client; the connection, where it comes to one.
    pub(super) async fn accept(self, mut stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let acceptor = match self {
            Self::Good => &TRUST.good,
            Self::WrongHost => &TRUST.wrong_host,
            Self::Expired => &TRUST.expired,
            Self::NotYet => &TRUST.not_yet,
            Self::SelfSigned => &TRUST.self_signed,
            Self::Stranger => &TRUST.stranger,
            _ => {
                let mut hello = vec![0; 4096];
                let read = stream.read(&mut hello).await?;
                let said = self.says(hello.get(..read).unwrap_or_default());
                stream.write_all(&said).await?;
                if self == Self::Closes {
                    return Ok(None);
                }
                // Until the other side has enough.
                while stream.read_u8().await.is_ok() {}
                return Ok(None);
            }
        };
        acceptor.accept(stream).await.map(Some)
    }

    /// What is said to the first words of a client.
    fn says(self, hello: &[u8]) -> Vec<u8> {
        match self {
            // A record with ServerHello, as RFC 4346 has it: version 3.2 and a cipher of that time.
            Self::Old => server_hello([3, 2], [0x00, 0x2f], &[7; 32], &[]),
            // The alert `protocol_version`.
            Self::OnlyOlder => vec![0x15, 3, 1, 0, 2, 2, 70],
            // What RFC 8446 (4.1.3) puts at the end of the random, so that this is found out.
            Self::Downgrade => {
                let mut random = [7; 32];
                random[24..].copy_from_slice(b"DOWNGRD\x01");
                server_hello([3, 3], [0xc0, 0x2f], &random, &[0xff, 0x01, 0, 1, 0])
            }
            Self::Plain => {
                let page = "<h1>Bad request</h1>";
                let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\n";
                format!("{head}content-length: {}\r\n\r\n{page}", page.len()).into_bytes()
            }
            Self::Noise => hello.iter().map(|byte| byte ^ 0x5a).collect(),
            _ => Vec::new(),
        }
    }
}

/// The record of a server that chooses a version and a cipher.
fn server_hello(version: [u8; 2], cipher: [u8; 2], random: &[u8; 32], extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend(random);
    body.push(0);
    body.extend(cipher);
    body.push(0);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let handshake = [&[2, 0][..], &length(body.len()), &body].concat();
    [&[0x16][..], &version, &length(handshake.len()), &handshake].concat()
}
