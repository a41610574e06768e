//! A hyper connection that is polled by whoever waits for it.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{
    busy::BusyPeer,
    io::{CurrentProgress, Io},
    request::{Origin, RequestBody},
};
use crate::{
    error::{Failure, Reason},
    progress::Progress,
    wire::Wire,
};

/// An open connection with at most one request on it.
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` once it is over; the socket is closed then.
    driver: Option<Box<http1::Connection<TokioIo<Io>, RequestBody>>>,
    wire: Arc<Wire>,
    current: CurrentProgress,
    /// While there is a request on it.
    sending: Option<Sending>,
    pub(super) origin: Origin,
}

/// What bounds the way of a request to its peer, from the connection being ready. The answer may begin before the
/// end of it.
struct Sending {
    /// Until the last byte is accepted.
    within: Duration,
    clock: Option<Pin<Box<Sleep>>>,
    busy: BusyPeer,
}

/// What bounds the time from the connection being ready to the response head.
pub(super) struct Clocks {
    /// Until the last request byte is accepted.
    pub(super) send: Duration,
    /// Until a peer that does not answer on the TCP level counts as dead.
    pub(super) peer_dead: Duration,
    pub(super) total: Option<Instant>,
}

impl Connection {
    pub(super) async fn open(
        io: TokioIo<Io>,
        origin: Origin,
        wire: Arc<Wire>,
        current: CurrentProgress,
    ) -> Result<Self, Failure> {
        let (sender, driver) = http1::handshake(io).await.map_err(Failure::of_hyper)?;
        Ok(Self { sender, driver: Some(Box::new(driver)), wire, current, sending: None, origin })
    }

    /// Sends a request and waits for the response head.
    pub(super) async fn send(
        mut self,
        mut request: http::Request<RequestBody>,
        progress: &Arc<Progress>,
        clocks: &Clocks,
    ) -> Result<(http::Response<Incoming>, Self), Failure> {
        let interim = Arc::clone(progress);
        hyper::ext::on_informational(&mut request, move |_| interim.interim());
        self.current.set(Arc::clone(progress));
        progress.connected(&self.wire);
        let mut response = pin!(self.sender.send_request(request));
        let mut total_clock = None;
        let sending = self.sending.insert(Sending::new(clocks));
        let head = poll_fn(|cx| {
            drive(&mut self.driver, cx);
            if let Poll::Ready(head) = response.as_mut().poll(cx) {
                return Poll::Ready(head.map_err(Failure::of_hyper));
            }
            if let Some(reason) = sending.poll(progress, &self.wire, cx) {
                return Poll::Ready(Err(reason.into()));
            }
            match clocks.total {
                Some(at) if elapsed(&mut total_clock, || sleep_until(at), cx) => {
                    Poll::Ready(Err(Reason::TotalTimeout.into()))
                }
                _ => Poll::Pending,
            }
        });
        let head = head.await?;
        // It may have come with the bytes of a 1xx.
        progress.received();
        Ok((head, self))
    }

    /// Reads and writes what can be, without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    /// To be called whenever the rest of an answer turns out not to be there. Returns why it is not waited for
    /// any longer.
    pub(super) fn give_up(&mut self, progress: &Progress, cx: &mut Context<'_>) -> Option<Reason> {
        self.sending.as_mut()?.poll(progress, &self.wire, cx)
    }

    /// The exchange is over.
    pub(super) fn end(&mut self) {
        // Lets the connection notice it.
        self.drive(&mut Context::from_waker(Waker::noop()));
        if let Some(mut sending) = self.sending.take() {
            sending.busy.end(&self.wire);
        }
    }

    /// Whether another request can go over it, as far as both sides have said.
    pub(super) fn is_reusable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Whether the peer still keeps it open and silent; one system call.
    pub(super) fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }
}

impl Sending {
    fn new(clocks: &Clocks) -> Self {
        Self { within: clocks.send, clock: None, busy: BusyPeer::new(clocks.peer_dead) }
    }

    fn poll(&mut self, progress: &Progress, wire: &Wire, cx: &mut Context<'_>) -> Option<Reason> {
        let within = self.within;
        if !progress.is_all_sent() && elapsed(&mut self.clock, || sleep(within), cx) {
            return Some(Reason::SendTimeout);
        }
        self.busy.poll(progress.sent(), wire, cx).then_some(Reason::PeerDead)
    }
}

fn drive(
    driver: &mut Option<Box<http1::Connection<TokioIo<Io>, RequestBody>>>,
    cx: &mut Context<'_>,
) {
    // An error of the connection is also the error of the response or of its body.
    if let Some(connection) = driver
        && connection.poll_without_shutdown(cx).is_ready()
    {
        *driver = None;
    }
}

/// Whether a clock that starts with the first question has run out.
pub(super) fn elapsed(
    clock: &mut Option<Pin<Box<Sleep>>>,
    start: impl FnOnce() -> Sleep,
    cx: &mut Context<'_>,
) -> bool {
    let clock = clock.get_or_insert_with(|| Box::pin(start())).as_mut();
    // While a server never stops sending, the runtime comes to its timers late or not at all.
    clock.deadline() <= Instant::now() || clock.poll(cx).is_ready()
}
