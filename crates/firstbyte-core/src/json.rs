//! JSON lines: one object per event, nothing rounded.
//!
//! ```text
//! {"v":1,"seq":3,"pid":7,"boot":"0f...","tag":"weights","tid":"00f067aa0ba902b7","name":"rpc.done",
//!  "t_ns":81234567890,"unix_ns":1763767114000000000,"op":"update_weights","rpc_us":233200}
//! ```

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use crate::{
    clock::{Micros, Timestamp},
    event::{Event, Value},
    parsed::{Parsed, ParsedValue, Skipped, is_tag, is_trace_id},
    process::Process,
    schema::{FieldId, Unit},
    text,
};

/// Version of the schema, the field `v` of every line.
pub const SCHEMA_VERSION: u64 = 1;

/// What the writer knows about an event beyond the event itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The process that writes.
    pub process: &'a Process,
    /// Number of the event among those that reached the writer: a gap is a lost line. firstbyte's own
    /// lines have none.
    pub seq: Option<u64>,
    /// Wall clock of the event in nanoseconds since the epoch.
    pub unix_nanos: u64,
}

impl<'a> Context<'a> {
    /// A context for [`write()`].
    #[must_use]
    pub const fn new(process: &'a Process, seq: Option<u64>, unix_nanos: u64) -> Self {
        Self { process, seq, unix_nanos }
    }
}

/// Appends the event's object, without a line feed.
pub fn write(event: &Event, context: &Context<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"v\":");
    integer(SCHEMA_VERSION, out);
    if let Some(seq) = context.seq {
        out.extend_from_slice(b",\"seq\":");
        integer(seq, out);
    }
    out.extend_from_slice(b",\"pid\":");
    integer(context.process.pid, out);
    if let Some(boot) = &context.process.boot {
        string_member("boot", boot, out);
    }
    string_member("tag", event.filed_under().as_str(), out);
    if let Some(id) = event.id() {
        out.extend_from_slice(b",\"tid\":\"");
        out.extend_from_slice(&id.to_hex());
        out.push(b'"');
    }
    if let Some(name) = event.record().name {
        string_member("name", name, out);
    }
    out.extend_from_slice(b",\"t_ns\":");
    integer(event.at().as_nanos(), out);
    out.extend_from_slice(b",\"unix_ns\":");
    integer(context.unix_nanos, out);
    for (field, value) in event.values() {
        let key = field.info().json_key;
        // Members of every line, whatever the record.
        if matches!(value, Value::Moment(_) | Value::Unix(_)) || matches!(key, "pid" | "boot") {
            continue;
        }
        if let Value::Text(text) = value {
            string_member(key, text, out);
            continue;
        }
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        match value {
            Value::Millis(Micros(micros)) => integer(micros, out),
            Value::Count(count) => integer(count, out),
            // A finite number: `Event` holds no other.
            Value::Real(real) => out.extend_from_slice(format!("{real:?}").as_bytes()),
            Value::Moment(_) | Value::Unix(_) | Value::Text(_) => {}
        }
    }
    out.push(b'}');
}

