//! Rows of bytes, one behind the other: one can be read, or replaced, without reading the others.

use serde::{Deserialize, Serialize, Serializer};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table<'a> {
    /// Where each row ends.
    ends: Vec<u32>,
    #[serde(borrow, serialize_with = "bytes")]
    bytes: &'a [u8],
}

fn bytes<S: Serializer>(bytes: &&[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

/// A table in the making.
#[derive(Debug, Default)]
pub struct Rows {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Rows {
    /// Adds a row; nothing where the table becomes too long to be counted.
    pub fn push(&mut self, row: &[u8]) -> Option<()> {
        self.bytes.extend_from_slice(row);
        self.end()
    }

    /// Adds a row that is written by `write`.
    pub fn write(&mut self, write: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Option<()> {
        self.bytes = write(std::mem::take(&mut self.bytes))?;
        self.end()
    }

    fn end(&mut self) -> Option<()> {
        self.ends.push(u32::try_from(self.bytes.len()).ok()?);
        Some(())
    }

    /// What was put together.
    pub fn table(&self) -> Table<'_> {
        Table {
            ends: self.ends.clone(),
            bytes: &self.bytes,
        }
    }
}

impl<'a> Table<'a> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A row; nothing where there is none.
    pub fn get(&self, at: usize) -> Option<&'a [u8]> {
        let begin = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(begin as usize..*self.ends.get(at)? as usize)
    }

    /// All rows; nothing for one that cannot be.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> {
        (0..self.len()).map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_was_put_there() {
        let mut rows = Rows::default();
        for row in ["a", "", "ccc"] {
            rows.push(row.as_bytes()).expect("it is short");
        }
        rows.write(|mut to| {
            to.push(b'd');
            Some(to)
        })
        .expect("it is short");
        let table = rows.table();
        let texts: Vec<_> = table.iter().collect();
        let expected = ["a", "", "ccc", "d"].map(|row| Some(row.as_bytes()));
        assert_eq!((table.len(), texts.as_slice()), (4, expected.as_slice()));
        assert_eq!(table.get(4), None);
    }

    #[test]
    fn ends_that_lie_are_no_rows() {
        for ends in [vec![9], vec![2, 1], vec![0, u32::MAX]] {
            let table = Table {
                ends,
                bytes: b"abc",
            };
            assert!(table.iter().any(|row| row.is_none()));
        }
    }
}
