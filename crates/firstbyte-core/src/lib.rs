//! The event model of firstbyte: where did each millisecond of a control-plane call go?
//!
//! Everything else stands on this crate: ids ([`TraceId`]), the clock ([`Clock`]), events and their
//! [schema], the [text] and [JSON](json) lines, [headers](header), the split of wall time
//! ([`PhaseTimer`], [`Split`]), the table of control routes ([`RouteTable`]) and the [`Recorder`].
//! It knows no HTTP stack, no async runtime and no Python.
#![forbid(unsafe_code)]

mod arrival;
mod clock;
mod engine_time;
mod event;
pub mod header;
pub mod json;
mod parsed;
mod phases;
mod process;
pub mod recorder;
mod redact;
mod route;
pub mod schema;
mod target;
pub mod text;
mod trace_id;

pub use self::{
    arrival::{Arrival, ArrivalSource, Transport},
    clock::{Clock, Micros, Timestamp},
    engine_time::EngineTime,
    event::{Event, MAX_TEXT, Store, Value},
    parsed::{Parsed, ParsedValue, Skipped},
    phases::{Flags, Phase, PhaseTimer, Phases, ReportedRpc, Split},
    process::Process,
    recorder::Recorder,
    redact::redact_url,
    route::{Dialect, Route, RouteError, RouteTable},
    schema::{Tag, field, record},
    target::target,
    trace_id::{InvalidTraceId, TraceId},
};
