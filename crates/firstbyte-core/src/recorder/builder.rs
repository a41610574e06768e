//! Bad configuration fails here, with a message; afterwards nothing does.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use super::{
    FileFormat, FileSink, Handle, Recorder, Shared, Sink, StderrSink, accounting::Counters,
    control::Control, ring::Ring, writer::Writer,
};
use crate::{clock::Clock, process::Process};

/// Configures a [`Recorder`]. The defaults hold 8,192 events and write at least every 200 ms.
#[must_use]
pub struct Builder {
    clock: Clock,
    capacity: usize,
    flush_interval: Duration,
    sinks: Vec<Planned>,
}

/// A sink, or a file that is opened when everything else is known to be right.
enum Planned {
    Sink(Box<dyn Sink>),
    File(PathBuf, FileFormat),
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::system(),
            capacity: 8192,
            flush_interval: Duration::from_millis(200),
            sinks: Vec::new(),
        }
    }

    /// Appends text lines to a file, which is created with mode 0600 if need be.
    pub fn text_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sinks.push(Planned::File(path.into(), FileFormat::Text));
        self
    }

    /// Appends JSON lines to a file, which is created with mode 0600 if need be.
    pub fn json_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sinks.push(Planned::File(path.into(), FileFormat::Json));
        self
    }

    /// Writes text lines to the standard error stream.
    pub fn stderr(self) -> Self {
        self.sink(StderrSink::default())
    }

    /// Adds a sink. An event counts as written when every sink took it.
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Planned::Sink(Box::new(sink)));
        self
    }

    /// Takes time from another clock; for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many events may wait for the writer, 1 to 1,048,576.
    ///
    /// The queue takes 256 bytes for each: a server event needs 64 or 128, `client.done` 192 or 256, and a
    /// text of 1,024 characters that much more, so that fewer of those fit.
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// The longest time that an event waits before it is written, 1 ms to 1 min, while sinks keep up.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Opens the sinks and starts the writer thread. Without a sink the recorder is disabled.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened, a value is out of its range, or no thread can be started.
    pub fn build(self) -> Result<Recorder, BuildError> {
        if !(1..=1 << 20).contains(&self.capacity) {
            return Err(BuildError::new(format!(
                "capacity {} is not within 1..=1048576",
                self.capacity
            )));
        }
        if !(Duration::from_millis(1)..=Duration::from_secs(60)).contains(&self.flush_interval) {
            let interval = self.flush_interval;
            return Err(BuildError::new(format!(
                "flush interval {interval:?} is not within 1 ms..=1 min"
            )));
        }
        if self.sinks.is_empty() {
            return Ok(Recorder { clock: self.clock, shared: None });
        }
        let sinks = self.sinks.into_iter().map(Planned::open).collect::<Result<_, _>>()?;
        let shared = Arc::new(Shared {
            ring: Ring::new(self.capacity),
            counters: Counters::default(),
            control: Control::default(),
            nudged: AtomicBool::new(false),
        });
        let writer = Writer::new(
            Arc::clone(&shared),
            sinks,
            self.clock.clone(),
            Process::current(),
            self.flush_interval,
        );
        let thread = thread::Builder::new()
            .name("firstbyte-writer".into())
            .spawn(move || writer.run())
            .map_err(|e| BuildError::new(format!("cannot start the writer thread: {e}")))?;
        let handle = Handle { shared, writer: thread.thread().clone() };
        Ok(Recorder { clock: self.clock, shared: Some(Arc::new(handle)) })
    }
}

impl Planned {
    fn open(self) -> Result<Box<dyn Sink>, BuildError> {
        match self {
            Self::Sink(sink) => Ok(sink),
            Self::File(path, format) => match FileSink::open(&path, format) {
                Ok(sink) => Ok(Box::new(sink)),
                Err(e) => Err(BuildError::open(&path, &e)),
            },
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("flush_interval", &self.flush_interval)
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

/// A recorder could not be built; the message says why and what to do.
#[derive(Debug)]
pub struct BuildError(String);

impl BuildError {
    fn new(message: String) -> Self {
        Self(message)
    }

    fn open(path: &Path, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "; create its folder first",
            _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                if is_socket(path) {
                    "; it is a socket (as /dev/stderr is of a service of systemd): choose a file, or 'stderr' without a path"
                } else {
                    "; it is a pipe that nobody reads, start its reader first"
                }
            }
            io::ErrorKind::PermissionDenied => "; choose a path that this user may write",
            _ => "",
        };
        Self(format!("cannot append to {}: {error}{hint}", path.display()))
    }
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_socket(_: &Path) -> bool {
    false
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}
