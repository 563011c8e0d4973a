//! Nights in which many owners are written to, by a mail server that takes everything at once.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::Outcome;
use crate::night::Nights;
use crate::plan::Plan;
use crate::shared::ran::Used;

pub(crate) fn measure(plan: &Plan, out: &mut dyn Write) -> Outcome<()> {
    writeln!(
        out,
        "nights of owners              letters  MB sent  wall s  user s  system s  us a letter  peak MB  state MB"
    )?;
    let mut peaks = Vec::new();
    for owners in &plan.owners {
        for attached in [false, true] {
            peaks.push((*owners, attached, one(plan, *owners, attached, out)?));
        }
    }
    for attached in [false, true] {
        let of: Vec<_> = peaks.iter().filter(|peak| peak.1 == attached).collect();
        for pair in of.windows(2) {
            if let [few, many] = pair {
                let lists = if attached { ", lists attached" } else { "" };
                writeln!(
                    out,
                    "peak memory, {} owners over {}{lists}: {:.2}",
                    many.0,
                    few.0,
                    many.2 / few.2
                )?;
            }
        }
    }
    writeln!(out)?;
    Ok(())
}

/// The peak of the night in which everybody hears.
fn one(plan: &Plan, owners: u32, attached: bool, out: &mut dyn Write) -> Outcome<f64> {
    let server = MailServer::start()?;
    let attach = if attached { "attach = \"csv\"\n" } else { "" };
    let mail = format!(
        "[mail]\nmode = \"on\"\nmax_letters = {owners}\nfrom = \"Share audit <audit@example.org>\"\n{attach}\
         transport = {{ kind = \"smtp\", host = \"127.0.0.1\", port = {}, tls = \"none\" }}\n",
        server.port
    );
    let mut nights = Nights::of(plan, owners, 0, &mail)?;
    let mut night = |nights: &Nights<'_>, name: &str| -> Outcome<f64> {
        let (letters, bytes) = server.taken();
        let used = nights.run(&["nightly"])?;
        let (letters_after, bytes_after) = server.taken();
        print(
            out,
            name,
            letters_after - letters,
            bytes_after - bytes,
            used,
            nights.size("state.db")?,
        )?;
        Ok(used.peak)
    };
    let lists = if attached { ", lists attached" } else { "" };
    night(&nights, &format!("{owners}{lists}: the first"))?;
    nights.run(&["baseline", "release", "--source", "cloud"])?;
    nights.pass()?;
    let peak = night(&nights, "  everybody is written to")?;
    nights.pass()?;
    night(&nights, "  nobody is")?;
    for _ in 0..7 {
        nights.pass()?;
    }
    night(&nights, "  everybody is reminded")?;
    writeln!(out, "  (the emulator: {})", nights.end()?)?;
    Ok(peak)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn print(out: &mut dyn Write, name: &str, letters: u64, bytes: u64, used: Used, state: f64) -> Outcome<()> {
    let each = if letters == 0 {
        "–".to_owned()
    } else {
        format!("{:.0}", used.user * 1e6 / letters as f64)
    };
    writeln!(
        out,
        "{name:<30} {letters:>6} {:>8.1} {:>7.2} {:>7.2} {:>9.2} {each:>12} {:>8.1} {state:>9.1}",
        bytes as f64 / 1e6,
        used.wall,
        used.user,
        used.system,
        used.peak
    )?;
    Ok(())
}

/// Takes every letter and keeps none.
struct MailServer {
    port: u16,
    letters: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl MailServer {
    fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self {
            port: listener.local_addr()?.port(),
            letters: Arc::default(),
            bytes: Arc::default(),
        };
        let (letters, bytes) = (server.letters.clone(), server.bytes.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (letters, bytes) = (letters.clone(), bytes.clone());
                thread::spawn(move || {
                    // Whoever hangs up has what was taken.
                    let _ = converse(&stream, &letters, &bytes);
                });
            }
        });
        Ok(server)
    }

    /// How many letters, and how many bytes of them.
    fn taken(&self) -> (u64, u64) {
        (
            self.letters.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

fn converse(mut stream: &TcpStream, letters: &AtomicU64, bytes: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    stream.write_all(b"220 sink ESMTP\r\n")?;
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.get(..4) {
            Some(b"EHLO") => b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
            Some(b"DATA") => {
                stream.write_all(b"354 go ahead\r\n")?;
                while line != b".\r\n" {
                    line.clear();
                    let read = lines.read_until(b'\n', &mut line)?;
                    if read == 0 {
                        return Ok(());
                    }
                    bytes.fetch_add(read as u64, Ordering::Relaxed);
                }
                letters.fetch_add(1, Ordering::Relaxed);
                b"250 taken\r\n"
            }
            Some(b"QUIT") => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer)?;
    }
}
