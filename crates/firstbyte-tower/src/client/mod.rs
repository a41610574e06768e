//! Records control calls on the client side of a tower stack.
//!
//! ```text
//! [weights][00f067aa0ba902b7] client.send url=http://host:8000/pause t=81.230112 op=pause target=host:8000
//! [weights][00f067aa0ba902b7] client.done wall_ms=240.1 rpc_ms=233.2 queue_ms=6.9 wait_ms=240.0 receive_ms=0.1 ...
//! ```
//!
//! * `client.send`: this layer was called. The request carries `x-trace-id` and `traceparent`.
//! * `client.done`: the last byte of the response was read. `wait` ends with the response head,
//!   `receive` with the last byte; what lies before the head (pool, connection, sending) cannot be
//!   told apart from here. `rpc_ms` is the server's, from `Server-Timing`.
//! * `client.fail`: instead, if there was no whole response: `outcome` is `unknown` after an error (of
//!   the `service` or the `body`: the request was handed on, and may have been applied), `early_drop`
//!   of the body, `cancelled` before the head, or `panic`.
//!
//! Requests that are not in the route table pass unchanged. `target` is host and port: behind a gateway that has several
//! servers by path, the table needs whole paths, and all of them are one target. An `AdminClient` tells them apart.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use firstbyte_core::{Recorder, recorder::MemorySink};
//! use firstbyte_tower::ClientLayer;
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let sink = MemorySink::new();
//! let recorder = Recorder::builder().sink(sink.clone()).build().unwrap();
//! let client = ServiceBuilder::new().layer(ClientLayer::new(recorder.clone())).service(
//!     service_fn(async |request: Request<String>| {
//!         assert!(request.headers().contains_key("traceparent"));
//!         Ok::<_, Infallible>(Response::new(String::new()))
//!     }),
//! );
//! let request = Request::post("http://host:8000/pause").body(String::new()).unwrap();
//! client.oneshot(request).await.unwrap();
//!
//! recorder.flush(Duration::from_secs(1));
//! let lines = sink.lines();
//! assert!(lines[0].contains("client.send url=http://host:8000/pause"));
//! assert!(lines[1].contains("client.done wall_ms="));
//! # }
//! ```

mod call;
mod layer;
mod service;

use self::layer::Shared;
pub use self::{call::ClientCall, layer::ClientLayer, service::Client};
