//! `--events`: what happens in a run, a line of JSON each, in a file of the user's.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jalon::event::{Event, Sink};
use jalon::trace::Lost;

use super::exit::{self, Failure};

/// `--events FILE`.
pub struct Lines {
    file: Option<std::fs::File>,
    path: PathBuf,
    lost: Lost,
}

impl Lines {
    /// Appends to a file, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn append(path: &Path, lost: &Lost) -> Result<Lines, Failure> {
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        let refused = |error| {
            Failure::new(
                exit::USAGE,
                "events",
                format!("cannot write {}: {error}", path.display()),
            )
        };
        Ok(Lines {
            file: Some(opened.map_err(refused)?),
            path: path.to_owned(),
            lost: lost.clone(),
        })
    }
}

impl Sink for Lines {
    fn take(&mut self, event: &Event) {
        let (Some(file), Ok(mut line)) = (&mut self.file, serde_json::to_vec(event)) else {
            return;
        };
        line.push(b'\n');
        if let Err(error) = file.write_all(&line) {
            // After half a line no other can be read.
            self.file = None;
            // Whoever read along may have gone, and is free to.
            if error.kind() != io::ErrorKind::BrokenPipe {
                let text = format!(
                    "events could not be written to {}: {error}",
                    self.path.display()
                );
                self.lost.add(Lost::EVENTS, text);
            }
        }
    }
}
