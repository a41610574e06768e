//! queue = wall - rpc, each of the three rounded alone.

use super::{
    document::Sentence,
    label::{Label, Stat},
    ledger::{Derived, Ledger},
    table::Table,
};

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
    for row in table.rows.iter().filter(|row| is_sum(row.label.stat)) {
        let numbers = (row.number(wall), row.number(rpc), row.number(queue));
        let (Some(wall), Some(rpc), Some(queue)) = numbers else { continue };
        if wall.kind() == rpc.kind() && rpc.kind() == queue.kind() {
            ledger.derive(Derived {
                check: "queue = wall - rpc",
                said: queue,
                right: wall.bounds() - rpc.bounds(),
                formula: format!("{wall} - {rpc}"),
                from: &[wall, rpc],
            });
        }
    }
}
