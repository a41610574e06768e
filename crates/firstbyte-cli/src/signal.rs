//! Signals: the wish to stop (Ctrl-C, and SIGTERM where there is one), and what a terminal tells.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when this process is told to stop; never, if it cannot be told.
pub(crate) async fn stop() {
    stops().told().await;
}

/// Tells when one of some signals comes, from its making on: what comes before somebody waits is not lost, and
/// does not do to the process what it else would. By default there is none.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    #[cfg(unix)]
    signals: Vec<Signal>,
    #[cfg(windows)]
    interrupt: Option<tokio::signal::windows::CtrlC>,
}

/// Those that tell a process to stop.
///
/// # Panics
///
/// Outside of a runtime, as those below.
pub(crate) fn stops() -> Signals {
    Signals {
        #[cfg(unix)]
        signals: of(&[SignalKind::interrupt(), SignalKind::terminate()]),
        #[cfg(windows)]
        interrupt: tokio::signal::windows::ctrl_c().ok(),
    }
}

/// The same, and those of a terminal that is closed, or at which somebody types Ctrl-\. Not for who may run without
/// one: `nohup` has made the process deaf to the first.
pub(crate) fn stops_at_a_terminal() -> Signals {
    let mut stops = stops();
    #[cfg(unix)]
    stops.signals.extend(of(&[SignalKind::hangup(), SignalKind::quit()]));
    stops
}

/// That of a terminal at which somebody types Ctrl-Z.
pub(crate) fn suspensions() -> Signals {
    #[cfg(unix)]
    {
        Signals { signals: of(&[SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())]) }
    }
    #[cfg(not(unix))]
    Signals::default()
}

/// That of a terminal that has another size.
pub(crate) fn resizes() -> Signals {
    #[cfg(unix)]
    {
        Signals { signals: of(&[SignalKind::window_change()]) }
    }
    #[cfg(not(unix))]
    Signals::default()
}

#[cfg(unix)]
fn of(kinds: &[SignalKind]) -> Vec<Signal> {
    kinds.iter().filter_map(|kind| signal(*kind).ok()).collect()
}

impl Signals {
    /// Ends when the next one comes; never, where nobody tells.
    pub(crate) async fn told(&mut self) {
        #[cfg(unix)]
        std::future::poll_fn(|context| {
            let mut told = self.signals.iter_mut().map(|signal| signal.poll_recv(context));
            match told.any(|told| told.is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        #[cfg(windows)]
        match &mut self.interrupt {
            Some(interrupt) => _ = interrupt.recv().await,
            None => std::future::pending().await,
        }
    }
}
