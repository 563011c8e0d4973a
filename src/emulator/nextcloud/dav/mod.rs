//! The emulated `WebDAV`: who may ask for what, and which part answers.
//!
//! Unlike OCS it serves disabled accounts and disabled applications, as the server does.

mod prop;
mod reply;
mod search;
mod tag;
mod xml;

use jiff::Timestamp;

use self::prop::Sight;
pub(crate) use self::prop::public;
use self::reply::Reply;
use super::Nextcloud;
use super::auth::Refused;
use crate::emulator::http::{Answer, Request};

const FEATURES: &str = "1, 3, extended-mkcol, access-control, calendarserver-principal-property-search, nc-paginate, \
                        nextcloud-checksum-update, nc-calendar-search, nc-enable-birthday-calendar";

/// Answers any request below `/remote.php/`.
pub(crate) fn handle(server: &mut Nextcloud, request: &Request, now: Timestamp) -> Answer {
    if server.settings.maintenance {
        return maintenance();
    }
    let account = match server.caller(request, true, now) {
        Ok(caller) => match caller.account {
            Some(account) => account,
            None => return unauthenticated(),
        },
        Err(Refused::Wrong | Refused::AppWrong) => return unauthenticated(),
        Err(Refused::Disabled) => {
            return error(
                503,
                "Sabre\\DAV\\Exception\\ServiceUnavailable",
                "Account disabled",
            );
        }
        Err(Refused::Blocked) => return too_many(),
        Err(Refused::AppBlocked) => {
            return error(
                500,
                "OCP\\Security\\Bruteforce\\MaxDelayReached",
                "Reached maximum delay",
            );
        }
    };
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let sight = Sight::new(server, &account, now.as_second());
    let answer = match (request.method.as_str(), parts.as_slice()) {
        ("SEARCH", ["dav"]) => search::search(&sight, request),
        ("PROPFIND", ["dav", "files", owner, path @ ..]) => files(&sight, request, owner, &path.join("/")),
        ("PROPFIND", ["webdav", path @ ..]) => files(&sight, request, &account, &path.join("/")),
        ("REPORT", ["dav", "files", owner, ..]) if *owner == account => search::by_tag(&sight, request),
        ("PROPFIND", ["dav", "systemtags"]) => tag::all(&sight, request),
        ("PROPFIND", ["dav", "systemtags-relations", "files", file]) => tag::of_file(&sight, request, file),
        ("PROPFIND", _) => not_found("File not found"),
        (method, _) => {
            let message =
                format!("There was no plugin in the system that was willing to handle this {method} method.");
            error(501, "Sabre\\DAV\\Exception\\NotImplemented", &message)
        }
    };
    if request.method == "PROPFIND" {
        answer.with("DAV", FEATURES)
    } else {
        answer
    }
}

fn files(sight: &Sight<'_>, request: &Request, owner: &str, path: &str) -> Answer {
    if owner != sight.account {
        if !sight.server.accounts.contains_key(owner) {
            return not_found(&format!("Principal with name {owner} not found"));
        }
        // Another account's home shows itself and nothing else.
        if path.is_empty() {
            return Reply::foreign_home(request, owner);
        }
        return not_found(&format!("File not found: {path} in '{owner}'"));
    }
    match sight.server.locate(&sight.account, path, &sight.mounts) {
        Some(file) => sight.propfind(request, file),
        None => not_found(&format!("File with name //{path} could not be located")),
    }
}

/// An error in the form of the DAV server.
pub(crate) fn error(status: u16, exception: &str, message: &str) -> Answer {
    let mut text = String::new();
    super::tree::escaped(message, &mut text);
    let message = if text.is_empty() {
        "<s:message/>".to_owned()
    } else {
        format!("<s:message>{text}</s:message>")
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
         <s:exception>{exception}</s:exception>\n  {message}\n</d:error>\n"
    );
    Answer::new(status, "application/xml; charset=utf-8", body)
}

pub(crate) fn not_found(message: &str) -> Answer {
    error(404, "Sabre\\DAV\\Exception\\NotFound", message)
}

pub(crate) fn maintenance() -> Answer {
    error(
        503,
        "OCA\\DAV\\Exception\\ServerMaintenanceMode",
        "System is in maintenance mode.",
    )
}

fn unauthenticated() -> Answer {
    let message = "No public access to this resource., AppAPIAuth has not passed, This request is not for a federated \
                   calendar, Username or password was incorrect, No 'Authorization: Bearer' header found. Either the \
                   client didn't send one, or the server is mis-configured, Username or password was incorrect";
    let answer = error(401, "Sabre\\DAV\\Exception\\NotAuthenticated", message);
    answer.with("WWW-Authenticate", "Basic realm=\"Nextcloud\", charset=\"UTF-8\"")
}

fn too_many() -> Answer {
    let body = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" \
                xmlns:s=\"http://sabredav.org/ns\" xmlns:o=\"http://owncloud.org/ns\">\n  \
                <s:exception>OCA\\DAV\\Connector\\Sabre\\Exception\\TooManyRequests</s:exception>\n  \
                <s:message/>\n  <o:hint xmlns:o=\"o:\">too many requests</o:hint>\n</d:error>\n";
    Answer::new(429, "application/xml; charset=utf-8", body)
}
