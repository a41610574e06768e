//! How long the first bytes of a request lay in the kernel: by their stamp, else by `TCP_INFO`.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use firstbyte_core::{Micros, Timestamp};

use super::{Shared, UNKNOWN};

/// A longer wait than this is a wrong clock, not a wait.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Two readings of the wall clock's offset that differ by more than this have a step between them.
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// The coarsest jiffy in use, 100 Hz: how far `last_data_recv` may be off.
#[cfg(target_os = "linux")]
const JIFFY: Duration = Duration::from_millis(10);

impl Shared {
    /// Nanoseconds from `stamp`, on the wall clock, to `now`.
    ///
    /// `None` if the wall clock was set since it was looked at last, or makes no sense.
    pub(super) fn waited_since(&self, stamp: Duration, now: Timestamp) -> Option<u64> {
        let wall = self.clock.unix_nanos();
        let offset = wall.wrapping_sub(now.as_nanos());
        let previous = self.wall_offset.load(Relaxed);
        if Duration::from_nanos(offset.abs_diff(previous)) > CLOCK_STEP {
            self.wall_offset.store(offset, Relaxed);
            return None;
        }
        let waited = Duration::from_nanos(wall).checked_sub(stamp)?;
        (waited <= LONGEST_WAIT).then_some(waited.as_nanos() as u64)
    }

    /// How long the bytes that began the request at `first_byte` had lain in the kernel.
    pub(super) fn kernel(&self, first_byte: Timestamp) -> Option<Micros> {
        match self.request.waited.load(Relaxed) {
            UNKNOWN => self.kernel_by_tcp_info(first_byte),
            waited => Some(Duration::from_nanos(waited).into()),
        }
    }

    /// The kernel knows when the newest bytes arrived, to a jiffy, and how many came in all.
    ///
    /// Newest bytes that arrived well before the first read tell how long the request waited, at
    /// least. Around the read they do if no bytes followed those that it found. Newest bytes from
    /// after the read hide what was before.
    #[cfg(target_os = "linux")]
    fn kernel_by_tcp_info(&self, first_byte: Timestamp) -> Option<Micros> {
        let (info, now) = self.socket.as_ref()?.tcp_info(&self.clock)?;
        let since_read = now.since(first_byte);
        let waited = info.last_data_recv.saturating_sub(since_read);
        if waited <= JIFFY {
            let fin = u64::from(info.state == crate::tcp::TcpState::CloseWait);
            let found = self.request.first_read_end.load(Relaxed) + fin;
            let followed = info.bytes_received.is_none_or(|received| received > found);
            if followed || since_read.saturating_sub(info.last_data_recv) > JIFFY {
                return None;
            }
        }
        Some(waited.into())
    }

    #[cfg(not(target_os = "linux"))]
    fn kernel_by_tcp_info(&self, _: Timestamp) -> Option<Micros> {
        None
    }
}
