//! A Bazel Remote Execution API cache. The door of tonic and the API's messages.
//!
//! Its servers name bytes by SHA-256 and a length. So an outcome travels as an ActionResult whose files are the
//! items that it names, each under its own digest's name: servers that keep together what belongs together do, and
//! whoever reads the record knows what each item is called there. Bytes are believed by their own digest.
//! Source: remote_execution.proto 2.11, bytestream.proto.

mod call;
mod move_bytes;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bazel_remote_apis::build::bazel::remote::execution::v2::{
    ActionResult, Digest, Directory, FileNode, FindMissingBlobsRequest, GetActionResultRequest,
    OutputDirectory, OutputFile, Tree, UpdateActionResultRequest,
};
use jalon_store::LocalStore;
use jalon_store::digest::{BlobDigest, TreeDigest};
use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest as _, Sha256};
use url::Url;

use self::call::Line;
use crate::access::Access;
use crate::fault::{Fault, Kind};
use crate::flow::Flow;
use crate::tier::{Gone, Item, MOST_RECORD, Tier, lock};

/// The file of an ActionResult that is the record itself.
const RECORD: &str = "record";

/// The directory of an ActionResult that holds the items.
const ITEMS: &str = "items";

/// More items than these are named in a tree of their own: messages must stay small.
const NAMED: usize = 512;

/// Digests in one question.
const ASKED: usize = 2000;

/// See the module.
pub(crate) struct Reapi {
    line: Line,
    /// What items are called there, as far as that is known.
    names: Mutex<FxHashMap<Item, Name>>,
}

/// What the server calls some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// SHA-256, hexadecimal.
    hash: String,
    size: u64,
}

impl Name {
    fn of(bytes: &[u8]) -> Name {
        Name {
            hash: hex(&Sha256::digest(bytes)),
            size: bytes.len() as u64,
        }
    }

    fn digest(&self) -> Digest {
        Digest {
            hash: self.hash.clone(),
            size_bytes: i64::try_from(self.size).unwrap_or(i64::MAX),
        }
    }

