//! `notify`: mails owners what they should look at, by the latest picture in the state.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::password::Key;
use super::sources::{self, Making, wrong};
use super::terminal::{Output, say, unsent};
use super::{Exit, Global, change, decision, mail, scan, unwritten};
use crate::config::{
    Attachment, MailMode, MailSettings, Mailbox, Settings, SourceDetails, SourceSettings, Transport,
};
use crate::model::{SourceKind, SourceName};
use crate::notify::attachment::Passwords;
use crate::notify::{
    Addressee, Facts, Identities, Instead, Language, Letter, Outgoing, Place, Renderer, Routing, Sender,
    Sent, Summary, compose,
};
use crate::plan::Notices;
use crate::policy::Policy;
use crate::report::text::visible;
use crate::run::{self, Carrier, Mailed, Mailing};
use crate::store::{Ledger, MailLock, StoreError};

/// Who writes letters that are only looked at, where no sender is configured.
const NOBODY: &str = "sharewarden@localhost";
/// How large a template may be, in bytes.
const LARGEST: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the letters into a folder, as `.eml` files; send none and record nothing
    #[arg(long, value_name = "DIR")]
    preview: Option<PathBuf>,
    /// Send all letters to this address instead: their owners count as not told
    #[arg(long, value_name = "ADDRESS")]
    redirect_to: Option<String>,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    change::needs_state(global, "notify")?;
    let (loaded, mut ledger) = decision::open(global, "notify")?;
    let settings = &loaded.settings;
    let preview = arguments.preview.as_deref();
    if settings.mail.mode == MailMode::Off && preview.is_none() {
        return Err(wrong(
            "owners are not mailed: `[mail] mode` is \"off\"",
            "set it to \"pilot\" or \"on\", or look at the letters with --preview DIR",
        ));
    }
    let room = Mailroom::open(global, settings, arguments.redirect_to.as_deref(), Key::Kept)?;
    let cancel = CancellationToken::new();
    let outgoing = match preview {
        Some(folder) => into(folder)?,
        None => room.outgoing(&cancel)?,
    };
    let mut carrier = room.carrier(outgoing)?;
    let _lock = match preview {
        Some(_) => None,
        None => Some(lock(global, &settings.state.path)?),
    };
    let policy = scan::with_made_waivers(global, settings, &ledger)?;
    let none = Notices::new();
    let mailing = Mailing {
        rehearsal: preview.is_some(),
        ..room.mailing(&policy, &none)
    };
    let watch = sources::interrupts(
        cancel.clone(),
        "the letter under way is being finished; once more ends at once",
    );
    let mailed = run::notify(&mut ledger, mailing, &mut carrier, &cancel).await;
    carrier.outgoing.close().await;
    watch.abort();
    let mailed = mailed.map_err(|error| not_kept(&ledger, &error))?;
    let written = Output::Standard.write(|out| print(&mailed, preview, out));
    let exit = match written {
        Ok(()) if mailed.is_clean() || preview.is_some() => Exit::Done,
        Ok(()) => Exit::NotKept,
        Err(error) => unwritten(&error),
    };
    Ok(if cancel.is_cancelled() {
        Exit::Interrupted
    } else {
        exit
    })
}

type Usable<'s> = dyn Fn(&str) -> Result<String, Instead> + Send + Sync + 's;
type Answers<'s> = dyn Fn(&SourceName, &str) -> Option<String> + Send + Sync + 's;

/// What letters are made with, by the settings.
pub(super) struct Mailroom<'s> {
    global: &'s Global,
    settings: &'s Settings,
    identities: Identities,
    renderer: Arc<Renderer>,
    /// What opens the lists that are attached, where any are.
    passwords: Option<Arc<Passwords>>,
    routing: Routing,
    sources: Vec<(SourceName, SourceKind)>,
    usable: Box<Usable<'s>>,
    answers: Box<Answers<'s>>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync + 's>,
    redirect_to: Option<String>,
}

