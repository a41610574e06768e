//! Where a sequence changes.

/// Permutations per test: p is known to 0.001.
const PERMUTATIONS: usize = 999;
/// On either side of a change.
const FEWEST: usize = 2;
/// So many values are looked at one by one: a test of them takes a fifth of a second.
const MOST: usize = 5000;
/// Of fewer values none can be told from chance: too few orders of them are there.
pub const FEWEST_FOR_A_CHANGE: usize = 8;
const SIGNIFICANT: f64 = 0.05;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A place in a sequence from which on its values are others.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChangePoint {
    /// The first value of the stretch before.
    pub from: usize,
    /// The first value after the change.
    pub at: usize,
    /// One behind the last value of the stretch after.
    pub to: usize,
    /// How probable such a change is in a sequence without one: by permutation.
    pub p: f64,
}

/// The changes of a sequence, in order.
///
/// E-divisive: the place with the largest energy distance between before and after, tested by 999
/// permutations with a fixed seed, and then the same in either part. (Matteson and James, A Nonparametric Approach for
/// Multiple Change Point Analysis of Multivariate Data, JASA 109, 2014.) Of more than 5,000 values, the means of
/// [`neighbours`] are looked at, then the values themselves for the place of each change, and for a change so close to
/// either end that no mean is before it. With fewer than [`FEWEST_FOR_A_CHANGE`] there is none: no order of them would
/// be rare enough.
///
/// ```
/// use firstbyte_analysis::diagnose::change_points;
///
/// let steps = [150.0, 152.0, 149.0, 301.0, 298.0, 305.0, 300.0, 297.0, 303.0, 299.0];
/// let changes = change_points(&steps);
/// assert_eq!(changes.iter().map(|change| change.at).collect::<Vec<_>>(), [3]);
/// ```
#[must_use]
pub fn change_points(values: &[f64]) -> Vec<ChangePoint> {
    let neighbours = neighbours(values.len());
    if neighbours == 1 {
        return between(changes_of(values), values.len());
    }
    let means: Vec<f64> = values
        .chunks(neighbours)
        .map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64)
        .collect();
    let coarse = changes_of(&means).into_iter().map(|(at, p)| {
        let from = at.saturating_sub(FEWEST) * neighbours;
        let window = &values[from..values.len().min((at + FEWEST) * neighbours)];
        (Ranked::of(window).best().map_or(at * neighbours, |(best, _)| from + best), p)
    });
    let mut found: Vec<_> = coarse.collect();
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by_key(|(at, _)| *at);
    let seed = &mut { SEED };
    let blind = FEWEST * neighbours;
    let head = found.first().map_or(values.len(), |(at, _)| *at).min(MOST);
    let first = change(&values[..head], seed).filter(|(at, _)| *at < blind);
    let tail = found.last().map_or(0, |(at, _)| *at).max(values.len() - MOST);
    let last = change(&values[tail..], seed).map(|(at, p)| (tail + at, p));
    let last = last.filter(|(at, _)| values.len() - at < blind);
    found.splice(0..0, first);
    found.extend(last);
    between(found, values.len())
}

/// The means of how many neighbours are looked at, of so many values; 1 if each is.
#[must_use]
pub const fn neighbours(values: usize) -> usize {
    if values <= MOST { 1 } else { values.div_ceil(MOST) }
}

/// The changes between stretches whose means differ by more than so many times: a smaller one divides no stretch.
pub(super) fn large_change_points(values: &[f64], over: f64) -> Vec<ChangePoint> {
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(values.iter().scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        }))
        .collect();
    let mean = |from: usize, to: usize| (sums[to] - sums[from]) / (to - from) as f64;
    let mut changes = change_points(values);
    loop {
        let ratios = changes.iter().map(|change| {
            let (before, after) = (mean(change.from, change.at), mean(change.at, change.to));
            (after / before).max(before / after)
        });
        let smallest = ratios.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        match smallest {
            Some((place, ratio)) if ratio <= over => _ = changes.remove(place),
            _ => return changes,
        }
        changes =
            between(changes.iter().map(|change| (change.at, change.p)).collect(), values.len());
    }
}

