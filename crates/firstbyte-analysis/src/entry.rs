//! One line of the schema, as the reader works with it: no allocation for what firstbyte usually writes.

mod candidates;
mod quick;
mod quick_json;
mod record;

use std::{borrow::Cow, fmt, ops::Range};

use firstbyte_core::{
    Micros, Parsed, ParsedValue, Skipped, Tag, Timestamp, field, json,
    schema::{Count, Field, FieldId, MAX_FIELDS, Millis, RECORDS, Real, Record, Text, Unit, Unix},
    text,
};
use memchr::memmem;

use self::candidates::may_have_line;
pub(crate) use self::{
    candidates::{Candidate, candidates},
    quick::{Head, fields, head, quick},
    quick_json::quick_json,
    record::Kind,
};

/// A line that fills in a record. It is made once and filled in again and again.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) record: &'static Record,
    pub(crate) kind: Kind,
    /// A call outside the weight-update family.
    pub(crate) is_admin: bool,
    pub(crate) id: Option<Id<'a>>,
    pub(crate) at: Option<Timestamp>,
    /// Of a JSON line: the boot of its process, which a text line does not tell.
    pub(crate) boot: Option<&'a str>,
    /// Values that do not fit the unit of their field, `NaN` for one: they are unknown.
    pub(crate) misfits: u32,
    /// A bit for each place of the record that has a value.
    known: u32,
    /// The values by their places: microseconds, nanoseconds, the bits of a number, or the place of a word.
    values: [u64; MAX_FIELDS],
    words: [Word<'a>; MOST_WORDS],
}

/// The id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id<'a> {
    /// 16 lower-case hexadecimal digits, as firstbyte writes them.
    Usual(u64),
    /// Anything else.
    Other(&'a str),
}

impl<'a> Id<'a> {
    fn of(id: &'a str) -> Self {
        hexadecimal(id.as_bytes()).map_or(Self::Other(id), Self::Usual)
    }
}

/// As it stands in the line.
impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual(id) => write!(f, "{id:016x}"),
            Self::Other(id) => f.write_str(id),
        }
    }
}

/// A text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Word<'a> {
    pub(crate) bytes: &'a [u8],
    /// It stands in a text line, percent-encoded.
    is_encoded: bool,
}

impl<'a> Word<'a> {
    /// What it stands for.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) if self.is_encoded => text::decode(text),
            Ok(text) => Cow::Borrowed(text),
            // Words are cut from text at spaces.
            Err(_) => Cow::Borrowed(""),
        }
    }

    /// The bytes, if they stand for themselves.
    pub(crate) fn plain(self) -> Option<&'a [u8]> {
        (!self.is_encoded).then_some(self.bytes)
    }
}

/// More texts than any record has.
const MOST_WORDS: usize = {
    let (mut most, mut r) = (0, 0);
    while r < RECORDS.len() {
        let (mut words, mut f) = (0, 0);
        while f < RECORDS[r].fields.len() {
            words += matches!(RECORDS[r].fields[f].info().unit, Unit::Text) as usize;
            f += 1;
        }
        most = if words > most { words } else { most };
        r += 1;
    }
    most
};

/// What the tolerant reader of the core finds in a line of either form.
pub(crate) fn parse(line: &[u8]) -> Result<Parsed<'_>, Skipped> {
    let Some(place) = object(line) else { return text::parse(line) };
    let (before, behind) = (&line[..place.start], &line[place.end..]);
    let object = &line[place];
    // A brace may also be in front of a record or behind it. Within an object that nobody knows, it would end with a quote.
    let is_outside = || [before, behind].iter().any(|text| text::parse(text).is_ok());
    json::parse(object).or_else(|why| match text::parse(line) {
        Ok(parsed) if !is_json(object) || is_outside() => Ok(parsed),
        _ => Err(why),
    })
}

fn is_json(object: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(object).is_ok()
}

/// How a JSON line of firstbyte begins, whatever stands in front of it.
const JSON: &[u8] = b"{\"v\":";

/// How one of others begins behind what a container runtime has put in front of it.
const OTHER_JSON: &[u8] = b"{\"";

/// Where in a line an object of JSON is: all of it, or one of firstbyte's behind a prefix, or a whole one of others there.
pub(crate) fn object(line: &[u8]) -> Option<Range<usize>> {
    if line.trim_ascii_start().first() == Some(&b'{') {
        return Some(0..line.len());
    }
    let end = memchr::memrchr(b'}', line).map_or(line.len(), |last| last + 1);
    let from = |start| (start <= end).then_some(start..end);
    if let Some(start) = memmem::find(line, JSON) {
        return from(start);
    }
    let place = from(memmem::find(line, OTHER_JSON)?)?;
    (may_have_line(&line[place.clone()]) && is_json(&line[place.clone()])).then_some(place)
}

