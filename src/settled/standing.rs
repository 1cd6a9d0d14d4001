//! The bytes of what still stands where an answer does not: the ledger, and the pipeline as it was read.
//!
//! Both in the form of postcard, which says nothing of what it holds: they are read by the jalon that wrote them (the
//! question names the program) or not at all, and not before their hash is right. Nodes, artifacts and what judging
//! them came to are rows of their own: where a change reaches few of them, the others are neither read nor written.
//! The one door of postcard.

use jalon_conf::pipeline::{Artifact, Node, Pipeline};
use jalon_store::content::Content;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::format::{From, check, lengthed};
use super::reach::Reach;
use super::table::{Rows, Table};
use crate::plan::held::{Held, Ledger};

const MAGIC: &[u8; 16] = b"jalon ledger 4.\n";

/// A ledger that was read, but for its rows.
pub struct Entry<'a> {
    /// The run that it tells of.
    pub run: String,
    /// How many traces that one's refers to, one by way of the other.
    pub chain: u32,
    /// The digest of the pipeline that it speaks of; zeros where that is not kept.
    pub pipeline: [u8; 32],
    /// It.
    pub sheet: Sheet<'a>,
}

/// The rows of a ledger.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sheet<'a> {
    #[serde(borrow)]
    nodes: Table<'a>,
    #[serde(borrow)]
    sources: Table<'a>,
}

impl Sheet<'_> {
    /// What judging a node came to; nothing where it cannot be read.
    pub fn node(&self, at: u32) -> Option<Option<Held>> {
        row(self.nodes.get(at as usize)?)
    }

    /// The nodes that have to be judged each time.
    pub fn open(&self) -> impl Iterator<Item = u32> {
        let none = postcard::to_stdvec(&None::<Held>).unwrap_or_default();
        let rows = (0..).zip(self.nodes.iter());
        rows.filter(move |(_, row)| row.is_none_or(|row| row == none))
            .map(|(node, _)| node)
    }

    /// What a source held.
    pub fn source(&self, at: u32) -> Option<Option<Content>> {
        row(self.sources.get(at as usize)?)
    }

    /// All of it; nothing where it cannot be read.
    pub fn ledger(&self) -> Option<Ledger> {
        Some(Ledger::of_parts(all(&self.nodes)?, all(&self.sources)?))
    }
}

/// A ledger in rows, as bytes.
pub struct SheetRows {
    nodes: Rows,
    sources: Rows,
}

impl SheetRows {
    /// Of all nodes and sources.
    pub fn of(ledger: &Ledger) -> Option<SheetRows> {
        let (nodes, sources) = (rows(ledger.nodes())?, rows(ledger.sources())?);
        Some(SheetRows { nodes, sources })
    }

    /// The rows of a sheet, with others for some nodes and sources, by their numbers there, which ascend.
    pub fn amended<'l>(
        sheet: &Sheet<'_>,
        nodes: impl Iterator<Item = (u32, &'l Option<Held>)>,
        sources: impl Iterator<Item = (u32, &'l Option<Content>)>,
    ) -> Option<SheetRows> {
        Some(SheetRows {
            nodes: replaced(&sheet.nodes, nodes)?,
            sources: replaced(&sheet.sources, sources)?,
        })
    }
}

fn row<T: DeserializeOwned>(row: &[u8]) -> Option<T> {
    postcard::from_bytes(row).ok()
}

fn all<T: DeserializeOwned>(table: &Table<'_>) -> Option<Vec<T>> {
    table.iter().map(|bytes| row(bytes?)).collect()
}

fn rows<T: Serialize>(all: &[T]) -> Option<Rows> {
    let mut rows = Rows::default();
    for one in all {
        rows.write(|to| postcard::to_extend(one, to).ok())?;
    }
    Some(rows)
}

/// The rows of a table with others at some places, which ascend.
fn replaced<'t, T: Serialize + 't>(
    table: &Table<'_>,
    with: impl Iterator<Item = (u32, &'t T)>,
) -> Option<Rows> {
    let mut rows = Rows::default();
    let mut new = with.peekable();
    for (at, row) in (0..).zip(table.iter()) {
        match new.next_if(|(place, _)| *place == at) {
            Some((_, one)) => rows.write(|to| postcard::to_extend(one, to).ok())?,
            None => rows.push(row?)?,
        }
    }
    new.next().is_none().then_some(rows)
}

/// The bytes of a ledger: `jalon ledger 4.\n` (16), a hash of all that follows (32), question (32), the digest of the
/// pipeline that it speaks of (32; zeros where it is not kept), the run, how many traces its own refers to (4), and the rows.
pub fn write_ledger(
    rows: &SheetRows,
    (run, chain): (&str, u32),
    question: &[u8; 32],
    pipeline: Option<&[u8; 32]>,
) -> Option<Vec<u8>> {
    let mut to = [MAGIC.as_slice(), &[0; 32], question].concat();
    to.extend_from_slice(pipeline.unwrap_or(&[0; 32]));
    lengthed(&mut to, run.as_bytes())?;
    to.extend_from_slice(&chain.to_le_bytes());
    let sheet = Sheet {
        nodes: rows.nodes.table(),
        sources: rows.sources.table(),
    };
    let mut to = postcard::to_extend(&sheet, to).ok()?;
    let check = check(&to[MAGIC.len() + 32..]);
    to[MAGIC.len()..MAGIC.len() + 32].copy_from_slice(&check);
    Some(to)
}

/// A ledger; nothing where the bytes are not one to this question.
pub fn read_ledger<'a>(file: &'a [u8], question: &[u8; 32]) -> Option<Entry<'a>> {
    ledger(From::guarded(file, MAGIC, question)?)
}

