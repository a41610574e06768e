//! A span as OTLP/JSON has it: ids in hexadecimal, 64-bit numbers as text.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::export::{Column, Kind, Row, Table, Value};

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
pub(super) const INTERNAL: u8 = 1;
pub(super) const SERVER: u8 = 2;
pub(super) const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_span_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: u8,
    #[serde(serialize_with = "text")]
    pub(super) start_time_unix_nano: u64,
    #[serde(serialize_with = "text")]
    pub(super) end_time_unix_nano: u64,
    pub(super) attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
}

/// A moment within a span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(serialize_with = "text")]
    pub(super) time_unix_nano: u64,
    pub(super) name: &'static str,
}

fn text<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// A text or a number under a name.
#[derive(Debug, Serialize)]
pub(super) struct Attribute {
    key: Key,
    value: AnyValue,
}

#[derive(Debug)]
enum Key {
    /// A name of OpenTelemetry's conventions.
    Theirs(&'static str),
    /// The name of a column.
    Ours(&'static str),
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Theirs(name) => serializer.serialize_str(name),
            Self::Ours(column) => serializer.collect_str(&format_args!("firstbyte.{column}")),
        }
    }
}

#[derive(Debug)]
struct AnyValue(Value<'static>);

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match &self.0 {
            Value::Text(text) => map.serialize_entry("stringValue", text)?,
            Value::Int(int) => map.serialize_entry("intValue", &format_args!("{int}"))?,
            Value::Real(real) => map.serialize_entry("doubleValue", real)?,
        }
        map.end()
    }
}

/// What became of a span that failed.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    code: u8,
    message: String,
}

impl Attribute {
    fn new(key: Key, value: Value<'_>) -> Self {
        Self {
            key,
            value: AnyValue(match value {
                Value::Text(text) => Value::Text(text.into_owned().into()),
                Value::Int(int) => Value::Int(int),
                Value::Real(real) => Value::Real(real),
            }),
        }
    }
}

/// An attribute that OpenTelemetry's conventions have a name for.
pub(super) fn attribute(name: &'static str, value: Value<'_>) -> Attribute {
    Attribute::new(Key::Theirs(name), value)
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

/// Attributes of our own: what a row knows in these columns.
pub(super) fn ours(row: &Row<'_>, which: impl Fn(&Column) -> bool) -> Vec<Attribute> {
    let columns = Table::Calls.columns().iter();
    let columns = columns.filter(|column| {
        !matches!(column.kind, Kind::MonotonicNanos | Kind::UnixNanos) && which(column)
    });
    columns
        .filter_map(|column| Some(Attribute::new(Key::Ours(column.name), column.of(row)?)))
        .collect()
}

/// The status of a span that failed.
pub(super) fn failed(why: &str) -> Status {
    Status { code: ERROR, message: why.to_owned() }
}