impl<'s> Mailroom<'s> {
    /// Reads what letters need; all go to one address where somebody asked for it, or in a pilot. Nothing is sent.
    pub(super) fn open(
        global: &'s Global,
        settings: &'s Settings,
        asked: Option<&str>,
        key: Key,
    ) -> Result<Self, Exit> {
        let rules = mail::rules(settings);
        let usable: Box<Usable<'s>> =
            Box::new(move |address| rules.usable(address).map(|address| address.to_string()));
        let mail = &settings.mail;
        let redirect_to = redirect_to(mail, asked, &*usable)?;
        if let Some(fallback) = &mail.fallback {
            usable(fallback).map_err(|why| {
                wrong(
                    &format!("nothing is sent to `fallback` of [mail], `{}`: {why}", fallback.escape_debug()),
                    "name one address that somebody reads, in a domain of `[mail] allowed_domains`, and no mailing list",
                )
            })?;
        }
        let passwords = match mail.attach {
            Attachment::None => None,
            Attachment::Csv => Some(Arc::new(key.open(&settings.state.path)?)),
        };
        let sources = settings.sources.iter();
        Ok(Self {
            global,
            settings,
            identities: identities(global, settings)?,
            renderer: Arc::new(renderer(settings)?),
            passwords,
            routing: Routing {
                fallback: mail.fallback.clone(),
                managers: mail.managers,
            },
            sources: sources
                .map(|source| (source.name.clone(), source.source_kind()))
                .collect(),
            usable,
            answers: Box::new(move |source, site| answers(mail, source, site)),
            clock: Box::new(move || global.finished()),
            redirect_to,
        })
    }

    /// How letters leave, as the settings say.
    pub(super) fn outgoing(&self, cancel: &CancellationToken) -> Result<Outgoing, Exit> {
        check_time(self.global, self.settings)?;
        let making = Making::of(self.global, self.settings, cancel);
        let outgoing = mail::outgoing(&making);
        outgoing.map_err(|check| wrong(&check.found, "`sharewarden doctor` examines the way out"))
    }

    /// What puts letters into words and sends them this way.
    pub(super) fn carrier(&self, outgoing: Outgoing) -> Result<Mailer, Exit> {
        Ok(Mailer {
            renderer: Arc::clone(&self.renderer),
            passwords: self.passwords.clone(),
            sender: sender(&self.settings.mail)?,
            outgoing,
        })
    }

    /// What people are told of, and how.
    pub(super) fn mailing<'m>(&'m self, policy: &'m Policy, notices: &'m Notices) -> Mailing<'m> {
        let mail = &self.settings.mail;
        Mailing {
            policy,
            sources: &self.sources,
            identities: &self.identities,
            routing: &self.routing,
            usable: &*self.usable,
            answers: &*self.answers,
            redirect_to: self.redirect_to.as_deref(),
            incident_contact: mail.incident_contact.as_deref(),
            min_level: mail.min_level,
            max_letters: mail.max_letters,
            names: mail.names,
            language: Language::of(&mail.language).unwrap_or(Language::En),
            lists: self.passwords.as_ref().map(|_| &*self.renderer),
            every: mail.every,
            zone: &self.settings.schedule.time_zone,
            notices,
            clock: &*self.clock,
            rehearsal: false,
        }
    }
}

/// Who is the same person in several sources, as the operator says.
pub(super) fn identities(global: &Global, settings: &Settings) -> Result<Identities, Exit> {
    let names: Vec<SourceName> = settings
        .sources
        .iter()
        .map(|source| source.name.clone())
        .collect();
    let map = settings.identity.read(&names);
    map.map(Identities::new).map_err(|report| global.wrong(&report))
}

/// Where all letters go: as the command line says, else as a pilot does.
fn redirect_to(
    mail: &MailSettings,
    asked: Option<&str>,
    usable: &Usable<'_>,
) -> Result<Option<String>, Exit> {
    let pilot = match &mail.mode {
        MailMode::Pilot { redirect_to } => Some(redirect_to.as_str()),
        MailMode::Off | MailMode::On => None,
    };
    asked
        .or(pilot)
        .map(|address| {
            usable(address).map_err(|why| {
                wrong(
                    &format!("nothing is sent to `{}`: {why}", address.escape_debug()),
                    "name one address in a domain of `[mail] allowed_domains`, and no mailing list",
                )
            })
        })
        .transpose()
}

/// Who answers for a site, as the operator says.
fn answers(mail: &MailSettings, source: &SourceName, site: &str) -> Option<String> {
    let fits = |owner: &&crate::config::MailOwner| owner.source == *source && owner.site.is_match(site);
    mail.owners.iter().find(fits).map(|owner| owner.address.clone())
}

/// A folder for letters to look at.
pub(super) fn into(folder: &Path) -> Result<Outgoing, Exit> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        wrong(
            &format!("{} cannot be made: {error}", folder.display()),
            "name a folder that can be written to",
        )
    })?;
    Ok(Outgoing::files(folder.to_owned()))
}

