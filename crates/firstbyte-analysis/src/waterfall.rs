//! A call as rows on one axis of time, the same for every place that draws it.

use firstbyte_core::{Micros, Phase, Split};

use crate::{
    correlate::{Call, ClientHalf, Server},
    measure::Metric,
};

/// Whose time a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Side {
    /// The client measured it.
    Client,
    /// The server measured it.
    Server,
    /// What remains of a whole: nobody measured it, and where it really was is not known.
    Residual,
}

/// A row of a waterfall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The part of the call.
    pub name: &'static str,
    /// 0 for what wall is made of, 1 for what the wait is made of, 2 for what rpc is made of.
    pub depth: u8,
    /// Since the call began.
    pub start: Micros,
    /// How long it took.
    pub length: Micros,
    /// Whose time it is.
    pub side: Side,
}

/// The rows of a call of the logs; empty if no part of its time is known.
///
/// ```
/// use firstbyte_analysis::{Log, waterfall::rows};
///
/// let line = b"[weights][00f067aa0ba902b7] client.done wall_ms=30.0 rpc_ms=10.0 queue_ms=20.0\n";
/// let log = Log::from_bytes(line);
/// let call = log.calls().next().expect("one call");
/// let names: Vec<_> = rows(&call).iter().map(|row| row.name).collect();
/// assert_eq!(names, ["queue", "rpc"]);
/// ```
#[must_use]
pub fn rows(call: &Call<'_>) -> Vec<Row> {
    let Some(client) = call.client else { return Vec::new() };
    let rows = rows_of(|metric| told_to(client, call, metric));
    if !rows.is_empty() {
        return rows;
    }
    let (Some(rpc), Some(queue)) = (Metric::Rpc.of(call), Metric::Queue.of(call)) else {
        return Vec::new();
    };
    // All that is known: where the queue really was, before the engine or after it, is not.
    let row = |name, start, length, side| Row { name, depth: 0, start, length, side };
    vec![row("queue", Micros(0), queue, Side::Residual), row("rpc", queue, rpc, Side::Server)]
}

/// The rows of a call that was just made.
#[must_use]
pub fn rows_of_split(split: &Split) -> Vec<Row> {
    rows_of(|metric| match metric {
        Metric::Phase(phase) => split.phases.get(phase),
        Metric::Server(Server::Kernel) => split.kernel,
        Metric::Server(Server::Handler) => split.handler,
        Metric::Server(Server::Respond) => split.respond,
        Metric::Server(Server::Network) => split.network,
        Metric::Server(Server::Unattributed) => split.unattributed,
        Metric::Rpc => split.rpc,
        _ => None,
    })
}

/// What adds up to wall, each piece once: the phases, the wait by its parts as far as they are told. Of a call
/// without phases queue and rpc, of one without those its `wall`. Empty if wall is unknown.
#[must_use]
pub fn pieces(call: &Call<'_>) -> Vec<(&'static str, Micros, Side)> {
    let Some(wall) = Metric::Wall.of(call) else { return Vec::new() };
    let rows = rows(call);
    let inside: Micros = rows.iter().filter(|row| row.depth == 1).map(|row| row.length).sum();
    let mut pieces = Vec::with_capacity(rows.len().max(1));
    for row in rows.iter().filter(|row| row.depth < 2) {
        if row.name == Phase::Wait.as_str() {
            // Rounding of a tenth per part is no piece of its own.
            let rest = row.length.checked_sub(inside).filter(|rest| rest.0 > 500 || inside.0 == 0);
            pieces.extend(rest.map(|rest| (row.name, rest, Side::Residual)));
        } else {
            pieces.push((row.name, row.length, row.side));
        }
    }
    if pieces.is_empty() {
        pieces.push((Metric::Wall.as_str(), wall, Side::Residual));
    }
    pieces
}

/// The longest of the parts that wall is made of, as far as they are known: the wait by what it is made of. Of `queue` it is
/// what no other part explains.
#[must_use]
pub fn largest_part(call: &Call<'_>) -> Option<(Metric, Micros)> {
    let is_part = |metric: &Metric| match metric {
        Metric::Phase(phase) => *phase != Phase::Wait,
        Metric::Server(_) => true,
        _ => false,
    };
    let parts = Metric::all().into_iter().filter(is_part);
    let parts: Vec<_> = parts.filter_map(|part| Some((part, part.of(call)?))).collect();
    let explained: Micros = parts.iter().map(|(_, time)| *time).sum();
    let rest = call.queue().and_then(|queue| queue.checked_sub(explained));
    let whole = [(Metric::Queue, rest), (Metric::Rpc, call.rpc())];
    let whole = whole.into_iter().filter_map(|(metric, time)| Some((metric, time?)));
    whole.chain(parts).max_by_key(|(_, time)| *time)
}

/// What the client was told; the server's own lines are of another clock.
fn told_to(client: &ClientHalf, call: &Call<'_>, metric: Metric) -> Option<Micros> {
    match metric {
        Metric::Phase(phase) => client.phase(phase),
        Metric::Server(part) => client.server(part),
        Metric::Rpc => client.rpc(),
        metric => metric.of(call),
    }
}

