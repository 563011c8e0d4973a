//! Where requests go, and what goes with them.

use super::{
    super::{HttpError, Proxy, SetupError},
    client, client_with, failure, get,
    server::{Reply, Server},
    settings,
};
use crate::{http::Client, model::ProblemCode};

#[tokio::test]
async fn a_request_to_another_origin_is_refused_before_it_is_sent() {
    let (home, other) = (
        Server::script([Reply::ok("")]).await,
        Server::script([Reply::ok("")]).await,
    );
    let error = failure(&client(&home), &get(&other, "/next?token=SECRET")).await;
    assert!(matches!(error, HttpError::OtherOrigin { .. }), "{error}");
    assert!(!error.to_string().contains("SECRET"), "{error}");
    assert!(other.seen().is_empty() && home.seen().is_empty());
    let mut secure = home.url.clone();
    secure.set_scheme("https").unwrap();
    let error = failure(&client(&home), &super::Request::get(secure)).await;
    assert!(matches!(error, HttpError::OtherOrigin { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_an_error_that_names_only_the_origin() {
    let other = Server::script([Reply::ok("")]).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("location: {}login?token=SECRET\r\n", other.url);
        let server = Server::script([Reply::new(status, &to, "")]).await;
        let error = failure(&client(&server), &get(&server, "/")).await;
        let HttpError::Redirected { to, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*to, other.url.origin().ascii_serialization());
        assert_eq!(error.problem_code(), ProblemCode::Redirected);
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_an_error_too() {
    for location in [
        "",
        "location: http://\r\n",
        "location: mailto:x\r\n",
        "location: \u{fc}\r\n",
    ] {
        let server = Server::script([Reply::new(302, location, "")]).await;
        let error = failure(&client(&server), &get(&server, "/")).await;
        assert!(matches!(error, HttpError::Redirected { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn every_request_says_who_asks_and_takes_gzip() {
    let server = Server::script([Reply::ok("")]).await;
    client(&server).send(&get(&server, "/a?b=c")).await.unwrap();
    let head = &server.seen()[0].head;
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(concat!(
            "user-agent: sharewarden/",
            env!("CARGO_PKG_VERSION"),
            "\r\n"
        )),
        "{head}"
    );
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let server = Server::script([Reply::new(200, "set-cookie: session=1; path=/\r\n", "")]).await;
    let client = client(&server);
    for _ in 0..2 {
        client.send(&get(&server, "/")).await.unwrap();
    }
    assert!(server.seen().iter().all(|seen| !seen.head.contains("cookie")));
}

#[tokio::test]
async fn a_configured_proxy_is_asked_for_the_whole_address() {
    let proxy = Server::script([Reply::ok("through")]).await;
    let origin = "http://cloud.invalid/".parse().unwrap();
    let mut through = proxy.url.clone();
    through.set_username("warden").unwrap();
    through.set_password(Some("p%40ss")).unwrap();
    let client = client_with(&proxy, |settings| {
        settings.origin = origin;
        settings.proxy = Proxy::Through(through);
    });
    let request = super::Request::get("http://cloud.invalid/status.php".parse().unwrap());
    assert_eq!(client.send(&request).await.unwrap().body, "through");
    let head = &proxy.seen()[0].head;
    assert!(
        head.starts_with("GET http://cloud.invalid/status.php HTTP/1.1\r\n"),
        "{head}"
    );
    // warden:p@ss
    assert!(
        head.contains("proxy-authorization: Basic d2FyZGVuOnBAc3M=\r\n"),
        "{head}"
    );
    assert!(!format!("{client:?}").contains("ss@"), "{client:?}");
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let refused = |change: fn(&mut super::Settings)| {
        let mut settings = settings(&"https://cloud.example".parse().unwrap());
        change(&mut settings);
        Client::new(settings, super::CancellationToken::new()).unwrap_err()
    };
    let error = refused(|settings| settings.origin = "ftp://cloud.example".parse().unwrap());
    assert_eq!(error, SetupError::Origin("ftp".to_owned()));
    for pem in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let mut settings = settings(&"https://cloud.example".parse().unwrap());
        settings.ca_pem = Some(pem.into());
        let error = Client::new(settings, super::CancellationToken::new()).unwrap_err();
        assert!(matches!(error, SetupError::Ca(_)), "{error}");
    }
    let error = refused(|settings| settings.proxy = Proxy::Through("socks5://u:SECRET@h:1".parse().unwrap()));
    assert!(
        error
            .to_string()
            .starts_with("the proxy socks5://h:1 cannot be used"),
        "{error}"
    );
    let error = refused(|settings| settings.user_agent = "a\nb".to_owned());
    assert_eq!(error, SetupError::UserAgent);
}
