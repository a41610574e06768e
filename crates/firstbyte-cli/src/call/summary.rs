//! What the calls so far have in common.

use std::fmt;

use firstbyte_bench::stats::Summary;
use firstbyte_client::{AdminResponse, ClientError};

/// The wall times so far: 8 bytes per call.
#[derive(Debug, Default)]
pub(super) struct Running {
    wall_ms: Vec<f64>,
    failed: usize,
}

impl Running {
    /// Counts a call. An answer with an error status has a wall time, but failed too.
    pub(super) fn add(&mut self, answer: &Result<AdminResponse, ClientError>) {
        if let Ok(response) = answer {
            self.wall_ms.push(response.split.wall().as_millis_f64());
        }
        let ok = answer.as_ref().is_ok_and(|response| response.status.is_success());
        self.failed += usize::from(!ok);
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Summary::of(&self.wall_ms) {
            Some(s) => write!(
                f,
                "n={} wall_ms min {:.1} median {:.1} max {:.1}",
                s.n, s.min, s.p50, s.max
            )?,
            None => f.write_str("n=0")?,
        }
        if self.failed > 0 { write!(f, ", {} failed", self.failed) } else { Ok(()) }
    }
}
