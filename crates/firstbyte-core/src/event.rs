//! One thing that happened to one call: what the hot path hands to the recorder.

mod words;

use smallvec::SmallVec;

use crate::{
    clock::{Micros, Timestamp},
    schema::{
        Count, Field, FieldId, FieldType, MAX_FIELDS, Millis, Moment, Real, Record, Tag, Text,
        Unit, Unix,
    },
    trace_id::TraceId,
};

/// Text values longer than this are cut and end in `...`.
pub const MAX_TEXT: usize = 1024;

const INLINE_FIELDS: usize = 6;
const INLINE_TEXT: usize = 102;
/// What the texts of a usual `client.done` take.
const TEXT_OF_A_CALL: usize = 128;
/// Texts of one event together: five of the longest. A text that was set again may leave its room
/// behind, which is reclaimed here.
const MAX_TEXTS: usize = 5 * MAX_TEXT;

/// A record of the [schema](crate::schema), filled in.
///
/// Three cache lines without a heap allocation for all records of up to six fields and 102 bytes of
/// text; `client.done` and long texts use the heap. Nothing is formatted here.
///
/// ```
/// use firstbyte_core::{Clock, Event, Micros, TraceId, field, record, text};
///
/// let clock = Clock::system();
/// let event = Event::new(&record::RPC_DONE, clock.now())
///     .trace_id(TraceId::random())
///     .with(field::OP, "update_weights")
///     .with(field::RPC, Micros(233_200));
/// assert!(text::to_string(&event).ends_with("rpc_ms=233.2"));
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    record: &'static Record,
    tag: Tag,
    /// A bit for each value that is known, and how many they are.
    present: u64,
    count: u8,
    trace_id: Option<TraceId>,
    at: Timestamp,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Inline { slots: [u64; INLINE_FIELDS], len: u8, text: [u8; INLINE_TEXT] },
    Large(Box<Large>),
}

/// Room for every field and any text.
#[derive(Clone, Debug)]
struct Large {
    slots: [u64; MAX_FIELDS],
    text: SmallVec<[u8; TEXT_OF_A_CALL]>,
}

impl Large {
    fn new() -> Box<Self> {
        Box::new(Self { slots: [0; MAX_FIELDS], text: SmallVec::new() })
    }
}

/// The value of a field, whatever its type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A moment on the monotonic clock.
    Moment(Timestamp),
    /// A duration.
    Millis(Micros),
    /// An integer.
    Count(i64),
    /// A real number.
    Real(f64),
    /// Nanoseconds since the Unix epoch.
    Unix(u64),
    /// Text, not encoded.
    Text(&'a str),
}

impl Event {
    /// An event of this kind that happened at `at`.
    #[inline]
    #[must_use]
    pub fn new(record: &'static Record, at: Timestamp) -> Self {
        let values = if record.fields.len() <= INLINE_FIELDS {
            Values::Inline { slots: [0; INLINE_FIELDS], len: 0, text: [0; INLINE_TEXT] }
        } else {
            Values::Large(Large::new())
        };
        Self { record, tag: record.tag, present: 0, count: 0, trace_id: None, at, values }
    }

    /// Gives it a trace id.
    #[inline]
    #[must_use]
    pub fn trace_id(mut self, id: TraceId) -> Self {
        self.trace_id = Some(id);
        self
    }

