//! Any bytes are a record or a reason why not; what is decoded is encoded to something that decodes to
//! the same. Not to the same bytes: MessagePack has several forms of one number.

use std::fmt::Debug;

use jalon_store::action::PathSet;
use jalon_store::outcome::{ActionRecord, Explanation};
use jalon_store::pin::Pin;
use jalon_store::record::{Record, decode, encode};

fn comes_back<T: Record + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(record) = decode::<T>(bytes) {
        let again = encode(&record).expect("what was decoded can be encoded");
        assert_eq!(decode::<T>(&again).as_ref(), Ok(&record));
    }
}

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    comes_back::<ActionRecord>(data);
    comes_back::<Explanation>(data);
    comes_back::<PathSet>(data);
    comes_back::<Pin>(data);
}
