//! What an export keeps to itself: names of files, and who people are.
//!
//! One place rewrites what writers are given, so that no format tells what another one hides. What a service or the
//! operator put into words of their own (labels of shares, addresses, messages, reasons) may name a file or a person and
//! is left out. Ids of files, findings and rules stay, and so do names of sources and of who changed something from here.

use std::borrow::Cow;
use std::io;

use aws_lc_rs::hmac;

use super::{Pages, view};
use crate::model::{NameDisplay, PrincipalKind, Problem};

/// Stands for words that may tell what an export hides.
const LEFT_OUT: &str = "left out of this export, since it may name files or people";

/// The pseudonyms of one installation: the same for the same id in every night, and without its secret nobody can tell
/// whose they are, or try out who might have one.
#[derive(Clone)]
pub struct Pseudonyms(hmac::Key);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// Those that a secret gives.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The pseudonym of an account, group or address; services do not tell its capitals from small letters.
    #[must_use]
    pub fn of(&self, id: &str) -> String {
        let tag = hmac::sign(&self.0, id.to_lowercase().as_bytes());
        let first = tag.as_ref().first_chunk().copied().unwrap_or_default();
        format!("p-{:016x}", u64::from_be_bytes(first))
    }
}

/// What is told.
#[derive(Clone, Debug)]
pub struct Discretion {
    /// How file names appear.
    pub names: NameDisplay,
    /// By which pseudonyms people appear; `None` as they are.
    pub pseudonyms: Option<Pseudonyms>,
}

impl Discretion {
    /// Whether everything is told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.names == NameDisplay::Full && self.pseudonyms.is_none()
    }

    /// An id of an account, group or address, or a mail address.
    fn person_id(&self, id: &mut String) {
        if let Some(pseudonyms) = &self.pseudonyms {
            *id = pseudonyms.of(id);
        }
    }

    fn person_ids<'i>(&self, ids: impl IntoIterator<Item = &'i mut String>) {
        ids.into_iter().for_each(|id| self.person_id(id));
    }

    fn person(&self, person: &mut view::Principal) {
        if self.pseudonyms.is_none() || person.kind == PrincipalKind::Everyone {
            return;
        }
        self.person_id(&mut person.id);
        (person.name, person.email) = (None, None);
        self.person_ids(&mut person.answered_by);
    }

    /// Microsoft's id of a permission may spell out whose it is.
    fn share_id(&self, id: &mut String) {
        if let Some(pseudonyms) = &self.pseudonyms
            && let Some((item, permission)) = id.rsplit_once('/')
            && item.contains('/')
        {
            *id = format!("{item}/{}", pseudonyms.of(permission));
        }
    }

    fn path(&self, path: &mut String) {
        match self.names {
            NameDisplay::Full => {}
            NameDisplay::Folder => {
                let parent = path.trim_end_matches('/').rsplit_once('/');
                *path = match parent {
                    Some(("", _)) | None => "/".to_owned(),
                    Some((folder, _)) => folder.to_owned(),
                };
            }
            NameDisplay::Hidden => path.clear(),
        }
    }

    /// Words that nobody can look through.
    fn words(&self, words: &mut String) {
        if !self.is_open() {
            LEFT_OUT.clone_into(words);
        }
    }

    /// A share.
    #[must_use]
    pub fn share(&self, mut share: view::Share) -> view::Share {
        if self.is_open() {
            return share;
        }
        self.share_id(&mut share.id);
        self.path(&mut share.item.path);
        if self.names != NameDisplay::Full {
            share.item.name.clear();
        }
        // Both are a service's or a person's own words.
        (share.label, share.link) = (None, None);
        let people = std::iter::once(&mut share.owner)
            .chain(&mut share.shared_by)
            .chain(&mut share.recipients)
            .chain(&mut share.opened_by);
        people.for_each(|person| self.person(person));
        share
    }

    /// A finding.
    #[must_use]
    pub fn finding(&self, mut finding: view::Finding) -> view::Finding {
        finding.share = finding.share.map(|share| self.share(share));
        if let Some(waiver) = &mut finding.waiver {
            self.words(&mut waiver.reason);
            self.person_id(&mut waiver.approved_by);
        }
        finding
    }

    /// An event.
    #[must_use]
    pub fn happening(&self, mut happening: view::Happening) -> view::Happening {
        happening.subject = match happening.subject {
            view::Subject::Finding(finding) => view::Subject::Finding(Box::new(self.finding(*finding))),
            view::Subject::Share {
                source,
                mut id,
                share,
            } => {
                self.share_id(&mut id);
                let share = share.map(|share| Box::new(self.share(*share)));
                view::Subject::Share { source, id, share }
            }
        };
        let before = &mut happening.before;
        self.person_ids(&mut before.owner);
        self.person_ids(before.recipients.iter_mut().flatten());
        before.path.iter_mut().for_each(|path| self.path(path));
        happening
    }

    /// A line of the journal. Who changed something from here is told as it is: that is what a journal is for.
    #[must_use]
    pub fn change(&self, mut change: view::Change) -> view::Change {
        change.share.iter_mut().for_each(|id| self.share_id(id));
        change.also_ends.iter_mut().for_each(|id| self.share_id(id));
        self.person_ids(&mut change.act_as);
        for seen in [&mut change.before, &mut change.after].into_iter().flatten() {
            self.person_ids(&mut seen.recipients);
        }
        change
    }

    /// A letter.
    #[must_use]
    pub fn letter(&self, mut letter: view::Letter) -> view::Letter {
        self.person_id(&mut letter.address);
        if !self.is_open() {
            letter.reply = None;
        }
        letter
    }

    /// Everything but findings and shares.
    #[must_use]
    pub fn header(&self, header: &view::Header) -> view::Header {
        let mut header = header.clone();
        self.person_ids(&mut header.run.scope.users);
        for problem in header.sources.iter_mut().flat_map(|source| &mut source.problems) {
            self.problem(problem);
        }
        for notice in &mut header.notices {
            self.words(&mut notice.message);
        }
        header
    }

    fn problem(&self, problem: &mut Problem) {
        self.words(&mut problem.message);
        if problem.scope != "*" {
            self.person_id(&mut problem.scope);
        }
    }
}

