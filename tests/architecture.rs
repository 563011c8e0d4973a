//! Keeps the parts of the crate in the direction that `docs/architecture.md` states.
//!
//! It reads the source as text: names in code and in strings, not in comments. What a part may know is one table
//! here; whoever adds a part, or lets one know more, changes the table and the document together.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where its own files are not as expected"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which other parts each part may name. Inner ones first; `cli` composes and may name all.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("files", &[]),
    ("schedule", &[]),
    ("health", &[]),
    ("policy", &["model"]),
    ("report", &["model"]),
    ("notify", &["files", "model", "plan", "report"]),
    ("http", &["files", "model"]),
    ("provider", &["http", "model"]),
    ("plan", &["model", "policy", "report"]),
    ("enforce", &["model", "plan", "provider"]),
    ("config", &["files", "model", "plan", "policy", "schedule"]),
    (
        "store",
        &["enforce", "model", "notify", "plan", "policy", "report"],
    ),
    ("export", &["config", "files", "model", "report", "store"]),
    ("emulator", &[]),
    (
        "run",
        &[
            "enforce", "model", "notify", "plan", "policy", "provider", "report", "store",
        ],
    ),
    (
        "fuzzing",
        &["config", "notify", "plan", "provider", "report", "schedule"],
    ),
    (
        "cli",
        &[
            "config", "emulator", "enforce", "export", "files", "health", "http", "model", "notify", "plan",
            "policy", "provider", "report", "run", "store",
        ],
    ),
];

/// What only these parts may name: the library or device behind it is theirs to know.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("reqwest", &["http"]),
    ("governor", &["http"]),
    ("rusqlite", &["store"]),
    // The emulators and the daemon serve, and an adapter answers a server that registers the auditor.
    ("axum", &["emulator", "health", "provider"]),
    ("lettre", &["notify"]),
    ("cronexpr", &["schedule"]),
    ("minijinja", &["notify", "report"]),
    ("annotate_snippets", &["config"]),
    ("clap", &["cli"]),
    ("std::env::var", &["config"]),
    // Only the command line prints.
    ("println", &["cli"]),
    ("print", &["cli"]),
    ("eprintln", &["cli"]),
    ("eprint", &["cli"]),
    ("io::stdout", &["cli"]),
    ("io::stderr", &["cli"]),
];

/// Parts that are pure: data in, data out.
const PURE: &[&str] = &["model", "plan", "policy", "report"];

/// What pure parts never name.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "rusqlite",
    "axum",
    "async",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
];

/// How SQL begins; only the store says it.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "PRAGMA ",
];

/// A file of the source, without its comments.
struct Source {
    path: PathBuf,
    /// The part of the crate that it belongs to; `None` for `lib.rs` and `main.rs`.
    part: Option<String>,
    /// The code, in which every string is empty.
    code: String,
    /// The strings.
    strings: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut waiting = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let within = path.strip_prefix(&root).unwrap().to_owned();
                let first = within.components().next().unwrap().as_os_str().to_str().unwrap();
                let part = first.strip_suffix(".rs").unwrap_or(first);
                let part = (part != "lib" && part != "main").then(|| part.to_owned());
                let (code, strings) = split(&fs::read_to_string(&path).unwrap());
                sources.push(Source {
                    path: within,
                    part,
                    code,
                    strings,
                });
            }
        }
    }
    assert!(sources.len() > 50, "the source was not found");
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// Takes comments out of Rust and strings apart.
fn split(text: &str) -> (String, Vec<String>) {
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = raw_string(rest);
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some((start, end, length)) = raw.filter(|_| !code.ends_with(is_of_name)) {
            strings.push(rest[start..end].to_owned());
            code.push_str("\"\"");
            length
        } else if first == '"' {
            let end = end_of_string(rest);
            strings.push(rest[1..end].to_owned());
            code.push_str("\"\"");
            end + 1
        } else if let Some(length) = character(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    (code, strings)
}

/// Where the text of a raw string that begins here starts and ends, and how long the whole is.
fn raw_string(text: &str) -> Option<(usize, usize, usize)> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    after[hashes..].starts_with('"').then_some(())?;
    let start = text.len() - after.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = start + text[start..].find(&close)?;
    Some((start, end, end + close.len()))
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len() - 1
}

/// How long a character literal that begins here is; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let first = escape.chars().next()?.len_utf8();
        return Some(2 + first + escape[first..].find('\'')? + 1);
    }
    let length = inner.chars().next()?.len_utf8();
    inner[length..].starts_with('\'').then_some(length + 2)
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// Whether code names a path of names, whole.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let after = &code[at + path.len()..];
        !code[..at].ends_with(|before| is_of_name(before) || before == '.') && !after.starts_with(is_of_name)
    })
}

/// The parts that code names through `crate::…`, in one path or in a group of them.
fn parts_named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group)),
            None => found.extend(first_name(rest)),
        }
    }
    found
}

