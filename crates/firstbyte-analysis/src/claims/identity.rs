//! queue = wall - rpc, each of the three rounded alone.

use super::{
    document::Sentence,
    label::{self, Label, Stat},
    ledger::{Derived, Ledger},
    number::{Kind, Number, Unit},
    table::Table,
    token::Token,
};

/// Words beside numbers that need not be of one call, or are none that were measured.
const OTHERS: [&str; 12] = [
    "budget",
    "expected",
    "from",
    "limit",
    "limits",
    "medians",
    "percentiles",
    "target",
    "threshold",
    "thresholds",
    "versus",
    "vs",
];
/// Limits are round.
const ROUND: f64 = 50.0;

/// Whether the tables after a paragraph are of percentiles, of which it need not hold.
pub(super) fn is_of_percentiles(caption: &[Sentence]) -> bool {
    let words = ["median", "medians", "p50", "p95", "p99", "percentiles"];
    caption.iter().any(|sentence| sentence.has(&words))
}

/// Looks at each row that has all three, but those of percentiles.
pub(super) fn check(table: &Table, ledger: &mut Ledger) {
    let is_sum = |stat| matches!(stat, None | Some(Stat::Mean | Stat::Total));
    let column = |name: &str| {
        let is_it = |label: &Label| {
            is_sum(label.stat)
                && label.words.iter().any(|word| word == name)
                && label.words.iter().all(|word| [name, "time", "latency"].contains(&word.as_str()))
        };
        table.head.iter().position(is_it)
    };
    let (Some(wall), Some(rpc), Some(queue)) = (column("wall"), column("rpc"), column("queue"))
    else {
        return;
    };
    let stats = [wall, rpc, queue].map(|column| table.head[column].stat);
    if stats[0] != stats[1] || stats[1] != stats[2] {
        return;
    }
    // Means of different calls need not add up.
    let counts = table.rows.iter().find(|row| row.label.stat == Some(Stat::N));
    let n = |column| counts.and_then(|row| row.number(column)).map(|n| n.value);
    if n(wall) != n(rpc) || n(rpc) != n(queue) {
        return;
    }
    for row in table.rows.iter().filter(|row| is_sum(row.label.stat) && !row.label.has(&OTHERS)) {
        let numbers = (row.number(wall), row.number(rpc), row.number(queue));
        let (Some(wall), Some(rpc), Some(queue)) = numbers else { continue };
        // Shares are of the calls that tell each.
        let is_one = wall.kind() == rpc.kind() && rpc.kind() == queue.kind();
        if is_one && wall.kind() != Kind::Percent {
            difference(wall, rpc, queue, ledger);
        }
    }
}

/// `wall 3556.1 ms with rpc 233.2, so queue 3322.9`, `wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9`: of several calls, each
/// begins with its wall.
pub(super) fn spelled(sentence: &Sentence, ledger: &mut Ledger) {
    let tokens = &sentence.tokens;
    let is_range = |pair: &[Token]| pair[0].number().is_some() && pair[1].word() == Some("to");
    if tokens.iter().any(is_of_others) || tokens.windows(2).any(is_range) {
        return;
    }
    let walls: Vec<usize> =
        (0..tokens.len()).filter(|place| is_named(&tokens[*place], "wall")).collect();
    match walls[..] {
        [_] => one(tokens, ledger),
        _ => {
            let ends = walls.iter().skip(1).copied().chain([tokens.len()]);
            walls.iter().zip(ends).for_each(|(from, to)| one(&tokens[*from..to], ledger));
        }
    }
}

fn is_of_others(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            let stat = label::stat(word);
            OTHERS.contains(&word.as_str()) || stat.is_some_and(|stat| stat != Stat::Mean)
        }
        // What is added up is another check's.
        Token::Sign(sign) => matches!(sign, '+' | '-' | '*' | '/' | '→'),
        Token::Number(_) => false,
    }
}

fn is_named(token: &Token, name: &str) -> bool {
    token.word().is_some_and(|word| word.strip_suffix("_ms").unwrap_or(word) == name)
}

fn one(tokens: &[Token], ledger: &mut Ledger) {
    let [Some(wall), Some(rpc), Some(queue)] =
        ["wall", "rpc", "queue"].map(|name| after(tokens, name))
    else {
        return;
    };
    let numbers = [wall, rpc, queue];
    let unit = numbers.into_iter().find(|n| n.kind() != Kind::Plain).map_or(Unit::NONE, |n| n.unit);
    let is_of_it = |n: &Number| n.kind() == Kind::Plain || n.unit == unit;
    let is_round = |n: &Number| n.decimals == 0 && n.value % ROUND == 0.0;
    if !numbers.iter().all(is_of_it) || numbers.iter().all(is_round) {
        return;
    }
    let [wall, rpc, queue] =
        numbers.map(|n| if n.kind() == Kind::Plain { n.with(unit) } else { n });
    difference(wall, rpc, queue, ledger);
}

/// The number right after the only place of a name.
fn after(tokens: &[Token], name: &str) -> Option<Number> {
    let mut places = (0..tokens.len()).filter(|place| is_named(&tokens[*place], name));
    let (place, None) = (places.next()?, places.next()) else { return None };
    let is_between = |token: &&Token| match token {
        Token::Word(word) => ["is", "of", "time", "was"].contains(&word.as_str()),
        Token::Sign(sign) => ['=', ':', '`', '*'].contains(sign),
        Token::Number(_) => false,
    };
    let number = tokens[place + 1..].iter().find(|token| !is_between(token))?.number()?;
    number.is_exact.then_some(number)
}

fn difference(wall: Number, rpc: Number, queue: Number, ledger: &mut Ledger) {
    ledger.derive(Derived {
        check: "queue = wall - rpc",
        said: queue,
        right: wall.bounds() - rpc.bounds(),
        formula: format!("{wall} - {rpc}"),
        from: &[wall, rpc],
    });
}
