use std::sync::Arc;

use firstbyte_core::{
    Event, Phase, PhaseTimer, ReportedRpc, Split, Tag, Timestamp, TraceId, field,
    header::ServerTiming, record, redact_url, schema::Record,
};
use http::{HeaderMap, Request, Uri, header::HOST};

use super::Shared;
use crate::{
    call::{Call, Outcome, Progress},
    trace_id::set_on_request,
};

/// A control call as the client sees it.
#[derive(Debug)]
pub struct ClientCall {
    shared: Arc<Shared>,
    id: TraceId,
    tag: Tag,
    operation: usize,
    target: Option<Box<str>>,
    progress: Progress,
    timer: PhaseTimer,
    server: ServerTiming,
    rpc: ReportedRpc,
}

impl ClientCall {
    /// Records `client.send`, unless the request is no control call.
    pub(super) fn begin<B>(shared: &Arc<Shared>, request: &mut Request<B>) -> Option<Self> {
        let route = shared.routes.find(request.method().as_str(), request.uri().path())?;
        let start = shared.recorder.clock().now();
        let id = set_on_request(request, &shared.invalid, true);
        let call = Self {
            shared: Arc::clone(shared),
            id,
            tag: route.tag,
            operation: route.operation_index,
            target: target(request),
            progress: Progress::new(request.method()),
            timer: PhaseTimer::start_in(Phase::Wait, start),
            server: ServerTiming::default(),
            rpc: ReportedRpc::Missing,
        };
        let url = redact_url(&request.uri().to_string());
        call.record(call.event(&record::CLIENT_SEND, start).with(field::URL, &url));
        Some(call)
    }

    fn event(&self, record: &'static Record, at: Timestamp) -> Event {
        Event::new(record, at).trace_id(self.id).tag(self.tag)
    }

    /// Adds what every line of the call has, and records it.
    fn record(&self, mut event: Event) {
        event.set(field::OP, &self.shared.routes.operations()[self.operation]);
        if let Some(target) = &self.target {
            event.set(field::TARGET, target);
        }
        self.shared.recorder.record(&event);
    }

    fn now(&self) -> Timestamp {
        self.shared.recorder.clock().now()
    }
}

impl Call for ClientCall {
    fn progress(&self) -> Option<&Progress> {
        Some(&self.progress)
    }

    fn head(&mut self, headers: &mut HeaderMap) {
        let (server, validity) = ServerTiming::from_headers(headers);
        self.server = server;
        self.rpc = match (server.rpc, validity) {
            (Some(rpc), _) => ReportedRpc::Known(rpc),
            (None, Err(_)) => ReportedRpc::Invalid,
            (None, Ok(())) => ReportedRpc::Missing,
        };
        self.timer.enter(Phase::Receive, self.now());
    }

    fn first_byte(&mut self) -> Option<Timestamp> {
        None
    }

    fn end(self, outcome: Outcome, at: Option<Timestamp>) {
        let at = at.unwrap_or_else(|| self.now());
        let phases = self.timer.finish(at);
        let status = self.progress.status();
        let event = if outcome == Outcome::Ok {
            let mut event = self.event(&record::CLIENT_DONE, at);
            Split::new(phases, self.server, self.rpc).set_on(&mut event);
            event
        } else {
            // The class of the error: what failed, or else how the call ended. The service has the
            // request, and what became of it there cannot be known from here.
            let (outcome, error) = match (outcome, status) {
                (Outcome::Error, None) => ("unknown", "service"),
                (Outcome::Error, Some(_)) => ("unknown", "body"),
                _ => (outcome.as_str(), outcome.as_str()),
            };
            self.event(&record::CLIENT_FAIL, at)
                .with(field::WALL, phases.wall())
                .with(field::PHASE, self.timer.current().as_str())
                .with(field::OUTCOME, outcome)
                .with(field::ERROR, error)
        };
        self.record(event.with_known(field::STATUS, status.map(i64::from)));
    }
}

/// Host and port that the call goes to, without credentials.
fn target<B>(request: &Request<B>) -> Option<Box<str>> {
    let uri = request.uri();
    let name = match uri.authority() {
        Some(authority) => firstbyte_core::target(uri.scheme_str(), authority.as_str()),
        None => {
            let host = request.headers().get(HOST)?.to_str().ok()?.parse::<Uri>().ok()?;
            firstbyte_core::target(None, host.authority()?.as_str())
        }
    };
    Some(name.into())
}
