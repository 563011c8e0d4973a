//! What each thing that was examined is called, costs and wants done. Pure.

use serde_json::Value;

use super::super::settings;
use crate::model::{Check, ProblemCode, Standing};
use crate::provider::ReadError;
use crate::provider::checks::{NOTHING, failed};

/// Whether the server keeps records of the use of links, as its capabilities tell.
pub(super) fn evidence_check(data: &Value) -> Check {
    if data.pointer("/capabilities/activity").is_some() {
        return Check::good("evidence", "the activity app keeps records of the use of links");
    }
    Check::new(
        "evidence",
        Standing::Limited,
        "the activity app is not enabled: the server keeps no records of the use of links",
    )
    .costs("whether open links to classified items were used is not told")
    .step("`php occ app:enable activity`, or leave `evidence` out of [policy]")
}

/// What the settings say about the audit.
pub(super) fn settings_checks(data: &Value) -> Vec<Check> {
    let mut checks = Vec::new();
    let flag = |path: &str| {
        data.pointer(&format!("/capabilities/{path}"))
            .and_then(Value::as_bool)
    };
    checks.push(if settings::sharing_is_off(data) {
        Check::new("settings", Standing::Failed, "sharing is switched off: the server lists no shares")
            .costs("what was shared before may still be open, and cannot be seen")
            .step("`php occ config:app:set core shareapi_enabled --value yes`, or accept it as a `[[gap]]` with the \
                   code `sharing-disabled`")
    } else if flag("files_sharing/api_enabled").is_none() {
        Check::new("settings", Standing::Failed, "the server does not tell of file sharing: the app may be disabled")
            .costs("no share can be read")
            .step("`php occ app:enable files_sharing`")
    } else if flag("files_sharing/public/enabled") == Some(false) {
        Check::good("settings", "shares are listed; links are switched off, and those made before are still told")
    } else {
        Check::good("settings", "shares are listed")
    });
    let delay = data
        .pointer("/capabilities/bruteforce/delay")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if delay > 0 {
        checks.push(
            Check::new(
                "address",
                Standing::Limited,
                format!("the server remembers failed sign-ins from this address (a delay of {delay} ms)"),
            )
            .costs("about a dozen within half an hour block it, and every scan with it")
            .step("find out who signs in from here with a wrong password; `php occ security:bruteforce:reset ADDRESS`")
            .step("or allow the address: Nextcloud's app `Brute-force settings`"),
        );
    }
    checks
}

pub(super) fn unreachable(error: &ReadError) -> Check {
    let check = failed("network", error).costs(NOTHING);
    let ReadError::Service { code, .. } = error else {
        return check;
    };
    match code {
        ProblemCode::TlsFailed => check
            .step("if a private authority signed the server's certificate, name its PEM file as `ca_file`")
            .step("if the certificate is for another name or has ended, correct it on the server"),
        ProblemCode::Redirected => check.step("set the source's `url` to where Nextcloud really is"),
        ProblemCode::Unreachable => check
            .step("check the source's `url`, the name server, the firewall and `proxy`")
            .step("ask with another program from this machine: `curl -v URL/status.php`"),
        ProblemCode::ServerError => check.step("look into the log of the server, and of the proxy before it"),
        ProblemCode::Throttled => check.step("wait, and ask at a quieter time; a proxy may count requests"),
        _ => check
            .step("check that the source's `url` is Nextcloud's own, and what answers there in a browser"),
    }
}

pub(super) fn refused_passwords(refused: &[&str], untried: usize) -> Check {
    let names: Vec<_> = refused
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    let more = match untried {
        0 => String::new(),
        more => format!("; {more} more were not tried, since a dozen wrong ones block the address"),
    };
    let words = format!(
        "the app password is refused, or the account disabled: {}{more}",
        names.join(", ")
    );
    Check::new("credential", Standing::Failed, words)
        .costs("these accounts cannot be read")
        .step("make a new app password as that person (Settings, Security) and put it where the configuration refers to")
}

/// What vouches for a scan, and how many shares there are where that is told.
pub(super) fn counts_check(statistics: &Result<Option<Value>, ReadError>) -> (Check, Option<u64>) {
    const ABOUT: &str = "control totals";
    let counts = match statistics {
        Ok(data) => data.as_ref().and_then(settings::counts),
        Err(_) => None,
    };
    if let Some(counts) = counts {
        let words: Vec<_> = counts
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let words = format!(
            "the server counts its shares, so that a scan can be checked: {}",
            words.join(", ")
        );
        return (Check::good(ABOUT, words), Some(counts.values().sum()));
    }
    let words = match statistics {
        Err(error) => format!("the server's own counts cannot be read: {error}"),
        Ok(_) => "the server's statistics hold no counts of shares".to_owned(),
    };
    let check = Check::new(ABOUT, Standing::Limited, words)
        .costs("nothing vouches for the completeness of a scan")
        .step("`php occ app:enable serverinfo`")
        .step(
            "where `admin` is no administrator: `php occ config:app:set serverinfo token --value TOKEN`, and refer to it \
             by `statistics_token` in the source",
        );
    (check, None)
}
