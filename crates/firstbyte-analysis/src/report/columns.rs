//! Calls over time, column by column: what is told of many of them is true of all.

use firstbyte_core::Micros;

use crate::correlate::{Call, ServerHalf};

/// An axis of time has so many.
pub(super) const COLUMNS: usize = 100;

/// The calls that were sent in one hundredth of the time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Column {
    /// Its place on the axis, from 0.
    pub place: usize,
    /// How many calls were sent in it.
    pub calls: usize,
    /// wall - rpc of those that ended well and tell it, in milliseconds.
    pub queue: Option<Spread>,
    /// Requests in progress on the server when they arrived, of those that tell it.
    pub in_flight: Option<Spread>,
}

/// How numbers lie; each of the five is one that was measured, by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Spread {
    /// How many numbers.
    pub n: usize,
    /// The smallest.
    pub min: f64,
    /// A quarter is at most so large.
    pub low: f64,
    /// Half is at most so large.
    pub median: f64,
    /// Three quarters are at most so large.
    pub high: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (n, min, max) = (values.len(), *values.first()?, *values.last()?);
        let quarters = |quarters: usize| values[(n * quarters).div_ceil(4) - 1];
        Some(Self { n, min, low: quarters(1), median: quarters(2), high: quarters(3), max })
    }
}

/// The queue of a call that ended well: the wall of a failure is no time of a call.
pub(super) fn queue(call: &Call<'_>) -> Option<Micros> {
    call.queue().filter(|_| call.ended_well())
}

/// The columns that have calls, of calls with their seconds since the start, in order.
pub(super) fn of(calls: &[(f64, Call<'_>)], length_s: f64) -> Vec<Column> {
    let place = |at_s: f64| {
        let place = (at_s / length_s.max(f64::MIN_POSITIVE) * COLUMNS as f64) as usize;
        place.min(COLUMNS - 1)
    };
    let columns = calls.chunk_by(|(one, _), (other, _)| place(*one) == place(*other));
    let column = |calls: &[(f64, Call<'_>)]| {
        let numbers = |of: fn(&Call<'_>) -> Option<f64>| {
            Spread::of(calls.iter().filter_map(|(_, call)| of(call)).collect())
        };
        Column {
            place: place(calls[0].0),
            calls: calls.len(),
            queue: numbers(|call| queue(call).map(Micros::as_millis_f64)),
            in_flight: numbers(|call| call.server.and_then(ServerHalf::in_flight).map(f64::from)),
        }
    };
    columns.map(column).collect()
}
