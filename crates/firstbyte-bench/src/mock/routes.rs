//! The routes: completions, health, the faults, and every control route of the table.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get, on, post},
};
use firstbyte_core::{
    Micros, RouteTable,
    header::{SERVER_TIMING, ServerTiming},
};
use firstbyte_tower::{FirstByteLayer, PropagateTraceIdLayer, Rpc, SetTraceIdLayer};
use futures_util::stream;
use serde_json::{Value, json};

use super::{
    Faults, Mock, RpcReport,
    completions::{self, MODEL},
    faults::Change,
    pause,
};

/// What a lying server adds to its engine's time.
const LIE: Duration = Duration::from_secs(3600);

pub(super) fn router(mock: &Arc<Mock>) -> Router {
    let routes = RouteTable::builtin();
    let mut router = Router::new()
        .route("/v1/completions", post(completions::completions))
        .route("/v1/chat/completions", post(completions::chat))
        .route("/v1/models", get(models))
        .route("/health", get(health))
        .route("/mock/faults", get(show_faults).post(change_faults));
    for route in routes.iter() {
        if let Some(handler) = control_route(&route.method, &route.operation) {
            router = router.route(&route.path, handler);
        }
    }
    router
        .layer(FirstByteLayer::new(mock.recorder.clone()).routes(routes))
        .layer(PropagateTraceIdLayer::new())
        .layer(SetTraceIdLayer::new())
        // Outside the layers, because it falsifies what they say.
        .layer(middleware::map_response_with_state(Arc::clone(mock), report))
        .with_state(Arc::clone(mock))
}

/// `None` for a method that axum doesn't know.
fn control_route(method: &str, operation: &str) -> Option<MethodRouter<Arc<Mock>>> {
    let filter = MethodFilter::try_from(method.parse::<http::Method>().ok()?).ok()?;
    let operation: Arc<str> = operation.into();
    Some(on(filter, move |mock: State<Arc<Mock>>, rpc: Extension<Rpc>, body: Bytes| {
        control(mock.0, rpc.0, operation, body)
    }))
}

/// A control call: waits for the engine, calls it, and says how long that took.
async fn control(mock: Arc<Mock>, rpc: Rpc, operation: Arc<str>, _body: Bytes) -> Response {
    let faults = mock.switchboard.get();
    if faults.reset {
        // The connection breaks before a byte of the answer is written.
        let broken = stream::iter([Err::<Bytes, _>(io::Error::other("reset as asked for"))]);
        return Body::from_stream(broken).into_response();
    }
    if let Some(status) = faults.fail_status.and_then(|code| StatusCode::from_u16(code).ok()) {
        let error = json!({"message": "failed as asked for", "code": status.as_u16()});
        return (status, Json(json!({"error": error}))).into_response();
    }
    let turn = mock.engine.turn().await;
    pause(faults.handler_queue_ms).await;
    let timer = rpc.start(operation.to_string());
    let (reload, extra) = (faults.reload_ms, faults.engine_ms);
    turn.call(&operation, Duration::from_millis(reload), Duration::from_millis(extra)).await;
    let rpc = timer.done();
    drop(turn);

    let mut answer = json!({"status": "ok", "op": &*operation});
    if &*operation == "is_paused" {
        answer["is_paused"] = json!(mock.engine.is_paused());
    }
    if let Some(rpc) = reported(rpc, faults) {
        answer["rpc_ms"] = json!(rpc.as_millis_f64());
    }
    Json(answer).into_response()
}

/// What the server says of `rpc`.
fn reported(rpc: Micros, faults: Faults) -> Option<Micros> {
    match faults.rpc_ms_report {
        RpcReport::Truth => Some(rpc),
        RpcReport::Missing => None,
        RpcReport::Lying => Some(rpc + LIE.into()),
    }
}

/// Makes the header say what the body says, or nothing.
async fn report(State(mock): State<Arc<Mock>>, mut response: Response) -> Response {
    let faults = mock.switchboard.get();
    let (mut timing, _) = ServerTiming::from_headers(response.headers());
    timing.rpc = timing.rpc.and_then(|rpc| reported(rpc, faults));
    if let Some(header) = response.headers_mut().remove(&SERVER_TIMING)
        && faults.server_timing
    {
        let truthful = faults.rpc_ms_report == RpcReport::Truth;
        let header = if truthful { Some(header) } else { timing.to_header() };
        insert_known(response.headers_mut(), header);
    }
    response
}

fn insert_known(headers: &mut HeaderMap, value: Option<http::HeaderValue>) {
    if let Some(value) = value {
        headers.insert(&SERVER_TIMING, value);
    }
}

async fn health() -> StatusCode {
    StatusCode::OK
}

async fn models() -> Json<Value> {
    Json(
        json!({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "firstbyte"}]}),
    )
}

async fn show_faults(State(mock): State<Arc<Mock>>) -> Json<Faults> {
    Json(mock.switchboard.get())
}

async fn change_faults(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    let changed = serde_json::from_slice::<Change>(&body)
        .map_err(|e| format!("the body is no change of the faults: {e}"))
        .and_then(|change| mock.switchboard.change(change));
    match changed {
        Ok(faults) => Json(faults).into_response(),
        Err(message) => {
            let error = json!({"message": message, "code": 400});
            (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
        }
    }
}
