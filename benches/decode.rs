//! Measures the way of answers from bytes to what is kept of them, beside `serde_json` into the same typed structs over
//! the same bytes.
//!
//! The answers are recorded ones, their entries repeated. Nothing is asserted: this prints, people judge.
//! `docs/performance.md` says how to read it.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sharewarden::provider::{microsoft365, nextcloud};
use url::Url;

type Outcome<T> = Result<T, Box<dyn Error>>;
/// Measures so many, in so many runs.
type Measure = fn(usize, usize) -> Outcome<()>;

const SHARES: &[u8] = include_bytes!("../fixtures/wire/nextcloud/g01_appapi_shares_alice_json.json");
const DELTA: &[u8] = include_bytes!("../fixtures/wire/graph/delta.json");
const PERMISSIONS: &[u8] = include_bytes!("../fixtures/wire/graph/permissions.json");
/// How many bytes arrive at once.
const CHUNK: usize = 16 * 1024;
/// The items of a page of a delta, and the lists of permissions of a batch.
const PAGE: usize = 500;
const BATCH: usize = 20;
const USAGE: &str = "usage: cargo bench --bench decode -- [--shares N] [--items N] [--permissions N] [--runs N]; 0 leaves out";

/// The recorded answer, its entries as they are written.
#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow)]
    ocs: Ocs<'a>,
}

#[derive(Deserialize)]
struct Ocs<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

fn main() -> Outcome<()> {
    let (mut shares, mut items, mut permissions, mut runs) = (10_000, 10_000, 10_000, 30);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match name.as_str() {
            "--bench" => {}
            "--shares" => shares = value()?.parse()?,
            "--items" => items = value()?.parse()?,
            "--permissions" => permissions = value()?.parse()?,
            "--runs" => runs = value()?.parse::<usize>()?.max(1),
            _ => return Err(USAGE.into()),
        }
    }
    let all: [(usize, Measure); 3] = [
        (shares, of_listing),
        (items, of_delta),
        (permissions, of_permissions),
    ];
    for (count, measure) in all {
        if count > 0 {
            measure(count, runs)?;
        }
    }
    Ok(())
}

/// An account's listing: cut while it arrives, each entry decoded and normalised.
fn of_listing(shares: usize, runs: usize) -> Outcome<()> {
    use nextcloud::measured;
    let recorded: Recorded<'_> = serde_json::from_slice(SHARES)?;
    let entries: Vec<&str> = recorded.ocs.data.iter().map(|entry| entry.get()).collect();
    let entries: Vec<&str> = entries.iter().copied().cycle().take(shares).collect();
    let head = r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":["#;
    let listing = format!("{head}{}]}}}}", entries.join(",")).into_bytes();
    let base = Url::parse("https://cloud.example.org/")?;
    let whole = || {
        let mut shares = 0;
        measured::decode(listing.chunks(CHUNK), "alice", &base, |share| {
            black_box(Box::new(share));
            shares += 1;
        })?;
        Ok(shares)
    };
    let typed = || Ok(measured::typed(&listing)?);
    let rows = compare((shares, runs), typed, whole)?;
    let name = format!(
        "Nextcloud, a listing: {shares} shares, {:.1} MB",
        megabytes(listing.len())
    );
    print(&name, "cut, decoded and normalised to shares", &rows)
}

/// A drive's delta: its items taken in, page by page.
fn of_delta(items: usize, runs: usize) -> Outcome<()> {
    use microsoft365::measured;
    let pages = pages(items)?;
    let whole = || measured::items(pages.iter().map(Vec::as_slice));
    let typed = || {
        let mut items = 0;
        for page in &pages {
            items += measured::typed_items(page)?;
        }
        Ok(items)
    };
    let rows = compare((items, runs), typed, whole)?;
    let bytes = pages.iter().map(Vec::len).sum();
    let name = format!(
        "Microsoft 365, a drive's delta: {items} items, {:.1} MB",
        megabytes(bytes)
    );
    print(&name, "decoded and taken into the tree", &rows)
}

/// Permissions of items: batches of answers, each a list.
fn of_permissions(shares: usize, runs: usize) -> Outcome<()> {
    use microsoft365::measured;
    let (batches, shares) = batches(shares)?;
    let whole = || {
        let mut shares = 0;
        for batch in &batches {
            measured::permissions(batch, |share| {
                black_box(Box::new(share));
                shares += 1;
            })?;
        }
        Ok(shares)
    };
    let typed = || {
        let mut shares = 0;
        for batch in &batches {
            shares += measured::typed_permissions(batch)?;
        }
        Ok(shares)
    };
    let rows = compare((shares, runs), typed, whole)?;
    let bytes = batches.iter().map(Bytes::len).sum();
    let name = format!(
        "Microsoft 365, permissions: {shares} in batches of {BATCH} lists, {:.1} MB",
        megabytes(bytes)
    );
    print(&name, "decoded and normalised to shares", &rows)
}

