//! What a letter says, sentence by sentence, for a part of it. Pure.
//!
//! Templates only put these sentences in their places: nothing in them is remote text that was not made safe.

mod listing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use minijinja::{Value, context};

pub use self::listing::Listing;
use super::fate::Reader;
use super::letter::{
    Content, Digest, Due, Entry, Incident, Instead, LastRun, Letter, List, Role, Summary, Told,
};
use super::remedy::{Step, rules, steps};
use super::render::Facts;
use crate::model::{Access, Level, Origin, RuleId, ShareKind, SourceKind, SourceName, Verdict};
use crate::plan::ActionKind;
use crate::report::words::{Case, Voice, WordsError};

/// How many columns an item takes, with the folders above it.
const ITEM: usize = 160;
/// How many columns the name of a person, a place or an address takes.
const NAME: usize = 80;
/// How many columns an address takes that somebody has to look up.
const ADDRESS: usize = 320;
/// How many columns a reason takes.
const REASON: usize = 240;

type Said = Result<Value, WordsError>;

/// A letter, as templates see it.
pub(super) fn letter(voice: Voice<'_>, facts: &Facts, letter: &Letter) -> Said {
    let view = View {
        voice,
        facts,
        today: letter.at.to_zoned(facts.zone.clone()).date(),
    };
    let about = match &letter.content {
        Content::Digest(digest) => view.digest(digest, letter)?,
        Content::Summary(summary) => view.summary(summary)?,
        Content::Incident(incident) => view.incident(incident)?,
    };
    let greeting = match &letter.to.name {
        Some(name) => voice.say("letter.greeting", &[("name", voice.remote(name, NAME)?)])?,
        None => voice.say("letter.greeting_unnamed", &[])?,
    };
    let trial = match &letter.meant_for {
        Some(address) => Some(voice.say("letter.trial", &[("address", voice.remote(address, NAME)?)])?),
        None => None,
    };
    Ok(context! {
        language => letter.language.as_str(),
        trial,
        date => voice.date(view.today)?,
        address => voice.remote(&letter.to.address, NAME)?,
        sender => view.sender(),
        contact => view.contact(),
        greeting,
        list => letter.list.as_ref().map(|list| view.list(list)).transpose()?,
        products => view.products()?,
        ..about
    })
}

#[derive(Debug)]
struct View<'a> {
    voice: Voice<'a>,
    facts: &'a Facts,
    today: Date,
}

