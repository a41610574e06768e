//! What identifies this process in its lines.

use std::fs;

use crate::{
    clock::Timestamp,
    event::Event,
    schema::{field, record},
};

/// Process, boot and host of the lines that a recorder writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Boot id of the host, if it tells one (Linux).
    pub boot: Option<String>,
    /// Host name, if it tells one (Linux).
    pub host: Option<String>,
}

impl Process {
    /// This process. Reads two small files of `/proc` on Linux.
    #[must_use]
    pub fn current() -> Self {
        Self {
            pid: std::process::id(),
            boot: first_line("/proc/sys/kernel/random/boot_id"),
            host: first_line("/proc/sys/kernel/hostname"),
        }
    }

    /// The line that says whose lines follow: since when it runs, and what the wall clock says that moment was.
    pub(crate) fn start(&self, at: Timestamp, unix_nanos: u64) -> Event {
        Event::new(&record::PROCESS_START, at)
            .with(field::PID, self.pid.into())
            .with_known(field::BOOT, self.boot.as_deref())
            .with_known(field::HOST, self.host.as_deref())
            .with(field::VERSION, env!("CARGO_PKG_VERSION"))
            .with(field::UNIX, unix_nanos)
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().filter(|line| !line.is_empty()).map(str::to_owned)
}
