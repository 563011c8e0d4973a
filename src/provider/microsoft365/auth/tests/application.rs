//! The application proves itself: by certificate, by secret, by the workload's token.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::PublicKeyData as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::super::SignInError;
use super::*;

fn pair(certificates: &[String]) -> String {
    format!("{}{}", KEY.serialize_pem(), certificates.concat())
}

async fn signed(pem: String) -> (Server, Tokens) {
    let server = Server::script([good("token")]).await;
    let pem = SecretString::from(pem);
    let tokens = tokens(&server, Credential::Certificate { pem });
    (server, tokens)
}

fn refused_pem(pem: String) -> SignInError {
    let pem = SecretString::from(pem);
    let url = Url::parse("http://127.0.0.1:9/").unwrap();
    let setup = TokenSetup {
        tenant: TENANT.to_owned(),
        client_id: Some(CLIENT.to_owned()),
        login_url: url.clone(),
        graph_url: url.clone(),
        credential: Credential::Certificate { pem },
        environment: Environment::default(),
        http: http_settings(&url),
    };
    Tokens::new(setup, CancellationToken::new()).unwrap_err()
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_of_its_own_for_each_request() {
    let one = certificate(2020, 2090);
    let (server, tokens) = signed(pair(std::slice::from_ref(&one))).await;
    let first = tokens.bearer().await.unwrap();
    tokens.refused(&first).await;
    tokens.bearer().await.unwrap();

    let mut ids = BTreeSet::new();
    for seen in server.seen() {
        assert!(
            seen.head
                .starts_with("POST /contoso.example/oauth2/v2.0/token HTTP/1.1"),
            "{}",
            seen.head
        );
        assert!(!seen.head.contains("authorization"), "{}", seen.head);
        let field = |name: &str| seen.form.get(name).map(String::as_str);
        assert_eq!(field("grant_type"), Some("client_credentials"));
        assert_eq!(field("client_id"), Some(CLIENT));
        assert_eq!(field("scope"), Some("https://graph.example/.default"));
        assert_eq!(field("client_secret"), None);
        assert_eq!(
            field("client_assertion_type"),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );

        let audience = format!("{}contoso.example/oauth2/v2.0/token", server.url);
        let mut how = Validation::new(Algorithm::PS256);
        how.set_audience(&[&audience]);
        how.set_issuer(&[CLIENT]);
        how.validate_nbf = true;
        let key = DecodingKey::from_rsa_der(KEY.der_bytes());
        let assertion = field("client_assertion").unwrap();
        let token = jsonwebtoken::decode::<Value>(assertion, &key, &how).unwrap();
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(pem::parse(&one).unwrap().contents()));
        assert_eq!(token.header.x5t_s256, Some(thumbprint));
        assert_eq!(token.header.typ.as_deref(), Some("JWT"));
        let claims = token.claims;
        assert_eq!(claims["sub"], CLIENT);
        assert_eq!(claims["iat"], claims["nbf"]);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(),
            600
        );
        let id = claims["jti"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 2, "each assertion has an id of its own");
}

#[tokio::test]
async fn key_and_certificate_are_found_in_whatever_form_they_stand() {
    let key = KEY.serialize_pem();
    let own = certificate(2020, 2090);
    let other = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
    let other = other.cert.pem();
    let ended = certificate(2000, 2001);
    // The key itself lies at a fixed depth of its envelope: 26 bytes before it for 2048 bits.
    let bare = pem::encode(&pem::Pem::new("RSA PRIVATE KEY", &KEY.serialize_der()[26..]));
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(pem::parse(&own).unwrap().contents()));
    for text in [
        format!("{key}{own}"),
        format!("{own}{key}"),
        format!("{own}{key}").replace('\n', "\r\n"),
        format!("{key}{other}{own}"),
        format!("{ended}{own}{key}"),
        format!("{bare}{own}"),
        format!("Bag Attributes\n    friendlyName: auditor\n{key}Bag Attributes\n{own}"),
    ] {
        let (server, tokens) = signed(text).await;
        tokens.bearer().await.unwrap();
        let assertion = server.seen()[0].form["client_assertion"].clone();
        let header = jsonwebtoken::decode_header(&assertion).unwrap();
        assert_eq!(header.x5t_s256.as_ref(), Some(&thumbprint));
    }
}

#[test]
fn what_is_no_pair_of_key_and_certificate_is_told_and_not_quoted() {
    let key = KEY.serialize_pem();
    let own = certificate(2020, 2090);
    let curve = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
    let block = |kind: &str, headers: &str| {
        format!("-----BEGIN {kind}-----\n{headers}aHVudGVyMg==\n-----END {kind}-----\n")
    };
    let legacy = block(
        "RSA PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
    );
    for (text, said) in [
        (own.clone(), "no private key"),
        (key.clone(), "no certificate"),
        (String::new(), "no private key"),
        ("hunter2".to_owned(), "no private key"),
        (
            format!("{}{own}", block("ENCRYPTED PRIVATE KEY", "")),
            "openssl pkey",
        ),
        (format!("{legacy}{own}"), "openssl pkey"),
        (format!("{}{own}", block("EC PRIVATE KEY", "")), "not of RSA"),
        (
            format!("{}{own}", curve.signing_key.serialize_pem()),
            "not of RSA",
        ),
        (format!("{}{own}", block("PRIVATE KEY", "")), "damaged"),
        (format!("{}{own}", block("RSA PRIVATE KEY", "")), "damaged"),
        (
            format!("{key}{}", curve.cert.pem()),
            "none of its certificates belongs",
        ),
        (
            format!("{key}{}", block("CERTIFICATE", "")),
            "none of its certificates belongs",
        ),
        (
            format!("{key}{}", certificate(2000, 2001)),
            "expired on 2001-01-01",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----".to_owned(),
            "PEM file",
        ),
        ("-----BEGIN PRIVATE KEY-----\nhunter2".to_owned(), "PEM file"),
    ] {
        let error = refused_pem(text);
        assert!(error.to_string().contains(said), "{error}; wanted: {said}");
        let shown = format!("{error}{error:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
            "{shown}"
        );
    }
}

