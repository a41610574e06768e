//! What a column is, and how it takes its value from a row.

use std::borrow::Cow;

use firstbyte_core::{Micros, Timestamp};

use crate::correlate::{Call, Log, Moment};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A whole number.
    Count,
    /// A number.
    Real,
    /// A duration in whole microseconds.
    Micros,
    /// Nanoseconds of the monotonic clock of the line's host: they compare within one boot only.
    MonotonicNanos,
    /// Nanoseconds since 1970, UTC.
    UnixNanos,
}

impl Kind {
    /// Its name in the documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Count => "integer",
            Self::Real => "number",
            Self::Micros => "integer, microseconds",
            Self::MonotonicNanos => "integer, nanoseconds, monotonic",
            Self::UnixNanos => {
                "integer, nanoseconds since 1970; in Parquet and Arrow timestamp[ns, UTC]"
            }
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Column {
    /// Its name, with the unit.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What it means, in one sentence.
    pub doc: &'static str,
    get: Get,
}

/// How a value is taken from its row.
#[derive(Clone, Copy, Debug)]
enum Get {
    Call(for<'a> fn(&'a Log, &Call<'a>) -> Option<Value<'a>>),
    Event(for<'a> fn(&'a Log, &'a Moment) -> Option<Value<'a>>),
}

/// A known value. An unknown one is none: empty in CSV, `null` elsewhere, and never 0.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Of [`Kind::Text`]. It may hold whatever a log holds.
    Text(Cow<'a, str>),
    /// Of any kind but text and real.
    Int(i64),
    /// Of [`Kind::Real`]; finite.
    Real(f64),
}

/// One row.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Row<'a> {
    /// Of [`Table::Calls`](super::Table::Calls).
    Call(&'a Log, Call<'a>),
    /// Of [`Table::Events`](super::Table::Events).
    Event(&'a Log, &'a Moment),
}

impl Column {
    /// The value that a row of its table has in it, if the lines tell it.
    #[must_use]
    pub fn of<'a>(&self, row: &Row<'a>) -> Option<Value<'a>> {
        match (self.get, row) {
            (Get::Call(get), Row::Call(log, call)) => get(log, call),
            (Get::Event(get), Row::Event(log, moment)) => get(log, moment),
            _ => None,
        }
    }

    pub(super) const fn call(
        name: &'static str,
        kind: Kind,
        doc: &'static str,
        get: for<'a> fn(&'a Log, &Call<'a>) -> Option<Value<'a>>,
    ) -> Self {
        Self { name, kind, doc, get: Get::Call(get) }
    }

    pub(super) const fn event(
        name: &'static str,
        kind: Kind,
        doc: &'static str,
        get: for<'a> fn(&'a Log, &'a Moment) -> Option<Value<'a>>,
    ) -> Self {
        Self { name, kind, doc, get: Get::Event(get) }
    }
}

impl<'a> Value<'a> {
    pub(super) const fn word(word: &'a str) -> Option<Self> {
        Some(Self::Text(Cow::Borrowed(word)))
    }

    pub(super) fn int(int: impl Into<i64>) -> Self {
        Self::Int(int.into())
    }

    /// A number beyond 63 bits (292 years of nanoseconds) is a broken line's, and so unknown.
    pub(super) fn wide<T: TryInto<i64>>(int: T) -> Option<Self> {
        int.try_into().ok().map(Self::Int)
    }

    pub(super) fn micros(duration: Option<Micros>) -> Option<Self> {
        Self::wide(duration?.0)
    }

    pub(super) fn monotonic(at: Option<Timestamp>) -> Option<Self> {
        Self::wide(at?.as_nanos())
    }

    pub(super) fn unix(log: &Log, source: u32, at: Option<Timestamp>) -> Option<Self> {
        Self::wide(log.unix_nanos(source, at?)?)
    }
}

pub(super) fn file(log: &Log, source: u32) -> &str {
    &log.sources()[source as usize].name
}