/// A run, told with discretion.
pub struct Discreet<'a> {
    pages: &'a dyn Pages,
    discretion: &'a Discretion,
    header: Cow<'a, view::Header>,
}

impl std::fmt::Debug for Discreet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discreet")
            .field("discretion", self.discretion)
            .finish_non_exhaustive()
    }
}

impl<'a> Discreet<'a> {
    /// A run as writers may see it.
    #[must_use]
    pub fn new(pages: &'a dyn Pages, discretion: &'a Discretion) -> Self {
        let header = if discretion.is_open() {
            Cow::Borrowed(pages.header())
        } else {
            Cow::Owned(discretion.header(pages.header()))
        };
        Self {
            pages,
            discretion,
            header,
        }
    }
}

impl Pages for Discreet<'_> {
    fn header(&self) -> &view::Header {
        &self.header
    }

    fn findings(&self, visit: &mut dyn FnMut(view::Finding) -> io::Result<()>) -> io::Result<()> {
        self.pages
            .findings(&mut |finding| visit(self.discretion.finding(finding)))
    }

    fn events(
        &self,
        after: u64,
        visit: &mut dyn FnMut(u64, view::Happening) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.pages.events(after, &mut |number, happening| {
            visit(number, self.discretion.happening(happening))
        })
    }

    fn shares(&self, visit: &mut dyn FnMut(view::Share) -> io::Result<()>) -> io::Result<()> {
        self.pages
            .shares(&mut |share| visit(self.discretion.share(share)))
    }

    fn trend(&self) -> io::Result<Vec<view::Point>> {
        // It names nobody.
        self.pages.trend()
    }
}
