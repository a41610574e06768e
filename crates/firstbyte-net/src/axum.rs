//! `axum::serve` with connections that can be traced.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use pin_project_lite::pin_project;
use tokio::net::TcpStream;

use crate::{Connection, TracedIo, TracedListener, WithTransport};

impl Listener for TracedListener {
    type Io = TracedIo<TcpStream>;
    type Addr = SocketAddr;

    /// Accepts the next connection, however long that takes.
    ///
    /// A connection that died in the backlog is passed over. Any other error, such as running out
    /// of file descriptors, is logged through `tracing`, and the next try comes after one second.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match Self::accept(self).await {
                Ok(accepted) => return accepted,
                Err(error) if died_in_the_backlog(&error) => {}
                Err(error) => {
                    tracing::error!("accept error: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Self::local_addr(self)
    }
}

fn died_in_the_backlog(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A handler may extract `ConnectInfo<Connection>`, given
/// `router.into_make_service_with_connect_info::<Connection>()`.
impl Connected<IncomingStream<'_, TracedListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TracedListener>) -> Self {
        stream.io().connection()
    }
}

/// Inserts the [`Transport`](firstbyte_core::Transport) of the connection into every request that
/// `axum::serve` hands to these services.
///
/// `make_service` is a `Router`, a `MethodRouter`, or what `into_make_service` or
/// `into_make_service_with_connect_info` returns. For `ConnectInfo<SocketAddr>` axum wants one of
/// its own listener types: write `listener.tap_io(|_| {})`.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use firstbyte_core::{Clock, Transport};
/// use firstbyte_net::{TracedListener, trace_connections};
///
/// async fn handle(Extension(transport): Extension<Transport>) -> String {
///     format!("{:?}", transport.arrival())
/// }
///
/// # async fn serve() -> std::io::Result<()> {
/// let listener = TracedListener::bind("127.0.0.1:8000", Clock::system()).await?;
/// let router = Router::new().route("/", get(handle));
/// axum::serve(listener, trace_connections(router)).await
/// # }
/// ```
#[must_use]
pub fn trace_connections<M>(make_service: M) -> TraceConnections<M> {
    TraceConnections { make_service }
}

/// Makes services that know their connection: see [`trace_connections`].
#[derive(Clone, Debug)]
pub struct TraceConnections<M> {
    make_service: M,
}

impl<'a, M, L, T> tower_service::Service<IncomingStream<'a, L>> for TraceConnections<M>
where
    M: tower_service::Service<IncomingStream<'a, L>>,
    L: Listener<Io = TracedIo<T>>,
    T: 'static,
{
    type Response = WithTransport<M::Response>;
    type Error = M::Error;
    type Future = TraceConnectionsFuture<M::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.make_service.poll_ready(cx)
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        let connection = Some(stream.io().connection());
        TraceConnectionsFuture { inner: self.make_service.call(stream), connection }
    }
}

pin_project! {
    /// Makes the service of one connection.
    #[derive(Debug)]
    pub struct TraceConnectionsFuture<F> {
        #[pin]
        inner: F,
        connection: Option<Connection>,
    }
}

impl<F, S, E> Future for TraceConnectionsFuture<F>
where
    F: Future<Output = Result<S, E>>,
{
    type Output = Result<WithTransport<S>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let service = ready!(this.inner.poll(cx))?;
        let connection = this.connection.take().expect("polled after completion");
        Poll::Ready(Ok(WithTransport::new(service, connection)))
    }
}
