//! What a scripted server does with one connection, step by step.

use std::time::Duration;

use bytes::Bytes;

/// The steps of one connection of a [`ScriptedServer`](crate::ScriptedServer), in order.
///
/// After the last step the connection is closed as by [`close`](Script::close). When the client
/// breaks the connection off, the rest of the script is left out.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Script {
    pub(crate) accept_delay: Duration,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    ReadHead,
    ReadBody,
    Pause(Duration),
    Write(Bytes),
    HalfClose,
    Reset,
    Close,
    Hold,
    Repeat,
}

impl Script {
    /// A script that closes the connection as soon as it is accepted.
    pub const fn new() -> Self {
        Self { accept_delay: Duration::ZERO, steps: Vec::new() }
    }

    /// Lets the connection lie in the listener's backlog for `delay` before `accept` is called.
    ///
    /// The kernel completes the handshake and takes the client's first bytes meanwhile. Later
    /// connections wait behind this one.
    pub const fn accept_delay(mut self, delay: Duration) -> Self {
        self.accept_delay = delay;
        self
    }

    /// Reads a head and as many bytes of body as its `content-length` says.
    ///
    /// A chunked body isn't understood.
    pub fn read_request(self) -> Self {
        self.read_head().read_body()
    }

    /// Reads up to the empty line after the headers and records the request.
    pub fn read_head(self) -> Self {
        self.then(Step::ReadHead)
    }

    /// Reads the body of the request whose head was read last, and adds it to the record.
    pub fn read_body(self) -> Self {
        self.then(Step::ReadBody)
    }

    /// Does nothing for `duration`, on tokio's clock.
    pub fn pause(self, duration: Duration) -> Self {
        self.then(Step::Pause(duration))
    }

    /// Writes `bytes` as they are, at once (`TCP_NODELAY` is set).
    pub fn write(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Write(bytes.into()))
    }

    /// Ends the server's direction with a FIN; reading goes on.
    pub fn half_close(self) -> Self {
        self.then(Step::HalfClose)
    }

    /// Ends the connection with a RST.
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Ends the connection with a FIN.
    ///
    /// Linux makes it a RST when bytes of the client lie unread, as for any server.
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Keeps the connection open and says nothing, until the server is dropped.
    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    /// Starts over for the next request on the same connection, until the client closes it.
    ///
    /// # Panics
    ///
    /// If no step before it reads a head: the loop would never wait for a client.
    pub fn keep_alive_loop(self) -> Self {
        assert!(
            self.steps.iter().any(|step| matches!(step, Step::ReadHead)),
            "a script that repeats has to read a request"
        );
        self.then(Step::Repeat)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "has to read a request")]
    fn a_loop_that_reads_nothing_is_refused() {
        let _ = Script::new().write("HTTP/1.1 200 OK\r\n\r\n").keep_alive_loop();
    }
}