/// The first name of each path in a group, up to the group's end.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut start) = (0_usize, Vec::new(), 0);
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(first_name(group[start..at].trim_start()));
                start = at + 1;
                if sign == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn first_name(path: &str) -> Option<String> {
    let end = path.find(|sign| !is_of_name(sign)).unwrap_or(path.len());
    (end > 0).then(|| path[..end].to_owned())
}

/// How many modules above its own a file reaches by `super::super::…`, at most.
fn reach(code: &str) -> usize {
    let mut rest = code;
    let mut most = 0;
    while let Some(at) = rest.find("super::") {
        let chain = &rest[at..];
        let length = chain.len() - chain.trim_start_matches("super::").len();
        most = most.max(length / "super::".len());
        rest = &rest[at + length..];
    }
    most
}

/// How many modules lie between a file and the crate's root, its own included.
fn depth(path: &Path) -> usize {
    let is_folders = path.file_name().is_some_and(|name| name == "mod.rs");
    path.components().count() - usize::from(is_folders)
}

fn assert_none(violations: &[String], law: &str) {
    assert!(violations.is_empty(), "{law}:\n{}", violations.join("\n"));
}

#[test]
fn a_part_names_only_the_parts_within() {
    let table: BTreeMap<&str, &[&str]> = MAY_NAME.iter().copied().collect();
    let mut violations = Vec::new();
    for source in sources() {
        let Some(part) = &source.part else { continue };
        let Some(may) = table.get(part.as_str()) else {
            violations.push(format!(
                "src/{part}: a part that no table knows; see docs/architecture.md"
            ));
            continue;
        };
        for named in parts_named(&source.code) {
            if named != *part && table.contains_key(named.as_str()) && !may.contains(&named.as_str()) {
                violations.push(format!("src/{} names {named}", source.path.display()));
            }
        }
        // Tests within a file are one module deeper than the file.
        let (code, tests) = source
            .code
            .split_once("mod tests {")
            .unwrap_or((&source.code, ""));
        let depth = depth(&source.path);
        if reach(code) >= depth || reach(tests) > depth {
            violations.push(format!(
                "src/{} leaves its part by `super`",
                source.path.display()
            ));
        }
    }
    assert_none(&violations, "inner parts never name outer ones");
}

#[test]
fn no_two_parts_may_name_each_other() {
    let mut known = BTreeSet::new();
    let mut waiting: Vec<_> = MAY_NAME.to_vec();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|(part, may)| {
            let inner = may.iter().all(|named| known.contains(named));
            if inner {
                known.insert(*part);
            }
            !inner
        });
        assert!(waiting.len() < before, "the table goes in a circle: {waiting:?}");
    }
}

#[test]
fn each_library_and_device_is_known_to_one_part() {
    let mut violations = Vec::new();
    for source in sources() {
        let Some(part) = &source.part else { continue };
        for (name, parts) in ONLY_IN {
            if !parts.contains(&part.as_str()) && names(&source.code, name) {
                violations.push(format!("src/{} names {name}", source.path.display()));
            }
        }
    }
    assert_none(&violations, "some things are one part's own");
}

#[test]
fn pure_parts_do_no_io_and_read_no_clock() {
    let mut violations = Vec::new();
    for source in sources() {
        if !source.part.as_deref().is_some_and(|part| PURE.contains(&part)) {
            continue;
        }
        for name in IMPURE {
            if names(&source.code, name) {
                violations.push(format!("src/{} names {name}", source.path.display()));
            }
        }
    }
    assert_none(&violations, "model, policy and report are pure");
}

#[test]
fn sql_stays_in_the_store() {
    let mut violations = Vec::new();
    for source in sources() {
        if source.part.as_deref() == Some("store") {
            continue;
        }
        for string in &source.strings {
            if SQL.iter().any(|verb| string.trim_start().starts_with(verb)) {
                violations.push(format!("src/{}: {string:?}", source.path.display()));
            }
        }
    }
    assert_none(&violations, "no SQL leaves the store");
}

#[test]
fn the_reading_of_source_sees_what_it_should() {
    let (code, strings) = split(
        "use crate::{model::{self, Share}, store}; // crate::cli\nlet a = 'x'; let b: &'a str = \"crate::run\";\n\
         /* crate::http */ let c = r#\"SELECT \"1\" FROM x\"#; let d = '\\''; let e = '\"'; crate::policy::f(\"\\\"\");",
    );
    assert_eq!(
        parts_named(&code),
        BTreeSet::from(["model", "policy", "store"].map(str::to_owned))
    );
    assert_eq!(strings, ["crate::run", "SELECT \"1\" FROM x", "\\\""]);
    assert!(names("io::stdout()", "io::stdout") && !names("self.print(x)", "print"));
    assert!(!names("blueprint!()", "print") && !names("println!()", "print"));
    assert_eq!(reach("super::super::a; super::b"), 2);
    assert_eq!(
        (depth(Path::new("run/scan.rs")), depth(Path::new("run/mod.rs"))),
        (2, 1)
    );
}
