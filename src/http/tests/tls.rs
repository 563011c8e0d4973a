//! Whom the client trusts, with an authority made for the test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use super::{
    super::{HttpError, Proxy},
    CancellationToken, Client, Request, client, client_with, failure, get,
    server::{Reply, Server},
    settings,
};
use crate::model::ProblemCode;

/// A server for `127.0.0.1`, and the authority it is trusted by.
async fn secure_server() -> (Server, Vec<u8>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let server = Server::tls(Reply::ok("secure"), TlsAcceptor::from(Arc::new(config))).await;
    (server, authority.pem().into_bytes())
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_it_is_named() {
    let (server, pem) = secure_server().await;
    let client = client_with(&server, |settings| settings.ca_pem = Some(pem));
    assert_eq!(client.send(&get(&server, "/")).await.unwrap().body, "secure");
}

#[tokio::test]
async fn an_untrusted_certificate_is_an_error_that_says_what_to_do() {
    let (server, _) = secure_server().await;
    let client = client(&server);
    let error = failure(&client, &get(&server, "/")).await;
    assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");
    assert_eq!(error.problem_code(), ProblemCode::TlsFailed);
    assert!(error.to_string().contains("ca_file"), "{error}");
    assert_eq!(client.totals().sent, 1);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_from_one_that_is_away() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url = format!("https://{}/", plain.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = plain.accept().await {
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = connection.read(&mut [0; 4096]).await;
        }
    });
    let client = Client::new(settings(&url), CancellationToken::new()).unwrap();
    let error = failure(&client, &Request::get(url)).await;
    assert!(error.to_string().contains("is one for https"), "{error:?}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_to_a_secure_server() {
    let (server, pem) = secure_server().await;
    let proxy = Server::script([Reply::tunnel(&server.url)]).await;
    let client = client_with(&server, |settings| {
        settings.ca_pem = Some(pem);
        settings.proxy = Proxy::Through(proxy.url.clone());
    });
    assert_eq!(
        client.send(&get(&server, "/secret/path")).await.unwrap().body,
        "secure"
    );
    let head = &proxy.seen()[0].head;
    assert!(head.starts_with("CONNECT 127.0.0.1:"), "{head}");
    assert!(!head.contains("path"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_no_connection() {
    let (server, _) = secure_server().await;
    let proxy = Server::script([Reply::new(407, "", "")]).await;
    let client = client_with(&server, |settings| {
        settings.proxy = Proxy::Through(proxy.url.clone());
    });
    let error = failure(&client, &get(&server, "/")).await;
    assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
}
