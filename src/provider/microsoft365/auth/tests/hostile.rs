//! Answers that are none: never believed, never quoted, never a panic.

use super::*;

const HIDDEN: &str = "eyJhbGciOiJub25lIn0-this-must-not-be-shown-anywhere";

fn answer(body: &Value) -> Reply {
    Reply::json(200, body)
}

fn with(field: &str, value: Value) -> Reply {
    let mut body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": HIDDEN});
    if value.is_null() {
        body.as_object_mut().unwrap().remove(field);
    } else {
        body[field] = value;
    }
    answer(&body)
}

/// Asks for a token, gets this, and shows none of it.
async fn refused(what: &str, reply: Reply, expected: ProblemCode) {
    let server = Server::script([reply]).await;
    let error = by_secret(&server).bearer().await.unwrap_err();
    assert_eq!(code(&error), expected, "{what}: {error}");
    let shown = format!("{error}{error:?}");
    assert!(
        !shown.contains("must-not-be-shown") && !shown.contains(SECRET),
        "{what}: {shown}"
    );
    assert!(shown.len() < 2_000, "{what}");
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_sign_in_service_is_not_quoted() {
    let html = format!("<html>{HIDDEN}</html>");
    let nested = format!("{}{HIDDEN}", "[".repeat(100_000));
    let page = |status, headers: &str| Reply::new(status, headers, &html);
    for (what, reply, expected) in [
        (
            "a page",
            page(200, "content-type: text/html\r\n"),
            ProblemCode::Malformed,
        ),
        (
            "a page as JSON",
            page(200, "content-type: application/json\r\n"),
            ProblemCode::Malformed,
        ),
        ("nothing", Reply::new(200, "", ""), ProblemCode::Malformed),
        ("nested", Reply::new(200, "", &nested), ProblemCode::Malformed),
        (
            "nested refusal",
            Reply::new(400, "", &nested),
            ProblemCode::Malformed,
        ),
        (
            "huge",
            Reply::new(200, "", "x".repeat(300_000)),
            ProblemCode::TooLarge,
        ),
        ("a list", answer(&json!([HIDDEN])), ProblemCode::Malformed),
        (
            "a proxy",
            page(407, "content-type: text/html\r\n"),
            ProblemCode::Malformed,
        ),
        ("a firewall", page(403, ""), ProblemCode::Malformed),
        (
            "a refusal without words",
            Reply::new(400, "", ""),
            ProblemCode::Malformed,
        ),
        (
            "elsewhere",
            page(302, "location: https://evil.example/\r\n"),
            ProblemCode::Redirected,
        ),
        ("busy", page(503, ""), ProblemCode::ServerError),
        ("broken", page(500, ""), ProblemCode::ServerError),
        (
            "too often",
            page(429, "retry-after: 3600\r\n"),
            ProblemCode::Throttled,
        ),
    ] {
        refused(what, reply, expected).await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_a_word_of_it() {
    for (what, field, value) in [
        ("no token", "access_token", Value::Null),
        ("a number", "access_token", json!(5)),
        ("empty", "access_token", json!("")),
        ("long", "access_token", json!("x".repeat(70_000))),
        ("two lines", "access_token", json!(format!("{HIDDEN}\r\nx: y"))),
        ("not ASCII", "access_token", json!(format!("{HIDDEN}\u{fc}"))),
        ("no life", "expires_in", Value::Null),
        ("no time", "expires_in", json!(0)),
        ("negative", "expires_in", json!(-1)),
        ("text", "expires_in", json!("soon")),
        ("years", "expires_in", json!(100_000_000)),
        ("ages", "expires_in", json!(u64::MAX)),
        ("no kind", "token_type", Value::Null),
        ("another kind", "token_type", json!("mac")),
        ("a long refresh token", "refresh_token", json!("x".repeat(70_000))),
    ] {
        refused(what, with(field, value), ProblemCode::Malformed).await;
    }
}

#[tokio::test]
async fn a_token_is_read_as_far_as_it_can_be() {
    let long = "x".repeat(10_000);
    let many = json!({"roles": [long], "tid": long, "upn": "a\u{1b}[2Jb"});
    let odd = json!({"roles": [1, "Files.Read.All", null, "a\nb", ""], "scp": 7, "tid": {}});
    for (token, granted) in [
        ("opaque".to_owned(), None),
        ("a.b".to_owned(), None),
        ("a.b.c".to_owned(), None),
        ("a.b.c.d".to_owned(), None),
        (jwt(&json!("text")), None),
        (jwt(&json!({})), Some(vec![])),
        (jwt(&many), Some(vec![])),
        (jwt(&odd), Some(vec!["Files.Read.All"])),
    ] {
        let server = Server::script([good(&token)]).await;
        let rights = by_secret(&server).bearer().await.unwrap().rights();
        let found = rights
            .as_ref()
            .map(|it| it.granted.iter().map(String::as_str).collect());
        assert_eq!(found, granted, "{}", &token[..token.len().min(40)]);
        assert!(rights.is_none_or(|it| it.tenant.is_none() && it.person.is_none()));
    }
}

#[tokio::test]
async fn so_many_rights_are_read_and_no_more() {
    let names: Vec<_> = (0..1_000).map(|number| format!("Right.{number}")).collect();
    for payload in [json!({"roles": names}), json!({"scp": names.join(" ")})] {
        let server = Server::script([good(&jwt(&payload))]).await;
        let rights = by_secret(&server).bearer().await.unwrap().rights().unwrap();
        assert_eq!(rights.granted.len(), 256);
    }
}

#[tokio::test]
async fn a_tenant_cannot_lead_elsewhere() {
    let server = Server::script([good("token")]).await;
    for (tenant, path) in [
        ("../../evil", "/..%2F..%2Fevil/oauth2/v2.0/token"),
        ("a/b?c#d", "/a%2Fb%3Fc%23d/oauth2/v2.0/token"),
        ("//evil.example", "/%2F%2Fevil.example/oauth2/v2.0/token"),
    ] {
        let secret = SecretString::from(SECRET);
        let setup = TokenSetup {
            tenant: tenant.to_owned(),
            ..setup(&server, Credential::ClientSecret { secret })
        };
        let tokens = Tokens::new(setup, CancellationToken::new()).unwrap();
        tokens.bearer().await.unwrap();
        let head = server.seen().pop().unwrap().head;
        assert!(head.starts_with(&format!("POST {path} ")), "{head}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_token_or_a_file_holds_is_no_panic(bytes: Vec<u8>, text: String) {
        let payload = URL_SAFE_NO_PAD.encode(&bytes);
        let _ = super::super::rights::rights(&format!("a.{payload}.c"));
        let _ = super::super::rights::rights(&text);
        for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE"] {
            let block = pem::encode(&pem::Pem::new(kind, bytes.as_slice()));
            let text = format!("{text}{block}{}{}", KEY.serialize_pem(), certificate(2020, 2090));
            let _ = super::super::keys::pair(&text, jiff::Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn whatever_is_said_is_shown_short_and_harmless(text: String) {
        let shown = super::super::entra::clean(&text, 50);
        proptest::prop_assert!(shown.chars().count() <= 53, "{shown}");
        proptest::prop_assert!(
            shown.chars().all(|c| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()),
            "{shown}"
        );
    }
}
