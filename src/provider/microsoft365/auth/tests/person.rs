//! A person's token is renewed by a refresh token, which is replaced from time to time.

use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret as _, SecretString};

use super::super::Keep;
use super::*;

fn renewed(token: &str, refresh: Option<&str>) -> Reply {
    let payload = json!({"scp": "Files.Read User.Read", "upn": "alice@contoso.example"});
    let mut body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("{}{token}", jwt(&payload))});
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    Reply::json(200, &body)
}

fn by_person(server: &Server, keep: Keep) -> Tokens {
    let refresh_token = SecretString::from("first");
    tokens(server, Credential::DeviceCode { refresh_token, keep })
}

#[tokio::test]
async fn a_replaced_refresh_token_is_kept_and_used_from_then_on() {
    let replies = [
        renewed("a", Some("second")),
        renewed("b", None),
        renewed("c", Some("")),
        renewed("d", Some("second")),
    ];
    let server = Server::script(replies).await;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = kept.clone();
    let keep = Keep::new(move |token| {
        keeping.lock().unwrap().push(token.expose_secret().to_owned());
        Ok(())
    });
    let tokens = by_person(&server, keep);
    for _ in 0..4 {
        let bearer = tokens.bearer().await.unwrap();
        let rights = bearer.rights().unwrap();
        assert!(rights.delegated && rights.granted.contains("Files.Read"));
        assert_eq!(rights.person.as_deref(), Some("alice@contoso.example"));
        tokens.refused(&bearer).await;
    }
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            assert_eq!(seen.form["grant_type"], "refresh_token");
            assert_eq!(seen.form["client_id"], CLIENT);
            assert_eq!(
                seen.form["scope"],
                "https://graph.example/Files.Read https://graph.example/User.Read offline_access"
            );
            seen.form["refresh_token"].clone()
        })
        .collect();
    assert_eq!(sent, ["first", "second", "second", "second"]);
    assert_eq!(*kept.lock().unwrap(), ["second"], "kept once, when it was new");
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_kept_is_used_all_the_same() {
    let server = Server::script([renewed("a", Some("second")), renewed("b", None)]).await;
    let keep = Keep::new(|_| Err(std::io::ErrorKind::StorageFull.into()));
    let tokens = by_person(&server, keep);
    let bearer = tokens.bearer().await.unwrap();
    tokens.refused(&bearer).await;
    tokens.bearer().await.unwrap();
    assert_eq!(server.seen()[1].form["refresh_token"], "second");
}

#[tokio::test]
async fn who_is_no_longer_signed_in_is_told_to_sign_in_again() {
    let refusal =
        json!({"error": "invalid_grant", "error_codes": [700_082], "error_description": "AADSTS700082: x"});
    let server = Server::script([Reply::json(400, &refusal)]).await;
    let tokens = by_person(&server, Keep::new(|_| panic!("there is nothing to keep")));
    let error = tokens.bearer().await.unwrap_err();
    assert_eq!(code(&error), ProblemCode::Unauthorized);
    assert!(error.to_string().contains("run `sharewarden login`"), "{error}");
}
