//! Pages of Graph: read at once where every element is as documented, else element by element and field by field.
//!
//! <https://learn.microsoft.com/en-us/graph/paging>. One element of another form must not hide the others, and one
//! field of another form must not hide the element: what could not be read is told apart.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::ProblemCode;
use crate::provider::{ReadError, strict};

/// An element as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told<T> {
    /// As documented.
    Whole(T),
    /// Without the fields that are of another form.
    Partly(T, Vec<String>),
    /// No object at all.
    Unread,
}

/// A page of a collection. Its addresses hold tokens: it cannot be printed.
pub(super) struct Page<T> {
    pub(super) elements: Vec<Told<T>>,
    /// Where the next page is, if there is one.
    pub(super) next: Option<String>,
    /// Where to ask for changes later: on the last page of a delta only.
    pub(super) delta: Option<String>,
    /// How long it was.
    pub(super) bytes: usize,
}

#[derive(Deserialize)]
struct Whole<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    delta: Option<String>,
}

#[derive(Deserialize)]
struct Rough<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    delta: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads a page; `None` where it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        // Looked at once, not string by string; what is no text costs only its own characters.
        let text = std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed);
        if let Ok(page) = strict::from_str::<Whole<T>>(&text) {
            return Some(Self {
                elements: page.value.into_iter().map(Told::Whole).collect(),
                next: page.next,
                delta: page.delta,
                bytes: body.len(),
            });
        }
        let page: Rough<'_> = strict::from_str(&text).ok()?;
        Some(Self {
            elements: page.value.into_iter().map(|raw| salvage(raw.get())).collect(),
            next: page.next,
            delta: page.delta,
            bytes: body.len(),
        })
    }
}

/// The longest list that is held as a whole, in bytes.
const LONGEST_LIST: usize = 64 * 1024 * 1024;
/// The longest name, address or id that is taken for one, in bytes.
const LONGEST_NAME: usize = 2048;

/// Adds a page to what is held of a list.
///
/// # Errors
/// The list is too long to be held.
pub(super) fn hold(held: usize, bytes: usize) -> Result<usize, ReadError> {
    let held = held.saturating_add(bytes);
    if held > LONGEST_LIST {
        return Err(ReadError::service(
            ProblemCode::TooLarge,
            format!("a list is longer than {} MiB", LONGEST_LIST / 1024 / 1024),
        ));
    }
    Ok(held)
}

/// An id as the service gave it; `None` where it is none, or longer than any.
pub(super) fn id_of(told: Option<String>) -> Option<String> {
    told.filter(|id| !id.is_empty() && id.len() <= LONGEST_NAME)
}

/// A name or address, shortened where it is longer than any.
pub(super) fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_NAME));
    text
}

