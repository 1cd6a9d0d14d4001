//! Writes the seeds of the target `remote`: sound envelopes, signed and not. To be called from `fuzz/`.

use jalon_fuzz_targets::samples::{path_set, shared, weak};
use jalon_remote::sign::PrivateKey;
use jalon_remote::trust::Policy;

fn main() {
    let own: PrivateKey = "jalon-private:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
        .parse()
        .expect("a key");
    let signed = Policy {
        own: vec![own],
        ..Policy::default()
    };
    std::fs::create_dir_all("corpus/remote").expect("a directory");
    for (name, policy) in [("signed", signed), ("unsigned", Policy::default())] {
        let outcome = policy.seal_outcome(&shared()).expect("an envelope");
        let set = policy
            .seal_path_set(&path_set(), &weak(), 0)
            .expect("an envelope");
        for (what, bytes) in [("outcome", outcome), ("path-set", set)] {
            std::fs::write(format!("corpus/remote/{name}-{what}"), bytes).expect("a file");
        }
    }
}
