//! Training steps, run by run: a run that begins anew has the same numbers once more.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use firstbyte_core::Micros;

use super::{Log, Moment, Source, What};

/// A number this much below the largest is no line of another rank, which is a step behind at most.
const BEHIND: i64 = 2;

/// The steps of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The file that its first line is from.
    pub source: u32,
    /// The steps and how long each took, by their numbers.
    pub steps: Vec<(i64, Micros)>,
    /// Of each file, from its first step to its last: places in the timeline.
    spans: Vec<(u32, Range<usize>)>,
}

/// A step with its place in the timeline.
type Step = (usize, i64, Micros);

/// A run in one file.
#[derive(Debug)]
struct Part {
    run: Run,
    /// Files whose first and last run it has.
    first: Option<u32>,
    last: Option<u32>,
}

impl Log {
    /// The runs of training, in the order of their first lines. A step whose number is at least two below the largest
    /// begins a run if its number was told before or is below all others. The last run of a file goes on in
    /// the first one of another, unless they have numbers in common or are of two boots.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Part> = Vec::new();
        // Those at an end of a file: at most two of each, however many runs there are.
        let mut open: Vec<usize> = Vec::new();
        for part in self.parts() {
            if part.first.or(part.last).is_none() {
                runs.push(part);
                continue;
            }
            match open.iter().find(|place| runs[**place].takes(&part, self.sources())) {
                Some(place) => runs[*place].join(part),
                None => {
                    open.push(runs.len());
                    runs.push(part);
                }
            }
        }
        runs.into_iter().map(|part| part.run).collect()
    }

    /// What happened beside the calls while a run of this log made steps: in each of its files what is from its first
    /// step to its last, these too.
    pub fn moments<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = &'a Moment> {
        let all = self.timeline().moments();
        run.spans.iter().flat_map(move |(source, places)| {
            let these = all.get(places.clone()).unwrap_or_default().iter();
            these.filter(move |moment| moment.source == *source)
        })
    }

    /// The runs of each file.
    fn parts(&self) -> Vec<Part> {
        let mut files: BTreeMap<u32, Vec<Step>> = BTreeMap::new();
        let mut order: Vec<u32> = Vec::new();
        for (place, moment) in self.timeline().moments().iter().enumerate() {
            if let What::Stepped { step: Some(step), duration: Some(duration), .. } = moment.what {
                let steps = files.entry(moment.source).or_insert_with(|| {
                    order.push(moment.source);
                    Vec::new()
                });
                steps.push((place, step, duration));
            }
        }
        let parts = order.into_iter().flat_map(|source| {
            let mut parts: Vec<Part> = split(&files[&source])
                .into_iter()
                .map(|steps| Part { run: Run::of(source, &steps), first: None, last: None })
                .collect();
            if let Some(part) = parts.first_mut() {
                part.first = Some(source);
            }
            if let Some(part) = parts.last_mut() {
                part.last = Some(source);
            }
            parts
        });
        parts.collect()
    }
}

impl Run {
    /// Of steps in the order of their lines.
    fn of(source: u32, told: &[Step]) -> Self {
        let mut steps: Vec<_> = told.iter().map(|(_, step, duration)| (*step, *duration)).collect();
        steps.sort_by_key(|(number, _)| *number);
        let ends = told.first().zip(told.last());
        let spans = ends.map(|(first, last)| (source, first.0..last.0 + 1));
        Self { source, steps, spans: spans.into_iter().collect() }
    }
}

impl Part {
    fn ends(&self) -> (i64, i64) {
        let number = |step: Option<&(i64, Micros)>| step.map_or(0, |(number, _)| *number);
        (number(self.run.steps.first()), number(self.run.steps.last()))
    }

    /// Whether the other goes on where this one ends, or ends where it begins.
    fn takes(&self, other: &Self, sources: &[Source]) -> bool {
        let ((begin, end), (first, last)) = (self.ends(), other.ends());
        let one_boot = |one: Option<u32>, next: Option<u32>| {
            one.zip(next).is_some_and(|(one, next)| {
                let boot = |file: u32| sources[file as usize].boot;
                one != next && boot(one).zip(boot(next)).is_none_or(|(a, b)| a == b)
            })
        };
        (first > end && one_boot(self.last, other.first))
            || (last < begin && one_boot(other.last, self.first))
    }

    fn join(&mut self, other: Self) {
        if other.ends().0 > self.ends().1 {
            self.last = other.last;
        } else {
            self.first = other.first;
        }
        self.run.spans.extend(other.run.spans);
        self.run.steps.extend(other.run.steps);
        self.run.steps.sort_by_key(|(number, _)| *number);
    }
}

