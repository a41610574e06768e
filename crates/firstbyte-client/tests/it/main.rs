//! The client against real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod cancel;
mod faults;
mod fleet;
mod held;
mod middleware;
mod paused;
mod phases;
mod policy;
mod pool;
mod rpc;
mod secrets;
mod support;
mod target;
mod tls;
mod transparency;
mod waiting;
