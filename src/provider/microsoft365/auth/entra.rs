//! What Entra says when it issues no token, in words with the remedy.
//!
//! The number within `error_codes` only chooses the hint, as its documentation allows; the description is quoted
//! where there is no hint, cleaned and cut.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::http::StatusCode;
use crate::model::ProblemCode;
use crate::provider::ReadError;

/// How much of a description is quoted.
const QUOTED: usize = 200;
/// A longer word may be a secret or an assertion; an id has 36 characters.
const LONGEST_WORD: usize = 36;

/// An answer that refuses a token.
#[derive(Deserialize, Serialize)]
pub(super) struct Refusal {
    error: String,
    #[serde(default, deserialize_with = "text_or_none")]
    error_description: Option<String>,
    #[serde(default, deserialize_with = "numbers")]
    error_codes: Vec<u64>,
}

impl oauth2::ErrorResponse for Refusal {}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("error_codes", &self.error_codes)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = clean(&self.error, 60);
        match self.error_codes.first() {
            Some(code) => write!(f, "{name}, AADSTS{code}"),
            None => f.write_str(&name),
        }
    }
}

fn text_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(codes) => codes.iter().filter_map(Value::as_u64).take(8).collect(),
        _ => Vec::new(),
    })
}

/// A refusal that is known: by which numbers, what it means, and what to do.
struct Known(&'static [u64], &'static str, &'static str);

const NEW_SECRET: &str = "create a new one under Certificates & secrets of the app's registration, and put its value in place of the old one";
const SIGN_IN_AGAIN: &str = "run `sharewarden login` for this source again";
const UPLOAD: &str = "upload the certificate that is in the PEM file under Certificates & secrets of the app's \
                      registration, or name the file whose certificate is there";

const KNOWN: &[Known] = &[
    Known(&[7_000_222], "the client secret has expired", NEW_SECRET),
    Known(
        &[7_000_215],
        "the client secret is wrong",
        "take the secret's value, which is shown once when it is made, and not its id",
    ),
    Known(
        &[7_000_218],
        "the application has to prove itself, and nothing was sent that does",
        "for `device-code`, allow public client flows under Authentication of the app's registration",
    ),
    Known(
        &[700_016],
        "the tenant knows no such application",
        "compare `client_id` and `tenant` with the app's registration; another tenant's app needs an administrator's \
         consent there first",
    ),
    Known(
        &[90_002, 900_023],
        "there is no such tenant",
        "compare `tenant` with the tenant's id or domain, and `cloud` with where the tenant is",
    ),
    Known(
        &[65_001],
        "nobody has consented to what the application asks for",
        "let an administrator grant consent under API permissions of the app's registration",
    ),
    Known(
        &[50_012, 50_013, 700_027, 700_024, 700_030],
        "the certificate's proof was not accepted: the app's registration has another certificate, the certificate has \
         expired, or the clock here is wrong",
        UPLOAD,
    ),
    Known(
        &[700_021, 700_022, 700_023, 700_211, 700_212, 700_213],
        "the workload's token fits no federated credential of the application",
        "compare issuer, subject and audience under Certificates & secrets, Federated credentials",
    ),
    Known(
        &[7_000_112, 7_000_113],
        "the application is disabled",
        "let an administrator enable it under Enterprise applications",
    ),
    Known(
        &[70_011, 70_018],
        "the service knows no such rights",
        "compare `graph_url` and `cloud` with where the tenant is",
    ),
    Known(
        &[70_008, 700_082, 700_084, 70_043],
        "the kept sign-in has expired",
        SIGN_IN_AGAIN,
    ),
    Known(
        &[50_173, 50_132, 50_133, 50_078, 54_005],
        "the kept sign-in was revoked, as it is when a password is changed",
        SIGN_IN_AGAIN,
    ),
    Known(
        &[50_076, 50_079, 50_158],
        "the tenant asks for another proof of who signs in",
        SIGN_IN_AGAIN,
    ),
    Known(
        &[50_057],
        "the person's account is disabled",
        "sign in as somebody else, with `sharewarden login`",
    ),
    Known(
        &[53_000, 53_001, 53_002, 53_003, 53_004],
        "a Conditional Access policy blocks this sign-in",
        "look into the tenant's sign-in log, and let an administrator allow the application or this machine's address",
    ),
];

/// The numbers of refusals that pass by themselves.
const PASSING: &[u64] = &[90_055, 90_033, 90_006, 90_024, 90_051];

impl Refusal {
    /// Whether the same request may be granted later.
    fn is_passing(&self, status: StatusCode) -> bool {
        status == StatusCode::TOO_MANY_REQUESTS
            || status.is_server_error()
            || matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
            || self.error_codes.iter().any(|code| PASSING.contains(code))
    }

    /// An error where the refusal passes by itself.
    pub(super) fn unless_passing(self, status: StatusCode) -> Result<(), ReadError> {
        if self.is_passing(status) {
            return Err(self.into_error(status));
        }
        Ok(())
    }

    /// Whether a person has not yet entered a device code.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.error.as_str(), "authorization_pending" | "slow_down")
    }

    /// The refusal as an error for people.
    pub(super) fn into_error(self, status: StatusCode) -> ReadError {
        if self.is_passing(status) {
            return ReadError::service(
                ProblemCode::ServerError,
                format!("the sign-in service cannot answer now ({self}); try again later"),
            );
        }
        let known = KNOWN
            .iter()
            .find(|Known(codes, ..)| self.error_codes.iter().any(|code| codes.contains(code)))
            .map(|Known(_, what, remedy)| (*what, *remedy))
            .or_else(|| by_name(&self.error));
        let message = match known {
            Some((what, remedy)) => format!("signing in was refused ({self}): {what}; {remedy}"),
            None => match self.error_description.as_deref().and_then(sentence) {
                Some(sentence) => format!("signing in was refused ({self}): \"{sentence}\""),
                None => format!("signing in was refused ({self})"),
            },
        };
        ReadError::service(ProblemCode::Unauthorized, message)
    }
}

