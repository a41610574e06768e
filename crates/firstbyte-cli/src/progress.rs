//! What is going on, on the standard error stream.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

/// One line that is written over on a terminal; one line per change elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    last: Mutex<String>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), last: Mutex::default() }
    }

    pub(crate) fn say(&self, step: String) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == step {
            return;
        }
        let mut out = io::stderr().lock();
        // Progress that cannot be shown is no reason to stop.
        _ = if self.terminal {
            write!(out, "\r\x1b[K{step}").and_then(|()| out.flush())
        } else {
            writeln!(out, "{step}")
        };
        *last = step;
    }

    /// Takes the line away again.
    pub(crate) fn clear(&self) {
        if self.terminal {
            _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