fn integer(n: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn string_member(key: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    out.push(b'"');
    for c in text.chars() {
        if (' '..='~').contains(&c) && c != '"' && c != '\\' {
            out.push(c as u8);
        } else {
            // Everything else is escaped, so that no control character of any script gets through.
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
    out.push(b'"');
}

/// Where what carries lines has the one that a process wrote: Docker's json-file driver, journald's JSON output, Google's
/// Cloud Logging, of loggers that write JSON too, and Loki's `logcli`.
const CARRIERS: [&str; 5] = ["log", "MESSAGE", "textPayload", "jsonPayload", "line"];

/// Where loggers that write JSON have it; `text` is loguru's.
const LOGGERS: [&str; 4] = ["message", "msg", "event", "text"];

/// Reads one JSON line of this version of the schema; a line that tells no version counts as one.
///
/// A line of either form that a container runtime, journald or a logger has put into an object of its own is read as well.
/// Bytes that are not UTF-8 become U+FFFD.
///
/// Durations come back under their text keys (`wall_ms`) with [`ParsedValue::Millis`].
///
/// # Errors
///
/// [`Skipped`] says why the line is not an event. No input panics.
pub fn parse(line: &[u8]) -> Result<Parsed<'static>, Skipped> {
    parse_object(&String::from_utf8_lossy(line), &[&CARRIERS, &LOGGERS])
}

/// Reads an object, or a line within it, which `wrappers` may have. Within what a carrier has, a logger's object may be.
fn parse_object(line: &str, wrappers: &[&[&str]]) -> Result<Parsed<'static>, Skipped> {
    if line.trim().is_empty() {
        return Err(Skipped::Empty);
    }
    let object: Map<String, Json> = serde_json::from_str(line).map_err(|_| Skipped::BadJson)?;
    let Some(tag) = object.get("tag").and_then(Json::as_str).filter(|tag| is_tag(tag)) else {
        let mut why = None;
        for (place, wrapper) in wrappers.iter().enumerate() {
            for text in wrapper.iter().filter_map(|key| text_of(object.get(*key)?)) {
                let read = if text.starts_with('{') {
                    // Nobody wraps twice in the same way.
                    parse_object(&text, &wrappers[place + 1..])
                } else {
                    text::parse(text.as_bytes()).map(text::into_owned)
                };
                match read {
                    Ok(parsed) => return Ok(parsed),
                    Err(skipped) => why = why.or(Some(skipped)),
                }
            }
        }
        return Err(why.unwrap_or(Skipped::BadJson));
    };
    let mut parsed = Parsed::new(Cow::Owned(tag.to_owned()));
    // What is added keeps the version: another one means that what is there has changed its meaning.
    if object.get("v").is_some_and(|version| version.as_u64() != Some(SCHEMA_VERSION)) {
        return Err(Skipped::OtherVersion);
    }
    for (key, value) in object {
        parsed.push_member(key, value);
    }
    Ok(parsed)
}

/// What a member has of a line: a text, its bytes, as journald has what is coloured or not UTF-8, or an object.
fn text_of(member: &Json) -> Option<Cow<'_, str>> {
    match member {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Array(bytes) => {
            let bytes = bytes.iter().map(|byte| byte.as_u64()?.try_into().ok());
            let bytes = bytes.collect::<Option<Vec<u8>>>()?;
            Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Json::Object(_) => Some(Cow::Owned(member.to_string())),
        _ => None,
    }
}

impl Parsed<'static> {
    fn push_member(&mut self, key: String, value: Json) {
        match (key.as_str(), &value) {
            ("v" | "tag", _) => {}
            ("tid", Json::String(id)) if is_trace_id(id) => {
                self.trace_id = Some(Cow::Owned(id.clone()));
            }
            ("name", Json::String(name)) => self.name = Some(Cow::Owned(name.clone())),
            ("boot", Json::String(boot)) => self.boot = Some(Cow::Owned(boot.clone())),
            ("seq", Json::Number(n)) if n.is_u64() => self.seq = n.as_u64(),
            ("pid", Json::Number(n)) if n.is_u64() => self.pid = n.as_u64(),
            ("unix_ns", Json::Number(n)) if n.is_u64() => self.unix_nanos = n.as_u64(),
            ("t_ns", Json::Number(n)) if n.is_u64() => {
                self.at = n.as_u64().map(Timestamp::from_nanos);
            }
            _ => {
                let field = FieldId::from_json_key(&key).map(FieldId::info);
                let known = match (field.map(|field| field.unit), &value) {
                    (Some(Unit::Millis), Json::Number(n)) => {
                        n.as_u64().map(|n| ParsedValue::Millis(Micros(n)))
                    }
                    (Some(Unit::Real), Json::Number(n)) => n.as_f64().map(ParsedValue::Real),
                    (_, Json::Number(n)) if n.is_i64() => n.as_i64().map(ParsedValue::Count),
                    (None, Json::Number(n)) => n.as_f64().map(ParsedValue::Real),
                    _ => None,
                };
                let known = known.unwrap_or_else(|| match value {
                    Json::String(text) => ParsedValue::Text(Cow::Owned(text)),
                    other => ParsedValue::Text(Cow::Owned(other.to_string())),
                });
                let key = field.map_or(Cow::Owned(key), |field| Cow::Borrowed(field.key));
                self.fields.push((key, known));
            }
        }
    }
}

#[cfg(test)]
mod tests;
