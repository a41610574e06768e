use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{Call, Guard, Outcome, ResponseBody, guard::OnUnwind};

pin_project! {
    /// The future of a watched call; resolves to the inner response with its body watched.
    #[derive(Debug)]
    pub struct ResponseFuture<F, C: Call> {
        #[pin]
        inner: F,
        guard: Guard<C>,
    }
}

impl<F, C: Call> ResponseFuture<F, C> {
    #[inline]
    pub(crate) const fn new(inner: F, guard: Guard<C>) -> Self {
        Self { inner, guard }
    }
}

impl<F, B, E, C> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    C: Call,
{
    type Output = Result<Response<ResponseBody<B, C>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let unwind = OnUnwind::new(this.guard);
        let polled = this.inner.poll(cx);
        unwind.defuse();
        Poll::Ready(match ready!(polled) {
            Ok(response) if this.guard.is_watching() => Ok(watched(response, this.guard)),
            Ok(response) => Ok(response.map(|body| ResponseBody::new(body, this.guard.take()))),
            Err(error) => {
                this.guard.end(Outcome::Error);
                Err(error)
            }
        })
    }
}

/// Tells the guard of the response.
///
/// Not inlined, so that a response that nobody watches stays in registers.
#[inline(never)]
fn watched<B: Body, C: Call>(
    mut response: Response<B>,
    guard: &mut Guard<C>,
) -> Response<ResponseBody<B, C>> {
    guard.head(&mut response);
    response.map(|body| ResponseBody::new(body, guard.take()))
}
