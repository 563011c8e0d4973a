//! The machine that this runs on: state, schedule, exports, and who is who.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use jiff::{Span, tz::TimeZone};

use crate::config::{Credentials, FileRef};
pub use crate::model::NameDisplay;
use crate::schedule::Cron;

/// Who is the same person in several sources.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// A CSV file with the columns `source,account,person`.
    pub map: Option<FileRef>,
}

/// What is remembered from run to run.
#[derive(Clone, Debug)]
pub struct StateSettings {
    /// The database. Credentials got by `login` lie in `credentials` beside it.
    pub path: PathBuf,
    /// How long runs and what became of findings are kept.
    pub keep: Span,
    /// How much is kept of shares without a finding.
    pub details: Details,
}

impl StateSettings {
    /// Where `login` keeps what it obtained.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::beside(&self.path)
    }
}

/// How much is kept of shares without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Ids and digests.
    Findings,
    /// Everything.
    All,
}

/// When the daemon runs the nightly job.
#[derive(Clone, Debug)]
pub struct ScheduleSettings {
    /// When, in civil time.
    pub at: Cron,
    /// The time zone of `at`.
    pub time_zone: TimeZone,
    /// A run starts up to this much later.
    pub jitter: Duration,
    /// The address of `/healthz` and `/metrics`.
    pub health: SocketAddr,
}

/// What the nightly job writes for other programs.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// A file to which one event a change is appended.
    pub ndjson: Option<PathBuf>,
    /// A file with metrics for the node exporter's textfile collector.
    pub metrics: Option<PathBuf>,
    /// The report as HTML.
    pub html: Option<PathBuf>,
    /// How file names appear.
    pub names: NameDisplay,
    /// How owners appear.
    pub owners: OwnerDisplay,
}

/// How owners appear in exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerDisplay {
    /// As they are.
    Full,
    /// By a pseudonym.
    Pseudonym,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of an address and the number of its leading bits; `None` if there are more than the
    /// address has.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether an address is in it. An IPv4 address written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(32 - prefix)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(128 - prefix)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn networks_hold_their_addresses_and_no_other() {
        let network = |address: &str, prefix| Network::new(address.parse().unwrap(), prefix).unwrap();
        for (network, address, inside) in [
            (network("192.0.2.0", 24), "192.0.2.255", true),
            (network("192.0.2.0", 24), "192.0.3.0", false),
            (network("192.0.2.0", 24), "::ffff:192.0.2.7", true),
            (network("0.0.0.0", 0), "203.0.113.1", true),
            (network("0.0.0.0", 0), "2001:db8::1", false),
            (network("2001:db8::", 32), "2001:db8:1::1", true),
            (network("2001:db8::1", 128), "2001:db8::2", false),
        ] {
            assert_eq!(
                network.contains(address.parse().unwrap()),
                inside,
                "{network} {address}"
            );
        }
    }
}
