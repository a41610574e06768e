//! Puts the connection into each of its requests.

use std::task::{Context, Poll};

use http::Request;

use crate::connection::Connection;

/// A service that inserts the [`Transport`](firstbyte_core::Transport) of its connection into every
/// request.
///
/// It is a `tower_service::Service` and, with the feature `hyper`, a `hyper::service::Service`.
/// Requests on HTTP/2 get a transport that answers `accepted` only. Costs one reference count and
/// one extension per request, and no system call.
///
/// For plain hyper, wrap the service once per connection:
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # mod server {
/// use std::{convert::Infallible, io};
///
/// use firstbyte_core::Transport;
/// use firstbyte_net::{TracedListener, WithTransport};
/// use http::{Request, Response};
/// use hyper::{body::Incoming, server::conn::http1, service::service_fn};
/// use hyper_util::rt::TokioIo;
///
/// async fn handle(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
///     let arrival = request.extensions().get::<Transport>().map(Transport::arrival);
///     Ok(Response::new(format!("{arrival:?}")))
/// }
///
/// async fn serve(listener: TracedListener) -> io::Result<()> {
///     loop {
///         let (io, _) = listener.accept().await?;
///         let service = WithTransport::new(service_fn(handle), io.connection());
///         tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(io), service));
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WithTransport<S> {
    inner: S,
    connection: Connection,
}

impl<S> WithTransport<S> {
    /// Wraps the service that serves `connection`.
    #[must_use]
    pub fn new(inner: S, connection: Connection) -> Self {
        Self { inner, connection }
    }

    fn insert<B>(&self, mut request: Request<B>) -> Request<B> {
        let transport = self.connection.transport(request.version());
        request.extensions_mut().insert(transport);
        request
    }
}

impl<S, B> tower_service::Service<Request<B>> for WithTransport<S>
where
    S: tower_service::Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = self.insert(request);
        self.inner.call(request)
    }
}

#[cfg(feature = "hyper")]
impl<S, B> hyper::service::Service<Request<B>> for WithTransport<S>
where
    S: hyper::service::Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.inner.call(self.insert(request))
    }
}
