//! The tolerant reader of text lines.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{
    clock::{Micros, Timestamp},
    parsed::{Parsed, ParsedValue, Skipped, is_tag, is_trace_id},
    schema::{FieldId, Unit},
};

/// Reads one text line.
///
/// Whatever stands in front of the first `[tag]` that begins a record is ignored, ANSI colours and
/// a trailing CR, and Ray's ` [repeated 3x across cluster]` too; a quote behind a value ends the record. Bytes that are not
/// UTF-8 become U+FFFD. Values are percent-decoded.
///
/// # Errors
///
/// [`Skipped`] says why the line is not an event. No input panics.
///
/// ```
/// use firstbyte_core::{Micros, text};
///
/// let line = b"(APIServer pid=7) INFO [weights][ab12] client.done wall_ms=447.9 rpc_ms=437.5 queue_ms=10.3\r\n";
/// let parsed = text::parse(line)?;
/// assert_eq!(parsed.trace_id.as_deref(), Some("ab12"));
/// assert_eq!(parsed.micros("queue_ms"), Some(Micros(10_300)));
/// # Ok::<(), firstbyte_core::Skipped>(())
/// ```
pub fn parse(line: &[u8]) -> Result<Parsed<'_>, Skipped> {
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(line) if !line.contains('\x1b') => parse_str(line),
        line => parse_str(&without_ansi(&line)).map(into_owned),
    }
}

fn parse_str(line: &str) -> Result<Parsed<'_>, Skipped> {
    let line = without_repetitions(line.trim());
    if line.is_empty() {
        return Err(Skipped::Empty);
    }
    let mut from = 0;
    while let Some(open) = line[from..].find('[') {
        let start = from + open + 1;
        match parse_record(&line[start..]) {
            Ok(parsed) => return Ok(parsed),
            Err(none_before) => from = start + none_before,
        }
    }
    Err(Skipped::NoRecord)
}

/// What Ray puts behind a line that it shows in the place of several alike, after the number of them; the first time it says
/// how to switch that off.
const MARK: &str = "x across cluster] (Ray deduplicates logs by default.";

/// The line without Ray's mark, or without what is there of it, if the line is torn. The others are not there, so that
/// nothing is known of them.
fn without_repetitions(line: &str) -> &str {
    let Some((line_itself, mark)) = line.rsplit_once(" [") else { return line };
    let is_mark = "repeated".starts_with(mark)
        || mark.strip_prefix("repeated ").is_some_and(|mark| {
            let rest = mark.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.len() < mark.len() && (MARK.starts_with(rest) || rest.starts_with(MARK))
        });
    if is_mark { line_itself.trim_end() } else { line }
}

/// Reads a record that begins after its first `[`. The error is where the next one can begin at the earliest: a word
/// that is wrong here is wrong for every record that begins before the word in front of it, and so a line of any
/// length is gone through once.
fn parse_record(text: &str) -> Result<Parsed<'_>, usize> {
    let (tag, behind_tag) = bracketed(text)?;
    let mut at = behind_tag;
    if !is_tag(tag) {
        return Err(at);
    }
    let mut parsed = Parsed::new(Cow::Borrowed(tag));
    if let Some(after) = text[at..].strip_prefix('[') {
        let (id, length) = bracketed(after).map_err(|_| behind_tag)?;
        if !is_trace_id(id) {
            return Err(behind_tag);
        }
        parsed.trace_id = Some(Cow::Borrowed(id));
        at += 1 + length;
    }
    if !text[at..].starts_with(' ') {
        return Err(behind_tag);
    }
    let mut before = at;
    let mut is_first = true;
    while let Some((start, word)) = next_word(text, at) {
        let (word, is_last) = without_quote(word);
        if !parsed.take_word(word, is_first) {
            return Err(before);
        }
        if is_last {
            return Ok(parsed);
        }
        (before, at, is_first) = (start, start + word.len(), false);
    }
    if is_first { Err(before) } else { Ok(parsed) }
}

/// What is in brackets of which the first one is gone, and the place behind the second one.
fn bracketed(text: &str) -> Result<(&str, usize), usize> {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = text.bytes().take_while(is_inside).count();
    match text.as_bytes().get(length) {
        Some(b']') => Ok((&text[..length], length + 1)),
        _ => Err(0),
    }
}

