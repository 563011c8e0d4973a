//! Measures the way of a listing from bytes to shares, beside `serde_json` into the same typed structs over the same
//! bytes.
//!
//! The listing is a recorded one, its entries repeated. Nothing is asserted: this prints, people judge.
//! `docs/performance.md` says how to read it.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use sharewarden::provider::nextcloud::measured;
use url::Url;

type Outcome<T> = Result<T, Box<dyn Error>>;

const RECORDED: &[u8] = include_bytes!("../fixtures/wire/nextcloud/g01_appapi_shares_alice_json.json");
/// How many bytes arrive at once.
const CHUNK: usize = 16 * 1024;
const USAGE: &str = "usage: cargo bench --bench decode -- [--shares N] [--runs N]";

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
    let (mut shares, mut runs) = (10_000, 30);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match name.as_str() {
            "--bench" => {}
            "--shares" => shares = value()?.parse()?,
            "--runs" => runs = value()?.parse::<usize>()?.max(1),
            _ => return Err(USAGE.into()),
        }
    }
    let listing = listing(shares)?;
    let base = Url::parse("https://cloud.example.org/")?;
    let (mut typed, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        // In turns, so that what else the machine does meets both.
        typed.push(timed(shares, || Ok(measured::typed(&listing)?))?);
        whole.push(timed(shares, || decode_whole(&listing, &base))?);
    }
    let (typed, whole) = (per_share(typed, shares), per_share(whole, shares));
    writeln!(
        io::stdout().lock(),
        "{shares} shares, {:.1} MB, median of {runs}\n\
         serde_json into the typed structs       {typed:>7.0} ns a share\n\
         cut, decoded and normalised to shares   {whole:>7.0} ns a share\n\
         ratio                                   {:>7.2}",
        megabytes(listing.len()),
        whole / typed
    )?;
    Ok(())
}

/// The recorded listing with so many entries.
fn listing(shares: usize) -> Outcome<Vec<u8>> {
    let recorded: Recorded<'_> = serde_json::from_slice(RECORDED)?;
    let entries: Vec<&str> = recorded.ocs.data.iter().map(|entry| entry.get()).collect();
    let entries: Vec<&str> = entries.iter().copied().cycle().take(shares).collect();
    let head = r#"{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":["#;
    Ok(format!("{head}{}]}}}}", entries.join(",")).into_bytes())
}

/// As an account's listing is read: cut while it arrives, each entry decoded and normalised.
fn decode_whole(listing: &[u8], base: &Url) -> Outcome<usize> {
    let mut shares = 0;
    measured::decode(listing.chunks(CHUNK), "alice", base, |share| {
        black_box(Box::new(share));
        shares += 1;
    })?;
    Ok(shares)
}

fn timed(expected: usize, work: impl FnOnce() -> Outcome<usize>) -> Outcome<Duration> {
    let began = Instant::now();
    let found = work()?;
    let took = began.elapsed();
    if found == expected {
        Ok(took)
    } else {
        Err(format!("{found} of {expected} shares were decoded").into())
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_share(mut times: Vec<Duration>, shares: usize) -> f64 {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    median.as_secs_f64() * 1e9 / shares as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
