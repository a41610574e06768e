//! Lines as firstbyte writes them, read in one pass over their bytes.
//!
//! Reads only what it reads exactly as the tolerant reader would; everything else is left to that one.

use std::sync::LazyLock;

use firstbyte_core::{
    Micros, Tag, Timestamp,
    schema::{FieldId, RECORDS, Record, Unit},
};

use super::{Entry, Value};

/// Reads a line that begins with the bracket of its record, and holds nothing unusual.
#[inline]
pub(crate) fn quick(line: &[u8]) -> Option<Entry<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (tag, mut rest) = until(line.strip_prefix(b"[")?, b']')?;
    let mut id = None;
    if rest.first() == Some(&b'[') {
        let text = rest.get(1..17)?;
        if rest.get(17) != Some(&b']')
            || !text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        id = std::str::from_utf8(text).ok();
        rest = &rest[18..];
    }
    let rest = rest.strip_prefix(b" ")?;
    let name = rest.iter().position(|byte| matches!(byte, b' ' | b'=')).unwrap_or(rest.len());
    let is_named = rest.get(name) != Some(&b'=');
    if name == 0 {
        return None;
    }
    let known = find(tag, if is_named { &rest[..name] } else { b"" })?;
    let mut entry = Entry::new(known.record);
    entry.is_admin = tag == Tag::Admin.as_str().as_bytes();
    entry.id = id;
    let fields = if is_named { rest.get(name + 1..).unwrap_or_default() } else { rest };
    read_fields(&mut entry, known, fields).then_some(entry)
}

/// Whether the line can hold a record at all: `[`, a tag, `]`, somewhere; or it is JSON, or has colours.
pub(crate) fn may_hold_record(line: &[u8]) -> bool {
    if line.trim_ascii_start().first() == Some(&b'{') {
        return true;
    }
    let mut rest = line;
    while let Some(found) = memchr::memchr2(b'[', 0x1b, rest) {
        if rest[found] == 0x1b {
            return true;
        }
        rest = &rest[found + 1..];
        let is_in_tag = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let tag = rest.iter().take_while(is_in_tag).count();
        if tag > 0 && rest.get(tag) == Some(&b']') {
            return true;
        }
    }
    false
}

/// What is before a byte, and what is after it.
fn until(bytes: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == end)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// A record, with its fields as they begin in a line.
struct Known {
    record: &'static Record,
    fields: Vec<(&'static [u8], Unit, FieldId)>,
}

/// Whether all of them are fields, in the order of the schema, and nothing else.
fn read_fields<'a>(entry: &mut Entry<'a>, known: &Known, mut rest: &'a [u8]) -> bool {
    let mut fields = known.fields.iter();
    while !rest.is_empty() {
        // Some are left out.
        let field = fields.find_map(|(key, unit, field)| {
            let value = rest.strip_prefix(*key)?.strip_prefix(b"=")?;
            Some((value, *unit, *field))
        });
        let Some((value, unit, field)) = field else { return false };
        let read = match unit {
            Unit::Moment => decimal(value, 9).map(|(nanos, rest)| {
                entry.at = Some(Timestamp::from_nanos(nanos));
                (None, rest)
            }),
            Unit::Millis => {
                decimal(value, 3).map(|(micros, rest)| (Some(Value::Millis(Micros(micros))), rest))
            }
            Unit::Unix => decimal(value, 9).map(|(nanos, rest)| (Some(Value::Unix(nanos)), rest)),
            Unit::Count => number(value, |text| text.parse().ok().map(Value::Count)),
            Unit::Real => number(value, |text| {
                text.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real)
            }),
            Unit::Text => word(value),
            _ => None,
        };
        let Some((value, after)) = read else { return false };
        entry.values.extend(value.map(|value| (field, value)));
        rest = after;
    }
    true
}

/// What a value is, if it is one that stands for itself, and what follows it.
type Read<'a> = Option<(Option<Value<'a>>, &'a [u8])>;

/// A plain decimal as an integer of 10^-`digits`, up to a space or the end; further digits are cut.
#[inline]
fn decimal(text: &[u8], digits: u32) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    let mut place = 0;
    while let Some(digit) = text.get(place).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10)
    {
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        place += 1;
    }
    if place == 0 {
        return None;
    }
    let mut missing = digits;
    if text.get(place) == Some(&b'.') {
        place += 1;
        while let Some(digit) =
            text.get(place).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10)
        {
            if missing > 0 {
                number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
                missing -= 1;
            }
            place += 1;
        }
    }
    let number = number.checked_mul(10_u64.pow(missing))?;
    match text.get(place) {
        None => Some((number, &[])),
        Some(b' ') => Some((number, &text[place + 1..])),
        Some(_) => None,
    }
}

fn number<'a>(text: &'a [u8], parse: impl FnOnce(&'a str) -> Option<Value<'a>>) -> Read<'a> {
    let (text, rest) = until(text, b' ').unwrap_or((text, &[]));
    let value = parse(std::str::from_utf8(text).ok()?)?;
    Some((Some(value), rest))
}

fn word(text: &[u8]) -> Read<'_> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (word, rest) = (&text[..end], text.get(end + 1..).unwrap_or_default());
    if !word.iter().fold(true, |plain, byte| plain & byte.is_ascii_graphic()) {
        return None;
    }
    let is_encoded = word.iter().fold(false, |found, byte| found | (*byte == b'%'));
    let word = std::str::from_utf8(word).ok()?;
    Some((Some(if is_encoded { Value::Encoded(word) } else { Value::Plain(word) }), rest))
}

/// The record of a tag and a name.
#[inline]
fn find(tag: &[u8], name: &[u8]) -> Option<&'static Known> {
    let tag =
        if tag == Tag::Admin.as_str().as_bytes() { Tag::Weights.as_str().as_bytes() } else { tag };
    PLACES[place(tag, name)].iter().find(|known| {
        known.record.name.unwrap_or_default().as_bytes() == name
            && known.record.tag.as_str().as_bytes() == tag
    })
}

/// The records, by something that few of them share.
static PLACES: LazyLock<[Vec<Known>; 64]> = LazyLock::new(|| {
    let mut places = [const { Vec::new() }; 64];
    for record in RECORDS {
        let fields = record.fields.iter().map(|field| {
            let info = field.info();
            (info.key.as_bytes(), info.unit, *field)
        });
        let name = record.name.unwrap_or_default();
        let place = place(record.tag.as_str().as_bytes(), name.as_bytes());
        places[place].push(Known { record, fields: fields.collect() });
    }
    places
});

fn place(tag: &[u8], name: &[u8]) -> usize {
    let letter = |at: Option<&u8>| at.map_or(0, |byte| usize::from(*byte));
    let ends = 7 * letter(name.first()) + 11 * letter(name.last());
    (letter(tag.first()) + 3 * name.len() + ends) % 64
}
