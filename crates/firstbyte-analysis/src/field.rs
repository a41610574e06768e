//! One field of all lines, without a join: what `grep | sed | awk` would be used for.

use std::path::PathBuf;

use firstbyte_core::{
    Micros, Tag,
    schema::{FieldId, Record, Unit},
};
use memchr::memmem::Finder;

use crate::{
    entry::{Entry, candidates, parse, quick},
    ingest::{IngestError, Reading, inputs, is_torn, whole_words},
    measure::{self, Amounts, Summary},
    tally::Unreadable,
};

/// The values of one field, by the records that have it.
///
/// Every line counts, also one that is there twice: that is what joining is for. Lines that do not have the
/// field's key in them are not read any further.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FieldStats {
    /// All lines.
    pub lines: u64,
    /// Lines that have the key in them, but are no record with a value of it.
    pub others: u64,
    /// Records at the end of a file that have the key and no line feed: they may be torn, so that their last words are not
    /// taken.
    pub torn: u64,
    /// The records, those of weight updates apart from other calls.
    pub rows: Vec<FieldRow>,
    /// Files that could not be read to their ends, and why.
    pub broken: Vec<String>,
    /// Files of which nothing could be read, and why; never all of them.
    pub unread: Vec<String>,
}

/// One record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FieldRow {
    /// The record.
    pub record: &'static Record,
    /// Its calls are outside the weight-update family: `[admin]`.
    pub is_admin: bool,
    /// The values.
    pub values: Values,
}

/// A summary by the field's unit.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Values {
    /// Durations.
    Millis(Summary),
    /// Anything else.
    Amounts(measure::Unit, Amounts),
}

/// A field that can be summarised.
#[derive(Clone, Copy, Debug)]
pub struct Numeric(FieldId);

impl Numeric {
    /// The field with this key, if it is a duration, a count or a real number.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let field = FieldId::from_key(key)?;
        let unit = field.info().unit;
        matches!(unit, Unit::Millis | Unit::Count | Unit::Real).then_some(Self(field))
    }

    /// Its key, such as `queue_ms`.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.0.info().key
    }
}

/// Values in the making.
struct Row {
    record: &'static Record,
    is_admin: bool,
    /// Microseconds, or the bits of a number.
    values: Vec<u64>,
}

