//! A line for each call that has ended.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use firstbyte_analysis::{json as to, live::Finished};
use firstbyte_core::Micros;
use serde_json::{Map, json};

use super::Shown;
use crate::{bars::plain, exit::Error};

/// Writes a notice where it is no result.
pub(super) fn notice(sentence: &str) {
    // There is no one left to tell if this fails.
    _ = writeln!(io::stderr(), "NOTICE: {sentence}");
}

pub(super) fn print(finished: &[Finished], as_json: bool) -> Result<Shown, Error> {
    let line = if as_json { json_line } else { text_line };
    let text: String = finished.iter().map(line).collect();
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Shown { is_closed: false }),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Shown { is_closed: true }),
        Err(error) => Err(Error::new(format!("cannot write the result: {error}"))),
    }
}

/// What is unknown is left out, as in the lines of a log.
fn text_line(call: &Finished) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_text(call, &mut out);
    out
}

fn write_text(call: &Finished, out: &mut String) -> fmt::Result {
    write!(out, "{}", plain(&call.id))?;
    for (key, text) in [("op", &call.operation), ("target", &call.target)] {
        if let Some(text) = text {
            write!(out, " {key}={}", plain(text))?;
        }
    }
    for (key, time) in [("wall_ms", call.wall), ("rpc_ms", call.rpc), ("queue_ms", call.queue)] {
        if let Some(time) = time {
            write!(out, " {key}={time}")?;
        }
    }
    if let Some((part, time)) = call.largest {
        write!(out, " largest={part} largest_ms={time}")?;
    }
    writeln!(out, " {}", plain(&call.ending))
}

fn json_line(call: &Finished) -> String {
    let ms = |time: Option<Micros>| time.map(Micros::as_millis_f64);
    let mut parts = Map::new();
    for (name, time, _) in &call.pieces {
        parts.insert((*name).to_owned(), time.as_millis_f64().into());
    }
    to::line(&json!({
        "id": call.id, "op": call.operation, "target": call.target, "ok": call.is_done, "end": call.ending,
        "wall": ms(call.wall), "rpc": ms(call.rpc), "queue": ms(call.queue),
        "largest": call.largest.map(|(part, _)| part), "parts": parts,
    }))
}