/// Pages of a drive with so many items: of each twenty two are folders, of each hundred files one is shared. Only
/// what a scan asks for is there.
fn pages(items: usize) -> Outcome<Vec<Vec<u8>>> {
    const ASKED: [&str; 9] = [
        "@odata.type",
        "id",
        "name",
        "parentReference",
        "folder",
        "file",
        "root",
        "shared",
        "size",
    ];
    let recorded: Value = serde_json::from_slice(DELTA)?;
    let [root, file, ..] = recorded["value"].as_array().map_or(&[][..], Vec::as_slice) else {
        return Err("the recorded delta has no items".into());
    };
    let id = |number: usize| format!("01BYE5RZ{number:026}");
    let item = |number: usize| {
        let is_folder = number % 20 < 2;
        let mut item = if number == 0 || is_folder {
            root.clone()
        } else {
            file.clone()
        };
        if let Value::Object(fields) = &mut item {
            fields.retain(|name, _| ASKED.contains(&name.as_str()));
            if number > 0 {
                fields.remove("root");
            }
            if number > 0 && number % 100 != 5 {
                fields.remove("shared");
            }
        }
        item["id"] = id(number).into();
        if number > 0 {
            // Ten folders lie in a folder.
            let parent = if is_folder {
                number / 200 * 20
            } else {
                number / 20 * 20
            };
            item["parentReference"]["id"] = id(if parent == number { 0 } else { parent }).into();
            let ending = if is_folder { "" } else { ".docx" };
            item["name"] = format!("Invented item {number:07}{ending}").into();
        }
        item
    };
    let numbers: Vec<usize> = (0..items).collect();
    let mut pages = Vec::new();
    for (place, page) in numbers.chunks(PAGE).enumerate() {
        let value: Vec<Value> = page.iter().map(|number| item(*number)).collect();
        let mut page = json!({"@odata.context": recorded["@odata.context"], "value": value});
        let link = format!("https://graph.example.org/v1.0/drives/b!Invented0Drive/root/delta?token={place}");
        let last = (place + 1) * PAGE >= items;
        page[if last {
            "@odata.deltaLink"
        } else {
            "@odata.nextLink"
        }] = link.into();
        pages.push(serde_json::to_vec(&page)?);
    }
    Ok(pages)
}

/// Answers to batches with about so many permissions, and with how many.
fn batches(shares: usize) -> Outcome<(Vec<Bytes>, usize)> {
    let list: &RawValue = serde_json::from_slice(PERMISSIONS)?;
    let recorded: Value = serde_json::from_slice(PERMISSIONS)?;
    let each = BATCH * recorded["value"].as_array().map_or(0, Vec::len);
    let responses: Vec<String> = (0..BATCH)
        .map(|id| {
            let headers = r#"{"Cache-Control":"private","Content-Type":"application/json"}"#;
            format!(r#"{{"id":"{id}","status":200,"headers":{headers},"body":{list}}}"#)
        })
        .collect();
    let batch: Bytes = format!(r#"{{"responses":[{}]}}"#, responses.join(",")).into();
    let count = (shares / each).max(1);
    Ok((vec![batch; count], count * each))
}

/// What `serde_json` alone and the whole way take, in nanoseconds each; in turns, so that what else the machine does
/// meets both.
fn compare(
    (expected, runs): (usize, usize),
    typed: impl Fn() -> Outcome<usize>,
    whole: impl Fn() -> Outcome<usize>,
) -> Outcome<[f64; 2]> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        first.push(timed(expected, &typed)?);
        second.push(timed(expected, &whole)?);
    }
    Ok([each(first, expected), each(second, expected)])
}

fn print(name: &str, way: &str, [typed, whole]: &[f64; 2]) -> Outcome<()> {
    writeln!(
        io::stdout().lock(),
        "{name}\n  {:<40} {typed:>7.0} ns each\n  {way:<40} {whole:>7.0} ns each\n  {:<40} {:>7.2}",
        "serde_json into the typed structs",
        "ratio",
        whole / typed
    )?;
    Ok(())
}

fn timed(expected: usize, work: impl FnOnce() -> Outcome<usize>) -> Outcome<Duration> {
    let began = Instant::now();
    let found = work()?;
    let took = began.elapsed();
    if found == expected {
        Ok(took)
    } else {
        Err(format!("{found} of {expected} were decoded").into())
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn each(mut times: Vec<Duration>, count: usize) -> f64 {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    median.as_secs_f64() * 1e9 / count as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
