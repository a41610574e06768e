//! The wish to stop: Ctrl-C, and SIGTERM where there is one.

/// Ends when this process is told to stop; never, if it cannot be told.
pub(crate) async fn stop() {
    stops().told().await;
}

/// Tells when this process is told to stop, from its making on: what comes before somebody waits is not lost, and
/// does not end the process.
#[derive(Debug)]
pub(crate) struct Stops {
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    interrupt: Option<tokio::signal::windows::CtrlC>,
}

/// From now on it is noticed.
///
/// # Panics
///
/// Outside of a runtime.
pub(crate) fn stops() -> Stops {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    Stops {
        #[cfg(unix)]
        interrupt: signal(SignalKind::interrupt()).ok(),
        #[cfg(unix)]
        terminate: signal(SignalKind::terminate()).ok(),
        #[cfg(windows)]
        interrupt: tokio::signal::windows::ctrl_c().ok(),
    }
}

impl Stops {
    /// Ends when this process is told to stop; never, if it cannot be told.
    pub(crate) async fn told(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
        }
        #[cfg(windows)]
        match &mut self.interrupt {
            Some(interrupt) => _ = interrupt.recv().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Tells when the terminal has another size.
#[derive(Debug)]
pub(crate) struct Resizes {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

pub(crate) fn resizes() -> Resizes {
    Resizes {
        #[cfg(unix)]
        signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::window_change()).ok(),
    }
}

impl Resizes {
    /// Ends at the next change; never, where nobody tells.
    pub(crate) async fn changed(&mut self) {
        #[cfg(unix)]
        received(&mut self.signal).await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
