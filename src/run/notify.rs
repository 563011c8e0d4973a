//! Telling people: who is told what of the latest picture, and what became of each letter.
//!
//! A letter is recorded before it is sent, and what became of it after: a run that is killed between leaves letters of which
//! is not known whether they left, and those are told to the operator and not sent again. Nothing here holds all findings,
//! nor all letters.

mod incidents;
mod picture;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::grace::Reach;
use crate::model::{
    Audience, FindingId, Level, NameDisplay, Principal, PrincipalClass, PrincipalKind, Share, SourceKind,
    SourceName, long_digest, short_digest,
};
use crate::notify::{
    Addressee, Concern, Content, Due, Entry, Gathering, Identities, Instead, Language, Letter, List,
    Occasion, Outcome, Reached, Reader, Renderer, Role, Routing, Sent, Summary, Told, Unsure,
};
use crate::plan::{Action, Notice, Notices, Subject};
use crate::policy::{Breadth, Judge, Policy};
use crate::report::Pages as _;
use crate::store::{
    ADMINISTRATORS, Concerned, Heard, Ledger, LetterStart, Narrowing, Person, Plannable, RunFilter,
    StoreError, Telling,
};
use picture::picture;

pub use incidents::Incidents;

/// How much is kept of what a mail server says, in characters.
const REPLY: usize = 400;
/// After how many letters in a row for which the way was closed no other is tried.
const HOPELESS: u32 = 3;

/// Puts a letter into words and sends it.
pub trait Carrier: Send {
    /// Sends a letter, once.
    fn carry<'a>(&'a mut self, letter: &'a Letter) -> BoxFuture<'a, Sent>;
}

/// What people are told of, and how.
#[derive(Clone, Copy)]
pub struct Mailing<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The sources.
    pub sources: &'a [(SourceName, SourceKind)],
    /// Who is the same person in several of them.
    pub identities: &'a Identities,
    /// Where letters go.
    pub routing: &'a Routing,
    /// Gives an address as it is written to, or says why it is not.
    pub usable: &'a (dyn Fn(&str) -> Result<String, Instead> + Sync),
    /// Who answers for a site, as the operator says.
    pub answers: &'a (dyn Fn(&SourceName, &str) -> Option<String> + Sync),
    /// Where all letters go, on trial.
    pub redirect_to: Option<&'a str>,
    /// Who is told of suspected breaches.
    pub incident_contact: Option<&'a str>,
    /// The least level that people hear of.
    pub min_level: Level,
    /// The most letters in a run.
    pub max_letters: u64,
    /// How file names appear.
    pub names: NameDisplay,
    /// The language where somebody's own is not known.
    pub language: Language,
    /// Who writes the list of all that a reader is told, where letters have one attached.
    pub lists: Option<&'a Renderer>,
    /// How often somebody hears of what is merely still open.
    pub every: Span,
    /// In which days are counted.
    pub zone: &'a TimeZone,
    /// What owners are to be told will be done, beside what they were told before.
    pub notices: &'a Notices,
    /// The time.
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
    /// Whether it is only looked at: nothing is recorded.
    pub rehearsal: bool,
}

impl std::fmt::Debug for Mailing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailing")
            .field("redirect_to", &self.redirect_to)
            .field("rehearsal", &self.rehearsal)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Mailed {
    /// The id of the run whose picture people are told.
    pub run: String,
    /// What the administrators are told of it.
    pub summary: Summary,
    /// How many letters there were to send, but for the administrators'.
    pub letters: u64,
    /// How many people could not be told, and nobody in their stead, by the reason.
    pub nobody: BTreeMap<Instead, u64>,
    /// How many letters were not tried, since the way was closed or somebody interrupted.
    pub left: u64,
    /// How many shares with findings could not be looked at, since their particulars are not kept.
    pub bare: u64,
    /// How many shares nobody is told of until the baseline of their source is released.
    pub held: u64,
    /// What became of suspected breaches.
    pub incidents: Incidents,
    /// Whether the administrators were told; `None` where there is no address of theirs, or nothing that they were not told
    /// today.
    pub administrators: Option<bool>,
}

impl Mailed {
    /// Whether everybody who was to be told was.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Summary {
            failed,
            unlisted,
            unknown,
            too_many,
            ..
        } = &self.summary;
        failed.is_empty()
            && unlisted.is_empty()
            && unknown.is_empty()
            && too_many.is_none()
            && self.nobody.is_empty()
            && self.left == 0
            && self.incidents.untold == 0
    }
}

