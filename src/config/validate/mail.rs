//! What owners are told, and how letters leave.

use globset::GlobSet;
use url::Host;

use super::{
    Context,
    exceptions::{known_source, source_remedy},
    system::names,
};
use crate::{
    config::{
        addresses,
        settings::{Attachment, MailMode, MailOwner, MailSettings, SecureRoute, SmtpLogin, Tls, Transport},
        values::Wrong,
        written::{self, At, Mail, MailTransport},
    },
    model::{SourceKind, SourceName},
};

/// What the files say of letters.
pub(super) fn mail(it: &mut Context<'_>, written: &Mail, sources: &[(&str, SourceKind)]) -> MailSettings {
    // While nothing is sent, addresses are held against what is written only, not against a default.
    let stated = written
        .allowed_domains
        .first()
        .is_some_and(|word| it.texts.place(&word.span()).is_some());
    let allowed_domains = if stated {
        it.all("allowed_domains", &written.allowed_domains, addresses::domain)
    } else {
        // What is wrong with the default is told where that is written.
        let domains = written.allowed_domains.iter();
        domains
            .filter_map(|word| addresses::domain(word.get()).ok())
            .collect()
    };
    let held = stated || *written.mode.get() != written::MailMode::Off;
    let allowed = if held { allowed_domains.as_slice() } else { &[] };
    let settings = MailSettings {
        mode: mode(it, written, allowed),
        min_level: written.min_level.0,
        max_letters: written.max_letters,
        from: it.maybe("from", written.from.as_ref(), addresses::mailbox),
        reply_to: it.maybe("reply_to", written.reply_to.as_ref(), addresses::mailbox),
        transport: written
            .transport
            .as_ref()
            .and_then(|transport| self::transport(it, transport, sources)),
        fallback: recipient(it, "fallback", written.fallback.as_ref(), allowed),
        incident_contact: recipient(it, "incident_contact", written.incident_contact.as_ref(), allowed),
        templates: written.templates.as_ref().map(|path| it.path(path)),
        language: it
            .one("language", &written.language, language)
            .unwrap_or_default(),
        names: names(written.names),
        every: it.any_time("every", &written.every),
        managers: written.managers,
        attach: match written.attach {
            written::Attach::None => Attachment::None,
            written::Attach::Csv => Attachment::Csv,
        },
        owners: owners(it, &written.owner, allowed, sources),
        secure_routes: routes(it, &written.secure_route),
        allowed_domains,
    };
    if settings.mode != MailMode::Off {
        complete(it, written, &settings);
    }
    settings
}

fn mode(it: &mut Context<'_>, written: &Mail, allowed: &[String]) -> MailMode {
    let redirect_to = recipient(it, "redirect_to", written.redirect_to.as_ref(), allowed);
    match written.mode.get() {
        written::MailMode::Off => MailMode::Off,
        written::MailMode::On => MailMode::On,
        written::MailMode::Pilot => {
            if written.redirect_to.is_none() {
                it.missing(
                    &written.mode.span(),
                    "redirect_to",
                    "`mode = \"pilot\"` in [mail] sends everything to one address, and there is none",
                    "add `redirect_to = \"it-security@example.org\"` to [mail]",
                );
            }
            MailMode::Pilot {
                redirect_to: redirect_to.unwrap_or_default(),
            }
        }
    }
}

/// What has to be there before a letter can leave.
fn complete(it: &mut Context<'_>, written: &Mail, settings: &MailSettings) {
    if written.from.is_none() {
        let remedy =
            "add `from = \"Share audit <it-security@example.org>\"` to [mail], or set its `mode` to \"off\"";
        it.missing(&written.mode.span(), "from", "letters have no sender", remedy);
    }
    if written.transport.is_none() {
        let remedy = "add `transport = { kind = \"smtp\", host = \"mail.example.org\" }` to [mail], or set its `mode` to \"off\"";
        it.missing(
            &written.mode.span(),
            "transport",
            "letters have no way to leave",
            remedy,
        );
    }
    if settings.allowed_domains.is_empty() {
        let remedy = "add `allowed_domains = [\"example.org\"]` to [mail], or `internal_domains` to [policy]";
        it.missing(
            &written.mode.span(),
            "allowed_domains",
            "there is no domain that may be written to",
            remedy,
        );
    }
}

/// An address that is written to.
fn recipient(
    it: &mut Context<'_>,
    key: &str,
    word: Option<&At<String>>,
    allowed: &[String],
) -> Option<String> {
    let word = word?;
    let address = it.one(key, word, addresses::address)?;
    if !allowed.is_empty() && !addresses::is_beneath(addresses::domain_of(&address), allowed) {
        it.error(
            &word.span(),
            &format!("`{key}` is an address that is never written to"),
            "not in `allowed_domains`",
            &format!(
                "add \"{}\" to `allowed_domains` in [mail]",
                addresses::domain_of(&address)
            ),
        );
    }
    Some(address)
}

/// Warns of addresses that are to be written to and are mailing lists: none is.
pub(super) fn lists(it: &mut Context<'_>, written: &Mail, lists: &GlobSet) {
    let owners = written
        .owner
        .iter()
        .map(|owner| ("address", &owner.get().address));
    let single = [
        ("redirect_to", written.redirect_to.as_ref()),
        ("fallback", written.fallback.as_ref()),
        ("incident_contact", written.incident_contact.as_ref()),
    ];
    let single = single.into_iter().filter_map(|(key, word)| Some((key, word?)));
    for (key, word) in single.chain(owners) {
        if lists.is_match(word.get().trim().to_lowercase()) {
            it.warning(
                &word.span(),
                &format!("`{key}` is a mailing list, and none is written to"),
                "in `mailing_lists`",
                "name one mailbox that somebody reads, or take it out of `mailing_lists` in [policy]",
            );
        }
    }
}