/// The next word from here on, and where it begins.
fn next_word(text: &str, at: usize) -> Option<(usize, &str)> {
    let start = at + text[at..].bytes().position(|byte| byte != b' ')?;
    let length = text[start..].find(' ').unwrap_or(text.len() - start);
    Some((start, &text[start..start + length]))
}

/// A field without the quote behind its value and an escaped line feed in front of that, and whether there is one. Then the
/// record was quoted as a whole, as logfmt and a `repr` of Python do: no value has a quote in it. One that a value begins
/// with is of somebody who quotes values.
fn without_quote(word: &str) -> (&str, bool) {
    let value = word.find('=').map_or(word.len(), |equals| equals + 1);
    match word[value..].find(['"', '\'', '`']) {
        None | Some(0) => (word, false),
        Some(length) => {
            let escape = '\\';
            let field = word[..value + length].trim_end_matches(escape);
            let whole = field.strip_suffix("\\n").map(|field| field.trim_end_matches(escape));
            (whole.unwrap_or(field), true)
        }
    }
}

fn is_key(key: &str) -> bool {
    is_tag(key) && key.starts_with(|c: char| c.is_ascii_lowercase())
}

impl<'a> Parsed<'a> {
    /// Takes a word of a record: its name, or a field. Whether it is one.
    fn take_word(&mut self, word: &'a str, is_first: bool) -> bool {
        match word.split_once('=') {
            Some((key, value)) => {
                let is_field = is_key(key);
                if is_field {
                    self.push(key, value);
                }
                is_field
            }
            None => {
                self.name = Some(Cow::Borrowed(word));
                is_first && word.split('.').all(is_tag)
            }
        }
    }

    fn push(&mut self, key: &'a str, value: &'a str) {
        let unit = FieldId::from_key(key).map(|field| field.info().unit);
        if unit == Some(Unit::Moment)
            && let Some(nanos) = parse_fixed(value, 9)
        {
            self.at = Some(Timestamp::from_nanos(nanos));
            return;
        }
        let known = match unit {
            Some(Unit::Millis) => parse_fixed(value, 3).map(|n| ParsedValue::Millis(Micros(n))),
            Some(Unit::Count) => value.parse().ok().map(ParsedValue::Count),
            Some(Unit::Real) => parse_real(value).map(ParsedValue::Real),
            Some(Unit::Unix) => parse_fixed(value, 9).map(ParsedValue::Unix),
            Some(Unit::Moment | Unit::Text) | None => None,
        };
        let value = known.unwrap_or_else(|| ParsedValue::Text(decode(value)));
        self.fields.push((Cow::Borrowed(key), value));
    }
}

/// The text that a value stands for: what was percent-encoded is decoded.
#[must_use]
pub fn decode(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8_lossy()
}

/// Reads a plain decimal as an integer of 10^-`digits`; further digits are cut.
///
/// `None` for anything else: a sign, an exponent, `NaN`, or more than a `u64` holds.
fn parse_fixed(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.bytes().chain(std::iter::repeat(b'0')).take(digits);
    whole
        .bytes()
        .chain(fraction)
        .try_fold(0_u64, |n, digit| n.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

fn parse_real(text: &str) -> Option<f64> {
    text.parse().ok().filter(|real: &f64| real.is_finite())
}

/// Removes ANSI control sequences: ESC `[` parameters, then one final byte from `@` to `~`.
fn without_ansi(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            plain.push(c);
        } else if chars.as_str().starts_with('[') {
            chars.next();
            chars.by_ref().find(|c| ('@'..='~').contains(c));
        }
    }
    plain
}

pub(crate) fn into_owned(parsed: Parsed<'_>) -> Parsed<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Parsed {
        tag: own(parsed.tag),
        trace_id: parsed.trace_id.map(own),
        name: parsed.name.map(own),
        at: parsed.at,
        unix_nanos: parsed.unix_nanos,
        pid: parsed.pid,
        boot: parsed.boot.map(own),
        seq: parsed.seq,
        fields: parsed
            .fields
            .into_iter()
            .map(|(key, value)| {
                (
                    own(key),
                    match value {
                        ParsedValue::Millis(n) => ParsedValue::Millis(n),
                        ParsedValue::Count(n) => ParsedValue::Count(n),
                        ParsedValue::Real(n) => ParsedValue::Real(n),
                        ParsedValue::Unix(n) => ParsedValue::Unix(n),
                        ParsedValue::Text(text) => ParsedValue::Text(own(text)),
                    },
                )
            })
            .collect(),
    }
}
