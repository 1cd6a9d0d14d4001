//! What a remote gives is believed only if it is what it should be: an envelope by its key and its signature, an
//! outcome by its recipe, packed bytes up to a length, a list of pieces by the length of its blob, names of a Bazel cache by their form.

use std::sync::LazyLock;

use crate::samples::{path_set, shared};
use jalon_remote::sign::PrivateKey;
use jalon_remote::trust::Policy;
use jalon_store::digest::ActionKey;

const KEY: &str = "jalon-private:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| {
    let own: PrivateKey = KEY.parse().expect("a key");
    let trusting = Policy {
        signed: true,
        own: vec![own],
        ..Policy::default()
    };
    [Policy::default(), trusting]
});

/// Takes the input in, and panics where the promise does not hold.
pub fn run(data: &[u8]) {
    assert!(jalon_remote::fuzzing::unpacks_within(data.to_vec(), 4096));
    for size in [0, 1000, 3 << 20] {
        assert!(jalon_remote::fuzzing::lists_what_fits(data, size));
    }
    jalon_remote::fuzzing::action_result(data);
    let sound = shared();
    let key: ActionKey = sound.record.key;
    for policy in &*POLICIES {
        if let Ok(found) = policy.outcome(data, &key, "remote") {
            assert_eq!(found.record.key, key);
            assert_eq!(found.explanation.derivation.weak_key(), found.record.weak);
            if policy.signed {
                // Nobody but us could have signed anything else.
                assert_eq!(found.record.outcome, sound.record.outcome);
            }
        }
        for slot in 0..2 {
            if let Ok(found) = policy.path_set(data, &sound.record.weak, slot)
                && policy.signed
            {
                assert_eq!(found, path_set());
            }
        }
    }
}
