//! What a reader gets from one line, text or JSON.

use std::{borrow::Cow, fmt};

use crate::{
    clock::{Micros, Timestamp},
    schema::{FieldId, Record, Unit},
};

/// One line of a log, understood as far as possible.
///
/// Unknown tags, names and fields are kept: a newer writer must not break an older reader.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parsed<'a> {
    /// The first word in brackets.
    pub tag: Cow<'a, str>,
    /// The second word in brackets: 1-64 of `[A-Za-z0-9_-]`.
    pub trace_id: Option<Cow<'a, str>>,
    /// The name, where the record has one.
    pub name: Option<Cow<'a, str>>,
    /// The moment: `t=` or `t_ns`.
    pub at: Option<Timestamp>,
    /// Wall clock in nanoseconds since the epoch: `unix_ns` of a JSON line.
    pub unix_nanos: Option<u64>,
    /// Process id of a JSON line.
    pub pid: Option<u64>,
    /// Boot id of a JSON line.
    pub boot: Option<Cow<'a, str>>,
    /// Sequence number of a JSON line.
    pub seq: Option<u64>,
    /// The fields in the order of the line, under their text keys.
    pub fields: Vec<(Cow<'a, str>, ParsedValue<'a>)>,
}

/// A value of a [`Parsed`] line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ParsedValue<'a> {
    /// A duration of a field that the schema knows as one.
    Millis(Micros),
    /// An integer.
    Count(i64),
    /// A real number.
    Real(f64),
    /// Nanoseconds since the Unix epoch.
    Unix(u64),
    /// Text, a value of an unknown field, or one that does not fit its field's unit (such as `NaN`).
    Text(Cow<'a, str>),
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(tag: Cow<'a, str>) -> Self {
        Self {
            tag,
            trace_id: None,
            name: None,
            at: None,
            unix_nanos: None,
            pid: None,
            boot: None,
            seq: None,
            fields: Vec::new(),
        }
    }

    /// The row of the schema that it fills in, if there is one.
    #[must_use]
    pub fn record(&self) -> Option<&'static Record> {
        Record::find(&self.tag, self.name.as_deref())
    }

    /// The value of the field with this text key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&ParsedValue<'a>> {
        self.fields.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// A duration, if the field is there and is one.
    #[must_use]
    pub fn micros(&self, key: &str) -> Option<Micros> {
        match self.get(key)? {
            ParsedValue::Millis(micros) => Some(*micros),
            _ => None,
        }
    }

    /// An integer, if the field is there and is one.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            ParsedValue::Count(count) => Some(*count),
            _ => None,
        }
    }

    /// Text, if the field is there and holds one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            ParsedValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Fields whose value does not fit the unit that the schema gives them.
    pub fn misfits(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|(key, value)| {
            let unit = FieldId::from_key(key)?.info().unit;
            (unit != Unit::Text && matches!(value, ParsedValue::Text(_))).then_some(key.as_ref())
        })
    }
}

/// Why a line is not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Skipped {
    /// The line is empty, or white space.
    Empty,
    /// No `[tag]` that is followed by a record, and no JSON object.
    NoRecord,
    /// A JSON object that is not one of ours, or is torn.
    BadJson,
    /// A JSON object of another version of the schema: its values may mean something else.
    OtherVersion,
}

impl Skipped {
    /// The reason as a word for counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoRecord => "no_record",
            Self::BadJson => "bad_json",
            Self::OtherVersion => "other_version",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Skipped {}

/// Whether `text` may stand between the second brackets of a line.
pub(crate) fn is_trace_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whether `text` may stand between the first brackets of a line.
pub(crate) fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
