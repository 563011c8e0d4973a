//! Letters leave by an emulated tenant.

use serde_json::{Value, json};
use sharewarden::model::ProblemCode;
use sharewarden::provider::ChangeEffect;

use super::writer::adapter;
use crate::harness::{Config, NOW, Stage, block_on};
use crate::outgoing::message;

const SENDER: &str = "alice@example.org";

/// How often a letter was handed over.
fn asked(stage: &Stage) -> usize {
    let requests = stage.requests();
    requests
        .iter()
        .filter(|asked| asked.path.contains("sendMail"))
        .count()
}

fn fault(stage: &Stage, times: u32, action: &Value) {
    stage.fault(&json!({"match": {"path_contains": "sendMail"}, "times": times, "action": action}));
}

#[test]
fn a_letter_is_handed_over_whole_and_once() {
    let stage = Stage::tenant();
    let letter = message("bob@example.org", "one");
    block_on(adapter(&stage).send_mail(SENDER, &letter.bytes)).unwrap();
    let mails = stage.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["sender"], SENDER);
    assert_eq!(mails[0]["mime"].as_str().unwrap().as_bytes(), letter.bytes);
    assert_eq!(asked(&stage), 1);
}

#[test]
fn what_graph_did_not_take_is_handed_over_again_and_nothing_else_is() {
    use ChangeEffect::{None as Nothing, Refused, Unknown};
    let error = |status: u16, code: &str| {
        let body = json!({"error": {"code": code, "message": "m"}}).to_string();
        json!({"do": "status", "status": status, "body": body})
    };
    let slow = json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}});
    // For so many times it is so; then what becomes of the letter, and how often it was handed over.
    for (times, action, effect, tries, part) in [
        (2, slow.clone(), None, 3, ""),
        (1, json!({"do": "status", "status": 401}), None, 2, ""),
        (
            9,
            json!({"do": "status", "status": 401}),
            Some(Nothing),
            2,
            "sign-in",
        ),
        (
            9,
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "7200"}}),
            Some(Nothing),
            1,
            "slow down",
        ),
        (
            9,
            error(400, "ErrorInvalidRecipients"),
            Some(Refused),
            1,
            "address",
        ),
        (9, error(400, "ErrorMimeContentInvalid"), Some(Refused), 1, "400"),
        (9, error(413, "ErrorMessageSizeExceeded"), Some(Refused), 1, "413"),
        (9, error(403, "ErrorAccessDenied"), Some(Nothing), 1, "Mail.Send"),
        (
            9,
            error(404, "MailboxNotEnabledForRESTAPI"),
            Some(Nothing),
            1,
            "no mailbox",
        ),
        (
            9,
            error(500, "ErrorInternalServerError"),
            Some(Unknown),
            1,
            "not known",
        ),
        (9, error(503, "ErrorServerBusy"), Some(Unknown), 1, "not known"),
        (
            9,
            json!({"do": "status", "status": 200, "body": "<html>"}),
            Some(Unknown),
            1,
            "not known",
        ),
        (9, json!({"do": "reset"}), Some(Unknown), 1, ""),
    ] {
        let stage = Stage::tenant();
        fault(&stage, times, &action);
        let letter = message("bob@example.org", "one");
        let sent = block_on(adapter(&stage).send_mail(SENDER, &letter.bytes));
        let became = sent.as_ref().err().map(|error| error.effect);
        assert_eq!(became, effect, "{action}: {sent:?}");
        assert_eq!(asked(&stage), tries, "{action}");
        // The one whose answer was lost was taken.
        let taken = sent.is_ok() || action["do"] == "reset";
        assert_eq!(stage.mails().len(), usize::from(taken), "{action}");
        if let Err(error) = sent {
            assert!(error.message.contains(part), "{action}: {error}");
            let is_nobody = error.code == ProblemCode::AccountGone;
            let is_refused = error.effect == Refused;
            assert_eq!(
                is_refused && is_nobody,
                part == "address",
                "only then is the address at fault: {action}"
            );
        }
    }
}

#[test]
fn a_sender_that_may_not_or_is_none_is_told_as_that() {
    let stage = Stage::tenant();
    stage.change(&json!({"do": "update", "switches": {"senders": ["bob@example.org"]}}));
    let letter = message("bob@example.org", "one");
    for (sender, part) in [
        (SENDER, "application access policy"),
        ("nobody@example.org", "does not know the sender"),
    ] {
        let error = block_on(adapter(&stage).send_mail(sender, &letter.bytes)).unwrap_err();
        assert_eq!(error.effect, ChangeEffect::None);
        assert!(error.message.contains(part), "{error}");
    }
    assert!(stage.mails().is_empty());
}

#[test]
fn doctor_tells_whether_letters_may_leave() {
    let stage = Stage::tenant();
    let examined = |sender: &str| {
        let transport = format!("transport = {{ kind = \"graph\", source = \"m365\", sender = {sender:?} }}");
        stage.configure_tenant(&Config {
            more: &format!(
                "[mail]\nmode = \"on\"\nfrom = \"alice@example.org\"\nallowed_domains = [\"example.org\"]\n{transport}\n"
            ),
            ..Config::default()
        });
        let ran = stage.run_at(NOW, &["doctor"]);
        ran.out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let found = examined(SENDER);
    assert!(
        found.contains("ok mail letters leave by `m365` from alice@example.org"),
        "{found}"
    );
    let found = examined("nobody@example.org");
    assert!(
        found.contains("failed mail") && found.contains("no mailbox nobody@example.org"),
        "{found}"
    );
    stage.change(
        &json!({"service": "graph", "do": "update", "app": {"roles": ["Sites.Read.All", "Files.Read.All"]}}),
    );
    let found = examined(SENDER);
    assert!(
        found.contains("limited mail") && found.contains("Mail.Send is not granted"),
        "{found}"
    );
    // Exchange Online may grant it, which no token tells.
    assert!(found.contains("RBAC for Applications"), "{found}");
    assert_eq!(asked(&stage), 0, "nothing is sent");
}
