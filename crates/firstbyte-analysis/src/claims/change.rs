//! Columns of changes: before and after, or against a baseline.

use super::{
    direction::Direction,
    label::{Label, Stat},
    ledger::Ledger,
    number::{Kind, Number},
    relative::{self, Base},
    table::Table,
};

const CHANGES: [&str; 9] = [
    "baseline",
    "change",
    "delta",
    "faster",
    "improvement",
    "reduction",
    "slower",
    "speedup",
    "vs",
];

/// Of them, those whose sign is not that of the amount.
const OF_THEIR_OWN: [&str; 5] = ["faster", "improvement", "reduction", "slower", "speedup"];

/// Looks at each column of ratios or percentages whose label says that it is a change.
pub(super) fn check(table: &Table, ledger: &mut Ledger) {
    for column in 1..table.head.len() {
        let label = &table.head[column];
        if !is_change(label) || label.stat.is_some() {
            continue;
        }
        let before = table.column(&["before", "old"]);
        let after = table.column(&["after", "new"]);
        if let (Some(before), Some(after)) = (before, after) {
            for row in &table.rows {
                let numbers = (row.number(column), row.number(before), row.number(after));
                if let (Some(said), Some(before), Some(after)) = numbers {
                    one(label, said, before, after, ledger);
                }
            }
        } else {
            against_a_row(table, column, ledger);
        }
    }
}

fn is_change(label: &Label) -> bool {
    label.has(&CHANGES) || label.text.contains("speed-up")
}

/// The row of the baseline says so, or is the only one that is 1x or has no change.
fn against_a_row(table: &Table, column: usize, ledger: &mut Ledger) {
    let amounts = column_of(table, column, &[Kind::Time, Kind::Rate])
        .or_else(|| column_of(table, column, &[Kind::Plain]));
    let Some(amount) = amounts else { return };
    let mut named = table.rows.iter().filter(|row| row.label.has(&["baseline", "before"]));
    let mut one_times = table.rows.iter().filter(|row| {
        row.number(column).is_some_and(|n| n.kind() == Kind::Times && n.value == 1.0)
    });
    let baseline = match (named.next(), named.next()) {
        (Some(row), None) => row,
        (None, None) => match (one_times.next(), one_times.next()) {
            (Some(row), None) => row,
            _ => return,
        },
        _ => return,
    };
    let Some(base) = baseline.number(amount) else { return };
    for row in &table.rows {
        if let (Some(said), Some(value)) = (row.number(column), row.number(amount)) {
            one(&table.head[column], said, base, value, ledger);
        }
    }
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
    let mut places = (1..table.head.len()).filter(is_of);
    places.next().filter(|_| places.next().is_none())
}

fn one(label: &Label, said: Number, before: Number, after: Number, ledger: &mut Ledger) {
    let is_speed = label.has(&["faster", "slower", "speedup"]);
    let base = if is_speed { Base::Either } else { Base::Before };
    // A plus of what is faster or an improvement is a plus of that.
    let is_signed = said.kind() == Kind::Percent && !label.has(&OF_THEIR_OWN);
    let direction = Direction::of_sign(said).filter(|_| is_signed);
    if matches!(said.kind(), Kind::Times | Kind::Percent) {
        relative::check("change", said, (before, after), base, direction, ledger);
    }
}
