//! A factor that some rows of a table have in them and others do not.

use super::{
    bounds::Bounds,
    document::Sentence,
    ledger::Ledger,
    number::Kind,
    volume::{CHECK, Line, ideal},
};

/// More different factors than these are not told apart.
const MOST: usize = 8;

/// What the times of the rows are more than volume / rate, and how many rows agree in it.
struct Factor {
    bounds: Bounds,
    rows: usize,
}

/// Compares the factors that the rows imply. Returns the one of most rows, and of equally many the largest.
pub(super) fn check(lines: &[Line], sentences: &[&Sentence], ledger: &mut Ledger) -> Bounds {
    let mut factors: Vec<Factor> = Vec::new();
    let mut implied = Vec::new();
    for line in lines {
        let Some(bounds) =
            ideal(line.volume, line.rate).and_then(|ideal| line.needed.bounds().over(ideal))
        else {
            continue;
        };
        ledger.mark(&[line.volume, line.needed]);
        implied.push((line, bounds));
        if let Some(same) = factors.iter_mut().find(|factor| factor.bounds.meets(bounds)) {
            same.bounds = same.bounds.common(bounds);
            same.rows += 1;
        } else if factors.len() < MOST {
            factors.push(Factor { bounds, rows: 1 });
        }
    }
    factors.sort_by(|a, b| b.rows.cmp(&a.rows).then(b.bounds.value.total_cmp(&a.bounds.value)));
    let Some(usual) = factors.first().map(|factor| factor.bounds) else {
        return Bounds::exact(1.0);
    };
    let formula = "time x rate / volume".to_owned();
    let first = implied[0].0.needed.line;
    if factors.len() > 1 {
        let all: Vec<String> =
            implied.iter().take(10).map(|(_, bounds)| format!("{:.2}", bounds.value)).collect();
        let message = format!("these rows imply different factors: {}", all.join(", "));
        ledger.wrong(CHECK, first, message, formula);
    } else if !usual.meets(Bounds::exact(1.0)) && !is_stated(usual, sentences) {
        let message =
            format!("every row has a factor of {:.2} in it that is stated nowhere", usual.value);
        ledger.note(CHECK, first, message, formula);
    }
    for (line, bounds) in implied {
        if !bounds.meets(usual) {
            other(line, usual, ledger);
        }
    }
    usual
}

/// `1.2x`, `x 1.2`, `20 %`.
fn is_stated(factor: Bounds, sentences: &[&Sentence]) -> bool {
    sentences.iter().flat_map(|sentence| sentence.numbers()).any(|number| match number.kind() {
        Kind::Percent => (number.bounds().scaled(0.01) + Bounds::exact(1.0)).meets(factor),
        Kind::Plain | Kind::Times => number.decimals > 0 && number.bounds().meets(factor),
        _ => false,
    })
}

/// What a row would say with the factor of the others.
fn other(line: &Line, usual: Bounds, ledger: &mut Ledger) {
    let Some(right) = ideal(line.volume, line.rate).map(|ideal| ideal * usual) else { return };
    let needed = line.needed.like(right.value);
    let fit = match line.window {
        Some(window) if window.counted().is_at_most(right) => {
            format!(", which does not fit in {window}")
        }
        Some(window) => format!(", which fits in {window}"),
        None => String::new(),
    };
    let factor = usual.value;
    let message =
        format!("with the {factor:.2} of the other rows {} needs {needed}{fit}", line.volume);
    let formula = format!("{} / rate x {factor:.2}, instead of {}", line.volume, line.needed);
    ledger.wrong(CHECK, line.needed.line, message, formula);
}
