//! The report as one page for a browser, for people: WCAG 2.2, in light and dark, on a phone and on paper.
//!
//! The page loads nothing and sends nothing, and its own policy (`Content-Security-Policy`) says so: only the style and the
//! script that stand in it here are heeded, by their hashes. The script only finds and sorts; without it everything is there.
//! Findings are written as they are read, twice over: once for the sums, once for the list.

use std::io::{self, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};
use sha2::{Digest, Sha256};

use super::Pages;
use super::words::{Language, Part, Words};

mod coverage;
mod finding;
mod overview;
mod sums;
mod tongue;

use overview::Overview;
use tongue::Tongue;

const TEMPLATES: [(&str, &str); 5] = [
    ("parts.html", include_str!("../templates/report/parts.html")),
    ("opening.html", include_str!("../templates/report/opening.html")),
    ("finding.html", include_str!("../templates/report/finding.html")),
    ("share.html", include_str!("../templates/report/share.html")),
    ("closing.html", include_str!("../templates/report/closing.html")),
];
const STYLE: &str = include_str!("../templates/report/style.css");
const SCRIPT: &str = include_str!("../templates/report/script.js");

/// Writes a run as a page.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(language: Language, pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    let words = Arc::new(Words::of_reports(language).map_err(io::Error::other)?);
    let templates = environment(language, &words).map_err(io::Error::other)?;
    let tongue = Tongue::new(words.voice(Part::Page));
    let header = pages.header();
    let overview = Overview::of(pages)?;
    let opening = context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
        ..sums::opening(tongue, header, &overview, &pages.trend()?).map_err(io::Error::other)?
    };
    put(&templates, "opening.html", opening, out)?;
    pages.findings(&mut |finding| {
        let view = finding::finding(tongue, &finding).map_err(io::Error::other)?;
        put(&templates, "finding.html", view, out)
    })?;
    let mut shares = 0_u64;
    pages.shares(&mut |share| {
        shares += 1;
        let view = finding::share(tongue, &share).map_err(io::Error::other)?;
        put(
            &templates,
            "share.html",
            context! { first => shares == 1, ..view },
            out,
        )
    })?;
    let closing = context! {
        shares,
        script => Value::from_safe_string(SCRIPT.to_owned()),
        ..sums::closing(tongue, header).map_err(io::Error::other)?
    };
    put(&templates, "closing.html", closing, out)
}

/// What the page's policy names a style or a script by.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Fills a template. What `out` reports is told as it is, a closed pipe above all.
fn put(templates: &Environment<'_>, name: &str, view: Value, out: &mut dyn Write) -> io::Result<()> {
    let template = templates.get_template(name).map_err(io::Error::other)?;
    let text = template.render(view).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// Strict, and with `t("KEY", name=…)` for a text and `n("KEY", COUNT)` for one about so many things.
fn environment(language: Language, words: &Arc<Words>) -> Result<Environment<'static>, Error> {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(syntax);
    environment.add_global("language", language.as_str());
    let fail = |what: super::words::WordsError| Error::new(ErrorKind::InvalidOperation, what.to_string());
    let own = Arc::clone(words);
    environment.add_function("t", move |key: &str, values: Kwargs| {
        let given: Result<Vec<_>, Error> = values
            .args()
            .map(|name| Ok((name, values.get::<Value>(name)?)))
            .collect();
        own.voice(Part::Page).say(key, &given?).map_err(fail)
    });
    let own = Arc::clone(words);
    environment.add_function("n", move |key: &str, count: u64| {
        own.voice(Part::Page).count(key, count, &[]).map_err(fail)
    });
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}
