//! What a run could read, what it could not, and what that makes of its result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ShareKind, names};

names! {
    /// What a run's result is worth. Ordered, `Incomplete` is the worst.
    Verdict {
        /// Everything in scope was read.
        Complete = "complete",
        /// Everything was read that the service lets this credential read, or that no accepted gap names.
        Limited = "limited",
        /// Something that should have been readable was not.
        Incomplete = "incomplete",
    }
}

names! {
    /// What a problem does to the verdict. Ordered, `Incomplete` is the worst.
    Effect {
        /// Nothing: worth knowing.
        Note = "note",
        /// Out of reach by the service's or the operator's own decision.
        Limited = "limited",
        /// Should have been readable.
        Incomplete = "incomplete",
    }
}

names! {
    /// Why something was not read, or is worth knowing: the closed list of `problems[].code`.
    ProblemCode {
        /// The account is disabled: the service refuses its list of shares.
        AccountDisabled = "account-disabled",
        /// The account is excluded by the configuration.
        Excluded = "excluded",
        /// The credential cannot read the list of accounts or their details.
        PeopleUnreadable = "people-unreadable",
        /// There is no credential to ask with.
        CredentialMissing = "credential-missing",
        /// Another scan reads the source at the same time.
        BeingScanned = "being-scanned",
        /// The credential was refused.
        Unauthorized = "unauthorized",
        /// The credential is good and has no right to this.
        Forbidden = "forbidden",
        /// The server blocks this address after failed sign-ins.
        AddressBlocked = "address-blocked",
        /// The server asked to come back later, for longer than the scan may wait.
        Throttled = "throttled",
        /// No connection, or no answer in time.
        Unreachable = "unreachable",
        /// The connection is not trusted.
        TlsFailed = "tls-failed",
        /// The server is in maintenance mode.
        Maintenance = "maintenance",
        /// The server failed while answering.
        ServerError = "server-error",
        /// The server sent the client elsewhere; credentials do not follow.
        Redirected = "redirected",
        /// The answer is not what the interface promises.
        Malformed = "malformed",
        /// The answer ended before its end.
        Truncated = "truncated",
        /// The answer is larger than allowed.
        TooLarge = "too-large",
        /// One share in a list could not be read.
        MalformedShare = "malformed-share",
        /// Sharing is switched off: the service lists nothing.
        SharingDisabled = "sharing-disabled",
        /// Tags could not be asked for.
        LabelsUnreadable = "labels-unreadable",
        /// A configured tag is not known to the service.
        TagUnknown = "tag-unknown",
        /// A configured tag is visible to administrators only: whose files carry it cannot be asked.
        TagHidden = "tag-hidden",
        /// What lies beneath a folder is more than is looked at.
        TooManyFiles = "too-many-files",
        /// What lies beneath a shared folder could not be counted.
        NotCounted = "not-counted",
        /// The account's home was not searched in this run.
        HomeNotSearched = "home-not-searched",
        /// The service counts more shares than were seen.
        ControlMismatch = "control-mismatch",
        /// The service counts more shares than were seen, those of excluded accounts among them.
        ControlDiffers = "control-differs",
        /// The service's own counts could not be read.
        ControlUnavailable = "control-unavailable",
        /// No account has the name or address asked for.
        UserNotFound = "user-not-found",
        /// The account vanished between listing and reading.
        AccountGone = "account-gone",
        /// The site or drive is locked or archived: the service refuses to show it.
        Locked = "locked",
        /// Sites could not be listed: libraries, and drives of people who left, are not seen.
        SitesUnreadable = "sites-unreadable",
        /// Only a person's own drive was read: what they shared elsewhere is not seen.
        DriveOnly = "drive-only",
        /// The person has no drive.
        NoDrive = "no-drive",
        /// The service does not show who is in a group of a site.
        MembershipUnread = "membership-unread",
        /// The service keeps no records of the use of links that this credential can read.
        EvidenceUnavailable = "evidence-unavailable",
        /// The service has not yet answered whether links were used.
        EvidencePending = "evidence-pending",
        /// Records of the use of links could not be read.
        EvidenceUnreadable = "evidence-unreadable",
        /// The settings of the service could not be read.
        SettingsUnreadable = "settings-unreadable",
        /// The clock here and the service's differ: nothing is changed there.
        ClockDiffers = "clock-differs",
        /// The scan was interrupted.
        Interrupted = "interrupted",
        /// The scan reached its time limit.
        TimeLimit = "time-limit",
        /// The source was given up after too many failures in a row.
        GivenUp = "given-up",
        /// The day's budget of resource units is spent.
        BudgetSpent = "budget-spent",
    }
}

