//! JSON: objects as rows, arrays of objects as tables, texts as paragraphs.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    ClaimsError,
    document::{Block, Document, Source},
    table::{Cell, Table},
};

/// Values within values deeper than this are refused.
const DEEPEST: usize = 64;
/// A table has at most so many cells for each value in it.
const MOST_EMPTY: usize = 4;

/// Reads a document. Numbers keep their digits, and everything its line.
pub(super) fn read(text: &str) -> Result<Document, ClaimsError> {
    let root: &RawValue =
        serde_json::from_str(text).map_err(|error| ClaimsError::Json(error.to_string()))?;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let mut reader = Reader { start: text.as_ptr() as usize, ends, document: Document::default() };
    reader.value(root, 0)?;
    Ok(reader.document)
}

struct Reader {
    start: usize,
    /// Where lines end.
    ends: Vec<usize>,
    document: Document,
}

/// The members of an object in their order, as they stand there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Members of an object, or items of an array by their numbers.
type Named<'a> = (String, &'a RawValue);

impl Reader {
    fn value(&mut self, raw: &RawValue, depth: usize) -> Result<(), ClaimsError> {
        if depth > DEEPEST {
            return Err(ClaimsError::Json(format!("deeper than {DEEPEST} values within values")));
        }
        match raw.get().as_bytes().first() {
            Some(b'{') => {
                let members = members(raw)?;
                // The outermost object is in no table.
                if depth == 0 {
                    self.table(&[(String::new(), raw)])?;
                }
                self.within(&members, depth)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = parsed(raw)?;
                for item in items.iter().filter(|item| is_number(item)) {
                    // Nothing says what it is, but it counts as one.
                    self.cell(item);
                }
                let items = (1_usize..).zip(items).map(|(n, item)| (n.to_string(), item));
                self.within(&items.collect::<Vec<_>>(), depth)
            }
            Some(b'"') => {
                let text: String = parsed(raw)?;
                let source = self.source(&text, raw);
                let sentences = source.sentences(&mut self.document.numbering);
                self.document.blocks.push(Block::Text(sentences));
                Ok(())
            }
            // The number of a member is in a table.
            _ => Ok(()),
        }
    }

    /// A table of those that are objects; then whatever is within each.
    fn within(&mut self, all: &[Named<'_>], depth: usize) -> Result<(), ClaimsError> {
        let objects: Vec<Named<'_>> =
            all.iter().filter(|(_, raw)| raw.get().starts_with('{')).cloned().collect();
        self.table(&objects)?;
        all.iter().try_for_each(|(_, raw)| self.value(raw, depth + 1))
    }

    fn table(&mut self, objects: &[Named<'_>]) -> Result<(), ClaimsError> {
        let mut columns: Vec<String> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut rows = Vec::new();
        let mut cells = 0;
        for (name, object) in objects {
            let members: Vec<Named<'_>> =
                members(object)?.into_iter().filter(|(_, raw)| is_scalar(raw)).collect();
            for (key, _) in &members {
                places.entry(key.clone()).or_insert_with(|| {
                    columns.push(key.clone());
                    columns.len()
                });
            }
            cells += members.len();
            rows.push((name, members));
        }
        // Objects that have nothing in common are no table, and would make a very wide one.
        if rows.len() > 1 && rows.len() * columns.len() > MOST_EMPTY * cells {
            return objects.iter().try_for_each(|one| self.table(std::slice::from_ref(one)));
        }
        let rows = rows.into_iter().map(|(name, members)| {
            let mut row = vec![Cell::default(); columns.len() + 1];
            row[0] = Cell::labelled(name);
            for (key, raw) in members {
                let cell = self.cell(raw);
                row[places[&key]] = cell;
            }
            row
        });
        let rows = rows.collect();
        let head = std::iter::once(Cell::default());
        let head: Vec<Cell> =
            head.chain(columns.iter().map(|column| Cell::labelled(column))).collect();
        self.document.blocks.push(Block::Table(Table::new(&head, rows)));
        Ok(())
    }

    fn source(&self, text: &str, raw: &RawValue) -> Source {
        let byte = raw.get().as_ptr() as usize - self.start;
        let mut source = Source::default();
        source.push(text, self.ends.partition_point(|end| *end < byte) + 1);
        source
    }

    /// A number; of a text the words alone, as it is read as a paragraph too.
    fn cell(&mut self, raw: &RawValue) -> Cell {
        if is_number(raw) {
            let source = self.source(raw.get(), raw);
            return Cell::of(&source, &mut self.document.numbering);
        }
        Cell::labelled(raw.get().trim_matches('"'))
    }
}

fn members(raw: &RawValue) -> Result<Vec<Named<'_>>, ClaimsError> {
    parsed::<Members<'_>>(raw).map(|members| members.0)
}

fn parsed<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, ClaimsError> {
    serde_json::from_str(raw.get()).map_err(|error| ClaimsError::Json(error.to_string()))
}

fn is_number(raw: &RawValue) -> bool {
    raw.get().starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

fn is_scalar(raw: &RawValue) -> bool {
    is_number(raw) || raw.get().starts_with('"')
}
