//! What fuzzing holds the configuration to, beside that no text makes reading it panic.

use std::path::Path;

use jiff::Timestamp;

use super::text::steers;
use super::{Loaded, Report, Style, parse};

/// A source that nothing is wrong with.
const SOURCE: &str = "[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = \"https://cloud.example.org\"\n\
                      auth = { method = \"login\" }\n";
/// When it is read.
const NOW: i64 = 1_795_392_000;
/// The longest that a waiver may last, in days.
const LONGEST: i64 = 365;

fn read(text: &str) -> Result<Loaded, Report> {
    let now = Timestamp::from_second(NOW).unwrap_or_default();
    parse(Path::new("config.toml"), text, now)
}

/// A whole configuration.
pub(crate) fn whole(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match read(&text) {
        Err(report) => {
            assert!(!report.is_empty());
            is_harmless(&report.render(Style::Plain));
        }
        Ok(loaded) => {
            is_harmless(&loaded.warnings.render(Style::Plain));
            is_harmless(&loaded.summary());
            is_harmless(loaded.show());
            shown_again(&loaded);
        }
    }
}

/// What is in effect says itself what is in effect, where no secret is left out of it.
fn shown_again(loaded: &Loaded) {
    let shown = loaded.show();
    if shown.contains("\"***\"") {
        return;
    }
    match read(shown) {
        Ok(again) => assert_eq!(again.show(), shown),
        Err(report) => assert!(report.is_empty(), "{}\n{shown}", report.render(Style::Plain)),
    }
}

/// One waiver among others.
pub(crate) fn waiver(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match read(&format!("{SOURCE}[[waiver]]\n{text}\n")) {
        Err(report) => is_harmless(&report.render(Style::Plain)),
        Ok(loaded) => {
            let today = Timestamp::from_second(NOW)
                .unwrap_or_default()
                .to_zoned(jiff::tz::TimeZone::UTC)
                .date();
            for waiver in &loaded.settings.policy.waivers {
                let filter = &waiver.filter;
                let names_something = waiver.finding.is_some()
                    || waiver.share.is_some()
                    || waiver.site.is_some()
                    || filter.owner.is_some()
                    || filter.path.is_some();
                assert!(names_something, "{waiver:?}");
                assert!(!waiver.reason.trim().is_empty() && !waiver.approved_by.trim().is_empty());
                let days = today.until(waiver.until).map(|span| i64::from(span.get_days()));
                let limit = loaded.show().contains("max_waiver = \"365d\"");
                assert!(
                    !limit || days.is_ok_and(|days| days <= LONGEST),
                    "{}",
                    waiver.until
                );
            }
        }
    }
}

fn is_harmless(screen: &str) {
    assert!(!screen.chars().any(|c| c != '\n' && steers(c)), "{screen:?}");
}
