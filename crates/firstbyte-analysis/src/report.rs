//! One report of a run: a model without a format, and HTML, Markdown and JSON of it.
//!
//! ```text
//! Log ─> Report ─> html | markdown | json
//! ```
//!
//! The model is bounded: it has a few megabytes at most, whatever the logs are, and says of each list how much of
//! it is left out. Texts of the logs are in it as they are, only cut; each format escapes them.

mod arms;
#[cfg(test)]
mod audit;
mod captions;
mod clocks;
mod columns;
mod distribution;
mod html;
mod json;
mod markdown;
mod slowest;
mod text;
mod updates;
mod verdict;

use self::text::{cut_name, cut_sentence};
pub use self::{
    arms::{Arm, Part},
    clocks::{Clock, Point},
    columns::{Column, Spread},
    distribution::{Distribution, Steps},
    html::html,
    json::json,
    markdown::markdown,
    slowest::SlowCall,
    text::{is_unseen, visible},
    updates::{Piece, SlowUpdate, UpdateRow, Updates},
    verdict::Verdict,
};
use crate::{
    correlate::{Call, Log},
    diagnose::{Finding, Rules, Thresholds, diagnose_within},
    ingest::Tally,
    measure::{GroupBy, Stats, Summary, Window},
    notices_within,
};

/// The most findings, and the most notices.
const MOST_SENTENCES: usize = 50;
/// The most files whose names are listed.
const MOST_FILES: usize = 20;

/// What a report is to be of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Its heading.
    pub title: String,
    /// What calls are put together by; `None` for the first of operation, server and file that tells them apart.
    pub by: Option<GroupBy>,
    /// Which calls; what happens beside the calls is always whole.
    pub window: Window,
    /// How many of the slowest calls are shown as waterfalls.
    pub slowest: usize,
}

impl Default for Options {
    fn default() -> Self {
        let (by, window) = (None, Window::default());
        Self { title: "Where did each millisecond go?".to_owned(), by, window, slowest: 10 }
    }
}

/// The first elements of a list, and how many more there are.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Shown<T> {
    /// Those that are shown.
    pub list: Vec<T>,
    /// How many are left out.
    pub left_out: usize,
}

impl<T> Shown<T> {
    fn first(most: usize, mut list: Vec<T>) -> Self {
        let left_out = list.len().saturating_sub(most);
        list.truncate(most);
        Self { list, left_out }
    }
}

/// Everything that a report says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// What is at fault, in one sentence.
    pub verdict: Verdict,
    /// What became of the lines.
    pub lines: Tally,
    /// The files.
    pub files: Shown<String>,
    /// What has to be known before any number is believed.
    pub notices: Shown<String>,
    /// Which calls.
    pub window: Window,
    /// How many calls that is.
    pub calls: usize,
    /// What they are put together by.
    pub by: GroupBy,
    /// The calls by that, the arm with the most calls first; of equally many, the one whose calls took the most time.
    pub arms: Shown<Arm>,
    /// How wall and queue are distributed, by arm.
    pub distributions: Vec<Distribution>,
    /// The calls over time, a chart for each clock.
    pub clocks: Shown<Clock>,
    /// Calls of the client without a moment, or of a file of several boots: they are on no axis of time.
    pub without_moment: usize,
    /// The weight updates, or why there is none; `None` if no call is of that family.
    pub updates: Option<Updates>,
    /// The slowest calls by wall; of a failed call that is the time until it failed.
    pub slowest: Vec<SlowCall>,
    /// What is wrong, the worst first.
    pub findings: Shown<Finding>,
    /// Durations beside the calls.
    pub timeline: Vec<(&'static str, Summary)>,
}

impl Report {
    /// The report of a log.
    ///
    /// ```
    /// use firstbyte_analysis::{Log, diagnose::Rules, report::{Options, Report, markdown}};
    ///
    /// let line = b"[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9\n";
    /// let rules = Rules::default();
    /// let thresholds = rules.thresholds("small").expect("a built-in size");
    /// let report = Report::of(&Log::from_bytes(line), &rules, thresholds, &Options::default());
    /// assert_eq!(report.findings.list[0].rule.id, "unknown-queue");
    /// assert!(markdown(&report).starts_with("# Where did each millisecond go?\n"));
    /// ```
    #[must_use]
    pub fn of(log: &Log, rules: &Rules, thresholds: Thresholds, options: &Options) -> Self {
        let window = options.window;
        let calls: Vec<Call<'_>> = log.calls().filter(|call| window.has(call)).collect();
        let by = options.by.unwrap_or_else(|| arms::telling(log, &calls));
        let stats = Stats::of(log, by, window);
        let found = diagnose_within(log, window, rules, thresholds);
        let verdict = Verdict::of(&found, calls.len(), thresholds);
        let slow = slowest::of(&calls, options.slowest);
        let ledger = updates::ledger(log, window);
        let (clocks, without_moment) = clocks::of(log, &calls, &slow, &ledger);
        let (arms, distributions) = arms::of(log, &calls, by, stats.groups);
        let files = log.sources().iter().map(|source| cut_name(&source.name)).collect();
        Self {
            title: cut_name(&options.title),
            verdict,
            lines: *log.tally(),
            files: Shown::first(MOST_FILES, files),
            notices: Shown::first(
                MOST_SENTENCES,
                notices_within(log, window).iter().map(|notice| cut_sentence(notice)).collect(),
            ),
            window,
            calls: calls.len(),
            by,
            arms,
            distributions,
            clocks,
            without_moment,
            updates: Updates::of(&ledger),
            slowest: slow.iter().map(SlowCall::of).collect(),
            findings: Shown::first(
                MOST_SENTENCES,
                found.findings.into_iter().map(cut_finding).collect(),
            ),
            timeline: stats.timeline,
        }
    }
}

impl Report {
    /// Every part that an arm has, once, in the order in which a call passes through them.
    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> =
            self.arms.list.iter().flat_map(|arm| &arm.parts).copied().collect();
        parts.sort_by_key(|part| part.place);
        parts.dedup_by_key(|part| part.place);
        parts
    }
}

fn cut_finding(mut finding: Finding) -> Finding {
    for text in finding.numbers.iter_mut().chain(&mut finding.evidence) {
        *text = cut_sentence(text);
    }
    finding
}

#[cfg(test)]
mod tests;
