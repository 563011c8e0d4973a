//! A real mail server: aiosmtpd, with TLS and sign-in. Python reads what arrived.
//!
//! It is there in the gate. Where no Python has aiosmtpd (`SHAREWARDEN_PYTHON` names one that has), these tests say that they
//! were skipped.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use sharewarden::notify::{Attached, Login, Outgoing, Protection, Sent, Server};

use super::{TEXT, TIMES, message, skipped, with};
use crate::harness::block_on;

const FOLDER: &str = "SHAREWARDEN_TEST_MAIL";

/// Runs a test in a process that trusts a private authority as if the machine did, with a folder that holds a server's
/// certificate and its key. Only a process that begins can be told whom to trust.
fn trusting(name: &str, test: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return test(Path::new(&folder));
    }
    if python().is_none() {
        return skipped("no Python with aiosmtpd, so that no letter was sent to a real mail server");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    for (name, text) in [
        ("ca", issuer.pem()),
        ("certificate", certificate.pem()),
        ("key", key.serialize_pem()),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let ran = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("outgoing::real::{name}"), "--nocapture"])
        .env("SSL_CERT_FILE", folder.path().join("ca"))
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}\n{failed}"
    );
}

/// A Python that has aiosmtpd; the one that is named has to.
pub(crate) fn python() -> Option<OsString> {
    let named = env::var_os("SHAREWARDEN_PYTHON");
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-c", "import aiosmtpd"]).stderr(Stdio::null());
    let has = command.status().is_ok_and(|status| status.success());
    assert!(has || named.is_none(), "{} has no aiosmtpd", python.display());
    has.then_some(python)
}

/// Puts a certificate into a folder that is signed by nobody.
pub(crate) fn alone(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    fs::write(folder.join("certificate"), certificate.pem()).unwrap();
    fs::write(folder.join("key"), key.serialize_pem()).unwrap();
}

/// A mail server of its own process.
pub(crate) struct Real {
    process: Child,
    said: Receiver<Value>,
    pub(crate) port: u16,
}

impl Real {
    /// `mode` is `starttls`, `tls` or `none`.
    pub(super) fn start(folder: &Path, mode: &str) -> Self {
        Self::with_password(folder, mode, "right password")
    }

