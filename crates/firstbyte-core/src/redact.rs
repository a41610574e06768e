//! Secrets out of URLs before they reach a log.

/// A URL without credentials, query values and fragment; query keys stay.
///
/// Works on any text: what does not look like a URL is treated as a path.
///
/// ```
/// use firstbyte_core::redact_url;
///
/// assert_eq!(
///     redact_url("https://user:secret@host:8000/pause?mode=keep&token=abc#frag"),
///     "https://host:8000/pause?mode=***&token=***",
/// );
/// ```
#[must_use]
pub fn redact_url(url: &str) -> String {
    // Without a branch per byte, so that the compiler looks at many bytes at once.
    if !url.bytes().fold(false, |found, byte| found | matches!(byte, b'#' | b'?' | b'@')) {
        return url.to_owned();
    }
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (base, query) =
        url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let mut redacted = String::with_capacity(url.len());
    match authority(base) {
        Some(start) => {
            let (scheme, rest) = base.split_at(start);
            redacted.push_str(scheme);
            redacted.push_str(without_credentials(rest));
        }
        None if base.starts_with('/') => redacted.push_str(base),
        None => redacted.push_str(without_credentials(base)),
    }
    if let Some(query) = query {
        for (i, pair) in query.split('&').enumerate() {
            redacted.push(if i == 0 { '?' } else { '&' });
            // A pair without `=` may itself be a token.
            match pair.split_once('=') {
                // A token in base64 may end in `=`: then there is no key.
                Some((key, value)) if value.bytes().any(|b| b != b'=') => {
                    redacted.push_str(key);
                    redacted.push_str("=***");
                }
                None if pair.is_empty() => {}
                _ => redacted.push_str("***"),
            }
        }
    }
    redacted
}

/// Where the authority begins: behind `scheme:` and as many slashes as there are, which a URL parser takes
/// for two, backslashes too; else behind two slashes wherever they stand.
fn authority(base: &str) -> Option<usize> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let scheme = base.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
    let scheme = scheme.map_or(0, |(scheme, _)| scheme.len() + 1);
    let slashes = base.as_bytes()[scheme..].iter().take_while(|byte| is_slash(byte)).count();
    if slashes > usize::from(scheme == 0) {
        return Some(scheme + slashes);
    }
    base.find("//").map(|slashes| slashes + 2)
}

/// What follows the credentials. If the authority is none without them, a slash or question mark
/// in the password may have cut it short: then everything up to the last `@` goes.
fn without_credentials(rest: &str) -> &str {
    let authority = rest.find(['/', '\\']).unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    let is_host = rest[host..authority]
        .rsplit_once(':')
        .is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let start = if is_host { host } else { rest.rfind('@').map_or(0, |at| at + 1).max(host) };
    &rest[start..]
}

#[cfg(test)]
mod tests {
    use super::redact_url;

    #[test]
    fn no_canary_survives_wherever_it_stands() {
        for url in [
            "http://canary@host/p",
            "http://user:canary@host/p",
            "http://a@b:canary@host/p",
            "http://user:CAN/canary@host/p?canary",
            "http://a@b:canary/x@host/p",
            "user:canary@host:1/x",
            "http://host/p?canary=",
            "http://host/p?canary==&a=1",
            "http://host/p?canary",
            "http://host/p?k=canary",
            "http://host/p?k=v=canary&x=canary",
            "http://host/p#canary",
            "http://host/p?a#canary?canary",
            "//user:canary@host",
            "/\\user:canary@host",
            "http:/user:canary@host/p",
            "http:///user:canary@host/p",
            "http:\\\\user:canary@host/p",
            "http:/\\user:canary@host/p",
            "ftp:/user:canary@host/p",
            "http:user:canary@host/p",
            "/p?k=canary",
        ] {
            let redacted = redact_url(url);
            assert!(!redacted.contains("canary"), "{url} -> {redacted}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        assert_eq!(
            redact_url("http://[::1]:8000/v1/x?level=2"),
            "http://[::1]:8000/v1/x?level=***"
        );
        assert_eq!(redact_url("/pause"), "/pause");
        assert_eq!(redact_url(""), "");
        assert_eq!(redact_url("http://h/?&&"), "http://h/?&&");
    }
}
