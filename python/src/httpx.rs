//! httpx and httpx2: the paths that every request of an instrumented client passes.
//!
//! What is awaited, and what is rare, is Python's: `firstbyte/_instrument/_httpx.py`.

mod message;
mod method;
mod watch;

pub(crate) use self::{method::HttpxMethod, watch::HttpxWatch};
