//! Reading `WebDAV` request bodies and writing its answers. Knows elements, not what they mean.

use std::fmt::Write as _;

use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::emulator::nextcloud::tree::escaped;

pub(crate) const DAV: &str = "DAV:";
pub(crate) const OC: &str = "http://owncloud.org/ns";
pub(crate) const NC: &str = "http://nextcloud.org/ns";
const DEEPEST: usize = 64;

/// An element of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Element {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of a path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }
}

/// Reads a body; none where it is no well-formed XML or nests absurdly.
pub(crate) fn parse(body: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.0.to_owned(),
            _ => String::new(),
        };
        match event {
            Event::Start(start) | Event::Empty(start) if open.len() > DEEPEST => {
                drop(start);
                return None;
            }
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                open.push(Element {
                    namespace,
                    name,
                    ..Element::default()
                });
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                open.last_mut()?.children.push(Element {
                    namespace,
                    name,
                    ..Element::default()
                });
            }
            Event::End(_) => {
                let done = open.pop()?;
                open.last_mut()?.children.push(done);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.text.push_str(&text),
            Event::GeneralRef(entity) => {
                let letter = match &*entity {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => entity.resolve_char_ref().ok()??,
                };
                open.last_mut()?.text.push(letter);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let [root] = open.as_mut_slice() else { return None };
    root.children.pop()
}

/// An element of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Xml {
    name: String,
    attributes: Vec<(&'static str, String)>,
    text: Option<String>,
    children: Vec<Xml>,
}

impl Xml {
    /// `<name/>`.
    pub(crate) fn empty(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            attributes: Vec::new(),
            text: None,
            children: Vec::new(),
        }
    }

    /// `<name>text</name>`, also where the text is empty.
    pub(crate) fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::empty(name)
        }
    }

    pub(crate) fn with(name: impl Into<String>, children: Vec<Xml>) -> Self {
        Self {
            children,
            ..Self::empty(name)
        }
    }

    pub(crate) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(crate) fn write(&self, out: &mut String) {
        _ = write!(out, "<{}", self.name);
        for (name, value) in &self.attributes {
            _ = write!(out, " {name}=\"");
            escaped(value, out);
            out.push('"');
        }
        if self.text.is_none() && self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        escaped(self.text.as_deref().unwrap_or_default(), out);
        for child in &self.children {
            child.write(out);
        }
        // The opening name may carry a namespace declaration.
        _ = write!(out, "</{}>", self.name.split(' ').next().unwrap_or_default());
    }
}
