//! What `benches/decode.rs` measures of the decoder, which is private and stays so. No part of the crate's interface.

use std::error::Error;
use std::hint::black_box;

use bytes::Bytes;
use serde::Deserialize;

use super::batch::{MOST, Responses};
use super::crawl;
use super::drives::Drive;
use super::graph::Progress;
use super::key::Key;
use super::people::Directory;
use super::permission::wire::Permission;
use super::permission::{Decoded, Decoder};
use super::tree::{self, Tree};
use super::wire::Page;
use crate::model::{Classes, Item, ItemKind, Principal, PrincipalClass, Share, SourceName};

#[derive(Deserialize)]
struct List<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
struct Batch {
    responses: Vec<Response>,
}

#[derive(Deserialize)]
struct Response {
    #[expect(dead_code, reason = "decoded to be measured")]
    id: String,
    #[expect(dead_code, reason = "decoded to be measured")]
    status: u16,
    body: List<Permission>,
}

/// Takes a drive's items in, page by page, as they are when they arrive; tells how many there were.
///
/// # Errors
/// A page is none.
pub fn items<'a>(pages: impl Iterator<Item = &'a [u8]>) -> Result<usize, Box<dyn Error>> {
    let classes = Classes::default();
    let mut tree = Tree::new(&classes);
    let mut progress = Progress::default();
    for page in pages {
        let page = Page::<tree::Told>::read(page).ok_or("this is no page")?;
        if let Some(next) = &page.next {
            progress.note(next, &page)?;
        }
        crawl::take(&mut tree, page.elements);
    }
    tree.settle();
    Ok(usize::try_from(black_box(tree).items)?)
}

/// Reads a page of items into the same typed structs; tells how many there are.
///
/// # Errors
/// Whatever is wrong with the page.
pub fn typed_items(page: &[u8]) -> serde_json::Result<usize> {
    let page: List<tree::Told> = serde_json::from_slice(page)?;
    Ok(black_box(page.value).len())
}

/// Decodes the permissions in the answer to a batch, and hands over each share.
///
/// # Errors
/// The answer is none.
pub fn permissions(answer: &Bytes, mut take: impl FnMut(Share)) -> Result<(), Box<dyn Error>> {
    let source = SourceName::new("measured");
    let drive = Drive {
        id: "drive".to_owned(),
        address: "https://example.org/".to_owned(),
        owner: Principal::new(PrincipalClass::Account, "owner@example.org"),
        group: None,
        consumer: false,
    };
    let item = Item {
        id: "item".to_owned(),
        path: "/folder/file.docx".to_owned(),
        path_is_owners: true,
        kind: ItemKind::File,
        size: Some(1),
        files_beneath: None,
        drive: Some(drive.id.clone()),
        labels: None,
    };
    let decoder = Decoder {
        source: &source,
        drive: &drive,
        people: &Directory::default(),
        key: Key::random(),
    };
    let mut responses = Responses::read(answer).ok_or("this is no answer to a batch")?;
    for response in (0..MOST).filter_map(|place| responses.take(place)) {
        let page = Page::<Permission>::read(&response.body).ok_or("this is no page")?;
        for told in page.elements {
            if let Decoded::Share(share, sign) = decoder.decode(told, &item) {
                black_box(sign);
                take(*share);
            }
        }
    }
    Ok(())
}

/// Reads the answer to a batch into the same typed structs; tells how many permissions there are.
///
/// # Errors
/// Whatever is wrong with the answer.
pub fn typed_permissions(answer: &[u8]) -> serde_json::Result<usize> {
    let batch: Batch = serde_json::from_slice(answer)?;
    let lists = batch.responses.iter().map(|response| response.body.value.len());
    let found = lists.sum();
    black_box(batch);
    Ok(found)
}
