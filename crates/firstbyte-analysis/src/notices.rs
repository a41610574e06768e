//! What a reader has to know before any number is believed.

mod flags;

use self::flags::Flags;
use crate::{
    correlate::{Call, ClientHalf, Log, Offset, Offsets},
    ingest::Reason,
    measure::Window,
};

/// Sentences on lines left out, values taken as unknown, and clocks that do not compare; none if all is well.
///
/// Names of files stand in them as they are: whoever shows a sentence escapes it.
#[must_use]
pub fn notices(log: &Log) -> Vec<String> {
    let mut notices = Vec::new();
    if log.over_limit() > 0 {
        notices.push(format!(
            "{} lines are of traces beyond those that are kept and count nowhere below; see --max-traces.",
            log.over_limit()
        ));
    }
    notices.extend(log.unread().iter().map(|why| left_out(why)));
    notices.extend(log.broken().iter().map(|why| cut_short(why)));
    let other_version = log.tally().skipped_by(Reason::OtherVersion);
    if other_version > 0 {
        notices.push(format!(
            "{other_version} JSON lines are of another version of the schema and count nowhere below; read them with the \
             firstbyte that wrote them, or a newer one."
        ));
    }
    if log.tally().torn > 0 {
        notices.push(torn(log.tally().torn));
    }
    if log.tally().misfits > 0 {
        notices.push(format!(
            "a value that is none, such as NaN for a duration, is taken as unknown; lines with one: {}.",
            log.tally().misfits
        ));
    }
    if log.timeline().over_limit() > 0 {
        notices.push(format!(
            "{} lines beside the calls are beyond those that are kept and count nowhere below; read fewer files at a \
             time.",
            log.timeline().over_limit()
        ));
    }
    if log.timeline().lost() > 0 {
        notices.push(format!(
            "events that were lost before they reached these logs, as their writers say: {}. What they would have told is \
             missing below; the lines '[firstbyte] dropped' have the reasons.",
            log.timeline().lost()
        ));
    }
    if log.has_other_words() {
        notices.push(
            "there are more different operations, servers, paths and errors than 65,000: further ones are one, (other)."
                .to_owned(),
        );
    }
    let doubts = Doubts::of(log);
    if doubts.impossible > 0 {
        notices.push(format!(
            "calls whose line tells a part that is longer than its wall, or a queue that is not wall - rpc: {}. Their numbers are \
             used as they stand, and no cause is told of them; look at who measures rpc.",
            doubts.impossible
        ));
    }
    if doubts.unheard_of > 0 {
        notices.push(format!(
            "calls that were received before they were sent or after they had ended, on one clock: {}. The clock was set, the \
             moments are of two boots in one file, or an id was used twice; do not believe times across them.",
            doubts.unheard_of
        ));
    }
    notices.extend(doubts.flags.told(log));
    notices.extend(doubts.offsets.finish().iter().map(|offset| apart(log, offset)));
    notices
}

/// The same, of the calls within a window.
#[must_use]
pub fn notices_within(log: &Log, window: Window) -> Vec<String> {
    let mut notices = notices(log);
    notices.extend(window.untold(log));
    notices.extend(window.notice(log));
    notices
}

/// What is doubtful in the calls, which are gone through once: they are many.
#[derive(Default)]
struct Doubts {
    impossible: u64,
    unheard_of: u64,
    flags: Flags,
    offsets: Offsets,
}

impl Doubts {
    fn of(log: &Log) -> Self {
        let stretches = log.stretches(|calls| {
            let mut doubts = Self::default();
            calls.for_each(|call| doubts.take(log, &call));
            doubts
        });
        stretches.into_iter().reduce(Self::join).unwrap_or_default()
    }

    fn take(&mut self, log: &Log, call: &Call<'_>) {
        self.impossible += u64::from(call.client.is_some_and(ClientHalf::is_impossible));
        self.unheard_of += u64::from(call.has_impossible_moments());
        self.flags.take(call);
        self.offsets.take(log, call);
    }

    fn join(mut self, others: Self) -> Self {
        self.impossible += others.impossible;
        self.unheard_of += others.unheard_of;
        self.flags.join(others.flags);
        self.offsets.join(others.offsets);
        self
    }
}

/// What is said of so many last lines without a line feed.
#[must_use]
pub fn torn(lines: u64) -> String {
    format!(
        "files that end in the middle of a line: {lines}. It may be torn, so its last word is not taken."
    )
}

/// What is said of a file of which nothing could be read.
#[must_use]
pub fn left_out(why: &str) -> String {
    format!("{why}; nothing of it counts.")
}

/// What is said of a file that could not be read to its end.
#[must_use]
pub fn cut_short(why: &str) -> String {
    format!("{why}; what was read until then counts.")
}

fn apart(log: &Log, offset: &Offset) -> String {
    let name = |source: u32| &log.sources()[source as usize].name;
    let ms = |nanos: Option<i128>| {
        nanos.map_or("unknown".to_owned(), |nanos| format!("{:.3} ms", nanos as f64 / 1e6))
    };
    let is_empty = offset.least.zip(offset.most).is_some_and(|(least, most)| least > most);
    format!(
        "{} and {} are not known to share a clock, so their moments are not compared. By causality the second is \
         ahead by at least {} and at most {} (n {}).{}",
        name(offset.client),
        name(offset.server),
        ms(offset.least),
        ms(offset.most),
        offset.calls,
        if is_empty { " That cannot be: a clock was set, or there are more than two." } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_before_its_cause_is_told() {
        let told = |received: &str| {
            notices(&Log::from_bytes(
                format!(
                    "[weights][aa] client.send url=http://h/x t=5.0\n[weights][aa] server.recv path=/x t={received}\n"
                )
                .as_bytes(),
            ))
        };
        assert!(
            told("4.9")[0].contains(
                "received before they were sent or after they had ended, on one clock: 1"
            )
        );
        assert_eq!(told("5.1"), [""; 0]);
    }

    #[test]
    fn what_writers_have_lost_is_told() {
        let dropped = |count: i64| format!("[firstbyte] dropped count={count} reason=queue_full\n");
        let lines = dropped(7) + &dropped(3) + &dropped(-1);
        let told = notices(&Log::from_bytes(lines.as_bytes()));
        assert!(told[0].ends_with(
            "as their writers say: 10. What they would have told is missing below; the lines '[firstbyte] dropped' have \
             the reasons."
        ));
    }

    #[test]
    fn a_part_that_is_longer_than_the_whole_is_told() {
        let told = |line: &str| notices(&Log::from_bytes(line.as_bytes())).len();
        assert_eq!(told("[weights][aa] client.done wall_ms=5.0 rpc_ms=50.0\n"), 1);
        assert_eq!(told("[weights][aa] client.done wall_ms=5.0 rpc_ms=1.0 pool_ms=9.0\n"), 1);
        let longest = "[weights][aa] client.done wall_ms=18446744073709551.6 rpc_ms=1.0\n";
        assert_eq!(told(longest), 0);
        // Each is rounded alone.
        assert_eq!(told("[weights][aa] client.done wall_ms=5.0 rpc_ms=5.1 queue_ms=0.0\n"), 0);
    }
}
