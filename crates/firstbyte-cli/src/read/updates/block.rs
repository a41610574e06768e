//! One update, whole.

use std::fmt::{self, Write as _};

use firstbyte_analysis::{
    counted,
    updates::{Bounds, Kind, PathStage, ServerUpdate, Stage, State, Update},
};
use firstbyte_core::{Micros, Timestamp};

use crate::bars::plain;

/// So many servers and links of a path are printed.
const SHOWN: usize = 12;

pub(super) fn write(number: usize, update: &Update<'_>, out: &mut String) -> fmt::Result {
    let step = update.step.map_or(String::new(), |step| format!(", step {step}"));
    let at = update.begin().map_or(String::new(), |at| format!(", t={}", seconds(at)));
    let servers = counted(update.servers.len(), "server");
    writeln!(
        out,
        "\nupdate {number}{step}{at}, trace {}: {}, {servers}, {}",
        plain(&update.id),
        match update.begin() {
            Some(_) => duration(update) + " ms",
            None => "duration unknown".to_owned(),
        },
        state(update.state())
    )?;
    if update.begin().is_none() {
        writeln!(
            out,
            "  its calls are of several clocks: no moment of one is compared with another's"
        )?;
    }
    write_servers(update, out)?;
    write_straggler(update, out)?;
    write_path(update, out)?;
    write_checkpoint(update, out)
}

fn write_servers(update: &Update<'_>, out: &mut String) -> fmt::Result {
    for server in update.servers.iter().take(SHOWN) {
        let stages: Vec<_> = server.stages().iter().map(stage).collect();
        let paused =
            server.paused().map_or(String::new(), |time| format!("; paused {}", bounds(time)));
        let state = match server.state() {
            State::Complete => String::new(),
            other => format!("; {}", self::state(other)),
        };
        writeln!(out, "  {}: {}{paused}{state}", plain(&server.target), stages.join(", "))?;
    }
    let more = update.servers.len().saturating_sub(SHOWN);
    if more > 0 {
        let is_not = |server: &&ServerUpdate<'_>| server.state() != State::Complete;
        let not = update.servers.iter().skip(SHOWN).filter(is_not).count();
        writeln!(
            out,
            "  and {} more, {not} of them not complete; --json has all of them",
            counted(more, "server")
        )?;
    }
    Ok(())
}

fn stage(stage: &Stage<'_>) -> String {
    let mut text = format!("{} ", plain(stage.op));
    if stage.calls > 1 {
        // Writing to a string cannot fail.
        _ = match stage.retries {
            0 => write!(text, "x{} ", stage.calls),
            retries => write!(text, "x{} ({retries} retried) ", stage.calls),
        };
    }
    let took = stage.took.map_or("without an end".to_owned(), |took| format!("{took} ms"));
    text + &took + if stage.is_ok || stage.took.is_none() { "" } else { " FAILED" }
}

fn write_straggler(update: &Update<'_>, out: &mut String) -> fmt::Result {
    if let Some(straggler) = update.straggler() {
        writeln!(
            out,
            "  straggler: {}, done {} ms after the median of the others (n {})",
            plain(straggler.target),
            straggler.behind,
            straggler.servers - 1
        )?;
    }
    match update.barrier() {
        Some(barrier) if update.servers.len() > 1 => writeln!(
            out,
            "  barrier cost: {} server-ms, paused and done but waiting for the slowest (n {})",
            barrier.cost, barrier.servers
        ),
        _ => Ok(()),
    }
}

fn write_path(update: &Update<'_>, out: &mut String) -> fmt::Result {
    if update.begin().is_none() {
        return Ok(());
    }
    let Some(path) = update.critical_path() else {
        return writeln!(out, "  critical path: unknown, as an end is");
    };
    let stages = path.stages();
    let mut told: Vec<_> = stages.iter().take(SHOWN).map(path_stage).collect();
    if stages.len() > SHOWN {
        told.push(format!("{} more", stages.len() - SHOWN));
    }
    writeln!(out, "  critical path: {}", told.join(" -> "))?;
    let split = path.split();
    let parts = [
        ("rpc", split.rpc),
        ("queue", split.queue),
        ("orchestrator", split.gap),
        ("calls without rpc", split.unsplit),
    ];
    let total = path.total().0.max(1) as f64;
    let there = parts.iter().filter(|(_, time)| time.0 > 0);
    let told: Vec<_> = there
        .map(|(name, time)| format!("{name} {time} ms ({:.1} %)", time.0 as f64 / total * 100.0))
        .collect();
    writeln!(out, "    = {}", told.join(" + "))
}

fn path_stage(stage: &PathStage<'_>) -> String {
    let gap = stage.split.gap;
    let gap = if gap.0 > 0 { format!("orchestrator {gap} ms -> ") } else { String::new() };
    let times = if stage.calls > 1 { format!("x{} ", stage.calls) } else { String::new() };
    let target = plain(stage.target.unwrap_or("(unknown)"));
    format!("{gap}{} on {target} {times}{} ms", plain(stage.op), stage.took())
}

fn write_checkpoint(update: &Update<'_>, out: &mut String) -> fmt::Result {
    let checkpoint = update.checkpoint;
    let wait = checkpoint.wait.map(|wait| format!("waited for {wait} ms"));
    let write = checkpoint.write.map(|write| {
        let bytes = checkpoint.bytes.map_or(String::new(), |bytes| format!(" for {bytes} bytes"));
        format!("written in {write} ms{bytes}")
    });
    let told: Vec<_> = wait.into_iter().chain(write).collect();
    if told.is_empty() {
        return Ok(());
    }
    writeln!(out, "  checkpoint of this step: {}", told.join(", "))
}

pub(super) fn seconds(at: Timestamp) -> String {
    format!("{:.6}", at.as_nanos() as f64 / 1e9)
}

/// The duration, or what it is at least.
pub(super) fn duration(update: &Update<'_>) -> String {
    match (update.duration(), update.at_least()) {
        (Some(duration), _) => duration.to_string(),
        (None, Some(least)) => format!(">{least}"),
        (None, None) => "-".to_owned(),
    }
}

fn bounds(time: Bounds) -> String {
    match (time.exact(), time.most) {
        (Some(time), _) => format!("{time} ms"),
        (None, Some(most)) => format!("between {} and {most} ms", time.least),
        (None, None) => format!("at least {} ms", time.least),
    }
}

pub(super) fn or_dash(time: Option<Micros>) -> String {
    time.map_or("-".to_owned(), |time| time.to_string())
}

/// What needs somebody's attention is in capitals.
pub(super) fn state(state: State) -> String {
    match state {
        State::NotResumed | State::Failed => state.as_str().to_uppercase(),
        state => state.as_str().to_owned(),
    }
}

/// The word for what a call does.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Pause => "pause",
        Kind::Start => "start",
        Kind::Load => "load",
        Kind::Finish => "finish",
        Kind::Resume => "resume",
        _ => "other",
    }
}
