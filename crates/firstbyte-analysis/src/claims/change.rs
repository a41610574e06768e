//! Columns of changes: before and after, or against a baseline.

use super::{
    direction::Direction,
    label::{Label, Stat},
    ledger::Ledger,
    number::{Kind, Number, Unit},
    relative::{self, Base},
    table::{Row, Table},
};

const CHECK: &str = "change";
/// Changes that may be in the unit of the amounts.
const DIFFERENCES: [&str; 6] = ["change", "delta", "diff", "difference", "gap", "δ"];

/// Changes whose sign is not that of the amount.
const OF_THEIR_OWN: [&str; 9] = [
    "diff",
    "difference",
    "faster",
    "gap",
    "improvement",
    "reduction",
    "relative",
    "slower",
    "speedup",
];

/// What a change is from.
const BASELINES: [&str; 2] = ["baseline", "vs"];

/// Columns that are set against each other: before and after.
const PAIRS: [(&[&str], &[&str]); 2] = [
    (&["before", "old"], &["after", "new"]),
    (&["expected", "target"], &["actual", "measured", "observed"]),
];

/// A change, and what it is from and to.
type Said = (Number, (Number, Number));

/// Looks at each column of ratios, percentages or differences whose label says that it is a change.
pub(super) fn check(table: &Table, ledger: &mut Ledger) {
    for column in 1..table.head.len() {
        let label = &table.head[column];
        if !is_change(label) || label.stat.is_some() {
            continue;
        }
        let pair = |(before, after)| table.column(before).zip(table.column(after));
        if let Some(pair) = PAIRS.into_iter().find_map(pair) {
            all(label, &of_columns(table, column, pair), base(label), ledger);
        } else if let Some(said) = of_a_row(table, column) {
            all(label, &said, base(label), ledger);
        } else if let Some(pair) = two(table, column) {
            // Nothing says that they are meant, nor which of them is before.
            most(&of_columns(table, column, pair), Base::Either, ledger);
        }
    }
}

fn is_change(label: &Label) -> bool {
    // A baseline alone is what there was before.
    let is_from = label.has(&BASELINES) && label.words != ["baseline"];
    label.has(&DIFFERENCES)
        || label.has(&OF_THEIR_OWN)
        || is_from
        || label.text.contains("speed-up")
}

/// What a percentage is of.
fn base(label: &Label) -> Base {
    match () {
        () if label.has(&["relative"]) => Base::Whole,
        () if label.has(&["faster", "slower", "speedup"]) => Base::Either,
        () => Base::Before,
    }
}

/// `relative 1.70` is 1.70x.
fn said(label: &Label, number: Number) -> Number {
    let is_ratio = number.kind() == Kind::Plain && label.has(&["relative", "speedup"]);
    if is_ratio { number.with(Unit::TIMES) } else { number }
}

/// The changes from one column to another.
fn of_columns(table: &Table, column: usize, (before, after): (usize, usize)) -> Vec<Said> {
    let change = |row: &Row| {
        let said = said(&table.head[column], row.number(column)?);
        Some((said, (row.number(before)?, row.number(after)?)))
    };
    table.rows.iter().filter_map(change).collect()
}

/// The changes from one row. That of the baseline says so, or is the only one that is 1x.
fn of_a_row(table: &Table, column: usize) -> Option<Vec<Said>> {
    let amount = column_of(table, column, &[Kind::Time, Kind::Rate])
        .or_else(|| column_of(table, column, &[Kind::Plain]))?;
    let label = &table.head[column];
    let is_one = |row: &&Row| {
        let number = row.number(column).map(|number| said(label, number));
        number.is_some_and(|n| match n.kind() {
            Kind::Times => n.value == 1.0,
            Kind::Percent => n.value == 100.0 && base(label) == Base::Whole,
            _ => false,
        })
    };
    let named = only(table.rows.iter().filter(|row| row.label.has(&["baseline", "before"])));
    let baseline = named.or_else(|| only(table.rows.iter().filter(is_one)))?;
    let before = baseline.number(amount)?;
    let change =
        |row: &Row| Some((said(label, row.number(column)?), (before, row.number(amount)?)));
    Some(table.rows.iter().filter_map(change).collect())
}

/// The two columns of amounts beside the changes, if there are no others: `main | this PR | change`.
fn two(table: &Table, changes: usize) -> Option<(usize, usize)> {
    let is_amount = |place: &usize| {
        let label = &table.head[*place];
        let mut numbers = table.rows.iter().filter_map(|row| row.number(*place)).peekable();
        *place != changes && label.stat.is_none() && !is_change(label) && numbers.peek().is_some()
    };
    let mut places = (1..table.head.len()).filter(is_amount);
    let pair = (places.next()?, places.next()?);
    places.next().is_none().then_some(pair)
}

/// The only column of numbers of these kinds beside the changes.
fn column_of(table: &Table, changes: usize, kinds: &[Kind]) -> Option<usize> {
    let is_of = |place: &usize| {
        let mut all = table.rows.iter().filter_map(|row| row.number(*place)).peekable();
        let is_count = table.head[*place].stat == Some(Stat::N);
        *place != changes
            && !is_count
            && all.peek().is_some()
            && all.all(|number| kinds.contains(&number.kind()))
    };
    only((1..table.head.len()).filter(is_of))
}

/// The only one.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

fn all(label: &Label, changes: &[Said], base: Base, ledger: &mut Ledger) {
    let is_difference = label.has(&DIFFERENCES);
    let mut without_unit = Vec::new();
    for (said, pair) in changes {
        // A plus of what is faster or an improvement is a plus of that.
        let is_signed = said.kind() != Kind::Times && !label.has(&OF_THEIR_OWN);
        let direction = Direction::of_sign(*said).filter(|_| is_signed);
        match said.kind() {
            Kind::Times | Kind::Percent => {
                relative::check(CHECK, *said, *pair, base, direction, ledger);
            }
            Kind::Plain if is_difference => without_unit.push((said.with(pair.0.unit), *pair)),
            kind if is_difference && kind == pair.0.kind() => {
                relative::check(CHECK, *said, *pair, base, direction, ledger);
            }
            _ => {}
        }
    }
    // That may be the one of the amounts, or per cent.
    most(&without_unit, base, ledger);
}

/// What is a guess has to be confirmed by most of them.
fn most(changes: &[Said], base: Base, ledger: &mut Ledger) {
    let right = changes.iter().filter(|(said, pair)| relative::holds(*said, *pair, base));
    if right.count() * 2 > changes.len() {
        for (said, pair) in changes {
            relative::check(CHECK, *said, *pair, base, None, ledger);
        }
    }
}
