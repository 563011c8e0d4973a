//! What the examination of every kind of source has in common, and its opening for changes. Pure.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::ReadError;
use crate::http::Answer;
use crate::model::{Check, Standing};

/// How far apart two clocks may be without a word, in seconds.
const CLOSE: i64 = 60;
/// How far apart they may be before changes are refused, in seconds.
const APART: i64 = 300;
/// What it costs where the source cannot be asked.
pub(super) const NOTHING: &str = "nothing can be read";

/// The server's own time, where its answer tells it.
pub(super) fn date(answer: &Answer) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(answer.header("date")?.trim()).ok()
}

/// Whether the two clocks agree.
pub(super) fn time(answer: &Answer, here: Timestamp) -> Check {
    let Some(there) = date(answer) else {
        return Check::new("clock", Standing::Skipped, "the server does not tell the time");
    };
    let apart = there.duration_since(here).as_secs();
    let words = match apart {
        0 => "this machine and the server agree".to_owned(),
        late @ 1.. => format!("the server is {late} s ahead of this machine"),
        early => format!("the server is {} s behind this machine", early.saturating_neg()),
    };
    let check = |standing| Check::new("clock", standing, words.as_str());
    match apart.abs() {
        0..=CLOSE => check(Standing::Good),
        apart if apart <= APART => check(Standing::Limited)
            .costs("expiry dates are judged early or late")
            .step("let both machines set their clocks by NTP"),
        _ => check(Standing::Failed)
            .costs("expiry dates are judged early or late, and changes are refused")
            .step("let both machines set their clocks by NTP"),
    }
}

/// That something failed, in the error's words.
pub(super) fn failed(about: &'static str, error: &ReadError) -> Check {
    Check::new(about, Standing::Failed, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::{HeaderMap, HeaderValue, StatusCode};
    use crate::provider::Load;

    fn told(date: &'static str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static(date));
        Answer {
            status: StatusCode::OK,
            headers,
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let here = "1994-11-06T08:49:37Z".parse().unwrap();
        let standing = |date| time(&told(date), here).standing;
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Standing::Good),
            ("Sun, 06 Nov 1994 08:48:38 GMT", Standing::Good),
            ("Sun, 06 Nov 1994 08:51:00 GMT", Standing::Limited),
            ("Sun, 06 Nov 1994 08:46:00 GMT", Standing::Limited),
            ("Sun, 06 Nov 1994 08:55:00 GMT", Standing::Failed),
            ("Mon, 06 Nov 1995 08:49:37 GMT", Standing::Failed),
            ("yesterday", Standing::Skipped),
        ];
        for (date, expected) in table {
            assert_eq!(standing(date), expected, "{date}");
        }
    }

    #[test]
    fn a_scans_length_is_bounded_by_rate_and_by_what_is_in_flight() {
        let load = Load {
            least: 0,
            most: None,
            each: Duration::from_millis(400),
        };
        assert_eq!(load.time(1000, 10.0, 4), Duration::from_secs(100));
        assert_eq!(load.time(1000, 1000.0, 4), Duration::from_secs(100));
        assert_eq!(load.time(1000, 5.0, 400), Duration::from_secs(200));
    }
}
