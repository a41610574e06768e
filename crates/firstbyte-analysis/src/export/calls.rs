//! The columns of a call, declared once: every table is written from this.

use firstbyte_core::Phase;

use super::column::{Column, Kind, Value, file};
use crate::{
    correlate::{Call, ClientEnd, ClientHalf, Name, Server, ServerHalf},
    measure::Metric,
};

/// How a call ended, as a word. Without the client's half nobody knows what became of it.
pub(super) fn outcome<'a>(call: &Call<'a>) -> Option<&'a str> {
    Some(match call.client?.end {
        ClientEnd::Done if call.failed() => "failed",
        ClientEnd::Done => "ok",
        ClientEnd::Open => "open",
        ClientEnd::Failed { .. } => call.client_fail()?.outcome,
    })
}

/// The phase in which it failed, and the class of the error.
pub(super) fn failure(call: &Call<'_>) -> (Option<Name>, Option<Name>) {
    match call.client.map(|half| half.end) {
        Some(ClientEnd::Failed { phase, error, .. }) => (phase, error),
        _ => (None, None),
    }
}

/// The status that the client was told, or else that the server says.
pub(super) fn status(call: &Call<'_>) -> Option<u16> {
    call.client.and_then(|half| half.status).or(call.server.and_then(|half| half.status))
}

/// The path of the request: as the client says, or else the server.
pub(super) fn path<'a>(call: &Call<'a>) -> Option<&'a str> {
    let path = call.client.and_then(|half| half.path).or(call.server.and_then(|half| half.path));
    path.map(|path| call.name(path))
}

fn named<'a>(call: &Call<'a>, name: Option<Name>) -> Option<Value<'a>> {
    Value::word(call.name(name?))
}

macro_rules! metric {
    ($name:literal, $metric:expr, $doc:literal) => {
        Column::call($name, Kind::Micros, $doc, |_, call| Value::micros($metric.of(call)))
    };
}

macro_rules! moment {
    ($name:literal, $half:ident.$moment:ident $(($($called:tt)*))?, $doc:literal) => {
        Column::call($name, Kind::MonotonicNanos, $doc, |_, call| {
            Value::monotonic(call.$half?.$moment $(($($called)*))?)
        })
    };
}

