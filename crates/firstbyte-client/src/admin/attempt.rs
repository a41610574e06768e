//! From a request to its answer: attempts, and what may come between them.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use firstbyte_core::{ReportedRpc, Route, Split, Timestamp, TraceId, header::ServerTiming};
use http::Extensions;
use reqwest::Url;
use tokio::time::Instant;

use super::{AdminClient, AdminRequest, AdminResponse, request::Probed};
use crate::{
    error::{ClientError, Failure, Reason},
    label::Label,
    middleware::{AdminAttempt, AdminCall, trace_id},
    policy::{Flight, LONGEST, OperationClass, Overlapping, Refusal, RetryPolicy},
    progress::Progress,
};

type Result<T> = std::result::Result<T, ClientError>;

/// Sends a request as often as the policy allows, and reads the response.
pub(super) async fn send(request: AdminRequest) -> Result<AdminResponse> {
    let clock = request.client.0.recorder.clock();
    let mut started = Some(request.started.unwrap_or_else(|| clock.now()));
    let mut call = Call::begin(&request)?;
    let mut doubt: Option<ClientError> = None;
    let mut number = 1;
    loop {
        let result = call.attempt(number, started.take()).await;
        let may_repeat = match &result {
            Ok(response) => {
                call.settle(response.status.is_success());
                call.retry().may_repeat_after_status(call.class, response.status.as_u16())
            }
            Err(error) if error.is_outcome_unknown() => match call.ask_probe().await {
                Some(Probed::Applied(mut response)) => {
                    call.settle(true);
                    response.attempts = number;
                    return Ok(response);
                }
                Some(Probed::NotApplied) => {
                    call.settle(false);
                    error.is_transient()
                }
                Some(Probed::Unclear) => false,
                None => {
                    doubt = doubt.or_else(|| Some(error.clone()));
                    error.is_transient()
                        && call.class != OperationClass::Convergent
                        && call.retry().may_resend(call.class)
                }
            },
            Err(error) => {
                // A body that is too large is an answer all the same.
                if error.is_body() {
                    call.settle(false);
                }
                error.is_not_sent() && error.is_transient()
            }
        };
        let pause = call.retry().pause_after(number);
        if !may_repeat || number >= call.retry().attempts || !call.has_time_for(pause) {
            return match (result, doubt) {
                // An earlier attempt may have happened although this one did not.
                (Err(error), Some(doubt)) if error.is_not_sent() => Err(doubt),
                (result, _) => result,
            };
        }
        tokio::time::sleep(pause).await;
        number += 1;
    }
}

/// The whole URL, if everything about the request can be sent.
pub(super) fn url(request: &AdminRequest) -> Result<Url> {
    if let Some(invalid) = &request.invalid {
        return Err(invalid.clone());
    }
    let AdminRequest { client, path, .. } = request;
    // What a URL parser takes out silently would be another path.
    let is_path = path.starts_with('/') && !path.contains(|c: char| c.is_ascii_control());
    let url = is_path.then(|| Url::parse(&format!("{}{path}", client.0.base)).ok()).flatten();
    let what = "a path must start with a slash and have no control characters";
    url.ok_or_else(|| ClientError::config(what))
}

/// What the attempts of a call have in common.
struct Call<'a> {
    request: &'a AdminRequest,
    client: &'a AdminClient,
    url: Url,
    route: Option<&'a Route>,
    class: OperationClass,
    trace_id: TraceId,
    deadline: Option<Instant>,
    /// `None` for calls that may overlap with anything.
    flight: Option<Flight>,
}