/// A ledger whose bytes are known to be right.
pub fn ledger_again(file: &[u8]) -> Option<Entry<'_>> {
    ledger(From(file.get(MAGIC.len() + 64..)?))
}

fn ledger(mut from: From<'_>) -> Option<Entry<'_>> {
    let pipeline = from.array()?;
    let run = std::str::from_utf8(from.lengthed()?).ok()?.to_owned();
    let chain = u32::from_le_bytes(from.array()?);
    let sheet = postcard::from_bytes(from.0).ok()?;
    Some(Entry {
        run,
        chain,
        pipeline,
        sheet,
    })
}

/// A pipeline that was read, but for its nodes and artifacts.
#[derive(Serialize, Deserialize)]
pub struct Outline<'a> {
    /// The name that its runs are filed under.
    pub name: &'a str,
    /// All but nodes and artifacts.
    pub rest: Pipeline,
    #[serde(borrow)]
    nodes: Table<'a>,
    #[serde(borrow)]
    artifacts: Table<'a>,
    /// Whom changes reach in it.
    #[serde(borrow)]
    pub reach: Reach<'a>,
}

impl Outline<'_> {
    /// A node; nothing where it cannot be read.
    pub fn node(&self, at: u32) -> Option<Node> {
        row(self.nodes.get(at as usize)?)
    }

    /// An artifact.
    pub fn artifact(&self, at: u32) -> Option<Artifact> {
        row(self.artifacts.get(at as usize)?)
    }

    /// All of it.
    pub fn pipeline(self) -> Option<Pipeline> {
        Some(Pipeline {
            nodes: all(&self.nodes)?,
            artifacts: all(&self.artifacts)?,
            ..self.rest
        })
    }
}

/// The bytes of a pipeline under the name that its runs are filed under, and their digest.
pub fn write_pipeline(
    name: &str,
    pipeline: &Pipeline,
    reach: Reach<'_>,
) -> Option<(Vec<u8>, [u8; 32])> {
    let (nodes, artifacts) = (rows(&pipeline.nodes)?, rows(&pipeline.artifacts)?);
    let rest = Pipeline {
        nodes: Vec::new(),
        artifacts: Vec::new(),
        ..pipeline.clone()
    };
    let outline = Outline {
        name,
        rest,
        nodes: nodes.table(),
        artifacts: artifacts.table(),
        reach,
    };
    let bytes = postcard::to_extend(&outline, Vec::new()).ok()?;
    let digest = check(&bytes);
    Some((bytes, digest))
}

/// Whether the bytes of a pipeline have this digest.
pub fn is_pipeline(file: &[u8], digest: &[u8; 32]) -> bool {
    check(file) == *digest
}

/// A pipeline whose bytes are known to be right.
pub fn outline(file: &[u8]) -> Option<Outline<'_>> {
    let outline: Outline<'_> = postcard::from_bytes(file).ok()?;
    let (nodes, artifacts) = (outline.nodes.len(), outline.artifacts.len());
    outline.reach.is_sound(nodes, artifacts).then_some(outline)
}
