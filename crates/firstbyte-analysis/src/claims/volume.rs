//! So many requests at such a rate within such a window: the time needed, whether it fits, the most that does.

use super::{
    bounds::Bounds,
    document::{Block, Document, Sentence},
    factor,
    label::Label,
    ledger::{Derived, Ledger},
    number::{Kind, Number, Unit},
    table::{Row, Table},
    token::Token,
};

pub(super) const CHECK: &str = "time for a volume";
pub(super) const MILLIS: f64 = 1000.0;
const VOLUMES: [&str; 8] =
    ["calls", "completions", "prompts", "requests", "rollouts", "samples", "updates", "volume"];
const WINDOWS: [&str; 7] = ["allowed", "budget", "deadline", "limit", "sla", "window", "within"];
const TAKES: [&str; 6] = ["take", "takes", "took", "need", "needs", "needed"];

/// A row of it: how long the volume takes by its rate alone, and how long it is said to take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    row: usize,
    pub(super) volume: Number,
    /// Per second.
    pub(super) rate: Bounds,
    pub(super) needed: Number,
    pub(super) window: Option<Number>,
}

/// Looks at sentences and at tables, with what the section says beside them.
pub(super) fn check(document: &Document, ledger: &mut Ledger) {
    let is_heading = |block: &Block| matches!(block, Block::Heading(_));
    for section in document.blocks.chunk_by(|_, next| !is_heading(next)) {
        let sentences: Vec<&Sentence> = section
            .iter()
            .flat_map(|block| match block {
                Block::Text(sentences) => sentences.as_slice(),
                Block::Heading(heading) => std::slice::from_ref(heading),
                Block::Table(_) => &[],
            })
            .collect();
        for sentence in &sentences {
            spelled(sentence, ledger);
        }
        let window = sentences.iter().filter(|sentence| sentence.has(&WINDOWS));
        let window = window.clone().find_map(|sentence| only(sentence, Kind::Time));
        let rate = sentences.iter().find_map(|sentence| only(sentence, Kind::Rate));
        let mut tables = section.iter().filter_map(|block| match block {
            Block::Table(table) => Some((table, lines(table, window, rate, ledger))),
            _ => None,
        });
        let mut tables = tables.by_ref().filter(|(_, lines)| !lines.is_empty());
        // With two of them, whose the maximum of a sentence is would be a guess.
        if let (Some((table, lines)), None) = (tables.next(), tables.next()) {
            let factor = factor::check(&lines, &sentences, ledger);
            verdicts(table, &lines, ledger);
            maximum(&lines, factor, &sentences, ledger);
        }
    }
}

/// `10M requests at 202 req/s take 13.75 h`.
fn spelled(sentence: &Sentence, ledger: &mut Ledger) {
    let volume = volume_of(sentence).filter(|_| sentence.has(&TAKES));
    let (rate, time) = (only(sentence, Kind::Rate), only(sentence, Kind::Time));
    if let (Some(volume), Some(rate), Some(said)) = (volume, rate, time)
        && let Some(right) = ideal(volume, rate.bounds())
    {
        let formula = format!("{volume} / {rate}");
        ledger.derive(Derived { check: CHECK, said, right, formula, from: &[volume, rate] });
    }
}

/// How long a volume takes at a rate, in milliseconds. A volume is what was asked for: it is exact.
pub(super) fn ideal(volume: Number, rate: Bounds) -> Option<Bounds> {
    Bounds::exact(volume.value * MILLIS).over(rate)
}

/// The only number of a kind in a sentence.
fn only(sentence: &Sentence, kind: Kind) -> Option<Number> {
    let mut numbers = sentence.numbers().filter(|number| number.kind() == kind);
    numbers.next().filter(|number| number.is_exact && numbers.next().is_none())
}

/// The only number of requests or the like.
fn volume_of(sentence: &Sentence) -> Option<Number> {
    let is_volume = |pair: &&[Token]| pair[1].word().is_some_and(|word| VOLUMES.contains(&word));
    let mut numbers = sentence
        .tokens
        .windows(2)
        .filter(is_volume)
        .filter_map(|pair| pair[0].number().filter(|number| number.kind() == Kind::Plain));
    numbers.next().filter(|number| number.is_exact && numbers.next().is_none())
}

