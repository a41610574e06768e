//! The response body, watched: its end is the call's end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{attempt::Attempt, rpc::RpcReport, still_waiting::StillWaiting};
use crate::error::{ClientError, Reason};

/// Passes frames through as they are; ends the attempt once.
pub(super) struct ObservedBody {
    body: reqwest::Body,
    attempt: Attempt,
    report: RpcReport,
    waiting: StillWaiting,
    /// How many bytes may still come.
    room: usize,
}

impl ObservedBody {
    pub(super) fn new(
        body: reqwest::Body,
        attempt: Attempt,
        report: RpcReport,
        waiting: StillWaiting,
        max: usize,
    ) -> Self {
        let mut body = Self { body, attempt, report, waiting, room: max };
        body.end_if_complete();
        body
    }

    fn end_if_complete(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        self.attempt.done(|phases| self.report.split(phases));
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.attempt.fail(&*error);
        error
    }
}

type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Body for ObservedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(this.fail(error.into()))));
            }
            Poll::Ready(None) => {
                this.end();
                return Poll::Ready(None);
            }
            Poll::Pending => {
                this.waiting.poll(cx, this.attempt.progress(), this.attempt.recorder());
                return Poll::Pending;
            }
        };
        if let Some(data) = frame.data_ref() {
            let Some(room) = this.room.checked_sub(data.len()) else {
                let error: ClientError = this.attempt.progress().error(Reason::BodyTooLarge);
                return Poll::Ready(Some(Err(this.fail(error.into()))));
            };
            this.room = room;
            this.report.take(data);
        }
        this.end_if_complete();
        Poll::Ready(Some(Ok(frame)))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        // An attempt that has ended takes no other end; one that must be read whole is cancelled.
        if !self.attempt.must_be_read_whole() {
            self.attempt.done(|phases| self.report.split_unread(phases));
        }
    }
}
