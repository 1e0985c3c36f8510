//! Whom an address stands for.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 address, of which one host has every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block(IpAddr);

impl Block {
    /// The block of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(address: &str) -> Block {
        Block::of(address.parse().unwrap())
    }

    #[test]
    fn an_ipv6_host_is_its_64_and_an_ipv4_host_itself() {
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff::9"));
        assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
        assert_ne!(block("10.0.0.1"), block("10.0.0.2"));
        assert_eq!(block("::ffff:10.0.0.1"), block("10.0.0.1"));
    }
}
