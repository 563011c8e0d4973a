//! How a tenant is signed in to, and what is said when that fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::shares;
use crate::harness::{Config, Program, Stage, problems, tenant, verdict};

/// A tenant in which everything can be read.
fn open() -> Value {
    let mut world = tenant();
    let sites = world["microsoft365"]["sites"].as_array_mut().unwrap();
    sites.retain(|site| site["locked"] != true && site["archived"] != true && site["refused"] != true);
    let users = world["microsoft365"]["users"].as_array_mut().unwrap();
    users.retain(|user| user["drive"] != "locked");
    world
}

/// A certificate and its private key, as PEM text.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let names = rcgen::CertificateParams::new(vec!["sharewarden".to_owned()]).unwrap();
    (names.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_certificate_signs_in() {
    let (certificate, key) = certificate();
    let mut world = open();
    world["microsoft365"]["app"]["certificates"] = json!([certificate]);
    // A proof is good for minutes, by the clock on the wall.
    world["now"] = json!(null);
    let stage = Stage::of(&world);
    let file = stage.write("m365.pem", &format!("{key}{certificate}"));
    let auth = format!(
        "{{ method = \"certificate\", file = {:?} }}",
        file.to_string_lossy()
    );
    stage.configure_tenant(&Config {
        auth: Some(&auth),
        ..Config::default()
    });
    assert_eq!(verdict(&stage.report(&[])), "complete");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = stage.scan(&[]);
    refused.ended(2);
    assert!(
        refused.err.contains("nothing was sent") || refused.err.contains("chmod 600"),
        "{}",
        refused.err
    );
    stage.write("m365.pem", &certificate);
    let refused = stage.scan(&[]);
    refused.ended(2);
    assert!(refused.err.contains("PEM file"), "{}", refused.err);
}

#[test]
fn machines_and_workloads_sign_in() {
    let mut world = open();
    world["microsoft365"]["app"]["federated"] = json!(["eyJ.federated.token"]);
    let stage = Stage::of(&world);
    let (login, _) = stage.places();
    let run = |auth: &str, variables: &[(&str, &str)]| {
        stage.configure_tenant(&Config {
            auth: Some(auth),
            ..Config::default()
        });
        let mut program = stage.program();
        program.arguments(&["--no-state", "scan", "--format", "json"]);
        for (name, value) in variables {
            program.variable(name, value);
        }
        program.run()
    };
    let machine = "{ method = \"managed-identity\" }";
    let endpoint = login.join("msi/token").unwrap().to_string();
    let service = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "small-identity-header"),
    ];
    assert_eq!(verdict(&run(machine, &service).ended(0).json()), "complete");
    let host = login.as_str().trim_end_matches('/');
    assert_eq!(
        verdict(
            &run(machine, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)])
                .ended(0)
                .json()
        ),
        "complete"
    );
    let far = [
        ("IDENTITY_ENDPOINT", "http://metadata.example.org/token"),
        ("IDENTITY_HEADER", "x"),
    ];
    run(machine, &far).ended(2);
    let file = stage.write("federated", "eyJ.federated.token\n");
    let workload = "{ method = \"workload-identity\" }";
    let token = file.to_string_lossy();
    let ran = run(workload, &[("AZURE_FEDERATED_TOKEN_FILE", &token)]);
    assert_eq!(verdict(&ran.ended(0).json()), "complete");
    let missing = run(workload, &[]);
    missing.ended(2);
    assert!(
        missing.err.contains("AZURE_FEDERATED_TOKEN_FILE"),
        "{}",
        missing.err
    );
}

#[test]
fn one_person_signs_in_with_a_code_and_reads_the_own_drive() {
    let stage = Stage::of(&open());
    stage.configure_tenant(&Config {
        auth: Some("{ method = \"device-code\" }"),
        ..Config::default()
    });
    let before = stage.scan(&[]);
    before.ended(2);
    assert!(before.err.contains("sharewarden login m365"), "{}", before.err);
    let mut program = stage.program();
    program.arguments(&["login", "m365"]);
    let mut running = program.start();
    let said = running.until("code:");
    let code = said.rsplit("code:").next().unwrap().trim().to_owned();
    stage.grant_device(&json!({"device": code, "user": "alice@example.org"}));
    let ran = running.end();
    ran.ended(0);
    assert!(ran.err.contains("alice@example.org"), "{}", ran.err);
    let report = stage.report(&["--all-shares"]);
    assert_eq!(verdict(&report), "limited");
    assert!(!shares(&report).is_empty());
    assert!(
        shares(&report)
            .iter()
            .all(|share| share["owner"]["id"] == "alice@example.org")
    );
    // What was obtained for one tenant is not sent to another.
    stage.configure_tenant(&Config {
        auth: Some("{ method = \"device-code\" }"),
        tenant: Some("other.example.org"),
        ..Config::default()
    });
    stage.forget_requests();
    stage.scan(&[]).ended(2);
    assert!(stage.requests().is_empty());
}

