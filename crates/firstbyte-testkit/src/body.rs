//! A body that plays a list of frames, pauses and faults.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

#[cfg(test)]
mod tests;

/// An [`http_body::Body`] that does what it was told, step by step, and tells a [`BodyProbe`].
///
/// `size_hint` is exact unless [`with_size_hint`](Self::with_size_hint) was called. `is_end_stream`
/// turns true right after the last frame, unless [`end`](Self::end) follows it.
#[derive(Debug, Default)]
#[must_use]
pub struct ScriptedBody {
    steps: VecDeque<Step>,
    hint: Option<SizeHint>,
    sent: u64,
    probe: BodyProbe,
}

#[derive(Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Pending,
    Error(&'static str),
    Panic(&'static str),
    End,
}

impl ScriptedBody {
    /// An empty body: without a step it is at its end from the start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Then a frame of data.
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Step::Data(data.into()))
    }

    /// Then trailers.
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Step::Trailers(trailers))
    }

    /// Then pending once; it wakes its task at once.
    pub fn pending(self) -> Self {
        self.then(Step::Pending)
    }

    /// Then an error; what follows is never played.
    pub fn error(self, message: &'static str) -> Self {
        self.then(Step::Error(message))
    }

    /// Then a panic inside `poll_frame`; what follows is never played.
    pub fn panic(self, message: &'static str) -> Self {
        self.then(Step::Panic(message))
    }

    /// Then the end, which is known only when polled for, as with a chunked HTTP/1.1 message:
    /// until then `is_end_stream` is false.
    pub fn end(self) -> Self {
        self.then(Step::End)
    }

    /// Claims `hint` for the whole body; what has been sent is subtracted from both bounds.
    ///
    /// [`SizeHint::default`] is a body of unknown length.
    pub fn with_size_hint(mut self, hint: SizeHint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// A handle that outlives the body.
    #[must_use]
    pub fn probe(&self) -> BodyProbe {
        self.probe.clone()
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn unsent(&self) -> u64 {
        let length = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
        self.steps.iter().map(length).sum()
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = ScriptedBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ScriptedBodyError>>> {
        let seen = Arc::clone(&self.probe.0);
        seen.polls.fetch_add(1, Relaxed);
        let frame = match self.steps.pop_front() {
            Some(Step::Data(data)) => {
                self.sent += data.len() as u64;
                Frame::data(data)
            }
            Some(Step::Trailers(trailers)) => Frame::trailers(trailers),
            Some(Step::Pending) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Error(message)) => {
                self.steps.clear();
                seen.ended.store(true, Relaxed);
                return Poll::Ready(Some(Err(ScriptedBodyError(message))));
            }
            Some(Step::Panic(message)) => {
                self.steps.clear();
                seen.ended.store(true, Relaxed);
                panic!("{message}");
            }
            Some(Step::End) | None => {
                self.steps.clear();
                seen.ended.store(true, Relaxed);
                return Poll::Ready(None);
            }
        };
        seen.frames.fetch_add(1, Relaxed);
        if self.steps.is_empty() {
            seen.ended.store(true, Relaxed);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let Some(whole) = &self.hint else { return SizeHint::with_exact(self.unsent()) };
        let mut rest = SizeHint::new();
        rest.set_lower(whole.lower().saturating_sub(self.sent));
        if let Some(upper) = whole.upper() {
            rest.set_upper(upper.saturating_sub(self.sent));
        }
        rest
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        let seen = &self.probe.0;
        seen.dropped_early.store(!self.steps.is_empty(), Relaxed);
        seen.dropped.store(true, Relaxed);
    }
}

/// What happened to a [`ScriptedBody`]; clones share the record.
#[derive(Clone, Debug, Default)]
pub struct BodyProbe(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    polls: AtomicUsize,
    frames: AtomicUsize,
    ended: AtomicBool,
    dropped: AtomicBool,
    dropped_early: AtomicBool,
}

impl BodyProbe {
    /// How many times `poll_frame` was called.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.0.polls.load(Relaxed)
    }

    /// How many frames were handed out.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.0.frames.load(Relaxed)
    }

    /// Whether a poll has played the script to its end, its error or its panic.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.0.ended.load(Relaxed)
    }

    /// Whether the body is gone.
    #[must_use]
    pub fn dropped(&self) -> bool {
        self.0.dropped.load(Relaxed)
    }

    /// Whether the body was dropped with steps left to play.
    #[must_use]
    pub fn dropped_early(&self) -> bool {
        self.0.dropped_early.load(Relaxed)
    }
}

/// The error of [`ScriptedBody::error`]; it displays as the message given there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptedBodyError(&'static str);

impl fmt::Display for ScriptedBodyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Error for ScriptedBodyError {}
