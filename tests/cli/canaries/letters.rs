//! Letters: unpacked from whatever they are packed in, and sent by real and by hostile mail servers.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::Tour;
use super::marks::mark;
use crate::harness::{Config, block_on};
use crate::outgoing::attached::opened;
use crate::outgoing::real::{Real, alone, python};
use crate::outgoing::skipped;

/// What a letter says with nothing packed, and the archives that are attached to it.
pub(crate) fn unpacked(letter: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let text = String::from_utf8_lossy(letter);
    let (mut words, mut archives) = (Vec::new(), Vec::new());
    let mut packed = String::new();
    for line in text.lines().chain([""]) {
        let is_packed = line.len() > 40 && line.len() % 4 == 0 || !packed.is_empty() && !line.is_empty();
        if is_packed
            && line
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        {
            packed.push_str(line);
            continue;
        }
        match STANDARD.decode(std::mem::take(&mut packed)) {
            Ok(bytes) if bytes.starts_with(b"PK") => archives.push(bytes),
            Ok(bytes) => words.extend(bytes),
            Err(_) => {}
        }
        let line = line
            .strip_suffix('=')
            .map_or_else(|| format!("{line}\n"), str::to_owned);
        let encoded = line.replace('%', "%25").replace('=', "%");
        words.extend(percent_encoding::percent_decode_str(&encoded));
    }
    (words, archives)
}

#[test]
fn letters_are_unpacked() {
    let secret = "k7Rt9w2Xq4mZp1Ls8Vb5";
    let packed = STANDARD.encode(format!(
        "something before the secret, {secret}, and something after it, so that it is long"
    ));
    let (start, end) = packed.split_at(76);
    let letter = format!(
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe k7Rt9w2X=\r\nq4mZp1Ls8Vb5 50=25 off\r\n\r\n{start}\r\n{end}\r\n\r\nend"
    );
    let (words, archives) = unpacked(letter.as_bytes());
    let words = String::from_utf8(words).unwrap();
    assert_eq!(words.matches(secret).count(), 2, "{words}");
    assert!(
        words.contains("Grüße") && words.contains("50% off") && archives.is_empty(),
        "{words}"
    );
}

impl Tour {
    /// Takes a letter that a mail server got, and what is attached to it.
    fn arrived(&mut self, letter: &Value) {
        let to = letter["to"][0].as_str().unwrap().to_owned();
        self.said(&format!("the letter to {to}"), letter.to_string().as_bytes(), &[]);
        for part in letter["parts"].as_array().unwrap() {
            let bytes = STANDARD.decode(part["content"].as_str().unwrap()).unwrap();
            if part["file"].is_string() {
                let shown = self.may_show(&["the password of the list"], &["mail", "password", &to], &[0]);
                let password = shown.out.trim_end().to_owned();
                self.knows("the password of the list", &password);
                let archive = self.stage.path("list.zip");
                fs::write(&archive, &bytes).unwrap();
                match opened(&archive, &password) {
                    Some((is_whole, list)) => {
                        assert!(is_whole && !list.is_empty());
                        self.said(&format!("the list for {to}"), &list, &[]);
                    }
                    None => skipped("7-Zip is not installed, so that no list was searched"),
                }
            }
            self.said(&format!("a part of the letter to {to}"), &bytes, &[]);
        }
    }
}

fn mail(port: u16, sign_in: &str) -> String {
    format!(
        "[mail]\nmode = \"on\"\nmin_level = \"low\"\nattach = \"csv\"\nfallback = \"it-security@example.org\"\n\
         from = \"Share audit <audit@example.org>\"\n\
         transport = {{ kind = \"smtp\", host = \"localhost\", port = {port}, tls = \"none\"{sign_in} }}\n"
    )
}

fn with_password(tour: &mut Tour) -> (String, String) {
    let password = mark("the password of the mail account");
    tour.knows("the password of the mail account", &password);
    let file = tour.stage.write("smtp-password", &password);
    let file = toml::Value::from(file.to_string_lossy().into_owned());
    (
        password,
        format!(", user = \"audit\", password = {{ file = {file} }}"),
    )
}

#[test]
fn a_real_mail_server_is_sent_no_secret() {
    if python().is_none() {
        return skipped("no Python with aiosmtpd, so that no letter was sent to a real mail server");
    }
    let mut tour = Tour::nextcloud(&Config::default());
    let (password, sign_in) = with_password(&mut tour);
    let folder = tempfile::tempdir().unwrap();
    alone(folder.path());
    let real = Real::with_password(folder.path(), "none", &password);
    tour.stage.configure(&Config {
        more: &mail(real.port, &sign_in),
        ..Config::default()
    });
    tour.tapped();
    tour.run(&["scan"], &[0]);
    tour.run(&["baseline", "release", "--source", "cloud"], &[0]);
    tour.run(&["doctor"], &[0]);
    let ran = tour.run(&["notify"], &[0]);
    assert!(ran.out.contains("accepted"), "{}", ran.out);
    let arrived = real.arrived();
    assert!(arrived.len() > 1, "{}", ran.out);
    for letter in &arrived {
        assert_eq!(letter["account"], "audit");
        tour.arrived(letter);
    }
    tour.end();
}

/// A mail server that says back whatever it is told, the sign-in above all.
async fn echo(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let _ = write.write_all(b"220 echo ESMTP\r\n").await;
        while let Ok(Some(line)) = lines.next_line().await {
            let unpacked = line.split(' ').filter_map(|word| STANDARD.decode(word).ok());
            let unpacked: Vec<String> = unpacked
                .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
                .collect();
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250-echo\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                _ => format!("535 5.7.8 refused: {line} {}", unpacked.join(" ")),
            };
            let _ = write.write_all(format!("{answer}\r\n").as_bytes()).await;
        }
    }
}

#[test]
fn a_mail_server_that_says_the_sign_in_back_is_not_quoted() {
    let mut tour = Tour::nextcloud(&Config::default());
    let (_, sign_in) = with_password(&mut tour);
    let port = block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(echo(listener));
        port
    });
    tour.stage.configure(&Config {
        more: &mail(port, &sign_in),
        ..Config::default()
    });
    tour.tapped();
    tour.run(&["scan"], &[0]);
    tour.run(&["baseline", "release", "--source", "cloud"], &[0]);
    tour.run(&["doctor"], &[5]);
    let ran = tour.run(&["notify"], &[5]);
    assert!((ran.out + &ran.err).contains("535"));
    tour.run(&["nightly"], &[5]);
    tour.end();
}

#[test]
fn no_letter_that_graph_sends_holds_a_secret() {
    let transport = "[mail]\nmode = \"on\"\nfrom = \"Share audit <alice@example.org>\"\nfallback = \"bob@example.org\"\n\
                     transport = { kind = \"graph\", source = \"m365\", sender = \"alice@example.org\" }\nattach = \"csv\"\n";
    let mut tour = Tour::tenant(&Config {
        more: transport,
        ..Config::default()
    });
    tour.run(&["scan"], &[0, 3]);
    tour.run(&["baseline", "release", "--source", "m365"], &[0]);
    tour.run(&["notify"], &[0]);
    let mails = tour.stage.mails();
    assert!(mails.len() > 1);
    for mail in mails {
        let mime = mail["mime"].as_str().unwrap().to_owned();
        let (words, archives) = unpacked(mime.as_bytes());
        assert!(archives.len() <= 1);
        tour.said("a letter that Graph sent", &words, &[]);
        tour.said(
            "a letter that Graph sent, as it was sent",
            json!(mime).to_string().as_bytes(),
            &[],
        );
    }
    tour.end();
}
