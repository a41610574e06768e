//! A file that others may rotate, delete or read while it grows.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    path::{self, Path, PathBuf},
    thread,
    time::Duration,
};

use super::{Entry, LineWriter, Sink, WriteError};
use crate::{
    clock::{Clock, Timestamp},
    process::Process,
    record,
};

/// How long the reader of a full pipe may take until it counts as stalled. Then nothing waits for it any
/// more before it reads again.
const PATIENCE: Duration = Duration::from_millis(250);
/// From one look at a full pipe to the next.
const LOOK: Duration = Duration::from_millis(1);

/// How events become lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// Text lines, see [`crate::text`].
    Text,
    /// JSON lines, see [`crate::json`].
    Json,
}

/// Appends lines to a file.
///
/// The file is opened with `O_APPEND` and only whole lines are handed to `write`, so that several
/// processes may share it. When the path no longer leads to the open file, because it was rotated
/// or deleted, it is opened anew before the next batch; one whose folder was moved goes on as it is. Each file of such a set begins with `process.start`,
/// also one that was cut (`copytruncate`), so that it can be read without the older ones. The reader of a pipe has a quarter of a second to
/// make room in it; what does not fit then is lost, and counted.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    format: FileFormat,
    file: Patient,
    lines: Vec<u8>,
    writer: LineWriter,
    /// How long the file is at least: if it is shorter now, it was cut.
    length: u64,
    /// When the process began, once it has said so.
    started: Option<Timestamp>,
    /// The file does not say yet whose lines these are: it is another one, or was cut, or was full.
    is_headless: bool,
}

/// A file that is waited for if it is a pipe: its reader needs a moment to make room for a burst.
#[derive(Debug)]
struct Patient {
    file: File,
    /// It was full for too long, and has taken nothing since.
    stalled: bool,
}

impl FileSink {
    /// Opens the file for appending; a new one gets mode 0600.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(path: &Path, format: FileFormat) -> io::Result<Self> {
        let file = append(path)?;
        // The process may change its folder: that is no rotation.
        let path = path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            path,
            format,
            file: Patient::new(file),
            lines: Vec::new(),
            writer: LineWriter::default(),
            length: 0,
            started: None,
            is_headless: false,
        })
    }

    fn follow_rotation(&mut self) -> io::Result<()> {
        let open = self.file.file.metadata().ok();
        let is_same = open.as_ref().is_some_and(|open| is_at(open, &self.path));
        // A pipe has no length.
        let length = open.as_ref().filter(|open| is_same && open.is_file()).map(Metadata::len);
        let mut is_new = length.is_some_and(|length| length < self.length);
        if !is_same {
            match append(&self.path) {
                Ok(file) => (self.file, is_new) = (Patient::new(file), true),
                // Its folder was moved, and the file with it.
                Err(error) if is_gone(&error) && open.as_ref().is_some_and(has_name) => {}
                Err(error) => return Err(error),
            }
        }
        if is_new {
            self.writer = LineWriter::default();
            self.is_headless = true;
        }
        self.length = length.unwrap_or(0);
        Ok(())
    }

    /// Says whose lines follow. The moment is that of the process's first such line, by which a reader knows that
    /// this is no other process; what the wall clock says of it is new, as that may have been set since.
    fn write_head(&mut self, next: &Entry, process: &Process) {
        let Some(started) = self.started else { return };
        let unix_offset = next.unix_nanos.wrapping_sub(next.event.at().as_nanos());
        let start = process.start(started, started.as_nanos().wrapping_add(unix_offset));
        Entry::new(start, None, unix_offset).write_line(self.format, process, &mut self.lines);
    }
}

impl Patient {
    fn new(file: File) -> Self {
        Self { file, stalled: false }
    }
}

impl io::Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut give_up = None::<Timestamp>;
        loop {
            let written = self.file.write(bytes);
            match &written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.stalled => {
                    let now = Clock::system().now();
                    self.stalled = *give_up.get_or_insert(now + PATIENCE) <= now;
                    thread::park_timeout(LOOK);
                }
                Ok(_) => {
                    self.stalled = false;
                    return written;
                }
                Err(_) => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for FileSink {
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError> {
        self.lines.clear();
        self.follow_rotation().map_err(|source| WriteError { written: 0, source })?;
        let Some(first) = batch.first() else { return Ok(()) };
        if std::ptr::eq(first.event.record(), &raw const record::PROCESS_START) {
            (self.started, self.is_headless) = (Some(first.event.at()), true);
        } else if self.is_headless {
            self.write_head(first, process);
        }
        let head = usize::from(!self.lines.is_empty());
        for entry in batch {
            entry.write_line(self.format, process, &mut self.lines);
        }
        let written = self.writer.write(&mut self.file, &self.lines);
        if written.is_ok() {
            self.length += self.lines.len() as u64;
        }
        self.is_headless &= written.as_ref().is_err_and(|error| error.written == 0);
        written.map_err(|error| WriteError { written: error.written.saturating_sub(head), ..error })
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Of use only if the path is a pipe: one without a reader must not stop the program's start,
        // and one that nobody empties must not stop the writer for long.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        options.mode(0o600).custom_flags(nonblocking);
    }
    options.open(path)
}

/// Whether the path leads to the open file.
#[cfg(unix)]
fn is_at(open: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    path.metadata().is_ok_and(|named| identity(open) == identity(&named))
}

/// Whether an error says that there is no folder any more in which the file could be.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether the open file is in some folder still.
#[cfg(unix)]
fn has_name(open: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    open.nlink() > 0
}

#[cfg(not(unix))]
fn has_name(_open: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn is_at(_open: &Metadata, path: &Path) -> bool {
    path.exists()
}
