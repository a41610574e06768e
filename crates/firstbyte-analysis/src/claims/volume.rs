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
const FITS: [&str; 6] = ["complete", "completes", "finish", "finishes", "fit", "fits"];
const DENIALS: [&str; 8] =
    ["can't", "cannot", "doesn't", "don't", "exceeds", "never", "not", "won't"];
/// Words of a sentence about something else than the whole.
const PARTS: [&str; 9] = ["each", "half", "if", "most", "only", "part", "some", "unless", "would"];
/// Words from a time to `fits` that say that it is this time that does: `28 h, which does not fit`.
const JOINED: [&str; 12] =
    ["and", "but", "do", "does", "easily", "it", "so", "still", "that", "thus", "which", "will"];
/// The most tokens from `fits` to the time.
const NEAR: usize = 4;
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
        let rate = sentences.iter().find_map(|sentence| rate_in(sentence));
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

/// `10M requests at 202 req/s take 13.75 h`, `17M requests at 202 req/s fit in 24 h`, `it needs 28 h, which fits 24 h`.
fn spelled(sentence: &Sentence, ledger: &mut Ledger) {
    let is_ratio = |number: Number| matches!(number.kind(), Kind::Percent | Kind::Times);
    // A reserve, or a rate of each of several: what becomes of the time would be a guess.
    if sentence.has(&PARTS) || sentence.numbers().any(is_ratio) {
        return;
    }
    let window = window_of(sentence);
    let times: Vec<Number> = sentence.numbers().filter(|n| n.kind() == Kind::Time).collect();
    let needed = match (&times[..], window) {
        ([_], Some(_)) => None,
        ([time], None) => Some(*time),
        ([time, _], Some(_)) if is_followed_by_fits(*time, sentence) => Some(*time),
        _ => return,
    };
    if needed.is_some_and(|needed| !needed.is_exact || !sentence.has(&TAKES)) {
        return;
    }
    let volume = volume_of(sentence).zip(rate_in(sentence));
    let right = volume.and_then(|(volume, rate)| ideal(volume, rate.bounds()));
    if let (Some(said), Some((volume, rate)), Some(right)) = (needed, volume, right) {
        let formula = format!("{volume} / {rate}");
        ledger.derive(Derived { check: CHECK, said, right, formula, from: &[volume, rate] });
    }
    let Some(window) = window else { return };
    let says_fits = !sentence.has(&DENIALS);
    match (needed, volume, right) {
        (Some(needed), ..) => fitting(says_fits, needed, needed.bounds(), window, ledger),
        (None, Some((volume, rate)), Some(right)) => {
            ledger.mark(&[rate]);
            fitting(says_fits, volume, right, window, ledger);
        }
        _ => {}
    }
}

/// The time in which something is said to fit.
fn window_of(sentence: &Sentence) -> Option<Number> {
    let mut after = sentence.tokens.iter().skip_while(|token| !is_fits(token)).skip(1).take(NEAR);
    after.find_map(Token::number).filter(|number| number.kind() == Kind::Time)
}

fn is_fits(token: &Token) -> bool {
    token.word().is_some_and(|word| FITS.contains(&word))
}

/// Whether nothing else stands between a time and `fits`, such as what it was before: `it took 28 h, and now fits in 24 h`.
fn is_followed_by_fits(time: Number, sentence: &Sentence) -> bool {
    let is_joined = |word: &str| JOINED.contains(&word) || DENIALS.contains(&word);
    let mut between = after(time, sentence).filter(|token| !matches!(token, Token::Sign(_)));
    between.find(|token| !token.word().is_some_and(is_joined)).is_some_and(is_fits)
}

/// The only rate of requests or the like, unless it is that of each of several: `50 req/s per worker`.
fn rate_in(sentence: &Sentence) -> Option<Number> {
    let rate = only(sentence, Kind::Rate).filter(is_of_requests)?;
    after(rate, sentence).next().is_none_or(|token| token.word() != Some("per")).then_some(rate)
}

/// What stands behind a number.
fn after(number: Number, sentence: &Sentence) -> impl Iterator<Item = &Token> {
    let is_it = move |token: &Token| token.number().is_some_and(|other| other.id == number.id);
    sentence.tokens.iter().skip_while(move |token| !is_it(token)).skip(1)
}

fn is_of_requests(rate: &Number) -> bool {
    rate.kind() == Kind::Rate && rate.unit.symbol != Unit::TOKENS
}

/// Checks that what is said to fit does so, and the other way round.
fn fitting(says_fits: bool, what: Number, needed: Bounds, window: Number, ledger: &mut Ledger) {
    ledger.mark(&[what, window]);
    let does = needed.is_at_most(window.counted());
    let may_not = window.counted().is_at_most(needed);
    if (says_fits && !does) || (!says_fits && !may_not) {
        let verb = if does { "fits" } else { "does not fit" };
        let message = format!("{what} {verb} in {window}, but the opposite is said");
        let needed = window.like(needed.value);
        ledger.wrong(CHECK, what.line, message, format!("{needed} <= {window}"));
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
    let mut rates = row.cells.iter().filter_map(|cell| cell.number()).filter(is_of_requests);
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
        fitting(says_fits, line.needed, line.needed.bounds(), window, ledger);
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
