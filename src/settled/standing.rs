//! The bytes of what still stands where an answer does not: the ledger, and the pipeline as it was read.
//!
//! Both in the form of postcard, which says nothing of what it holds: they are read by the jalon that wrote them (the
//! question names the program) or not at all, and not before their hash is right. The one door of postcard.

use jalon_conf::pipeline::Pipeline;
use serde::{Deserialize, Serialize};

use super::format::{From, check, lengthed};
use crate::plan::held::Ledger;

const MAGIC: &[u8; 16] = b"jalon ledger 3.\n";

/// A ledger that was read.
pub struct Entry {
    /// The run that it tells of.
    pub run: String,
    /// How many traces that one's refers to, one by way of the other.
    pub chain: u32,
    /// The digest of the pipeline that it speaks of; zeros where that is not kept.
    pub pipeline: [u8; 32],
    /// It.
    pub ledger: Ledger,
}

/// The bytes of a ledger: `jalon ledger 3.\n` (16), a hash of all that follows (32), question (32), the digest of the
/// pipeline that it speaks of (32; zeros where it is not kept), the run, how many traces its own refers to (4), and the ledger.
pub fn write_ledger(
    ledger: &Ledger,
    (run, chain): (&str, u32),
    question: &[u8; 32],
    pipeline: Option<&[u8; 32]>,
) -> Option<Vec<u8>> {
    let mut to = [MAGIC.as_slice(), &[0; 32], question].concat();
    to.extend_from_slice(pipeline.unwrap_or(&[0; 32]));
    lengthed(&mut to, run.as_bytes())?;
    to.extend_from_slice(&chain.to_le_bytes());
    let mut to = postcard::to_extend(ledger, to).ok()?;
    let check = check(&to[MAGIC.len() + 32..]);
    to[MAGIC.len()..MAGIC.len() + 32].copy_from_slice(&check);
    Some(to)
}

/// A ledger; nothing where the bytes are not one to this question.
pub fn read_ledger(file: &[u8], question: &[u8; 32]) -> Option<Entry> {
    let mut from = From::guarded(file, MAGIC, question)?;
    let pipeline = from.array()?;
    let run = std::str::from_utf8(from.lengthed()?).ok()?.to_owned();
    let chain = u32::from_le_bytes(from.array()?);
    let ledger = postcard::from_bytes(from.0).ok()?;
    Some(Entry {
        run,
        chain,
        pipeline,
        ledger,
    })
}

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    pipeline: &'a Pipeline,
}

#[derive(Deserialize)]
struct Read {
    name: String,
    pipeline: Pipeline,
}

/// The bytes of a pipeline under the name that its runs are filed under, and their digest.
pub fn write_pipeline(name: &str, pipeline: &Pipeline) -> Option<(Vec<u8>, [u8; 32])> {
    let bytes = postcard::to_extend(&Written { name, pipeline }, Vec::new()).ok()?;
    let digest = check(&bytes);
    Some((bytes, digest))
}

/// A pipeline and its name; nothing where the bytes do not have this digest.
pub fn read_pipeline(file: &[u8], digest: &[u8; 32]) -> Option<(String, Pipeline)> {
    let read = || postcard::from_bytes::<Read>(file).ok();
    let read = (check(file) == *digest).then(read)??;
    Some((read.name, read.pipeline))
}
