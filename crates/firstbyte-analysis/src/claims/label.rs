//! What a row or a column says that its numbers are.

use super::number::{Kind, Unit};

/// A statistic of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stat {
    N,
    Min,
    Mean,
    Max,
    Stddev,
    /// In thousandths: p99.9 is 999, the median 500.
    Percentile(u16),
    Total,
    Range,
}

/// The head of a column or a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Label {
    /// As it stands there, in lower case.
    pub(super) text: String,
    /// Its words without statistic and unit.
    pub(super) words: Vec<String>,
    pub(super) stat: Option<Stat>,
    pub(super) unit: Option<Unit>,
}

/// Words that are a head of their own as units.
const UNITS: [&str; 12] = [
    "calls/s",
    "it/s",
    "ms",
    "qps",
    "req/s",
    "reqs/s",
    "requests/s",
    "rps",
    "s",
    "seconds",
    "tok/s",
    "tokens/s",
];

impl Label {
    /// Reads `wall p95 (ms)`, `wall_p95_ms`, `p50, ms`.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let mut words: Vec<String> = text
            .split(|c: char| !(c.is_alphanumeric() || "%/.".contains(c)))
            .map(|word| word.trim_matches('.').to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        // A unit is the last word; alone only what can be nothing else, and a minute only where nothing else can be meant.
        let unit = words.last().filter(|word| match words.len() {
            1 => UNITS.contains(&word.as_str()),
            _ => word.as_str() != "min" || text.contains("(min)"),
        });
        let mut unit = unit.and_then(|word| Unit::of(word));
        if unit.is_some() {
            words.pop();
        } else if words.iter().any(|word| matches!(word.as_str(), "%" | "percent" | "pct")) {
            unit = Unit::of("%");
        }
        let found = words.iter().enumerate().find_map(|(place, w)| Some((place, stat(w)?)));
        let stat = found.filter(|(_, stat)| match stat {
            Stat::N | Stat::Total | Stat::Range => words.len() == 1,
            _ => true,
        });
        if let Some((place, _)) = stat {
            words.remove(place);
            words.retain(|word| word != "dev" && word != "deviation");
        }
        Self { text, words, stat: stat.map(|(_, stat)| stat), unit }
    }

    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(&word.as_str()))
    }

    /// Whether its numbers can be added up: neither statistics nor ratios can.
    pub(super) fn is_additive(&self) -> bool {
        let ratio = ["ratio", "rate", "speedup", "throughput", "efficiency", "average", "per"];
        let is_ratio = self.unit.is_some_and(|u| matches!(u.kind, Kind::Rate | Kind::Times));
        self.stat.is_none() && !is_ratio && !self.has(&ratio) && !self.text.contains('/')
    }
}

/// The statistic of a word.
pub(super) fn stat(word: &str) -> Option<Stat> {
    Some(match word {
        "n" | "count" | "samples" => Stat::N,
        "min" | "minimum" => Stat::Min,
        "mean" | "avg" | "average" => Stat::Mean,
        "max" | "maximum" => Stat::Max,
        "std" | "stddev" | "stdev" | "sd" | "σ" => Stat::Stddev,
        "median" => Stat::Percentile(500),
        "total" | "sum" | "totals" => Stat::Total,
        "range" => Stat::Range,
        _ => {
            let percent: f64 = word.strip_prefix('p')?.parse().ok()?;
            if !(percent > 0.0 && percent < 1000.0) {
                return None;
            }
            // p999 is p99.9.
            let thousandths = if percent > 100.0 { percent } else { percent * 10.0 };
            Stat::Percentile(thousandths as u16)
        }
    })
}
