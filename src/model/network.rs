//! Networks, to tell addresses of the organisation from others.

use core::net::IpAddr;

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
