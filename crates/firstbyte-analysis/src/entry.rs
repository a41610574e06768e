//! One line of the schema, as the reader works with it: no allocation for what firstbyte usually writes.

mod quick;

use std::borrow::Cow;

use firstbyte_core::{
    Micros, Parsed, ParsedValue, Tag, Timestamp,
    schema::{Count, Field, FieldId, Millis, Real, Record, Text, Unix},
    text,
};
use smallvec::SmallVec;

pub(crate) use self::quick::{may_hold_record, quick};

/// A line that fills in a record.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) record: &'static Record,
    /// A call outside the weight-update family.
    pub(crate) is_admin: bool,
    pub(crate) id: Option<&'a str>,
    pub(crate) at: Option<Timestamp>,
    /// Of a JSON line: the boot of its process, which a text line does not tell.
    pub(crate) boot: Option<&'a str>,
    /// Values that do not fit the unit of their field, `NaN` for one: they are unknown.
    pub(crate) misfits: u32,
    values: SmallVec<[(FieldId, Value<'a>); 8]>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    Millis(Micros),
    Count(i64),
    Real(f64),
    Unix(u64),
    /// As it stands in a text line, percent-encoded.
    Encoded(&'a str),
    Plain(&'a str),
}

impl<'a> Entry<'a> {
    fn new(record: &'static Record) -> Self {
        Self {
            record,
            is_admin: false,
            id: None,
            at: None,
            boot: None,
            misfits: 0,
            values: SmallVec::new(),
        }
    }

    /// What the tolerant reader found, if the schema has such a record.
    pub(crate) fn of(parsed: &'a Parsed<'_>) -> Option<Self> {
        let mut entry = Self::new(parsed.record()?);
        entry.is_admin = parsed.tag == Tag::Admin.as_str();
        entry.id = parsed.trace_id.as_deref();
        entry.at = parsed.at;
        entry.boot = parsed.boot.as_deref();
        entry.misfits = u32::try_from(parsed.misfits().count()).unwrap_or(u32::MAX);
        for (key, value) in &parsed.fields {
            let field = FieldId::from_key(key);
            let Some(field) = field.filter(|field| entry.record.fields.contains(field)) else {
                continue;
            };
            let value = match value {
                ParsedValue::Millis(micros) => Value::Millis(*micros),
                ParsedValue::Count(count) => Value::Count(*count),
                ParsedValue::Real(real) => Value::Real(*real),
                ParsedValue::Unix(nanos) => Value::Unix(*nanos),
                ParsedValue::Text(text) => Value::Plain(text),
                _ => continue,
            };
            entry.values.push((field, value));
        }
        Some(entry)
    }

    /// The first value that the line gives the field.
    #[inline]
    fn value(&self, field: FieldId) -> Option<Value<'a>> {
        self.values.iter().find(|(known, _)| *known == field).map(|(_, value)| *value)
    }

    #[inline]
    pub(crate) fn millis(&self, field: Field<Millis>) -> Option<Micros> {
        match self.value(field.id())? {
            Value::Millis(micros) => Some(micros),
            _ => None,
        }
    }

    /// All durations.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (FieldId, Micros)> {
        self.values.iter().filter_map(|(field, value)| match value {
            Value::Millis(micros) => Some((*field, *micros)),
            _ => None,
        })
    }

    pub(crate) fn count(&self, field: Field<Count>) -> Option<i64> {
        match self.value(field.id())? {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    pub(crate) fn real(&self, field: Field<Real>) -> Option<f64> {
        match self.value(field.id())? {
            Value::Real(real) => Some(real),
            _ => None,
        }
    }

    pub(crate) fn unix(&self, field: Field<Unix>) -> Option<u64> {
        match self.value(field.id())? {
            Value::Unix(nanos) => Some(nanos),
            _ => None,
        }
    }

    pub(crate) fn text(&self, field: Field<Text>) -> Option<Cow<'a, str>> {
        match self.value(field.id())? {
            Value::Plain(text) => Some(Cow::Borrowed(text)),
            Value::Encoded(text) => Some(text::decode(text)),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn is(&self, record: &'static Record) -> bool {
        std::ptr::eq(self.record, record)
    }
}

#[cfg(test)]
mod tests;
