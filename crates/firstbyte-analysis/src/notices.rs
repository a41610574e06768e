//! What a reader has to know before any number is believed.

use crate::correlate::{Log, Offset, offsets};

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
    let broken = log.broken().iter();
    notices.extend(broken.map(|why| format!("{why}; what was read until then counts.")));
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
    notices.extend(offsets(log).iter().map(|offset| apart(log, offset)));
    notices
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
