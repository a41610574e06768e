//! Where did each millisecond of a control-plane call go?
//!
//! An orchestrator tells inference servers to load new weights while thousands of completions
//! stream over the same client, and the update takes 20 seconds. Client pool, network, server
//! kernel, event loop, engine? firstbyte puts one trace id through every hop and splits the wall
//! time, at a cost that nobody notices.
//!
//! # A service
//!
#![cfg_attr(all(feature = "tower", feature = "net"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "tower", feature = "net")), doc = "```ignore")]
//! use axum::{Extension, Router, routing::post};
//! use firstbyte::{
//!     Clock, Recorder,
//!     net::{TracedListener, trace_connections},
//!     tower::{FirstByteLayer, Rpc},
//! };
//!
//! # async fn engine() {}
//! async fn update_weights(Extension(rpc): Extension<Rpc>) {
//!     let timer = rpc.start("update_weights"); // rpc.start
//!     engine().await;
//!     timer.done();                            // rpc.done rpc_ms=
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = Recorder::builder().text_file("server.log").build()?;
//! let app = Router::new()
//!     .route("/update_weights", post(update_weights))
//!     .layer(FirstByteLayer::new(recorder));
//! let listener = TracedListener::bind("127.0.0.1:8000", Clock::system()).await?;
//! axum::serve(listener, trace_connections(app)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A client
//!
#![cfg_attr(feature = "client", doc = "```no_run")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! use firstbyte::{Recorder, client::AdminClient};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = Recorder::builder().text_file("client.log").build()?;
//! let client = AdminClient::builder(recorder).base_url("http://10.0.0.7:8000").build()?;
//! let answer = client
//!     .post("/update_weights")
//!     .json(&serde_json::json!({ "weight_dir": "/checkpoints/step_7" }))
//!     .send()
//!     .await?
//!     .error_for_status()?; // a 404 is an answer, but no success
//! println!("queue: {:?}", answer.split.queue());
//! # Ok(())
//! # }
//! ```
//!
//! Both sides log one id, one line per event:
//!
//! ```text
//! [weights][00f067aa0ba902b7] client.send url=http://10.0.0.7:8000/update_weights t=81234.567890
//! [weights][00f067aa0ba902b7] server.recv path=/update_weights t=81234.568102 kernel_ms=0.0 inflight=0
//! [weights][00f067aa0ba902b7] client.done wall_ms=201.0 rpc_ms=200.2 queue_ms=0.8 ...
//! ```
//!
//! # Features
//!
//! None is on by default; `full` is all of them.
//!
//! | feature | module | for |
//! | --- | --- | --- |
//! | `tower` | [`tower`] | layers for services and clients of the tower stack |
//! | `net` | [`net`] | when did the request reach the kernel? For hyper and `axum::serve` |
//! | `client` | [`client`] | the admin client, and its middleware for people who own their client |
//! | `tracing` | [`recorder::TracingSink`](firstbyte_core::recorder) | events to the `tracing` subscriber |
#![forbid(unsafe_code)]

#[doc(inline)]
pub use firstbyte_core::{
    Arrival, ArrivalSource, Clock, Dialect, EngineTime, Event, Flags, InvalidTraceId, MAX_TEXT,
    Micros, Parsed, ParsedValue, Phase, PhaseTimer, Phases, Process, Recorder, ReportedRpc, Route,
    RouteError, RouteTable, Skipped, Split, Store, Tag, Timestamp, TraceId, Transport, Value,
    field, header, json, record, recorder, redact_url, schema, text,
};

#[cfg(feature = "client")]
#[doc(inline)]
pub use firstbyte_client as client;
#[cfg(feature = "net")]
#[doc(inline)]
pub use firstbyte_net as net;
#[cfg(feature = "tower")]
#[doc(inline)]
pub use firstbyte_tower as tower;
