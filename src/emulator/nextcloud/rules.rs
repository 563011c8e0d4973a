//! What the server refuses in a new or changed share: dates, permissions, passwords, and the administrator's settings.
//!
//! Only answers yes or no; nothing is stored here.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::Nextcloud;
use super::ocs::{Call, Refusal};
use super::shares::{
    CREATE, DELETE, FEDERATED, FEDERATED_GROUP, GROUP, LINK, MAIL, READ, SHARE, Share, TEAM, UPDATE, USER,
};
use super::shown::Viewer;

impl Nextcloud {
    pub(crate) fn check_date(
        &self,
        call: &Call<'_>,
        account: &str,
        day: Date,
        kind: i64,
    ) -> Result<(), Refusal> {
        // Of shares with teams the server checks no date.
        if kind == TEAM {
            return Ok(());
        }
        let today = call.now.to_zoned(self.zone(account)).date();
        if day <= today {
            return Err(Refusal::new(404, call.say("Expiration date is in the past")));
        }
        if let Some(days) = self.default_days(kind).filter(|_| self.insists_on_end(kind)) {
            let last = today.checked_add(i64::from(days).days()).unwrap_or(today);
            if day > last {
                let message = format!("Cannot set expiration date more than {days} days in the future");
                return Err(Refusal::new(404, message));
            }
        }
        Ok(())
    }

    /// After how many days a share of a kind ends where nobody says when.
    pub(crate) fn default_days(&self, kind: i64) -> Option<u32> {
        match kind {
            LINK | MAIL => self.settings.default_expiry_days,
            USER | GROUP => self.settings.default_internal_expiry_days,
            FEDERATED | FEDERATED_GROUP => self.settings.default_remote_expiry_days,
            _ => None,
        }
    }

    /// Whether a share of a kind has to end by then; that counts only where there is a default.
    pub(crate) fn insists_on_end(&self, kind: i64) -> bool {
        let enforced = match kind {
            LINK | MAIL => self.settings.expiry_enforced,
            USER | GROUP => self.settings.internal_expiry_enforced,
            FEDERATED | FEDERATED_GROUP => self.settings.remote_expiry_enforced,
            _ => false,
        };
        enforced && self.default_days(kind).is_some()
    }

    pub(crate) fn link_permissions(&self, call: &Call<'_>, bits: u32) -> Result<u32, Refusal> {
        let say = |status, text: &str| Err(Refusal::new(status, call.say(text)));
        if bits & (READ | CREATE) == 0 || bits > 31 {
            return say(400, "Share must at least have READ or CREATE permissions");
        }
        if bits & READ == 0 && bits & (UPDATE | DELETE) != 0 {
            return say(
                400,
                "Share must have READ permission if UPDATE or DELETE permission is set",
            );
        }
        if bits & CREATE != 0 && !self.settings.public_upload {
            return say(403, "Public upload disabled by the administrator");
        }
        Ok(if bits & READ != 0 && self.settings.federation_on_links {
            bits | SHARE
        } else {
            bits
        })
    }

    pub(crate) fn check_password(&self, password: &str) -> Result<(), Refusal> {
        if !self.has_app("password_policy") {
            return Ok(());
        }
        let policy = &self.settings.password_policy;
        let mut wrong: Vec<String> = Vec::new();
        if policy.not_common && COMMON.contains(&password.to_ascii_lowercase().as_str()) {
            wrong.push("Password is among the 1,000,000 most common ones. Please make it unique.".into());
        }
        if password.chars().count() < policy.min_length {
            wrong.push(format!(
                "Password needs to be at least {} characters long.",
                policy.min_length
            ));
        }
        if policy.numeric && !password.contains(|letter: char| letter.is_ascii_digit()) {
            wrong.push("Password needs to contain at least one numeric character.".into());
        }
        if policy.special && !password.contains(|letter: char| !letter.is_alphanumeric()) {
            wrong.push("Password needs to contain at least one special character.".into());
        }
        if policy.upper_lower && (password == password.to_lowercase() || password == password.to_uppercase())
        {
            wrong.push("Password needs to contain at least one lower and one upper case character.".into());
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Refusal::new(400, wrong.join(" ")))
        }
    }

    /// What the server checks of every change, whatever was changed.
    pub(crate) fn check_rules(
        &self,
        call: &Call<'_>,
        account: &str,
        viewer: &Viewer,
        share: &Share,
    ) -> Result<(), Refusal> {
        let failed = || Err(Refusal::new(400, "Failed to update share."));
        let excluded = self
            .settings
            .excluded_groups
            .iter()
            .any(|group| self.in_group(&share.initiator, group));
        if excluded || (share.is_public() && !self.settings.links_allowed) {
            return failed();
        }
        if share.is_public() && share.permissions & CREATE != 0 && !self.settings.public_upload {
            return failed();
        }
        if share.owner != share.initiator {
            // The sharer's own right counts, also where the owner makes the change.
            let mounts = if *share.initiator == *account {
                viewer.mounts.clone()
            } else {
                self.mounts(&share.initiator, call.seconds())
            };
            let may = share
                .file
                .is_some_and(|file| self.may_share(&share.initiator, file, &mounts));
            if !may || !self.settings.resharing {
                return Err(Refusal::new(404, call.say("Cannot increase permissions of ")));
            }
        }
        Ok(())
    }
}

const COMMON: [&str; 12] = [
    "abc",
    "abc123",
    "password",
    "password1",
    "passw0rd",
    "123456",
    "12345678",
    "1234567890",
    "qwerty",
    "qwertyuiop",
    "letmein",
    "iloveyou",
];
