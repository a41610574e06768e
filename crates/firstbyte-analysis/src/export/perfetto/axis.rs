//! One axis of time for files of several clocks, and what of it is true.

use std::collections::HashMap;

use firstbyte_core::Timestamp;
use serde_json::{Value, json};

use super::items;
use crate::correlate::{Log, Name};

/// How the moments of a file came onto the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alignment {
    /// The axis is of its clock.
    Own,
    /// Another clock, moved by the difference that both have to the wall clock.
    Wall,
    /// Another clock, and nobody knows by how much it differs: its first moment is where the axis begins.
    Not,
    /// Several clocks: none of its moments is on the axis.
    Mixed,
}

impl Alignment {
    /// What the name of its process ends with.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Own => "",
            Self::Wall => " (other clock, aligned by the wall clock)",
            Self::Not => " (other clock, not aligned)",
            Self::Mixed => " (several clocks, left out)",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "that of the axis",
            Self::Wall => "other clock, aligned by the wall clock",
            Self::Not => "other clock, not aligned: it begins with the axis",
            Self::Mixed => "several clocks, left out",
        }
    }
}

/// Where the moments of each file go.
#[derive(Debug)]
pub(super) struct Axis {
    /// By file: its alignment, and the moment of its clock that is 0 on the axis, in nanoseconds.
    files: Vec<(Alignment, i128)>,
    /// The moment of the first clock at which the axis begins, and the wall clock's.
    origin: Option<(i128, Option<i128>)>,
}

/// A clock that some files share.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    earliest: Option<i128>,
    /// The wall clock minus this one.
    unix: Option<i128>,
}

impl Axis {
    pub(super) fn of(log: &Log) -> Self {
        let (of_file, mut clocks) = clocks(log);
        items::each_start(log, |source, start| {
            if let Some(clock) = of_file[source as usize] {
                let (start, earliest) = (i128::from(start.as_nanos()), &mut clocks[clock].earliest);
                *earliest = Some(earliest.map_or(start, |known| known.min(start)));
            }
        });
        let used = clocks.iter().position(|clock| clock.earliest.is_some());
        let reference = clocks[..].get(used.unwrap_or(0)).copied().unwrap_or_default();
        // How far a clock is behind that of the axis.
        let behind = |clock: usize| match (used == Some(clock), clocks[clock].unix, reference.unix)
        {
            (true, ..) => Some(0),
            (false, Some(unix), Some(of_axis)) => Some(unix - of_axis),
            _ => None,
        };
        let starts = (0..clocks.len()).filter_map(|n| Some(clocks[n].earliest? + behind(n)?));
        let origin = starts.min().unwrap_or(0);
        let file = |clock: &Option<usize>| match *clock {
            None => (Alignment::Mixed, 0),
            Some(clock) if used == Some(clock) => (Alignment::Own, origin),
            Some(clock) => match behind(clock) {
                Some(behind) => (Alignment::Wall, origin - behind),
                None => (Alignment::Not, clocks[clock].earliest.unwrap_or(0)),
            },
        };
        let files = of_file.iter().map(file).collect();
        let origin = used.map(|_| (origin, reference.unix.map(|unix| origin + unix)));
        Self { files, origin }
    }

    pub(super) fn alignment(&self, source: u32) -> Alignment {
        self.files[source as usize].0
    }

    /// Whole microseconds from the axis's beginning to a moment of a file.
    pub(super) fn at(&self, source: u32, at: Timestamp) -> i64 {
        let nanos = i128::from(at.as_nanos()) - self.files[source as usize].1;
        i64::try_from(nanos.div_euclid(1000)).unwrap_or(i64::MAX)
    }

    /// For the trace's own description.
    pub(super) fn described(&self, log: &Log) -> Value {
        let file = |(n, (alignment, _)): (usize, &(Alignment, i128))| json!({ "pid": n + 1, "name": log.sources()[n].name, "clock": alignment.as_str() });
        // As text: a viewer's numbers may end at 53 bits.
        let text = |nanos: i128| nanos.to_string();
        json!({
            "firstbyte": env!("CARGO_PKG_VERSION"),
            "axis": "microseconds from its origin, on the monotonic clock of the first file that has moments",
            "origin_t_ns": self.origin.map(|(origin, _)| text(origin)),
            "origin_unix_ns": self.origin.and_then(|(_, unix)| unix).map(text),
            "files": self.files.iter().enumerate().map(file).collect::<Vec<_>>(),
        })
    }
}

/// The clock of each file, and all clocks. Files of one boot share one; of a file of several boots nothing compares.
fn clocks(log: &Log) -> (Vec<Option<usize>>, Vec<Clock>) {
    let mut clocks: Vec<Clock> = Vec::new();
    let mut boots: HashMap<Name, usize> = HashMap::new();
    let mut of_file = Vec::new();
    for source in log.sources() {
        if source.is_mixed {
            of_file.push(None);
            continue;
        }
        let known = source.boot.and_then(|boot| boots.get(&boot).copied());
        let place = known.unwrap_or(clocks.len());
        if known.is_none() {
            clocks.push(Clock::default());
        }
        if let Some(boot) = source.boot {
            boots.insert(boot, place);
        }
        clocks[place].unix = clocks[place].unix.or(source.unix_offset);
        of_file.push(Some(place));
    }
    (of_file, clocks)
}
