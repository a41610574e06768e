use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Call, Guard, Outcome, guard::OnUnwind};

pin_project! {
    /// The body of a watched call. Frames, trailers, errors, size hint and end are the inner body's.
    #[derive(Debug)]
    pub struct ResponseBody<B, C: Call> {
        #[pin]
        inner: B,
        guard: Guard<C>,
    }
}

impl<B, C: Call> ResponseBody<B, C> {
    #[inline]
    pub(super) const fn new(inner: B, guard: Guard<C>) -> Self {
        Self { inner, guard }
    }
}

/// A body that nobody watches, as layers make it that answer in the service's place: tower-http's time-out,
/// CORS and authorization.
impl<B: Default, C: Call> Default for ResponseBody<B, C> {
    fn default() -> Self {
        Self::new(B::default(), Guard::new(None))
    }
}

impl<B: Body, C: Call> Body for ResponseBody<B, C> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        if !this.guard.is_watching() {
            return this.inner.poll_frame(cx);
        }
        let unwind = OnUnwind::new(this.guard);
        let polled = this.inner.as_mut().poll_frame(cx);
        unwind.defuse();
        let guard = this.guard;
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                // The consumer need not ask again once the body says that it is at its end, nor after
                // trailers: servers drop the body with them, whether it knows that it is over or not.
                guard.frame(bytes, frame.is_trailers() || this.inner.is_end_stream());
            }
            Poll::Ready(Some(Err(_))) => guard.end(Outcome::Error),
            Poll::Ready(None) => guard.end(Outcome::Ok),
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
