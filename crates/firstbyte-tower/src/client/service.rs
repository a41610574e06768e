use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{ClientCall, Shared};
use crate::call::{Guard, ResponseBody, ResponseFuture};

/// The service of [`ClientLayer`](super::ClientLayer).
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Client<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

impl<S, B, R> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ResponseBody<R, ClientCall>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ClientCall>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = ClientCall::begin(&self.shared, &mut request);
        // First, so that a panic of the inner call finds it.
        let guard = Guard::new(call);
        ResponseFuture::new(self.inner.call(request), guard)
    }
}
