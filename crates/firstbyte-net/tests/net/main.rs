//! The crate on real sockets.
// The lint's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod arrival;
mod common;
mod io;
mod services;
