//! Where the server is found, and by whom.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host's name or address, and a port; port 0 is any that is free.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
    /// One client: standard input and output.
    Stdio,
}

/// What is not an address, or not a network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// None of the known forms.
    #[error("write tcp://HOST:PORT, unix:///PATH or stdio://")]
    Address,
    /// The port is missing or too large.
    #[error("write a port between 0 and 65535 after the host: tcp://127.0.0.1:10400")]
    Port,
    /// Neither an address nor a network.
    #[error("write an address such as 192.168.1.20, or a network such as 192.168.1.0/24 or fd00::/8")]
    Network,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("tcp://") {
            let (host, port) = rest.rsplit_once(':').ok_or(AddressError::Port)?;
            let port = port.parse().map_err(|_| AddressError::Port)?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let free = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_' | '%');
            let good = !host.is_empty() && host.chars().all(free);
            return if good { Ok(Self::Tcp(host.into(), port)) } else { Err(AddressError::Address) };
        }
        match text.strip_prefix("unix://") {
            Some(path) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ if text == "stdio://" => Ok(Self::Stdio),
            _ => Err(AddressError::Address),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Stdio => write!(f, "stdio://"),
        }
    }
}

/// An address, or all that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    network: IpAddr,
    bits: u32,
}

impl FromStr for Peers {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (network, bits) = match text.split_once('/') {
            Some((network, bits)) => (network, Some(bits)),
            None => (text, None),
        };
        let network: IpAddr = network.parse().map_err(|_| AddressError::Network)?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(AddressError::Network)?,
            None => most,
        };
        Ok(Self { network, bits })
    }
}

impl Peers {
    /// Whether this address is one of them. One of IPv4 that comes by a socket of IPv6 is one of IPv4.
    pub fn contain(&self, address: IpAddr) -> bool {
        let differing = match (self.network, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(32 - self.bits).map(u128::from)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(128 - self.bits)
            }
            _ => return false,
        };
        // Shifting all bits out leaves none that differ.
        differing.unwrap_or(0) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_was_read() {
        for text in
            ["tcp://127.0.0.1:10400", "tcp://[::1]:0", "tcp://host-1.lan:1", "unix:///a b", "stdio://"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_what_would_be() {
        for (text, error) in [
            ("", AddressError::Address),
            ("127.0.0.1:10400", AddressError::Address),
            ("http://127.0.0.1:10400", AddressError::Address),
            ("unix://", AddressError::Address),
            ("stdio://x", AddressError::Address),
            ("tcp://:10400", AddressError::Address),
            ("tcp://a/b:10400", AddressError::Address),
            ("tcp://127.0.0.1", AddressError::Port),
            ("tcp://127.0.0.1:65536", AddressError::Port),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }

    #[test]
    fn peers_are_told_apart_by_their_first_bits() {
        for (peers, inside, outside) in [
            ("192.168.1.20", "192.168.1.20", "192.168.1.21"),
            ("192.168.1.0/24", "::ffff:192.168.1.255", "192.168.2.0"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "::1", "127.0.0.1"),
        ] {
            let peers: Peers = peers.parse().unwrap();
            assert!(peers.contain(inside.parse().unwrap()), "{peers:?} {inside}");
            assert!(!peers.contain(outside.parse().unwrap()), "{peers:?} {outside}");
        }
        for text in ["", "192.168.1", "192.168.1.0/33", "::/129", "10.0.0.0/-1", "home"] {
            assert_eq!(text.parse::<Peers>(), Err(AddressError::Network), "{text}");
        }
    }
}
