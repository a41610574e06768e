//! Text lines: the form that grep, sed and awk read.
//!
//! ```text
//! [weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9
//! ```
//!
//! A value has no white space, control character, quote or non-ASCII byte: anything else is
//! percent-encoded, so that no input can forge a line or a field.

mod parse;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

pub(crate) use self::parse::into_owned;
pub use self::parse::{decode, parse};
use crate::event::{Event, Value};

/// What would break a line or a field: white space, quotes, and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\'').add(b'`').add(b'%');

/// Whether a byte stands for itself; the ordinary value is all of these.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'%')
}

/// Appends the event's line, without a line feed.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    out.reserve(160);
    out.push(b'[');
    out.extend_from_slice(event.filed_under().as_str().as_bytes());
    out.push(b']');
    if let Some(id) = event.id() {
        out.push(b'[');
        out.extend_from_slice(&id.to_hex());
        out.push(b']');
    }
    if let Some(name) = event.record().name {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
    for (field, value) in event.values() {
        out.push(b' ');
        out.extend_from_slice(field.info().key.as_bytes());
        out.push(b'=');
        write_value(value, out);
    }
}

/// The event's line as a string.
#[must_use]
pub fn to_string(event: &Event) -> String {
    let mut line = Vec::with_capacity(128);
    write(event, &mut line);
    String::from_utf8_lossy(&line).into_owned()
}

fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Moment(at) => write_seconds(at.as_nanos(), out),
        Value::Unix(nanos) => write_seconds(nanos, out),
        Value::Millis(duration) => {
            let tenths = duration.tenths();
            write_fixed(tenths / 10, tenths % 10, 1, out);
        }
        Value::Count(count) => out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes()),
        Value::Real(real) => out.extend_from_slice(format!("{real:.1}").as_bytes()),
        Value::Text(text) if text.bytes().all(is_plain) => out.extend_from_slice(text.as_bytes()),
        Value::Text(text) => percent_encode(text.as_bytes(), ESCAPED)
            .for_each(|part| out.extend_from_slice(part.as_bytes())),
    }
}

fn write_seconds(nanos: u64, out: &mut Vec<u8>) {
    let micros = nanos / 1000;
    write_fixed(micros / 1_000_000, micros % 1_000_000, 6, out);
}

/// Writes `whole.fraction` with `digits` digits in the fraction.
pub(crate) fn write_fixed(whole: u64, fraction: u64, digits: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    out.push(b'.');
    let mut buffer = itoa::Buffer::new();
    let fraction = buffer.format(fraction);
    out.extend(std::iter::repeat_n(b'0', digits - fraction.len()));
    out.extend_from_slice(fraction.as_bytes());
}

#[cfg(test)]
mod tests;
