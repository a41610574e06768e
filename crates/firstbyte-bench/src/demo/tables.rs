//! The report as text.

use std::fmt::Write as _;

use firstbyte_core::Split;

use super::{Arm, FaultRow, Outcome, Rate, Report, report::IDLE};
use crate::{
    breakdown::{Breakdown, Part},
    stats::Summary,
};

/// Reads one of the three times of a call, in milliseconds.
type Metric = fn(&Split) -> Option<f64>;

const METRICS: [(&str, Metric); 3] = [
    ("queue_ms", |split| split.queue().map(|queue| queue.as_millis_f64())),
    ("rpc_ms", |split| split.rpc.map(|rpc| rpc.as_millis_f64())),
    ("wall_ms", |split| Some(split.wall().as_millis_f64())),
];

impl Report {
    /// All tables and verdicts, for a reader; lines of at most 110 columns.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        self.write_setting(out)?;
        if self.arms.iter().any(|arm| !arm.calls.is_empty()) {
            self.write_times(out)?;
            self.write_parts(out)?;
            self.write_rates(out)?;
            self.write_verdicts(out)?;
        }
        if !self.faults.is_empty() {
            self.write_faults(out)?;
        }
        self.write_end(out)
    }

    fn write_setting(&self, out: &mut String) -> std::fmt::Result {
        let o = &self.options;
        writeln!(
            out,
            "Measured on this host against the mock server: {} streams of {} s on {} connections, \
             {} tokens/s each;\na reload takes the engine {} ms. All times in milliseconds.\n",
            o.streams, o.stream_seconds, o.pool, o.tokens_per_second, o.reload_ms
        )
    }

    fn write_times(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "{:<11}{:<9}{:>4}", "reloads", "", "n")?;
        for head in ["min", "mean", "max", "stddev", "p50", "p95", "p99"] {
            write!(out, "{head:>10}")?;
        }
        writeln!(out)?;
        for arm in &self.arms {
            for (i, (name, metric)) in METRICS.into_iter().enumerate() {
                let label = if i == 0 { arm.name } else { "" };
                let values: Vec<f64> = arm.calls.iter().filter_map(metric).collect();
                write!(out, "{label:<11}{name:<9}{:>4}", values.len())?;
                if let Some(s) = Summary::of(&values) {
                    write!(out, "{:>10.1}{:>10.1}{:>10.1}", s.min, s.mean, s.max)?;
                    match s.stddev {
                        Some(stddev) => write!(out, "{stddev:>10.1}")?,
                        None => write!(out, "{:>10}", "-")?,
                    }
                    write!(out, "{:>10.1}{:>10.1}{:>10.1}", s.p50, s.p95, s.p99)?;
                }
                writeln!(out)?;
            }
        }
        writeln!(
            out,
            "Percentiles by nearest rank: with n < 20 the p95, and with n < 100 the p99 is the \
             maximum.\nOne warm-up call per client is not in the table.\n"
        )
    }

    fn write_parts(&self, out: &mut String) -> std::fmt::Result {
        let means: Vec<(&str, Breakdown)> = self.measured().map(|a| (a.name, a.mean())).collect();
        write!(out, "{:<14}", "parts of queue")?;
        for (name, _) in &means {
            write!(out, "{name:>20}")?;
        }
        writeln!(out)?;
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Rpc) {
            if means.iter().all(|(_, mean)| mean.get(part).is_none()) {
                continue;
            }
            write!(out, "{part:<14}")?;
            for (_, mean) in &means {
                match mean.get(part) {
                    Some(ms) => {
                        write!(out, "{ms:>11.2}")?;
                        match percent(ms, mean.queue_ms()) {
                            Some(share) => write!(out, " {share:>6.1} %")?,
                            None => write!(out, "{:>9}", "-")?,
                        }
                    }
                    None => write!(out, "{:>20}", "-")?,
                }
            }
            writeln!(out)?;
        }
        writeln!(out, "Mean per call and share of queue; - means that no call had this part.\n")
    }

    fn write_rates(&self, out: &mut String) -> std::fmt::Result {
        let (completions, errors) = self.completions;
        let Some(quiet) = self.quiet.per_second() else { return Ok(()) };
        let loaded: Vec<&Arm> = self.measured().filter(|arm| arm.name != IDLE).collect();
        let mut all = Rate::default();
        loaded.iter().for_each(|arm| all.add(arm.rate.tokens, arm.rate.seconds));
        writeln!(out, "{:<31}{:>9}{:>11}", "tokens received by the streams", "per s", "for s")?;
        let both = [("without control calls", self.quiet), ("with control calls", all)];
        let each = loaded.iter().map(|arm| (arm.name, arm.rate));
        for (name, rate) in both.into_iter().chain(each) {
            let Some(per_second) = rate.per_second() else { continue };
            write!(out, "{name:<31}{per_second:>9.1}{:>11.1}", rate.seconds)?;
            // Streams write ten times a second or so: shorter windows tell nothing.
            if rate.seconds >= 2.0
                && rate != self.quiet
                && let Some(change) = percent(per_second - quiet, quiet)
            {
                write!(out, "{change:>+9.1} %")?;
            }
            writeln!(out)?;
        }
        writeln!(out, "{completions} completions ended, {errors} failed.\n")
    }

    fn write_verdicts(&self, out: &mut String) -> std::fmt::Result {
        let thresholds = &self.options.thresholds;
        writeln!(
            out,
            "Verdicts (at fault from a mean queue of {} ms, or an engine of {} ms):",
            thresholds.queue_ms, thresholds.rpc_ms
        )?;
        for arm in self.measured() {
            writeln!(out, "  {:<11}{}", arm.name, arm.verdict(thresholds))?;
        }
        writeln!(out)
    }

    fn write_faults(&self, out: &mut String) -> std::fmt::Result {
        let thresholds = &self.options.thresholds;
        writeln!(
            out,
            "{:<15}{:<42}{:>4}{:>9}  {:<13}{:<13}",
            "fault", "injected", "n", "wall_ms", "expected", "named"
        )?;
        for row in &self.faults {
            if row.calls.is_empty() {
                // It was interrupted before its first call had ended.
                let (fault, what) = (row.injected.as_str(), &row.what);
                writeln!(out, "{fault:<15}{what:<42}{:>4}{:>9}", 0, "-")?;
                continue;
            }
            let mean = row.mean();
            let named = row.named(thresholds).map_or("none", Part::as_str);
            let mark = if row.is_right(thresholds) { "ok" } else { "WRONG" };
            writeln!(
                out,
                "{:<15}{:<42}{:>4}{:>9.1}  {:<13}{named:<13}{mark}",
                row.injected.as_str(),
                row.what,
                row.calls.len(),
                mean.wall_ms,
                row.injected.part()
            )?;
            writeln!(out, "{:<15}{}", "", largest_parts(row))?;
        }
        writeln!(out)
    }

    fn write_end(&self, out: &mut String) -> std::fmt::Result {
        if let Some(s) = Summary::of(&self.logged_queue_ms) {
            let stddev = s.stddev.map_or("-".to_owned(), |stddev| format!("{stddev:.1}"));
            writeln!(
                out,
                "{}: {} calls with queue_ms, mean {:.1}, stddev {stddev}, max {:.1}",
                self.options.out.join(super::CLIENT_LOG).display(),
                s.n,
                s.mean,
                s.max
            )?;
        }
        if let Some(lag) = self.lag {
            writeln!(
                out,
                "this process was {:.1} ms late at its p99, {:.1} at most",
                lag.p99, lag.max
            )?;
        }
        if self.is_saturated() {
            writeln!(
                out,
                "INVALID: this process was too late to measure (p99 over {} ms, or once over {} ms): \
                 the machine is too\nbusy or stood still; run it again, or with fewer streams",
                self.options.max_lag_ms,
                self.options.max_lag_ms * 10.0
            )?;
        }
        match (&self.error, self.outcome()) {
            (Some(error), _) => writeln!(out, "FAILED: {error}"),
            (None, Outcome::Interrupted) => {
                let n: usize = self.arms.iter().map(|arm| arm.calls.len()).sum();
                writeln!(out, "partial, n={n} of {} reloads", self.arms.len() * self.options.rounds)
            }
            (None, Outcome::Ok) => writeln!(out, "result: every phase at fault was named"),
            (None, Outcome::NotNamed) => {
                writeln!(out, "result: NOT every phase at fault was named")
            }
            (None, Outcome::Failed) => writeln!(out, "result: none"),
        }
    }

    /// The arms that have calls.
    fn measured(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| !arm.calls.is_empty())
    }
}

/// The parts of the mean call that take at least one per cent of it, largest first.
fn largest_parts(row: &FaultRow) -> String {
    let mean = row.mean();
    let mut parts: Vec<(Part, f64)> =
        Part::ALL.into_iter().filter_map(|part| Some((part, mean.get(part)?))).collect();
    parts.retain(|(_, ms)| *ms >= mean.wall_ms / 100.0);
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let parts: Vec<String> = parts.iter().map(|(part, ms)| format!("{part} {ms:.1}")).collect();
    parts.join(" + ")
}

/// `None` of nothing.
fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole * 100.0)
}
