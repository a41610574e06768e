//! Record batches of Apache Arrow, made as they are asked for.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, RecordBatchReader,
    TimestampNanosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{Column, Kind, Row, Table, Value};
use crate::correlate::Log;

/// The rows of a batch.
const BATCH: usize = 1 << 16;
const UTC: &str = "UTC";

/// The rows of a table in batches, as an iterator. An unknown value is a null.
///
/// It holds the log, so that it can be handed to whoever reads it later.
#[derive(Debug)]
pub struct Batches {
    log: Arc<Log>,
    table: Table,
    schema: SchemaRef,
    /// How many rows were in batches already.
    taken: usize,
}

impl Batches {
    /// Batches of a table.
    #[must_use]
    pub fn new(log: Arc<Log>, table: Table) -> Self {
        let field = |column: &Column| Field::new(column.name, data_type(column.kind), true);
        let fields: Vec<_> = table.columns().iter().map(field).collect();
        Self { log, table, schema: Arc::new(Schema::new(fields)), taken: 0 }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows: Vec<_> = self.table.rows(&self.log).skip(self.taken).take(BATCH).collect();
        self.taken += rows.len();
        let columns = self.table.columns().iter().map(|column| array(column, &rows)).collect();
        (!rows.is_empty()).then(|| RecordBatch::try_new(Arc::clone(&self.schema), columns))
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        // Long texts of many calls may be more than 32 bits can count.
        Kind::Text => DataType::LargeUtf8,
        Kind::Real => DataType::Float64,
        Kind::UnixNanos => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
        Kind::Count | Kind::Micros | Kind::MonotonicNanos => DataType::Int64,
    }
}

fn array(column: &Column, rows: &[Row<'_>]) -> ArrayRef {
    let values = rows.iter().map(|row| column.of(row));
    let ints = values.clone().map(|value| match value {
        Some(Value::Int(int)) => Some(int),
        _ => None,
    });
    match column.kind {
        Kind::Text => Arc::new(LargeStringArray::from_iter(values.map(|value| match value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }))),
        Kind::Real => Arc::new(Float64Array::from_iter(values.map(|value| match value {
            Some(Value::Real(real)) => Some(real),
            _ => None,
        }))),
        Kind::UnixNanos => Arc::new(TimestampNanosecondArray::from_iter(ints).with_timezone(UTC)),
        Kind::Count | Kind::Micros | Kind::MonotonicNanos => Arc::new(Int64Array::from_iter(ints)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array as _, cast::AsArray as _, types::Int64Type};

    use super::*;

    #[test]
    fn batches_have_every_row_once() {
        let lines: String = (1..=70_000)
            .map(|n| {
                format!("[weights][{n:016x}] client.done wall_ms={n}.0 rpc_ms=1.0 queue_ms=1.0\n")
            })
            .collect();
        let batches = Batches::new(Arc::new(Log::from_bytes(lines.as_bytes())), Table::Calls);
        let mut next = 1;
        for batch in batches {
            let batch = batch.unwrap();
            let walls =
                batch.column_by_name("wall_us").unwrap().as_primitive::<Int64Type>().clone();
            for wall in &walls {
                assert_eq!(wall, Some(next * 1000));
                next += 1;
            }
            assert_eq!(batch.column_by_name("dns_us").unwrap().null_count(), walls.len());
        }
        assert_eq!(next, 70_001);
    }

    #[test]
    fn an_empty_log_has_a_schema() {
        for table in [Table::Calls, Table::Events] {
            let mut batches = Batches::new(Arc::new(Log::from_bytes(b"")), table);
            assert_eq!(batches.schema().fields().len(), table.columns().len());
            assert!(batches.next().is_none());
        }
    }
}
