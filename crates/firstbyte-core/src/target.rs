//! The name of the server that a call goes to.

/// Host and port of a URL's authority, as `target=` has them: without credentials, the host in lower
/// case, the port also where it is left out, if the scheme tells it.
///
/// ```
/// use firstbyte_core::target;
///
/// assert_eq!(target(Some("http"), "user:secret@Host"), "host:80");
/// assert_eq!(target(Some("https"), "[::1]"), "[::1]:443");
/// assert_eq!(target(None, "host:8000"), "host:8000");
/// assert_eq!(target(None, "host"), "host"); // nobody said which port
/// ```
#[must_use]
pub fn target(scheme: Option<&str>, authority: &str) -> String {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut target = host.strip_suffix(':').unwrap_or(host).to_ascii_lowercase();
    let default = match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => ":80",
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => ":443",
        _ => "",
    };
    // The colons of an address of version 6 stand in brackets.
    let has_port = target.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    if !has_port {
        target.push_str(default);
    }
    target
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn one_server_has_one_name() {
        for (scheme, authority, name) in [
            ("http", "host", "host:80"),
            ("http", "HOST:80", "host:80"),
            ("HTTPS", "Host:", "host:443"),
            ("http", "a@b:secret@host:1", "host:1"),
            ("http", "[2001:DB8::1]", "[2001:db8::1]:80"),
            ("http", "[::1]:8000", "[::1]:8000"),
            ("unix", "host", "host"),
        ] {
            assert_eq!(target(Some(scheme), authority), name, "{scheme} {authority}");
        }
    }
}
