//! What the kernel knows of a connection that Python owns.
//!
//! The one module with `unsafe` here: a descriptor's number has to be lent to a system call.
#![allow(unsafe_code)]

use std::{os::fd::BorrowedFd, sync::OnceLock, time::Duration};

use firstbyte_core::Micros;
use firstbyte_net::tcp;
use rustix::time::{ClockId, clock_getres};

/// How long the newest bytes that arrived on this socket have been on this machine, at least.
///
/// The kernel counts in jiffies, and the first of them may have just begun: one is taken off. `None` off
/// Linux, and for what is no TCP socket. One `getsockopt`, about 0.4 us.
pub(crate) fn since_last_data(fd: i32) -> Option<Micros> {
    if fd < 0 {
        return None;
    }
    // SAFETY: `fd` is not -1, and it was asked of a socket object that the caller holds while this runs;
    // it is used for one getsockopt, which fails harmlessly if the socket was closed.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let info = tcp::info(fd).ok()?;
    Some(info.last_data_recv.saturating_sub(jiffy()).into())
}

/// The tick of the kernel: what `CLOCK_MONOTONIC_COARSE` moves by.
fn jiffy() -> Duration {
    static JIFFY: OnceLock<Duration> = OnceLock::new();
    *JIFFY.get_or_init(|| {
        let tick = clock_getres(ClockId::MonotonicCoarse);
        Duration::new(tick.tv_sec.unsigned_abs(), u32::try_from(tick.tv_nsec).unwrap_or(0))
    })
}
