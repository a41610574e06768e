//! `x-request-start`: when a proxy in front of the server took the request, by the proxy's wall clock.
//!
//! No standard: nginx is configured to send `t=` and seconds with three decimals, Apache sends `t=` and
//! microseconds, Heroku's router sends milliseconds alone. The units lie a factor of 1,000 apart, so that
//! the magnitude tells them.

use std::time::Duration;

use http::HeaderMap;

use super::X_REQUEST_START;
use crate::clock::{Clock, Micros};

/// A longer wait is a wrong unit or a wrong clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request has been under way since a proxy took it, if its headers say so.
///
/// From the proxy's stamp to now on the wall clock of `clock`: two clocks unless the proxy runs on the same
/// host, and wrong by as much as they differ. `None` if the header is missing, there twice or no time in
/// seconds, milliseconds or microseconds of the last 24 hours; a stamp that lies ahead is unknown, not zero.
///
/// ```
/// use std::time::Duration;
///
/// use firstbyte_core::{Clock, Micros, Timestamp, header};
///
/// let clock = Clock::manual(Timestamp::default(), Duration::from_millis(1_790_000_000_250));
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-request-start", "t=1790000000.000".parse()?);
/// assert_eq!(header::since_request_start(&headers, &clock), Some(Micros(250_000)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn since_request_start(headers: &HeaderMap, clock: &Clock) -> Option<Micros> {
    let mut values = headers.get_all(&X_REQUEST_START).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let start = parse(value.to_str().ok()?)?;
    let now = Duration::from_nanos(clock.unix_nanos());
    now.checked_sub(start).filter(|since| *since <= LONGEST).map(Micros::from)
}

/// Time since the Unix epoch.
fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let number = text.strip_prefix("t=").unwrap_or(text);
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    // Seconds as large as the first bound would be the year 5138, milliseconds 1973.
    let seconds = match number {
        ..1e11 => number,
        ..1e14 => number / 1e3,
        ..1e17 => number / 1e6,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::clock::Timestamp;

    /// 1,790,000,000.25 s after the epoch.
    fn since(values: &[&str]) -> Option<Micros> {
        let now = Duration::from_millis(1_790_000_000_250);
        let headers = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let headers = headers.map(|value| (X_REQUEST_START.clone(), value)).collect();
        since_request_start(&headers, &Clock::manual(Timestamp::default(), now))
    }

    #[test]
    fn the_unit_is_told_by_the_magnitude() {
        for value in [
            "t=1790000000.2",
            "1790000000.2",
            "t=1790000000200",
            "1790000000200",
            "t=1790000000200000",
            " 1790000000200000 ",
        ] {
            let since = since(&[value]).expect(value);
            // A float of this magnitude in seconds has steps of 0.24 us.
            assert!(since.0.abs_diff(50_000) <= 1, "{value}: {since:?}");
        }
        assert_eq!(since(&["t=1790000000.25"]), Some(Micros(0)));
    }

    #[test]
    fn what_is_no_time_of_the_last_day_is_unknown() {
        for value in [
            "",
            "t=",
            "t",
            ".",
            "1.2.3",
            "-1",
            "+1790000000",
            "1e9",
            "inf",
            "NaN",
            "0x6ab",
            "é",
            // Ahead of our clock, before yesterday, nanoseconds, a flood of digits.
            "t=1790000001",
            "t=1789900000",
            "1790000000200000000",
            &"9".repeat(8000),
        ] {
            assert_eq!(since(&[value]), None, "{value}");
        }
        assert_eq!(since(&[]), None);
        assert_eq!(since(&["1790000000", "1790000000"]), None);
    }
}