/// A word in lower case: services do not agree on how to write it.
pub(super) fn lower(word: &str) -> Cow<'_, str> {
    if word
        .bytes()
        .any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase())
    {
        Cow::Owned(word.to_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

/// Reads an object, leaving out the fields that are of another form.
pub(super) fn salvage<T: DeserializeOwned>(text: &str) -> Told<T> {
    if let Ok(whole) = strict::from_str(text) {
        return Told::Whole(whole);
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return Told::Unread;
    };
    let mut odd = Vec::new();
    let mut fit = Map::new();
    for (name, value) in fields {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        if strict::from_value::<T>(Value::Object(alone)).is_ok() {
            fit.insert(name, value);
        } else {
            odd.push(name);
        }
    }
    strict::from_value(Value::Object(fit)).map_or(Told::Unread, |element| Told::Partly(element, odd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(default)]
    struct Thing {
        id: Option<String>,
        size: Option<u64>,
    }

    fn thing(id: &str, size: Option<u64>) -> Thing {
        Thing {
            id: Some(id.to_owned()),
            size,
        }
    }

    #[test]
    fn one_odd_element_hides_no_other_and_one_odd_field_no_element() {
        let body = br#"{"value":[{"id":"a","size":1},{"id":"b","size":"big"},7,{"id":"c"}],
            "@odata.nextLink":"https://graph.example/x"}"#;
        let page = Page::<Thing>::read(body).unwrap();
        assert_eq!(
            page.elements,
            [
                Told::Whole(thing("a", Some(1))),
                Told::Partly(thing("b", None), vec!["size".to_owned()]),
                Told::Unread,
                Told::Whole(thing("c", None)),
            ]
        );
        assert_eq!(page.next.as_deref(), Some("https://graph.example/x"));
    }

    #[test]
    fn only_an_object_is_an_element() {
        for text in [
            "",
            "[]",
            "[\"a\",1]",
            "7",
            "\"{}\"",
            "null",
            "{",
            "{}x",
            "{\"id\":",
        ] {
            assert_eq!(salvage::<Thing>(text), Told::Unread, "{text}");
        }
        assert_eq!(salvage(" {\"id\":\"a\"}"), Told::Whole(thing("a", None)));
        assert_eq!(
            Page::<Thing>::read(br#"{"value":[["a",1]]}"#).unwrap().elements,
            [Told::Unread]
        );
        let body = br#"{"value":[["a",1],{"id":"b","size":-1}]}"#;
        let odd = Told::Partly(thing("b", None), vec!["size".to_owned()]);
        assert_eq!(Page::read(body).unwrap().elements, [Told::Unread, odd]);
    }

    #[test]
    fn the_links_of_a_page_are_kept_whatever_its_elements_are() {
        for element in ["", "{}", "7", "{\"id\":7}"] {
            let body = format!(
                "{{\"@odata.context\":{{}},\"value\":[{element}],\"@odata.nextLink\":null,\"@odata.deltaLink\":\"d\"}}"
            );
            let page = Page::<Thing>::read(body.as_bytes()).unwrap();
            assert_eq!((page.next, page.delta.as_deref()), (None, Some("d")), "{element}");
        }
        // An end that cannot be told from a page in between is none.
        assert!(Page::<Thing>::read(br#"{"value":[],"@odata.nextLink":7}"#).is_none());
    }

    #[test]
    fn what_is_held_of_a_service_is_bounded() {
        let mut held = 0;
        let pages = std::iter::repeat_with(|| hold(held, 32 * 1024 * 1024).map(|all| held = all));
        assert!(pages.take(3).any(|page| page.is_err()));
        let long = "ä".repeat(1024 * 1024);
        assert_eq!(id_of(Some(long.clone())), None);
        assert_eq!(id_of(Some(String::new())), None);
        assert_eq!(id_of(Some("b!x".to_owned())).as_deref(), Some("b!x"));
        assert_eq!(cut(long), "ä".repeat(1024));
    }

    #[test]
    fn what_is_no_page_is_none() {
        for body in [
            "",
            "[]",
            "[[]]",
            "[[], \"next\", \"delta\"]",
            "{}",
            "{\"value\":{}}",
            "<html>",
            "{\"value\":[{\"id\":",
        ] {
            assert!(Page::<Thing>::read(body.as_bytes()).is_none(), "{body:.40}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing_beside_them() {
        let page =
            Page::read(b"{\"value\":[{\"id\":\"\xffa\",\"size\":1},{\"id\":\"b\"}],\"x\":\"\xfe\"}").unwrap();
        let read = [thing("\u{fffd}a", Some(1)), thing("b", None)];
        assert_eq!(page.elements, read.map(Told::Whole));
    }

    #[test]
    fn an_element_of_any_depth_is_only_unread() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let body = format!("{{\"value\":[{deep},{{\"id\":{deep}}},{{\"id\":\"a\"}}]}}");
        let page = Page::read(body.as_bytes()).unwrap();
        assert_eq!(
            page.elements,
            [Told::Unread, Told::Unread, Told::Whole(thing("a", None))]
        );
    }
}
