//! The identity that Azure gives a machine or an app.

use super::super::SignInError;
use super::*;

/// Tokens by what the environment says; `@` in it is the server's address.
fn managed(
    server: &Server,
    client_id: Option<&str>,
    variables: &[(&str, &str)],
) -> Result<Tokens, SignInError> {
    let environment = Environment::of(|name| {
        let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(value.replace('@', server.url.as_str().trim_end_matches('/')))
    });
    let setup = TokenSetup {
        client_id: client_id.map(str::to_owned),
        // It is not asked, and neither is a proxy.
        login_url: Url::parse("http://login.invalid/").unwrap(),
        http: http::Settings {
            proxy: http::Proxy::Through(Url::parse("http://proxy.invalid:3128").unwrap()),
            ..http_settings(&server.url)
        },
        environment,
        ..setup(server, Credential::ManagedIdentity)
    };
    Tokens::new(setup, CancellationToken::new())
}

const METADATA: &[(&str, &str)] = &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "@")];
const APP_SERVICE: &[(&str, &str)] = &[
    ("IDENTITY_ENDPOINT", "@/msi/token"),
    ("IDENTITY_HEADER", "hunter2"),
];

fn told(life: (&str, Value)) -> Reply {
    let mut body = json!({"access_token": "token", "token_type": "Bearer", "refresh_token": ""});
    body[life.0] = life.1;
    Reply::json(200, &body)
}

#[tokio::test]
async fn the_metadata_service_is_asked_without_a_proxy() {
    for (client_id, query) in [
        (
            None,
            "?api-version=2018-02-01&resource=https%3A%2F%2Fgraph.example%2F HTTP",
        ),
        (
            Some(CLIENT),
            "&client_id=11111111-2222-3333-4444-555555555555 HTTP",
        ),
    ] {
        let server = Server::script([told(("expires_in", json!("3599")))]).await;
        let tokens = managed(&server, client_id, METADATA).unwrap();
        tokens.bearer().await.unwrap();
        let head = &server.seen()[0].head;
        assert!(head.starts_with("GET /metadata/identity/oauth2/token?"), "{head}");
        assert!(head.contains(query), "{head}");
        assert!(head.contains("metadata: true"), "{head}");
    }
}

#[tokio::test]
async fn app_service_is_shown_its_header() {
    let server = Server::script([told(("expires_on", json!("4102444800")))]).await;
    let tokens = managed(&server, Some(CLIENT), APP_SERVICE).unwrap();
    // The end is far beyond what a token lives.
    assert_eq!(code(&tokens.bearer().await.unwrap_err()), ProblemCode::Malformed);
    let head = &server.seen()[0].head;
    assert!(
        head.starts_with(
            "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fgraph.example%2F&client_id=11111111-"
        ),
        "{head}"
    );
    assert!(head.contains("x-identity-header: hunter2"), "{head}");
    assert!(!head.contains("metadata:"), "{head}");
    assert!(!format!("{tokens:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_life_is_told_in_several_forms() {
    let now = super::super::issuer::clock().as_second();
    for (life, good) in [
        (("expires_in", json!("3599")), true),
        (("expires_in", json!(3599)), true),
        (("expires_on", json!(now + 86_000)), true),
        (("expires_on", json!((now + 86_000).to_string())), true),
        (("expires_on", json!(now - 5)), false),
        (("expires_in", json!(-1)), false),
        (("expires_in", json!("-1")), false),
        (("expires_in", json!(0)), false),
        (("expires_in", json!(u64::MAX)), false),
        (("expires_on", json!(u64::MAX)), false),
        (("expires_on", json!("11/26/2026 12:00:00 AM +00:00")), false),
        (("expires_in", json!([3599])), false),
        (("nothing", json!(1)), false),
    ] {
        let shown = format!("{life:?}");
        let server = Server::script([told(life)]).await;
        let asked = managed(&server, None, METADATA).unwrap().bearer().await;
        match asked {
            Ok(_) => assert!(good, "{shown}"),
            Err(error) => {
                assert!(!good, "{shown}: {error}");
                assert_eq!(code(&error), ProblemCode::Malformed, "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_machine_without_an_identity_is_told_so() {
    let refusal = json!({"error": "invalid_request", "error_description": "Identity not found"});
    let app = json!({"statusCode": 400, "message": "No User Assigned Identity found."});
    for (reply, expected, said) in [
        (
            Reply::json(400, &refusal),
            ProblemCode::Unauthorized,
            "Identity not found",
        ),
        (
            Reply::json(400, &app),
            ProblemCode::Unauthorized,
            "No User Assigned Identity found",
        ),
        (Reply::new(404, "", ""), ProblemCode::Unauthorized, "status 404"),
        (
            Reply::new(410, "", ""),
            ProblemCode::ServerError,
            "try again later",
        ),
        (
            Reply::new(503, "", ""),
            ProblemCode::ServerError,
            "try again later",
        ),
        (
            Reply::new(200, "", "<html>"),
            ProblemCode::Malformed,
            "not the JSON",
        ),
        (
            Reply::new(302, "location: https://evil.example/\r\n", ""),
            ProblemCode::Redirected,
            "evil.example",
        ),
    ] {
        let server = Server::script([reply]).await;
        let error = managed(&server, None, METADATA)
            .unwrap()
            .bearer()
            .await
            .unwrap_err();
        assert_eq!(code(&error), expected, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let mut gone = Server::script([]).await;
    gone.url = Url::parse("http://127.0.0.1:9/").unwrap();
    let error = managed(&gone, None, METADATA)
        .unwrap()
        .bearer()
        .await
        .unwrap_err();
    assert_eq!(code(&error), ProblemCode::Unreachable);
    assert!(error.to_string().contains("for Azure's machines"), "{error}");
}

#[tokio::test]
async fn what_the_environment_says_is_checked_before_anything_is_sent() {
    let server = Server::script([told(("expires_in", json!(3599)))]).await;
    for (variables, said) in [
        (&[("IDENTITY_ENDPOINT", "@/")][..], "`IDENTITY_HEADER` is not set"),
        (
            &[
                ("IDENTITY_ENDPOINT", "http://evil.example/"),
                ("IDENTITY_HEADER", "hunter2"),
            ],
            "IDENTITY_ENDPOINT names no http address of this machine",
        ),
        (
            &[("IDENTITY_ENDPOINT", "@/"), ("IDENTITY_HEADER", "hunter2\nx")],
            "IDENTITY_HEADER",
        ),
        (
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "https://10.0.0.1/")],
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        ),
        (
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "hunter2")],
            "cannot be used",
        ),
    ] {
        let error = managed(&server, None, variables).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
    }
    assert!(server.seen().is_empty());
}