    /// Files it under another tag: call records may be [`Tag::Weights`] or [`Tag::Admin`].
    #[inline]
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tag = tag;
        self
    }

    /// Sets a value; see [`Event::set`].
    #[inline]
    #[must_use]
    pub fn with<T: Store>(mut self, field: Field<T>, value: T::Value<'_>) -> Self {
        self.set(field, value);
        self
    }

    /// Sets a value if it is known: unknown is absent, never 0.
    #[inline]
    #[must_use]
    pub fn with_known<T: Store>(mut self, field: Field<T>, value: Option<T::Value<'_>>) -> Self {
        if let Some(value) = value {
            self.set(field, value);
        }
        self
    }

    /// Sets a value. A field that the record does not have, and a number that is not finite, are left out.
    #[inline]
    pub fn set<T: Store>(&mut self, field: Field<T>, value: T::Value<'_>) {
        let position = self.record.position(field.id);
        debug_assert!(position.is_some(), "{:?} has no field {}", self.record.name, field.key());
        if let Some(position) = position
            && T::store(self, position, value)
        {
            self.mark(position);
        }
    }

    /// Sets a value of a field that is known only at run time, as callers in other languages have them.
    ///
    /// `false` if the record has no such field, if the value is not of the field's type, or if it is a number
    /// that is not finite; the event is then what it was.
    ///
    /// ```
    /// use firstbyte_core::{Clock, Event, Value, record, schema::FieldId};
    ///
    /// let mut event = Event::new(&record::CKPT_WAIT_START, Clock::system().now());
    /// let step = FieldId::from_key("target_step").expect("a field of the schema");
    /// assert!(event.set_value(step, Value::Count(7)));
    /// assert!(!event.set_value(step, Value::Text("7")));
    /// ```
    pub fn set_value(&mut self, field: FieldId, value: Value<'_>) -> bool {
        let Some(position) = self.record.position(field) else { return false };
        let stored = match (field.info().unit, value) {
            (Unit::Moment, Value::Moment(at)) => Moment::store(self, position, at),
            (Unit::Millis, Value::Millis(duration)) => Millis::store(self, position, duration),
            (Unit::Count, Value::Count(count)) => Count::store(self, position, count),
            (Unit::Real, Value::Real(real)) => Real::store(self, position, real),
            (Unit::Unix, Value::Unix(nanos)) => Unix::store(self, position, nanos),
            (Unit::Text, Value::Text(text)) => Text::store(self, position, text),
            _ => false,
        };
        if stored {
            self.mark(position);
        }
        stored
    }

    /// The value at this position is known.
    #[inline]
    fn mark(&mut self, position: usize) {
        self.count += u8::from(self.present & 1 << position == 0);
        self.present |= 1 << position;
    }

    /// A value, if it was set.
    #[must_use]
    pub fn get<T: Store>(&self, field: Field<T>) -> Option<Value<'_>> {
        self.value(self.record.position(field.id)?)
    }

    /// The row of the schema that this event fills in.
    #[must_use]
    pub fn record(&self) -> &'static Record {
        self.record
    }

    /// The tag that it is filed under.
    #[must_use]
    pub fn filed_under(&self) -> Tag {
        self.tag
    }

    /// The call that it belongs to.
    #[must_use]
    pub fn id(&self) -> Option<TraceId> {
        self.trace_id
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The values that are known, in the order of the line.
    pub fn values(&self) -> impl Iterator<Item = (FieldId, Value<'_>)> {
        self.record
            .fields
            .iter()
            .enumerate()
            .filter_map(|(position, field)| Some((*field, self.value(position)?)))
    }

    #[inline]
    fn slots(&self) -> &[u64] {
        match &self.values {
            Values::Inline { slots, .. } => slots,
            Values::Large(large) => &large.slots,
        }
    }

    /// The texts of all fields, one after the other.
    #[inline]
    fn text(&self) -> &[u8] {
        match &self.values {
            Values::Inline { text, len, .. } => &text[..*len as usize],
            Values::Large(large) => &large.text,
        }
    }

    fn value(&self, position: usize) -> Option<Value<'_>> {
        let unit = self.record.fields[position].info().unit;
        if unit == Unit::Moment {
            return Some(Value::Moment(self.at));
        }
        if self.present & 1 << position == 0 {
            return None;
        }
        let bits = self.slots()[position];
        Some(match unit {
            Unit::Moment => Value::Moment(self.at),
            Unit::Millis => Value::Millis(Micros(bits)),
            Unit::Count => Value::Count(bits.cast_signed()),
            Unit::Real => Value::Real(f64::from_bits(bits)),
            Unit::Unix => Value::Unix(bits),
            Unit::Text => {
                let (start, end) = ((bits >> 32) as usize, (bits & 0xffff_ffff) as usize);
                Value::Text(std::str::from_utf8(&self.text()[start..end]).unwrap_or_default())
            }
        })
    }

    #[inline]
    fn slot(&mut self, position: usize) -> &mut u64 {
        match &mut self.values {
            Values::Inline { slots, .. } => &mut slots[position],
            Values::Large(large) => &mut large.slots[position],
        }
    }

    #[inline]
    fn store_text(&mut self, position: usize, value: &str) {
        if let Values::Inline { slots, len, text } = &mut self.values {
            let (start, end) = (*len as usize, *len as usize + value.len());
            if let Some(room) = text.get_mut(start..end) {
                room.copy_from_slice(value.as_bytes());
                *len = end as u8;
                slots[position] = (start as u64) << 32 | end as u64;
                return;
            }
        }
        self.store_long_text(position, value);
    }

    #[cold]
    fn store_long_text(&mut self, position: usize, value: &str) {
        if self.present & 1 << position != 0 {
            // Its text of before is not to be kept.
            self.present &= !(1 << position);
            self.count -= 1;
        }
        if matches!(self.values, Values::Inline { .. }) || self.text().len() > MAX_TEXTS - MAX_TEXT
        {
            self.rebuild();
        }
        if let Values::Large(large) = &mut self.values {
            large.store_text(position, value);
        }
    }

    /// Moves it to room for any text, and the texts of its fields together.
    fn rebuild(&mut self) {
        let mut large = Large::new();
        large.slots[..self.slots().len()].copy_from_slice(self.slots());
        for (position, field) in self.record.fields.iter().enumerate() {
            if field.info().unit == Unit::Text
                && let Some(Value::Text(text)) = self.value(position)
            {
                large.store_text(position, text);
            }
        }
        self.values = Values::Large(large);
    }
}

