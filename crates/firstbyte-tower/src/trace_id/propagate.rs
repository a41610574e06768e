use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use firstbyte_core::{
    TraceId,
    header::{TraceHeaders, X_TRACE_ID, trace_id_value},
};
use http::{HeaderMap, Request, Response, header::Entry};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Copies the request's id to the response: see the [module](super).
///
/// The response's `x-trace-id` stays as it is if there is one. A request without a valid id gives a
/// response without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct PropagateTraceIdLayer(());

impl PropagateTraceIdLayer {
    /// A layer that sets `x-trace-id` on responses.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for PropagateTraceIdLayer {
    type Service = PropagateTraceId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PropagateTraceId { inner }
    }
}

/// The service of [`PropagateTraceIdLayer`].
#[derive(Clone, Copy, Debug)]
pub struct PropagateTraceId<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for PropagateTraceId<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request.extensions().get::<TraceId>().copied();
        let id = id.or_else(|| TraceHeaders::read(request.headers()).id());
        ResponseFuture { inner: self.inner.call(request), id }
    }
}

pin_project! {
    /// The future of [`PropagateTraceId`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        id: Option<TraceId>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = ready!(this.inner.poll(cx));
        if let (Ok(response), Some(id)) = (&mut result, *this.id) {
            set_on_response(response.headers_mut(), id);
        }
        Poll::Ready(result)
    }
}

/// Sets `x-trace-id`, unless it is there or the map is full.
#[inline]
pub(crate) fn set_on_response(headers: &mut HeaderMap, id: TraceId) {
    if let Ok(Entry::Vacant(vacant)) = headers.try_entry(&X_TRACE_ID) {
        _ = vacant.try_insert(trace_id_value(id));
    }
}
