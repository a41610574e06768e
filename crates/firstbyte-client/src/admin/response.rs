//! One answer, read to its end.

use std::fmt;

use bytes::Bytes;
use firstbyte_core::{Split, TraceId};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::held::HeldDone;

/// The response to a control call.
#[derive(Clone)]
#[non_exhaustive]
pub struct AdminResponse {
    /// Any status, redirects included: they are not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, not decompressed.
    pub body: Bytes,
    /// The id of the call.
    pub trace_id: TraceId,
    /// Where the time of the last attempt went.
    pub split: Split,
    /// How many attempts it took.
    pub attempts: u32,
    /// The `client.done` of the last attempt, if [`hold_done`](crate::AdminRequest::hold_done) was asked for.
    pub done: Option<HeldDone>,
    pub(super) subject: String,
}

impl AdminResponse {
    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// A [body error](ClientError::is_body) if it is none, or not one of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|e| ClientError::decode(self.subject.clone(), e))
    }

    /// The response if its status is 2xx.
    ///
    /// # Errors
    ///
    /// A [status error](ClientError::is_status) otherwise, for redirects too.
    pub fn error_for_status(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(ClientError::status_of(self.subject, self.trace_id, self.status))
    }
}

impl fmt::Debug for AdminResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminResponse")
            .field("subject", &self.subject)
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("trace_id", &self.trace_id)
            .field("split", &self.split)
            .field("attempts", &self.attempts)
            .finish()
    }
}