impl FieldRow {
    /// The tag and the name, such as `weights client.done`.
    #[must_use]
    pub fn name(&self) -> String {
        let tag = if self.is_admin { Tag::Admin } else { self.record.tag };
        [Some(tag.as_str()), self.record.name].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl FieldStats {
    /// Reads files as [`Log::read`](crate::Log::read) does.
    ///
    /// # Errors
    ///
    /// [`IngestError`] with the path of a file that cannot be read, if none can.
    pub fn read(paths: &[PathBuf], field: Numeric) -> Result<Self, IngestError> {
        let mut reader = Reader::new(field);
        let inputs = inputs(paths)?;
        let mut reading = Reading::new(&inputs);
        let mut spare = Vec::new();
        while let Some((_, block)) = reading.next(spare) {
            reader.lines += block.too_long + block.count();
            reader.take(block.lines());
            spare = block.into_buffer();
        }
        let Unreadable { broken, unread } = reading.finish()?;
        Ok(FieldStats { broken, unread, ..reader.finish() })
    }
}

struct Reader {
    field: Numeric,
    /// What the key has in common in text and in JSON.
    key: Finder<'static>,
    lines: u64,
    others: u64,
    torn: u64,
    rows: Vec<Row>,
}

impl Reader {
    fn new(field: Numeric) -> Self {
        let (key, json_key) = (field.key(), field.0.info().json_key);
        let same = key.bytes().zip(json_key.bytes()).take_while(|(a, b)| a == b).count();
        Self {
            field,
            key: Finder::new(&key.as_bytes()[..same]).into_owned(),
            lines: 0,
            others: 0,
            torn: 0,
            rows: Vec::new(),
        }
    }

    fn take(&mut self, block: &[u8]) {
        let mut entry = Entry::new();
        let mut from = 0;
        while let Some(found) = self.key.find(&block[from..]) {
            let found = from + found;
            let start =
                memchr::memrchr(b'\n', &block[from..found]).map_or(from, |at| from + at + 1);
            from = self.line(&block[start..], found - start, &mut entry) + start;
        }
    }

    /// Takes the first line of these, which has the key at `key`; returns where the next one begins.
    fn line<'a>(&mut self, lines: &'a [u8], key: usize, entry: &mut Entry<'a>) -> usize {
        let end = memchr::memchr(b'\n', &lines[key..]).map_or(lines.len(), |end| key + end);
        let tag = candidates(&lines[..end]).next().and_then(|candidate| candidate.tag);
        if tag.and_then(|tag| quick(&lines[tag..], entry)).is_some() {
            self.add(entry);
            return end + 1;
        }
        let line = if end < lines.len() {
            &lines[..end]
        } else {
            self.torn += u64::from(is_torn(lines));
            whole_words(lines)
        };
        match parse(line).as_ref().ok().and_then(Entry::of) {
            Some(entry) => self.add(&entry),
            None => self.others += 1,
        }
        lines.len().min(end + 1)
    }

    fn add(&mut self, entry: &Entry<'_>) {
        let Some(value) = entry.value(self.field.0) else {
            self.others += 1;
            return;
        };
        let (record, is_admin) = (entry.record, entry.is_admin);
        let is_here = |row: &&mut Row| std::ptr::eq(row.record, record) && row.is_admin == is_admin;
        match self.rows.iter_mut().find(is_here) {
            Some(row) => row.values.push(value),
            None => self.rows.push(Row { record, is_admin, values: vec![value] }),
        }
    }

    fn finish(self) -> FieldStats {
        let Self { field, lines, others, torn, rows, .. } = self;
        let rows = rows.into_iter().filter_map(|row| {
            let values = row.values.into_iter();
            let values = match field.0.info().unit {
                Unit::Millis => Values::Millis(Summary::of(values.map(Micros).collect())?),
                Unit::Count => {
                    let counts = values.map(|count| count.cast_signed() as f64);
                    Values::Amounts(measure::Unit::Count, Amounts::of(counts.collect())?)
                }
                _ => {
                    let unit = unit_of(field.key());
                    Values::Amounts(unit, Amounts::of(values.map(f64::from_bits).collect())?)
                }
            };
            Some(FieldRow { record: row.record, is_admin: row.is_admin, values })
        });
        FieldStats {
            lines,
            others,
            torn,
            rows: rows.collect(),
            broken: Vec::new(),
            unread: Vec::new(),
        }
    }
}

/// The unit of a real number, which its key ends with.
fn unit_of(key: &str) -> measure::Unit {
    match key.rsplit('_').next() {
        Some("pct") => measure::Unit::Percent,
        Some("tps") => measure::Unit::TokensPerSecond,
        _ => measure::Unit::Seconds,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn stats(key: &str, lines: &str) -> FieldStats {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, lines).unwrap();
        FieldStats::read(&[path], Numeric::from_key(key).unwrap()).unwrap()
    }

    #[test]
    fn it_is_what_the_lines_say_by_record() {
        let stats = stats(
            "queue_ms",
            "queue_ms is no field here\n\
             [weights][00f067aa0ba902b7] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=1.0\n\
             INFO [weights][00f067aa0ba902b8] client.done wall_ms=4.0 rpc_ms=1.0 queue_ms=3.0\n\
             \n\
             [admin][short] client.done wall_ms=4.0 rpc_ms=1.0 queue_ms=7.0\n\
             {\"v\":1,\"seq\":0,\"pid\":7,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b8\",\"name\":\"client.done\",\"t_ns\":5,\"unix_ns\":6,\"queue_us\":5000}\n\
             [engine] call.done call_id=1 op=pause t=1.0 engine_queue_ms=9.0 engine_exec_ms=1.0\n\
             [weights][00f067aa0ba902b7] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=NaN",
        );
        assert_eq!((stats.lines, stats.others), (8, 3));
        let told: Vec<_> = stats
            .rows
            .iter()
            .map(|row| match row.values {
                Values::Millis(summary) => (row.is_admin, summary.n, summary.mean_ms),
                Values::Amounts(..) => (row.is_admin, 0, 0.0),
            })
            .collect();
        assert_eq!(told, [(false, 3, 3.0), (true, 1, 7.0)]);
    }

    #[test]
    fn what_is_cut_short_counts_as_far_as_it_goes() {
        let line = "[weights][00f067aa0ba902b7] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=17.0";
        let torn = stats("queue_ms", line);
        assert_eq!(
            (torn.others, torn.torn, torn.rows.len()),
            (1, 1, 0),
            "its last word may be torn"
        );
        let whole = stats("queue_ms", &format!("{line}\n"));
        assert_eq!((whole.others, whole.torn, whole.rows.len()), (0, 0, 1));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log.gz");
        let mut packed = GzEncoder::new(Vec::new(), Compression::none());
        packed.write_all(format!("{line}\n").repeat(5).as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        std::fs::write(&path, &packed[..packed.len() - 100]).unwrap();
        let stats = FieldStats::read(&[path], Numeric::from_key("queue_ms").unwrap()).unwrap();
        assert!(stats.rows.len() == 1 && stats.broken[0].contains("a.log.gz"), "{stats:?}");
    }

    #[test]
    fn counts_and_real_numbers_are_amounts() {
        let stats = stats(
            "inflight",
            "[gen] batch.start inflight=3 target_batch=4\n[gen] batch.done completions=1 dur_ms=1.0 inflight=-5\n",
        );
        let told: Vec<_> = stats
            .rows
            .iter()
            .map(|row| match row.values {
                Values::Amounts(_, amounts) => amounts.mean,
                Values::Millis(_) => f64::NAN,
            })
            .collect();
        assert_eq!(told, [3.0, -5.0]);
        assert!(Numeric::from_key("op").is_none() && Numeric::from_key("t").is_none());
    }
}
