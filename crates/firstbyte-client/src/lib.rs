//! Admin calls that say where each millisecond went, and never harm what they call.
//!
//! | to | use |
//! | --- | --- |
//! | call the control routes of a server | [`AdminClient`] |
//! | pause, work, and resume whatever happens | [`AdminClient::paused`] |
//! | call many servers at once | [`AdminFleet`] |
//! | trace the control calls of a client you already have | [`FirstByteMiddleware`] |
//! | know every phase of any request, streams included | [`HyperTransport`] |
//!
//! ```
//! use firstbyte_client::AdminClient;
//! use firstbyte_core::Recorder;
//! # use firstbyte_testkit::{Script, ScriptedServer, response};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = ScriptedServer::start(Script::new().read_request().write(response(
//! #     200, &[("content-type", "application/json")], r#"{"status":"ok","rpc_ms":0.1}"#,
//! # ))).await;
//! let client = AdminClient::builder(Recorder::builder().stderr().build()?)
//!     .base_url(server.url(""))
//!     .bearer_token("secret")
//!     .build()?;
//! let response = client
//!     .post("/update_weights")
//!     .json(&serde_json::json!({ "weight_dir": "/ckpt/step_7" }))
//!     .step(7)
//!     .send()
//!     .await?
//!     .error_for_status()?;
//! println!("{:.1} ms of queue", response.split.queue().unwrap_or_default().as_millis_f64());
//! # Ok(())
//! # }
//! ```
//!
//! Durations are whole microseconds ([`Micros`](firstbyte_core::Micros)); the phases of a call add up
//! to its wall time exactly.
//!
//! # What an admin client promises
//!
//! - A call that may have been applied is never sent again, unless its [`OperationClass`] says that
//!   this is harmless. What is not known is an error of its own:
//!   [`ClientError::is_outcome_unknown`].
//! - Each way of hanging has its own clock ([`Timeouts`]); a call that hangs says where
//!   ([`CallState`], `client.waiting`).
//! - Every attempt has one `client.send` and exactly one `client.done` or `client.fail`, also when
//!   its future is dropped.
//! - By default every call has a connection of its own, so it never waits behind streams.
//! - Tokens, certificates, URL credentials and query values are in no event, error or `Debug` form.
//!
//! # Cost
//!
//! The tracing of a call adds about two microseconds to it. A call opens no thread and spawns no
//! task (resolving a host name and reading the system's certificates borrow one of tokio's blocking
//! threads); a paused server's resume is the one task.
#![forbid(unsafe_code)]

mod admin;
mod call_state;
mod error;
mod fleet;
mod held;
mod label;
mod middleware;
mod policy;
mod progress;
mod transport;
mod wire;

pub use self::{
    admin::{AdminClient, AdminClientBuilder, AdminRequest, AdminResponse, Paused, Probed},
    call_state::{CallState, Whereabouts},
    error::ClientError,
    fleet::{AdminFleet, FanOut, Outcome, TargetResult},
    held::HeldDone,
    middleware::{FirstByteMiddleware, RpcReport},
    policy::{OperationClass, RetryPolicy, SingleFlight, Timeouts},
    transport::{ConnectionMode, HyperTransport, TransportBuilder},
};
