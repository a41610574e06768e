//! `firstbyte trace`: one id, all its calls, on an axis of time.

use std::fmt::{self, Write as _};

use firstbyte_analysis::{
    Call, Log,
    correlate::{ClientEnd, ClientHalf, Server},
    measure::Metric,
};
use firstbyte_core::{Micros, Phase};

use super::{Inputs, preface};
use crate::{
    bars::{self, Bar, CLIENT, SERVER, Style, UNKNOWN, plain},
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte trace c598a271866a1d9c orchestrator.log server.log
  firstbyte trace c598a271866a1d9c 'logs/*.log'";

/// Shows the calls of one trace id: client, kernel, server and engine on one axis
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// The trace id, as it stands in the second brackets of a line
    id: String,
    #[command(flatten)]
    inputs: Inputs,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let log = args.inputs.read()?;
    let calls: Vec<_> = log.calls().filter(|call| call.id() == args.id).collect();
    if calls.is_empty() {
        return Err(Error::new(format!(
            "no call has the id {} ({}); 'firstbyte slowest' lists ids",
            plain(&args.id),
            log.tally()
        )));
    }
    exit::print(render(&log, &calls, &Style::of_stdout()))?;
    Ok(Exit::Ok)
}

fn render(log: &Log, calls: &[Call<'_>], style: &Style) -> String {
    let mut out = preface(log);
    for call in calls {
        // Writing to a string cannot fail.
        _ = write_call(call, style, &mut out);
    }
    out
}

fn write_call(call: &Call<'_>, style: &Style, out: &mut String) -> fmt::Result {
    write!(out, "\n{}", plain(call.operation().unwrap_or("(unknown operation)")))?;
    if let Some(target) = call.target() {
        write!(out, " on {}", plain(target))?;
    }
    if let Some(attempt) = call.client.and_then(|half| half.attempt) {
        write!(out, ", attempt {attempt}")?;
    }
    writeln!(out, ": {}", ending(call))?;
    let told = |metric: Metric| metric.of(call);
    match (told(Metric::Wall), told(Metric::Rpc), told(Metric::Queue)) {
        (Some(wall), Some(rpc), Some(queue)) => {
            writeln!(out, "wall {wall} ms = rpc {rpc} + queue {queue}")?;
        }
        (Some(wall), ..) => writeln!(out, "wall {wall} ms, rpc and queue unknown")?,
        (None, Some(rpc), _) => {
            writeln!(out, "rpc {rpc} ms; the client's half is not in these logs")?;
        }
        (None, None, _) => writeln!(out, "no duration is known")?,
    }
    if let Some(wall) = told(Metric::Wall) {
        writeln!(out)?;
        bars::write(&rows(call), wall, style, out)?;
    }
    write_server(call, out)
}

fn ending(call: &Call<'_>) -> String {
    let name = |name| plain(call.name(name));
    match call.client.map(|half| (half.end, half.status)) {
        None => "the client's half is missing".to_owned(),
        Some((ClientEnd::Done, Some(status))) => format!("status {status}"),
        Some((ClientEnd::Done, None)) => "done".to_owned(),
        Some((ClientEnd::Failed { outcome, phase, error }, _)) => {
            let word = |word: Option<_>| word.map_or("unknown".to_owned(), name);
            format!("failed in {}: {}, outcome {}", word(phase), word(error), word(outcome))
        }
        _ => "it has no end in these logs".to_owned(),
    }
}

fn rows(call: &Call<'_>) -> Vec<Bar> {
    let Some(client) = call.client else { return Vec::new() };
    let mut rows = Vec::new();
    let mut start = Micros(0);
    for phase in Phase::ALL {
        let Some(length) = client.phase(phase) else { continue };
        rows.push(Bar { name: phase.as_str(), inner: false, start, length, colour: CLIENT });
        if phase == Phase::Wait {
            rows.extend(inside_the_wait(call, client, start));
        }
        start = start + length;
    }
    if rows.is_empty()
        && let (Some(rpc), Some(queue)) = (Metric::Rpc.of(call), Metric::Queue.of(call))
    {
        // All that is known: where the queue really was, before the engine or after it, is not.
        rows.push(Bar { name: "queue", inner: false, start, length: queue, colour: UNKNOWN });
        rows.push(Bar { name: "rpc", inner: false, start: queue, length: rpc, colour: SERVER });
    }
    rows
}

/// The parts of the wait. What is a residual comes first: nobody knows where it really was.
fn inside_the_wait(call: &Call<'_>, client: &ClientHalf, wait_start: Micros) -> Vec<Bar> {
    let mut start = wait_start;
    let engine = |metric: Metric| metric.of(call).filter(|_| client.rpc().is_some());
    let parts = [
        ("unattributed", client.server(Server::Unattributed), UNKNOWN),
        ("network", client.server(Server::Network), UNKNOWN),
        ("kernel", client.server(Server::Kernel), SERVER),
        ("handler", client.server(Server::Handler), SERVER),
        ("rpc", client.rpc(), SERVER),
        ("respond", client.server(Server::Respond), SERVER),
    ];
    let mut bars = Vec::new();
    for (name, length, colour) in parts {
        let Some(length) = length else { continue };
        bars.push(Bar { name, inner: true, start, length, colour });
        if name == "rpc" {
            let mut within = start;
            for (name, metric) in [("  queue", Metric::EngineQueue), ("  exec", Metric::EngineExec)]
            {
                let Some(length) = engine(metric) else { continue };
                bars.push(Bar { name, inner: true, start: within, length, colour: SERVER });
                within = within + length;
            }
        }
        start = start + length;
    }
    bars
}

/// What only the server's own lines say.
fn write_server(call: &Call<'_>, out: &mut String) -> fmt::Result {
    let Some(server) = call.server else {
        return writeln!(out, "\nno line of the server has this call");
    };
    writeln!(out)?;
    if let Some(until) = call.until_received() {
        writeln!(out, "{until} ms from client.send to server.recv, on one clock")?;
    }
    let said = [
        ("kernel", server.kernel()),
        ("loop_lag", server.loop_lag()),
        ("handler", server.handler()),
        ("rpc", server.rpc()),
        ("whole exchange", server.duration()),
    ];
    let said: Vec<String> =
        said.into_iter().filter_map(|(name, time)| Some(format!("{name} {} ms", time?))).collect();
    write!(
        out,
        "the server says: {}",
        if said.is_empty() { "no time".to_owned() } else { said.join(", ") }
    )?;
    if let Some(in_flight) = server.in_flight {
        write!(out, ", {in_flight} requests in progress")?;
    }
    let word = |name| plain(call.name(name));
    if let Some(outcome) = server.outcome.map(word) {
        write!(out, ", outcome {outcome}")?;
    }
    if let Some(error) = server.error.map(word) {
        write!(out, ", error {error}")?;
    }
    writeln!(out)
}
