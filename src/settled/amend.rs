//! A snapshot as it was, but for what was looked at since: what nobody looked at is copied as it is.

use std::path::Path;

use jalon_store::index::Sight;
use rustc_hash::FxHashMap;

use super::format::{self, Group, Kept, Snapshot, lengthed, split, witness};
use crate::witness::{Look, agree, way};

/// What is new in one directory.
#[derive(Default)]
struct New {
    /// Files whose stat has become another, by name.
    touched: Vec<(Vec<u8>, Sight)>,
    /// Looks, by name, and whether an earlier one was found that they stand for now.
    looks: Vec<(Vec<u8>, Look, bool)>,
}

/// The bytes of a snapshot with the same nodes: with files that were `touched`, and what was looked at since. Of what
/// was found to be another only what `may` be; nothing where something else is: what was decided by the first look would
/// be taken to rest on the second.
pub fn amend(
    snapshot: &Snapshot<'_>,
    kept: &Kept,
    question: &[u8; 32],
    root: &Path,
    touched: &FxHashMap<Vec<u8>, Sight>,
    looks: Vec<Look>,
    may: impl Fn(&Look) -> bool,
) -> Option<Vec<u8>> {
    let mut new: FxHashMap<Vec<u8>, New> = FxHashMap::default();
    for (path, sight) in touched {
        let (directory, name) = split(root, &path_of(path));
        new.entry(directory)
            .or_default()
            .touched
            .push((name, *sight));
    }
    for look in looks {
        let (directory, name) = split(root, &look.path);
        let looks = &mut new.entry(directory).or_default().looks;
        looks.push((name, look, false));
    }
    let mut to = Vec::new();
    format::begin(&mut to, kept, question, snapshot.nodes)?;
    let mut bytes = Vec::new();
    for group in &snapshot.groups {
        lengthed(&mut to, group.directory.to_bytes_with_nul())?;
        match new.get_mut(group.directory.to_bytes_with_nul()) {
            None => lengthed(&mut to, group.witnesses)?,
            Some(new) => {
                bytes.clear();
                rewrite(&mut bytes, group, root, new, &may)?;
                lengthed(&mut to, &bytes)?;
            }
        }
    }
    let unseen = new.into_values().flat_map(|new| new.looks);
    let unseen = unseen.filter(|(_, _, met)| !met).map(|(_, look, _)| look);
    format::groups(&mut to, root, unseen.collect())?;
    format::end(&mut to);
    Some(to)
}

fn rewrite(
    to: &mut Vec<u8>,
    group: &Group<'_>,
    root: &Path,
    new: &mut New,
    may: impl Fn(&Look) -> bool,
) -> Option<()> {
    for old in group.witnesses() {
        let old = old?;
        let name = old.name.to_bytes_with_nul();
        let (mut sight, mut declared) = (old.sight, old.declared);
        if let (Sight::File { .. }, Some((_, now))) =
            (sight, new.touched.iter().find(|(one, _)| one == name))
        {
            sight = *now;
        }
        let kind = way(&sight);
        let mut looks = new.looks.iter_mut();
        if let Some((_, look, met)) =
            looks.find(|(one, look, _)| one == name && way(&look.sight) == kind)
        {
            *met = true;
            let earlier = Look {
                path: group.path(root, old.name),
                sight,
                declared,
            };
            if !agree(&sight, &look.sight) && !may(&earlier) {
                return None;
            }
            sight = look.sight;
            declared &= look.declared;
        }
        witness(to, name, &sight, declared)?;
    }
    Some(())
}

fn path_of(bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}
