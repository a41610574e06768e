//! What `3.2x` or `40 % less` of two numbers can mean.

use super::{
    bounds::Bounds,
    direction::Direction,
    ledger::{Derived, Ledger},
    number::{Kind, Number},
};

/// What a percentage is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The number before: 80 to 60 is 25 % less.
    Before,
    /// Either: 80 to 60 s is 25 % or 33 % faster, by time or by speed.
    Either,
    /// The number before is 100 %: 80 to 60 is 75 %, or 25 % less.
    Whole,
}

/// What a ratio or a change turns out to be.
#[derive(Debug)]
enum Judged {
    /// It is told to be more, and is less, or the other way round.
    Opposite(Direction, Direction),
    /// It should be this; what is printed may be one of several things, and this is the one that it comes nearest to.
    Should(Bounds, String),
}

/// Checks a ratio, or a change from `before` to `after`, against all that it can mean.
///
/// Twice as fast is half the time: which of both is meant is not told by the number, so either is right. The direction
/// is told by words and signs: a time that got longer is not faster, whatever the number.
pub(super) fn check(
    name: &'static str,
    said: Number,
    (before, after): (Number, Number),
    base: Base,
    direction: Option<Direction>,
    ledger: &mut Ledger,
) {
    match judged(said, (before, after), base, direction) {
        None => {}
        Some(Judged::Opposite(told, really)) => {
            ledger.mark(&[said, before, after]);
            let (told, really) = (told.as_str(), really.as_str());
            let message =
                format!("{said} is said to be {told}, but {after} is {really} than {before}");
            ledger.wrong(name, said.line, message, format!("from {before} to {after}"));
        }
        Some(Judged::Should(right, formula)) => {
            ledger.derive(Derived { check: name, said, right, formula, from: &[before, after] });
        }
    }
}

/// Whether it is one of the things that it can mean.
pub(super) fn holds(said: Number, pair: (Number, Number), base: Base) -> bool {
    match judged(said, pair, base, None) {
        Some(Judged::Should(right, _)) => said.counted().meets(right),
        _ => false,
    }
}

fn judged(
    said: Number,
    (before, after): (Number, Number),
    base: Base,
    direction: Option<Direction>,
) -> Option<Judged> {
    if before.kind() != after.kind() {
        return None;
    }
    let really = Direction::of_numbers(before, after);
    if let (Some(told), Some(really)) = (direction, really)
        && told != really
    {
        return Some(Judged::Opposite(told, really));
    }
    let meanings = match said.kind() {
        Kind::Times => ratios(said, before, after),
        Kind::Percent => changes(said, before, after, base),
        // Without a unit of its own it is in theirs.
        _ => differences(said, before, after),
    };
    let met = meanings.iter().position(|(right, _)| said.bounds().meets(*right)).unwrap_or(0);
    meanings.into_iter().nth(met).map(|(right, formula)| Judged::Should(right, formula))
}

type Meanings = Vec<(Bounds, String)>;

/// The one that is nearer first.
fn ratios(said: Number, a: Number, b: Number) -> Meanings {
    let ratio = |a: Number, b: Number| {
        a.bounds().over(b.bounds()).map(|right| (right, format!("{a} / {b}")))
    };
    let mut all: Meanings = ratio(a, b).into_iter().chain(ratio(b, a)).collect();
    let distance = |right: f64| {
        let factor = said.value / right;
        if factor > 0.0 { factor.ln().abs() } else { f64::INFINITY }
    };
    all.sort_by(|x, y| distance(x.0.value).total_cmp(&distance(y.0.value)));
    all
}

/// The one of the number before, with the sign that is said, first.
fn changes(said: Number, a: Number, b: Number, base: Base) -> Meanings {
    let change = |from: Number, to: Number, of: Number| {
        let share = (to.bounds() - from.bounds()).over(of.bounds());
        share.map(|right| (right.scaled(100.0), format!("({to} - {from}) / {of}")))
    };
    let mut all = match base {
        Base::Whole => {
            ratios(said, a, b).into_iter().map(|(right, of)| (right.scaled(100.0), of)).collect()
        }
        _ => Meanings::new(),
    };
    all.extend(change(a, b, a).into_iter().chain(change(b, a, a)));
    if base == Base::Either {
        all.extend(change(a, b, b).into_iter().chain(change(b, a, b)));
    }
    // Of percentages it may be points.
    if a.kind() == Kind::Percent {
        all.extend(differences(said, a, b));
    }
    all.sort_by_key(|(right, _)| (right.value < 0.0) != (said.value < 0.0));
    all
}

/// The one with the sign that is said first.
fn differences(said: Number, a: Number, b: Number) -> Meanings {
    let difference =
        |from: Number, to: Number| (to.bounds() - from.bounds(), format!("{to} - {from}"));
    let mut both = vec![difference(a, b), difference(b, a)];
    both.sort_by_key(|(right, _)| (right.value < 0.0) != (said.value < 0.0));
    both
}
