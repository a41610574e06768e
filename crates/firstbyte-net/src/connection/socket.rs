//! A socket that handlers ask about while the IO object, which owns it, may close it any moment.

use std::{
    os::fd::{AsRawFd, RawFd},
    sync::{Mutex, PoisonError},
};

use firstbyte_core::{Clock, Timestamp};
use tokio::net::TcpStream;

use crate::tcp::TcpInfo;

/// The descriptor of a stream that belongs to somebody else, until it is taken back.
///
/// Descriptors are reused, so a closed one must never be asked. Its owner takes it back before it
/// closes it, and the lock makes it wait while a question is under way: the time of one
/// `getsockopt`. Reads and writes do not touch the lock.
#[derive(Debug)]
pub(crate) struct LentSocket(Mutex<Option<RawFd>>);

impl LentSocket {
    pub(crate) fn new(stream: &TcpStream) -> Self {
        Self(Mutex::new(Some(stream.as_raw_fd())))
    }

    /// What the kernel knows, and when it said so; `None` once the socket was taken back.
    pub(crate) fn tcp_info(&self, clock: &Clock) -> Option<(TcpInfo, Timestamp)> {
        let fd = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let info = TcpInfo::read((*fd)?).ok()?;
        Some((info, clock.now()))
    }

    pub(crate) fn take_back(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
