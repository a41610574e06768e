//! `A is 8.2x slower than B`, `from 900 to 300 ms, 67 % less`.

use std::collections::HashMap;

use super::{
    direction::Direction,
    document::{Block, Document, Sentence},
    ledger::Ledger,
    number::{Kind, Number},
    relative::{self, Base},
    token::Token,
};

const CHECK: &str = "comparison";
const MORE: [&str; 10] = [
    "slower", "faster", "longer", "shorter", "higher", "lower", "larger", "smaller", "more", "less",
];
const VERBS: [&str; 7] = ["is", "are", "was", "were", "took", "takes", "runs"];
/// The most words of a name.
const NAME: usize = 6;

/// Looks at each sentence that compares two numbers, or two rows of a table.
pub(super) fn check(document: &Document, ledger: &mut Ledger) {
    let rows = Rows::of(document);
    for block in &document.blocks {
        let Block::Text(sentences) = block else { continue };
        for sentence in sentences {
            one(sentence, &rows, ledger);
        }
    }
}

fn one(sentence: &Sentence, rows: &Rows, ledger: &mut Ledger) {
    let tokens = &sentence.tokens;
    let said = |place: &usize| {
        tokens[*place].number().filter(|number| {
            matches!(number.kind(), Kind::Times | Kind::Percent) && number.is_exact
        })
    };
    let mut places = (0..tokens.len()).filter(|place| said(place).is_some());
    // With two of them, which is of which numbers would be a guess.
    let (Some(place), None) = (places.next(), places.next()) else { return };
    let Some(said) = said(&place) else { return };
    let is_speed = sentence.has(&["faster", "slower", "speedup"]);
    let base = if is_speed { Base::Either } else { Base::Before };
    let direction = |kind: Kind| Direction::of_sentence(tokens, place, kind);
    if let Some(Spelled { pair, is_in_order }) = spelled(tokens, place) {
        let direction = direction(pair.1.kind());
        if is_in_order {
            relative::check(CHECK, said, pair, base, direction, ledger);
        } else {
            let base = if direction.is_none() { Base::Either } else { base };
            relative::check(CHECK, said, ordered(pair, direction), base, direction, ledger);
        }
        return;
    }
    let Some(than) = than(tokens, place) else { return };
    let beside = clause(tokens[..place].iter().rev()).zip(clause(tokens[than + 1..].iter()));
    if let Some((a, b)) = beside.filter(|(a, b)| a.kind() == b.kind()) {
        relative::check(CHECK, said, (b, a), base, direction(a.kind()), ledger);
    } else if let Some((a, b)) = names(tokens, place, than).and_then(|(a, b)| rows.pair(&a, &b)) {
        relative::check(CHECK, said, (b, a), base, direction(a.kind()), ledger);
    }
}

/// A time, a size or a rate.
fn amount(token: &Token) -> Option<Number> {
    token.number().filter(|n| matches!(n.kind(), Kind::Time | Kind::Size | Kind::Rate))
}

/// The only amount up to the next comma or colon.
fn clause<'a>(tokens: impl Iterator<Item = &'a Token>) -> Option<Number> {
    let is_edge = |token: &&Token| [',', ':', ';'].iter().any(|sign| token.is(*sign));
    let mut amounts = tokens.take_while(|token| !is_edge(token)).filter_map(amount);
    amounts.next().filter(|amount| amount.is_exact && amounts.next().is_none())
}

/// Two amounts that a sentence compares.
struct Spelled {
    pair: (Number, Number),
    /// The first one is that of before. `30 ms vs 300 ms` may be said either way round.
    is_in_order: bool,
}

/// As the direction that is told has them: before and after.
fn ordered((a, b): (Number, Number), direction: Option<Direction>) -> (Number, Number) {
    let really = Direction::of_numbers(a, b);
    if direction.is_some() && really.is_some() && direction != really { (b, a) } else { (a, b) }
}

/// `from A to B`, `A against B`, `A -> B`, in a sentence of no other amounts.
fn spelled(tokens: &[Token], said: usize) -> Option<Spelled> {
    let number = |place: usize| tokens.get(place).and_then(Token::number).filter(|n| n.is_exact);
    let mut found = None;
    for place in 1..tokens.len().saturating_sub(1) {
        let word = tokens[place].word().unwrap_or("");
        let is_from = word == "to" && place >= 2 && tokens[place - 2].word() == Some("from");
        let is_in_order = is_from || tokens[place].is('→');
        let is_against = ["vs", "vs.", "versus", "against"].contains(&word);
        if (is_in_order || is_against)
            && let (Some(a), Some(b)) = (number(place - 1), number(place + 1))
        {
            if found.is_some() || place.abs_diff(said) > 12 {
                return None;
            }
            let a = if a.kind() == Kind::Plain { a.with(b.unit) } else { a };
            found = amount(&Token::Number(b)).map(|b| Spelled { pair: (a, b), is_in_order });
        }
    }
    found
}

/// The place of `than` after `8.2x slower`.
fn than(tokens: &[Token], said: usize) -> Option<usize> {
    let more = tokens.get(said + 1)?.word()?;
    let is_than = tokens.get(said + 2)?.word()? == "than";
    (MORE.contains(&more) && is_than).then_some(said + 2)
}

/// What is compared: the words before the verb, and those after `than`.
fn names(tokens: &[Token], said: usize, than: usize) -> Option<(String, String)> {
    let verb = tokens[..said].iter().rposition(|t| t.word().is_some_and(|w| VERBS.contains(&w)))?;
    let before = tokens[..verb].iter().rev().map_while(word).take(NAME + 1).collect();
    let after = tokens[than + 1..].iter().map_while(word).take(NAME + 1).collect();
    let (mut before, after) = (name(before)?, name(after)?);
    before.reverse();
    Some((before.join(" "), after.join(" ")))
}

/// The word, or nothing of what only sets words off.
fn word(token: &Token) -> Option<&str> {
    if token.is('*') || token.is('`') { Some("") } else { token.word() }
}

/// Words that are short enough for a name, without articles.
fn name(mut words: Vec<&str>) -> Option<Vec<&str>> {
    words.retain(|word| !["", "the", "a", "an"].contains(word));
    (!words.is_empty() && words.len() <= NAME).then_some(words)
}

/// The rows of all tables whose meaning is clear, by name: `shared`, and below a head `client` `shared client` too.
struct Rows(HashMap<String, Option<Number>>);

impl Rows {
    /// Of tables with one column of amounts. A name of several rows stands for none.
    fn of(document: &Document) -> Self {
        let mut rows = Self(HashMap::new());
        for block in &document.blocks {
            let Block::Table(table) = block else { continue };
            let head = table.head.first().map_or("", |label| &label.text);
            for row in &table.rows {
                let cells = row.cells.iter();
                let mut amounts = cells.filter_map(|cell| amount(&Token::Number(cell.number()?)));
                if let (Some(number), None) = (amounts.next(), amounts.next()) {
                    rows.take(row.label.text.clone(), number);
                    rows.take(format!("{} {head}", row.label.text), number);
                }
            }
        }
        rows
    }

    fn take(&mut self, name: String, number: Number) {
        self.0.entry(name).and_modify(|known| *known = None).or_insert(Some(number));
    }

    fn pair(&self, a: &str, b: &str) -> Option<(Number, Number)> {
        let (a, b) = ((*self.0.get(a)?)?, (*self.0.get(b)?)?);
        (a.kind() == b.kind()).then_some((a, b))
    }
}
