//! An event as words, on its way from the caller to the writer thread.
//!
//! ```text
//! head | trace id or 0 | moment | one word per value that is present | text, padded with zeros
//! head = record (8 bits) | tag (8) | bytes of text (16) | which values are present (31) | 1
//! ```

use super::{Event, INLINE_TEXT, Large, Values};
use crate::{
    clock::Timestamp,
    schema::{RECORDS, Tag},
    trace_id::TraceId,
};

const FIXED: usize = 3;

impl Event {
    /// How many words it takes.
    #[inline]
    pub(crate) fn words(&self) -> usize {
        words(self.count.into(), self.text().len())
    }

    /// Gives every word but the head to `push`; returns the head, which is not zero.
    #[inline]
    pub(crate) fn write_words(&self, mut push: impl FnMut(u64)) -> u64 {
        push(self.trace_id.map_or(0, TraceId::get));
        push(self.at.as_nanos());
        let (slots, mut present) = (self.slots(), self.present);
        while present != 0 {
            push(slots[present.trailing_zeros() as usize]);
            present &= present - 1;
        }
        let text = self.text();
        let (whole, rest) = text.as_chunks::<8>();
        for chunk in whole {
            push(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            push(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        u64::from(self.record.index())
            | (self.tag as u64) << 8
            | (text.len() as u64) << 16
            | self.present << 32
            | 1 << 63
    }

    /// The event that was written as `head` and the words behind it, and how many they are.
    pub(crate) fn read_words(head: u64, word: impl Fn(usize) -> u64) -> (Self, usize) {
        let record = RECORDS[head as u8 as usize];
        let text_bytes = usize::from((head >> 16) as u16);
        let present = head >> 32 & !(1 << 31);
        let mut event = Self::new(record, Timestamp::from_nanos(word(2)));
        event.tag = Tag::ALL[(head >> 8) as u8 as usize];
        event.trace_id = TraceId::new(word(1));
        let values = present.count_ones() as usize;
        (event.present, event.count) = (present, values as u8);
        if text_bytes > INLINE_TEXT && matches!(event.values, Values::Inline { .. }) {
            event.values = Values::Large(Large::new());
        }
        let text = |place: usize| word(FIXED + values + place).to_le_bytes();
        match &mut event.values {
            Values::Inline { text: room, len, .. } => {
                *len = text_bytes as u8;
                for (place, chunk) in room[..text_bytes].chunks_mut(8).enumerate() {
                    chunk.copy_from_slice(&text(place)[..chunk.len()]);
                }
            }
            Values::Large(large) => {
                large.text.extend((0..text_bytes.div_ceil(8)).flat_map(text));
                large.text.truncate(text_bytes);
            }
        }
        let positions = (0..u32::BITS as usize).filter(|position| present & 1 << position != 0);
        for (place, position) in positions.enumerate() {
            *event.slot(position) = word(FIXED + place);
        }
        (event, words(values, text_bytes))
    }
}

#[inline]
fn words(values: usize, text_bytes: usize) -> usize {
    FIXED + values + text_bytes.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_TEXT, Micros, field, record, schema::Unit};

    fn through_words(event: &Event) -> Event {
        let mut words = vec![u64::MAX];
        let head = event.write_words(|word| words.push(word));
        assert_ne!(head, 0);
        assert_eq!(words.len(), event.words());
        let (read, count) = Event::read_words(head, |place| words[place]);
        assert_eq!(count, words.len());
        read
    }

    #[test]
    fn an_event_is_the_same_behind_the_queue() {
        for path in ["", "/pause", "/12345678", &"é".repeat(40), &"x".repeat(2 * MAX_TEXT)] {
            let event = Event::new(&record::SERVER_RECV, Timestamp::from_nanos(u64::MAX))
                .tag(Tag::Admin)
                .with(field::INFLIGHT, -7)
                .with(field::PATH, path);
            for event in [event.clone().trace_id(TraceId::random()), event] {
                let read = through_words(&event);
                assert!(read.values().eq(event.values()), "{read:?}\n{event:?}");
                assert_eq!(
                    (read.id(), read.at(), read.filed_under(), read.record().name),
                    (event.id(), event.at(), event.filed_under(), event.record().name),
                );
            }
        }
    }

    #[test]
    fn every_field_of_every_record_finds_its_place() {
        for record in RECORDS {
            let mut event = Event::new(record, Timestamp::from_nanos(1));
            for (position, field) in record.fields.iter().enumerate() {
                if field.info().unit == Unit::Text {
                    event.store_text(position, field.info().key);
                } else {
                    *event.slot(position) = Micros(position as u64 + 1).0;
                }
                event.mark(position);
            }
            assert!(through_words(&event).values().eq(event.values()), "{record:?}");
        }
    }
}
