//! What was expected, beside what the lines say.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use firstbyte_analysis::baselines::{Baselines, Gap};
use serde_json::{Value, json};

use super::real::real;
use crate::{bars::plain, exit::Error};

pub(super) fn read(path: &Path) -> Result<Baselines, Error> {
    let named = |error: &dyn fmt::Display| Error::usage(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    Baselines::parse(&text).map_err(|error| named(&error))
}

pub(super) fn write(gaps: &[Gap<'_>], out: &mut String) -> fmt::Result {
    if !gaps.is_empty() {
        writeln!(out, "\nbaselines: what was expected")?;
    }
    for gap in gaps {
        write_one(gap, out)?;
    }
    Ok(())
}

fn write_one(gap: &Gap<'_>, out: &mut String) -> fmt::Result {
    let baseline = gap.baseline;
    let (statistic, unit, n) = (baseline.statistic.as_str(), &baseline.unit, gap.n);
    write!(out, "{}: {} {statistic} ", plain(&baseline.name), baseline.metric)?;
    match (gap.observed, gap.gap_percent()) {
        (Some(value), Some(percent)) => {
            let (value, sign, percent) =
                (real(value, 2), if percent < 0.0 { "" } else { "+" }, real(percent, 1));
            write!(out, "{value} {unit} (n {n}), {sign}{percent} % against ")?;
        }
        _ if n == 0 => write!(out, "unknown, no line tells it; ")?,
        _ => write!(out, "unknown, n {n} is too few for it; ")?,
    }
    writeln!(out, "{} {unit} expected", baseline.value)?;
    if let Some(share) = gap.of_step {
        writeln!(
            out,
            "  {:.1} % of a step ({statistic} {:.1} ms, n {})",
            share.percent, share.step_ms, share.n
        )?;
    } else if baseline.of.is_some() {
        writeln!(out, "  share of a step unknown: it needs both this time and that of steps")?;
    }
    writeln!(out, "  source: {}", plain(&baseline.source))?;
    if let Some(note) = &baseline.note {
        writeln!(out, "  note: {}", plain(note))?;
    }
    if !gap.not_excluded.is_empty() {
        writeln!(out, "  not excluded: {}", plain(&gap.not_excluded.join("; ")))?;
    }
    for (condition, value, n) in &gap.excluded {
        let (metric, statistic) = (&condition.metric, condition.statistic.as_str());
        let cause = plain(&condition.cause);
        writeln!(
            out,
            "  excluded: {cause}, as {metric} {statistic} is {} (n {n})",
            real(*value, 1)
        )?;
    }
    Ok(())
}

pub(super) fn to_json(gaps: &[Gap<'_>]) -> Value {
    let gaps = gaps.iter().map(|gap| {
        let baseline = gap.baseline;
        let excluded = gap.excluded.iter().map(|(condition, value, n)| {
            json!({
                "cause": condition.cause, "metric": condition.metric, "statistic": condition.statistic.as_str(),
                "value": value, "n": n,
            })
        });
        json!({
            "name": baseline.name, "metric": baseline.metric, "statistic": baseline.statistic.as_str(),
            "unit": baseline.unit, "expected": baseline.value, "observed": gap.observed, "n": gap.n,
            "gap_percent": gap.gap_percent(), "source": baseline.source, "note": baseline.note,
            "of_step": gap.of_step.map(|share| json!({
                "percent": share.percent, "step_ms": share.step_ms, "n": share.n,
            })),
            "not_excluded": gap.not_excluded, "excluded": excluded.collect::<Vec<_>>(),
        })
    });
    gaps.collect()
}
