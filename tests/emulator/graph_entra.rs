//! Signing in to the emulated Microsoft 365, and the errors of each way.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where the emulator is not as expected"
)]

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tenant::{CLIENT, Done, Failure, TENANT, Tenant, codes, small, told};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// 2026-11-22 12:00 UTC.
const NOW: i64 = 1_795_348_800;

/// What a client sends besides the usual.
type Proof = &'static [(&'static str, &'static str)];

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_secret_signs_in_by_form_or_header_and_the_token_tells_its_roles() -> Done {
    let tenant = Tenant::small().await?;
    let (status, body) = tenant
        .sign_in(&[("client_secret", "small-client-secret")])
        .await?;
    assert_eq!(
        (status, &body["token_type"], &body["expires_in"]),
        (200, &json!("Bearer"), &json!(3599))
    );
    assert!(body.get("refresh_token").is_none(), "this flow has none");
    let token = body["access_token"].as_str().unwrap();
    let claims = payload(token);
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(
        (&claims["tid"], &claims["appid"], &claims["exp"]),
        (&json!(TENANT), &json!(CLIENT), &json!(NOW + 3599))
    );
    assert!(
        claims["roles"]
            .as_array()
            .unwrap()
            .contains(&json!("Sites.FullControl.All"))
    );
    let basic = STANDARD.encode(format!("{CLIENT}:small-client-secret"));
    let request = tenant
        .client
        .post(tenant.login.join(&format!("{TENANT}/oauth2/v2.0/token"))?)
        .header("Authorization", format!("Basic {basic}"))
        .form(&[
            ("grant_type", "client_credentials"),
            ("scope", "https://graph.microsoft.com/.default"),
        ]);
    assert_eq!(told(request.send().await?).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn errors_of_the_token_endpoint_are_as_documented() -> Done {
    let tenant = Tenant::small().await?;
    let wrong: [(Proof, u16, &str, u32, &str); 7] = [
        (
            &[("client_secret", "wrong")],
            401,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.",
        ),
        (
            &[("client_secret", "")],
            401,
            "invalid_client",
            7_000_218,
            "'client_assertion' or 'client_secret'",
        ),
        (
            &[("client_id", "11111111-2222-4333-8444-555555555555")],
            400,
            "unauthorized_client",
            700_016,
            "was not found",
        ),
        (
            &[("scope", "User.Read"), ("client_secret", "small-client-secret")],
            400,
            "invalid_scope",
            70_011,
            "scope",
        ),
        (&[("scope", "")], 400, "invalid_request", 900_144, "'scope'"),
        (
            &[("grant_type", "")],
            400,
            "invalid_request",
            900_144,
            "'grant_type'",
        ),
        (
            &[("grant_type", "password")],
            400,
            "unsupported_grant_type",
            70_003,
            "unsupported grant",
        ),
    ];
    for (proof, status, error, code, text) in wrong {
        let (got, body) = tenant.sign_in(proof).await?;
        assert_eq!((got, &body["error"]), (status, &json!(error)), "{body}");
        assert_eq!(body["error_codes"], json!([code]));
        let said = body["error_description"].as_str().unwrap();
        assert!(
            said.starts_with(&format!("AADSTS{code}: ")) && said.contains(text),
            "{said}"
        );
        for key in ["timestamp", "trace_id", "correlation_id", "error_uri"] {
            assert!(body[key].is_string(), "{key}");
        }
    }
    let form = [("grant_type", "client_credentials"), ("client_id", CLIENT)];
    let (status, body) = tenant
        .post_form("unknown.example/oauth2/v2.0/token", &form)
        .await?;
    assert_eq!((status, &body["error_codes"]), (400, &json!([90_002])));
    let json_body = tenant
        .client
        .post(tenant.login.join("example.org/oauth2/v2.0/token")?)
        .json(&json!({"grant_type": "client_credentials"}));
    assert_eq!(
        told(json_body.send().await?).await?.1["error_codes"],
        json!([900_144])
    );
    for (set, status, code) in [
        (json!({"secret_expired": true}), 401, 7_000_222),
        (json!({"disabled": true}), 400, 7_000_112),
    ] {
        tenant
            .steer("change", json!({"do": "update", "app": set}))
            .await?;
        let (got, body) = tenant
            .sign_in(&[("client_secret", "small-client-secret")])
            .await?;
        assert_eq!((got, &body["error_codes"]), (status, &json!([code])), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn roles_are_those_of_when_the_token_was_issued() -> Done {
    let mut tenant = Tenant::small().await?;
    tenant
        .steer("change", json!({"do": "update", "app": {"roles": []}}))
        .await?;
    assert_eq!(tenant.get("users").await?.0, 200);
    // A token without consented roles is issued all the same.
    tenant.renew().await?;
    assert!(payload(&tenant.token).get("roles").is_none());
    let (status, body) = tenant.get("users").await?;
    assert_eq!((status, codes(&body).0), (403, "Authorization_RequestDenied"));
    for path in [
        "sites/getAllSites",
        "users/alice@example.org/drive",
        "admin/sharepoint/settings",
    ] {
        let (status, body) = tenant.get(path).await?;
        assert_eq!((status, codes(&body).0), (403, "accessDenied"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn tokens_end_by_the_emulators_clock_and_by_steering() -> Done {
    let mut tenant = Tenant::small().await?;
    tenant.steer("clock", json!({"advance": "+3598s"})).await?;
    assert_eq!(tenant.get("organization").await?.0, 200);
    tenant.steer("clock", json!({"advance": "+1s"})).await?;
    let answer = tenant.ask(Method::GET, "organization").send().await?;
    let challenge = answer.headers()["www-authenticate"].to_str()?.to_owned();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("expired_token"));
    let (status, body) = told(answer).await?;
    assert_eq!((status, codes(&body).0), (401, "InvalidAuthenticationToken"));
    tenant.renew().await?;
    tenant
        .fault(
            json!({"path_contains": "organization"}),
            json!({"do": "expire-token"}),
        )
        .await?;
    assert_eq!(tenant.get("organization").await?.0, 401);
    tenant.renew().await?;
    assert_eq!(tenant.get("organization").await?.0, 200);
    Ok(())
}

/// A certificate with its key.
struct Identity {
    key: RsaKeyPair,
    pem: String,
    der: Vec<u8>,
}

impl Identity {
    fn new() -> Result<Self, Failure> {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
        let certificate =
            rcgen::CertificateParams::new(vec!["audit.example.org".to_owned()])?.self_signed(&key)?;
        Ok(Self {
            key: RsaKeyPair::from_pkcs8(key.serialized_der())?,
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
        })
    }

    fn sign(&self, header: &Value, claims: &Value, how: &'static dyn RsaEncoding) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(how, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn ps256(&self) -> Value {
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))})
    }
}

fn claims() -> Value {
    json!({
        "aud": format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"),
        "iss": CLIENT, "sub": CLIENT, "jti": "6e5a1d3c-0000-4000-8000-000000000001",
        "nbf": NOW, "iat": NOW, "exp": NOW + 600,
    })
}

#[tokio::test]
async fn assertions_are_verified() -> Done {
    let (ours, theirs) = (Identity::new()?, Identity::new()?);
    let mut world = small();
    world["microsoft365"]["app"]["certificates"] = json!([ours.pem]);
    world["microsoft365"]["app"]["federated"] = json!(["ey.another.provider"]);
    let tenant = Tenant::of(&world).await?;
    let tenant = &tenant;
    let status = |assertion: String| async move {
        let proof = [
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &*assertion),
        ];
        tenant
            .sign_in(&proof)
            .await
            .map(|(status, body)| (status, body["error_codes"][0].clone()))
    };
    let rs256 = json!({"alg": "RS256", "typ": "JWT", "x5t": URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &ours.der))});
    assert_eq!(
        status(ours.sign(&ours.ps256(), &claims(), &RSA_PSS_SHA256))
            .await?
            .0,
        200
    );
    assert_eq!(
        status(ours.sign(&rs256, &claims(), &RSA_PKCS1_SHA256)).await?.0,
        200
    );
    assert_eq!(status("ey.another.provider".into()).await?.0, 200);
    // Another key under our thumbprint; an unknown thumbprint; the other algorithm than named.
    for forged in [
        theirs.sign(&ours.ps256(), &claims(), &RSA_PSS_SHA256),
        theirs.sign(&theirs.ps256(), &claims(), &RSA_PSS_SHA256),
        ours.sign(&ours.ps256(), &claims(), &RSA_PKCS1_SHA256),
    ] {
        assert_eq!(status(forged).await?, (401, json!(700_027)));
    }
    for (key, value, code) in [
        (
            "aud",
            json!("https://login.microsoftonline.com/other.example/oauth2/v2.0/token"),
            700_023,
        ),
        ("exp", json!(NOW - 301), 700_024),
        ("nbf", json!(NOW + 301), 700_024),
        ("iss", json!("somebody"), 700_021),
        ("sub", json!("somebody"), 700_021),
    ] {
        let mut wrong = claims();
        wrong[key] = value;
        let assertion = ours.sign(&ours.ps256(), &wrong, &RSA_PSS_SHA256);
        assert_eq!(status(assertion).await?, (401, json!(code)), "{key}");
    }
    assert_eq!(status("no.jwt".into()).await?.0, 400);
    Ok(())
}

#[tokio::test]
async fn a_person_signs_in_on_another_device() -> Done {
    let mut tenant = Tenant::small().await?;
    let start = [
        ("client_id", CLIENT),
        ("scope", "User.Read Files.Read.All offline_access"),
    ];
    let (status, told) = tenant
        .post_form("example.org/oauth2/v2.0/devicecode", &start)
        .await?;
    assert_eq!((status, &told["expires_in"]), (200, &json!(900)));
    assert!(told.get("verification_uri_complete").is_none() && told["message"].is_string());
    let code = told["device_code"].as_str().unwrap().to_owned();
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", CLIENT),
        ("device_code", &*code),
    ];
    let path = "example.org/oauth2/v2.0/token";
    let (status, body) = tenant.post_form(path, &poll).await?;
    assert_eq!((status, &body["error"]), (400, &json!("authorization_pending")));
    assert!(body["error_description"].as_str().unwrap().starts_with(
        "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending. Continue polling."
    ));
    tenant
        .steer(
            "grant",
            json!({"device": told["user_code"], "user": "alice@example.org"}),
        )
        .await?;
    let (status, body) = tenant.post_form(path, &poll).await?;
    assert_eq!(status, 200, "{body}");
    let (_, again) = tenant.post_form(path, &poll).await?;
    assert_eq!(again["error"], "bad_verification_code");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", body["refresh_token"].as_str().unwrap()),
    ];
    let (status, renewed) = tenant.post_form(path, &refresh).await?;
    assert_eq!(status, 200);
    assert_ne!(
        renewed["refresh_token"], body["refresh_token"],
        "a new one replaces it"
    );
    assert_eq!(tenant.post_form(path, &refresh).await?.0, 400);
    tenant.token = renewed["access_token"].as_str().unwrap().to_owned();
    assert_eq!(payload(&tenant.token)["upn"], "alice@example.org");
    assert_eq!(
        tenant.get("me?$select=userPrincipalName").await?.1["userPrincipalName"],
        "alice@example.org"
    );
    assert_eq!(tenant.get("me/drive/root/delta").await?.0, 200);
    for path in ["users", "sites/getAllSites", "users/bob@example.org/drive"] {
        assert_eq!(tenant.get(path).await?.0, 403, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_person_types_the_code_into_a_page() -> Done {
    let tenant = Tenant::small().await?;
    let start = [("client_id", CLIENT), ("scope", "User.Read")];
    let (_, told) = tenant
        .post_form("example.org/oauth2/v2.0/devicecode", &start)
        .await?;
    let page = told["verification_uri"].as_str().unwrap();
    for (code, said) in [
        ("WRONG", "No such code"),
        (told["user_code"].as_str().unwrap(), "Signed in"),
    ] {
        let typed = [("code", code), ("user", "bob@example.org")];
        let body = tenant.client.get(page).query(&typed).send().await?.text().await?;
        assert!(body.contains(said), "{body}");
    }
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", CLIENT),
        ("device_code", told["device_code"].as_str().unwrap()),
    ];
    assert_eq!(
        tenant.post_form("example.org/oauth2/v2.0/token", &poll).await?.0,
        200
    );
    Ok(())
}

#[tokio::test]
async fn a_device_sign_in_is_declined_or_runs_out() -> Done {
    let tenant = Tenant::small().await?;
    for (end, error) in [("decline", "authorization_declined"), ("wait", "expired_token")] {
        let start = [("client_id", CLIENT), ("scope", "User.Read")];
        let (_, told) = tenant
            .post_form("example.org/oauth2/v2.0/devicecode", &start)
            .await?;
        if end == "decline" {
            tenant.steer("grant", json!({"device": "", "deny": true})).await?;
        } else {
            tenant.steer("clock", json!({"advance": "+900s"})).await?;
        }
        let poll = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", CLIENT),
            ("device_code", told["device_code"].as_str().unwrap()),
        ];
        let (status, body) = tenant.post_form("example.org/oauth2/v2.0/token", &poll).await?;
        assert_eq!((status, &body["error"]), (400, &json!(error)));
    }
    Ok(())
}

