//! A share, person or time in words. Everything remote is made visible here, and long names are cut in
//! their middle, so that what comes out can be drawn.

use anstyle::{AnsiColor, Style as Tint};
use jiff::Timestamp;

use super::super::{
    text,
    view::{Principal, Share},
};
use crate::model::{
    Audience, Level, PrincipalKind, Right, RuleId, ShareKind, SourceKind, Verdict, WaiverNote,
};

/// Separates what stands on one line.
pub(crate) const DOT: &str = " · ";

/// The room for a rule's name; the few that are longer take two lines.
pub(crate) const RULE: u16 = 25;
/// Paths beyond this are cut; services allow some thousand characters.
const PATH: usize = 240;
/// Names and addresses beyond this are cut.
const NAME: usize = 80;
/// How many recipients are named.
const RECIPIENTS: usize = 3;

pub(crate) fn path(path: &str) -> String {
    text::shorten(path, PATH)
}

pub(crate) fn name(name: &str) -> String {
    text::shorten(name, NAME)
}

pub(crate) fn message(message: &str) -> String {
    text::shorten(message, PATH)
}

/// A rule's name, broken after a hyphen where it is long.
pub(crate) fn rule(rule: RuleId) -> String {
    let name = rule.as_str();
    let room = usize::from(RULE);
    match name.get(..room).and_then(|start| start.rfind('-')) {
        Some(at) if name.len() > room => format!("{}\n{}", &name[..=at], &name[at + 1..]),
        _ => name.to_owned(),
    }
}

pub(crate) fn waiver(waiver: &WaiverNote) -> String {
    let (reason, by) = (name(&waiver.reason), name(&waiver.approved_by));
    format!("Waived until {} by {by}: {reason}", waiver.until)
}

/// `Alice Arnold <alice@example.org>`, or as much of it as is known.
pub(crate) fn person(person: &Principal) -> String {
    let id = name(person.email.as_deref().unwrap_or(&person.id));
    let words = match &person.name {
        Some(display) if *display != person.id => format!("{} <{id}>", name(display)),
        _ => id,
    };
    let kind = match person.kind {
        PrincipalKind::Member | PrincipalKind::Group => String::new(),
        kind => format!(" ({kind})"),
    };
    let gone = if person.active == Some(false) {
        " (cannot sign in)"
    } else {
        ""
    };
    words + &kind + gone
}

/// Whose it is, and who shared it where that is somebody else.
pub(crate) fn owner(share: &Share) -> String {
    match &share.shared_by {
        Some(by) if by.id != share.owner.id => format!("{}, shared by {}", person(&share.owner), person(by)),
        _ => person(&share.owner),
    }
}

/// How it is shared, and who can open it.
pub(crate) fn kind(share: &Share) -> String {
    let from_above = if share.inherited {
        ", from a folder above"
    } else {
        ""
    };
    format!("{} → {}{from_above}", share.kind, share.audience)
}

/// What stands between the audience and the item.
pub(crate) fn protection(share: &Share) -> String {
    let told = |field: &str| !share.unknown.iter().any(|unknown| unknown == field);
    let mut words = Vec::new();
    if matches!(share.kind, ShareKind::Link | ShareKind::Mail) {
        words.push(match share.password {
            Some(true) => "password".to_owned(),
            Some(false) => "no password".to_owned(),
            None => "password not told".to_owned(),
        });
    }
    words.push(match &share.expires {
        Some(date) if share.expired => format!("ended {}", name(date)),
        Some(date) => format!("until {}", name(date)),
        None if told("expires") => "no expiry".to_owned(),
        None => "expiry not told".to_owned(),
    });
    words.join(DOT)
}

/// What it allows, and to what.
pub(crate) fn access(share: &Share) -> String {
    let rights: Vec<&str> = share.access.iter().map(Right::as_str).collect();
    let mut words = vec![if rights.is_empty() {
        "access not told".to_owned()
    } else {
        rights.join(", ")
    }];
    match share.item.classified {
        Some(true) => {
            let labels: Vec<String> = share.item.labels.iter().map(|label| name(label)).collect();
            words.push(format!("classified {}", labels.join(", ")).trim_end().to_owned());
        }
        None if share.audience == Audience::Anyone => words.push("classification not determined".to_owned()),
        Some(false) | None => {}
    }
    words.join(DOT)
}

/// The first few of those it was granted to; nothing where there is none.
pub(crate) fn recipients(share: &Share) -> Option<String> {
    let named: Vec<String> = share.recipients.iter().take(RECIPIENTS).map(person).collect();
    let more = match share.recipients.len().saturating_sub(RECIPIENTS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| format!("to {}{more}", named.join(", ")))
}

pub(crate) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// `1 finding`, `2 findings`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

pub(crate) fn level_tint(level: Level) -> Tint {
    let color = match level {
        Level::Critical | Level::High => AnsiColor::Red,
        Level::Medium => AnsiColor::Yellow,
        Level::Low => AnsiColor::Cyan,
        Level::Info => AnsiColor::Blue,
    };
    let tint = color.on_default().bold();
    if level == Level::Critical {
        tint.invert()
    } else {
        tint
    }
}

pub(crate) fn verdict_tint(verdict: Verdict) -> Tint {
    let color = match verdict {
        Verdict::Complete => AnsiColor::Green,
        Verdict::Limited => AnsiColor::Yellow,
        Verdict::Incomplete => AnsiColor::Red,
    };
    color.on_default().bold()
}
/// What a kind of source is read by.
pub(crate) fn scopes(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Nextcloud => "Accounts",
        SourceKind::Microsoft365 => "Drives",
    }
}
