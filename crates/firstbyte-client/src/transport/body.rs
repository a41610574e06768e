//! The response body: reads its connection, and gives it back when it ended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    connection::{Connection, elapsed},
    pool::Slot,
};
use crate::{
    error::{ClientError, Failure, Reason},
    progress::Progress,
};

/// Holds the connection and its slot until the body ended or is dropped, whichever comes first.
pub(super) struct ResponseBody {
    incoming: Incoming,
    held: Option<(Connection, Slot)>,
    progress: Arc<Progress>,
    deadline: Option<Instant>,
    clock: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Connection,
        slot: Slot,
        progress: Arc<Progress>,
        deadline: Option<Instant>,
    ) -> Self {
        let held = Some((connection, slot));
        let mut body = Self { incoming, held, progress, deadline, clock: None };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    /// The body is complete: the connection is closed, or kept for the next request.
    fn release(&mut self) {
        if let Some((mut connection, slot)) = self.held.take() {
            connection.end();
            slot.give_back(connection);
        }
    }

    fn give_up(&mut self, cx: &mut Context<'_>) -> Option<Reason> {
        let (connection, _) = self.held.as_mut()?;
        connection.give_up(&self.progress, cx)
    }

    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Asking first tells the connection that there is room for a frame.
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        match &mut self.held {
            Some((connection, _)) if frame.is_pending() => {
                connection.drive(cx);
                Pin::new(&mut self.incoming).poll_frame(cx)
            }
            _ => frame,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let this = &mut *self;
        let late = this.deadline.is_some_and(|at| elapsed(&mut this.clock, || sleep_until(at), cx));
        let failure = match this.poll_incoming(cx) {
            // Also while frames keep coming: a body without end is no answer.
            _ if late => Reason::TotalTimeout.into(),
            Poll::Ready(Some(Ok(frame))) => {
                if this.incoming.is_end_stream() {
                    this.release();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => {
                this.release();
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => Failure::of_body(error),
            Poll::Pending => match this.give_up(cx) {
                Some(reason) => reason.into(),
                None => return Poll::Pending,
            },
        };
        this.held = None;
        Poll::Ready(Some(Err(this.progress.error(failure))))
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }
}
