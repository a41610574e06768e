use std::{fmt, thread};

use firstbyte_core::Timestamp;
use http::Response;
use http_body::Body;

use super::{Call, Outcome};

/// Tells its call of the end: when it is told, or else when it is dropped.
pub(crate) struct Guard<C: Call> {
    /// `None` for a request that is not watched, and once the call has ended.
    call: Option<C>,
}

impl<C: Call> Guard<C> {
    #[inline]
    pub(crate) const fn new(call: Option<C>) -> Self {
        Self { call }
    }

    /// Leaves an empty guard behind.
    #[inline]
    pub(super) const fn take(&mut self) -> Self {
        Self { call: self.call.take() }
    }

    /// The response head is there. A response without a body ends here.
    #[inline]
    pub(super) fn head<B: Body>(&mut self, response: &mut Response<B>) {
        let Some(call) = &mut self.call else { return };
        call.head(response.headers_mut());
        if call.progress().is_some_and(|progress| progress.head(response)) {
            self.end(Outcome::Ok);
        }
    }

    /// Whether frames are to be looked at.
    #[inline]
    pub(super) fn is_watching(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.progress().is_some())
    }

    /// A frame with so many bytes was handed on; `last` if the body is at its end with it.
    #[inline]
    pub(super) fn frame(&mut self, bytes: usize, last: bool) {
        let Some(call) = &mut self.call else { return };
        let first = call.progress().is_some_and(|progress| progress.frame(bytes));
        if first || last {
            // One moment serves both when the first frame is the last.
            let at = if first { call.first_byte() } else { None };
            if last {
                self.end_at(Outcome::Ok, at);
            }
        }
    }

    #[inline]
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.end_at(outcome, None);
    }

    #[inline]
    fn end_at(&mut self, outcome: Outcome, at: Option<Timestamp>) {
        if let Some(call) = self.call.take() {
            call.end(outcome, at);
        }
    }
}

impl<C: Call> Drop for Guard<C> {
    #[inline]
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let outcome = unfinished(&call);
            call.end(outcome, None);
        }
    }
}

/// What it means that nobody told of the end.
#[inline]
fn unfinished<C: Call>(call: &C) -> Outcome {
    match call.progress() {
        // Nobody asks how it ended.
        None => Outcome::Ok,
        Some(_) if thread::panicking() => Outcome::Panic,
        Some(progress) if progress.status().is_none() => Outcome::Cancelled,
        Some(progress) if progress.is_whole() => Outcome::Ok,
        Some(_) => Outcome::EarlyDrop,
    }
}

impl<C: Call> fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("ended", &self.call.is_none()).finish_non_exhaustive()
    }
}

/// Ends the call with [`Outcome::Panic`] if the poll that it surrounds panics: the caller may catch
/// the panic and drop the future much later.
pub(super) struct OnUnwind<'a, C: Call>(&'a mut Guard<C>);

impl<'a, C: Call> OnUnwind<'a, C> {
    #[inline]
    pub(super) const fn new(guard: &'a mut Guard<C>) -> Self {
        Self(guard)
    }

    /// The poll came back.
    #[inline]
    pub(super) const fn defuse(self) {
        std::mem::forget(self);
    }
}

impl<C: Call> Drop for OnUnwind<'_, C> {
    fn drop(&mut self) {
        self.0.end(Outcome::Panic);
    }
}
