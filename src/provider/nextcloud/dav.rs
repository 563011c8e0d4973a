//! Decodes WebDAV multistatus answers (RFC 4918, section 13) response by response, while they arrive.
//!
//! Namespaces are resolved, prefixes do not matter. Document types are refused and entities are not
//! expanded; depth, text and the bytes between two tags are bounded, so that no answer can fill the memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use percent_encoding::percent_decode_str;
use quick_xml::NsReader;
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::http::Body;
use crate::model::ProblemCode;
use crate::provider::ReadError;

const DAV: &str = "DAV:";
const OWNCLOUD: &str = "http://owncloud.org/ns";
const NEXTCLOUD: &str = "http://nextcloud.org/ns";

/// How deep elements may be nested.
const MAX_DEPTH: usize = 32;
/// The most bytes that one tag or one text may take.
const MAX_EVENT: usize = 1024 * 1024;
/// The longest text of one element that is kept.
const MAX_TEXT: usize = 64 * 1024;

/// What a multistatus answer says of one resource; only properties with status 200 count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resource {
    /// The decoded path, as the server writes it.
    pub(super) href: String,
    pub(super) folder: bool,
    pub(super) file_id: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) owner_name: Option<String>,
    /// In bytes, all beneath a folder included; `None` also where the server has not looked into it yet.
    pub(super) size: Option<u64>,
    /// How many files lie directly in a folder.
    pub(super) files: Option<u64>,
    /// How many folders lie directly in a folder, mounts included.
    pub(super) folders: Option<u64>,
    /// Whether another storage is mounted there.
    pub(super) mount: Option<bool>,
    pub(super) name: Option<String>,
    /// The types of the shares on it, of `OCP\Share\IShare`.
    pub(super) share_types: Vec<i64>,
    /// A tag's id, where the resource is a tag.
    pub(super) tag_id: Option<String>,
    /// Whether a tag is visible to administrators only.
    pub(super) tag_hidden: bool,
}

/// Reads a multistatus answer resource by resource.
pub(super) struct Multistatus {
    reader: NsReader<Capped>,
    buffer: Vec<u8>,
    path: Vec<Element>,
    text: String,
    resource: Resource,
    /// Properties of the current propstat, until its status is known.
    pending: Resource,
    status_good: bool,
    begun: bool,
    ended: bool,
}

/// The elements that matter; all others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Multistatus,
    Response,
    Href,
    Propstat,
    Status,
    Prop,
    ResourceType,
    Collection,
    FileId,
    OwnerId,
    OwnerName,
    Size,
    FileCount,
    FolderCount,
    MountRoot,
    DisplayName,
    ShareTypes,
    ShareType,
    TagId,
    TagVisible,
    Other,
}

impl Element {
    fn of(namespace: &ResolveResult<'_>, local: &str) -> Self {
        let ResolveResult::Bound(Namespace(namespace)) = namespace else {
            return Self::Other;
        };
        match (*namespace, local) {
            (DAV, "multistatus") => Self::Multistatus,
            (DAV, "response") => Self::Response,
            (DAV, "href") => Self::Href,
            (DAV, "propstat") => Self::Propstat,
            (DAV, "status") => Self::Status,
            (DAV, "prop") => Self::Prop,
            (DAV, "resourcetype") => Self::ResourceType,
            (DAV, "collection") => Self::Collection,
            (DAV, "displayname") | (OWNCLOUD, "display-name") => Self::DisplayName,
            (OWNCLOUD, "fileid") => Self::FileId,
            (OWNCLOUD, "owner-id") => Self::OwnerId,
            (OWNCLOUD, "owner-display-name") => Self::OwnerName,
            (OWNCLOUD, "size") => Self::Size,
            (NEXTCLOUD, "contained-file-count") => Self::FileCount,
            (NEXTCLOUD, "contained-folder-count") => Self::FolderCount,
            (NEXTCLOUD, "is-mount-root") => Self::MountRoot,
            (OWNCLOUD, "share-types") => Self::ShareTypes,
            (OWNCLOUD, "share-type") => Self::ShareType,
            (OWNCLOUD, "id") => Self::TagId,
            (OWNCLOUD, "user-visible") => Self::TagVisible,
            _ => Self::Other,
        }
    }
}

impl Multistatus {
    /// Reads the body of an answer with status 207.
    pub(super) fn new(body: Body) -> Self {
        Self::over(Capped::new(Source::Body(Box::new(body))))
    }

    /// Reads an answer that comes in these pieces.
    #[cfg(any(test, fuzzing))]
    pub(super) fn in_pieces(pieces: Vec<bytes::Bytes>) -> Self {
        Self::over(Capped::new(Source::Pieces(pieces.into_iter())))
    }

