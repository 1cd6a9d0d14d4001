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
    touched: FxHashMap<Vec<u8>, Sight>,
    /// Looks, by name and way.
    looks: FxHashMap<(Vec<u8>, u8), Look>,
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
            .insert(name, *sight);
    }
    for look in looks {
        let (directory, name) = split(root, &look.path);
        let looks = &mut new.entry(directory).or_default().looks;
        looks.insert((name, way(&look.sight)), look);
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
    let unseen = new.into_values().flat_map(|new| new.looks.into_values());
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
        if let (Sight::File { .. }, Some(now)) = (sight, new.touched.get(name)) {
            sight = *now;
        }
        let here = (name.to_vec(), way(&sight));
        if let Some(look) = new.looks.remove(&here) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settled::example::{id, kept};
    use jalon_store::digest::BlobDigest;
    use jalon_store::index::StatId;

    const QUESTION: [u8; 32] = [3; 32];

    fn file(time: i128, bytes: &[u8]) -> Sight {
        Sight::File {
            id: StatId {
                mtime_ns: time,
                ..id(bytes.len() as u64)
            },
            digest: BlobDigest::of(bytes),
            executable: false,
            settled: true,
        }
    }

    fn look(path: &str, sight: Sight) -> Look {
        Look {
            path: Path::new("/root").join(path),
            sight,
            // Nothing else is kept as declared.
            declared: matches!(sight, Sight::File { .. }),
        }
    }

    /// What a snapshot holds that is amended so.
    fn amended(touched: &[(&str, Sight)], looks: Vec<Look>, may: bool) -> Option<Vec<Look>> {
        let root = Path::new("/root");
        let before = vec![
            look("d/a", file(1, b"a")),
            look("d/b", file(1, b"b")),
            look("e", Sight::Absent),
        ];
        let bytes = format::write(&kept(), &QUESTION, root, before).expect("it can be written");
        let snapshot = Snapshot::read(&bytes, &QUESTION).expect("it can be read");
        let touched = touched
            .iter()
            .map(|(path, sight)| (format!("/root/{path}").into_bytes(), *sight));
        let touched = touched.collect();
        let kept = snapshot.kept();
        let now = amend(&snapshot, &kept, &QUESTION, root, &touched, looks, |_| may)?;
        let now = Snapshot::read(&now, &QUESTION).expect("it can be read");
        assert_eq!(now.nodes, snapshot.nodes);
        let mut looks = now.looks(root).expect("they can be read");
        looks.sort_by(|one, other| one.path.cmp(&other.path));
        Some(looks)
    }

    #[test]
    fn what_was_touched_has_its_new_stat_and_all_else_is_what_it_was() {
        assert_eq!(
            amended(&[("d/a", file(2, b"a"))], Vec::new(), false),
            Some(vec![
                look("d/a", file(2, b"a")),
                look("d/b", file(1, b"b")),
                look("e", Sight::Absent),
            ])
        );
    }

    #[test]
    fn a_new_look_stands_for_an_earlier_one_and_only_where_it_may() {
        let new = || vec![look("d/b", file(3, b"other")), look("f/g", Sight::Absent)];
        assert_eq!(
            amended(&[], new(), true),
            Some(vec![
                look("d/a", file(1, b"a")),
                look("d/b", file(3, b"other")),
                look("e", Sight::Absent),
                look("f/g", Sight::Absent),
            ])
        );
        assert_eq!(amended(&[], new(), false), None);
    }
}
