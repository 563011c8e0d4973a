//! Mail servers that do not do what they should.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sharewarden::notify::{Login, Outgoing, Protection, Sent, Server, Times};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{TIMES, message};
use crate::harness::block_on;

/// What a server does at a step instead of what it should.
#[derive(Clone, Copy)]
enum Does {
    Says(&'static str),
    Hangs,
    Drops,
    /// It says something without end; the first bytes of it.
    Talks(&'static [u8]),
}

/// The step (a command, `GREETING`, or `.` for the end of a letter), in which connection and which letter of it, and
/// what it does there.
struct Script {
    step: &'static str,
    /// In which of all times that it comes there; every time where there is none.
    time: Option<usize>,
    does: Does,
}

/// What a server saw: one entry a connection, with the recipients whose letters were wholly sent to it.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

struct Scripted {
    port: u16,
    seen: Seen,
}

impl Scripted {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Seen::default();
        let noted = seen.clone();
        tokio::spawn(async move {
            let mut times = 0;
            while let Ok((stream, _)) = listener.accept().await {
                noted.lock().unwrap().push(Vec::new());
                let _ = converse(stream, &script, &mut times, &noted).await;
            }
        });
        Self { port, seen }
    }

    fn outgoing(&self, login: Option<Login>) -> Outgoing {
        Outgoing::smtp(Server {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            protection: Protection::None,
            login,
            times: Times {
                open: Duration::from_millis(400),
                ..TIMES
            },
        })
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }
}

async fn converse(stream: TcpStream, script: &Script, times: &mut usize, seen: &Seen) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut step = "GREETING".to_owned();
    let mut recipient = String::new();
    loop {
        let is_meant = step == script.step && {
            *times += 1;
            script.time.is_none_or(|time| time == *times)
        };
        let usual = match step.as_str() {
            "GREETING" => "220 scripted ESMTP",
            "EHLO" => "250-scripted\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            "AUTH" => "235 welcome",
            "DATA" => "354 go ahead",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 ok",
        };
        match script.does {
            _ if !is_meant => write.write_all(format!("{usual}\r\n").as_bytes()).await?,
            Does::Says(words) => write.write_all(format!("{words}\r\n").as_bytes()).await?,
            Does::Hangs => while lines.next_line().await?.is_some() {},
            Does::Drops => return Ok(()),
            Does::Talks(words) => loop {
                write.write_all(&words.repeat(1000)).await?;
            },
        }
        let in_letter = step == "DATA"
            && (!is_meant || matches!(script.does, Does::Says(words) if words.starts_with("354")));
        loop {
            let Some(line) = lines.next_line().await? else {
                return Ok(());
            };
            if in_letter && line != "." {
                continue;
            }
            if in_letter {
                seen.lock()
                    .unwrap()
                    .last_mut()
                    .unwrap()
                    .push(std::mem::take(&mut recipient));
                step = ".".to_owned();
                break;
            }
            if let Some(to) = line.strip_prefix("RCPT TO:<") {
                recipient = to.split('@').next().unwrap_or_default().to_owned();
            }
            step = line.split(' ').next().unwrap_or_default().to_owned();
            break;
        }
    }
}

/// What becomes of letters to a, b and c, and what the server saw.
fn three(step: &'static str, time: Option<usize>, does: Does) -> (Vec<Sent>, Vec<Vec<String>>) {
    block_on(async {
        let server = Scripted::start(Script { step, time, does }).await;
        let outgoing = server.outgoing(None);
        let mut sent = Vec::new();
        for whom in ["a", "b", "c"] {
            sent.push(
                outgoing
                    .send(&message(&format!("{whom}@example.org"), whom))
                    .await,
            );
        }
        (sent, server.seen())
    })
}

/// A letter for each: accepted, refused for good, refused for now, unknown or unreachable.
fn letters(sent: &[Sent]) -> String {
    let letter = |sent: &Sent| match sent {
        Sent::Accepted { .. } => 'a',
        Sent::Refused { permanent: true, .. } => 'r',
        Sent::Refused { permanent: false, .. } => 'l',
        Sent::Unknown { .. } => '?',
        Sent::Unreachable { .. } => 'u',
    };
    sent.iter().map(letter).collect()
}

#[test]
fn each_misbehaviour_has_an_outcome_and_costs_nobody_else_their_letter() {
    use Does::{Drops, Hangs, Says, Talks};
    // The second letter meets it; what becomes of the three, and which were wholly sent in which connection.
    for (step, does, becomes, seen) in [
        // Before the end of a letter nothing was handed over: it is handed over anew.
        ("MAIL", Drops, "aaa", "a bc"),
        ("MAIL", Hangs, "aaa", "a bc"),
        ("MAIL", Says("421 4.3.2 too many letters"), "aaa", "a bc"),
        ("MAIL", Says("452 4.5.3 so many and no more"), "aaa", "a bc"),
        ("RCPT", Drops, "aaa", "a bc"),
        ("RCPT", Says("421 4.3.2 closing"), "aaa", "a bc"),
        ("DATA", Drops, "aaa", "a bc"),
        ("DATA", Says("250 what?"), "aaa", "a bc"),
        ("RCPT", Talks(b"250-x\r\n"), "aaa", "a bc"),
        ("RCPT", Talks(b"x"), "aaa", "a bc"),
        ("RCPT", Says("no SMTP"), "aaa", "a bc"),
        // One recipient, or letter, is refused.
        ("RCPT", Says("550 5.1.1 unknown"), "ara", "ac"),
        ("RCPT", Says("450 4.2.1 greylisted"), "ala", "ac"),
        ("DATA", Says("554 no valid recipients"), "ara", "ac"),
        (".", Says("552 5.3.4 too large"), "ala", "abc"),
        (".", Says("451 4.7.1 try again"), "ala", "abc"),
        (".", Says("421 4.3.0 shutting down"), "ala", "ab c"),
        // From there on nobody knows.
        (".", Drops, "a?a", "ab c"),
        (".", Hangs, "a?a", "ab c"),
        (".", Talks(b"250-x\r\n"), "a?a", "ab c"),
        (".", Talks(b"x"), "a?a", "ab c"),
        (".", Says("no SMTP"), "a?a", "ab c"),
        (".", Says("354 go on"), "a?a", "ab c"),
    ] {
        let (sent, got) = three(step, Some(2), does);
        assert_eq!(letters(&sent), becomes, "{step}: {sent:?}");
        let got: Vec<String> = got.iter().map(|letters| letters.concat()).collect();
        assert_eq!(got.join(" "), seen, "{step}: {sent:?}");
    }
}