fn rows_of(told: impl Fn(Metric) -> Option<Micros>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut start = Micros(0);
    for phase in Phase::ALL {
        let Some(length) = told(Metric::Phase(phase)) else { continue };
        rows.push(Row { name: phase.as_str(), depth: 0, start, length, side: Side::Client });
        if phase == Phase::Wait {
            inside_the_wait(&told, start, &mut rows);
        }
        start = start + length;
    }
    rows
}

/// The parts of the wait. What is a residual comes first: nobody knows where it really was.
fn inside_the_wait(
    told: &impl Fn(Metric) -> Option<Micros>,
    mut start: Micros,
    rows: &mut Vec<Row>,
) {
    let parts = [
        (Metric::Server(Server::Unattributed), Side::Residual),
        (Metric::Server(Server::Network), Side::Residual),
        (Metric::Server(Server::Kernel), Side::Server),
        (Metric::Server(Server::Handler), Side::Server),
        (Metric::Rpc, Side::Server),
        (Metric::Server(Server::Respond), Side::Server),
    ];
    for (metric, side) in parts {
        let Some(length) = told(metric) else { continue };
        rows.push(Row { name: metric.as_str(), depth: 1, start, length, side });
        if metric == Metric::Rpc {
            let mut within = start;
            for (name, metric) in [("queue", Metric::EngineQueue), ("exec", Metric::EngineExec)] {
                let Some(length) = told(metric) else { continue };
                rows.push(Row { name, depth: 2, start: within, length, side: Side::Server });
                within = within + length;
            }
        }
        start = start + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Log;

    fn pieces_of(fields: &str) -> Vec<(&'static str, u64)> {
        let line = format!("[weights][00f067aa0ba902b7] client.done {fields}\n");
        let log = Log::from_bytes(line.as_bytes());
        let call = log.calls().next().unwrap();
        pieces(&call).into_iter().map(|(name, time, _)| (name, time.0)).collect()
    }

    #[test]
    fn pieces_are_as_fine_as_the_line_and_add_up_to_wall() {
        assert_eq!(pieces_of("wall_ms=9.0"), [("wall", 9000)]);
        assert_eq!(
            pieces_of("wall_ms=9.0 rpc_ms=2.0 queue_ms=7.0"),
            [("queue", 7000), ("rpc", 2000)]
        );
        assert_eq!(
            pieces_of("wall_ms=9.0 setup_ms=1.0 wait_ms=8.0"),
            [("setup", 1000), ("wait", 8000)]
        );
        let told = pieces_of(
            "wall_ms=9.0 rpc_ms=2.0 queue_ms=7.0 pool_ms=1.0 wait_ms=8.0 kernel_ms=3.0 network_ms=1.0",
        );
        assert_eq!(
            told,
            [("pool", 1000), ("wait", 2000), ("network", 1000), ("kernel", 3000), ("rpc", 2000)]
        );
        assert_eq!(told.iter().map(|(_, time)| time).sum::<u64>(), 9000);
        assert_eq!(pieces_of("rpc_ms=2.0"), []);
    }

    #[test]
    fn the_largest_part_is_the_queue_where_nothing_else_is_told_of_it() {
        let largest = |fields: &str| {
            let line = format!("[weights][00f067aa0ba902b7] client.done {fields}\n");
            let log = Log::from_bytes(line.as_bytes());
            let (part, time) = largest_part(&log.calls().next().unwrap()).unwrap();
            (part.as_str(), time.0)
        };
        assert_eq!(largest("wall_ms=9.0 rpc_ms=2.0 queue_ms=7.0"), ("queue", 7000));
        assert_eq!(largest("wall_ms=9.0 rpc_ms=5.0 queue_ms=4.0"), ("rpc", 5000));
        let told = "wall_ms=9.0 rpc_ms=2.0 queue_ms=7.0 pool_ms=4.0 network_ms=1.0";
        assert_eq!(largest(told), ("pool", 4000));
    }

    #[test]
    fn parts_of_the_wait_lie_within_it() {
        let line = b"[weights][00f067aa0ba902b7] client.done wall_ms=9.0 rpc_ms=2.0 pool_ms=1.0 wait_ms=8.0 \
            kernel_ms=3.0 handler_ms=1.0 network_ms=2.0\n";
        let log = Log::from_bytes(line);
        let rows = rows(&log.calls().next().unwrap());
        let told: Vec<_> = rows.iter().map(|row| (row.name, row.depth, row.start.0)).collect();
        assert_eq!(
            told,
            [
                ("pool", 0, 0),
                ("wait", 0, 1000),
                ("network", 1, 1000),
                ("kernel", 1, 3000),
                ("handler", 1, 6000),
                ("rpc", 1, 7000)
            ]
        );
        assert_eq!(rows[2].side, Side::Residual);
    }
}
