//! The tracing of calls, for any client of reqwest-middleware.

mod attempt;
mod body;
mod rpc;
mod still_waiting;

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use firstbyte_core::{Recorder, RouteTable, TraceId, header::TraceHeaders};
use http::{Extensions, HeaderMap};
use reqwest::{Request, Response, ResponseBuilderExt as _};
use reqwest_middleware::{Middleware, Next};

pub use self::rpc::RpcReport;
use self::{attempt::Attempt, body::ObservedBody, still_waiting::StillWaiting};
use crate::{error::ClientError, label::Label, policy::Timeouts, progress::Progress};

/// Traces control calls: trace headers on the request, one `client.send` and exactly one
/// `client.done` or `client.fail` per call, `client.waiting` while it is stuck.
///
/// Other requests pass untouched. `client.done` is written when the response body ended, or with
/// the flag `body_unread` when it is dropped before.
///
/// A valid `x-trace-id` or `traceparent` on the request is kept, and gives the call its id.
///
/// ```text
/// [weights][00f067aa0ba902b7] client.send url=http://10.0.0.7:8000/pause t=12.345678 op=pause target=10.0.0.7:8000 attempt=1
/// [weights][00f067aa0ba902b7] client.done wall_ms=30.1 rpc_ms=29.6 queue_ms=0.5 setup_ms=0.0 connect_ms=0.1 ...
/// ```
///
/// Put it last before the transport: what comes after it is what it measures. With
/// [`HyperTransport`](crate::HyperTransport) at the end every phase is known; with reqwest's own
/// transport everything before the response head is `wait`.
///
/// ```
/// use firstbyte_client::{FirstByteMiddleware, HyperTransport};
/// use firstbyte_core::{Recorder, recorder::MemorySink};
/// # use firstbyte_testkit::{Script, ScriptedServer, response};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = ScriptedServer::start(
/// #     Script::new().read_request().write(response(200, &[], "")),
/// # ).await;
/// let sink = MemorySink::new();
/// let recorder = Recorder::builder().sink(sink.clone()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(FirstByteMiddleware::new(recorder.clone()))
///     .with(HyperTransport::builder().build()?) // or nothing: reqwest's own transport
///     .build();
/// client.post(server.url("/pause")).send().await?;
///
/// recorder.flush(std::time::Duration::from_secs(1));
/// assert!(sink.lines()[0].contains("client.send url=http://127.0.0.1:"));
/// assert!(sink.lines()[1].contains("client.done wall_ms="));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FirstByteMiddleware {
    recorder: Recorder,
    routes: Arc<RouteTable>,
    all: bool,
    still_waiting: Duration,
}

/// A call of the admin client, for the middleware in its stack. Taken by the first run.
#[derive(Clone, Debug)]
pub(crate) struct AdminCall(pub(crate) Option<AdminAttempt>);

#[derive(Clone, Debug)]
pub(crate) struct AdminAttempt {
    pub(crate) progress: Arc<Progress>,
    pub(crate) step: Option<i64>,
    pub(crate) max_body: usize,
    /// Whether the response is read to its end in any case.
    pub(crate) whole: bool,
    /// Whether `client.done` waits for what the caller adds to it.
    pub(crate) hold: bool,
}

impl FirstByteMiddleware {
    /// Traces the routes of [`RouteTable::builtin`].
    #[must_use]
    pub fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            routes: Arc::new(RouteTable::builtin()),
            all: false,
            still_waiting: Timeouts::default().still_waiting,
        }
    }

    /// Traces the routes of this table instead.
    #[must_use]
    pub fn routes(mut self, routes: impl Into<Arc<RouteTable>>) -> Self {
        self.routes = routes.into();
        self
    }

    /// Traces every request; those without a route are filed under `admin`, without an operation.
    #[must_use]
    pub fn trace_all(mut self) -> Self {
        self.all = true;
        self
    }

    /// How often a call that has not ended says where it is stuck. 60 s; zero turns it off.
    #[must_use]
    pub fn still_waiting(mut self, interval: Duration) -> Self {
        self.still_waiting = interval;
        self
    }

    /// The attempt that `request` is, if it is to be traced.
    fn attempt(
        &self,
        request: &Request,
        extensions: &mut Extensions,
    ) -> Result<Option<AdminAttempt>, ClientError> {
        if let Some(AdminCall(attempt)) = extensions.get_mut() {
            let twice =
                "a middleware of an AdminClient must not send a request again: RetryPolicy does";
            return attempt.take().map(Some).ok_or_else(|| ClientError::config(twice));
        }
        let route = self.routes.find(request.method().as_str(), request.url().path());
        if route.is_none() && !self.all {
            return Ok(None);
        }
        let at = self.recorder.clock().now();
        let mut label = Label::new(request.method(), request.url()).routed(route);
        label.trace_id = Some(trace_id(request.headers()));
        let progress = Progress::start(label, self.recorder.clock().clone(), at);
        Ok(Some(AdminAttempt {
            progress,
            step: None,
            max_body: usize::MAX,
            whole: false,
            hold: false,
        }))
    }
}

#[async_trait::async_trait]
impl Middleware for FirstByteMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let attempt = self.attempt(&request, extensions);
        let Some(admin) = attempt.map_err(reqwest_middleware::Error::middleware)? else {
            return next.run(request, extensions).await;
        };
        let progress = admin.progress;
        if let Some(id) = progress.label.trace_id {
            TraceHeaders::read(request.headers()).set_with_parent(request.headers_mut(), id);
        }
        let recorder = self.recorder.clone();
        let mut attempt =
            Attempt::begin(recorder, Arc::clone(&progress), admin.step, admin.whole, admin.hold);
        let mut waiting = StillWaiting::every(self.still_waiting);
        let mut running = pin!(progress.scope(next.run(request, extensions)));
        let result = poll_fn(|cx| {
            let result = running.as_mut().poll(cx);
            if result.is_pending() {
                waiting.poll(cx, attempt.progress(), &self.recorder);
            }
            result
        });
        match result.await {
            Ok(response) => Ok(observe(response, attempt, waiting, admin.max_body)),
            Err(error) => {
                attempt.fail(&error);
                Err(error)
            }
        }
    }
}

/// The id that a request already has, or a new one.
pub(crate) fn trace_id(headers: &HeaderMap) -> TraceId {
    TraceHeaders::read(headers).id().unwrap_or_else(TraceId::random)
}

/// Puts our eyes on the body; everything else of the response stays.
fn observe(
    response: Response,
    attempt: Attempt,
    waiting: StillWaiting,
    max_body: usize,
) -> Response {
    attempt.progress().head(response.status());
    let report = RpcReport::of(response.headers());
    let url = response.url().clone();
    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    let body = ObservedBody::new(body, attempt, report, waiting, max_body);
    let body = reqwest::Body::wrap(body);
    with_url(http::Response::from_parts(parts, body), url)
}

/// A reqwest response that knows its URL.
pub(crate) fn with_url(mut response: http::Response<reqwest::Body>, url: reqwest::Url) -> Response {
    // The extension that carries the URL is private to reqwest; only its builder makes one.
    if let Ok(carrier) = http::Response::builder().url(url).body(()) {
        response.extensions_mut().extend(carrier.into_parts().0.extensions);
    }
    response.into()
}
