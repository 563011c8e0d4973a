//! What there is to find, computed from what the services store by rules written down anew: nothing of the program judges
//! here.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::settings::Settings;
use super::world::{Standing, World};

/// The rules that are known here.
pub(super) const RULES: [&str; 12] = [
    "departed-recipient",
    "everyone-grant",
    "external-recipient",
    "guest-recipient",
    "link-allows-editing",
    "link-allows-upload",
    "link-expiry-too-far",
    "link-without-expiry",
    "link-without-password",
    "organization-wide-link",
    "orphaned-share",
    "reshared-by-other",
];

/// A share, by its source and id, and a rule.
pub(super) type Pair = (&'static str, String, &'static str);

/// What is to be found at a time, in both services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) findings: BTreeSet<Pair>,
    /// Shares of disabled accounts of the Nextcloud, by owner and path: the server tells that they are there, and not by
    /// their ids.
    pub(super) hidden: BTreeSet<(String, String)>,
}

/// What the emulator stores.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) shares: Vec<Value>,
    pub(super) permissions: Vec<Value>,
}

struct Found<'a> {
    expected: &'a mut Expected,
    settings: &'a Settings,
    source: &'static str,
    id: String,
}

impl Found<'_> {
    fn rule(&mut self, rule: &'static str, fires: bool) {
        if fires && self.settings.off != Some(rule) {
            self.expected
                .findings
                .insert((self.source, self.id.clone(), rule));
        }
    }

    /// What is open to anyone, and until when.
    fn open(
        &mut self,
        password: bool,
        [shows, changes, adds]: [bool; 3],
        end: Option<Timestamp>,
        now: Timestamp,
    ) {
        let latest = now + SignedDuration::from_hours(24 * self.settings.max_expiry);
        self.rule("link-without-password", !password && (shows || changes));
        self.rule("link-without-expiry", end.is_none());
        self.rule("link-expiry-too-far", end.is_some_and(|end| end > latest));
        self.rule("link-allows-editing", changes);
        self.rule("link-allows-upload", adds && !changes);
    }
}

/// What there is to find at a time, before services whose clocks say something else, perhaps.
pub(super) fn expected(
    world: &World,
    settings: &Settings,
    stored: &Stored,
    (now, server): (Timestamp, Timestamp),
) -> Expected {
    let mut expected = Expected::default();
    for row in &stored.shares {
        // The server removes what is over by its own clock when it is listed.
        if end_of(row).is_some_and(|end| end <= server) {
            continue;
        }
        nextcloud(world, settings, row, now, &mut expected);
    }
    for row in &stored.permissions {
        tenant(world, settings, row, now, &mut expected);
    }
    expected
}

fn end_of(row: &Value) -> Option<Timestamp> {
    row["expires"].as_str().map(|end| end.parse().unwrap())
}

fn nextcloud(world: &World, settings: &Settings, row: &Value, now: Timestamp, expected: &mut Expected) {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let end = end_of(row);
    let is_over = end.is_some_and(|end| end <= now);
    if is_over || row["path"].is_null() || row["trashed"] == true {
        return;
    }
    let standing = |name: &str| world.accounts.get(name).copied().unwrap_or(Standing::Gone);
    let kind = row["type"].as_u64().unwrap();
    let (owner, sharer, recipient) = (text("owner"), text("sharer"), text("recipient"));
    // The list of a disabled account is refused; whoever else shared it on lists it, too.
    let is_listed_by_sharer = owner != sharer && standing(sharer) == Standing::Here;
    if standing(owner) == Standing::Disabled && !is_listed_by_sharer {
        if kind == 3 {
            expected
                .hidden
                .insert((owner.to_owned(), text("path").to_owned()));
        }
        return;
    }
    let bits = row["permissions"].as_u64().unwrap();
    let mut found = Found {
        expected,
        settings,
        source: "cloud",
        id: row["id"].to_string(),
    };
    let is_open = kind == 3 || kind == 4;
    if is_open {
        let rights = [bits & 1 != 0, bits & (2 | 8) != 0, bits & 4 != 0];
        found.open(row["password"] == true, rights, end, now);
        found.rule("reshared-by-other", owner != sharer);
    }
    let domain = recipient.rsplit('@').next().unwrap_or_default();
    found.rule(
        "external-recipient",
        (kind == 4 && domain != "example.org") || (kind == 6 && domain != "cloud2.example.org"),
    );
    found.rule("guest-recipient", kind == 0 && recipient == "gus");
    found.rule(
        "departed-recipient",
        kind == 0 && standing(recipient) != Standing::Here,
    );
    found.rule(
        "orphaned-share",
        [owner, sharer].iter().any(|who| standing(who) != Standing::Here),
    );
}

fn tenant(world: &World, settings: &Settings, row: &Value, now: Timestamp, expected: &mut Expected) {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let end = end_of(row);
    if end.is_some_and(|end| end <= now) || !world.is_there(text("path")) {
        return;
    }
    let mut found = Found {
        expected,
        settings,
        source: "m365",
        id: format!("{}/{}/{}", text("drive"), text("item"), text("id")),
    };
    let (link, grant) = (&row["link"], &row["grant"]);
    if link["scope"] == "anonymous" {
        let edits = link["type"] == "edit";
        found.open(link["password"] == true, [true, edits, false], end, now);
    }
    found.rule("organization-wide-link", link["scope"] == "organization");
    let people: Vec<&Value> = match link["people"].as_array() {
        Some(people) => people.iter().collect(),
        None => vec![grant],
    };
    let any = |holds: &dyn Fn(&Value) -> bool| people.iter().any(|who| holds(who));
    let user = |who: &Value| who["user"].as_str().map(str::to_owned);
    found.rule(
        "external-recipient",
        any(&|who| {
            who["otp"]
                .as_str()
                .is_some_and(|address| !address.ends_with("@example.org"))
        }),
    );
    found.rule(
        "guest-recipient",
        any(&|who| user(who).is_some_and(|upn| upn.contains("#EXT#"))),
    );
    found.rule(
        "departed-recipient",
        any(&|who| user(who).is_some_and(|upn| world.users.get(&upn).copied() != Some(Standing::Here))),
    );
    found.rule(
        "everyone-grant",
        grant["everyone"] == true || grant["everyone_except_external"] == true,
    );
    found.rule(
        "orphaned-share",
        world
            .owner_of(text("path"))
            .is_some_and(|owner| owner != Standing::Here),
    );
}

/// What a report says stands, of the rules that are known here.
pub(super) fn told(report: &Value, standings: &[&str]) -> BTreeSet<Pair> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| standings.contains(&finding["status"].as_str().unwrap()))
        .filter_map(|finding| {
            let rule = RULES.iter().find(|rule| finding["rule"] == **rule)?;
            let source = if finding["source"] == "cloud" {
                "cloud"
            } else {
                "m365"
            };
            Some((source, finding["share"]["id"].as_str()?.to_owned(), *rule))
        })
        .collect()
}
