//! Every writer over one invented run, with ordinary and with hostile text in all remote fields.

mod csv;
mod discretion;
mod docs;
mod html;
mod json;
mod metrics;
mod ndjson;
mod ocsf;
mod table;
mod text;

use super::{Format, Pages, Style, book};

/// What a writer writes.
fn written(format: Format, style: Style, pages: &dyn Pages) -> String {
    let mut out = Vec::new();
    super::write(format, style, pages, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// So many cases, and no file of those that failed: what they taught becomes a test of its own.
fn cases(cases: u32) -> proptest::prelude::ProptestConfig {
    proptest::prelude::ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Names that tried to be something else.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "invoice\u{202e}fdp.exe",
    "a\r\nINFO all is well\n",
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "＝HYPERLINK(\"http://x\")",
    "x;@SUM(A1)",
    "\u{200b}zero\u{feff}width\u{2066}\u{2069}",
    "tag\u{e0041}\u{e0042}private\u{e000}gone\u{378}",
    "\u{9b}31mC1\u{85}next\u{2028}line\u{2029}",
    "z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}algo",
    "\",\"level\":\"info",
    "\\u{202e}",
    "",
    " ",
    "日本語のとても長いファイル名日本語のとても長いファイル名日本語のとても長いファイル名日本語のとても長い",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 क्षि नमस्ते ﷽ ｗｉｄｅ",
];