impl Large {
    fn store_text(&mut self, position: usize, value: &str) {
        let start = self.text.len();
        if value.len() <= MAX_TEXT {
            self.text.extend_from_slice(value.as_bytes());
        } else {
            let cut = (0..=MAX_TEXT - 3).rev().find(|i| value.is_char_boundary(*i));
            let cut = cut.unwrap_or_default();
            self.text.extend_from_slice(&value.as_bytes()[..cut]);
            self.text.extend_from_slice(b"...");
        }
        self.slots[position] = (start as u64) << 32 | self.text.len() as u64;
    }
}

/// A [`FieldType`] that events can hold. Sealed by `FieldType`.
pub trait Store: FieldType {
    /// Stores the value and says whether it is one.
    #[doc(hidden)]
    fn store(event: &mut Event, position: usize, value: Self::Value<'_>) -> bool;
}

macro_rules! store {
    ($($type:ident($event:ident, $position:ident, $value:ident) $store:block)*) => {$(
        impl Store for $type {
            #[inline]
            fn store($event: &mut Event, $position: usize, $value: Self::Value<'_>) -> bool $store
        }
    )*};
}

store! {
    Moment(event, _position, value) { event.at = value; true }
    Millis(event, position, value) { *event.slot(position) = value.0; true }
    Count(event, position, value) { *event.slot(position) = value.cast_unsigned(); true }
    Real(event, position, value) {
        if value.is_finite() {
            *event.slot(position) = value.to_bits();
        }
        value.is_finite()
    }
    Unix(event, position, value) { *event.slot(position) = value; true }
    Text(event, position, value) { event.store_text(position, value); true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{field, record};

    #[test]
    fn an_event_is_three_cache_lines() {
        assert!(size_of::<Event>() <= 192, "{}", size_of::<Event>());
    }

    #[test]
    fn values_come_back_in_the_order_of_the_line() {
        let event = Event::new(&record::SERVER_RECV, Timestamp::from_nanos(7))
            .with(field::INFLIGHT, 150)
            .with(field::PATH, "/update_weights")
            .with_known(field::KERNEL, None);
        let values: Vec<_> =
            event.values().map(|(field, value)| (field.info().key, value)).collect();
        assert_eq!(
            values,
            [
                ("path", Value::Text("/update_weights")),
                ("t", Value::Moment(Timestamp::from_nanos(7))),
                ("inflight", Value::Count(150)),
            ]
        );
        assert!(matches!(event.values, Values::Inline { .. }));
    }

    #[test]
    fn values_can_be_set_by_the_id_of_their_field() {
        let mut event = Event::new(&record::ROLLOUT, Timestamp::default());
        let id = |key| FieldId::from_key(key).unwrap();
        assert!(event.set_value(id("trunc_pct"), Value::Real(1.5)));
        assert!(event.set_value(id("current_step"), Value::Count(3)));
        for (key, value) in [
            ("trunc_pct", Value::Count(1)),
            ("trunc_pct", Value::Real(f64::NAN)),
            ("wall_ms", Value::Millis(Micros(1))),
        ] {
            assert!(!event.set_value(id(key), value), "{key}");
        }
        assert_eq!(event.get(field::TRUNC), Some(Value::Real(1.5)));
        assert_eq!(event.values().count(), 2);
    }

    #[test]
    fn long_text_moves_to_the_heap_and_is_cut() {
        let long = "é".repeat(MAX_TEXT);
        let event = Event::new(&record::SERVER_RECV, Timestamp::default())
            .with(field::INFLIGHT, 3)
            .with(field::PATH, &long);
        let Some(Value::Text(path)) = event.get(field::PATH) else { panic!("no path") };
        assert!(path.ends_with("é...") && path.len() <= MAX_TEXT);
        assert_eq!(event.get(field::INFLIGHT), Some(Value::Count(3)));
        assert!(matches!(event.values, Values::Large(_)));
    }

    #[test]
    fn texts_that_are_set_again_and_again_take_no_more_room() {
        let long = "x".repeat(MAX_TEXT);
        let mut event = Event::new(&record::CLIENT_FAIL, Timestamp::default())
            .with(field::PHASE, "wait")
            .with(field::OP, &long);
        for n in 0..1000 {
            event.set(field::TARGET, &format!("{n}{long}"));
        }
        assert!(event.text().len() <= MAX_TEXTS, "{}", event.text().len());
        assert_eq!(event.get(field::PHASE), Some(Value::Text("wait")));
        assert_eq!(event.get(field::OP), Some(Value::Text(&long)));
        let Some(Value::Text(target)) = event.get(field::TARGET) else { panic!("no target") };
        assert!(target.starts_with("999x"), "{target}");
    }

    #[test]
    fn a_number_that_is_not_finite_is_absent() {
        let event = Event::new(&record::ROLLOUT, Timestamp::default()).with(field::TRUNC, f64::NAN);
        assert_eq!(event.get(field::TRUNC), None);
        let event = event.with(field::TRUNC, 1.5).with(field::TRUNC, f64::INFINITY);
        assert_eq!(event.get(field::TRUNC), Some(Value::Real(1.5)));
    }
}
