//! The ways to get the connection into requests.

use std::{convert::Infallible, net::SocketAddr};

use crate::common::{Client, GET, listen, router, to_text};
use axum::{Extension, Router, extract::ConnectInfo, routing::get, serve::ListenerExt};
use firstbyte_core::Transport;
use firstbyte_net::{Connection, WithTransport, trace_connections};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

#[tokio::test]
async fn plain_hyper_gets_it_by_a_service_around_the_service() {
    async fn tell(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
        let transport = request.extensions().get::<Transport>().unwrap();
        Ok(Response::new(to_text(transport.arrival())))
    }
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let service = WithTransport::new(service_fn(tell), io.connection());
        http1::Builder::new().serve_connection(TokioIo::new(io), service).await
    });
    let mut client = Client::connect(addr).await;
    for _ in 0..2 {
        let arrival = client.get().await;
        assert!(arrival.accepted.is_some() && arrival.first_byte > arrival.accepted);
        assert_eq!(arrival.kernel.is_some(), cfg!(target_os = "linux"));
    }
}

#[tokio::test]
async fn a_make_service_may_be_wrapped_as_well() {
    let (listener, addr) = listen().await;
    let server = axum::serve(listener, trace_connections(router().into_make_service()));
    tokio::spawn(async move { server.await });
    assert!(Client::connect(addr).await.get().await.first_byte.is_some());
}

#[tokio::test]
async fn connect_info_can_be_the_connection() {
    async fn tell(
        ConnectInfo(connection): ConnectInfo<Connection>,
        Extension(transport): Extension<Transport>,
    ) -> String {
        assert_eq!(connection.bytes_read(), GET.len() as u64);
        to_text(transport.arrival())
    }
    let (listener, addr) = listen().await;
    let router = Router::new().route("/arrival", get(tell));
    let make_service = router.into_make_service_with_connect_info::<Connection>();
    let server = axum::serve(listener, trace_connections(make_service));
    tokio::spawn(async move { server.await });
    assert!(Client::connect(addr).await.get().await.first_byte.is_some());
}

#[tokio::test]
async fn connect_info_can_be_the_address() {
    async fn tell(
        ConnectInfo(addr): ConnectInfo<SocketAddr>,
        Extension(transport): Extension<Transport>,
    ) -> String {
        assert!(addr.ip().is_loopback());
        to_text(transport.arrival())
    }
    let (listener, addr) = listen().await;
    let router = Router::new().route("/arrival", get(tell));
    let make_service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener.tap_io(|_| {}), trace_connections(make_service));
    tokio::spawn(async move { server.await });
    assert!(Client::connect(addr).await.get().await.first_byte.is_some());
}
