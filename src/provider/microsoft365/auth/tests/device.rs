//! A person enters a code.

use std::sync::Mutex;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::super::Registration;
use super::super::device::{Flow, Granted};
use super::*;

fn begun(field: &str, value: Value) -> Reply {
    let mut body = json!({
        "device_code": "hunter2-device", "user_code": "A1B2-C3D4", "verification_uri": "https://microsoft.example/devicelogin",
        "expires_in": 900, "interval": 5, "message": "To sign in, \u{1b}[2J…"
    });
    if !field.is_empty() {
        body[field] = value;
    }
    Reply::json(200, &body)
}

fn refused(error: &str) -> Reply {
    let text = "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
    Reply::json(
        400,
        &json!({"error": error, "error_description": text, "error_codes": [70_016]}),
    )
}

fn signed_in() -> Reply {
    let token = jwt(&json!({"scp": "Files.Read User.Read", "upn": "alice@contoso.example"}));
    let body = json!({"token_type": "Bearer", "scope": "Files.Read", "expires_in": 3599, "access_token": token,
                      "refresh_token": "hunter2-refresh"});
    Reply::json(200, &body)
}

async fn begin(server: &Server) -> Result<Flow, ReadError> {
    let client = http::Client::new(http_settings(&server.url), CancellationToken::new()).unwrap();
    let registration = Registration {
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        login_url: server.url.clone(),
        graph_url: Url::parse("https://graph.example/v1.0/").unwrap(),
    };
    Flow::begin(client, &registration).await
}

/// Waits without waiting, and tells how long each wait would have been.
async fn wait(replies: impl IntoIterator<Item = Reply>) -> (Result<Granted, ReadError>, Vec<u64>, Server) {
    let replies = [begun("", Value::Null)].into_iter().chain(replies);
    let server = Server::script(replies).await;
    let flow = begin(&server).await.unwrap();
    let waits = Mutex::new(Vec::new());
    let granted = flow
        .wait_by(&CancellationToken::new(), |time| {
            waits.lock().unwrap().push(time.as_secs());
            std::future::ready(())
        })
        .await;
    (granted, waits.into_inner().unwrap(), server)
}

#[tokio::test]
async fn a_code_is_asked_for_and_exchanged_when_it_was_entered() {
    let pending = || refused("authorization_pending");
    let busy = Reply::new(503, "", "<html>");
    let replies = [pending(), refused("slow_down"), pending(), busy, signed_in()];
    let (granted, waits, server) = wait(replies).await;
    let granted = granted.unwrap();
    assert_eq!(granted.user.as_deref(), Some("alice@contoso.example"));
    assert_eq!(granted.refresh_token.expose_secret(), "hunter2-refresh");
    assert!(!format!("{granted:?}").contains("hunter2"));
    assert_eq!(waits, [5, 10, 10, 10], "slower once it was asked for");
    let seen = server.seen();
    assert!(
        seen[0]
            .head
            .starts_with("POST /contoso.example/oauth2/v2.0/devicecode ")
    );
    assert_eq!(seen[0].form["client_id"], CLIENT);
    assert_eq!(
        seen[0].form["scope"],
        "https://graph.example/Files.Read https://graph.example/User.Read offline_access"
    );
    for asked in &seen[1..] {
        assert!(asked.head.starts_with("POST /contoso.example/oauth2/v2.0/token "));
        assert_eq!(
            asked.form["grant_type"],
            "urn:ietf:params:oauth:grant-type:device_code"
        );
        assert_eq!(asked.form["device_code"], "hunter2-device");
        assert_eq!(asked.form["client_id"], CLIENT);
    }
}

