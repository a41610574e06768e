//! The engine behind the server: one call at a time, and a gate for token generation.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};

/// What takes `reload_ms`; everything else takes [`QUICK`].
const SLOW: [&str; 5] = [
    "update_weights",
    "reload_weights",
    "fetch_weights",
    "load_lora_adapter",
    "unload_lora_adapter",
];
const QUICK: Duration = Duration::from_millis(2);

/// An engine that takes control calls one by one, in the order in which they came.
#[derive(Debug)]
pub(super) struct Engine {
    turn: Mutex<()>,
    paused: watch::Sender<bool>,
}

/// The right to call the engine.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    engine: &'a Engine,
    _guard: MutexGuard<'a, ()>,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self { turn: Mutex::new(()), paused: watch::Sender::new(false) }
    }

    /// Waits until the engine is free: the handler queue.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn { engine: self, _guard: self.turn.lock().await }
    }

    pub(super) fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// Waits while generation is paused.
    pub(super) async fn running(&self) {
        let mut paused = self.paused.subscribe();
        // The sender lives in `self`, so this ends only because generation goes on.
        _ = paused.wait_for(|paused| !paused).await;
    }
}

impl Turn<'_> {
    /// Carries out an operation. Weights are swapped in flight: only a pause stops generation.
    pub(super) async fn call(&self, operation: &str, reload: Duration, extra: Duration) {
        let duration = if SLOW.contains(&operation) { reload } else { QUICK };
        tokio::time::sleep(duration + extra).await;
        match operation {
            "pause" => self.engine.paused.send_replace(true),
            "resume" => self.engine.paused.send_replace(false),
            _ => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn calls_take_turns_and_only_weights_take_the_reload_time() {
        let engine = Engine::new();
        let start = Instant::now();
        let call = async |operation| {
            engine.turn().await.call(operation, Duration::from_millis(200), NONE).await;
            start.elapsed().as_millis()
        };
        let (first, second) = tokio::join!(call("reload_weights"), call("reset_prefix_cache"));
        // Tokio's timers have a resolution of one millisecond.
        assert!((200..=201).contains(&first), "{first}");
        assert!((202..=204).contains(&second), "{second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_generation_until_resume() {
        let engine = Engine::new();
        engine.turn().await.call("pause", NONE, NONE).await;
        assert!(engine.is_paused() && engine.running().now_or_never().is_none());
        engine.turn().await.call("resume", NONE, NONE).await;
        assert!(!engine.is_paused() && engine.running().now_or_never().is_some());
    }
}
