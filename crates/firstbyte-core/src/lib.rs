//! The event model of firstbyte: where did each millisecond of a control-plane call go?
//!
//! Everything else stands on this crate: ids ([`TraceId`]), the clock ([`Clock`]), events and their
//! [schema], the [text] and [JSON](json) lines, [headers](header), the split of wall time
//! ([`PhaseTimer`], [`Split`]), the table of control routes ([`RouteTable`]) and the [`Recorder`].
//! It knows no HTTP stack, no async runtime and no Python.
//!
//! ```
//! use std::time::Duration;
//!
//! use firstbyte_core::{Event, Micros, Recorder, TraceId, field, record, recorder::MemorySink, text};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sink = MemorySink::new();
//! let recorder = Recorder::builder().sink(sink.clone()).build()?;
//! let event = Event::new(&record::RPC_DONE, recorder.clock().now())
//!     .trace_id(TraceId::random())
//!     .with(field::OP, "update_weights")
//!     .with(field::RPC, Micros(233_200));
//! recorder.record(&event); // never blocks, never fails
//! recorder.flush(Duration::from_secs(1));
//!
//! let line = &sink.lines()[0]; // [weights][...] rpc.done op=update_weights t=... rpc_ms=233.2
//! let parsed = text::parse(line.as_bytes()).expect("a line of firstbyte");
//! assert_eq!(parsed.micros("rpc_ms"), Some(Micros(233_200)));
//! # Ok(())
//! # }
//! ```
//!
//! Durations are whole microseconds ([`Micros`]), moments nanoseconds of the monotonic clock
//! ([`Timestamp`]); text lines round durations to tenths of a millisecond. Recording an event takes 10
//! to 20 ns; a thread of the recorder formats and writes.
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
