//! Who may be put under load without being asked twice.

use url::{Host, Url};

/// Whether the URL leads to this host's loopback interface, by its text alone.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:8000", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:8000", true),
            ("http://localhost", true),
            ("http://0.0.0.0:8000", false),
            ("http://10.0.0.7", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
