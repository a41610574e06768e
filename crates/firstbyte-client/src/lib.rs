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
