//! The ledger of weight updates.

use firstbyte_core::Micros;
use serde_json::{Map, Value, json as object};

use super::ms;
use crate::{
    json as to,
    report::{Piece, SlowUpdate, UpdateRow, Updates, captions},
};

pub(super) fn of(updates: &Updates) -> Value {
    let states =
        updates.states.iter().map(|(state, count)| (state.as_str().to_owned(), (*count).into()));
    object!({
        "n": updates.n, "states": states.collect::<Map<_, _>>(),
        "warnings": updates.warnings.list, "warnings_left_out": updates.warnings.left_out,
        "notices": updates.notes,
        "list": updates.rows.list.iter().map(row).collect::<Vec<_>>(), "list_left_out": updates.rows.left_out,
        "ms": to::timeline(&updates.summaries),
        "slowest": updates.slowest.as_ref().map(slowest),
    })
}

fn row(row: &UpdateRow) -> Value {
    object!({
        "update": row.number, "step": row.step, "trace": row.id, "t": row.begin_s, "duration": ms(row.duration),
        "at_least": ms(row.at_least), "servers": row.servers,
        "straggler": row.straggler.as_ref().map(|(target, behind)| {
            object!({"target": target, "behind": behind.as_millis_f64()})
        }),
        "barrier_cost": ms(row.barrier),
        "largest": row.largest.as_ref().map(|(name, share)| object!({"name": name, "of_duration": share})),
        "state": row.state.as_str(),
    })
}

fn slowest(update: &SlowUpdate) -> Value {
    object!({
        "update": update.number, "duration": update.duration.as_millis_f64(),
        "critical_path": update.pieces.list.iter().map(piece).collect::<Vec<_>>(),
        "critical_path_left_out": update.pieces.left_out,
    })
}

fn piece(piece: &Piece) -> Value {
    let parts = captions::split(piece.split)
        .map(|(name, time)| (name.to_owned(), time.as_millis_f64().into()));
    object!({
        "name": piece.name, "start": piece.start.as_millis_f64(), "length": Micros::as_millis_f64(piece.length()),
        "parts": parts.collect::<Map<_, _>>(),
    })
}
