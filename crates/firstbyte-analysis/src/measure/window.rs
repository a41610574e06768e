//! Calls of a stretch of time, and what that is worth where there are several clocks.

use std::collections::BTreeMap;

use firstbyte_core::Timestamp;

use super::Edge;
use crate::{
    correlate::{Call, Log},
    counted,
};

/// So many files are told with what is left out of them.
const MOST_FILES: usize = 5;

/// Which calls: those that were sent within a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// From here on.
    pub since: Option<Edge>,
    /// Before this.
    pub until: Option<Edge>,
}

impl Window {
    /// A window; a missing end is open.
    #[must_use]
    pub const fn new(since: Option<Edge>, until: Option<Edge>) -> Self {
        Self { since, until }
    }

    /// Whether a call is in it. One whose moment is unknown, on the clock that is asked for, is only in a window without
    /// ends.
    #[must_use]
    pub fn has(&self, call: &Call<'_>) -> bool {
        if self.is_open() {
            return true;
        }
        let Some((at, source)) = moment(call) else { return false };
        let is_reached = |edge: Edge| edge.is_reached(call.log(), source, at);
        self.since.is_none_or(|since| is_reached(since) == Some(true))
            && self.until.is_none_or(|until| is_reached(until) == Some(false))
    }

    const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// The ends that there are.
    fn edges(&self) -> impl Iterator<Item = Edge> {
        self.since.into_iter().chain(self.until)
    }

    /// What is said of a window by the wall clock over files that do not tell theirs.
    pub(crate) fn untold(&self, log: &Log) -> Option<String> {
        if !self.edges().any(|edge| matches!(edge, Edge::Unix(_))) {
            return None;
        }
        let moments = log.calls().filter_map(|call| moment(&call));
        let untold = moments.filter(|(at, source)| log.unix_nanos(*source, *at).is_none());
        let mut files: BTreeMap<u32, u64> = BTreeMap::new();
        untold.for_each(|(_, source)| *files.entry(source).or_default() += 1);
        let (first, calls) = (files.keys().next()?, files.values().sum::<u64>());
        Some(format!(
            "--since and --until are times of the wall clock, which files do not tell without 'process.start' lines of one \
             boot: {}, such as {}. Left out with them: {}.",
            files.len(),
            log.sources()[*first as usize].name,
            counted(calls, "call"),
        ))
    }

    /// What is said of a window over files of several clocks: its seconds are another stretch of time in each.
    pub(crate) fn notice(&self, log: &Log) -> Option<String> {
        if !self.edges().any(|edge| matches!(edge, Edge::Monotonic(_))) {
            return None;
        }
        let mut files: BTreeMap<u32, Count> = BTreeMap::new();
        for (call, source) in log.calls().filter_map(|call| Some((call, moment(&call)?.1))) {
            let count = files.entry(source).or_default();
            count.calls += 1;
            count.left_out += u64::from(!self.has(&call));
        }
        let (first, _) = files.first_key_value()?;
        if files.keys().all(|other| log.share_a_clock(*first, *other)) {
            return None;
        }
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_by_key(|(_, count)| std::cmp::Reverse(count.left_out));
        let more = files.split_off(files.len().min(MOST_FILES));
        let mut told: Vec<String> = files
            .iter()
            .map(|(file, count)| {
                let name = &log.sources()[*file as usize].name;
                format!("{} of {} of {name}", count.left_out, counted(count.calls, "call"))
            })
            .collect();
        if !more.is_empty() {
            let left_out: u64 = more.iter().map(|(_, count)| count.left_out).sum();
            told.push(format!(
                "{} of {}",
                counted(left_out, "call"),
                counted(more.len(), "further file")
            ));
        }
        Some(format!(
            "--since and --until are seconds of each file's own clock, and the clocks of these files do not compare: they \
             may be another time in each. Left out by them: {}.",
            told.join(", ")
        ))
    }
}

/// The calls of a file that tell a moment, and how many of them are not in a window.
#[derive(Default)]
struct Count {
    calls: u64,
    left_out: u64,
}

/// When a call was sent, or else received, and the file that says so.
pub(super) fn moment(call: &Call<'_>) -> Option<(Timestamp, u32)> {
    let sent = call.client.and_then(|half| Some((half.sent_at?, half.source)));
    sent.or_else(|| call.server.and_then(|half| Some((half.recv_at?, half.source))))
}

pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    /// Two files of these boots, with calls at these seconds.
    fn read(files: &[(&str, &[u32])]) -> Log {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, (boot, seconds)) in files.iter().enumerate() {
            let start = format!(
                "[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=0.1 unix=1.0\n"
            );
            let call = |at: &u32| {
                format!("[weights][{number}-{at}] client.send url=http://h/x t={at}.0\n")
            };
            let lines = start + &seconds.iter().map(call).collect::<String>();
            paths.push(folder.path().join(format!("{number}.log")));
            std::fs::write(&paths[number], lines).unwrap();
        }
        Log::read(&paths, &Options::default()).unwrap()
    }

    fn told(files: &[(&str, &[u32])], window: Window) -> Option<String> {
        let notice = window.notice(&read(files))?;
        // Without the folder.
        let words = notice.split(' ').map(|word| word.rsplit('/').next().unwrap());
        Some(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_window_over_several_clocks_says_what_it_leaves_out_of_which_file() {
        let late = Window::new(Some(Edge::Monotonic(50.0)), None);
        let two: [(&str, &[u32]); 2] = [("a", &[10, 60, 70]), ("b", &[1, 2])];
        let notice = told(&two, late).unwrap();
        assert!(
            notice.ends_with("Left out by them: 2 of 2 calls of 1.log, 1 of 3 calls of 0.log."),
            "{notice}"
        );
        assert_eq!(told(&two, Window::default()), None);
        assert_eq!(told(&[("a", &[10, 60, 70]), ("a", &[1, 2])], late), None);
        assert_eq!(told(&[("a", &[10]), ("b", &[])], late), None, "no call is on the other");
    }

    #[test]
    fn of_many_files_the_first_are_told_by_name() {
        let boots: Vec<String> = (0..20).map(|n| format!("boot-{n}")).collect();
        let files: Vec<(&str, &[u32])> = boots.iter().map(|boot| (&**boot, &[1_u32][..])).collect();
        let notice = told(&files, Window::new(Some(Edge::Monotonic(2.0)), None)).unwrap();
        assert!(
            notice.ends_with("1 of 1 call of 4.log, 15 calls of 15 further files."),
            "{notice}"
        );
    }

    #[test]
    fn a_file_of_two_boots_has_two_clocks() {
        let start = |boot| {
            format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=0.1 unix=1.0\n")
        };
        let call = "[weights][ab] client.send url=http://h/x t=5.0\n";
        let log = Log::from_bytes((start("a") + call + &start("b")).as_bytes());
        assert!(Window::new(Some(Edge::Monotonic(1.0)), None).notice(&log).is_some());
    }

    #[test]
    fn a_window_by_the_wall_clock_is_the_same_time_in_every_file() {
        let start = |boot: &str, unix: u64| {
            format!(
                "[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=1.0 unix={unix}.0\n"
            )
        };
        let call =
            |id: &str, at: u32| format!("[weights][{id}] client.send url=http://h/x t={at}.0\n");
        let folder = tempfile::tempdir().unwrap();
        let files = [
            // At 10:00 the clocks are at 101 and at 1.
            start("a", 1_795_859_900) + &call("a-before", 90) + &call("a-in", 101),
            start("b", 1_795_860_000) + &call("b-in", 2) + &call("b-after", 101),
            call("untold", 5),
        ];
        let paths = [0, 1, 2].map(|n| folder.path().join(format!("{n}.log")));
        paths.iter().zip(files).for_each(|(path, lines)| std::fs::write(path, lines).unwrap());
        let log = Log::read(&paths, &Options::default()).unwrap();
        let window = Window::new(
            Some("2026-11-28T10:00:00Z".parse().unwrap()),
            Some("2026-11-28T11:01:00+01:00".parse().unwrap()),
        );
        let ids: Vec<_> =
            log.calls().filter(|call| window.has(call)).map(|call| call.id()).collect();
        assert_eq!(ids, ["a-in", "b-in"]);
        assert_eq!(window.notice(&log), None);
        let untold = window.untold(&log).unwrap();
        assert!(
            untold.contains(": 1, such as ")
                && untold.ends_with("2.log. Left out with them: 1 call."),
            "{untold}"
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["10:00", "2026-11-28", "2026-11-28T10:00:00", "now", "NaN", "", "9999-01-01T00:00:00Z"]
        {
            assert!(text.parse::<Edge>().is_err(), "{text}");
        }
    }
}