#[test]
fn a_person_who_declines_or_takes_too_long_is_told_so() {
    let mut world = open();
    world["microsoft365"]["limits"]["device_seconds"] = json!(2);
    let stage = Stage::of(&world);
    stage.configure_tenant(&Config {
        auth: Some("{ method = \"device-code\" }"),
        ..Config::default()
    });
    let login = |deny: bool| {
        let mut program: Program = stage.program();
        program.arguments(&["login", "m365"]);
        let mut running = program.start();
        let said = running.until("code:");
        if deny {
            let code = said.rsplit("code:").next().unwrap().trim().to_owned();
            stage.grant_device(&json!({"device": code, "deny": true}));
        } else {
            std::thread::sleep(Duration::from_millis(2100));
        }
        running.end()
    };
    for deny in [true, false] {
        let ran = login(deny);
        assert_ne!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.err.contains("error:"), "{}", ran.err);
        assert!(!stage.path("credentials/m365.json").exists());
    }
}

#[test]
fn a_refused_sign_in_is_told_in_words_with_the_remedy() {
    for (what, change, tenancy, words) in [
        (
            "expired",
            json!({"secret_expired": true}),
            (None, None),
            "expired",
        ),
        (
            "wrong",
            json!({"secret": "another-secret"}),
            (None, None),
            "secret",
        ),
        ("disabled", json!({"disabled": true}), (None, None), "disabled"),
        (
            "application",
            json!({}),
            (None, Some("99999999-0000-4000-8000-000000000000")),
            "client_id",
        ),
        (
            "tenant",
            json!({}),
            (Some("elsewhere.example.com"), None),
            "tenant",
        ),
    ] {
        let stage = Stage::of(&open());
        if change != json!({}) {
            stage.change(&json!({"service": "graph", "do": "update", "app": change}));
        }
        stage.configure_tenant(&Config {
            tenant: tenancy.0,
            client_id: tenancy.1,
            ..Config::default()
        });
        stage.forget_requests();
        let report = stage.scan(&[]).ended(3).json();
        let problem = &report["sources"][0]["problems"][0];
        assert_eq!(problem["code"], "unauthorized", "{what}: {problem}");
        assert!(
            problem["message"].as_str().unwrap().contains(words),
            "{what}: {problem}"
        );
        assert_eq!(verdict(&report), "incomplete");
        assert_eq!(
            stage.requests().len(),
            1,
            "{what}: one try, and nothing else is asked"
        );
    }
}

#[test]
fn a_token_that_dies_in_mid_scan_is_replaced() {
    let stage = Stage::of(&open());
    for part in ["/delta", "$batch", "getAllSites"] {
        stage.no_faults();
        stage.fault(&json!({
            "match": {"service": "graph", "path_contains": part}, "after": 1, "times": 1, "action": {"do": "expire-token"}
        }));
        let report = stage.report(&["--all-shares"]);
        assert_eq!(verdict(&report), "complete", "{part}: {:?}", problems(&report));
    }
}

#[test]
fn doctor_tells_which_rights_are_missing_and_how_to_grant_them() {
    let mut world = open();
    world["microsoft365"]["app"]["roles"] = json!(["Sites.Read.All", "Files.Read.All", "User.Read.All"]);
    let stage = Stage::of(&world);
    let ran = stage.run_at(crate::harness::NOW, &["doctor", "--source", "m365"]);
    ran.ended(0);
    for words in [
        "GroupMember.Read.All is not granted",
        "SharePointTenantSettings.Read.All is not granted",
        "admin consent",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    stage.change(&json!({"service": "graph", "do": "update", "app": {"roles": ["Sites.FullControl.All", "Files.ReadWrite.All",
        "User.Read.All", "GroupMember.Read.All", "SharePointTenantSettings.Read.All"]}}));
    let ran = stage.run_at(crate::harness::NOW, &["doctor", "--source", "m365"]);
    ran.ended(0);
    assert!(
        ran.out.contains("more is granted than a scan needs"),
        "{}",
        ran.out
    );
    stage.change(&json!({"service": "graph", "do": "update", "app": {"secret_expired": true}}));
    let ran = stage.run_at(crate::harness::NOW, &["doctor", "--source", "m365"]);
    ran.ended(5);
    assert!(ran.out.contains("expired"), "{}", ran.out);
}