impl View<'_> {
    fn sender(&self) -> Value {
        self.voice.stated(&self.facts.sender)
    }

    fn contact(&self) -> Value {
        self.voice.stated(&self.facts.contact)
    }

    /// The products that are looked at.
    fn products(&self) -> Said {
        let products: BTreeSet<_> = self.facts.sources.values().map(|place| place.product).collect();
        let names = products
            .iter()
            .map(|product| self.voice.say(&format!("product.name_{product}"), &[]));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        match names.as_slice() {
            [] => self.voice.say("product.none", &[]),
            [name] => Ok(name.clone()),
            [one, other, ..] => self
                .voice
                .say("product.and", &[("one", one.clone()), ("other", other.clone())]),
        }
    }

    fn digest(&self, digest: &Digest, letter: &Letter) -> Said {
        let more = digest.more.values().copied().fold(0, u64::saturating_add);
        let total = more.saturating_add(digest.entries.len() as u64);
        let entries: Result<Vec<_>, _> = digest.entries.iter().map(|entry| self.entry(entry)).collect();
        Ok(context! {
            kind => "digest",
            headline => self.headline(digest, total)?,
            why_you => self.why_you(letter)?,
            below => self.to_reader(letter, "digest.below")?,
            todo => self.to_reader(letter, "digest.todo")?,
            total => self.voice.count("digest.entries", total, &[])?,
            entries => entries?,
            more => if more > 0 { Some(self.more(digest, more)?) } else { None },
            how => match letter.instead {
                Some(why) => vec![self.how_instead(letter.told, why)?],
                None => self.how(&digest.entries)?,
            },
        })
    }

    /// Why the reader is written to.
    fn why_you(&self, letter: &Letter) -> Said {
        let Some(why) = letter.instead else {
            return self.voice.say("digest.why_you", &[]);
        };
        let why = self.voice.say(&format!("instead.{why}"), &[])?;
        if letter.told != Reader::Manager {
            return Ok(why);
        }
        let manager = self.voice.say("instead.manager", &[])?;
        Ok(self.voice.sentences(&[manager, why]))
    }

    /// A text for the reader: whoever stands in for another cannot do the same.
    fn to_reader(&self, letter: &Letter, key: &str) -> Said {
        match letter.instead {
            Some(_) => self.voice.say(&format!("{key}_instead"), &[]),
            None => self.voice.say(key, &[]),
        }
    }

    /// What somebody can do who has no account there: the manager, or an administrator.
    fn how_instead(&self, told: Reader, why: Instead) -> Said {
        let steps = match (told, why) {
            (Reader::Manager, _) => ["account", "manager", "manager_ask"],
            (_, Instead::OwnerGone) => ["account", "gone", "plan"],
            _ => ["account", "here", "plan"],
        };
        let values = [("contact", self.contact()), ("products", self.products()?)];
        let steps = steps.map(|step| self.voice.say(&format!("instead_of.{step}"), &values));
        let steps: Result<Vec<_>, _> = steps.into_iter().collect();
        let none: [Value; 0] = [];
        Ok(context! { title => self.voice.say("digest.how_instead", &[])?, open => none, steps => steps? })
    }

    /// What the subject says of a digest.
    fn headline(&self, digest: &Digest, total: u64) -> Said {
        let text = self.voice.count("digest.subject", total, &[])?;
        let first = digest
            .entries
            .iter()
            .filter_map(|entry| entry.due.as_ref())
            .map(|due| due.on)
            .min();
        match first {
            None => Ok(text),
            Some(first) if first < self.today => self.voice.say("digest.subject_overdue", &[("text", text)]),
            Some(first) => {
                let date = self.voice.date(first)?;
                self.voice
                    .say("digest.subject_due", &[("text", text), ("date", date)])
            }
        }
    }

    fn more(&self, digest: &Digest, count: u64) -> Said {
        let levels = digest.more.iter().rev().filter(|(_, count)| **count > 0);
        let levels: Result<Vec<_>, _> = levels
            .map(|(level, count)| self.part(self.level(*level)?, self.voice.number(*count)))
            .collect();
        let levels = self.voice.list(&levels?);
        self.voice.count("digest.more", count, &[("levels", levels)])
    }

    /// What is said of the list that is attached, or should have been.
    fn list(&self, list: &List) -> Said {
        let key = match list.csv {
            Ok(_) => "digest.list_attached",
            Err(_) => "digest.list_missing",
        };
        let file = self.voice.stated(&format!("{}.zip", list.name));
        self.voice
            .say(key, &[("contact", self.contact()), ("file", file)])
    }

    fn part(&self, what: Value, value: Value) -> Said {
        self.voice.say("letter.part", &[("what", what), ("value", value)])
    }

    fn level(&self, level: Level) -> Said {
        self.voice.say(&format!("level.{level}"), &[])
    }

    fn entry(&self, entry: &Entry) -> Said {
        let voice = self.voice;
        let kind = voice.say(&format!("kind.{}", entry.kind), &[])?;
        let place = [
            ("item", voice.say(&format!("item.{}", entry.item_kind), &[])?),
            ("product", self.product(entry.product)?),
            ("source", voice.stated(entry.source.as_str())),
            ("kind", kind),
        ];
        let since = [("date", voice.date(entry.since)?)];
        let since_kind = if entry.since_made {
            "since.made"
        } else {
            "since.seen"
        };
        let findings: Result<Vec<_>, _> = entry
            .findings
            .iter()
            .map(|told| self.finding(entry, told))
            .collect();
        Ok(context! {
            item => self.item(&entry.item)?,
            place => voice.say("item.place", &place)?,
            since => voice.say(since_kind, &since)?,
            audience => self.audience(entry)?,
            access => self.rights(entry.access)?,
            role => self.role(&entry.role)?,
            findings => findings?,
            due => self.due(entry.due.as_ref())?,
            todo => self.todo(entry)?,
        })
    }

    fn item(&self, item: &str) -> Said {
        if item.is_empty() {
            return self.voice.say("letter.no_name", &[]);
        }
        self.voice.quoted(item, ITEM)
    }

    fn product(&self, product: SourceKind) -> Said {
        self.voice.say(&format!("product.{product}"), &[])
    }

    fn audience(&self, entry: &Entry) -> Said {
        let link = if entry.kind == ShareKind::Link {
            "_link"
        } else {
            ""
        };
        let audience = format!("audience.{}", entry.audience);
        self.voice.either(&format!("{audience}{link}"), &audience, &[])
    }

    fn rights(&self, access: Access) -> Said {
        let rights = access
            .iter()
            .map(|right| self.voice.say(&format!("right.{right}"), &[]));
        let rights = rights.collect::<Result<Vec<_>, _>>()?;
        if rights.is_empty() {
            return self.voice.say("right.none", &[]);
        }
        Ok(self.voice.list(&rights))
    }

    fn role(&self, role: &Role) -> Result<Option<Value>, WordsError> {
        let (key, who) = match role {
            Role::Owner => return Ok(None),
            Role::Sharer(owner) => ("role.sharer", owner),
            Role::Responsible(whom) => ("role.responsible", whom),
        };
        Ok(Some(
            self.voice.say(key, &[("who", self.voice.quoted(who, NAME)?)])?,
        ))
    }

    /// What is wrong, in a sentence.
    fn finding(&self, entry: &Entry, told: &Told) -> Said {
        let mut values = vec![
            ("level", self.voice.strong(&self.level(told.level)?)),
            ("text", self.of_rule("rule", told.rule, entry)?),
            ("id", self.voice.stated(told.id.as_str())),
        ];
        if !told.is_news {
            return self.voice.say("digest.finding", &values);
        }
        values.push(("news", self.voice.say("digest.news", &[])?));
        self.voice.say("digest.finding_news", &values)
    }

    fn of_rule(&self, kind: &str, rule: RuleId, entry: &Entry) -> Said {
        let case = Case {
            kind: entry.kind,
            password: entry.password,
            access: entry.access,
            audience: entry.audience,
        };
        self.voice
            .of_rule(kind, rule, case, &[("contact", self.contact())])
    }

    /// What will happen, and when.
    fn due(&self, due: Option<&Due>) -> Said {
        let Some(due) = due else {
            return self.voice.say("due.none", &[]);
        };
        let mut values = vec![("date", self.voice.date(due.on)?)];
        let mut key = format!("due.{}", due.action);
        if due.on < self.today {
            key.push_str("_overdue");
        } else if due.action == ActionKind::SetExpiry {
            match due.value {
                Some(end) => values.push(("end", self.voice.date(end)?)),
                None => key.push_str("_undated"),
            }
        }
        self.voice.say(&key, &values)
    }

    /// What puts it right, each thing once.
    fn todo(&self, entry: &Entry) -> Result<Vec<Value>, WordsError> {
        let mut said = BTreeSet::new();
        let mut todo = Vec::new();
        for rule in rules(entry) {
            let text = self.of_rule("todo", rule, entry)?;
            if said.insert(text.to_string()) {
                todo.push(text);
            }
        }
        Ok(todo)
    }

    /// How that is done, product by product: only what these shares need.
    fn how(&self, entries: &[Entry]) -> Result<Vec<Value>, WordsError> {
        let mut products: BTreeMap<SourceKind, (BTreeSet<&SourceName>, BTreeSet<Step>)> = BTreeMap::new();
        for entry in entries {
            let steps: Vec<_> = rules(entry)
                .into_iter()
                .flat_map(|rule| steps(rule, entry.kind))
                .collect();
            if !steps.is_empty() {
                let (sources, needed) = products.entry(entry.product).or_default();
                sources.insert(&entry.source);
                needed.extend(steps);
            }
        }
        let products = products.into_iter().map(|(product, (sources, steps))| {
            let mut open: Vec<Value> = Vec::new();
            for source in &sources {
                open.push(self.start(product, source, sources.len() > 1)?);
            }
            let how = |step: &str| self.voice.say(&format!("how.{product}.{step}"), &[]);
            open.extend([how("open")?, how("share")?]);
            let steps: Result<Vec<_>, _> = steps.into_iter().map(|step| how(step.text())).collect();
            let product = [("product", self.product(product)?)];
            Ok(context! { title => self.voice.say("digest.how_in", &product)?, open, steps => steps? })
        });
        products.collect()
    }

    /// Where a source is opened.
    fn start(&self, product: SourceKind, source: &SourceName, is_one_of_several: bool) -> Said {
        let Some(start) = self
            .facts
            .sources
            .get(source)
            .and_then(|place| place.start.as_deref())
        else {
            let product = [("product", self.product(product)?)];
            return self.voice.say("how.start_untold", &product);
        };
        let start = if is_one_of_several {
            format!("{start} ({source})")
        } else {
            start.to_owned()
        };
        self.voice
            .say("how.start", &[("start", self.voice.stated(&start))])
    }

    /// A suspected breach: what is known, what is not, and what to do.
    fn incident(&self, incident: &Incident) -> Said {
        let voice = self.voice;
        let mut headline = voice.say("incident.subject", &[])?;
        let uses = &incident.uses;
        let values = [
            ("first", self.moment(uses.first)?),
            ("last", self.moment(uses.last)?),
        ];
        let mut known = vec![voice.count("incident.uses", uses.records, &values)?];
        let mut unknown = vec![voice.say("incident.who", &[])?];
        match uses.origin {
            Origin::Outside => {
                known.push(voice.say("incident.outside", &[])?);
                headline = voice.say("incident.subject_outside", &[("text", headline)])?;
            }
            Origin::Own => known.push(voice.say("incident.own", &[])?),
            Origin::Untold => unknown.push(voice.say("incident.whence", &[])?),
        }
        unknown.push(voice.say("incident.more", &[])?);
        let place = [
            ("item", voice.say(&format!("item.{}", incident.item_kind), &[])?),
            ("product", self.product(incident.product)?),
            ("source", voice.stated(incident.source.as_str())),
            ("kind", voice.say(&format!("kind.{}", incident.kind), &[])?),
        ];
        let since = if incident.since_made {
            "since.made"
        } else {
            "since.seen"
        };
        let labels: Vec<_> = incident.labels.iter().map(|label| voice.stated(label)).collect();
        let mut parts = vec![
            ("digest.place", voice.say("item.place", &place)?),
            ("incident.owner", voice.quoted(&incident.owner, NAME)?),
            (
                "digest.since",
                voice.say(since, &[("date", voice.date(incident.since)?)])?,
            ),
            ("digest.access", self.rights(incident.access)?),
            ("incident.finding", voice.stated(incident.finding.as_str())),
        ];
        if !labels.is_empty() {
            parts.insert(2, ("incident.labels", voice.list(&labels)));
        }
        let parts = parts
            .into_iter()
            .map(|(what, value)| Ok(context! { what => voice.say(what, &[])?, value }));
        let id = [("id", voice.stated(incident.finding.as_str()))];
        let todo =
            ["decide", "kept", "quiet", "close"].map(|what| voice.say(&format!("incident.{what}"), &id));
        Ok(context! {
            kind => "incident",
            headline,
            item => self.item(&incident.item)?,
            parts => parts.collect::<Result<Vec<_>, WordsError>>()?,
            known,
            unknown,
            todo => todo.into_iter().collect::<Result<Vec<_>, _>>()?,
        })
    }

    /// A time of day, where it is day.
    fn moment(&self, at: Timestamp) -> Said {
        let at = at.to_zoned(self.facts.zone.clone());
        let time = self.voice.stated(&at.strftime("%H:%M %Z").to_string());
        let date = self.voice.date(at.date())?;
        self.voice
            .say("incident.moment", &[("date", date), ("time", time)])
    }

    fn summary(&self, summary: &Summary) -> Said {
        let voice = self.voice;
        let sources: Result<Vec<_>, WordsError> = summary
            .sources
            .iter()
            .map(|(source, last)| self.last_run(source, last.as_ref()))
            .collect();
        let count = |of: &BTreeMap<Level, u64>, level| voice.number(of.get(&level).copied().unwrap_or(0));
        let levels: Result<Vec<_>, WordsError> = Level::ALL
            .iter()
            .rev()
            .map(|level| {
                Ok(context! {
                    level => self.level(*level)?,
                    new => count(&summary.new, *level),
                    standing => count(&summary.standing, *level),
                })
            })
            .collect();
        let due: Result<Vec<_>, WordsError> = summary
            .due
            .iter()
            .map(|(day, count)| voice.count("summary.due_line", *count, &[("date", voice.date(*day)?)]))
            .collect();
        let counted = |key, count: u64| (count > 0).then(|| voice.count(key, count, &[])).transpose();
        Ok(context! {
            kind => "summary",
            headline => self.summary_headline(summary)?,
            title => voice.say("summary.title", &[("date", voice.date(self.today)?)])?,
            sources => sources?,
            levels => levels?,
            unread => self.unread(summary)?,
            more_unread => counted("summary.unread_more", summary.more_unread)?,
            too_many => summary.too_many.map(|count| voice.count("summary.too_many", count, &[])).transpose()?,
            sent => voice.count("summary.sent", summary.sent, &[])?,
            trouble => self.trouble(summary)?,
            due => due?,
        })
    }

    /// What the subject says of a night.
    fn summary_headline(&self, summary: &Summary) -> Said {
        // Of what was never read whole, something is not known.
        let verdict = |last: &Option<LastRun>| last.as_ref().map_or(Verdict::Incomplete, |last| last.verdict);
        let worst = summary.sources.iter().map(|(_, last)| verdict(last)).max();
        let date = ("date", self.voice.date(self.today)?);
        let mut text = match worst {
            Some(worst) => {
                let verdict = self.voice.say(&format!("verdict.{worst}"), &[])?;
                self.voice.say("summary.subject", &[date, ("verdict", verdict)])?
            }
            None => self.voice.say("summary.title", &[date])?,
        };
        let critical = summary.new.get(&Level::Critical).copied().unwrap_or(0);
        if critical > 0 {
            text = self
                .voice
                .count("summary.subject_new", critical, &[("text", text)])?;
        }
        if summary.too_many.is_some()
            || !summary.failed.is_empty()
            || !summary.unlisted.is_empty()
            || !summary.unknown.is_empty()
        {
            text = self.voice.say("summary.subject_trouble", &[("text", text)])?;
        }
        Ok(text)
    }

    /// What the last run that read a source whole is worth.
    fn last_run(&self, source: &SourceName, last: Option<&LastRun>) -> Said {
        let source = ("source", self.voice.stated(source.as_str()));
        let Some(last) = last else {
            return self.voice.say("summary.source_never", &[source]);
        };
        let values = [
            source,
            (
                "verdict",
                self.voice.say(&format!("verdict.{}", last.verdict), &[])?,
            ),
            ("date", self.voice.date(last.on)?),
            ("run", self.voice.stated(&last.id)),
        ];
        self.voice.say("summary.source_line", &values)
    }

    fn unread(&self, summary: &Summary) -> Result<Vec<Value>, WordsError> {
        let lines = summary.unread.iter().map(|(source, scope, code)| {
            let values = [
                ("source", self.voice.stated(source.as_str())),
                ("scope", self.voice.remote(scope, NAME)?),
                ("why", self.voice.say(&format!("problem.{code}"), &[])?),
            ];
            self.voice.say("summary.unread_line", &values)
        });
        lines.collect()
    }

    /// Letters that did not go as they should.
    fn trouble(&self, summary: &Summary) -> Result<Vec<Value>, WordsError> {
        let voice = self.voice;
        let line = |(address, why): &(String, String)| {
            let values = [
                ("address", voice.remote(address, ADDRESS)?),
                ("why", voice.remote(why, REASON)?),
            ];
            voice.say("summary.failed_line", &values)
        };
        let failed = summary.failed.iter().map(line);
        let unlisted = summary.unlisted.iter().map(line);
        let instead = summary
            .instead
            .iter()
            .map(|(why, count)| self.part(voice.say(&format!("reason.{why}"), &[])?, voice.number(*count)));
        let unknown = summary.unknown.iter().map(|letter| {
            let mut values = vec![
                ("address", voice.remote(&letter.address, ADDRESS)?),
                ("date", voice.date(letter.on)?),
            ];
            let Some(why) = &letter.why else {
                return voice.say("summary.unknown_lost", &values);
            };
            values.push(("why", voice.remote(why, REASON)?));
            voice.say("summary.unknown_line", &values)
        });
        let groups = [
            ("summary.failed", failed.collect::<Result<Vec<_>, _>>()?),
            ("summary.unlisted", unlisted.collect::<Result<Vec<_>, _>>()?),
            ("summary.instead", instead.collect::<Result<Vec<_>, _>>()?),
            ("summary.unknown", unknown.collect::<Result<Vec<_>, _>>()?),
        ];
        let groups = groups.into_iter().filter(|(_, lines)| !lines.is_empty());
        groups
            .map(|(title, lines)| Ok(context! { title => voice.say(title, &[])?, lines }))
            .collect()
    }
}
