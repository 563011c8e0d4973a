//! What a letter says, sentence by sentence, for a part of it. Pure.
//!
//! Templates only put these sentences in their places: nothing in them is remote text that was not made safe.

mod listing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use minijinja::{Value, context};

pub use self::listing::Listing;
use super::letter::{Content, Digest, Due, Entry, Letter, List, Role, Summary, Told};
use super::remedy::{Step, rules, steps};
use super::render::{Facts, RenderError};
use super::words::Voice;
use crate::model::{Level, RuleId, ShareKind, SourceKind, SourceName};
use crate::plan::ActionKind;

/// How many columns an item takes, with the folders above it.
const ITEM: usize = 160;
/// How many columns the name of a person, a place or an address takes.
const NAME: usize = 80;
/// How many columns a reason takes.
const REASON: usize = 240;

type Said = Result<Value, RenderError>;

/// A letter, as templates see it.
pub(super) fn letter(voice: Voice<'_>, facts: &Facts, letter: &Letter) -> Said {
    let view = View {
        voice,
        facts,
        today: letter.at.to_zoned(facts.zone.clone()).date(),
    };
    let about = match &letter.content {
        Content::Digest(digest) => view.digest(digest)?,
        Content::Summary(summary) => view.summary(summary)?,
    };
    let greeting = match &letter.to.name {
        Some(name) => voice.say("letter.greeting", &[("name", voice.remote(name, NAME)?)])?,
        None => voice.say("letter.greeting_unnamed", &[])?,
    };
    let why_you = match letter.instead {
        Some(why) => voice.say(&format!("instead.{why}"), &[])?,
        None => voice.say("digest.why_you", &[])?,
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
        why_you,
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

    fn digest(&self, digest: &Digest) -> Said {
        let more = digest.more.values().copied().fold(0, u64::saturating_add);
        let total = more.saturating_add(digest.entries.len() as u64);
        let entries: Result<Vec<_>, _> = digest.entries.iter().map(|entry| self.entry(entry)).collect();
        Ok(context! {
            kind => "digest",
            headline => self.headline(digest, total)?,
            total => self.voice.count("digest.entries", total, &[])?,
            entries => entries?,
            more => if more > 0 { Some(self.more(digest, more)?) } else { None },
            how => self.how(&digest.entries)?,
        })
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
            access => self.access(entry)?,
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

    fn access(&self, entry: &Entry) -> Said {
        let rights = entry
            .access
            .iter()
            .map(|right| self.voice.say(&format!("right.{right}"), &[]));
        let rights = rights.collect::<Result<Vec<_>, _>>()?;
        if rights.is_empty() {
            return self.voice.say("right.none", &[]);
        }
        Ok(self.voice.list(&rights))
    }

    fn role(&self, role: &Role) -> Result<Option<Value>, RenderError> {
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

    /// A rule's text of a kind; what is about settings of a service has one for all.
    fn of_rule(&self, kind: &str, rule: RuleId, entry: &Entry) -> Said {
        let name = if rule.is_posture() {
            "posture"
        } else {
            rule.as_str()
        };
        let case = match rule {
            RuleId::LinkWithoutPassword if entry.password.is_none() => "unknown",
            RuleId::LinkWithoutPassword if entry.access.changes() => "changes",
            RuleId::LinkAllowsUpload if entry.access.shows() => "shows",
            RuleId::ClassifiedItemExposed => entry.audience.as_str(),
            _ => "always",
        };
        let general = format!("{kind}.{name}");
        let special = format!("{general}_{case}");
        self.voice
            .either(&special, &general, &[("contact", self.contact())])
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
    fn todo(&self, entry: &Entry) -> Result<Vec<Value>, RenderError> {
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
    fn how(&self, entries: &[Entry]) -> Result<Vec<Value>, RenderError> {
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

    fn summary(&self, summary: &Summary) -> Said {
        let voice = self.voice;
        let sources: Result<Vec<_>, RenderError> = summary
            .sources
            .iter()
            .map(|(source, verdict)| {
                let verdict = voice.say(&format!("verdict.{verdict}"), &[])?;
                self.part(voice.stated(source.as_str()), verdict)
            })
            .collect();
        let count = |of: &BTreeMap<Level, u64>, level| voice.number(of.get(&level).copied().unwrap_or(0));
        let levels: Result<Vec<_>, RenderError> = Level::ALL
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
        let due: Result<Vec<_>, RenderError> = summary
            .due
            .iter()
            .map(|(day, count)| voice.count("summary.due_line", *count, &[("date", voice.date(*day)?)]))
            .collect();
        let counted = |key, count: u64| (count > 0).then(|| voice.count(key, count, &[])).transpose();
        Ok(context! {
            kind => "summary",
            headline => self.summary_headline(summary)?,
            title => voice.say("summary.title", &[("date", voice.date(self.today)?)])?,
            run => voice.stated(&summary.run),
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
        let worst = summary.sources.iter().map(|(_, verdict)| *verdict).max();
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

    fn unread(&self, summary: &Summary) -> Result<Vec<Value>, RenderError> {
        let lines = summary.unread.iter().map(|(source, scope, why)| {
            let values = [
                ("source", self.voice.stated(source.as_str())),
                ("scope", self.voice.remote(scope, NAME)?),
                ("why", self.voice.remote(why, REASON)?),
            ];
            self.voice.say("summary.unread_line", &values)
        });
        lines.collect()
    }

    /// Letters that did not go as they should.
    fn trouble(&self, summary: &Summary) -> Result<Vec<Value>, RenderError> {
        let voice = self.voice;
        let line = |(address, why): &(String, String)| {
            let values = [
                ("address", voice.remote(address, NAME)?),
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
        let unknown = summary.unknown.iter().map(|address| voice.remote(address, NAME));
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
