//! The room of large events, used again and again.
//!
//! An event is filled in by its caller and let go by the writer thread. An allocator serves that
//! badly: what one thread frees does not come back to the other one's cache.

use std::{
    ops::{Deref, DerefMut},
    sync::LazyLock,
};

use crossbeam_queue::ArrayQueue;

use crate::schema::MAX_FIELDS;

/// Room for the texts of a usual call.
const TEXT: usize = 128;
/// Room that has grown beyond this is given back to the allocator.
const MAX_KEPT_TEXT: usize = 512;

/// At most 1,024 rooms, about 0.4 MiB, are kept for the events to come.
static FREE: LazyLock<ArrayQueue<Box<Room>>> = LazyLock::new(|| ArrayQueue::new(1024));

/// Room for every field and any text. `None` only while it is dropped.
#[derive(Debug)]
pub(super) struct Heap(Option<Box<Room>>);

#[derive(Debug)]
pub(super) struct Room {
    /// Whatever was in them before: an event knows which of its fields are present.
    pub(super) slots: [u64; MAX_FIELDS],
    pub(super) text: Vec<u8>,
}

impl Heap {
    pub(super) fn new() -> Self {
        Self(Some(Room::take()))
    }
}

impl Room {
    fn take() -> Box<Self> {
        FREE.pop().unwrap_or_else(|| {
            Box::new(Self { slots: [0; MAX_FIELDS], text: Vec::with_capacity(TEXT) })
        })
    }
}

impl Deref for Heap {
    type Target = Room;

    #[inline]
    fn deref(&self) -> &Room {
        static NONE: Room = Room { slots: [0; MAX_FIELDS], text: Vec::new() };
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Heap {
    #[inline]
    fn deref_mut(&mut self) -> &mut Room {
        self.0.get_or_insert_with(Room::take)
    }
}

impl Clone for Heap {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        clone.slots = self.slots;
        clone.text.extend_from_slice(&self.text);
        clone
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        if let Some(mut room) = self.0.take()
            && room.text.capacity() <= MAX_KEPT_TEXT
        {
            room.text.clear();
            _ = FREE.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_is_used_again_has_no_text_of_before() {
        let mut first = Heap::new();
        first.text.extend_from_slice(b"secret");
        let copy = first.clone();
        assert_eq!(copy.text, b"secret");
        drop((first, copy));
        for heap in [Heap::new(), Heap::new(), Heap::new()] {
            assert!(heap.text.is_empty());
        }
    }

    #[test]
    fn large_room_is_not_kept() {
        for _ in 0..10 {
            Heap::new().text.resize(MAX_KEPT_TEXT + 1, 0);
        }
        let kept: Vec<_> = std::iter::from_fn(|| FREE.pop()).collect();
        assert!(kept.iter().all(|room| room.text.capacity() <= MAX_KEPT_TEXT));
    }
}
