//! A number as it is printed: its value, its unit, and how far it was rounded.

use super::bounds::Bounds;

/// What a number is of: only numbers of one kind are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No unit, or one that is not known.
    Plain,
    /// Milliseconds.
    Time,
    /// Bytes.
    Size,
    /// Per second.
    Rate,
    /// Per cent.
    Percent,
    /// Times: 3.2x.
    Times,
}

/// A unit: what is printed, and how many of the kind's own unit it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    pub(super) scale: f64,
    pub(super) symbol: &'static str,
}

impl Unit {
    pub(super) const NONE: Self = Self { kind: Kind::Plain, scale: 1.0, symbol: "" };

    /// The symbol of a rate that is not of requests.
    pub(super) const TOKENS: &str = " tok/s";

    pub(super) const TIMES: Self = Self { kind: Kind::Times, scale: 1.0, symbol: "x" };

    /// The unit of a word, in any case but that of the million.
    pub(super) fn of(word: &str) -> Option<Self> {
        let unit = |kind, scale, symbol| Some(Self { kind, scale, symbol });
        match word.to_lowercase().as_str() {
            "ns" => unit(Kind::Time, 1e-6, " ns"),
            "us" | "µs" | "μs" => unit(Kind::Time, 1e-3, " us"),
            "ms" | "millisecond" | "milliseconds" => unit(Kind::Time, 1.0, " ms"),
            "s" | "sec" | "secs" | "second" | "seconds" => unit(Kind::Time, 1e3, " s"),
            "min" | "mins" | "minute" | "minutes" => unit(Kind::Time, 6e4, " min"),
            "h" | "hr" | "hrs" | "hour" | "hours" => unit(Kind::Time, 3.6e6, " h"),
            "kb" => unit(Kind::Size, 1e3, " kB"),
            "mb" => unit(Kind::Size, 1e6, " MB"),
            "gb" => unit(Kind::Size, 1e9, " GB"),
            "kib" => unit(Kind::Size, 1024.0, " KiB"),
            "mib" => unit(Kind::Size, 1_048_576.0, " MiB"),
            "gib" => unit(Kind::Size, 1_073_741_824.0, " GiB"),
            "%" | "percent" | "pct" => unit(Kind::Percent, 1.0, " %"),
            "x" | "×" | "times" => Some(Self::TIMES),
            "tps" | "tok/s" | "tokens/s" => unit(Kind::Rate, 1.0, Self::TOKENS),
            "rps" | "qps" | "req/s" | "reqs/s" | "requests/s" | "calls/s" | "/s" | "it/s" => {
                unit(Kind::Rate, 1.0, " /s")
            }
            _ => None,
        }
    }
}

/// A number of a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    /// Its place among the document's numbers.
    pub(super) id: usize,
    /// From 1.
    pub(super) line: usize,
    /// In the unit of its kind.
    pub(super) value: f64,
    /// Half a unit of its last digit.
    pub(super) half: f64,
    pub(super) unit: Unit,
    /// What its digits count: 1, a thousand (K), a million (M).
    pub(super) multiple: f64,
    pub(super) decimals: usize,
    /// It is neither about this much nor at least, at most.
    pub(super) is_exact: bool,
    /// It is printed with a plus.
    pub(super) has_plus: bool,
}

impl Number {
    /// Reads digits, with commas between thousands: `-1,234.5`. Anything else is no number.
    pub(super) fn of_digits(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches(['+', '-', '\u{2212}']);
        let sign = if text.starts_with(['-', '\u{2212}']) { -1.0 } else { 1.0 };
        if text.chars().count() > digits.chars().count() + 1 {
            return None;
        }
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let mut groups = whole.split(',');
        let first = groups.next().filter(|first| !first.is_empty() && is_digits(first))?;
        if !is_digits(fraction) || (mantissa.contains('.') && fraction.is_empty()) {
            return None;
        }
        let has_groups = whole.contains(',');
        if has_groups && (first.len() > 3 || !groups.all(|g| g.len() == 3 && is_digits(g))) {
            return None;
        }
        let plain = mantissa.replace(',', "");
        let power = 10_f64.powi(exponent);
        let value = sign * plain.parse::<f64>().ok()? * power;
        let half = 0.5 * 10_f64.powi(-i32::try_from(fraction.len()).ok()?) * power;
        (value.is_finite() && half.is_finite()).then_some(Self {
            id: 0,
            line: 0,
            value,
            half,
            unit: Unit::NONE,
            multiple: 1.0,
            decimals: fraction.len(),
            is_exact: true,
            has_plus: text.starts_with('+'),
        })
    }

    /// The same with a unit.
    pub(super) fn with(self, unit: Unit) -> Self {
        Self { value: self.value * unit.scale, half: self.half * unit.scale, unit, ..self }
    }

    /// The same in thousands or millions.
    pub(super) fn times(self, multiple: f64) -> Self {
        Self { value: self.value * multiple, half: self.half * multiple, multiple, ..self }
    }

    pub(super) const fn kind(self) -> Kind {
        self.unit.kind
    }

    /// Whether it counts something: it has neither a unit nor decimals.
    pub(super) fn is_count(self) -> bool {
        self.kind() == Kind::Plain && self.decimals == 0 && self.half <= 0.5
    }

    /// What it may have been before it was rounded.
    pub(super) const fn bounds(self) -> Bounds {
        Bounds::around(self.value, self.half)
    }

    /// The same, but that a count is exact.
    pub(super) fn counted(self) -> Bounds {
        if self.is_count() { Bounds::exact(self.value) } else { self.bounds() }
    }

    /// Another value as this one is printed, with one more digit.
    pub(super) fn like(self, value: f64) -> String {
        let digits = value / self.unit.scale / self.multiple;
        let decimals = if self.is_count() && value.fract() == 0.0 { 0 } else { self.decimals + 1 };
        let multiple = match self.multiple {
            1e3 => "K",
            1e6 => "M",
            _ => "",
        };
        // Hostile documents have 300 decimals.
        format!("{digits:.*}{multiple}{}", decimals.min(9), self.unit.symbol)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.value / self.unit.scale / self.multiple;
        let multiple = match self.multiple {
            1e3 => "K",
            1e6 => "M",
            _ => "",
        };
        write!(f, "{digits:.*}{multiple}{}", self.decimals.min(9), self.unit.symbol)
    }
}
