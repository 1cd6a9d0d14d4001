//! Any bytes are a tree or a reason why not, and a tree has one encoding: otherwise two digests would
//! name one directory.

use jalon_store::tree::Tree;

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    if let Ok(tree) = Tree::decode(data) {
        assert_eq!(tree.encode(), data);
        assert_eq!(tree.digest(), Tree::digest_of(data));
        for (name, entry) in tree.entries() {
            assert_eq!(tree.get(name), Some(entry));
        }
    }
}
