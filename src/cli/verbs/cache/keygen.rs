//! `jalon cache keygen`: a key to sign with what is pushed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use serde_json::json;

use jalon_remote::sign::PrivateKey;

use crate::cli::args::Common;
use crate::cli::exit::{self, Failure};
use crate::cli::far::key_directory;
use crate::cli::out;

/// Makes a key beside those that are there.
pub fn keygen(common: &Common) -> Result<u8, Failure> {
    let Some(directory) = key_directory() else {
        let failure = Failure::new(
            exit::MISSING,
            "no-home",
            "there is no directory for settings: neither $XDG_CONFIG_HOME nor $HOME is set",
        );
        return Err(failure.help("set one of them"));
    };
    let key = PrivateKey::generate()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    let name = format!("{}.key", ulid::Ulid::generate());
    let path = directory.join(name);
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(format!("{}\n", key.secret()).as_bytes())?;
    file.sync_all()?;
    let public = key.public().to_string();
    if common.json {
        out::line(json!({"schema": 1, "public_key": public, "path": path}))?;
    } else {
        out::line(&public)?;
        out::note(format!(
            "the private key lies in {}: give it to nobody. What is pushed from here is signed with it.",
            path.display()
        ));
        out::note("whoever is to believe it puts the line above into [store] trusted_keys");
        out::note("on a machine that forgets, $JALON_SIGNING_KEY holds the text of that file");
    }
    Ok(exit::DONE)
}
