//! What is kept of a run that came to rest, for the tests of those who read and write it.

use jalon_store::index::StatId;

use super::format::Kept;
use crate::event::{Counts, Notice, Planned};

pub fn kept() -> Kept {
    Kept {
        store: "/store".into(),
        records: [1; 32],
        run: "01RUN".into(),
        trace: id(1),
        planned: Planned {
            project: "p".into(),
            env: "local".into(),
            targets: vec!["a b".into()],
            nodes: 2,
            hit: 2,
            run: 0,
            maybe: 0,
            expected: 0.0,
        },
        counts: Counts {
            hit: 2,
            ..Counts::default()
        },
        saved_seconds: 1.5,
        notices: vec![Notice {
            code: "c".into(),
            text: "t".into(),
        }],
        nodes: vec![("a".into(), 1), ("b[é]".into(), 0), ("c".into(), u32::MAX)],
    }
}

/// The stat of some file: this many bytes long, and otherwise as odd as one may be.
pub fn id(number: u64) -> StatId {
    StatId {
        size: number,
        mtime_ns: -5,
        ctime_ns: i64::MAX.into(),
        inode: u64::MAX,
        device: 3,
    }
}
