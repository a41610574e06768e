//! One call, watched from its request to the last byte of its response, on either side.
//!
//! [`ResponseFuture`] and [`ResponseBody`] carry a [`Guard`], the guard carries a [`Call`], and the
//! call hears of its end exactly once, whatever happens to the future and the body.

mod body;
mod future;
mod guard;
mod progress;

use firstbyte_core::Timestamp;
use http::HeaderMap;

pub(crate) use self::guard::Guard;
pub(crate) use self::progress::Progress;
pub use self::{body::ResponseBody, future::ResponseFuture};

/// What one side wants to hear of a call.
pub trait Call {
    /// How far the response has come; `None` if nobody wants to know how the call ends, so that
    /// frames need not be looked at.
    fn progress(&self) -> Option<&Progress>;

    /// The response head is there.
    fn head(&mut self, headers: &mut HeaderMap);

    /// The first byte of the body was handed on. Returns the moment, if it was taken.
    fn first_byte(&mut self) -> Option<Timestamp>;

    /// The call is over, at `at` if the moment is known already. Heard exactly once.
    fn end(self, outcome: Outcome, at: Option<Timestamp>);
}

/// The ways in which a call can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response was handed on.
    Ok,
    /// The service or the body failed.
    Error,
    /// The body was dropped before its end.
    EarlyDrop,
    /// The future was dropped before the response head.
    Cancelled,
    /// The service or the body panicked, or was dropped by a panic.
    Panic,
}

impl Outcome {
    /// The outcome as written in `outcome=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::EarlyDrop => "early_drop",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
        }
    }
}
