//! A service whose control calls say where their time went.
//!
//! ```sh
//! cargo run -p example-axum-service
//! curl -i -X POST http://127.0.0.1:8000/update_weights
//! ```
//!
//! The response carries `x-trace-id` and `server-timing`; the standard error stream shows
//! `server.recv`, `rpc.start`, `rpc.done`, `server.first_byte` and `server.done` of the call.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{error::Error, time::Duration};

use axum::{Extension, Json, Router, routing::post};
use firstbyte::{
    Clock, Recorder,
    net::{TracedListener, trace_connections},
    tower::{FirstByteLayer, Rpc},
};
use serde_json::{Value, json};

/// The handler times the engine, and nothing else of it changes.
async fn update_weights(Extension(rpc): Extension<Rpc>) -> Json<Value> {
    let timer = rpc.start("update_weights");
    tokio::time::sleep(Duration::from_millis(200)).await; // the engine loads the weights
    let rpc_ms = timer.done().as_millis_f64();
    Json(json!({ "status": "ok", "rpc_ms": rpc_ms }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let recorder = Recorder::builder().stderr().build()?;
    let app = Router::new()
        .route("/update_weights", post(update_weights))
        .layer(FirstByteLayer::new(recorder.clone()));

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TracedListener::bind(&address, Clock::system()).await;
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, trace_connections(app))
        .with_graceful_shutdown(async { _ = tokio::signal::ctrl_c().await })
        .await?;

    recorder.shutdown(Duration::from_secs(1));
    Ok(())
}
