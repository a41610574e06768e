//! Where a sequence changes.

/// Permutations per test: p is known to 0.001.
const PERMUTATIONS: usize = 999;
/// On either side of a change.
const FEWEST: usize = 2;
/// So many values are looked at: each test takes their square.
const MOST: usize = 500;
/// Of fewer values none can be told from chance: too few orders of them are there.
pub const FEWEST_FOR_A_CHANGE: usize = 8;
const SIGNIFICANT: f64 = 0.05;

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
/// Multiple Change Point Analysis of Multivariate Data, JASA 109, 2014.) Of more than 500 values, the
/// means of so many neighbours are looked at that 500 are left, and a change is known to so many values. With fewer than
/// [`FEWEST_FOR_A_CHANGE`] there is none: no order of them would be rare enough.
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
    let neighbours = values.len().div_ceil(MOST).max(1);
    let means: Vec<f64> = values
        .chunks(neighbours)
        .map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64)
        .collect();
    let place = |place: usize| (place * neighbours).min(values.len());
    let changes = changes_of(&means).into_iter().map(|ChangePoint { from, at, to, p }| {
        ChangePoint { from: place(from), at: place(at), to: place(to), p }
    });
    changes.collect()
}

fn changes_of(values: &[f64]) -> Vec<ChangePoint> {
    let mut places = vec![0, values.len()];
    let mut found: Vec<(usize, f64)> = Vec::new();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
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
    let stretch = |at: usize| {
        let place = places.iter().position(|place| *place == at).unwrap_or(1);
        (places[place - 1], places[(place + 1).min(places.len() - 1)])
    };
    found.sort_by_key(|(at, _)| *at);
    let points = found.into_iter().map(|(at, p)| {
        let (from, to) = stretch(at);
        ChangePoint { from, at, to, p }
    });
    points.collect()
}

/// The best place in one stretch and its p, if it is a change.
fn change(values: &[f64], seed: &mut u64) -> Option<(usize, f64)> {
    let (at, distance) = best(values)?;
    // The same values in another order may differ in the last digits.
    let distance = distance * (1.0 - 1e-9);
    let mut shuffled = values.to_vec();
    let mut as_far = 0;
    for _ in 0..PERMUTATIONS {
        shuffle(&mut shuffled, seed);
        as_far += usize::from(best(&shuffled).is_some_and(|(_, other)| other >= distance));
    }
    let p = (as_far + 1) as f64 / (PERMUTATIONS + 1) as f64;
    (p <= SIGNIFICANT).then_some((at, p))
}

/// The place with the largest energy distance between what is before and after it.
fn best(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * FEWEST {
        return None;
    }
    // Sums of the distances within the part before, within the part after, and between both.
    let apart = |i: usize, j: usize| (values[i] - values[j]).abs();
    let (mut before, mut after, mut between) = (0.0, 0.0, 0.0);
    for i in 0..n {
        for j in i + 1..n {
            after += apart(i, j);
        }
    }
    let mut best: Option<(usize, f64)> = None;
    for at in 1..n {
        // The value before `at` moves over.
        let moved = at - 1;
        let to_before: f64 = (0..moved).map(|i| apart(i, moved)).sum();
        let to_after: f64 = (at..n).map(|i| apart(i, moved)).sum();
        before += to_before;
        after -= to_after;
        between += to_after - to_before;
        let (m, k) = (at as f64, (n - at) as f64);
        if at < FEWEST || n - at < FEWEST {
            continue;
        }
        let within = before / (m * (m - 1.0) / 2.0) + after / (k * (k - 1.0) / 2.0);
        let distance = (2.0 * between / (m * k) - within) * m * k / (m + k);
        if best.is_none_or(|(_, most)| distance > most) {
            best = Some((at, distance));
        }
    }
    best
}

/// Fisher and Yates, by Marsaglia's xorshift: the same order each time.
fn shuffle(values: &mut [f64], seed: &mut u64) {
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
        let found = best(&values).unwrap();
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
