//! Who was last, and what that cost the others.

use firstbyte_core::Micros;

use super::{Update, between, stage::Kind};

/// The server whose own work, everything but the resume, ended last.
///
/// By its own work, since an orchestrator that resumes all servers at once makes their ends the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Straggler<'u> {
    /// Host and port, and the path of the base URL, if it has one.
    pub target: &'u str,
    /// By how much later it was than the median of the others (nearest rank: an end that was measured).
    pub behind: Micros,
    /// How many servers there are, this one counted.
    pub servers: usize,
}

/// What servers that were paused and done with their own work waited for the slowest.
///
/// A server's own work ends with the last end of its calls before the resume, the slowest's work is the last of
/// these ends. Each server waits from its own until the slowest's, or until its resume is sent if that is
/// sooner. The cost is the sum over the servers that were paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Barrier {
    /// The sum, in server-milliseconds.
    pub cost: Micros,
    /// How many servers it is of: those that were paused.
    pub servers: usize,
}

pub(super) fn straggler<'u>(update: &'u Update<'_>) -> Option<Straggler<'u>> {
    let servers = update.servers.len();
    if servers < 2 || !update.has_one_clock {
        return None;
    }
    let ends = update.servers.iter().map(|server| Some((server.work_end()?, &server.target)));
    let mut ends: Vec<_> = ends.collect::<Option<_>>()?;
    ends.sort();
    let (last, target) = ends.pop()?;
    let (median, _) = ends[(ends.len() - 1) / 2];
    Some(Straggler { target, behind: between(median, last), servers })
}

pub(super) fn barrier(update: &Update<'_>) -> Option<Barrier> {
    if !update.has_one_clock {
        return None;
    }
    let ends = update.servers.iter().map(super::ServerUpdate::work_end);
    let ends: Vec<_> = ends.collect::<Option<_>>()?;
    let slowest = *ends.iter().max()?;
    let mut barrier = Barrier { cost: Micros(0), servers: 0 };
    for (server, own) in update.servers.iter().zip(&ends) {
        if server.paused().is_none() {
            continue;
        }
        let resume = server.calls.iter().find(|call| call.kind == Kind::Resume);
        let until = resume.map_or(slowest, |resume| resume.sent_at.min(slowest));
        barrier.cost = barrier.cost + between(*own, until);
        barrier.servers += 1;
    }
    (barrier.servers > 0).then_some(barrier)
}
