//! How a page says things: dates, people, items and numbers, in the words of its language.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::Value;

use super::super::view::{Item, Principal, Share};
use super::super::words::{Case, Voice, WordsError};
use crate::model::{Level, RuleId, ShareKind};

/// How many columns a name takes.
const NAME: usize = 80;
/// How many columns a path takes.
const PATH: usize = 400;
/// How many columns a reason or a message takes.
const REASON: usize = 600;
/// How many people of a list are named; the others are counted.
const PEOPLE: usize = 8;

pub(super) type Said = Result<Value, WordsError>;

/// The words of a page's language.
#[derive(Clone, Copy)]
pub(super) struct Tongue<'a> {
    pub(super) voice: Voice<'a>,
}

impl<'a> Tongue<'a> {
    pub(super) fn new(voice: Voice<'a>) -> Self {
        Self { voice }
    }

    /// A text in which nothing is filled in.
    pub(super) fn say(self, key: &str) -> Said {
        self.voice.say(key, &[])
    }

    /// A name.
    pub(super) fn name(self, name: &str) -> Said {
        self.voice.remote(name, NAME)
    }

    /// A message, a reason, an address of a page.
    pub(super) fn reason(self, text: &str) -> Said {
        self.voice.remote(text, REASON)
    }

    pub(super) fn names(self, names: &[String]) -> Said {
        let shown = names.iter().map(|name| self.name(name));
        Ok(self.voice.list(&shown.collect::<Result<Vec<_>, _>>()?))
    }

    /// Texts of a kind, by their names; one that has none is told by its name.
    pub(super) fn known(self, kind: &str, names: &[String]) -> Said {
        let known = names.iter().map(|name| {
            self.say(&format!("{kind}.{name}"))
                .or_else(|_no_text| self.name(name))
        });
        Ok(self.voice.list(&known.collect::<Result<Vec<_>, _>>()?))
    }

    pub(super) fn level(self, level: Level) -> Said {
        self.say(&format!("level.{level}"))
    }

    pub(super) fn day(self, day: Date) -> Said {
        self.voice.date(day)
    }

    pub(super) fn date(self, at: Timestamp) -> Said {
        self.voice.date(at.to_zoned(TimeZone::UTC).date())
    }

    /// A date and the time.
    pub(super) fn moment(self, at: Timestamp) -> Said {
        let time = at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string();
        self.voice
            .say("report.at", &[("date", self.date(at)?), ("time", time.into())])
    }

    /// When a share ends, as the service states it: a date, or a time.
    pub(super) fn end(self, stated: &str) -> Said {
        if let Ok(day) = stated.parse::<Date>() {
            return self.day(day);
        }
        match stated.parse::<Timestamp>() {
            Ok(at) => self.date(at),
            Err(_neither) => self.name(stated),
        }
    }

    /// Somebody, with the address where there is one.
    pub(super) fn person(self, person: &Principal) -> Said {
        let name = person.name.as_deref().filter(|name| !name.is_empty());
        let address = person.email.as_deref().filter(|address| !address.is_empty());
        match (name, address.unwrap_or(&person.id)) {
            (Some(name), address) if name != address && !address.is_empty() => self.voice.say(
                "report.named",
                &[("name", self.name(name)?), ("address", self.name(address)?)],
            ),
            (Some(name), _) => self.name(name),
            (None, "") => self.say("report.nobody"),
            (None, address) => self.name(address),
        }
    }

    /// The first of several people, and how many more there are.
    pub(super) fn people(self, people: &[Principal]) -> Said {
        let shown = people.iter().take(PEOPLE).map(|person| self.person(person));
        let mut shown = shown.collect::<Result<Vec<_>, _>>()?;
        let more = people.len().saturating_sub(PEOPLE) as u64;
        if more > 0 {
            shown.push(self.voice.count("report.more", more, &[])?);
        }
        Ok(self.voice.list(&shown))
    }

    /// The name of an item.
    pub(super) fn item(self, item: &Item) -> Said {
        let name = if item.name.is_empty() {
            &item.path
        } else {
            &item.name
        };
        if name.is_empty() {
            return self.say("report.no_name");
        }
        self.name(name)
    }

    /// Where an item lies.
    pub(super) fn path(self, path: &str) -> Said {
        self.voice.remote(path, PATH)
    }

    /// Who can open a share.
    pub(super) fn audience(self, share: &Share) -> Said {
        let general = format!("audience.{}", share.audience);
        let special = if share.kind == ShareKind::Link {
            format!("{general}_link")
        } else {
            general.clone()
        };
        self.voice.either(&special, &general, &[])
    }

    /// What is wrong, or what to do.
    pub(super) fn rule(self, kind: &str, rule: RuleId, share: Option<&Share>) -> Said {
        let case = share.map_or(Case::GENERAL, |share| Case {
            kind: share.kind,
            password: share.password,
            access: share.access,
            audience: share.audience,
        });
        self.voice.of_rule(kind, rule, case, &[])
    }

    /// How many of each level, the gravest first; nothing where there are none.
    pub(super) fn levels(self, counts: &[u64; Level::ALL.len()]) -> Said {
        let counts = Level::ALL
            .iter()
            .zip(counts)
            .rev()
            .filter(|(_, count)| **count > 0);
        let parts = counts.map(|(level, count)| {
            let level = self.say(&format!("level_of.{level}"))?;
            let values = [("count", self.voice.number(*count)), ("level", level)];
            self.voice.say("report.levels_part", &values)
        });
        Ok(self.voice.list(&parts.collect::<Result<Vec<_>, _>>()?))
    }
}