/// Changes at these places, which are in order, with the stretches between them.
fn between(found: Vec<(usize, f64)>, end: usize) -> Vec<ChangePoint> {
    let places: Vec<usize> = found.iter().map(|(at, _)| *at).collect();
    let change = |(place, (at, p)): (usize, (usize, f64))| ChangePoint {
        from: if place == 0 { 0 } else { places[place - 1] },
        at,
        to: places.get(place + 1).copied().unwrap_or(end),
        p,
    };
    found.into_iter().enumerate().map(change).collect()
}

/// The places of changes and their p, in order.
fn changes_of(values: &[f64]) -> Vec<(usize, f64)> {
    let mut places = vec![0, values.len()];
    let mut found: Vec<(usize, f64)> = Vec::new();
    let mut seed = SEED;
    let mut next = 0;
    // Each stretch between two places that are known is looked at until none has a change.
    while next + 1 < places.len() {
        let (from, to) = (places[next], places[next + 1]);
        match change(&values[from..to], &mut seed) {
            Some((at, p)) => {
                places.insert(next + 1, from + at);
                found.push((from + at, p));
            }
            None => next += 1,
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found
}

/// The best place in one stretch and its p, if it is a change.
fn change(values: &[f64], seed: &mut u64) -> Option<(usize, f64)> {
    let mut ranked = Ranked::of(values);
    let (at, distance) = ranked.best()?;
    // The same values in another order may differ in the last digits.
    let distance = distance * (1.0 - 1e-9);
    let p = |as_far: usize| (as_far + 1) as f64 / (PERMUTATIONS + 1) as f64;
    let mut as_far = 0;
    for _ in 0..PERMUTATIONS {
        shuffle(&mut ranked.order, seed);
        as_far += usize::from(ranked.best().is_some_and(|(_, other)| other >= distance));
        if p(as_far) > SIGNIFICANT {
            return None;
        }
    }
    Some((at, p(as_far)))
}

/// Values by their ranks: so the distances from one to all before it are two sums, and n log n steps do for all.
struct Ranked {
    /// The different values, in order.
    values: Vec<f64>,
    /// Of each of them the sum of its distances to all values.
    distances: Vec<f64>,
    /// The sequence, each value by its place among the different ones.
    order: Vec<usize>,
}

impl Ranked {
    fn of(sequence: &[f64]) -> Self {
        let mut values = sequence.to_vec();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let rank = |value: &f64| values.partition_point(|other| other < value);
        let order: Vec<usize> = sequence.iter().map(rank).collect();
        let mut sums = Sums::new(values.len());
        order.iter().for_each(|rank| sums.add(*rank, values[*rank]));
        let distances = (0..values.len()).map(|rank| sums.distances(rank, values[rank])).collect();
        Self { values, distances, order }
    }

    /// The place with the largest energy distance between what is before and after it.
    fn best(&self) -> Option<(usize, f64)> {
        let n = self.order.len();
        if n < 2 * FEWEST {
            return None;
        }
        let mut sums = Sums::new(self.values.len());
        // Sums of the distances within the part before, within the part after, and between both.
        let (mut before, mut between) = (0.0, 0.0);
        let mut after = self.order.iter().map(|rank| self.distances[*rank]).sum::<f64>() / 2.0;
        let mut best: Option<(usize, f64)> = None;
        for (moved, rank) in self.order[..n - FEWEST].iter().enumerate() {
            let value = self.values[*rank];
            let to_before = sums.distances(*rank, value);
            let to_after = self.distances[*rank] - to_before;
            sums.add(*rank, value);
            before += to_before;
            after -= to_after;
            between += to_after - to_before;
            let at = moved + 1;
            if at < FEWEST {
                continue;
            }
            let (m, k) = (at as f64, (n - at) as f64);
            let within = before / (m * (m - 1.0) / 2.0) + after / (k * (k - 1.0) / 2.0);
            let distance = (2.0 * between / (m * k) - within) * m * k / (m + k);
            if best.is_none_or(|(_, most)| distance > most) {
                best = Some((at, distance));
            }
        }
        best
    }
}

/// Numbers and sums of values up to each rank (a Fenwick tree).
struct Sums {
    tree: Vec<(f64, f64)>,
    all: (f64, f64),
}

impl Sums {
    fn new(ranks: usize) -> Self {
        Self { tree: vec![(0.0, 0.0); ranks + 1], all: (0.0, 0.0) }
    }

    fn add(&mut self, rank: usize, value: f64) {
        let add = |(count, sum): &mut (f64, f64)| {
            *count += 1.0;
            *sum += value;
        };
        add(&mut self.all);
        let mut place = rank + 1;
        while place < self.tree.len() {
            add(&mut self.tree[place]);
            place += place & place.wrapping_neg();
        }
    }

    /// The sum of the distances from a value of this rank to all that were added.
    fn distances(&self, rank: usize, value: f64) -> f64 {
        let (mut count, mut sum) = (0.0, 0.0);
        let mut place = rank + 1;
        while place > 0 {
            let (more, of) = self.tree[place];
            (count, sum) = (count + more, sum + of);
            place &= place - 1;
        }
        let (all, total) = self.all;
        (value * count - sum) + (total - sum) - value * (all - count)
    }
}

/// Fisher and Yates, by Marsaglia's xorshift: the same order each time.
fn shuffle(values: &mut [usize], seed: &mut u64) {
    for i in (1..values.len()).rev() {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        values.swap(i, (*seed % (i as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(values: &[f64]) -> Vec<usize> {
        change_points(values).iter().map(|change| change.at).collect()
    }

    #[test]
    fn the_sums_are_those_of_the_definition() {
        let values = [1.0, 4.0, 2.0, 9.0, 7.0, 8.0, 3.0];
        let mean = |a: &[f64], b: &[f64], pairs: f64| {
            a.iter().flat_map(|x| b.iter().map(move |y| (x - y).abs())).sum::<f64>() / pairs
        };
        let slow = |at: usize| {
            let (x, y) = values.split_at(at);
            let (m, k) = (x.len() as f64, y.len() as f64);
            let within = mean(x, x, m * (m - 1.0)) + mean(y, y, k * (k - 1.0));
            (2.0 * mean(x, y, m * k) - within) * m * k / (m + k)
        };
        let expected = (2..=5).map(|at| (at, slow(at))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let found = Ranked::of(&values).best().unwrap();
        assert_eq!(found.0, expected.0);
        assert!((found.1 - expected.1).abs() < 1e-9);
    }

    #[test]
    fn none_is_found_where_there_is_none() {
        let noise: Vec<f64> = (0..60).map(|i| f64::from(i * 7919 % 13)).collect();
        assert_eq!(places(&noise), Vec::<usize>::new());
        assert_eq!(places(&[5.0; 30]), Vec::<usize>::new());
        assert_eq!(places(&[1.0, 2.0, 100.0]), Vec::<usize>::new());
        assert_eq!(places(&[]), Vec::<usize>::new());
    }

    /// Steps of 150 s, from this place on 300 s; each a little longer or shorter.
    fn jump(n: usize, at: usize) -> Vec<f64> {
        (0..n).map(|i| if i < at { 150.0 } else { 300.0 } + (i * 7919 % 13) as f64 / 10.0).collect()
    }

    #[test]
    fn a_change_close_to_an_end_is_found_whatever_the_length() {
        for n in [12, 501, 1001, 5001] {
            assert_eq!(places(&jump(n, 3)), [3], "{n}");
            assert_eq!(places(&jump(n, n - 3)), [n - 3], "{n}");
        }
    }

    #[test]
    fn a_change_between_means_is_told_to_the_value() {
        for at in [7001, 9999] {
            assert_eq!(places(&jump(20_000, at)), [at]);
        }
        assert_eq!((neighbours(5000), neighbours(5001), neighbours(20_000)), (1, 2, 4));
    }

    #[test]
    fn a_small_change_divides_no_stretch_of_large_ones() {
        // From 150 s to 300 s at 3, and a little more at 7.
        let values =
            [150.0, 150.1, 150.2, 300.0, 300.1, 300.2, 300.3, 303.0, 303.1, 303.2, 303.3, 303.4];
        assert_eq!(places(&values), [3, 7]);
        let large = large_change_points(&values, 1.5);
        assert_eq!(large.iter().map(|c| (c.from, c.at, c.to)).collect::<Vec<_>>(), [(0, 3, 12)]);
    }

    #[test]
    fn two_changes_are_found_and_told_with_their_stretches() {
        let values: Vec<f64> =
            (0..45).map(|i| [10.0, 20.0, 5.0][i / 15] + (i * 7 % 5) as f64 / 10.0).collect();
        let changes = change_points(&values);
        let told: Vec<_> = changes.iter().map(|c| (c.from, c.at, c.to)).collect();
        assert_eq!(told, [(0, 15, 30), (15, 30, 45)]);
        assert!(changes.iter().all(|change| change.p <= 0.05));
    }
}
