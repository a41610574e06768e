//! Updates a server's weights and prints where the time went.
//!
//! ```sh
//! cargo run -p example-axum-service &
//! cargo run -p example-admin-client -- http://127.0.0.1:8000
//! ```
//!
//! The standard error stream shows `client.send` and `client.done` of the call.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{error::Error, time::Duration};

use firstbyte::{
    Phase, Recorder,
    client::{AdminClient, OperationClass},
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8000".to_owned());
    let recorder = Recorder::builder().stderr().build()?;
    let client = AdminClient::builder(recorder.clone()).base_url(server).build()?;

    let answer = client
        .post("/update_weights")
        .json(&json!({ "weight_dir": "/checkpoints/step_7" }))
        // Loading the same weights twice does no harm, so it may be sent again if it must.
        .operation_class(OperationClass::Idempotent)
        .send()
        .await;
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
        Err(error) if error.is_outcome_unknown() => Err(format!("outcome unknown: {error}").into()),
        Err(error) => Err(error.into()),
    };
    recorder.shutdown(Duration::from_secs(1));
    result
}