impl<'a> Entry<'a> {
    pub(crate) fn new() -> Self {
        Self {
            record: RECORDS[0],
            kind: Kind::Beside,
            is_admin: false,
            id: None,
            at: None,
            boot: None,
            misfits: 0,
            known: 0,
            values: [0; MAX_FIELDS],
            words: [Word::default(); MOST_WORDS],
        }
    }

    /// What the tolerant reader found, if the schema has such a record.
    pub(crate) fn of(parsed: &'a Parsed<'_>) -> Option<Self> {
        let mut entry = Self::new();
        entry.record = parsed.record()?;
        entry.kind = Kind::of(entry.record);
        entry.is_admin = parsed.tag == Tag::Admin.as_str();
        entry.id = parsed.trace_id.as_deref().map(Id::of);
        entry.at = parsed.at;
        entry.boot = parsed.boot.as_deref();
        entry.misfits = u32::try_from(parsed.misfits().count()).unwrap_or(u32::MAX);
        // A JSON line has it beside its fields.
        if let (Some(place), Some(nanos)) =
            (entry.record.position(field::UNIX.id()), parsed.unix_nanos)
        {
            entry.values[place] = nanos;
            entry.known |= 1 << place;
        }
        let mut words = 0;
        for (key, value) in &parsed.fields {
            let field = FieldId::from_key(key);
            // The first value that the line gives a field counts.
            let Some(place) = field.and_then(|field| entry.record.position(field)) else {
                continue;
            };
            if entry.known >> place & 1 == 1 {
                continue;
            }
            let is_text = field.is_some_and(|field| field.info().unit == Unit::Text);
            let value = match value {
                ParsedValue::Millis(micros) => micros.0,
                ParsedValue::Count(count) => *count as u64,
                ParsedValue::Real(real) => real.to_bits(),
                ParsedValue::Unix(nanos) => *nanos,
                ParsedValue::Text(text) if is_text => {
                    entry.words[words] = Word { bytes: text.as_bytes(), is_encoded: false };
                    words += 1;
                    words as u64 - 1
                }
                _ => continue,
            };
            entry.values[place] = value;
            entry.known |= 1 << place;
        }
        Some(entry)
    }

    /// Microseconds, nanoseconds, or the bits of a number.
    #[inline]
    pub(crate) fn value(&self, field: FieldId) -> Option<u64> {
        let place = self.record.position(field)?;
        (self.known >> place & 1 == 1).then(|| self.values[place])
    }

    #[inline]
    pub(crate) fn millis(&self, field: Field<Millis>) -> Option<Micros> {
        self.value(field.id()).map(Micros)
    }

    #[inline]
    pub(crate) fn count(&self, field: Field<Count>) -> Option<i64> {
        self.value(field.id()).map(|count| count as i64)
    }

    pub(crate) fn real(&self, field: Field<Real>) -> Option<f64> {
        self.value(field.id()).map(f64::from_bits)
    }

    pub(crate) fn unix(&self, field: Field<Unix>) -> Option<u64> {
        self.value(field.id())
    }

    #[inline]
    pub(crate) fn word(&self, field: Field<Text>) -> Option<Word<'a>> {
        self.value(field.id()).map(|place| self.words[place as usize])
    }

    pub(crate) fn text(&self, field: Field<Text>) -> Option<Cow<'a, str>> {
        self.word(field).map(Word::text)
    }

    #[inline]
    pub(crate) fn is(&self, record: &'static Record) -> bool {
        std::ptr::eq(self.record, record)
    }
}

/// The number that 16 lower-case hexadecimal digits write.
#[inline]
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let digits: &[u8; 16] = digits.try_into().ok()?;
    let mut number = 0;
    let mut bad = 0;
    for digit in digits {
        let value = DIGITS[*digit as usize];
        bad |= value;
        number = number << 4 | u64::from(value);
    }
    (bad < 16).then_some(number)
}

/// The value of a hexadecimal digit; of anything else, one that is none.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut n = 0;
    while n < 16 {
        digits[b"0123456789abcdef"[n as usize] as usize] = n;
        n += 1;
    }
    digits
};

#[cfg(test)]
mod tests;
