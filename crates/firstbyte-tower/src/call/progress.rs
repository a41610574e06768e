use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};

use http::{Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Body;

/// How far the response of a call has come.
///
/// Only the call's guard writes, one poll at a time: the atomics are never contended and are read
/// and written by plain instructions. They are there so that a call may be shared.
#[derive(Debug)]
pub struct Progress {
    /// The response to this request never has a body on the wire: HEAD.
    head_only: bool,
    /// 0 until the response head.
    status: AtomicU16,
    bytes: AtomicU64,
    frames: AtomicU64,
    /// How many bytes make the body whole, or [`UNKNOWN`].
    length: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Progress {
    #[inline]
    pub(crate) fn new(method: &Method) -> Self {
        Self {
            head_only: *method == Method::HEAD,
            status: AtomicU16::new(0),
            bytes: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            length: AtomicU64::new(UNKNOWN),
        }
    }

    /// Status of the response, if its head was there.
    #[inline]
    pub(crate) fn status(&self) -> Option<u16> {
        Some(self.status.load(Relaxed)).filter(|status| *status != 0)
    }

    /// Body bytes handed on.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Body frames handed on, trailers among them.
    #[inline]
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// The response head is there. Returns whether it is the whole response.
    #[inline]
    pub(super) fn head<B: Body>(&self, response: &Response<B>) -> bool {
        let (status, body) = (response.status(), response.body());
        self.status.store(status.as_u16(), Relaxed);
        if body.is_end_stream() || self.head_only || is_bodiless(status) {
            return true;
        }
        let declared = || response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let length = body.size_hint().exact().or_else(declared);
        self.length.store(length.unwrap_or(UNKNOWN), Relaxed);
        false
    }

    /// A frame with so many bytes was handed on. Returns whether it began the body.
    #[inline]
    pub(super) fn frame(&self, bytes: usize) -> bool {
        let before = self.bytes();
        self.bytes.store(before + bytes as u64, Relaxed);
        self.frames.store(self.frames() + 1, Relaxed);
        before == 0 && bytes > 0
    }

    /// Whether nothing is missing though the body was not asked for its end: HTTP/1 does not ask
    /// when `Content-Length` is reached.
    pub(super) fn is_whole(&self) -> bool {
        self.status().is_some() && self.bytes() >= self.length.load(Relaxed)
    }
}

/// Statuses whose responses have no body, whatever the service returns with them.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
