//! What the documentation promises is accepted, shown and described: every key, every form.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use sharewarden::config::{self, Loaded, MailMode, NextcloudAuth, SourceDetails, Transport};
use sharewarden::plan::Change;

const EXAMPLE: &str = include_str!("../../config.example.toml");
const DOCUMENTATION: &str = include_str!("../../docs/configuration.md");

fn now() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn parse(text: &str) -> Loaded {
    config::parse(Path::new("/etc/sharewarden/config.toml"), text, now())
        .unwrap_or_else(|report| panic!("{report}\n{text}"))
}

/// The example with every key in use, and once more for each further form that it shows.
fn uncommented() -> Vec<String> {
    let mut lines: Vec<&str> = Vec::new();
    let mut forms = Vec::new();
    for line in EXAMPLE.lines() {
        let key = |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        if let Some(form) = line
            .strip_prefix("## ")
            .filter(|form| key(form) && form.contains(" = {"))
        {
            let name = form.split(' ').next().unwrap();
            let at = lines
                .iter()
                .rposition(|line| line.starts_with(&format!("{name} = ")))
                .unwrap();
            forms.push((at, form));
        } else {
            lines.push(line.strip_prefix('#').filter(|rest| key(rest)).unwrap_or(line));
        }
    }
    let with = |(at, form): (usize, &str)| {
        let mut lines: Vec<_> = lines.clone();
        lines[at] = form;
        lines.join("\n")
    };
    let mut texts = vec![lines.join("\n")];
    texts.extend(forms.iter().map(|form| with((form.0, form.1))));
    texts
}

#[test]
fn the_example_is_the_least_that_works() {
    let loaded = parse(EXAMPLE);
    assert_eq!(loaded.settings.sources.len(), 1);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}

#[test]
fn the_example_is_good_with_every_key_and_form_in_use() {
    let texts = uncommented();
    assert!(texts.len() >= 10, "all forms are tried");
    for text in texts {
        let loaded = parse(&text);
        assert_eq!(loaded.settings.sources.len(), 2);
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

/// Every key of the schema as `table.key`, lists of tables without their places.
fn keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let choices = schema.get("oneOf").and_then(Value::as_array);
    for choice in choices.into_iter().flatten() {
        keys(choice, path, found);
    }
    if let Some(items) = schema.get("items") {
        keys(items, path, found);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        keys(inner, &path, found);
        found.insert(path);
    }
}

fn schema_keys() -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let mut found = BTreeSet::new();
    keys(&schema, "", &mut found);
    // Rules stand in for one another, as do the two kinds of sources' common values and the ways to refer
    // to a secret.
    found.retain(|key| {
        let rule = key.starts_with("policy.levels.") && key != "policy.levels.unreviewed-share";
        let reference = ["env", "file", "credential", "command"].iter().any(|way| {
            let secret = ["secret", "password", "statistics_token"];
            secret.iter().any(|name| key.ends_with(&format!(".{name}.{way}")))
        });
        let repeated =
            key.matches('.').count() > 1 && key.starts_with("defaults.") || key.contains("enforce_auth.");
        !rule && !reference && !repeated
    });
    found
}

