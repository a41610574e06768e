//! The two-plane load generator: streamed completions, and a watch on itself.
//!
//! The completions go through the client under test, so that control calls through the same client
//! compete with them for its connections, as they do in a trainer.
//!
//! ```
//! use firstbyte_bench::load::LagWatch;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let watch = LagWatch::start();
//! tokio::time::sleep(std::time::Duration::from_millis(50)).await;
//! let lag = watch.summary().expect("a sample every 10 ms");
//! println!("this process woke up {:.1} ms late at the 99th percentile", lag.p99);
//! # }
//! ```

mod batches;
mod lag;
mod sse;
mod streams;
mod target;

pub use self::{
    lag::LagWatch,
    streams::{StreamConfig, StreamLoad, Tally},
};
