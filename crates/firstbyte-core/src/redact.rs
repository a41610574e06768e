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
    if !url.bytes().any(|byte| matches!(byte, b'#' | b'?' | b'@')) {
        return url.to_owned();
    }
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (base, query) =
        url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let mut redacted = String::with_capacity(url.len());
    match base.find("//") {
        Some(slashes) => {
            let (scheme, rest) = base.split_at(slashes + 2);
            let authority = rest.find(['/', '\\']).unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            redacted.push_str(scheme);
            redacted.push_str(&rest[host..]);
        }
        None => redacted.push_str(base),
    }
    if let Some(query) = query {
        for (i, pair) in query.split('&').enumerate() {
            redacted.push(if i == 0 { '?' } else { '&' });
            // A pair without `=` may itself be a token.
            match pair.split_once('=') {
                Some((key, _)) => redacted.push_str(key),
                None if pair.is_empty() => continue,
                None => {}
            }
            redacted.push_str(if pair.contains('=') { "=***" } else { "***" });
        }
    }
    redacted
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
            "http://user:can/ary@host/p?canary",
            "http://host/p?canary",
            "http://host/p?k=canary",
            "http://host/p?k=v=canary&x=canary",
            "http://host/p#canary",
            "http://host/p?a#canary?canary",
            "//user:canary@host",
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
