//! Apache Parquet, a row group at a time.

use std::io::{self, Write};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::{ParquetError, Result},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{Type, TypePtr},
};

use super::{Column, Exported, Kind, Row, Table, Value};
use crate::correlate::Log;

/// The rows of a group: what is in memory at a time.
const GROUP: usize = 1 << 16;

/// Writes a table as Parquet, compressed by Snappy. Every column is optional: an unknown value is a null.
///
/// # Errors
///
/// Those of `out`.
pub fn parquet(log: &Log, table: Table, out: impl Write + Send) -> io::Result<Exported> {
    write(log, table, out).map_err(|error| match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    })
}

fn write(log: &Log, table: Table, out: impl Write + Send) -> Result<Exported> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("firstbyte version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut file = SerializedFileWriter::new(out, schema(table)?, properties.into())?;
    let mut exported = table.exported(log);
    let mut rows = table.rows(log);
    loop {
        let group: Vec<_> = rows.by_ref().take(GROUP).collect();
        if group.is_empty() {
            break;
        }
        let mut columns = file.next_row_group()?;
        for column in table.columns() {
            match column.kind {
                Kind::Text => write_column::<ByteArrayType, _>(&mut columns, column, &group),
                Kind::Real => write_column::<DoubleType, _>(&mut columns, column, &group),
                _ => write_column::<Int64Type, _>(&mut columns, column, &group),
            }?;
        }
        columns.close()?;
        exported.written += group.len() as u64;
    }
    file.close()?;
    Ok(exported)
}

fn schema(table: Table) -> Result<TypePtr> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::UnixNanos => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS)))
            }
            Kind::Count | Kind::Micros | Kind::MonotonicNanos => (Physical::INT64, None),
        };
        let field = Type::primitive_type_builder(column.name, physical);
        let field = field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical);
        Ok(TypePtr::new(field.build()?))
    };
    let fields = table.columns().iter().map(field).collect::<Result<_>>()?;
    Ok(TypePtr::new(Type::group_type_builder("firstbyte").with_fields(fields).build()?))
}

/// Writes the next column of a group: its known values, and which rows have one.
fn write_column<T, W>(
    columns: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column,
    rows: &[Row<'_>],
) -> Result<()>
where
    T: DataType,
    T::T: Stored,
    W: Write + Send,
{
    let Some(mut writer) = columns.next_column()? else { return Ok(()) };
    let (mut values, mut levels) = (Vec::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let value = column.of(row).and_then(Stored::stored);
        levels.push(i16::from(value.is_some()));
        values.extend(value);
    }
    writer.typed::<T>().write_batch(&values, Some(&levels), None)?;
    writer.close()
}

/// How Parquet has a value.
trait Stored: Sized {
    fn stored(value: Value<'_>) -> Option<Self>;
}

impl Stored for ByteArray {
    fn stored(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.as_bytes().to_vec().into()),
            Value::Int(_) | Value::Real(_) => None,
        }
    }
}

impl Stored for i64 {
    fn stored(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(int) => Some(int),
            Value::Text(_) | Value::Real(_) => None,
        }
    }
}

impl Stored for f64 {
    fn stored(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Real(real) => Some(real),
            Value::Text(_) | Value::Int(_) => None,
        }
    }
}
