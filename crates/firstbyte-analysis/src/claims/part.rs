//! `23.14 of 27.39 s = 84 %`, `84 % of 27.39 s is 23.14 s`.

use super::{
    document::Sentence,
    ledger::Ledger,
    number::{Kind, Number},
    share,
    token::Token,
};

/// The most words between the two numbers and the percentage.
const NEAR: usize = 6;

/// Looks at a sentence with one `A of B` and one percentage near it.
pub(super) fn check(sentence: &Sentence, ledger: &mut Ledger) {
    let tokens = &sentence.tokens;
    let of: Vec<usize> = (1..tokens.len()).filter(|place| is_of(tokens, *place)).collect();
    let numbers = |range: std::ops::Range<usize>| tokens[range].iter().filter_map(Token::number);
    let percentages =
        || (0..tokens.len()).filter(|place| number(tokens, *place, Kind::Percent).is_some());
    if let ([of], (Some(percentage), None)) = (&of[..], {
        let mut all = percentages();
        (all.next(), all.next())
    }) {
        let (before, after) = (of - 1, following(tokens, *of));
        let between =
            if percentage > after { after + 1..percentage } else { percentage + 1..before };
        let is_near = between.len() <= NEAR && numbers(between).next().is_none();
        let said = tokens[percentage].number();
        if let (Some(said), Some((part, whole))) = (said, pair(tokens, before, after))
            && is_near
        {
            share::of(said, part, whole, ledger);
        }
    }
    for place in percentages() {
        // `x % of y is z`.
        let of = place + 1;
        if tokens.get(of).and_then(Token::word) != Some("of") {
            continue;
        }
        let whole = following(tokens, of);
        let is_verb = |place: &usize| {
            let token = tokens.get(*place);
            token.is_some_and(|t| t.is('=') || matches!(t.word(), Some("is" | "are")))
        };
        // What it is of may be named: `5 % of 200 requests is 10`.
        let is_named = tokens.get(whole + 1).and_then(Token::word).is_some();
        let verb = [Some(whole + 1), is_named.then_some(whole + 2)];
        if let Some(verb) = verb.into_iter().flatten().find(is_verb)
            && let (Some(said), Some((part, whole))) =
                (tokens[place].number(), pair(tokens, verb + 1, whole))
        {
            share::of(said, part, whole, ledger);
        }
    }
}

fn number(tokens: &[Token], place: usize, kind: Kind) -> Option<Number> {
    tokens.get(place)?.number().filter(|number| number.kind() == kind && number.is_exact)
}

/// `23.14 of 27.39`, `23.14 s of wall 27.39 s`: not of percentages.
fn is_of(tokens: &[Token], place: usize) -> bool {
    let is_amount = |place: usize| {
        let number = tokens.get(place).and_then(Token::number);
        number.is_some_and(|n| !matches!(n.kind(), Kind::Percent | Kind::Times) && n.is_exact)
    };
    tokens[place].word() == Some("of")
        && is_amount(place - 1)
        && is_amount(following(tokens, place))
}

/// The place of the number after `of`; a word may stand between.
fn following(tokens: &[Token], of: usize) -> usize {
    if tokens.get(of + 1).and_then(Token::word).is_some() { of + 2 } else { of + 1 }
}

/// A part and its whole, in the unit that one of them has.
fn pair(tokens: &[Token], part: usize, whole: usize) -> Option<(Number, Number)> {
    let (part, whole) = (tokens.get(part)?.number()?, tokens.get(whole)?.number()?);
    let in_unit = |n: Number, other: Number| {
        if n.kind() == Kind::Plain { n.with(other.unit) } else { n }
    };
    (part.is_exact && whole.is_exact).then_some((in_unit(part, whole), in_unit(whole, part)))
}
