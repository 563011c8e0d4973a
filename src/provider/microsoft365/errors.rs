//! What Graph's refusals mean, in words for the operator.
//!
//! <https://learn.microsoft.com/en-us/graph/errors>. Codes differ in case by their origin, and the one that tells may lie
//! several levels deep; the message is the service's and is shown cleaned and shortened.

use serde_json::Value;

use crate::http::StatusCode;
use crate::model::{Problem, ProblemCode};
use crate::provider::ReadError;

/// How deep a code is looked for.
const DEEPEST: usize = 8;
/// The longest message that is shown, in characters.
const LONGEST: usize = 200;

/// A refusal as far as its body tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The codes from the outermost to the innermost.
    codes: Vec<String>,
    message: Option<String>,
}

impl Refusal {
    pub(super) fn read(body: &[u8]) -> Self {
        let told: Option<Value> = serde_json::from_slice(body).ok();
        let Some(error) = told.as_ref().and_then(|told| told.get("error")) else {
            return Self::default();
        };
        let mut codes = Vec::new();
        let mut level = Some(error);
        while let Some(inner) = level.filter(|_| codes.len() < DEEPEST) {
            match inner.get("code").and_then(Value::as_str) {
                Some(code) => codes.push(code.to_owned()),
                None => codes.push(String::new()),
            }
            level = ["innerError", "innererror"]
                .iter()
                .find_map(|key| inner.get(*key));
        }
        codes.retain(|code| !code.is_empty());
        Self {
            codes,
            message: error.get("message").and_then(Value::as_str).map(clean),
        }
    }

    /// Whether one of its codes is this; their case differs by their origin.
    pub(super) fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|own| own.eq_ignore_ascii_case(code))
    }

    /// Whether one of its codes, or its message, holds this, written in lower case.
    pub(super) fn speaks_of(&self, part: &str) -> bool {
        let mut words = self.codes.iter().chain(&self.message);
        words.any(|own| own.to_lowercase().contains(part))
    }

    /// What the service says, or nothing.
    fn said(&self) -> String {
        let code = self.codes.first().map(|code| clean(code));
        match (code, &self.message) {
            (Some(code), Some(message)) => format!(" ({code}: {message})"),
            (Some(word), None) => format!(" ({word})"),
            (None, Some(word)) => format!(" ({word})"),
            (None, None) => String::new(),
        }
    }
}

/// What a status other than success means; `at` says of what, as it may be shown.
pub(super) fn refusal(at: &str, status: StatusCode, body: &[u8]) -> ReadError {
    let told = Refusal::read(body);
    let said = told.said();
    let (code, words) = match status.as_u16() {
        401 => (
            ProblemCode::Unauthorized,
            format!("the service does not accept the sign-in{said}"),
        ),
        403 => (
            ProblemCode::Forbidden,
            format!("the application has no right to this{said}"),
        ),
        // A gateway's 404 says nothing of what lies behind it.
        404 if told.codes.is_empty() => (
            ProblemCode::ServerError,
            "the service answers with status 404, and not why".to_owned(),
        ),
        404 => (ProblemCode::AccountGone, format!("there is no such thing{said}")),
        423 => (ProblemCode::Locked, format!("it is locked or archived{said}")),
        429 => (
            ProblemCode::Throttled,
            format!("the service asks to slow down{said}"),
        ),
        200..=299 => (
            ProblemCode::Malformed,
            "the answer is not Graph's JSON; does something else answer at this address?".to_owned(),
        ),
        number => (
            ProblemCode::ServerError,
            format!("the service answers with status {number}{said}"),
        ),
    };
    ReadError::service(code, format!("{at}: {words}"))
}

/// The same of a list: that there is none is no vanished thing, but a service that is not as it should be.
pub(super) fn of_a_list(error: ReadError) -> ReadError {
    match error {
        ReadError::Service {
            code: ProblemCode::AccountGone,
            message,
        } => ReadError::service(ProblemCode::ServerError, message),
        other => other,
    }
}

/// The problem of a list that broke off, where the source can still be asked for other things: what was listed before is
/// read, and what the list lacks is not known.
pub(super) fn broken_list(of: &str, error: &ReadError) -> Result<Problem, ReadError> {
    match error.problem("*") {
        Some(problem) if !ends_source(error) => {
            let words = format!(
                "the list of {of} could not be read to its end: {}",
                problem.message
            );
            Ok(Problem::new("*", problem.code, words))
        }
        _ => Err(error.clone()),
    }
}