#[test]
fn a_server_that_takes_nothing_is_unreachable_and_told_why() {
    use Does::{Drops, Hangs, Says, Talks};
    for (step, does, part) in [
        ("GREETING", Hangs, "does not answer in time"),
        ("GREETING", Drops, "incomplete response"),
        ("GREETING", Says("554 5.7.1 not you"), "554 5.7.1 not you"),
        ("GREETING", Talks(b"x"), ""),
        (
            "GREETING",
            Talks(b"220-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
            "",
        ),
        ("EHLO", Says("502 no"), "502 no"),
        ("EHLO", Hangs, "does not answer in time"),
        (
            "MAIL",
            Says("553 5.7.1 not your address"),
            "refuses the sender: 553 5.7.1 not your address",
        ),
        ("MAIL", Says("530 5.7.0 sign in"), "530 5.7.0 sign in"),
        (
            "MAIL",
            Says("451 \u{1b}[31m\u{202e}later"),
            "451 \\u{1b}[31m\\u{202e}later",
        ),
        ("RCPT", Says("530 5.7.57 sign in"), "530 5.7.57 sign in"),
    ] {
        let (sent, seen) = three(step, None, does);
        assert_eq!(letters(&sent), "uuu", "{step}: {sent:?}");
        assert!(seen.concat().is_empty());
        for sent in &sent {
            let Sent::Unreachable { words } = sent else {
                continue;
            };
            assert!(
                words.contains(part) && words.starts_with("the mail server 127.0.0.1:"),
                "{words}"
            );
            assert!(words.len() < 1000);
        }
    }
}

#[test]
fn one_that_stumbles_over_a_recipient_again_may_take_others() {
    for (step, does) in [
        ("RCPT", Does::Hangs),
        ("RCPT", Does::Drops),
        ("DATA", Does::Drops),
    ] {
        let (sent, seen) = three(step, None, does);
        assert_eq!(letters(&sent), "lll", "{step}: {sent:?}");
        assert!(seen.concat().is_empty());
    }
}

#[test]
fn a_sign_in_that_is_repeated_by_the_server_is_not_shown() {
    let told = "535 not AGF1ZGl0AHMzY3JldA== nor s3cret nor czNjcmV0 for audit";
    let sent = block_on(async {
        let server = Scripted::start(Script {
            step: "AUTH",
            time: None,
            does: Does::Says(told),
        })
        .await;
        let login = Login {
            user: "audit".to_owned(),
            password: "s3cret".into(),
        };
        let outgoing = server.outgoing(Some(login));
        assert!(!format!("{outgoing:?}").contains("s3cret"));
        let check = outgoing.examine().await;
        assert!(
            check.found.contains("535 not *** nor *** nor *** for audit"),
            "{check:?}"
        );
        outgoing.send(&message("bob@example.org", "one")).await
    });
    assert!(
        matches!(&sent, Sent::Unreachable { words } if words.contains("sign-in: 535 not *** nor ***")),
        "{sent:?}"
    );
}

#[test]
fn letters_at_the_same_time_go_one_after_the_other() {
    let script = Script {
        step: "MAIL",
        time: Some(5),
        does: Does::Hangs,
    };
    block_on(async {
        let server = Scripted::start(script).await;
        let outgoing = server.outgoing(None);
        let send = |whom: &'static str| {
            let outgoing = &outgoing;
            async move {
                outgoing
                    .send(&message(&format!("{whom}@example.org"), whom))
                    .await
            }
        };
        let sent = futures::future::join_all(["a", "b", "c", "d"].map(send)).await;
        assert_eq!(letters(&sent), "aaaa");
        // One that is given up in the midst of it is not gone on with.
        let given_up = tokio::time::timeout(Duration::from_millis(50), send("e")).await;
        assert!(given_up.is_err());
        assert_eq!(letters(&[send("f").await]), "a");
        let seen: Vec<String> = server.seen().iter().map(|letters| letters.concat()).collect();
        assert_eq!(seen, ["abcd", "f"]);
    });
}

#[test]
fn nobody_is_there() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Scripted {
            port,
            seen: Seen::default(),
        };
        let sent = server.outgoing(None).send(&message("a@example.org", "a")).await;
        assert!(
            matches!(&sent, Sent::Unreachable { words } if words.contains("refused")),
            "{sent:?}"
        );
    });
}
