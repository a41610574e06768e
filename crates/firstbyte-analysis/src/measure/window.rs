//! Calls of a stretch of time, and what that is worth where there are several clocks.

use std::collections::BTreeMap;

use firstbyte_core::Timestamp;

use crate::{
    correlate::{Call, Log},
    counted,
};

/// So many files are told with what is left out of them.
const MOST_FILES: usize = 5;

/// Which calls: those that were sent within a stretch of the monotonic clock, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// From this second on.
    pub since: Option<f64>,
    /// Before this second.
    pub until: Option<f64>,
}

impl Window {
    /// A window; a missing end is open.
    #[must_use]
    pub const fn new(since: Option<f64>, until: Option<f64>) -> Self {
        Self { since, until }
    }

    /// Whether a call is in it. One whose moment is unknown is only in a window without ends.
    #[must_use]
    pub fn has(&self, call: &Call<'_>) -> bool {
        if self.is_open() {
            return true;
        }
        let Some(at) = moment(call).map(|(at, _)| seconds(at)) else { return false };
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// What is said of a window over files of several clocks: its seconds are another stretch of time in each.
    pub(crate) fn notice(&self, log: &Log) -> Option<String> {
        if self.is_open() {
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
        let late = Window::new(Some(50.0), None);
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
        let notice = told(&files, Window::new(Some(2.0), None)).unwrap();
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
        assert!(Window::new(Some(1.0), None).notice(&log).is_some());
    }
}
