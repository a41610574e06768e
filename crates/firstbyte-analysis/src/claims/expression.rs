//! Sums, differences, products and quotients that a sentence writes down: `447.9 - 437.5 = 10.4`.

use super::{
    bounds::Bounds,
    document::Sentence,
    ledger::{Derived, Ledger},
    number::{Kind, Number, Unit},
    token::Token,
};

/// A number with the operator before it.
type Term = (char, Number);

/// Looks at each `=` that has a number on either side.
pub(super) fn check(sentence: &Sentence, ledger: &mut Ledger) {
    let tokens = &sentence.tokens;
    for equal in (0..tokens.len()).filter(|place| tokens[*place].is('=')) {
        let left = side(tokens[..equal].iter().rev());
        let right = side(tokens[equal + 1..].iter());
        let (Some(mut left), Some(right)) = (left, right) else { continue };
        left.reverse();
        // Each operator was read after its number there.
        let mut before = '+';
        for term in &mut left {
            std::mem::swap(&mut before, &mut term.0);
        }
        match (&left[..], &right[..]) {
            ([_, _, ..], [(_, said)]) => one(*said, &left, ledger),
            ([(_, said)], [_, _, ..]) => one(*said, &right, ledger),
            _ => {}
        }
    }
}

/// The numbers from an equals sign on, each with the operator that was met before it, up to the first thing
/// that is none; `None` where that leaves in doubt what belongs to them. A word may stand at each number:
/// `206.5 = rpc 201.0 + queue 5.5`.
fn side<'a>(mut tokens: impl Iterator<Item = &'a Token>) -> Option<Vec<Term>> {
    let mut terms: Vec<Term> = Vec::new();
    let mut operator = Some('+');
    let mut has_word = false;
    let mut is_named = false;
    for token in tokens.by_ref() {
        match token {
            Token::Number(number) => match operator.take() {
                Some(sign) if number.is_exact => {
                    terms.push((sign, *number));
                    has_word = false;
                }
                Some(_) => return None,
                None => break,
            },
            Token::Sign(sign @ ('+' | '-' | '*' | '/')) if operator.is_none() => {
                operator = Some(*sign);
            }
            // `staleness = 12 - 10 = 2`: the other one has the same on a side of its own.
            Token::Sign('=') if operator.is_none() && !is_named => break,
            Token::Sign('=') => return None,
            Token::Sign('(' | ')' | '[' | ']') if operator.is_some() => return None,
            Token::Sign('*' | '`') => {}
            Token::Word(_) if operator.is_some() && !has_word => {
                has_word = true;
                is_named |= terms.is_empty();
            }
            Token::Word(_) | Token::Sign(_) => break,
        }
    }
    // `65535 - 8 bytes of one header - 20 of the other`.
    let next = tokens.find(|token| token.word().is_none());
    let goes_on = matches!(next, Some(Token::Sign('+' | '-' | '*' | '/')));
    (operator.is_none() && !goes_on).then_some(terms)
}

fn one(said: Number, terms: &[Term], ledger: &mut Ledger) {
    let operators = || terms.iter().skip(1).map(|term| term.0);
    let is_sum = operators().all(|sign| matches!(sign, '+' | '-'));
    let is_product = operators().all(|sign| matches!(sign, '*' | '/'));
    let right = match (is_sum, is_product) {
        (true, _) => sum(said, terms),
        (_, true) => product(said, terms),
        // Which goes first would have to be guessed where brackets may have been lost.
        _ => None,
    };
    let Some(right) = right else { return };
    let mut formula = terms[0].1.to_string();
    for (sign, number) in &terms[1..] {
        formula += &format!(" {sign} {number}");
    }
    let numbers: Vec<Number> = terms.iter().map(|term| term.1).collect();
    ledger.derive(Derived { check: "arithmetic", said, right, formula, from: &numbers });
}

/// Numbers without a unit have that of the others.
fn sum(said: Number, terms: &[Term]) -> Option<Bounds> {
    let all = || terms.iter().map(|term| term.1).chain([said]);
    let unit = all().find(|number| number.kind() != Kind::Plain).map_or(Unit::NONE, |n| n.unit);
    if all().any(|number| number.kind() != Kind::Plain && number.kind() != unit.kind) {
        return None;
    }
    let in_unit = |n: Number| if n.kind() == Kind::Plain { n.with(unit) } else { n };
    if in_unit(said) != said {
        return None;
    }
    terms.iter().try_fold(Bounds::exact(0.0), |sum, (sign, number)| {
        let value = in_unit(*number).counted();
        Some(if *sign == '-' { sum - value } else { sum + value })
    })
}

/// A ratio of two of one kind, or a number of times something.
fn product(said: Number, terms: &[Term]) -> Option<Bounds> {
    if let [(_, a), ('/', b)] = terms
        && matches!(said.kind(), Kind::Plain | Kind::Percent | Kind::Times)
    {
        let is_ratio = a.kind() == b.kind() || a.kind() == Kind::Plain || b.kind() == Kind::Plain;
        let b = if b.kind() == Kind::Plain { b.with(a.unit) } else { *b };
        let a = if a.kind() == Kind::Plain { a.with(b.unit) } else { *a };
        let scale = if said.kind() == Kind::Percent { 100.0 } else { 1.0 };
        return a.bounds().over(b.bounds()).filter(|_| is_ratio).map(|right| right.scaled(scale));
    }
    let mut units = terms.iter().filter(|term| !matches!(term.1.kind(), Kind::Plain | Kind::Times));
    let unit = units.next();
    if units.next().is_some()
        || unit.is_some_and(|(sign, n)| *sign == '/' || n.kind() == Kind::Rate)
    {
        return None;
    }
    let kind = unit.map_or(Kind::Plain, |term| term.1.kind());
    if said.kind() != kind {
        return None;
    }
    terms.iter().try_fold(Bounds::exact(1.0), |product, (sign, number)| match sign {
        '/' => product.over(number.counted()),
        _ => Some(product * number.counted()),
    })
}