/// A share as it is put aside for somebody whom it concerns.
#[derive(Debug, Serialize, Deserialize)]
struct Aside {
    entry: Entry,
    /// Whose it is, for those who are told in their stead.
    owner: String,
    /// How wide it is open.
    breadth: Breadth,
    notice: Option<Notice>,
}

impl Aside {
    /// The same as it is told to a reader: whoever reads in the owner's stead is told whose it is, and nothing is announced
    /// to them.
    fn to(mut self, told: Reader) -> Self {
        if told != Reader::Owner {
            if self.entry.role == Role::Owner {
                self.entry.role = Role::Responsible(self.owner.clone());
            }
            if let Some(notice) = self.notice.take()
                && let Subject::Offer(_) = notice.subject
            {
                self.entry.due = None;
            }
        }
        self
    }

    /// What is said to the owner with it; whoever merely shared it is told, and not asked.
    fn notice(&self) -> Option<&Notice> {
        let notice = self.notice.as_ref();
        notice.filter(|_| !matches!(self.entry.role, Role::Sharer(_)))
    }
}

/// How a finding stands, as it is remembered.
#[derive(Serialize, Deserialize)]
struct Stood {
    level: Level,
    breadth: Breadth,
}

impl Stood {
    fn of(told: &Told, breadth: &Breadth) -> Self {
        Self {
            level: told.level,
            breadth: breadth.clone(),
        }
    }

    /// Whether it is graver, or the share wider, than somebody heard: what became better is no news.
    fn is_news_after(&self, heard: Option<&Heard>) -> bool {
        let heard = heard.and_then(|heard| heard.stood.as_deref());
        let heard = heard.and_then(|stood| serde_json::from_str::<Self>(stood).ok());
        heard.is_none_or(|heard| self.level > heard.level || self.breadth.is_wider_than(&heard.breadth))
    }
}

/// Who reads in somebody's stead: their key, whether they are told of last, and they themselves.
type StandIn = (String, bool, Reading);

/// Who reads a letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    name: Option<String>,
    address: String,
    language: Language,
    told: Reader,
    instead: Option<Instead>,
}

/// What a reader is to be told, where there is an occasion.
struct Sheet {
    gathering: Gathering,
    /// How many people it concerns.
    people: u64,
}

/// Tells people what stands open in the latest picture, each what concerns them; the administrators last what came of it.
///
/// # Errors
/// Any [`StoreError`] of the file; what was sent until then is on record.
pub async fn notify(
    ledger: &mut Ledger,
    mailing: Mailing<'_>,
    carrier: &mut dyn Carrier,
    cancel: &CancellationToken,
) -> Result<Mailed, StoreError> {
    let now = (mailing.clock)();
    let run = ledger
        .stored_run(None, RunFilter::default())?
        .header()
        .run
        .id
        .clone();
    let mut post = Post {
        mailing,
        now,
        today: mailing.day(now),
        mailed: Mailed {
            summary: picture(ledger, mailing)?,
            run,
            ..Mailed::default()
        },
        closed: 0,
    };
    let lost = ledger.lost_letters()?;
    let unsure = lost.iter().map(|lost| Unsure {
        address: lost.address.clone(),
        on: mailing.day(lost.at),
        why: None,
    });
    post.mailed.summary.unknown = unsure.collect();
    incidents::tell(&mut post, ledger, carrier, cancel).await?;
    ledger.gather()?;
    (post.mailed.bare, post.mailed.held) = put_aside(ledger, mailing, now)?;
    post.direct(ledger)?;
    post.count(ledger)?;
    if post.mailed.letters > mailing.max_letters {
        post.mailed.summary.too_many = Some(post.mailed.letters);
    }
    if mailing.rehearsal || post.mailed.summary.too_many.is_none() {
        post.send_all(ledger, carrier, cancel).await?;
    }
    post.tell_administrators(ledger, carrier, cancel).await?;
    // Whoever is to be told of lost letters was, or the next run tells it again.
    if !mailing.rehearsal && post.mailed.administrators != Some(false) && !cancel.is_cancelled() {
        ledger.give_up_letters(&lost, (mailing.clock)())?;
    }
    Ok(post.mailed)
}

