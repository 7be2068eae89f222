//! Addresses to listen on, as people write them.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use serde::Deserialize;

/// `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`, or `:9000` for every address of the machine in version 4 of the
/// Internet Protocol. Those of version 6 would show clients of version 4 under addresses that no policy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let wrong = || {
            format!("{text:?} is not an address with a port, as in 127.0.0.1:9000, localhost:9000 or :9000")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Ok(Self((Ipv4Addr::UNSPECIFIED, port).into()));
        }
        if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return Err(wrong());
        }
        let found = (host, port).to_socket_addrs();
        let found: Vec<_> = found.map_err(|error| format!("{host} has no address: {error}"))?.collect();
        // Clients try this version first where a name has both, and most names on one machine have this one alone.
        let chosen = found.iter().find(|address| address.is_ipv4()).or(found.first());
        chosen.copied().map(Self).ok_or_else(|| format!("{host} has no address"))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port_or_a_name_with_one() {
        for (text, address) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:2", "[::1]:2"),
            (":9000", "0.0.0.0:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
        ] {
            assert_eq!(text.parse(), Ok(Listen(address.parse().unwrap())), "{text}");
        }
        for text in
            ["", "9000", ":", ":x", ":65536", "localhost", "localhost:", "::1:9000", "a b:1", "http://x:1"]
        {
            let told = text.parse::<Listen>().unwrap_err();
            assert!(told.starts_with(&format!("{text:?} is not an address with a port")), "{told}");
        }
    }
}