/// The runs of one file, whose steps are in the order of its lines.
fn split(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut runs: Vec<Vec<Step>> = Vec::new();
    let mut seen: HashSet<i64> = HashSet::new();
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for (place, step, duration) in steps {
        let is_known = seen.contains(step) || *step < least;
        if runs.is_empty() || (is_known && most.saturating_sub(*step) >= BEHIND) {
            runs.push(Vec::new());
            seen = HashSet::new();
            (least, most) = (*step, *step);
        }
        seen.insert(*step);
        (least, most) = (least.min(*step), most.max(*step));
        if let Some(run) = runs.last_mut() {
            run.push((*place, *step, *duration));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(steps: impl IntoIterator<Item = i64>) -> String {
        let line = |(n, step): (usize, i64)| {
            format!("[step] step.done step={step} dur_ms={}.0\n", 1000 + n)
        };
        steps.into_iter().enumerate().map(line).collect()
    }

    fn numbers(log: &Log) -> Vec<Vec<i64>> {
        let number = |run: Run| run.steps.iter().map(|(number, _)| *number).collect();
        log.runs().into_iter().map(number).collect()
    }

    fn told(steps: &[i64]) -> Vec<Vec<i64>> {
        numbers(&Log::from_bytes(lines(steps.iter().copied()).as_bytes()))
    }

    #[test]
    fn a_run_that_begins_anew_is_another() {
        assert_eq!(told(&[1, 2, 3, 4, 1, 2, 3]), [vec![1, 2, 3, 4], vec![1, 2, 3]]);
        assert_eq!(told(&[100, 101, 102, 1, 2]), [vec![100, 101, 102], vec![1, 2]]);
        assert_eq!(told(&[1, 2, 3, 4, 5, 3, 4, 5, 6]), [vec![1, 2, 3, 4, 5], vec![3, 4, 5, 6]]);
    }

    #[test]
    fn lines_out_of_order_and_ranks_of_one_run_are_one() {
        assert_eq!(told(&[1, 2, 4, 3, 5, 8, 6, 7]), [vec![1, 2, 3, 4, 5, 6, 7, 8]]);
        assert_eq!(told(&[2, 1, 3]), [vec![1, 2, 3]]);
        assert_eq!(told(&[1, 1, 2, 1, 2, 2, 3, 3]), [vec![1, 1, 1, 2, 2, 2, 3, 3]]);
    }

    #[test]
    fn a_run_goes_on_in_another_file_of_its_boot() {
        let folder = tempfile::tempdir().unwrap();
        let read = |files: &[String]| {
            let paths: Vec<_> =
                (0..files.len()).map(|n| folder.path().join(format!("{n}.log"))).collect();
            for (path, lines) in paths.iter().zip(files) {
                std::fs::write(path, lines).unwrap();
            }
            numbers(&Log::read(&paths, &crate::Options::default()).unwrap())
        };
        let (one, two) = (lines(1..=3), lines(4..=6));
        let whole = [vec![1, 2, 3, 4, 5, 6]];
        assert_eq!(read(&[one.clone(), two.clone()]), whole);
        assert_eq!(read(&[two.clone(), one.clone()]), whole);
        let boot = |boot: &str| {
            format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=1.0 unix=2.0\n")
        };
        assert_eq!(read(&[boot("x") + &one, boot("x") + &two]), whole);
        assert_eq!(read(&[boot("x") + &one, boot("y") + &two]), [vec![1, 2, 3], vec![4, 5, 6]]);
        let log = Log::read(
            &[0, 1].map(|n| folder.path().join(format!("{n}.log"))),
            &crate::Options::default(),
        );
        let log = log.unwrap();
        let beside: Vec<_> = log.runs().iter().map(|run| log.moments(run).count()).collect();
        assert_eq!(beside, [3, 3]);
        // Two ranks, each with a file.
        let other = one.replace("dur_ms=1", "dur_ms=2");
        assert_eq!(read(&[one, other]), [vec![1, 2, 3], vec![1, 2, 3]]);
    }
    #[test]
    fn what_is_between_the_steps_of_a_run_is_of_it() {
        let rollout = |depth: i64| format!("[rollout] buffer_depth={depth}\n");
        let text = rollout(0)
            + &lines(1..=2)
            + &rollout(1)
            + &lines(3..=4)
            + &rollout(2)
            + &lines(1..=1).replace("dur_ms=1", "dur_ms=2")
            + &rollout(3)
            + &lines(2..=2).replace("dur_ms=1", "dur_ms=2");
        let log = Log::from_bytes(text.as_bytes());
        let runs = log.runs();
        let depths = |run: &Run| {
            let depth = |moment: &Moment| match moment.what {
                What::Rollout { buffer_depth, .. } => buffer_depth,
                _ => None,
            };
            (log.moments(run).filter_map(depth).collect::<Vec<_>>(), log.moments(run).count())
        };
        assert_eq!(runs.iter().map(depths).collect::<Vec<_>>(), [(vec![1], 5), (vec![3], 3)]);
    }

    #[test]
    fn very_many_runs_of_one_file_are_told() {
        // Looked for among each other, they would take hours.
        let log = Log::from_bytes(lines((0..400_000).map(|n| [3, 1][n % 2])).as_bytes());
        assert_eq!(log.runs().len(), 200_001);
    }
}