/// A description's first sentence, without ids of the request.
fn sentence(description: &str) -> Option<String> {
    let text = ["\r", "\n", "Trace ID", "Correlation ID", "Timestamp:"]
        .iter()
        .filter_map(|end| description.find(end))
        .min()
        .and_then(|end| description.get(..end))
        .unwrap_or(description);
    let text = match text.split_once(": ") {
        Some((number, rest)) if number.starts_with("AADSTS") => rest,
        _ => text,
    };
    let text = text.split_once(". ").map_or(text, |(first, _)| first);
    let sentence = clean(text.trim(), QUOTED);
    (!sentence.is_empty()).then_some(sentence)
}

/// What became of a device code that the service did not say more of.
pub(super) fn declined_or_late(error: &str) -> ReadError {
    let refusal = Refusal {
        error: error.to_owned(),
        error_description: None,
        error_codes: Vec::new(),
    };
    refusal.into_error(StatusCode::BAD_REQUEST)
}

/// Why a managed identity gave no token, where its answer says so.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let said = ["error_description", "message"];
    let said = said.iter().find_map(|key| answer.get(key)?.as_str())?;
    sentence(said)
}

/// What `error` alone means, where no number tells more.
fn by_name(error: &str) -> Option<(&'static str, &'static str)> {
    Some(match error {
        "invalid_scope" => (
            "the service knows no such rights",
            "compare `graph_url` and `cloud` with where the tenant is",
        ),
        "authorization_declined" | "access_denied" => {
            ("the person declined", "run `sharewarden login` again to try anew")
        }
        "expired_token" | "bad_verification_code" => (
            "the code was not entered in time",
            "run `sharewarden login` again",
        ),
        _ => return None,
    })
}

