//! Lines as firstbyte writes them, read in one pass over their bytes.
//!
//! Reads only what it reads exactly as the tolerant reader would; everything else is left to that one.

use std::sync::LazyLock;

use firstbyte_core::{
    Tag, Timestamp,
    schema::{RECORDS, Record, Unit},
};

use super::{Entry, Id, Kind, Word, hexadecimal};

/// So many bytes are compared at once.
const WINDOW: usize = 16;

/// Reads a line that begins with the bracket of its record and holds nothing unusual. `bytes` goes on after
/// the line; the result is the length of the line, with its line feed.
#[inline]
pub(crate) fn quick<'a>(bytes: &'a [u8], entry: &mut Entry<'a>) -> Option<usize> {
    fields(bytes, &head(bytes)?, entry)
}

/// What a line says before its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    known: &'static KnownRecord,
    is_admin: bool,
    id: Option<u64>,
    /// Where the fields begin, with the space in front of them.
    length: u32,
}

/// Reads the fields behind a head, and their line as [`quick`] does.
#[inline]
pub(crate) fn fields<'a>(bytes: &'a [u8], head: &Head, entry: &mut Entry<'a>) -> Option<usize> {
    let known = head.known;
    let mut at = head.length as usize;
    entry.record = known.record;
    entry.kind = known.kind;
    entry.is_admin = head.is_admin;
    entry.id = head.id.map(Id::Usual);
    entry.at = None;
    entry.boot = None;
    entry.misfits = 0;
    entry.known = 0;
    let mut words = 0;
    let mut keys = known.keys.iter();
    loop {
        match *bytes.get(at)? {
            b' ' => at += 1,
            _ => return end(bytes, at),
        }
        let window = window(bytes, at)?;
        // Some are left out.
        let key = keys.find(|key| key.prefix.is_at(window, &bytes[at..]))?;
        at += key.prefix.length;
        let (value, next) = match key.unit {
            Unit::Moment => {
                let (nanos, next) = decimal(bytes, at, 9)?;
                entry.at = Some(Timestamp::from_nanos(nanos));
                at = next;
                continue;
            }
            Unit::Millis => decimal(bytes, at, 3)?,
            Unit::Unix => decimal(bytes, at, 9)?,
            Unit::Count => number(bytes, at, |text| text.parse().ok().map(i64::cast_unsigned))?,
            Unit::Real => number(bytes, at, |text| {
                text.parse().ok().filter(|real: &f64| real.is_finite()).map(f64::to_bits)
            })?,
            Unit::Text => {
                let (word, next) = word(bytes, at)?;
                entry.words[words] = word;
                words += 1;
                (words as u64 - 1, next)
            }
            _ => return None,
        };
        entry.values[key.place] = value;
        entry.known |= 1 << key.place;
        at = next;
    }
}

/// The place after an escape sequence that begins here, in the same line.
pub(super) fn after_escape(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) != Some(&b'[') {
        return at + 1;
    }
    let parameters = bytes[at + 2..].iter().take_while(|byte| !matches!(byte, b'@'..=b'~' | b'\n'));
    let last = at + 2 + parameters.count();
    last + usize::from(bytes.get(last).is_some_and(|byte| *byte != b'\n'))
}

/// The length of a line whose last value ends here, if nothing but colours and a CR follow.
#[inline]
fn end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while bytes.get(at) == Some(&0x1b) {
        at = after_escape(bytes, at);
    }
    at += usize::from(bytes.get(at) == Some(&b'\r'));
    (bytes.get(at) == Some(&b'\n')).then_some(at + 1)
}

/// A tag in its brackets, and its records.
struct Known {
    tag: Prefix,
    is_admin: bool,
    records: Vec<KnownRecord>,
}

/// A record, with its fields as they begin in a line.
#[derive(Debug)]
struct KnownRecord {
    record: &'static Record,
    kind: Kind,
    name: Prefix,
    keys: Vec<Key>,
}

/// `key=` of a field.
#[derive(Debug)]
struct Key {
    prefix: Prefix,
    unit: Unit,
    /// In the record.
    place: usize,
}

/// Bytes that are compared at once.
#[derive(Debug)]
pub(super) struct Prefix {
    first: u128,
    mask: u128,
    /// What is beyond the window.
    rest: Vec<u8>,
    pub(super) length: usize,
}

impl Prefix {
    pub(super) fn new(text: &[u8]) -> Self {
        let (mut first, mut mask) = ([0; WINDOW], [0; WINDOW]);
        for (n, byte) in text.iter().take(WINDOW).enumerate() {
            (first[n], mask[n]) = (*byte, u8::MAX);
        }
        Self {
            first: u128::from_le_bytes(first),
            mask: u128::from_le_bytes(mask),
            rest: text.get(WINDOW..).unwrap_or_default().to_vec(),
            length: text.len(),
        }
    }

