//! The way to a server: through a proxy, and to a certificate of a private authority.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::harness::{Config, NOW, Stage, block_on, problems};

async fn forward(mut from: impl AsyncRead + AsyncWrite + Unpin, to: String) {
    if let Ok(mut to) = TcpStream::connect(to).await {
        drop(copy_bidirectional(&mut from, &mut to).await);
    }
}

#[test]
fn a_proxy_is_used_where_one_is_named_and_by_the_environment() {
    let stage = Stage::small();
    // The emulator understands the absolute form of a request, so that it may stand for a proxy before itself.
    let proxy = stage.url().as_str().trim_end_matches('/').to_owned();
    stage.configure(&Config {
        source: &format!("proxy = {proxy:?}"),
        ..Config::default()
    });
    stage.report(&[]);
    assert!(!stage.requests().is_empty());
    // With a proxy that does not answer nothing reaches the server.
    stage.forget_requests();
    stage.configure(&Config {
        source: "proxy = \"http://127.0.0.1:9\"",
        url: Some(stage.url().as_str()),
        ..Config::default()
    });
    let report = stage.scan(&["--user", "alice"]).ended(3).json();
    assert_eq!(problems(&report), [("*", "unreachable")]);
    assert!(stage.requests().is_empty());
}

/// A front that speaks TLS before a stage's server, with a certificate of a private authority: its port, and the
/// authority's certificate.
fn tls_front(stage: &Stage) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let behind = format!("127.0.0.1:{}", stage.url().port().unwrap());
    stage.change(&json!({"do": "update", "settings": {"trusted_domains": ["localhost", "127.0.0.1"]}}));
    let port = serve(move |stream| {
        let (acceptor, behind) = (acceptor.clone(), behind.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                forward(stream, behind).await;
            }
        }
    });
    (port, issuer.pem())
}

/// Serves each connection; the port.
fn serve<F: Future<Output = ()> + Send + 'static>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
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

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let stage = Stage::small();
    let (port, authority) = tls_front(&stage);
    let url = format!("https://localhost:{port}/");
    stage.configure(&Config {
        url: Some(&url),
        ..Config::default()
    });
    let report = stage.scan(&[]).ended(3).json();
    assert_eq!(problems(&report), [("*", "tls-failed")]);
    let ran = stage.program().arguments(&["doctor", "--source", "cloud"]).run();
    assert!(ran.ended(5).out.contains("`ca_file`"), "{}", ran.out);
    assert!(
        stage.requests().is_empty(),
        "nothing is sent to a server that is not trusted"
    );
    let file = stage.write("ca.pem", &authority);
    let trust = format!("ca_file = {:?}", file.to_string_lossy());
    stage.configure(&Config {
        url: Some(&url),
        source: &trust,
        ..Config::default()
    });
    let report = stage
        .run_at(NOW, &["--no-state", "scan", "--format", "json"])
        .ended(0)
        .json();
    assert_eq!(report["totals"]["shares"], 13);
    stage.write("ca.pem", "no certificate");
    stage.scan(&[]).ended(2);
}

#[test]
fn a_secure_server_behind_a_proxy_is_reached_through_a_tunnel() {
    let stage = Stage::small();
    let (port, authority) = tls_front(&stage);
    let (asked, tunnels) = std::sync::mpsc::channel();
    let proxy = serve(move |stream| tunnel(stream, asked.clone()));
    let file = stage.write("ca.pem", &authority);
    stage.configure(&Config {
        url: Some(&format!("https://localhost:{port}/")),
        source: &format!(
            "ca_file = {:?}\nproxy = \"http://127.0.0.1:{proxy}\"",
            file.to_string_lossy()
        ),
        ..Config::default()
    });
    assert_eq!(stage.report(&[])["totals"]["shares"], 13);
    let tunnels: Vec<String> = tunnels.try_iter().collect();
    assert!(!tunnels.is_empty());
    for asked in tunnels {
        assert_eq!(
            asked.lines().next(),
            Some(format!("CONNECT localhost:{port} HTTP/1.1").as_str())
        );
        // What is said within the tunnel is not the proxy's to hear.
        assert!(!asked.to_lowercase().contains("authorization-app-api"), "{asked}");
    }
}

/// A proxy that knows `CONNECT` only.
async fn tunnel(mut stream: TcpStream, asked: std::sync::mpsc::Sender<String>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let to = head.split_whitespace().nth(1).unwrap().to_owned();
    asked.send(head).unwrap();
    if stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .is_ok()
    {
        forward(stream, to).await;
    }
}
