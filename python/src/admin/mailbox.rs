//! How a call that ended wakes an event loop, without the interpreter.

use std::{
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    sync::{Arc, Mutex, PoisonError},
};

use firstbyte_client::{AdminResponse, ClientError};
use pyo3::{prelude::*, types::PyList};

use super::{
    error::cut_off,
    fleet,
    question::{Answer, Question},
    response,
};

/// The number of a call, and what came of it; `None` if it was cut off.
type Letter = (u64, Option<News>);

/// What comes of a call.
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub(super) enum News {
    Ended(Result<AdminResponse, ClientError>),
    AllEnded(fleet::Ended),
    /// Its outcome is unknown, and its probe is to be asked.
    Asks(Answer),
}

/// Results for one event loop, and a descriptor that is readable while there are any.
///
/// The thread that made the call writes one byte; it does not wait for a loop that is busy, as it would
/// if it had to take the interpreter.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct Mailbox {
    shared: Arc<Shared>,
    readable: UnixStream,
}

pub(super) struct Shared {
    letters: Mutex<Vec<Letter>>,
    bell: UnixStream,
}

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        let (readable, bell) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok(Self { shared: Arc::new(Shared { letters: Mutex::default(), bell }), readable })
    }

    /// For `loop.add_reader`.
    fn fileno(&self) -> i32 {
        self.readable.as_raw_fd()
    }

    /// What has come since the last time: pairs of a call's number and its response or exception, what became of a
    /// fan-out, or the question for a probe.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        // First the bell, then the box: what comes in between rings again.
        let mut bytes = [0; 64];
        while (&self.readable).read(&mut bytes).is_ok_and(|n| n == bytes.len()) {}
        let letters = std::mem::take(
            &mut *self.shared.letters.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let list = PyList::empty(py);
        for (number, news) in letters {
            let news = match news {
                Some(News::Ended(result)) => response::to_object(py, result)?,
                Some(News::AllEnded(ended)) => fleet::to_object(py, ended)?,
                Some(News::Asks(answer)) => Bound::new(py, Question::new(answer))?.into_any(),
                None => cut_off(py)?,
            };
            list.append((number, news))?;
        }
        Ok(list)
    }
}

impl Mailbox {
    pub(super) fn address(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

/// A result that will be put into the mailbox, whatever becomes of its call.
pub(super) struct Expected {
    address: Arc<Shared>,
    number: u64,
    is_there: bool,
}

impl Expected {
    pub(super) fn put(mut self, end: News) {
        self.is_there = true;
        self.address.put(self.number, Some(end));
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if !self.is_there {
            self.address.put(self.number, None);
        }
    }
}

impl Shared {
    pub(super) fn expect(self: &Arc<Self>, number: u64) -> Expected {
        Expected { address: Arc::clone(self), number, is_there: false }
    }

    pub(super) fn put(&self, number: u64, news: Option<News>) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let first = letters.is_empty();
        letters.push((number, news));
        drop(letters);
        if first {
            // A full pipe is readable as it is, and nobody reads one that is closed.
            _ = (&self.bell).write(&[1]);
        }
    }
}
