//! Looks for secrets in whatever was said, sent or kept, in each of the forms in which one may be written.
//!
//! A part of a secret counts, too: from eight to thirteen bytes of it on, depending on the form. All is found in one walk over the text,
//! however many secrets there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// How many bytes are compared at first.
const WINDOW: usize = 8;
/// No secret that is looked for is shorter.
pub(super) const SHORTEST: usize = 12;
/// The bits of the sieve.
const SIEVE: u32 = 22;

/// A way of writing a secret.
struct Form {
    name: &'static str,
    /// How many bytes of it have to be the same to be found.
    needs: usize,
    write: fn(&[u8]) -> Vec<u8>,
}

fn each(secret: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
    secret
        .iter()
        .map(|byte| write(*byte))
        .collect::<String>()
        .into_bytes()
}

/// What a secret holds that is written in Base64 itself.
fn unpacked(secret: &[u8]) -> Vec<u8> {
    let bare = secret.trim_ascii_end();
    STANDARD_NO_PAD
        .decode(bare)
        .or_else(|_| URL_SAFE_NO_PAD.decode(bare))
        .unwrap_or_default()
}

/// Base64 of a text in which the secret stands after so many other bytes: only the letters that it alone decides.
fn base64(secret: &[u8], before: usize) -> Vec<u8> {
    let all = [&vec![0; before], secret].concat();
    let text = STANDARD_NO_PAD.encode(&all);
    let (from, to) = ((before * 8).div_ceil(6), all.len() * 8 / 6);
    text.as_bytes()[from..to].to_vec()
}

fn url_safe(text: Vec<u8>) -> Vec<u8> {
    let swap = |byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    };
    text.into_iter().map(swap).collect()
}

const FORMS: [Form; 19] = [
    Form {
        name: "as it is",
        needs: 8,
        write: <[u8]>::to_vec,
    },
    Form {
        name: "reversed",
        needs: 10,
        write: |it| it.iter().rev().copied().collect(),
    },
    Form {
        name: "in capitals",
        needs: 12,
        write: <[u8]>::to_ascii_uppercase,
    },
    Form {
        name: "in small letters",
        needs: 12,
        write: <[u8]>::to_ascii_lowercase,
    },
    Form {
        name: "unpacked from Base64",
        needs: 12,
        write: unpacked,
    },
    Form {
        name: "Base64",
        needs: 12,
        write: |it| base64(it, 0),
    },
    Form {
        name: "Base64 after one byte",
        needs: 12,
        write: |it| base64(it, 1),
    },
    Form {
        name: "Base64 after two bytes",
        needs: 12,
        write: |it| base64(it, 2),
    },
    Form {
        name: "Base64 for addresses",
        needs: 12,
        write: |it| url_safe(base64(it, 0)),
    },
    Form {
        name: "Base64 for addresses after one byte",
        needs: 12,
        write: |it| url_safe(base64(it, 1)),
    },
    Form {
        name: "Base64 for addresses after two bytes",
        needs: 12,
        write: |it| url_safe(base64(it, 2)),
    },
    Form {
        name: "hexadecimal",
        needs: 16,
        write: |it| each(it, |byte| format!("{byte:02x}")),
    },
    Form {
        name: "hexadecimal in capitals",
        needs: 16,
        write: |it| each(it, |byte| format!("{byte:02X}")),
    },
    Form {
        name: "UTF-16",
        needs: 16,
        write: |it| it.iter().flat_map(|byte| [*byte, 0]).collect(),
    },
    Form {
        name: "percent-encoded",
        needs: 24,
        write: |it| each(it, |byte| format!("%{byte:02X}")),
    },
    Form {
        name: "a list of numbers",
        needs: 30,
        write: |it| each(it, |byte| format!("{byte}, ")),
    },
    Form {
        name: "a list of numbers without spaces",
        needs: 24,
        write: |it| each(it, |byte| format!("{byte},")),
    },
    Form {
        name: "escaped for JSON",
        needs: 40,
        write: |it| each(it, |byte| format!("\\u{byte:04x}")),
    },
    Form {
        name: "escaped for HTML",
        needs: 36,
        write: |it| each(it, |byte| format!("&#{byte};")),
    },
];

/// What was found: which secret, in which form, and what stands around it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) secret: String,
    form: &'static str,
    near: String,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.secret, self.form, self.near)
    }
}

/// Secrets in all their forms.
pub(super) struct Search {
    names: Vec<String>,
    /// A secret's number, its form's, and how it is written.
    written: Vec<(usize, usize, Vec<u8>)>,
    /// Where a window stands: which of what is written, and from which of its bytes on.
    windows: HashMap<u64, Vec<(u32, u32)>>,
    sieve: Vec<u64>,
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn sieved(window: u64) -> usize {
    usize::try_from(window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SIEVE)).unwrap()
}

