//! The ledger as one JSON object.

use firstbyte_analysis::{
    json as to,
    updates::{CriticalPath, Ledger, ServerUpdate, Update},
};
use firstbyte_core::Micros;
use serde_json::{Value, json};

use super::block::kind;

pub(super) fn of(ledger: &Ledger<'_>, chosen: &[(usize, &Update<'_>)]) -> Value {
    let left_out = ledger.left_out;
    json!({
        "updates": chosen.iter().map(|(number, update)| one(*number, update)).collect::<Vec<_>>(),
        "summary": {"n": ledger.updates.len(), "ms": to::timeline(&ledger.summaries())},
        "left_out": {"server_only": left_out.server_only, "without_moment": left_out.without_moment,
                     "mixed_clocks": left_out.mixed_clocks, "stray": left_out.stray},
    })
}

fn ms(time: Option<Micros>) -> Option<f64> {
    time.map(Micros::as_millis_f64)
}

fn one(number: usize, update: &Update<'_>) -> Value {
    json!({
        "update": number, "step": update.step, "trace": update.id, "state": update.state().as_str(),
        "t": update.begin().map(|at| at.as_nanos() as f64 / 1e9),
        "duration": ms(update.duration()), "at_least": ms(update.at_least()),
        "servers": update.servers.iter().map(server).collect::<Vec<_>>(),
        "straggler": update.straggler().map(|straggler| json!({
            "target": straggler.target, "behind": straggler.behind.as_millis_f64(), "servers": straggler.servers,
        })),
        "barrier": update.barrier().map(|barrier| json!({
            "cost": barrier.cost.as_millis_f64(), "servers": barrier.servers,
        })),
        "critical_path": update.critical_path().as_ref().map(path),
        "checkpoint": {"wait": ms(update.checkpoint.wait), "write": ms(update.checkpoint.write),
                       "bytes": update.checkpoint.bytes},
    })
}

fn server(server: &ServerUpdate<'_>) -> Value {
    let stages = server.stages();
    let stages = stages.iter().map(|stage| {
        json!({
            "op": stage.op, "kind": kind(stage.kind), "calls": stage.calls, "retries": stage.retries,
            "took": ms(stage.took), "ok": stage.is_ok,
        })
    });
    json!({
        "target": server.target, "state": server.state().as_str(), "stages": stages.collect::<Vec<_>>(),
        "paused": server.paused().map(|time| json!({
            "least": time.least.as_millis_f64(), "most": ms(time.most),
        })),
    })
}

fn path(path: &CriticalPath<'_>) -> Value {
    let split = path.split();
    let links = path.links.iter().map(|link| {
        json!({
            "op": link.call.op, "target": link.call.call.target(), "trace": link.call.call.id(),
            "gap": link.gap.as_millis_f64(), "took": link.took.as_millis_f64(),
        })
    });
    json!({
        "links": links.collect::<Vec<_>>(), "rpc": split.rpc.as_millis_f64(),
        "queue": split.queue.as_millis_f64(), "gap": split.gap.as_millis_f64(),
        "unsplit": split.unsplit.as_millis_f64(),
    })
}
