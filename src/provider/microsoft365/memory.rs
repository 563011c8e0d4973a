//! What is remembered of a drive from night to night: where to ask on, and its tree.
//!
//! It is written in few bytes, the first of which is the version of its form. Whatever does not fit (another version,
//! other questions, other classes, an address of another origin) is as if there were nothing: the drive is begun anew.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use url::Url;

use super::crawl::FIELDS;
use super::graph::PREFER;
use super::tree::Tree;
use crate::model::Classes;

/// The version of the form: another one for whatever of [`Memory`] or its parts is written differently.
const VERSION: u8 = 1;

/// How long the pieces are that it is written in.
const PIECE: usize = 64 * 1024;

/// Where the service is asked on. The addresses hold tokens: it cannot be printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Next {
    /// At a page that is not the last.
    Page(String),
    /// At what has changed since the last page.
    Changes(String),
}

impl Next {
    pub(super) fn address(&self) -> &str {
        let (Self::Page(address) | Self::Changes(address)) = self;
        address
    }
}

/// What is remembered of a drive.
#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    /// What the service was asked, and what was looked for: a token, and what was counted, is good for the same only.
    terms: String,
    /// Nothing before the first page came.
    pub(super) next: Option<Next>,
    pub(super) tree: Tree,
}

impl Memory {
    /// Nothing yet.
    pub(super) fn new(classes: &Classes) -> Self {
        Self {
            terms: terms(classes),
            next: None,
            tree: Tree::new(classes),
        }
    }

    /// Reads what was written; `None` where that is of no use any more.
    pub(super) fn read(data: &[u8], classes: &Classes, base: &Url) -> Option<Self> {
        let data = data.strip_prefix(&[VERSION])?;
        let (mut memory, rest): (Self, _) = postcard::take_from_bytes(data).ok()?;
        let url = Url::parse(memory.next.as_ref()?.address()).ok()?;
        let fits = rest.is_empty() && memory.terms == terms(classes) && url.origin() == base.origin();
        memory.tree.compile(classes);
        fits.then_some(memory)
    }

    /// Writes it; `None` where there is nothing to go on with.
    pub(super) fn write(&self) -> Option<Vec<Vec<u8>>> {
        self.next.as_ref()?;
        let mut pieces = Pieces::default();
        pieces.try_push(VERSION).ok()?;
        postcard::serialize_with_flavor(self, pieces).ok()
    }

    /// Whether all was told that there was to tell.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.next, Some(Next::Changes(_)))
    }
}

/// Bytes in pieces that are never moved: together they are long, and what takes them copies each.
#[derive(Default)]
struct Pieces(Vec<Vec<u8>>);

impl Flavor for Pieces {
    type Output = Vec<Vec<u8>>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        match self.0.last_mut() {
            Some(last) if last.len() + bytes.len() <= last.capacity() => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(PIECE.max(bytes.len()));
                piece.extend_from_slice(bytes);
                self.0.push(piece);
            }
        }
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<Self::Output> {
        // Of small drives many wait to be kept.
        if let Some(last) = self.0.last_mut() {
            last.shrink_to_fit();
        }
        Ok(self.0)
    }
}

fn terms(classes: &Classes) -> String {
    format!("{PREFER}\n{FIELDS}\n{}", classes.digest())
}

#[cfg(test)]
mod tests;
