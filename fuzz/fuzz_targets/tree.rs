//! Any bytes are a tree or a reason why not, and a tree has one encoding: otherwise two digests would
//! name one directory.

#![no_main]

use jalon_store::tree::Tree;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(tree) = Tree::decode(data) {
        assert_eq!(tree.encode(), data);
        assert_eq!(tree.digest(), Tree::digest_of(data));
        for (name, entry) in tree.entries() {
            assert_eq!(tree.get(name), Some(entry));
        }
    }
});