impl ProblemCode {
    /// What a problem of this kind does to the verdict, unless a gap accepts it.
    #[must_use]
    pub fn effect(self) -> Effect {
        match self {
            Self::AccountDisabled
            | Self::Excluded
            | Self::PeopleUnreadable
            | Self::TooManyFiles
            | Self::TagHidden
            | Self::ControlDiffers
            | Self::SitesUnreadable
            | Self::DriveOnly
            | Self::EvidenceUnavailable
            | Self::EvidencePending
            | Self::SettingsUnreadable => Effect::Limited,
            Self::HomeNotSearched
            | Self::NotCounted
            | Self::ControlUnavailable
            | Self::TagUnknown
            | Self::AccountGone
            | Self::NoDrive
            | Self::MembershipUnread => Effect::Note,
            _ => Effect::Incomplete,
        }
    }
}

/// Something that was not read, or is worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it concerns: an account, a drive, or `*` for the whole source.
    pub scope: String,
    /// Why.
    pub code: ProblemCode,
    /// What happened and what to do, in words.
    pub message: String,
}

impl Problem {
    /// A problem of one scope.
    pub fn new(scope: impl Into<String>, code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            scope: scope.into(),
            code,
            message: message.into(),
        }
    }
}

names! {
    /// What became of a scope in a run.
    ScopeOutcome {
        /// Read to its end.
        Scanned = "scanned",
        /// Left out by the service's decision.
        Skipped = "skipped",
        /// Left out by the operator's decision.
        Excluded = "excluded",
        /// Not read although it should have been.
        Failed = "failed",
        /// It vanished between listing and reading.
        Gone = "gone",
    }
}

/// How many accounts (or drives) became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTotals {
    /// All that the service listed.
    pub found: u64,
    /// Read to their end.
    pub scanned: u64,
    /// Left out by the service's or the operator's decision.
    pub skipped: u64,
    /// Not read although they should have been.
    pub failed: u64,
    /// Vanished between listing and reading.
    pub gone: u64,
}

/// What the requests to a source came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestTotals {
    /// Requests sent, repeated ones included.
    pub sent: u64,
    /// Requests sent again after a failure.
    pub retried: u64,
    /// Answers that asked to slow down.
    pub throttled: u64,
    /// Resource units spent, where the service counts in them.
    pub units: u64,
    /// Seconds spent waiting because the service asked to, or for units.
    pub waited_seconds: f64,
}

/// How many shares of a type the service counts, and how many were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The service's count: the lower of the two readings before and after.
    pub expected: u64,
    /// Distinct shares seen.
    pub seen: u64,
    /// The service's count before reading.
    pub before: u64,
    /// The service's count after reading.
    pub after: u64,
}

impl Expected {
    /// Whether more is missing than the tolerance of 20 or 0.5 %.
    #[must_use]
    pub fn is_off(self) -> bool {
        let missing = self.expected.saturating_sub(self.seen);
        missing > 20 && missing.saturating_mul(200) > self.expected
    }
}

/// Control totals by kind of share.
pub type ControlTotals = BTreeMap<ShareKind, Expected>;