impl Mailing<'_> {
    fn day(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    fn person(&self, source: (&SourceName, SourceKind), account: &Principal) -> String {
        self.identities.person(source.0, source.1, account)
    }

    /// Whom a letter about what somebody owns would reach; `None` where nobody is told of it, or all letters go to one
    /// address on trial.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn reaches(
        &self,
        ledger: &Ledger,
        source: (&SourceName, SourceKind),
        owner: &Principal,
    ) -> Result<Option<Reach>, StoreError> {
        if self.redirect_to.is_some() {
            return Ok(None);
        }
        let mut reach = None;
        for (key, account) in self.responsible(ledger, source, owner)? {
            let account = match account {
                Some(id) if id == owner.id => Some((source.1, owner.clone())),
                Some(id) => ledger.account(source.0, &id)?,
                None => None,
            };
            let accounts = account.map(|(kind, account)| (source.0.clone(), kind, account));
            let person = Person {
                key,
                accounts: accounts.into_iter().collect(),
                by_others: true,
            };
            match self.own(ledger, &self.reached(ledger, &person)?)? {
                Ok(_) => return Ok(Some(Reach::Owner)),
                Err(why) => {
                    if self.instead_of(ledger, &person, why)?.is_ok() {
                        reach = Some(Reach::Fallback);
                    }
                }
            }
        }
        Ok(reach)
    }

    /// The address that somebody is written to themselves, or why they are not.
    fn own(&self, ledger: &Ledger, reached: &Reached) -> Result<Result<String, Instead>, StoreError> {
        Ok(match reached.address(self.usable) {
            Ok(address) if self.was_refused(ledger, &address)? => Err(Instead::Refused),
            own => own,
        })
    }

    /// Who has to look after what somebody owns, with the account through which they have to: the owner; for a site those who
    /// answer for it and can be told, or somebody in whose stead others are.
    fn responsible(
        &self,
        ledger: &Ledger,
        (source, kind): (&SourceName, SourceKind),
        owner: &Principal,
    ) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let own = || (self.person((source, kind), owner), Some(owner.id.clone()));
        if owner.class != PrincipalClass::Site {
            return Ok(vec![own()]);
        }
        let stated = (self.answers)(source, &owner.id);
        let names = stated.map_or_else(|| owner.answered_by.clone(), |address| vec![address]);
        let (mut here, mut others) = (Vec::new(), Vec::new());
        for name in names {
            let account = ledger.account(source, &name)?;
            let (person, account, accounts) = match account {
                Some((_, account)) => {
                    let person = self.identities.person(source, kind, &account);
                    (person, Some(account.id.clone()), vec![(kind, account)])
                }
                None if name.contains('@') => (Identities::at(&name), None, Vec::new()),
                None => continue,
            };
            let reached = Reached::of(&person, &accounts);
            let those = if reached.address(self.usable).is_ok() {
                &mut here
            } else {
                &mut others
            };
            // Whose site it is remains known, where it is another's account or address.
            those.push((person, account));
        }
        if here.is_empty() {
            here.extend(others.into_iter().next());
        }
        if here.is_empty() {
            here.push(own());
        }
        Ok(here)
    }

    /// The accounts of somebody: those through which they are concerned, and those that the map says are theirs.
    fn accounts(
        &self,
        ledger: &Ledger,
        person: &Person,
    ) -> Result<Vec<(SourceName, SourceKind, Principal)>, StoreError> {
        let mut accounts = person.accounts.clone();
        for (source, id) in self.identities.accounts(&person.key) {
            let is_same = |account: &Principal| account.id.to_lowercase() == id.to_lowercase();
            let mut known = person.accounts.iter();
            if !known.any(|(known, _, account)| known == source && is_same(account)) {
                let account = ledger.account(source, id)?;
                accounts.extend(account.map(|(kind, account)| (source.clone(), kind, account)));
            }
        }
        Ok(accounts)
    }

    fn reached(&self, ledger: &Ledger, person: &Person) -> Result<Reached, StoreError> {
        let accounts = self.accounts(ledger, person)?.into_iter();
        let mut accounts: Vec<_> = accounts.map(|(_, kind, account)| (kind, account)).collect();
        let reached = Reached::of(&person.key, &accounts);
        match Identities::address(&person.key) {
            // They may have another account that is not concerned.
            Some(address) if reached.gone => {
                accounts.extend(ledger.accounts_at(address)?);
                Ok(Reached::of(&person.key, &accounts))
            }
            _ => Ok(reached),
        }
    }

    /// Whether an address was refused for good not long ago: it is tried again after a while.
    fn was_refused(&self, ledger: &Ledger, address: &str) -> Result<bool, StoreError> {
        if self.redirect_to.is_some() {
            return Ok(false);
        }
        let refused = ledger.refused_at(address)?;
        Ok(refused.is_some_and(|at| self.again(at) > self.day((self.clock)())))
    }

    /// The first day on which somebody hears again of what merely still stands.
    fn again(&self, last: Timestamp) -> Date {
        let again = last.to_zoned(self.zone.clone()).checked_add(self.every);
        again.map_or(Date::MAX, |again| again.date())
    }

    /// Who reads in the stead of somebody who cannot be told; or why nobody does.
    fn instead_of(
        &self,
        ledger: &Ledger,
        person: &Person,
        why: Instead,
    ) -> Result<Result<StandIn, Instead>, StoreError> {
        let Some((manager, address)) = self.manager(ledger, person)? else {
            return Ok(self.stand_in(why, None));
        };
        if why != Instead::Refused && self.was_refused(ledger, &address)? {
            return Ok(self.stand_in(Instead::Refused, None));
        }
        Ok(self.stand_in(why, Some((manager, &address))))
    }

    /// The manager of somebody, as a directory names one who can be told, and how they are written to.
    fn manager(&self, ledger: &Ledger, person: &Person) -> Result<Option<(Reached, String)>, StoreError> {
        if !self.routing.managers {
            return Ok(None);
        }
        for (source, kind, account) in self.accounts(ledger, person)? {
            let named = account.manager.as_deref().filter(|named| !named.is_empty());
            let Some((_, manager)) = named
                .map(|named| ledger.account(&source, named))
                .transpose()?
                .flatten()
            else {
                continue;
            };
            let key = self.person((&source, kind), &manager);
            let manager = Person {
                accounts: vec![(source, kind, manager)],
                by_others: false,
                key,
            };
            if manager.key == person.key {
                continue;
            }
            let reached = self.reached(ledger, &manager)?;
            if let Ok(address) = reached.address(self.usable) {
                return Ok(Some((reached, address)));
            }
        }
        Ok(None)
    }

    /// Whoever reads in others' stead, for one reason; those whose addresses are refused on the way are told of last.
    fn stand_in(&self, why: Instead, manager: Option<(Reached, &str)>) -> Result<StandIn, Instead> {
        let (manager, address) = manager.unzip();
        let route = self.routing.instead(why, address, self.usable)?;
        let manager = manager
            .filter(|_| route.told == Reader::Manager)
            .unwrap_or_default();
        let key = format!("{} {why} {}", route.told, route.address);
        let reading = Reading {
            name: manager.name,
            address: route.address,
            language: manager.language.unwrap_or(self.language),
            told: route.told,
            instead: Some(why),
        };
        Ok((key, why == Instead::Refused, reading))
    }

    /// An item as it is shown: the owner's path, or to others only its name.
    fn shown(&self, share: &Share, role: &Role) -> String {
        let is_sharer = matches!(role, Role::Sharer(_));
        match self.names {
            NameDisplay::Full if is_sharer => share.item.name().to_owned(),
            NameDisplay::Full => share.item.path.clone(),
            NameDisplay::Folder if !is_sharer => share.item.folder().to_owned(),
            NameDisplay::Folder | NameDisplay::Hidden => String::new(),
        }
    }

    fn due(&self, (action, at): &(Action, Timestamp)) -> Due {
        let value = action.value.as_deref();
        let day = |text: &str| text.parse::<Date>().ok();
        let instant = |text: &str| text.parse::<Timestamp>().ok().map(|at| self.day(at));
        Due {
            on: self.day(*at),
            action: action.action,
            value: value.and_then(|text| instant(text).or_else(|| day(text))),
        }
    }
}