#[test]
fn a_damaged_key_or_certificate_is_never_a_panic() {
    let key = KEY.serialize_der();
    let own = pem::parse(certificate(2020, 2090)).unwrap().into_contents();
    let pair = |key: &[u8], certificate: &[u8]| {
        pem::encode_many(&[
            pem::Pem::new("PRIVATE KEY", key),
            pem::Pem::new("CERTIFICATE", certificate),
        ])
    };
    for place in (0..120).chain([key.len() - 1]) {
        refused_pem(pair(&key[..place], &own));
    }
    for place in (0..40).chain([own.len() / 4]) {
        let mut flipped = own.clone();
        flipped[place] ^= 0xff;
        // Whether it is taken or refused, nothing breaks.
        let _ = super::super::keys::pair(&pair(&key, &flipped), jiff::Timestamp::UNIX_EPOCH);
    }
}

#[tokio::test]
async fn a_secret_is_sent_in_the_body_and_the_token_shown_to_nobody() {
    let payload = json!({"roles": ["Sites.Read.All", "Files.Read.All"], "tid": "t-1"});
    let token = jwt(&payload);
    let server = Server::script([good(&token)]).await;
    let tokens = by_secret(&server);
    let bearer = tokens.bearer().await.unwrap();
    let form = &server.seen()[0].form;
    assert_eq!(form["client_secret"], SECRET);
    assert_eq!(form["client_id"], CLIENT);
    assert!(!form.contains_key("client_assertion"));
    let rights = bearer.rights().unwrap();
    assert!(!rights.delegated);
    assert!(rights.granted.contains("Files.Read.All") && rights.granted.len() == 2);
    assert_eq!(rights.tenant.as_deref(), Some("t-1"));
    let shown = format!(
        "{bearer:?}{tokens:?}{:?}",
        setup(&server, Credential::ManagedIdentity)
    );
    assert!(!shown.contains(&token) && !shown.contains(SECRET), "{shown}");
    // What is sent in its place carries it.
    let request = http::Request::get(server.url.clone());
    let request = request.credential(http::HeaderName::from_static("authorization"), &bearer.credential);
    let client = http::Client::new(http_settings(&server.url), CancellationToken::new()).unwrap();
    client.send(&request).await.unwrap();
    assert!(server.seen()[1].head.contains(&format!("Bearer {token}")));
}

#[tokio::test]
async fn a_workloads_token_is_read_anew_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let server = Server::script([good("token")]).await;
    let setup = |server: &Server| TokenSetup {
        environment: Environment::of(|name| {
            (name == "AZURE_FEDERATED_TOKEN_FILE").then(|| file.to_str().unwrap().to_owned())
        }),
        ..setup(server, Credential::WorkloadIdentity)
    };
    let tokens = Tokens::new(setup(&server), CancellationToken::new()).unwrap();
    for token in ["first\n", " second "] {
        std::fs::write(&file, token).unwrap();
        let bearer = tokens.bearer().await.unwrap();
        tokens.refused(&bearer).await;
    }
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.form["client_assertion"].clone())
        .collect();
    assert_eq!(sent, ["first", "second"]);

    for content in [None, Some("  \n".to_owned()), Some("x".repeat(70_000))] {
        let tokens = Tokens::new(setup(&server), CancellationToken::new()).unwrap();
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = tokens.bearer().await.unwrap_err();
        assert_eq!(code(&error), ProblemCode::Unauthorized);
        assert!(
            error.to_string().contains("AZURE_FEDERATED_TOKEN_FILE"),
            "{error}"
        );
    }
    assert_eq!(server.seen().len(), 2, "without a token nothing is sent");

    let nothing = TokenSetup {
        environment: Environment::default(),
        ..setup(&server)
    };
    let error = Tokens::new(nothing, CancellationToken::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`AZURE_FEDERATED_TOKEN_FILE` is not set"),
        "{error}"
    );
}

#[tokio::test]
async fn an_application_needs_an_id() {
    let server = Server::script([good("token")]).await;
    let secret = SecretString::from(SECRET);
    let setup = TokenSetup {
        client_id: None,
        ..setup(&server, Credential::ClientSecret { secret })
    };
    let error = Tokens::new(setup, CancellationToken::new()).unwrap_err();
    assert!(error.to_string().contains("`client_id`"), "{error}");
}
