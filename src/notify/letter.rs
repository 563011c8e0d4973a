//! What people are told: letters before they are put into words. Pure.
//!
//! A letter never holds a working link, a token, a password, or anything that acts when it is opened.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{
    Access, Audience, FindingId, ItemKind, Level, RuleId, ShareKind, SourceKind, SourceName, names,
};
use crate::plan::ActionKind;

names! {
    /// The languages that every text is there in.
    Language {
        /// English.
        En = "en",
        /// German.
        De = "de",
        /// French.
        Fr = "fr",
    }
}

impl Language {
    /// The language that a service or the configuration names, by its first part: `de_AT`, `de-CH` and `de` are German.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let first = name.split(['_', '-', '.', '@']).next()?;
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.as_str().eq_ignore_ascii_case(first))
    }
}

/// Whom a letter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The name; remote text.
    pub name: Option<String>,
    /// The address, as it is written to.
    pub address: String,
}

/// A letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Whom it is for: one recipient, checked.
    pub to: Addressee,
    /// In which language.
    pub language: Language,
    /// The thread that it belongs to: the same for the same person in every night.
    pub thread: String,
    /// Tells it from every other letter, and is the same for the same words to the same person in the same run.
    pub key: String,
    /// When it is written.
    pub at: Timestamp,
    /// What it says.
    pub content: Content,
    /// Why it does not go to the owner; `None` where it does.
    pub instead: Option<Instead>,
    /// The address that it was meant for, where all letters go to one on trial.
    pub meant_for: Option<String>,
    /// The list of all that it is about; `None` where letters come without.
    pub list: Option<List>,
}

/// The list of all that a letter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The address of whoever reads it: nobody else's password opens it.
    pub reader: String,
    /// What its file is called, without its end.
    pub name: String,
    /// The list as CSV; or why it cannot be attached, which the letter then says.
    pub csv: Result<Vec<u8>, String>,
}

/// What a letter says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Content {
    /// What one owner, or sharer, is told.
    Digest(Digest),
    /// What the administrators are told of a night.
    Summary(Box<Summary>),
}

/// What one owner, or sharer, is told over all sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Digest {
    /// The first of what they have to look at, what falls due soonest first.
    pub entries: Vec<Entry>,
    /// How many more shares there are, by level.
    pub more: BTreeMap<Level, u64>,
}

/// A share that somebody has to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The source.
    pub source: SourceName,
    /// Which product it is.
    pub product: SourceKind,
    /// The findings, the gravest first.
    pub findings: Vec<Told>,
    /// The item, as far as names are told; remote text.
    pub item: String,
    /// What it is.
    pub item_kind: ItemKind,
    /// How it is shared.
    pub kind: ShareKind,
    /// Who can open it.
    pub audience: Audience,
    /// What it allows.
    pub access: Access,
    /// Whether a password protects it; `None` where the service does not tell.
    pub password: Option<bool>,
    /// Since when, as far as is known: when it was made, else when it was first seen.
    pub since: Date,
    /// Whether the service told that, rather than when it was first seen.
    pub since_made: bool,
    /// What will happen if nothing is done.
    pub due: Option<Due>,
    /// What the addressee has to do with it.
    pub role: Role,
}

/// A finding, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its identity.
    pub id: FindingId,
    /// Its rule.
    pub rule: RuleId,
    /// Its level.
    pub level: Level,
    /// Whether the addressee has not heard of it as it is now.
    pub is_news: bool,
}

/// What will happen to a share, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// On which day.
    pub on: Date,
    /// What.
    pub action: ActionKind,
    /// For an end date, which.
    pub value: Option<Date>,
}

/// What an addressee has to do with a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It is theirs.
    Owner,
    /// They shared what is somebody else's; whose, remote text.
    Sharer(String),
    /// They answer for a site, or stand in for whoever should be told; for whom, remote text.
    Responsible(String),
}

names! {
    /// Why a letter does not go to the owner.
    Instead {
        /// The owner has no address.
        NoAddress = "no-address",
        /// The owner's address is in no domain that is written to.
        DomainNotAllowed = "domain-not-allowed",
        /// The owner's address is a mailing list.
        MailingList = "mailing-list",
        /// The owner's address is no address.
        Malformed = "malformed",
        /// The owner is disabled or gone.
        OwnerGone = "owner-gone",
        /// The owner's address was refused.
        Refused = "refused",
    }
}

/// What the administrators are told of a night.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The run that it is about.
    pub run: String,
    /// The verdict, source by source.
    pub sources: Vec<(SourceName, crate::model::Verdict)>,
    /// Findings that stand, by level.
    pub standing: BTreeMap<Level, u64>,
    /// Findings that are new, by level.
    pub new: BTreeMap<Level, u64>,
    /// What could not be read: source, scope (remote text) and why.
    pub unread: Vec<(SourceName, String, String)>,
    /// How many more could not be read.
    pub more_unread: u64,
    /// How many letters were accepted.
    pub sent: u64,
    /// Letters that failed: address and why.
    pub failed: Vec<(String, String)>,
    /// Letters that were accepted without the list that should have been attached: address and why.
    pub unlisted: Vec<(String, String)>,
    /// Letters that went elsewhere, by reason.
    pub instead: BTreeMap<Instead, u64>,
    /// Letters of which is not known whether they left; they are not sent again.
    pub unknown: Vec<String>,
    /// How many letters there would have been, where that is more than may be sent.
    pub too_many: Option<u64>,
    /// What will be done next: by day, how many shares.
    pub due: BTreeMap<Date, u64>,
}