    /// Whether `bytes` begin with it; `window` is their beginning.
    #[inline]
    pub(super) fn is_at(&self, window: u128, bytes: &[u8]) -> bool {
        window & self.mask == self.first
            && (self.rest.is_empty() || bytes[WINDOW..].starts_with(&self.rest))
    }
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = |(tag, records_of): (Tag, Tag)| Known {
        tag: Prefix::new(format!("[{}]", tag.as_str()).as_bytes()),
        is_admin: tag == Tag::Admin,
        records: RECORDS
            .iter()
            .filter(|record| record.tag == records_of)
            .map(|record| KnownRecord::new(record))
            .collect(),
    };
    // Admin calls have the records of weight updates.
    let mut tags = vec![(Tag::Weights, Tag::Weights), (Tag::Admin, Tag::Weights)];
    for record in RECORDS {
        if !tags.contains(&(record.tag, record.tag)) {
            tags.push((record.tag, record.tag));
        }
    }
    tags.into_iter().map(known).collect()
});

impl KnownRecord {
    fn new(record: &'static Record) -> Self {
        let keys = (0..).zip(record.fields).map(|(place, field)| Key {
            prefix: Prefix::new(format!("{}=", field.info().key).as_bytes()),
            unit: field.info().unit,
            place,
        });
        Self {
            record,
            kind: Kind::of(record),
            name: Prefix::new(record.name.unwrap_or_default().as_bytes()),
            keys: keys.collect(),
        }
    }
}

/// The head of the record that begins here, if it is one that firstbyte writes.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let tag = window(bytes, 0)?;
    let known = KNOWN.iter().find(|known| known.tag.is_at(tag, bytes))?;
    let mut at = known.tag.length;
    let mut id = None;
    if bytes.get(at) == Some(&b'[') {
        id = Some(hexadecimal(bytes.get(at + 1..at + 17)?)?);
        if bytes.get(at + 17) != Some(&b']') {
            return None;
        }
        at += 18;
    }
    if bytes.get(at) != Some(&b' ') {
        return None;
    }
    at += 1;
    let name = window(bytes, at)?;
    // A name is a whole word; a record without one begins with its fields.
    let is_here = |known: &&KnownRecord| {
        let length = known.name.length;
        known.name.is_at(name, &bytes[at..]) && (length == 0 || is_end(bytes, at + length))
    };
    let record = known.records.iter().find(is_here)?;
    let length = record.name.length;
    let length = if length == 0 { at - 1 } else { at + length };
    Some(Head { known: record, is_admin: known.is_admin, id, length: length as u32 })
}

#[inline]
pub(super) fn window(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A plain decimal as an integer of 10^-`digits`, and the place after it; further digits are cut.
#[inline]
fn decimal(bytes: &[u8], at: usize, digits: usize) -> Option<(u64, usize)> {
    let (whole, mut end) = integer(bytes, at);
    // 18 digits fit; more are left to the tolerant reader.
    if end == at || end - at > 18 {
        return None;
    }
    let mut number = whole.checked_mul(POWERS[digits])?;
    if bytes.get(end) == Some(&b'.') {
        let (fraction, after) = integer(bytes, end + 1);
        let count = after - end - 1;
        if count > 18 {
            return None;
        }
        let fraction = match count <= digits {
            true => fraction * POWERS[digits - count],
            false => fraction / POWERS[count - digits],
        };
        number = number.checked_add(fraction)?;
        end = after;
    }
    is_end(bytes, end).then_some((number, end))
}

/// The digits here as a number, which is right for up to 19 of them, and the place after them.
#[inline]
pub(super) fn integer(bytes: &[u8], at: usize) -> (u64, usize) {
    let mut number = 0_u64;
    let mut end = at;
    while let Some(digit) = bytes.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        end += 1;
    }
    (number, end)
}

const POWERS: [u64; 19] = {
    let mut powers = [1; 19];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Whether a byte can be of a value: looked up, as all of them are asked.
const IS_OF_A_WORD: [bool; 256] = {
    let (mut is_of_a_word, mut byte) = ([false; 256], 0_u8);
    while byte < 0x7f {
        is_of_a_word[byte as usize] =
            byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`');
        byte += 1;
    }
    is_of_a_word
};

/// Whether a value can end here.
#[inline]
fn is_end(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | 0x1b))
}

fn number(
    bytes: &[u8],
    at: usize,
    parse: impl FnOnce(&str) -> Option<u64>,
) -> Option<(u64, usize)> {
    let (word, end) = word(bytes, at)?;
    Some((parse(std::str::from_utf8(word.bytes).ok()?)?, end))
}

/// The graphic ASCII characters here that are no quotes, and the place after them.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<(Word<'_>, usize)> {
    let mut is_encoded = false;
    let rest = &bytes[at..];
    let length = rest.iter().position(|byte| {
        is_encoded |= *byte == b'%';
        !IS_OF_A_WORD[*byte as usize]
    })?;
    let word = Word { bytes: &rest[..length], is_encoded };
    is_end(bytes, at + length).then_some((word, at + length))
}
