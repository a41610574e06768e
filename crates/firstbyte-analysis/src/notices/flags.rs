//! What clients say of their own numbers: `flags` of `client.done`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    correlate::{Call, ClientHalf, Log, Name},
    counted,
};

/// So many flags are told by name: whoever writes a log can make up any number of them.
const MOST: usize = 8;

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
            let flags = log.name(*flags).split(',').filter(|flag| !flag.is_empty());
            // A call that says one twice is one call.
            for flag in flags.collect::<BTreeSet<_>>() {
                *counts.entry(flag).or_default() += calls;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, calls)| Reverse(*calls));
        let more = counts.len().saturating_sub(MOST);
        counts.truncate(MOST);
        let mut told: Vec<String> = counts
            .iter()
            .map(|(flag, calls)| format!("{flag} {calls} ({})", meaning(flag)))
            .collect();
        if more > 0 {
            told.push(counted(more, "further flag"));
        }
        (!told.is_empty()).then(|| {
            format!("calls whose client has reservations about its numbers: {}.", told.join(", "))
        })
    }
}

fn meaning(flag: &str) -> &'static str {
    if flag == "(other)" {
        return "not kept, of too many different words";
    }
    let known = MEANINGS.iter().find(|(known, _)| *known == flag);
    known.map_or("unknown to this version", |(_, meaning)| meaning)
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
    fn made_up_flags_do_not_fill_the_screen_and_count_once_for_a_call() {
        let mut lines = String::new();
        for n in 0..20 {
            let long = "x".repeat(200);
            lines += &format!("[weights][{n:016x}] client.done wall_ms=9.0 flags={n}{long},a,a\n");
        }
        let notices = notices(&Log::from_bytes(lines.as_bytes()));
        let [told] = &*notices else { panic!("{notices:?}") };
        assert!(told.contains(": a 20 (unknown to this version), 0xx"), "{told}");
        assert!(told.ends_with(", 13 further flags."), "{told}");
        assert!(told.len() < 2500, "{told}");
    }

    #[test]
    fn a_flag_that_had_no_room_has_no_meaning() {
        assert_eq!(meaning("(other)"), "not kept, of too many different words");
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
