//! Multistatus answers, and what requests for properties look like. Knows names of properties, not their values.

use std::fmt::Write as _;

use super::error;
use super::xml::{DAV, Element, NC, OC, Xml, parse};
use crate::emulator::http::{Answer, Request};
use crate::emulator::nextcloud::tree::escaped;

/// A property, by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A multistatus answer being written.
#[derive(Debug)]
pub(crate) struct Reply {
    out: String,
}

impl Reply {
    pub(crate) fn new() -> Self {
        Self { out: String::new() }
    }

    /// Adds a response: what was found, and what not.
    pub(crate) fn add(&mut self, href: &str, found: Vec<Xml>, missing: Vec<Xml>) {
        let mut parts = vec![Xml::text("d:href", href)];
        for (props, status) in [(found, "HTTP/1.1 200 OK"), (missing, "HTTP/1.1 404 Not Found")] {
            if !props.is_empty() {
                let status = Xml::text("d:status", status);
                parts.push(Xml::with("d:propstat", vec![Xml::with("d:prop", props), status]));
            }
        }
        if parts.len() == 1 {
            let status = Xml::text("d:status", "HTTP/1.1 200 OK");
            parts.push(Xml::with("d:propstat", vec![Xml::empty("d:prop"), status]));
        }
        Xml::with("d:response", parts).write(&mut self.out);
    }

    pub(crate) fn answer(self, content_type: &str) -> Answer {
        let mut body = String::from(
            "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" \
             xmlns:s=\"http://sabredav.org/ns\" xmlns:oc=\"http://owncloud.org/ns\" xmlns:nc=\"http://nextcloud.org/ns\"",
        );
        if self.out.is_empty() {
            body.push_str("/>\n");
        } else {
            _ = writeln!(body, ">{}</d:multistatus>", self.out);
        }
        Answer::new(207, content_type, body)
    }

    /// Another account's home: present, but nothing about it is told.
    pub(crate) fn foreign_home(request: &Request, owner: &str) -> Answer {
        let Some(wanted) = wanted(request) else {
            return bad_body();
        };
        let mut reply = Self::new();
        reply.add(
            &format!("/remote.php/dav/files/{}/", encoded(owner)),
            Vec::new(),
            nameless(&wanted),
        );
        reply.answer("application/xml; charset=utf-8")
    }
}

/// How deep a PROPFIND looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Zero,
    One,
    Infinity,
}

pub(crate) fn depth(request: &Request) -> Depth {
    match request.header("depth") {
        Some("0") => Depth::Zero,
        Some("infinity") => Depth::Infinity,
        _ => Depth::One,
    }
}

/// The properties a body asks for; empty for the usual ones, none for a body that cannot be read.
pub(crate) fn wanted(request: &Request) -> Option<Vec<Wanted>> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Some(Vec::new());
    }
    let body = parse(&request.body)?;
    Some(body.child("prop").map(names).unwrap_or_default())
}

/// The properties named in a `prop` element.
pub(crate) fn names(prop: &Element) -> Vec<Wanted> {
    let wanted = |child: &Element| Wanted {
        namespace: child.namespace.clone(),
        name: child.name.clone(),
    };
    prop.children.iter().map(wanted).collect()
}

pub(crate) fn nameless(wanted: &[Wanted]) -> Vec<Xml> {
    wanted.iter().map(|prop| Xml::empty(tag_name(prop))).collect()
}

pub(crate) fn bad_body() -> Answer {
    error(
        400,
        "Sabre\\DAV\\Exception\\BadRequest",
        "The request body could not be parsed as XML",
    )
}

/// The element's name with a known prefix, or with its namespace declared in place.
pub(crate) fn tag_name(prop: &Wanted) -> String {
    match prop.namespace.as_str() {
        DAV => format!("d:{}", prop.name),
        OC => format!("oc:{}", prop.name),
        NC => format!("nc:{}", prop.name),
        other => {
            let mut declared = String::new();
            escaped(other, &mut declared);
            format!("x1:{} xmlns:x1=\"{declared}\"", prop.name)
        }
    }
}

/// Percent-encodes as the server does: lower-case, leaving `-_.~()/:@`.
pub(crate) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~()/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02x}");
        }
    }
    out
}