    fn read(digest: &Digest) -> Option<Name> {
        let is_hash = digest.hash.len() == 64
            && digest
                .hash
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        Some(Name {
            hash: is_hash.then(|| digest.hash.clone())?,
            size: u64::try_from(digest.size_bytes).ok()?,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An item as a file's name: a letter and its digest.
fn file_of(item: &Item) -> String {
    let letter = match item {
        Item::Blob(..) => 'b',
        Item::Tree(_) => 't',
    };
    format!("{letter}{}", item.hex())
}

fn item_of(file: &str, name: &Name) -> Option<Item> {
    let digest = file.get(1..)?;
    match file.as_bytes().first()? {
        b'b' => Some(Item::Blob(digest.parse::<BlobDigest>().ok()?, name.size)),
        b't' => Some(Item::Tree(digest.parse::<TreeDigest>().ok()?)),
        _ => None,
    }
}

/// The digest under which an action cache keeps something of ours: nobody else's action is called so.
fn action(key: &[u8; 32]) -> Digest {
    Digest {
        hash: hex(key),
        size_bytes: 32,
    }
}

impl Reapi {
    pub(crate) fn new(url: &Url, access: &Access) -> Result<Reapi, Fault> {
        Ok(Reapi {
            line: Line::new(url, access)?,
            names: Mutex::default(),
        })
    }

    fn learn(&self, files: impl Iterator<Item = (String, Option<Digest>)>) {
        let mut names = lock(&self.names);
        for (file, digest) in files {
            let name = digest.as_ref().and_then(Name::read);
            if let Some(name) = name
                && let Some(item) = item_of(&file, &name)
            {
                names.insert(item, name);
            }
        }
    }

    fn known(&self, item: &Item) -> Option<Name> {
        // Nobody has to be told of nothing.
        lock(&self.names).get(item).cloned()
    }

    /// What items are called; those of which nobody knows are left out.
    async fn named(
        &self,
        items: &[Item],
        owner: Option<&[u8; 32]>,
    ) -> Result<Vec<(Item, Name)>, Fault> {
        let known = |items: &[Item]| -> Vec<(Item, Name)> {
            let each = items.iter();
            each.filter_map(|item| Some((*item, self.known(item)?)))
                .collect()
        };
        let found = known(items);
        if let (Some(owner), true) = (owner, found.len() < items.len()) {
            self.record(owner).await?;
            return Ok(known(items));
        }
        Ok(found)
    }

    async fn find_missing(&self, names: Vec<Name>) -> Result<FxHashSet<Name>, Fault> {
        let mut missing = FxHashSet::default();
        for some in names.chunks(ASKED) {
            let request = FindMissingBlobsRequest {
                instance_name: self.line.instance.clone(),
                blob_digests: some.iter().map(Name::digest).collect(),
                digest_function: 0,
            };
            let answer = self
                .line
                .call(|| {
                    let (mut client, request) =
                        (self.line.cas(), self.line.request(request.clone()));
                    async move { client.find_missing_blobs(request).await }
                })
                .await?;
            missing.extend(answer.missing_blob_digests.iter().filter_map(Name::read));
        }
        Ok(missing)
    }

    /// Small bytes of ours.
    async fn put_bytes(&self, all: Vec<(Name, Vec<u8>)>) -> Result<(), Fault> {
        let flow = Flow::default();
        let missing = self
            .find_missing(all.iter().map(|(name, _)| name.clone()).collect())
            .await?;
        for (name, bytes) in all {
            if missing.contains(&name) {
                self.put_one(&name, bytes.into(), &flow).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Tier for Reapi {
    async fn record(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        self.line.ready().await?;
        let request = GetActionResultRequest {
            instance_name: self.line.instance.clone(),
            action_digest: Some(action(key)),
            inline_output_files: vec![RECORD.to_owned()],
            ..GetActionResultRequest::default()
        };
        let answer = self
            .line
            .call(|| {
                let (mut client, request) =
                    (self.line.actions(), self.line.request(request.clone()));
                async move { client.get_action_result(request).await }
            })
            .await;
        let found = match answer {
            Ok(found) => found,
            Err(fault) if fault.kind == Kind::Absent => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mut files = found.output_files;
        let Some(at) = files.iter().position(|file| file.path == RECORD) else {
            return Ok(Some(Vec::new()));
        };
        let record = files.swap_remove(at);
        let prefix = format!("{ITEMS}/");
        self.learn(files.into_iter().filter_map(|file| {
            let name = file.path.strip_prefix(&prefix)?.to_owned();
            Some((name, file.digest))
        }));
        for directory in &found.output_directories {
            let name = directory.tree_digest.as_ref().and_then(Name::read);
            if let (ITEMS, Some(name)) = (directory.path.as_str(), name)
                && let Some(bytes) = self.read_whole(&name, MOST_RECORD).await?
                && let Ok(tree) = Tree::decode(bytes.as_slice())
            {
                let files = tree.root.unwrap_or_default().files;
                self.learn(files.into_iter().map(|file| (file.name, file.digest)));
            }
        }
        let Some(name) = record.digest.as_ref().and_then(Name::read) else {
            return Ok(Some(Vec::new()));
        };
        if Name::of(&record.contents) == name {
            return Ok(Some(record.contents));
        }
        // Where its bytes are lost it is as good as none.
        self.read_whole(&name, MOST_RECORD).await
    }

    async fn put_record(
        &self,
        key: &[u8; 32],
        bytes: Vec<u8>,
        names: &[Item],
    ) -> Result<(), Fault> {
        let capabilities = self.line.ready().await?;
        if !capabilities.updates {
            return Err(Fault::new(Kind::Denied, "its action cache takes nothing"));
        }
        let mut result = ActionResult::default();
        let mut puts = Vec::new();
        let mut files: Vec<(String, Digest)> = Vec::new();
        for item in names {
            let name = self.known(item).ok_or_else(|| {
                Fault::here(format!("{} was not sent before its record", item.hex()))
            })?;
            files.push((file_of(item), name.digest()));
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        if files.len() <= NAMED {
            let files = files.into_iter().map(|(file, digest)| OutputFile {
                path: format!("{ITEMS}/{file}"),
                digest: Some(digest),
                ..OutputFile::default()
            });
            result.output_files.extend(files);
        } else {
            let files = files.into_iter().map(|(file, digest)| FileNode {
                name: file,
                digest: Some(digest),
                ..FileNode::default()
            });
            let root = Directory {
                files: files.collect(),
                ..Directory::default()
            };
            let tree = Tree {
                root: Some(root),
                children: Vec::new(),
            };
            let bytes = tree.encode_to_vec();
            let name = Name::of(&bytes);
            result.output_directories.push(OutputDirectory {
                path: ITEMS.to_owned(),
                tree_digest: Some(name.digest()),
                ..OutputDirectory::default()
            });
            puts.push((name, bytes));
        }
        let name = Name::of(&bytes);
        result.output_files.push(OutputFile {
            path: RECORD.to_owned(),
            digest: Some(name.digest()),
            ..OutputFile::default()
        });
        puts.push((name, bytes));
        self.put_bytes(puts).await?;
        let request = UpdateActionResultRequest {
            instance_name: self.line.instance.clone(),
            action_digest: Some(action(key)),
            action_result: Some(result),
            ..UpdateActionResultRequest::default()
        };
        self.line
            .call(|| {
                let (mut client, request) =
                    (self.line.actions(), self.line.request(request.clone()));
                async move { client.update_action_result(request).await }
            })
            .await
            .map(drop)
    }

    async fn missing(&self, items: &[Item], owner: Option<&[u8; 32]>) -> Result<Vec<Item>, Fault> {
        self.line.ready().await?;
        let named = self.named(items, owner).await?;
        let lacking = self
            .find_missing(named.iter().map(|(_, name)| name.clone()).collect())
            .await?;
        let there: FxHashSet<Item> = named
            .into_iter()
            .filter(|(_, name)| !lacking.contains(name))
            .map(|(item, _)| item)
            .collect();
        Ok(items
            .iter()
            .filter(|item| !there.contains(item))
            .copied()
            .collect())
    }

    async fn fetch(
        &self,
        items: &[Item],
        owner: Option<&[u8; 32]>,
        into: &Arc<LocalStore>,
        flow: &Flow,
    ) -> Result<Vec<(Item, Gone)>, Fault> {
        self.line.ready().await?;
        let named = self.named(items, owner).await?;
        let known: FxHashSet<Item> = named.iter().map(|(item, _)| *item).collect();
        let mut gone: Vec<(Item, Gone)> = items
            .iter()
            .filter(|item| !known.contains(item))
            .map(|item| (*item, Gone::Absent))
            .collect();
        gone.extend(self.fetch_named(named, into, flow).await?);
        Ok(gone)
    }

    async fn send(&self, items: &[Item], from: &Arc<LocalStore>, flow: &Flow) -> Result<(), Fault> {
        self.line.ready().await?;
        let (wanted, store) = (items.to_vec(), from.clone());
        let named = tokio::task::spawn_blocking(move || {
            let each = wanted.into_iter();
            each.map(|item| Ok((item, move_bytes::name_of(&item, &store)?)))
                .collect::<Result<Vec<(Item, Name)>, Fault>>()
        });
        let named = named.await.map_err(Fault::here)??;
        let missing = self
            .find_missing(named.iter().map(|(_, name)| name.clone()).collect())
            .await?;
        let sent = named.iter().filter(|(_, name)| missing.contains(name));
        self.send_named(sent.cloned().collect(), from, flow).await?;
        lock(&self.names).extend(named);
        Ok(())
    }

    async fn greet(&self) -> Result<String, Fault> {
        let capabilities = self.line.ready().await?;
        Ok(if capabilities.updates {
            "a Bazel remote cache".to_owned()
        } else {
            "a Bazel remote cache, for reading".to_owned()
        })
    }
}

/// Reads names out of what a server says of an action; whatever is read says the same when it is said again.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let result = ActionResult::decode(bytes).unwrap_or_default();
    let trees = Tree::decode(bytes).unwrap_or_default();
    let nodes = trees.root.unwrap_or_default().files;
    let files = result
        .output_files
        .into_iter()
        .map(|file| (file.path, file.digest));
    let nodes = nodes.into_iter().map(|file| (file.name, file.digest));
    for (file, digest) in files.chain(nodes) {
        let Some(name) = digest.as_ref().and_then(Name::read) else {
            continue;
        };
        assert_eq!(Name::read(&name.digest()).as_ref(), Some(&name));
        if let Some(item) = item_of(&file, &name) {
            assert_eq!(item_of(&file_of(&item), &name), Some(item));
        }
    }
}
