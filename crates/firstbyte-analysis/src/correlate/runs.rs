//! Training steps, run by run: a run that begins anew has the same numbers once more.

use std::collections::{BTreeMap, HashSet};

use firstbyte_core::Micros;

use super::{Log, Source, What};

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
}

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
        for part in self.parts() {
            let goes_on = runs.iter_mut().find(|run| run.takes(&part, self.sources()));
            match goes_on {
                Some(run) => run.join(part),
                None => runs.push(part),
            }
        }
        runs.into_iter().map(|part| part.run).collect()
    }

    /// The runs of each file.
    fn parts(&self) -> Vec<Part> {
        let mut files: BTreeMap<u32, Vec<(i64, Micros)>> = BTreeMap::new();
        let mut order: Vec<u32> = Vec::new();
        for moment in self.timeline().moments() {
            if let What::Stepped { step: Some(step), duration: Some(duration), .. } = moment.what {
                let steps = files.entry(moment.source).or_insert_with(|| {
                    order.push(moment.source);
                    Vec::new()
                });
                steps.push((step, duration));
            }
        }
        let parts = order.into_iter().flat_map(|source| {
            let mut parts: Vec<Part> = split(&files[&source])
                .into_iter()
                .map(|steps| Part { run: Run { source, steps }, first: None, last: None })
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
        self.run.steps.extend(other.run.steps);
        self.run.steps.sort_by_key(|(number, _)| *number);
    }
}

/// The runs of one file, whose steps are in the order of its lines.
fn split(steps: &[(i64, Micros)]) -> Vec<Vec<(i64, Micros)>> {
    let mut runs: Vec<Vec<(i64, Micros)>> = Vec::new();
    let mut seen: HashSet<i64> = HashSet::new();
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for (step, duration) in steps {
        let is_known = seen.contains(step) || *step < least;
        if runs.is_empty() || (is_known && most.saturating_sub(*step) >= BEHIND) {
            runs.push(Vec::new());
            seen.clear();
            (least, most) = (*step, *step);
        }
        seen.insert(*step);
        (least, most) = (least.min(*step), most.max(*step));
        if let Some(run) = runs.last_mut() {
            run.push((*step, *duration));
        }
    }
    for run in &mut runs {
        run.sort_by_key(|(number, _)| *number);
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
        // Two ranks, each with a file.
        let other = one.replace("dur_ms=1", "dur_ms=2");
        assert_eq!(read(&[one, other]), [vec![1, 2, 3], vec![1, 2, 3]]);
    }
}