#[tokio::test]
async fn a_scope_without_consent_is_refused_to_people() -> Done {
    let tenant = Tenant::small().await?;
    let start = [("client_id", CLIENT), ("scope", "Sites.FullControl.All")];
    let (_, told) = tenant
        .post_form("example.org/oauth2/v2.0/devicecode", &start)
        .await?;
    tenant
        .steer("grant", json!({"device": "", "user": "bob@example.org"}))
        .await?;
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", CLIENT),
        ("device_code", told["device_code"].as_str().unwrap()),
    ];
    let (status, body) = tenant.post_form("example.org/oauth2/v2.0/token", &poll).await?;
    assert_eq!(
        (status, &body["error"], &body["error_codes"]),
        (400, &json!("invalid_grant"), &json!([65_001]))
    );
    Ok(())
}

#[tokio::test]
async fn a_managed_identity_gets_tokens_with_times_as_text() -> Done {
    let mut tenant = Tenant::small().await?;
    let query = "?resource=https://graph.microsoft.com/&api-version=2018-02-01";
    let machine = tenant
        .login
        .join(&format!("metadata/identity/oauth2/token{query}"))?;
    let service = tenant.login.join(&format!("msi/token{query}"))?;
    assert_eq!(
        tenant.client.get(machine.clone()).send().await?.status().as_u16(),
        400
    );
    assert_eq!(
        tenant.client.get(service.clone()).send().await?.status().as_u16(),
        401
    );
    let machine = tenant.client.get(machine).header("Metadata", "true");
    let service = tenant
        .client
        .get(service)
        .header("X-IDENTITY-HEADER", "small-identity-header");
    for request in [machine, service] {
        let (status, body) = told(request.send().await?).await?;
        assert_eq!(
            (status, &body["expires_in"], &body["refresh_token"]),
            (200, &json!("3599"), &json!(""))
        );
        assert_eq!(body["expires_on"], json!((NOW + 3599).to_string()));
        tenant.token = body["access_token"].as_str().unwrap().to_owned();
        assert_eq!(tenant.get("users").await?.0, 200);
    }
    Ok(())
}
