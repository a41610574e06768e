//! What is told beside the durations: amounts, and what generation has to do with queue.

use std::fmt::{self, Write as _};

use firstbyte_analysis::measure::{Amounts, Group, Summary, Unit};

type Row = (&'static str, Unit, Amounts);

pub(super) fn write(rows: &[Row], out: &mut String) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    write!(out, "\n{:<19}{:<9}{:>7}", "amounts", "unit", "n")?;
    for head in ["min", "mean", "max", "stddev", "p50", "p95"] {
        write!(out, "{head:>11}")?;
    }
    writeln!(out)?;
    for (name, unit, amounts) in rows {
        let Amounts { n, min, mean, max, stddev, p50, p95, .. } = amounts;
        write!(out, "{name:<19}{:<9}{n:>7}{min:>11.1}{mean:>11.1}{max:>11.1}", unit.as_str())?;
        let or_dash = |value: &Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        writeln!(out, "{:>11}{p50:>11.1}{:>11}", or_dash(stddev), or_dash(p95))?;
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
