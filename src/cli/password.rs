//! `mail password`: the passwords that open the lists attached to letters; nothing else ever shows one.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use super::mail::rules;
use super::notify::identities;
use super::terminal::{Output, say};
use super::{Exit, Global, decision, scan, unwritten};
use crate::config::{Attachment, Settings};
use crate::model::{Check, Principal, SourceKind, SourceName, Standing};
use crate::notify::address::Rules;
use crate::notify::attachment::{self, Passwords};
use crate::notify::{Identities, Reached};
use crate::report::text::visible;
use crate::store::{Ledger, MailLock, StoreError};

/// The key that passwords are derived from, beside the state.
const KEY: &str = "attachments.key";
/// How much of standard input is read for a password, in bytes.
const LONGEST: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the password that opens the lists attached to somebody's letters, or set it
    Password(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose letters: the address that they go to, an account's id, or a person's name in `[identity] map`
    #[arg(value_name = "OWNER")]
    owner: String,
    /// The source, where an account's id is known in several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Set a password that was agreed: it is asked for, or read from standard input
    #[arg(long, conflicts_with = "unset")]
    set: bool,
    /// Forget the password that was set: it is derived again
    #[arg(long)]
    unset: bool,
}

pub(super) fn run(global: &Global, command: &Command) -> Result<Exit, Exit> {
    let Command::Password(arguments) = command;
    let (loaded, ledger) = decision::open(global, "mail password")?;
    let settings = &loaded.settings;
    let people = People {
        settings,
        ledger: &ledger,
        identities: identities(global, settings)?,
        rules: rules(settings),
    };
    let source = arguments.source.as_ref().map(SourceName::new);
    let address = people.address(&arguments.owner, source.as_ref())?;
    let shown = visible(&address);
    let state = &settings.state.path;
    let _lock = if arguments.set || arguments.unset {
        Some(lock(global, state)?)
    } else {
        None
    };
    let mut passwords = open(state)?;
    let agree = |passwords: &mut Passwords, password| {
        passwords.agree(&address, password).map_err(|error| {
            say(&format!(
                "error: the password cannot be kept: {error}; nothing was set"
            ));
            Exit::NotKept
        })
    };
    if arguments.set {
        let password = asked(&format!("password for letters to {shown}: "))?;
        agree(&mut passwords, Some(password))?;
        say(&format!(
            "letters to {shown} have lists with this password from now on"
        ));
        return Ok(Exit::Done);
    }
    if arguments.unset {
        if !passwords.is_agreed(&address) {
            say(&format!("no password was set for letters to {shown}"));
            return Ok(Exit::Done);
        }
        agree(&mut passwords, None)?;
        say(&format!("the password for letters to {shown} is derived again"));
        return Ok(Exit::Done);
    }
    let how = if passwords.is_agreed(&address) {
        "set"
    } else {
        "derived"
    };
    say(&format!(
        "for letters to {shown} ({how}); tell it by telephone or in person, never by mail"
    ));
    if settings.mail.attach == Attachment::None {
        say("note: letters come without a list, as `[mail] attach` is \"none\"");
    }
    let written = Output::Standard.write(|out| writeln!(out, "{}", passwords.of(&address).expose_secret()));
    written.map_err(|error| unwritten(&error))?;
    Ok(Exit::Done)
}

/// Says what is wrong, and what to do.
fn wrong(what: &str, remedy: &str) -> Exit {
    say(&format!("error: {what}\nhelp: {remedy}"));
    Exit::Usage
}

/// The passwords, and a word where their key was made just now.
fn open(state: &Path) -> Result<Passwords, Exit> {
    let key = place(state);
    let passwords = Passwords::open(&key).map_err(|error| unusable(&error))?;
    if passwords.is_new() {
        say(&format!(
            "note: {} was made: the passwords of attached lists are derived from it. Keep a copy where you keep secrets: if it is \
             lost, all have other passwords than they were told",
            key.display()
        ));
    }
    Ok(passwords)
}

/// Where the key comes from where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It is made and kept.
    Kept,
    /// It is made up, for letters that nobody opens.
    MadeUp,
}

impl Key {
    /// The passwords of this state.
    pub(super) fn open(self, state: &Path) -> Result<Passwords, Exit> {
        if self == Self::Kept {
            return open(state);
        }
        let key = place(state);
        let passwords = Passwords::find(&key).and_then(|known| match known {
            Some(passwords) => Ok(passwords),
            None => Passwords::made_up(&key),
        });
        passwords.map_err(|error| unusable(&error))
    }
}

fn unusable(error: &io::Error) -> Exit {
    wrong(
        &format!("the passwords of attached lists: {error}"),
        "they are needed for `attach` of [mail], and are kept beside the state",
    )
}

/// Where the key is that passwords are derived from.
fn place(state: &Path) -> PathBuf {
    state.with_file_name(KEY)
}

/// Forgets the passwords that were set for somebody's addresses; says whether there was one.
pub(super) fn forget(state: &Path, addresses: &BTreeSet<String>) -> io::Result<bool> {
    let Some(mut passwords) = Passwords::find(&place(state))? else {
        return Ok(false);
    };
    let mut was_set = false;
    for address in addresses {
        if passwords.is_agreed(address) {
            passwords.agree(address, None)?;
            was_set = true;
        }
    }
    Ok(was_set)
}

/// Whether lists can be encrypted, where letters have any.
pub(super) fn examine(settings: &Settings) -> Option<Check> {
    const ABOUT: &str = "attached lists";
    if settings.mail.attach == Attachment::None {
        return None;
    }
    let key = place(&settings.state.path);
    Some(match Passwords::find(&key) {
        Ok(Some(_)) => Check::good(ABOUT, format!("passwords are derived from {}", key.display())),
        Ok(None) => {
            let words = format!(
                "passwords will be derived from {}, which is made when the first is needed",
                key.display()
            );
            Check::good(ABOUT, words)
        }
        Err(error) => Check::new(ABOUT, Standing::Failed, error.to_string()).costs("no letter is sent"),
    })
}