fn written(value: &toml::Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, inner) in table {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                written(inner, &path, found);
                found.insert(path);
            }
        }
        toml::Value::Array(values) => values.iter().for_each(|value| written(value, path, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_schema_is_in_the_example() {
    let mut found = BTreeSet::new();
    for text in uncommented() {
        written(&toml::Value::Table(text.parse().unwrap()), "", &mut found);
    }
    let missing: Vec<_> = schema_keys()
        .into_iter()
        .filter(|key| !found.contains(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The rows of the documentation's tables: section, key, default.
fn documented() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in DOCUMENTATION.lines() {
        if let Some(heading) = line.strip_prefix("## ").or(line.strip_prefix("### ")) {
            heading.clone_into(&mut section);
        }
        let cells: Vec<_> = line
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ']))
            .collect();
        if let [key, _, default, ..] = cells.as_slice()
            && key.starts_with('`')
        {
            rows.push((
                section.clone(),
                key.trim_matches('`').to_owned(),
                (*default).to_owned(),
            ));
        }
    }
    rows
}

/// The table that a section is about: `policy.override` of "[[policy.override]]: exceptions".
fn table_of(section: &str) -> String {
    let inner = section.split_once('[').map_or("", |(_, rest)| rest);
    inner
        .split(']')
        .next()
        .unwrap_or_default()
        .trim_start_matches('[')
        .to_owned()
}

#[test]
fn every_key_of_the_schema_is_documented_and_no_other() {
    let rows = documented();
    let documented: BTreeSet<_> = rows
        .iter()
        .map(|(section, key, _)| format!("{}.{key}", table_of(section)))
        .map(|key| key.trim_start_matches('.').to_owned())
        .collect();
    // Tables have sections, not rows.
    let has_section = |key: &str| {
        DOCUMENTATION
            .lines()
            .any(|line| line.starts_with('#') && table_of(line) == key)
    };
    let keys = schema_keys();
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !key.starts_with("policy.levels.") && !documented.contains(*key) && !has_section(key))
        .collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    let unknown: Vec<_> = documented.iter().filter(|key| !keys.contains(*key)).collect();
    assert!(unknown.is_empty(), "documented and unknown: {unknown:?}");
}

fn defaults(schema: &Value, path: &str, found: &mut Vec<(String, String)>) {
    for choice in schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        defaults(choice, path, found);
    }
    if let Some(items) = schema.get("items") {
        defaults(items, path, found);
    }
    for (name, inner) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if let Some(default) = inner.get("default").filter(|default| !default.is_object()) {
            found.push((path.clone(), default.to_string().replace(',', ", ")));
        }
        defaults(inner, &path, found);
    }
}

#[test]
fn documented_defaults_are_those_in_effect() {
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let mut found = Vec::new();
    defaults(&schema, "", &mut found);
    let rows = documented();
    let mut compared = 0;
    for (key, default) in &found {
        for (section, row, documented) in &rows {
            if format!("{}.{row}", table_of(section)) == *key && !documented.contains("internal_domains") {
                assert_eq!(documented.trim_matches('`'), default, "{key} in {section}");
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "only {compared} compared");
}

#[test]
fn settings_mean_what_the_example_says() {
    let settings = parse(&uncommented()[0]).settings;
    assert_eq!(settings.policy.internal_domains, ["example.org"]);
    assert_eq!(settings.policy.waivers[0].until, jiff::civil::date(2027, 3, 31));
    assert!(
        settings.policy.waivers[0]
            .title
            .starts_with("waiver 1 (link-without-expiry, finding 3f9c2e51a07b44d1")
    );
    assert!(
        matches!(settings.enforce.rules[0].change, Change::SetExpiry { after } if after.get_days() == 30)
    );
    assert!(matches!(
        settings.mail.transport,
        Some(Transport::Smtp { port: 587, .. })
    ));
    assert_eq!(settings.mail.mode, MailMode::Off);
    let SourceDetails::Nextcloud(cloud) = &settings.source("cloud").unwrap().kind else {
        panic!("a Nextcloud");
    };
    assert_eq!(cloud.url.as_str(), "https://cloud.example.org/");
    assert!(matches!(&cloud.auth, NextcloudAuth::AppPassword { user, .. } if user == "alice"));
    assert_eq!(cloud.limits.stop_after, Duration::from_hours(6));
    let SourceDetails::Microsoft365(tenant) = &settings.source("m365").unwrap().kind else {
        panic!("a tenant");
    };
    assert_eq!(
        (tenant.limits.units_per_minute, tenant.limits.units_per_day),
        (1000, 960_000)
    );
    assert_eq!(
        tenant.graph_url.join("users").unwrap().as_str(),
        "https://graph.microsoft.com/v1.0/users"
    );
}

#[test]
fn nobody_outside_is_written_to_unless_it_is_said() {
    let source = "[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = \"https://cloud.example.org\"\n\
                  auth = { method = \"login\" }\n";
    let allowed = |text: &str| parse(&format!("{text}\n{source}")).settings.mail.allowed_domains;
    let internal = "[policy]\ninternal_domains = [\"Example.org\"]\n";
    assert_eq!(allowed(internal), ["example.org"]);
    assert_eq!(
        allowed(&format!("{internal}[mail]\nallowed_domains = [\"example.net\"]")),
        ["example.net"]
    );
    assert_eq!(allowed(""), Vec::<String>::new());
}

#[test]
fn what_is_shown_says_all_and_no_secret() {
    for text in uncommented() {
        let loaded = parse(&text);
        let shown: toml::Value = toml::Value::Table(loaded.show().parse().unwrap());
        let mut found = BTreeSet::new();
        written(&shown, "", &mut found);
        for key in [
            "policy.max_expiry",
            "state.path",
            "source.limits.relist_every",
            "mail.allowed_domains",
        ] {
            assert!(found.contains(key), "{key}");
        }
        assert_eq!(
            shown["source"][0]["auth"]
                .get("password")
                .map_or("***", |it| it.as_str().unwrap()),
            "***"
        );
    }
}

#[test]
fn the_policys_digest_is_that_of_what_is_in_effect() {
    let digest = |text: &str| parse(&format!("{text}\n{EXAMPLE}")).settings.policy.digest;
    let plain = digest("");
    assert_eq!(
        plain,
        digest("policy.max_expiry = \"90d\""),
        "a default that is written out"
    );
    assert_ne!(plain, digest("policy.max_expiry = \"91d\""));
    assert_eq!(
        digest("policy.internal_domains = [\"a.org\", \"b.org\"]"),
        digest("policy.internal_domains = [\"b.org\", \"a.org\", \"a.org\"]"),
    );
    assert_eq!(plain, digest("[mail]\nlanguage = \"de\""));
}

#[test]
fn two_hundred_sources_are_read_in_no_time() {
    let mut text = String::new();
    for number in 0..200 {
        let source = EXAMPLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        text += &source.replace("\"cloud\"", &format!("\"cloud-{number}\""));
        text += "\nexclude = { users = [\"svc-*\"], groups = [\"alumni\"] }\n";
    }
    let begun = Instant::now();
    assert_eq!(parse(&text).settings.sources.len(), 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
