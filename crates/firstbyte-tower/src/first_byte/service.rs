use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::ServerCall;
use crate::{
    call::{Guard, ResponseBody, ResponseFuture},
    shared::Handle,
};

/// The service of [`FirstByteLayer`](super::FirstByteLayer).
#[derive(Clone, Debug)]
pub struct FirstByte<S> {
    inner: S,
    handle: Arc<Handle>,
}

impl<S> FirstByte<S> {
    pub(super) fn new(inner: S, handle: Arc<Handle>) -> Self {
        Self { inner, handle }
    }
}

impl<S, B, R> Service<Request<B>> for FirstByte<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ResponseBody<R, ServerCall>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ServerCall>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = ServerCall::begin(&self.handle.shared, &mut request);
        // First, so that a panic of the inner call finds it.
        let guard = Guard::new(Some(call));
        ResponseFuture::new(self.inner.call(request), guard)
    }
}
