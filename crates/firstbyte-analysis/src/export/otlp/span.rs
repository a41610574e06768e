//! A span as OTLP/JSON has it: ids in hexadecimal, 64-bit numbers as text.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::export::table::{Column, Kind, Row, Value};

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
    pub(super) attributes: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Json>,
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

/// An attribute with a text or a whole number.
pub(super) fn attribute(key: &str, value: Value<'_>) -> Json {
    let value = match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Int(int) => json!({ "intValue": int.to_string() }),
        Value::Real(real) => json!({ "doubleValue": real }),
    };
    json!({ "key": key, "value": value })
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

/// Attributes of our own: what a row knows in these columns, as `firstbyte.COLUMN`.
pub(super) fn ours(row: &Row<'_>, which: impl Fn(&Column) -> bool) -> Vec<Json> {
    let columns = super::super::Table::Calls.columns().iter();
    let columns = columns.filter(|column| {
        !matches!(column.kind, Kind::MonotonicNanos | Kind::UnixNanos) && which(column)
    });
    let known = columns.filter_map(|column| {
        Some(attribute(&format!("firstbyte.{}", column.name), column.of(row)?))
    });
    known.collect()
}

/// The status of a span that failed.
pub(super) fn failed(why: &str) -> Json {
    json!({ "code": ERROR, "message": why })
}
