//! "Linear" means that n times the workers do n times the work.

use super::{
    document::{Block, Document, Sentence},
    ledger::Ledger,
    number::{Kind, Number},
    table::Table,
    token::Token,
};

const CHECK: &str = "linear scaling";
const WORKERS: [&str; 9] =
    ["workers", "worker", "gpus", "gpu", "servers", "replicas", "nodes", "threads", "cores"];
/// Less than this share of what linear scaling gives is not linear.
const LINEAR: f64 = 0.8;

/// Looks at sentences that say linear: at the multiples in them, and at the tables of their section.
pub(super) fn check(document: &Document, ledger: &mut Ledger) {
    let is_heading = |block: &Block| matches!(block, Block::Heading(_));
    for section in document.blocks.chunk_by(|_, next| !is_heading(next)) {
        let sentences = || {
            section.iter().flat_map(|block| match block {
                Block::Text(sentences) => sentences.as_slice(),
                Block::Heading(heading) => std::slice::from_ref(heading),
                Block::Table(_) => &[],
            })
        };
        if !sentences().any(says_linear) {
            continue;
        }
        for sentence in sentences().filter(|sentence| says_linear(sentence)) {
            multiples(sentence, ledger);
        }
        for block in section {
            if let Block::Table(table) = block {
                rows(table, ledger);
            }
        }
    }
}

fn says_linear(sentence: &Sentence) -> bool {
    let denied = ["not", "no", "non", "never", "sublinear", "sub-linear", "if", "than"];
    sentence.has(&["linear", "linearly"]) && !sentence.has(&denied)
}

/// `4x the workers give 1.57x the throughput`.
fn multiples(sentence: &Sentence, ledger: &mut Ledger) {
    let times: Vec<(usize, Number)> = sentence
        .tokens
        .iter()
        .enumerate()
        .filter_map(|(place, token)| Some((place, token.number()?)))
        .filter(|(_, number)| number.kind() == Kind::Times)
        .collect();
    let [a, b] = times[..] else { return };
    let is_of_workers = |(place, _): (usize, Number)| {
        let mut near = sentence.tokens.iter().skip(place + 1).take(3).filter_map(Token::word);
        near.any(|word| WORKERS.contains(&word))
    };
    match (is_of_workers(a), is_of_workers(b)) {
        (true, false) => judge(a.1.value, b.1.value, b.1, &[a.1, b.1], ledger),
        (false, true) => judge(b.1.value, a.1.value, a.1, &[a.1, b.1], ledger),
        _ => {}
    }
}

/// A column of workers and one of throughput: the first row against the last one.
fn rows(table: &Table, ledger: &mut Ledger) {
    // Not `vs 1 worker`.
    let mut counts = (0..table.head.len()).filter(|column| {
        let mut numbers = table.rows.iter().filter_map(|row| row.number(*column));
        table.head[*column].has(&WORKERS) && numbers.any(|number| number.kind() == Kind::Plain)
    });
    let (Some(workers), None) = (counts.next(), counts.next()) else { return };
    let mut throughput = (0..table.head.len()).filter(|column| {
        let mut numbers = table.rows.iter().filter_map(|row| row.number(*column)).peekable();
        *column != workers
            && numbers.peek().is_some()
            && (table.head[*column].has(&["throughput"]) || numbers.all(|n| n.kind() == Kind::Rate))
    });
    let (Some(throughput), None) = (throughput.next(), throughput.next()) else { return };
    let mut whole =
        table.rows.iter().filter_map(|row| Some((row.number(workers)?, row.number(throughput)?)));
    let (Some(first), Some(last)) = (whole.next(), whole.next_back()) else { return };
    if first.0.value > 0.0 && first.1.value > 0.0 {
        let (more, faster) = (last.0.value / first.0.value, last.1.value / first.1.value);
        judge(more, faster, last.1, &[first.0, first.1, last.0, last.1], ledger);
    }
}

fn judge(more: f64, faster: f64, said: Number, used: &[Number], ledger: &mut Ledger) {
    ledger.mark(used);
    if more > 1.0 && faster < LINEAR * more {
        let message = format!(
            "{more:.2}x the workers and {faster:.2}x the throughput are not linear: {:.0} % of it",
            faster / more * 100.0
        );
        let formula = format!("{faster:.2} / {more:.2}; linear is from {:.0} % on", LINEAR * 100.0);
        ledger.wrong(CHECK, said.line, message, formula);
    }
}
