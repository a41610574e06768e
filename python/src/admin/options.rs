//! What a native client is made of, so that a child of a fork can make it anew.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use firstbyte_client::{AdminClient, ClientError, ConnectionMode, RetryPolicy, Timeouts};
use firstbyte_core::{Recorder, RouteTable};
use pyo3::prelude::*;

use super::runtime;
use crate::{
    convert::{config_error, seconds},
    routes,
};

/// How many attempts a call may have, the first one included.
const ATTEMPTS: RangeInclusive<u32> = 1..=3;

/// The arguments of `NativeClient`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Arguments {
    base_url: String,
    token: Option<String>,
    max_connections: Option<usize>,
    connect_timeout: f64,
    send_timeout: f64,
    peer_dead_timeout: f64,
    timeout: Option<f64>,
    still_waiting: f64,
    attempts: u32,
    max_body: usize,
    root_certificate: Option<Vec<u8>>,
    identity: Option<Vec<u8>>,
    routes: Option<PathBuf>,
}

#[derive(Clone)]
pub(super) struct Options {
    base_url: String,
    token: Option<String>,
    mode: ConnectionMode,
    timeouts: Timeouts,
    retry: RetryPolicy,
    max_body: usize,
    root_certificate: Option<Vec<u8>>,
    identity: Option<Vec<u8>>,
    routes: Arc<RouteTable>,
}

impl Options {
    pub(super) fn new(py: Python<'_>, arguments: Arguments) -> PyResult<Self> {
        let clock = |name, value| seconds(py, name, value);
        let attempts = arguments.attempts;
        if !ATTEMPTS.contains(&attempts) {
            return Err(config_error(py, &format!("attempts={attempts}: 1 to 3 are possible")));
        }
        if arguments.token.as_deref() == Some("") {
            return Err(config_error(py, "token: it is empty; leave it out if there is none"));
        }
        Ok(Self {
            base_url: arguments.base_url,
            token: arguments.token,
            mode: match arguments.max_connections {
                None => ConnectionMode::OneShot,
                Some(max_connections) => ConnectionMode::KeepAlive { max_connections },
            },
            timeouts: Timeouts {
                connect: clock("connect_timeout", arguments.connect_timeout)?,
                send: clock("send_timeout", arguments.send_timeout)?,
                peer_dead: clock("peer_dead_timeout", arguments.peer_dead_timeout)?,
                total: arguments.timeout.map(|value| clock("timeout", value)).transpose()?,
                still_waiting: clock("still_waiting", arguments.still_waiting)?,
            },
            retry: RetryPolicy { attempts, ..RetryPolicy::default() },
            max_body: arguments.max_body,
            root_certificate: arguments.root_certificate,
            identity: arguments.identity,
            routes: routes::table_with(py, arguments.routes)?,
        })
    }

    pub(super) fn build(&self, recorder: Recorder) -> Result<AdminClient, ClientError> {
        let mut builder = AdminClient::builder(recorder)
            .base_url(&self.base_url)
            .connection_mode(self.mode)
            .timeouts(self.timeouts)
            .retry(self.retry.clone())
            .single_flight(runtime::flights())
            .max_body(self.max_body)
            .routes(Arc::clone(&self.routes));
        if let Some(token) = &self.token {
            builder = builder.bearer_token(token);
        }
        if let Some(pem) = &self.root_certificate {
            builder = builder.root_certificate(pem.clone());
        }
        if let Some(pem) = &self.identity {
            builder = builder.identity(pem.clone());
        }
        builder.build()
    }
}