/// Puts aside whom every share concerns that has findings which stand open; gives how many could not be looked at, and how
/// many are held back.
fn put_aside(ledger: &Ledger, mailing: Mailing<'_>, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let (mut bare, mut held) = (0, 0);
    for (name, kind) in mailing.sources {
        let Some(facts) = ledger.facts(name)? else {
            // It was never read: nothing is known of it.
            continue;
        };
        let looking = Looking {
            ledger,
            mailing,
            judge: Judge::new(mailing.policy, &facts, now),
            source: (name, *kind),
            today: mailing.day(now),
        };
        let mut failed = None;
        let classes = mailing.policy.classes.digest();
        bare += ledger.plannable(name, Narrowing::default(), classes, &mut |planned| {
            if failed.is_none() {
                match looking.look(&planned) {
                    Ok(is_held) => held += u64::from(is_held),
                    Err(error) => failed = Some(error),
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok((bare, held))
}

/// Looks at the shares of a source.
struct Looking<'a> {
    ledger: &'a Ledger,
    mailing: Mailing<'a>,
    judge: Judge<'a>,
    source: (&'a SourceName, SourceKind),
    today: Date,
}

impl Looking<'_> {
    /// Puts a share aside for everybody whom it concerns; says whether all that they would be told is held back instead.
    fn look(&self, planned: &Plannable) -> Result<bool, StoreError> {
        let Plannable {
            share,
            past,
            findings,
            announced,
        } = planned;
        let judged = self.judge.share(share, past);
        let due = self.due(share, *announced)?;
        let notice = self.notice(share);
        let (told, held): (Vec<_>, Vec<_>) = judged
            .findings
            .iter()
            .filter_map(|finding| {
                let stands = findings.iter().find(|stands| stands.rule == finding.rule)?;
                // What will be done is told, however slight its reason.
                let is_due = due
                    .as_ref()
                    .is_some_and(|(action, _)| action.finding == finding.id);
                // Of what may be a breach whoever looks into it hears, and nobody else.
                let is_told = finding.waiver.is_none()
                    && !finding.rule.ends_by_hand()
                    && (is_due || finding.level >= self.mailing.min_level)
                    && !judged.untold.contains(&finding.rule);
                is_told.then_some((finding, stands.held))
            })
            .partition(|(_, held)| !held);
        let told: Vec<_> = told.into_iter().map(|(finding, _)| finding).collect();
        if told.is_empty() {
            return Ok(!held.is_empty());
        }
        let breadth = breadth(share, judged.audience);
        let made = share.created_at.or(past.first_seen);
        let owner = named(&share.owner);
        let aside = |role: Role| Aside {
            entry: Entry {
                source: share.source.clone(),
                product: self.source.1,
                findings: told
                    .iter()
                    .map(|finding| Told {
                        id: finding.id.clone(),
                        rule: finding.rule,
                        level: finding.level,
                        is_news: false,
                    })
                    .collect(),
                item: self.mailing.shown(share, &role),
                item_kind: share.item.kind,
                kind: share.kind,
                audience: judged.audience,
                access: share.access,
                password: share.password,
                since: made.map_or(self.today, |at| self.mailing.day(at)),
                since_made: share.created_at.is_some(),
                due: due.as_ref().map(|due| self.mailing.due(due)),
                role,
            },
            owner: owner.clone(),
            breadth: breadth.clone(),
            notice: notice.cloned(),
        };
        let put_aside = |person: &str, account: Option<&str>, by_others, role| {
            let concerned = Concerned {
                person,
                source: self.source.0,
                account,
                share: &share.id,
                by_others,
            };
            self.ledger.put_aside(concerned, &aside(role))
        };
        let is_site = share.owner.class == PrincipalClass::Site;
        for (person, account) in self.mailing.responsible(self.ledger, self.source, &share.owner)? {
            let role = if is_site {
                Role::Responsible(owner.clone())
            } else {
                Role::Owner
            };
            put_aside(&person, account.as_deref(), true, role)?;
        }
        // The same share concerns the same person once: as its owner, where that shared it.
        if let Some(sharer) = &share.shared_by
            && sharer.class == PrincipalClass::Account
            && judged.shared_by == Some(PrincipalKind::Member)
        {
            let person = self.mailing.person(self.source, sharer);
            put_aside(&person, Some(&sharer.id), false, Role::Sharer(owner.clone()))?;
        }
        Ok(false)
    }

    fn notice(&self, share: &Share) -> Option<&Notice> {
        let key = (share.source.clone(), share.id.clone());
        self.mailing.notices.get(&key)
    }

    /// What was announced of a share, or else what is to be, and when it will be done.
    fn due(&self, share: &Share, announced: bool) -> Result<Option<(Action, Timestamp)>, StoreError> {
        let notice = self.notice(share);
        if announced && let Some(before) = self.ledger.announced_for(share)? {
            let due = notice.map_or(before.due_at, |notice| notice.due);
            return Ok(Some((before.action, due)));
        }
        Ok(notice.and_then(|notice| match &notice.subject {
            Subject::Offer(action) => Some(((**action).clone(), notice.due)),
            Subject::Reminder(_) => None,
        }))
    }
}

fn named(whom: &Principal) -> String {
    whom.name.clone().unwrap_or_else(|| whom.id.clone())
}

/// How wide a share is; of recipients as much as tells whether others were added.
fn breadth(share: &Share, audience: Audience) -> Breadth {
    let mut breadth = Breadth::of(share, audience);
    breadth.recipients = breadth
        .recipients
        .iter()
        .map(|who| short_digest([who.as_str()]))
        .collect();
    breadth
}

/// Sends the letters of a run.
struct Post<'a> {
    mailing: Mailing<'a>,
    now: Timestamp,
    today: Date,
    mailed: Mailed,
    /// How many letters in a row could not be handed over.
    closed: u32,
}

impl Post<'_> {
    /// Says who reads what concerns whom.
    fn direct(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        let mut after = String::new();
        while let Some(person) = ledger.next_person(&after)? {
            let reached = self.mailing.reached(ledger, &person)?;
            match self.mailing.own(ledger, &reached)? {
                Ok(address) => {
                    let reading = Reading {
                        name: reached.name,
                        address,
                        language: reached.language.unwrap_or(self.mailing.language),
                        told: Reader::Owner,
                        instead: None,
                    };
                    ledger.direct(&person.key, (&person.key, false), &reading, true)?;
                }
                Err(why) if person.by_others => match self.mailing.instead_of(ledger, &person, why)? {
                    Ok((key, last, reading)) => ledger.direct(&person.key, (&key, last), &reading, false)?,
                    Err(why) => *self.mailed.nobody.entry(why).or_default() += 1,
                },
                // The owner is told of it.
                Err(_) => {}
            }
            after = person.key;
        }
        Ok(())
    }

    /// Tells the letters to a reader from those to others; on trial they count for nothing else.
    fn thread(&self, reader: &str) -> String {
        match self.mailing.redirect_to {
            None => short_digest(["", reader]),
            Some(address) => short_digest([address, reader]),
        }
    }

    /// What a reader is to be told; `None` where there is no occasion.
    fn sheet(&self, ledger: &Ledger, reader: &str, reading: &Reading) -> Result<Option<Sheet>, StoreError> {
        let thread = self.thread(reader);
        let mut gathering = Gathering::new(self.today);
        let mut last = String::new();
        let mut people = 0;
        ledger.read_by(reader, &mut |person, _, aside: Aside| {
            if last != person {
                person.clone_into(&mut last);
                people += 1;
            }
            let aside = aside.to(reading.told);
            let mut concern = Concern {
                due_before: None,
                told_on: None,
                is_asked_for: aside.notice().is_some(),
                entry: aside.entry,
            };
            for told in &mut concern.entry.findings {
                let heard = ledger.heard(&thread, &told.id)?;
                told.is_news = Stood::of(told, &aside.breadth).is_news_after(heard.as_ref());
                let on = heard.as_ref().map(|heard| self.mailing.day(heard.at));
                if on > concern.told_on {
                    concern.told_on = on;
                }
                concern.due_before = concern.due_before.or(heard.and_then(|heard| heard.due));
            }
            gathering.add(concern);
            Ok(())
        })?;
        let again = ledger
            .last_letter(&thread)?
            .map(|(last, _)| self.mailing.again(last));
        Ok((gathering.occasion(again) != Occasion::None).then_some(Sheet { gathering, people }))
    }

    /// Counts the letters before the first is sent, and leaves out whoever gets none.
    fn count(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        let mut after: Option<(bool, String)> = None;
        while let Some((last, key, reading)) = next(ledger, after.as_ref())? {
            if self.sheet(ledger, &key, &reading)?.is_some() {
                self.mailed.letters += 1;
            } else {
                ledger.spare(&key)?;
            }
            after = Some((last, key));
        }
        Ok(())
    }

    async fn send_all(
        &mut self,
        ledger: &mut Ledger,
        carrier: &mut dyn Carrier,
        cancel: &CancellationToken,
    ) -> Result<(), StoreError> {
        let mut after: Option<(bool, String)> = None;
        while let Some((last, key, reading)) = next(ledger, after.as_ref())? {
            if let Some(sheet) = self.sheet(ledger, &key, &reading)? {
                if cancel.is_cancelled() || self.closed >= HOPELESS {
                    self.mailed.left += 1;
                } else {
                    self.send(ledger, carrier, (&key, &reading), sheet).await?;
                }
            }
            after = Some((last, key));
        }
        Ok(())
    }

    /// Sends what a reader is to be told.
    async fn send(
        &mut self,
        ledger: &mut Ledger,
        carrier: &mut dyn Carrier,
        (reader, reading): (&str, &Reading),
        sheet: Sheet,
    ) -> Result<(), StoreError> {
        let Sheet { gathering, people } = sheet;
        let mut letter = self.letter((reader, reading), Content::Digest(gathering.digest()));
        letter.list = self.list(ledger, reader, reading)?;
        let outcome = self.hand_over(ledger, carrier, (reader, reading), letter).await?;
        match outcome {
            Some(Outcome::Accepted) => {
                self.mailed.summary.sent += 1;
                if let Some(why) = reading.instead {
                    *self.mailed.summary.instead.entry(why).or_default() += people;
                }
            }
            Some(Outcome::Refused)
                if reading.told != Reader::Fallback && self.mailing.redirect_to.is_none() =>
            {
                match self.mailing.stand_in(Instead::Refused, None) {
                    Ok((key, last, reading)) => ledger.redirect(reader, (&key, last), &reading)?,
                    Err(why) => *self.mailed.nobody.entry(why).or_default() += people,
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The list of all that a reader is told, where letters have one attached.
    fn list(&self, ledger: &Ledger, reader: &str, reading: &Reading) -> Result<Option<List>, StoreError> {
        let Some(lists) = self.mailing.lists else {
            return Ok(None);
        };
        let mut listing = lists.list(reading.language, self.now, &reading.address);
        ledger.read_by(reader, &mut |_, _, aside: Aside| {
            listing.add(&aside.to(reading.told).entry);
            Ok(())
        })?;
        Ok(Some(listing.finish()))
    }

    fn letter(&self, (reader, reading): (&str, &Reading), content: Content) -> Letter {
        let thread = self.thread(reader);
        let mut said = serde_json::to_string(&content).unwrap_or_default();
        if matches!(content, Content::Summary(_)) {
            // Whether it repeats what they were told is looked at before it is written.
            said.push_str(&self.now.to_string());
        }
        let to = |address: &str, name: Option<String>| Addressee {
            name,
            address: address.to_owned(),
        };
        Letter {
            to: match self.mailing.redirect_to {
                Some(address) => to(address, None),
                None => to(&reading.address, reading.name.clone()),
            },
            language: reading.language,
            key: short_digest([thread.as_str(), &self.mailed.run, &said]),
            thread,
            at: self.now,
            content,
            told: reading.told,
            instead: reading.instead,
            meant_for: self.mailing.redirect_to.map(|_| reading.address.clone()),
            list: None,
        }
    }

    /// Hands a letter over, between two records; `None` where it had left before.
    async fn hand_over(
        &mut self,
        ledger: &mut Ledger,
        carrier: &mut dyn Carrier,
        reader: (&str, &Reading),
        letter: Letter,
    ) -> Result<Option<Outcome>, StoreError> {
        self.hand_over_with(ledger, carrier, reader, (letter, None)).await
    }

    /// The same, with what it tells where that was not put aside for the reader.
    async fn hand_over_with(
        &mut self,
        ledger: &mut Ledger,
        carrier: &mut dyn Carrier,
        (reader, reading): (&str, &Reading),
        (mut letter, telling): (Letter, Option<&Telling>),
    ) -> Result<Option<Outcome>, StoreError> {
        if !self.mailing.rehearsal && !self.begin(ledger, (reader, reading), (&letter, telling))? {
            return Ok(None);
        }
        let mut sent = carrier.carry(&letter).await;
        // It may be what is attached that is not wanted: too large, or that it is encrypted.
        if let (
            Sent::Refused {
                words,
                permanent: false,
            },
            Some(list),
        ) = (&sent, &mut letter.list)
            && list.csv.is_ok()
        {
            list.csv = Err(words.clone());
            sent = carrier.carry(&letter).await;
        }
        // One that is refused says nothing of the way: the next may be taken.
        self.closed = match sent {
            Sent::Accepted { .. } | Sent::Refused { .. } => 0,
            Sent::Unreachable { .. } | Sent::Unknown { .. } => self.closed + 1,
        };
        let (outcome, mut reply) = fate(sent);
        let without = letter.list.and_then(|list| list.csv.err());
        if let Some(why) = without.filter(|_| outcome == Outcome::Accepted) {
            reply = format!("without its list ({why}): {reply}");
            self.mailed
                .summary
                .unlisted
                .push((letter.to.address.clone(), why));
        }
        let reply: String = reply.chars().take(REPLY).collect();
        if !self.mailing.rehearsal {
            ledger.letter_ended(&letter.key, outcome, (self.mailing.clock)(), &reply)?;
        }
        let address = letter.to.address.clone();
        match outcome {
            Outcome::Accepted => {}
            Outcome::Refused | Outcome::Failed => self.mailed.summary.failed.push((address, reply)),
            Outcome::Unknown => self.mailed.summary.unknown.push(Unsure {
                address,
                on: self.today,
                why: Some(reply),
            }),
        }
        Ok(Some(outcome))
    }

    /// Records that a letter is about to be sent; false where it had left before.
    fn begin(
        &self,
        ledger: &mut Ledger,
        (reader, reading): (&str, &Reading),
        (letter, telling): (&Letter, Option<&Telling>),
    ) -> Result<bool, StoreError> {
        let content = said(&letter.content);
        let start = LetterStart {
            key: &letter.key,
            thread: &letter.thread,
            reader,
            address: &letter.to.address,
            told: if letter.meant_for.is_some() {
                Reader::Redirected
            } else {
                letter.told
            },
            instead: letter.instead.map(Instead::as_str),
            run: &self.mailed.run,
            content: &content,
            at: self.now,
        };
        let in_full: BTreeSet<&FindingId> = match &letter.content {
            Content::Digest(digest) => {
                let findings = digest.entries.iter().flat_map(|entry| &entry.findings);
                findings.map(|told| &told.id).collect()
            }
            Content::Summary(_) | Content::Incident(_) => {
                return ledger.letter_begins(&start, |_, tell| telling.map_or(Ok(()), tell));
            }
        };
        ledger.letter_begins(&start, |ledger, tell| {
            ledger.read_by(reader, &mut |_, account, aside: Aside| {
                let aside = aside.to(reading.told);
                let mut notice = aside.notice().cloned();
                let Aside { entry, breadth, .. } = aside;
                for told in &entry.findings {
                    tell(&Telling {
                        finding: told.id.clone(),
                        source: entry.source.clone(),
                        account: account.clone(),
                        stood: serde_json::to_string(&Stood::of(told, &breadth)).unwrap_or_default(),
                        due: entry.due.as_ref().map(|due| due.on),
                        in_full: in_full.contains(&told.id),
                        // Once, whatever findings the share has.
                        notice: notice.take(),
                    })?;
                }
                Ok(())
            })
        })
    }

    /// Counts what tonight's letters announced to what was announced before.
    fn count_announced(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        let mut offers = BTreeMap::new();
        for promised in ledger.promised()? {
            if let Subject::Offer(action) = promised.notice.subject {
                let share = (action.source.clone(), action.share.clone());
                offers.insert(share, (promised.notice.due, 1 + action.also_ends.len() as u64));
            }
        }
        for (due, shares) in offers.into_values() {
            *self.mailed.summary.due.entry(self.mailing.day(due)).or_default() += shares;
        }
        Ok(())
    }

    /// Tells the administrators what came of the night, where they have an address: once a day, and again where something in
    /// it changed.
    async fn tell_administrators(
        &mut self,
        ledger: &mut Ledger,
        carrier: &mut dyn Carrier,
        cancel: &CancellationToken,
    ) -> Result<(), StoreError> {
        let fallback = self.mailing.routing.fallback.as_deref();
        let Some(Ok(address)) = fallback.map(self.mailing.usable) else {
            return Ok(());
        };
        self.count_announced(ledger)?;
        let summary = Content::Summary(Box::new(self.mailed.summary.clone()));
        let before = ledger.last_letter(&self.thread(ADMINISTRATORS))?;
        let was_told = before
            .is_some_and(|(at, content)| self.mailing.day(at) == self.today && content == said(&summary));
        if was_told && self.mailed.summary.sent == 0 {
            return Ok(());
        }
        if cancel.is_cancelled() || self.closed >= HOPELESS {
            self.mailed.left += 1;
            self.mailed.administrators = Some(false);
            return Ok(());
        }
        let reading = Reading {
            name: None,
            address,
            language: self.mailing.language,
            told: Reader::Fallback,
            instead: None,
        };
        let reader = ADMINISTRATORS;
        let letter = self.letter((reader, &reading), summary);
        let outcome = self
            .hand_over(ledger, carrier, (reader, &reading), letter)
            .await?;
        self.mailed.administrators = outcome.map(|outcome| outcome == Outcome::Accepted);
        Ok(())
    }
}

/// A digest of what a letter says; of a summary, but for the letters that went well, which are told once, and which run it
/// was that found the same.
fn said(content: &Content) -> String {
    let said = match content {
        Content::Digest(digest) => serde_json::to_string(digest),
        Content::Incident(incident) => serde_json::to_string(incident),
        Content::Summary(summary) => {
            let mut summary = Summary {
                sent: 0,
                instead: BTreeMap::new(),
                ..Summary::clone(summary)
            };
            for (_, last) in &mut summary.sources {
                if let Some(last) = last {
                    last.id.clear();
                }
            }
            serde_json::to_string(&summary)
        }
    };
    long_digest(&said.unwrap_or_default())
}

/// What became of a letter, and in which words.
fn fate(sent: Sent) -> (Outcome, String) {
    match sent {
        Sent::Accepted { reply } => (Outcome::Accepted, reply),
        Sent::Refused {
            words,
            permanent: true,
        } => (Outcome::Refused, words),
        Sent::Refused { words, .. } | Sent::Unreachable { words } => (Outcome::Failed, words),
        Sent::Unknown { words } => (Outcome::Unknown, words),
    }
}

fn next(
    ledger: &Ledger,
    after: Option<&(bool, String)>,
) -> Result<Option<(bool, String, Reading)>, StoreError> {
    ledger.next_reader(after.map(|(last, key)| (*last, key.as_str())))
}

#[cfg(test)]
mod tests;