pub(super) const CALLS: &[Column] = &[
    Column::call("trace_id", Kind::Text, "Trace id, as it stands in the lines.", |_, call| {
        Some(Value::Text(call.id().into()))
    }),
    Column::call("tag", Kind::Text, "`weights`, or `admin` for other control calls.", |_, call| {
        Value::word(if call.is_admin() { "admin" } else { "weights" })
    }),
    Column::call(
        "halves",
        Kind::Text,
        "Whose lines are there: `both`, `client` or `server`.",
        |_, call| {
            Value::word(match (call.client, call.server) {
                (Some(_), Some(_)) => "both",
                (Some(_), None) => "client",
                (None, _) => "server",
            })
        },
    ),
    Column::call(
        "op",
        Kind::Text,
        "Operation; of lines without it the end of the path.",
        |_, call| Value::word(call.operation()?),
    ),
    Column::call("path", Kind::Text, "Path of the request.", |_, call| Value::word(path(call)?)),
    Column::call(
        "target",
        Kind::Text,
        "Host and port, and the path of the base URL, if it has one, as the client says.",
        |_, call| Value::word(call.target()?),
    ),
    Column::call("attempt", Kind::Count, "Number of the attempt, from 1.", |_, call| {
        call.client?.attempt.map(Value::int)
    }),
    Column::call("step", Kind::Count, "Training step.", |_, call| {
        call.client?.step().map(Value::int)
    }),
    Column::call(
        "status",
        Kind::Count,
        "HTTP status code: as the client was told, or else as the server says.",
        |_, call| status(call).map(Value::int),
    ),
    Column::call(
        "outcome",
        Kind::Text,
        "`ok`, `open` (no end in these logs), `failed` (a status that is not 2xx, or the server says so), or the `outcome=` of `client.fail`, `unknown` if it tells none; null without the client's half.",
        |_, call| Value::word(outcome(call)?),
    ),
    Column::call("failed_phase", Kind::Text, "Phase in which it failed.", |_, call| {
        named(call, failure(call).0)
    }),
    Column::call("error", Kind::Text, "Class of the client's error.", |_, call| {
        named(call, failure(call).1)
    }),
    Column::call(
        "flags",
        Kind::Text,
        "Reservations of the client about its numbers, separated by commas.",
        |_, call| named(call, call.client?.flags()),
    ),
    Column::call("server_outcome", Kind::Text, "The `outcome=` of `server.done`.", |_, call| {
        named(call, call.server?.outcome)
    }),
    Column::call("server_error", Kind::Text, "Class of the engine call's error.", |_, call| {
        named(call, call.server?.error)
    }),
    moment!("sent_t_ns", client.sent_at, "`client.send`."),
    Column::call("sent_unix_ns", Kind::UnixNanos, "`client.send`.", |log, call| {
        let client = call.client?;
        Value::unix(log, client.source, client.sent_at)
    }),
    moment!("recv_t_ns", server.recv_at, "`server.recv`."),
    Column::call("recv_unix_ns", Kind::UnixNanos, "`server.recv`.", |log, call| {
        let server = call.server?;
        Value::unix(log, server.source, server.recv_at)
    }),
    moment!("rpc_start_t_ns", server.rpc_started_at(), "The first `rpc.start`."),
    moment!("rpc_done_t_ns", server.rpc_done_at(), "The last `rpc.done`."),
    moment!("first_byte_t_ns", server.first_byte_at, "`server.first_byte`."),
    moment!("server_done_t_ns", server.done_at, "`server.done`."),
    metric!(
        "wall_us",
        Metric::Wall,
        "From the call of the client to the last byte of the response, or to the failure."
    ),
    metric!("queue_us", Metric::Queue, "wall - rpc: everything that was not the engine."),
    metric!("rpc_us", Metric::Rpc, "The engine's work: from `rpc.start` to `rpc.done`."),
    metric!("setup_us", Metric::Phase(Phase::Setup), "Building the client and the request."),
    metric!(
        "pool_us",
        Metric::Phase(Phase::Pool),
        "Waiting for a connection of the client's pool."
    ),
    metric!("dns_us", Metric::Phase(Phase::Dns), "Resolving the host name."),
    metric!("connect_us", Metric::Phase(Phase::Connect), "TCP handshake."),
    metric!("tls_us", Metric::Phase(Phase::Tls), "TLS handshake."),
    metric!(
        "send_us",
        Metric::Phase(Phase::Send),
        "From the connection being ready to the last request byte in the kernel."
    ),
    metric!(
        "wait_us",
        Metric::Phase(Phase::Wait),
        "From the last request byte to the first response byte."
    ),
    metric!(
        "receive_us",
        Metric::Phase(Phase::Receive),
        "From the first to the last response byte."
    ),
    metric!(
        "kernel_us",
        Metric::Server(Server::Kernel),
        "From the request's arrival at the server's kernel to `server.recv`."
    ),
    metric!("handler_us", Metric::Server(Server::Handler), "From `server.recv` to `rpc.start`."),
    metric!("respond_us", Metric::Server(Server::Respond), "From `rpc.done` to the response head."),
    metric!(
        "network_us",
        Metric::Server(Server::Network),
        "A residual: what remains of wait when kernel and server time are known."
    ),
    metric!(
        "unattributed_us",
        Metric::Server(Server::Unattributed),
        "A residual: what remains of wait without a name."
    ),
    metric!(
        "resume_us",
        Metric::Resume,
        "From the end of the call to the caller's code going on; no part of wall."
    ),
    metric!(
        "loop_lag_us",
        Metric::LoopLag,
        "How late the server's event loop was at `server.recv`."
    ),
    Column::call(
        "proxy_us",
        Kind::Micros,
        "From a proxy to `server.recv` on the wall clocks of both, which may differ; no part of wall.",
        |_, call| Value::micros(call.server.and_then(ServerHalf::proxy)),
    ),
    metric!(
        "engine_queue_us",
        Metric::EngineQueue,
        "From the call being sent to the engine beginning with it; part of rpc."
    ),
    metric!(
        "engine_exec_us",
        Metric::EngineExec,
        "The engine's work on the call itself; part of rpc."
    ),
    Column::call(
        "server_dur_us",
        Kind::Micros,
        "From `server.recv` to `server.done`.",
        |_, call| Value::micros(call.server.and_then(ServerHalf::duration)),
    ),
    Column::call(
        "until_received_us",
        Kind::Micros,
        "From `client.send` to `server.recv`, if both are on one clock.",
        |_, call| Value::micros(call.until_received()),
    ),
    Column::call(
        "inflight",
        Kind::Count,
        "Requests in progress on the server at `server.recv`, this one not counted.",
        |_, call| call.server?.in_flight().map(Value::int),
    ),
    Column::call("client_file", Kind::Text, "File of the client's half.", |log, call| {
        Value::word(file(log, call.client.map(|half: &ClientHalf| half.source)?))
    }),
    Column::call("server_file", Kind::Text, "File of the server's half.", |log, call| {
        Value::word(file(log, call.server?.source))
    }),
];
