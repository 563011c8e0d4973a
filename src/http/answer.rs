//! A whole answer. Judging its status is the adapter's.

use std::fmt;

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};

/// An answer that was read to its end.
#[derive(Clone)]
pub struct Answer {
    /// The status, whatever it says.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl Answer {
    /// A header's text, if it is there once at least and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without its parameters, in small letters: `application/json`.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        media_type(&self.headers)
    }

    /// Whether the answer says it is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.content_type()
            .is_some_and(|media| media == "application/json" || media.ends_with("+json"))
    }

    /// Whether the answer says it is XML.
    #[must_use]
    pub fn is_xml(&self) -> bool {
        self.content_type()
            .is_some_and(|media| media == "application/xml" || media == "text/xml" || media.ends_with("+xml"))
    }
}

/// Bodies and header values may hold link tokens and session cookies: only their sizes and names are shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status.as_u16())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &self.body.len())
            .finish()
    }
}

/// The media type that headers declare, without its parameters, in small letters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let declared = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = declared.split(';').next()?.trim();
    (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn answer(content_type: &'static [u8]) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_bytes(content_type).unwrap());
        Answer {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_static(b"{\"token\":\"SECRET\"}"),
        }
    }

    #[test]
    fn content_types_are_told_by_their_essence() {
        assert!(answer(b"Application/JSON; charset=utf-8").is_json());
        assert!(answer(b"application/scim+json").is_json());
        assert!(answer(b"text/xml;charset=x").is_xml());
        assert!(!answer(b"text/html").is_json());
        assert_eq!(answer(b"\xff\xfe").content_type(), None);
        assert_eq!(answer(b" ; x").content_type(), None);
    }

    #[test]
    fn debug_of_an_answer_shows_no_body() {
        let shown = format!("{:?}", answer(b"application/json"));
        assert!(!shown.contains("SECRET"), "{shown}");
        assert!(shown.contains("18"), "{shown}");
    }
}
