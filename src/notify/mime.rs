//! A letter in words as the message that is sent (RFC 5322, MIME). Pure.
//!
//! The same letter is the same message, byte by byte. What it says may hold any text: nothing of it becomes a header, and all
//! of it travels as ASCII.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use super::address::{Address, Malformed};
use super::{Addressee, Language, Letter, Rendered};
use crate::model::short_digest;
use crate::report::text::is_hidden;

/// The longest name and subject, in characters.
const LONGEST_NAME: usize = 80;
const LONGEST_SUBJECT: usize = 200;

/// Who writes.
#[derive(Clone, Debug)]
pub struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    address: Address,
}

/// What is attached to a letter.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The file's name.
    pub name: String,
    /// What it is, such as `application/zip`.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A letter as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sends it.
    pub from: Address,
    /// Its only recipient.
    pub to: Address,
    /// Its `Message-ID`; the same letter has the same.
    pub id: String,
    /// What a file is called that holds it.
    pub file: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Sender {
    /// Who writes, and where answers go.
    ///
    /// # Errors
    /// [`Malformed`] where one of them is no address.
    pub fn new(from: &Addressee, reply_to: Option<&Addressee>) -> Result<Self, Malformed> {
        let address = Address::parse(&from.address)?;
        let reply_to = match reply_to {
            Some(whom) => Some(mailbox(whom, &Address::parse(&whom.address)?)?),
            None => None,
        };
        Ok(Self {
            from: mailbox(from, &address)?,
            reply_to,
            address,
        })
    }
}

/// Puts a letter in words together, with what is attached.
///
/// # Errors
/// [`Malformed`] where it is for no address.
pub fn compose(
    sender: &Sender,
    letter: &Letter,
    rendered: &Rendered,
    attached: Option<&Attached>,
) -> Result<Message, Malformed> {
    let to = Address::parse(&letter.to.address)?;
    let domain = sender.address.domain();
    let id = format!("<{}@{domain}>", short_digest(["letter", &letter.key]));
    let thread = format!("<{}@{domain}>", short_digest(["thread", &letter.thread]));
    let prefix = prefix(letter.language);
    let subject = match rendered.subject.strip_prefix(prefix) {
        Some(_) => rendered.subject.clone(),
        None => format!("{prefix} {}", rendered.subject),
    };
    let mut builder = lettre::Message::builder()
        .from(sender.from.clone())
        .to(mailbox(&letter.to, &to)?)
        .subject(one_line(&subject, LONGEST_SUBJECT))
        .date(SystemTime::from(letter.at.max(Timestamp::UNIX_EPOCH)))
        .message_id(Some(id.clone()))
        .in_reply_to(thread.clone())
        .references(thread);
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    let list = format!("Share audit <sharewarden.{domain}>");
    for (name, value) in [
        ("List-Id", list.as_str()),
        // RFC 2156; more than this label would hide the letter from those who stand in for its reader.
        ("Sensitivity", "Company-Confidential"),
        // RFC 3834, and the same for Exchange: nobody's absence is told to a machine.
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ] {
        let name = HeaderName::new_from_ascii_str(name);
        builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    // A line of a part never holds this: `=` is written otherwise there.
    let boundary = |part: &str| format!("=_{part}_{}", short_digest(["boundary", &letter.key]));
    let words = MultiPart::alternative()
        .boundary(boundary("words"))
        .singlepart(part(ContentType::TEXT_PLAIN, &rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, &rendered.html));
    let all = match attached {
        None => words,
        Some(attached) => MultiPart::mixed()
            .boundary(boundary("all"))
            .multipart(words)
            .singlepart(attachment(attached)),
    };
    // All that a message needs is there; what is built cannot be refused.
    let message = builder.multipart(all).map_err(|_cause| Malformed)?;
    let day = letter.at.to_zoned(TimeZone::UTC).date();
    Ok(Message {
        from: sender.address.clone(),
        to,
        id,
        file: format!(
            "{day}-{}-{}.eml",
            file_part(&letter.thread),
            file_part(&letter.key)
        ),
        bytes: message.formatted(),
    })
}

/// What each subject begins with.
fn prefix(language: Language) -> &'static str {
    match language {
        Language::En => "[Confidential]",
        Language::De => "[Vertraulich]",
        Language::Fr => "[Confidentiel]",
    }
}

fn mailbox(whom: &Addressee, address: &Address) -> Result<Mailbox, Malformed> {
    let name = whom.name.as_deref().map(|name| one_line(name, LONGEST_NAME));
    let address = address.to_string().parse().map_err(|_cause| Malformed)?;
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()), address))
}

fn part(content_type: ContentType, text: &str) -> SinglePart {
    let quoted = ContentTransferEncoding::QuotedPrintable;
    // Any text can be written so.
    let body = Body::new_with_encoding(text.to_owned(), quoted)
        .unwrap_or_else(|bytes| Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::Binary));
    SinglePart::builder().header(content_type).body(body)
}

fn attachment(attached: &Attached) -> SinglePart {
    let kept = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '_'
        }
    };
    let name = attached.name.chars().take(LONGEST_NAME).map(kept).collect();
    let content_type = attached.content_type.parse().unwrap_or(ContentType::TEXT_PLAIN);
    Attachment::new(name).body(attached.bytes.clone(), content_type)
}

/// A text as one short line, without anything that cannot be seen.
fn one_line(text: &str, longest: usize) -> String {
    let plain: String = text
        .chars()
        .take(longest.saturating_mul(4))
        .map(|c| if c.is_control() || is_hidden(c) { ' ' } else { c })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().nth(longest).is_none() {
        return line;
    }
    let mut short: String = line.chars().take(longest.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A text as part of a file's name.
fn file_part(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=64).contains(&text.len()) && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        short_digest([text])
    }
}

#[cfg(test)]
mod tests;