impl<'a> Call<'a> {
    fn begin(request: &'a AdminRequest) -> Result<Self> {
        let AdminRequest { client, method, .. } = request;
        let url = url(request)?;
        let route = client.0.routes.find(method.as_str(), client.0.own_path(&url));
        let trace_id = trace_id(&request.headers);
        let class = request.class.unwrap_or_else(|| OperationClass::of(method.as_str(), route));
        let flight = match class {
            OperationClass::Idempotent if *method == reqwest::Method::GET => None,
            class => {
                let resumes = route.is_some_and(|route| &*route.operation == "resume");
                let harmless = resumes || class == OperationClass::Idempotent;
                let overlapping = match request.overlapping {
                    Overlapping::Forbidden if harmless => Overlapping::Bypassing,
                    as_asked => as_asked,
                };
                let flight = client.0.flights.begin(&client.0.target, trace_id, overlapping);
                Some(flight.map_err(|refusal| refused(client, &url, request, refusal))?)
            }
        };
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout.min(LONGEST));
        Ok(Self { request, client, url, route, class, trace_id, deadline, flight })
    }

    fn retry(&self) -> &'a RetryPolicy {
        &self.client.0.retry
    }

    fn settle(&mut self, succeeded: bool) {
        if let Some(flight) = &mut self.flight {
            flight.settle(succeeded);
        }
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() + pause < deadline)
    }

    async fn ask_probe(&self) -> Option<Probed> {
        match (&self.request.probe, self.class) {
            (Some(probe), OperationClass::Convergent) => Some(probe(self.client.clone()).await),
            _ => None,
        }
    }

    /// One attempt; `started` is the moment of the call for the first one.
    async fn attempt(&mut self, number: u32, started: Option<Timestamp>) -> Result<AdminResponse> {
        let inner = &*self.client.0;
        let clock = inner.recorder.clock();
        let mut label = Label::new(&self.request.method, &self.url);
        label = label.behind(&inner.prefix).routed(self.route);
        label.trace_id = Some(self.trace_id);
        label.attempt = number;
        let progress =
            Progress::start(label, clock.clone(), started.unwrap_or_else(|| clock.now()));
        if let Some(flight) = &mut self.flight {
            flight.watch(&progress);
        }
        inner.register(&progress);
        let mut extensions = Extensions::new();
        extensions.insert(AdminCall(Some(AdminAttempt {
            progress: Arc::clone(&progress),
            step: self.request.step,
            max_body: inner.max_body,
            whole: true,
            hold: self.request.hold,
        })));
        let sent = inner.client.execute_with_extensions(self.message(), &mut extensions).await;
        let mut response = sent.map_err(|e| own_error(e, &progress))?;
        let body = read(&mut response, &progress).await?;
        let split = progress.split().unwrap_or_else(|| {
            // A middleware answered in the server's place.
            Split::new(progress.finish().0, ServerTiming::default(), ReportedRpc::Missing)
        });
        Ok(AdminResponse {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
            trace_id: self.trace_id,
            split,
            attempts: number,
            done: progress.take_held(),
            subject: progress.label.subject(),
        })
    }

    fn message(&self) -> reqwest::Request {
        let mut message = reqwest::Request::new(self.request.method.clone(), self.url.clone());
        *message.headers_mut() = self.client.0.headers.clone();
        message.headers_mut().extend(self.request.headers.clone());
        *message.body_mut() = Some(self.request.body.clone().into());
        *message.timeout_mut() =
            self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        message
    }
}

fn refused(
    client: &AdminClient,
    url: &Url,
    request: &AdminRequest,
    refusal: Refusal,
) -> ClientError {
    let subject = Label::new(&request.method, url).subject();
    let advice = "; if it may overlap, send it with allow_overlap()";
    match refusal {
        Refusal::InFlight => ClientError::overlap(
            format!(
                "{subject} was not sent: another operation on {} is in flight{advice}",
                client.target()
            ),
            None,
        ),
        Refusal::Unknown(id) => ClientError::overlap(
            format!(
                "{subject} was not sent: the outcome of an earlier operation on {} is unknown, \
                 trace {id}; find out and call forget_unknown(){advice}",
                client.target()
            ),
            Some(id),
        ),
    }
}

async fn read(response: &mut reqwest::Response, progress: &Progress) -> Result<Bytes> {
    let mut body = BytesMut::new();
    let mut first = Bytes::new();
    loop {
        match response.chunk().await {
            Ok(None) if body.is_empty() => return Ok(first),
            Ok(None) => return Ok(body.freeze()),
            Ok(Some(chunk)) if first.is_empty() => first = chunk,
            Ok(Some(chunk)) => {
                if body.is_empty() {
                    body.extend_from_slice(&first);
                }
                body.extend_from_slice(&chunk);
            }
            Err(error) => return Err(own_error(error.into(), progress)),
        }
    }
}

/// Our own error inside a middleware's, or one about it. URLs are taken out of reqwest's errors.
fn own_error(error: reqwest_middleware::Error, progress: &Progress) -> ClientError {
    if let Some(own) = ClientError::find(&error) {
        return own.clone();
    }
    progress.error(Failure { reason: Reason::Middleware, source: Some(error.without_url().into()) })
}
