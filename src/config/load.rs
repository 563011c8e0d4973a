//! From files to settings, step by step.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;
use toml::{Spanned, de::DeTable};

use super::{
    Diagnostic, Locations, Report, Settings, blank, computed, locate, schema,
    shape::{self, Findings},
    show,
    text::{self, Texts},
    tree::{self, Table},
    validate, written,
};
use crate::model::short_digest;

/// No file of a configuration is longer.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// The files that it was read from, the main one first.
    pub files: Vec<PathBuf>,
    /// What can be used and probably does not do what was meant.
    pub warnings: Report,
    shown: String,
}

impl Loaded {
    /// The effective configuration as TOML: all files together, defaults filled in, secrets as `***`.
    #[must_use]
    pub fn show(&self) -> &str {
        &self.shown
    }

    /// What `config check` says of a configuration that can be used.
    #[must_use]
    pub fn summary(&self) -> String {
        let settings = &self.settings;
        let count = |number: usize, one: &str| match number {
            1 => format!("1 {one}"),
            _ => format!("{number} {one}s"),
        };
        let parts = [
            count(settings.sources.len(), "source"),
            count(settings.policy.overrides.len(), "override"),
            count(settings.policy.waivers.len(), "waiver"),
            count(settings.policy.gaps.len(), "accepted gap"),
        ];
        let mut lines: Vec<_> = self
            .files
            .iter()
            .map(|file| format!("read {}\n", file.display()))
            .collect();
        lines.push(format!("the configuration can be used: {}\n", parts.join(", ")));
        text::harmless(&lines.concat())
    }
}

/// Finds and reads the configuration. The time is what waivers are measured from.
///
/// # Errors
/// There is none, or it cannot be used: everything that is wrong with it.
pub fn load(locations: &Locations, now: Timestamp) -> Result<Loaded, Report> {
    let main = locations.main_file()?;
    let mut files = vec![main.clone()];
    files.extend(locate::further_files(&main)?);
    let mut problems = Vec::new();
    let mut read = Vec::new();
    for path in files {
        match read_file(&path) {
            Ok(text) => read.push((path, text)),
            Err(diagnostic) => problems.push(diagnostic),
        }
    }
    if problems.is_empty() {
        assemble(&read, locations, now)
    } else {
        Err(Report::new(problems))
    }
}

/// Reads a configuration from a text, as if it were in a file of that name. Nothing else is looked for.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(path: &Path, text: &str, now: Timestamp) -> Result<Loaded, Report> {
    assemble(
        &[(path.to_owned(), text.to_owned())],
        &Locations::from_environment(None),
        now,
    )
}

fn read_file(path: &Path) -> Result<String, Diagnostic> {
    let trouble = |what: String, remedy: &str| Diagnostic::error(what).in_file(path).remedy(remedy);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            trouble(
                format!("cannot read the configuration: {error}"),
                "name a file that the account that runs sharewarden can read",
            )
        })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(trouble(
            "the file is longer than 4 MiB".to_owned(),
            "is this the configuration?",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        trouble(format!("line {line} is no UTF-8 text"), "save the file as UTF-8")
    })
}

/// From the texts of files to settings.
fn assemble(files: &[(PathBuf, String)], locations: &Locations, now: Timestamp) -> Result<Loaded, Report> {
    let mut texts = Texts::default();
    let mut parsed = Vec::new();
    for (path, text) in files {
        let (tree, errors) = DeTable::parse_recoverable(text);
        let base = texts.next_base();
        texts.add(path, &blank::secrets(text, tree.get_ref(), !errors.is_empty()));
        parsed.push((tree::moved_table(tree.into_inner(), base), errors, base));
    }
    let mut findings = Findings::new(&texts);
    let mut whole = Table::new();
    for (mut table, errors, base) in parsed {
        let broken = !errors.is_empty();
        for error in errors {
            findings.diagnostics.push(syntax(&error, base, &texts));
        }
        // What a broken file says otherwise is not to be relied on: its keys may stand in the wrong table.
        if broken {
            findings
                .taken
                .extend(["source", "auth", "url"].map(str::to_owned));
            continue;
        }
        shape::check(&mut table, &mut findings);
        tree::lay_over(&mut whole, table);
    }
    let Findings {
        diagnostics, taken, ..
    } = findings;
    finish(whole, &texts, diagnostics, taken, locations, today(now)).map(|(settings, warnings, shown)| {
        Loaded {
            settings,
            files: files.iter().map(|(path, _)| path.clone()).collect(),
            warnings: Report::new(warnings),
            shown,
        }
    })
}

fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

fn syntax(error: &toml::de::Error, base: usize, texts: &Texts) -> Diagnostic {
    let span = error.span().unwrap_or_default();
    Diagnostic::error(error.message())
        .at(texts.place(&(span.start + base..span.end + base)), "")
        .remedy("this is no TOML; config.example.toml shows how every key is written")
}

/// From the tree of all files to settings, warnings, and the effective configuration as text.
fn finish(
    mut tree: Table<'_>,
    texts: &Texts,
    mut diagnostics: Vec<Diagnostic>,
    taken: BTreeSet<String>,
    locations: &Locations,
    today: Date,
) -> Result<(Settings, Vec<Diagnostic>, String), Report> {
    let root = schema::root();
    tree::spread_defaults(&mut tree);
    tree::fill(&mut tree, root);
    let values = computed::values(&tree, &locations.state);
    let mut tree: Table<'_> = tree;
    computed::put(&mut tree, &values);
    let shown = show::show(&tree, root);
    let digests = digests(&tree);
    tree::tags_outside(&mut tree, root);
    let whole = Spanned::new(tree::NOWHERE, tree);
    let file = match written::File::deserialize(toml::Deserializer::from(whole)) {
        Ok(file) => file,
        Err(error) => {
            // The schema let something through that cannot be read.
            let span = error.span().unwrap_or_default();
            diagnostics.push(
                Diagnostic::error(format!("cannot be read: {}", error.message()))
                    .at(texts.place(&span), "here")
                    .remedy("`sharewarden config schema` says what can stand here"),
            );
            return Err(Report::new(diagnostics));
        }
    };
    let (settings, errors, warnings) = validate::validate(&file, digests, texts, today, taken);
    diagnostics.extend(errors);
    if diagnostics.is_empty() {
        Ok((settings, warnings, shown))
    } else {
        Err(Report::new(diagnostics))
    }
}

/// Tell one policy from another: digests of what is in effect, whatever file and order it is written in.
pub(super) struct Digests {
    /// Of what shares are judged by.
    pub(super) rules: String,
    /// Of what is accepted, too.
    pub(super) policy: String,
}

fn digests(tree: &Table<'_>) -> Digests {
    let part = |name: &str| {
        tree.get(name)
            .map_or(Value::Null, |node| tree::json(node.get_ref()))
    };
    let mut policy = part("policy");
    for list in policy
        .as_object_mut()
        .into_iter()
        .flat_map(|policy| policy.values_mut())
    {
        // The order of words does not matter, that of overrides does.
        if let Value::Array(words) = list
            && words.iter().all(Value::is_string)
        {
            words.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
            words.dedup();
        }
    }
    let policy = policy.to_string();
    let accepted = [part("waiver"), part("gap")].map(|part| part.to_string());
    Digests {
        rules: short_digest([&policy]),
        policy: short_digest([&policy].into_iter().chain(&accepted)),
    }
}
