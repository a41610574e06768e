//! One call, before it is sent.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use firstbyte_core::{Timestamp, TraceId, header::X_TRACE_ID, redact_url};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE},
};
use serde::Serialize;

use super::{AdminClient, AdminResponse};
use crate::{
    error::ClientError,
    policy::{OperationClass, Overlapping},
};

/// A control call to be sent.
///
/// [`send`](Self::send) may be called on a clone, too: each clone is a call of its own.
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct AdminRequest {
    pub(super) client: AdminClient,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// By method and route, unless it was said.
    pub(super) class: Option<OperationClass>,
    pub(super) probe: Option<ProbeFn>,
    pub(super) overlapping: Overlapping,
    pub(super) step: Option<i64>,
    pub(super) timeout: Option<Duration>,
    pub(super) started: Option<Timestamp>,
    pub(super) hold: bool,
    /// The first argument that cannot be sent.
    pub(super) invalid: Option<ClientError>,
}

/// What a probe found out about a call whose outcome was unknown.
#[derive(Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "one short-lived value per lost call")]
pub enum Probed {
    /// It happened. The response, typically that of the probe's own request, becomes the call's.
    Applied(AdminResponse),
    /// It did not happen and will not: the call may be sent again.
    NotApplied,
    /// It cannot be told: the outcome stays unknown.
    Unclear,
}

pub(super) type ProbeFn =
    Arc<dyn Fn(AdminClient) -> Pin<Box<dyn Future<Output = Probed> + Send>> + Send + Sync>;

impl AdminRequest {
    pub(super) fn new(client: AdminClient, method: Method, path: String) -> Self {
        let timeout = client.0.timeouts.total;
        Self {
            client,
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            class: None,
            probe: None,
            overlapping: Overlapping::Forbidden,
            step: None,
            timeout,
            started: None,
            hold: false,
            invalid: None,
        }
    }

    /// Sends this value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.body = body.into(),
            Err(e) => return self.refuse(&format!("the value is no JSON: {e}")),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Sends these bytes; set the content type with [`header`](Self::header).
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header, in the place of those with the same name. A `traceparent` or `x-trace-id` gives
    /// the call its id.
    ///
    /// The headers that say where a message ends and what becomes of its connection (`connection`,
    /// `content-length`, `transfer-encoding`, `upgrade`) are the transport's: the request is refused.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with_header(name, value, |headers, name, value| _ = headers.insert(name, value))
    }

    /// Adds a header to those with the same name. A second `host` is refused, and what
    /// [`header`](Self::header) refuses.
    pub fn append_header(self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("host") && self.headers.contains_key(HOST) {
            return self.refuse("a request has one host header");
        }
        self.with_header(name, value, |headers, name, value| _ = headers.append(name, value))
    }

    /// Gives the call this id instead of a random one.
    pub fn trace_id(mut self, id: TraceId) -> Self {
        self.headers.insert(&X_TRACE_ID, firstbyte_core::header::trace_id_value(id));
        self
    }

    /// What sending it twice would do. By method and route, unless it is said here.
    pub fn operation_class(mut self, class: OperationClass) -> Self {
        self.class = Some(class);
        self
    }

    /// Makes the call [`Convergent`](OperationClass::Convergent): when its outcome is unknown,
    /// `probe` is asked whether it happened, and only if it did not the call is sent again.
    ///
    /// The probe must not send operations that are refused while this one is in flight; a GET is
    /// always possible.
    pub fn probe<F, Fut>(mut self, probe: F) -> Self
    where
        F: Fn(AdminClient) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Probed> + Send + 'static,
    {
        self.class = Some(OperationClass::Convergent);
        self.probe = Some(Arc::new(move |client| Box::pin(probe(client))));
        self
    }

    /// Begins even though another operation on the target is in flight, or has ended with an
    /// unknown outcome. Its success settles the unknown outcome.
    ///
    /// Calls of class [`Idempotent`](OperationClass::Idempotent), and operations that the route
    /// table calls `resume`, never need it: a server must not stay paused because of us.
    pub fn allow_overlap(mut self) -> Self {
        self.overlapping = Overlapping::Allowed;
        self
    }

    /// Begins in any case too, but its success settles nothing: for a resume, whatever the server calls it.
    pub fn bypass_overlap(mut self) -> Self {
        self.overlapping = Overlapping::Bypassing;
        self
    }

    /// The training step, for `client.send`.
    pub fn step(mut self, step: i64) -> Self {
        self.step = Some(step);
        self
    }

    /// The total clock of this call, all attempts and pauses included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if timeout.is_zero() {
            return self.refuse("the time-out must be more than zero");
        }
        self.timeout = Some(timeout);
        self
    }

    /// The call began at this moment of the recorder's clock, before its future was polled: where it is
    /// handed to another thread, the way there is part of `setup`.
    pub fn started_at(mut self, at: Timestamp) -> Self {
        self.started = Some(at);
        self
    }

    /// Holds `client.done` back, so that the caller can add when its code went on:
    /// [`AdminResponse::done`].
    pub fn hold_done(mut self) -> Self {
        self.hold = true;
        self
    }

    /// Sends it and reads the whole response, whatever its status.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; its predicates tell whether the operation may have happened.
    pub async fn send(self) -> Result<AdminResponse, ClientError> {
        super::attempt::send(self).await
    }

    /// Whether it can be sent at all, as far as that can be known without sending it.
    ///
    /// # Errors
    ///
    /// The [config error](ClientError::is_config) that [`send`](Self::send) would return.
    pub fn check(&self) -> Result<(), ClientError> {
        super::attempt::url(self).map(drop)
    }

    fn with_header(
        mut self,
        name: &str,
        value: &str,
        put: impl FnOnce(&mut HeaderMap, HeaderName, HeaderValue),
    ) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(_))
                if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(&name) =>
            {
                self.refuse(&format!("the header {name} is the transport's"))
            }
            (Ok(name), Ok(value)) => {
                put(&mut self.headers, name, value);
                self
            }
            (Ok(name), Err(_)) => self.refuse(&format!(
                "the value of the header {name} has bytes that no header may have"
            )),
            // Not the name: where a colon was forgotten, the secret is in it.
            (Err(_), _) => self.refuse("the name of a header has bytes that no header may have"),
        }
    }

    fn refuse(mut self, why: &str) -> Self {
        let subject = format!("{} {}", self.method, redact_url(&self.path));
        self.invalid = self.invalid.or(Some(ClientError::config(format!("{subject}: {why}"))));
        self
    }
}

impl fmt::Debug for AdminRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminRequest")
            .field("method", &self.method)
            .field("base_url", &self.client.0.base)
            .field("path", &redact_url(&self.path))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("class", &self.class)
            .field("overlapping", &self.overlapping)
            .field("step", &self.step)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