fn transport(
    it: &mut Context<'_>,
    written: &At<MailTransport>,
    sources: &[(&str, SourceKind)],
) -> Option<Transport> {
    match written.get() {
        MailTransport::Smtp {
            host,
            port,
            tls,
            user,
            password,
        } => {
            let parsed = it.one("host", host, self::host)?;
            let how = match tls.get() {
                written::Tls::Starttls => Tls::Starttls,
                written::Tls::Immediate => Tls::Immediate,
                written::Tls::None => Tls::None,
            };
            let borrowed = match &parsed {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(address) => Host::Ipv4(*address),
                Host::Ipv6(address) => Host::Ipv6(*address),
            };
            if how == Tls::None && !addresses::is_loopback(&borrowed) {
                it.error(
                    &tls.span(),
                    "letters would travel in the clear",
                    "for this machine only",
                    "write \"starttls\" or \"tls\"; \"none\" is for localhost, 127.0.0.0/8 and ::1",
                );
            }
            let login = match (user, password) {
                (Some(user), Some(password)) => Some(SmtpLogin {
                    user: user.get().clone(),
                    password: it.secret(password),
                }),
                (Some(user), None) => {
                    it.missing(
                        &user.span(),
                        "password",
                        "an account without a password",
                        "add `password = { env = \"SMTP_PASSWORD\" }`, or take `user` out",
                    );
                    None
                }
                (None, Some(password)) => {
                    it.missing(
                        &password.span(),
                        "user",
                        "a password without an account",
                        "add `user = \"…\"`, or take `password` out",
                    );
                    None
                }
                (None, None) => None,
            };
            let usual = match how {
                Tls::Starttls => 587,
                Tls::Immediate => 465,
                Tls::None => 25,
            };
            Some(Transport::Smtp {
                host: match parsed {
                    Host::Domain(name) => name,
                    Host::Ipv4(address) => address.to_string(),
                    Host::Ipv6(address) => address.to_string(),
                },
                port: port.unwrap_or(usual),
                tls: how,
                login,
            })
        }
        MailTransport::Graph { source, sender } => {
            let sender = it.one("sender", sender, addresses::address)?;
            match sources.iter().find(|(name, _)| name == source.get()) {
                Some((_, SourceKind::Microsoft365)) => {}
                Some(_) => it.error(
                    &source.span(),
                    "mail leaves by Microsoft Graph, and this source is no Microsoft 365",
                    "of another kind",
                    "name a source of kind \"microsoft365\"",
                ),
                None if it.taken.contains("source") => {}
                None => it.error(
                    &source.span(),
                    &format!("no source is called `{}`", source.get()),
                    "not known",
                    &source_remedy(source.get(), sources),
                ),
            }
            Some(Transport::Graph {
                source: SourceName::new(source.get()),
                sender,
            })
        }
        MailTransport::Files { directory } => Some(Transport::Files {
            directory: it.path(directory),
        }),
    }
}

fn host(text: &str) -> Result<Host, Wrong> {
    let wrong = || Wrong {
        what: "this is no host".to_owned(),
        remedy: "write a host name or an address, without port: \"mail.example.org\"".to_owned(),
    };
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return Ok(Host::Ipv6(address));
    }
    if text.contains(|c: char| c.is_whitespace() || matches!(c, '/' | ':' | '@' | '*')) {
        return Err(wrong());
    }
    Host::parse(text).map_err(|_| wrong())
}

fn language(text: &str) -> Result<String, Wrong> {
    let mut parts = text.split('-');
    let alphanumeric =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = parts.next().unwrap_or_default();
    if matches!(first.len(), 2 | 3)
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(alphanumeric)
    {
        return Ok(text.to_lowercase());
    }
    Err(Wrong {
        what: format!("`{text}` is no language"),
        remedy: "write its code, such as \"en\" or \"de\"".to_owned(),
    })
}

fn owners(
    it: &mut Context<'_>,
    written: &[At<written::MailOwner>],
    allowed: &[String],
    sources: &[(&str, SourceKind)],
) -> Vec<MailOwner> {
    let mut owners = Vec::new();
    for entry in written {
        let words = entry.get();
        let source = known_source(it, &words.source, sources);
        let site = it.name("site", Some(&words.site)).unwrap_or_default();
        let address = recipient(it, "address", Some(&words.address), allowed).unwrap_or_default();
        owners.push(MailOwner {
            source,
            site,
            address,
        });
    }
    owners
}

fn routes(it: &mut Context<'_>, written: &[At<written::SecureRoute>]) -> Vec<SecureRoute> {
    let mut routes: Vec<SecureRoute> = Vec::new();
    for entry in written {
        let words = entry.get();
        let suffix = it.one("suffix", &words.suffix, addresses::domain);
        let becomes = it.one("becomes", &words.becomes, addresses::domain);
        let (Some(suffix), Some(becomes)) = (suffix, becomes) else {
            continue;
        };
        if routes.iter().any(|route| route.suffix == suffix) {
            let what = format!("`{suffix}` has two secure routes");
            it.error(
                &words.suffix.span(),
                &what,
                "the second one",
                "take one of them out",
            );
        }
        routes.push(SecureRoute { suffix, becomes });
    }
    routes.sort_by_key(|route| std::cmp::Reverse(route.suffix.len()));
    routes
}
