//! Rows that summarise the rows above them: total, mean, median, min, max, range.

use std::collections::BTreeMap;

use super::{
    bounds::Bounds,
    label::{Label, Stat},
    ledger::{Derived, Ledger},
    number::{Kind, Number},
    table::{Row, Table},
    token::Token,
};

/// Looks at each column of a table.
pub(super) fn rows(table: &Table, ledger: &mut Ledger) {
    let data: Vec<&Row> = table.rows.iter().take_while(|row| row.label.stat.is_none()).collect();
    let is_part = |row: &&Row| row.label.text.contains("subtotal") || row.label.has(&["which"]);
    if data.len() < 2 || data.iter().any(is_part) {
        return;
    }
    let are_runs = are_runs(table, &data);
    let mut stats: BTreeMap<Stat, Option<&Row>> = BTreeMap::new();
    for row in table.rows.iter().skip(data.len()) {
        // `mean without the first` is not of all of them.
        if let Some(stat) = row.label.stat.filter(|_| row.label.words.is_empty()) {
            // Of two, one is of something else.
            stats.entry(stat).and_modify(|known| *known = None).or_insert(Some(row));
        }
    }
    for (stat, row) in stats {
        if let Some(row) = row.filter(|_| stat == Stat::Mean && !are_runs) {
            average(table, &data, row, ledger);
        }
        let Some(row) = row.filter(|_| is_known(stat) && (are_runs || stat == Stat::Total)) else {
            continue;
        };
        for column in 1..table.head.len() {
            let label = &table.head[column];
            let is_of_it = match stat {
                Stat::Total => label.is_additive() || label.stat == Some(Stat::N),
                _ => label.stat.is_none(),
            };
            if !is_of_it {
                continue;
            }
            let Some(numbers) = column_of(&data, column) else { continue };
            if stat == Stat::Range {
                range(row, column, &numbers, ledger);
            } else if let Some(said) = row.number(column)
                && !(label.stat == Some(Stat::N) && is_of_the_same(said, &numbers))
            {
                one(stat, said, &numbers, ledger);
            }
        }
    }
}

/// Whether each row counts the same calls, as one by phase does: the sum of different ones is more than each of them.
fn is_of_the_same(total: Number, counts: &[Number]) -> bool {
    counts.iter().any(|count| total.value <= count.value) && counts.iter().all(|n| n.value > 0.0)
}

/// The numbers of all of these rows, if they are of one kind.
fn column_of(data: &[&Row], column: usize) -> Option<Vec<Number>> {
    let numbers: Option<Vec<Number>> = data.iter().map(|row| row.number(column)).collect();
    numbers.filter(|numbers| of_one_kind(numbers))
}

/// Looks at the average of rows that are no runs. It may be weighted, which is told by most of its columns; but it is between
/// the smallest and the largest whatever the weights.
fn average(table: &Table, data: &[&Row], row: &Row, ledger: &mut Ledger) {
    // How many values there are, and how far apart they lie, may be told of all rows together.
    let is_of_all =
        |column: &usize| matches!(table.head[*column].stat, Some(Stat::N | Stat::Stddev));
    let said: Vec<(Number, Vec<Number>)> = (1..table.head.len())
        .filter(|column| !is_of_all(column))
        .filter_map(|column| Some((row.number(column)?, column_of(data, column)?)))
        .filter(|(said, numbers)| said.kind() == numbers[0].kind())
        .collect();
    let is_mean = |(said, numbers): &&(Number, Vec<Number>)| said.bounds().meets(mean(numbers));
    let are_means = said.iter().filter(is_mean).count() * 2 > said.len();
    for (said, numbers) in &said {
        let ends = numbers.iter().map(|number| number.bounds());
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
            (low.min(end.low), high.max(end.high))
        });
        let is_between = said.bounds().meets(Bounds { low, value: low, high });
        // That of ratios may be geometric.
        if !is_between || (are_means && said.kind() != Kind::Times) {
            one(Stat::Mean, *said, numbers, ledger);
        }
    }
}

