//! Whether something got more or less: what is said of it, and what the numbers say.

use super::{
    number::{Kind, Number},
    token::Token,
};

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    More,
    Less,
}

const MORE: [&str; 15] = [
    "grew",
    "growth",
    "higher",
    "increase",
    "increased",
    "increases",
    "larger",
    "longer",
    "more",
    "raised",
    "rise",
    "rises",
    "rose",
    "up",
    "gain",
];
const LESS: [&str; 20] = [
    "cut",
    "decline",
    "declined",
    "decrease",
    "decreased",
    "decreases",
    "down",
    "drop",
    "dropped",
    "drops",
    "fall",
    "falls",
    "fell",
    "less",
    "lower",
    "reduced",
    "reduction",
    "shorter",
    "shrank",
    "smaller",
];
/// Less of a time, more of a rate.
const BETTER: [&str; 6] = ["faster", "improved", "improvement", "improves", "quicker", "speedup"];
/// The other way round.
const WORSE: [&str; 4] = ["regressed", "regression", "slowdown", "slower"];

impl Direction {
    const fn other(self) -> Self {
        match self {
            Self::More => Self::Less,
            Self::Less => Self::More,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
        }
    }

    /// What a word says of amounts of a kind.
    fn of_word(word: &str, kind: Kind) -> Option<Self> {
        let better = match kind {
            Kind::Time => Some(Self::Less),
            Kind::Rate => Some(Self::More),
            _ => None,
        };
        match word {
            _ if MORE.contains(&word) => Some(Self::More),
            _ if LESS.contains(&word) => Some(Self::Less),
            _ if BETTER.contains(&word) => better,
            _ if WORSE.contains(&word) => better.map(Self::other),
            _ => None,
        }
    }

    /// What the sign of a change says.
    pub(super) fn of_sign(said: Number) -> Option<Self> {
        match said.value {
            ..0.0 => Some(Self::Less),
            _ => said.has_plus.then_some(Self::More),
        }
    }

    /// What the words next to a change say, and that in front of `from`; where they say different things, nothing.
    /// Nor where a sign contradicts them. Without a word it is the sign.
    pub(super) fn of_sentence(tokens: &[Token], said: usize, kind: Kind) -> Option<Self> {
        let word = |place: usize| tokens.get(place).and_then(Token::word);
        let from = (1..tokens.len()).find(|place| word(*place) == Some("from"));
        let beside = [said.checked_sub(2), said.checked_sub(1), Some(said + 1)];
        let places = beside.into_iter().chain([from.map(|from| from - 1)]).flatten();
        let mut told = places.filter_map(|place| Self::of_word(word(place)?, kind));
        let sign = Self::of_sign(tokens[said].number()?);
        match told.next() {
            Some(first) => told.chain(sign).all(|other| other == first).then_some(first),
            None => sign,
        }
    }

    /// What the numbers say, if rounding leaves no doubt.
    pub(super) fn of_numbers(before: Number, after: Number) -> Option<Self> {
        if before.bounds().meets(after.bounds()) {
            return None;
        }
        Some(if after.value > before.value { Self::More } else { Self::Less })
    }
}