/// Remote words that may be shown: printable, of usual words, and short.
pub(super) fn clean(text: &str, most: usize) -> String {
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| {
            if word.chars().count() > LONGEST_WORD {
                "...".to_owned()
            } else {
                word.chars()
                    .map(|c| {
                        if c.is_ascii_graphic() || c.is_alphanumeric() {
                            c
                        } else {
                            '?'
                        }
                    })
                    .collect()
            }
        });
    let text = words.collect::<Vec<String>>().join(" ");
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, answer: &Value) -> (ProblemCode, String) {
        let refusal: Refusal = serde_json::from_value(answer.clone()).unwrap();
        match refusal.into_error(StatusCode::from_u16(status).unwrap()) {
            ReadError::Service { code, message } => (code, message),
            ReadError::Closed(_) => panic!("nobody listens"),
        }
    }

    #[test]
    fn every_known_refusal_has_its_remedy() {
        for (error, number, said) in [
            ("invalid_client", 7_000_222, "create a new one"),
            ("invalid_client", 7_000_215, "not its id"),
            ("invalid_client", 7_000_218, "public client flows"),
            ("unauthorized_client", 700_016, "compare `client_id` and `tenant`"),
            ("invalid_request", 90_002, "there is no such tenant"),
            ("invalid_grant", 65_001, "grant consent"),
            ("invalid_client", 50_012, "upload the certificate"),
            ("invalid_client", 50_013, "upload the certificate"),
            ("invalid_client", 700_027, "upload the certificate"),
            ("invalid_client", 700_024, "the clock here is wrong"),
            ("invalid_client", 700_213, "Federated credentials"),
            ("unauthorized_client", 7_000_112, "is disabled"),
            ("invalid_scope", 70_011, "compare `graph_url` and `cloud`"),
            ("invalid_grant", 70_008, "run `sharewarden login`"),
            ("invalid_grant", 700_082, "run `sharewarden login`"),
            ("invalid_grant", 50_173, "run `sharewarden login`"),
            ("invalid_grant", 50_076, "another proof"),
            ("invalid_grant", 50_057, "account is disabled"),
            ("access_denied", 53_003, "Conditional Access"),
        ] {
            let answer = json!({"error": error, "error_description": "AADSTS1: hunter2. More.", "error_codes": [number]});
            let (code, message) = told(400, &answer);
            assert_eq!(code, ProblemCode::Unauthorized, "{number}");
            assert!(message.contains(said), "{number}: {message}");
            assert!(
                message.contains(&format!("({error}, AADSTS{number})")),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(
            told(400, &json!({"error": "invalid_scope"}))
                .1
                .contains("`graph_url`")
        );
    }

    #[test]
    fn what_passes_is_no_refusal() {
        for (status, answer) in [
            (400, json!({"error": "temporarily_unavailable"})),
            (400, json!({"error": "invalid_request", "error_codes": [90_055]})),
            (429, json!({"error": "invalid_request"})),
            (
                503,
                json!({"error": "invalid_client", "error_codes": [7_000_222]}),
            ),
        ] {
            let (code, message) = told(status, &answer);
            assert_eq!(code, ProblemCode::ServerError, "{message}");
            assert!(message.contains("try again later"), "{message}");
        }
    }

    #[test]
    fn an_unknown_refusal_is_quoted_by_its_first_sentence_cleaned() {
        let secret = "8Q~abcdefghijklmnopqrstuvwxyz0123456789AB";
        let long = "word ".repeat(200);
        for (description, quoted) in [
            (
                "AADSTS99: Something is odd here. More.\r\nTrace ID: 1\r\nCorrelation ID: 2",
                Some("\"Something is odd here\""),
            ),
            ("AADSTS99: odd Trace ID: 5c1e Correlation ID: 7", Some("\"odd\"")),
            ("odd \u{1b}[2J\u{202e}thing", Some("\"odd [2J?thing\"")),
            ("\r\nTrace ID: 1", None),
            ("", None),
        ] {
            let answer = json!({"error": "odd_error", "error_codes": [99], "error_description": description});
            let (code, message) = told(400, &answer);
            assert_eq!(code, ProblemCode::Unauthorized);
            assert!(
                message.starts_with("signing in was refused (odd_error, AADSTS99)"),
                "{message}"
            );
            match quoted {
                Some(quoted) => assert!(message.ends_with(quoted), "{message}"),
                None => assert!(message.ends_with(')'), "{message}"),
            }
        }
        let hidden = told(
            400,
            &json!({"error": "odd", "error_description": format!("the key {secret} is odd")}),
        )
        .1;
        assert!(!hidden.contains(secret), "{hidden}");
        let long = told(400, &json!({"error": "odd", "error_description": long})).1;
        assert!(long.len() < 300, "{long}");
    }

    #[test]
    fn an_odd_refusal_is_still_one() {
        for answer in [
            json!({"error": "odd\u{1b}[2J", "error_codes": "none", "error_description": 7}),
            json!({"error": "x".repeat(5_000), "error_codes": [-1, "2", 3.5, null]}),
            json!({"error": "", "error_codes": vec![1; 10_000]}),
        ] {
            let (code, message) = told(400, &answer);
            assert_eq!(code, ProblemCode::Unauthorized);
            assert!(
                !message.chars().any(char::is_control) && message.len() < 300,
                "{message}"
            );
        }
    }
}