/// Looks at a last column that is the total of those before it, in a table that is turned: its rows are columns.
pub(super) fn total_column(turned: &Table, ledger: &mut Ledger) {
    let Some((total, others)) = turned.rows.split_last() else { return };
    if total.label.stat != Some(Stat::Total) {
        return;
    }
    let mut sums = Vec::new();
    for column in 1..turned.head.len() {
        let Some(said) = total.number(column) else { continue };
        // Columns of another unit are no parts of it.
        let parts = others.iter().filter(|row| row.label.is_additive());
        let parts: Vec<Number> = parts
            .filter_map(|row| row.number(column))
            .filter(|number| number.kind() == said.kind())
            .collect();
        if parts.len() >= 2 && turned.head[column].stat.is_none() {
            sums.push((said, parts));
        }
    }
    let sum_of = |parts: &[Number]| sum(parts).0;
    let right = sums.iter().filter(|(said, parts)| said.counted().meets(sum_of(parts))).count();
    // Without a unit, what belongs to the sum is a guess that most rows have to confirm.
    let is_clear = |said: Number| matches!(said.kind(), Kind::Time | Kind::Size);
    for (said, parts) in &sums {
        if is_clear(*said) || right * 2 > sums.len() {
            one(Stat::Total, *said, parts, ledger);
        }
    }
}

/// Whether these rows are the sample itself: numbered. Those of `vllm-0` and `vllm-1` may have numbers of calls as weights.
fn are_runs(table: &Table, data: &[&Row]) -> bool {
    let runs =
        ["run", "runs", "trial", "iteration", "attempt", "sample", "step", "call", "#", "update"];
    let head = table.head.first().map_or("", |label| label.text.as_str());
    let name = |label: &Label| {
        label.text.trim_matches(|c: char| c.is_ascii_digit() || " #".contains(c)).to_owned()
    };
    let is_run = |name: &str| name.is_empty() || runs.contains(&name);
    runs.contains(&head)
        || data.windows(2).all(|pair| {
            let (one, next) = (name(&pair[0].label), name(&pair[1].label));
            one == next && is_run(&one) && pair[0].label.text != pair[1].label.text
        })
}

fn is_known(stat: Stat) -> bool {
    !matches!(stat, Stat::N | Stat::Stddev) && !matches!(stat, Stat::Percentile(p) if p != 500)
}

fn of_one_kind(numbers: &[Number]) -> bool {
    numbers.windows(2).all(|pair| pair[0].kind() == pair[1].kind())
}

fn sum(numbers: &[Number]) -> (Bounds, String) {
    let sum = numbers.iter().fold(Bounds::exact(0.0), |sum, number| sum + number.counted());
    (sum, listed(numbers, " + "))
}

fn mean(numbers: &[Number]) -> Bounds {
    sum(numbers).0.scaled(1.0 / numbers.len() as f64)
}

/// At most six of them.
fn listed(numbers: &[Number], between: &str) -> String {
    let mut text: Vec<String> = numbers.iter().take(6).map(Number::to_string).collect();
    if numbers.len() > 6 {
        text.push(format!("... ({})", numbers.len()));
    }
    text.join(between)
}

fn one(stat: Stat, said: Number, numbers: &[Number], ledger: &mut Ledger) {
    if said.kind() != numbers[0].kind() {
        return;
    }
    let name = match stat {
        Stat::Total => "sum",
        Stat::Mean => "mean",
        Stat::Min => "min",
        Stat::Max => "max",
        Stat::Percentile(500) => "median",
        _ => return,
    };
    let mut sorted = numbers.to_vec();
    sorted.sort_by(|a, b| a.value.total_cmp(&b.value));
    let (last, half) = (sorted.len() - 1, sorted.len() / 2);
    let right = match stat {
        Stat::Total => sum(numbers).0,
        Stat::Mean => mean(numbers),
        Stat::Min => sorted[0].counted(),
        Stat::Max => sorted[last].counted(),
        // Of an even number of values, either one of the middle or any value between them is in use.
        _ => Bounds {
            low: sorted[last / 2].counted().low,
            value: f64::midpoint(sorted[last / 2].value, sorted[half].value),
            high: sorted[half].counted().high,
        },
    };
    let formula = match stat {
        Stat::Total => listed(numbers, " + "),
        _ => format!("{name} of {}", listed(numbers, ", ")),
    };
    // A mean of counts is rounded like anything else.
    let is_met = stat == Stat::Mean && said.bounds().meets(right);
    if is_met {
        ledger.mark(numbers);
        ledger.mark(&[said]);
        return;
    }
    let check = if stat == Stat::Total { "total" } else { "summary of rows" };
    ledger.derive(Derived { check, said, right, formula, from: numbers });
}

/// `2.1 - 3.4`: the smallest and the largest.
fn range(row: &Row, column: usize, numbers: &[Number], ledger: &mut Ledger) {
    let ends: Vec<Number> = row.cells[column].tokens.iter().filter_map(Token::number).collect();
    let [low, high] = ends[..] else { return };
    // The unit stands after the second one only.
    let low = if low.kind() == Kind::Plain { low.with(high.unit) } else { low };
    one(Stat::Min, low, numbers, ledger);
    one(Stat::Max, high, numbers, ledger);
}
