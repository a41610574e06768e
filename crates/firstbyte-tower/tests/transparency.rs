//! With and without the layers: the same exchange, poll by poll.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use firstbyte_testkit::{ScriptedBody, ScriptedBodyError};
use firstbyte_tower::{ClientLayer, FirstByteLayer, PropagateTraceIdLayer, SetTraceIdLayer};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use proptest::{collection::vec, prelude::*};
use support::Log;
use tower::{Service, ServiceBuilder, service_fn};

/// A step of a scripted body.
#[derive(Clone, Debug)]
enum Step {
    Data(Vec<u8>),
    Pending,
    Trailers,
    Error,
    End,
}

#[derive(Clone, Debug)]
struct Exchange {
    path: &'static str,
    method: &'static str,
    /// `None` if the service fails.
    status: Option<u16>,
    headers: Vec<(&'static str, &'static str)>,
    steps: Vec<Step>,
    exact_length: bool,
    /// After how many polls the consumer loses interest.
    polls: usize,
}

fn exchanges() -> impl Strategy<Value = Exchange> {
    let step = prop_oneof![
        6 => vec(any::<u8>(), 0..20).prop_map(Step::Data),
        3 => Just(Step::Pending),
        1 => Just(Step::Trailers),
        1 => Just(Step::Error),
        1 => Just(Step::End),
    ];
    let header = prop_oneof![
        Just(("content-type", "text/event-stream")),
        Just(("set-cookie", "a=b")),
        Just(("content-length", "3")),
    ];
    (
        prop::sample::select(vec!["/pause", "/update_weights", "/v1/completions", "/"]),
        prop::sample::select(vec!["POST", "GET", "HEAD"]),
        prop::option::weighted(0.9, prop::sample::select(vec![200, 101, 204, 304, 404, 500])),
        vec(header, 0..4),
        vec(step, 0..8),
        any::<bool>(),
        0..12_usize,
    )
        .prop_map(|(path, method, status, headers, steps, exact_length, polls)| Exchange {
            path,
            method,
            status,
            headers,
            steps,
            exact_length,
            polls,
        })
}

fn response(exchange: &Exchange) -> Result<Response<ScriptedBody>, &'static str> {
    let mut response = Response::builder().status(exchange.status.ok_or("its own error")?);
    for (name, value) in &exchange.headers {
        response = response.header(*name, *value);
    }
    let body = exchange.steps.iter().fold(ScriptedBody::new(), |body, step| match step {
        Step::Data(data) => body.data(Bytes::from(data.clone())),
        Step::Pending => body.pending(),
        Step::Trailers => body
            .trailers(HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))])),
        Step::Error => body.error("broken"),
        Step::End => body.end(),
    });
    let body = if exchange.exact_length { body } else { body.with_size_hint(Default::default()) };
    Ok(response.body(body).unwrap())
}

/// Everything that a consumer can see, as text: head, and at every poll the end, the size and the frame.
fn observe<S, B>(service: &mut S, exchange: &Exchange) -> (Option<HeaderMap>, Vec<String>)
where
    S: Service<Request<()>, Response = Response<B>, Error = &'static str>,
    B: Body<Data = Bytes, Error = ScriptedBodyError>,
{
    let request = Request::builder().method(exchange.method).uri(exchange.path).body(()).unwrap();
    let response = match service.call(request).now_or_never().unwrap() {
        Ok(response) => response,
        Err(error) => return (None, vec![error.to_owned()]),
    };
    let (head, body) = response.into_parts();
    let mut seen = vec![format!("{} {:?}", head.status, head.version)];
    let mut body: Pin<Box<B>> = Box::pin(body);
    for _ in 0..exchange.polls {
        let polled = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
        let last = matches!(polled, Poll::Ready(None | Some(Err(_))));
        seen.push(format!("{} {:?} {polled:?}", body.is_end_stream(), body.size_hint()));
        if last {
            break;
        }
    }
    (Some(head.headers), seen)
}

thread_local!(static LOG: Log = Log::new());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_generated_exchange_is_the_same_with_and_without_the_layers(exchange in exchanges()) {
        thread_local!(static LAYERS: (FirstByteLayer, ClientLayer) = {
            let log = LOG.with(|log| log.recorder.clone());
            (FirstByteLayer::new(log.clone()), ClientLayer::new(log))
        });
        let (first_byte, client) = LAYERS.with(Clone::clone);
        let handler = |_: Request<()>| std::future::ready(response(&exchange));
        let (bare_headers, bare) = observe(&mut service_fn(handler), &exchange);
        let mut server = ServiceBuilder::new()
            .layer(SetTraceIdLayer::new())
            .layer(PropagateTraceIdLayer::new())
            .layer(first_byte)
            .service_fn(handler);
        let (server_headers, watched) = observe(&mut server, &exchange);
        prop_assert_eq!(&bare, &watched);
        let server_headers = server_headers.map(|mut headers| {
            headers.remove("x-trace-id");
            headers.remove("server-timing");
            headers
        });
        prop_assert_eq!(&bare_headers, &server_headers);

        let mut client = ServiceBuilder::new().layer(client).service_fn(handler);
        prop_assert_eq!((bare_headers, bare), observe(&mut client, &exchange));
    }
}
