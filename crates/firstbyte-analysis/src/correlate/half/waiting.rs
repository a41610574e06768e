//! What a client says of a call that has not ended.

use firstbyte_core::{Micros, field};

use crate::{
    correlate::names::{Name, Names},
    entry::Entry,
};

/// What the last `client.waiting` of an attempt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// How long the call had taken.
    pub elapsed: Option<Micros>,
    /// The phase that it was in.
    pub phase: Option<Name>,
    /// Where it was stuck.
    pub state: Option<Name>,
    /// Request bytes that the client's kernel had accepted.
    pub sent_bytes: Option<i64>,
    /// Bytes that the peer's kernel had not acknowledged.
    pub unacked_bytes: Option<i64>,
}

impl Waiting {
    pub(super) fn of(entry: &Entry<'_>, names: &mut Names) -> Self {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        Self {
            elapsed: entry.millis(field::ELAPSED),
            phase: word(field::PHASE),
            state: word(field::STATE),
            sent_bytes: entry.count(field::SENT),
            unacked_bytes: entry.count(field::UNACKED),
        }
    }

    /// Where it was stuck, and how far its bytes had come, as far as that is known.
    pub(in crate::correlate) fn whereabouts(&self, names: &Names) -> Option<String> {
        let told = [
            self.state.map(|state| names.get(state).to_owned()),
            self.sent_bytes.map(|bytes| format!("{bytes} bytes sent")),
            self.unacked_bytes.map(|bytes| format!("{bytes} unacknowledged")),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}
