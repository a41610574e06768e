//! Statistics of one sample have an order: min <= p50 <= p95 <= max, and bounds.

use std::collections::BTreeMap;

use super::{label::Stat, ledger::Ledger, number::Number, table::Table};

const CHECK: &str = "order of statistics";

/// Looks at each row: its columns that are statistics of one thing.
pub(super) fn check(table: &Table, ledger: &mut Ledger) {
    let mut samples: BTreeMap<&[String], Vec<(Stat, usize)>> = BTreeMap::new();
    for (column, label) in table.head.iter().enumerate() {
        if let Some(stat) = label.stat {
            samples.entry(&label.words).or_default().push((stat, column));
        }
    }
    let n = table.head.iter().position(|label| label.stat == Some(Stat::N));
    for row in &table.rows {
        for columns in samples.values() {
            let mut sample = BTreeMap::new();
            let mut is_clear = true;
            for (stat, column) in columns {
                if let Some(number) = row.number(*column) {
                    is_clear &= sample.insert(*stat, number).is_none();
                }
            }
            if is_clear {
                one(&sample, n.and_then(|column| row.number(column)), ledger);
            }
        }
    }
}

type Sample = BTreeMap<Stat, Number>;

fn one(sample: &Sample, n: Option<Number>, ledger: &mut Ledger) {
    let get = |stat| sample.get(&stat).copied();
    let (min, mean, max) = (get(Stat::Min), get(Stat::Mean), get(Stat::Max));
    let mut ascending: Vec<(String, Number)> =
        min.into_iter().map(|min| ("min".to_owned(), min)).collect();
    for (stat, number) in sample {
        if let Stat::Percentile(thousandths) = stat {
            ascending.push((format!("p{}", f64::from(*thousandths) / 10.0), *number));
        }
    }
    ascending.extend(max.map(|max| ("max".to_owned(), max)));
    for pair in ascending.windows(2) {
        at_most(&pair[0].0, pair[0].1, &pair[1].0, pair[1].1, ledger);
    }
    if let Some(mean) = mean {
        if let Some(min) = min {
            at_most("min", min, "mean", mean, ledger);
        }
        if let Some(max) = max {
            at_most("mean", mean, "max", max, ledger);
        }
    }
    let Some(stddev) = get(Stat::Stddev) else { return };
    ledger.mark(&[stddev]);
    if stddev.value < 0.0 {
        let message = format!("a standard deviation of {stddev} is less than 0");
        ledger.wrong(CHECK, stddev.line, message, "stddev >= 0".to_owned());
    }
    // Of two values it is the largest: no number of them allows more.
    let count = n.map_or(2.0, |n| n.value);
    if let (Some(min), Some(max)) = (min, max)
        && count >= 2.0
        && same_kind(min, max)
        && same_kind(stddev, max)
    {
        ledger.mark(n.as_slice());
        // Half of the values at either end is the widest that a sample can be.
        let widest = (max.bounds() - min.bounds()).scaled((count / (count - 1.0)).sqrt() / 2.0);
        if !stddev.bounds().is_at_most(widest) {
            let most = stddev.like(widest.high);
            let message =
                format!("a standard deviation of {stddev} cannot be: it is at most {most}");
            let formula = match n {
                Some(n) => format!("({max} - {min}) / 2 x sqrt(n / (n - 1)), n {n}"),
                None => format!("({max} - {min}) / sqrt(2), which is that of two values"),
            };
            ledger.wrong(CHECK, stddev.line, message, formula);
        }
    }
}

fn same_kind(a: Number, b: Number) -> bool {
    a.kind() == b.kind()
}

fn at_most(low_name: &str, low: Number, high_name: &str, high: Number, ledger: &mut Ledger) {
    if !same_kind(low, high) {
        return;
    }
    ledger.mark(&[low, high]);
    if !low.counted().is_at_most(high.counted()) {
        let message = format!("{high_name} {high} is less than {low_name} {low}");
        ledger.wrong(CHECK, high.line, message, format!("{low_name} <= {high_name}"));
    }
}
