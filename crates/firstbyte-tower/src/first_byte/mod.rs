//! Records control calls on the server, and counts and times every request.
//!
//! A request is a control call if the [`RouteTable`](firstbyte_core::RouteTable) has its method and
//! path. Its lines:
//!
//! ```text
//! [weights][00f067aa0ba902b7] server.recv path=/update_weights t=81.234567 inflight=150
//! [weights][00f067aa0ba902b7] rpc.start op=update_weights t=81.234601
//! [weights][00f067aa0ba902b7] rpc.done op=update_weights t=81.467812 rpc_ms=233.2
//! [weights][00f067aa0ba902b7] server.first_byte t=81.467850 ttfb_ms=233.3 status=200
//! [weights][00f067aa0ba902b7] server.done t=81.467850 dur_ms=233.3 status=200 outcome=ok bytes=15 frames=1
//! ```
//!
//! * `server.recv`: this layer was called. `kernel_ms` is there if the connection tells it
//!   ([`Transport`](firstbyte_core::Transport)).
//! * `server.first_byte`: the first body frame that is not empty was handed to the server. A
//!   response without a body has none.
//! * `server.done`: exactly one per call. `dur_ms` begins at `server.recv` and ends with `outcome`:
//!   `ok` when the last frame was handed on (or with the head, without a body), `error` when the
//!   service or the body failed, `early_drop` when the body was dropped before its end, `cancelled`
//!   when the future was dropped before the head (then there is no `status`), `panic`.
//!
//! The response carries `Server-Timing` (`total` ends at the response head) and `x-trace-id`;
//! handlers find an [`Rpc`](crate::Rpc) among the request's extensions. Other requests pass
//! unchanged; they are only counted ([`InFlight`](crate::InFlight)) and timed
//! ([`Latency`](crate::Latency)).
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use bytes::Bytes;
//! use firstbyte_core::{Recorder, recorder::MemorySink};
//! use firstbyte_tower::{FirstByteLayer, Rpc};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let sink = MemorySink::new();
//! let recorder = Recorder::builder().sink(sink.clone()).build().unwrap();
//! let service = ServiceBuilder::new().layer(FirstByteLayer::new(recorder.clone())).service(
//!     service_fn(async |request: Request<()>| {
//!         let timer = Rpc::of(request.extensions()).map(|rpc| rpc.start("update_weights"));
//!         // ... the engine works ...
//!         timer.map(|timer| timer.done());
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("done")))
//!     }),
//! );
//!
//! let request = Request::post("/update_weights").body(()).unwrap();
//! let response = service.oneshot(request).await.unwrap();
//! assert!(response.headers().contains_key("server-timing"));
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
//!
//! recorder.flush(Duration::from_secs(1));
//! let names: Vec<_> = sink.events().iter().map(|event| event.record().name.unwrap()).collect();
//! assert_eq!(names, ["server.recv", "rpc.start", "rpc.done", "server.first_byte", "server.done"]);
//! # }
//! ```
//!
//! # Order
//!
//! Inside of [`SetTraceIdLayer`](crate::SetTraceIdLayer), if that is used; without it, or outside of
//! it, this layer takes or makes the id itself, and the other one has the same. Outside of everything
//! whose time should count as the server's: a layer outside of this one is seen by the client as part
//! of `network`. Inside of layers that transform bodies (compression), `bytes` counts what the handler
//! wrote; outside, what is sent.
//!
//! # Time in tests
//!
//! All moments come from the recorder's clock. Where that is a manual one, a test decides how long things take:
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use firstbyte_core::{Clock, Recorder, Timestamp, recorder::MemorySink};
//! use firstbyte_tower::FirstByteLayer;
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let clock = Clock::manual(Timestamp::default(), Duration::from_secs(1_800_000_000));
//! let sink = MemorySink::new();
//! let recorder = Recorder::builder().clock(clock.clone()).sink(sink.clone()).build().unwrap();
//! let service = ServiceBuilder::new().layer(FirstByteLayer::new(recorder.clone())).service(
//!     service_fn(async |_: Request<()>| {
//!         clock.advance(Duration::from_millis(20)); // the engine works
//!         Ok::<_, Infallible>(Response::new(String::new()))
//!     }),
//! );
//! service.oneshot(Request::post("/pause").body(()).unwrap()).await.unwrap();
//!
//! recorder.flush(Duration::from_secs(1));
//! assert!(sink.lines()[1].contains("server.done t=0.020000 dur_ms=20.0 status=200 outcome=ok"));
//! # }
//! ```
//!
//! # Cost
//!
//! A control call: three clock reads, three queue pushes, one extension (two if it came without an
//! id) and two headers. A frame: a few nanoseconds. Any other request: a look-up, a reference count
//! and two readings of the time stamp counter.

mod call;
mod layer;
mod service;

pub use self::{call::ServerCall, layer::FirstByteLayer, service::FirstByte};
