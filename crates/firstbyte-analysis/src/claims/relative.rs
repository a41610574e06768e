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
    if before.kind() != after.kind() {
        return;
    }
    let really = Direction::of_numbers(before, after);
    if let (Some(told), Some(really)) = (direction, really)
        && told != really
    {
        ledger.mark(&[said, before, after]);
        let (told, really) = (told.as_str(), really.as_str());
        let message = format!("{said} is said to be {told}, but {after} is {really} than {before}");
        ledger.wrong(name, said.line, message, format!("from {before} to {after}"));
        return;
    }
    let meanings = if said.kind() == Kind::Times {
        ratios(said, before, after)
    } else {
        changes(said, before, after, base)
    };
    let met = meanings.iter().position(|(right, _)| said.bounds().meets(*right)).unwrap_or(0);
    if let Some((right, formula)) = meanings.into_iter().nth(met) {
        ledger.derive(Derived { check: name, said, right, formula, from: &[before, after] });
    }
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
    let mut all: Meanings = change(a, b, a).into_iter().chain(change(b, a, a)).collect();
    if base == Base::Either {
        all.extend(change(a, b, b).into_iter().chain(change(b, a, b)));
    }
    all.sort_by_key(|(right, _)| (right.value < 0.0) != (said.value < 0.0));
    all
}
