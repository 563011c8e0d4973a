//! What a stranger with a link gets: its page, and the files behind it over public `WebDAV`.
//!
//! Minimal: enough to see whether a link works. Links of disabled accounts have no page but serve their files.

use jiff::Timestamp;

use super::dav;
use super::shares::{LINK, MAIL, Share};
use super::{Nextcloud, not_found_page, page as html};
use crate::emulator::http::{Answer, Request};

/// `/s/TOKEN`.
pub(crate) fn page(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    let segments = request.segments();
    let mut parts = segments
        .iter()
        .map(String::as_str)
        .filter(|part| !matches!(*part, "index.php" | "s"));
    let token = parts.next().unwrap_or_default().to_owned();
    let Some(share) = server.public_share(&token, now.as_second()) else {
        return not_found_page();
    };
    let disabled = |id: &str| server.accounts.get(id).is_some_and(|account| !account.enabled);
    if disabled(&share.owner) || disabled(&share.initiator) || !server.settings.links_allowed {
        return not_found_page();
    }
    if share.password.is_some() {
        let to = format!("{}/index.php/s/{token}/authenticate/showShare", request.base());
        return Answer::html(303, Vec::new()).with("Location", to);
    }
    if parts.next() == Some("download") {
        server.note_download(&share, share.file.unwrap_or(0), now.as_second());
        return Answer::new(200, "application/octet-stream", "emulated file\n");
    }
    Answer::html(200, html("Shared with you", "The files behind this link."))
}

/// `/public.php/dav/files/TOKEN/…`.
pub(crate) fn dav(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    if server.settings.maintenance {
        return dav::maintenance();
    }
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["public.php", "dav", "files", token, rest @ ..] = parts.as_slice() else {
        return dav::not_found("File not found");
    };
    let Some(share) = server.public_share(token, now.as_second()) else {
        return dav::not_found("Share not found");
    };
    if server.hidden_by_setting(&share) {
        return dav::error(
            503,
            "Sabre\\DAV\\Exception\\ServiceUnavailable",
            "Share is not available",
        );
    }
    if share.password.is_some() {
        return dav::error(
            401,
            "Sabre\\DAV\\Exception\\NotAuthenticated",
            "Cannot authenticate over ajax calls",
        );
    }
    let Some(file) = share
        .file
        .and_then(|file| server.files.below(file, &rest.join("/")))
    else {
        return dav::not_found("File not found");
    };
    match request.method.as_str() {
        "PROPFIND" => dav::public(server, request, &share, file),
        "GET" => {
            server.note_download(&share, file, now.as_second());
            Answer::new(200, "application/octet-stream", "emulated file\n")
        }
        _ => dav::error(
            405,
            "Sabre\\DAV\\Exception\\MethodNotAllowed",
            "Method not allowed",
        ),
    }
}

impl Nextcloud {
    /// The working link or mail share of this token; a due one is deleted by being opened.
    fn public_share(&mut self, token: &str, now: i64) -> Option<Share> {
        let share = self
            .shares
            .by_token(token)
            .filter(|share| matches!(share.kind, LINK | MAIL))?;
        if share.is_due(now) {
            let id = share.id;
            self.shares.remove(id);
            return None;
        }
        share.file.filter(|file| !self.files.is_trashed(*file))?;
        Some(share.clone())
    }

    fn note_download(&mut self, share: &Share, file: u64, now: i64) {
        self.note_use(share, file, now);
        if let Some(mut share) = self.shares.get(share.id).cloned() {
            share.downloads.push(now);
            self.shares.insert(share);
        }
    }
}
