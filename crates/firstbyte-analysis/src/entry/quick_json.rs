//! JSON lines as firstbyte writes them, read in one pass over their bytes.
//!
//! As for text lines: what is read, is read exactly as the tolerant reader would.

use std::sync::LazyLock;

use firstbyte_core::{
    Tag, Timestamp,
    schema::{RECORDS, Record, Unit},
};

use super::{
    Entry, Id, Kind, Word, hexadecimal,
    quick::{Prefix, integer, window},
};

/// Reads a JSON line that holds nothing unusual. `bytes` goes on after the line.
pub(crate) fn quick_json<'a>(bytes: &'a [u8], entry: &mut Entry<'a>) -> Option<()> {
    let mut line = Line { bytes, at: 0 };
    line.skip(br#"{"v":1"#)?;
    if line.skip(br#","seq":"#).is_some() {
        line.unsigned()?;
    }
    line.skip(br#","pid":"#)?;
    line.unsigned()?;
    entry.boot = None;
    if line.skip(br#","boot":""#).is_some() {
        entry.boot = Some(std::str::from_utf8(line.string()?).ok()?);
    }
    line.skip(br#","tag":""#)?;
    let tag = line.string()?;
    entry.id = None;
    if line.skip(br#","tid":""#).is_some() {
        entry.id = Some(Id::Usual(hexadecimal(line.string()?)?));
    }
    line.skip(br#","name":""#)?;
    let name = line.string()?;
    entry.is_admin = tag == Tag::Admin.as_str().as_bytes();
    let tag = if entry.is_admin { Tag::Weights.as_str().as_bytes() } else { tag };
    let known = KNOWN.iter().find(|known| known.name == name && known.tag == tag)?;
    entry.record = known.record;
    entry.kind = known.kind;
    line.skip(br#","t_ns":"#)?;
    entry.at = Some(Timestamp::from_nanos(line.unsigned()?));
    line.skip(br#","unix_ns":"#)?;
    line.unsigned()?;
    entry.misfits = 0;
    entry.known = 0;
    let mut words = 0;
    let mut keys = known.keys.iter();
    while line.skip(b"}").is_none() {
        let window = window(bytes, line.at)?;
        // Some are left out.
        let key = keys.find(|key| key.prefix.is_at(window, &bytes[line.at..]))?;
        line.at += key.prefix.length;
        entry.values[key.place] = match key.unit {
            Unit::Millis => line.unsigned()?,
            Unit::Count => line.signed()?.cast_unsigned(),
            Unit::Text => {
                line.skip(b"\"")?;
                entry.words[words] = Word { bytes: line.string()?, is_encoded: false };
                words += 1;
                words as u64 - 1
            }
            _ => return None,
        };
        entry.known |= 1 << key.place;
    }
    _ = line.skip(b"\r");
    line.skip(b"\n")
}

struct Line<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Line<'a> {
    #[inline]
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        let is_here = self.bytes[self.at..].starts_with(text);
        self.at += if is_here { text.len() } else { 0 };
        is_here.then_some(())
    }

    /// An integer as JSON has it: without a needless 0 in front; more than 18 digits are left to the other reader.
    #[inline]
    fn unsigned(&mut self) -> Option<u64> {
        let (number, end) = integer(self.bytes, self.at);
        let digits = end - self.at;
        let is_usual = (1..=18).contains(&digits) && (digits == 1 || self.bytes[self.at] != b'0');
        let is_whole = matches!(self.bytes.get(end), Some(b',' | b'}'));
        self.at = end;
        // 19 digits are nanoseconds since the epoch, which nobody asks for here.
        let is_time = digits == 19 && number < i64::MAX as u64 && self.bytes[end - digits] == b'1';
        ((is_usual || is_time) && is_whole).then_some(number)
    }

    fn signed(&mut self) -> Option<i64> {
        let is_negative = self.skip(b"-").is_some();
        let number = self.unsigned()?.cast_signed();
        // The other reader takes -0 for a real number.
        (!is_negative || number != 0).then_some(if is_negative { -number } else { number })
    }

    /// What is up to the closing quote, if nothing in it is escaped.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let is_end = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
        let length = rest.iter().position(is_end)?;
        self.at += length + 1;
        (rest[length] == b'"').then_some(&rest[..length])
    }
}

/// A record, with its members as they begin in a line.
struct Known {
    record: &'static Record,
    kind: Kind,
    tag: &'static [u8],
    name: &'static [u8],
    keys: Vec<Key>,
}

/// `,"key":` of a field.
struct Key {
    prefix: Prefix,
    unit: Unit,
    /// In the record.
    place: usize,
}

/// All records but those whose members are of every line.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = |record: &&'static Record| {
        let keys = (0..).zip(record.fields).map(|(place, field)| Key {
            prefix: Prefix::new(format!(",\"{}\":", field.info().json_key).as_bytes()),
            unit: field.info().unit,
            place,
        });
        Known {
            record,
            kind: Kind::of(record),
            tag: record.tag.as_str().as_bytes(),
            name: record.name.unwrap_or_default().as_bytes(),
            keys: keys.collect(),
        }
    };
    let all = RECORDS.iter().filter(|record| record.tag != Tag::Firstbyte);
    all.map(known).collect()
});