fn lock(global: &Global, state: &Path) -> Result<MailLock, Exit> {
    MailLock::take(state, global.finished()).map_err(|error| match error {
        StoreError::Mailing { .. } => {
            say(&format!("error: {error}; nothing was set"));
            Exit::Usage
        }
        error => scan::unusable(state, &error),
    })
}

/// A password from the terminal, where it is not shown, or from standard input.
fn asked(prompt: &str) -> Result<SecretString, Exit> {
    let read = || -> io::Result<Option<SecretString>> {
        if io::stdin().is_terminal() {
            let first = SecretString::from(rpassword::prompt_password(prompt)?);
            let again = SecretString::from(rpassword::prompt_password("once more: ")?);
            return Ok((first.expose_secret() == again.expose_secret()).then_some(first));
        }
        let mut text = String::new();
        io::stdin().take(LONGEST).read_to_string(&mut text)?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into()))
    };
    let password = match read() {
        Ok(Some(password)) => password,
        Ok(None) => {
            return Err(wrong(
                "these were two different passwords",
                "nothing was set; try again",
            ));
        }
        Err(error) => {
            return Err(wrong(
                &format!("no password could be read: {error}"),
                "nothing was set",
            ));
        }
    };
    attachment::check(&password)
        .map_err(|why| wrong(&format!("this password is not taken: {why}"), "nothing was set"))?;
    Ok(password)
}

/// Who has which address.
struct People<'a> {
    settings: &'a Settings,
    ledger: &'a Ledger,
    identities: Identities,
    rules: Rules,
}

impl People<'_> {
    /// The address that letters to somebody go to, as it is written to.
    fn address(&self, owner: &str, source: Option<&SourceName>) -> Result<String, Exit> {
        let named = self.ledger.accounts_named(owner, source);
        let named = named.map_err(|error| decision::refused(&error))?;
        let mail = &self.settings.mail;
        let is = |address: &str| address.eq_ignore_ascii_case(owner);
        let answer = mail.owners.iter().map(|answers| &answers.address);
        let is_address = named
            .iter()
            .any(|(_, _, who)| who.email.as_deref().is_some_and(is))
            || answer.chain(&mail.fallback).any(|address| is(address));
        let shown = visible(owner);
        if is_address {
            return self.written_to(owner);
        }
        let mut addresses = BTreeSet::new();
        for (name, kind, account) in &named {
            addresses.insert(self.reached(name, *kind, account)?);
        }
        for (name, id) in self.identities.accounts(&Identities::named(owner)) {
            let account = self.ledger.account(name, id);
            if let Some((kind, account)) = account.map_err(|error| decision::refused(&error))? {
                addresses.insert(self.reached(name, kind, &account)?);
            }
        }
        let is_known = !addresses.is_empty();
        let addresses: Vec<String> = addresses.into_iter().flatten().collect();
        match addresses.as_slice() {
            [address] => Ok(address.clone()),
            [] if is_known => Err(wrong(
                &format!(
                    "nothing is written to `{shown}`: no address is usable, or the account is disabled or gone"
                ),
                "letters about them go to somebody else: name the address that a letter went to",
            )),
            [] if owner.contains('@') && source.is_none() => {
                let address = self.written_to(owner)?;
                let was_written_to = self.ledger.was_written_to(&address);
                if was_written_to.map_err(|error| decision::refused(&error))? || self.is_agreed(&address) {
                    return Ok(address);
                }
                Err(wrong(
                    &format!("no account has the address {shown}, and no letter ever went there"),
                    "name the address that a letter went to; whose account is new is known after the next scan",
                ))
            }
            [] => Err(wrong(
                &format!("nobody called `{shown}` is known"),
                "name the address that letters go to, or an account's id as reports have it",
            )),
            several => {
                let all: Vec<_> = several.iter().map(|address| visible(address)).collect();
                Err(wrong(
                    &format!("`{shown}` is more than one: letters go to {}", all.join(", ")),
                    "name the address, or the source with --source",
                ))
            }
        }
    }

    /// Whether a password was set for an address.
    fn is_agreed(&self, address: &str) -> bool {
        let known = Passwords::find(&place(&self.settings.state.path));
        known.is_ok_and(|known| known.is_some_and(|passwords| passwords.is_agreed(address)))
    }

    fn written_to(&self, address: &str) -> Result<String, Exit> {
        let usable = self.rules.usable(address);
        usable.map(|address| address.to_string()).map_err(|why| {
            wrong(
                &format!("nothing is written to `{}`: {why}", visible(address)),
                "letters about them go to somebody else: name the address that a letter went to",
            )
        })
    }

    /// Where letters to the person go who has an account.
    fn reached(
        &self,
        source: &SourceName,
        kind: SourceKind,
        account: &Principal,
    ) -> Result<Option<String>, Exit> {
        let person = self.identities.person(source, kind, account);
        let mut accounts = vec![(kind, account.clone())];
        for (name, id) in self.identities.accounts(&person) {
            let account = self.ledger.account(name, id);
            accounts.extend(account.map_err(|error| decision::refused(&error))?);
        }
        let reached = Reached::of(&person, &accounts);
        let mut usable = reached.addresses.iter().map(|address| self.rules.usable(address));
        Ok(usable
            .find_map(Result::ok)
            .filter(|_| !reached.gone)
            .map(|address| address.to_string()))
    }
}
