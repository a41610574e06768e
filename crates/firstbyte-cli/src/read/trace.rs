//! `firstbyte trace`: one id, all its calls, on an axis of time.

use std::fmt::{self, Write as _};

use firstbyte_analysis::{Call, Log, counted, measure::Metric, waterfall::rows};

use super::{Inputs, end, preface};
use crate::{
    bars::{self, Style, plain},
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
        let unread: String = log.unread().iter().map(|why| format!("\n{why}")).collect();
        return Err(Error::new(format!(
            "no call has the id {} ({}); 'firstbyte slowest' lists ids{unread}",
            plain(&args.id),
            log.tally()
        )));
    }
    exit::print(render(log, &calls, &Style::of_stdout()))?;
    end(Exit::Ok, &[log])
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
    writeln!(out, ": {}", plain(&call.ending()))?;
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

/// What only the server's own lines say.
fn write_server(call: &Call<'_>, out: &mut String) -> fmt::Result {
    let Some(server) = call.server else {
        return writeln!(out, "\nno line of the server has this call");
    };
    writeln!(out)?;
    if let Some(until) = call.until_received() {
        writeln!(out, "{until} ms from client.send to server.recv, on one clock")?;
    }
    if let Some(proxy) = server.proxy() {
        writeln!(
            out,
            "{proxy} ms from the proxy to server.recv, on the wall clocks of both, which may differ"
        )?;
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
    if let Some(in_flight) = server.in_flight() {
        write!(out, ", {} in progress", counted(in_flight, "request"))?;
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