#[tokio::test]
async fn what_cannot_pass_ends_the_wait() {
    let page = || Reply::new(200, "content-type: text/html\r\n", "<html>");
    let mut without = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "token"});
    let nothing_to_keep = Reply::json(200, &without);
    without["refresh_token"] = json!("hunter2");
    without["expires_in"] = json!(-1);
    for (reply, expected, said) in [
        (
            refused("authorization_declined"),
            ProblemCode::Unauthorized,
            "declined",
        ),
        (refused("access_denied"), ProblemCode::Unauthorized, "declined"),
        (
            refused("expired_token"),
            ProblemCode::Unauthorized,
            "not entered in time",
        ),
        (
            refused("bad_verification_code"),
            ProblemCode::Unauthorized,
            "not entered in time",
        ),
        (
            Reply::json(
                401,
                &json!({"error": "invalid_client", "error_codes": [7_000_218]}),
            ),
            ProblemCode::Unauthorized,
            "public client flows",
        ),
        (
            Reply::json(400, &json!({"error": "invalid_grant", "error_codes": [53_003]})),
            ProblemCode::Unauthorized,
            "Conditional Access",
        ),
        (page(), ProblemCode::Malformed, "not as documented"),
        (
            Reply::new(403, "", "<html>"),
            ProblemCode::Malformed,
            "status 403",
        ),
        (
            Reply::new(302, "location: https://evil.example/\r\n", ""),
            ProblemCode::Redirected,
            "evil.example",
        ),
        (
            nothing_to_keep,
            ProblemCode::Malformed,
            "keeps the person signed in",
        ),
        (
            Reply::json(200, &without),
            ProblemCode::Malformed,
            "not as documented",
        ),
    ] {
        let (granted, _, server) = wait([refused("authorization_pending"), reply]).await;
        let error = granted.unwrap_err();
        assert_eq!(code(&error), expected, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(server.seen().len(), 3, "{error}");
    }
}

#[tokio::test]
async fn a_wait_can_be_interrupted() {
    let server = Server::script([begun("", Value::Null), refused("authorization_pending")]).await;
    let flow = begin(&server).await.unwrap();
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
    });
    let error = flow.wait(&cancel).await.unwrap_err();
    assert_eq!(code(&error), ProblemCode::Interrupted);
}

#[tokio::test]
async fn a_code_that_is_not_entered_ends_with_its_time() {
    let server = Server::script([begun("expires_in", json!(1)), refused("authorization_pending")]).await;
    let flow = begin(&server).await.unwrap();
    let error = flow
        .wait_by(&CancellationToken::new(), |_| {
            tokio::time::sleep(Duration::from_millis(300))
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not entered in time"), "{error}");
}

#[tokio::test]
async fn what_no_person_can_enter_is_refused() {
    for (field, value) in [
        ("user_code", json!("")),
        ("user_code", json!("A\u{1b}[2J")),
        ("user_code", json!("x".repeat(33))),
        ("verification_uri", json!("http://microsoft.example/")),
        ("verification_uri", json!("javascript:alert(1)")),
        (
            "verification_uri",
            json!("https://user:password@microsoft.example/"),
        ),
        ("verification_uri", json!("no address")),
        ("expires_in", json!(0)),
        ("expires_in", json!(-1)),
        ("interval", json!(u64::MAX)),
        ("interval", json!("soon")),
        ("device_code", json!(7)),
    ] {
        let server = Server::script([begun(field, value.clone())]).await;
        let error = begin(&server).await.unwrap_err();
        assert_eq!(code(&error), ProblemCode::Malformed, "{field} {value}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let server = Server::script([begun("expires_in", json!(u64::MAX))]).await;
    assert_eq!(begin(&server).await.unwrap().lasts(), Duration::from_hours(1));
}

#[tokio::test]
async fn the_page_and_the_code_are_shown_and_no_more() {
    let server = Server::script([begun("", Value::Null)]).await;
    let flow = begin(&server).await.unwrap();
    assert_eq!(flow.page().as_str(), "https://microsoft.example/devicelogin");
    assert_eq!(flow.code(), "A1B2-C3D4");
    assert_eq!(flow.lasts(), Duration::from_mins(15));
    assert!(!format!("{flow:?}").contains("hunter2"));
}
