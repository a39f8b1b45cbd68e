//! Which IP addresses are public: reachable by anybody and meant to be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks within IPv4 that are not public: network and length of the prefix.
const NOT_PUBLIC_4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // unspecified, "this network"
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // behind a provider's translation
    ([127, 0, 0, 0], 8),      // this machine
    ([168, 63, 129, 16], 32), // a cloud's service for the machine it runs, in a public range
    ([169, 254, 0, 0], 16),   // link-local, and with it clouds' metadata
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarking
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

/// Networks within 2000::/3 that are not public; all outside of it is not either.
const NOT_PUBLIC_6: [([u16; 2], u32); 3] = [
    ([0x2001, 0x0000], 23), // protocol assignments: Teredo, benchmarking, ORCHID
    ([0x2001, 0x0db8], 32), // documentation
    ([0x3fff, 0x0000], 20), // documentation
];

/// Whether an address is public. One that carries an IPv4 address is judged by that.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(carried) => is_public_4(carried),
            None => is_public_6(address),
        },
    }
}

fn is_public_4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !NOT_PUBLIC_4.iter().any(|(network, length)| {
        let shift = 32 - length;
        bits >> shift == Ipv4Addr::from(*network).to_bits() >> shift
    })
}

fn is_public_6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let bits = u32::from(first) << 16 | u32::from(second);
    let within = |network: &[u16; 2], length: u32| {
        let shift = 32 - length;
        bits >> shift == (u32::from(network[0]) << 16 | u32::from(network[1])) >> shift
    };
    within(&[0x2000, 0], 3) && !NOT_PUBLIC_6.iter().any(|(network, length)| within(network, *length))
}

/// The IPv4 address within a mapped, compatible, translated (NAT64) or 6to4 address.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    /// First and last address of each range, and the neighbours outside of it; empty where another such range begins.
    const RANGES: &[(&str, &str, &str, &str)] = &[
        ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
        ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
        ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"),
        ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
        ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
        ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
        ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
        ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
        ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
        ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ("223.255.255.255", "224.0.0.0", "239.255.255.255", ""),
        ("", "240.0.0.0", "255.255.255.255", ""),
        ("", "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        (
            "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:200::",
        ),
        (
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
        ),
        (
            "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:1000::",
        ),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "ff00::", "ff02::1", ""),
    ];

    #[test]
    fn ranges_end_where_they_should() {
        for (before, first, last, after) in RANGES {
            assert!(!public(first) && !public(last), "{first} {last}");
            for neighbour in [before, after] {
                assert!(neighbour.is_empty() || public(neighbour), "{neighbour}");
            }
        }
    }

    #[test]
    fn addresses_that_carry_another_are_judged_by_it() {
        for (before, first, last, after) in RANGES.iter().filter(|range| range.1.contains('.')) {
            for (text, expected) in [(before, true), (first, false), (last, false), (after, true)] {
                let Ok(inner) = text.parse::<Ipv4Addr>() else { continue };
                let [a, b, c, d] = inner.octets();
                let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                for outer in [
                    format!("::ffff:{inner}"),
                    format!("::{inner}"),
                    format!("64:ff9b::{inner}"),
                    format!("2002:{high:x}:{low:x}::"),
                    format!("2002:{high:x}:{low:x}:ffff:ffff:ffff:ffff:ffff"),
                ] {
                    assert_eq!(public(&outer), expected, "{outer}");
                }
            }
        }
    }

    #[test]
    fn some_that_matter_by_name() {
        for inside in [
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "64:ff9b:1::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "::ffff:0:127.0.0.1",
            "5f00::1",
            "2001:0:7f00:1::",
            "fec0::1",
        ] {
            assert!(!public(inside), "{inside}");
        }
        for outside in
            ["1.1.1.1", "52.216.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::1.1.1.1", "2002:101:101::"]
        {
            assert!(public(outside), "{outside}");
        }
    }
}