/// A problem of a place that is closed, with what can be done about it.
pub(super) fn with_remedy(problem: Problem) -> Problem {
    let remedy = match problem.code {
        ProblemCode::Forbidden => "grant the application Sites.Read.All and Files.Read.All",
        ProblemCode::Locked => "unlock it while it is scanned",
        _ => return problem,
    };
    let message = format!("{}; {remedy}, or accept it as a known [[gap]]", problem.message);
    Problem { message, ..problem }
}

/// Whether what was asked for does not exist.
pub(super) fn is_missing(error: &ReadError) -> bool {
    has_code(error, ProblemCode::AccountGone)
}

/// Whether an error is of this code.
pub(super) fn has_code(error: &ReadError, wanted: ProblemCode) -> bool {
    matches!(error, ReadError::Service { code, .. } if *code == wanted)
}

/// Whether nothing more can be asked of the source after an error.
pub(super) fn ends_source(error: &ReadError) -> bool {
    error.concerns_source()
        || has_code(error, ProblemCode::Unauthorized)
        || has_code(error, ProblemCode::TimeLimit)
}

/// Remote words as they may be shown: addresses may open something, and are left out.
fn clean(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let words: String = words
        // An address of sharing is as good as the link: `u!` and the link in Base64.
        .map(|word| {
            if word.contains("://") || word.contains("u!") {
                "… "
            } else {
                word
            }
        })
        .collect();
    let text = words.trim_end();
    let mut clean: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_code_counts_too_whatever_its_case() {
        let body = br#"{"error":{"code":"notAllowed","message":"Access to this site has been blocked.",
            "innererror":{"date":"2026-01-01T00:00:00","innerError":{"code":"resourceLocked"}}}}"#;
        let told = Refusal::read(body);
        assert!(told.is("notallowed") && told.is("resourcelocked"));
        let error = refusal("/sites/x", StatusCode::LOCKED, body);
        assert!(has_code(&error, ProblemCode::Locked));
        assert!(error.to_string().contains("has been blocked"), "{error}");
    }

    #[test]
    fn an_address_in_a_message_is_not_shown() {
        let body = br#"{"error":{"code":"itemNotFound","message":"No https://x.example/:w:/s/SeCrEt?e=1 here\n('HTTP://x/SeCrEt')"}}"#;
        let error = refusal("/x", StatusCode::BAD_REQUEST, body).to_string();
        assert!(
            error.contains("(itemNotFound: No … here") && !error.contains("SeCrEt"),
            "{error}"
        );
    }

    #[test]
    fn what_follows_from_a_status() {
        for (status, code) in [
            (400, ProblemCode::ServerError),
            (401, ProblemCode::Unauthorized),
            (403, ProblemCode::Forbidden),
            // A reason is missing: what does not exist is told by Graph itself.
            (404, ProblemCode::ServerError),
            (410, ProblemCode::ServerError),
            (423, ProblemCode::Locked),
            (429, ProblemCode::Throttled),
            (503, ProblemCode::ServerError),
            (200, ProblemCode::Malformed),
            (204, ProblemCode::Malformed),
        ] {
            let error = refusal("GET /x", StatusCode::from_u16(status).unwrap(), b"");
            assert!(
                has_code(&error, code) && error.to_string().starts_with("GET /x: "),
                "{error}"
            );
            assert!(!is_missing(&error));
            assert_eq!(ends_source(&error), status == 401);
        }
        let missing = br#"{"error":{"code":"itemNotFound","message":"Item not found"}}"#;
        let missing = refusal("GET /x", StatusCode::NOT_FOUND, missing);
        assert!(is_missing(&missing) && !is_missing(&of_a_list(missing)));
    }

    #[test]
    fn any_body_is_a_refusal() {
        let deep = format!(
            "{{\"error\":{}{}}}",
            "{\"innerError\":".repeat(90),
            "1}".repeat(90)
        );
        for body in [
            "",
            "<html>",
            "[]",
            "{\"error\":7}",
            "{\"error\":{\"code\":{}}}",
            &deep,
        ] {
            for status in [400, 401, 403, 404, 410, 423, 429, 500, 503, 200] {
                let status = StatusCode::from_u16(status).unwrap();
                assert!(!refusal("/x", status, body.as_bytes()).to_string().is_empty());
            }
        }
    }

    #[test]
    fn what_the_service_says_is_shown_without_line_breaks_and_shortened() {
        let body = serde_json::json!({"error": {"code": "a\nb", "message": "x\u{1b}[31m".repeat(100)}});
        let error = refusal("/x", StatusCode::FORBIDDEN, body.to_string().as_bytes());
        let words = error.to_string();
        assert!(
            !words.contains(['\n', '\u{1b}']) && words.chars().count() < 400,
            "{words}"
        );
    }
}