/// The rows of a table of volumes; none if it is something else.
fn lines(
    table: &Table,
    said_window: Option<Number>,
    said_rate: Option<Number>,
    ledger: &mut Ledger,
) -> Vec<Line> {
    let is_time = |label: &Label| {
        label.has(&["time", "duration", "needed", "takes"])
            && !label.has(&WINDOWS)
            && !label.has(&["per"])
    };
    let (Some(volume), Some(needed)) =
        (table.column(&VOLUMES), table.head.iter().position(is_time))
    else {
        return Vec::new();
    };
    let window = table.column(&WINDOWS);
    let lines = table.rows.iter().enumerate().filter_map(|(place, row)| {
        let number = |column, kind| row.number(column).filter(|number| number.kind() == kind);
        let (volume, needed) = (number(volume, Kind::Plain)?, number(needed, Kind::Time)?);
        let (rate, from) = rate_of(table, row, said_rate)?;
        ledger.mark(&from);
        let window = window.and_then(|column| number(column, Kind::Time)).or(said_window);
        Some(Line { row: place, volume, rate, needed, window })
    });
    lines.collect()
}

/// Requests per second: as a column says or the text, or the workers by the time of a request.
fn rate_of(table: &Table, row: &Row, said: Option<Number>) -> Option<(Bounds, Vec<Number>)> {
    let mut rates =
        row.cells.iter().filter_map(|cell| cell.number()).filter(|n| n.kind() == Kind::Rate);
    if let Some(rate) = rates.next() {
        return rates.next().is_none().then(|| (rate.bounds(), vec![rate]));
    }
    let number = |words: &[&str]| row.number(table.column(words)?);
    if let (Some(workers), Some(each)) =
        (number(&["workers", "servers", "replicas"]), number(&["per"]))
        && each.kind() == Kind::Time
    {
        let rate = workers.counted().over(each.bounds())?.scaled(MILLIS);
        return Some((rate, vec![workers, each]));
    }
    said.map(|rate| (rate.bounds(), vec![rate]))
}

/// Whether what is said to fit does so, by the table's own times.
fn verdicts(table: &Table, lines: &[Line], ledger: &mut Ledger) {
    for line in lines {
        let (row, Some(window)) = (&table.rows[line.row], line.window) else { continue };
        margin(table, row, line.needed, window, ledger);
        let Some(says_fits) = row.cells.iter().find_map(|cell| fits(&cell.text)) else { continue };
        let does = line.needed.bounds().is_at_most(window.counted());
        let may_not = window.counted().is_at_most(line.needed.bounds());
        ledger.mark(&[line.needed, window]);
        if (says_fits && !does) || (!says_fits && !may_not) {
            let message = format!(
                "{} {} in {window}, but the row says the opposite",
                line.needed,
                if does { "fits" } else { "does not fit" }
            );
            ledger.wrong(CHECK, line.needed.line, message, format!("{} <= {window}", line.needed));
        }
    }
}

fn margin(table: &Table, row: &Row, needed: Number, window: Number, ledger: &mut Ledger) {
    let said = table.column(&["margin", "headroom"]).and_then(|column| row.number(column));
    let Some(said) = said else { return };
    let rest = window.counted() - needed.bounds();
    let right = match said.kind() {
        Kind::Time => Some(rest),
        Kind::Percent => rest.over(window.counted()).map(|share| share.scaled(100.0)),
        _ => None,
    };
    if let Some(right) = right {
        let formula = format!("{window} - {needed}");
        ledger.derive(Derived { check: CHECK, said, right, formula, from: &[window, needed] });
    }
}

/// What a verdict's cell says.
fn fits(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "compliant" | "yes" | "ok" | "pass" | "met" | "fits" | "✓" | "✅" => Some(true),
        "not compliant" | "non-compliant" | "no" | "fail" | "not met" | "violated" | "✗" | "❌" => {
            Some(false)
        }
        _ => None,
    }
}

/// The most requests that fit in the window, as a sentence says.
fn maximum(lines: &[Line], factor: Bounds, sentences: &[&Sentence], ledger: &mut Ledger) {
    let first = lines[0];
    let is_one = |line: &Line| {
        line.rate == first.rate && line.window.map(|w| w.value) == first.window.map(|w| w.value)
    };
    let Some(window) = first.window.filter(|_| lines.iter().all(is_one)) else { return };
    for sentence in sentences.iter().filter(|s| s.has(&["maximum", "max"])) {
        let Some(said) = volume_of(sentence) else { continue };
        let most = window.counted().scaled(1.0 / MILLIS) * first.rate;
        let Some(right) = most.over(factor) else { continue };
        let rate = Unit { kind: Kind::Rate, scale: 1.0, symbol: " /s" };
        let rate = Number { decimals: 1, ..window.with(rate) }.like(first.rate.value);
        let formula = format!("{window} x {rate} / {:.2}", factor.value);
        ledger.derive(Derived { check: CHECK, said, right, formula, from: &[window] });
    }
}
