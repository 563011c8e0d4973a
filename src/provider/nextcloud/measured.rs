//! What `benches/decode.rs` measures of the decoder, which is private and stays so. No part of the crate's interface.

use std::error::Error;

use jiff::tz::TimeZone;
use serde::Deserialize;
use url::Url;

use super::share::{self, Wire};
use super::splitter::Splitter;
use crate::model::{Share, SourceName};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    ocs: Ocs<'a>,
}

#[derive(Deserialize)]
struct Ocs<'a> {
    #[serde(borrow)]
    data: Vec<Wire<'a>>,
}

/// Decodes the pieces of an account's listing as they are decoded when they arrive, and hands over each share.
///
/// # Errors
/// Whatever is wrong with the listing, in words.
pub fn decode<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    account: &str,
    base: &Url,
    mut take: impl FnMut(Share),
) -> Result<(), Box<dyn Error>> {
    let source = SourceName::new("measured");
    let reading = share::Reading {
        source: &source,
        base,
        account,
        zone: &TimeZone::UTC,
    };
    let mut splitter = Splitter::default();
    for mut piece in pieces {
        while let Some(element) = splitter.next(&mut piece)? {
            take(share::decode(element, &reading)?);
        }
    }
    Ok(())
}

/// Reads a whole listing into the same typed structs, without making shares of them; tells how many there are.
///
/// # Errors
/// Whatever is wrong with the listing.
pub fn typed(listing: &[u8]) -> serde_json::Result<usize> {
    let answer: Answer<'_> = serde_json::from_slice(listing)?;
    Ok(std::hint::black_box(answer.ocs.data).len())
}
