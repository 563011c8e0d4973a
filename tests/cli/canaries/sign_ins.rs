//! Each way to sign in, and each that is refused.

use std::fs;

use serde_json::json;

use super::Tour;
use crate::harness::{Config, tenant};

/// What is shown to whoever signs in, who needs it: the page that is to be opened.
const PAGE: [&str; 1] = ["`login` of"];

#[test]
fn a_login_to_a_nextcloud_shows_only_the_page_to_open() {
    let config = Config {
        auth: Some("{ method = \"login\" }"),
        ..Config::default()
    };
    let mut tour = Tour::nextcloud(&config);
    tour.run(&["scan"], &[2]);
    // The second time, the first password is given back.
    for _ in 0..2 {
        let mut running = tour.program(&["login", "cloud"]).start();
        running.until("remove it there");
        tour.stage.grant("alice");
        let ran = running.end();
        ran.ended(0);
        tour.said("standard output of `login`", ran.out.as_bytes(), &[]);
        tour.said("standard error of `login`", ran.err.as_bytes(), &PAGE);
    }
    tour.run(&["scan", "--all-shares"], &[0]);
    tour.run(&["doctor"], &[0, 5]);
    tour.run(&["config", "show"], &[0]);
    tour.stage
        .change(&json!({"do": "update", "account": "alice", "set": {"app_passwords": []}}));
    tour.run(&["scan"], &[3]);
    tour.run(&["doctor"], &[5]);
    let heard = tour.end();
    assert!(
        heard.iter().any(|name| name.starts_with("`appPassword`")),
        "{heard:?}"
    );
}

#[test]
fn registering_the_auditor_shows_no_secret() {
    let mut tour = Tour::unregistered();
    let occ = tour.stage.occ_program();
    let ran = tour
        .program(&["enroll", "cloud", "--listen", "127.0.0.1:0", "--", &occ])
        .run();
    tour.ran(&ran, &[], &["enroll"], &[0]);
    let again = tour
        .program(&["enroll", "cloud", "--listen", "127.0.0.1:0", "--", &occ])
        .run();
    tour.ran(&again, &[], &["enroll", "again"], &[0]);
    let scanned = tour.program(&["scan"]).run();
    tour.ran(&scanned, &[], &["scan"], &[0]);
    let heard = tour.end();
    assert!(
        heard
            .iter()
            .any(|name| name.starts_with("what is in secret") || name.starts_with("what GET")),
        "{heard:?}"
    );
}

#[test]
fn the_commands_that_register_it_by_hand_show_no_secret() {
    let mut tour = Tour::unregistered();
    let mut running = tour
        .program(&["enroll", "cloud", "--listen", "127.0.0.1:0"])
        .start();
    let said = running.until("Waiting for Nextcloud");
    let chosen = fs::read_to_string(tour.stage.path("secret.new")).unwrap();
    tour.knows("the secret that was chosen", chosen.trim_end());
    fs::rename(tour.stage.path("secret.new"), tour.stage.path("secret")).unwrap();
    tour.said("what `enroll` asks to be run", said.as_bytes(), &[]);
    running.interrupt();
    let ended = running.end();
    tour.ran(&ended, &[], &["enroll"], &[130]);
    tour.end_unheard();
}

/// A certificate and its private key, as PEM text.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let names = rcgen::CertificateParams::new(vec!["sharewarden".to_owned()]).unwrap();
    (names.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn no_way_to_sign_in_to_a_tenant_shows_a_secret() {
    let (certificate, key) = certificate();
    let mut world = tenant();
    world["microsoft365"]["app"]["certificates"] = json!([certificate]);
    // A proof is good for minutes, by the clock on the wall.
    world["now"] = json!(null);
    let mut tour = Tour::of(world);
    let pem = tour.stage.write("m365.pem", &format!("{key}{certificate}"));
    let assertion = String::from_utf8(tour.secrets["the federated assertion"].clone()).unwrap();
    let header = String::from_utf8(tour.secrets["the identity header"].clone()).unwrap();
    let federated = tour
        .stage
        .write("federated", &assertion)
        .to_string_lossy()
        .into_owned();
    let endpoint = tour.tap.url.join("msi/token").unwrap().to_string();
    let machine = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", header.as_str()),
    ];
    let workload = [("AZURE_FEDERATED_TOKEN_FILE", federated.as_str())];
    let with_certificate = format!(
        "{{ method = \"certificate\", file = {:?} }}",
        pem.to_string_lossy()
    );
    let ways: [(&str, &[(&str, &str)]); 4] = [
        (&with_certificate, &[]),
        ("{ method = \"managed-identity\" }", &machine),
        ("{ method = \"workload-identity\" }", &workload),
        ("{ method = \"device-code\" }", &[]),
    ];
    for (auth, variables) in ways {
        tour.stage.configure_tenant(&Config {
            auth: Some(auth),
            ..Config::default()
        });
        tour.tapped();
        let run = |tour: &mut Tour, arguments: &[&str], codes: &[i32]| {
            let mut program = tour.program(arguments);
            for (name, value) in variables {
                program.variable(name, value);
            }
            let ran = program.run();
            tour.ran(&ran, &[], &[&[auth], arguments].concat(), codes);
        };
        if auth.contains("device-code") {
            let mut running = tour.program(&["login", "m365"]).start();
            let said = running.until("code:");
            let code = said.rsplit("code:").next().unwrap().trim().to_owned();
            tour.stage
                .grant_device(&json!({"device": code, "user": "alice@example.org"}));
            let ran = running.end();
            tour.ran(&ran, &[], &["login"], &[0]);
        }
        for arguments in [
            &["doctor"][..],
            &["scan", "--format", "json"],
            &["config", "show"],
        ] {
            run(&mut tour, arguments, &[0, 3, 5]);
        }
        // Refused, in the words of the service.
        let app = |it: serde_json::Value| json!({"service": "graph", "do": "update", "app": it});
        tour.stage.change(&app(json!({"disabled": true})));
        tour.stage.change(&json!({"do": "reset", "tokens": true}));
        for arguments in [&["doctor"][..], &["scan"]] {
            run(&mut tour, arguments, &[3, 5, 0]);
        }
        tour.stage.change(&app(json!({"disabled": false})));
    }
    let heard = tour.end();
    for part in [
        "the federated assertion",
        "the identity header",
        "`refresh_token`",
        "`device_code`",
    ] {
        assert!(
            heard.iter().any(|name| name.starts_with(part)),
            "{part}: {heard:?}"
        );
    }
}
