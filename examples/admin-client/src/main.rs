//! Updates a server's weights and prints where the time went.
//!
//! ```sh
//! cargo run -p example-axum-service &
//! cargo run -p example-admin-client -- http://127.0.0.1:8000
//! ```
//!
//! The standard error stream shows `client.send` and `client.done` of the call.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "an example talks to its reader")]

use std::{process::ExitCode, time::Duration};

use firstbyte::{
    Phase, Recorder,
    client::{AdminClient, AdminResponse, OperationClass},
};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    match update().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn update() -> Result<(), String> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8000".to_owned());
    let recorder = Recorder::builder().stderr().build().map_err(|e| e.to_string())?;
    let client = AdminClient::builder(recorder.clone()).base_url(server).build();
    let client = client.map_err(|e| e.to_string())?;

    let answer = client
        .post("/update_weights")
        .json(&json!({ "weight_dir": "/checkpoints/step_7" }))
        // Loading the same weights twice does no harm, so it may be sent again if it must.
        .operation_class(OperationClass::Idempotent)
        .send()
        .await
        // An answer that is no success is an error, too.
        .and_then(AdminResponse::error_for_status);
    let result = match answer {
        Ok(answer) => {
            println!("{} in {} ms", answer.status, answer.split.wall());
            for phase in Phase::ALL {
                if let Some(duration) = answer.split.phases.get(phase) {
                    println!("  {phase:8} {duration:>8} ms");
                }
            }
            Ok(())
        }
        // Nobody knows whether the weights were loaded: ask the server before sending again.
        Err(error) if error.is_outcome_unknown() => Err(format!("ask the server: {error}")),
        Err(error) => Err(error.to_string()),
    };
    recorder.shutdown(Duration::from_secs(1));
    result
}