/// Another time than the clock's is for rehearsals on this machine.
fn check_time(global: &Global, settings: &Settings) -> Result<(), Exit> {
    let is_here = match &settings.mail.transport {
        Some(Transport::Smtp { host, .. }) => {
            let address = host.parse::<std::net::IpAddr>();
            address.map_or(host == "localhost", |address| address.is_loopback())
        }
        Some(Transport::Graph { source, .. }) => settings
            .source(source.as_str())
            .is_some_and(SourceSettings::is_local),
        Some(Transport::Files { .. }) | None => true,
    };
    if global.now.is_some() && !is_here {
        return Err(wrong(
            "--now is for rehearsals, and letters would leave this machine",
            "leave --now out, or look at the letters with --preview DIR",
        ));
    }
    Ok(())
}

pub(super) fn lock(global: &Global, state: &Path) -> Result<MailLock, Exit> {
    MailLock::take(state, global.finished()).map_err(|error| match error {
        StoreError::Mailing { .. } => {
            say(&format!("error: {}", unsent(&error.to_string())));
            Exit::Usage
        }
        error => scan::unusable(state, &error),
    })
}

fn not_kept(ledger: &Ledger, error: &StoreError) -> Exit {
    match error {
        StoreError::NoRun => {
            say(&format!("error: {error}; nothing was sent"));
            Exit::Usage
        }
        error => {
            say(&format!(
                "error: what was sent cannot be kept in {}: {error}\nhelp: no further letter was sent; the next run tells \
                 which may have left",
                ledger.path().display()
            ));
            Exit::NotKept
        }
    }
}

/// Who writes. Letters to look at need no sender.
fn sender(mail: &MailSettings) -> Result<Sender, Exit> {
    let addressee = |mailbox: &Mailbox| Addressee {
        name: mailbox.name.clone(),
        address: mailbox.address.clone(),
    };
    let from = mail.from.as_ref().map_or_else(
        || Addressee {
            name: None,
            address: NOBODY.to_owned(),
        },
        addressee,
    );
    let reply_to = mail.reply_to.as_ref().map(addressee);
    Sender::new(&from, reply_to.as_ref()).map_err(|error| {
        wrong(
            &format!("`from` or `reply_to` of [mail]: {error}"),
            "write one address in ASCII, such as \"it-security@example.org\"",
        )
    })
}

/// What puts letters into words, with an organisation's own templates where it has some.
fn renderer(settings: &Settings) -> Result<Renderer, Exit> {
    let mail = &settings.mail;
    let own = match &mail.templates {
        Some(folder) => own_templates(folder).map_err(|error| {
            wrong(
                &format!("the templates in {} cannot be read: {error}", folder.display()),
                "name a folder of text files with `[mail] templates`, or leave it out",
            )
        })?,
        None => BTreeMap::new(),
    };
    let shown = |mailbox: &Mailbox| mailbox.name.clone().unwrap_or_else(|| mailbox.address.clone());
    let contact = mail
        .reply_to
        .as_ref()
        .or(mail.from.as_ref())
        .map(|mailbox| mailbox.address.clone());
    let place = |source: &SourceSettings| Place {
        product: source.source_kind(),
        start: match &source.kind {
            SourceDetails::Nextcloud(it) => Some(it.url.to_string()),
            SourceDetails::Microsoft365(_) => None,
        },
    };
    let facts = Facts {
        sender: mail.from.as_ref().map_or_else(|| "sharewarden".to_owned(), shown),
        contact: contact
            .or_else(|| mail.fallback.clone())
            .unwrap_or_else(|| NOBODY.to_owned()),
        zone: settings.schedule.time_zone.clone(),
        sources: settings
            .sources
            .iter()
            .map(|source| (source.name.clone(), place(source)))
            .collect(),
    };
    Renderer::new(&own, facts)
        .map_err(|error| wrong(&error.to_string(), "put it right, or take the file away"))
}

/// The files of a folder, by name.
fn own_templates(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut own = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !entry.path().is_file() {
            continue;
        }
        let mut text = String::new();
        std::fs::File::open(entry.path())?
            .take(LARGEST)
            .read_to_string(&mut text)?;
        own.insert(name, text);
    }
    Ok(own)
}

/// Puts letters into words and sends them.
pub(super) struct Mailer {
    renderer: Arc<Renderer>,
    /// What opens the lists that are attached, where any are.
    passwords: Option<Arc<Passwords>>,
    sender: Sender,
    pub(super) outgoing: Outgoing,
}

impl Carrier for Mailer {
    fn carry<'a>(&'a mut self, letter: &'a Letter) -> BoxFuture<'a, Sent> {
        async move {
            let refused = |words: String, permanent| Sent::Refused { words, permanent };
            let rendered = match self.renderer.render(letter) {
                Ok(rendered) => rendered,
                // It is a template's fault, and not the address's.
                Err(error) => return refused(error.to_string(), false),
            };
            let attached = self
                .passwords
                .as_ref()
                .map(|passwords| passwords.attached(letter));
            let attached = match attached.transpose() {
                Ok(attached) => attached.flatten(),
                Err(error) => return refused(error.to_string(), false),
            };
            match compose(&self.sender, letter, &rendered, attached.as_ref()) {
                Ok(message) => self.outgoing.send(&message).await,
                Err(error) => refused(error.to_string(), true),
            }
        }
        .boxed()
    }
}