    fn over(bytes: Capped) -> Self {
        Self {
            reader: NsReader::from_reader(bytes),
            buffer: Vec::new(),
            path: Vec::new(),
            text: String::new(),
            resource: Resource::default(),
            pending: Resource::default(),
            status_good: false,
            begun: false,
            ended: false,
        }
    }

    /// The next resource; `None` after the last, and only if the answer was whole.
    pub(super) async fn next(&mut self) -> Result<Option<Resource>, ReadError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().taken = 0;
            let (namespace, event) = match self.reader.read_resolved_event_into_async(&mut self.buffer).await
            {
                Ok(read) => read,
                Err(error) => return Err(self.reader.get_mut().failure(&error)),
            };
            match event {
                Event::Start(tag) => {
                    let element = Element::of(&namespace, tag.local_name().as_ref());
                    self.open(element)?;
                }
                Event::Empty(tag) => {
                    let element = Element::of(&namespace, tag.local_name().as_ref());
                    self.open(element)?;
                    self.close();
                }
                Event::End(_) => {
                    if let Some(resource) = self.close() {
                        return Ok(Some(resource));
                    }
                }
                Event::Text(text) => {
                    let text = text.to_string();
                    self.add(&text);
                }
                Event::CData(text) => {
                    let text = text.to_string();
                    self.add(&text);
                }
                Event::GeneralRef(reference) => {
                    let text = expand(&reference)?;
                    self.add(&text);
                }
                Event::DocType(_) => return Err(malformed("it declares a document type, which is refused")),
                Event::Eof if self.ended => return Ok(None),
                Event::Eof if !self.begun => return Err(malformed("it is no multistatus answer")),
                Event::Eof => {
                    return Err(ReadError::service(
                        ProblemCode::Truncated,
                        "the answer ended before its end: its XML is not closed",
                    ));
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    fn open(&mut self, element: Element) -> Result<(), ReadError> {
        if self.path.len() >= MAX_DEPTH {
            return Err(malformed("its elements are nested too deep"));
        }
        if self.path.is_empty() && element != Element::Multistatus {
            return Err(malformed("it is no multistatus answer"));
        }
        self.begun = true;
        self.text.clear();
        match element {
            Element::Response => self.resource = Resource::default(),
            Element::Propstat => {
                self.pending = Resource::default();
                self.status_good = false;
            }
            Element::Collection if self.path.last() == Some(&Element::ResourceType) => {
                self.pending.folder = true;
            }
            _ => {}
        }
        self.path.push(element);
        Ok(())
    }

    fn close(&mut self) -> Option<Resource> {
        let element = self.path.pop()?;
        let parent = self.path.last().copied();
        let text = std::mem::take(&mut self.text);
        let text = text.trim_matches(['\n', '\r', '\t']);
        let filled = (!text.is_empty()).then(|| text.to_owned());
        match (parent, element) {
            (None, Element::Multistatus) => self.ended = true,
            (Some(Element::Multistatus), Element::Response) => {
                return Some(std::mem::take(&mut self.resource));
            }
            (Some(Element::Response), Element::Href) => {
                self.resource.href = percent_decode_str(text).decode_utf8_lossy().into_owned();
            }
            (Some(Element::Propstat), Element::Status) => {
                self.status_good = text.split_whitespace().nth(1) == Some("200");
            }
            (Some(Element::Response), Element::Propstat) if self.status_good => {
                let href = std::mem::take(&mut self.resource.href);
                self.resource = Resource {
                    href,
                    ..std::mem::take(&mut self.pending)
                };
            }
            (Some(Element::Prop), Element::FileId) => self.pending.file_id = filled,
            (Some(Element::Prop), Element::OwnerId) => self.pending.owner = filled,
            (Some(Element::Prop), Element::OwnerName) => self.pending.owner_name = filled,
            (Some(Element::Prop), Element::Size) => self.pending.size = text.parse().ok(),
            (Some(Element::Prop), Element::FileCount) => self.pending.files = text.parse().ok(),
            (Some(Element::Prop), Element::FolderCount) => self.pending.folders = text.parse().ok(),
            (Some(Element::Prop), Element::MountRoot) => self.pending.mount = text.parse().ok(),
            (Some(Element::Prop), Element::DisplayName) => self.pending.name = filled,
            (Some(Element::Prop), Element::TagId) => self.pending.tag_id = filled,
            (Some(Element::Prop), Element::TagVisible) => {
                self.pending.tag_hidden = text == "false" || text == "0";
            }
            (Some(Element::ShareTypes), Element::ShareType) => {
                // A type that is no number is one that this version does not know.
                self.pending
                    .share_types
                    .push(text.trim().parse().unwrap_or(i64::MIN));
            }
            _ => {}
        }
        None
    }

    fn add(&mut self, text: &str) {
        if self.text.len() + text.len() <= MAX_TEXT {
            self.text.push_str(text);
        }
    }
}

/// Character references and the five entities of XML; any other is refused, never expanded.
fn expand(reference: &BytesRef<'_>) -> Result<String, ReadError> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character.to_string());
    }
    match &**reference {
        "amp" => Ok("&".to_owned()),
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err(malformed("it uses an entity of its own, which is refused")),
    }
}

/// What is wrong with XML. The error itself may quote what the answer holds, at any length.
fn words(error: &quick_xml::Error) -> String {
    match error {
        quick_xml::Error::Syntax(error) => return error.to_string(),
        quick_xml::Error::IllFormed(_) => "its tags do not fit together",
        quick_xml::Error::InvalidAttr(_) => "one of its attributes is none",
        quick_xml::Error::Encoding(_) => "it is no UTF-8 text",
        quick_xml::Error::Escape(_) => "one of its character references is none",
        quick_xml::Error::Namespace(_) => "one of its namespaces is not declared, or must not be",
        quick_xml::Error::Io(_) => "it cannot be read",
    }
    .to_owned()
}

fn malformed(what: &str) -> ReadError {
    ReadError::service(
        ProblemCode::Malformed,
        format!("the WebDAV answer is not as documented: {what}"),
    )
}

/// The bytes of an answer, with a limit on how many are taken between two events.
struct Capped {
    source: Source,
    chunk: bytes::Bytes,
    taken: usize,
    failed: Option<ReadError>,
}

type NextChunk = Result<Option<bytes::Bytes>, crate::http::HttpError>;

enum Source {
    Body(Box<Body>),
    Waiting(futures::future::BoxFuture<'static, (Box<Body>, NextChunk)>),
    #[cfg(any(test, fuzzing))]
    Pieces(std::vec::IntoIter<bytes::Bytes>),
    Ended,
}

impl Capped {
    fn new(source: Source) -> Self {
        Self {
            source,
            chunk: bytes::Bytes::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Why reading failed: the connection's reason where there is one, else the XML's.
    fn failure(&mut self, error: &quick_xml::Error) -> ReadError {
        let at_end = matches!(self.source, Source::Ended) && self.chunk.is_empty();
        match (self.failed.take(), error) {
            (Some(failed), _) => failed,
            (None, quick_xml::Error::Syntax(_)) if at_end => ReadError::service(
                ProblemCode::Truncated,
                "the answer ended before its end: its XML is not closed",
            ),
            (None, error) => malformed(&words(error)),
        }
    }

    fn fail(&mut self, error: ReadError) -> std::io::Error {
        self.source = Source::Ended;
        self.failed = Some(error);
        std::io::Error::other("reading failed")
    }
}

impl AsyncRead for Capped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let available = match self.as_mut().poll_fill_buf(context) {
            Poll::Ready(Ok(available)) => available,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let count = available.len().min(buffer.remaining());
        buffer.put_slice(available.get(..count).unwrap_or_default());
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Capped {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.taken > MAX_EVENT {
            let error = malformed("one of its elements is too large");
            return Poll::Ready(Err(this.fail(error)));
        }
        while this.chunk.is_empty() {
            match std::mem::replace(&mut this.source, Source::Ended) {
                Source::Ended => break,
                #[cfg(any(test, fuzzing))]
                Source::Pieces(mut pieces) => {
                    if let Some(piece) = pieces.next() {
                        this.chunk = piece;
                        this.source = Source::Pieces(pieces);
                    }
                }
                Source::Body(mut body) => {
                    this.source = Source::Waiting(Box::pin(async move {
                        let chunk = body.chunk().await;
                        (body, chunk)
                    }));
                }
                Source::Waiting(mut waiting) => match waiting.as_mut().poll(context) {
                    Poll::Pending => {
                        this.source = Source::Waiting(waiting);
                        return Poll::Pending;
                    }
                    Poll::Ready((body, Ok(Some(chunk)))) => {
                        this.chunk = chunk;
                        this.source = Source::Body(body);
                    }
                    Poll::Ready((_, Ok(None))) => {}
                    Poll::Ready((_, Err(error))) => return Poll::Ready(Err(this.fail(error.into()))),
                },
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.taken += count;
        let count = count.min(self.chunk.len());
        let _ = self.chunk.split_to(count);
    }
}

#[cfg(test)]
mod tests;
