use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{InvalidIds, set_on_request};

/// Gives every request a trace id: see the [module](super).
///
/// Costs a walk over the headers, one header and one extension.
#[derive(Clone, Debug, Default)]
pub struct SetTraceIdLayer {
    traceparent: bool,
    invalid: InvalidIds,
}

impl SetTraceIdLayer {
    /// A layer that sets `x-trace-id` and the extension.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to send `traceparent` too; for the client side of a stack. Off by default.
    ///
    /// A `traceparent` that is there and valid stays as it is.
    #[must_use]
    pub const fn traceparent(mut self, send: bool) -> Self {
        self.traceparent = send;
        self
    }

    /// Counts the requests whose id could not be used and was replaced.
    ///
    /// Inside of a [`FirstByteLayer`](crate::FirstByteLayer) without the control calls, which that one counts itself.
    #[must_use]
    pub fn invalid_ids(&self) -> InvalidIds {
        self.invalid.clone()
    }
}

impl<S> Layer<S> for SetTraceIdLayer {
    type Service = SetTraceId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SetTraceId { inner, traceparent: self.traceparent, invalid: self.invalid.clone() }
    }
}

/// The service of [`SetTraceIdLayer`].
#[derive(Clone, Debug)]
pub struct SetTraceId<S> {
    inner: S,
    traceparent: bool,
    invalid: InvalidIds,
}

impl<S, B> Service<Request<B>> for SetTraceId<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = set_on_request(&mut request, &self.invalid, self.traceparent);
        request.extensions_mut().insert(id);
        self.inner.call(request)
    }
}
