//! What is told beside the durations: amounts, and what generation has to do with queue.

use std::fmt::{self, Write as _};

use firstbyte_analysis::measure::{Amounts, Group, Summary, Unit};

use super::real::real;

type Row = (&'static str, Unit, Amounts);

pub(super) fn write(rows: &[Row], out: &mut String) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    write!(out, "\n{:<21}{:<9}{:>7}", "amounts", "unit", "n")?;
    for head in ["min", "mean", "max", "stddev", "p50", "p95"] {
        write!(out, "{head:>11}")?;
    }
    writeln!(out)?;
    for (name, unit, amounts) in rows {
        let Amounts { n, min, mean, max, stddev, p50, p95, .. } = amounts;
        write!(out, "{name:<20} {:<8} {n:>7}", unit.as_str())?;
        for value in [Some(*min), Some(*mean), Some(*max), *stddev, Some(*p50), *p95] {
            let value = value.map_or("-".to_owned(), |value| real(value, 1));
            write!(out, " {value:>10}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn write_generation(group: &Group, out: &mut String) -> fmt::Result {
    let by = group.queue_by_generation;
    let has_any = by.generating.is_some() || by.idle.is_some();
    if has_any && group.rpc_trend.is_none() && group.queue_and_in_flight.is_none() {
        writeln!(out)?;
    }
    if let Some(relation) = group.queue_and_generation {
        writeln!(
            out,
            "queue against generation requests in progress: Spearman's rho {:+.2}, n {}, p {:.2}",
            relation.rho, relation.n, relation.p
        )?;
    }
    if !has_any {
        return Ok(());
    }
    let told = |summary: Option<Summary>| {
        summary.map_or("no call".to_owned(), |summary| {
            format!("median {} ms (n {})", summary.p50.value, summary.n)
        })
    };
    writeln!(out, "queue while generating: {}; while not: {}", told(by.generating), told(by.idle))
}
