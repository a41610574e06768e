//! Bad configuration fails here, with a message; afterwards only calls do.

use std::{fmt, sync::Arc};

use firstbyte_core::{Recorder, RouteTable};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use reqwest::Url;
use reqwest_middleware::Middleware;

use super::{AdminClient, Inner};
use crate::{
    error::ClientError,
    label,
    middleware::FirstByteMiddleware,
    policy::{RetryPolicy, SingleFlight, Timeouts},
    transport::{ConnectionMode, HyperTransport, TransportBuilder, unused_client},
};

/// Configures an [`AdminClient`].
#[must_use]
pub struct AdminClientBuilder {
    recorder: Recorder,
    base: String,
    token: Option<String>,
    own: TransportBuilder,
    /// Another transport, and a setting of `own` that it would ignore.
    shared: Option<HyperTransport>,
    owned_setting: Option<&'static str>,
    routes: Arc<RouteTable>,
    retry: RetryPolicy,
    flights: Option<SingleFlight>,
    max_body: usize,
    middlewares: Vec<Arc<dyn Middleware>>,
}

impl AdminClientBuilder {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            base: String::new(),
            token: None,
            own: HyperTransport::builder(),
            shared: None,
            owned_setting: None,
            routes: Arc::new(RouteTable::builtin()),
            retry: RetryPolicy::default(),
            flights: None,
            max_body: 1 << 20,
            middlewares: Vec::new(),
        }
    }

    /// The server: scheme, host, port and perhaps the beginning of all paths. Required.
    ///
    /// `http://user:password@host` authenticates with HTTP Basic; the credentials are taken out of
    /// the URL at once.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base = url.into();
        self
    }

    /// Authenticates every request with this token.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// One connection per call, or connections that are kept. One-shot.
    pub fn connection_mode(mut self, mode: ConnectionMode) -> Self {
        self.own = self.own.connection_mode(mode);
        self.owned("connection_mode")
    }

    /// The clocks of a call.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.own = self.own.timeouts(timeouts);
        self.owned("timeouts")
    }

    /// Trusts the certificates in this PEM text, next to those that the system trusts.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.own = self.own.root_certificate(pem);
        self.owned("root_certificate")
    }

    /// Identifies itself with the certificate chain and the private key in this PEM text.
    pub fn identity(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.own = self.own.identity(pem);
        self.owned("identity")
    }

    /// Shares the connections, clocks and certificates of another transport instead of having its
    /// own; for comparisons, and for servers that allow one connection only.
    pub fn transport(mut self, transport: HyperTransport) -> Self {
        self.shared = Some(transport);
        self
    }

    /// Names the operations. [`RouteTable::builtin`].
    pub fn routes(mut self, routes: impl Into<Arc<RouteTable>>) -> Self {
        self.routes = routes.into();
        self
    }

    /// When and how often a call is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Shares what is in flight and what is unknown with the clients that have the same one, instead
    /// of with all [of the process](SingleFlight::of_process): in the child of a fork, and in tests.
    pub fn single_flight(mut self, flights: SingleFlight) -> Self {
        self.flights = Some(flights);
        self
    }

    /// The most bytes of a response body. 1 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Adds a middleware around every attempt, the first one outermost. Its time before the
    /// request goes out is `setup`. It must not run the request twice: that is [`RetryPolicy`]'s.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.middlewares.push(Arc::new(middleware));
        self
    }

    /// Checks everything that can be checked without a network.
    ///
    /// # Errors
    ///
    /// A [config error](ClientError::is_config) for a URL that is no HTTP URL or has a query, a
    /// token that is no header value, a token next to URL credentials, PEM text that cannot be
    /// used, zero connections or a clock of zero, and settings of a transport next to
    /// [`transport`](Self::transport).
    pub fn build(self) -> Result<AdminClient, ClientError> {
        let (base, mut headers) = base_url(&self.base)?;
        if let Some(token) = &self.token {
            if headers.contains_key(AUTHORIZATION) {
                let both = "base_url has credentials and bearer_token is set: choose one";
                return Err(ClientError::config(both));
            }
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value.map_err(|_| {
                ClientError::config("bearer_token has bytes that no header may have")
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let transport = match (self.shared, self.owned_setting) {
            (None, _) => self.own.build()?,
            (Some(shared), None) => shared,
            (Some(_), Some(setting)) => {
                let message =
                    format!("{setting} belongs to the transport that transport() was given");
                return Err(ClientError::config(message));
            }
        };
        let timeouts = transport.timeouts();
        let tracing = FirstByteMiddleware::new(self.recorder.clone())
            .routes(Arc::clone(&self.routes))
            .still_waiting(timeouts.still_waiting);
        let unused = unused_client()
            .ok_or_else(|| ClientError::config("reqwest cannot be initialised: no TLS backend"))?;
        let client = self
            .middlewares
            .into_iter()
            .fold(reqwest_middleware::ClientBuilder::new(unused), |builder, middleware| {
                builder.with_arc(middleware)
            })
            .with(tracing)
            .with(transport)
            .build();
        let prefix = base.path().trim_end_matches('/').to_owned();
        Ok(AdminClient(Arc::new(Inner {
            target: (label::target(&base) + &prefix).into(),
            prefix,
            base: base.as_str().trim_end_matches('/').to_owned(),
            headers,
            client,
            routes: self.routes,
            recorder: self.recorder,
            timeouts,
            retry: self.retry,
            max_body: self.max_body,
            flights: self.flights.unwrap_or_else(SingleFlight::of_process),
            calls: std::sync::Mutex::default(),
        })))
    }

    fn owned(mut self, setting: &'static str) -> Self {
        self.owned_setting = self.owned_setting.or(Some(setting));
        self
    }
}

/// The URL without its credentials, and these as a header. No message repeats the URL: it may be
/// one of the places where a secret is.
fn base_url(text: &str) -> Result<(Url, HeaderMap), ClientError> {
    let invalid = |why: &str| {
        ClientError::config(format!("base_url {why}; expected something like http://10.0.0.7:8000"))
    };
    let url = Url::parse(text).map_err(|e| invalid(&format!("is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("is no http or https URL"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a query or a fragment"));
    }
    // reqwest moves the credentials of a URL into a sensitive header.
    let mut request = unused_client()
        .and_then(|client| client.get(url).build().ok())
        .ok_or_else(|| invalid("cannot be used"))?;
    let headers = std::mem::take(request.headers_mut());
    Ok((request.url().clone(), headers))
}

impl fmt::Debug for AdminClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClientBuilder")
            .field("base_url", &firstbyte_core::redact_url(&self.base))
            .field("bearer_token", &self.token.is_some())
            .field("transport", &self.own)
            .field("retry", &self.retry)
            .field("max_body", &self.max_body)
            .field("middlewares", &self.middlewares.len())
            .finish_non_exhaustive()
    }
}