    /// The same, which wants this password of `audit`.
    pub(crate) fn with_password(folder: &Path, mode: &str, password: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/outgoing/server.py");
        let mut process = Command::new(python().unwrap())
            .arg("-B")
            .arg(script)
            .args([
                mode.as_ref(),
                folder.join("certificate").as_os_str(),
                folder.join("key").as_os_str(),
                password.as_ref(),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, said) = channel();
        // It is never kept waiting until somebody reads what it says.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let ready: Value = said.recv().unwrap();
        Self {
            process,
            said,
            port: u16::try_from(ready["port"].as_u64().unwrap()).unwrap(),
        }
    }

    fn server(&self, protection: Protection, password: Option<&str>) -> Server {
        Server {
            host: "localhost".to_owned(),
            port: self.port,
            protection,
            login: password.map(|password| Login {
                user: "audit".to_owned(),
                password: password.into(),
            }),
            times: TIMES,
        }
    }

    /// All letters that arrived.
    pub(crate) fn arrived(mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.said.iter().collect()
    }
}

fn is_accepted(sent: &Sent) -> bool {
    matches!(sent, Sent::Accepted { reply } if reply.starts_with("250 ") && reply.contains("taken"))
}

#[test]
fn letters_arrive_whole_over_one_connection_and_one_refusal_costs_only_itself() {
    let name = "letters_arrive_whole_over_one_connection_and_one_refusal_costs_only_itself";
    trusting(name, |folder| {
        let real = Real::start(folder, "starttls");
        let outgoing = Outgoing::smtp(real.server(Protection::Starttls, Some("right password")));
        let list = Attached {
            name: "list.zip".to_owned(),
            content_type: "application/zip",
            bytes: vec![7; 1000],
        };
        block_on(async {
            assert!(is_accepted(
                &outgoing.send(&message("bob@example.org", "one")).await
            ));
            let refused = outgoing.send(&message("refused@example.org", "two")).await;
            assert_eq!(
                refused,
                Sent::Refused {
                    words: "550 5.1.1 no such mailbox".to_owned(),
                    permanent: true
                }
            );
            let third = with("dora@münchen.example", "three", Some(&list));
            assert!(is_accepted(&outgoing.send(&third).await));
            outgoing.close().await;
            // A closed way opens again.
            assert!(is_accepted(
                &outgoing.send(&message("bob@example.org", "one")).await
            ));
        });
        let arrived = real.arrived();
        assert_eq!(arrived.len(), 3);
        assert_eq!(arrived[0]["connection"], arrived[1]["connection"]);
        assert_ne!(arrived[0]["connection"], arrived[2]["connection"]);
        assert_eq!(
            arrived[1]["to"],
            serde_json::json!(["dora@xn--mnchen-3ya.example"])
        );
        assert_eq!(
            arrived[0]["headers"], arrived[2]["headers"],
            "the same letter is the same"
        );
        for letter in &arrived {
            assert_eq!(letter["encrypted"], true);
            assert_eq!(letter["account"], "audit");
            assert_eq!(letter["from"], "alice@example.org");
            assert_eq!(letter["defects"], serde_json::json!([]));
            let parts = letter["parts"].as_array().unwrap();
            assert_eq!(parts[0]["type"], "text/plain");
            assert_eq!(parts[0]["text"], TEXT);
            assert_eq!(parts[1]["type"], "text/html");
            assert!(parts[1]["text"].as_str().unwrap().contains(TEXT));
            let headers = letter["headers"].as_object().unwrap();
            for (name, value) in [
                ("From", "Share audit <alice@example.org>"),
                ("Reply-To", "\"Help, desk\" <help@example.org>"),
                ("Subject", "[Vertraulich] Ihre Freigaben: 2 neu X-Injected: yes"),
                ("Date", "Thu, 26 Nov 2026 02:00:00 +0000"),
                ("Sensitivity", "Company-Confidential"),
                ("Auto-Submitted", "auto-generated"),
                ("X-Auto-Response-Suppress", "All"),
                ("List-Id", "Share audit <sharewarden.example.org>"),
            ] {
                assert_eq!(headers[name], value, "{name}");
            }
            assert_eq!(headers["References"], arrived[0]["headers"]["References"]);
            assert!(
                headers["To"].as_str().unwrap().contains("Bcc: eve@evil.example"),
                "a name stays a name"
            );
            for name in ["Bcc", "X-Injected", "List-Unsubscribe"] {
                assert!(!headers.contains_key(name), "{name}");
            }
        }
        let list = &arrived[1]["parts"][2];
        assert_eq!(
            (&arrived[1]["type"], &list["file"]),
            (&"multipart/mixed".into(), &"list.zip".into())
        );
        assert_eq!(
            (&list["type"], &list["bytes"]),
            (&"application/zip".into(), &1000.into())
        );
    });
}

#[test]
fn tls_from_the_first_byte() {
    trusting("tls_from_the_first_byte", |folder| {
        let real = Real::start(folder, "tls");
        let outgoing = Outgoing::smtp(real.server(Protection::Immediate, Some("right password")));
        assert!(is_accepted(&block_on(
            outgoing.send(&message("bob@example.org", "one"))
        )));
        let check = block_on(outgoing.examine());
        assert!(check.found.contains("takes the sign-in"), "{check:?}");
        let arrived = real.arrived();
        assert_eq!((arrived.len(), &arrived[0]["encrypted"]), (1, &true.into()));
    });
}

#[test]
fn nothing_is_said_to_a_server_that_is_not_trusted_or_wants_it_otherwise() {
    let name = "nothing_is_said_to_a_server_that_is_not_trusted_or_wants_it_otherwise";
    trusting(name, |folder| {
        let refused = |real: &Real, server: Server| {
            let sent = block_on(Outgoing::smtp(server).send(&message("bob@example.org", "one")));
            let Sent::Unreachable { words } = sent else {
                panic!("{sent:?}")
            };
            assert!(
                words.contains(&real.port.to_string()) && !words.contains("password"),
                "{words}"
            );
            words
        };
        let real = Real::start(folder, "starttls");
        let server = |password| real.server(Protection::Starttls, password);
        assert!(refused(&real, server(Some("a wrong password"))).contains("535"));
        let words = refused(&real, server(None));
        assert!(
            words.contains("530") || words.contains("uthentication"),
            "{words}"
        );
        // The certificate is for another name.
        let other = Server {
            host: "127.0.0.1".to_owned(),
            ..server(Some("right password"))
        };
        assert!(refused(&real, other).contains("certificate"));
        let tls = real.server(Protection::Immediate, Some("right password"));
        refused(&real, tls);
        assert_eq!(real.arrived(), Vec::<Value>::new());
        let real = Real::start(folder, "none");
        let words = refused(&real, real.server(Protection::Starttls, Some("right password")));
        assert!(words.contains("offers no STARTTLS"), "{words}");
        assert_eq!(real.arrived(), Vec::<Value>::new());
    });
}

#[test]
fn an_authority_that_the_machine_does_not_know_is_not_trusted() {
    let name = "an_authority_that_the_machine_does_not_know_is_not_trusted";
    trusting(name, |folder| {
        let own = tempfile::tempdir_in(folder).unwrap();
        alone(own.path());
        for (mode, protection) in [("starttls", Protection::Starttls), ("tls", Protection::Immediate)] {
            let real = Real::start(own.path(), mode);
            let outgoing = Outgoing::smtp(real.server(protection, Some("right password")));
            let sent = block_on(outgoing.send(&message("bob@example.org", "one")));
            assert!(
                matches!(&sent, Sent::Unreachable { words } if words.contains("certificate")),
                "{sent:?}"
            );
            let check = block_on(outgoing.examine());
            assert!(
                check.steps.iter().any(|step| step.contains("authority")),
                "{check:?}"
            );
            assert_eq!(real.arrived(), Vec::<Value>::new());
        }
    });
}
