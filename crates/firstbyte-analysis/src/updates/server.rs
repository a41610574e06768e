//! What an update did to one server.

use firstbyte_core::{Micros, Timestamp};

use super::{
    between,
    stage::{Kind, UpdateCall},
};

/// The calls of an update to one server.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerUpdate<'a> {
    /// Host and port, and the path of the base URL, if it has one; `(unknown)` for lines that do not tell.
    pub target: String,
    /// Its calls, each attempt for itself, in the order in which they were sent. There is at least one.
    pub calls: Vec<UpdateCall<'a>>,
    /// A later update resumed this server.
    pub is_resumed_later: bool,
}

/// Calls of one operation that follow each other: one call, its retries, or the chunks of an update.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stage<'a> {
    /// What it does.
    pub kind: Kind,
    /// The operation.
    pub op: &'a str,
    /// Attempts, retries counted.
    pub calls: u64,
    /// Of them: retries.
    pub retries: u64,
    /// From the first `client.send` to the last end; `None` if the end of any is unknown.
    pub took: Option<Micros>,
    /// Whether the last attempt was answered, and not with an error.
    pub is_ok: bool,
}

/// How an update ended on a server, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    /// Every stage ended well.
    Complete,
    /// A stage was not answered, or with an error.
    Failed,
    /// It was paused and not resumed, but a later update resumed it.
    ResumedLater,
    /// It was paused, or may have been, and no resume is known to have worked: it may still be paused.
    NotResumed,
}

/// A time that is known exactly, or between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// At least.
    pub least: Micros,
    /// At most; `None` if there is no bound.
    pub most: Option<Micros>,
}

impl State {
    /// Every state, the worst last.
    pub const ALL: [Self; 4] = [Self::Complete, Self::Failed, Self::ResumedLater, Self::NotResumed];

    /// The words for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::ResumedLater => "resumed by a later update",
            Self::NotResumed => "not resumed",
        }
    }
}

impl Bounds {
    /// The time, if both bounds are the same.
    #[must_use]
    pub fn exact(self) -> Option<Micros> {
        (self.most == Some(self.least)).then_some(self.least)
    }
}

impl<'a> ServerUpdate<'a> {
    pub(super) fn new(first: UpdateCall<'a>) -> Self {
        let target = first.target().to_owned();
        Self { target, calls: vec![first], is_resumed_later: false }
    }

    /// The moment of the first `client.send`.
    #[must_use]
    pub fn begin(&self) -> Timestamp {
        self.calls[0].sent_at
    }

    /// When it was done with all but the resume: the last end of these calls. `None` if one is unknown, or if they
    /// are of several clocks.
    pub(crate) fn work_end(&self) -> Option<Timestamp> {
        let work = self.calls.iter().filter(|call| call.kind != Kind::Resume);
        let ends = work.map(|call| call.ended_at).collect::<Option<Vec<_>>>()?;
        ends.into_iter().max().filter(|_| self.has_one_clock())
    }

    fn has_one_clock(&self) -> bool {
        self.calls.iter().all(|call| call.clock == self.calls[0].clock)
    }

    /// Its stages, in order.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage<'a>> {
        self.calls
            .chunk_by(|one, next| (one.op, one.clock) == (next.op, next.clock))
            .map(|calls| {
                let (first, last) = (&calls[0], &calls[calls.len() - 1]);
                let ends: Option<Vec<_>> = calls.iter().map(|call| call.ended_at).collect();
                let end = ends.and_then(|ends| ends.into_iter().max());
                Stage {
                    kind: first.kind,
                    op: first.op,
                    calls: calls.len() as u64,
                    retries: calls.iter().filter(|call| call.is_retry).count() as u64,
                    took: end.map(|end| between(first.sent_at, end)),
                    is_ok: last.is_ok(),
                }
            })
            .collect()
    }

    /// How long it was paused: from the end of the pause to the end of the resume. `None` if it was not paused.
    ///
    /// If the end of the pause is unknown, it was between its `client.send` and that of the next call. If that
    /// of the resume is, or there is none that worked, the time has no upper bound. Of several clocks nothing is
    /// known.
    #[must_use]
    pub fn paused(&self) -> Option<Bounds> {
        let pause = self.effective_pause()?;
        if !self.has_one_clock() {
            return Some(Bounds { least: Micros(0), most: None });
        }
        let resume = self.calls.iter().rfind(|call| call.kind == Kind::Resume && call.is_ok());
        let next = self.calls.iter().find(|call| call.sent_at > pause.sent_at);
        let latest = pause.ended_at.or_else(|| next.map(|next| next.sent_at));
        let Some(resumed_at) = resume.and_then(|resume| resume.ended_at) else {
            let last = self.calls.iter().map(UpdateCall::last_moment).max()?;
            let least = latest.map_or(Micros(0), |latest| between(latest, last));
            return Some(Bounds { least, most: None });
        };
        let earliest = pause.ended_at.unwrap_or(pause.sent_at);
        let least = latest.map_or(Micros(0), |latest| between(latest, resumed_at));
        Some(Bounds { least, most: Some(between(earliest, resumed_at)) })
    }

    /// How it ended.
    #[must_use]
    pub fn state(&self) -> State {
        let is_resumed = self.calls.iter().any(|call| call.kind == Kind::Resume && call.is_ok());
        if self.effective_pause().is_some() && !is_resumed {
            return if self.is_resumed_later { State::ResumedLater } else { State::NotResumed };
        }
        let is_ok = self.stages().iter().all(|stage| stage.is_ok);
        if is_ok { State::Complete } else { State::Failed }
    }

    /// The first pause that worked, or else the first that may have.
    fn effective_pause(&self) -> Option<&UpdateCall<'a>> {
        let pauses = || self.calls.iter().filter(|call| call.kind == Kind::Pause);
        pauses()
            .find(|call| call.is_ok())
            .or_else(|| pauses().find(|call| call.may_have_happened()))
    }
}