impl Search {
    /// A search for secrets by their names.
    pub(super) fn new(secrets: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut search = Self {
            names: secrets.keys().cloned().collect(),
            written: Vec::new(),
            windows: HashMap::new(),
            sieve: vec![0; 1 << (SIEVE - 6)],
        };
        for (secret, bytes) in secrets.values().enumerate() {
            assert!(bytes.len() >= SHORTEST, "{} is too short", search.names[secret]);
            let mut all = BTreeSet::new();
            for (form, kind) in FORMS.iter().enumerate() {
                let written = (kind.write)(bytes);
                if written.len() >= kind.needs && all.insert(written.clone()) {
                    search.add(secret, form, written);
                }
            }
        }
        search
    }

    fn add(&mut self, secret: usize, form: usize, written: Vec<u8>) {
        let which = u32::try_from(self.written.len()).unwrap();
        // One of so many windows that follow each other is in any part that is long enough.
        let step = FORMS[form].needs - WINDOW + 1;
        for from in (0..=written.len() - WINDOW).step_by(step) {
            let window = number(&written[from..from + WINDOW]);
            let at = sieved(window);
            self.sieve[at / 64] |= 1 << (at % 64);
            let from = u32::try_from(from).unwrap();
            self.windows.entry(window).or_default().push((which, from));
        }
        self.written.push((secret, form, written));
    }

    /// Every secret that is in a text, each once in each form.
    pub(super) fn of(&self, text: &[u8]) -> Vec<Found> {
        let mut found = BTreeMap::new();
        let mut window = 0_u64;
        for (end, byte) in text.iter().enumerate() {
            window = window << 8 | u64::from(*byte);
            let at = sieved(window);
            if self.sieve[at / 64] & 1 << (at % 64) == 0 || end + 1 < WINDOW {
                continue;
            }
            for (which, from) in self.windows.get(&window).into_iter().flatten() {
                let (secret, form, written) = &self.written[*which as usize];
                let from = *from as usize;
                let start = end + 1 - WINDOW;
                let before = (0..from.min(start))
                    .take_while(|back| written[from - 1 - back] == text[start - 1 - back])
                    .count();
                let after = written[from + WINDOW..]
                    .iter()
                    .zip(&text[end + 1..])
                    .take_while(|(own, theirs)| own == theirs)
                    .count();
                if before + WINDOW + after >= FORMS[*form].needs {
                    let near = &text[start.saturating_sub(80)..text.len().min(end + 40)];
                    found.entry((secret, form)).or_insert_with(|| Found {
                        secret: self.names[*secret].clone(),
                        form: FORMS[*form].name,
                        near: String::from_utf8_lossy(near).escape_debug().to_string(),
                    });
                }
            }
        }
        found.into_values().collect()
    }

    /// In how many forms the secrets are looked for.
    pub(super) fn forms(&self) -> usize {
        self.written.len()
    }
}

#[test]
fn every_form_of_a_secret_is_found_and_a_part_of_it_too() {
    let secret = "k7Rt9w2Xq4mZp1Ls8Vb5".as_bytes();
    let another = "Yh3Nc6Gd0Fj8Tu2Ke5Wa".as_bytes();
    let search = Search::new(&BTreeMap::from([
        ("one".to_owned(), secret.to_vec()),
        ("another".to_owned(), another.to_vec()),
    ]));
    for form in &FORMS {
        let written = (form.write)(secret);
        if written.len() < form.needs {
            continue;
        }
        for from in 0..=written.len() - form.needs {
            let part = &written[from..from + form.needs];
            let text = [b"nothing is here: ", part, b" nor there"].concat();
            let found = search.of(&text);
            assert!(
                found.iter().any(|found| found.secret == "one"),
                "{}: {}",
                form.name,
                String::from_utf8_lossy(&text)
            );
            assert!(found.iter().all(|found| found.secret == "one"), "{found:?}");
            // What has some of its forms' signs in common with it is not taken for it.
            let less = [b"nothing is here: ", &part[form.needs / 2..], b" nor there"].concat();
            assert!(search.of(&less).is_empty(), "{}", form.name);
        }
    }
    // As a header of a request has it.
    for account in ["a", "bo", "eve", "alice"] {
        let header = STANDARD_NO_PAD.encode([account.as_bytes(), b":", secret].concat());
        assert_eq!(search.of(header.as_bytes()).len(), 1, "{header}");
    }
}
