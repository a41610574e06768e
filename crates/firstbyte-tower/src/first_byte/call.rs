use std::sync::Arc;

use firstbyte_core::{
    Event, Micros, Route, Timestamp, Transport, field,
    header::{SERVER_TIMING, ServerTiming, since_request_start},
    record,
};
use http::{HeaderMap, Request};

use crate::{
    call::{Call, Outcome, Progress},
    rpc::{Exchange, Rpc},
    shared::Shared,
    trace_id::{of_request, set_on_response},
};

/// A request as the server sees it.
#[derive(Debug)]
pub struct ServerCall(Kind);

#[derive(Debug)]
enum Kind {
    /// A control call: everything is recorded.
    Control { exchange: Arc<Exchange>, operation: usize },
    /// Any other request: counted by the reference, timed from `start` in ticks.
    Other { shared: Arc<Shared>, start: u64 },
}

impl ServerCall {
    #[inline]
    pub(super) fn begin<B>(shared: &Arc<Shared>, request: &mut Request<B>) -> Self {
        let route = shared.routes.find(request.method().as_str(), request.uri().path());
        Self(match route {
            None => Kind::Other { shared: Arc::clone(shared), start: shared.ticks.now() },
            Some(route) => Self::control(shared, route, request),
        })
    }

    fn control<B>(shared: &Arc<Shared>, route: &Route, request: &mut Request<B>) -> Kind {
        let others = Arc::strong_count(shared) - 1;
        let at = shared.recorder.clock().now();
        let id = of_request(request, &shared.invalid);
        let transport = request.extensions().get::<Transport>();
        let kernel = transport.and_then(|transport| transport.arrival().kernel);

        let mut event = Event::new(&record::SERVER_RECV, at).trace_id(id).tag(route.tag);
        event.set(field::PATH, request.uri().path());
        if let Some(kernel) = kernel {
            event.set(field::KERNEL, kernel);
        }
        event.set(field::INFLIGHT, others.cast_signed() as i64);
        if let Some(proxy) = since_request_start(request.headers(), shared.recorder.clock()) {
            event.set(field::PROXY, proxy);
        }
        shared.recorder.record(&event);

        let exchange = Arc::new(Exchange::new(
            Arc::clone(shared),
            id,
            route.tag,
            at,
            kernel,
            Progress::new(request.method()),
        ));
        request.extensions_mut().insert(Rpc::new(Arc::clone(&exchange)));
        Kind::Control { exchange, operation: route.operation_index }
    }
}

impl Call for ServerCall {
    #[inline]
    fn progress(&self) -> Option<&Progress> {
        match &self.0 {
            Kind::Control { exchange, .. } => Some(&exchange.progress),
            Kind::Other { .. } => None,
        }
    }

    #[inline]
    fn head(&mut self, headers: &mut HeaderMap) {
        if let Kind::Control { exchange, .. } = &self.0 {
            control_head(exchange, headers);
        }
    }

    #[inline]
    fn first_byte(&mut self) -> Option<Timestamp> {
        let Kind::Control { exchange, .. } = &self.0 else { return None };
        let at = exchange.clock().now();
        let mut event = exchange.event(&record::SERVER_FIRST_BYTE, at);
        event.set(field::TTFB, exchange.since_recv(at));
        if let Some(status) = exchange.progress.status() {
            event.set(field::STATUS, status.into());
        }
        exchange.record(&event);
        Some(at)
    }

    #[inline]
    fn end(self, outcome: Outcome, at: Option<Timestamp>) {
        match self.0 {
            Kind::Control { exchange, operation } => {
                control_done(&exchange, operation, outcome, at);
            }
            Kind::Other { shared, start } => shared.latency.other(start, shared.ticks.now()),
        }
    }
}

fn control_head(exchange: &Exchange, headers: &mut HeaderMap) {
    let total = exchange.since_recv(exchange.clock().now());
    let engine = &exchange.engine;
    let timing = ServerTiming::new(exchange.kernel, engine.handler(), engine.rpc(), Some(total));
    if let Some(value) = timing.to_header() {
        // A map that is full stays as it is.
        _ = headers.try_append(&SERVER_TIMING, value);
    }
    set_on_response(headers, exchange.id);
}

fn control_done(exchange: &Exchange, operation: usize, outcome: Outcome, at: Option<Timestamp>) {
    let at = at.unwrap_or_else(|| exchange.clock().now());
    let duration = at.since(exchange.recv);
    exchange.shared.latency.operation(operation, duration);

    let progress = &exchange.progress;
    let mut event = exchange.event(&record::SERVER_DONE, at);
    event.set(field::DUR, Micros::from(duration));
    if let Some(status) = progress.status() {
        event.set(field::STATUS, status.into());
    }
    event.set(field::OUTCOME, outcome.as_str());
    event.set(field::BYTES, progress.bytes().cast_signed());
    event.set(field::FRAMES, progress.frames().cast_signed());
    exchange.record(&event);
}
