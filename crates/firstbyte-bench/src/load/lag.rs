//! Whether the load generator itself was late: what it measured is then its own fault.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use firstbyte_core::Clock;
use tokio::task::JoinHandle;

use crate::stats::Summary;

/// How often the runtime is asked to wake a task.
const EVERY: Duration = Duration::from_millis(10);

/// Watches how late the runtime wakes a task that sleeps. Ends when it is dropped.
#[derive(Debug)]
pub struct LagWatch {
    late_ms: Arc<Mutex<Vec<f64>>>,
    task: JoinHandle<()>,
}

impl LagWatch {
    /// Starts to watch the runtime that it is called on; 100 samples of 8 bytes per second.
    #[must_use]
    pub fn start() -> Self {
        let late_ms = Arc::<Mutex<Vec<f64>>>::default();
        let samples = Arc::clone(&late_ms);
        let clock = Clock::system();
        let task = tokio::spawn(async move {
            loop {
                let start = clock.now();
                tokio::time::sleep(EVERY).await;
                let late = clock.now().since(start).saturating_sub(EVERY);
                let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
                samples.push(late.as_secs_f64() * 1e3);
            }
        });
        Self { late_ms, task }
    }

    /// How late it was so far, in milliseconds; `None` before the first sample.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.late_ms.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for LagWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blocked_runtime_is_late() {
        let watch = LagWatch::start();
        tokio::time::sleep(EVERY * 3).await;
        let clock = Clock::system();
        let end = clock.now() + Duration::from_millis(100);
        while clock.now() < end {
            std::hint::spin_loop();
        }
        tokio::time::sleep(EVERY * 3).await;
        assert!(watch.summary().unwrap().max >= 80.0, "{:?}", watch.summary());
    }
}
