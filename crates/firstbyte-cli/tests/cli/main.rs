//! The real binary, real processes, real sockets.

#![allow(clippy::unwrap_used, reason = "what helps tests is a test")]

mod baselines;
mod call;
mod check;
mod claims;
mod demo;
mod diagnose;
mod export;
mod faults;
mod mock;
mod read;
mod report;
mod support;
mod updates;
mod usage;
mod watch;
