//! Listener and IO wrappers for hyper: accept time, first byte on the wire, kernel arrival.
//!
//! A server logs a request when its code gets to run. By then the request may have waited: in the
//! accept queue, because nobody accepted, or in the socket, because the event loop was busy. That
//! time belongs to the server, though no middleware can see it; the kernel can.
//!
//! ```text
//! client sends      kernel has it                      read            handler
//!      |--- network ---|------------- kernel ------------|-- parse, queue --|
//!                             accepted ^                 ^ first_byte       ^ server.recv
//! ```
//!
//! - [`TracedListener`] accepts connections and asks the kernel to stamp what they receive.
//! - [`TracedIo`] reads and writes like the stream that it wraps, and notes when requests begin.
//! - `trace_connections` for `axum::serve`, or [`WithTransport`] for plain hyper, puts a
//!   [`Transport`](firstbyte_core::Transport) into every request; its
//!   [`Arrival`](firstbyte_core::Arrival) tells `accepted`, `first_byte` and `kernel`.
//! - [`tcp`] is what the kernel knows of a connection, for either end.
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```text")]
//! use axum::{Extension, Router, routing::post};
//! use firstbyte_core::{Clock, Transport};
//! use firstbyte_net::{TracedListener, trace_connections};
//!
//! async fn pause(Extension(transport): Extension<Transport>) -> String {
//!     let arrival = transport.arrival();
//!     format!("lay in the kernel for {:?}", arrival.kernel)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = TracedListener::bind("127.0.0.1:8000", Clock::system()).await?;
//! let router = Router::new().route("/pause", post(pause));
//! axum::serve(listener, trace_connections(router)).await
//! # }
//! ```
//!
//! # The kernel interval
//!
//! **Start:** the newest of the bytes that the request's first read returned reached this machine.
//! **End:** that read. So a request that came in several segments while nobody read counts from
//! the last of those: a lower bound, and never more than the truth.
//!
//! The source is a receive time stamp (`SO_TIMESTAMPNS`, precise to microseconds); where there is
//! none, or the wall clock was set meanwhile, it is `TCP_INFO`, to a jiffy of 1 to 10 ms. No root is
//! needed. The interval is **absent, not zero**, off Linux, on anything but TCP, on HTTP/2 (where
//! reads belong to the connection), for pipelined requests that were read along with an earlier one,
//! and whenever later bytes hide it.
//!
//! # Features
//!
//! `axum`: [`TracedListener`] as a listener of `axum::serve`, and `trace_connections`. `hyper`:
//! [`WithTransport`] as a service of plain hyper. Neither is on by default; [`tcp`] needs none.
#![deny(unsafe_code)]

#[cfg(feature = "axum")]
mod axum;
mod connection;
mod io;
mod listener;
mod stamp;
#[cfg(target_os = "linux")]
mod sys;
pub mod tcp;
mod transport;

#[cfg(feature = "axum")]
pub use self::axum::{TraceConnections, TraceConnectionsFuture, trace_connections};
pub use self::{
    connection::Connection, io::TracedIo, listener::TracedListener, transport::WithTransport,
};
