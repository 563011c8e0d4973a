//! From what the files say to what it means: every word is read, and all that is wrong is collected.
//!
//! A value that is wrong is reported and stands in as its emptiest form, so that the rest is judged too; the
//! settings are given out only if nothing was wrong.

mod enforce;
mod exceptions;
mod mail;
mod policy;
mod source;
mod system;

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::GlobSet;
use jiff::{SignedDuration, Span, civil::Date};

use super::{
    Diagnostic, FileRef, SecretRef, Settings,
    blank::is_variable,
    load::Digests,
    settings::Patterns,
    text::Texts,
    values::{self, Wrong},
    written::{self, At},
};

/// What the files are judged by, and what was found.
pub(super) struct Context<'t> {
    texts: &'t Texts,
    /// The day that waivers are measured from.
    today: Date,
    /// Keys that were already complained about.
    taken: BTreeSet<String>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// Reads the meaning of a whole configuration. The settings are good only if there are no errors.
pub(super) fn validate(
    file: &written::File,
    digests: Digests,
    texts: &Texts,
    today: Date,
    taken: BTreeSet<String>,
) -> (Settings, Vec<Diagnostic>, Vec<Diagnostic>) {
    let mut context = Context {
        texts,
        today,
        taken,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    let it = &mut context;
    let sources = source::sources(it, &file.source);
    let known: Vec<_> = file
        .source
        .iter()
        .map(|source| source::written_as(source.get()))
        .collect();
    let settings = Settings {
        evidence: file.policy.evidence,
        own_networks: it.all("own_networks", &file.policy.own_networks, values::network),
        label_names: policy::label_names(&file.policy),
        enforce: enforce::enforce(it, &file.enforce, &known),
        identity: system::identity(it, &file.identity),
        state: system::state(it, &file.state),
        mail: mail::mail(it, &file.mail, &known),
        schedule: system::schedule(it, &file.schedule),
        export: system::export(it, &file.export),
        policy: policy::policy(it, file, digests, &known),
        sources,
    };
    enforce::check(it, &file.enforce, &settings);
    (settings, context.errors, context.warnings)
}

impl Context<'_> {
    fn error(&mut self, span: &Range<usize>, what: &str, label: &str, remedy: &str) {
        let place = self.texts.place(span);
        self.errors
            .push(Diagnostic::error(what).at(place, label).remedy(remedy));
    }

    fn warning(&mut self, span: &Range<usize>, what: &str, label: &str, remedy: &str) {
        let place = self.texts.place(span);
        self.warnings
            .push(Diagnostic::warning(what).at(place, label).remedy(remedy));
    }

    /// Something that must be there is not; said once, and not if it was there and wrong.
    fn missing(&mut self, span: &Range<usize>, key: &str, what: &str, remedy: &str) {
        if !self.taken.contains(key) {
            self.error(span, what, &format!("has no `{key}`"), remedy);
        }
    }

    /// The meaning of one word.
    fn one<T>(&mut self, key: &str, word: &At<String>, read: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        match read(word.get()) {
            Ok(meaning) => Some(meaning),
            Err(Wrong { what, remedy }) => {
                self.error(&word.span(), &format!("`{key}`: {what}"), "here", &remedy);
                None
            }
        }
    }

    /// The meaning of a word that need not be there.
    fn maybe<T>(
        &mut self,
        key: &str,
        word: Option<&At<String>>,
        read: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        word.and_then(|word| self.one(key, word, read))
    }

    /// The meanings of a list of words.
    fn all<T>(&mut self, key: &str, words: &[At<String>], read: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let mut before: BTreeSet<&str> = BTreeSet::new();
        let mut meanings = Vec::new();
        for word in words {
            if !before.insert(word.get()) {
                let what = format!("`{key}` has `{}` twice", word.get());
                self.warning(&word.span(), &what, "the second time", "take it out");
            }
            meanings.extend(self.one(key, word, &read));
        }
        meanings
    }

    /// A time that is more than nothing.
    fn time(&mut self, key: &str, word: &At<String>) -> Span {
        self.time_or_none(key, word, false)
    }

    /// A time that can be nothing.
    fn any_time(&mut self, key: &str, word: &At<String>) -> Span {
        self.time_or_none(key, word, true)
    }

    fn time_or_none(&mut self, key: &str, word: &At<String>, none_fits: bool) -> Span {
        let span = self
            .one(key, word, values::duration)
            .unwrap_or_else(|| Span::new().days(1));
        if span.is_zero() && !none_fits {
            let what = format!("`{key}`: no time at all");
            self.error(
                &word.span(),
                &what,
                "here",
                "write a time such as \"90d\", \"12h\" or \"30m\"",
            );
        }
        span
    }

    fn period(&mut self, key: &str, word: &At<String>) -> Duration {
        Duration::from_secs(values::seconds(&self.time(key, word)))
    }

    fn age(&mut self, key: &str, word: &At<String>) -> SignedDuration {
        let seconds = values::seconds(&self.time(key, word));
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Patterns of names, and how they were written.
    fn patterns(&mut self, key: &str, words: &[At<String>]) -> Patterns {
        let globs = self.all(key, words, values::name_glob);
        let set = self.set(key, words, globs);
        Patterns {
            written: words.iter().map(|word| word.get().clone()).collect(),
            set,
        }
    }

    /// One pattern of names.
    fn name(&mut self, key: &str, word: Option<&At<String>>) -> Option<GlobSet> {
        let word = word?;
        let glob = self.one(key, word, values::name_glob)?;
        Some(self.set(key, std::slice::from_ref(word), vec![glob]))
    }

    /// One pattern of paths.
    fn path_pattern(&mut self, key: &str, word: Option<&At<String>>) -> Option<GlobSet> {
        let word = word?;
        let globs = self.one(key, word, values::path_globs)?;
        Some(self.set(key, std::slice::from_ref(word), globs))
    }

    fn set(&mut self, key: &str, words: &[At<String>], globs: Vec<globset::Glob>) -> GlobSet {
        match values::glob_set(globs) {
            Ok(set) => set,
            Err(Wrong { what, remedy }) => {
                let span = words.first().map_or(0..0, At::span);
                self.error(&span, &format!("`{key}`: {what}"), "here", &remedy);
                GlobSet::empty()
            }
        }
    }

    /// A path; a relative one is one beside the file that wrote it.
    fn path(&self, path: &At<PathBuf>) -> PathBuf {
        self.folder(&path.span()).join(path.get())
    }

    fn file(&self, path: &At<PathBuf>) -> FileRef {
        FileRef::new(self.path(path), self.texts.place(&path.span()))
    }

    fn secret(&mut self, secret: &At<written::Secret>) -> SecretRef {
        let span = secret.span();
        match secret.get() {
            written::Secret::Env(name) if !is_variable(name) => self.error(
                &span,
                "`env` names no variable of the environment",
                "not a variable's name",
                "give the variable's name, never the secret itself: `{ env = \"NC_PASSWORD\" }`",
            ),
            written::Secret::Credential(name) if name.contains('/') || name.starts_with('.') => self.error(
                &span,
                "`credential` is a name, not a path",
                "not a credential's name",
                "give the name that stands before the colon in `LoadCredential=`",
            ),
            written::Secret::Command(words) if words.is_empty() => self.error(
                &span,
                "`command` is empty",
                "nothing to run",
                "name a program and its arguments: `{ command = [\"pass\", \"show\", \"nextcloud\"] }`",
            ),
            _ => {}
        }
        SecretRef::new(secret.get(), &self.folder(&span), self.texts.place(&span))
    }

    fn folder(&self, span: &Range<usize>) -> PathBuf {
        let place = self.texts.place(span);
        place
            .as_ref()
            .and_then(|place| place.path().parent())
            .unwrap_or(Path::new(""))
            .to_owned()
    }
}