fn print(mailed: &Mailed, preview: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let Mailed {
        run,
        summary,
        letters,
        nobody,
        left,
        bare,
        held,
        incidents,
        administrators,
    } = mailed;
    print_standing(run, summary, out)?;
    match preview {
        Some(folder) => writeln!(
            out,
            "{} of {letters} letters written into {}",
            summary.sent,
            folder.display()
        )?,
        None => writeln!(out, "{} of {letters} letters accepted", summary.sent)?,
    }
    if !summary.instead.is_empty() {
        writeln!(
            out,
            "people of whom others were told: {}",
            counted(&summary.instead)
        )?;
    }
    if !nobody.is_empty() {
        writeln!(
            out,
            "people whom nobody was told of, as there is no fallback: {}",
            counted(nobody)
        )?;
    }
    if let Some(many) = summary.too_many {
        let none = if preview.is_some() {
            "none would be sent"
        } else {
            "none was sent"
        };
        writeln!(
            out,
            "{none}: {many} letters are more than `max_letters` in [mail]"
        )?;
    }
    for (address, why) in &summary.failed {
        writeln!(out, "failed: {}: {}", visible(address), visible(why))?;
    }
    for (address, why) in &summary.unlisted {
        writeln!(
            out,
            "accepted, but without the list: {}: {}",
            visible(address),
            visible(why)
        )?;
    }
    for letter in &summary.unknown {
        let why = letter
            .why
            .as_deref()
            .unwrap_or("the program was ended before an answer came");
        writeln!(
            out,
            "not known whether it left, and not sent again: {}, {}: {}",
            visible(&letter.address),
            letter.on,
            visible(why)
        )?;
    }
    if *left > 0 {
        writeln!(out, "not tried: {left}; the next run does")?;
    }
    if *held > 0 {
        writeln!(
            out,
            "{held} shares are of a baseline, and nobody is told of them before `sharewarden baseline release`"
        )?;
    }
    print_incidents(incidents, out)?;
    if *bare > 0 {
        writeln!(
            out,
            "{bare} shares with findings could not be looked at, since their particulars are not kept: scan first"
        )?;
    }
    if *administrators == Some(false) {
        writeln!(out, "the administrators' summary was not accepted")?;
    }
    Ok(())
}

/// Says how everything stands.
fn print_standing(run: &str, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let by_level = |counts: &BTreeMap<_, u64>| counted(counts.iter().rev());
    writeln!(out, "run {run}")?;
    for (source, last) in &summary.sources {
        let source = visible(source.as_str());
        match last {
            Some(last) if last.id == run => writeln!(out, "  {source}: {}", last.verdict)?,
            Some(last) => writeln!(
                out,
                "  {source}: {} (by run {} of {}, the last that read it whole)",
                last.verdict, last.id, last.on
            )?,
            None => writeln!(out, "  {source}: not yet read whole")?,
        }
    }
    writeln!(out, "  findings that stand: {}", by_level(&summary.standing))?;
    writeln!(out, "  new: {}", by_level(&summary.new))?;
    for (day, shares) in &summary.due {
        writeln!(out, "  due on {day}: {shares}")?;
    }
    Ok(())
}

/// Says what became of suspected breaches.
fn print_incidents(incidents: &run::Incidents, out: &mut dyn Write) -> io::Result<()> {
    if incidents.sent > 0 {
        writeln!(
            out,
            "suspected breaches: {} letters to the incident contact",
            incidents.sent
        )?;
    }
    if let Some(many) = incidents.too_many {
        writeln!(
            out,
            "of suspected breaches none was told: {many} letters are more than `max_letters` in [mail]"
        )?;
    } else if incidents.untold > 0 {
        writeln!(
            out,
            "suspected breaches of which nobody was told: {}; see `incident_contact` of [mail], and what failed above",
            incidents.untold
        )?;
    }
    if incidents.held > 0 {
        writeln!(
            out,
            "suspected breaches of a baseline: {}; nobody is told of them before `sharewarden baseline release --source NAME --rule \
             breach-suspected`",
            incidents.held
        )?;
    }
    Ok(())
}

fn counted<'c, T: std::fmt::Display + 'c>(counts: impl IntoIterator<Item = (&'c T, &'c u64)>) -> String {
    let counts: Vec<_> = counts
        .into_iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}
