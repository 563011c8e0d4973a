//! Which part answers a call, and which permissions it needs.

use super::entra::Holder;
use super::reply::{Call, Outcome, Refusal};
use super::{Graph, audit, drives, groups, mail, sites, tenant, users};

/// Application permissions that let files be read.
pub(super) const READ_FILES: &[&str] = &[
    "Files.Read.All",
    "Files.ReadWrite.All",
    "Sites.Read.All",
    "Sites.ReadWrite.All",
    "Sites.Manage.All",
    "Sites.FullControl.All",
];

/// Application permissions that let files be changed.
pub(super) const WRITE_FILES: &[&str] = &[
    "Files.ReadWrite.All",
    "Sites.ReadWrite.All",
    "Sites.Manage.All",
    "Sites.FullControl.All",
];

const READ_SITES: &[&str] = &[
    "Sites.Read.All",
    "Sites.ReadWrite.All",
    "Sites.Manage.All",
    "Sites.FullControl.All",
];

const READ_USERS: &[&str] = &[
    "User.Read.All",
    "User.ReadBasic.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

const READ_GROUPS: &[&str] = &[
    "Group.Read.All",
    "GroupMember.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

const READ_AUDIT: &[&str] = &[
    "AuditLogsQuery-OneDrive.Read.All",
    "AuditLogsQuery-SharePoint.Read.All",
    "AuditLogsQuery.Read.All",
];

const READ_SETTINGS: &[&str] = &[
    "SharePointTenantSettings.Read.All",
    "SharePointTenantSettings.ReadWrite.All",
];

/// Answers a call that was charged.
pub(super) fn dispatch(graph: &mut Graph, call: &Call<'_>) -> Outcome {
    let parts: Vec<&str> = call.parts.iter().map(String::as_str).collect();
    let reads = call.request.method == "GET";
    match parts.as_slice() {
        ["organization", ..] if reads => {
            let all = [READ_USERS, READ_SITES, &["Organization.Read.All"]].concat();
            directory(call, &all, true)?;
            tenant::organization(graph, call)
        }
        ["me", rest @ ..] => of_me(graph, call, rest),
        ["users"] if reads => {
            directory(call, READ_USERS, false)?;
            users::list(graph, call)
        }
        ["users", "$count"] if reads => {
            directory(call, READ_USERS, false)?;
            users::count(graph, call)
        }
        ["users", id, "sendMail"] if call.request.method == "POST" => {
            directory(call, &["Mail.Send"], false)?;
            mail::send(graph, call, id)
        }
        ["users", id, "drive" | "drives", rest @ ..] => of_user(graph, call, id, rest),
        ["users", id, rest @ ..] if reads => {
            directory(call, READ_USERS, false)?;
            users::one(graph, call, id, rest)
        }
        ["groups"] if reads => {
            directory(call, READ_GROUPS, false)?;
            groups::list(graph, call)
        }
        ["groups", id, "drive", rest @ ..] => {
            directory(call, READ_FILES, false)?;
            let drive = groups::drive(graph, id)?;
            drives::handle(graph, call, drive, rest)
        }
        ["groups", id, rest @ ..] if reads => {
            directory(call, READ_GROUPS, false)?;
            groups::handle(graph, call, id, rest)
        }
        ["sites", rest @ ..] => {
            application(call, READ_SITES)?;
            sites::handle(graph, call, rest)
        }
        ["drives", id, rest @ ..] => {
            files(call)?;
            let drive = drives::index(graph, id)?;
            drives::handle(graph, call, drive, rest)
        }
        ["admin", "sharepoint", "settings"] if reads => {
            application(call, READ_SETTINGS)?;
            Ok(tenant::settings(graph, call))
        }
        ["security", "auditLog", "queries", rest @ ..] => {
            application(call, READ_AUDIT)?;
            audit::handle(graph, call, rest)
        }
        _ => Err(unknown(&parts)),
    }
}

/// What is no address of this service.
pub(super) fn unknown(parts: &[&str]) -> Refusal {
    let what = parts.last().copied().unwrap_or_default();
    Refusal::bad_request(format!("Resource not found for the segment '{what}'."))
}

fn of_me(graph: &mut Graph, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let Holder::User { user, .. } = call.token.holder else {
        return Err(Refusal::bad_request(
            "/me request is only valid with delegated authentication flow.",
        ));
    };
    match rest {
        ["drive" | "drives", rest @ ..] => {
            files(call)?;
            let drive = users::drive(graph, user)?;
            drives::handle(graph, call, drive, rest)
        }
        [] if call.request.method == "GET" => users::show(graph, call, user, "users"),
        _ => Err(unknown(rest)),
    }
}

fn of_user(graph: &mut Graph, call: &Call<'_>, id: &str, rest: &[&str]) -> Outcome {
    files(call)?;
    let user = users::known(graph, id)?;
    if let Holder::User { user: own, .. } = call.token.holder
        && own != user
    {
        return Err(Refusal::denied());
    }
    let drive = users::drive(graph, user)?;
    let lists = call.parts.last().is_some_and(|part| part == "drives");
    if lists {
        return drives::list(graph, call, &[drive]);
    }
    drives::handle(graph, call, drive, rest)
}

/// The token may read files; which ones is judged where they are.
fn files(call: &Call<'_>) -> Result<(), Refusal> {
    let reads =
        call.request.method == "GET" || call.parts.last().is_some_and(|p| p == "extractSensitivityLabels");
    match &call.token.holder {
        Holder::App { .. } => application(call, if reads { READ_FILES } else { WRITE_FILES }),
        Holder::User { scopes, .. } => {
            let may = |scope: &String| {
                scope.starts_with("Files.ReadWrite")
                    || scope.starts_with("Sites.ReadWrite")
                    || reads && (scope.starts_with("Files.Read") || scope.starts_with("Sites.Read"))
            };
            if scopes.iter().any(may) {
                Ok(())
            } else {
                Err(Refusal::denied())
            }
        }
    }
}

/// The token is the application's, with one of these roles.
fn application(call: &Call<'_>, roles: &[&str]) -> Result<(), Refusal> {
    if has_role(call, roles) {
        Ok(())
    } else {
        Err(Refusal::denied())
    }
}

/// Whether the application has one of these roles.
pub(super) fn has_role(call: &Call<'_>, wanted: &[&str]) -> bool {
    match &call.token.holder {
        Holder::App { roles } => roles.iter().any(|role| wanted.contains(&role.as_str())),
        Holder::User { .. } => false,
    }
}

/// The directory's own refusal.
fn directory(call: &Call<'_>, roles: &[&str], people: bool) -> Result<(), Refusal> {
    let is_person = matches!(call.token.holder, Holder::User { .. });
    if has_role(call, roles) || (people && is_person) {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    ))
}
