//! Columns of percentages: the share of a column, of a row, or of the total.

use super::{
    label::{Label, Stat},
    ledger::{Derived, Ledger},
    number::{Kind, Number},
    table::Table,
};

/// Looks at each column whose label says of what it is the share.
pub(super) fn check(table: &Table, ledger: &mut Ledger) {
    for column in 1..table.head.len() {
        let Some(whole) = whole_of(&table.head[column]) else { continue };
        let is_whole = |label: &Label| {
            label.words.len() == 1 && label.words[0] == whole && label.stat.is_none()
                || (whole == "total" && label.stat == Some(Stat::Total))
        };
        let beside = (0..table.head.len()).find(|place| is_whole(&table.head[*place]));
        let below = table.rows.iter().find(|row| is_whole(&row.label));
        let parts: Vec<usize> = (1..table.head.len())
            .filter(|place| *place != column && Some(*place) != beside)
            .filter(|place| table.head[*place].stat != Some(Stat::N))
            .filter(|place| has_amounts(table, *place))
            .collect();
        let [part] = parts[..] else { continue };
        for row in &table.rows {
            let whole = match beside {
                Some(place) => row.number(place),
                None => below.and_then(|row| row.number(part)),
            };
            let (Some(said), Some(part), Some(whole)) =
                (row.number(column), row.number(part), whole)
            else {
                continue;
            };
            of(said, part, whole, ledger);
        }
    }
}

/// Checks that a percentage is that of a part of a whole.
pub(super) fn of(said: Number, part: Number, whole: Number, ledger: &mut Ledger) {
    let right = part.counted().over(whole.counted()).map(|share| share.scaled(100.0));
    if let Some(right) =
        right.filter(|_| said.kind() == Kind::Percent && part.kind() == whole.kind())
    {
        let formula = format!("{part} / {whole}");
        // A whole number of per cent is rounded, however it is written.
        ledger.derive(Derived { check: "share", said, right, formula, from: &[part, whole] });
    }
}

/// `of wall`, `share of wall`, `% of total`; a share alone is one of the total.
fn whole_of(label: &Label) -> Option<String> {
    let of = label.words.iter().position(|word| word == "of");
    if let Some(of) = of {
        let is_share = ["share", "%", "percent", "pct"].contains(&label.words.first()?.as_str());
        return (of == 0 || is_share).then(|| label.words.last().cloned()).flatten();
    }
    let alone = ["share", "share %", "share (%)", "%", "percent"];
    alone.contains(&label.text.as_str()).then(|| "total".to_owned())
}

fn has_amounts(table: &Table, column: usize) -> bool {
    let numbers = table.rows.iter().filter_map(|row| row.number(column));
    let mut kinds = numbers.map(Number::kind).peekable();
    kinds.peek().is_some() && kinds.all(|kind| !matches!(kind, Kind::Percent | Kind::Times))
}
