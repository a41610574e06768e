//! A number that is called simulated in one place and measured in another.

use std::collections::HashMap;

use super::{
    document::{Block, Document, Sentence},
    ledger::Ledger,
    number::{Kind, Number},
};

const SIMULATED: [&str; 7] =
    ["simulated", "simulation", "simulations", "simulator", "synthetic", "mocked", "modelled"];
const MEASURED: [&str; 4] = ["measured", "production-ready", "production", "observed"];

/// The lines in which a number is called so.
#[derive(Clone, Copy, Default)]
struct Lines {
    simulated: Option<usize>,
    measured: Option<usize>,
}

/// Which words are there.
#[derive(Clone, Copy, Default)]
struct Words {
    simulated: bool,
    measured: bool,
}

impl Words {
    fn of(sentence: &Sentence) -> Self {
        let denied = ["not", "no", "never", "unlike", "before"];
        let measured = sentence.has(&MEASURED) && !sentence.has(&denied);
        Self { simulated: sentence.has(&SIMULATED), measured }
    }

    const fn or(self, other: Self) -> Self {
        Self {
            simulated: self.simulated || other.simulated,
            measured: self.measured || other.measured,
        }
    }
}

/// Looks at all sentences, and at tables with the paragraph or heading before them.
pub(super) fn check(document: &Document, ledger: &mut Ledger) {
    let mut numbers: HashMap<(u64, &str), Lines> = HashMap::new();
    let mut order = Vec::new();
    let mut take = |number: Number, words: Words| {
        let key = (number.value.to_bits(), number.unit.symbol);
        let lines = numbers.entry(key).or_insert_with(|| {
            order.push((key, number));
            Lines::default()
        });
        let line = |is_there: bool| is_there.then_some(number.line);
        lines.simulated = lines.simulated.or(line(words.simulated));
        lines.measured = lines.measured.or(line(words.measured));
    };
    let mut caption = Words::default();
    for block in &document.blocks {
        match block {
            Block::Heading(heading) => caption = Words::of(heading),
            Block::Text(sentences) => {
                caption = Words::default();
                for sentence in sentences {
                    let words = Words::of(sentence);
                    sentence.numbers().filter(is_telling).for_each(|number| take(number, words));
                    caption = caption.or(words);
                }
            }
            Block::Table(table) => {
                let cells = table.rows.iter().flat_map(|row| &row.cells);
                let numbers = cells.filter_map(super::table::Cell::number).filter(is_telling);
                numbers.for_each(|number| take(number, caption));
            }
        }
    }
    for (key, number) in order {
        let Some(Lines { simulated: Some(simulated), measured: Some(measured) }) =
            numbers.get(&key)
        else {
            continue;
        };
        let message = format!(
            "{number} is called simulated (line {simulated}) and measured or fit for production (line {measured})"
        );
        let formula = "both words with one number".to_owned();
        ledger.note("origin", *simulated.max(measured), message, formula);
    }
}

/// Whether the same digits are the same number: 82.4 ms, not 2.
fn is_telling(number: &Number) -> bool {
    number.kind() != Kind::Plain && number.value.abs() >= 20.0 * number.half
}
