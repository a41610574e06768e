//! Tower layers that say where each millisecond of a control call went.
//!
//! | on the | layer | it |
//! | --- | --- | --- |
//! | server | [`SetTraceIdLayer`] | gives every request a trace id |
//! | server | [`PropagateTraceIdLayer`] | sends the id back with the response |
//! | server | [`FirstByteLayer`] | records control calls, counts and times all requests |
//! | client | [`ClientLayer`] | records control calls and sends the id |
//!
//! They work with axum, tonic, plain hyper and anything else that is a tower service of
//! `http::Request` and `http::Response`. Bodies and errors keep their meaning: what is not recorded
//! is the inner service's, byte by byte and poll by poll.
//!
//! ```
//! use axum::{Extension, Router, routing::post};
//! use firstbyte_core::Recorder;
//! use firstbyte_tower::{FirstByteLayer, Rpc};
//!
//! async fn update_weights(Extension(rpc): Extension<Rpc>) -> &'static str {
//!     let timer = rpc.start("update_weights");
//!     // ... the engine works ...
//!     timer.done();
//!     "done"
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir().join("firstbyte-tower-doc");
//! # std::fs::create_dir_all(&dir)?;
//! let recorder = Recorder::builder().text_file(dir.join("server.log")).build()?;
//! let app: Router = Router::new()
//!     .route("/update_weights", post(update_weights))
//!     .layer(FirstByteLayer::new(recorder));
//! # Ok(())
//! # }
//! ```

mod call;
pub mod client;
pub mod first_byte;
mod in_flight;
mod latency;
pub mod rpc;
mod shared;
mod ticks;
pub mod trace_id;

pub use self::{
    call::{ResponseBody, ResponseFuture},
    client::{Client, ClientLayer},
    first_byte::{FirstByte, FirstByteLayer},
    in_flight::InFlight,
    latency::{Latency, LatencySummary},
    rpc::{Rpc, RpcTimer},
    trace_id::{InvalidIds, PropagateTraceId, PropagateTraceIdLayer, SetTraceId, SetTraceIdLayer},
};
