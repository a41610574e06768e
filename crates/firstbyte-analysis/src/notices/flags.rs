//! What clients say of their own numbers: `flags` of `client.done`.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::correlate::{Call, ClientHalf, Log, Name};

/// What each flag means.
const MEANINGS: [(&str, &str); 5] = [
    ("rpc_missing", "the server reported no rpc time"),
    ("rpc_invalid", "the server reported an rpc time that is no duration"),
    ("rpc_exceeds_wall", "the server reported more rpc time than the whole call took"),
    (
        "server_exceeds_wait",
        "the parts that the server reported are longer than the wait, and are left out",
    ),
    ("body_unread", "the caller did not read the response to its end"),
];

/// How many calls have which flags.
#[derive(Debug, Default)]
pub(super) struct Flags(BTreeMap<Name, u64>);

impl Flags {
    pub(super) fn take(&mut self, call: &Call<'_>) {
        if let Some(flags) = call.client.and_then(ClientHalf::flags) {
            *self.0.entry(flags).or_default() += 1;
        }
    }

    pub(super) fn join(&mut self, others: Self) {
        for (flags, calls) in others.0 {
            *self.0.entry(flags).or_default() += calls;
        }
    }

    /// One sentence on all of them, the most frequent first; none if no call has one.
    pub(super) fn told(&self, log: &Log) -> Option<String> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (flags, calls) in &self.0 {
            for flag in log.name(*flags).split(',').filter(|flag| !flag.is_empty()) {
                *counts.entry(flag).or_default() += calls;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, calls)| Reverse(*calls));
        let told: Vec<String> = counts
            .iter()
            .map(|(flag, calls)| {
                let meaning = MEANINGS.iter().find(|(known, _)| known == flag);
                let meaning = meaning.map_or("unknown to this version", |(_, meaning)| meaning);
                format!("{flag} {calls} ({meaning})")
            })
            .collect();
        (!told.is_empty()).then(|| {
            format!("calls whose client has reservations about its numbers: {}.", told.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices;

    #[test]
    fn flags_are_counted_and_told_with_their_meaning() {
        let done = |id: u32, flags: &str| {
            format!("[weights][{id:016x}] client.done wall_ms=9.0 flags={flags}\n")
        };
        let lines = done(1, "rpc_missing")
            + &done(2, "body_unread,rpc_missing")
            + &done(3, "of_another_writer");
        assert_eq!(
            notices(&Log::from_bytes(lines.as_bytes())),
            [
                "calls whose client has reservations about its numbers: rpc_missing 2 (the server reported no rpc time), \
              body_unread 1 (the caller did not read the response to its end), of_another_writer 1 (unknown to this version)."
            ]
        );
    }

    #[test]
    fn every_flag_that_is_written_has_a_meaning() {
        let mut flags = firstbyte_core::Flags::default();
        flags.rpc_missing = true;
        flags.rpc_exceeds_wall = true;
        flags.rpc_invalid = true;
        flags.server_exceeds_wait = true;
        flags.body_unread = true;
        let written = flags.to_text();
        assert_eq!(written.split(',').count(), MEANINGS.len());
        for flag in written.split(',') {
            assert!(MEANINGS.iter().any(|(known, _)| *known == flag), "{flag}");
        }
    }
}
